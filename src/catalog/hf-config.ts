/**
 * A model entry from the `config.json` that Hugging Face repositories carry. Which architectures are read, and where each differs
 * from a Llama, is in `hf-families.ts`; quantization in `hf-quantization.ts`, counting in `llm-counts.ts`.
 */
import { ConfigError, type Problem } from "../kernel/errors.ts";
import { type Family, familyOf, type Json, LAYERS_NOT_HELD } from "./hf-families.ts";
import { Fields, isObject } from "./hf-fields.ts";
import { kvCacheInFp8, publishedDtype } from "./hf-quantization.ts";
import { type QuantizedParts, quantizedParts } from "./hf-quantized-parts.ts";
import { type LlmCounts, llmCounts, type LlmShape } from "./llm-counts.ts";

/** The facts of a catalogue entry in `llms/`; id, name and origin are the caller's. */
export interface ImportedLlm
  extends LlmCounts, QuantizedParts, Omit<LlmShape, "gatedAttention" | "windowedLayers" | "ungatedFfn"> {
  readonly maxContext: number;
  readonly slidingWindow: number | null;
  /** Format of the published weights. */
  readonly nativeDtype: string;
  /** What the counts leave out or simplify. */
  readonly notes: readonly string[];
  /** What an unknown architecture calls itself that was taken for another on the user's word; null where it is known. */
  readonly takenFor: string | null;
}

/** Objects in which the configurations of models with encoders keep their language model. */
const TEXT_PARTS = ["text_config", "llm_config", "language_config"] as const;
const ENCODERS = ["vision_config", "visual", "audio_config", "speech_config", "encoder_config"] as const;

/** More layers than any model has: beyond it a number is a slip, and lists of layers are not walked. */
const MOST_LAYERS = 10_000;
/** More weights than any model has; sizes that are each possible can come to it together. */
const MOST_PARAMS = 1e14;

/**
 * Facts of the language model that `config` describes; parts for images and speech are left out.
 * @param as family that the user says an unknown architecture is built like
 * @param quantFile what ModelOpt's hf_quant_config.json beside it holds; problems of it carry its name
 * @throws ConfigError that names an unknown architecture, or every field that is missing or has the wrong form.
 */
export function llmOfHfConfig(config: unknown, as?: string, quantFile?: unknown): ImportedLlm {
  if (!isObject(config)) throw new ConfigError([{ path: [], message: "expected the JSON object of a config.json" }]);
  const part = TEXT_PARTS.find((name) => isObject(config[name]));
  const { family, takenFor } = familyIn(config, part, as);
  const fields = new Fields(config, part, family);
  const notes: string[] = [];

  const layers = fields.count("num_hidden_layers", { most: MOST_LAYERS });
  const maxContext = fields.count("max_position_embeddings");
  const attention = attentionOf(fields, family);
  const kinds = layerKinds(fields, family, layers, maxContext, attention.linearAttention !== null, notes);
  const moe = moeOf(fields, family, layers);
  const expertFfn = moe === null ? [] : [moe.expertFfnSize];
  const denseFfn = fields.optional("intermediate_size_mlp") ?? fields.optional("intermediate_size") ?? expertFfn[0];
  const shape: LlmShape = {
    layers,
    ...kinds,
    hiddenSize: fields.count("hidden_size"),
    ...attention,
    ffnSize: denseFfn === undefined || denseFfn === 0 ? fields.count("intermediate_size") : denseFfn,
    ungatedFfn: family.ungatedFfn ?? false,
    vocabSize: fields.count("vocab_size"),
    tiedEmbeddings: fields.flag("tie_word_embeddings") ?? family.tiedEmbeddings ?? false,
    moe,
  };
  const nativeDtype = publishedDtype(fields, quantFile, moe !== null);
  const counts = llmCounts(shape);
  if (fields.problems.length === 0 && !(counts.params < MOST_PARAMS)) fields.problem(tooManyParams(counts.params));
  if (fields.problems.length > 0) throw new ConfigError(fields.problems);
  if (part !== undefined || ENCODERS.some((name) => fields.has(name)))
    notes.push("only the language model is counted, not its encoders of images or speech");
  if (fields.has("index_topk") || fields.has("blocksparse_block_size"))
    notes.push("attention to chosen tokens counts as attention to all, which overstates the time of long contexts");
  if (kvCacheInFp8(fields, quantFile))
    notes.push(
      "the checkpoint asks for a KV cache in FP8, which engines then use: set kvDtype to fp8 in the experiment",
    );
  if (takenFor !== null)
    notes.unshift(`the architecture (${takenFor}) is unknown, and was taken to be built like ${as} on the user's word`);

  const { gatedAttention: _, ungatedFfn: __, windowedLayers, ...facts } = shape;
  return {
    ...facts,
    maxContext,
    slidingWindow: windowedLayers > 0 ? fields.count("sliding_window") : null,
    nativeDtype,
    ...quantizedParts(fields, quantFile, nativeDtype, moe !== null),
    ...counts,
    notes,
    takenFor,
  };
}

