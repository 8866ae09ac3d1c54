/** The bill of a past period by hand, the exports it is read from, and the requests that fill recorded buckets. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Catalog } from "../../src/catalog/schema.ts";
import { arrivalsOf } from "../../src/experiment/backcast/arrivals.ts";
import { priceUsage, type BillInput } from "../../src/experiment/backcast/bill.ts";
import { replayed, replayRows, replayWarnings } from "../../src/experiment/backcast/replay.ts";
import { readBackcast } from "../../src/experiment/backcast/schema.ts";
import { runOne } from "../../src/experiment/run-one.ts";
import { readCosts, readUsage } from "../../src/io/usage-csv.ts";
import { DAY_S, epochSOfIso } from "../../src/kernel/calendar-time.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import type { UsageBucket } from "../../src/scenario/usage.ts";
import { catalog, resolveRaw, smallExperiment } from "../fixtures/experiment.ts";

const OCTOBER_S = epochSOfIso("2026-10-01")!;

function bucket(more: Partial<UsageBucket> = {}): UsageBucket {
  return {
    startEpochS: OCTOBER_S,
    endEpochS: OCTOBER_S + DAY_S,
    model: "mini",
    requests: 1000,
    inputTokens: 1_000_000,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: 100_000,
    costUsd: null,
    batch: false,
    tier: null,
    promptWindow: null,
    webSearches: 0,
    region: null,
    ...more,
  };
}

/** The shipped offers, with that of Haiku repriced by date and length. */
const offers = new Map(catalog.offers);
const haiku = offers.get("anthropic/claude-haiku-4-5")!;
offers.set("test/mini", {
  ...haiku,
  id: "test/mini",
  provider: "test",
  model: "mini",
  prices: [
    {
      from: null,
      inputUsdPerMTok: 1,
      outputUsdPerMTok: 5,
      cacheReadUsdPerMTok: 0.1,
      cacheWriteUsdPerMTok: 1.25,
      cacheWrite1hUsdPerMTok: 2,
      longContext: [{ aboveInputTokens: 200_000, inputUsdPerMTok: 2, outputUsdPerMTok: 10 }],
    },
    { from: "2026-10-02", inputUsdPerMTok: 3, outputUsdPerMTok: 15, longContext: [] },
  ],
});
const book: Catalog = { ...catalog, offers };

function bill(buckets: readonly UsageBucket[], more: Partial<BillInput> = {}) {
  return priceUsage({ buckets, costs: null, totalUsd: null, offers: {}, provider: null, catalog: book, ...more });
}

/** Prompts that the long context is for, and those that it is not for. */
const LONG = { above: 200_000, upTo: 1_000_000 };
const SHORT = { above: 0, upTo: 200_000 };

/** Note on the price of `mini`. */
const RISES = "mini: its price rises with the length of the prompt, which is known as the mean of a bucket only";

