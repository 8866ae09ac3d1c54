/**
 * A model entry from the `config.json` that Hugging Face repositories carry. Families that are built alike are listed by their
 * `model_type`; one that is not listed is refused, because a count for a layer nobody looked at would be a guess.
 * Quantization is in `hf-quantization.ts`, counting in `llm-counts.ts`.
 */
import { ConfigError, type Problem } from "../kernel/errors.ts";
import { quantizedDtype } from "./hf-quantization.ts";
import { type LlmCounts, llmCounts, type LlmShape } from "./llm-counts.ts";
import { hintFor } from "./nearest.ts";

type Json = Readonly<Record<string, unknown>>;

/** What a family leaves out of its configuration, and where it differs from a Llama. */
interface Family {
  readonly defaults?: Json;
  readonly tiedEmbeddings?: true;
  readonly gatedAttention?: true;
}

const PLAIN: Family = {};
const GATED: Family = { gatedAttention: true };
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
  mixtral: PLAIN,
  phi3: PLAIN,
  seed_oss: PLAIN,
  qwen2: PLAIN,
  qwen2_moe: PLAIN,
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
  deepseek_v3: PLAIN,
  kimi_k2: PLAIN,
  kimi_k25: PLAIN,
  glm4_moe: PLAIN,
  glm_moe_dsa: PLAIN,
  minimax_m2: PLAIN,
  llama4: PLAIN,
  llama4_text: PLAIN,
};

/** The facts of a catalogue entry in `llms/`; id, name and origin are the caller's. */
export interface ImportedLlm extends LlmCounts, Omit<LlmShape, "gatedAttention" | "windowedLayers"> {
  readonly maxContext: number;
  readonly slidingWindow: number | null;
  /** Format of the published weights. */
  readonly nativeDtype: string;
  /** What the counts leave out or simplify. */
  readonly notes: readonly string[];
}

/**
 * Facts of the language model that `config` describes; parts for images and speech are left out.
 * @throws ConfigError that names an unknown architecture, or every field that is missing or has the wrong form.
 */
