/** Reads a request trace from any file we know; the format is told by what is in the file, not by its name. */
import { open } from "node:fs/promises";
import { DataError } from "../kernel/errors.ts";
import { runParquetJob } from "./parquet-thread.ts";
import { siblingModule } from "./thread-module.ts";
import { readCsvTrace } from "./trace-csv.ts";
import type { Trace } from "./trace-builder.ts";
import type { TraceJob } from "./trace-parquet.ts";

export type { Trace } from "./trace-builder.ts";

/**
 * Reads a trace from Parquet, CSV or gzipped CSV, with the columns TIMESTAMP, ContextTokens, GeneratedTokens (Azure LLM
 * traces) or arrivalS, inputTokens, outputTokens (ours). Times count from the first arrival.
 *
 * Throws DataError with file and 1-based row for whatever is wrong in the file or if there is no such file, and Node's
 * own error if the file exists but cannot be read.
 */
export async function readTrace(path: string): Promise<Trace> {
  const head = await firstBytes(path);
  if (head.length === 0) throw new DataError(path, null, "the file is empty");
  if (head.toString("latin1") === "PAR1") {
    const job: TraceJob = { kind: "trace", file: path };
    return runParquetJob(siblingModule("./parquet-worker", import.meta.url), job, [path]);
  }
  return readCsvTrace(path, head[0] === 0x1f && head[1] === 0x8b);
}

async function firstBytes(path: string): Promise<Buffer> {
  const handle = await open(path, "r").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") {
      throw new DataError(path, null, "no such file");
    }
    throw error;
  });
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(4), 0, 4, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
