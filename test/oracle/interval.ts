/** Student-t intervals over independent replications, with the power check that every theorem is tested under. */
import { expect } from "vitest";

/** Two-sided 99.9 % points of Student's t by number of replications (degrees of freedom one less; standard tables). */
const T_999: Readonly<Record<number, number>> = { 10: 4.781, 20: 3.883, 30: 3.659, 40: 3.558 };

export interface Interval {
  readonly mean: number;
  readonly halfWidth: number;
}

/** 99.9 % interval of the mean; the number of samples must be one of the table's. */
export function interval(samples: readonly number[]): Interval {
  const n = samples.length;
  const t = T_999[n];
  if (t === undefined) throw new RangeError(`no t quantile for ${n} replications`);
  const mean = samples.reduce((sum, x) => sum + x, 0) / n;
  const variance = samples.reduce((sum, x) => sum + (x - mean) * (x - mean), 0) / (n - 1);
  return { mean, halfWidth: t * Math.sqrt(variance / n) };
}

/**
 * The mean of the samples is `theory` within its interval, and the interval is narrow enough to have told otherwise:
 * half-width below `power` of the value. `bias` bounds what the model is known to be off, relative to the value.
 */
export function expectTheory(samples: readonly number[], theory: number, power = 0.1, bias = 0): void {
  const { mean, halfWidth } = interval(samples);
  expect(halfWidth / theory, "power: half-width ÷ value").toBeLessThan(power);
  expect(Math.abs(mean - theory), `mean ${mean} against ${theory}`).toBeLessThan(halfWidth + bias * theory);
}
