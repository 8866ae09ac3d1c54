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
import type { Prediction } from "../experiment/validate/predict.ts";
import type { JobOutcome, PredictionTask, ProgressMessage, RunJob } from "./simulate-worker.ts";

export class Executor {
  readonly threads: number;
  private readonly pool: Piscina;
  private readonly abort = new AbortController();

  /** `threads` null = one per core. */
  constructor(threads: number | null, onProgress: (message: ProgressMessage) => void) {
    this.threads = threads ?? availableParallelism();
    const worker = siblingModule("simulate-worker", import.meta.url);
    this.pool = new Piscina({
      filename: worker.href,
      minThreads: 0,
      maxThreads: this.threads,
      idleTimeout: 2000,
      execArgv: threadArguments(worker),
      // Boxed numbers die young: a roomy nursery spares most collections.
      resourceLimits: { maxYoungGenerationSizeMb: 48 },
    });
    this.pool.on("message", onProgress);
    // Each task under way listens; there may be hundreds.
    setMaxListeners(0, this.abort.signal);
  }

  run(job: RunJob): Promise<JobOutcome> {
    return this.pool.run(job, { name: "run", signal: this.abort.signal }) as Promise<JobOutcome>;
  }

  size(task: SizingTask, replicas: readonly number[]): Promise<number[]> {
    return this.pool.run({ task, replicas }, { name: "size", signal: this.abort.signal }) as Promise<number[]>;
  }

  sloRate(task: SloRateTask): Promise<number | null> {
    return this.pool.run(task, { name: "sloRate", signal: this.abort.signal }) as Promise<number | null>;
  }

  /** Predictions of recorded cases, in their order. */
  predict(task: PredictionTask): Promise<Prediction[]> {
    return this.pool.run(task, { name: "predict", signal: this.abort.signal }) as Promise<Prediction[]>;
  }

  /** Ends what is running; its promises reject with an AbortError. */
  cancel(): void {
    this.abort.abort();
  }

  async close(): Promise<void> {
    await this.pool.destroy();
  }
}
