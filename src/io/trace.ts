/** Reads a request trace from any file we know; the format is told by what is in the file, not by its name. */
import { runParquetJob } from "./parquet-thread.ts";
import { siblingModule } from "./thread-module.ts";
import { readCsvTrace } from "./trace-csv.ts";
import type { Trace } from "./trace-builder.ts";
import type { TraceJob } from "./trace-parquet.ts";
import { packingOf } from "./traces/text.ts";

export type { Trace } from "./trace-builder.ts";

/**
 * Reads a trace from Parquet, CSV, or CSV packed by gzip or zstd, with the columns TIMESTAMP, ContextTokens, GeneratedTokens (Azure LLM
 * traces) or arrivalS, inputTokens, outputTokens (ours). Times count from the first arrival.
 *
 * Throws DataError with file and 1-based row for whatever is wrong in the file or if there is no such file, and Node's
 * own error if the file exists but cannot be read.
 */
export async function readTrace(path: string): Promise<Trace> {
  const packing = await packingOf(path);
  if (packing === "parquet") {
    const job: TraceJob = { kind: "trace", file: path };
    return runParquetJob(siblingModule("./parquet-worker", import.meta.url), job, [path]);
  }
  return readCsvTrace(path, packing);
}