describe("the bill", () => {
  test.each([
    ["plain tokens", {}, 1 + 0.5],
    ["cached input at its own price", { cachedInputTokens: 400_000 }, 0.6 + 0.04 + 0.5],
    ["writes to the cache", { cacheWriteTokens: 200_000, cacheWrite1hTokens: 100_000 }, 0.7 + 0.25 + 0.2 + 0.5],
    [
      "the price of the day, without a cache price",
      { startEpochS: OCTOBER_S + DAY_S, cachedInputTokens: 400_000 },
      3 + 1.5,
    ],
    ["the tier of the mean prompt", { requests: 4 }, 2 + 1],
    ["no count of requests: the base tier", { requests: null }, 1.5],
    ["the tier of the context window", { requests: null, promptWindow: LONG }, 2 + 1],
    ["a context window against the mean", { requests: 4, promptWindow: SHORT }, 1.5],
  ])("%s", (_, more, usd) => {
    const one = bucket(more);
    expect(bill([{ ...one, endEpochS: one.startEpochS + DAY_S }]).total.usd.predicted).toBeCloseTo(usd, 12);
  });

  test("multipliers of the contract and of the batch interface", () => {
    const choice = { offer: "test/mini@build", priceMultiplier: 0.8, batchMultiplier: 0.5 };
    const both = [bucket(), bucket({ batch: true })];
    expect(bill(both, { offers: { mini: choice } }).total.usd.predicted).toBeCloseTo(0.8 * 1.5 * 1.5, 12);
    // Else the catalogue's; where it has none, the list price, and that is said.
    expect(bill(both).total.usd.predicted).toBeCloseTo(1.5 * 1.5, 12);
    const unknown = new Map(offers).set("test/mini", { ...offers.get("test/mini")!, forms: {} });
    const listed = bill(both, { catalog: { ...book, offers: unknown } });
    expect(listed.total.usd.predicted).toBeCloseTo(3, 12);
    expect(listed.notes.join()).toContain("1.1 M tokens went through the batch interface");
  });

  test.each([
    ["gpt-5.5", "flex", 4, null],
    ["gpt-5.5", "priority", 20, null],
    ["gpt-5.5", null, 8, null],
    [
      "gpt-5.5",
      "scale",
      8,
      "gpt-5.5: 1.1 M tokens of tier scale are priced as default: openai/gpt-5.5 has no price for it",
    ],
    // Anthropic's form at a higher price is its fast mode, and not the priority that others sell; what it costs is not verified.
    [
      "claude-opus-4-6",
      "fast",
      15,
      /1\.1 M tokens of tier fast are at 2 times the default price, which could not be checked/,
    ],
    ["claude-opus-4-6", "priority", 7.5, /1\.1 M tokens of tier priority are priced as default/],
    ["claude-sonnet-4-6", "fast", 4.5, /1\.1 M tokens of tier fast are priced as default/],
  ])("%s in tier %s has the price of its form, or a note", (model, tier, usd, note) => {
    const { total, notes } = bill([bucket({ model, tier })], {
      provider: model.startsWith("gpt") ? "openai" : "anthropic",
    });
    expect(total.usd.predicted).toBeCloseTo(usd, 12);
    const ofTier = notes.filter((text) => text.includes("tier"));
    if (note === null) expect(ofTier).toEqual([]);
    else expect(ofTier).toEqual([typeof note === "string" ? note : expect.stringMatching(note)]);
  });

  test("a contract's batch price goes before a tier's, and its discount holds in every tier", () => {
    const offers = { "gpt-5.5": { offer: "openai/gpt-5.5", priceMultiplier: 0.5, batchMultiplier: 0.25 } };
    const flex = bucket({ model: "gpt-5.5", tier: "flex" });
    expect(bill([flex], { offers }).total.usd.predicted).toBeCloseTo(2, 12);
    const batched = bill([{ ...flex, batch: true }], { offers });
    expect(batched.total.usd.predicted).toBeCloseTo(1, 12);
    expect(batched.notes).toContain("gpt-5.5: 1.1 M tokens of tier flex are priced as batches");
  });

  test("web searches and regions have the catalogue's price, or a note with their number", () => {
    const opus = { model: "claude-opus-4-6", requests: null };
    const provider = "anthropic";
    const { total, notes } = bill([bucket({ ...opus, region: "us", webSearches: 500 })], { provider });
    expect(total.usd.predicted).toBeCloseTo(7.5 * 1.1 + 5, 12);
    expect(notes).toEqual(["claude-opus-4-6: 500 web searches are 5 USD of the bill"]);
    // Models before Opus 4.6 cost the same in every region.
    const older = bill([bucket({ model: "claude-haiku-4-5", region: "us" })], { provider });
    expect(older.total.usd.predicted).toBeCloseTo(1.5, 12);
    const unknown = bill([bucket({ region: "us", webSearches: 7 }), bucket({ model: "none", webSearches: 9 })]);
    expect(unknown.total.usd.predicted).toBeCloseTo(1.5, 12);
    expect(unknown.notes.slice(0, 2)).toEqual([
      "mini: 1.1 M tokens of region us are priced as of any: the catalogue has no factor for it",
      "mini: 7 web searches are not priced: the catalogue has no price for them",
    ]);
    expect(unknown.notes.at(-1)).toContain("are not priced, nor are 9 web searches");
  });

  test("how long prompts were is doubted only where the price in force depends on it", () => {
    const notes = (more: Partial<UsageBucket>) => bill([bucket(more)]).notes;
    expect(notes({})).toEqual([RISES]);
    expect(notes({ requests: null })).toEqual([
      "mini: its price rises with the length of the prompt, which is not known without a count of requests: 1.1 M tokens are at the price of short prompts",
    ]);
    for (const promptWindow of [LONG, SHORT]) expect(notes({ requests: null, promptWindow })).toEqual([]);
    const next = { startEpochS: OCTOBER_S + DAY_S, endEpochS: OCTOBER_S + 2 * DAY_S };
    expect(notes({ ...next, requests: null })).toEqual([]);
    // Longer than the model's context, which has no price of its own here.
    expect(notes({ ...next, promptWindow: LONG })).toEqual([
      expect.stringMatching(/^mini: 1\.1 M tokens are of prompts beyond its context of 200000 tokens/),
    ]);
  });

  test("days, models and the total hold predicted against actual", () => {
    const { days, models, total } = bill([
      bucket({ costUsd: 1 }),
      bucket({ startEpochS: OCTOBER_S + DAY_S, endEpochS: OCTOBER_S + 2 * DAY_S, costUsd: 5 }),
    ]);
    expect(days.map(({ day, usd }) => [day, usd.predicted, usd.actual, usd.errorFraction])).toEqual([
      ["2026-10-01", 1.5, 1, 0.5],
      ["2026-10-02", 4.5, 5, -0.1],
    ]);
    expect(models).toMatchObject([{ model: "mini", offer: "test/mini", requests: 2000, usd: { actual: 6 } }]);
    expect(total).toMatchObject({ requests: 2000, inputTokens: 2_000_000, usd: { predicted: 6, actual: 6 } });
    expect(bill([bucket()], { totalUsd: 3 }).total.usd.errorFraction).toBe(-0.5);
  });

  test("rows without a cost are counted, and neither paid nor compared", () => {
    const next = { startEpochS: OCTOBER_S + DAY_S, endEpochS: OCTOBER_S + 2 * DAY_S };
    const { days, models, total, rowsWithoutCost, notes } = bill([
      bucket({ costUsd: 1 }),
      bucket(),
      bucket({ ...next, costUsd: 5 }),
    ]);
    expect(rowsWithoutCost).toBe(1);
    expect(days.map(({ usd }) => usd)).toEqual([
      { predicted: 3, actual: 1, errorFraction: 0.5 },
      { predicted: 4.5, actual: 5, errorFraction: -0.1 },
    ]);
    expect(total.usd).toEqual({ predicted: 7.5, actual: 6, errorFraction: 0 });
    expect(models[0]!.usd).toEqual(total.usd);
    expect(notes).toContain(
      "1 of 3 rows have no cost (mini; 2026-10-01): they, 1.5 USD by the prices, count in the predicted bill, but neither in what was paid nor in the error",
    );
    // A whole day without, a bill that is known apart, and an export that knows no costs at all.
    const blank = bill([bucket(), bucket({ ...next, costUsd: 5 })]);
    expect(blank.days[0]!.usd).toEqual({ predicted: 1.5, actual: null, errorFraction: null });
    expect(bill([bucket({ costUsd: 1 }), bucket()], { totalUsd: 4 })).toMatchObject({
      notes: [expect.stringMatching(/^1 of 2 rows have no cost .* nor in the error of days and models$/), RISES],
      total: { usd: { actual: 4, errorFraction: -0.25 } },
    });
    expect(bill([bucket(), bucket()])).toMatchObject({
      rowsWithoutCost: 0,
      notes: [RISES],
      total: { usd: { actual: null } },
    });
  });

  test("a cost export is the bill of its days; days of one side alone are named", () => {
    const costs = [
      { startEpochS: OCTOBER_S, usd: 1 },
      { startEpochS: OCTOBER_S + 3600, usd: 2 },
      { startEpochS: OCTOBER_S + 5 * DAY_S, usd: 7 },
    ];
    const result = bill([bucket()], { costs });
    expect(result.days[0]!.usd).toEqual({ predicted: 1.5, actual: 3, errorFraction: -0.5 });
    expect(result.total.usd.actual).toBe(10);
    expect(result.notes).toContain("billed but without usage: 2026-10-06");
  });

  test("what has no price is left out on both sides, and said", () => {
    const { total, models, notes } = bill([bucket({ costUsd: 1.5 }), bucket({ model: "gpt-5-mini1", costUsd: 9 })]);
    expect(total.usd).toEqual({ predicted: 1.5, actual: 1.5, errorFraction: 0 });
    expect(models[1]).toMatchObject({ offer: null, usd: { predicted: null, actual: 9 } });
    expect(notes.join("\n")).toMatch(
      /gpt-5-mini1 is not in the catalogue: 1 M input .* 9 USD were paid; .*did you mean "gpt-5-mini"/,
    );
  });

  test("a dated snapshot is its model, at the provider of the export; a name that several sell is nobody's", () => {
    const offer = (model: string, provider: string | null) => bill([bucket({ model })], { provider }).models[0]!.offer;
    expect(offer("gpt-5-mini-2025-08-07", "openai")).toBe("openai/gpt-5-mini");
    expect(offer("claude-haiku-4-5-20251001", "anthropic")).toBe("anthropic/claude-haiku-4-5");
    expect(offer("gpt-5-mini", "anthropic")).toBeNull();
    expect(() =>
      bill([bucket()], { offers: { mini: { offer: "test/mni", priceMultiplier: 1, batchMultiplier: 1 } } }),
    ).toThrow(ConfigError);
  });

  test("a price far from the period is doubted", () => {
    const old = bucket({
      model: "gpt-5-mini",
      startEpochS: OCTOBER_S - 400 * DAY_S,
      endEpochS: OCTOBER_S - 399 * DAY_S,
    });
    expect(bill([old]).notes.join()).toMatch(/openai\/gpt-5-mini: the only price is as of 2026-09-23, 39\d days away/);
    expect(bill([bucket({ model: "gpt-5-mini" })]).notes).toEqual([]);
  });
});

