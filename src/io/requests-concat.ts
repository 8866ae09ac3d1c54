/** Joins Parquet files of one schema into one, in order and at flat memory; in a worker thread, because it reads. */
import { copyFile, rename, rm } from "node:fs/promises";
import { DataError, InvariantError } from "../kernel/errors.ts";
import { openParquet, type ParquetSource, type WasmBatch } from "./parquet-read.ts";
import { runParquetJob } from "./parquet-thread.ts";
import { siblingModule } from "./thread-module.ts";
import { streamParquet } from "./parquet-stream.ts";
import { ABOUT_KEY, writtenColumns, type TableAbout } from "./parquet-write.ts";

export interface ConcatJob {
  readonly kind: "concat";
  readonly parts: readonly string[];
  readonly target: string;
}

/**
 * Streams `parts`, written by this program, into `target`. The parts stay. Throws DataError for a corrupt part and
 * Node's error with its code for the disk (ENOSPC, EACCES …); the target is then as it was before.
 */
export async function concatParquet(parts: readonly string[], target: string): Promise<void> {
  if (parts.length === 0) throw new InvariantError("IO-4 at least one part", { target });
  const job: ConcatJob = { kind: "concat", parts, target };
  try {
    await runParquetJob<null>(siblingModule("./parquet-worker", import.meta.url), job, parts);
  } finally {
    // The thread removes its temporary file unless a trap ended it.
    await rm(`${target}.tmp`, { force: true });
  }
}

/** The worker's side of `concatParquet`. */
export async function concatInThread({ parts, target }: ConcatJob, progress: Float64Array): Promise<null> {
  const first = await firstWithRows(parts, progress);
  const aboutJson = first.metadata.get(ABOUT_KEY);
  const columns = writtenColumns(first.fields);
  const schema = schemaText(first.fields);
  first.close();
  if (aboutJson === undefined) throw new DataError(first.file, null, "not a Parquet file written by crossover");

  if (first.rows === 0) {
    // Nobody wrote a row: every part is the empty table.
    await copyWhole(first.file, target);
    return null;
  }

  async function* batches(): AsyncGenerator<WasmBatch> {
    for (const [index, part] of parts.entries()) {
      const source = await openParquet(part, progress, index);
      if (schemaText(source.fields) !== schema) {
        throw new DataError(part, null, `its columns differ from those of ${first.file}`);
      }
      yield* source.batches();
      source.close();
    }
  }
  await streamParquet(target, batches(), JSON.parse(aboutJson) as TableAbout, columns);
  return null;
}

/** The first part that has a row, else the first part. The encoder of the target needs a batch to begin with. */
async function firstWithRows(parts: readonly string[], progress: Float64Array): Promise<ParquetSource> {
  for (const [index, part] of parts.entries()) {
    const source = await openParquet(part, progress, index);
    if (source.rows > 0) return source;
    source.close();
  }
  return openParquet(parts[0] as string, progress);
}

async function copyWhole(from: string, target: string): Promise<void> {
  await copyFile(from, `${target}.tmp`);
  await rename(`${target}.tmp`, target);
}

function schemaText(fields: readonly { toString(): string }[]): string {
  return fields.map(String).join();
}
