/**
 * Windowed layers read min(context, window) tokens of a sequence. The step time counts a full window, to stay affine in
 * context: an upper bound, whose error is measured here against the exact sum.
 */
import fc from "fast-check";
import { probit } from "simple-statistics";
import { describe, expect, test } from "vitest";
import { kvCapacity, type KvCapacityInput } from "../../src/engine/kv-capacity.ts";
import type { LlmSpec, StepCoefficients } from "../../src/engine/spec.ts";
import { createStepTime, type StepEngine } from "../../src/engine/step-time-physics.ts";
import { gpuSpec, llmSpec } from "../../src/experiment/resolve-pool.ts";
import { catalog, resolveRaw, smallExperiment, withValue } from "../fixtures/experiment.ts";

const h100 = gpuSpec(catalog.gpus.get("h100-sxm")!);
const gemma = llmSpec(catalog.llms.get("gemma-3-27b")!);
const gptOss = llmSpec(catalog.llms.get("gpt-oss-20b")!);
const global = (modelClass: "dense" | "moe"): StepCoefficients => ({
  scope: "global",
  ...catalog.coefficients.get(`all-${modelClass}`)!.sets.find((set) => set.scope === "global")!.values,
});
const engine: StepEngine = {
  weightDtype: "bf16",
  kvDtype: "bf16",
  tensorParallelSize: 1,
  maxNumSeqs: 64,
  tpreMsPerLayer: 0,
};

/** Predicted ÷ exact − 1 of one decode step. */
function error(llm: LlmSpec, contexts: readonly number[], change: Partial<StepEngine> = {}): number {
  const k = global(llm.moe === null ? "dense" : "moe");
  const time = createStepTime(h100, llm, { ...engine, ...change }, k);
  const predictedS =
    time.decodeBaseS[contexts.length]! + time.perContextTokenS * contexts.reduce((sum, context) => sum + context, 0);
  const window = llm.slidingWindow!;
  const longest = Math.min(change.maxModelLen ?? Infinity, change.requestTokens ?? Infinity);
  const counted = longest <= window ? contexts : contexts.map(() => window);
  const spareTokens = counted.reduce((sum, tokens, i) => sum + tokens - Math.min(contexts[i]!, window), 0);
  const spareS = (llm.kvElementsPerTokenSliding * 2 * spareTokens) / (3350e9 * k.ekv);
  return predictedS / (predictedS - spareS) - 1;
}

describe("decode steps", () => {
  test("contexts beyond the window: exact", () => {
    expect(error(gemma, [1024, 2000, 30_000])).toBe(0);
    expect(error(gptOss, [128, 500, 4000])).toBe(0);
  });

  test("never below the exact sum", () => {
    const contexts = fc.array(fc.integer({ min: 1, max: 4000 }), { minLength: 1, maxLength: 64 });
    fc.assert(
      fc.property(contexts, fc.integer({ min: 1, max: 4000 }), (lengths, requestTokens) => {
        expect(error(gemma, lengths)).toBeGreaterThanOrEqual(-1e-12);
        expect(error(gemma, lengths, { requestTokens })).toBeGreaterThanOrEqual(-1e-12);
        expect(error(gptOss, lengths)).toBeGreaterThanOrEqual(-1e-12);
      }),
    );
  });

  test("64 sequences: gpt-oss below 1 % even at 16 tokens each; Gemma 3 16 % at half a window", () => {
    const all = (tokens: number): number[] => Array.from({ length: 64 }, () => tokens);
    expect(error(gptOss, all(16))).toBeLessThan(0.01);
    expect(error(gemma, all(512))).toBeGreaterThan(0.155);
    expect(error(gemma, all(512))).toBeLessThan(0.165);
    expect(error(gemma, all(896))).toBeLessThan(0.036);
    expect(error(gemma, [512])).toBeLessThan(0.005);
  });

  test("a typical request within the window: exact for contexts within it; a window of thousands made them several times too slow", () => {
    const wide = { ...gemma, slidingWindow: 4096 };
    const short = Array.from({ length: 64 }, () => 400);
    expect(error(wide, short)).toBeGreaterThan(1);
    expect(error(wide, short, { requestTokens: 500 })).toBe(0);
    expect(error(wide, [...short.slice(1), 8000], { requestTokens: 500 })).toBeLessThan(0.1);
    expect(error(wide, short, { requestTokens: 4097 })).toBe(error(wide, short));
  });

  test("traffic of unequal lengths goes by its mean: of the two bounds the lower one, but near the window", () => {
    const window = gemma.slidingWindow!;
    for (const [median, sigma] of [
      [1000, 0.5],
      [1000, 1.5],
      [300, 1],
      [300, 2],
      [4000, 1],
    ] as const) {
      let raw = withValue(smallExperiment(), ["strategies", "own", "pools", "gpus", "llm"], "gemma-3-27b");
      raw = withValue(raw, ["strategies", "own", "pools", "gpus", "tensorParallelSize"], 2);
      const law = { kind: "lognormal", medianTokens: median, sigma, maxTokens: 60_000 };
      raw = withValue(raw, ["traffic"], { requestsPerS: 1, input: law, output: { kind: "constant", tokens: 20 } });
      const { requestTokens } = resolveRaw(raw).experiment.strategies.find(({ name }) => name === "own")!.pools[0]!
        .engine;
      const mean = median * Math.exp((sigma * sigma) / 2) + 20;
      expect(requestTokens).toBe(Math.round(Math.min(mean, 60_020)));
      const lengths = Array.from({ length: 64 }, (_, i) => median * Math.exp(sigma * probit((i + 0.5) / 64)));
      const chosen = error(gemma, lengths, { requestTokens: requestTokens! });
      const other = error(gemma, lengths, { requestTokens: requestTokens! <= window ? window + 1 : window });
      expect(chosen).toBeLessThan(other);
    }
  });

  test("where no request is longer than the window, its layers count as full attention: exact again", () => {
    const contexts = [100, 300, 900];
    expect(error(gemma, contexts, { maxModelLen: 1024 })).toBe(0);
    const k = global("dense");
    const short = createStepTime(h100, gemma, { ...engine, maxModelLen: 1024 }, k);
    const long = createStepTime(h100, gemma, { ...engine, maxModelLen: 1025 }, k);
    expect(short.perContextTokenS / long.perContextTokenS).toBeCloseTo(62 / 10, 9);
    // Both say the same of full windows.
    const c = 3 * 1024;
    expect(short.decodeBaseS[3]! + short.perContextTokenS * c).toBeCloseTo(
      long.decodeBaseS[3]! + long.perContextTokenS * c,
      12,
    );
  });
});

