/**
 * How many tokens of KV cache one replica holds: what vLLM computes at start-up from the memory of one GPU.
 *
 *   kvBytes = memory·gpuMemoryUtilization − weights/t − activation − nonTorch, in whole blocks
 *
 * Sizes in GiB = 2^30 bytes, per GPU. CUDA graphs are not subtracted: vLLM (0.11) takes them out of the rest of the
 * memory. The form is vLLM's; other engines reserve differently.
 */
import type { GpuSpec, KvDtype, LlmSpec } from "./spec.ts";
import {
  UNQUANTIZED_BYTES,
  type WeightFormat,
  denseBytesPerWeight,
  expertBytesPerWeight,
  kvBytesPerElement,
  kvDivisor,
} from "./step-time-physics.ts";

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
  /** Peak activation bytes = this × maxNumSeqs × vocabulary: FP32 logits and their copies in the sampler. */
  readonly activationBytesPerSeqVocab: number;
  /** CUDA context, NCCL and allocator rests. */
  readonly nonTorchGiB: { readonly oneGpu: number; readonly tensorParallel: number };
}

export interface KvCapacityInput {
  readonly gpu: GpuSpec;
  readonly llm: LlmSpec;
  readonly weightDtype: WeightFormat;
  readonly kvDtype: KvDtype;
  readonly tensorParallelSize: number;
  readonly gpuMemoryUtilization: number;
  readonly maxNumSeqs: number;
  readonly blockTokens: number;
  readonly profile: MemoryProfile;
  /** Figures of a recorded start-up, which replace the computed ones. */
  readonly recorded?: {
    readonly weightsGiB?: number;
    readonly activationGiB?: number;
    readonly nonTorchGiB?: number;
  };
}

export interface KvCapacity {
  /** Whole blocks of one replica; 0 when nothing is left. */
  readonly kvBlocks: number;
  readonly kvTokens: number;
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
export function weightsGiB(llm: LlmSpec, format: WeightFormat): number {
  // What is neither in `nonExpertParams` nor in the experts is an input embedding that the head does not share.
  const embedding = llm.params - llm.nonExpertParams - llm.expertParams;
  const bytes =
    (llm.nonExpertParams - llm.headParams) * denseBytesPerWeight(format, llm.moe !== null) +
    llm.expertParams * expertBytesPerWeight(format) +
    (llm.headParams + embedding) * UNQUANTIZED_BYTES;
  return bytes / GIB;
}

/** Bytes of KV cache that one token takes on each GPU. */
function kvBytesPerTokenPerGpu(llm: LlmSpec, kvDtype: KvDtype, tensorParallelSize: number): number {
  return (llm.kvElementsPerToken * kvBytesPerElement(kvDtype)) / kvDivisor(llm, tensorParallelSize);
}

/** KV cache of one replica. Never throws: weights that do not fit give `missingGiB` > 0 and no block. */
export function kvCapacity(input: KvCapacityInput): KvCapacity {
  const { llm, tensorParallelSize, profile, recorded } = input;
  const usable = usableMemory(input.gpu);
  const weights = recorded?.weightsGiB ?? weightsGiB(llm, input.weightDtype) / tensorParallelSize;
  const activation =
    recorded?.activationGiB ?? (profile.activationBytesPerSeqVocab * input.maxNumSeqs * llm.vocabSize) / GIB;
  const nonTorch =
    recorded?.nonTorchGiB ?? (tensorParallelSize > 1 ? profile.nonTorchGiB.tensorParallel : profile.nonTorchGiB.oneGpu);
  const kvGiB = usable.gib * input.gpuMemoryUtilization - weights - activation - nonTorch;
  const blockGiB = (kvBytesPerTokenPerGpu(llm, input.kvDtype, tensorParallelSize) * input.blockTokens) / GIB;
  const kvBlocks = Math.max(0, Math.floor(kvGiB / blockGiB));
  return {
    kvBlocks,
    kvTokens: kvBlocks * input.blockTokens,
    usableMemoryGiB: usable.gib,
    usableMemoryAssumed: usable.assumed,
    weightsGiB: weights,
    activationGiB: activation,
    nonTorchGiB: nonTorch,
    kvGiB,
    missingGiB: kvBlocks > 0 ? 0 : blockGiB - kvGiB,
  };
}
