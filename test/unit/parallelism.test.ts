/** Pipeline stages, data-parallel attention and expert parallelism: the round of a replica, by hand, and the way each option moves it. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kvCapacity } from "../../src/engine/kv-capacity.ts";
import { gpusPerReplica, type ParallelOptions } from "../../src/engine/parallelism.ts";
import type { LlmSpec, StepCoefficients } from "../../src/engine/spec.ts";
import type { StepTime } from "../../src/engine/step-time.ts";
import { createStepTime, type StepEngine, stepTerms } from "../../src/engine/step-time-physics.ts";
import { GPUS, LLMS } from "../fixtures/engine-specs.ts";

const h200 = GPUS["h200"]!;
const dense = LLMS["llama-3.1-70b"]!;
const deepseek = LLMS["deepseek-v3-r1"]!;
/** The fitted global MoE set, which serves dense models as well here. */
const k: StepCoefficients = {
  scope: "moe|global",
  ew: 0.823,
  ekv: 0.49926,
  mfu: 0.78163,
  t0Ms: 0.01038,
  tlMsPerLayer: 0.06064,
  tsMsPerSeq: 33e-5,
  arMs: 0.02011,
  el: 0.14364,
  ea: 0.89722,
  moeMsPerLayer: 26e-5,
};

function engine(layout: Partial<ParallelOptions>, maxNumSeqs = 256): StepEngine {
  return { weightDtype: "fp8", kvDtype: "bf16", tensorParallelSize: 1, maxNumSeqs, tpreMsPerLayer: 0, ...layout };
}

function stepTime(llm: LlmSpec, layout: Partial<ParallelOptions>, maxNumSeqs = 256): StepTime {
  return createStepTime(h200, llm, engine(layout, maxNumSeqs), k);
}

const decodeS = (time: StepTime, d: number, c: number): number => time.decodeBaseS[d]! + time.perContextTokenS * c;

test("GPUs of a replica are the product of its dimensions", () => {
  expect(gpusPerReplica({ tensorParallelSize: 4 })).toBe(4);
  expect(
    gpusPerReplica({ tensorParallelSize: 2, pipelineParallelSize: 3, dataParallelSize: 4, expertParallel: true }),
  ).toBe(24);
});

describe("pipeline stages", () => {
  const one = stepTime(dense, {});
  const four = stepTime(dense, { pipelineParallelSize: 4 });
  /** 0.02 ms and 8,192 activations of two bytes a token over 14 % of 450 GB/s. */
  const hopS = (tokens: number): number => 2e-5 + (tokens * 8192 * 2) / (450e9 * 0.14364);

  /** What stages do not share, beyond the one time that a pass has it: start, 44 µs of host work a sequence, and the head in BF16 at 4.8 TB/s. */
  const beyondS = (stages: number, sequences: number): number =>
    (stages - 1) * (1.038e-5 + (128_256 * 8192 * 2) / (4.8e12 * k.ew)) + (stages * 44e-6 - 33e-8) * sequences;

  test("a round is a pass of a micro-batch of a quarter, three hops, and what each stage has for itself", () => {
    const aroundS = (width: number): number => 3 * hopS(width) + beyondS(4, width);
    expect(decodeS(four, 64, 64_000)).toBeCloseTo(decodeS(one, 16, 16_000) + aroundS(16), 9);
    expect(decodeS(four, 61, 61_000)).toBeCloseTo(
      one.decodeBaseS[16]! + one.perContextTokenS * 15_250 + aroundS(16),
      9,
    );
    expect(four.decodeBaseS[1]).toBeCloseTo(one.decodeBaseS[1]! + aroundS(1), 9);
  });

  test("host work that an engine has shown to need more of stays as it is", () => {
    const slow = { ...k, tsMsPerSeq: 0.1 };
    const of = (layout: Partial<ParallelOptions>): StepTime => createStepTime(h200, dense, engine(layout), slow);
    const added = of({ pipelineParallelSize: 4 }).decodeBaseS[64]! - four.decodeBaseS[64]!;
    expect(added).toBeCloseTo(4 * 16 * (0.1 - 0.044) * 1e-3, 9);
  });

  test("a large batch waits for the head of the last stage", () => {
    const wide = stepTime(dense, { pipelineParallelSize: 4 }, 4096);
    const flopS = (2 * dense.headParams * 1024) / (1978e12 * k.mfu);
    expect(wide.decodeBaseS[4096]! - stepTime(dense, {}, 1024).decodeBaseS[1024]! - 3 * hopS(1024)).toBeCloseTo(
      3 * (1.038e-5 + flopS) + (4 * 44e-6 - 33e-8) * 1024,
      9,
    );
  });

  test("a lone prefill takes a whole pass; in a full pipeline it holds a round up by its time in one stage", () => {
    const pairs = 2048 * 1024;
    expect(four.mixedS(0, 0, 2048, pairs, 1)).toBeCloseTo(
      one.mixedS(0, 0, 2048, pairs, 1) + 3 * hopS(2048) + beyondS(4, 0),
      9,
    );
    const extraS = one.mixedS(16, 16_000, 2048, pairs, 1) - decodeS(one, 16, 16_000);
    const hopsS = 3 * (hopS(16 + 512) - hopS(16));
    expect(four.mixedS(64, 64_000, 2048, pairs, 1) - decodeS(four, 64, 64_000)).toBeCloseTo(extraS / 4 + hopsS, 9);
  });

  test("the largest stage sets the pace: 61 layers in two stages go at the pace of 62", () => {
    const llm = { ...dense, layers: 61, fullAttentionLayers: 61 };
    const whole = stepTime(llm, {});
    const halves = stepTime(llm, { pipelineParallelSize: 2 });
    expect(halves.decodeBaseS[2]).toBeCloseTo((whole.decodeBaseS[1]! * 62) / 61 + hopS(1) + beyondS(2, 1), 9);
  });

  test("throughput grows, by less than the stages since each has its own host work; latency of one sequence does not fall", () => {
    // 1,024 sequences: compute-bound, so the layers take a quarter of the time for a quarter of them, and host work takes the same.
    const wide = [stepTime(dense, {}, 1024), stepTime(dense, { pipelineParallelSize: 4 }, 1024)] as const;
    const gain = wide[0].decodeBaseS[1024]! / wide[1].decodeBaseS[1024]!;
    expect(gain).toBeGreaterThan(1.2);
    expect(gain).toBeLessThan(2);
    const prefillS = (time: StepTime): number => time.mixedS(1023, 0, 8192, 0, 1) - time.decodeBaseS[1023]!;
    expect(prefillS(wide[0]) / prefillS(wide[1])).toBeGreaterThan(3.5);
    expect(four.decodeBaseS[1]).toBeGreaterThan(one.decodeBaseS[1]!);
  });
});

