/** A trace in the canonical form with all its columns, in memory; for whatever looks at sessions, prefixes or outcomes. */
import type { Data } from "apache-arrow";
import { DataError } from "../kernel/errors.ts";
import { ABOUT_KEY } from "./parquet-write.ts";
import { openParquet } from "./parquet-read.ts";
import { columnData } from "./parquet-table.ts";
import { runParquetJob } from "./parquet-thread.ts";
import { siblingModule } from "./thread-module.ts";
import { numberAt } from "./trace-parquet.ts";
import {
  isOptionalColumn,
  OPTIONAL_COLUMNS,
  REQUIRED_COLUMNS,
  traceAboutOf,
  type ListColumn,
  type NumberColumn,
  type OptionalColumn,
  type TextColumn,
  type TraceAbout,
} from "./trace-schema.ts";

/** Row `i` holds `items` from `offsets[i]` up to `offsets[i + 1]`. */
interface ListValues {
  readonly offsets: Uint32Array;
  readonly items: Uint32Array;
}

/** Codes into `names`; negative is null. */
interface TextValues {
  readonly codes: Int32Array;
  readonly names: readonly string[];
}

export interface TraceTable {
  readonly rows: number;
  readonly arrivalS: Float64Array;
  readonly inputTokens: Uint32Array;
  readonly outputTokens: Uint32Array;
  /** NaN is null. */
  readonly numbers: Partial<Record<NumberColumn, Float64Array>>;
  readonly texts: Partial<Record<TextColumn, TextValues>>;
  readonly lists: Partial<Record<ListColumn, ListValues>>;
  /** Null for a file that `trace import` did not write. */
  readonly about: TraceAbout | null;
}

export interface TraceTableJob {
  readonly kind: "trace-table";
  readonly file: string;
  readonly columns: readonly OptionalColumn[] | null;
}

/**
 * Reads a canonical Parquet trace with the optional `columns` that it has (null: all). Throws DataError for a file that
 * is none, Node's error if it cannot be opened.
 */
export function readTraceTable(file: string, columns: readonly OptionalColumn[] | null = null): Promise<TraceTable> {
  const job: TraceTableJob = { kind: "trace-table", file, columns };
  return runParquetJob(siblingModule("./parquet-worker", import.meta.url), job, [file]);
}

/** The worker's side of `readTraceTable`. */
export async function readTraceTableInThread(
  { file, columns }: TraceTableJob,
  progress: Float64Array,
): Promise<TraceTable> {
  const source = await openParquet(file, progress);
  const { rows } = source;
  const names = source.fields.map((field) => field.name);
  const required = Object.keys(REQUIRED_COLUMNS);
  const missing = required.find((name) => !names.includes(name));
  if (missing !== undefined)
    throw new DataError(file, null, `no column ${missing}; a trace of \`crossover trace import\` is needed`);
  const wanted = names.filter((name) => isOptionalColumn(name)).filter((name) => columns?.includes(name) ?? true);
  const shared = (bytes: number) => new SharedArrayBuffer(bytes);
  const arrivalS = new Float64Array(shared(rows * 8));
  const inputTokens = new Uint32Array(shared(rows * 4));
  const outputTokens = new Uint32Array(shared(rows * 4));
  const numbers: TraceTable["numbers"] = {};
  const texts: Partial<Record<TextColumn, { codes: Int32Array; names: string[]; codeOf: Map<string, number> }>> = {};
  const lists: Partial<Record<ListColumn, { offsets: Uint32Array; pieces: Uint32Array[]; length: number }>> = {};
  for (const name of wanted) {
    const { kind } = OPTIONAL_COLUMNS[name];
    if (kind === "string")
      texts[name as TextColumn] = { codes: new Int32Array(shared(rows * 4)).fill(-1), names: [], codeOf: new Map() };
    else if (kind === "uint32-list")
      lists[name as ListColumn] = { offsets: new Uint32Array(shared(rows * 4 + 4)), pieces: [], length: 0 };
    else numbers[name as NumberColumn] = new Float64Array(shared(rows * 8));
  }
  await source.scan([...required, ...wanted], (batch, firstRow) => {
    const start = firstRow - 1;
    const copy = (name: string, target: Float64Array | Uint32Array): void => {
      const at = numberAt(columnData(batch, name));
      for (let i = 0; i < batch.numRows; i++) target[start + i] = at(i);
    };
    copy("arrivalS", arrivalS);
    copy("inputTokens", inputTokens);
    copy("outputTokens", outputTokens);
    for (const [name, target] of Object.entries(numbers)) copy(name, target);
    for (const [name, column] of Object.entries(texts)) {
      const vector = batch.getChild(name)!;
      for (let i = 0; i < batch.numRows; i++) {
        const text = vector.get(i) as string | null;
        if (text === null) continue;
        let code = column.codeOf.get(text);
        if (code === undefined) {
          code = column.names.push(text) - 1;
          column.codeOf.set(text, code);
        }
        column.codes[start + i] = code;
      }
    }
    for (const [name, column] of Object.entries(lists)) appendLists(columnData(batch, name), column, start);
  });
  const about = traceAboutOf(source.metadata.get(ABOUT_KEY));
  source.close();
  return {
    rows,
    arrivalS,
    inputTokens,
    outputTokens,
    numbers,
    texts: Object.fromEntries(
      Object.entries(texts).map(([name, column]) => [name, { codes: column.codes, names: column.names }]),
    ),
    lists: Object.fromEntries(
      Object.entries(lists).map(([name, { offsets, pieces, length }]) => {
        const items = new Uint32Array(shared(length * 4));
        let at = 0;
        for (const piece of pieces) {
          items.set(piece, at);
          at += piece.length;
        }
        return [name, { offsets, items }];
      }),
    ),
    about,
  };
}

function appendLists(
  data: Data,
  column: { offsets: Uint32Array; pieces: Uint32Array[]; length: number },
  start: number,
): void {
  const from = data.valueOffsets as Int32Array;
  const items = data.children[0]!.values as Uint32Array;
  const first = from[0]!;
  for (let i = 0; i < data.length; i++) column.offsets[start + i + 1] = column.length + from[i + 1]! - first;
  const piece = items.slice(first, from[data.length]!);
  column.pieces.push(piece);
  column.length += piece.length;
}
