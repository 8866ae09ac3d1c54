/** A workload from daily and hourly totals: what was put in comes out, with intervals, and what is not there is said. */
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { offerFacts } from "../../src/catalog/offer.ts";
import { usageOffer } from "../../src/experiment/usage-offer.ts";
import { usageComments, usageSeason } from "../../src/experiment/usage-text.ts";
import { usageWorkload, weekWithShape } from "../../src/experiment/usage-workload.ts";
import { DEFAULT_OFFER, experimentFor, WORKLOAD_DEFAULTS } from "../../src/experiment/starter.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import { stream } from "../../src/kernel/random.ts";
import { normal } from "../../src/kernel/samplers.ts";
import type { UsageBucket } from "../../src/scenario/usage.ts";
import { catalog, resolveRaw } from "../fixtures/experiment.ts";
import { AZURE_CONV_WEEK, MONDAY_S } from "../fixtures/traffic-reference.ts";

const DAY = 86_400;
const draw = stream("usage", 0, "noise");

function bucket(startEpochS: number, lengthS: number, requests: number | null, size = requests ?? 0): UsageBucket {
  return {
    startEpochS,
    endEpochS: startEpochS + lengthS,
    model: "m",
    requests,
    inputTokens: size * 1500,
    cachedInputTokens: size * 300,
    cacheWriteTokens: 0,
    cacheWrite1hTokens: 0,
    outputTokens: size * 320,
    costUsd: null,
    batch: false,
    tier: null,
    promptWindow: null,
    webSearches: 0,
    region: null,
  };
}

/** Weekends at half of a weekday, growth by month, a few percent of noise. */
function days(count: number, growth: number, noise = 0.04): UsageBucket[] {
  return Array.from({ length: count }, (_, day) => {
    const level = 100_000 * (1 + growth) ** (day / 30.4) * (day % 7 >= 5 ? 0.5 : 1) * Math.exp(noise * normal(draw));
    return bucket(MONDAY_S + day * DAY, DAY, Math.round(level));
  });
}

test("daily totals give rate, lengths, growth and weekdays", () => {
  const usage = usageWorkload(days(84, 0.1), {});
  expect([usage.days, usage.from]).toEqual([84, "2026-11-02"]);
  expect(usage.inputTokens).toBeCloseTo(1500, 6);
  expect(usage.outputTokens).toBeCloseTo(320, 6);
  expect(usage.cachedShare).toBeCloseTo(0.2, 9);
  const { growth } = usage;
  expect(growth!.sure).toBe(true);
  expect(growth!.low).toBeLessThan(0.1);
  expect(growth!.high).toBeGreaterThan(0.1);
  expect(growth!.high - growth!.low).toBeLessThan(0.06);
  usage.weekday!.forEach((level, day) => expect(level).toBeCloseTo((day >= 5 ? 0.5 : 1) / (6 / 7), 1));
  // The level of the last day, weekdays evened out.
  expect(usage.requestsPerDay / (100_000 * 1.1 ** (83 / 30.4) * (6 / 7))).toBeCloseTo(1, 1);
});

test("growth that may be none is not taken, short exports have none", () => {
  const still = usageWorkload(days(28, 0, 0.1), {});
  expect(still.growth!.sure).toBe(false);
  expect(still.requestsPerDay / (100_000 * (6 / 7))).toBeCloseTo(1, 1);
  const short = usageWorkload(days(10, 0.5), {});
  expect([short.growth, short.weekday]).toEqual([null, null]);
});

test("hourly totals give the hours of the week, half a first day is left out", () => {
  const hours = Array.from({ length: 15 * 24 + 12 }, (_, i) => {
    const hour = i + 12;
    return bucket(MONDAY_S + hour * 3600, 3600, Math.round(1000 * AZURE_CONV_WEEK[hour % 168]!));
  });
  const usage = usageWorkload(hours, {});
  expect(usage.days).toBe(15);
  expect(usage.from).toBe("2026-11-03");
  usage.hourOfWeek!.forEach((factor, hour) => expect(factor).toBeCloseTo(AZURE_CONV_WEEK[hour]!, 2));
});

