/** Lengths of the requests of a trace: quantiles, and how input and output go together. Tokens. */
import { mean, sampleCorrelation } from "simple-statistics";
import { quantile } from "../validate/metrics.ts";

/** Percentiles of a preset's table: dense in the upper tail, because a table without it overstates the mean. */
export const TABLE_PERCENTILES = [
  0, 0.5, 1, 2.5, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85, 90, 92.5, 95, 97.5, 99, 99.5, 99.9,
  99.95, 99.99, 99.999, 100,
] as const;

/** What `quantilesOf` reports; null of no values. */
export interface Quantiles {
  readonly mean: number;
  readonly p5: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export function quantilesOf(values: ArrayLike<number>): Quantiles | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const at = (q: number): number => quantile(sorted, q);
  return { mean: meanOf(sorted), p5: at(0.05), p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}

/** Values at `TABLE_PERCENTILES`, two decimals, and the mean of all. */
export function lengthTable(tokens: Uint32Array): { percentiles: number[]; tokens: number[]; meanTokens: number } {
  const sorted = Float64Array.from(tokens).sort();
  return {
    percentiles: [...TABLE_PERCENTILES],
    tokens: TABLE_PERCENTILES.map((percentile) => Number(quantile(sorted, percentile / 100).toFixed(2))),
    meanTokens: Number(meanOf(sorted).toFixed(3)),
  };
}

/** Spearman's rank correlation, ties sharing their mean rank; 0 where one of the two never changes. */
export function spearman(a: Uint32Array, b: Uint32Array): number {
  if (a.length < 2) return 0;
  const [x, y] = [ranks(a), ranks(b)];
  const correlation = sampleCorrelation(x, y);
  return Number.isFinite(correlation) ? correlation : 0;
}

function ranks(values: Uint32Array): number[] {
  // Few lengths are distinct, so that one look-up a row is far cheaper than sorting rows.
  const sorted = values.slice().sort();
  const rankOf = new Map<number, number>();
  for (let from = 0; from < sorted.length;) {
    let to = from + 1;
    while (to < sorted.length && sorted[to] === sorted[from]) to++;
    rankOf.set(sorted[from]!, (from + to - 1) / 2);
    from = to;
  }
  return Array.from(values, (value) => rankOf.get(value)!);
}

function meanOf(values: Float64Array): number {
  return mean(values as unknown as number[]);
}
