/**
 * How fast and at what memory a large Parquet file is read: 5 million rows × 6 columns through parquet-wasm and
 * arrow-js-ffi, row group by row group, in a worker thread of a process of its own. Every column is summed and the sums
 * are compared with those of the generator, which proves that every value was read.
 */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isMainThread, workerData } from "node:worker_threads";
import { streamParquet } from "../../src/io/parquet-stream.ts";
import { runParquetJob, serveParquetJob } from "../../src/io/parquet-thread.ts";
import { openParquet } from "../../src/io/parquet-read.ts";
import { loadParquetEncoder, numbers, type WriteColumn } from "../../src/io/parquet-write.ts";

export interface ParquetBench {
  readonly id: "parquet-read-5m";
  readonly rowsPerS: number;
  /** Highest resident memory of the whole reading process. */
  readonly peakMemoryMiB: number;
  /** A row is a request. */
  readonly requestsPerS: number;
}

interface Reading {
  readonly rows: number;
  readonly seconds: number;
  readonly sums: Readonly<Record<string, number>>;
}

interface SumJob {
  readonly kind: "bench-sum";
  readonly file: string;
}

const ROWS = 5_000_000;
const BATCH_ROWS = 100_000;
const READ_FLAG = "--read";
const COLUMNS = ["arrivalS", "inputTokens", "outputTokens", "classIndex", "ttftMs", "e2eMs"] as const;

/** Generates the file, reads it and returns what was measured. About 15 s. Throws if a single sum differs. */
export async function benchParquet(): Promise<ParquetBench> {
  const folder = await mkdtemp(join(tmpdir(), "crossover-bench-"));
  try {
    const file = join(folder, "trace.parquet");
    const expected = await generate(file);
    const { reading, peakMemoryMiB } = await readInProcess(file);
    for (const name of COLUMNS) {
      if (reading.sums[name] === expected[name]) continue;
      throw new Error(`column ${name} sums up to ${reading.sums[name]}, ${expected[name]} was written`);
    }
    if (reading.rows !== ROWS) throw new Error(`${reading.rows} rows read, ${ROWS} written`);
    const rowsPerS = Math.round(reading.rows / reading.seconds);
    return { id: "parquet-read-5m", rowsPerS, peakMemoryMiB, requestsPerS: rowsPerS };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Writes the file and returns the sum of each column, added up in row order as the reader does. */
async function generate(file: string): Promise<Record<string, number>> {
  const encoder = await loadParquetEncoder();
  const sums: Record<string, number> = {};
  let state = 1;
  const draw = () => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  let arrivalS = 0;
  const nextBatch = (): WriteColumn[] => {
    const arrivals = new Float64Array(BATCH_ROWS);
    const input = new Uint32Array(BATCH_ROWS);
    const output = new Uint32Array(BATCH_ROWS);
    const classIndex = new Int32Array(BATCH_ROWS);
    const ttftMs = new Float32Array(BATCH_ROWS);
    const e2eMs = new Float32Array(BATCH_ROWS);
    for (let i = 0; i < BATCH_ROWS; i++) {
      arrivals[i] = arrivalS += draw() / 50;
      input[i] = draw() * 4000;
      output[i] = draw() * 1000;
      classIndex[i] = draw() * 4;
      ttftMs[i] = 50 + draw() * 400;
      e2eMs[i] = 500 + draw() * 30_000;
    }
    return [
      numbers("arrivalS", "float64", arrivals),
      numbers("inputTokens", "uint32", input),
      numbers("outputTokens", "uint32", output),
      numbers("classIndex", "int32", classIndex),
      numbers("ttftMs", "float32", ttftMs),
      numbers("e2eMs", "float32", e2eMs),
    ];
  };
  let columns = nextBatch();
  async function* batches() {
    for (let rows = 0; rows < ROWS; rows += BATCH_ROWS) {
      for (const { name, ...column } of columns) {
        if (column.type !== "string") sums[name] = addUp(column.values as ArrayLike<number>, sums[name] ?? 0);
      }
      yield encoder.batch(columns);
      columns = nextBatch();
    }
  }
  await streamParquet(file, batches(), { table: "bench", units: {} }, columns);
  return sums;
}

function addUp(values: ArrayLike<number>, start: number): number {
  let sum = start;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum;
}

/** Reads in a process of its own, whose memory does not contain the generator's. */
async function readInProcess(file: string): Promise<{ reading: Reading; peakMemoryMiB: number }> {
  const child = spawn(process.execPath, ["--import", "tsx", fileURLToPath(import.meta.url), READ_FLAG, file], {
    // tsx is looked up from the current folder.
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`the reading process ended with ${code}`);
  return JSON.parse(text) as { reading: Reading; peakMemoryMiB: number };
}

/** The thread: sums every column. The libraries are loaded before the clock starts. */
async function sumColumns(job: SumJob, progress: Float64Array): Promise<Reading> {
  await Promise.all([import("parquet-wasm"), import("arrow-js-ffi"), import("apache-arrow")]);
  const startMs = performance.now();
  const source = await openParquet(job.file, progress);
  const sums: Record<string, number> = {};
  let rows = 0;
  await source.scan(COLUMNS, (batch) => {
    rows += batch.numRows;
    for (const name of COLUMNS) {
      const data = batch.getChild(name)?.data[0];
      sums[name] = addUp(data?.values as ArrayLike<number>, sums[name] ?? 0);
    }
  });
  source.close();
  return { rows, seconds: (performance.now() - startMs) / 1000, sums };
}

if (!isMainThread && (workerData as { job?: Partial<SumJob> } | null)?.job?.kind === "bench-sum") {
  await serveParquetJob(sumColumns);
} else if (process.argv[2] === READ_FLAG) {
  const file = process.argv[3] as string;
  const job: SumJob = { kind: "bench-sum", file };
  const reading = await runParquetJob<Reading>(new URL(import.meta.url), job, [file]);
  const peakMemoryMiB = Math.round(process.resourceUsage().maxRSS / 1024);
  process.stdout.write(JSON.stringify({ reading, peakMemoryMiB }));
}
