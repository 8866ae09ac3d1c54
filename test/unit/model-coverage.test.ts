/** Every model on every GPU of the catalogue, in every format, has a step time and a KV capacity that move the right way. */
import { describe, expect, test } from "vitest";
import { chooseCoefficients, outsideValidatedRange } from "../../src/engine/coefficients.ts";
import { kvCapacity, weightsGiB } from "../../src/engine/kv-capacity.ts";
import { type LlmSpec, type StepCoefficients, WEIGHT_DTYPES, type WeightDtype } from "../../src/engine/spec.ts";
import { createStepTime, stepTerms } from "../../src/engine/step-time-physics.ts";
import { gpuSpec, llmSpec } from "../../src/experiment/resolve-pool.ts";
import { catalog } from "../fixtures/experiment.ts";

const llms = [...catalog.llms.values()].map(llmSpec);
const gpus = [...catalog.gpus.values()].map(gpuSpec);
const sets = [...catalog.coefficients.values()];
const profile = catalog.engines.get("vllm")!.kvCapacity;

function request(llm: LlmSpec, gpu: (typeof gpus)[number], weightDtype: WeightDtype, tensorParallelSize: number) {
  const { fallbackScope } = catalog.engines.get("vllm")!;
  return { gpu, llm, architecture: llm.id, engine: "vllm", weightDtype, tensorParallelSize, fallbackScope };
}

function engine(weightDtype: WeightDtype, tensorParallelSize: number) {
  return { weightDtype, kvDtype: "bf16", tensorParallelSize, maxNumSeqs: 32, tpreMsPerLayer: 0 } as const;
}

test("35 models, 21 GPUs", () => {
  expect([llms.length, gpus.length]).toEqual([35, 21]);
});

test("a run takes the coefficients that validate takes, from the whole entry of a GPU", () => {
  const fits = ["global", "engine"] as const;
  for (const entry of catalog.gpus.values()) {
    for (const id of ["llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b"]) {
      for (const dense of fits) {
        const of = (gpu: (typeof gpus)[number]) => ({
          ...request(llmSpec(catalog.llms.get(id)!), gpu, "bf16", 1),
          fallbackScope: { dense, moe: dense },
        });
        const chosen = chooseCoefficients(sets, of(gpuSpec(entry)), "all");
        expect(chosen, `${entry.id} ${id}`).toEqual(chooseCoefficients(sets, of(entry), "all"));
        expect(outsideValidatedRange(sets, of(gpuSpec(entry)))).toBe(outsideValidatedRange(sets, of(entry)));
      }
    }
  }
});

