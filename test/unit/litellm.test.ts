/** Import of LiteLLM's price file: what becomes of each entry, what is written, and what an experiment then pays. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { originOf, rowOriginOf } from "../../src/catalog/origin.ts";
import { readLitellm, type LitellmResult } from "../../src/catalog/litellm.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { importPricesCommand, type ImportPricesOptions } from "../../src/node/commands/import-prices.ts";

const SAMPLE = fileURLToPath(new URL("../fixtures/litellm-sample.json", import.meta.url));
const EXPECTED = new URL("../fixtures/litellm-sample-expected.json", import.meta.url);
const OPTIONS = { asOf: "2026-07-24", previous: null, allowFree: false };

type Json = Readonly<Record<string, unknown>>;
const sample = JSON.parse(readFileSync(SAMPLE, "utf8")) as Json;

describe("the sample", () => {
  const expected = JSON.parse(readFileSync(EXPECTED, "utf8")) as { rows_in: number; rows: readonly Json[] };
  const results = readLitellm(sample, OPTIONS);

  test("holds every key that is expected, in order", () => {
    expect(results.map(({ key }) => key)).toEqual(expected.rows.map((row) => row["key"]));
    expect(results).toHaveLength(expected.rows_in);
  });

  test.each(expected.rows.map((row, i) => [row["key"], row, results[i]!] as const))("%s", (_, row, result) => {
    const { reasons, context_tokens: __, deprecated_on: ___, ...told } = result as LitellmResult & Json;
    expect(told).toEqual(row);
    expect(reasons.length >= result.rules.length).toBe(true);
  });
});

describe("one entry", () => {
  const one = (change: Json, options: Partial<typeof OPTIONS> | { previous: Json } = {}): LitellmResult =>
    readLitellm({ m: { ...(sample["gpt-5.2"] as Json), ...change } }, { ...OPTIONS, ...options })[0]!;

  test.each([
    ["is the base", {}, "accept", []],
    ["of another mode", { mode: "rerank" }, "skip", ["S2"]],
    ["without token prices", { input_cost_per_token: undefined, output_cost_per_token: undefined }, "skip", ["S3"]],
    [
      "at the most it may cost",
      { input_cost_per_token: 300e-6, output_cost_per_token: 1000e-6 },
      "accept-with-warning",
      ["R3"],
    ],
    ["beyond it", { input_cost_per_token: 301e-6, output_cost_per_token: 1000e-6 }, "reject", ["R1"]],
    ["below nothing", { input_cost_per_token: -1e-6 }, "reject", ["R1"]],
    ["priority at list price", { input_cost_per_token_priority: 1.75e-6 }, "accept-with-warning", ["R3"]],
    ["batch above list price", { input_cost_per_token_batches: 1.76e-6 }, "accept-with-warning", ["R3"]],
    ["batch at list price", { input_cost_per_token_batches: 1.75e-6 }, "accept", []],
    ["output 21 times the input", { output_cost_per_token: 36.75e-6 }, "accept-with-warning", ["R3", "W1"]],
    ["a deprecation to come", { deprecation_date: "2026-07-24" }, "accept", []],
    ["a deprecation that was", { deprecation_date: "2026-07-23" }, "accept-with-warning", ["W3"]],
  ])("%s", (_, change, action, rules) => {
    const result = one(change);
    expect([result.action, result.rules]).toEqual([action, rules]);
  });

  test("free models are taken on request", () => {
    const free = { input_cost_per_token: 0, output_cost_per_token: 0 };
    expect(one(free).rules).toEqual(["R2"]);
    expect(one(free, { allowFree: true }).action).toBe("accept");
  });

  test("jumps since the file before are held back", () => {
    const before = (input: number): { previous: Json } => ({
      previous: { m: { ...(sample["gpt-5.2"] as Json), input_cost_per_token: input * 1e-6 } },
    });
    expect([0.43, 0.44, 21.8, 22].map((input) => one({}, before(input)).action)).toEqual([
      "confirm",
      "accept",
      "accept",
      "confirm",
    ]);
    expect(one({}, before(0.43)).reasons.join()).toContain("input went from 0.43 to 1.75");
  });
});

describe("crossover catalog import", () => {
  let models = "";
  beforeEach(() => (models = mkdtempSync(join(tmpdir(), "crossover-"))));
  afterEach(() => rmSync(models, { recursive: true }));
  const run = async (options: Partial<ImportPricesOptions> = {}): Promise<string> => {
    let text = "";
    await importPricesCommand({ litellm: SAMPLE, asOf: "2026-07-24", models, ...options }, (part) => (text += part));
    return text;
  };
  const fileOf = (name: string, value: unknown): string => {
    writeFileSync(join(models, name), typeof value === "string" ? value : JSON.stringify(value));
    return join(models, name);
  };

  test("writes offers that take the place of the catalogue's prices, and says what it refused", async () => {
    const text = await run();
    expect(text).toMatch(/prices of 15 offers of the catalogue and 4 new ones, of 32 entries/);
    expect(text).toMatch(/wandb\/openai\/gpt-oss-120b +reject +R1 +15000 in/);
    expect(text).toMatch(/text-embedding-3-large +embeddings are not simulated/);
    expect(text).toMatch(/15 of them replace prices that are younger than 2026-07-24/);
    const { offers } = (await loadCatalog(["offers"], models)).catalog;
    const sol = offers.get("openai/gpt-5.6-sol")!;
    expect(sol).toMatchObject({ override: true, latencyClass: "frontier-large", residencyMultiplier: 1.1 });
    expect(sol.prices).toHaveLength(1);
    expect(sol.prices[0]).toMatchObject({ inputUsdPerMTok: 5, cacheWriteUsdPerMTok: 6.25 });
    expect(sol.fields?.["prices"]).toMatchObject({ asOf: "2026-07-24", kind: "published" });
    expect(sol.forms.priority).toMatchObject({ priceMultiplier: 2 });
    // What the file has no word about stays.
    expect(sol.promptCache).toMatchObject({ ttlS: 1800 });
    const zone = offers.get("azure/us-gpt-5.4")!;
    expect(zone).toMatchObject({ model: "us/gpt-5.4", contextTokens: 1_050_000 });
    expect(zone.fields?.["latencyClass"]?.kind).toBe("assumed");
  });

  test("as JSON, with every entry", async () => {
    const told = JSON.parse(await run({ json: true })) as { rows: Json[]; written: Json[]; notOffered: Json[] };
    expect([told.rows.length, told.written.length, told.notOffered.length]).toEqual([32, 19, 4]);
  });

  test("holds back what jumped since the file before, unless told otherwise", async () => {
    const before = { "gpt-5.2": { ...(sample["gpt-5.2"] as Json), output_cost_per_token: 0.1e-6 } };
    const previous = fileOf("previous.json", before);
    expect(await run({ previous })).toMatch(/gpt-5.2 +confirm +H1 +output went from 0.1 to 14/);
    await expect(run()).rejects.toThrow(/exists and is not overwritten/);
    rmSync(join(models, "offers"), { recursive: true });
    expect(await run({ previous, confirm: true })).toMatch(/prices of 15 offers/);
  });

  test("says what is wrong with its input", async () => {
    await expect(run({ asOf: "yesterday" })).rejects.toThrow(/"yesterday" is no date/);
    await expect(run({ litellm: fileOf("a.json", "{") })).rejects.toThrow(/a.json: JSON/);
    await expect(run({ litellm: fileOf("b.json", [1]) })).rejects.toThrow(/expected an object/);
    await expect(run({ litellm: join(models, "none.json") })).rejects.toThrow(/no such file/);
  });
});

describe("a price of one's own", () => {
  let models = "";
  beforeEach(() => {
    models = mkdtempSync(join(tmpdir(), "crossover-"));
    mkdirSync(join(models, "offers"));
  });
  afterEach(() => rmSync(models, { recursive: true }));
  const contract = 'source: contract 14\nasOf: "2026-10-01"\nkind: published\n';
  const prices = "prices:\n  - { from: null, inputUsdPerMTok: 0.2, outputUsdPerMTok: 1.5 }\n";
  const offersWith = async (text: string) => {
    writeFileSync(join(models, "offers", "mine.yaml"), text);
    return (await loadCatalog(["offers"], models)).catalog.offers;
  };

  test("needs only what it changes, and carries its own origin", async () => {
    const offer = (await offersWith(`id: openai/gpt-5-mini\n${contract}${prices}`)).get("openai/gpt-5-mini")!;
    expect(offer).toMatchObject({ override: true, contextTokens: 400_000, latencyClass: "small-fast" });
    expect(offer.prices[0]).toMatchObject({ inputUsdPerMTok: 0.2, outputUsdPerMTok: 1.5 });
    expect(Object.keys(offer.tiers)).toContain("tier-5");
    expect(rowOriginOf(offer, "prices.0", offer.prices[0]!)).toEqual({
      source: "contract 14",
      asOf: "2026-10-01",
      kind: "published",
    });
    expect(originOf(offer, "contextTokens").source).toContain("genai-prices");
  });

  test.each([
    [
      `id: openai/gpt-5-mimi\n${contract}${prices}`,
      /mine.yaml:1:5: id: no offer "openai\/gpt-5-mimi" to change[^]*did you mean "openai\/gpt-5-mini"/,
    ],
    [`id: openai/gpt-5-mini\nasOf: "2026-10-01"\nkind: published\n${prices}`, /mine.yaml:1:1: source: is missing/],
    [`id: openai/gpt-5-mini\n${contract}price: []\n`, /mine.yaml:5:1: price: unknown field[^]*did you mean prices/],
    [
      `id: openai/gpt-5-mini\n${contract}${prices.replace("1.5", "-1.5")}`,
      /mine.yaml:6:59: prices\[0\].outputUsdPerMTok: /,
    ],
    [
      `id: openai/gpt-5-mini\n${contract}latencyClass: small-fats\n`,
      /latencyClass: no "small-fats"[^]*did you mean "small-fast"/,
    ],
  ])("%j is refused where it stands", async (text, message) => {
    await expect(offersWith(text)).rejects.toMatchObject({ text: expect.stringMatching(message) });
  });
});
