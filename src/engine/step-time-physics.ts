/**
 * How long a step takes, from the datasheet of the GPU, the shape of the model and one fitted coefficient set:
 *
 *   T = t0 + tl·L + moe·Lm + ts·D + [tpre·L with prefill]          overhead of the engine
 *     + [weights not BF16] quant·L + pre·P                         quantized activations; work of the engine per prompt token
 *     + [experts BF16 or FP8] gg·Lm                                floor of one grouped GEMM over all experts
 *     + max(W(n) / (t·BW·ew), [F(n + n0) + e0·Fe(n)] / (t·peak·mfu·share))   weights read once, or matrix FLOPs; FP8 and FP4 reach a share
 *     + passes·L·h·2·n / BW                                        activations between the matrix products, on every GPU
 *     + (kvB·C + kvS·window·D) / (kvDiv·BW·ekv)                    KV cache read by decode attention; recurrent states
 *     + 4·Lfull·H·dh·A / (t·peakBf16·ea)                           attention of the prefill
 *     + [t > 1] 2·L·(ar + n·h·2·2(t−1)/t / (link·el))              two ring all-reduces a layer, 2-byte activations
 *
 * with FLOPs, KV and weights as `model-bytes.ts` counts them, Fe(n) the FLOPs of one token in each expert that n tokens use, and further collectives as `parallelism.ts` says.
 * D sequences decode over C tokens of context, P prefill tokens attend to A token pairs, n = D + P, t GPUs share the
 * layers. Only KV depends on C, so decode steps are affine in context and the engine can leap over them.
 * Units inside: ms, bytes, FLOP; the StepTime that comes out speaks seconds.
 */
import {
  activeExpertParams,
  allExpertParams,
  attentionDim,
  expertShareByTokens,
  headBytes,
  sequenceBytes,
  streamedBytes,
} from "./model-bytes.ts";
import {
  communicationMs,
  expertImbalance,
  kvDivisor,
  type Layout,
  layoutOf,
  type ParallelOptions,
  sequencesPerPass,
  spreadStepTime,
} from "./parallelism.ts";
import type { EngineSpec, GpuSpec, LlmSpec, StepCoefficients, WeightDtype } from "./spec.ts";
import type { StepTime } from "./step-time.ts";

/** Bytes of an activation: BF16. */
const ACTIVATION_BYTES = 2;

/** Experts of these run in one grouped GEMM (Triton's fused MoE in vLLM and SGLang); integers and four bits in kernels of their own. */
const GROUPED_GEMM: readonly WeightDtype[] = ["bf16", "fp8", "fp8-block"];

/** What the step time reads of an engine configuration. */
export interface StepEngine
  extends
    ParallelOptions,
    Pick<EngineSpec, "weightDtype" | "kvDtype" | "maxNumSeqs" | "tpreMsPerLayer" | "prefillMsPerToken" | "stepMs">,
    Partial<Pick<EngineSpec, "maxModelLen" | "requestTokens">> {}

/** The parts of one step, for tests, reports and validation. `flopsMs` and `weightsMs` overlap: the larger one counts. */
export interface StepTerms {
  readonly fixedMs: number;
  readonly weightsMs: number;
  readonly flopsMs: number;
  readonly kvMs: number;
  readonly attentionMs: number;
  readonly commMs: number;
  readonly activationMs: number;
  readonly stepMs: number;
  readonly weightBytesStreamed: number;
}

/**
 * FLOP/ms that large matrix products reach, by the type they run in. INT8 and INT4 weights are unpacked to BF16, MXFP4 runs in FP8 where there are FP4 units
 * (Blackwell) and in BF16 elsewhere, as fitted. A GPU without FP8 or FP4 units computes in BF16 (weight-only).
 */
