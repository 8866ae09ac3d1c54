/**
 * How many tokens of KV cache one replica holds: what the engine computes at start-up from the memory of one GPU, in whole blocks.
 *
 *   vLLM           memory·gpuMemoryUtilization − weights − activation − nonTorch
 *   TensorRT-LLM   (memory − weights − activation − nonTorch)·gpuMemoryUtilization, its free_gpu_memory_fraction
 *
 * Sizes in GiB = 2^30 bytes, per GPU. CUDA graphs are not subtracted: vLLM (0.11) takes them out of the rest of the
 * memory.
 *
 * A sequence also holds bytes that do not grow with it: full windows of windowed layers and recurrent states. The engine
 * loop counts tokens only, so they are taken off the cache beforehand, for as many sequences as run at once: maxNumSeqs, or
 * as many requests of a typical length as fill the memory, whichever are fewer. Much shorter requests than
 * that find less room in a real engine than here. (vLLM gives windowed layers a little more than the window: a chunk of prefill and
 * the rest of a block.)
 */
import { sequenceBytes, weightBytes } from "./model-bytes.ts";
import { gpusPerReplica, kvDivisor, largestStageShare, layoutOf, type ParallelOptions } from "./parallelism.ts";
import type { GpuSpec, KvDtype, LlmSpec, WeightDtype } from "./spec.ts";

const GIB = 1_073_741_824;

/**
 * Share of the marketing size, read in GiB, that the driver reports. Assumed, from cards whose report is known: H100
 * 79.18 of 80 and RTX 4090 23.52 of 24 give 0.98 or more; L40S 44.42 of 48 gives 0.925, because error correction of
 * GDDR6 takes its share of the memory itself (public logs: llm-d-planner, LLMServingSim, Step-Video-T2V issue 8).
 */
const REPORTED_FRACTION_HBM = 0.98;
const REPORTED_FRACTION_GDDR6 = 0.92;
/** No HBM card here is below, no GDDR6 card with error correction above. */
const HBM_BANDWIDTH_GBPS = 1000;

/** What the engine takes for itself; part of an engine profile of the catalogue. */
interface MemoryProfile {
  /** Peak bytes of the sampler = this × maxNumSeqs × vocabulary: FP32 logits and their copies. */
  readonly activationBytesPerSeqVocab: number;
  /** The engine also tries a step of `maxNumBatchedTokens` at start-up and sets aside what that takes, if it is more. False when left out. */
  readonly profilesFullStep?: boolean | undefined;
  /** CUDA context, NCCL and allocator rests. */
  readonly nonTorchGiB: { readonly oneGpu: number; readonly tensorParallel: number };
  /** What `gpuMemoryUtilization` is a share of: all memory, or what the model leaves free. Total when left out. */
  readonly utilizationOf?: "total" | "free" | undefined;
}

/** Request that windows and states are set aside for where the traffic is not known (assumed). */
const TYPICAL_REQUEST_TOKENS = 1024;

export interface KvCapacityInput extends ParallelOptions {
  readonly gpu: GpuSpec;
  readonly llm: LlmSpec;
  readonly weightDtype: WeightDtype;
  readonly kvDtype: KvDtype;
  readonly gpuMemoryUtilization: number;
  /** Of one data-parallel rank, as the engine is told. */
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly blockTokens: number;
  /** Prompt and answer of a typical request; matters for models with windows or recurrent states only. */
  readonly requestTokens?: number;
  readonly profile: MemoryProfile;
  /** Figures of a recorded start-up, which replace the computed ones. */
  readonly recorded?: {
    readonly weightsGiB?: number;
    readonly activationGiB?: number;
    readonly nonTorchGiB?: number;
  };
}

export interface KvCapacity {
  /** Whole blocks of one replica, all its ranks together; 0 when nothing is left. */
  readonly kvBlocks: number;
  readonly kvTokens: number;
  /** Of one data-parallel rank: the longest request that fits. */
  readonly kvTokensPerRank: number;
  readonly usableMemoryGiB: number;
  /** The usable memory was derived from the marketing size. */
  readonly usableMemoryAssumed: boolean;
  readonly weightsGiB: number;
  readonly activationGiB: number;
  readonly nonTorchGiB: number;
  /** Memory left for KV, before rounding to blocks; negative when the weights do not fit. */
  readonly kvGiB: number;
  /** What one GPU lacks to hold a first block; 0 when it holds one. The caller refuses with these figures. */
  readonly missingGiB: number;
}

/** GiB that the driver reports for one GPU, and whether that is assumed rather than recorded. */
export function usableMemory(gpu: GpuSpec): { readonly gib: number; readonly assumed: boolean } {
  if (gpu.usableMemoryGiB !== null) return { gib: gpu.usableMemoryGiB, assumed: false };
  const fraction = gpu.memoryBandwidthGBps < HBM_BANDWIDTH_GBPS ? REPORTED_FRACTION_GDDR6 : REPORTED_FRACTION_HBM;
  return { gib: gpu.memoryGB * fraction, assumed: true };
}

