/** KV capacity against the memory that vLLM 0.11 recorded at start-up on one H100, and the block count of an RTX 4090. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { KvDtype, WeightDtype } from "../../src/engine/spec.ts";
import { type KvCapacityInput, kvCapacity, usableMemory, weightsGiB } from "../../src/engine/kv-capacity.ts";
import { GPUS, LLMS } from "../fixtures/engine-specs.ts";

interface StartUp {
  readonly model: string;
  readonly weightDtype: string;
  readonly kvDtype: KvDtype;
  readonly engineOptions: {
    readonly gpuMemoryFraction: number;
    readonly blockTokens: number;
    readonly maxNumSeqs: number;
  };
  readonly measured: {
    readonly weightsGiBPerGpu: number;
    readonly activationPeakGiB: number;
    readonly nonTorchGiB: number;
    readonly kvCacheGiBPerGpu: number;
    readonly kvBlocks?: number;
    readonly kvTokens?: number;
  };
}

const STARTS = JSON.parse(
  readFileSync(new URL("../fixtures/vllm-memory.json", import.meta.url), "utf8"),
) as readonly StartUp[];
const profile = { activationBytesPerSeqVocab: 9.7 * 4, nonTorchGiB: { oneGpu: 0.15, tensorParallel: 0.6 } };

function inputOf(start: StartUp): KvCapacityInput {
  return {
    gpu: GPUS["h100-sxm"]!,
    llm: LLMS[start.model]!,
    weightDtype: start.weightDtype as WeightDtype,
    kvDtype: start.kvDtype,
    tensorParallelSize: 1,
    gpuMemoryUtilization: start.engineOptions.gpuMemoryFraction,
    maxNumSeqs: start.engineOptions.maxNumSeqs,
    maxNumBatchedTokens: 8192,
    blockTokens: start.engineOptions.blockTokens,
    profile,
  };
}

describe("recorded start-ups", () => {
  test.each(STARTS)("with the recorded parts, the memory left for KV holds to 0.01 GiB: $model", (start) => {
    const recorded = {
      weightsGiB: start.measured.weightsGiBPerGpu,
      activationGiB: start.measured.activationPeakGiB,
      nonTorchGiB: start.measured.nonTorchGiB,
    };
    const { kvGiB, kvBlocks } = kvCapacity({ ...inputOf(start), recorded });
    expect(Math.abs(kvGiB - start.measured.kvCacheGiBPerGpu)).toBeLessThanOrEqual(0.01 + 1e-9);
    if (start.measured.kvBlocks !== undefined)
      expect(Math.abs(kvBlocks / start.measured.kvBlocks - 1)).toBeLessThan(0.001);
  });

  test.each(STARTS.filter((start) => ["llama-3.1-8b", "qwen3-32b"].includes(start.model)))(
    "from model and GPU alone, KV is within 1 %: $model",
    (start) => {
      const { kvGiB, weightsGiB: weights, activationGiB, missingGiB } = kvCapacity(inputOf(start));
      expect(Math.abs(weights / start.measured.weightsGiBPerGpu - 1)).toBeLessThan(0.005);
      expect(Math.abs(activationGiB / start.measured.activationPeakGiB - 1)).toBeLessThan(0.012);
      expect(Math.abs(kvGiB / start.measured.kvCacheGiBPerGpu - 1)).toBeLessThan(0.01);
      expect(missingGiB).toBe(0);
    },
  );

  test("the activation rule over-reserves for the multimodal Mistral, on the safe side (known weak spot)", () => {
    const start = STARTS.find(({ model }) => model === "mistral-small-24b")!;
    const error = kvCapacity(inputOf(start)).kvBlocks / start.measured.kvBlocks! - 1;
    expect(error).toBeLessThan(-0.05);
    expect(error).toBeGreaterThan(-0.08);
  });

  test("RTX 4090, Llama-3.1-8B, 256 sequences, vLLM 0.19: 2,588 blocks recorded, within 5 %", () => {
    const { kvBlocks, kvTokens, usableMemoryAssumed } = kvCapacity({
      gpu: GPUS["rtx-4090"]!,
      llm: LLMS["llama-3.1-8b"]!,
      weightDtype: "bf16",
      kvDtype: "bf16",
      tensorParallelSize: 1,
      gpuMemoryUtilization: 0.9,
      maxNumSeqs: 256,
      maxNumBatchedTokens: 8192,
      blockTokens: 16,
      profile,
    });
    expect(kvBlocks).toBe(2494);
    expect(Math.abs(kvBlocks / 2588 - 1)).toBeLessThan(0.05);
    expect(kvTokens).toBe(kvBlocks * 16);
    expect(usableMemoryAssumed).toBe(false);
  });
});

describe("the formula", () => {
  const base: KvCapacityInput = {
    gpu: GPUS["h100-sxm"]!,
    llm: LLMS["llama-3.1-70b"]!,
    weightDtype: "fp8",
    kvDtype: "bf16",
    tensorParallelSize: 2,
    gpuMemoryUtilization: 0.9,
    maxNumSeqs: 1024,
    maxNumBatchedTokens: 8192,
    blockTokens: 16,
    profile,
  };

  test("a step of more tokens takes memory from the cache once it takes more than the sampler, where the engine tries one", () => {
    const full = { ...base, profile: { ...profile, profilesFullStep: true }, maxNumSeqs: 64 };
    const activation = (change: Partial<KvCapacityInput>): number => kvCapacity({ ...full, ...change }).activationGiB;
    const sampler = (9.7 * 4 * 64 * 128_256) / 1024 ** 3;
    expect(activation({ maxNumBatchedTokens: 512 })).toBeCloseTo(sampler, 9);
    // By hand: 2 bytes × (4 × 8192 + 3 × 28,672 ÷ 2) = 151,552 a token and GPU.
    expect(activation({ maxNumBatchedTokens: 16_384 })).toBeCloseTo((151_552 * 16_384) / 1024 ** 3, 9);
    expect(activation({ maxNumBatchedTokens: 16_384, profile })).toBeCloseTo(sampler, 9);
    const blocks = [512, 8192, 65_536].map(
      (maxNumBatchedTokens) => kvCapacity({ ...full, maxNumBatchedTokens }).kvBlocks,
    );
    expect(blocks).toEqual(blocks.toSorted((a, b) => b - a));
    expect(new Set(blocks).size).toBe(3);
    // Of a MoE layer: 2 bytes × (4 × 2048 + 8 × (3 × 768 + 2048)).
    const experts = activation({ llm: LLMS["qwen3-30b-a3b"]!, tensorParallelSize: 1, maxNumBatchedTokens: 32_768 });
    expect(experts).toBeCloseTo((86_016 * 32_768) / 1024 ** 3, 9);
  });

  // Start-ups of vLLM logged in public. Qwen2.5-1.5B on a T4 (0.8, 32,768 tokens): the step; Llama-3-8B on H100 (0.6, 8,192 tokens, 256 sequences; PR 10511): the sampler.
  test.each([
    ["qwen2.5-1.5b", { hiddenSize: 1536, ffnSize: 8960, vocabSize: 151_936 }, 32_768, 2.02],
    ["llama-3-8b", { hiddenSize: 4096, ffnSize: 14_336, vocabSize: 128_256 }, 8192, 1.26],
  ] as const)("%s: logged activation within 6 %%", (_id, shape, maxNumBatchedTokens, gib) => {
    const { activationGiB } = kvCapacity({
      ...base,
      llm: { ...LLMS["llama-3.1-8b"]!, ...shape },
      tensorParallelSize: 1,
      maxNumSeqs: 256,
      maxNumBatchedTokens,
      profile: { ...profile, profilesFullStep: true },
    });
    expect(Math.abs(activationGiB / gib - 1)).toBeLessThan(0.06);
  });

  test("weights without a block are refused with what is missing", () => {
    const one = kvCapacity({ ...base, weightDtype: "bf16", tensorParallelSize: 1 });
    expect(one.kvBlocks).toBe(0);
    // 131.4 GiB of weights, 4.75 of activation and 0.15 against 71.26 usable.
    expect(one.missingGiB).toBeGreaterThan(65);
    expect(one.missingGiB).toBeLessThan(66);
    // With exactly that much more memory the first block fits.
    const richer = { ...base.gpu, usableMemoryGiB: base.gpu.usableMemoryGiB! + one.missingGiB / 0.9 + 1e-9 };
    expect(kvCapacity({ ...base, gpu: richer, weightDtype: "bf16", tensorParallelSize: 1 }).kvBlocks).toBe(1);
  });

  test("FP8 keeps embedding and head in BF16", () => {
    const bytes = 68_451_041_280 + 2 * 2 * 1_050_673_152;
    expect(weightsGiB(LLMS["llama-3.1-70b"]!, "fp8")).toBeCloseTo(bytes / 1024 ** 3, 9);
  });

  test("more GPUs, FP8 KV and fewer sequences give more blocks", () => {
    const blocks = (change: Partial<KvCapacityInput>): number => kvCapacity({ ...base, ...change }).kvBlocks;
    expect(blocks({ tensorParallelSize: 4 })).toBeGreaterThan(2 * blocks({}));
    expect(blocks({ kvDtype: "fp8" })).toBeGreaterThanOrEqual(2 * blocks({}));
    expect(blocks({ maxNumSeqs: 256 })).toBeGreaterThan(blocks({}));
  });

  test("memory that the driver was not asked for is derived from the marketing size and marked assumed", () => {
    expect(usableMemory(GPUS["h100-sxm"]!)).toEqual({ gib: 79.18, assumed: false });
    const h200 = usableMemory(GPUS["h200"]!);
    expect(h200.assumed).toBe(true);
    expect(h200.gib).toBeCloseTo(138.18, 2);
    // L40S cards report 44.4 GiB: the derived figure must not exceed that.
    expect(usableMemory(GPUS["l40s"]!).gib).toBeLessThan(44.42);
  });
});

test("a share of what the model leaves free is taken after everything else, not before", () => {
  const start = inputOf(STARTS.find(({ model }) => model === "llama-3.1-8b")!);
  const total = kvCapacity(start);
  const free = kvCapacity({ ...start, profile: { ...profile, utilizationOf: "free" } });
  const taken = total.weightsGiB + total.activationGiB + total.nonTorchGiB;
  expect(free.kvGiB).toBeCloseTo((total.usableMemoryGiB - taken) * start.gpuMemoryUtilization, 9);
  expect(free.kvGiB - total.kvGiB).toBeCloseTo(taken * (1 - start.gpuMemoryUtilization), 9);
});