test("without counts of requests one figure more is needed, and moves the result", () => {
  const uncounted = days(20, 0).map((one) => ({ ...one, requests: null }));
  expect(() => usageWorkload(uncounted, {})).toThrow(ConfigError);
  const byRate = usageWorkload(uncounted, { requestsPerDay: 50_000 });
  expect(byRate.requestsPerDay).toBeCloseTo(50_000, 6);
  expect(byRate.inputTokens).toBeGreaterThan(1500 * 1.5);
  expect(usageWorkload(uncounted, { inputTokens: 750 }).inputTokens).toBeCloseTo(750, 6);
  expect(() => usageWorkload(days(20, 0), { requestsPerDay: 5 })).toThrow(/counts requests itself/);
});

test("months as buckets, batch alone and parts of a day are refused", () => {
  expect(() => usageWorkload([bucket(MONDAY_S, 30 * DAY, 10)], {})).toThrow(/longer than a day/);
  expect(() =>
    usageWorkload(
      days(3, 0).map((one) => ({ ...one, batch: true })),
      {},
    ),
  ).toThrow(/batch interface/);
  expect(() => usageWorkload([bucket(MONDAY_S, 3600, 10)], {})).toThrow(/no whole day/);
});

test("batch usage stays out of the rate and is told", () => {
  const usage = usageWorkload([...days(20, 0), { ...bucket(MONDAY_S, DAY, 1_000_000), batch: true }], {});
  expect(usage.requestsPerDay).toBeLessThan(110_000);
  expect(usageComments(usage, { file: "u.csv", format: "openai" }, false).join(" ")).toMatch(
    /% of tokens went through a batch/,
  );
});

test("a week of one's own keeps the weekdays and the shape within them", () => {
  const week = weekWithShape([1.2, 1.2, 1.2, 1.2, 1.2, 0.5, 0.5], AZURE_CONV_WEEK);
  expect(week.reduce((a, b) => a + b) / 168).toBeCloseTo(1, 4);
  expect(week[9]! / week[3]!).toBeCloseTo(AZURE_CONV_WEEK[9]! / AZURE_CONV_WEEK[3]!, 3);
  expect(week.slice(120).reduce((a, b) => a + b) / week.slice(0, 120).reduce((a, b) => a + b)).toBeCloseTo(1 / 6, 4);
});

test("the experiment has the growth and rate of the export and says what it assumed", () => {
  const usage = usageWorkload(days(84, 0.1), {});
  const source = { file: "My usage.csv", format: "crossover" };
  const season = usageSeason(usage, { id: "azure-llm-2024-conv", hourOfWeek: AZURE_CONV_WEEK }, source);
  expect(season!.id).toBe("my-usage-week");
  const workload = { ...WORKLOAD_DEFAULTS, requestsPerDay: 240_000, inputTokens: 1500, outputTokens: 320 };
  const recorded = {
    growthPerMonth: usage.growth!.perMonth,
    season: null,
    offer: "anthropic/claude-haiku-4-5@scale",
    comments: usageComments(usage, source, false),
  };
  const text = experimentFor({ ...workload, recorded }, catalog);
  const { traffic } = resolveRaw(parse(text)).experiment;
  expect(traffic.kind === "synthetic" && traffic.growthFractionPerMonth).toBeCloseTo(usage.growth!.perMonth, 3);
  const { api } = parse(text).strategies["api-first"].offers as { api: string };
  expect([api, parse(text).strategies.hybrid.offers]).toEqual([recorded.offer, { api }]);
  expect(text).toContain("# Derived from My usage.csv (crossover): 84 days");
  expect(text).toContain("# Assumed, because totals do not show it");
  expect(experimentFor({ ...workload, recorded: { ...recorded, season: season! } }, catalog)).toContain(
    "season: my-usage-week",
  );
});