describe("data-parallel attention", () => {
  const batch = { decodeSeqs: 8, contextTokens: 8000, prefillTokens: 0, attendedPairs: 0 };
  const layout = { dataParallelSize: 8, expertParallel: true };

  test("a rank reads all dense weights, an eighth of the experts that 64 tokens touch, and the KV of its own sequences", () => {
    const terms = stepTerms(h200, deepseek, engine(layout), k, batch);
    const untouched = (1 - 8 / 256) ** 64;
    const expertBytes = (58 * 256 * 3 * 7168 * 2048 * (1 - untouched) * (1.1 + 0.3 * untouched)) / 8;
    const denseBytes = 16_189_947_904 + 926_679_040; // the head has two bytes a weight
    expect(terms.weightBytesStreamed / (denseBytes + expertBytes)).toBeCloseTo(1, 9);
    expect(terms.kvMs).toBeCloseTo((70_272 * 8000) / (4800e6 * k.ekv), 9);
  });

  test("tokens travel to the GPUs of their experts in one byte and back in two: 58 layers, 7 others, each with one of 8 experts or more", () => {
    const terms = stepTerms(h200, deepseek, engine(layout), k, batch);
    const bytes = 8 * 7 * (1 - (7 / 8) ** 8) * 7168 * 3;
    expect(terms.commMs).toBeCloseTo(58 * (2 * 0.03 + bytes / (450e6 * k.el)), 9);
    const wide = stepTerms(h200, deepseek, { ...engine(layout), weightDtype: "bf16" }, k, batch);
    expect(wide.commMs - 58 * 0.06).toBeCloseTo(((terms.commMs - 58 * 0.06) * 4) / 3, 9);
  });

  test("the round of 64 sequences is the pass of a rank with eight", () => {
    const eight = stepTime(deepseek, layout);
    const pass = stepTerms(h200, deepseek, engine(layout), k, batch).stepMs / 1000;
    expect(decodeS(eight, 64, 64_000)).toBeCloseTo(pass, 12);
  });

  test("a prompt is computed by one rank, but for its experts, which lie on all; eight prompts fill eight ranks", () => {
    const pairs = 4096 * 2048;
    const prompt = { decodeSeqs: 0, contextTokens: 0, prefillTokens: 4096, attendedPairs: pairs };
    for (const expertParallel of [true, false]) {
      const ranks = { dataParallelSize: 8, expertParallel };
      const eight = stepTime(deepseek, ranks);
      const full = stepTerms(h200, deepseek, engine(ranks), k, prompt);
      expect(eight.mixedS(0, 0, 8 * 4096, 8 * pairs, 8)).toBeCloseTo(full.stepMs / 1000, 12);
      // By hand: 58 layers of 8 of 256 experts, three matrices each, on the busiest of eight GPUs; no token of the other ranks to gather.
      const expertMs = (2 * 4096 * 58 * 8 * 3 * 7168 * 2048 * (expertParallel ? 1.1 : 1)) / (1978e9 * k.mfu);
      const gatherMs = expertParallel ? 0 : (4096 * 58 * 7168 * 4 * 7) / (450e6 * k.el);
      expect(1000 * eight.mixedS(0, 0, 4096, pairs, 1)).toBeCloseTo(full.stepMs - (7 / 8) * (expertMs + gatherMs), 6);
      expect(eight.mixedS(0, 0, 16 * 4096, 16 * pairs, 16)).toBeGreaterThan((1.5 * full.stepMs) / 1000);
      // Decodes of all ranks do not make it shorter.
      expect(eight.mixedS(64, 0, 4096, pairs, 1)).toBeGreaterThan(eight.mixedS(0, 0, 4096, pairs, 1));
    }
  });

  test("each rank has a KV cache of its own, where tensor parallelism copies the latent cache to every GPU", () => {
    const tokens = (change: Partial<ParallelOptions>): number =>
      kvCapacity({
        gpu: h200,
        llm: deepseek,
        weightDtype: "fp8",
        kvDtype: "bf16",
        tensorParallelSize: 1,
        gpuMemoryUtilization: 0.9,
        maxNumSeqs: 128,
        maxNumBatchedTokens: 8192,
        blockTokens: 64,
        profile: {
          activationBytesPerSeqVocab: 38.8,
          nonTorchGiB: {
            oneGpu: 0.15,
            tensorParallel: 0.6,
          },
        },
        ...change,
      }).kvTokens;
    const tensor = tokens({ tensorParallelSize: 8 });
    const data = tokens({ dataParallelSize: 8, expertParallel: true });
    expect(tensor).toBeGreaterThan(0);
    // Seven copies of 17 GB of dense weights cost less than seven copies of the cache.
    expect(data / tensor).toBeGreaterThan(4);
    expect(data / tensor).toBeLessThan(8);
  });
});

