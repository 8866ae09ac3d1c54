/**
 * How fast recorded traces are imported: two million rows in Azure's CSV and BurstGPT's, and as Parquet, each into the
 * canonical form, by a process of its own. The sums of the result are compared with those of the generator.
 */
import { execFileSync } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { streamParquet } from "../../src/io/parquet-stream.ts";
import { loadParquetEncoder, numbers } from "../../src/io/parquet-write.ts";
import { readTrace } from "../../src/io/trace.ts";

export const TRACE_IMPORTS = ["trace-import-csv", "trace-import-burstgpt", "trace-import-parquet"] as const;

export interface TraceImportBench {
  readonly id: (typeof TRACE_IMPORTS)[number];
  readonly rowsPerS: number;
  /** Highest resident memory of the importing process. */
  readonly peakMemoryMiB: number;
  /** A row is a request. */
  readonly requestsPerS: number;
}

const ROWS = 2_000_000;
const BATCH_ROWS = 100_000;
const RUNS = 3;
const CHILD = fileURLToPath(new URL("trace-import-child.mjs", import.meta.url));

/** Generates the file and imports it three times; the fastest counts. Throws if rows or sums differ. */
export async function benchTraceImport(id: TraceImportBench["id"]): Promise<TraceImportBench> {
  const folder = await mkdtemp(join(tmpdir(), "crossover-bench-"));
  try {
    const [file, target] = [join(folder, "source"), join(folder, "trace.parquet")];
    await (id === "trace-import-parquet" ? writeParquet(file) : writeCsv(file, id));
    let seconds = Infinity;
    let peakMemoryMiB = 0;
    for (let run = 0; run < RUNS; run++) {
      const text = execFileSync(process.execPath, [CHILD, file, target], { encoding: "utf8" });
      const measured = JSON.parse(text) as { readonly seconds: number; readonly peakMemoryMiB: number };
      seconds = Math.min(seconds, measured.seconds);
      peakMemoryMiB = Math.max(peakMemoryMiB, measured.peakMemoryMiB);
    }
    const trace = await readTrace(target);
    const sum = trace.inputTokens.reduce((total, tokens) => total + tokens, 0);
    const expected = Array.from({ length: ROWS }, (_, i) => inputOf(i)).reduce((total, tokens) => total + tokens, 0);
    if (trace.rowsRead !== ROWS || sum !== expected) throw new Error(`${trace.rowsRead} rows with ${sum} tokens`);
    const rowsPerS = Math.round(ROWS / seconds);
    return { id, rowsPerS, peakMemoryMiB, requestsPerS: rowsPerS };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const inputOf = (i: number): number => ((i * 7919) % 4000) + 1;
const outputOf = (i: number): number => ((i * 104_729) % 900) + 1;

function writeCsv(file: string, id: TraceImportBench["id"]): void {
  const azure = id === "trace-import-csv";
  const handle = openSync(file, "w");
  writeSync(
    handle,
    azure
      ? "TIMESTAMP,ContextTokens,GeneratedTokens\n"
      : "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n",
  );
  for (let start = 0; start < ROWS; start += BATCH_ROWS) {
    const lines = Array.from({ length: BATCH_ROWS }, (_, k) => {
      const i = start + k;
      const [input, output] = [inputOf(i), outputOf(i)];
      if (!azure)
        return `${i >> 3},${i % 3 === 0 ? "GPT-4" : "ChatGPT"},${input},${output},${input + output},API log\n`;
      const date = new Date(Date.UTC(2024, 4, 10) + Math.floor(i / 10)).toISOString().slice(0, 23).replace("T", " ");
      return `${date}${i % 10}00+00:00,${input},${output}\n`;
    });
    writeSync(handle, lines.join(""));
  }
  closeSync(handle);
}

async function writeParquet(file: string): Promise<void> {
  const encoder = await loadParquetEncoder();
  const columnsFrom = (start: number) => [
    numbers(
      "arrivalS",
      "float64",
      Float64Array.from({ length: BATCH_ROWS }, (_, k) => (start + k) / 64),
    ),
    numbers(
      "inputTokens",
      "uint32",
      Uint32Array.from({ length: BATCH_ROWS }, (_, k) => inputOf(start + k)),
    ),
    numbers(
      "outputTokens",
      "uint32",
      Uint32Array.from({ length: BATCH_ROWS }, (_, k) => outputOf(start + k)),
    ),
  ];
  async function* batches() {
    for (let start = 0; start < ROWS; start += BATCH_ROWS) yield encoder.batch(columnsFrom(start));
  }
  await streamParquet(file, batches(), { table: "bench", units: {} }, columnsFrom(0));
}
