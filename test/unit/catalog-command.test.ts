/** `crossover catalog`: tables and JSON, ages from a given date alone. */
import { describe, expect, test } from "vitest";
import { CATALOG_KINDS, KINDS } from "../../src/catalog/schema.ts";
import { batchingPlugins, orderPlugins } from "../../src/engine/policies/registry.ts";
import { routers } from "../../src/fleet/routers/registry.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import { catalogCommand, type CatalogOptions } from "../../src/node/commands/catalog.ts";
import { textTable } from "../../src/node/text-table.ts";
import { plainNumber } from "../../src/report/format.ts";

async function run(kind: string | undefined, options: CatalogOptions = {}): Promise<string> {
  let text = "";
  await catalogCommand(kind, options, (part) => (text += part));
  return text;
}

describe("crossover catalog", () => {
  test("without a kind: one line per kind", async () => {
    const text = await run(undefined);
    expect(text).toContain("Catalogue of 2026-11-24");
    for (const kind of CATALOG_KINDS) expect(text).toMatch(new RegExp(`^${KINDS[kind].folder} +\\d+`, "m"));
    expect(text).toMatch(/^gpus +21 /m);
  });

  test.each(CATALOG_KINDS)("%s prints every entry with source, date and age", async (kind) => {
    const text = await run(KINDS[kind].folder);
    const entries = JSON.parse(await run(kind, { json: true }))[kind] as {
      id: string;
      asOf: string;
      ageDays: number;
    }[];
    expect(entries.length).toBeGreaterThan(0);
    for (const { id, ageDays } of entries) {
      expect(text).toMatch(new RegExp(`^${id.replace(/[.+]/g, "\\$&")} `, "m"));
      expect(ageDays).toBeGreaterThanOrEqual(0);
    }
    expect(text).not.toMatch(/undefined|NaN| \n/);
  });

  test("offers show price and limits, each with its own date", async () => {
    const text = await run("offers", { provider: "openai", model: "gpt-5-mini" });
    expect(text).toMatch(/^openai\/gpt-5-mini +0\.25 +0\.025 +2 +62 +published +2026-09-23 /m);
    expect(text).toMatch(/^ +@tier-5: rpm 30,000, tpm 180,000,000 +84 +published, unverified +2026-09 /m);
    expect(text).toMatch(/^ +batch × 0\.5, flex × 0\.5, priority × 2 +51 +published /m);
    expect(text).toMatch(/^ +retires 2026-12-11, then openai\/gpt-5\.4-mini +129 +published /m);
    expect(text.split("\n").filter((line) => line.length > 170)).toEqual([]);
  });

  test("offers: what moves a price, and that of another day", async () => {
    expect(await run("offers", { model: "deepseek-v4-pro" })).toMatch(
      /^deepseek\/deepseek-v4-pro +0\.66 [^]* 01:00 to 04:00 UTC, Mon to Fri: 1\.32 in, 3\.96 out/m,
    );
    expect(await run("offers", { model: "gpt-6-luna" })).toMatch(/above 272,000 tokens: 0\.2 in, 0\.75 out/);
    const gemini = { model: "gemini-3.6-flash" };
    expect(await run("offers", gemini)).toMatch(
      /^google\/gemini-3\.6-flash +0\.75 [^]*from 2027-01-01: 1\.5 in, 7\.5 out/m,
    );
    expect(await run("offers", { ...gemini, date: "2027-01-01" })).toMatch(/^google\/gemini-3\.6-flash +1\.5 /m);
    const { offers } = JSON.parse(await run("offers", { ...gemini, date: "2027-01-01", json: true })) as {
      offers: { today: object }[];
    };
    expect(offers.map(({ today }) => today)).toMatchObject([{ inputUsdPerMTok: 1.5, ageDays: 62, kind: "published" }]);
  });

  test("offers are filtered by provider and model, a miss names the nearest", async () => {
    expect(await run("offers", { provider: "groq" })).toMatch(/^29 offers/);
    expect(await run("offers", { provider: "groq", model: "gpt-oss" })).toMatch(/^2 offers/);
    const hint = async (options: CatalogOptions, kind = "offers"): Promise<unknown> =>
      ((await run(kind, options).catch((caught: unknown) => caught)) as ConfigError).problems[0]!.hint;
    expect(await hint({ provider: "openia" })).toBe('did you mean "openai"?');
    expect(await hint({ provider: "openai", model: "gtp-5-mini" })).toBe('did you mean "gpt-5-mini"?');
    expect(await hint({ provider: "openai" }, "gpus")).toBe("crossover catalog offers");
  });

  test("ages count from --as-of", async () => {
    const mini = { model: "gpt-5-mini", provider: "openai" };
    expect(await run("offers", { ...mini, asOf: "2026-09-24" })).toMatch(
      /^openai\/gpt-5-mini .* 1 +published +2026-09-23 /m,
    );
    expect(await run("offers", { ...mini, asOf: "2026-09-22" })).toMatch(
      /^openai\/gpt-5-mini .* - +published +2026-09-23 /m,
    );
    await expect(run("offers", { asOf: "yesterday" })).rejects.toThrow(ConfigError);
    await expect(run("offers", { date: "yesterday" })).rejects.toThrow(ConfigError);
  });

  test("an unknown kind names the nearest", async () => {
    const error = await run("gpu-price").catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConfigError);
    expect((error as ConfigError).problems[0]).toMatchObject({
      message: 'unknown kind "gpu-price"',
      hint: 'did you mean "gpu-prices"?',
    });
  });
});