describe("expert parallelism", () => {
  test("within a tensor-parallel group it costs the imbalance of the busiest GPU and no exchange", () => {
    const batch = { decodeSeqs: 16, contextTokens: 16_000, prefillTokens: 512, attendedPairs: 512 * 256 };
    const slices = stepTerms(h200, deepseek, engine({ tensorParallelSize: 8 }), k, batch);
    const whole = stepTerms(h200, deepseek, engine({ tensorParallelSize: 8, expertParallel: true }), k, batch);
    expect(whole.commMs).toBe(slices.commMs);
    expect(whole.weightsMs / slices.weightsMs).toBeGreaterThan(1.09);
    expect(whole.weightsMs / slices.weightsMs).toBeLessThan(1.11);
    const expertFlop = (2 * 0.1 * (deepseek.expertParams * 8)) / 256;
    expect(whole.flopsMs - slices.flopsMs).toBeCloseTo((expertFlop * 528) / (8 * 1978e9 * k.mfu), 6);
  });
});

test("every layout is affine in context, monotone in its batch, and longer with prefill than without", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 2, 8),
      fc.constantFrom(1, 2, 3, 8),
      fc.constantFrom(1, 2, 4, 8),
      fc.boolean(),
      fc.integer({ min: 1, max: 255 }),
      fc.integer({ min: 1, max: 8192 }),
      (tensorParallelSize, pipelineParallelSize, dataParallelSize, expertParallel, d, prefill) => {
        const time = stepTime(deepseek, { tensorParallelSize, pipelineParallelSize, dataParallelSize, expertParallel });
        expect(time.decodeBaseS).toHaveLength(257);
        expect(time.decodeBaseS[d + 1]).toBeGreaterThanOrEqual(time.decodeBaseS[d]!);
        const c = d * 1000;
        const mixedS = time.mixedS(d, c, prefill, prefill * 500, 1);
        expect(mixedS).toBeGreaterThan(decodeS(time, d, c));
        expect(time.mixedS(d, c, prefill + 100, (prefill + 100) * 500, 1)).toBeGreaterThanOrEqual(mixedS);
        expect(time.mixedS(d, c + 1000, prefill, prefill * 500, 1)).toBeGreaterThan(mixedS);
      },
    ),
    { numRuns: 60 },
  );
});
