/**
 * Bytes of a model: its weights in each format, the KV cache of a token, and what a sequence holds however long it is.
 * All figures are of the whole model unless a name says otherwise; how GPUs share them is in `parallelism.ts`.
 */
import { exp } from "../kernel/math.ts";
import type { EngineSpec, LlmSpec, WeightDtype } from "./spec.ts";

/** Embeddings, output head and norms stay in BF16 whatever the format of the rest. */
const UNQUANTIZED_BYTES = 2;
/**
 * fp8-block: one FP32 scale per 128×128 block and its padding. int8 and int4: so many bits, a 16-bit scale and a zero point per 128.
 * nvfp4: 4 bits and an FP8 scale per 16. mxfp4: 4 bits and a scale per 32 would be 0.53125; the padded layout that engines load
 * weighs more, and 0.5625 is what the coefficients were fitted with (gpt-oss-20b: 13.47 GiB recorded, 13.36 by this).
 */
const BYTES_PER_WEIGHT = {
  bf16: 2,
  fp8: 1,
  "fp8-block": 1.01,
  int8: 1.02,
  int4: 0.53,
  nvfp4: 0.5625,
  mxfp4: 0.5625,
} as const;
/** Attention of quantized MoE checkpoints, as fitted: FP8 beside NVFP4 and INT4 experts, BF16 beside MXFP4 ones (gpt-oss). */
const MOE_DENSE_BYTES: { readonly [D in WeightDtype]?: number } = { int4: 1, nvfp4: 1, mxfp4: 2 };

/** Recurrent states are kept in FP32, inputs of their short convolution in BF16 (assumed: what linear-attention kernels keep). */
const STATE_BYTES = 4;
const CONVOLUTION_BYTES = 2;

const BITS_OF_INTEGERS: { readonly [D in WeightDtype]?: number } = { int4: 4, int8: 8 };
const SCALE_BYTES = 2;

/** Of the routed experts, and of all other matrices but the head where they are not kept apart. */
function bytesPerWeight(llm: LlmSpec, dtype: WeightDtype): number {
  const bits = BITS_OF_INTEGERS[dtype];
  if (bits === undefined || llm.weightGroupSize === undefined) return BYTES_PER_WEIGHT[dtype];
  return bits / 8 + SCALE_BYTES / llm.weightGroupSize;
}

const IN_EIGHT_BITS: readonly WeightDtype[] = ["fp8", "fp8-block"];

function denseBytesPerWeight(llm: LlmSpec, dtype: WeightDtype): number {
  if (llm.moe === null) return bytesPerWeight(llm, dtype);
  if (llm.bf16BesideExperts === true && !IN_EIGHT_BITS.includes(dtype)) return UNQUANTIZED_BYTES;
  return MOE_DENSE_BYTES[dtype] ?? bytesPerWeight(llm, dtype);
}

/** Weights in memory: what every data-parallel rank holds a copy of, and the routed experts, which exist once. */
export function weightBytes(llm: LlmSpec, dtype: WeightDtype): { readonly dense: number; readonly experts: number } {
  // What is neither in `nonExpertParams` nor in the experts is an input embedding that the head does not share.
  const embedding = llm.params - llm.nonExpertParams - llm.expertParams;
  return {
    dense:
      (llm.nonExpertParams - llm.headParams) * denseBytesPerWeight(llm, dtype) +
      (llm.headParams + embedding) * UNQUANTIZED_BYTES,
    experts: llm.expertParams * bytesPerWeight(llm, dtype),
  };
}

/** Below this share of untouched experts all count as touched: the table ends there. */
const UNTOUCHED_NEGLIGIBLE = 1e-13;
/** Experts of like popularity are taken together: so many classes are within 0.1 % of every expert on its own. */
const POPULARITY_CLASSES = 16;

/**
 * Share of the routed experts that a step uses in each layer, seen from one rank, by the n tokens of that rank; the last entry
 * holds for more. A token uses an expert with probability k·p, where shares p fall off as `routingConcentration` says; of `ranks` data-parallel
 * ranks, each with n tokens, each reads its part of the 1 − mean (1 − k·p)^(ranks·n) that any of them touches. Without concentration
 * that is 1 − (1 − k/E)^(ranks·n). `imbalance` gives the load of the busiest GPU ÷ the mean, by the fraction that is not touched.
 */