function tooManyParams(params: number): Problem {
  return {
    path: ["hidden_size"],
    message: `these sizes come to ${params.toExponential(1)} weights, more than any model has`,
    hint: "look at the layers, the hidden and intermediate sizes, the experts and the vocabulary",
  };
}

/** The family of the language model's `model_type`, or of the whole's. */
function familyIn(config: Json, part: string | undefined, as: string | undefined): ReturnType<typeof familyOf> {
  const text = part === undefined ? config : (config[part] as Json);
  const types = [text["model_type"], config["model_type"]].filter((type) => type !== undefined && type !== null);
  const path = part !== undefined && text["model_type"] !== undefined ? [part, "model_type"] : ["model_type"];
  return familyOf([...new Set(types.map(String))], as, { ...config, ...text }, path);
}

type Attention = Pick<
  LlmShape,
  "attentionHeads" | "kvHeads" | "headDim" | "gatedAttention" | "mla" | "linearAttention"
>;

function attentionOf(fields: Fields, family: Family): Attention {
  const attentionHeads = fields.count("num_attention_heads");
  const mla = fields.has("kv_lora_rank")
    ? {
        qLoraRank: fields.optional("q_lora_rank") ?? null,
        kvLoraRank: fields.count("kv_lora_rank"),
        qkNopeHeadDim: fields.count("qk_nope_head_dim"),
        qkRopeHeadDim: fields.count("qk_rope_head_dim"),
        vHeadDim: fields.count("v_head_dim"),
      }
    : null;
  const linearAttention = fields.has("linear_num_value_heads")
    ? {
        keyHeads: fields.count("linear_num_key_heads"),
        valueHeads: fields.count("linear_num_value_heads"),
        keyHeadDim: fields.count("linear_key_head_dim"),
        valueHeadDim: fields.count("linear_value_head_dim"),
        convKernel: fields.count("linear_conv_kernel_dim"),
      }
    : null;
  const kvHeads = fields.optionalCount("num_key_value_heads") ?? attentionHeads;
  if (fields.sound("num_attention_heads", "num_key_value_heads") && attentionHeads % kvHeads !== 0)
    fields.problem({
      path: fields.path("num_key_value_heads"),
      message: `expected a divisor of num_attention_heads (${attentionHeads}), got ${kvHeads}`,
    });
  return {
    attentionHeads,
    kvHeads,
    headDim: fields.optionalCount("head_dim") ?? mla?.vHeadDim ?? evenHeadDim(fields, attentionHeads),
    gatedAttention: fields.flag("attn_output_gate") ?? family.gatedAttention ?? false,
    mla,
    linearAttention,
  };
}

/** Where the configuration does not give it: the heads share the hidden size. */
function evenHeadDim(fields: Fields, attentionHeads: number): number {
  const hiddenSize = fields.count("hidden_size");
  const headDim = Math.floor(hiddenSize / attentionHeads);
  if (fields.sound("hidden_size", "num_attention_heads") && headDim * attentionHeads !== hiddenSize)
    fields.problem({
      path: fields.path("hidden_size"),
      message: `${hiddenSize} is no multiple of num_attention_heads (${attentionHeads}), and head_dim is not given`,
    });
  return Math.max(1, headDim);
}

type LayerKind = (typeof ATTENTION_KINDS)[number];

/** How many layers attend to everything, how many to a window; the rest are linear. */
function layerKinds(
  fields: Fields,
  family: Family,
  layers: number,
  maxContext: number,
  linear: boolean,
  notes: string[],
): Pick<LlmShape, "fullAttentionLayers" | "windowedLayers"> {
  const window = fields.flag("use_sliding_window") === false ? undefined : fields.optional("sliding_window");
  const windowed = window !== undefined && window > 0 && window < maxContext;
  if (fields.has("attention_chunk_size"))
    notes.push("layers with chunked attention count as full attention, which overstates their KV cache");
  const listed = listedKinds(fields, family, layers);

  const count = (kind: LayerKind): number => {
    let found = 0;
    for (let layer = 0; layer < layers; layer++) {
      if ((listed === undefined ? kindByRule(fields, layer, windowed, linear) : listed[layer]) === kind) found++;
    }
    return found;
  };
  const windowedLayers = windowed ? count("sliding_attention") : 0;
  const linearLayers = linear ? count("linear_attention") : 0;
  if (windowedLayers === layers) {
    notes.push(
      "every layer has a window; they count as full attention, which overstates the KV cache of long contexts",
    );
    return { fullAttentionLayers: layers, windowedLayers: 0 };
  }
  return { fullAttentionLayers: layers - windowedLayers - linearLayers, windowedLayers };
}

