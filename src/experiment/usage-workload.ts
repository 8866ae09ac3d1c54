/**
 * The workload behind daily or hourly totals: rate, mean lengths, growth and weekly profile, as far as totals show them.
 * Days are UTC days; a month is 30.4 days.
 */
import { mean } from "simple-statistics";
import { DAY_S, HOUR_S, MONTH_S, isoDate, secondOfWeek } from "../kernel/calendar-time.ts";
import { ConfigError } from "../kernel/errors.ts";
import { exp, log } from "../kernel/math.ts";
import type { UsageBucket } from "../scenario/usage.ts";
import { studentT95 } from "./estimate.ts";
import { seasonProfile } from "./trace/season.ts";

export interface UsageWorkload {
  /** First and last whole day, ISO dates. */
  readonly from: string;
  readonly to: string;
  readonly days: number;
  /** Level at the end of the period where the trend is sure, else the mean. */
  readonly requestsPerDay: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Null with fewer than two weeks. */
  readonly growth: Growth | null;
  /** Mean level by day from Monday over the mean of all; null with fewer than two weeks. */
  readonly weekday: readonly number[] | null;
  /** Rate by hour of the week over its mean, from hourly totals of two weeks and more; else null. */
  readonly hourOfWeek: readonly number[] | null;
  /** Share of input tokens that the provider read from its cache. */
  readonly cachedShare: number;
  /** Share of tokens that went through a batch interface; they are not in the figures above. */
  readonly batchShare: number;
  /** Those with the most tokens first. */
  readonly models: readonly string[];
}

export interface Growth {
  /** Fraction a month, with its 95 % interval. */
  readonly perMonth: number;
  readonly low: number;
  readonly high: number;
  /** The interval leaves out zero. */
  readonly sure: boolean;
}

/** What an export without counts of requests needs besides: one of the two. */
export interface SizeHint {
  readonly requestsPerDay?: number;
  readonly inputTokens?: number;
}

const WEEK_DAYS = 7;
const MIN_TREND_DAYS = 14;
const LONGEST_BUCKET_S = DAY_S * 1.5;

interface Totals {
  readonly day: number;
  requests: number;
  input: number;
  output: number;
  cached: number;
  coveredS: number;
}

/**
 * @throws ConfigError when buckets are longer than a day, no whole day is left, or requests are neither counted nor hinted at
 */
export function usageWorkload(buckets: readonly UsageBucket[], hint: SizeHint): UsageWorkload {
  const refuse = (message: string, next?: string): never => {
    const problem = { path: ["--from-usage"], message };
    throw new ConfigError([next === undefined ? problem : { ...problem, hint: next }]);
  };
  const long = buckets.find((bucket) => bucket.endEpochS - bucket.startEpochS > LONGEST_BUCKET_S);
  if (long !== undefined)
    refuse(`the bucket from ${isoDate(long.startEpochS)} is longer than a day`, "export daily or hourly totals");
  const served = buckets.filter(({ batch }) => !batch);
  if (served.length === 0) refuse("all usage went through the batch interface; there is no rate to serve at once");
  const days = wholeDays(served);
  if (days.length === 0) refuse("the export holds no whole day", "export a longer period");

  const counted = served.every(({ requests }) => requests !== null);
  if (counted && hint.requestsPerDay !== undefined)
    refuse("the export counts requests itself", "leave --requests-per-day out");
  const sum = (of: (day: Totals) => number): number => days.reduce((total, day) => total + of(day), 0);
  const input = sum((day) => day.input);
  const requests = counted ? sum((day) => day.requests) : requestsFromHint(hint, input, days.length);
  if (requests === null || !(requests > 0)) {
    throw new ConfigError([
      {
        path: ["--requests-per-day"],
        message: counted ? "the export counts no request" : "is needed: the export has tokens but counts no requests",
        hint: "or --input, the mean length of a prompt",
      },
    ]);
  }

  const size = (day: Totals): number => (counted ? day.requests : day.input + day.output);
  const trend =
    days.length < MIN_TREND_DAYS ? null : weeklyTrend(days.map((day) => ({ day: day.day, size: size(day) })));
  const meanPerDay = requests / days.length;
  const sure = trend !== null && trend.growth.sure;
  return {
    from: isoDate(days[0]!.day * DAY_S),
    to: isoDate(days[days.length - 1]!.day * DAY_S),
    days: days.length,
    requestsPerDay: sure ? meanPerDay * trend.endOverMean : meanPerDay,
    inputTokens: input / requests,
    outputTokens: sum((day) => day.output) / requests,
    growth: trend?.growth ?? null,
    weekday: trend?.weekday ?? null,
    hourOfWeek: hourlyProfile(served, size),
    cachedShare: input === 0 ? 0 : sum((day) => day.cached) / input,
    batchShare: 1 - tokensOf(served) / tokensOf(buckets),
    models: modelsOf(served),
  };
}

function requestsFromHint({ requestsPerDay, inputTokens }: SizeHint, input: number, days: number): number | null {
  if (requestsPerDay !== undefined) return requestsPerDay * days;
  return inputTokens === undefined ? null : input / inputTokens;
}

function modelsOf(served: readonly UsageBucket[]): string[] {
  const names = [...new Set(served.map(({ model }) => model).filter((model) => model !== ""))].sort();
  const tokens = new Map(names.map((name) => [name, tokensOf(served.filter(({ model }) => model === name))]));
  return names.sort((a, b) => tokens.get(b)! - tokens.get(a)!);
}

function tokensOf(buckets: readonly UsageBucket[]): number {
  return buckets.reduce((sum, { inputTokens, outputTokens }) => sum + inputTokens + outputTokens, 0);
}

