/**
 * How long a step takes, from the datasheet of the GPU, the shape of the model and one fitted coefficient set:
 *
 *   T = t0 + tl·L + moe·Lm + ts·D + [tpre·L with prefill]          overhead of the engine
 *     + max(W(n) / (t·BW·ew), F(n) / (t·peak·mfu))                 weights read once, or matrix FLOPs
 *     + kvBytes·C / (kvDiv·BW·ekv)                                 KV cache read by decode attention
 *     + 4·Lfull·H·dh·A / (t·peakBf16·ea)                           attention of the prefill
 *     + [t > 1] 2·L·(ar + n·h·2·2(t−1)/t / (link·el))              two ring all-reduces a layer, 2-byte activations
 *
 * D sequences decode over C tokens of context, P prefill tokens attend to A token pairs, n = D + P, t GPUs share the
 * layers. Only KV depends on C, so decode steps are affine in context and the engine can leap over them.
 * Units inside: ms, bytes, FLOP; the StepTime that comes out speaks seconds.
 */
import type { EngineSpec, GpuSpec, LlmSpec, StepCoefficients, WeightDtype } from "./spec.ts";
import type { StepTime } from "./step-time.ts";

/** Weight formats whose bytes and compute type are known. Experiments offer `WeightDtype`; recorded runs use all four. */
export type WeightFormat = WeightDtype | "fp8-block" | "nvfp4";

/** What the step time reads of an engine configuration. */
export interface StepEngine extends Pick<
  EngineSpec,
  "kvDtype" | "tensorParallelSize" | "maxNumSeqs" | "tpreMsPerLayer"
> {
  readonly weightDtype: WeightFormat;
}

/** The parts of one step, for tests, reports and validation. `flopsMs` and `weightsMs` overlap: the larger one counts. */
export interface StepTerms {
  readonly fixedMs: number;
  readonly weightsMs: number;
  readonly flopsMs: number;
  readonly kvMs: number;
  readonly attentionMs: number;
  readonly commMs: number;
  readonly stepMs: number;
  readonly weightBytesStreamed: number;
}

/** Embeddings, output head and norms stay in BF16 whatever the format of the rest. */
export const UNQUANTIZED_BYTES = 2;
/** fp8-block: one FP32 scale per 128×128 block and its padding; nvfp4: 4 bits and an FP8 scale per 16 weights. */
const BYTES_PER_WEIGHT = { bf16: 2, fp8: 1, "fp8-block": 1.01, nvfp4: 0.5625 } as const;
/** Quantized MoE checkpoints keep attention in FP8 where their experts are NVFP4 (as fitted). */
const NVFP4_MOE_DENSE_BYTES = 1;

/** Bytes of one weight outside the experts (and outside embedding and head). */
export function denseBytesPerWeight(format: WeightFormat, isMoe: boolean): number {
  return format === "nvfp4" && isMoe ? NVFP4_MOE_DENSE_BYTES : BYTES_PER_WEIGHT[format];
}

/** Bytes of one expert weight. */
export function expertBytesPerWeight(format: WeightFormat): number {
  return BYTES_PER_WEIGHT[format];
}

/** Bytes of one element of the KV cache. */
export function kvBytesPerElement(dtype: EngineSpec["kvDtype"]): number {
  return dtype === "fp8" ? 1 : 2;
}

/** GPUs that share the KV cache: heads are duplicated, not split further, once there are more GPUs than KV heads. */
export function kvDivisor(llm: LlmSpec, tensorParallelSize: number): number {
  return Math.min(tensorParallelSize, llm.kvHeads);
}

/**
 * Why the step time of this model cannot be computed, or null when it can. Its formula needs every layer to keep every
 * token, one key and one value per KV head.
 */
export function supported(llm: LlmSpec): string | null {
  if (llm.slidingWindow !== null || llm.kvElementsPerTokenSliding > 0)
    return `${llm.id} has sliding-window attention layers: its steps are not affine in context and are not modelled yet`;
  if (llm.fullAttentionLayers !== llm.layers)
    return `${llm.id} has full attention in ${llm.fullAttentionLayers} of ${llm.layers} layers: hybrid attention is not modelled yet`;
  if (llm.kvElementsPerToken !== 2 * llm.layers * llm.kvHeads * llm.headDim)
    return `${llm.id} keeps a compressed KV cache (MLA): it is not modelled yet`;
  return null;
}

