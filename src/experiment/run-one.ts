/** One task of an experiment, as a worker does it: opens the traffic of a replication and simulates a strategy against it. */
import { simulateRun } from "../dispatch/simulate.ts";
import type { RequestRows } from "../outcome/recorder.ts";
import type { RunResult } from "../outcome/run-result.ts";
import { DemandMeter, type DemandMeasures } from "../traffic/demand.ts";
import { openTraffic } from "../traffic/open.ts";
import type { Traffic } from "../traffic/traffic.ts";
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
  const { horizonS, seed } = experiment;
  const traffic = replicationTraffic(experiment, replication);
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

/** The requests of a replication, the same for every strategy. */
export function replicationTraffic(experiment: ResolvedExperiment, replication: number): Traffic {
  const { startEpochS, warmupS, horizonS, seed, classes } = experiment;
  return openTraffic(experiment.traffic, {
    startEpochS,
    warmupS,
    horizonS,
    seed,
    replication,
    classShares: classes.map((requestClass) => requestClass.shareFraction),
    reasoning: classes.map((requestClass) => requestClass.reasoning),
  });
}
