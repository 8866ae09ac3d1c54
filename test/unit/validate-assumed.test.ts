/** What a recorded case leaves open or names beside what is read: defaults of engine versions, KV, links, what stands beside a trace. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Catalog } from "../../src/catalog/schema.ts";
import { outsideValidatedRange } from "../../src/engine/coefficients.ts";
import { parseCaseFile } from "../../src/experiment/validate/case.ts";
import { type Prediction, predictCase } from "../../src/experiment/validate/predict.ts";
import type { CaseSimulator } from "../../src/experiment/validate/serve.ts";
import { simulateCase } from "../../src/experiment/validate/simulate-case.ts";
import { score } from "../../src/experiment/validate/validate.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { type Change, RECORDED, recorded } from "../fixtures/recorded-case.ts";

const ROWS = "arrivalS,inputTokens,outputTokens\n3,50,5\n0,10,5\n1,20,5\n2,30,5\n";

let catalog: Catalog;
beforeAll(async () => {
  ({ catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"]));
});

/** The prediction, and what the simulator was given last. */
function spied(change: Change): Prediction & { readonly input: Parameters<CaseSimulator>[0] } {
  let input: Parameters<CaseSimulator>[0] | undefined;
  const simulate: CaseSimulator = (given) => simulateCase((input = given));
  const prediction = predictCase(recorded(change), { catalog, simulate, readText: () => ROWS });
  return { ...prediction, input: input! };
}

describe("a version of the engine", () => {
  const of = (engineVersion: string) => spied({ engineVersion });
  const newer = (engineVersion: string) => of(engineVersion).caveats.filter((caveat) => caveat.includes("is newer"));

  test("after all that have a profile gets the newest, and that is said", () => {
    for (const version of ["0.26.0", "0.28.1", "v0.27.1", "1.0.0", "nightly", "latest"]) {
      expect([version, of(version).input.engine.schedulesAhead]).toEqual([version, true]);
      expect(newer(version)).toHaveLength(1);
    }
    for (const version of ["0.25.1", "0.19.0", "0.11.0", ""]) expect(newer(version)).toEqual([]);
    expect(of("0.11.0").input.engine.schedulesAhead ?? false).toBe(false);
  });

  test("of an engine without profiles by version is no matter", () => {
    expect(spied({ engine: "sglang", engineVersion: "9.9" }).caveats.join()).not.toContain("newer");
  });
});

test("burstiness is arrivalCv in vLLM's words: the shape of the Gamma law", () => {
  const ttft = (load: Change): number => spied({ load: { ...RECORDED.load, ...load } }).predicted["ttftMsP99"]!;
  expect(ttft({ burstiness: 0.25 })).toBe(ttft({ arrivalCv: 2 }));
  expect(ttft({ burstiness: 1 })).toBe(ttft({}));
  expect(ttft({ burstiness: 0.25 })).toBeGreaterThan(ttft({}));
});

test("an FP8 KV cache beside BF16 weights is outside of what was fitted, as in experiments", () => {
  expect(spied({ kvDtype: "fp8" }).outsideValidatedRange).toContain("FP8 KV cache");
  expect(spied({}).outsideValidatedRange).toBeNull();
});

test("windows count as full unless requests are shorter, in closed loops too; large ones are outside of what was fitted", () => {
  const closed = (outputTokens: number, engineOptions: Change = {}): number =>
    spied({
      model: "gemma-3-27b",
      engineOptions: { kvBlocks: 10_000, ...engineOptions },
      load: { kind: "closed", concurrency: 64, inputTokens: 512, outputTokens },
    }).predicted["tpotMsMean"]!;
  // From 513 tokens on the typical request is longer than the window: each sequence counts with 1,024 at once.
  expect(closed(513) / closed(512)).toBeGreaterThan(1.05);
  expect(closed(512, { maxModelLen: 1024 })).toBe(closed(512));
  expect(closed(513, { maxModelLen: 8192 })).toBe(closed(513));
  const { gpus, llms, coefficients } = catalog;
  const windowed = (slidingWindow: number) =>
    outsideValidatedRange([...coefficients.values()], {
      gpu: gpus.get("h100-sxm")!,
      llm: { ...llms.get("llama-3.1-8b")!, slidingWindow },
      architecture: "llama-3.1-8b",
      engine: "vllm",
      weightDtype: "bf16",
      tensorParallelSize: 1,
    } as never);
  expect(windowed(4096)).toContain("windows of 4096 tokens count as full");
  expect(windowed(1024)).toBeNull();
});