/** Peak FLOP/ms of the type the matrix products run in. A GPU without FP8 or FP4 units computes in BF16 (weight-only). */
function peakFlopPerMs(gpu: GpuSpec, format: WeightFormat): number {
  const tflops = format === "bf16" ? null : format === "nvfp4" ? gpu.fp4DenseTflops : gpu.fp8DenseTflops;
  return (tflops ?? gpu.bf16DenseTflops) * 1e9;
}

/** Everything about a step that does not depend on its batch, per unit of what does. Times in ms, not yet seconds. */
interface StepCosts {
  readonly fixedMs: number;
  readonly prefillMs: number;
  readonly msPerSeq: number;
  /** By n = D + P; the last entry holds for every larger n. */
  readonly weightMs: Float64Array;
  readonly weightBytesPerMs: number;
  readonly flopMsPerToken: number;
  readonly headFlopMs: number;
  readonly kvMsPerToken: number;
  readonly msPerAttendedPair: number;
  readonly commFixedMs: number;
  readonly commMsPerToken: number;
}

/** Below this an expert is touched with certainty in double precision: the table of distinct experts ends there. */
const UNTOUCHED_NEGLIGIBLE = 1e-17;

/**
 * Weight bytes that a step of n tokens streams, by n. The input embedding is a look-up and not streamed. Experts are
 * drawn uniformly, so E·(1 − (1 − k/E)^n) distinct ones are read in each layer.
 */
function weightBytesByTokens(llm: LlmSpec, format: WeightFormat): Float64Array {
  const moe = llm.moe;
  const dense =
    (llm.nonExpertParams - llm.headParams) * denseBytesPerWeight(format, moe !== null) +
    llm.headParams * UNQUANTIZED_BYTES;
  if (moe === null) return Float64Array.of(dense);
  const allExperts =
    moe.moeLayers * moe.experts * 3 * llm.hiddenSize * moe.expertFfnSize * expertBytesPerWeight(format);
  const missesOne = 1 - moe.expertsPerToken / moe.experts;
  const bytes = [dense];
  let untouched = 1;
  while (untouched > UNTOUCHED_NEGLIGIBLE) {
    untouched *= missesOne;
    bytes.push(dense + allExperts * (1 - untouched));
  }
  return Float64Array.from(bytes);
}

function stepCosts(gpu: GpuSpec, llm: LlmSpec, engine: StepEngine, k: StepCoefficients): StepCosts {
  const t = engine.tensorParallelSize;
  const bytesPerMs = gpu.memoryBandwidthGBps * 1e6;
  const flopPerMs = t * peakFlopPerMs(gpu, engine.weightDtype) * k.mfu;
  const weightBytesPerMs = t * bytesPerMs * k.ew;
  const moeLayers = llm.moe === null ? 0 : llm.moe.moeLayers;
  const ringBytesPerToken = (llm.hiddenSize * 2 * 2 * (t - 1)) / t;
  return {
    fixedMs: k.t0Ms + k.tlMsPerLayer * llm.layers + k.moeMsPerLayer * moeLayers,
    prefillMs: engine.tpreMsPerLayer * llm.layers,
    msPerSeq: k.tsMsPerSeq,
    weightMs: weightBytesByTokens(llm, engine.weightDtype).map((bytes) => bytes / weightBytesPerMs),
    weightBytesPerMs,
    flopMsPerToken: (2 * (llm.activeParams - llm.headParams)) / flopPerMs,
    headFlopMs: (2 * llm.headParams) / flopPerMs,
    kvMsPerToken:
      (llm.kvElementsPerToken * kvBytesPerElement(engine.kvDtype)) / (kvDivisor(llm, t) * bytesPerMs * k.ekv),
    msPerAttendedPair:
      (4 * llm.fullAttentionLayers * llm.attentionHeads * llm.headDim) / (t * gpu.bf16DenseTflops * 1e9 * k.ea),
    commFixedMs: t > 1 ? 2 * llm.layers * k.arMs : 0,
    commMsPerToken: t > 1 ? (2 * llm.layers * ringBytesPerToken) / (gpu.linkGBpsPerDirection * 1e6 * k.el) : 0,
  };
}

