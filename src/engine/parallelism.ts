/**
 * How the GPUs of one replica share a model. Tensor parallelism (t) splits every layer. Pipeline stages (pp) split the layers.
 * Data-parallel ranks (dp, MoE only) have their own sequences and KV cache and a copy of all but the routed experts, which
 * lie on all t·dp GPUs of a stage: a slice of each expert on every GPU, or whole experts with expert parallelism.
 *
 * A step of the replica is one round: every running sequence gets its next token once. The time of one pass (one rank, one
 * micro-batch, all layers) is in `step-time-physics.ts`; `spreadStepTime` makes the round from it. Nothing here beyond tensor
 * parallelism over NVLink was fitted: the latencies and the imbalance are assumed.
 */
import { pow } from "../kernel/math.ts";
import type { EngineSpec, GpuSpec, LlmSpec, StepCoefficients, WeightDtype } from "./spec.ts";
import type { StepTime } from "./step-time.ts";

/** What makes the layout of a replica. */
export type ParallelOptions = Pick<
  EngineSpec,
  "tensorParallelSize" | "pipelineParallelSize" | "dataParallelSize" | "expertParallel"
>;

export interface Layout {
  readonly tensor: number;
  readonly stages: number;
  readonly ranks: number;
  readonly expertParallel: boolean;
}

export function layoutOf(engine: ParallelOptions): Layout {
  return {
    tensor: engine.tensorParallelSize,
    stages: engine.pipelineParallelSize ?? 1,
    ranks: engine.dataParallelSize ?? 1,
    expertParallel: engine.expertParallel ?? false,
  };
}

/** GPUs of one replica. */
export function gpusPerReplica(engine: ParallelOptions): number {
  const { tensor, stages, ranks } = layoutOf(engine);
  return tensor * stages * ranks;
}

/** PCIe 5 ×16, GB/s per direction; NVLink 3 and later move 300 and more. */
export const PCIE_GBPS = 64;

/** GB/s per direction between so many GPUs: a bridge joins two cards, and more of them talk over PCIe. */
export function linkGBps(gpu: GpuSpec, gpus: number): number {
  return gpus > (gpu.linkedGpus ?? Infinity) ? Math.min(PCIE_GBPS, gpu.linkGBpsPerDirection) : gpu.linkGBpsPerDirection;
}

/** Share of the layers that the largest stage holds. */
export function largestStageShare(llm: LlmSpec, stages: number): number {
  return Math.ceil(llm.layers / stages) / llm.layers;
}

/**
 * GPUs of a tensor-parallel group that share the KV cache: heads are duplicated, not split further, once there are more GPUs than
 * KV heads, and the latent cache of MLA is on every GPU.
 */
export function kvDivisor(llm: LlmSpec, tensorParallelSize: number): number {
  return (llm.mla ?? null) === null ? Math.min(tensorParallelSize, llm.kvHeads) : 1;
}

/**
 * Load of the busiest GPU under expert parallelism ÷ the mean: 1.4 when few experts are touched, 1.1 when all are (assumed,
 * between the 1.2–1.5 of small and the 1.1 of large batches that is considered plausible).
 */
const IMBALANCE_LARGE = 1.1;
const IMBALANCE_SMALL_EXTRA = 0.3;

/** By the fraction of experts that a step does not touch. Slices of experts have no imbalance. */
export function expertImbalance(layout: Layout, untouchedFraction: number): number {
  return layout.expertParallel ? IMBALANCE_LARGE + IMBALANCE_SMALL_EXTRA * untouchedFraction : 1;
}

/** Start of one exchange among all GPUs of a stage, and of one hop to the next stage (assumed). */
const EXCHANGE_MS = 0.03;
const HOP_MS = 0.02;
const ACTIVATION_BYTES = 2;

/**
 * Time of the collectives of one pass, a fixed part and one per token of the rank. Two ring all-reduces a layer among t GPUs; with
 * data-parallel ranks the one after the experts is an exchange instead: of tokens with their experts' GPUs (a copy and a sum each; FP8 weights are
 * sent one byte per element, results come back in two), or, without expert parallelism, of all tokens with all ranks: what that takes is in
 * `gatheredMsPerToken` too, because ranks that bring no tokens take nothing.
 */
export function communicationMs(
  gpu: GpuSpec,
  llm: LlmSpec,
  layout: Layout,
  weightDtype: WeightDtype,
  k: StepCoefficients,
): { readonly fixedMs: number; readonly msPerToken: number; readonly gatheredMsPerToken: number } {
  const { tensor: t, ranks } = layout;
  const linkBytesPerMs = linkGBps(gpu, t * ranks) * 1e6 * k.el;
  const exchanges = ranks > 1 && llm.moe !== null ? llm.moe.moeLayers : 0;
  const allReduces = t > 1 ? 2 * llm.layers - exchanges : 0;
  const ringBytesPerToken = (llm.hiddenSize * ACTIVATION_BYTES * 2 * (t - 1)) / t;
  const reduce = {
    fixedMs: allReduces * k.arMs,
    msPerToken: (allReduces * ringBytesPerToken) / linkBytesPerMs,
    gatheredMsPerToken: 0,
  };
  if (exchanges === 0 || llm.moe === null) return reduce;
  const gpus = t * ranks;
  const sentBytes = weightDtype === "fp8" || weightDtype === "fp8-block" ? 1 : ACTIVATION_BYTES;
  const exchangedBytesPerToken = layout.expertParallel
    ? (otherGpusOfToken(llm.moe.expertsPerToken, gpus) * llm.hiddenSize * (sentBytes + ACTIVATION_BYTES)) / t
    : (llm.hiddenSize * 2 * ACTIVATION_BYTES * (ranks - 1)) / t;
  const exchangeMsPerToken = (exchanges * exchangedBytesPerToken) / linkBytesPerMs;
  return {
    fixedMs: reduce.fixedMs + exchanges * 2 * EXCHANGE_MS,
    msPerToken: reduce.msPerToken + exchangeMsPerToken,
    gatheredMsPerToken: layout.expertParallel ? 0 : exchangeMsPerToken,
  };
}

