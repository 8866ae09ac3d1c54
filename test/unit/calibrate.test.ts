/** `crossover calibrate`: planted truths are found again, what runs cannot tell is said, and what got worse is not written. */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Catalog } from "../../src/catalog/schema.ts";
import { chooseCoefficients } from "../../src/engine/coefficients.ts";
import { type Calibration, calibrate } from "../../src/experiment/calibrate/calibrate.ts";
import { readBenchmark } from "../../src/experiment/calibrate/formats/read.ts";
import { eigenvalues, inverse, times } from "../../src/experiment/calibrate/matrix.ts";
import type { Constants } from "../../src/experiment/calibrate/parameters.ts";
import { simulateRun } from "../../src/experiment/calibrate/simulate-run.ts";
import { type Catalogs, resolveTarget } from "../../src/experiment/calibrate/target.ts";
import { EnvironmentFailure } from "../../src/node/exit.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { calibrateCommand } from "../../src/node/commands/calibrate.ts";
import { type MeasuredRequest, type PlantedLoad, SYSTEM, WRITERS, plantedRequests } from "../fixtures/benchmarks.ts";

const SWEEP: PlantedLoad = {
  seed: "seed0",
  requests: 160,
  ratePerS: [1, 12],
  inputTokens: [40, 4000],
  outputTokens: [30, 300],
};
const slower = (prior: Constants): Constants => ({
  mfu: prior["mfu"]! * 0.75,
  apiOverheadMs: prior["apiOverheadMs"]! + 8,
  tsMsPerSeq: prior["tsMsPerSeq"]! * 1.5,
});

