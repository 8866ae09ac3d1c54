/**
 * Architectures by the `model_type` of a Hugging Face `config.json`: those whose layers can be counted, with what each leaves out of its
 * configuration or calls by another name, and those that have layers which the engine's model does not hold. A `model_type` in neither
 * table is refused, because a count for a layer nobody looked at would be a guess; the user may say which family it is built like.
 */
import { ConfigError, type Problem } from "../kernel/errors.ts";
import { hintFor } from "./nearest.ts";

export type Json = Readonly<Record<string, unknown>>;

/** Where a family differs from a Llama. */
export interface Family {
  /** Values of fields that its configurations leave out. */
  readonly defaults?: Json;
  /** Its own names for usual fields; a dot leads into an object. */
  readonly names?: Readonly<Record<string, string>>;
  /** Usual fields that follow from others of its own. */
  readonly derived?: (own: Json) => Json;
  readonly tiedEmbeddings?: true;
  readonly gatedAttention?: true;
  /** The feed-forward part has no gate: up and down alone. */
  readonly ungatedFfn?: true;
  /**
   * Its router uses experts about alike: biased towards even load as that of DeepSeek-V3 (arXiv 2412.19437), or measured so (Mixtral,
   * arXiv 2401.04088, figure 7). Others count as `routingConcentration` of the catalogue does by default.
   */
  readonly evenRouting?: true;
  /** A configuration that does not list its layers has some that are not modelled. */
  readonly mustListLayers?: true;
}

const PLAIN: Family = {};
const GATED: Family = { gatedAttention: true };
const EVEN_ROUTING: Family = { evenRouting: true };
const UNGATED_FFN: Family = { ungatedFfn: true };
const GEMMA_3: Family = {
  tiedEmbeddings: true,
  defaults: {
    vocab_size: 262_208,
    max_position_embeddings: 131_072,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    head_dim: 256,
    sliding_window_pattern: 6,
  },
};

const FAMILIES: Readonly<Record<string, Family>> = {
  llama: PLAIN,
  mistral: PLAIN,
  ministral3: PLAIN,
  mixtral: EVEN_ROUTING,
  phi3: PLAIN,
  phi3small: { tiedEmbeddings: true, names: { intermediate_size: "ff_intermediate_size" } },
  phimoe: PLAIN,
  seed_oss: PLAIN,
  qwen2: PLAIN,
  qwen2_moe: PLAIN,
  qwen2_vl: PLAIN,
  qwen2_vl_text: PLAIN,
  qwen2_5_vl: PLAIN,
  qwen2_5_vl_text: PLAIN,
  qwen3: PLAIN,
  qwen3_moe: PLAIN,
  qwen3_vl: PLAIN,
  qwen3_vl_text: PLAIN,
  qwen3_vl_moe: PLAIN,
  qwen3_vl_moe_text: PLAIN,
  qwen3_next: GATED,
  qwen3_5: GATED,
  qwen3_5_text: GATED,
  qwen3_5_moe: GATED,
  qwen3_5_moe_text: GATED,
  gemma: { tiedEmbeddings: true },
  gemma2: { tiedEmbeddings: true, defaults: { sliding_window_pattern: 2 } },
  gemma3: GEMMA_3,
  gemma3_text: GEMMA_3,
  gpt_oss: { defaults: { sliding_window_pattern: 2 } },
  deepseek_v2: PLAIN,
  deepseek_v3: EVEN_ROUTING,
  deepseek_v32: EVEN_ROUTING,
  kimi_k2: EVEN_ROUTING,
  kimi_k25: EVEN_ROUTING,
  glm4: PLAIN,
  glm4_moe: EVEN_ROUTING,
  glm4_moe_lite: EVEN_ROUTING,
  glm_moe_dsa: EVEN_ROUTING,
  minimax_m2: EVEN_ROUTING,
  llama4: PLAIN,
  llama4_text: PLAIN,
  granite: PLAIN,
  granitemoe: PLAIN,
  granitemoehybrid: { names: { intermediate_size: "shared_intermediate_size" }, mustListLayers: true },
  olmo2: PLAIN,
  olmo3: PLAIN,
  olmoe: PLAIN,
  smollm3: { tiedEmbeddings: true },
  cohere: { tiedEmbeddings: true, derived: longestContext },
  cohere2: {
    tiedEmbeddings: true,
    defaults: { sliding_window: 4096, sliding_window_pattern: 4 },
    names: { sliding_window_pattern: "layer_switch" },
    derived: longestContext,
  },
  falcon: {
    tiedEmbeddings: true,
    ungatedFfn: true,
    defaults: { max_position_embeddings: 2048 },
    derived: falconShape,
  },
  stablelm: PLAIN,
  starcoder2: { tiedEmbeddings: true, ungatedFfn: true },
  internlm2: PLAIN,
  internlm3: PLAIN,
  exaone: { names: { num_hidden_layers: "num_layers" } },
  exaone4: PLAIN,
  nemotron: UNGATED_FFN,
  apertus: UNGATED_FFN,
  dots1: PLAIN,
  bailing_moe: { names: { n_shared_experts: "num_shared_experts" } },
  hunyuan_v1_dense: PLAIN,
  hunyuan_v1_moe: { names: { num_experts_per_tok: "moe_topk", n_shared_experts: "num_shared_expert" } },
  ernie4_5: { tiedEmbeddings: true },
  ernie4_5_moe: {
    tiedEmbeddings: true,
    names: {
      num_experts: "moe_num_experts",
      num_experts_per_tok: "moe_k",
      n_shared_experts: "moe_num_shared_experts",
      first_k_dense_replace: "moe_layer_start_index",
      moe_layer_freq: "moe_layer_interval",
    },
  },
  dbrx: {
    names: {
      num_hidden_layers: "n_layers",
      hidden_size: "d_model",
      num_attention_heads: "n_heads",
      max_position_embeddings: "max_seq_len",
      num_key_value_heads: "attn_config.kv_n_heads",
      num_experts: "ffn_config.moe_num_experts",
      num_experts_per_tok: "ffn_config.moe_top_k",
      moe_intermediate_size: "ffn_config.ffn_hidden_size",
    },
  },
};

