/**
 * The step time against evaluated points of its formula (`step-time-examples.json`: every term, printed to six
 * decimals of a millisecond), against identities, and against the shape that the engine leaps on.
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { expertShareByTokens } from "../../src/engine/model-bytes.ts";
import type { StepCoefficients, WeightDtype } from "../../src/engine/spec.ts";
import { type StepEngine, type StepTerms, createStepTime, stepTerms } from "../../src/engine/step-time-physics.ts";
import type { StepTime } from "../../src/engine/step-time.ts";
import { GPUS, LLMS } from "../fixtures/engine-specs.ts";

type TermName = Exclude<keyof StepTerms, "stepMs" | "weightBytesStreamed">;

interface Example extends StepTerms {
  readonly model: string;
  readonly gpu: string;
  readonly tp: number;
  readonly weightDtype: StepEngine["weightDtype"];
  readonly kvBytesPerElement: 1 | 2;
  readonly coefficients: string;
  readonly tpreMsPerLayer: number;
  readonly decodeSeqs: number;
  readonly contextTokens: number;
  readonly prefillTokens: number;
  readonly attendedPairs: number;
  readonly run100StepsMs?: number;
}

const EXAMPLES = JSON.parse(
  readFileSync(new URL("../fixtures/step-time-examples.json", import.meta.url), "utf8"),
) as readonly Example[];
const TERMS: readonly TermName[] = ["fixedMs", "weightsMs", "flopsMs", "kvMs", "attentionMs", "commMs"];

/** The sets that the examples name, as fitted (fit set calibration). */
const SETS: Readonly<Record<string, StepCoefficients>> = Object.fromEntries(
  (
    [
      ["dense|global", 0.94118, 1, 0.68564, 0.01, 0.06533, 0.0263, 0.001, 0.48647, 0.20635, 0],
      ["dense|engine|vllm", 0.88987, 0.66656, 0.77542, 0.01043, 0.06277, 0.04414, 0.00103, 0.35407, 0.27375, 0],
      ["dense|gpu+engine|h200|vllm", 0.95569, 0.45005, 0.72263, 0.01048, 0.06662, 0.02632, 0.00162, 0.4368, 0.341, 0],
      ["moe|global", 0.823, 0.49926, 0.78163, 0.01038, 0.06064, 0.00033, 0.02011, 0.14364, 0.89722, 0.00026],
      ["moe|engine|vllm", 0.87426, 0.53974, 0.41362, 0.0103, 0.05682, 0.01196, 0.02431, 0.18479, 0.89885, 0.00022],
    ] as const
  ).map(([scope, ew, ekv, mfu, t0Ms, tlMsPerLayer, tsMsPerSeq, arMs, el, ea, moeMsPerLayer]) => [
    scope,
    { scope, ew, ekv, mfu, t0Ms, tlMsPerLayer, tsMsPerSeq, arMs, el, ea, moeMsPerLayer },
  ]),
);

function engineOf(example: Example): StepEngine {
  return {
    weightDtype: example.weightDtype,
    kvDtype: example.kvBytesPerElement === 1 ? "fp8" : "bf16",
    tensorParallelSize: example.tp,
    maxNumSeqs: 512,
    tpreMsPerLayer: example.tpreMsPerLayer,
  };
}

/** 1e-6 relative, or half of the last printed digit where that is coarser. */
function expectPrinted(actual: number, printed: number): void {
  expect(Math.abs(actual - printed)).toBeLessThanOrEqual(Math.max(1e-6 * printed, 5.01e-7));
}