describe("traces", () => {
  const trace = (load: Change = {}): Change => ({ load: { kind: "trace", requestsFile: "t.csv", ...load } });

  test("as many rows are sent as there were requests, the earliest; other numbers are said", () => {
    const first = spied({ ...trace({ requests: 2 }), engineVersion: "0.19.0" });
    expect(Array.from(first.input.arrivals.inputTokens)).toEqual([10, 20]);
    expect(first.caveats).toEqual(["requests is 2, and t.csv holds 4: the first 2 are sent"]);
    const warm = spied(trace({ requests: 2, warmupRequests: 1 }));
    expect(Array.from(warm.input.arrivals.inputTokens)).toEqual([10, 20, 30]);
    const few = spied({ ...trace({ requests: 9 }), engineVersion: "0.19.0" });
    expect(few.input.arrivals.inputTokens).toHaveLength(4);
    expect(few.caveats).toEqual(["requests is 9, and t.csv holds 4: all of them are sent"]);
    for (const load of [{}, { requests: 4 }, { requests: 3, warmupRequests: 1 }])
      expect(spied({ ...trace(load), engineVersion: "0.19.0" }).caveats).toEqual([]);
  });

  test("the version says whether steps are formed ahead; the constants are those of one version", () => {
    const ahead = (engineVersion: string) => {
      const { input, caveats } = spied({ ...trace(), engineVersion });
      return [input.engine.schedulesAhead, caveats.length];
    };
    expect(["0.19.0", "0.15.1", "0.11.0", ""].map(ahead)).toEqual([
      [true, 0],
      [true, 1],
      [false, 1],
      [true, 0],
    ]);
    expect(spied({ ...trace(), engineVersion: "0.11.0" }).caveats).toEqual([
      "constants of the engine's own clock are those of vllm 0.19: of version 0.11.0 only whether it forms steps ahead is read",
    ]);
  });

  test("what stands beside the file and is not read is named", () => {
    const beside = {
      sharedPrefixTokens: 5,
      prefix: { groups: 2, systemTokens: 5, questionTokens: 5 },
      ratePerS: 3,
      durationS: 9,
    };
    expect(spied({ ...trace(beside), engineVersion: "" }).caveats).toEqual([
      "prompts of a requestsFile are taken to share nothing: sharedPrefixTokens is not read",
      "prompts of a requestsFile are taken to share nothing: prefix is not read",
      "the times are those of the requestsFile; not read: ratePerS, durationS",
    ]);
    const closed = { ...RECORDED.load, kind: "closed", concurrency: 2, requestsFile: "t.csv" };
    expect(spied({ load: closed }).caveats).toEqual([
      "load.requestsFile is not read of a load closed: only trace and open loads have one",
    ]);
  });

  test("stages of a file cannot be told apart", () => {
    const stages = [{ ratePerS: 1, durationS: 4 }];
    const load = { kind: "open", requestsFile: "t.csv", stages };
    const one = { ...RECORDED, load, measuredByStage: [{ tpotMsMean: 10 }] };
    const cases = parseCaseFile("t.json", [one])!;
    const result = score(cases, [
      predictCase(recorded(one), { catalog, simulate: simulateCase, readText: () => ROWS }),
    ]);
    expect(result.cases[0]!.refused).toMatch(/^measuredByStage has 1 entry, and the requestsFile does not tell/);
  });
});

