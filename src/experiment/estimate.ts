/** Intervals over independent replications. */
import { mean, sampleStandardDeviation } from "simple-statistics";
import { InvariantError } from "../kernel/errors.ts";
import type { ResolvedStrategy } from "../scenario/resolved.ts";
import type { Estimate } from "./findings.ts";

/** Two-sided 95 % quantiles of Student's t, 1 to 30 degrees of freedom (simple-statistics has none). */
const T95 = [
  12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912, 2.364624, 2.306004, 2.262157, 2.228139, 2.200985,
  2.178813, 2.160369, 2.144787, 2.13145, 2.119905, 2.109816, 2.100922, 2.093024, 2.085963, 2.079614, 2.073873, 2.068658,
  2.063899, 2.059539, 2.055529, 2.05183, 2.048407, 2.04523, 2.042272,
];
const Z95 = 1.959963984540054;

/** t quantile for any degrees of freedom ≥ 1; beyond the table by the expansion in 1/df, right to 1e-6. */
export function studentT95(degreesOfFreedom: number): number {
  if (degreesOfFreedom <= T95.length) return T95[degreesOfFreedom - 1]!;
  const z2 = Z95 * Z95;
  const d = degreesOfFreedom;
  return Z95 * (1 + (z2 + 1) / (4 * d) + ((5 * z2 + 16) * z2 + 3) / (96 * d * d));
}

/** Mean with its 95 % interval; values that are not finite (nothing to measure or to divide by in that replication) are left out. Null if none is left. */
export function estimateOrNull(values: readonly number[]): Estimate | null {
  const known = values.filter((value) => Number.isFinite(value));
  if (known.length === 0) return null;
  const middle = mean(known);
  if (known.length === 1) return { mean: middle, lo: null, hi: null, n: 1 };
  const half = (studentT95(known.length - 1) * sampleStandardDeviation(known)) / Math.sqrt(known.length);
  return { mean: middle, lo: middle - half, hi: middle + half, n: known.length };
}

/**
 * Ratio of the sums of `parts` and `wholes`, one of each a replication: what all of it cost by all of what it bought. A replication with a
 * whole of zero counts, unlike in a mean of ratios, and the ratio of sums is that of the means, without the bias of the mean of
 * ratios. The 95 % interval is that of the residuals part − ratio × whole over their mean whole (delta method; Cochran 1977, Sampling
 * Techniques, 6.4), Student-t. Null where a part is not known or nothing is bought in any replication.
 */
export function ratioOrNull(parts: readonly number[], wholes: readonly number[]): Estimate | null {
  const n = parts.length;
  if (!parts.every((part) => Number.isFinite(part)) || n === 0) return null;
  const meanWhole = mean([...wholes]);
  if (!(meanWhole > 0)) return null;
  const ratio = mean([...parts]) / meanWhole;
  if (n === 1) return { mean: ratio, lo: null, hi: null, n };
  const residuals = parts.map((part, r) => part - ratio * wholes[r]!);
  const half = (studentT95(n - 1) * sampleStandardDeviation(residuals)) / (Math.sqrt(n) * meanWhole);
  return { mean: ratio, lo: ratio - half, hi: ratio + half, n };
}

/**
 * `findings` with each interval that of a run instead of the mean over runs: as wide as if there had been one replication with the
 * spread of all. For what all replications may be wrong about together, which more of them must not make sure.
 */
export function intervalsOfARun<T>(findings: T): T {
  if (Array.isArray(findings)) return findings.map((one: unknown) => intervalsOfARun(one)) as T;
  if (typeof findings !== "object" || findings === null) return findings;
  if (isEstimate(findings)) {
    const { mean: middle, lo, hi, n } = findings;
    if (lo === null || hi === null) return findings;
    const wider = Math.sqrt(n);
    return { ...findings, lo: middle - (middle - lo) * wider, hi: middle + (hi - middle) * wider };
  }
  return Object.fromEntries(Object.entries(findings).map(([key, value]) => [key, intervalsOfARun(value)])) as T;
}

/**
 * `findings` on one strategy, or on the paired difference of two, with the intervals that their doubt asks for: those of a run
 * where errors of the step-time model are drawn for any of them. A replication draws one error for each coefficient set, which all
 * its strategies share, so that a paired difference holds as much of it as does not cancel. In truth the error is one such draw.
 */
export function withDoubtOf<T>(strategies: readonly Pick<ResolvedStrategy, "pools">[], findings: T): T {
  const drawn = strategies.some(({ pools }) => pools.some(({ stepTimeError }) => stepTimeError !== null));
  return drawn ? intervalsOfARun(findings) : findings;
}

function isEstimate(value: object): value is Estimate {
  return "mean" in value && "lo" in value && "hi" in value && "n" in value;
}

/**
 * The interval of a quantity that has bounds, cut at them: with two replications Student's t reaches far beyond, and what is cut off
 * cannot be, so that the confidence stays. (An interval of the logarithm would be another statement, and has no place for a zero.)
 */
export function within(estimate: Estimate, least: number, most: number): Estimate {
  const { lo, hi } = estimate;
  return lo === null || hi === null ? estimate : { ...estimate, lo: Math.max(least, lo), hi: Math.min(most, hi) };
}

/** As `estimateOrNull` for what every run knows: counts, hours, tokens. Throws an InvariantError without any. */
export function estimate(values: readonly number[]): Estimate {
  const known = estimateOrNull(values);
  if (known === null) throw new InvariantError("INV-12", { values: values.join(", ") });
  return known;
}
