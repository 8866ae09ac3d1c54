/**
 * Rows of single requests (`--requests`), written at flat memory. A simulation is one long synchronous call, so the
 * writer is synchronous too: it fills one block of columns and writes each full block as a small Parquet file (a part).
 * When all runs have ended, `concatParquet` streams their parts into one `requests.parquet`.
 */
import { closeSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { InvariantError } from "../kernel/errors.ts";
import { codedStrings, loadParquetEncoder, numbers, type ParquetEncoder, type WriteColumn } from "./parquet-write.ts";
import { unitsOf } from "./run-tables.ts";

/** Rows of one part; with its copies on the way to the encoder about 20 MB. */
const BLOCK_ROWS = 131_072;

/** What all rows of one writer share, and the names behind the codes of its batches. */
export interface RequestRun {
  readonly strategy: string;
  readonly replication: number;
  readonly classNames: readonly string[];
  /** Pools, offers and the response cache. */
  readonly routes: readonly string[];
  readonly outcomes: readonly string[];
  readonly version?: string;
}

/** Columns of equal length of which the first `rows` values count; the writer copies them. */
export interface RequestBatch {
  readonly rows: number;
  /** Seconds since t = 0. */
  readonly sentS: Float64Array;
  /** Index into `classNames`. */
  readonly className: ArrayLike<number>;
  /** Index into `routes`; negative for a request that reached none (null in the file). */
  readonly route: ArrayLike<number>;
  readonly inputTokens: ArrayLike<number>;
  readonly outputTokens: ArrayLike<number>;
  /** Part of the output. */
  readonly reasoningTokens: ArrayLike<number>;
  /** Milliseconds, NaN where the request did not get so far (null in the file). Stored with 24 bits of precision. */
  readonly ttftMs: ArrayLike<number>;
  readonly tpotMs: ArrayLike<number>;
  readonly e2eMs: ArrayLike<number>;
  /** Index into `outcomes`. */
  readonly outcome: ArrayLike<number>;
  readonly attempts: ArrayLike<number>;
}

export interface RequestsWriter {
  /** Appends rows; writes a part whenever a block is full. Throws Node's error (ENOSPC, EACCES …) if the disk says no. */
  write(batch: RequestBatch): void;
  /** Writes what is left and returns the parts in order, at least one. */
  close(): readonly string[];
  /** Removes every part written so far. */
  discard(): void;
}

/**
 * Opens a writer whose parts are `prefix` + "-00000.parquet" and so on. The same rows give the same parts, however they
 * were cut into batches.
 */
export async function openRequestsWriter(prefix: string, run: RequestRun): Promise<RequestsWriter> {
  return new PartWriter(prefix, run, await loadParquetEncoder());
}

/** Columns of one block; `rows` of them are filled. */
function newBlock() {
  return {
    sentS: new Float64Array(BLOCK_ROWS),
    className: new Int32Array(BLOCK_ROWS),
    route: new Int32Array(BLOCK_ROWS),
    inputTokens: new Uint32Array(BLOCK_ROWS),
    outputTokens: new Uint32Array(BLOCK_ROWS),
    reasoningTokens: new Uint32Array(BLOCK_ROWS),
    ttftMs: new Float32Array(BLOCK_ROWS),
    tpotMs: new Float32Array(BLOCK_ROWS),
    e2eMs: new Float32Array(BLOCK_ROWS),
    outcome: new Int32Array(BLOCK_ROWS),
    attempts: new Int32Array(BLOCK_ROWS),
  };
}

type Block = ReturnType<typeof newBlock>;

class PartWriter implements RequestsWriter {
  private readonly prefix: string;
  private readonly run: RequestRun;
  private readonly encoder: ParquetEncoder;
  private readonly block = newBlock();
  private readonly parts: string[] = [];
  private rows = 0;

  constructor(prefix: string, run: RequestRun, encoder: ParquetEncoder) {
    this.prefix = prefix;
    this.run = run;
    this.encoder = encoder;
  }

  write(batch: RequestBatch): void {
    for (let from = 0; from < batch.rows;) {
      const count = Math.min(batch.rows - from, BLOCK_ROWS - this.rows);
      for (const name of COLUMN_NAMES) copyRows(batch, from, count, this.block, this.rows, name);
      this.rows += count;
      from += count;
      if (this.rows === BLOCK_ROWS) this.flush();
    }
  }

  close(): readonly string[] {
    if (this.rows > 0 || this.parts.length === 0) this.flush();
    return this.parts;
  }

  discard(): void {
    for (const part of this.parts.splice(0)) rmSync(part, { force: true });
  }

  private flush(): void {
    const columns = requestColumns(this.block, this.rows, this.run);
    const { version } = this.run;
    const about = { table: "requests", ...(version === undefined ? {} : { version }), units: unitsOf(columns) };
    const part = `${this.prefix}-${String(this.parts.length).padStart(5, "0")}.parquet`;
    writeWhole(part, this.encoder.encode(columns, about));
    this.parts.push(part);
    this.rows = 0;
  }
}

const COLUMN_NAMES = Object.keys(newBlock()) as readonly (keyof Block)[];

function copyRows(batch: RequestBatch, from: number, count: number, block: Block, at: number, name: keyof Block): void {
  const source = batch[name];
  if (source.length < from + count) {
    throw new InvariantError("IO-2 columns of equal length", {
      column: name,
      rows: source.length,
      expected: batch.rows,
    });
  }
  const target = block[name];
  for (let i = 0; i < count; i++) target[at + i] = source[from + i] as number;
}

function requestColumns(block: Block, rows: number, run: RequestRun): readonly WriteColumn[] {
  const codes = (name: "className" | "route" | "outcome") => block[name].subarray(0, rows);
  const milliseconds = (name: "ttftMs" | "tpotMs" | "e2eMs") =>
    numbers(name, "float32", block[name].subarray(0, rows), true);
  return [
    codedStrings("strategy", new Int32Array(rows), [run.strategy]),
    numbers("replication", "int32", new Int32Array(rows).fill(run.replication)),
    numbers("sentS", "float64", block.sentS.subarray(0, rows)),
    codedStrings("className", codes("className"), run.classNames),
    codedStrings("route", codes("route"), run.routes, true),
    numbers("inputTokens", "uint32", block.inputTokens.subarray(0, rows)),
    numbers("outputTokens", "uint32", block.outputTokens.subarray(0, rows)),
    numbers("reasoningTokens", "uint32", block.reasoningTokens.subarray(0, rows)),
    milliseconds("ttftMs"),
    milliseconds("tpotMs"),
    milliseconds("e2eMs"),
    codedStrings("outcome", codes("outcome"), run.outcomes),
    numbers("attempts", "int32", block.attempts.subarray(0, rows)),
  ];
}

/** Through a temporary name, so that a part is whole or absent. */
function writeWhole(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.tmp`;
  try {
    const handle = openSync(temporary, "w");
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(handle, bytes, done);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
