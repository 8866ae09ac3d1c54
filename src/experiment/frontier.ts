/**
 * Strategies over a range of request rates: how far each goes and at what latency. Every strategy meets the same streams at
 * each rate, so that within a rate all differences are paired. Times in ms; each interval stands for its figure alone, and is
 * that of a run where errors of the step-time model are drawn (`withDoubtOf`).
 */
import { backlog, isOverloaded } from "./backlog.ts";
import type { ClassResult, RunResult } from "../outcome/run-result.ts";
import type { ResolvedExperiment } from "../scenario/resolved.ts";
import { differenceOf, isSeparable } from "./compare.ts";
import { estimateOrNull, withDoubtOf } from "./estimate.ts";
import type { Estimate } from "./findings.ts";
import { type Metric, type Unit, FAIRNESS_METRICS, metricsOfClasses, servingGpus } from "./run-metrics.ts";
import type { RunOutcome } from "./run-one.ts";
import { mergeClasses } from "./merge-classes.ts";

export interface FrontierMetric {
  /** completed, goodput, ttftP99 … */
  readonly metric: string;
  readonly unit: Unit;
  readonly better: "higher" | "lower";
}

/** By metric; null where a figure can't be formed (no samples, a P99 of fewer than 1,000). */
export type Figures = Readonly<Record<string, Estimate | null>>;

export interface FrontierPoint {
  readonly ratePerS: number;
  readonly strategy: string;
  readonly replications: number;
  /** That serve. */
  readonly gpus: number;
  readonly figures: Figures;
  /** In the order of the experiment. */
  readonly classes: readonly { readonly name: string; readonly figures: Figures }[];
  /** Of the requests sent, those left without an answer beyond what a steady queue holds. */
  readonly backlogFraction: Estimate | null;
  /** The backlog grows: latencies depend on how long one looks, and count only those that got through. */
  readonly overloaded: boolean;
}

/** The best of a rate and the next one, where their paired differences leave out zero. Overloaded latencies do not compete. */
export interface FrontierBest {
  readonly metric: string;
  readonly ratePerS: number;
  readonly strategy: string;
  readonly runnerUp: string;
}

export interface Frontier {
  readonly rates: readonly number[];
  readonly strategies: readonly string[];
  readonly classes: readonly string[];
  readonly metrics: readonly FrontierMetric[];
  /** By rate, then by strategy. */
  readonly points: readonly FrontierPoint[];
  readonly best: readonly FrontierBest[];
}

const SHOWN = [
  "goodput",
  "completed",
  "sloAttainment",
  "ttftP50",
  "ttftP99",
  "tpotP50",
  "tpotP99",
  "e2eP50",
  "e2eP99",
] as const;
const OF_CLASSES: readonly string[] = ["sloAttainment", "ttftP50", "ttftP99"];
const HIGHER_IS_BETTER: readonly string[] = ["goodput", "completed", "sloAttainment", "fairnessIndex"];

/** `columns` by rate: what `outcomesAt` made of each. */
export function frontierOf(
  experiment: ResolvedExperiment,
  columns: readonly Pick<Frontier, "points" | "best">[],
): Frontier {
  return {
    rates: columns.flatMap(({ points }) => (points.length === 0 ? [] : [points[0]!.ratePerS])),
    strategies: experiment.strategies.map(({ name }) => name),
    classes: experiment.classes.map(({ name }) => name),
    metrics: metricsOf(experiment).map(({ metric, unit }) => ({ metric, unit, better: direction(metric) })),
    points: columns.flatMap(({ points }) => points),
    best: columns.flatMap(({ best }) => best),
  };
}

