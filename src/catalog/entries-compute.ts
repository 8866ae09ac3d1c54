/** Entries of what a replica is made of: GPUs and their rates, models, engine profiles, fitted coefficients. */
import { z } from "zod";
import { Id, common, count, fraction, nonNegative, positive } from "./entry.ts";
import { rowOriginShape } from "./origin.ts";

/** Bounds that hold for any GPU, so that TB for GB, FLOPS for TFLOPS or kW for W do not pass. */
const memoryGB = z.number().min(2).max(4000);
const bandwidthGBps = z.number().min(50).max(100_000);
const tflops = z.number().min(1).max(200_000);

/** Six figures of the datasheet make a GPU: memory, bandwidth, BF16 and FP8 rate (dense), link and TDP. */
export const GpuEntry = z
  .strictObject({
    ...common,
    name: z.string().optional().describe("as people write it; without it the id"),
    sameChipAs: z
      .array(Id)
      .min(1)
      .optional()
      .describe("gpus with the same chip, nearest first, whose fitted coefficients stand in for its own"),
    arch: z.string().optional(),
    memoryGB: memoryGB.describe("datasheet memory, GB = 1e9 bytes"),
    usableMemoryGiB: positive.nullable().default(null).describe("what the driver reports; null = not known"),
    memoryType: z.string().optional(),
    memoryBandwidthGBps: bandwidthGBps,
    bf16DenseTflops: tflops.describe("dense, without sparsity"),
    matmulBf16Tflops: positive
      .optional()
      .describe(
        "largest rate that a BF16 matrix product was measured to reach; power limits and clocks part it from the datasheet",
      ),
    fp8DenseTflops: tflops.nullable().describe("dense; null: no FP8 units"),
    fp4DenseTflops: tflops.nullable().default(null).describe("dense; null: no FP4 units"),
    interconnect: z.string().optional(),
    linkGBpsPerDirection: z.number().min(1).max(20_000).describe("NVLink, or PCIe where there is none"),
    linkedGpus: z
      .int()
      .min(2)
      .optional()
      .describe("gpus that the link joins, more talk over PCIe; all of a node when left out"),
    tdpW: z.number().min(10).max(20_000),
  })
  .refine(({ bf16DenseTflops, fp8DenseTflops }) => (fp8DenseTflops ?? Infinity) >= bf16DenseTflops, {
    path: ["fp8DenseTflops"],
    message: "expected at least bf16DenseTflops, or null where there are no FP8 units",
  })
  .transform((gpu) => ({ ...gpu, name: gpu.name ?? gpu.id }));

export const LlmEntry = z
  .strictObject({
    ...common,
    name: z.string(),
    architectureOf: Id.optional().describe(
      "llm with the same architecture, whose fitted coefficients hold for this one too",
    ),
    layers: count,
    fullAttentionLayers: count.describe("layers that attend to the whole context"),
    hiddenSize: count,
    attentionHeads: count,
    kvHeads: count,
    headDim: count,
    ffnSize: count,
    vocabSize: count,
    tiedEmbeddings: z.boolean(),
    maxContext: count,
    slidingWindow: count.nullable(),
    nativeDtype: z.string(),
    weightGroupSize: count.optional().describe("weights that share a scale, of formats in integers; 128 when left out"),
    bf16BesideExperts: z
      .boolean()
      .optional()
      .describe(
        "quantized checkpoints leave all but the routed experts in BF16; left out: 8 bits beside int4 and nvfp4 experts, as in most",
      ),
    moe: z
      .strictObject({
        experts: count,
        expertsPerToken: count,
        expertFfnSize: count,
        sharedExpertFfnSize: z.int().min(0),
        firstDenseLayers: z.int().min(0),
        moeLayers: count,
        routingConcentration: nonNegative
          .default(4.4)
          .describe(
            "share of the i-th most popular of E experts ~ exp(-this*i/E); 0: all alike. 4.4 = Qwen3-30B-A3B on mixed text",
          ),
      })
      .nullable(),
    mla: z
      .strictObject({
        qLoraRank: count.nullable().describe("null: queries are not compressed"),
        kvLoraRank: count,
        qkNopeHeadDim: count,
        qkRopeHeadDim: count,
        vHeadDim: count,
      })
      .nullable(),
    linearAttention: z
      .strictObject({
        keyHeads: count,
        valueHeads: count,
        keyHeadDim: count,
        valueHeadDim: count,
        convKernel: count,
      })
      .nullable()
      .default(null)
      .describe("of layers with neither full nor windowed attention (gated delta net)"),
    params: count,
    activeParams: count.describe("per token, without the input embedding"),
    nonExpertParams: count,
    expertParams: z.int().min(0),
    embeddingParams: count,
    headParams: count,
    kvElementsPerToken: count.describe("of full-attention layers, all GPUs together"),
    kvElementsPerTokenSliding: z.int().min(0),
  })
  .refine((llm) => llm.fullAttentionLayers <= llm.layers, {
    path: ["fullAttentionLayers"],
    message: "more than `layers`",
  })
  .refine(
    (llm) => llm.fullAttentionLayers === llm.layers || llm.slidingWindow !== null || llm.linearAttention !== null,
    {
      path: ["fullAttentionLayers"],
      message: "fewer than `layers`, and neither slidingWindow nor linearAttention says what the others do",
    },
  );