describe("the API offer of an export", () => {
  const of = (models: readonly string[], provider: string | null = null) => usageOffer(models, provider, catalog);

  test("is that of its model, also of a dated snapshot or by the offer's id", () => {
    const [comment] = of(["gpt-5-mini-2025-08-07"], "openai").comments;
    expect(comment).toBe(
      "API offer: openai/gpt-5-mini, that of gpt-5-mini-2025-08-07. The tier is assumed, take that of your account.",
    );
    for (const [model, provider, offer] of [
      ["gpt-5-mini-2025-08-07", "openai", "openai/gpt-5-mini@tier-5"],
      ["claude-haiku-4-5-20251001", "anthropic", "anthropic/claude-haiku-4-5@scale"],
      ["openai/gpt-4o", null, "openai/gpt-4o@tier-1"],
      ["deepseek-chat", null, "deepseek/deepseek-chat@default"],
    ] as const)
      expect(of([model], provider).offer).toBe(offer);
    expect(of(["openai/gpt-4o"]).comments).toEqual(["API offer: openai/gpt-4o, that of openai/gpt-4o."]);
  });

  test("is of the first of several models that the catalogue has, and what it lacks is named", () => {
    const { offer, comments } = of(["text-embedding-3-small", "claude-haiku-4-5", "gpt-5-mini"]);
    expect(offer).toBe("anthropic/claude-haiku-4-5@scale");
    expect(comments[0]).toContain("; all 3 models of the export are priced as it.");
    expect(comments.slice(1)).toEqual(["The catalogue has no offer of text-embedding-3-small."]);
  });

  test("is never that of a similar name: the default stays, and the nearest is asked for", () => {
    const { offer, comments } = of(["gpt-5-minx"], "openai");
    expect(offer).toBe(DEFAULT_OFFER);
    expect(comments).toEqual([
      'The catalogue has no offer of gpt-5-minx (did you mean "gpt-5-mini"?).',
      `API offer: ${DEFAULT_OFFER} stands in, put yours in its place.`,
    ]);
    expect(of([]).offer).toBe(DEFAULT_OFFER);
    // An export of another provider does not mean it either.
    expect(of(["gpt-5-mini"], "anthropic").offer).toBe(DEFAULT_OFFER);
  });

  test("is the default where several providers sell the model", () => {
    const mini = catalog.offers.get("openai/gpt-5-mini")!;
    const twin = { ...mini, id: "other/gpt-5-mini", provider: "other" };
    const two = { ...catalog, offers: new Map([...catalog.offers, [twin.id, twin]]) };
    const { offer, comments } = usageOffer(["gpt-5-mini"], null, two);
    expect(offer).toBe(DEFAULT_OFFER);
    expect(comments[0]).toBe("gpt-5-mini is sold as openai/gpt-5-mini, other/gpt-5-mini: name the one that you use.");
    expect(usageOffer(["other/gpt-5-mini"], null, two).offer).toBe("other/gpt-5-mini@tier-5");
  });

  test("every offer of the catalogue has a tier that resolves", () => {
    let chosen = 0;
    for (const { id, model, provider } of catalog.offers.values()) {
      const found = offerFacts(catalog, of([model], provider).offer);
      expect(found.ok, id).toBe(true);
      if (found.ok && found.value.offer.id === id) chosen++;
    }
    expect(chosen).toBeGreaterThan(0.98 * catalog.offers.size);
  });

  test("models come by their tokens", () => {
    const rows = days(14, 0).flatMap((one) => [
      { ...one, model: "a" },
      { ...one, model: "z", inputTokens: 3 * one.inputTokens },
    ]);
    expect(usageWorkload(rows, {}).models).toEqual(["z", "a"]);
  });
});