describe("exports", () => {
  const work = mkdtempSync(join(tmpdir(), "crossover-usage-"));
  afterAll(() => rmSync(work, { recursive: true, force: true }));
  const write = (text: string): string => {
    const file = join(work, "usage.csv");
    writeFileSync(file, text);
    return file;
  };

  test("ours: an end or a length, counts and costs as known", async () => {
    const { format, buckets } = await readUsage(
      write(
        "\ufeffstart,bucketS,model,requests,inputTokens,cachedInputTokens,outputTokens,costUsd\r\n2026-10-01T06:00:00Z,3600,mini,10,5000,1000,200,0.5\r\n2026-10-01,3600,mini,,1,,2,\r\n",
      ),
    );
    expect(format).toBe("crossover");
    expect(buckets).toEqual([
      bucket({
        startEpochS: OCTOBER_S + 6 * 3600,
        endEpochS: OCTOBER_S + 7 * 3600,
        requests: 10,
        inputTokens: 5000,
        cachedInputTokens: 1000,
        outputTokens: 200,
        costUsd: 0.5,
      }),
      bucket({ endEpochS: OCTOBER_S + 3600, requests: null, inputTokens: 1, outputTokens: 2 }),
    ]);
  });

  test("OpenAI's: Unix times, quoted names, empty buckets left out", async () => {
    const { format, buckets } = await readUsage(
      write(
        `start_time,end_time,project_name,num_model_requests,model,batch,input_tokens,output_tokens,input_cached_tokens\n${OCTOBER_S},${OCTOBER_S + 60},"a, ""b""",3.0,mini,true,7162,10,1280\n${OCTOBER_S},${OCTOBER_S + 60},,,,,,,\n`,
      ),
    );
    expect(format).toBe("openai");
    expect(buckets).toEqual([
      bucket({
        endEpochS: OCTOBER_S + 60,
        requests: 3,
        inputTokens: 7162,
        cachedInputTokens: 1280,
        outputTokens: 10,
        batch: true,
      }),
    ]);
  });

  test("Anthropic's: input is the sum of its parts", async () => {
    const { format, buckets } = await readUsage(
      write(
        "usage_date_utc,model_version,usage_type,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens\n2026-10-01,mini,standard,100,20,3,1000,50\n",
      ),
    );
    expect(format).toBe("anthropic");
    expect(buckets).toEqual([
      bucket({
        requests: null,
        inputTokens: 1123,
        cachedInputTokens: 1000,
        cacheWriteTokens: 20,
        cacheWrite1hTokens: 3,
        outputTokens: 50,
      }),
    ]);
  });

  test.each([
    ["≤ 200k", SHORT],
    ["<=200K", SHORT],
    ["0-200k", SHORT],
    ["> 200k", { above: 200_000, upTo: null }],
    ["200k-1M", LONG],
    ["", null],
    ["not_available", null],
    ["large", null],
  ])("Anthropic's context window %j", async (name, promptWindow) => {
    const header = "usage_date_utc,model_version,context_window,usage_input_tokens_no_cache,usage_output_tokens";
    const { buckets, warnings } = await readUsage(write(`${header}\n2026-10-01,mini,${name},1,2\n`));
    expect(buckets).toMatchObject([{ promptWindow }]);
    if (name === "large") expect(warnings.join()).toMatch(/1 rows have a context_window that is not known \("large"\)/);
    else expect(warnings).toEqual([]);
  });

  test("tiers, speeds, searches and regions of either provider", async () => {
    const { buckets } = await readUsage(
      write(
        "usage_date_utc,model_version,usage_type,service_tier,speed,inference_geo,web_search_count,usage_input_tokens_no_cache,usage_output_tokens\n" +
          "2026-10-01,mini,standard,,,global,0,1,2\n" +
          "2026-10-01,mini,batch,,standard,not_available,0,1,2\n" +
          "2026-10-01,mini,,Priority,fast,us,3,1,2\n",
      ),
    );
    expect(buckets).toMatchObject([
      { batch: false, tier: null, region: null, webSearches: 0 },
      { batch: true, tier: null, region: null },
      { batch: false, tier: "priority and fast", region: "us", webSearches: 3 },
    ]);
    const row = (tier: string) => `${OCTOBER_S},${OCTOBER_S + 60},mini,false,${tier},1,2\n`;
    const openai = await readUsage(
      write(
        `start_time,end_time,model,batch,service_tier,input_tokens,output_tokens\n${["default", "", "flex", "batch"].map(row).join("")}`,
      ),
    );
    expect(openai.buckets.map(({ tier, batch }) => [tier, batch])).toEqual([
      [null, false],
      [null, false],
      ["flex", false],
      [null, true],
    ]);
  });

  test.each([
    ["2026-10-25T00:00:00+02:00", -7200],
    ["2026-10-25 02:00-0530", 7.5 * 3600],
    ["2026-10-25T00:00:00.500Z", 0.5],
    ["2026-10-25T00:00Z", 0],
    ["2026-10-25", 0],
    [String(epochSOfIso("2026-10-25")), 0],
  ])("the time %s is read", async (start, afterMidnightS) => {
    const { buckets } = await readUsage(write(`start,bucketS,model,inputTokens,outputTokens\n${start},60,m,1,1\n`));
    expect(buckets[0]!.startEpochS).toBe(epochSOfIso("2026-10-25")! + afterMidnightS);
  });

  test.each([
    ["2026-10-25T02:00:00", /add Z or an offset such as \+02:00/],
    ["2026-10-25 02:00", /add Z or an offset/],
    ["1790812800000", /looks like milliseconds since 1970/],
    ["2026-02-30T00:00:00+02:00", /cannot read the time.* is needed/],
    ["2026-10-25T25:00:00+02:00", /cannot read the time.* is needed/],
  ])("the time %s is refused", async (start, message) => {
    const text = `start,bucketS,model,inputTokens,outputTokens\n${start},60,m,1,1\n`;
    await expect(readUsage(write(text))).rejects.toThrow(message);
  });

  test.each([
    ["start,end,model,inputTokens,outputTokns\n", /no column outputTokens; the nearest column is outputTokns/],
    ["time,tokens\n1,2\n", /not a known usage export/],
    [
      "date,model,input_tokens,output_tokens\n",
      /no column start_time.*; no column end_time.* export of openai; .* columns start, end \(or bucketS\), model, inputTokens/,
    ],
    ["", /the file is empty/],
    ["start,end,model,inputTokens,outputTokens\n2026-10-01,2026-10-02,m,x,1\n", /row 1: cannot read the number "x"/],
    ["start,end,model,inputTokens,outputTokens\n2026-10-02,2026-10-01,m,1,1\n", /row 1: the bucket ends before/],
    ["start,end,model,inputTokens,outputTokens\n2026-10-01,2026-10-02,m,1\n", /row 1: 4 fields where the header has 5/],
    ["start,end,model,inputTokens,outputTokens\n1/10/2026,2026-10-02,m,1,1\n", /row 1: cannot read the time/],
    [
      "start,end,model,inputTokens,cachedInputTokens,outputTokens\n2026-10-01,2026-10-02,m,1,2,1\n",
      /row 1: 2 cached input tokens are more than/,
    ],
    ["start,end,model,inputTokens,outputTokens\n", /no row with usage/],
  ])("%j is refused", async (text, expected) => {
    await expect(readUsage(write(text))).rejects.toThrow(expected);
  });

  test("costs of either provider and in our form; another currency is refused", async () => {
    expect(
      (await readCosts(write(`start_time,amount_value,amount_currency\n${OCTOBER_S},1.5,usd\n${OCTOBER_S},,\n`))).rows,
    ).toEqual([{ startEpochS: OCTOBER_S, usd: 1.5 }]);
    expect((await readCosts(write("usage_date_utc,token_type,cost_usd\n2026-10-01,output,2\n"))).rows).toEqual([
      { startEpochS: OCTOBER_S, usd: 2 },
    ]);
    expect((await readCosts(write("start,costUsd\n2026-10-01,3\n"))).rows).toEqual([
      { startEpochS: OCTOBER_S, usd: 3 },
    ]);
    await expect(readCosts(write(`start_time,amount_value,amount_currency\n${OCTOBER_S},1,eur\n`))).rejects.toThrow(
      /eur, not USD/,
    );
  });
});