/** Names that `--as` takes. */
const FAMILY_NAMES: readonly string[] = Object.keys(FAMILIES);

const STATE_SPACE = "state-space layers (Mamba)";
const CONVOLUTION = "layers of short convolutions";
const CROSS_ATTENTION = "layers that attend to an encoder's output (cross attention)";
const RECURRENT = "recurrent layers without attention";
const LIGHTNING = "linear attention of another kind than gated delta net";
const UNEVEN = "layers of different sizes";
const NO_DECODER = "an encoder alone, which writes no tokens";
const DIFFUSION = "generation by diffusion, not token after token";

/** What these have and the engine's model does not hold. */
const NOT_HELD: Readonly<Record<string, string>> = {
  mamba: STATE_SPACE,
  mamba2: STATE_SPACE,
  falcon_mamba: STATE_SPACE,
  falcon_h1: STATE_SPACE,
  jamba: STATE_SPACE,
  bamba: STATE_SPACE,
  zamba: STATE_SPACE,
  zamba2: STATE_SPACE,
  nemotron_h: STATE_SPACE,
  plamo2: STATE_SPACE,
  lfm2: CONVOLUTION,
  lfm2_moe: CONVOLUTION,
  rwkv: RECURRENT,
  rwkv7: RECURRENT,
  recurrent_gemma: RECURRENT,
  minimax: LIGHTNING,
  minimax_m1: LIGHTNING,
  minimax_text_01: LIGHTNING,
  bailing_moe_linear: LIGHTNING,
  kimi_linear: LIGHTNING,
  mllama: CROSS_ATTENTION,
  mllama_text_model: CROSS_ATTENTION,
  t5: CROSS_ATTENTION,
  mt5: CROSS_ATTENTION,
  umt5: CROSS_ATTENTION,
  bart: CROSS_ATTENTION,
  whisper: CROSS_ATTENTION,
  "nemotron-nas": UNEVEN,
  deci: UNEVEN,
  openelm: UNEVEN,
  gemma3n: "embeddings of their own in each layer and layers that share a KV cache",
  gemma3n_text: "embeddings of their own in each layer and layers that share a KV cache",
  longcat_flash: "two attention blocks in a layer and experts that compute nothing",
  bert: NO_DECODER,
  roberta: NO_DECODER,
  "xlm-roberta": NO_DECODER,
  modernbert: NO_DECODER,
  llada: DIFFUSION,
  dream: DIFFUSION,
};

/** Fields that give away such layers in an architecture that nobody looked at. */
const GIVES_AWAY: readonly (readonly [RegExp, string])[] = [
  [/^(mamba|ssm)_/, STATE_SPACE],
  [/^conv_L_cache$/, CONVOLUTION],
  [/^(cross_attention_layers|cross_attention_freq|encoder_layers)$/, CROSS_ATTENTION],
  [/^(lightning|wkv)_/i, LIGHTNING],
  [/^block_configs$/, UNEVEN],
];

/** Kinds of layer in `layer_types` that are not modelled, with what they are. */
export const LAYERS_NOT_HELD: Readonly<Record<string, string>> = {
  mamba: STATE_SPACE,
  mamba2: STATE_SPACE,
  conv: CONVOLUTION,
  recurrent: RECURRENT,
  cross_attention: CROSS_ATTENTION,
};

