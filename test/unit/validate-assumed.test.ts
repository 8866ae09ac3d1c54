/** What a recorded case leaves open or says beside its own figures: assumed, honoured or told, and never in silence. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Catalog } from "../../src/catalog/schema.ts";
import { type RecordedCase, parseCaseFile } from "../../src/experiment/validate/case.ts";
import { predictCase, type Prediction } from "../../src/experiment/validate/predict.ts";
import { simulateCase } from "../../src/experiment/validate/simulate-case.ts";
import { score } from "../../src/experiment/validate/validate.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";

type Change = Readonly<Record<string, unknown>>;

const OPEN = { kind: "open", ratePerS: 10, requests: 40, inputTokens: 512, outputTokens: 64 };
const CLOSED = { kind: "closed", concurrency: 8, inputTokens: 512, outputTokens: 64 };
const BASE = {
  id: "case",
  role: "validation",
  gpu: "h100-sxm",
  model: "llama-3.1-8b",
  weightDtype: "bf16",
  engine: "vllm",
  engineVersion: "0.15.0",
  load: OPEN,
  measured: { tpotMsMean: 10, ttftMsMean: 100 },
};
const FILE = "arrivalS,inputTokens,outputTokens\n0,500,50\n1,500,50\n2,500,50\n3,500,50\n";

let catalog: Catalog;
beforeAll(async () => {
  ({ catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"]));
});

function recorded(change: Change): RecordedCase {
  const [parsed] = parseCaseFile("t.json", [{ ...BASE, ...change }])!;
  if (!parsed?.ok) throw new Error(parsed?.reason);
  return parsed.case;
}
const predict = (change: Change, text = FILE): Prediction =>
  predictCase(recorded(change), { catalog, simulate: simulateCase, readText: () => text });
const told = (change: Change, about: string): readonly string[] =>
  predict(change).caveats.filter((caveat) => caveat.includes(about));

describe("the link between GPUs", () => {
  const four = { gpu: "l40s", tp: 4, model: "qwen3-32b" };

  test("one that the catalogue knows is taken, and moves the times of several GPUs", () => {
    const tpot = (change: Change): number => predict({ ...four, ...change }).predicted["tpotMsMean"]!;
    expect(tpot({ interconnect: "nvlink4" })).toBeLessThan(0.95 * tpot({}));
    expect(told({ ...four, interconnect: "nvlink4" }, "linked by nvlink4")).toHaveLength(1);
    // Its own, by whatever spelling, is nothing to tell.
    for (const interconnect of ["pcie4", "PCIe Gen4", "PCIE"])
      expect([tpot({ interconnect }), told({ ...four, interconnect }, "link")]).toEqual([tpot({}), []]);
  });

  test("one that it does not know is named as unread; with one GPU there is nothing to tell", () => {
    expect(told({ ...four, interconnect: "ethernet" }, "interconnect ethernet is not read")).toHaveLength(1);
    expect(told({ interconnect: "pcie5" }, "link")).toEqual([]);
  });
});

describe("defaults that stand in for what is not recorded", () => {
  const shared = { load: { ...OPEN, sharedPrefixTokens: 384 } };
  const ttft = (change: Change): number => predict({ ...shared, ...change }).predicted["ttftMsMean"]!;

  test("vLLM cached no prefixes before V1 and does since", () => {
    const off = { engineOptions: { prefixCaching: false } };
    const on = { engineOptions: { prefixCaching: true } };
    const old = { engineVersion: "0.6.3" };
    expect(ttft(old)).toBe(ttft({ ...old, ...off }));
    expect(ttft({})).toBe(ttft(on));
    expect(ttft({})).toBeLessThan(ttft(off));
    expect(told({ ...shared, ...old }, "prefixCaching is not recorded: off, the default of vLLM 0.6.3")).toHaveLength(
      1,
    );
    expect(told(old, "schedules by the engine before V1")).toHaveLength(1);
    expect(told(shared, "prefixCaching is not recorded: taken as on")).toHaveLength(1);
    expect(told({ ...shared, ...on }, "prefixCaching")).toEqual([]);
    expect(told({}, "prefixCaching")).toEqual([]);
  });

  test("KV in FP8 of a closed loop is told where it is assumed", () => {
    const closed = { load: CLOSED, weightDtype: "fp8" };
    expect(told(closed, "kvDtype is not recorded: FP8")).toHaveLength(1);
    for (const change of [{ ...closed, kvDtype: "fp8" }, { ...closed, weightDtype: "bf16" }, { weightDtype: "fp8" }])
      expect(told(change, "kvDtype")).toEqual([]);
  });
});

describe("a requestsFile", () => {
  const load = (more: Change = {}): Change => ({
    load: { kind: "trace", requestsFile: "t.csv", ...more },
    measured: { makespanS: 4, tpotMsMean: 10 },
  });

  test("of more rows than the load says is sent in part, of fewer as it is", () => {
    const makespan = (change: Change): number => predict(change).predicted["makespanS"]!;
    expect(makespan(load({ requests: 2 }))).toBeCloseTo(makespan(load()) - 2, 1);
    expect(told(load({ requests: 2 }), "requests is 2, and t.csv holds 4: the first 2 are sent")).toHaveLength(1);
    expect(makespan(load({ requests: 9 }))).toBe(makespan(load()));
    expect(told(load({ requests: 9 }), "all of them are sent")).toHaveLength(1);
    // With the warm-up or without it: every row is one.
    for (const requests of [4, 3]) expect(told(load({ requests, warmupRequests: 1 }), "t.csv")).toEqual([]);
  });

  test("what it makes idle is named", () => {
    const idle = { ratePerS: 9, prefix: { groups: 2 } };
    expect(told(load(idle), "prefix is not read")).toHaveLength(1);
    expect(told(load(idle), "ratePerS is not read")).toHaveLength(1);
    expect(
      told({ load: { ...CLOSED, requestsFile: "t.csv" } }, "load.requestsFile is not read of a load closed"),
    ).toHaveLength(1);
  });

  test("of a trace the version decides whether steps are formed ahead, and is told where the constants are of another", () => {
    const busy = FILE.split("\n")[0] + Array.from({ length: 40 }, (_, i) => `\n${i / 20},500,50`).join("");
    const ttft = (engineVersion: string): number =>
      predict({ ...load(), engineVersion }, busy).predicted["ttftMsMean"]!;
    // Who arrives in a step waits for the one after the next, which is formed already.
    expect(ttft("0.11.0")).toBeLessThan(ttft("0.19.0"));
    expect(told({ ...load(), engineVersion: "0.11.0" }, "constants of the engine's own clock")).toHaveLength(1);
    expect(told({ ...load(), engineVersion: "0.19.1" }, "constants of the engine's own clock")).toEqual([]);
  });
});

test("cases of one group are ordered by their stages too", () => {
  const stages = [1, 2].map((ratePerS) => ({ ratePerS, durationS: 20 }));
  const one = (id: string, model: string, measured: readonly number[]) =>
    recorded({
      id,
      model,
      compareGroup: "size",
      load: { kind: "open", stages, inputTokens: 512, outputTokens: 64 },
      measured: {},
      measuredByStage: measured.map((tpotMsMean) => ({ tpotMsMean })),
    });
  const cases = [one("small", "llama-3.1-8b", [10, 11]), one("large", "qwen3-14b", [15, 14])];
  const tools = { catalog, simulate: simulateCase, readText: () => null };
  const { order } = score(
    cases.map((value) => ({ ok: true, case: value })),
    cases.map((value) => predictCase(value, tools)),
  );
  expect(order).toMatchObject([{ group: "size", cases: 2, pairs: 2, right: 2 }]);
});