describe("requests that fill buckets", () => {
  const hours = [
    bucket({ endEpochS: OCTOBER_S + 3600, requests: 300, inputTokens: 90_001, outputTokens: 6000 }),
    bucket({
      startEpochS: OCTOBER_S + 7200,
      endEpochS: OCTOBER_S + 10_800,
      requests: 100,
      inputTokens: 50_000,
      outputTokens: 100,
    }),
  ];
  const { experiment } = resolveRaw(smallExperiment());
  const shape = experiment.traffic.kind === "synthetic" ? experiment.traffic : null;

  test.each([
    ["of the workload's shape", shape],
    ["of mean lengths", null],
  ])("%s, they add up to what was counted", (_, lengths) => {
    const made = arrivalsOf("usage.csv", hours, lengths, "7");
    expect(made).toMatchObject({ startEpochS: OCTOBER_S, horizonS: 10_800 });
    const sum = (tokens: Uint32Array, from: number, to: number) => tokens.slice(from, to).reduce((a, b) => a + b, 0);
    expect(made.arrivalS.filter((timeS) => timeS < 3600)).toHaveLength(300);
    expect(made.arrivalS.filter((timeS) => timeS >= 7200 && timeS < 10_800)).toHaveLength(100);
    expect([...made.arrivalS]).toEqual([...made.arrivalS].sort((a, b) => a - b));
    expect([sum(made.inputTokens, 0, 300), sum(made.inputTokens, 300, 400)]).toEqual([90_001, 50_000]);
    expect([sum(made.outputTokens, 0, 300), sum(made.outputTokens, 300, 400)]).toEqual([6000, 100]);
    expect(Math.min(...made.inputTokens, ...made.outputTokens)).toBeGreaterThanOrEqual(1);
    const spread = new Set(made.inputTokens.slice(0, 300)).size;
    if (lengths === null) expect(spread).toBeLessThanOrEqual(2);
    else expect(spread).toBeGreaterThan(50);
  });

  test("another seed draws others; without a count there is nothing to fill", () => {
    expect(arrivalsOf("u", hours, shape, "8").arrivalS).not.toEqual(arrivalsOf("u", hours, shape, "7").arrivalS);
    expect(() => arrivalsOf("u", [bucket({ requests: null })], shape, "7")).toThrow(/needs the number of requests/);
  });

  test("a replay answers all of them, bills the period and not the time until the last answer", () => {
    const { startEpochS, horizonS, ...recording } = arrivalsOf("u", hours, shape, "7");
    const own = replayed({ ...experiment, classes: experiment.classes.slice(0, 2) }, "own", {
      recording,
      file: "u",
      startEpochS,
      lengthS: horizonS,
      ownLimits: false,
    });
    expect(own.horizonS).toBe(10_800 + 600);
    const outcome = runOne({ experiment: own, strategy: 0, replication: 0, replicas: [2] }, null, null);
    const recorded = { lengthS: horizonS, requests: 400, inputTokens: 140_001, outputTokens: 6100, usd: 10 };
    const rows = replayRows(own, [outcome], recorded, { ttftMs: { mean: 100 } });
    const of = (figure: string) => rows.find((row) => row.figure === figure)!;
    expect(of("output tokens")).toMatchObject({ given: true, difference: { predicted: 6100, errorFraction: 0 } });
    expect(of("TTFT mean").difference.actual).toBe(100);
    expect(of("TTFT P99").predicted).toBeNull(); // of 400 requests
    // An interval of the mean, and that of a run where errors of the step-time model are drawn.
    const runs = [1, 2, 3].map((factor) => ({
      ...outcome,
      run: {
        ...outcome.run,
        classes: outcome.run.classes.map((one) => ({ ...one, totals: { ...one.totals, completed: factor } })),
      },
    }));
    const half = (of: typeof own): number => {
      const { lo, hi, mean } = replayRows(of, runs, recorded, {})[0]!.predicted!;
      // Of 1, 2 and 3 answers, 2 ± 2.5: nothing is answered less than never.
      expect(lo).toBe(0);
      return hi! - mean;
    };
    const band = { p5: -20, p25: -8, p50: -1, p75: 10, p95: 25 };
    const doubted = own.strategies.map((one) => ({
      ...one,
      pools: one.pools.map((p) => ({ ...p, stepTimeError: band })),
    }));
    expect(half({ ...own, strategies: doubted }) / half(own)).toBeCloseTo(Math.sqrt(3), 9);
    // Two replicas of one H100 for three hours at 2.95 USD, and the people of three hours.
    const people = (own.people.fte * own.people.loadedUsdPerYear * 3) / (12 * 730);
    expect(of("bill as simulated").difference.predicted).toBeCloseTo(2 * 3 * 2.95 + people, 6);
    const period = { file: "u", startEpochS, lengthS: horizonS, ownLimits: false };
    expect(() => replayed(experiment, null, { ...period, recording })).toThrow(/has several/);
    const long = { ...recording, inputTokens: recording.inputTokens.map((tokens, i) => (i === 9 ? 400_000 : tokens)) };
    expect(() => replayed(experiment, "own", { ...period, recording: long })).toThrow(/row 10/);
  });
});

