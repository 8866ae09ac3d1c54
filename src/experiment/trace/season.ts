/** The weekly profile of a trace, as far as its span shows one. Hours in UTC. */
import { mean } from "simple-statistics";
import { DAY_S, HOUR_S, hourOfWeek } from "../../kernel/calendar-time.ts";
import { firstFrom, spanOf } from "./dispersion.ts";

/** `week`: every hour of the week was seen at least twice. `day`: every hour of the day was, weekdays are not told apart. */
export interface SeasonProfile {
  readonly kind: "week" | "day";
  /** Rate ÷ mean rate by hour of the week from Monday 00:00 UTC, mean 1. */
  readonly hourOfWeek: readonly number[];
  /** How often the rarest hour was seen whole. */
  readonly observations: number;
  /** Mean over a whole week, which the raw mean of a part of a week is not. */
  readonly meanRatePerS: number;
}

const HOURS = 168;
const MIN_OBSERVATIONS = 2;

/** Requests of each whole clock hour, and the hour's start. `epochS`: Unix time of t = 0. */
export function hourlyCounts(arrivalS: Float64Array, epochS: number): { startEpochS: number; count: number }[] {
  const endS = epochS + (arrivalS[0] ?? 0) + spanOf(arrivalS);
  const hours: { startEpochS: number; count: number }[] = [];
  const first = Math.ceil((epochS + (arrivalS[0] ?? 0)) / HOUR_S) * HOUR_S;
  for (let startEpochS = first; startEpochS + HOUR_S <= endS; startEpochS += HOUR_S) {
    const fromS = startEpochS - epochS;
    hours.push({ startEpochS, count: firstFrom(arrivalS, fromS + HOUR_S) - firstFrom(arrivalS, fromS) });
  }
  return hours;
}

/** Null where not even every hour of the day was seen twice, or nothing came. */
export function seasonProfile(hours: readonly { startEpochS: number; count: number }[]): SeasonProfile | null {
  for (const kind of ["week", "day"] as const) {
    const slots = kind === "week" ? HOURS : DAY_S / HOUR_S;
    const seen: number[][] = Array.from({ length: slots }, () => []);
    for (const { startEpochS, count } of hours) seen[hourOfWeek(startEpochS) % slots]!.push(count);
    const observations = Math.min(...seen.map((counts) => counts.length));
    if (observations < MIN_OBSERVATIONS) continue;
    const means = seen.map((counts) => mean(counts));
    const level = mean(means);
    if (!(level > 0)) return null;
    const factors = Array.from({ length: HOURS }, (_, hour) => Number((means[hour % slots]! / level).toFixed(5)));
    return { kind, hourOfWeek: factors, observations, meanRatePerS: level / HOUR_S };
  }
  return null;
}