const ATTENTION_KINDS = [
  "full_attention",
  "attention",
  "sliding_attention",
  "linear_attention",
  "chunked_attention",
] as const;

/** The kinds that `layer_types` lists; undefined where a rule says them. */
function listedKinds(fields: Fields, family: Family, layers: number): readonly unknown[] | undefined {
  const path = fields.path("layer_types");
  const listed = fields.list("layer_types");
  if (listed === undefined) {
    if (family.mustListLayers === true)
      fields.problem({ path, message: "is missing", hint: "without it some layers are state-space: not modelled" });
    return undefined;
  }
  if (listed.length !== layers) fields.problem({ path, message: `expected ${layers} entries, got ${listed.length}` });
  const other = listed.find((kind) => !ATTENTION_KINDS.includes(kind as LayerKind));
  if (other === undefined) return listed;
  const notHeld = Object.hasOwn(LAYERS_NOT_HELD, String(other)) ? LAYERS_NOT_HELD[String(other)] : undefined;
  const message = `unknown kind of layer ${JSON.stringify(other)}`;
  fields.problem({ path, message: notHeld === undefined ? message : `has ${notHeld}: not modelled` });
  return listed;
}

/**
 * Where the layers are not listed: every n-th has full attention, or a pattern of letters says which (G for all tokens, L for a
 * window), or (Qwen2) the first `max_window_layers`.
 */
function kindByRule(fields: Fields, layer: number, windowed: boolean, linear: boolean): LayerKind {
  if (linear)
    return (layer + 1) % (fields.optionalCount("full_attention_interval") ?? 4) === 0
      ? "full_attention"
      : "linear_attention";
  if (!windowed) return "full_attention";
  const letters = fields.letters("sliding_window_pattern");
  if (letters !== undefined) return letters[layer % letters.length] === "G" ? "full_attention" : "sliding_attention";
  const every = fields.optionalCount("sliding_window_pattern");
  const isFull = every !== undefined ? (layer + 1) % every === 0 : layer < (fields.optional("max_window_layers") ?? 0);
  return isFull ? "full_attention" : "sliding_attention";
}

function moeOf(fields: Fields, family: Family, layers: number): LlmShape["moe"] {
  const names = ["num_experts", "num_local_experts", "n_routed_experts"];
  const experts = names.map((name) => fields.optional(name) ?? 0).find((number) => number > 0);
  if (experts === undefined) return null;
  const expertFfnSize = fields.count("moe_intermediate_size", { also: ["intermediate_size"] });
  const firstDenseLayers = fields.optional("first_k_dense_replace") ?? 0;
  const every =
    fields.optional("decoder_sparse_step") ??
    fields.optional("interleave_moe_layer_step") ??
    fields.optional("moe_layer_freq") ??
    1;
  const denseOnly = new Set(fields.list("mlp_only_layers") ?? []);
  const last = fields.optional("moe_layer_end_index", { least: -1 }) ?? -1;
  if (last >= 0 && last < layers - 1)
    fields.problem({
      path: fields.path("moe_layer_end_index"),
      message: "dense layers after those with experts are not modelled",
    });
  let moeLayers = 0;
  for (let layer = firstDenseLayers; layer < layers; layer++) {
    if ((layer + 1) % Math.max(1, every) === 0 && !denseOnly.has(layer)) moeLayers++;
  }
  const sharedExpertFfnSize =
    fields.optional("shared_expert_intermediate_size") ??
    fields.optional("shared_intermediate_size") ??
    // Llama 4 has one shared expert in each of these layers and does not say so.
    (fields.has("interleave_moe_layer_step") ? 1 : (fields.optional("n_shared_experts") ?? 0)) * expertFfnSize;
  return {
    experts,
    expertsPerToken: expertsPerTokenOf(fields, experts),
    expertFfnSize,
    sharedExpertFfnSize,
    firstDenseLayers,
    moeLayers,
    ...(family.evenRouting === true ? { routingConcentration: 0 } : {}),
  };
}

function expertsPerTokenOf(fields: Fields, experts: number): number {
  const name = "num_experts_per_tok";
  const expertsPerToken = fields.count(name, { also: ["experts_per_token", "num_experts_per_token"] });
  if (expertsPerToken > experts)
    fields.problem({
      path: fields.path(name),
      message: `expected at most the number of experts (${experts}), got ${expertsPerToken}`,
    });
  return expertsPerToken;
}
