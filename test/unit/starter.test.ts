import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import {
  experimentFor,
  peakShape,
  starterExperiment,
  WORKLOAD_DEFAULTS,
  type Workload,
} from "../../src/experiment/starter.ts";
import type { SyntheticTraffic } from "../../src/scenario/resolved.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import { DemandMeter } from "../../src/traffic/demand.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import { catalog, resolveRaw } from "../fixtures/experiment.ts";

const chat: Workload = {
  ...WORKLOAD_DEFAULTS,
  requestsPerDay: 400_000,
  inputTokens: 2500,
  outputTokens: 400,
  peakToMean: 3,
  model: "llama-3.1-70b",
  restrictedShare: 0.2,
};

function resolved(text: string) {
  return resolveRaw(parse(text)).experiment;
}

test("the unsized starter is sound and says where to look further", () => {
  const text = starterExperiment(catalog);
  const experiment = resolved(text);
  expect(experiment.strategies.map(({ option }) => option)).toEqual(["api", "self", "split"]);
  expect(experiment.warnings).toEqual([]);
  expect(text).toContain("crossover schema");
  expect(text.split("\n").filter((line) => line.includes("#")).length).toBeGreaterThan(10);
});

describe("a described workload", () => {
  const experiment = resolved(experimentFor(chat, catalog));

  test("has the rate, the mean lengths and the restricted share that were given", () => {
    const traffic = experiment.traffic as SyntheticTraffic;
    expect(traffic.meanRatePerS * 86_400).toBeCloseTo(400_000, -1);
    expect(experiment.classes.map(({ shareFraction, sensitivity }) => [shareFraction, sensitivity])).toEqual([
      [0.8, "none"],
      [0.2, "restricted"],
    ]);
    const cursor = openTraffic(traffic, {
      warmupS: 0,
      horizonS: 86_400,
      startEpochS: experiment.startEpochS,
      seed: "1",
      replication: 0,
      classShares: [1],
    });
    let [requests, input, output] = [0, 0, 0];
    for (; cursor.timeS < 86_400; cursor.advance()) {
      requests++;
      input += cursor.inputTokens;
      output += cursor.outputTokens;
    }
    // Standard errors of the means are below 0.3 % here; the rate of one day fluctuates by itself.
    expect(input / requests / 2500).toBeCloseTo(1, 1.5);
    expect(output / requests / 400).toBeCloseTo(1, 1.5);
  });

  test("runs the model on as few GPUs as hold it", () => {
    const { engine, llm } = experiment.strategies[1]!.pools[0]!;
    expect([llm.id, engine.weightDtype, engine.tensorParallelSize]).toEqual(["llama-3.1-70b", "fp8", 2]);
  });

  test("without a restricted share there is one class, open to all strategies", () => {
    const open = resolved(experimentFor({ ...chat, restrictedShare: 0 }, catalog));
    expect(open.classes).toHaveLength(1);
    expect(open.strategies.flatMap(({ barred }) => barred)).toEqual([null, null, null]);
  });
});

describe("the peak that was asked for", () => {
  /** Mean over replications of the measure that results report. */
  function measuredPeak(workload: Workload): number {
    const experiment = resolved(experimentFor(workload, catalog));
    const horizonS = 14 * 86_400;
    const peaks = [0, 1, 2, 3, 4, 5].map((replication) => {
      const cursor = openTraffic(experiment.traffic, {
        warmupS: 0,
        horizonS,
        startEpochS: experiment.startEpochS,
        seed: "peak",
        replication,
        classShares: [1],
      });
      const meter = new DemandMeter(horizonS);
      for (; cursor.timeS < horizonS; cursor.advance()) meter.add(cursor.timeS);
      return meter.measures().peakToMean!;
    });
    return peaks.reduce((sum, peak) => sum + peak, 0) / peaks.length;
  }

  test.each([1.3, 2, 3, 6])("%f times the mean comes out as about that", (peakToMean) => {
    const measured = measuredPeak({ ...chat, requestsPerDay: 40_000, peakToMean });
    expect(measured / peakToMean).toBeGreaterThan(0.85);
    expect(measured / peakToMean).toBeLessThan(1.15);
  });

  test("a higher peak fluctuates more, and a weekly profile is used only below it", () => {
    const season = catalog.seasons.get("azure-llm-2024-conv")!.hourOfWeek;
    const shapes = [1, 1.2, 1.6, 2, 4, 40].map((peak) => peakShape(peak, season, 100));
    expect(shapes.map(({ season: used }) => used)).toEqual([false, false, true, true, true, true]);
    expect(shapes[0]!.cv).toBe(0);
    const seasonal = shapes.slice(2).map(({ cv }) => cv);
    expect(seasonal).toEqual([...seasonal].sort((a, b) => a - b));
    expect(seasonal.at(-1)).toBeLessThan(5); // the schema's limit
  });
});

