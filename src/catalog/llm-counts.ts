/**
 * Weights and KV elements of a transformer, counted from its shape. Matrices only: norms, biases and short convolutions are left
 * out, together below a thousandth of the weights, and so are encoders of images and speech.
 */

/** A decoder as its configuration describes it. */
export interface LlmShape {
  readonly layers: number;
  readonly fullAttentionLayers: number;
  readonly windowedLayers: number;
  readonly hiddenSize: number;
  readonly attentionHeads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  /** A second matrix of queries gates the output of attention. */
  readonly gatedAttention: boolean;
  /** Of layers without experts. */
  readonly ffnSize: number;
  /** The feed-forward part of these is up and down alone. */
  readonly ungatedFfn: boolean;
  readonly vocabSize: number;
  readonly tiedEmbeddings: boolean;
  readonly moe: {
    readonly experts: number;
    readonly expertsPerToken: number;
    readonly expertFfnSize: number;
    readonly sharedExpertFfnSize: number;
    readonly firstDenseLayers: number;
    readonly moeLayers: number;
    /** Left out: that of the catalogue's default. */
    readonly routingConcentration?: number;
  } | null;
  readonly mla: {
    /** Null: queries are not compressed. */
    readonly qLoraRank: number | null;
    readonly kvLoraRank: number;
    readonly qkNopeHeadDim: number;
    readonly qkRopeHeadDim: number;
    readonly vHeadDim: number;
  } | null;
  readonly linearAttention: {
    readonly keyHeads: number;
    readonly valueHeads: number;
    readonly keyHeadDim: number;
    readonly valueHeadDim: number;
    readonly convKernel: number;
  } | null;
}

export interface LlmCounts {
  readonly params: number;
  readonly activeParams: number;
  readonly nonExpertParams: number;
  readonly expertParams: number;
  readonly embeddingParams: number;
  readonly headParams: number;
  readonly kvElementsPerToken: number;
  readonly kvElementsPerTokenSliding: number;
}

/** Gate, up and down. */
const FFN_MATRICES = 3;
const UNGATED_FFN_MATRICES = 2;

export function llmCounts(shape: LlmShape): LlmCounts {
  const { hiddenSize: h, moe, layers, fullAttentionLayers, windowedLayers } = shape;
  const attentionLayers = fullAttentionLayers + windowedLayers;
  const moeLayers = moe?.moeLayers ?? 0;
  const embeddingParams = shape.vocabSize * h;
  const nonExpertParams =
    attentionLayers * attentionParams(shape) +
    (layers - attentionLayers) * linearAttentionParams(shape) +
    (layers - moeLayers) * (shape.ungatedFfn ? UNGATED_FFN_MATRICES : FFN_MATRICES) * h * shape.ffnSize +
    (moe === null ? 0 : moeLayers * h * (FFN_MATRICES * moe.sharedExpertFfnSize + moe.experts)) +
    embeddingParams;
  const expertParams = moe === null ? 0 : moeLayers * moe.experts * FFN_MATRICES * h * moe.expertFfnSize;
  const elementsPerLayer =
    shape.mla === null ? 2 * shape.kvHeads * shape.headDim : shape.mla.kvLoraRank + shape.mla.qkRopeHeadDim;
  return {
    params: nonExpertParams + expertParams + (shape.tiedEmbeddings ? 0 : embeddingParams),
    activeParams: nonExpertParams + (moe === null ? 0 : (expertParams / moe.experts) * moe.expertsPerToken),
    nonExpertParams,
    expertParams,
    embeddingParams,
    headParams: embeddingParams,
    kvElementsPerToken: fullAttentionLayers * elementsPerLayer,
    kvElementsPerTokenSliding: windowedLayers * elementsPerLayer,
  };
}

function attentionParams({ hiddenSize: h, attentionHeads, kvHeads, headDim, gatedAttention, mla }: LlmShape): number {
  if (mla === null) return h * headDim * ((gatedAttention ? 3 : 2) * attentionHeads + 2 * kvHeads);
  const queryDim = attentionHeads * (mla.qkNopeHeadDim + mla.qkRopeHeadDim);
  const query = mla.qLoraRank === null ? h * queryDim : mla.qLoraRank * (h + queryDim);
  const latent = h * (mla.kvLoraRank + mla.qkRopeHeadDim);
  const keysAndValues = mla.kvLoraRank * attentionHeads * (mla.qkNopeHeadDim + mla.vHeadDim);
  return query + latent + keysAndValues + attentionHeads * mla.vHeadDim * h;
}

/** Gated delta net: queries and keys, values and their gates, output, and two scalars for each value head. */
function linearAttentionParams({ hiddenSize: h, linearAttention: linear }: LlmShape): number {
  if (linear === null) return 0;
  const keys = linear.keyHeads * linear.keyHeadDim;
  const values = linear.valueHeads * linear.valueHeadDim;
  return h * (2 * keys + 3 * values + 2 * linear.valueHeads);
}
