/**
 * Runs simulation tasks on worker threads (piscina). Which thread takes which task, and in what order they end, changes
 * no result: tasks are pure and their results are put together in the order of the experiment.
 */
import { setMaxListeners } from "node:events";
import { availableParallelism } from "node:os";
import { Piscina } from "piscina";
import { siblingModule, threadArguments } from "../io/thread-module.ts";
import type { SizingTask } from "../experiment/size-pool.ts";
import type { SloRateTask } from "../experiment/slo-rate.ts";
import { PolicyError } from "../kernel/errors.ts";
import type { PluginSource } from "./plugins.ts";
import type { StepRecord } from "../outcome/step-table.ts";
import type { Answer, JobOutcome, ProgressMessage, PredictionTask, RunJob, StepsJob } from "./simulate-worker.ts";
import type { Prediction } from "../experiment/validate/predict.ts";

export class Executor {
  readonly threads: number;
  private readonly pool: Piscina;
  private readonly abort = new AbortController();

  /** `threads` null = one per core. */
  constructor(
    threads: number | null,
    plugins: readonly PluginSource[],
    onProgress: (message: ProgressMessage) => void,
  ) {
    this.threads = threads ?? availableParallelism();
    const worker = siblingModule("simulate-worker", import.meta.url);
    this.pool = new Piscina({
      filename: worker.href,
      minThreads: 0,
      maxThreads: this.threads,
      idleTimeout: 2000,
      execArgv: threadArguments(worker),
      workerData: plugins,
      // Boxed numbers die young: a roomy nursery spares most collections.
      resourceLimits: { maxYoungGenerationSizeMb: 48 },
    });
    this.pool.on("message", onProgress);
    // Each task under way listens; there may be hundreds.
    setMaxListeners(0, this.abort.signal);
  }

  run(job: RunJob): Promise<JobOutcome> {
    return this.task("run", job);
  }

  steps(job: StepsJob): Promise<StepRecord> {
    return this.task("steps", job);
  }

  size(task: SizingTask, replicas: readonly number[]): Promise<number[]> {
    return this.task("size", { task, replicas });
  }

  sloRate(task: SloRateTask): Promise<number | null> {
    return this.task("sloRate", task);
  }

  /** Predictions of recorded cases, in their order. */
  predict(task: PredictionTask): Promise<Prediction[]> {
    return this.task("predict", task);
  }

  /** Ends what is running; its promises reject with an AbortError. */
  cancel(): void {
    this.abort.abort();
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }

  private async task<T>(name: string, argument: unknown): Promise<T> {
    const answer = (await this.pool.run(argument, { name, signal: this.abort.signal })) as Answer<T>;
    // An error's class does not survive the way between threads.
    if (answer.failure !== null) throw new PolicyError(answer.failure.policy, answer.failure.message);
    return answer.value;
  }
}
