/**
 * Models read from the `config.json` of their repositories. Counts are compared with the shipped catalogue, whose figures were counted
 * elsewhere, and with published totals.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { llmOfHfConfig } from "../../src/catalog/hf-config.ts";
import { weightBytes } from "../../src/engine/model-bytes.ts";
import type { LlmSpec } from "../../src/engine/spec.ts";
import { resolveExperiment } from "../../src/experiment/resolve.ts";
import { llmSpec } from "../../src/experiment/resolve-pool.ts";
import { ConfigError, type Problem } from "../../src/kernel/errors.ts";
import { importLlmCommand } from "../../src/node/commands/import-llm.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { LocatedConfigError } from "../../src/node/yaml-source.ts";
import { catalog, smallExperiment, withValue } from "../fixtures/experiment.ts";

type Config = Record<string, unknown>;

const CONFIGS = JSON.parse(readFileSync(new URL("../fixtures/hf-configs.json", import.meta.url), "utf8")) as Readonly<
  Record<string, Config>
>;

/**
 * Totals as published, with source and date. Configurations say where they are from; a recalled one is checked by its total where that
 * is exact, since no other sizes come to it, but its KV heads are not where the total is rounded.
 */
interface PublishedModel {
  readonly id: string;
  readonly params: number;
  readonly kvElementsPerToken: number;
  readonly kvElementsPerTokenSliding: number;
  /** Weights that a token goes through, the input embedding among them. */
  readonly activeWithEmbedding?: number;
  readonly leavesOutEncoders?: boolean;
  readonly config: Config;
}

const PUBLISHED = JSON.parse(
  readFileSync(new URL("../fixtures/hf-published-counts.json", import.meta.url), "utf8"),
) as readonly PublishedModel[];

const SHIPPED = [
  "llama-3.1-8b",
  "qwen2.5-7b",
  "qwen3-30b-a3b",
  "deepseek-v3-r1",
  "gpt-oss-20b",
  "gemma-3-27b",
  "mixtral-8x7b",
  "qwen3.5-397b-a17b",
  "llama-4-maverick-17b-128e",
  "glm-5",
  "phi-4-14b",
];

