/** A workload from daily and hourly totals: what was put in comes out, with intervals, and what is not there is said. */
import { expect, test } from "vitest";
import { parse } from "yaml";
import { usageComments, usageSeason } from "../../src/experiment/usage-text.ts";
import { usageWorkload, weekWithShape } from "../../src/experiment/usage-workload.ts";
import { experimentFor, WORKLOAD_DEFAULTS } from "../../src/experiment/starter.ts";
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
    comments: usageComments(usage, source, false),
  };
  const text = experimentFor({ ...workload, recorded }, catalog);
  const { traffic } = resolveRaw(parse(text)).experiment;
  expect(traffic.kind === "synthetic" && traffic.growthFractionPerMonth).toBeCloseTo(usage.growth!.perMonth, 3);
  expect(text).toContain("# Derived from My usage.csv (crossover): 84 days");
  expect(text).toContain("# Assumed, because totals do not show it");
  expect(experimentFor({ ...workload, recorded: { ...recorded, season: season! } }, catalog)).toContain(
    "season: my-usage-week",
  );
});
