/**
 * Models read from the `config.json` of their repositories. Counts are compared with the shipped catalogue, whose figures were counted
 * elsewhere, and with published totals.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { llmOfHfConfig } from "../../src/catalog/hf-config.ts";
import { resolveExperiment } from "../../src/experiment/resolve.ts";
import { ConfigError, type Problem } from "../../src/kernel/errors.ts";
import { importLlmCommand } from "../../src/node/commands/import-llm.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { catalog, smallExperiment, withValue } from "../fixtures/experiment.ts";

type Config = Record<string, unknown>;

const CONFIGS = JSON.parse(readFileSync(new URL("../fixtures/hf-configs.json", import.meta.url), "utf8")) as Readonly<
  Record<string, Config>
>;

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

describe("counts", () => {
  test.each(SHIPPED)("%s is what the catalogue has", (id) => {
    const { notes: _, nativeDtype: __, ffnSize: ___, ...facts } = llmOfHfConfig(CONFIGS[id]);
    expect(catalog.llms.get(id)).toMatchObject(facts);
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
    const fp8 = { quant_method: "fp8" };
    expect(dtypeOf("llama-3.1-8b", fp8)).toBe("fp8");
  });
});

describe("what is refused", () => {
  function problemsOf(config: unknown): readonly Problem[] {
    try {
      llmOfHfConfig(config);
    } catch (error) {
      if (error instanceof ConfigError) return error.problems;
      throw error;
    }
    return [];
  }
  const llama = CONFIGS["llama-3.1-8b"]!;

  test("an unknown architecture, with the nearest known one", () => {
    const [problem] = problemsOf({ ...llama, model_type: "lama" });
    expect(problem).toMatchObject({ path: ["model_type"], message: 'unknown architecture "lama"' });
    expect(problem!.hint).toMatch(/^did you mean "llama"\?.* write the entry by hand/);
    expect(problemsOf({ ...llama, model_type: "mamba2" })[0]!.message).toBe('unknown architecture "mamba2"');
    expect(problemsOf({ hidden_size: 5 })).toMatchObject([{ path: ["model_type"], message: "is missing" }]);
    expect(problemsOf("text")).toMatchObject([{ message: "must be the JSON object of a config.json" }]);
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
      { message: 'must be a whole number from 0, is "4096"' },
    ]);
    expect(problemsOf({ ...llama, vocab_size: 0 })).toMatchObject([{ message: "must be at least 1, is 0" }]);
    const layer_types = Array.from({ length: 32 }, () => "mamba");
    expect(problemsOf({ ...llama, layer_types })).toMatchObject([{ message: 'unknown kind of layer "mamba"' }]);
    expect(problemsOf({ ...llama, layer_types: ["full_attention"] })).toMatchObject([
      { message: "must have 32 entries, has 1" },
    ]);
    const quantization_config = { quant_method: "gptq", bits: 3 };
    expect(problemsOf({ ...llama, quantization_config })).toMatchObject([
      { message: "gptq weights of this kind are not modelled", hint: /known: bf16, fp8/ },
    ]);
  });
});

describe("crossover catalog import-llm", () => {
  const folder = mkdtempSync(join(tmpdir(), "crossover-import-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "config.json");

  async function importLlm(config: unknown, id: string, options: { json?: boolean } = {}): Promise<string> {
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
    await expect(importLlm({ model_type: "rwkv" }, "x")).rejects.toThrow(
      /config\.json: model_type: unknown architecture/,
    );
    await expect(importLlm(CONFIGS["gemma-3-27b"], "My Gemma")).rejects.toThrow(/id: expected lower-case/);
    writeFileSync(file, "{");
    await expect(importLlmCommand(file, { id: "y", models: folder }, () => {})).rejects.toThrow(/JSON: /);
  });
});
