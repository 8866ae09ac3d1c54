/**
 * Reads a Parquet file row group by row group at flat memory: parquet-wasm decodes one row group into its own memory,
 * arrow-js-ffi shows each record batch as Arrow views of that memory without copying, the consumer takes what it needs,
 * and the row group is released before the next one is decoded.
 *
 * Runs inside a worker thread only (`parquet-thread.ts` starts it): a corrupt page makes the decoder trap outside every
 * promise, which would end the process if it happened on the main thread.
 */
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import type { Field, RecordBatch } from "apache-arrow";
import { DataError } from "../kernel/errors.ts";

/** Rows of one record batch; large enough that the cost per batch vanishes, small enough for the processor's cache. */
const BATCH_ROWS = 65_536;

/** Where the decoder stands, in memory shared with the main thread, so that a trap can still be located. */
export interface ReadProgress {
  /** Index of the file among those of the job. */
  readonly file: number;
  /** 0-based; -1 while the footer is read. */
  readonly rowGroup: number;
  readonly rowGroups: number;
  /** 1-based first row of the row group. */
  readonly firstRow: number;
  readonly rows: number;
}

/** Length of the shared Float64Array that carries a ReadProgress. */
export const PROGRESS_SLOTS = 5;

/** Writes progress field by field; the reader looks only after the thread has ended. */
export function recordProgress(slots: Float64Array, progress: ReadProgress): void {
  slots.set([progress.file, progress.rowGroup, progress.rowGroups, progress.firstRow, progress.rows]);
}

/** The inverse of `recordProgress`. */
export function progressOf(slots: Float64Array): ReadProgress {
  const [file = 0, rowGroup = -1, rowGroups = 0, firstRow = 1, rows = 0] = slots;
  return { file, rowGroup, rowGroups, firstRow, rows };
}

/** The text for a row group that the decoder refuses or traps on. */
export function rowGroupCorrupt({ rowGroup, rowGroups, firstRow, rows }: ReadProgress): string {
  const last = firstRow + rows - 1;
  return `row group ${rowGroup + 1} of ${rowGroups} (rows ${firstRow} to ${last}) cannot be decoded, the file is corrupt`;
}

/** An opened file. Call `close` when done; the decoder's memory is not garbage collected. */
export interface ParquetSource {
  readonly file: string;
  readonly rows: number;
  readonly fields: readonly Field[];
  /** Key-value pairs of the footer. */
  readonly metadata: ReadonlyMap<string, string>;
  /**
   * Decodes the named columns and hands over one batch after the other. The batch is a view of the decoder's memory:
   * it is valid during the call only, and the consumer must not call into parquet-wasm. `firstRow` is 1-based.
   */
  scan(columns: readonly string[], onBatch: OnBatch): Promise<void>;
  /** Like `scan`, but a row group at a time: each function hands over the batches of one, before the next is asked for. */
  groups(columns: readonly string[]): AsyncGenerator<(onBatch: OnBatch) => void>;
  /** Like `scan` over all columns, but hands over the decoder's own batches, which the receiver must free or consume. */
  batches(): AsyncGenerator<WasmBatch>;
  close(): void;
}

type OnBatch = (batch: RecordBatch, firstRow: number) => void;

export type WasmBatch = import("parquet-wasm").RecordBatch;

/**
 * Opens a Parquet file and reads its footer. Throws DataError for a truncated or foreign file. `slots` receives the
 * progress, `index` is the number of this file within the job.
 */
export async function openParquet(file: string, slots: Float64Array, index = 0): Promise<ParquetSource> {
  const [wasm, ffi, arrow] = await Promise.all([
    import("parquet-wasm"),
    import("arrow-js-ffi"),
    import("apache-arrow"),
  ]);
  recordProgress(slots, { file: index, rowGroup: -1, rowGroups: 0, firstRow: 1, rows: 0 });
  // openAsBlob reports a missing file without a code, stat reports it as Node does everywhere else.
  await stat(file);
  const parquet = await wasm.ParquetFile.fromFile(await openAsBlob(file)).catch((error: unknown) => {
    throw new DataError(file, null, `not a whole Parquet file, truncated or corrupt (${reasonOf(error)})`);
  });

  const footer = parquet.metadata();
  const about = footer.fileMetadata();
  const rows = about.numRows();
  const metadata = new Map<string, string>(about.keyValueMetadata());
  const groupRows = footer.rowGroups().map((group) => {
    const count = group.numRows();
    group.free();
    return count;
  });
  about.free();
  footer.free();
  const fields = arrow.tableFromIPC(parquet.schema().intoIPCStream()).schema.fields;

  /** Decodes the row groups in order. The table lives until the generator is resumed. */
  async function* tables(columns: readonly string[] | null) {
    let firstRow = 1;
    for (const [rowGroup, count] of groupRows.entries()) {
      recordProgress(slots, { file: index, rowGroup, rowGroups: groupRows.length, firstRow, rows: count });
      const wanted = columns === null ? {} : { columns: [...columns] };
      const table = await parquet
        .read({ batchSize: BATCH_ROWS, rowGroups: [rowGroup], ...wanted })
        .catch((error: unknown) => {
          throw new DataError(file, null, `${rowGroupCorrupt(progressOf(slots))} (${reasonOf(error)})`);
        });
      yield { table, firstRow };
      firstRow += count;
    }
    if (firstRow - 1 !== rows) {
      throw new DataError(file, null, `the footer promises ${rows} rows, the row groups hold ${firstRow - 1}`);
    }
  }

  async function* groups(columns: readonly string[]): AsyncGenerator<(onBatch: OnBatch) => void> {
    const memory = wasm.wasmMemory();
    for await (const { table, firstRow } of tables(columns)) {
      const stream = table.intoFFI();
      try {
        yield (onBatch) => {
          let row = firstRow;
          for (let i = 0; i < stream.numArrays(); i++) {
            // The buffer is asked for anew: it is replaced whenever the decoder's memory has grown.
            const batch = ffi.parseRecordBatch(memory.buffer, stream.arrayAddr(i), stream.schemaAddr(), false);
            onBatch(batch, row);
            row += batch.numRows;
          }
        };
      } finally {
        stream.drop();
      }
    }
  }

  return {
    file,
    rows,
    fields,
    metadata,
    groups,
    async scan(columns, onBatch) {
      for await (const group of groups(columns)) group(onBatch);
    },
    async *batches() {
      for await (const { table } of tables(null)) {
        const batches = table.recordBatches();
        table.free();
        yield* batches;
      }
    },
    close: () => parquet.free(),
  };
}

/** The decoder throws plain strings and Errors that repeat their class name. */
function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/^(Parquet error: )+/, "");
}
