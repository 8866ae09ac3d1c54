/** What a worker thread does: one simulation task at a time. Progress goes to the main thread as messages. */
import "./v8-flags.ts";
import { parentPort } from "node:worker_threads";
import { runOne, type RunOutcome, type RunTask } from "../experiment/run-one.ts";
import { runSizing, type SizingTask } from "../experiment/size-pool.ts";
import { sloRatePerReplica, type SloRateTask } from "../experiment/slo-rate.ts";
import type { Catalog } from "../catalog/schema.ts";
import type { RecordedCase } from "../experiment/validate/case.ts";
import { type Prediction, predictCase } from "../experiment/validate/predict.ts";
import { simulateCase } from "../experiment/validate/simulate-case.ts";
import { readBeside } from "./case-files.ts";
import type { RequestSelection } from "./request-rows.ts";

export interface RunJob {
  readonly task: RunTask;
  /** Number by which progress messages name this job. */
  readonly job: number;
  /** Per-request rows wanted, and the file that takes them. */
  readonly requests: { readonly selection: RequestSelection; readonly file: string } | null;
}

export interface ProgressMessage {
  readonly job: number;
  readonly fraction: number;
}

const REPORT_EVERY_MS = 200;

export interface JobOutcome {
  readonly outcome: RunOutcome;
  /** Files with the rows that were asked for, in order. */
  readonly parts: readonly string[];
}

export async function run(job: RunJob): Promise<JobOutcome> {
  let last = 0;
  const onProgress = (fraction: number): void => {
    const now = performance.now();
    if (now - last < REPORT_EVERY_MS) return;
    last = now;
    parentPort?.postMessage({ job: job.job, fraction } satisfies ProgressMessage);
  };
  if (job.requests === null) return { outcome: runOne(job.task, null, onProgress), parts: [] };
  const { openRequestRows } = await import("./request-rows.ts");
  const rows = await openRequestRows(job.task, job.requests.selection, job.requests.file);
  try {
    return { outcome: runOne(job.task, rows, onProgress), parts: rows.close() };
  } catch (error) {
    rows.discard();
    throw error;
  }
}

export function size({ task, replicas }: { task: SizingTask; replicas: readonly number[] }): number[] {
  return runSizing(task, replicas);
}

export function sloRate(task: SloRateTask): number | null {
  return sloRatePerReplica(task);
}

/** Recorded cases to predict; `folder` holds the files that they name. */
export interface PredictionTask {
  readonly catalog: Catalog;
  readonly folder: string;
  readonly cases: readonly RecordedCase[];
}

export function predict({ catalog, folder, cases }: PredictionTask): Prediction[] {
  const readText = (path: string): string | null => readBeside(folder, path);
  return cases.map((one) => predictCase(one, { catalog, simulate: simulateCase, readText }));
}
