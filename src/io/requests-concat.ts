/** Joins Parquet files of one schema into one, in order and at flat memory; in a worker thread, because it reads. */
import { rm } from "node:fs/promises";
import { DataError, InvariantError } from "../kernel/errors.ts";
import { openParquet, type WasmBatch } from "./parquet-read.ts";
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
  const first = await openParquet(parts[0] as string, progress);
  const aboutJson = first.metadata.get(ABOUT_KEY);
  const columns = writtenColumns(first.fields);
  const schema = schemaText(first.fields);
  first.close();
  if (aboutJson === undefined) throw new DataError(first.file, null, "not a Parquet file written by crossover");

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

function schemaText(fields: readonly { toString(): string }[]): string {
  return fields.map(String).join();
}