/** On how many other GPUs the experts of a token lie on average: each gets one copy of it, and sends one sum back. */
function otherGpusOfToken(experts: number, gpus: number): number {
  return (gpus - 1) * (1 - pow(1 - 1 / gpus, experts));
}

/** Seconds of one hop of `tokens` activations to the next stage: a fixed part and one per token. */
function hopS(
  gpu: GpuSpec,
  llm: LlmSpec,
  gpus: number,
  k: StepCoefficients,
): { readonly fixedS: number; readonly sPerToken: number } {
  return {
    fixedS: HOP_MS * 1e-3,
    sPerToken: (llm.hiddenSize * ACTIVATION_BYTES * 1e-3) / (linkGBps(gpu, gpus) * 1e6 * k.el),
  };
}

/**
 * Work of the host for each sequence of a step where nothing hides it: engines that form steps ahead do so in one stage only (vLLM
 * 0.14 excludes pipelines, TensorRT-LLM runs them in a loop of its own), so pipelines pay what vLLM's closed loops paid
 * before that, in its set fitted on the calibration groups.
 */
const HOST_MS_PER_SEQ = 0.044;

/** Seconds of a pass that every stage spends on each micro-batch, however many share the layers. */
export interface UnsharedTime {
  readonly stepS: number;
  readonly perSeqS: number;
  /** Output head, which the last stage has to itself, for so many rows. */
  headS(rows: number): number;
}

/** Sequences of the busiest rank in one micro-batch when `sequences` are spread evenly. */
export function sequencesPerPass(layout: Layout, sequences: number): number {
  return Math.ceil(sequences / (layout.ranks * layout.stages));
}

/**
 * The step time of a replica with several ranks or stages, from the time of one `pass`.
 *
 * Sequences, and their contexts, are spread evenly over ranks and micro-batches, of which there are as many as stages. In
 * the time in which one micro-batch goes through all stages, every other one does too: a round of decoding lasts one pass of
 * the busiest rank's micro-batch (the largest stage sets the pace) and the hops between stages. Stages share the layers alone: the
 * host works on each micro-batch in each of them, and the last has the output head as well, which all others wait for.
 * A prompt is computed by one rank, but for its experts, which lie on all; the others wait where they exchange with it, and several prompts
 * fill as many ranks. Prefill
 * overlaps with as many micro-batches as there are sequences to fill them: alone it takes a whole pass of one rank, in a full pipeline it
 * holds up a round by its time in one stage.
 *
 * Still affine in context. Limits: even spread (the real step waits for the rank with the longest contexts); with
 * fewer sequences than ranks × stages the KV read is too short by up to that factor; in a full pipeline a prompt's own first token
 * comes up to (stages − 1)/stages of its prefill later than here.
 */
export function spreadStepTime(
  pass: StepTime,
  gpu: GpuSpec,
  llm: LlmSpec,
  layout: Layout,
  maxNumSeqs: number,
  k: StepCoefficients,
  unshared: UnsharedTime,
): StepTime {
  const { ranks, stages } = layout;
  const hostPerSeqS = stages === 1 ? 0 : stages * Math.max(unshared.perSeqS, HOST_MS_PER_SEQ * 1e-3) - unshared.perSeqS;
  /** Beyond the pass, which holds each of these once. */
  const beyondS = (width: number, rows: number): number =>
    (stages - 1) * (unshared.stepS + unshared.headS(rows)) + hostPerSeqS * width;
  const pace = stages * largestStageShare(llm, stages);
  const { fixedS, sPerToken } = hopS(gpu, llm, layout.tensor * layout.stages * layout.ranks, k);
  const hops = stages - 1;
  const share = 1 / (ranks * stages);
  const passContextS = pass.perContextTokenS;

  const decodeBaseS = new Float64Array(maxNumSeqs + 1);
  for (let d = 1; d <= maxNumSeqs; d++) {
    const width = sequencesPerPass(layout, d);
    decodeBaseS[d] = pace * pass.decodeBaseS[width]! + hops * (fixedS + sPerToken * width) + beyondS(width, width);
  }
  return {
    decodeBaseS,
    perContextTokenS: pace * passContextS * share,
    mixedS(decodeSeqs, contextTokens, prefillTokens, attendedPairs, prompts) {
      const width = Math.ceil(decodeSeqs * share);
      const context = contextTokens * share;
      const filledRanks = Math.min(ranks, prompts);
      const filledStages = Math.min(stages, decodeSeqs + prompts);
      const chunk = Math.ceil(prefillTokens / filledRanks);
      const decodeS = width === 0 ? 0 : pass.decodeBaseS[width]! + passContextS * context;
      const wholeS = pass.mixedS(width, context, chunk, attendedPairs / filledRanks, prompts);
      return (
        pace * (decodeS + (wholeS - decodeS) / filledStages) +
        hops * (fixedS + sPerToken * (width + chunk / filledStages)) +
        beyondS(width, width + 1)
      );
    },
  };
}