test("a replay says what of a period it has otherwise, and that without prices nothing stands beside what was paid", () => {
  const { experiment } = resolveRaw(smallExperiment());
  const period = {
    recording: { arrivalS: Float64Array.of(0), inputTokens: Uint32Array.of(5), outputTokens: Uint32Array.of(2) },
    file: "t",
    startEpochS: OCTOBER_S,
    lengthS: 3,
    ownLimits: false,
  };
  const own = replayed(experiment, "own", period);
  const outcomes = [runOne({ experiment: own, strategy: 0, replication: 0, replicas: [2] }, null, null)];
  const unpriced = {
    ...own,
    strategies: own.strategies.map((one) => ({ ...one, pools: one.pools.map((p) => ({ ...p, usdPerGpuHour: null })) })),
  };
  const NOT_COMPARED = /^what was paid is not compared with the replay/;
  expect(replayWarnings(unpriced, outcomes, { requests: 1, usd: 5 }, null)).toEqual([
    expect.stringMatching(NOT_COMPARED),
  ]);
  expect(replayWarnings(unpriced, outcomes, { requests: 1, usd: null }, null)).toEqual([]);
  expect(replayWarnings(own, outcomes, { requests: 1, usd: 5 }, null)).toEqual([]);

  const offers = experiment.strategies.find((one) => one.offers.length > 0)!;
  const sold = [bucket({ tier: "flex", webSearches: 3 }), bucket({ tier: "flex", batch: true })];
  const atOffers = { ...own, strategies: [offers] };
  expect(replayWarnings(atOffers, outcomes, { requests: 1, usd: null }, sold)).toEqual([
    expect.stringContaining("1.1 M tokens of batches"),
    expect.stringMatching(/^1\.1 M tokens were sold in tiers/),
    "3 web searches are not replayed, nor in the bill as simulated",
  ]);
});