/** Totals by day from the first to the last, days without a row being zero; a first or last day that is covered in part is left out. */
function wholeDays(buckets: readonly UsageBucket[]): Totals[] {
  const empty = (day: number): Totals => ({ day, requests: 0, input: 0, output: 0, cached: 0, coveredS: 0 });
  const byDay = new Map<number, Totals>();
  const seen = new Set<number>();
  for (const bucket of buckets) {
    const day = Math.floor(bucket.startEpochS / DAY_S);
    const totals = byDay.get(day) ?? empty(day);
    byDay.set(day, totals);
    totals.requests += bucket.requests ?? 0;
    totals.input += bucket.inputTokens;
    totals.output += bucket.outputTokens;
    totals.cached += bucket.cachedInputTokens;
    // Models stand beside each other in the same bucket of time.
    if (!seen.has(bucket.startEpochS)) totals.coveredS += bucket.endEpochS - bucket.startEpochS;
    seen.add(bucket.startEpochS);
  }
  const known = [...byDay.keys()];
  const first = known.reduce((a, b) => Math.min(a, b));
  const last = known.reduce((a, b) => Math.max(a, b));
  const days = Array.from({ length: last - first + 1 }, (_, i) => byDay.get(first + i) ?? empty(first + i));
  return days.filter((day, i) => (i > 0 && i < days.length - 1) || day.coveredS >= DAY_S);
}

/**
 * ln(size) = level of the weekday + slope × day, by least squares; days without usage stay out. The slope's error is
 * widened by √((1 + r)/(1 − r)) for residuals that follow each other with correlation r (first-order autoregression).
 */
function weeklyTrend(
  all: readonly { readonly day: number; readonly size: number }[],
): { growth: Growth; weekday: number[]; endOverMean: number } | null {
  const days = all.filter(({ size }) => size > 0);
  const groups: { day: number; y: number }[][] = Array.from({ length: WEEK_DAYS }, () => []);
  for (const { day, size } of days) groups[Math.floor(secondOfWeek(day * DAY_S) / DAY_S)]!.push({ day, y: log(size) });
  if (groups.some((group) => group.length < 2)) return null;
  // The levels of the weekdays drop out when each weekday's days are taken from their own mean.
  let xy = 0;
  let xx = 0;
  for (const group of groups) {
    const [x, y] = [mean(group.map((one) => one.day)), mean(group.map((one) => one.y))];
    for (const one of group) {
      xy += (one.day - x) * (one.y - y);
      xx += (one.day - x) * (one.day - x);
    }
  }
  const slope = xy / xx;
  const levels = groups.map((group) => mean(group.map(({ day, y }) => y - slope * day)));
  const weekdayOf = (day: number): number => Math.floor(secondOfWeek(day * DAY_S) / DAY_S);
  const residuals = days.map(({ day, size }) => log(size) - levels[weekdayOf(day)]! - slope * day);
  const squares = residuals.reduce((sum, r) => sum + r * r, 0);
  const products = residuals.slice(1).reduce((sum, r, i) => sum + r * residuals[i]!, 0);
  const following = squares === 0 ? 0 : Math.max(0, Math.min(0.9, products / squares));
  const freedom = days.length - WEEK_DAYS - 1;
  const error = Math.sqrt((squares / freedom / xx) * ((1 + following) / (1 - following)));
  const half = studentT95(freedom) * error;
  const perMonth = (perDay: number): number => exp((perDay * MONTH_S) / DAY_S) - 1;
  const factors = levels.map((level) => exp(level - mean(levels)));
  const weekMean = mean(factors);
  const last = days[days.length - 1]!.day;
  const trendMean = mean(all.map(({ day }) => exp(slope * (day - last))));
  return {
    growth: {
      perMonth: perMonth(slope),
      low: perMonth(slope - half),
      high: perMonth(slope + half),
      sure: slope - half > 0 || slope + half < 0,
    },
    weekday: factors.map((factor) => factor / weekMean),
    endOverMean: 1 / trendMean,
  };
}

/** From hourly buckets; null where they are longer or do not show every hour of the week twice. */
function hourlyProfile(buckets: readonly UsageBucket[], size: (totals: Totals) => number): number[] | null {
  if (buckets.some(({ startEpochS, endEpochS }) => endEpochS - startEpochS > HOUR_S)) return null;
  const byHour = new Map<number, number>();
  for (const { startEpochS, requests, inputTokens, outputTokens } of buckets) {
    const hour = Math.floor(startEpochS / HOUR_S);
    const one = { day: 0, requests: requests ?? 0, input: inputTokens, output: outputTokens, cached: 0, coveredS: 0 };
    byHour.set(hour, (byHour.get(hour) ?? 0) + size(one));
  }
  const known = [...byHour.keys()];
  const first = known.reduce((a, b) => Math.min(a, b));
  const last = known.reduce((a, b) => Math.max(a, b));
  const hours = Array.from({ length: last - first + 1 }, (_, i) => ({
    startEpochS: (first + i) * HOUR_S,
    count: byHour.get(first + i) ?? 0,
  }));
  const profile = seasonProfile(hours);
  return profile?.kind === "week" ? [...profile.hourOfWeek] : null;
}

/** A weekly profile with these weekdays, and within each day the shape that `shape` has on it; mean 1. */
export function weekWithShape(weekday: readonly number[], shape: readonly number[]): number[] {
  const factors = weekday.flatMap((level, day) => {
    const hours = shape.slice(day * 24, (day + 1) * 24);
    const dayMean = mean(hours);
    return hours.map((hour) => (level * hour) / dayMean);
  });
  const level = mean(factors);
  return factors.map((factor) => Number((factor / level).toFixed(5)));
}
