/** What a reader of one trace format is, and what it is given. */
import type { TraceAbout } from "../parquet-write.ts";
import type { OptionalColumn } from "../trace-schema.ts";
import type { CsvCursor } from "./csv-cursor.ts";
import type { DateReader } from "./dates.ts";
import type { TraceSink } from "./sink.ts";

interface TraceFormat {
  readonly name: string;
  /** Ticks of the source's clock in a second. */
  readonly ticksPerS: number;
  readonly clock: TraceAbout["clock"];
  /** Rows may come in any order; they are kept in memory and sorted. */
  readonly sorts?: true;
  readonly blockTokens?: number;
  readonly hashScope?: "global" | "session";
}

/** The time that 64-bit ticks are counted from, so that doubles hold the rest. */
export interface Origin {
  /** Ticks since 1970; null before the first row. */
  ticks: bigint | null;
}

/** One import, over all its files. */
export interface Run {
  readonly sink: TraceSink;
  readonly dates: DateReader;
  /** Where a source counts ticks since 1970 beyond what a double holds. */
  readonly origin: Origin;
  /** Adds to what the footer counts under a name. */
  count(name: string): void;
  /** The first arrival as written; later calls change nothing. */
  firstTime(text: string): void;
}

export interface CsvFormat extends TraceFormat {
  readonly kind: "csv";
  /** Columns that tell the format and that it cannot do without. */
  readonly needs: readonly string[];
  /** A column of a format that holds this one's and more, which is not read yet. */
  readonly not?: string;
  /** Other columns that it fills, given the header. */
  columns(names: readonly string[]): readonly OptionalColumn[];
  /** The reader of one file, to be called for every row. */
  open(cursor: CsvCursor, run: Run): () => void;
}

/** A parsed object of a JSON or JSONL file. */
export type JsonRecord = Readonly<Record<string, unknown>>;

export interface JsonFormat extends TraceFormat {
  readonly kind: "json";
  matches(first: JsonRecord): boolean;
  columns(first: JsonRecord): readonly OptionalColumn[];
  /** Called once per import; what it returns is called for every record. */
  open(run: Run): JsonReader;
}

export type JsonReader = (record: JsonRecord, row: number, file: string) => void;
