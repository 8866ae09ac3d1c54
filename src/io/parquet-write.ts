/**
 * Writes typed columns as Parquet (zstd). Columns become Arrow data without boxing a value; strings are dictionary
 * encoded. The same columns give the same bytes.
 */
import type { Data, Field, RecordBatch as ArrowBatch } from "apache-arrow";
import { InvariantError } from "../kernel/errors.ts";
import type { WasmBatch } from "./parquet-read.ts";

/** Rows of one row group: about 10 MB of a dozen columns, so a reader that takes one at a time stays small. */
const ROW_GROUP_ROWS = 262_144;

const NUMBER_TYPES = ["float64", "float32", "int32", "uint32", "int64"] as const;
type NumberType = (typeof NUMBER_TYPES)[number];

/** A column of numbers; `null` is allowed in plain arrays, NaN means null in typed float arrays if `nanIsNull`. */
export interface NumberColumn {
  readonly name: string;
  readonly type: NumberType;
  readonly values: ArrayLike<number | null>;
  readonly nullable: boolean;
}

/** A column of strings as codes into `names`; a negative code is null. */
export interface StringColumn {
  readonly name: string;
  readonly type: "string";
  readonly codes: Int32Array;
  readonly names: readonly string[];
  readonly nullable: boolean;
}

/** A column of lists of whole numbers: row `i` holds `values` from `offsets[i]` up to `offsets[i + 1]`. */
export interface ListColumn {
  readonly name: string;
  readonly type: "uint32-list";
  readonly offsets: Int32Array;
  readonly values: Uint32Array;
  readonly nullable: false;
}

export type WriteColumn = NumberColumn | StringColumn | ListColumn;