export function llmOfHfConfig(config: unknown): ImportedLlm {
  if (!isObject(config)) throw new ConfigError([{ path: [], message: "must be the JSON object of a config.json" }]);
  const text = isObject(config["text_config"]) ? config["text_config"] : config;
  const family = familyOf(config, text);
  const fields = new Fields({ ...config, ...family.defaults, ...text });
  const notes: string[] = [];

  const layers = fields.count("num_hidden_layers");
  const maxContext = fields.count("max_position_embeddings");
  const attention = attentionOf(fields, family);
  const kinds = layerKinds(fields, layers, maxContext, attention.linearAttention !== null, notes);
  const moe = moeOf(fields, layers);
  const expertFfn = moe === null ? [] : [moe.expertFfnSize];
  const denseFfn = fields.optional("intermediate_size_mlp") ?? fields.optional("intermediate_size") ?? expertFfn[0];
  const shape: LlmShape = {
    layers,
    ...kinds,
    hiddenSize: fields.count("hidden_size"),
    ...attention,
    ffnSize: denseFfn ?? fields.count("intermediate_size"),
    vocabSize: fields.count("vocab_size"),
    tiedEmbeddings: fields.flag("tie_word_embeddings") ?? family.tiedEmbeddings ?? false,
    moe,
  };
  const nativeDtype = quantizedDtype(config["quantization_config"] ?? text["quantization_config"], fields.problems);
  if (fields.problems.length > 0) throw new ConfigError(fields.problems);
  if (config !== text) notes.push("only the language model is counted, not its encoders of images or speech");

  const { gatedAttention: _, windowedLayers, ...facts } = shape;
  return {
    ...facts,
    maxContext,
    slidingWindow: windowedLayers > 0 ? fields.count("sliding_window") : null,
    nativeDtype,
    ...llmCounts(shape),
    notes,
  };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function familyOf(config: Json, text: Json): Family {
  const types = [text["model_type"], config["model_type"]].filter((type) => typeof type === "string");
  for (const type of types) {
    if (Object.hasOwn(FAMILIES, type)) return FAMILIES[type]!;
  }
  const known = Object.keys(FAMILIES);
  const [type] = types;
  const message = type === undefined ? "is missing" : `unknown architecture "${type}"`;
  const near = type === undefined ? undefined : hintFor(type, known);
  const fields = "layers, hiddenSize, heads, vocabSize, counts of weights and KV elements: see models/README.md";
  const hint = `${near === undefined ? "" : `${near} `}known: ${known.join(", ")}; of another one write the entry by hand (${fields})`;
  throw new ConfigError([{ path: ["model_type"], message, hint }]);
}

/** Reads fields, and collects what is missing or of the wrong form. */
class Fields {
  readonly problems: Problem[] = [];
  private readonly json: Json;
  constructor(json: Json) {
    this.json = json;
  }

  /** Fields that several sizes follow from are read more than once. */
  problem(problem: Problem): void {
    const known = this.problems.some(({ path, message }) => path[0] === problem.path[0] && message === problem.message);
    if (!known) this.problems.push(problem);
  }

  has(name: string): boolean {
    return this.json[name] !== undefined && this.json[name] !== null;
  }

  /** A whole number from 0, or undefined where the field is absent or null. */
  optional(name: string): number | undefined {
    if (!this.has(name)) return undefined;
    const value = this.json[name];
    if (typeof value === "number" && Number.isInteger(value) && value >= 0) return value;
    this.problem({ path: [name], message: `must be a whole number from 0, is ${JSON.stringify(value)}` });
    return undefined;
  }

  /** The first of `names` that is there, at least 1; its absence is a problem, and 1 is returned. */
  count(...names: readonly string[]): number {
    const name = names.find((candidate) => this.has(candidate));
    if (name === undefined) {
      const also = names.length > 1 ? { hint: `it may also be called ${names.slice(1).join(" or ")}` } : {};
      this.problem({ path: [names[0]!], message: "is missing", ...also });
      return 1;
    }
    const value = this.optional(name);
    if (value === 0) this.problem({ path: [name], message: "must be at least 1, is 0" });
    return value === undefined || value === 0 ? 1 : value;
  }

  flag(name: string): boolean | undefined {
    const value = this.json[name];
    return typeof value === "boolean" ? value : undefined;
  }

  list(name: string): readonly unknown[] | undefined {
    const value = this.json[name];
    return Array.isArray(value) ? (value as readonly unknown[]) : undefined;
  }
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
  return {
    attentionHeads,
    kvHeads: fields.optional("num_key_value_heads") ?? attentionHeads,
    headDim: fields.optional("head_dim") ?? mla?.vHeadDim ?? Math.floor(fields.count("hidden_size") / attentionHeads),
    gatedAttention: fields.flag("attn_output_gate") ?? family.gatedAttention ?? false,
    mla,
    linearAttention,
  };
}

type LayerKind = "full_attention" | "sliding_attention" | "linear_attention";

/** How many layers attend to everything, how many to a window; the rest are linear. */
function layerKinds(
  fields: Fields,
  layers: number,
  maxContext: number,
  linear: boolean,
  notes: string[],
): Pick<LlmShape, "fullAttentionLayers" | "windowedLayers"> {
  const window = fields.flag("use_sliding_window") === false ? undefined : fields.optional("sliding_window");
  const windowed = window !== undefined && window > 0 && window < maxContext;
  if (fields.has("attention_chunk_size"))
    notes.push("layers with chunked attention count as full attention, which overstates their KV cache");
  const listed = fields.list("layer_types");
  if (listed !== undefined && listed.length !== layers)
    fields.problem({ path: ["layer_types"], message: `must have ${layers} entries, has ${listed.length}` });

  const count = (kind: LayerKind): number => {
    let found = 0;
    for (let layer = 0; layer < layers; layer++) {
      if ((listed === undefined ? kindByRule(fields, layer, windowed, linear) : listed[layer]) === kind) found++;
    }
    return found;
  };
  const known = ["full_attention", "sliding_attention", "linear_attention", "chunked_attention"];
  const other = listed?.find((kind) => !known.includes(String(kind)));
  if (other !== undefined)
    fields.problem({ path: ["layer_types"], message: `unknown kind of layer ${JSON.stringify(other)}` });
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

/** Where the layers are not listed: every n-th has full attention, or (Qwen2) the first `max_window_layers`. */
function kindByRule(fields: Fields, layer: number, windowed: boolean, linear: boolean): LayerKind {
  if (linear)
    return (layer + 1) % (fields.optional("full_attention_interval") ?? 4) === 0
      ? "full_attention"
      : "linear_attention";
  if (!windowed) return "full_attention";
  const every = fields.optional("sliding_window_pattern");
  const isFull = every !== undefined ? (layer + 1) % every === 0 : layer < (fields.optional("max_window_layers") ?? 0);
  return isFull ? "full_attention" : "sliding_attention";
}

function moeOf(fields: Fields, layers: number): LlmShape["moe"] {
  const names = ["num_experts", "num_local_experts", "n_routed_experts"];
  const experts = names.map((name) => fields.optional(name) ?? 0).find((number) => number > 0);
  if (experts === undefined) return null;
  const expertFfnSize = fields.count("moe_intermediate_size", "intermediate_size");
  const firstDenseLayers = fields.optional("first_k_dense_replace") ?? 0;
  const every =
    fields.optional("decoder_sparse_step") ??
    fields.optional("interleave_moe_layer_step") ??
    fields.optional("moe_layer_freq") ??
    1;
  const denseOnly = new Set(fields.list("mlp_only_layers") ?? []);
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
    expertsPerToken: fields.count("num_experts_per_tok", "experts_per_token", "num_experts_per_token"),
    expertFfnSize,
    sharedExpertFfnSize,
    firstDenseLayers,
    moeLayers,
  };
}
