/**
 * Runs simulation tasks on worker threads (piscina). Which thread takes which task, and in what order they end, changes
 * no result: tasks are pure and their results are put together in the order of the experiment.
 */
import { setMaxListeners } from "node:events";
import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import { siblingModule, threadArguments } from "../io/thread-module.ts";
import type { RunTask } from "../experiment/run-one.ts";
import type { DayRequests, TrialDay } from "../experiment/certain-miss.ts";
import type { DayOutcome, SizingTask } from "../experiment/size-trial.ts";
import type { SetUpThreads } from "../experiment/set-up.ts";
import type { SloRateTask } from "../experiment/slo-rate.ts";
import { PolicyError } from "../kernel/errors.ts";
import type { Conformance, ConformProgress } from "../engine/conform/conform.ts";
import { EXIT } from "./exit.ts";
import type { LoadedPlugins } from "./load-plugins.ts";
import { PluginWatch } from "./plugin-watch.ts";
import type { StepRecord } from "../outcome/step-table.ts";
import type {
  Answer,
  ConformTask,
  Declared,
  JobOutcome,
  ProgressMessage,
  PredictionTask,
  RunJob,
  StepsJob,
  WorkerTask,
} from "./simulate-worker.ts";
import type { Prediction } from "../experiment/validate/predict.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** Who passes signals on (`timeout`, a supervisor) may send one twice; a second one after this is meant. */
const SAME_SIGNAL_MS = 1000;

export class Executor implements SetUpThreads {
  readonly threads: number;
  /** A signal has come. */
  interrupted = false;
  private interruptedMs = 0;
  private readonly pool: Piscina;
  private readonly abort = new AbortController();
  /** Null without plug-ins. */
  private readonly watch: PluginWatch | null;
  /** Why everything was ended, unless it was cancelled. */
  private fault: unknown = null;

  /** `threads` null = one per core. */
  constructor(threads: number | null, plugins: LoadedPlugins, onProgress: (message: ProgressMessage) => void) {
    this.threads = threads ?? availableParallelism();
    const worker = siblingModule("simulate-worker", import.meta.url);
    this.pool = new Piscina({
      filename: worker.href,
      minThreads: 0,
      maxThreads: this.threads,
      idleTimeout: 2000,
      execArgv: threadArguments(worker),
      workerData: plugins.sources,
      // Boxed numbers die young: a roomy nursery spares most collections.
      resourceLimits: { maxYoungGenerationSizeMb: 48 },
    });
    this.pool.on("message", onProgress);
    // Each task under way listens; there may be hundreds.
    setMaxListeners(0, this.abort.signal);
    this.watch = plugins.sources.length === 0 ? null : new PluginWatch(plugins, (fault) => this.endWith(fault));
  }

  run(job: RunJob): Promise<JobOutcome> {
    return this.task("run", job, runName(job.task));
  }

  steps(job: StepsJob): Promise<StepRecord> {
    return this.task("steps", job, `the steps of ${runName(job.task)}`);
  }

  countDay(task: SizingTask): Promise<DayRequests> {
    return this.task("countDay", task, "the requests of a peak day");
  }

  runDay(task: SizingTask, replicas: readonly number[], trial: TrialDay): Promise<DayOutcome> {
    const what = `${runName(task)} of a peak day, sized with ${replicas.join(" + ")} replicas`;
    return this.task("runDay", { task, replicas, trial }, what);
  }

  sharedMemory(words: number): Int32Array {
    return new Int32Array(new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT));
  }

  sloRate(task: SloRateTask): Promise<number | null> {
    const { name, pools } = task.experiment.strategies[task.strategy]!;
    const what = `strategy ${name}, the rate that a replica of ${pools[task.pool]!.name} serves within the SLO`;
    return this.task("sloRate", task, what);
  }

  /** Predictions of recorded cases, in their order. */
  predict(task: PredictionTask): Promise<Prediction[]> {
    return this.task("predict", task, "a recorded case");
  }

  /** What plug-ins declare, or what is wrong with them. */
  declared(): Promise<Declared> {
    return this.task("declared", null, "");
  }

  /** `onProgress` hears of each scenario before it is tried. */
  conform(task: ConformTask, onProgress: (progress: ConformProgress) => void): Promise<Conformance> {
    this.pool.on("message", onProgress);
    return this.task("conform", task, "");
  }

  /**
   * From now until `close` a signal ends what is running, whose promises reject with an AbortError, and does nothing else: what has finished
   * is yet to be written. Who sends another one does not want to wait for that.
   */
  cancelOnSignal(): void {
    for (const signal of SIGNALS) process.on(signal, this.onSignal);
  }

  async close(): Promise<void> {
    if (!this.interrupted) for (const signal of SIGNALS) process.off(signal, this.onSignal);
    await this.pool.destroy();
  }

  private readonly onSignal = (): void => {
    if (this.interrupted && performance.now() - this.interruptedMs > SAME_SIGNAL_MS) process.exit(EXIT.interrupted);
    if (this.interrupted) return;
    this.interrupted = true;
    this.interruptedMs = performance.now();
    this.abort.abort();
  };

  /** `what` is computed, for messages about plug-ins. */
  private async task<T>(name: string, argument: unknown, what: string): Promise<T> {
    const watched = this.watch?.begin(what) ?? null;
    const given: WorkerTask<unknown> = { argument, callMemory: watched?.memory ?? null };
    let answer: Answer<T>;
    try {
      answer = (await this.pool.run(given, { name, signal: this.abort.signal })) as Answer<T>;
    } catch (error) {
      const death = watched === null ? null : this.watch!.faultOfDeath(watched, error);
      // A thread that dies may leave tasks in the queue that no other thread would ever take.
      if (!this.abort.signal.aborted) this.endWith(death ?? error);
      throw this.fault ?? error;
    } finally {
      if (watched !== null) this.watch!.end(watched);
    }
    // An error's class does not survive the way between threads.
    if (answer.failure !== null) {
      const { policy, message } = answer.failure;
      throw new PolicyError(policy, `${message}${what === "" ? "" : `, in ${what}`}`);
    }
    return answer.value;
  }

  private endWith(fault: unknown): void {
    this.fault ??= fault;
    this.abort.abort();
  }
}

function runName({ experiment, strategy, replication }: Omit<RunTask, "replicas">): string {
  return `strategy ${experiment.strategies[strategy]!.name}, replication ${replication}`;
}