/** What is true of a request trace as a whole. */
export interface TraceAbout {
  /** Name of the format it was read from. */
  readonly format: string;
  readonly files: readonly string[];
  /** `dates`: points in time; `seconds`: only differences mean something; `none`: no times, all arrive at 0. */
  readonly clock: "dates" | "seconds" | "none";
  /** Unix time of the first arrival, seconds; null where the source has no dates. */
  readonly epochS: number | null;
  /** The first arrival as the source writes it. */
  readonly firstTime: string | null;
  /** Tokens of a block of `hashIds`, and where an id means the same block. */
  readonly blockTokens: number | null;
  readonly hashScope: "global" | "session" | null;
  /** Data rows of the source; `rows` of them are in the file, the others in `dropped` by reason. */
  readonly rowsRead: number;
  readonly rows: number;
  readonly dropped: Readonly<Record<string, number>>;
  /** Rows whose status is not ok. */
  readonly failed: number;
  /** Rows that stood before an earlier one in the source and were sorted. */
  readonly inversions: number;
  /** Rows that arrive at the same time as the row before. */
  readonly sameTime: number;
  /** Whatever else a reader of this format counts, for example clock wraps. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What the footer says about the table. */
export interface TableAbout {
  /** Name of the table, for example "windows". */
  readonly table: string;
  /** Version of this program, where the caller has one. */
  readonly version?: string;
  /** Unit of each column that has one. */
  readonly units: Readonly<Record<string, string>>;
  readonly trace?: TraceAbout;
}

/** Key of the footer's key-value pairs under which the JSON of TableAbout stands. */
export const ABOUT_KEY = "crossover";

/** A column of numbers. Integer types throw InvariantError on a value they cannot hold. NaN and null are null if `nullable`. */
export function numbers(
  name: string,
  type: NumberType,
  values: ArrayLike<number | null>,
  nullable = false,
): NumberColumn {
  return { name, type, values, nullable };
}

/** A column of strings, coded in order of first appearance. */
export function strings(name: string, values: readonly string[]): StringColumn {
  const codeOf = new Map<string, number>();
  const codes = Int32Array.from(values, (value) => {
    const code = codeOf.get(value) ?? codeOf.size;
    codeOf.set(value, code);
    return code;
  });
  return { name, type: "string", codes, names: [...codeOf.keys()], nullable: false };
}

/** A column of strings that is coded already. */
export function codedStrings(
  name: string,
  codes: Int32Array,
  names: readonly string[],
  nullable = false,
): StringColumn {
  return { name, type: "string", codes, names, nullable };
}

type Arrow = typeof import("apache-arrow");
type Wasm = typeof import("parquet-wasm");

/** The two libraries, loaded once and only when something is written. All methods are synchronous. */
export interface ParquetEncoder {
  /** A whole file in memory. */
  encode(columns: readonly WriteColumn[], about: TableAbout): Uint8Array;
  /** One record batch in the encoder's memory, which the receiver must free or consume. */
  batch(columns: readonly WriteColumn[]): WasmBatch;
}

export async function loadParquetEncoder(): Promise<ParquetEncoder> {
  const [arrow, wasm] = await Promise.all([import("apache-arrow"), import("parquet-wasm")]);
  const tableOf = (columns: readonly WriteColumn[]) =>
    wasm.Table.fromIPCStream(arrow.tableToIPC(new arrow.Table([arrowBatch(arrow, columns)]), "stream"));
  return {
    encode: (columns, about) => wasm.writeParquet(tableOf(columns), writerProperties(wasm, about, columns)),
    batch(columns) {
      const table = tableOf(columns);
      const batch = table.recordBatch(0);
      table.free();
      if (batch === undefined) throw new InvariantError("IO-1 one batch per table", { columns: columns.length });
      return batch;
    },
  };
}

/** Settings of every file we write. `about`: as JSON where its length matters. `columns`: names and types only. */
export function writerProperties(
  wasm: Wasm,
  about: TableAbout | string,
  columns: readonly Pick<WriteColumn, "name" | "type">[],
) {
  const { ZSTD } = wasm.Compression;
  // One key only: the encoder keeps the pairs in a hash table whose order changes from one file to the next.
  let builder = new wasm.WriterPropertiesBuilder()
    .setCompression(ZSTD)
    .setMaxRowGroupSize(ROW_GROUP_ROWS)
    .setKeyValueMetadata(new Map([[ABOUT_KEY, typeof about === "string" ? about : JSON.stringify(about)]]));
  for (const { name, type } of columns) {
    if (type !== "float64" && type !== "float32") continue;
    // Nearly every float is different: a dictionary would be built and thrown away; split bytes compress better.
    builder = builder.setColumnDictionaryEnabled(name, false).setColumnEncoding(name, wasm.Encoding.BYTE_STREAM_SPLIT);
  }
  return builder.build();
}

function arrowBatch(arrow: Arrow, columns: readonly WriteColumn[]): ArrowBatch {
  const rows = columns[0] === undefined ? 0 : lengthOf(columns[0]);
  const seen = new Set<ArrayBufferLike>();
  const children = columns.map((column, index): Data => {
    if (lengthOf(column) !== rows) {
      throw new InvariantError("IO-2 columns of equal length", {
        column: column.name,
        rows: lengthOf(column),
        expected: rows,
      });
    }
    if (column.type === "string") return stringData(arrow, column, index, seen);
    return column.type === "uint32-list" ? listData(arrow, column) : numberData(arrow, column, seen);
  });
  const schema = new arrow.Schema(
    columns.map(({ name, nullable }, index) => new arrow.Field(name, (children[index] as Data).type, nullable)),
  );
  const type = new arrow.Struct(schema.fields);
  return new arrow.RecordBatch(schema, arrow.makeData({ type, length: rows, nullCount: 0, children }));
}

/**
 * Arrow merges neighbouring columns that lie in one buffer and overlap, and so loses bytes of a column that is used
 * twice: the second column of a buffer is copied.
 */
function unshared<T extends Float64Array | Float32Array | Int32Array | Uint32Array>(
  values: T,
  seen: Set<ArrayBufferLike>,
): T {
  if (seen.has(values.buffer)) return values.slice() as T;
  seen.add(values.buffer);
  return values;
}

function lengthOf(column: WriteColumn): number {
  if (column.type === "string") return column.codes.length;
  return column.type === "uint32-list" ? column.offsets.length - 1 : column.values.length;
}

function listData(arrow: Arrow, { offsets, values }: ListColumn): Data {
  const item = new arrow.Uint32();
  const child = arrow.makeData({ type: item, length: values.length, data: values, ...NO_NULLS });
  const type = new arrow.List(new arrow.Field("item", item, false));
  return arrow.makeData({ type, length: offsets.length - 1, valueOffsets: offsets, child, ...NO_NULLS });
}

function numberData(arrow: Arrow, column: NumberColumn, seen: Set<ArrayBufferLike>): Data {
  const { type, values } = column;
  const length = values.length;
  const nulls = column.nullable ? nullsWhere(length, (i) => isMissing(values[i])) : NO_NULLS;
  switch (type) {
    case "float64": {
      const data =
        values instanceof Float64Array
          ? unshared(values, seen)
          : Float64Array.from(values, (value) => value ?? Number.NaN);
      return arrow.makeData({ type: new arrow.Float64(), length, data, ...nulls });
    }
    case "float32": {
      const data =
        values instanceof Float32Array
          ? unshared(values, seen)
          : Float32Array.from(values, (value) => value ?? Number.NaN);
      return arrow.makeData({ type: new arrow.Float32(), length, data, ...nulls });
    }
    case "int32": {
      const data =
        values instanceof Int32Array
          ? unshared(values, seen)
          : Int32Array.from(values, integer(column, -(2 ** 31), 2 ** 31 - 1));
      return arrow.makeData({ type: new arrow.Int32(), length, data, ...nulls });
    }
    case "uint32": {
      const data =
        values instanceof Uint32Array
          ? unshared(values, seen)
          : Uint32Array.from(values, integer(column, 0, 2 ** 32 - 1));
      return arrow.makeData({ type: new arrow.Uint32(), length, data, ...nulls });
    }
    case "int64": {
      const check = integer(column, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
      const data = BigInt64Array.from({ length }, (_, i) => BigInt(check(values[i] ?? null)));
      return arrow.makeData({ type: new arrow.Int64(), length, data, ...nulls });
    }
  }
}

/** A missing value is stored as 0 under its null bit. */
function integer(column: NumberColumn, min: number, max: number): (value: number | null) => number {
  return (value) => {
    if (column.nullable && isMissing(value)) return 0;
    if (value !== null && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new InvariantError("IO-3 integers fit their column", { column: column.name, type: column.type, value });
  };
}

function isMissing(value: number | null | undefined): boolean {
  return value === null || value === undefined || Number.isNaN(value);
}

function stringData(arrow: Arrow, column: StringColumn, index: number, seen: Set<ArrayBufferLike>): Data {
  const { codes, names } = column;
  const encoder = new TextEncoder();
  const texts = names.map((name) => encoder.encode(name));
  const valueOffsets = new Int32Array(names.length + 1);
  texts.forEach((text, i) => (valueOffsets[i + 1] = (valueOffsets[i] as number) + text.length));
  const data = new Uint8Array(valueOffsets[names.length] as number);
  texts.forEach((text, i) => data.set(text, valueOffsets[i]));
  const utf8 = new arrow.Utf8();
  const dictionary = arrow.makeVector(arrow.makeData({ type: utf8, length: names.length, valueOffsets, data }));
  // The id is given, because Arrow would count upwards through the life of the process and write it into the file.
  const type = new arrow.Dictionary(utf8, new arrow.Int32(), index);
  const nulls = column.nullable ? nullsWhere(codes.length, (i) => (codes[i] as number) < 0) : NO_NULLS;
  const stored = nulls.nullCount === 0 ? unshared(codes, seen) : codes.map((code) => Math.max(code, 0));
  return arrow.makeData({ type, length: codes.length, data: stored, dictionary, ...nulls });
}

const NO_NULLS = { nullCount: 0 } as const;

/** Arrow's validity bitmap, least significant bit first, 1 = present; none when nothing is missing. */
function nullsWhere(length: number, missing: (row: number) => boolean): { nullCount: number; nullBitmap?: Uint8Array } {
  const nullBitmap = new Uint8Array((length + 7) >> 3);
  let nullCount = 0;
  for (let i = 0; i < length; i++) {
    if (missing(i)) nullCount++;
    else nullBitmap[i >> 3] = (nullBitmap[i >> 3] as number) | (1 << (i & 7));
  }
  return nullCount === 0 ? NO_NULLS : { nullCount, nullBitmap };
}

/** Names and types of the columns of a file that this module wrote. */
export function writtenColumns(fields: readonly Field[]): Pick<WriteColumn, "name" | "type">[] {
  return fields.map(({ name, type }) => {
    const numeric = NUMBER_TYPES.find((candidate) => candidate === String(type).toLowerCase());
    return { name, type: numeric ?? "string" };
  });
}