describe("evaluated points of the formula", () => {
  test.each(
    EXAMPLES.map(
      (example) =>
        [
          `${example.model} ${example.gpu}×${example.tp} D=${example.decodeSeqs} P=${example.prefillTokens} ${example.coefficients}`,
          example,
        ] as const,
    ),
  )("%s", (_name, example) => {
    const gpu = GPUS[example.gpu]!;
    const llm = LLMS[example.model]!;
    const k = SETS[example.coefficients]!;
    const terms = stepTerms(gpu, llm, engineOf(example), k, example);
    for (const term of TERMS) expectPrinted(terms[term], example[term]);
    expectPrinted(terms.stepMs, example.stepMs);
    expect(Math.abs(terms.weightBytesStreamed / example.weightBytesStreamed - 1)).toBeLessThan(1e-6);

    const { decodeBaseS, perContextTokenS, mixedS } = createStepTime(gpu, llm, engineOf(example), k);
    const { decodeSeqs: d, contextTokens: c, prefillTokens: p, attendedPairs: a } = example;
    const stepS = p === 0 ? decodeBaseS[d]! + perContextTokenS * c : mixedS(d, c, p, a, 1);
    expectPrinted(stepS * 1000, example.stepMs);
    if (example.run100StepsMs !== undefined) {
      const closedForm = 100 * (decodeBaseS[d]! + perContextTokenS * c) + perContextTokenS * d * 50 * 99;
      expect(Math.abs((closedForm * 1000) / example.run100StepsMs - 1)).toBeLessThan(1e-6);
    }
  });

  test("Llama-3.1-8B on one H100: 11.0482 ms for 64 sequences, 52.4498 ms with a 2,048-token chunk", () => {
    const engine: StepEngine = {
      weightDtype: "bf16",
      kvDtype: "bf16",
      tensorParallelSize: 1,
      maxNumSeqs: 64,
      tpreMsPerLayer: 0,
    };
    const time = createStepTime(GPUS["h100-sxm"]!, LLMS["llama-3.1-8b"]!, engine, SETS["dense|global"]!);
    expect((time.decodeBaseS[64]! + time.perContextTokenS * 64_000) * 1000).toBeCloseTo(11.0482, 4);
    expect(time.mixedS(32, 32_000, 2048, 2048 * 1024, 1) * 1000).toBeCloseTo(52.4498, 4);
  });
});