/** Weights of the whole model in GiB. Embedding and head stay in BF16. */
export function weightsGiB(llm: LlmSpec, dtype: WeightDtype): number {
  const { dense, experts } = weightBytes(llm, dtype);
  return (dense + experts) / GIB;
}

/** Weights on the GPU that holds most: the largest stage, all but the routed experts copied to every rank. */
function weightsGiBPerGpu(input: KvCapacityInput): number {
  const { tensor, stages, ranks } = layoutOf(input);
  const { dense, experts } = weightBytes(input.llm, input.weightDtype);
  return ((dense + experts / ranks) * largestStageShare(input.llm, stages)) / tensor / GIB;
}

/** BF16 activations. */
const ACTIVATION_BYTES = 2;
/** Hidden state, residual, normalised input and output of a token. */
const HIDDEN_COPIES = 4;
/** Both halves of the gated input of a feed-forward part, and their product. */
const FFN_COPIES = 3;

/**
 * Most bytes that a token's activations hold on one GPU at one time, which is in the feed-forward part: of a MoE layer for each expert that the token
 * goes to, with what that expert returns. Counted; a logged start-up of a dense model is within 2 %. MoE layers were not
 * checked: shared experts, and tokens that data-parallel ranks gather from each other, are left out.
 */
function activationBytesPerToken({ hiddenSize, ffnSize, moe, layers }: LlmSpec, tensor: number): number {
  const dense = moe !== null && moe.moeLayers === layers ? 0 : (FFN_COPIES * ffnSize) / tensor;
  const experts = moe === null ? 0 : moe.expertsPerToken * ((FFN_COPIES * moe.expertFfnSize) / tensor + hiddenSize);
  return ACTIVATION_BYTES * (HIDDEN_COPIES * hiddenSize + Math.max(dense, experts));
}

/** What the engine sets aside for a step, GiB on one GPU. */
function activationGiB({ llm, maxNumSeqs, maxNumBatchedTokens, profile, ...layout }: KvCapacityInput): number {
  const sampler = profile.activationBytesPerSeqVocab * maxNumSeqs * llm.vocabSize;
  const { tensor } = layoutOf(layout);
  const step = profile.profilesFullStep === true ? activationBytesPerToken(llm, tensor) * maxNumBatchedTokens : 0;
  return Math.max(sampler, step) / GIB;
}

/** GiB on one GPU of a block of tokens, and of what a sequence holds whatever its length. */
function kvGiBPerGpu(input: KvCapacityInput): {
  readonly block: number;
  readonly perSeq: number;
  readonly requestTokens: number;
} {
  const { llm } = input;
  const { tensor, stages } = layoutOf(input);
  const { perToken, perWindowToken, state } = sequenceBytes(llm, input.kvDtype);
  const requestTokens = input.requestTokens ?? TYPICAL_REQUEST_TOKENS;
  const windowTokens = Math.min(llm.slidingWindow ?? 0, requestTokens);
  const share = largestStageShare(llm, stages) / GIB;
  const kvShare = share / kvDivisor(llm, tensor);
  return {
    block: perToken * input.blockTokens * kvShare,
    perSeq: perWindowToken * windowTokens * kvShare + (state / tensor) * share,
    requestTokens,
  };
}

/** KV cache of one replica. Never throws: weights that do not fit give `missingGiB` > 0 and no block. */
export function kvCapacity(input: KvCapacityInput): KvCapacity {
  const { maxNumSeqs, blockTokens, profile, recorded } = input;
  const { ranks } = layoutOf(input);
  const usable = usableMemory(input.gpu);
  const weights = recorded?.weightsGiB ?? weightsGiBPerGpu(input);
  const activation = recorded?.activationGiB ?? activationGiB(input);
  const nonTorch =
    recorded?.nonTorchGiB ??
    (gpusPerReplica(input) > 1 ? profile.nonTorchGiB.tensorParallel : profile.nonTorchGiB.oneGpu);
  const taken = weights + activation + nonTorch;
  const kvGiB =
    profile.utilizationOf === "free"
      ? (usable.gib - taken) * input.gpuMemoryUtilization
      : usable.gib * input.gpuMemoryUtilization - taken;
  const { block, perSeq, requestTokens } = kvGiBPerGpu(input);
  const withAllSeqs = (kvGiB - maxNumSeqs * perSeq) / block;
  const withTypicalSeqs = Math.min(kvGiB / (block + (perSeq * blockTokens) / requestTokens), (kvGiB - perSeq) / block);
  const blocksPerRank = Math.max(0, Math.floor(Math.max(withAllSeqs, withTypicalSeqs)));
  const kvTokensPerRank = blocksPerRank * blockTokens;
  return {
    kvBlocks: blocksPerRank * ranks,
    kvTokens: kvTokensPerRank * ranks,
    kvTokensPerRank,
    usableMemoryGiB: usable.gib,
    usableMemoryAssumed: usable.assumed,
    weightsGiB: weights,
    activationGiB: activation,
    nonTorchGiB: nonTorch,
    kvGiB,
    missingGiB: blocksPerRank > 0 ? 0 : block + perSeq - kvGiB,
  };
}