export function expertShareByTokens(
  llm: LlmSpec,
  ranks: number,
  imbalance: (untouched: number) => number,
): Float64Array {
  const moe = llm.moe;
  if (moe === null) return Float64Array.of(0);
  const lambda = moe.routingConcentration ?? 0;
  const classes = lambda === 0 ? 1 : Math.min(POPULARITY_CLASSES, moe.experts);
  const popularity = Array.from({ length: classes }, (_, i) => exp((-lambda * (i + 0.5)) / classes));
  const total = popularity.reduce((sum, x) => sum + x, 0);
  const missedByOne = popularity.map((x) => {
    const missed = 1 - Math.min(1, (moe.expertsPerToken * x * classes) / (total * moe.experts));
    let byAllRanks = 1;
    for (let rank = 0; rank < ranks; rank++) byAllRanks *= missed;
    return byAllRanks;
  });
  const missedByAll = missedByOne.map(() => 1 / classes);
  const shares = [0];
  let untouched = 1;
  while (untouched > UNTOUCHED_NEGLIGIBLE) {
    untouched = 0;
    for (let i = 0; i < classes; i++) {
      missedByAll[i]! *= missedByOne[i]!;
      untouched += missedByAll[i]!;
    }
    shares.push(((1 - untouched) / ranks) * imbalance(untouched));
  }
  return Float64Array.from(shares);
}

/** Weight bytes that a step streams: all but the experts, and all experts of all layers. The input embedding is a look-up. */
export function streamedBytes(llm: LlmSpec, dtype: WeightDtype): { readonly dense: number; readonly experts: number } {
  const dense = (llm.nonExpertParams - llm.headParams) * denseBytesPerWeight(llm, dtype) + headBytes(llm);
  return { dense, experts: allExpertParams(llm) * bytesPerWeight(llm, dtype) };
}

/** Weights of the output head. */
export function headBytes(llm: LlmSpec): number {
  return llm.headParams * UNQUANTIZED_BYTES;
}

/** Weights of the routed experts of all layers. */
export function allExpertParams({ moe, hiddenSize }: LlmSpec): number {
  return moe === null ? 0 : moe.moeLayers * moe.experts * 3 * hiddenSize * moe.expertFfnSize;
}

/** Weights of the experts that one token goes through. */
export function activeExpertParams(llm: LlmSpec): number {
  const { moe } = llm;
  return moe === null ? 0 : (allExpertParams(llm) * moe.expertsPerToken) / moe.experts;
}

export interface SequenceBytes {
  /** For every token of context. */
  readonly perToken: number;
  /** In windowed layers, for every token in the window. */
  readonly perWindowToken: number;
  /** Recurrent state of linear-attention layers. */
  readonly state: number;
}

/** What one sequence holds in the KV cache and beside it. */
export function sequenceBytes(llm: LlmSpec, kvDtype: EngineSpec["kvDtype"]): SequenceBytes {
  const perElement = kvDtype === "fp8" ? 1 : 2;
  return {
    perToken: llm.kvElementsPerToken * perElement,
    perWindowToken: llm.kvElementsPerTokenSliding * perElement,
    state: stateBytes(llm),
  };
}

/** A matrix of keyHeadDim × valueHeadDim for each value head, and the last inputs of the convolution before it. */
function stateBytes(llm: LlmSpec): number {
  const linear = llm.linearAttention ?? null;
  if (linear === null) return 0;
  const { keyHeads, valueHeads, keyHeadDim, valueHeadDim, convKernel } = linear;
  const state = valueHeads * keyHeadDim * valueHeadDim * STATE_BYTES;
  const channels = 2 * keyHeads * keyHeadDim + valueHeads * valueHeadDim;
  return (llm.layers - llm.fullAttentionLayers) * (state + channels * (convKernel - 1) * CONVOLUTION_BYTES);
}

/** Dimension of an attention head in the products of the prefill: the mean of the query–key and the value side. */
export function attentionDim(llm: LlmSpec): number {
  const mla = llm.mla ?? null;
  return mla === null ? llm.headDim : (mla.qkNopeHeadDim + mla.qkRopeHeadDim + mla.vHeadDim) / 2;
}
