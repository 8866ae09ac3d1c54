/** What a recording proves of the engine behind it: how much its KV cache held, which requests it served, which engine it was. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Catalog } from "../../src/catalog/schema.ts";
import { type Prediction, predictCase } from "../../src/experiment/validate/predict.ts";
import type { CaseSimulator } from "../../src/experiment/validate/serve.ts";
import { simulateCase } from "../../src/experiment/validate/simulate-case.ts";
import { score } from "../../src/experiment/validate/validate.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { type Change, recorded } from "../fixtures/recorded-case.ts";

let catalog: Catalog;
beforeAll(async () => {
  ({ catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"]));
});

type Spied = Prediction & { readonly input: Parameters<CaseSimulator>[0] };

/** The prediction, and what the simulator was given last. */
function spied(change: Change, rows = ""): Spied {
  let input: Parameters<CaseSimulator>[0] | undefined;
  const simulate: CaseSimulator = (given) => simulateCase((input = given));
  const prediction = predictCase(recorded(change), { catalog, simulate, readText: () => rows });
  return { ...prediction, input: input! };
}

describe("the KV cache", () => {
  const load = { kind: "open", ratePerS: 1, requests: 60, inputTokens: 512, outputTokens: 128 };
  const kvTokens = ({ input }: Spied): number => input.engine.kvBlocks * input.engine.blockTokens;

  test("of an engine that ran is not too small for what it served: fewer sequences than the default explain it", () => {
    const big = { model: "llama-3.1-70b", tp: 2, load };
    const byFormula = spied(big);
    const proven = spied({ ...big, engineOptions: { maxModelLen: 8192 } });
    const told = spied({ ...big, engineOptions: { maxNumSeqs: 256, maxNumBatchedTokens: 2048 } });
    expect(kvTokens(byFormula)).toBeLessThan(8192);
    expect(kvTokens(proven)).toBe(kvTokens(told));
    expect(kvTokens(proven)).toBeGreaterThan(8192);
    expect(proven.caveats.join()).toContain("the engine had other options than its defaults");
    // Some requests wait for room by the formula, none with what is proven; and the formula is scored as ever.
    expect(byFormula.predicted["ttftMsMean"]!).toBeGreaterThan(5 * proven.predicted["ttftMsMean"]!);
    expect(proven.predicted["kvBlocks"]).toBe(byFormula.predicted["kvBlocks"]);
  });

  test("where the formula leaves no block but the weights fit, it ran all the same; a start-up is refused as ever", () => {
    const tight = { model: "llama-3.1-70b", weightDtype: "fp8", load };
    const ran = spied(tight);
    expect(ran.refused).toBeNull();
    expect(ran.predicted["kvBlocks"]).toBe(0);
    expect(kvTokens(ran)).toBeGreaterThan(640);
    expect(spied({ ...tight, load: { kind: "startup" } }).refused).toContain("no KV block fits");
    expect(spied({ ...tight, weightDtype: "bf16" }).refused).toContain("no KV block fits");
  });

  test("of prefill and decode apart is told of each side", () => {
    const side = { workers: 1, tp: 1, pp: 1, dp: 1, ep: 1 };
    const apart = { model: "llama-3.1-70b", weightDtype: "fp8", disaggregated: { prefill: side, decode: side } };
    const { caveats } = spied({ ...apart, load: { ...load, inputTokens: 20_000 } });
    const told = caveats.filter((caveat) => caveat.includes("the KV cache is taken to hold"));
    expect(told.map((caveat) => caveat.split(":")[0])).toEqual(["prefill", "decode"]);
  });

  test("holds the longest request, and what is recorded of it overrides all", () => {
    const options = { maxNumSeqs: 1024, maxNumBatchedTokens: 8192 };
    const long = { model: "llama-3.1-70b", tp: 2, load: { ...load, inputTokens: 30_000 } };
    const proven = spied({ ...long, engineOptions: options });
    expect(kvTokens(proven)).toBe(Math.ceil(30_128 / 16) * 16);
    expect(proven.caveats.join()).toContain(`the KV cache is taken to hold ${kvTokens(proven)} tokens`);
    const stated = spied({ ...long, engineOptions: { ...options, kvBlocks: 100 } });
    expect(stated.refused).toContain("does not fit into the KV cache of 1600 tokens");
  });

  test("limits who decodes at a time in a closed loop: whole answers reserved fewer than answers half there on average", () => {
    const closed = (engine: string, engineOptions: Change = {}): number => {
      const one = { kind: "closed", concurrency: 256, inputTokens: 1024, outputTokens: 1024 };
      return spied({ engine, model: "llama-2-7b", engineOptions, load: one }).predicted["tpotMsMean"]!;
    };
    const room = { kvBlocks: 6400, blockTokens: 16 };
    // 6,400 blocks are 50 whole requests of 128 blocks, or 66 of 96.
    expect(closed("trtllm", room)).toBe(closed("trtllm", { maxNumSeqs: 50, kvBlocks: 100_000 }));
    expect(closed("vllm", room)).toBe(closed("vllm", { maxNumSeqs: 66, kvBlocks: 100_000 }));
    expect(closed("trtllm", room)).toBeLessThan(0.6 * closed("trtllm", { kvBlocks: 100_000 }));
  });
});