describe("KV capacity", () => {
  const profile = catalog.engines.get("vllm")!.kvCapacity;
  const input: KvCapacityInput = {
    gpu: gpuSpec(catalog.gpus.get("h200")!),
    llm: gemma,
    weightDtype: "bf16",
    kvDtype: "bf16",
    tensorParallelSize: 1,
    gpuMemoryUtilization: 0.9,
    maxNumSeqs: 64,
    maxNumBatchedTokens: 8192,
    blockTokens: 16,
    profile,
  };

  test.each([256, 1024, 4000, 20_000])("requests of %i tokens fill the memory and no more", (requestTokens) => {
    for (const maxNumSeqs of [4, 64, 256]) {
      const { kvGiB, kvTokens } = kvCapacity({ ...input, requestTokens, maxNumSeqs });
      const seqs = Math.min(maxNumSeqs, kvTokens / requestTokens);
      const bytes = kvTokens * 81_920 + seqs * 425_984 * Math.min(1024, requestTokens);
      expect(bytes / 2 ** 30).toBeLessThanOrEqual(kvGiB + 1e-9);
      expect(bytes / 2 ** 30).toBeGreaterThan(kvGiB * 0.999);
    }
  });

  test("longer requests and fewer sequences leave more tokens", () => {
    const tokens = (change: Partial<KvCapacityInput>): number => kvCapacity({ ...input, ...change }).kvTokens;
    const [short, long] = [1000, 8000].map((requestTokens) => tokens({ requestTokens, maxNumSeqs: 1024 }));
    expect(long).toBeGreaterThan(2 * short!);
    expect(tokens({ maxNumSeqs: 8 })).toBeGreaterThan(tokens({ maxNumSeqs: 64 }));
    // A model without windows doesn't care.
    const llm = llmSpec(catalog.llms.get("llama-3.1-8b")!);
    expect(tokens({ llm, requestTokens: 8000 })).toBe(tokens({ llm }));
  });

  test("recurrent states are set aside: Qwen3.5-27B holds 50.7 million bytes of FP32 state a sequence, whatever its length", () => {
    const llm = llmSpec(catalog.llms.get("qwen3.5-27b")!);
    const state = 48 * (48 * 128 * 128 * 4 + 10_240 * 3 * 2);
    const { kvGiB, kvTokens } = kvCapacity({ ...input, llm, requestTokens: 2000, maxNumSeqs: 1000 });
    const bytes = kvTokens * 65_536 + (kvTokens / 2000) * state;
    expect(Math.abs(bytes / 2 ** 30 / kvGiB - 1)).toBeLessThan(0.001);
  });
});