describe.each(llms.map((llm) => [llm.id, llm] as const))("%s", (_id, llm) => {
  test("steps take longer with more sequences, more context and more prefill, and less reading with more GPUs", () => {
    for (const [i, gpu] of gpus.entries()) {
      // Every format on every third GPU or so; the formats do not know of the GPUs before and after.
      for (const dtype of new Set<WeightDtype>(["fp8", WEIGHT_DTYPES[i % WEIGHT_DTYPES.length]!])) {
        const of = request(llm, gpu, dtype, 2);
        const { coefficients } = chooseCoefficients(sets, of, "all");
        const time = createStepTime(gpu, llm, engine(dtype, 2), coefficients);
        const where = `${gpu.id} ${dtype}`;
        expect(time.perContextTokenS, where).toBeGreaterThan(0);
        let before = 0;
        for (let d = 1; d <= 32; d++) {
          expect(time.decodeBaseS[d], where).toBeGreaterThan(before);
          before = time.decodeBaseS[d]!;
        }
        const decodeS = time.decodeBaseS[8]! + time.perContextTokenS * 8000;
        const chunkS = time.mixedS(8, 8000, 256, 256 * 128, 1);
        expect(chunkS, where).toBeGreaterThan(decodeS);
        expect(time.mixedS(8, 8000, 4096, 4096 * 2048, 1), where).toBeGreaterThan(chunkS);
        expect(time.mixedS(8, 9000, 256, 256 * 128, 1), where).toBeGreaterThan(chunkS);
        expect(chunkS, where).toBeLessThan(60);

        const batch = { decodeSeqs: 8, contextTokens: 8000, prefillTokens: 0, attendedPairs: 0 };
        const [one, two, eight] = [1, 2, 8].map((tp) => stepTerms(gpu, llm, engine(dtype, tp), coefficients, batch));
        expect(two!.weightsMs, where).toBeCloseTo(one!.weightsMs / 2, 9);
        expect(two!.flopsMs, where).toBeCloseTo(one!.flopsMs / 2, 9);
        expect(eight!.kvMs, where).toBeLessThanOrEqual(one!.kvMs);
        expect(eight!.commMs, where).toBeGreaterThan(two!.commMs);
      }
    }
  });

  test("KV capacity grows with GPUs, stages, FP8 KV and smaller weights", () => {
    for (const gpu of gpus) {
      const gib = (tensorParallelSize: number, change = {}) => {
        const kv = kvCapacity({
          gpu,
          llm,
          weightDtype: "fp8",
          kvDtype: "bf16",
          tensorParallelSize,
          gpuMemoryUtilization: 0.9,
          maxNumSeqs: 64,
          maxNumBatchedTokens: 8192,
          blockTokens: 16,
          profile,
          ...change,
        });
        expect(kv.kvBlocks > 0, gpu.id).toBe(kv.missingGiB === 0);
        expect(kv.kvTokens, gpu.id).toBe(kv.kvBlocks * 16);
        return kv;
      };
      const [one, eight] = [gib(1), gib(8)];
      expect(eight.kvBlocks, gpu.id).toBeGreaterThanOrEqual(one.kvBlocks);
      expect(eight.missingGiB, gpu.id).toBeLessThanOrEqual(one.missingGiB);
      // With a terabyte for each GPU every model fits, so that the comparisons are strict.
      const terabyte = { gpu: { ...gpu, usableMemoryGiB: 2000 } };
      const base = gib(2, terabyte).kvTokens;
      expect(base, gpu.id).toBeGreaterThan(0);
      expect(gib(2, { ...terabyte, pipelineParallelSize: 2 }).kvTokens, gpu.id).toBeGreaterThan(base);
      expect(gib(2, { ...terabyte, kvDtype: "fp8" }).kvTokens, gpu.id).toBeGreaterThan(base);
      expect(gib(2, { ...terabyte, weightDtype: "bf16" }).kvTokens, gpu.id).toBeLessThan(base);
      expect(gib(2, { ...terabyte, gpuMemoryUtilization: 0.8 }).kvTokens, gpu.id).toBeLessThan(base);
      if (llm.moe !== null) expect(gib(2, { ...terabyte, dataParallelSize: 2 }).kvTokens, gpu.id).toBeGreaterThan(base);
    }
  });

  test("each format weighs less than the next wider one", () => {
    const falling = ["bf16", "int8", "fp8-block", "fp8", "nvfp4", "int4"] as const;
    const gib = falling.map((dtype) => weightsGiB(llm, dtype));
    for (let i = 1; i < gib.length; i++) expect(gib[i], falling[i]).toBeLessThan(gib[i - 1]!);
    expect([...falling, "mxfp4"].sort()).toEqual([...WEIGHT_DTYPES].sort());
  });
});

describe("what was never measured says so", () => {
  const outside = (id: string, gpu: string, dtype: WeightDtype, change = {}): string | null =>
    outsideValidatedRange(sets, {
      ...request(llmSpec(catalog.llms.get(id)!), gpuSpec(catalog.gpus.get(gpu)!), dtype, 8),
      ...change,
    });

  test("architectures that were fitted are inside", () => {
    expect(outside("deepseek-v3-r1", "h200", "fp8")).toBeNull();
    expect(outside("gpt-oss-120b", "h100-sxm", "mxfp4")).toBeNull();
  });

  test.each([
    ["gemma-3-27b", "h100-sxm", "bf16", {}, /gemma-3-27b was never fitted/],
    ["llama-3.1-70b", "h100-sxm", "int4", {}, /no dense model was fitted with int4 weights/],
    ["llama-3.1-70b", "a100-80gb-sxm", "int8", {}, /no dense model was fitted with int8 weights/],
    ["llama-3.1-70b", "h100-sxm", "nvfp4", {}, /h100-sxm has no FP4 units and the cost of unpacking nvfp4/],
    ["llama-3.1-70b", "h100-sxm", "bf16", { kvDtype: "fp8" }, /FP8 KV cache beside bf16 weights/],
    ["llama-3.1-70b", "h100-sxm", "fp8", { pipelineParallelSize: 2 }, /pipeline parallelism is modelled in theory/],
    ["deepseek-v3-r1", "h200", "fp8", { dataParallelSize: 8 }, /data-parallel attention is modelled/],
    ["deepseek-v3-r1", "h200", "fp8", { expertParallel: true }, /expert parallelism are assumed/],
    ["llama-3.1-70b", "l40s", "fp8", {}, /all-reduce over PCIe is assumed/],
  ] as const)("%s %s %s %j", (id, gpu, dtype, change, reason) => {
    expect(outside(id, gpu, dtype, change)).toMatch(reason);
  });
});