describe("defaults of engines", () => {
  const shared = { load: { ...RECORDED.load, sharedPrefixTokens: 400 } };
  const cacheOf = (change: Change) => {
    const { input, caveats } = spied({ ...shared, ...change });
    return [input.scheduler.prefixCache !== null, caveats] as const;
  };

  test("prefixes are cached by default, but not by vLLM before its engine V1", () => {
    const assumedOn = ["prefixCaching is not recorded: taken as on, on which shared prompts depend"];
    for (const engineVersion of ["0.8.0", "0.15.0", "unknown", ""])
      expect(cacheOf({ engineVersion }), engineVersion).toEqual([true, assumedOn]);
    const rules = (version: string) =>
      `vLLM ${version} schedules by the engine before V1: but for its defaults it is simulated by the rules of V1`;
    for (const engineVersion of ["0.7.3", "0.6.0"])
      expect(cacheOf({ engineVersion }), engineVersion).toEqual([
        false,
        [`prefixCaching is not recorded: off, the default of vLLM ${engineVersion}`, rules(engineVersion)],
      ]);
    // What is recorded goes before, and other engines have versions of their own.
    expect(cacheOf({ engineVersion: "0.6.0", engineOptions: { prefixCaching: true } })).toEqual([
      true,
      [rules("0.6.0")],
    ]);
    expect(cacheOf({ engineOptions: { prefixCaching: false } })).toEqual([false, []]);
    expect(cacheOf({ engine: "sglang", engineVersion: "0.5.3" })).toEqual([true, assumedOn]);
  });

  test("the KV of a closed loop follows its weights as in the fit, as is said", () => {
    const load = { ...RECORDED.load, kind: "closed", concurrency: 2 };
    const fp8 = spied({ load, weightDtype: "fp8" });
    expect(fp8.input.engine.kvDtype).toBe("fp8");
    expect(fp8.caveats).toEqual([expect.stringMatching(/^kvDtype is not recorded: FP8, as the weights of fp8, like/)]);
    expect(spied({ load, weightDtype: "fp8", kvDtype: "auto" }).caveats).toEqual([]);
    expect(spied({ load }).caveats).toEqual([]);
    expect(spied({ weightDtype: "fp8" }).input.engine.kvDtype).toBe("bf16");
  });
});

describe("links between GPUs", () => {
  const linked = (gpu: string, interconnect: string | undefined, change: Change = {}) => {
    const { predicted, caveats } = spied({ gpu, tp: 2, interconnect, ...change });
    return { tpotMs: predicted["tpotMsMean"]!, caveats };
  };

  test("that of the GPU, by any spelling, changes nothing", () => {
    for (const [gpu, ...names] of [
      ["h100-sxm", "nvlink4", "NVLink", "NVLink 4.0", "NVSwitch"],
      ["h100-pcie", "pcie5", "PCIe Gen5 x16", "pcie"],
      ["mi300x", "Infinity Fabric (7 links)"],
    ] as const)
      for (const name of names) expect(linked(gpu, name), name).toEqual(linked(gpu, undefined));
  });

  test("another one that the catalogue knows is taken at its rate", () => {
    const { tpotMs, caveats } = linked("h100-sxm", "pcie5");
    expect(tpotMs).toBeGreaterThan(linked("h100-sxm", undefined).tpotMs);
    expect(caveats).toEqual([
      "the GPUs are linked by pcie5, 64 GB/s, instead of the usual link of h100-sxm (NVLink4, 450 GB/s)",
    ]);
    const bridge = linked("h100-pcie", "nvlink4");
    expect(bridge.tpotMs).toBeLessThan(linked("h100-pcie", undefined).tpotMs);
    expect(bridge.caveats).toEqual([
      "the GPUs are linked by nvlink4, 300 GB/s, instead of the usual link of h100-pcie (PCIe5 x16, 64 GB/s)",
    ]);
  });

  test("one that it does not know is named as not read, where GPUs exchange anything", () => {
    const { tpotMs, caveats } = linked("h100-sxm", "infiniband");
    expect(tpotMs).toBe(linked("h100-sxm", undefined).tpotMs);
    expect(caveats).toEqual([
      "interconnect infiniband is not read, the catalogue has no rate of it for h100-sxm: its usual link (NVLink4, 450 GB/s) is taken",
    ]);
    expect(linked("h100-sxm", "infiniband", { tp: 1 }).caveats).toEqual([]);
  });
});

test("cases that were measured by stage alone are compared stage by stage", () => {
  const stages = [
    { ratePerS: 2, durationS: 10 },
    { ratePerS: 4, durationS: 10 },
  ];
  const one = (id: string, outputTokens: number, e2eMs: readonly number[]) => ({
    ...RECORDED,
    id,
    compareGroup: "g",
    load: { kind: "open", stages: stages.slice(0, e2eMs.length), inputTokens: 512, outputTokens },
    measured: {},
    measuredByStage: e2eMs.map((e2eMsMean) => ({ e2eMsMean })),
  });
  const all = [one("short", 64, [500, 900]), one("long", 256, [1500, 800]), one("other", 64, [500])];
  const cases = parseCaseFile("t.json", all)!;
  const predictions = all.map((each) =>
    predictCase(recorded(each), { catalog, simulate: simulateCase, readText: () => null }),
  );
  expect(score(cases, predictions).order).toEqual([{ group: "g", pool: "validation", cases: 3, pairs: 2, right: 1 }]);
});