describe("every model and GPU of the catalogue gives a sound experiment or a plain refusal", () => {
  test.each([...catalog.gpus.keys()])("%s", (gpu) => {
    for (const model of ["llama-3.1-8b", "llama-3.3-70b", "qwen3-30b-a3b", "gpt-oss-120b"]) {
      let text: string;
      try {
        text = experimentFor({ ...chat, model, gpu, inputTokens: 900, outputTokens: 200 }, catalog);
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
        expect((error as ConfigError).message).toMatch(/does not fit|no seller/);
        continue;
      }
      expect(resolved(text).strategies[1]!.pools[0]!.gpu.id).toBe(gpu);
    }
  });
});

describe("a workload at the edge", () => {
  const traffic = (change: Partial<Workload>) =>
    resolved(experimentFor({ ...chat, ...change }, catalog)).traffic as SyntheticTraffic;

  test("all of it restricted: one class, and no hybrid", () => {
    const experiment = resolved(experimentFor({ ...chat, restrictedShare: 1 }, catalog));
    expect(experiment.classes.map(({ name, shareFraction }) => [name, shareFraction])).toEqual([["restricted", 1]]);
    expect(experiment.strategies.map(({ name, barred }) => [name, barred[0] === null])).toEqual([
      ["api-first", false],
      ["self-hosted", true],
    ]);
    expect(experiment.warnings).toEqual([]);
  });

  test("long prompts are cut where the context ends", () => {
    const { input, output } = traffic({ inputTokens: 30_000, outputTokens: 600 });
    const [longest, answer] = [input, output].map((law) => (law.kind === "lognormal" ? law.maxTokens : NaN));
    expect(longest! + answer!).toBeLessThanOrEqual(131_072);
    expect(longest! + answer!).toBeGreaterThan(131_000);
    expect(experimentFor({ ...chat, inputTokens: 30_000 }, catalog)).toContain("The context of llama-3.1-70b cuts");
    expect(experimentFor(chat, catalog)).not.toContain("cuts the longest");
  });

  test.each([
    [400_000, 14, true],
    [2_000_000, 7, true],
    [3_000_000, 6.5, false],
    [50_000_000, 0.25, false],
  ])("%i requests a day are %f days; only whole weeks follow the weekly profile", (requestsPerDay, days, weekly) => {
    const text = experimentFor({ ...chat, requestsPerDay }, catalog);
    expect(resolved(text).horizonS / 86_400).toBe(days);
    expect(text.includes("season: azure-llm-2024-conv")).toBe(weekly);
    expect(text.includes("Less than a week has no weekly profile")).toBe(!weekly);
  });
});

describe("refused", () => {
  test.each([
    [{ requestsPerDay: 0 }, "--requests-per-day"],
    [{ peakToMean: 0.5 }, "--peak-to-mean"],
    [{ peakToMean: 100 }, "--peak-to-mean"],
    [{ restrictedShare: 1.2 }, "--restricted"],
    [{ model: "llama-9" }, "--model"],
    [{ gpu: "h1000" }, "--gpu"],
    [{ inputTokens: 100_000 }, "--model"], // no room for longer ones in the context
  ])("%j", (change, option) => {
    try {
      experimentFor({ ...chat, ...change }, catalog);
      expect.unreachable();
    } catch (error) {
      expect((error as ConfigError).problems.map(({ path }) => path)).toEqual([[option]]);
    }
  });
});