describe("identities", () => {
  const batch = { decodeSeqs: 8, contextTokens: 8000, prefillTokens: 512, attendedPairs: 512 * 256 };
  const engine = (weightDtype: StepEngine["weightDtype"], tensorParallelSize = 1): StepEngine => ({
    weightDtype,
    kvDtype: "bf16",
    tensorParallelSize,
    maxNumSeqs: 16,
    tpreMsPerLayer: 0.4,
  });
  const k = SETS["dense|global"]!;

  test("the fast path equals the sum of the terms for every batch, dense and MoE", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("llama-3.1-8b", "llama-3.1-70b", "qwen3-30b-a3b"),
        fc.constantFrom<StepEngine["weightDtype"]>("bf16", "fp8"),
        fc.constantFrom(1, 2, 4, 8),
        fc.integer({ min: 0, max: 256 }),
        fc.integer({ min: 0, max: 500_000 }),
        fc.integer({ min: 0, max: 8192 }),
        fc.integer({ min: 1, max: 100_000_000 }),
        (model, dtype, tp, decodeSeqs, contextTokens, prefillTokens, attendedPairs) => {
          fc.pre(decodeSeqs + prefillTokens > 0);
          const llm = LLMS[model]!;
          const spec: StepEngine = { ...engine(dtype, tp), maxNumSeqs: 256 };
          const pairs = prefillTokens === 0 ? 0 : attendedPairs;
          const time = createStepTime(GPUS["h100-sxm"]!, llm, spec, k);
          const fastS =
            prefillTokens === 0
              ? time.decodeBaseS[decodeSeqs]! + time.perContextTokenS * contextTokens
              : time.mixedS(decodeSeqs, contextTokens, prefillTokens, pairs, 1);
          const { stepMs } = stepTerms(GPUS["h100-sxm"]!, llm, spec, k, {
            decodeSeqs,
            contextTokens,
            prefillTokens,
            attendedPairs: pairs,
          });
          expect(Math.abs((fastS * 1000) / stepMs - 1)).toBeLessThan(1e-12);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("A100 has no FP8 units: half the bytes, BF16 arithmetic", () => {
    const bf16 = stepTerms(GPUS["a100-80gb-sxm"]!, LLMS["llama-3.1-8b"]!, engine("bf16"), k, batch);
    const fp8 = stepTerms(GPUS["a100-80gb-sxm"]!, LLMS["llama-3.1-8b"]!, engine("fp8"), k, batch);
    expect(fp8.flopsMs).toBe(bf16.flopsMs);
    // The head stays in BF16: 525,336,576 weights of two bytes.
    expect(fp8.weightBytesStreamed).toBeCloseTo((bf16.weightBytesStreamed - 2 * 525_336_576) / 2 + 2 * 525_336_576, -1);
  });

  test("L40S computes FP8 at 733 TFLOPS dense, not at the sparse figure", () => {
    const terms = stepTerms(GPUS["l40s"]!, LLMS["llama-3.1-8b"]!, engine("fp8"), k, batch);
    const flop = 2 * (7_504_658_432 - 525_336_576) * 520 + 2 * 525_336_576 * 9;
    expect(terms.flopsMs).toBeCloseTo(flop / (733e9 * k.mfu), 9);
  });

  test("KV of eight heads is shared by at most eight GPUs", () => {
    const kvMs = (tp: number): number =>
      stepTerms(GPUS["h100-sxm"]!, LLMS["qwen3-30b-a3b"]!, engine("bf16", tp), k, batch).kvMs;
    expect(kvMs(4)).toBeCloseTo(kvMs(1) / 4, 12);
    expect(kvMs(8)).toBe(kvMs(4)); // four KV heads
  });

  test("MoE reads k experts for one token and all of them for many, and never more", () => {
    const llm = LLMS["qwen3-30b-a3b"]!;
    const bytes = (decodeSeqs: number): number =>
      stepTerms(GPUS["h100-sxm"]!, llm, engine("bf16"), k, {
        decodeSeqs,
        contextTokens: 0,
        prefillTokens: 0,
        attendedPairs: 0,
      }).weightBytesStreamed;
    const dense = 2 * llm.nonExpertParams;
    expect((bytes(1) - dense) / (2 * llm.expertParams)).toBeCloseTo(8 / 128, 9);
    expect((bytes(100_000) - dense) / (2 * llm.expertParams)).toBeCloseTo(1, 12);
    for (let n = 1; n < 2000; n++) expect(bytes(n + 1)).toBeGreaterThanOrEqual(bytes(n));
  });
});

describe("terms beyond the reference formula, by hand", () => {
  const gpu = GPUS["h100-sxm"]!;
  const llm = LLMS["llama-3.1-8b"]!;
  const reference = SETS["dense|global"]!;
  const batch = { decodeSeqs: 16, contextTokens: 16_000, prefillTokens: 1024, attendedPairs: 524_288 };
  const engine: StepEngine = {
    weightDtype: "fp8",
    kvDtype: "bf16",
    tensorParallelSize: 2,
    maxNumSeqs: 64,
    tpreMsPerLayer: 0.1,
  };
  const stepMs = (change: Partial<StepCoefficients>, engineChange: Partial<StepEngine> = {}): number =>
    stepTerms(gpu, llm, { ...engine, ...engineChange }, { ...reference, ...change }, batch).stepMs;
  const before = stepMs({});

  test("small products lose the FLOPs of so many tokens", () => {
    const flops = 2 * (llm.activeParams - llm.headParams) * 100;
    expect(stepMs({ mfuHalfTokens: 100 }) - before).toBeCloseTo(flops / (2 * 1978e9 * reference.mfu), 9);
  });

  test.each([
    ["fp8", { fp8MfuShare: 0.8 }, 1978e9],
    ["fp8-block", { fp8MfuShare: 0.8 }, 1978e9],
    ["bf16", { fp8MfuShare: 0.8 }, 989e9],
    ["int8", { fp8MfuShare: 0.8, fp4MfuShare: 0.6 }, 989e9],
    ["int4", { fp8MfuShare: 0.8, fp4MfuShare: 0.6 }, 989e9],
    ["nvfp4", { fp4MfuShare: 0.6 }, 989e9],
  ] as const)(
    "%s products reach their share %o of the peak, on a GPU without FP4 units",
    (weightDtype, shares, peak) => {
      const flopsMs = (change: Partial<StepCoefficients>): number =>
        stepTerms(gpu, llm, { ...engine, weightDtype }, { ...reference, ...change }, batch).flopsMs;
      const flops = 2 * ((llm.activeParams - llm.headParams) * (16 + 1024) + llm.headParams * 17);
      const share = weightDtype.startsWith("fp8") ? 0.8 : 1;
      expect(flopsMs(shares)).toBeCloseTo(flops / (2 * peak * reference.mfu * share), 6);
      expect(flopsMs({})).toBeCloseTo(flops / (2 * peak * reference.mfu), 6);
    },
  );

  test("FP4 products reach their share where there are FP4 units; MXFP4 runs in FP8 there", () => {
    const flopsMs = (weightDtype: WeightDtype, change: Partial<StepCoefficients>): number =>
      stepTerms(GPUS["b200"]!, llm, { ...engine, weightDtype }, { ...reference, ...change }, batch).flopsMs;
    expect(flopsMs("nvfp4", { fp4MfuShare: 0.6 })).toBeCloseTo(flopsMs("nvfp4", {}) / 0.6, 9);
    expect(flopsMs("nvfp4", { fp8MfuShare: 0.8 })).toBe(flopsMs("nvfp4", {}));
    expect(flopsMs("mxfp4", { fp8MfuShare: 0.8 })).toBeCloseTo(flopsMs("mxfp4", {}) / 0.8, 9);
  });

  test("activations pass through memory on every GPU, whatever the tensor parallelism", () => {
    const bytes = 40 * 32 * 4096 * 2 * (16 + 1024);
    expect(stepMs({ activationPasses: 40 }) - before).toBeCloseTo(bytes / 3.35e9, 9);
  });

  test("quantized weights cost a constant a layer, BF16 weights do not", () => {
    expect(stepMs({ quantMsPerLayer: 0.02 }) - before).toBeCloseTo(0.02 * 32, 9);
    expect(stepMs({ quantMsPerLayer: 0.02 }, { weightDtype: "bf16" })).toBe(stepMs({}, { weightDtype: "bf16" }));
  });

  test("the engine's own work on prompts goes by their tokens", () => {
    expect(stepMs({}, { prefillMsPerToken: 0.008 }) - before).toBeCloseTo(0.008 * 1024, 9);
  });

  test("the engine's own work on a step is the same whatever is in it", () => {
    expect(stepMs({}, { stepMs: 0.9 }) - before).toBeCloseTo(0.9, 9);
  });

  test("the step loop gets the same times", () => {
    const all = { ...reference, mfuHalfTokens: 64, activationPasses: 37, quantMsPerLayer: 0.02 };
    const profile = { ...engine, prefillMsPerToken: 0.008, stepMs: 0.9 };
    const time = createStepTime(gpu, llm, profile, all);
    const terms = (prefillTokens: number, attendedPairs: number): StepTerms =>
      stepTerms(gpu, llm, profile, all, { ...batch, prefillTokens, attendedPairs });
    expect(time.mixedS(16, 16_000, 1024, 524_288, 1) * 1000).toBeCloseTo(terms(1024, 524_288).stepMs, 9);
    const decodeMs = (time.decodeBaseS[16]! + time.perContextTokenS * 16_000) * 1000;
    expect(decodeMs).toBeCloseTo(terms(0, 0).stepMs, 9);
  });
});

describe("uneven routing", () => {
  const llm = LLMS["qwen3-30b-a3b"]!;
  const engine: StepEngine = {
    weightDtype: "bf16",
    kvDtype: "bf16",
    tensorParallelSize: 1,
    maxNumSeqs: 64,
    tpreMsPerLayer: 0,
  };
  const skewed = (routingConcentration: number): typeof llm => ({ ...llm, moe: { ...llm.moe!, routingConcentration } });
  const touched = (concentration: number, n: number): number =>
    128 * expertShareByTokens(skewed(concentration), 1, () => 1)[n]!;

  test("shares of 128 experts that fall by exp(-4.4 i/128) as measured: 65 take 90 %, normalized entropy is 0.11 below one", () => {
    const weights = Array.from({ length: 128 }, (_, i) => Math.exp((-4.4 * (i + 0.5)) / 128));
    const total = weights.reduce((sum, x) => sum + x, 0);
    const shares = weights.map((x) => x / total);
    expect(shares.slice(0, 65).reduce((sum, x) => sum + x, 0)).toBeCloseTo(0.9, 2);
    expect(1 + shares.reduce((sum, p) => sum + p * Math.log(p), 0) / Math.log(128)).toBeCloseTo(0.113, 2);
    for (const n of [1, 19, 60, 500]) {
      const oneByOne = shares.reduce((sum, p) => sum + 1 - (1 - 8 * p) ** n, 0);
      expect(Math.abs(touched(4.4, n) / oneByOne - 1), `${n} tokens`).toBeLessThan(2e-3);
    }
    expect([touched(4.4, 19), touched(4.4, 60)].map(Math.round)).toEqual([64, 93]);
  });

  test("without concentration experts are all alike, and alike are those of a model that says nothing", () => {
    for (const n of [1, 19, 60]) expect(touched(0, n)).toBeCloseTo(128 * (1 - (1 - 8 / 128) ** n), 9);
    expect(expertShareByTokens(llm, 1, () => 1)).toEqual(expertShareByTokens(skewed(0), 1, () => 1));
  });

  test("two ranks touch together what twice the tokens touch, and read half of it each", () => {
    const [one, two] = [1, 2].map((ranks) => expertShareByTokens(skewed(4.4), ranks, () => 1));
    expect(two![30]! * 2).toBeCloseTo(one![60]!, 12);
  });

  test("decode steps of a few sequences are shorter, a large prefill takes as long", () => {
    const time = (concentration: number): StepTime =>
      createStepTime(GPUS["h100-sxm"]!, skewed(concentration), engine, SETS["moe|global"]!);
    expect(time(4.4).decodeBaseS[32]! / time(0).decodeBaseS[32]!).toBeLessThan(0.8);
    expect(time(4.4).mixedS(1, 0, 8192, 0, 1)).toBeCloseTo(time(0).mixedS(1, 0, 8192, 0, 1), 9);
  });

  test("small products of each expert that is used lose the FLOPs of so many tokens", () => {
    const k = SETS["moe|global"]!;
    const batch = { decodeSeqs: 0, contextTokens: 0, prefillTokens: 8192, attendedPairs: 0 };
    const flopsMs = (expertHalfTokens: number): number =>
      stepTerms(GPUS["h100-sxm"]!, llm, engine, { ...k, expertHalfTokens }, batch).flopsMs;
    expect(flopsMs(90) - flopsMs(0)).toBeCloseTo((2 * 28991029248 * 90) / (989e9 * k.mfu), 6);
    const all = { ...k, expertHalfTokens: 90 };
    const stepMs = stepTerms(GPUS["h100-sxm"]!, llm, engine, all, batch).stepMs;
    expect(createStepTime(GPUS["h100-sxm"]!, llm, engine, all).mixedS(0, 0, 8192, 0, 1) * 1000).toBeCloseTo(stepMs, 9);
  });
});
