/** One task of an experiment, as a worker does it: opens the traffic of a replication and simulates a strategy against it. */
import { simulateRun } from "../dispatch/simulate.ts";
import type { RequestRows } from "../outcome/recorder.ts";
import type { RunResult } from "../outcome/run-result.ts";
import { DemandMeter, type DemandMeasures } from "../traffic/demand.ts";
import { openTraffic } from "../traffic/open.ts";
import type { ResolvedExperiment } from "../scenario/resolved.ts";

export interface RunTask {
  readonly experiment: ResolvedExperiment;
  /** Index in `experiment.strategies`. */
  readonly strategy: number;
  readonly replication: number;
  /** Serving replicas of each pool, "auto" replaced. */
  readonly replicas: readonly number[];
}

export interface RunOutcome {
  readonly run: RunResult;
  readonly demand: DemandMeasures;
}

/** Pure: the same task gives the same bytes, on any thread. */
export function runOne(
  task: RunTask,
  rows: RequestRows | null,
  onProgress: ((fraction: number) => void) | null,
): RunOutcome {
  const { experiment, replication, replicas } = task;
  const { startEpochS, warmupS, horizonS, seed, classes } = experiment;
  const traffic = openTraffic(experiment.traffic, {
    startEpochS,
    warmupS,
    horizonS,
    seed,
    replication,
    classShares: classes.map((requestClass) => requestClass.shareFraction),
  });
  const demand = new DemandMeter(horizonS);
  const run = simulateRun(experiment, experiment.strategies[task.strategy]!, traffic, {
    seed,
    replication,
    incidents: true,
    replicas,
    demand,
    rows,
    onProgress,
  });
  return { run, demand: demand.measures() };
}
