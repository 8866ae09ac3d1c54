/**
 * Runs one Parquet job in a worker thread of its own, and turns every way it can end into a value or a clean error: a
 * trap of the decoder and a thread that ends silently become DataError with file and row group; Node's own errors
 * (ENOSPC, EACCES …) come back with their code.
 */
import { parentPort, Worker, workerData } from "node:worker_threads";
import { DataError } from "../kernel/errors.ts";
import { threadArguments } from "./thread-module.ts";
import { PROGRESS_SLOTS, progressOf, recordProgress, rowGroupCorrupt } from "./parquet-read.ts";

type Answer =
  | { readonly kind: "done"; readonly value: unknown }
  | { readonly kind: "data"; readonly file: string; readonly row: number | null; readonly text: string }
  | { readonly kind: "node"; readonly message: string; readonly fields: Readonly<Record<string, unknown>> };

interface ThreadStart {
  readonly job: unknown;
  readonly progress: Float64Array;
}

/**
 * Starts `entry` (a module that calls `serveParquetJob`) with `job` and waits for its answer. `files` are the files the
 * job reads, in the order of their progress index. `progress`: shared memory of PROGRESS_SLOTS and more, where the caller
 * wants to watch.
 */
export function runParquetJob<T>(
  entry: URL,
  job: unknown,
  files: readonly string[],
  progress = new Float64Array(new SharedArrayBuffer(PROGRESS_SLOTS * 8)),
): Promise<T> {
  recordProgress(progress, { file: 0, rowGroup: -1, rowGroups: 0, firstRow: 1, rows: 0 });
  const start: ThreadStart = { job, progress };
  return new Promise<T>((resolve, reject) => {
    const worker = new Worker(entry, {
      workerData: start,
      execArgv: threadArguments(entry),
    });
    worker.once("message", (answer: Answer) => {
      if (answer.kind === "done") resolve(answer.value as T);
      else reject(errorOf(answer));
    });
    worker.once("error", (error) => reject(trapError(files, progress, error)));
    // After a message or an error this settles nothing.
    worker.once("exit", () => reject(trapError(files, progress, null)));
  });
}

/** The worker's side: runs the job and posts its answer. Numbers in shared memory cross without a copy. */
export async function serveParquetJob<J>(run: (job: J, progress: Float64Array) => Promise<unknown>): Promise<void> {
  const { job, progress } = workerData as ThreadStart;
  const answer = await run(job as J, progress).then(
    (value): Answer => ({ kind: "done", value }),
    (error: unknown): Answer => answerOf(error),
  );
  parentPort?.postMessage(answer);
}

function answerOf(error: unknown): Answer {
  if (error instanceof DataError) {
    return { kind: "data", file: error.file, row: error.row, text: error.reason };
  }
  if (error instanceof Error && "code" in error && "syscall" in error) {
    return { kind: "node", message: error.message, fields: { ...error } };
  }
  // Not foreseen: let it end the thread, so that it arrives as an "error" event like a trap.
  throw error;
}

function errorOf(answer: Exclude<Answer, { kind: "done" }>): Error {
  if (answer.kind === "data") return new DataError(answer.file, answer.row, answer.text);
  return Object.assign(new Error(answer.message), answer.fields);
}

/**
 * The end of a thread that gave no answer: `error` is what ended it, null if it just stopped, as it does when the
 * decoder never settles its promise. What the decoder did not cause is a fault of ours and passes unchanged.
 */
function trapError(files: readonly string[], slots: Float64Array, error: Error | null): Error {
  if (error !== null && error.name !== "RuntimeError") return error;
  const { file, rowGroup, rowGroups, firstRow, rows } = progressOf(slots);
  const name = files[file] ?? "";
  if (rowGroup < 0) return new DataError(name, null, "the footer cannot be decoded, the file is corrupt");
  return new DataError(name, null, rowGroupCorrupt({ file, rowGroup, rowGroups, firstRow, rows }));
}