let catalogs: Catalogs;
let planted: readonly MeasuredRequest[];
let folder: string;
beforeAll(async () => {
  const { catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"]);
  catalogs = { catalog, shipped: catalog };
  planted = plantedRequests(catalogs, SWEEP, slower);
  folder = mkdtempSync(join(tmpdir(), "crossover-calibrate-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fit = (texts: readonly string[], options = {}): Calibration =>
  calibrate(
    texts.flatMap((text, i) => readBenchmark({ file: `run-${i}`, text }, {})),
    { ...SYSTEM, ...options },
    catalogs,
  ).calibration;
const parameter = (calibration: Calibration, name: string) => calibration.parameters.find((one) => one.name === name)!;

describe("a benchmark under mfu −25 %, API overhead +8 ms and 1.5 times the cost of a sequence", () => {
  test.each(Object.entries(WRITERS))("is found again from %s", (_, write) => {
    const calibration = fit([write(planted)]);
    const { prior } = resolveTarget([], SYSTEM, catalogs);
    const truth = { ...prior, ...slower(prior) };
    for (const one of calibration.parameters) {
      expect([one.name, one.low <= truth[one.name]! && truth[one.name]! <= one.high]).toEqual([one.name, true]);
      expect(one.sdRatio).toBeLessThanOrEqual(1);
    }
    // Intervals that could refute the prior: the planted changes of these two are more than two of their widths.
    for (const name of ["mfu", "apiOverheadMs"]) {
      const { low, high } = parameter(calibration, name);
      expect([name, low <= prior[name]! && prior[name]! <= high]).toEqual([name, false]);
    }
    expect(calibration.heldOut!.medianAfter).toBeLessThan(calibration.heldOut!.medianBefore / 3);
    expect(calibration.heldOut!.better).toBe(true);
    expect(calibration.warnings).toEqual([]);
  });

  test("gives the same figures again", () => {
    const text = WRITERS["request-csv"](planted.slice(0, 80));
    expect(fit([text])).toEqual(fit([text]));
  });
});

test("runs at a fixed number in flight, one held out", () => {
  const texts = [1, 12, 32].map((concurrency) => {
    const load = { ...SWEEP, seed: `c${concurrency}`, requests: 60, concurrency };
    return WRITERS["vllm-bench"](plantedRequests(catalogs, load, slower), concurrency);
  });
  const calibration = fit(texts);
  expect(calibration.runs.map(({ load }) => load)).toEqual(["1 in flight", "12 in flight", "32 in flight"]);
  expect(calibration.heldOut!.what).toBe("whole runs: run-1");
  expect(parameter(calibration, "mfu").high).toBeLessThan(parameter(calibration, "mfu").prior);
  expect(calibration.heldOut!.medianAfter).toBeLessThan(calibration.heldOut!.medianBefore / 2);
});

test("one request at a time says nothing of batches, and the report says so", () => {
  const load = { ...SWEEP, requests: 60, concurrency: 1, inputTokens: [300, 300], outputTokens: [60, 60] } as const;
  const calibration = fit([WRITERS["vllm-bench"](plantedRequests(catalogs, load, slower), 1)]);
  for (const name of ["ekv", "tsMsPerSeq"]) {
    const one = parameter(calibration, name);
    expect(one.identified).toBe("not identified by these runs");
    expect(one.wanted).toMatch(/concurrenc/);
    expect(Math.abs(one.movedPriorSd)).toBeLessThan(0.5);
  }
  // Fewer directions than parameters: what only shows as a sum stays one.
  expect(calibration.informationEigenvalues.filter((value) => value > 1).length).toBeLessThan(4);
  expect(calibration.heldOut!.better).toBe(true);
});

test("constants far from the prior are found", () => {
  const far = (prior: Constants): Constants => ({
    apiOverheadMs: prior["apiOverheadMs"]! + 60,
    ew: prior["ew"]! * 0.6,
  });
  const { prior } = resolveTarget([], SYSTEM, catalogs);
  const calibration = fit([WRITERS["request-csv"](plantedRequests(catalogs, SWEEP, far))]);
  for (const [name, truth] of Object.entries(far(prior))) {
    const { low, high, identified } = parameter(calibration, name);
    expect([name, identified, low < truth && truth < high]).toEqual([name, "identified", true]);
  }
});

test("every file counts, whatever their order", () => {
  const run = (concurrency: number): string =>
    WRITERS["vllm-bench"](
      plantedRequests(catalogs, { ...SWEEP, seed: `c${concurrency}`, requests: 80, concurrency }, (prior) => ({
        tsMsPerSeq: prior["tsMsPerSeq"]! * 4,
        ew: prior["ew"]! * 0.8,
      })),
    );
  const files = [run(1), run(64)];
  const [forth, back] = [fit(files), fit(files.toReversed())];
  expect(forth.heldOut!.what).toMatch(/every third block of time of each run/);
  for (const { name, estimate, standardError } of forth.parameters)
    expect(Math.abs(parameter(back, name).estimate - estimate), name).toBeLessThan(standardError);
  expect(parameter(forth, "ew").identified).toBe("identified");
  expect(parameter(forth, "tsMsPerSeq").estimate).toBeGreaterThan(2 * parameter(forth, "tsMsPerSeq").prior);
});

test("files and options that contradict each other are refused", () => {
  const llama = WRITERS["vllm-bench"](planted.slice(0, 40));
  const changed = (change: object): string => JSON.stringify({ ...(JSON.parse(llama) as object), ...change });
  const text = (change: object, options: object) => () =>
    calibrate(readBenchmark({ file: "run", text: changed(change) }, {}), { ...SYSTEM, ...options }, catalogs);
  expect(text({ model_id: "Qwen/Qwen3-8B" }, { model: "llama-3.1-8b" })).toThrow(
    '--model: says llama-3.1-8b, but a file was measured on qwen3-8b ("Qwen/Qwen3-8B")',
  );
  expect(text({ model_id: "my-own-tune" }, { model: "llama-3.1-8b" })).not.toThrow();
  expect(text({ backend: "sglang" }, { engine: "vllm" })).toThrow("--engine: says vllm, but a file says sglang");
  expect(text({}, { engine: "vllm-0.19" })().target.profile.id).toBe("vllm-0.19");
  expect(text({}, { engine: "vllm", engineVersion: "0.19.1" })().target.profile.id).toBe("vllm-0.19");
  expect(text({}, { engine: "vllm", engineVersion: "0.9" })().target.profile.id).toBe("vllm");
  expect(text({ backend: "openai" }, { engine: undefined })).toThrow("--engine: is needed");
});

test("means and medians alone", () => {
  const summary = (concurrency: number): string => {
    const load = {
      ...SWEEP,
      seed: `s${concurrency}`,
      requests: 64,
      concurrency,
      inputTokens: [800, 800],
      outputTokens: [100, 100],
    } as const;
    const requests = plantedRequests(catalogs, load, slower, 0);
    const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    return JSON.stringify({
      backend: "vllm",
      model_id: "llama-3.1-8b",
      completed: requests.length,
      request_rate: "inf",
      max_concurrency: concurrency,
      total_input_tokens: 800 * requests.length,
      total_output_tokens: 100 * requests.length,
      mean_ttft_ms: mean(requests.map(({ ttftS }) => ttftS * 1000)),
      mean_tpot_ms: mean(requests.map(({ tpotS }) => tpotS * 1000)),
    });
  };
  const several = fit([1, 4, 16, 64].map(summary));
  expect(several.runs.every(({ compared }) => compared === "summary")).toBe(true);
  expect(several.heldOut!.medianAfter).toBeLessThan(several.heldOut!.medianBefore / 2);
  expect(fit([summary(4)]).heldOut).toBeNull();
});

describe("the load", () => {
  const vllm = (change: object): string => {
    const file = JSON.parse(WRITERS["vllm-bench"](planted.slice(0, 40))) as Record<string, unknown>;
    return JSON.stringify({ ...file, start_times: undefined, request_rate: undefined, ...change });
  };

  test("that nobody says is asked for, and options fill in where files are silent", () => {
    expect(() => fit([vllm({})])).toThrow("--request-rate: is needed, or --max-concurrency");
    expect(fit([vllm({})], { maxConcurrency: 4 }).runs[0]!.load).toBe("4 in flight");
    expect(fit([vllm({})], { requestRatePerS: 3 }).runs[0]!.load).toBe("arrivals drawn at the rate");
    const two = vllm({ max_concurrency: 2 });
    expect(fit([two]).runs[0]!.load).toBe("2 in flight");
    expect(() => fit([two], { maxConcurrency: 4 })).toThrow("--max-concurrency: has no effect");
    expect(() => fit([WRITERS["request-csv"](planted)], { requestRatePerS: 4 })).toThrow(
      "--request-rate: has no effect",
    );
    expect(() => fit([vllm({ request_rate: -3 })])).toThrow("a rate of -3 requests per second");
  });

  test("requests that no replica could hold are refused", () => {
    const text = WRITERS["request-csv"](planted.slice(0, 40));
    expect(() => fit([text], { kvBlocks: 20 })).toThrow(/needs \d+ tokens of KV cache; a replica on h100-sxm has 320/);
  });

  test("limits of the engine move the result", () => {
    const text = WRITERS["request-csv"](planted.slice(0, 60));
    const before = (options: object): number => fit([text], options).heldOut!.medianBefore;
    expect(before({ maxNumSeqs: 2 })).not.toBe(before({}));
    expect(before({ maxNumBatchedTokens: 300, maxNumSeqs: 256 })).not.toBe(before({ maxNumSeqs: 256 }));
    expect(() => before({ maxNumBatchedTokens: 255, maxNumSeqs: 256 })).toThrow(/at least the sequences of a step/);
  });

  test("a server that queued for another reason is not explained away", () => {
    const text = WRITERS["request-csv"](
      planted.map((one) => ({ ...one, ttftS: one.ttftS + 5 + 40 * (one.arrivalS % 1) })),
    );
    expect(fit([text]).warnings[0]).toMatch(/TTFT is still predicted too low by \d+ % on average/);
  });

  test("in flight: one at a time has no queue, and many at once is offline", () => {
    const target = resolveTarget([], SYSTEM, catalogs);
    const lengths = { inputTokens: new Uint32Array(20).fill(500), outputTokens: new Uint32Array(20).fill(50) };
    const load = { arrivals: { arrivalS: new Float64Array(20), ...lengths }, requestByRequest: true };
    const alone = simulateRun({ ...load, concurrency: 1 }, target, target.prior);
    for (let i = 1; i < 20; i++)
      expect(alone.sentS[i]! - alone.lastTokenS[i - 1]!).toBeCloseTo(target.prior["apiOverheadMs"]! / 1000, 9);
    const offline = simulateRun({ ...load, concurrency: Infinity }, target, target.prior);
    expect(simulateRun({ ...load, concurrency: 20 }, target, target.prior).lastTokenS).toEqual(offline.lastTokenS);
  });
});

describe("the command", () => {
  const run = async (
    files: readonly string[],
    options: object,
  ): Promise<{ code: number; out: string; talk: string }> => {
    let out = "";
    let talk = "";
    const all = { ...SYSTEM, ...options };
    const code = await calibrateCommand(
      files,
      all,
      "2026-11-24",
      (text) => (out += text),
      (text) => (talk += text),
    );
    return { code, out, talk };
  };
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const setOf = (catalog: Catalog, fitSet: "all" | "calibration") => {
    const target = resolveTarget([], SYSTEM, catalogs);
    const request = {
      gpu: target.gpu,
      llm: target.llm,
      architecture: target.llm.id,
      engine: "vllm",
      weightDtype: "bf16",
      tensorParallelSize: 1,
      fallbackScope: target.profile.fallbackScope,
    } as const;
    return chooseCoefficients([...catalog.coefficients.values()], request, fitSet);
  };

  test("writes entries that the catalogue picks up, says what it replaces, and keeps the rest", async () => {
    const csv = file("mine.csv", WRITERS["request-csv"](planted));
    const models = join(folder, "models");
    const first = await run([csv], { models, json: true });
    expect(first.code).toBe(0);
    expect(first.talk).toContain(`wrote ${join(models, "engines/vllm.yaml")}`);
    const printed = JSON.parse(first.out) as Calibration & { written: unknown[] };
    expect(printed.written).toHaveLength(3);

    const { catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"], models);
    const shipped = catalogs.shipped.engines.get("vllm")!;
    const profile = catalog.engines.get("vllm")!;
    expect(profile.apiOverheadMs).toBeCloseTo(printed.constants["apiOverheadMs"]!, 2);
    expect(profile.tpreMsPerLayer.moe).toBe(shipped.tpreMsPerLayer.moe);
    expect(profile.scheduler).toEqual(shipped.scheduler);
    expect(profile.standardErrors!.apiOverheadMs).toBeGreaterThan(0);
    for (const fitSet of ["all", "calibration"] as const) {
      expect(setOf(catalog, fitSet).scope).toBe("gpu+engine+model+dtype");
      expect(setOf(catalog, fitSet).coefficients.mfu).toBeCloseTo(printed.constants["mfu"]!, 4);
    }
    const sets = (of: Catalog): number => of.coefficients.get("all-dense")!.sets.length;
    expect(sets(catalog) - sets(catalogs.shipped)).toBeLessThanOrEqual(1);
    expect(catalog.coefficients.get("all-dense")!.sets.at(-1)!.standardErrors!["mfu"]).toBeGreaterThan(0);

    // A second calibration starts from the shipped prior again, so the same data do not count twice.
    const second = await run([csv], { models, json: true });
    expect(second.talk).toContain(`replaced ${join(models, "engines/vllm.yaml")}`);
    expect(JSON.parse(second.out)).toMatchObject({ constants: printed.constants });
    expect(readdirSync(join(models, "engines"))).toEqual(["vllm.yaml"]);
  });

  test("does not write what made the held-out run worse, unless forced", async () => {
    const quick = plantedRequests(catalogs, { ...SWEEP, seed: "q", requests: 60 }, (prior) => ({
      apiOverheadMs: 0,
      mfu: prior["mfu"]! * 1.2,
    }));
    const files = [
      file("slow.csv", WRITERS["request-csv"](plantedRequests(catalogs, { ...SWEEP, requests: 60 }, slower))),
      file("quick.csv", WRITERS["request-csv"](quick)),
    ];
    const models = join(folder, "worse");
    const refused = await run(files, { models });
    expect(refused.code).toBe(5);
    expect(refused.talk).toMatch(
      /not written: predictions of what was held out got worse, from [\d.]+ % to [\d.]+ %; --force/,
    );
    expect(() => readdirSync(models)).toThrow();
    expect((await run(files, { models, force: true })).code).toBe(0);
    expect(readdirSync(models).sort()).toEqual(["coefficients", "engines"]);
  });

  test("says whose calibrated values a second one takes the place of", async () => {
    const csv = file("first.csv", WRITERS["request-csv"](planted));
    const models = join(folder, "shared");
    await run([csv], { models });
    const again = await run([csv], { models });
    expect(again.talk).not.toContain("its fitted values were");
    const other = await run([csv], { models, model: "qwen3-8b", force: true });
    expect(other.talk).toMatch(
      /engines\/vllm\.yaml: its fitted values were those of llama-3\.1-8b bf16 on 1 × h100-sxm/,
    );
    expect(other.talk).not.toMatch(/coefficients\/[a-z-]+\.yaml: its/);
  });

  test("does not write what stays far off, nor takes a file twice", async () => {
    const wrongUnit = planted.map((one) => ({ ...one, ttftS: one.ttftS * 1000 }));
    const csv = file("unit.csv", WRITERS["request-csv"](wrongUnit));
    const refused = await run([csv], { models: join(folder, "unit") });
    expect(refused.code).toBe(5);
    expect(refused.talk).toMatch(/not written: TTFT is still [\d.]+ % off .* wrong unit/);
    expect(() => readdirSync(join(folder, "unit"))).toThrow();
    await expect(run([csv, csv], {})).rejects.toThrow("is given twice");
  });

  test("does not overwrite a profile that somebody wrote", async () => {
    const csv = file("short.csv", WRITERS["request-csv"](planted.slice(0, 60)));
    const models = mkdtempSync(join(folder, "own-"));
    const own = readFileSync("models/engines/vllm.yaml", "utf8");
    mkdirSync(join(models, "engines"));
    writeFileSync(join(models, "engines/vllm.yaml"), own);
    await expect(run([csv], { models })).rejects.toThrow(EnvironmentFailure);
    expect(readFileSync(join(models, "engines/vllm.yaml"), "utf8")).toBe(own);
    expect(readdirSync(models)).toEqual(["engines"]);
  });

  test("a BLIS header is put to its trace, and says whose it is when the trace is missing", async () => {
    const trace = file("t.csv", WRITERS["blis-trace"](planted.slice(0, 60)));
    const header = file(
      "t.yaml",
      "trace_version: 3\ntime_unit: us\nmode: real\nwarm_up_requests: 5\nserver: {type: vllm, max_num_seqs: 64}\n",
    );
    const { out } = await run([header, trace], { json: true });
    expect(JSON.parse(out)).toMatchObject({
      target: { maxNumSeqs: 64 },
      runs: [{ format: "blis-trace", requests: 60 }],
    });
    await expect(run([header], {})).rejects.toThrow("a BLIS header without its trace");
  });

  test("the report names the format, the verdicts and both errors", async () => {
    const { out, talk } = await run([file("r.csv", WRITERS["request-csv"](planted.slice(0, 60)))], {});
    for (const part of [
      "CSV with one row a request; 60 requests",
      "mfu",
      "identified",
      "condition number",
      "held out, under a fit to the rest: every third block",
      "→",
    ])
      expect(out).toContain(part);
    expect(talk).toContain("give --models DIR");
  });
});

test("small matrices", () => {
  const a = [
    [4, 1, 0],
    [1, 3, 1],
    [0, 1, 2],
  ];
  times(a, inverse(a)!).forEach((row, i) => row.forEach((value, j) => expect(value).toBeCloseTo(i === j ? 1 : 0, 12)));
  // x³ − 9x² + 24x − 18 = 0 has the roots 3 and 3 ± √3.
  eigenvalues(a).forEach((value, i) => expect(value).toBeCloseTo([3 + Math.sqrt(3), 3, 3 - Math.sqrt(3)][i]!, 10));
  expect(
    inverse([
      [1, 2],
      [2, 1],
    ]),
  ).toBeNull();
});