export const EngineEntry = z.strictObject({
  ...common,
  engine: z.enum(["vllm", "trtllm", "sglang"]).describe("name under which coefficient sets are filed"),
  engineVersion: z.string().describe("versions whose measurements the constants were fitted on"),
  scheduler: z
    .array(
      z.strictObject({
        minMemoryGB: nonNegative,
        notOn: z.array(Id).optional().describe("GPUs that have the memory and are left out all the same"),
        maxNumSeqs: count,
        maxNumBatchedTokens: count,
      }),
    )
    .min(1)
    .describe("defaults by GPU memory; the first row whose minMemoryGB the GPU reaches holds"),
  longPrefillTokenThreshold: z.int().min(0),
  blockTokens: count,
  gpuMemoryUtilization: fraction,
  tpreMsPerLayer: z
    .strictObject({ dense: nonNegative, moe: nonNegative })
    .describe("extra per layer of a step that contains prefill"),
  prefillMsPerToken: z
    .strictObject({ dense: nonNegative, moe: nonNegative })
    .optional()
    .describe("extra per prompt token of a step; none: 0"),
  stepMs: nonNegative.optional().describe("extra per step, whatever is in it; none: 0"),
  schedulesAhead: z
    .boolean()
    .optional()
    .describe(
      "each step is formed while the one before it runs, so that who comes then joins the step after; none: false",
    ),
  apiOverheadMs: nonNegative.describe("API server and tokenizer, in TTFT and E2E"),
  standardErrors: z
    .strictObject({
      tpreMsPerLayer: z.strictObject({ dense: nonNegative.optional(), moe: nonNegative.optional() }).optional(),
      apiOverheadMs: nonNegative.optional(),
    })
    .optional()
    .describe("of constants that a calibration fitted"),
  kvCapacity: z.strictObject({
    activationBytesPerSeqVocab: positive.describe(
      "activation bytes = this × maxNumSeqs × vocabSize (FP32 logits of the sampler at profiling)",
    ),
    profilesFullStep: z
      .boolean()
      .optional()
      .describe(
        "tries a step of maxNumBatchedTokens at start-up and sets aside what it takes, if more; false when left out",
      ),
    nonTorchGiB: z.strictObject({ oneGpu: nonNegative, tensorParallel: nonNegative }),
    utilizationOf: z
      .enum(["total", "free"])
      .optional()
      .describe("what gpuMemoryUtilization is a share of: all memory (vLLM), or what the model leaves free"),
  }),
  fallbackScope: z
    .strictObject({ dense: z.enum(["engine", "global"]), moe: z.enum(["engine", "global"]) })
    .describe("coefficient scope for what no finer set holds"),
});

const Coefficients = z.strictObject({
  ew: positive.max(1),
  ekv: positive.max(1),
  mfu: positive.max(1),
  t0Ms: nonNegative,
  tlMsPerLayer: nonNegative,
  tsMsPerSeq: nonNegative,
  arMs: nonNegative,
  el: positive.max(1),
  ea: positive.max(1),
  moeMsPerLayer: nonNegative,
  fp8MfuShare: positive.max(1).optional().describe("share of `mfu` that FP8 products reach of the FP8 peak; none: 1"),
  fp4MfuShare: positive.max(1).optional().describe("share of `mfu` that FP4 products reach of the FP4 peak; none: 1"),
  mfuHalfTokens: nonNegative.optional().describe("tokens of a step at which matrix FLOPs reach half of `mfu`; none: 0"),
  expertHalfTokens: nonNegative
    .optional()
    .describe("tokens of an expert at which its FLOPs reach half of `mfu`; none: 0"),
  activationPasses: nonNegative
    .optional()
    .describe("times that a layer reads or writes a token's hidden state beside its matrix products; none: 0"),
  quantMsPerLayer: nonNegative.optional().describe("extra per layer and step for weights other than BF16; none: 0"),
  groupedGemmMsPerLayer: nonNegative
    .optional()
    .describe("extra per MoE layer and step for experts in BF16 or FP8, which share one grouped GEMM; none: 0"),
});

const CoefficientRow = z.strictObject({
  scope: z.enum(["global", "engine", "gpu+engine", "gpu+engine+model+dtype"]),
  gpu: Id.optional(),
  engine: Id.optional(),
  llm: Id.optional(),
  weightDtype: z.string().optional(),
  fittedRows: count,
  fitMapePercent: nonNegative,
  fitMedianPercent: nonNegative,
  validationRows: z.int().min(0).describe("0 = no group of this set was left for validation"),
  validationMapePercent: nonNegative.nullable(),
  validationMedianPercent: nonNegative.nullable(),
  values: Coefficients,
  standardErrors: z.record(z.string(), nonNegative).optional().describe("of values that a calibration fitted, by name"),
});

const Band = z.strictObject({ p5: z.number(), p25: z.number(), p50: z.number(), p75: z.number(), p95: z.number() });

export const CoefficientsEntry = z.strictObject({
  ...common,
  fitSet: z
    .enum(["calibration", "all"])
    .describe("calibration = for claims on validation cases; all = shipped default"),
  modelClass: z.enum(["dense", "moe"]),
  residualBandsPercent: z
    .strictObject({ finest: Band, global: Band })
    .describe(
      "quantiles of the signed TPOT error on validation groups, by the finest set that exists and by the global set",
    ),
  sets: z.array(CoefficientRow).min(1),
});

export const GpuPriceEntry = z.strictObject({
  ...common,
  seller: z.string(),
  sellerClass: z.enum(["hyperscaler", "neocloud", "marketplace", "index", "reference"]),
  pricing: z.enum(["on_demand", "spot", "reserved", "capacity_block", "index"]),
  termMonths: z.int().min(0),
  commitment: z.string().optional(),
  rows: z
    .array(
      z.strictObject({
        gpu: Id,
        usdPerGpuHour: positive,
        instance: z.string().nullable(),
        gpusPerNode: count.describe("GPUs that are rented together; 1 also where the source does not say"),
        region: z.string().nullable(),
        confidence: z.enum(["high", "medium", "low"]),
        note: z.string().optional(),
        ...rowOriginShape,
      }),
    )
    .min(1),
});
