/** A model from its `config.json`, as somebody types it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { crossover, temporaryFolder } from "./crossover.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

test("an unknown architecture is refused at its line, and taken with --as", () => {
  const config = join(folder.path, "config.json");
  const sizes = { hidden_size: 2048, num_hidden_layers: 16, num_attention_heads: 32, num_key_value_heads: 8 };
  const rest = { intermediate_size: 8192, vocab_size: 128_256, max_position_embeddings: 131_072 };
  writeFileSync(config, JSON.stringify({ model_type: "mine", ...sizes, ...rest }, null, 2));
  const models = join(folder.path, "models");
  const command = ["catalog", "import-llm", config, "--id", "my-own", "--models", models];

  const refused = crossover(command);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toContain(`${config}:2:17: model_type: unknown architecture "mine"\n`);
  expect(refused.stderr).toContain("(a Llama: --as llama;");

  const taken = crossover([...command, "--as", "llama"]);
  expect(taken.stderr).toBe("");
  expect(taken.code).toBe(0);
  expect(readFileSync(join(models, "llms", "my-own.yaml"), "utf8")).toMatch(/^kind: assumed$/m);
  expect(crossover(["catalog", "llms", "--models", models]).stdout).toMatch(/^my-own \(yours\).* assumed /m);
});