/** The terms of one step in ms. For reading, not for the step loop: it builds its tables on each call. */
export function stepTerms(
  gpu: GpuSpec,
  llm: LlmSpec,
  engine: StepEngine,
  coefficients: StepCoefficients,
  batch: { decodeSeqs: number; contextTokens: number; prefillTokens: number; attendedPairs: number },
): StepTerms {
  const costs = stepCosts(gpu, llm, engine, coefficients);
  const n = batch.decodeSeqs + batch.prefillTokens;
  const headRows = batch.decodeSeqs + (batch.prefillTokens > 0 ? 1 : 0);
  const fixedMs = costs.fixedMs + costs.msPerSeq * batch.decodeSeqs + (batch.prefillTokens > 0 ? costs.prefillMs : 0);
  const weightsMs = costs.weightMs[Math.min(n, costs.weightMs.length - 1)]!;
  const flopsMs = costs.flopMsPerToken * n + costs.headFlopMs * headRows;
  const kvMs = costs.kvMsPerToken * batch.contextTokens;
  const attentionMs = costs.msPerAttendedPair * batch.attendedPairs;
  const commMs = costs.commFixedMs + costs.commMsPerToken * n;
  return {
    fixedMs,
    weightsMs,
    flopsMs,
    kvMs,
    attentionMs,
    commMs,
    stepMs: fixedMs + Math.max(weightsMs, flopsMs) + kvMs + attentionMs + commMs,
    weightBytesStreamed: weightsMs * costs.weightBytesPerMs,
  };
}

const S_PER_MS = 1e-3;

/**
 * The step time of one replica, in seconds. Call `supported` first: a model it names is computed as if all its layers
 * had full attention. With drafts to check, a decode step computes `tokensPerDecode` tokens for each sequence. `mixedS` allocates nothing; it and the table agree with `stepTerms` to rounding.
 */
export function createStepTime(
  gpu: GpuSpec,
  llm: LlmSpec,
  engine: StepEngine,
  coefficients: StepCoefficients,
  tokensPerDecode = 1,
): StepTime {
  const costs = stepCosts(gpu, llm, engine, coefficients);
  const weightS = costs.weightMs.map((ms) => ms * S_PER_MS);
  const lastWeight = weightS.length - 1;
  const secondsPerSeq = costs.msPerSeq * S_PER_MS;
  const flopSPerToken = costs.flopMsPerToken * S_PER_MS;
  const headFlopS = costs.headFlopMs * S_PER_MS;
  const perContextTokenS = costs.kvMsPerToken * S_PER_MS;
  const secondsPerPair = costs.msPerAttendedPair * S_PER_MS;
  const commSPerToken = costs.commMsPerToken * S_PER_MS;
  const decodeFixedS = (costs.fixedMs + costs.commFixedMs) * S_PER_MS;
  const mixedFixedS = decodeFixedS + costs.prefillMs * S_PER_MS;

  const decodeBaseS = new Float64Array(engine.maxNumSeqs + 1);
  for (let d = 1; d <= engine.maxNumSeqs; d++) {
    const n = d * tokensPerDecode;
    const readS = weightS[n < lastWeight ? n : lastWeight]!;
    const computeS = flopSPerToken * n + headFlopS * n;
    decodeBaseS[d] = decodeFixedS + secondsPerSeq * d + (readS > computeS ? readS : computeS) + commSPerToken * n;
  }
  return {
    decodeBaseS,
    perContextTokenS,
    mixedS(decodeSeqs, contextTokens, prefillTokens, attendedPairs) {
      const n = decodeSeqs + prefillTokens;
      const readS = weightS[n < lastWeight ? n : lastWeight]!;
      const computeS = flopSPerToken * n + headFlopS * (decodeSeqs + 1);
      return (
        mixedFixedS +
        secondsPerSeq * decodeSeqs +
        (readS > computeS ? readS : computeS) +
        perContextTokenS * contextTokens +
        secondsPerPair * attendedPairs +
        commSPerToken * n
      );
    },
  };
}