test("an answer beyond its recorded max_tokens is counted once, but where the author's own limits hold", () => {
  const recording = {
    arrivalS: Float64Array.of(0, 1, 2, 3),
    inputTokens: new Uint32Array(4).fill(5),
    outputTokens: new Uint32Array(4).fill(20),
    maxOutputTokens: Uint32Array.of(19, 0, 20, 3),
  };
  const { experiment } = resolveRaw(smallExperiment());
  const warnings = (ownLimits: boolean) => {
    const period = { recording, file: "t", startEpochS: OCTOBER_S, lengthS: 4, ownLimits };
    return replayed({ ...experiment, warnings: [] }, "own", period).warnings.join("\n");
  };
  expect(warnings(false)).toBe(
    "2 requests of the recording have more output than the max_tokens that it says: they are answered as recorded, and ask for as many tokens as that",
  );
  expect(warnings(true)).not.toContain("more output");
  // An experiment that replays the recording itself has said so already.
  const said = warnings(false);
  const period = { recording, file: "t", startEpochS: OCTOBER_S, lengthS: 4, ownLimits: false };
  expect(replayed({ ...experiment, warnings: [said] }, "own", period).warnings).toEqual([said]);
});

test("a replay takes max_tokens and classes of a recording but for what the author set, and says what it leaves", () => {
  const recording = {
    arrivalS: Float64Array.of(0, 1, 2),
    inputTokens: new Uint32Array(3).fill(5),
    outputTokens: new Uint32Array(3).fill(2),
    maxOutputTokens: Uint32Array.of(9, 0, 9),
    classNames: { codes: Int32Array.of(1, 0, -1), names: ["open", "stranger"] },
    filled: { outputs: 2, inputs: 0, inputTokens: 0 },
    passedOver: ["status", "parents"],
  };
  const { experiment } = resolveRaw(smallExperiment());
  const of = (ownLimits: boolean) => {
    const period = { recording, file: "t", startEpochS: OCTOBER_S, lengthS: 3, ownLimits };
    const { traffic, warnings } = replayed({ ...experiment, warnings: ["as resolved"] }, "own", period);
    return { traffic, warnings: warnings.join("\n") };
  };
  const taken = of(false);
  expect(taken.traffic).toMatchObject({ maxOutputTokens: recording.maxOutputTokens });
  expect(taken.traffic).toHaveProperty("classIndex", Uint8Array.of(255, 0, 255));
  expect(taken.warnings).toMatch(
    /^as resolved\nthe recording has status, parents, which a replay reads of imported traces alone .*\n2 of 3 requests of the recording name none of its classes/,
  );
  expect(taken.warnings).toContain("2 requests of the recording failed or have an empty answer");
  const ruled = of(true);
  expect(ruled.traffic).not.toHaveProperty("maxOutputTokens");
  expect(ruled.warnings).toContain("traffic.maxOutput goes before them");
});

test.each([
  [{ title: "x" }, "needs either usage or trace"],
  [{ title: "x", usage: "a", trace: "b", experiment: "c" }, "needs either usage or trace"],
  [{ title: "x", trace: "a" }, "needs an experiment"],
  [{ title: "x", trace: "a", experiment: "b", costs: "c" }, "stands beside usage"],
  [{ title: "x", usage: "a", strategy: "b" }, "there is no experiment"],
  [{ title: "x", usage: "a", actual: { ttftMs: { mean: 1 } } }, "needs an experiment"],
  [{ title: "x", usgae: "a" }, "unknown field"],
])("a backcast of %j is refused", (raw, expected) => {
  expect(() => readBackcast(raw)).toThrow(expected);
});
