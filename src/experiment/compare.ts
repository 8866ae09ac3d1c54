/**
 * Strategies side by side on the same traffic and the same luck: for each figure the differences of the replications that
 * both finished, other minus baseline, with their 95 % Student-t interval; that of a run where errors of the step-time model are
 * drawn (`withDoubtOf`). Money only where every pool has a price. Times in ms; percentiles are midpoints of a sketch's buckets (SK-1), so that intervals
 * of their differences hold that error too. Each interval stands for its figure alone: of many that do not differ, one in twenty seems to.
 */
import { mean } from "simple-statistics";
import type { ResolvedExperiment, ResolvedStrategy } from "../scenario/resolved.ts";
import { estimateOrNull, within, withDoubtOf } from "./estimate.ts";
import type { Estimate } from "./findings.ts";
import type { RunOutcome } from "./run-one.ts";
import {
  type Metric,
  type Unit,
  FAIRNESS_METRICS,
  metricsOfClasses,
  POOL_METRICS,
  reuseMetrics,
  servingGpus,
} from "./run-metrics.ts";
import { mergeClasses } from "./merge-classes.ts";
import { isPriced, usdPerMonth } from "./summarise.ts";
import type { RunResult } from "../outcome/run-result.ts";

export interface PairedDifference {
  /** ttftMean, itlP99, goodput … */
  readonly metric: string;
  readonly unit: Unit;
  /** Null: all classes together, or the pools. */
  readonly className: string | null;
  /** Over the paired replications; null where a figure can't be formed (no samples, a P99 of fewer than 1,000). */
  readonly baseline: Estimate | null;
  readonly other: Estimate | null;
  /** Other minus baseline. */
  readonly difference: Estimate | null;
  /** The interval leaves out zero; null without an interval. */
  readonly separable: boolean | null;
}

export interface Comparison {
  readonly baseline: string;
  readonly other: string;
  /** Replications that both finished. */
  readonly pairs: number;
  readonly rows: readonly PairedDifference[];
}

/** Every strategy of the experiment against its first. `outcomes` by strategy index, in any number of replications. */
export function compareStrategies(
  experiment: ResolvedExperiment,
  outcomes: readonly (readonly RunOutcome[])[],
): Comparison[] {
  const { strategies } = experiment;
  return strategies.slice(1).map((other, i): Comparison => {
    const pairs = outcomes[0]!.flatMap(({ run }) => {
      const match = outcomes[i + 1]!.find((candidate) => candidate.run.replication === run.replication);
      return match === undefined ? [] : [[run, match.run] as const];
    });
    const { classes, horizonS } = experiment;
    const classMetrics = metricsOfClasses(horizonS, classes);
    // Equal percentiles of unequal runs may lie a bucket apart.
    const identical = pairs.every(([a, b]) => JSON.stringify(a.classes) === JSON.stringify(b.classes));
    const rows = <T>(className: string | null, metrics: readonly Metric<T>[], results: readonly (readonly [T, T])[]) =>
      metrics.map((metric) => pairedDifference(metric, className, [strategies[0]!, other], results, identical));
    const all = pairs.map(([a, b]) => [mergeClasses(a.classes), mergeClasses(b.classes)] as const);
    return {
      baseline: strategies[0]!.name,
      other: other.name,
      pairs: pairs.length,
      rows: [
        ...rows(null, classMetrics, all),
        ...rows(
          null,
          [{ metric: "gpus", unit: "count", of: (gpus: number) => gpus }],
          pairs.map(([a, b]) => [servingGpus(strategies[0]!, a.pools), servingGpus(other, b.pools)] as const),
        ),
        ...rows(null, isPriced(experiment) ? [costOf(experiment)] : [], pairs),
        ...rows(
          null,
          [...POOL_METRICS, ...reuseMetrics(strategies)],
          pairs.map(([a, b]) => [a.pools, b.pools] as const),
        ),
        ...(classes.length === 1
          ? []
          : rows(
              null,
              FAIRNESS_METRICS,
              pairs.map(([a, b]) => [a.classes, b.classes] as const),
            )),
        ...(classes.length === 1
          ? []
          : classes.flatMap((one, c) =>
              rows(
                one.name,
                metricsOfClasses(horizonS, [one]),
                pairs.map(([a, b]) => [a.classes[c]!, b.classes[c]!] as const),
              ),
            )),
      ],
    };
  });
}

function costOf(experiment: ResolvedExperiment): Metric<RunResult> {
  return { metric: "usdPerMonth", unit: "USD", of: (run) => usdPerMonth(experiment, run, null) };
}

/** How far a percentile may lie from its order statistic, SK-1. */
const SKETCH_ERROR = 1 / 128;

/** Whether a figure of milliseconds is read from a sketch's buckets. */
function isPercentile(metric: string): boolean {
  return /P\d+$/.test(metric);
}

function widened(estimate: Estimate, by: number): Estimate {
  if (estimate.lo === null || estimate.hi === null) return estimate;
  return { ...estimate, lo: estimate.lo - by, hi: estimate.hi + by };
}

function pairedDifference<T>(
  { metric, unit, of }: Metric<T>,
  className: string | null,
  [first, second]: readonly [ResolvedStrategy, ResolvedStrategy],
  results: readonly (readonly [T, T])[],
  identical: boolean,
): PairedDifference {
  const values = results
    .map(([a, b]) => [of(a), of(b)] as const)
    .filter((pair) => pair.every((value) => Number.isFinite(value)));
  // A P99 that some replications can't give is given by none: those that can are the busy ones.
  const known = metric.includes("P99") && values.length < results.length ? [] : values;
  const most = unit === "fraction" ? 1 : Infinity;
  const differed = differenceOf(metric, [first, second], known, identical);
  const difference = differed === null ? null : within(differed, -most, most);
  const estimateOf = (strategy: ResolvedStrategy, figures: readonly number[]): Estimate | null => {
    const exact = withDoubtOf([strategy], estimateOrNull(figures));
    if (exact === null) return null;
    return within(isPercentile(metric) ? widened(exact, SKETCH_ERROR * exact.mean) : exact, 0, most);
  };
  // What one of the two has not at all, such as a prefix cache, the other shows alone.
  const alone = values.length === 0 && !metric.includes("P99");
  const valuesOf = (side: 0 | 1): number[] =>
    alone ? results.map((pair) => of(pair[side])) : known.map((pair) => pair[side]);
  return {
    metric,
    unit,
    className,
    baseline: estimateOf(first, valuesOf(0)),
    other: estimateOf(second, valuesOf(1)),
    difference,
    separable: isSeparable(difference),
  };
}

/**
 * The second minus the first over pairs of one figure of two strategies, each pair from one replication. Null without a pair. Percentiles of runs
 * that are not `identical` hold the width of a bucket on both sides.
 */
export function differenceOf(
  metric: string,
  strategies: readonly [ResolvedStrategy, ResolvedStrategy],
  pairs: readonly (readonly [number, number])[],
  identical = false,
): Estimate | null {
  const exact = withDoubtOf(strategies, estimateOrNull(pairs.map(([a, b]) => b - a)));
  if (exact === null || !isPercentile(metric) || identical) return exact;
  return widened(exact, SKETCH_ERROR * mean(pairs.map(([a, b]) => a + b)));
}

/** Does the interval leave out zero? Null without an interval. */
export function isSeparable(difference: Estimate | null): boolean | null {
  if (difference === null || difference.lo === null || difference.hi === null) return null;
  return difference.lo > 0 || difference.hi < 0;
}