function matmulFlopPerMs(gpu: GpuSpec, dtype: WeightDtype, k: StepCoefficients): number {
  const { bf16DenseTflops, fp8DenseTflops, fp4DenseTflops } = gpu;
  const bf16 = bf16DenseTflops * k.mfu;
  const fp8 = fp8DenseTflops === null ? bf16 : fp8DenseTflops * k.mfu * (k.fp8MfuShare ?? 1);
  const fp4 = fp4DenseTflops === null ? bf16 : fp4DenseTflops * k.mfu * (k.fp4MfuShare ?? 1);
  const mxfp4 = fp4DenseTflops === null ? bf16 : fp8;
  const ofDtype: Record<WeightDtype, number> = {
    bf16,
    fp8,
    "fp8-block": fp8,
    int8: bf16,
    int4: bf16,
    nvfp4: fp4,
    mxfp4,
  };
  return ofDtype[dtype] * 1e9;
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
  /** What the matrix products of a small step lose against those of a large one: FLOPs of `mfuHalfTokens` tokens. */
  readonly flopFixedMs: number;
  /** The same for the products of the experts, each `expertHalfTokens` tokens; by n as `weightMs`. */
  readonly expertFixedMs: Float64Array;
  readonly activationMsPerToken: number;
  readonly prefillMsPerToken: number;
  readonly kvMsPerToken: number;
  /** Of what a sequence holds whatever its length: full windows, recurrent states. */
  readonly kvMsPerSeq: number;
  readonly msPerAttendedPair: number;
  readonly commFixedMs: number;
  readonly commMsPerToken: number;
  /** Of `flopMsPerToken` and `commMsPerToken`, what falls in the share of data-parallel ranks that bring no tokens. */
  readonly sharedFlopMsPerToken: number;
  readonly sharedCommMsPerToken: number;
}

/**
 * KV bytes that one decode step reads for each token of context, and for each sequence whatever its length. Windowed layers
 * read min(context, window) tokens of a sequence. That bends at the window and would not be affine, so one of the two bounds is taken
 * for all sequences (DR-19): the whole context where no request can be longer than the window or the mean one is not, exact for as
 * long as contexts are within it; else a full window, exact once a context has reached it. A recurrent state is read and written.
 */
function kvReadBytes(
  llm: LlmSpec,
  engine: StepEngine,
): { readonly perToken: number; readonly perSeq: number; readonly statePerSeq: number } {
  const { perToken, perWindowToken, state } = sequenceBytes(llm, engine.kvDtype);
  const window = llm.slidingWindow ?? Infinity;
  const withinWindow = Math.min(engine.maxModelLen ?? llm.maxContext, engine.requestTokens ?? Infinity) <= window;
  return {
    perToken: perToken + (withinWindow ? perWindowToken : 0),
    perSeq: withinWindow ? 0 : perWindowToken * window,
    statePerSeq: 2 * state,
  };
}

