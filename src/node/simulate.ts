/**
 * Simulates an experiment on worker threads with progress on stderr: what `run`, `compare` and `backcast` have in common. Ctrl-C
 * keeps what has finished.
 */
import { availableParallelism } from "node:os";
import type { StepSelection } from "../dispatch/step-recorder.ts";
import type { RunOutcome } from "../experiment/run-one.ts";
import { setUp, type SetUpListener } from "../experiment/set-up.ts";
import type { StrategySetup } from "../experiment/summarise.ts";
import { ConfigError } from "../kernel/errors.ts";
import type { StepRecord } from "../outcome/step-table.ts";
import type { ResolvedExperiment } from "../scenario/resolved.ts";
import { Executor } from "./executor.ts";
import type { LoadedPlugins } from "./load-plugins.ts";
import { Progress } from "./progress.ts";
import type { RequestSelection } from "./request-rows.ts";
import type { NewRunFolder } from "./run-folder.ts";
import { SizingProgress } from "./sizing-progress.ts";
import { workNote } from "./work-note.ts";

export interface SimulateOptions {
  readonly json?: boolean;
  readonly threads?: number;
  readonly requests?: RequestSelection;
  readonly steps?: StepSelection;
}

/** What a run has come to when it ends or is interrupted. */
export interface Collected {
  /** By strategy index; in the order of replications. */
  readonly outcomes: RunOutcome[][];
  readonly setups: StrategySetup[];
  /** Files with single requests, by strategy and replication. */
  readonly parts: string[][][];
  /** Steps of replication 0, by strategy; empty unless asked for. */
  readonly steps: StepRecord[];
}

export function nothingCollected(experiment: ResolvedExperiment): Collected {
  return {
    outcomes: experiment.strategies.map(() => []),
    setups: [],
    parts: experiment.strategies.map(() => []),
    steps: [],
  };
}

/**
 * Sizes pools, sweeps single replicas, then runs every strategy and replication. True when interrupted. Without a folder
 * no single requests are kept, and without `sweeps` the rate that a replica sustains within its SLO stays unknown.
 */
export async function simulate(
  experiment: ResolvedExperiment,
  options: SimulateOptions,
  plugins: LoadedPlugins,
  folder: Pick<NewRunFolder, "tempPath"> | null,
  collected: Collected,
  sweeps = true,
): Promise<boolean> {
  const note = workNote(experiment, options.threads ?? availableParallelism());
  if (note !== null && options.json !== true) process.stderr.write(`${note}\n`);
  const fractions = new Map<number, number>();
  const jobs = experiment.strategies.length * experiment.replications;
  let progress = new Progress("sizing", null, { enabled: options.json !== true });
  const executor = new Executor(options.threads ?? null, plugins, ({ job, fraction }) => {
    fractions.set(job, fraction);
    progress.update([...fractions.values()].reduce((sum, value) => sum + value, 0));
  });
  executor.cancelOnSignal();
  try {
    collected.setups.push(...(await setUp(experiment, executor, toldBy(progress), sweeps)));
    if (options.steps !== undefined) checkReplica(options.steps, experiment, collected.setups);
    progress.stop();
    progress = new Progress(`simulating ${jobs} runs`, jobs, { enabled: options.json !== true });
    const results = new Map<number, RunOutcome>();
    const tasks: Promise<void>[] = [];
    for (let replication = 0; replication < experiment.replications; replication++) {
      experiment.strategies.forEach((_, strategy) => {
        const job = strategy * experiment.replications + replication;
        const task = { experiment, strategy, replication, replicas: collected.setups[strategy]!.replicas };
        const requests =
          options.requests === undefined || folder === null
            ? null
            : { selection: options.requests, file: folder.tempPath(`.requests-${strategy}-${replication}`) };
        tasks.push(
          executor.run({ task, job, requests }).then(({ outcome, parts }) => {
            results.set(job, outcome);
            collected.parts[strategy]![replication] = [...parts];
            fractions.set(job, 1);
          }),
        );
      });
    }
    if (options.steps !== undefined) {
      const selection = options.steps;
      experiment.strategies.forEach((_, strategy) => {
        const task = { experiment, strategy, replication: 0, replicas: collected.setups[strategy]!.replicas };
        tasks.push(
          executor.steps({ task, selection }).then((record) => {
            collected.steps[strategy] = record;
          }),
        );
      });
    }
    const settled = await Promise.allSettled(tasks);
    for (let job = 0; job < jobs; job++) {
      const outcome = results.get(job);
      if (outcome !== undefined) collected.outcomes[Math.floor(job / experiment.replications)]!.push(outcome);
    }
    const failed = settled.find((result) => result.status === "rejected");
    if (failed !== undefined && !executor.interrupted) throw failed.reason;
  } catch (error) {
    if (!executor.interrupted) throw error;
  } finally {
    progress.stop();
    await executor.close();
  }
  return executor.interrupted;
}

function checkReplica(
  selection: StepSelection,
  { strategies }: ResolvedExperiment,
  setups: readonly StrategySetup[],
): void {
  if (selection.kind !== "replica") return;
  const most = Math.max(
    0,
    ...strategies.flatMap(({ pools }, s) => pools.map(({ warmReplicas }, p) => setups[s]!.replicas[p]! + warmReplicas)),
  );
  if (selection.replica < most) return;
  const hint = most === 0 ? "the experiment has no pools" : `replicas are numbered from 0 to ${most - 1}`;
  throw new ConfigError([
    { path: [], message: `--steps replica:${selection.replica}: there is no such replica`, hint },
  ]);
}

/** The listener of sizing and sweeps that tells `progress`. */
function toldBy(progress: Progress): SetUpListener {
  const sizing = new SizingProgress();
  return {
    tries: (strategy, trial) => progress.note(sizing.tries(strategy, trial)),
    sized: (strategy) => sizing.done(strategy),
    sweeps: (strategy) => progress.note(`${strategy}: what rate does a replica serve within the SLO?`),
  };
}