describe("policies and routers", () => {
  test("each with its sentences, its options, their defaults and ranges", async () => {
    const text = await run("policies");
    for (const { name, doc, options } of [...batchingPlugins, ...orderPlugins]) {
      expect(text).toMatch(new RegExp(`^${name}( \\(default\\))?$`, "m"));
      expect(text.replaceAll(/\s+/g, " ")).toContain(doc);
      for (const option of Object.keys(options)) expect(text).toMatch(new RegExp(`^  ${option} `, "m"));
    }
    expect(text).toMatch(/^chunked \(default\)$/m);
    expect(text).toMatch(/^fcfs \(default\)$/m);
    expect(text).toMatch(/^  batchSize +16  1 to 4,096 +requests in a full batch$/m);
    expect(text.split("\n").filter((line) => line.length > 110)).toEqual([]);
    expect(text).not.toMatch(/undefined|NaN| \n/);
    const routing = await run("routers");
    expect(routing).toMatch(/^two-choices \(default\)$/m);
    expect(routing).toMatch(/^  d +2  1 to 16 +replicas sampled per request$/m);
  });

  test("as JSON, with the field of a pool that they stand in", async () => {
    const { policies } = JSON.parse(await run("policies", { json: true })) as { policies: { name: string }[] };
    expect(policies).toHaveLength(batchingPlugins.length + orderPlugins.length);
    expect(policies.find(({ name }) => name === "static")).toMatchObject({
      field: "scheduler.batching",
      default: false,
      options: { batchSize: { default: 16, min: 1, max: 4096, doc: "requests in a full batch" } },
    });
    const { routers: listed } = JSON.parse(await run("routers", { json: true })) as { routers: { name: string }[] };
    expect(listed.map(({ name }) => name)).toEqual(routers.map(({ name }) => name));
  });

  test("the overview names them, and a misspelt one is understood", async () => {
    expect(await run(undefined)).toContain("crossover catalog policies, crossover catalog routers");
    const error = await run("polices").catch((caught: unknown) => caught);
    expect((error as ConfigError).problems[0]).toMatchObject({ hint: 'did you mean "policies"?' });
  });
});

describe("text tables", () => {
  test("pad, align, cut, and end no line in a space", () => {
    const columns = [{ head: "name", maxWidth: 5 }, { head: "n", align: "right" as const }, { head: "note" }];
    expect(
      textTable(columns, [
        ["abcdefgh", "1,000", ""],
        ["b", "7", "x\ny"],
      ]),
    ).toBe("name       n  note\nabcd…  1,000\nb          7  x y\n");
  });

  test.each([
    [180_000_000, "180,000,000"],
    [1154.697, "1,154.697"],
    [0.00379, "0.0038"],
    [-21, "-21"],
    [0, "0"],
  ])("%d prints as %s", (value, text) => {
    expect(plainNumber(value)).toBe(text);
  });
});
