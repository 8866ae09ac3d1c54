/**
 * How uneven arrivals are: the index of dispersion, variance ÷ mean of the counts in windows of one length. A Poisson
 * process has 1 at every length; a rate that moves makes it grow with the window. Times in seconds, rising.
 */
import type { Draw } from "../../kernel/random.ts";
import { openUniform } from "../../kernel/samplers.ts";
import { quantile } from "../validate/metrics.ts";

/** Window lengths that are reported, seconds. */
export const DISPERSION_WINDOWS_S = [1, 5, 10, 30, 60, 120, 240] as const;
/** With fewer windows the estimate says nothing. */
const MIN_WINDOWS = 10;
/** Three years of seconds: more would not fit into memory. */
const MAX_WINDOWS = 100_000_000;

/** Stretches of equal length; dispersion is taken within each, so that slower changes of the rate stay out of it. */
export interface Stretches {
  readonly startsS: readonly number[];
  readonly lengthS: number;
}

/**
 * Index of dispersion by window: sample variance (n − 1) ÷ mean of the counts in whole windows from the start of each
 * stretch, variances and means summed over the stretches. Null with fewer than ten windows in a stretch, too many to count, or no arrival.
 * About a ramp, the variance is that about each stretch's own straight line (n − 2).
 */
export function dispersionCurve(
  arrivalS: Float64Array,
  { startsS, lengthS }: Stretches,
  windowsS: readonly number[] = DISPERSION_WINDOWS_S,
  about: "mean" | "ramp" = "mean",
): (number | null)[] {
  return windowsS.map((windowS) => {
    const windows = Math.floor(lengthS / windowS);
    if (windows < MIN_WINDOWS || windows > MAX_WINDOWS) return null;
    const counts = new Float64Array(windows);
    let variances = 0;
    let means = 0;
    for (const startS of startsS) {
      counts.fill(0);
      const endS = startS + windows * windowS;
      for (let i = firstFrom(arrivalS, startS); i < arrivalS.length && arrivalS[i]! < endS; i++) {
        counts[Math.min(windows - 1, Math.floor((arrivalS[i]! - startS) / windowS))]!++;
      }
      let sum = 0;
      for (const count of counts) sum += count;
      const mean = sum / windows;
      let squares = 0;
      let slope = 0;
      counts.forEach((count, k) => {
        squares += (count - mean) * (count - mean);
        slope += (k - (windows - 1) / 2) * count;
      });
      // Σ(k − (n − 1)/2)² = n(n² − 1)/12.
      const ramp = (12 * slope * slope) / (windows * (windows * windows - 1));
      variances += about === "mean" ? squares / (windows - 1) : (squares - ramp) / (windows - 2);
      means += mean;
    }
    return means > 0 ? variances / means : null;
  });
}

/** Straight lines through the rate, one a stretch. */
export interface Ramps {
  /** By stretch: rate at the end less that at the start, ÷ the mean; 0 without arrivals. */
  readonly changes: readonly number[];
  /** Variance ÷ mean of the ramps' part of the counts: 1 for a Poisson process of even rate. */
  readonly index: number;
}

/** Each arrival counts √12 (place − ½), place from 0 to 1 through its stretch, which has variance 1 over even arrivals. */
export function rampsOf(arrivalS: Float64Array, { startsS, lengthS }: Stretches): Ramps {
  let [squares, arrivals] = [0, 0];
  const changes = startsS.map((startS) => {
    const [from, to] = [firstFrom(arrivalS, startS), firstFrom(arrivalS, startS + lengthS)];
    let sum = 0;
    for (let i = from; i < to; i++) sum += Math.sqrt(12) * ((arrivalS[i]! - startS) / lengthS - 0.5);
    squares += sum * sum;
    arrivals += to - from;
    return to === from ? 0 : (Math.sqrt(12) * sum) / (to - from);
  });
  return { changes, index: arrivals === 0 ? 0 : squares / arrivals };
}

/** The whole record as one stretch. */
export function wholeRecord(arrivalS: Float64Array): Stretches {
  return { startsS: [arrivalS[0] ?? 0], lengthS: spanOf(arrivalS) };
}

export function spanOf(arrivalS: Float64Array): number {
  return arrivalS.length === 0 ? 0 : arrivalS[arrivalS.length - 1]! - arrivalS[0]!;
}

/** Index of the first arrival at or after `timeS`, by bisection. */
export function firstFrom(arrivalS: Float64Array, timeS: number): number {
  let low = 0;
  let high = arrivalS.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (arrivalS[middle]! < timeS) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** More gaps of zero than this, and positive gaps as even as below, are a clock's and not the requests'. */
const GRID_ZERO_SHARE = 0.2;
const GRID_SPREAD = 0.1;

/** Step of a clock that is coarser than the arrivals, seconds; null where the times look continuous. */
export function clockStepS(arrivalS: Float64Array): number | null {
  const gaps: number[] = [];
  for (let i = 1; i < arrivalS.length; i++) {
    const gap = arrivalS[i]! - arrivalS[i - 1]!;
    if (gap > 0) gaps.push(gap);
  }
  if (gaps.length === 0 || 1 - gaps.length / (arrivalS.length - 1) <= GRID_ZERO_SHARE) return null;
  gaps.sort((a, b) => a - b);
  const median = quantile(gaps, 0.5);
  return (quantile(gaps, 0.95) - quantile(gaps, 0.05)) / median < GRID_SPREAD ? median : null;
}

/** Arrivals spread evenly over the step of the clock that rounded them, in order again. */
export function spreadOverStep(arrivalS: Float64Array, stepS: number, draw: Draw): Float64Array {
  return arrivalS.map((timeS) => timeS + stepS * openUniform(draw)).sort();
}
