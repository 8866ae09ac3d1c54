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

/** Stretches of equal length; dispersion is taken within each, so that slower changes of the rate stay out of it. */
export interface Stretches {
  readonly startsS: readonly number[];
  readonly lengthS: number;
}

/**
 * Index of dispersion by window: sample variance (n − 1) ÷ mean of the counts in whole windows from the start of each
 * stretch, variances and means summed over the stretches. Null with fewer than ten windows in a stretch, or no arrival.
 */
export function dispersionCurve(
  arrivalS: Float64Array,
  { startsS, lengthS }: Stretches,
  windowsS: readonly number[] = DISPERSION_WINDOWS_S,
): (number | null)[] {
  return windowsS.map((windowS) => {
    const windows = Math.floor(lengthS / windowS);
    if (windows < MIN_WINDOWS) return null;
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
      for (const count of counts) squares += (count - mean) * (count - mean);
      variances += squares / (windows - 1);
      means += mean;
    }
    return means > 0 ? variances / means : null;
  });
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