function stepCosts(gpu: GpuSpec, llm: LlmSpec, engine: StepEngine, k: StepCoefficients): StepCosts {
  const layout = layoutOf(engine);
  const t = layout.tensor;
  const bytesPerMs = gpu.memoryBandwidthGBps * 1e6;
  const flopPerMs = t * matmulFlopPerMs(gpu, engine.weightDtype, k);
  const weightBytesPerMs = t * bytesPerMs * k.ew;
  const moeLayers = llm.moe === null ? 0 : llm.moe.moeLayers;
  const imbalance = (untouched: number): number => expertImbalance(layout, untouched);
  const streamed = streamedBytes(llm, engine.weightDtype);
  const expertShare = expertShareByTokens(llm, layout.ranks, imbalance);
  const expertFixedMs = (2 * allExpertParams(llm) * (k.expertHalfTokens ?? 0)) / flopPerMs;
  const unbalancedParams = (imbalance(0) - 1) * activeExpertParams(llm);
  const flopMsPerToken = (2 * (llm.activeParams - llm.headParams + unbalancedParams)) / flopPerMs;
  const kv = kvReadBytes(llm, engine);
  const kvBytesPerMs = kvDivisor(llm, t) * bytesPerMs * k.ekv;
  const communication = communicationMs(gpu, llm, layout, engine.weightDtype, k);
  const quantMsPerLayer = engine.weightDtype === "bf16" ? 0 : (k.quantMsPerLayer ?? 0);
  const groupedMsPerLayer = GROUPED_GEMM.includes(engine.weightDtype) ? (k.groupedGemmMsPerLayer ?? 0) : 0;
  return {
    fixedMs:
      k.t0Ms +
      (engine.stepMs ?? 0) +
      (k.tlMsPerLayer + quantMsPerLayer) * llm.layers +
      (k.moeMsPerLayer + groupedMsPerLayer) * moeLayers,
    prefillMs: engine.tpreMsPerLayer * llm.layers,
    msPerSeq: k.tsMsPerSeq,
    weightMs: expertShare.map((share) => (streamed.dense + streamed.experts * share) / weightBytesPerMs),
    weightBytesPerMs,
    flopMsPerToken,
    headFlopMs: (2 * llm.headParams) / flopPerMs,
    flopFixedMs: flopMsPerToken * (k.mfuHalfTokens ?? 0),
    expertFixedMs: expertShare.map((share) => expertFixedMs * share),
    activationMsPerToken: ((k.activationPasses ?? 0) * llm.layers * llm.hiddenSize * ACTIVATION_BYTES) / bytesPerMs,
    prefillMsPerToken: engine.prefillMsPerToken ?? 0,
    kvMsPerToken: kv.perToken / kvBytesPerMs,
    kvMsPerSeq: kv.perSeq / kvBytesPerMs + kv.statePerSeq / (t * bytesPerMs * k.ekv),
    msPerAttendedPair:
      (4 * llm.fullAttentionLayers * llm.attentionHeads * attentionDim(llm)) / (t * gpu.bf16DenseTflops * 1e9 * k.ea),
    commFixedMs: communication.fixedMs,
    commMsPerToken: communication.msPerToken,
    sharedFlopMsPerToken: (2 * imbalance(0) * activeExpertParams(llm)) / flopPerMs,
    sharedCommMsPerToken: communication.gatheredMsPerToken,
  };
}

/**
 * The terms of one pass in ms: the batch is that of one rank and one micro-batch. For reading, not for the step loop: it builds
 * its tables on each call.
 */
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
  const fixedMs =
    costs.fixedMs +
    costs.msPerSeq * batch.decodeSeqs +
    (batch.prefillTokens > 0 ? costs.prefillMs : 0) +
    costs.prefillMsPerToken * batch.prefillTokens;
  const row = Math.min(n, costs.weightMs.length - 1);
  const weightsMs = costs.weightMs[row]!;
  const flopsMs =
    costs.flopFixedMs + costs.expertFixedMs[row]! + costs.flopMsPerToken * n + costs.headFlopMs * headRows;
  const kvMs = costs.kvMsPerToken * batch.contextTokens + costs.kvMsPerSeq * batch.decodeSeqs;
  const attentionMs = costs.msPerAttendedPair * batch.attendedPairs;
  const commMs = costs.commFixedMs + costs.commMsPerToken * n;
  const activationMs = costs.activationMsPerToken * n;
  return {
    fixedMs,
    weightsMs,
    flopsMs,
    kvMs,
    attentionMs,
    commMs,
    activationMs,
    stepMs: fixedMs + Math.max(weightsMs, flopsMs) + kvMs + attentionMs + commMs + activationMs,
    weightBytesStreamed: weightsMs * costs.weightBytesPerMs,
  };
}

const S_PER_MS = 1e-3;

/**
 * The time of one pass, in seconds: one rank, one micro-batch, all layers. With drafts to check, `tokensPerDecode` tokens are
 * computed for each sequence that decodes. `mixedS` allocates nothing.
 */
