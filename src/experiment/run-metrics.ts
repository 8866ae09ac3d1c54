/**
 * The figures by which runs are compared, each a number of one run; intervals over replications are put on them elsewhere.
 * Times in ms; percentiles come from a sketch of 1 % relative error.
 */
import { Sketch } from "../kernel/sketch.ts";
import { gpusPerReplica } from "../engine/parallelism.ts";
import type { ClassResult, PoolResult } from "../outcome/run-result.ts";
import { attainment } from "../outcome/recorder.ts";
import type { ResolvedStrategy, Slo } from "../scenario/resolved.ts";
import { hasTarget } from "../scenario/slo.ts";
import { P99_SAMPLES } from "./summarise.ts";

export type Unit = "ms" | "1/s" | "tokens/s" | "fraction" | "count" | "ratio" | "USD";

const LATENCIES = [
  ["ttft", "ttftS"],
  ["tpot", "tpotS"],
  ["itl", "itlS"],
  ["e2e", "e2eS"],
] as const;
const QUANTILES = [
  ["P50", 0.5],
  ["P95", 0.95],
  ["P99", 0.99],
] as const;

/** A figure of one run: NaN where there is nothing to form it from. */
export interface Metric<T> {
  readonly metric: string;
  readonly unit: Unit;
  readonly of: (result: T) => number;
}

/** Over the requests of these classes, merged. */
export function metricsOfClasses(horizonS: number, classes: readonly { readonly slo: Slo }[]): Metric<ClassResult>[] {
  const targeted = classes.some(({ slo }) => hasTarget(slo));
  return [
    ...LATENCIES.flatMap(([name, key]): Metric<ClassResult>[] => [
      { metric: `${name}Mean`, unit: "ms", of: (result) => Sketch.fromPlain(result[key]).mean() * 1000 },
      ...QUANTILES.map(([label, q]): Metric<ClassResult> => ({
        metric: `${name}${label}`,
        unit: "ms",
        of: (result) => quantileMs(result[key], q),
      })),
    ]),
    { metric: "sloAttainment", unit: "fraction", of: ({ totals }) => (targeted ? attainment(totals) : NaN) },
    // What came out after the warm-up, whenever it was sent: as many may be waiting at the end as had been at its start.
    { metric: "goodput", unit: "1/s", of: ({ totals }) => (totals.sloMet + totals.earlierMet) / horizonS },
    { metric: "completed", unit: "1/s", of: ({ totals }) => (totals.completed + totals.earlierCompleted) / horizonS },
    {
      metric: "outputTokens",
      unit: "tokens/s",
      of: ({ totals }) => (totals.outputTokens + totals.earlierOutputTokens) / horizonS,
    },
    {
      metric: "unanswered",
      unit: "count",
      of: ({ totals }) => totals.rejected + totals.timedOut + totals.failed,
    },
  ];
}

/** GPUs that serve, warm ones left out: of pools with `replicas: auto` their number differs between strategies. */
export function servingGpus({ pools }: Pick<ResolvedStrategy, "pools">, results: readonly PoolResult[]): number {
  return results.reduce((sum, { replicas }, p) => sum + replicas * gpusPerReplica(pools[p]!.engine), 0);
}

/** Over all pools of a strategy; fractions of serving time are weighted by it. NaN without a pool that served. */
export const POOL_METRICS: readonly Metric<readonly PoolResult[]>[] = [
  {
    metric: "preemptions",
    unit: "count",
    of: (pools) => (pools.length === 0 ? NaN : pools.reduce((sum, pool) => sum + pool.preemptions, 0)),
  },
  ...(["busyFraction", "occupancyFraction", "kvFraction"] as const).map((metric): Metric<readonly PoolResult[]> => ({
    metric,
    unit: "fraction",
    of: (pools) => {
      const served = pools.filter(({ busyH, idleH }) => busyH + idleH > 0);
      const servingH = served.map(({ busyH, idleH }) => busyH + idleH);
      const weighted = served.reduce((sum, pool, p) => sum + pool[metric] * servingH[p]!, 0);
      return weighted / servingH.reduce((sum, hours) => sum + hours, 0);
    },
  })),
];

/** Where some pool looks for cached prompts, or drafts: what came of it, over the pools that do, weighted by their answers. */
export function reuseMetrics(strategies: readonly Pick<ResolvedStrategy, "pools">[]): Metric<readonly PoolResult[]>[] {
  const pools = strategies.flatMap((strategy) => strategy.pools);
  const of = (metric: "prefixHitFraction" | "draftAcceptedFraction"): Metric<readonly PoolResult[]> => ({
    metric,
    unit: "fraction",
    of: (results) => {
      const known = results.filter((result) => Number.isFinite(result[metric]));
      const answers = known.map(({ completedByClass }) => completedByClass.reduce((sum, count) => sum + count, 0));
      const weighted = known.reduce((sum, result, p) => sum + result[metric] * answers[p]!, 0);
      return weighted / answers.reduce((sum, count) => sum + count, 0);
    },
  });
  return [
    ...(pools.some(({ scheduler }) => scheduler.prefixCache !== null) ? [of("prefixHitFraction")] : []),
    ...(pools.some(({ scheduler }) => scheduler.speculative !== null) ? [of("draftAcceptedFraction")] : []),
  ];
}

/**
 * How alike the classes are served; for two or more of them.
 *   fairnessIndex  Jain's index (Σx)² ÷ (n·Σx²) over x = requests completed within the SLO ÷ sent (Jain, Chiu and Hawe 1984,
 *                  DEC-TR-301): 1 where all classes fare alike, well or badly, 1/n where one gets everything. NaN where none does.
 *   ttftP99Ratio   the largest P99 time to first token of a class ÷ the smallest.
 */
export const FAIRNESS_METRICS: readonly Metric<readonly ClassResult[]>[] = [
  {
    metric: "fairnessIndex",
    unit: "ratio",
    of: (classes) => jainIndex(classes.map(({ totals }) => totals.sloMet / totals.sent)),
  },
  {
    metric: "ttftP99Ratio",
    unit: "ratio",
    of: (classes) => {
      const p99s = classes.map(({ ttftS }) => quantileMs(ttftS, 0.99));
      return Math.max(...p99s) / Math.min(...p99s);
    },
  },
];

/** (Σx)² ÷ (n·Σx²) of shares that are not negative; NaN where all are zero or one is unknown. */
export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return (sum * sum) / (shares.length * squares);
}

/** NaN without samples, and for a P99 of fewer than 1,000. */
function quantileMs(plain: ClassResult["ttftS"], q: number): number {
  const sketch = Sketch.fromPlain(plain);
  return q === 0.99 && sketch.samples() < P99_SAMPLES ? NaN : sketch.quantile(q) * 1000;
}
