/** One run again, for its steps alone (`--steps`): the results come from the run that nobody watched. */
import { simulateRun } from "../dispatch/simulate.ts";
import { StepRecorder, type StepSelection, StepsSeen } from "../dispatch/step-recorder.ts";
import type { StepRecord } from "../outcome/step-table.ts";
import { replicationTraffic, type RunTask } from "./run-one.ts";

/** Ends as soon as the selected rows are in. Every pool runs in the engine for any policy, whose times are the same. */
export function watchSteps(task: RunTask, selection: StepSelection): StepRecord {
  const { experiment, replication, replicas } = task;
  const strategy = experiment.strategies[task.strategy]!;
  const classNames = experiment.classes.map(({ name }) => name);
  const recorder = new StepRecorder(strategy, classNames, replication, selection);
  try {
    simulateRun(experiment, strategy, replicationTraffic(experiment, replication), {
      seed: experiment.seed,
      replication,
      incidents: true,
      replicas,
      demand: null,
      rows: null,
      onProgress: null,
      observe: recorder.observe,
    });
  } catch (error) {
    if (!(error instanceof StepsSeen)) throw error;
  }
  recorder.close(experiment.horizonS);
  return recorder.record;
}