function createPassTime(
  gpu: GpuSpec,
  llm: LlmSpec,
  engine: StepEngine,
  coefficients: StepCoefficients,
  tokensPerDecode: number,
): StepTime {
  const costs = stepCosts(gpu, llm, engine, coefficients);
  const weightS = costs.weightMs.map((ms) => ms * S_PER_MS);
  const lastWeight = weightS.length - 1;
  const secondsPerSeq = (costs.msPerSeq + costs.kvMsPerSeq) * S_PER_MS;
  const flopSPerToken = costs.flopMsPerToken * S_PER_MS;
  const headFlopS = costs.headFlopMs * S_PER_MS;
  const perContextTokenS = costs.kvMsPerToken * S_PER_MS;
  const secondsPerPair = costs.msPerAttendedPair * S_PER_MS;
  const flopFixedS = costs.expertFixedMs.map((ms) => (costs.flopFixedMs + ms) * S_PER_MS);
  const secondsPerToken = (costs.commMsPerToken + costs.activationMsPerToken) * S_PER_MS;
  const prefillSPerToken = costs.prefillMsPerToken * S_PER_MS;
  const decodeFixedS = (costs.fixedMs + costs.commFixedMs) * S_PER_MS;
  const mixedFixedS = decodeFixedS + costs.prefillMs * S_PER_MS;
  const { ranks } = layoutOf(engine);
  const sharedFlopS = costs.sharedFlopMsPerToken * S_PER_MS;
  const sharedCommS = costs.sharedCommMsPerToken * S_PER_MS;

  const decodeBaseS = new Float64Array(engine.maxNumSeqs + 1);
  for (let d = 1; d <= engine.maxNumSeqs; d++) {
    const n = d * tokensPerDecode;
    const row = n < lastWeight ? n : lastWeight;
    const readS = weightS[row]!;
    const computeS = flopFixedS[row]! + flopSPerToken * n + headFlopS * n;
    decodeBaseS[d] = decodeFixedS + secondsPerSeq * d + (readS > computeS ? readS : computeS) + secondsPerToken * n;
  }
  return {
    decodeBaseS,
    perContextTokenS,
    mixedS(decodeSeqs, contextTokens, prefillTokens, attendedPairs, prompts) {
      // Tokens of the prompts that ranks without one would bring.
      const absent = prompts < ranks ? prefillTokens * (1 - prompts / ranks) : 0;
      const decodeTokens = decodeSeqs * tokensPerDecode;
      const n = decodeTokens + prefillTokens;
      const row = n < lastWeight ? n : lastWeight;
      const readS = weightS[row]!;
      const computeS = flopFixedS[row]! + flopSPerToken * n - sharedFlopS * absent + headFlopS * (decodeTokens + 1);
      return (
        mixedFixedS +
        secondsPerSeq * decodeSeqs +
        (readS > computeS ? readS : computeS) +
        perContextTokenS * contextTokens +
        secondsPerPair * attendedPairs +
        secondsPerToken * n -
        sharedCommS * absent +
        prefillSPerToken * prefillTokens
      );
    },
  };
}

/**
 * The step time of one replica, in seconds. Every model and every layout has one; whether measurements stand behind it says
 * `outsideValidatedRange`. With one rank and one stage it agrees with `stepTerms` to rounding.
 */
export function createStepTime(
  gpu: GpuSpec,
  llm: LlmSpec,
  engine: StepEngine,
  coefficients: StepCoefficients,
  tokensPerDecode = 1,
): StepTime {
  const layout: Layout = layoutOf(engine);
  if (layout.ranks * layout.stages === 1) return createPassTime(gpu, llm, engine, coefficients, tokensPerDecode);
  const perPass = { ...engine, maxNumSeqs: sequencesPerPass(layout, engine.maxNumSeqs) };
  const pass = createPassTime(gpu, llm, perPass, coefficients, tokensPerDecode);
  const { msPerSeq, headFlopMs, weightBytesPerMs } = stepCosts(gpu, llm, perPass, coefficients);
  const headReadMs = headBytes(llm) / weightBytesPerMs;
  return spreadStepTime(pass, gpu, llm, layout, engine.maxNumSeqs, coefficients, {
    stepS: (coefficients.t0Ms + (engine.stepMs ?? 0)) * S_PER_MS,
    perSeqS: msPerSeq * S_PER_MS,
    headS: (rows) => Math.max(headReadMs, headFlopMs * rows * tokensPerDecode) * S_PER_MS,
  });
}