/** One rate, `experiment` being simulated at it. `outcomes` by strategy index, in any number of replications. */
export function frontierAt(
  experiment: ResolvedExperiment,
  ratePerS: number,
  outcomes: readonly (readonly RunOutcome[])[],
): Pick<Frontier, "points" | "best"> {
  const metrics = metricsOf(experiment);
  const ofClasses = experiment.classes.map((one) =>
    metricsOfClasses(experiment.horizonS, [one]).filter(({ metric }) => OF_CLASSES.includes(metric)),
  );
  const runs = outcomes.map((ofStrategy) => ofStrategy.map(({ run }) => merged(run)));
  const values = new Map(
    metrics.map((metric) => [metric.metric, runs.map((ofStrategy) => valuesOf(metric, ofStrategy))]),
  );
  const points = experiment.strategies.map((strategy, s): FrontierPoint => {
    const backlogFraction = estimateOrNull(runs[s]!.map(({ all }) => backlog(all, experiment.horizonS)));
    return withDoubtOf([strategy], {
      ratePerS,
      strategy: strategy.name,
      replications: runs[s]!.length,
      gpus: servingGpus(strategy, outcomes[s]![0]?.run.pools ?? []),
      figures: figures(metrics, (metric) => values.get(metric.metric)![s]!),
      classes: experiment.classes.map((one, c) => ({
        name: one.name,
        figures: figures(ofClasses[c]!, (metric) =>
          valuesOf({ ...metric, of: ({ classes }: MergedRun) => metric.of(classes[c]!) }, runs[s]!),
        ),
      })),
      backlogFraction,
      overloaded: backlogFraction !== null && isOverloaded(backlogFraction.mean),
    });
  });
  const best = metrics.flatMap(({ metric, unit }): FrontierBest[] => {
    const able = points.flatMap(({ figures: of, overloaded }, s) =>
      of[metric] === null || (unit === "ms" && overloaded) ? [] : [{ s, mean: of[metric]!.mean }],
    );
    able.sort((a, b) => (direction(metric) === "higher" ? b.mean - a.mean : a.mean - b.mean));
    const [first, second] = able;
    if (first === undefined || second === undefined) return [];
    const [ofFirst, ofSecond] = [values.get(metric)![first.s]!, values.get(metric)![second.s]!];
    const pairs = [...ofFirst].flatMap(([replication, value]) =>
      ofSecond.has(replication) ? [[ofSecond.get(replication)!, value] as const] : [],
    );
    const pair = [experiment.strategies[second.s]!, experiment.strategies[first.s]!] as const;
    if (isSeparable(differenceOf(metric, pair, pairs)) !== true) return [];
    return [{ metric, ratePerS, strategy: points[first.s]!.strategy, runnerUp: points[second.s]!.strategy }];
  });
  return { points, best };
}

/** Whether sizes differ, so that figures are not of equal means. */
export function sizesDiffer({ points }: Pick<Frontier, "points">): boolean {
  return new Set(points.map(({ gpus }) => gpus)).size > 1;
}

interface MergedRun {
  readonly replication: number;
  readonly all: ClassResult;
  readonly classes: readonly ClassResult[];
}

function merged({ replication, classes }: RunResult): MergedRun {
  return { replication, classes, all: classes.length === 1 ? classes[0]! : mergeClasses(classes) };
}

function metricsOf({ horizonS, classes }: ResolvedExperiment): Metric<MergedRun>[] {
  const all = metricsOfClasses(horizonS, classes);
  return [
    ...SHOWN.map((name): Metric<MergedRun> => {
      const metric = all.find((one) => one.metric === name)!;
      return { ...metric, of: (run) => metric.of(run.all) };
    }),
    ...(classes.length === 1 ? [] : FAIRNESS_METRICS).map((metric): Metric<MergedRun> => ({
      ...metric,
      of: (run) => metric.of(run.classes),
    })),
  ];
}

/** By replication; a P99 that some replications can't give is given by none: those that can are the busy ones. */
function valuesOf({ metric, of }: Metric<MergedRun>, runs: readonly MergedRun[]): ReadonlyMap<number, number> {
  const known = runs.map((run) => [run.replication, of(run)] as const).filter(([, value]) => Number.isFinite(value));
  return new Map(metric.includes("P99") && known.length < runs.length ? [] : known);
}

function figures<T>(
  metrics: readonly Metric<T>[],
  valuesBy: (metric: Metric<T>) => ReadonlyMap<number, number>,
): Figures {
  return Object.fromEntries(metrics.map((metric) => [metric.metric, estimateOrNull([...valuesBy(metric).values()])]));
}

function direction(metric: string): FrontierMetric["better"] {
  return HIGHER_IS_BETTER.includes(metric) ? "higher" : "lower";
}
