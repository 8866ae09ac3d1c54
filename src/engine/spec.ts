/** What the engine needs to know of a GPU, a model and an engine configuration. Names are those of the catalogue. */

export interface GpuSpec {
  readonly id: string;
  readonly name: string;
  /** Datasheet memory, GB = 1e9 bytes; `usableMemoryGiB` is what the driver reports, null = derived. */
  readonly memoryGB: number;
  readonly usableMemoryGiB: number | null;
  readonly memoryBandwidthGBps: number;
  readonly bf16DenseTflops: number;
  readonly fp8DenseTflops: number | null;
  readonly fp4DenseTflops: number | null;
  readonly linkGBpsPerDirection: number;
  /** GPUs that the link joins, more talk over PCIe; left out: all of a node. */
  readonly linkedGpus?: number | undefined;
  /** Largest rate that a BF16 matrix product was measured to reach; left out: not known. */
  readonly matmulBf16Tflops?: number | undefined;
  /** GPUs with the same chip, nearest first: their coefficient sets stand in for its own (DR-35). */
  readonly sameChipAs?: readonly string[] | undefined;
}

export interface LlmSpec {
  readonly id: string;
  readonly name: string;
  readonly layers: number;
  readonly fullAttentionLayers: number;
  readonly hiddenSize: number;
  /** Width of the feed-forward part of dense layers. */
  readonly ffnSize: number;
  readonly attentionHeads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly maxContext: number;
  readonly slidingWindow: number | null;
  readonly moe: {
    readonly experts: number;
    readonly expertsPerToken: number;
    readonly expertFfnSize: number;
    readonly moeLayers: number;
    /**
     * How unevenly experts are used: the i-th most popular of E has a share proportional to exp(−λ·i/E), and this is λ. Left out:
     * 0, all alike.
     */
    readonly routingConcentration?: number;
  } | null;
  /** Weights that share a scale, of formats in integers; left out: 128. */
  readonly weightGroupSize?: number | undefined;
  /** All but the routed experts stay in BF16 where these are in four bits or integers; left out: 8 bits, as in most checkpoints. */
  readonly bf16BesideExperts?: boolean | undefined;
  readonly params: number;
  /** Without the input embedding. */
  readonly activeParams: number;
  readonly nonExpertParams: number;
  readonly expertParams: number;
  readonly embeddingParams: number;
  readonly headParams: number;
  readonly kvElementsPerToken: number;
  readonly kvElementsPerTokenSliding: number;
  /** Latent attention; left out or null: one key and one value per KV head. */
  readonly mla?: {
    readonly kvLoraRank: number;
    readonly qkNopeHeadDim: number;
    readonly qkRopeHeadDim: number;
    readonly vHeadDim: number;
  } | null;
  /** Layers with neither full nor windowed attention keep a state of fixed size; left out or null: there are none. */
  readonly linearAttention?: {
    readonly keyHeads: number;
    readonly valueHeads: number;
    readonly keyHeadDim: number;
    readonly valueHeadDim: number;
    readonly convKernel: number;
  } | null;
}

/** Formats of weights: what bytes and compute type are known of. */
export const WEIGHT_DTYPES = ["bf16", "fp8", "fp8-block", "int8", "int4", "nvfp4", "mxfp4"] as const;
export type WeightDtype = (typeof WEIGHT_DTYPES)[number];
export type KvDtype = "bf16" | "fp8";

/** One fitted coefficient set of the step-time model (`models/engines/`); never mix terms of two sets. */
export interface StepCoefficients {
  readonly scope: string;
  readonly ew: number;
  readonly ekv: number;
  readonly mfu: number;
  readonly t0Ms: number;
  readonly tlMsPerLayer: number;
  readonly tsMsPerSeq: number;
  readonly arMs: number;
  readonly el: number;
  readonly ea: number;
  readonly moeMsPerLayer: number;
  /** Share of `mfu` that products in FP8 and in FP4 reach, of a peak that much higher; left out: 1. */
  readonly fp8MfuShare?: number | undefined;
  readonly fp4MfuShare?: number | undefined;
  /** Tokens of a step at which matrix FLOPs reach half of `mfu`; left out: they reach all of it at any size. */
  readonly mfuHalfTokens?: number | undefined;
  /** Tokens of an expert at which its FLOPs reach half of `mfu`: small grouped products fill the units badly; left out: 0. */
  readonly expertHalfTokens?: number | undefined;
  /** How often a layer reads or writes a token's hidden state beside its matrix products (norms, residuals, activation); left out: 0. */
  readonly activationPasses?: number | undefined;
  /** Extra of each layer and step where weights are not BF16: activations are quantized on the way; left out: 0. */
  readonly quantMsPerLayer?: number | undefined;
  /** Extra of each MoE layer and step where the experts are BF16 or FP8: what one grouped GEMM for all of them takes however small; left out: 0. */
  readonly groupedGemmMsPerLayer?: number | undefined;
}

/** Engine options under vLLM's names, all resolved to numbers. */
export interface EngineSpec {
  readonly engine: string;
  readonly engineVersion: string;
  readonly weightDtype: WeightDtype;
  readonly kvDtype: KvDtype;
  /** GPUs that share each layer. */
  readonly tensorParallelSize: number;
  /** Stages, each with its share of the layers; left out: 1. */
  readonly pipelineParallelSize?: number;
  /** Ranks with their own sequences, KV cache and copy of the attention weights, which share the experts; left out: 1. */
  readonly dataParallelSize?: number;
  /** Each GPU holds whole experts instead of a slice of every expert; left out: false. */
  readonly expertParallel?: boolean;
  /** Of the whole replica: all its data-parallel ranks together. */
  readonly maxNumSeqs: number;
  /** Token budget of one step of the whole replica; at least maxNumSeqs. */
  readonly maxNumBatchedTokens: number;
  /** Longest chunk of one prompt in one step; 0 = no limit. */
  readonly longPrefillTokenThreshold: number;
  readonly gpuMemoryUtilization: number;
  readonly blockTokens: number;
  /** KV blocks of one replica (computed, or recorded and given). */
  readonly kvBlocks: number;
  readonly maxModelLen: number;
  /** Mean length of a request, prompt and answer, of models with windowed layers (DR-19); left out: not known. */
  readonly requestTokens?: number;
  /** Extra per layer of a step that contains prefill, from the engine profile. */
  readonly tpreMsPerLayer: number;
  /** Extra per prompt token of a step, from the engine profile; left out: 0. */
  readonly prefillMsPerToken?: number | undefined;
  /** Extra per step, from the engine profile; left out: 0. */
  readonly stepMs?: number | undefined;
  /** Each step is formed while the one before it runs (see `step-ahead.ts`); left out: false. */
  readonly schedulesAhead?: boolean | undefined;
  /** API server and tokenizer overhead in TTFT and E2E. */
  readonly apiOverheadMs: number;
}