function problemsOf(config: unknown, as?: string): readonly Problem[] {
  try {
    llmOfHfConfig(config, as);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("counts", () => {
  test.each(SHIPPED)("%s is what the catalogue has", (id) => {
    const { notes: _, nativeDtype: __, ffnSize: ___, takenFor: ____, ...facts } = llmOfHfConfig(CONFIGS[id]);
    expect(catalog.llms.get(id)).toMatchObject(facts);
  });

  test("experts are used as evenly as in the catalogue, whose default stands where the family says nothing", () => {
    for (const id of SHIPPED.filter((one) => catalog.llms.get(one)!.moe !== null)) {
      const { moe } = llmOfHfConfig(CONFIGS[id]);
      expect([id, moe!.routingConcentration ?? 4.4]).toEqual([id, catalog.llms.get(id)!.moe!.routingConcentration]);
    }
  });

  test.each(PUBLISHED)("$id is within 1 % of what was published, and keeps the KV heads of its layers", (model) => {
    const llm = llmOfHfConfig(model.config);
    expect(Math.abs(llm.params / model.params - 1)).toBeLessThan(0.01);
    expect(llm).toMatchObject({
      kvElementsPerToken: model.kvElementsPerToken,
      kvElementsPerTokenSliding: model.kvElementsPerTokenSliding,
    });
    expect(llm.notes.some((note) => note.includes("encoders"))).toBe(model.leavesOutEncoders ?? false);
    if (model.activeWithEmbedding !== undefined) {
      const active = llm.activeParams + (llm.tiedEmbeddings ? 0 : llm.embeddingParams);
      expect(Math.abs(active / model.activeWithEmbedding - 1)).toBeLessThan(0.01);
    }
  });

  test("Falcon 7B has one KV head for all 71; the older decoder without multi_query has one each", () => {
    const falcon = { model_type: "falcon", hidden_size: 4544, num_hidden_layers: 32, num_attention_heads: 71 };
    const kvHeads = (change: Config): number =>
      llmOfHfConfig({ ...falcon, vocab_size: 65_024, num_kv_heads: 8, ...change }).kvHeads;
    expect(kvHeads({ multi_query: true })).toBe(1);
    expect(kvHeads({})).toBe(1);
    expect(kvHeads({ multi_query: false })).toBe(71);
    expect(kvHeads({ new_decoder_architecture: true, num_attention_heads: 64 })).toBe(8);
  });

  test("the context is the longer one where Cohere gives two", () => {
    const commandR = PUBLISHED.find(({ id }) => id === "c4ai-command-r-v01")!.config;
    expect(llmOfHfConfig(commandR).maxContext).toBe(131_072);
  });

  test("tied embeddings count once: Llama-3.2-1B has 1,235,814,400 weights, of which 33 norms of 2,048 are not counted", () => {
    const llm = llmOfHfConfig(CONFIGS["llama-3.2-1b"]);
    expect(llm.tiedEmbeddings).toBe(true);
    expect(llm.params).toBe(1_235_814_400 - 33 * 2048);
    const untied = llmOfHfConfig({ ...CONFIGS["llama-3.2-1b"], tie_word_embeddings: false });
    expect(untied.params - llm.params).toBe(128_256 * 2048);
  });

  test("Qwen3-Next is a hybrid: 12 of 48 layers keep every token, about 80 billion weights", () => {
    const llm = llmOfHfConfig(CONFIGS["qwen3-next-80b-a3b"]);
    expect([llm.fullAttentionLayers, llm.kvElementsPerToken]).toEqual([12, 2 * 12 * 2 * 256]);
    expect(Math.abs(llm.params / 80e9 - 1)).toBeLessThan(0.01);
    expect(llm.linearAttention).toEqual({
      keyHeads: 16,
      valueHeads: 32,
      keyHeadDim: 128,
      valueHeadDim: 128,
      convKernel: 4,
    });
  });

  test("windows: as listed, by pattern, in the last layers, in all of them, or switched off", () => {
    const kinds = (change: Config): [number, number | null] => {
      const llm = llmOfHfConfig({ ...CONFIGS["qwen2.5-7b"], ...change });
      return [llm.fullAttentionLayers, llm.slidingWindow];
    };
    expect(kinds({})).toEqual([28, null]);
    expect(kinds({ sliding_window: 4096, use_sliding_window: true, max_window_layers: 20 })).toEqual([20, 4096]);
    expect(kinds({ sliding_window: 4096, use_sliding_window: true, max_window_layers: 0 })).toEqual([28, null]);
    expect(kinds({ sliding_window: 65_536, use_sliding_window: true, max_window_layers: 20 })).toEqual([28, null]);
    const { layer_types: _, ...unlisted } = CONFIGS["gpt-oss-20b"]!;
    expect(llmOfHfConfig(unlisted)).toMatchObject({ fullAttentionLayers: 12, slidingWindow: 128 });
  });
});

describe("formats of published weights", () => {
  const dtypeOf = (id: string, quantization_config?: unknown): string =>
    llmOfHfConfig(quantization_config === undefined ? CONFIGS[id] : { ...CONFIGS[id], quantization_config })
      .nativeDtype;

  test.each([
    ["llama-3.1-8b", "bf16"],
    ["llama-3.1-8b-fp8", "fp8"],
    ["deepseek-v3-r1", "fp8-block"],
    ["qwen2.5-7b-awq", "int4"],
    ["qwen2.5-7b-gptq", "int4"],
    ["gpt-oss-20b", "mxfp4"],
  ])("%s: %s", (id, expected) => {
    expect(dtypeOf(id)).toBe(expected);
  });

  test("ModelOpt and compressed-tensors name theirs in other words", () => {
    expect(dtypeOf("llama-3.1-8b", { quant_method: "modelopt", quant_algo: "NVFP4" })).toBe("nvfp4");
    expect(dtypeOf("llama-3.1-8b", { quant_method: "modelopt", quant_algo: "FP8" })).toBe("fp8");
    const int4 = { config_groups: { group_0: { weights: { num_bits: 4, type: "int" } } } };
    expect(dtypeOf("llama-3.1-8b", { quant_method: "compressed-tensors", ...int4 })).toBe("int4");
    expect(dtypeOf("llama-3.1-8b", { quant_method: "compressed-tensors", format: "nvfp4-pack-quantized" })).toBe(
      "nvfp4",
    );
  });

  const group = (weights: unknown): unknown => ({
    quant_method: "compressed-tensors",
    config_groups: { group_0: { weights } },
  });

  test.each([
    ["fp8", { quant_method: "fp8" }],
    ["fp8", { quant_method: "fp8", activation_scheme: "static", weight_block_size: null }],
    ["fp8-block", { quant_method: "fp8", weight_block_size: [128, 128] }],
    ["fp8-block", { quant_method: "modelopt", quant_algo: "FP8_PB_WO" }],
    ["int4", { quant_method: "auto-round", bits: 4 }],
    ["int4", { quant_method: "gptq", bits: 4, desc_act: true }],
    ["int4", group({ num_bits: 4, type: "int", strategy: "group" })],
    ["int8", { quant_method: "gptq", bits: 8 }],
    ["int8", { quant_method: "auto-round", bits: 8 }],
    ["int8", group({ num_bits: 8, type: "int", strategy: "channel" })],
    ["int8", { quant_method: "modelopt", quant_algo: "W8A16" }],
    ["int8", { quant_method: "quark", global_quant_config: { weight: { dtype: "int8" } } }],
    ["int8", { quant_method: "torchao", quant_type: { default: { _type: "Int8WeightOnlyConfig" } } }],
    ["fp8", group({ num_bits: 8, type: "float", strategy: "channel" })],
    ["fp8-block", group({ num_bits: 8, type: "float", strategy: "block" })],
    ["nvfp4", group({ num_bits: 4, type: "float", strategy: "tensor_group", group_size: 16 })],
    ["mxfp4", group({ num_bits: 4, type: "float", strategy: "group", group_size: 32 })],
    ["mxfp4", { quant_method: "quark", global_quant_config: { weight: { dtype: "fp4", group_size: 32 } } }],
    ["int4", { quant_method: "gptqmodel", bits: 4 }],
    ["mxfp4", { quant_method: "auto-round", bits: 4, data_type: "mx_fp", group_size: 32 }],
    ["nvfp4", { quant_method: "auto-round", bits: 4, data_type: "nv_fp4_with_static_gs", group_size: 16 }],
    ["nvfp4", { quant_method: "fp_quant", forward_dtype: "nvfp4" }],
    [
      "fp8",
      { quant_method: "torchao", quant_type: { default: { _type: "Float8DynamicActivationFloat8WeightConfig" } } },
    ],
    ["int4", { quant_method: "torchao", quant_type: { default: { _type: "Int4WeightOnlyConfig", _version: 1 } } }],
    ["fp8", { quant_method: "quark", global_quant_config: { weight: { dtype: "fp8_e4m3" } } }],
  ])("%s from %j", (expected, quantization) => {
    expect(dtypeOf("llama-3.1-8b", quantization)).toBe(expected);
  });

  const withActivations = (weights: unknown): unknown => ({
    quant_method: "compressed-tensors",
    config_groups: { group_0: { weights, input_activations: { num_bits: 8 } } },
  });

  const two = (first: unknown, second: unknown): unknown => ({
    quant_method: "compressed-tensors",
    config_groups: { group_0: { weights: first }, group_1: { weights: second } },
  });

  test.each([
    [/^3-bit weights \(gptq\)/, /^known: bf16/, "bits", { quant_method: "gptq", bits: 3 }],
    [/^awq without bits/, /^known: bf16/, undefined, { quant_method: "awq" }],
    [
      /^4-bit weights of bitsandbytes/,
      /^nearest: int4 /,
      undefined,
      { quant_method: "bitsandbytes", load_in_4bit: true },
    ],
    [
      /^8-bit weights of bitsandbytes/,
      /^nearest: int8 /,
      undefined,
      { quant_method: "bitsandbytes", load_in_8bit: true },
    ],
    [
      /^8-bit integer weights beside quantized activations/,
      /^nearest: int8 \(weights alone/,
      undefined,
      withActivations({ num_bits: 8, type: "int" }),
    ],
    [
      /^4-bit integer weights beside quantized activations/,
      /^nearest: int4 \(weights alone/,
      undefined,
      withActivations({ num_bits: 4, type: "int" }),
    ],
    [
      /^8-bit integer weights beside/,
      /^nearest: int8 /,
      undefined,
      { quant_method: "auto-round", bits: 8, act_bits: 8 },
    ],
    [
      /^8-bit integer weights beside/,
      /^nearest: int8 /,
      undefined,
      { quant_method: "quark", global_quant_config: { weight: { dtype: "int8" }, input_tensors: { dtype: "int8" } } },
    ],
    [/INT8_SQ/, /^nearest: int8 /, "quant_algo", { quant_method: "modelopt", quant_algo: "INT8_SQ" }],
    [
      /^8-bit weights with a scale per group/,
      /^nearest: fp8-block\./,
      undefined,
      group({ num_bits: 8, type: "float", strategy: "group" }),
    ],
    [
      /^mixes fp8 and int4/,
      /^known: bf16/,
      undefined,
      two({ num_bits: 8, type: "float" }, { num_bits: 4, type: "int" }),
    ],
    [
      /^sparse weights \(marlin-24\)/,
      /^known: bf16/,
      "format",
      { quant_method: "compressed-tensors", format: "marlin-24" },
    ],
    [
      /^weights of ModelOpt's W4A8_AWQ/,
      /^nearest: int4 /,
      "quant_algo",
      { quant_method: "modelopt", quant_algo: "W4A8_AWQ" },
    ],
    [
      /^8-bit integer weights beside/,
      /^nearest: int8 /,
      undefined,
      {
        quant_method: "torchao",
        quant_type: { default: { _type: "Int8DynamicActivationInt8WeightConfig" } },
      },
    ],
    [
      /^weights of auto-round in mx_fp/,
      /^known: bf16/,
      "data_type",
      { quant_method: "auto-round", bits: 8, data_type: "mx_fp" },
    ],
    [/^weights of hqq/, /^known: bf16/, undefined, { quant_method: "hqq" }],
    [/^names no quant_method/, /^known: bf16/, undefined, {}],
  ])("%s is refused: %s", (message, hint, field, quantization_config) => {
    const path = ["quantization_config", ...(field === undefined ? [] : [field])];
    expect(problemsOf({ ...CONFIGS["llama-3.1-8b"], quantization_config })).toEqual([
      { path, message: expect.stringMatching(message) as string, hint: expect.stringMatching(hint) as string },
    ]);
  });
});

describe("experts of one format beside attention of another", () => {
  const moe = CONFIGS["qwen3-30b-a3b"]!;
  const layers = (attention: string, experts: string): Config => ({
    quant_method: "modelopt",
    quant_algo: "MIXED_PRECISION",
    quantized_layers: {
      "model.layers.0.self_attn.q_proj": { quant_algo: attention },
      "model.layers.0.mlp.experts": { quant_algo: experts, group_size: 16 },
    },
  });
  const groups = {
    quant_method: "compressed-tensors",
    config_groups: {
      group_0: { weights: { num_bits: 8, type: "float" }, targets: ["re:.*self_attn.*", "re:.*shared_experts.*"] },
      group_1: { weights: { num_bits: 4, type: "int", strategy: "group" }, targets: ["re:.*mlp.experts.*"] },
    },
  };

  test("in FP8 is what nvfp4 and int4 stand for", () => {
    for (const [quantization_config, dtype] of [
      [layers("FP8", "NVFP4"), "nvfp4"],
      [groups, "int4"],
    ])
      expect(llmOfHfConfig({ ...moe, quantization_config }).nativeDtype).toBe(dtype);
  });

  test("is refused in any other pair, and in a model without experts", () => {
    const mixes = (found: readonly Problem[]): void => {
      expect(found).toMatchObject([{ path: ["quantization_config"], message: /^mixes / }]);
    };
    mixes(problemsOf({ ...moe, quantization_config: layers("NVFP4", "FP8") }));
    mixes(problemsOf({ ...moe, quantization_config: layers("W4A16_AWQ", "NVFP4") }));
    mixes(problemsOf({ ...CONFIGS["llama-3.1-8b"], quantization_config: layers("FP8", "NVFP4") }));
  });
});

describe("what a quantized checkpoint leaves in BF16, and its groups", () => {
  const parts = (model: string, quantization_config: Config, file?: Config): unknown => {
    const { weightGroupSize, bf16BesideExperts } = llmOfHfConfig(
      { ...CONFIGS[model]!, quantization_config },
      undefined,
      file,
    );
    return [weightGroupSize, bf16BesideExperts];
  };
  const packed = (change: Config = {}, weights: Config = {}): Config => ({
    quant_method: "compressed-tensors",
    config_groups: {
      group_0: { weights: { num_bits: 4, type: "int", strategy: "group", group_size: 32, ...weights } },
    },
    ignore: ["lm_head", "re:.*self_attn.*", "re:.*shared_experts.*"],
    ...change,
  });

  test.each<[string, string, Config, unknown]>([
    ["small groups, experts alone", "deepseek-v3-r1", packed(), [32, true]],
    ["the usual groups", "deepseek-v3-r1", packed({}, { group_size: 128 }), [undefined, true]],
    ["the head alone is left", "deepseek-v3-r1", packed({ ignore: ["lm_head"] }), [32, undefined]],
    ["no experts", "llama-3.1-8b", packed(), [32, undefined]],
    ["GPTQ", "llama-3.1-8b", { quant_method: "gptq", bits: 4, group_size: 64 }, [64, undefined]],
    ["a scale for each row", "llama-3.1-8b", { quant_method: "gptq", bits: 8, group_size: -1 }, [undefined, undefined]],
    [
      "FP8 has no groups of integers",
      "deepseek-v3-r1",
      { quant_method: "fp8", ignore: ["attn"] },
      [undefined, undefined],
    ],
  ])("%s", (_, model, quantization, expected) => {
    expect(parts(model, quantization)).toEqual(expected);
  });

  test("ModelOpt says it in its file", () => {
    const quantization = { quant_algo: "NVFP4", group_size: 16, exclude_modules: ["lm_head", "*self_attn*"] };
    const config: Config = { ...CONFIGS["deepseek-v3-r1"]! };
    delete config["quantization_config"];
    expect(llmOfHfConfig(config, undefined, { quantization })).toMatchObject({ bf16BesideExperts: true });
  });

  test("Kimi K2 Thinking takes the 594 GB of its repository", () => {
    const kimi = llmSpec(catalog.llms.get("kimi-k2-k2.5")!);
    const gb = (llm: LlmSpec): number => {
      const { dense, experts } = weightBytes(llm, "int4");
      return (dense + experts) / 1e9;
    };
    expect(gb({ ...kimi, weightGroupSize: 32, bf16BesideExperts: true })).toBeCloseTo(594, 0);
    expect(gb(kimi)).toBeCloseTo(552, 0);
    const fp8 = { ...kimi, weightGroupSize: 32, bf16BesideExperts: true };
    expect(weightBytes(fp8, "fp8")).toEqual(weightBytes(kimi, "fp8"));
  });
});

describe("ModelOpt's hf_quant_config.json", () => {
  const llama = CONFIGS["llama-3.1-8b"]!;
  const quantFile = (quantization: Config): Config => ({ producer: { name: "modelopt" }, quantization });
  const NVFP4 = quantFile({ quant_algo: "NVFP4", kv_cache_quant_algo: null, group_size: 16 });

  test("says the format, and whether keys and values are in FP8", () => {
    expect(llmOfHfConfig(llama, undefined, NVFP4)).toMatchObject({ nativeDtype: "nvfp4", notes: [] });
    const fp8 = quantFile({ quant_algo: "FP8", kv_cache_quant_algo: "FP8" });
    expect(llmOfHfConfig(llama, undefined, fp8)).toMatchObject({ nativeDtype: "fp8", notes: [/set kvDtype to fp8/] });
    const keysAlone = quantFile({ quant_algo: null, kv_cache_quant_algo: "FP8" });
    expect(llmOfHfConfig(llama, undefined, keysAlone)).toMatchObject({ nativeDtype: "bf16", notes: [/kvDtype/] });
    const scheme = { quant_method: "fp8", kv_cache_scheme: { num_bits: 8, type: "float" } };
    expect(llmOfHfConfig({ ...llama, quantization_config: scheme }).notes).toMatchObject([/kvDtype/]);
  });

  test("that agrees with the configuration is no conflict; one that does not is told", () => {
    const given = (quant_algo: string): Config => ({
      ...llama,
      quantization_config: { quant_method: "modelopt", quant_algo },
    });
    expect(llmOfHfConfig(given("NVFP4"), undefined, NVFP4).nativeDtype).toBe("nvfp4");
    expect(() => llmOfHfConfig(given("FP8"), undefined, NVFP4)).toThrow(
      "hf_quant_config.json: quantization.quant_algo: says nvfp4 where the quantization_config of the config.json says fp8",
    );
  });

  test("of no format we have, or of another form, is refused with its name", () => {
    expect(() => llmOfHfConfig(llama, undefined, quantFile({ quant_algo: "W8A8_SQ_PER_CHANNEL" }))).toThrow(
      "hf_quant_config.json: quantization.quant_algo: weights of ModelOpt's W8A8_SQ_PER_CHANNEL are not modelled",
    );
    expect(() => llmOfHfConfig(llama, undefined, [])).toThrow(
      "hf_quant_config.json: quantization: expected an object that says what was quantized",
    );
  });
});

describe("what is refused", () => {
  const llama = CONFIGS["llama-3.1-8b"]!;

  test("an unknown architecture, with the nearest known one", () => {
    const [problem] = problemsOf({ ...llama, model_type: "lama" });
    expect(problem).toMatchObject({ path: ["model_type"], message: 'unknown architecture "lama"' });
    expect(problem!.hint).toMatch(/^did you mean "llama"\?.* --as llama.* write the entry by hand/);
    expect(problemsOf({ hidden_size: 5 })).toMatchObject([{ path: ["model_type"], message: "is missing" }]);
    expect(problemsOf("text")).toMatchObject([{ message: "expected the JSON object of a config.json" }]);
  });

  test("every missing field is named at once", () => {
    const paths = problemsOf({ model_type: "llama", num_hidden_layers: 4 }).map(
      ({ path, message }) => `${path.join(".")} ${message}`,
    );
    for (const field of [
      "hidden_size",
      "num_attention_heads",
      "intermediate_size",
      "vocab_size",
      "max_position_embeddings",
    ])
      expect(paths).toContain(`${field} is missing`);
    const { num_experts_per_tok: _, ...mixtral } = CONFIGS["mixtral-8x7b"]!;
    expect(problemsOf(mixtral)).toMatchObject([
      { path: ["num_experts_per_tok"], message: "is missing", hint: /experts_per_token/ },
    ]);
  });

  test("values of the wrong form, layers of an unknown kind, formats nobody modelled", () => {
    expect(problemsOf({ ...llama, hidden_size: "4096" })).toMatchObject([
      { message: 'expected a whole number from 0, got "4096"' },
    ]);
    expect(problemsOf({ ...llama, vocab_size: 0 })).toMatchObject([{ message: "expected at least 1, got 0" }]);
    const layer_types = Array.from({ length: 32 }, () => "mamba");
    expect(problemsOf({ ...llama, layer_types })).toMatchObject([{ message: /^has state-space layers/ }]);
    expect(problemsOf({ ...llama, layer_types: Array.from(layer_types, () => "odd") })).toMatchObject([
      { message: 'unknown kind of layer "odd"' },
    ]);
    expect(problemsOf({ ...llama, layer_types: "all" })).toMatchObject([{ message: 'expected a list, got "all"' }]);
    expect(problemsOf({ ...llama, tie_word_embeddings: "no" })).toMatchObject([
      { message: 'expected true or false, got "no"' },
    ]);
    expect(problemsOf({ ...llama, layer_types: ["full_attention"] })).toMatchObject([
      { message: "expected 32 entries, got 1" },
    ]);
    expect(problemsOf({ ...llama, quantization_config: "awq" })).toMatchObject([
      { path: ["quantization_config"], message: 'expected an object, got "awq"' },
    ]);
  });

  test("sizes that do not go together, or that no model has", () => {
    const messages = (change: Config, of = llama): readonly string[] =>
      problemsOf({ ...of, ...change }).map(({ path, message }) => `${path.join(".")} ${message}`);
    expect(messages({ num_hidden_layers: 0 })).toEqual(["num_hidden_layers expected at least 1, got 0"]);
    expect(messages({ num_hidden_layers: 1e9 })).toEqual(["num_hidden_layers expected at most 10000, got 1000000000"]);
    expect(messages({ hidden_size: 4096e5 })).toEqual([
      "hidden_size these sizes come to 1.3e+19 weights, more than any model has",
    ]);
    expect(messages({ num_key_value_heads: 7 })).toEqual([
      "num_key_value_heads expected a divisor of num_attention_heads (32), got 7",
    ]);
    expect(messages({ num_key_value_heads: 0 })).toEqual(["num_key_value_heads expected at least 1, got 0"]);
    expect(messages({ head_dim: 0 })).toEqual(["head_dim expected at least 1, got 0"]);
    expect(messages({ num_attention_heads: 30, num_key_value_heads: 10 })).toEqual([
      "hidden_size 4096 is no multiple of num_attention_heads (30), and head_dim is not given",
    ]);
    expect(messages({ num_experts_per_tok: 9 }, CONFIGS["mixtral-8x7b"])).toEqual([
      "num_experts_per_tok expected at most the number of experts (8), got 9",
    ]);
  });

  test("fields stand where the family has them: in the part for text, in an object, under another name", () => {
    const pathsOf = (id: string, change: (config: Config) => Config): readonly string[] =>
      problemsOf(change(structuredClone(PUBLISHED.find((model) => model.id === id)!.config))).map(({ path }) =>
        path.join("."),
      );
    const inText =
      (fields: Config) =>
      (config: Config): Config => ({ ...config, text_config: { ...(config["text_config"] as Config), ...fields } });
    expect(pathsOf("Qwen2.5-VL-7B-Instruct", inText({ hidden_size: "a" }))).toEqual(["text_config.hidden_size"]);
    expect(pathsOf("Qwen2.5-VL-7B-Instruct", inText({ hidden_size: undefined }))).toEqual(["text_config.hidden_size"]);
    expect(pathsOf("Qwen2.5-VL-7B-Instruct", (config) => ({ ...config, tie_word_embeddings: 1 }))).toEqual([
      "tie_word_embeddings",
    ]);
    expect(pathsOf("dbrx-instruct", (config) => ({ ...config, attn_config: { kv_n_heads: 0 } }))).toEqual([
      "attn_config.kv_n_heads",
    ]);
    expect(pathsOf("dbrx-instruct", (config) => ({ ...config, n_layers: undefined }))).toEqual(["n_layers"]);
    expect(pathsOf("Hunyuan-A13B-Instruct", (config) => ({ ...config, moe_topk: [8, 4] }))).toEqual(["moe_topk"]);
    expect(pathsOf("ERNIE-4.5-21B-A3B", (config) => ({ ...config, moe_layer_end_index: 20 }))).toEqual([
      "moe_layer_end_index",
    ]);
    expect(pathsOf("granite-4.0-micro", (config) => ({ ...config, layer_types: null }))).toEqual(["layer_types"]);
  });

  test.each([
    ["mamba2", "state-space layers"],
    ["nemotron_h", "state-space layers"],
    ["rwkv", "recurrent layers"],
    ["lfm2", "short convolutions"],
    ["mllama", "cross attention"],
    ["deci", "layers of different sizes"],
    ["gemma3n", "share a KV cache"],
  ])("%s, for it has %s, whatever it is said to be built like", (model_type, reason) => {
    for (const as of [undefined, "llama"])
      expect(problemsOf({ ...llama, model_type }, as)).toMatchObject([
        { path: ["model_type"], message: expect.stringContaining(reason) as string },
      ]);
  });
});

describe("an architecture nobody knows, taken to be built like a known one", () => {
  const unknown = { ...PUBLISHED.find(({ id }) => id === "Apertus-8B")!.config, model_type: "mine" };

  test("has the counts of that family, and says on whose word", () => {
    const { notes, takenFor, ...counted } = llmOfHfConfig(unknown, "apertus");
    const { notes: _, takenFor: __, ...known } = llmOfHfConfig({ ...unknown, model_type: "apertus" });
    expect(counted).toEqual(known);
    expect(takenFor).toBe("mine");
    expect(notes).toEqual([
      "the architecture (mine) is unknown, and was taken to be built like apertus on the user's word",
    ]);
    // A Llama has a gate: three matrices for two.
    expect(llmOfHfConfig(unknown, "llama").params).toBeGreaterThan(1.3 * known.params);
  });

  test("a known one is read as itself alone", () => {
    const llama = CONFIGS["llama-3.1-8b"];
    expect(llmOfHfConfig(llama, "llama").takenFor).toBeNull();
    expect(problemsOf(llama, "qwen3")).toMatchObject([{ message: '"llama" is known, and is not read as "qwen3"' }]);
  });

  test("fields that speak against it are named", () => {
    const problems = problemsOf(
      { ...unknown, mamba_d_state: 128, cross_attention_layers: [3], ssm_cfg: null },
      "llama",
    );
    expect(problems.map(({ path }) => path[0])).toEqual(["mamba_d_state", "cross_attention_layers"]);
    const part = { model_type: "mine_vl", text_config: { ...unknown, is_encoder_decoder: true } };
    expect(problemsOf(part, "llama")).toMatchObject([
      { path: ["text_config", "is_encoder_decoder"], message: /cross attention/ },
    ]);
  });
});

describe("crossover catalog import-llm", () => {
  const folder = mkdtempSync(join(tmpdir(), "crossover-import-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "config.json");

  async function importLlm(
    config: unknown,
    id: string,
    options: { json?: boolean; as?: string } = {},
  ): Promise<string> {
    writeFileSync(file, JSON.stringify(config));
    let text = "";
    await importLlmCommand(file, { id, models: join(folder, "models"), ...options }, (part) => (text += part));
    return text;
  }

  test("writes an entry that an experiment can name, and prints bytes", async () => {
    const text = await importLlm(CONFIGS["deepseek-v3-r1"], "my-deepseek");
    expect(text).toContain("671.03 billion weights, 36.62 billion active");
    expect(text).toContain("70,272 bytes per token in bf16");
    // 653,908,770,816 expert and 15,263,268,864 dense weights at 1.01 bytes, embedding and head at 2.
    const gib = (669_172_039_680 * 1.01 + 2 * 2 * 926_679_040) / 2 ** 30;
    expect(text).toMatch(new RegExp(`fp8-block \\(published\\) +${gib.toFixed(2)}$`, "m"));
    const mine = (await loadCatalog(undefined, join(folder, "models"))).catalog;
    expect(mine.llms.get("my-deepseek")).toMatchObject({ override: true, params: 671_025_397_760, asOf: catalog.asOf });
    const raw = withValue(
      withValue(smallExperiment(), ["strategies", "own", "pools", "gpus", "llm"], "my-deepseek"),
      ["strategies", "own", "pools", "gpus"],
      {
        llm: "my-deepseek",
        gpu: "h200",
        tensorParallelSize: 8,
        weightDtype: "fp8-block",
        gpuPrice: { usdPerGpuHour: 3 },
      },
    );
    const pool = resolveExperiment(raw, mine).experiment.strategies[1]!.pools[0]!;
    expect(pool.llm.mla).toMatchObject({ kvLoraRank: 512 });
    expect(pool.outsideValidatedRange).toMatch(/my-deepseek was never fitted/);
  });

  test("--json prints the entry and its sizes", async () => {
    const data: unknown = JSON.parse(await importLlm(CONFIGS["deepseek-v3-r1"], "as-data", { json: true }));
    expect(data).toMatchObject({
      wrote: [join(folder, "models/llms/as-data.yaml")],
      entry: { id: "as-data", kind: "published" },
      params: 671_025_397_760,
      kvBytesPerToken: 70_272,
      kvBytesPerWindowToken: 0,
      weightsGiB: { "fp8-block": expect.closeTo(632.9, 0) },
    });
  });

  test("windows and recurrent states have lines of their own", async () => {
    expect(await importLlm(CONFIGS["gemma-3-27b"], "my-gemma")).toContain(
      "and 425,984 for each of the last 1,024 tokens",
    );
    expect(await importLlm(CONFIGS["qwen3-next-80b-a3b"], "my-next")).toMatch(
      /and [\d,.]+ KiB per sequence \(recurrent state\)/,
    );
  });

  test("never overwrites, and names the file of a problem", async () => {
    await expect(importLlm(CONFIGS["gemma-3-27b"], "my-gemma")).rejects.toThrow(/exists and is not overwritten/);
    await expect(importLlm({ model_type: "rwkv" }, "x")).rejects.toThrow(/config\.json: model_type: "rwkv" has/);
    await expect(importLlm(CONFIGS["gemma-3-27b"], "My Gemma")).rejects.toThrow(/id: expected lower-case/);
    writeFileSync(file, "{");
    await expect(importLlmCommand(file, { id: "y", models: folder }, () => {})).rejects.toThrow(/is no JSON: /);
  });

  test("a folder is read with ModelOpt's file in it, whose problems stand at its lines", async () => {
    const repository = mkdtempSync(join(folder, "nvfp4-"));
    const quantFile = join(repository, "hf_quant_config.json");
    writeFileSync(join(repository, "config.json"), JSON.stringify(CONFIGS["llama-3.1-8b"]));
    writeFileSync(quantFile, '{\n "quantization": {\n  "quant_algo": "NVFP4"\n }\n}');
    const reading = (id: string): Promise<string> => {
      let text = "";
      const options = { id, models: join(folder, "models") };
      return importLlmCommand(repository, options, (part) => (text += part)).then(() => text);
    };
    expect(await reading("my-nvfp4")).toMatch(/^nvfp4 \(published\)/m);
    writeFileSync(quantFile, '{\n "quantization": {\n  "quant_algo": "INT3"\n }\n}');
    const wrong = reading("my-int3");
    await expect(wrong).rejects.toBeInstanceOf(LocatedConfigError);
    await expect(wrong).rejects.toMatchObject({
      text: expect.stringContaining(`${quantFile}:3:17: quantization.quant_algo: weights of ModelOpt's INT3`) as string,
    });
    writeFileSync(quantFile, "{");
    await expect(reading("my-none")).rejects.toThrow(/hf_quant_config\.json: is no JSON/);
  });

  test("on the user's word the entry is assumed, says so, and asks for a comparison", async () => {
    const config = { ...CONFIGS["llama-3.1-8b"], model_type: "mine" };
    const text = await importLlm(config, "my-own", { as: "llama" });
    expect(text).toMatch(/taken to be built like llama on the user's word\n +so compare the weights/);
    const mine = (await loadCatalog(undefined, join(folder, "models"))).catalog;
    expect(mine.llms.get("my-own")).toMatchObject({
      kind: "assumed",
      source: "config.json of the published model (config.json), read as llama",
      note: /\(mine\) is unknown.*like llama/,
    });
    expect(mine.llms.get("my-gemma")).toMatchObject({ kind: "published" });
  });

  test("all that is wrong with the options and the file is told at once, the file's at their lines", async () => {
    writeFileSync(file, '{\n  "model_type": "mine",\n  "hidden_size": "4096"\n}');
    const importing = importLlmCommand(file, { id: "My Own", models: folder, as: "lama" }, () => {});
    const text = await importing.then(
      () => "",
      (error: unknown) => (error instanceof LocatedConfigError ? error.text : String(error)),
    );
    expect(text).toMatch(/^--id: expected lower-case/);
    expect(text).toMatch(/^--as: "lama" is no family that is known\n {2}hint: did you mean "llama"\?$/m);
    expect(text).toContain(`${file}:3:18: hidden_size: expected a whole number from 0, got "4096"\n`);
    expect(text).toContain(`${file}:1:1: num_hidden_layers: is missing\n`);
    // With a sound file the options are told all the same, and nothing is written.
    writeFileSync(file, JSON.stringify({ ...CONFIGS["llama-3.1-8b"], model_type: "mine" }));
    const sound = importLlmCommand(file, { id: "own", models: join(folder, "none"), as: "mamba" }, () => {});
    await expect(sound).rejects.toThrow('--as: "mamba" has state-space layers');
    expect(existsSync(join(folder, "none"))).toBe(false);
  });
});