describe("vLLM before its engine V1", () => {
  const old = (change: Change = {}): Spied => spied({ engineVersion: "0.6.6", model: "llama-2-7b", ...change });
  const batching = ({ input }: Spied): string => input.scheduler.batching.name;

  test("has the defaults of its time: fewer sequences, and whole prompts in steps of their own for contexts up to 32k", () => {
    expect(old().input.engine).toMatchObject({ maxNumSeqs: 256, maxNumBatchedTokens: 4096 });
    expect(batching(old())).toBe("continuous");
    expect(old().caveats.join()).toContain("chunkedPrefill is not recorded: off, the default of vLLM 0.6.6");
    expect(batching(old({ engineOptions: { chunkedPrefill: true } }))).toBe("chunked");
    expect(batching(old({ model: "llama-3.1-8b" }))).toBe("chunked");
    expect(batching(old({ model: "llama-3.1-8b", engineOptions: { maxModelLen: 8192 } }))).toBe("continuous");
    expect(batching(old({ engineVersion: "0.8.0" }))).toBe("chunked");
    expect(old({ engineVersion: "0.8.0" }).input.engine.maxNumSeqs).toBe(1024);
  });

  test("prompts that hold up the others: longer gaps, shorter waits for the first token", () => {
    const load = { kind: "open", ratePerS: 12, durationS: 60, inputTokens: 512, outputTokens: 256 };
    const whole = old({ load }).predicted;
    const chunked = old({ load, engineOptions: { chunkedPrefill: true } }).predicted;
    expect(whole["itlMsMean"]!).toBeGreaterThan(1.1 * chunked["itlMsMean"]!);
    expect(whole["ttftMsMean"]!).toBeLessThan(chunked["ttftMsMean"]!);
  });
});

describe("conversations", () => {
  const prefix = { groups: 3, usersPerGroup: 2, systemTokens: 100, questionTokens: 400, multiTurn: true };
  const turns = (requests: number, engineOptions: Change = {}): Spied =>
    spied({ engineOptions, load: { kind: "open", ratePerS: 5, requests, outputTokens: 200, prefix } });

  test("end where they outgrow the model, each by itself, and what is left is served as it was", () => {
    // A turn adds 600 tokens to 100: three fit into 2,000, five turns are asked for.
    const ended = turns(30, { maxModelLen: 2000 });
    expect(ended.refused).toBeNull();
    expect(ended.caveats.join()).toContain("12 of 30 requests are rejected and do not count");
    const { arrivals } = ended.input;
    expect(Math.max(...arrivals.inputTokens) + 200).toBe(1900);
    expect([...arrivals.after!]).toEqual([
      ...Array.from({ length: 6 }, () => -1),
      ...Array.from({ length: 12 }, (_, i) => i),
    ]);
    expect(ended.predicted["requestsPerS"]!).toBeGreaterThan(0);
    expect(ended.predicted["e2eMsMean"]).toBeCloseTo(turns(18).predicted["e2eMsMean"]!, -2);
  });

  test("of which no turn fits are refused", () => {
    expect(turns(30, { maxModelLen: 600 }).refused).toContain("no turn of a conversation fits into the 600 tokens");
  });
});

describe("a trace", () => {
  const ROWS = ["arrivalS,inputTokens,outputTokens", "0,10,5", "1,20,0", '"2",30,5'];
  const trace = (change: Change = {}): Spied =>
    spied({ load: { kind: "trace", requestsFile: "rows.csv", ...change } }, ROWS.join("\n"));

  test("is sent without the requests that have no answer, and says so", () => {
    expect([...trace().input.arrivals.inputTokens]).toEqual([10, 30]);
    expect(trace().caveats).toContain("1 of 3 requests have no answer and are not sent");
    expect(trace({ requests: 3 }).caveats.join()).toContain(
      "1 of 3 requests have no answer and are not sent; requests is 3",
    );
  });

  test("with kind open assumes no number of requests", () => {
    expect(trace({ kind: "open" }).caveats.join()).not.toContain("the number of requests is not recorded");
  });
});

test("a case without measurements shows what is predicted", () => {
  const [result] = score([{ ok: true, case: recorded({ measured: {} }) }], [spied({ measured: {} })]).cases;
  expect(result!.predicted["e2eMsMean"]!).toBeGreaterThan(0);
  expect(result!.refused).toBe("nothing to score: nothing was measured");
  expect(result).toMatchObject({ tp: 1, engineVersion: "0.15.0" });
});