export interface FoundFamily {
  readonly family: Family;
  /** Null unless the family is the user's word: what the configuration calls itself. */
  readonly takenFor: string | null;
}

/**
 * The family of the first of `types` that is known.
 * @param at path of the `model_type` that is shown with a problem
 * @param fields of the configuration, read when the family is the user's word
 * @throws ConfigError that names what an architecture has and the engine's model does not hold, or the nearest known name
 */
export function familyOf(
  types: readonly string[],
  as: string | undefined,
  fields: Json,
  at: readonly string[],
): FoundFamily {
  const refuse = (message: string, hint: string): never => {
    throw new ConfigError([{ path: at, message, hint }]);
  };
  const notHeld = types.find((type) => Object.hasOwn(NOT_HELD, type));
  if (notHeld !== undefined)
    refuse(`"${notHeld}" has ${NOT_HELD[notHeld]}: not modelled`, "no other family stands for it, with --as neither");
  const known = types.find((type) => Object.hasOwn(FAMILIES, type));
  if (known !== undefined) {
    if (as !== undefined && as !== known)
      refuse(`"${known}" is known, and is not read as "${as}"`, "leave --as out: it is for architectures nobody knows");
    return { family: FAMILIES[known]!, takenFor: null };
  }
  const [type] = types;
  if (as !== undefined) {
    if (asProblem(as) === null) refuseForeign(fields, as, at.slice(0, -1));
    return { family: FAMILIES[as] ?? PLAIN, takenFor: type ?? "without a model_type" };
  }
  if (type === undefined) return refuse("is missing", `${WITH_AS}; ${BY_HAND}`);
  const meant = hintFor(type, FAMILY_NAMES);
  const near = meant === undefined ? "" : `${meant} `;
  return refuse(`unknown architecture "${type}"`, `${near}${WITH_AS}; ${BY_HAND}`);
}

const KNOWN = `known: ${FAMILY_NAMES.toSorted().join(", ")}`;
const WITH_AS = `if its layers are built like those of a family that is known, say so with --as (a Llama: --as llama; no gate in its feed-forward part: --as nemotron); ${KNOWN}`;
const BY_HAND =
  "otherwise write the entry by hand (layers, hiddenSize, heads, vocabSize, counts of weights and KV elements: see models/README.md)";

/** What is wrong with the family that the user named; null: nothing. */
export function asProblem(as: string): Problem | null {
  if (Object.hasOwn(FAMILIES, as)) return null;
  const notHeld = Object.hasOwn(NOT_HELD, as) ? `has ${NOT_HELD[as]}: not modelled` : "is no family that is known";
  return { path: ["--as"], message: `"${as}" ${notHeld}`, hint: hintFor(as, FAMILY_NAMES) ?? KNOWN };
}

/** On the user's word anything would be counted; fields that speak against it are looked for. */
function refuseForeign(fields: Json, as: string, at: readonly string[]): void {
  const problems: Problem[] = [];
  for (const [name, value] of Object.entries(fields)) {
    const what = GIVES_AWAY.find(([pattern]) => pattern.test(name))?.[1];
    if (what !== undefined && Boolean(value))
      problems.push({ path: [...at, name], message: `speaks of ${what}: not modelled` });
  }
  if (fields["is_encoder_decoder"] === true)
    problems.push({ path: [...at, "is_encoder_decoder"], message: `speaks of ${CROSS_ATTENTION}: not modelled` });
  if (problems.length > 0)
    throw new ConfigError(problems.map((problem) => ({ ...problem, hint: `so it is not built like "${as}"` })));
}

/** Cohere writes the context that it serves beside a shorter `max_position_embeddings`. */
function longestContext(own: Json): Json {
  const lengths = [own["max_position_embeddings"], own["model_max_length"]].filter(
    (value) => typeof value === "number",
  );
  return lengths.length === 2 ? { max_position_embeddings: Math.max(...lengths) } : {};
}

/** Falcon 7B has one KV head for all; later ones say how many. The feed-forward part is four times as wide unless a field says otherwise. */
function falconShape(own: Json): Json {
  const heads = own["num_attention_heads"];
  const kvHeads =
    own["new_decoder_architecture"] === true
      ? (own["num_kv_heads"] ?? heads)
      : own["multi_query"] === false
        ? heads
        : 1;
  const hiddenSize = own["hidden_size"];
  const ffnSize = own["ffn_hidden_size"] ?? (typeof hiddenSize === "number" ? 4 * hiddenSize : undefined);
  return {
    num_key_value_heads: kvHeads,
    ...(ffnSize === undefined ? {} : { intermediate_size: ffnSize }),
  };
}
