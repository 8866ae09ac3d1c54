/**
 * The deterministic part of a demand: mean rate × growth × hour of the week × calendar factors, and its integrals. Times
 * in seconds from the experiment's start, rates in requests per second.
 */
import type { ReplayTraffic, ResolvedTraffic, SyntheticTraffic } from "../scenario/resolved.ts";
import { DAY_S, HOUR_S, MONTH_S, secondOfWeek } from "../kernel/calendar-time.ts";
import { InvariantError } from "../kernel/errors.ts";
import { exp, log } from "../kernel/math.ts";
import { expectedShape, type RateShape } from "./rate-shape.ts";

const HOURS_PER_WEEK = 168;

/** What `rateAt` needs, prepared once per run. */
export interface RateCurve {
  readonly meanRatePerS: number;
  /** Growth exponent per second: continuous compounding, so that a month multiplies by 1 + growth. */
  readonly growthPerS: number;
  /** Factors by hour of the week, mean exactly 1; null = flat. */
  readonly hourOfWeek: Float64Array | null;
  readonly startEpochS: number;
  /** Wall clock, holidays, day levels and pulses; null = none of them. */
  readonly shape: RateShape | null;
}

/** Prepares the rate of `spec`, with what chance adds in `shape` or its mean if that is left out. Throws InvariantError on a rate below zero or a season that is not 168 factors ≥ 0 with a positive mean. */
export function rateCurve(
  spec: SyntheticTraffic,
  startEpochS: number,
  shape: RateShape | null = expectedShape(spec.factors, startEpochS),
): RateCurve {
  const { meanRatePerS, growthFractionPerMonth } = spec;
  if (!(meanRatePerS >= 0 && meanRatePerS < Infinity && growthFractionPerMonth > -1)) {
    throw new InvariantError("a rate is at least zero and shrinks by less than all", {
      meanRatePerS,
      growthFractionPerMonth,
    });
  }
  return {
    meanRatePerS,
    growthPerS: log(1 + growthFractionPerMonth) / MONTH_S,
    hourOfWeek: spec.hourOfWeek === null ? null : normalisedSeason(spec.hourOfWeek),
    startEpochS,
    shape,
  };
}

/** The weekly mean of the interpolated curve is the mean of its equidistant knots, which this makes 1. */
function normalisedSeason(factors: readonly number[]): Float64Array {
  let sum = 0;
  for (const factor of factors) sum += factor >= 0 ? factor : NaN;
  if (factors.length !== HOURS_PER_WEEK || !(sum > 0 && sum < Infinity)) {
    throw new InvariantError("a season has 168 factors of at least zero", { length: factors.length, sum });
  }
  return Float64Array.from(factors, (factor) => (factor * HOURS_PER_WEEK) / sum);
}

/** Seasonal factor at an instant: the factors stand at half past their hours, linear between, periodic over the week. */
export function seasonAt(factors: Float64Array, epochS: number): number {
  const position = secondOfWeek(epochS) / HOUR_S - 0.5;
  const before = Math.floor(position);
  const fraction = position - before;
  const left = factors[before < 0 ? HOURS_PER_WEEK - 1 : before]!;
  const right = factors[before === HOURS_PER_WEEK - 1 ? 0 : before + 1]!;
  return left + (right - left) * fraction;
}

/** Expected rate at `timeS`, requests per second. */
export function rateAt(curve: RateCurve, timeS: number): number {
  const shape = curve.shape;
  const localS = curve.startEpochS + timeS + (shape === null ? 0 : shape.offsetAt(timeS));
  const season = curve.hourOfWeek === null ? 1 : seasonAt(curve.hourOfWeek, localS);
  const rate = curve.meanRatePerS * season * (curve.growthPerS === 0 ? 1 : exp(curve.growthPerS * timeS));
  return shape === null ? rate : rate * shape.factorAt(timeS, localS);
}

/**
 * Requests expected in [fromS, toS): the integral of the deterministic rate, or the recorded arrivals of a replay.
 * Simpson's rule between the kinks of the season: exact for the linear season, and growth bends by 1e-8 in an hour.
 * Minute by minute if there are calendar factors, which step at local midnights and rise in minutes.
 */
export function expectedRequests(traffic: ResolvedTraffic, startEpochS: number, fromS: number, toS: number): number {
  if (traffic.kind === "replay") return countBefore(traffic, toS) - countBefore(traffic, fromS);
  const curve = rateCurve(traffic, startEpochS);
  let requests = 0;
  const [stepS, phase] = curve.shape === null ? [HOUR_S, 0.5] : [60, 0];
  for (let leftS = fromS; leftS < toS;) {
    // The next half past of the clock, where the season has its kinks; or the next minute.
    const kinkS = (Math.floor((startEpochS + leftS) / stepS - phase) + 1 + phase) * stepS - startEpochS;
    const rightS = Math.min(toS, kinkS > leftS ? kinkS : kinkS + stepS);
    const middleS = 0.5 * (leftS + rightS);
    requests += ((rightS - leftS) / 6) * (rateAt(curve, leftS) + 4 * rateAt(curve, middleS) + rateAt(curve, rightS));
    leftS = rightS;
  }
  return requests;
}

/** Arrivals before `timeS`, by bisection. */
export function countBefore(traffic: ReplayTraffic, timeS: number): number {
  let low = 0;
  let high = traffic.arrivalS.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (traffic.arrivalS[middle]! < timeS) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface DemandDay {
  readonly fromS: number;
  readonly toS: number;
  readonly expectedRequests: number;
}

/**
 * The `count` days with the highest expected demand, highest first, ties to the earlier. Days are 24 h from t = 0; a
 * last part of a day counts with what it holds. A fleet sized for these days is large enough for the rest.
 */
export function peakDays(traffic: ResolvedTraffic, startEpochS: number, horizonS: number, count: number): DemandDay[] {
  const days: DemandDay[] = [];
  for (let fromS = 0; fromS < horizonS; fromS += DAY_S) {
    const toS = Math.min(fromS + DAY_S, horizonS);
    days.push({ fromS, toS, expectedRequests: expectedRequests(traffic, startEpochS, fromS, toS) });
  }
  return days.sort((a, b) => b.expectedRequests - a.expectedRequests || a.fromS - b.fromS).slice(0, count);
}
