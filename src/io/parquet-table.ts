/** Reads whole columns of a Parquet file into memory shared between threads; for results and tests, not for raw traces. */
import type { Data, RecordBatch } from "apache-arrow";
import { DataError } from "../kernel/errors.ts";
import { nearestName } from "./nearest-name.ts";
import { openParquet } from "./parquet-read.ts";
import { runParquetJob } from "./parquet-thread.ts";
import { siblingModule } from "./thread-module.ts";

/** Numbers as doubles (64-bit integers rounded to the nearest), NaN where null; strings as strings, null where null. */
type TableColumn = Float64Array | readonly (string | null)[];

export interface ParquetTable {
  readonly rows: number;
  readonly columns: Readonly<Record<string, TableColumn>>;
  /** Key-value pairs of the footer. */
  readonly metadata: ReadonlyMap<string, string>;
}

export interface TableJob {
  readonly kind: "table";
  readonly file: string;
  /** Null: all columns. */
  readonly columns: readonly string[] | null;
}

/**
 * Reads `columns` (default: all) of a Parquet file in a worker thread. Throws DataError for a corrupt or truncated file,
 * a missing column and a column that holds neither numbers nor strings; Node's error if the file cannot be opened.
 */
export function readParquetTable(file: string, columns: readonly string[] | null = null): Promise<ParquetTable> {
  const job: TableJob = { kind: "table", file, columns };
  return runParquetJob(siblingModule("./parquet-worker", import.meta.url), job, [file]);
}

/** The worker's side of `readParquetTable`. */
export async function readTableInThread(job: TableJob, progress: Float64Array): Promise<ParquetTable> {
  const { DataType } = await import("apache-arrow");
  const source = await openParquet(job.file, progress);
  const present = source.fields.map((field) => field.name);
  const names = job.columns ?? present;
  for (const name of names) {
    if (present.includes(name)) continue;
    throw new DataError(job.file, null, `no column ${name}${nearestName(name, present)}`);
  }
  const columns: Record<string, Float64Array | (string | null)[]> = {};
  for (const { name, type } of source.fields) {
    if (!names.includes(name)) continue;
    const values = DataType.isDictionary(type) ? type.dictionary : type;
    if (DataType.isUtf8(values)) columns[name] = [];
    else if (DataType.isInt(type) || DataType.isFloat(type) || DataType.isTimestamp(type)) {
      columns[name] = new Float64Array(new SharedArrayBuffer(source.rows * 8));
    } else throw new DataError(job.file, null, `column ${name} has type ${String(type)}, neither number nor string`);
  }
  await source.scan(names, (batch, firstRow) => {
    for (const name of names) {
      const column = columns[name];
      if (column instanceof Float64Array) copyNumbers(columnData(batch, name), column, firstRow - 1);
      else for (const value of batch.getChild(name) ?? []) column?.push(value as string | null);
    }
  });
  const { rows, metadata } = source;
  source.close();
  return { rows, columns, metadata };
}

/** A batch is one piece, so each of its columns is one Data. */
export function columnData(batch: RecordBatch, name: string): Data {
  return batch.getChild(name)?.data[0] as Data;
}

function copyNumbers(data: Data, target: Float64Array, at: number): void {
  const values = data.values as ArrayLike<number | bigint>;
  for (let i = 0; i < data.length; i++) target[at + i] = data.getValid(i) ? Number(values[i]) : Number.NaN;
}