/** Datasheet figures and dimensions in, bytes and milliseconds out, by hand. */
describe("by hand", () => {
  const unit: StepCoefficients = {
    scope: "none",
    ew: 1,
    ekv: 1,
    mfu: 1,
    el: 1,
    ea: 1,
    t0Ms: 0,
    tlMsPerLayer: 0,
    tsMsPerSeq: 0,
    arMs: 0,
    moeMsPerLayer: 0,
  };
  const h200 = gpuSpec(catalog.gpus.get("h200")!);
  const b200 = gpuSpec(catalog.gpus.get("b200")!);
  const llm = (id: string): LlmSpec => llmSpec(catalog.llms.get(id)!);
  const terms = (id: string, gpu: typeof h200, dtype: WeightDtype, tp: number, batch = {}) =>
    stepTerms(gpu, llm(id), engine(dtype, tp), unit, {
      decodeSeqs: 4,
      contextTokens: 4e4,
      prefillTokens: 0,
      attendedPairs: 0,
      ...batch,
    });

  test("MLA: 70,272 bytes a token on every GPU; heads of (128 + 64 + 128)/2 in the prefill", () => {
    for (const tp of [1, 8])
      expect(terms("deepseek-v3-r1", h200, "fp8", tp).kvMs).toBeCloseTo((70_272 * 40_000) / 4800e6, 9);
    const pairs = 2048 * 1024;
    const { attentionMs } = terms("deepseek-v3-r1", h200, "fp8", 8, { prefillTokens: 2048, attendedPairs: pairs });
    expect(attentionMs).toBeCloseTo((4 * 61 * 128 * 160 * pairs) / (8 * 989e9), 9);
  });

  test("Gemma 3: ten layers read every token, 52 read 1,024 of each sequence", () => {
    const bytes = 81_920 * 40_000 + 425_984 * 1024 * 4;
    expect(terms("gemma-3-27b", h200, "bf16", 1).kvMs).toBeCloseTo(bytes / 4800e6, 9);
  });

  test("Qwen3.5-27B: 48 layers read and write a state of 48 × 128 × 128 FP32 values and three inputs of 10,240 channels", () => {
    const state = 48 * (48 * 128 * 128 * 4 + 10_240 * 3 * 2);
    expect(terms("qwen3.5-27b", h200, "bf16", 1).kvMs).toBeCloseTo((65_536 * 40_000 + 2 * state * 4) / 4800e6, 9);
  });

  test("compute types: INT4 in BF16, NVFP4 in FP4, MXFP4 in FP8 on Blackwell and in BF16 on Hopper", () => {
    const flop = (id: string) => 2 * llm(id).activeParams * 4;
    const id = "llama-3.1-8b";
    expect(terms(id, b200, "int4", 1).flopsMs).toBeCloseTo(flop(id) / 2250e9, 9);
    expect(terms(id, b200, "nvfp4", 1).flopsMs).toBeCloseTo(flop(id) / 9000e9, 9);
    expect(terms(id, b200, "mxfp4", 1).flopsMs).toBeCloseTo(flop(id) / 4500e9, 9);
    expect(terms(id, h200, "mxfp4", 1).flopsMs).toBeCloseTo(flop(id) / 989e9, 9);
    expect(terms(id, h200, "fp8-block", 1).flopsMs).toBeCloseTo(flop(id) / 1978e9, 9);
  });

  test("attention of MoE checkpoints stays wider than their experts", () => {
    const kimi = llm("kimi-k2-k2.5");
    const dense = kimi.nonExpertParams - kimi.headParams;
    const gib = (bDense: number, bExpert: number) =>
      (dense * bDense + kimi.expertParams * bExpert + 2 * 2 * kimi.headParams) / 2 ** 30;
    expect(weightsGiB(kimi, "int4")).toBeCloseTo(gib(1, 0.53), 6);
    expect(weightsGiB(kimi, "nvfp4")).toBeCloseTo(gib(1, 0.5625), 6);
    expect(weightsGiB(kimi, "mxfp4")).toBeCloseTo(gib(2, 0.5625), 6);
    // vLLM 0.11 recorded 13.47 GiB.
    expect(Math.abs(weightsGiB(llm("gpt-oss-20b"), "mxfp4") / 13.47 - 1)).toBeLessThan(0.01);
  });
});
