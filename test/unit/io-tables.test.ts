/** Result tables: what is written is read back, the same bytes every time. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROGRESS_SLOTS } from "../../src/io/parquet-read.ts";
import { readParquetTable, readTableInThread, type ParquetTable } from "../../src/io/parquet-table.ts";
import { ABOUT_KEY, loadParquetEncoder, numbers, strings } from "../../src/io/parquet-write.ts";
import {
  incidentsParquet,
  ledgerParquet,
  poolHoursParquet,
  stepsParquet,
  windowsParquet,
} from "../../src/io/run-tables.ts";
import { DataError, InvariantError } from "../../src/kernel/errors.ts";
import type { RunSeries } from "../../src/outcome/series.ts";
import type { StepRecord } from "../../src/outcome/step-table.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "crossover-io-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** Good files may be read on this thread, which saves starting one. */
async function readHere(name: string, bytes: Uint8Array): Promise<ParquetTable> {
  const file = join(folder, name);
  await writeFile(file, bytes);
  return readTableInThread({ kind: "table", file, columns: null }, new Float64Array(PROGRESS_SLOTS));
}

function run(strategy: string, replication: number): RunSeries {
  const shift = replication * 100;
  return {
    strategy,
    replication,
    windows: {
      hour: [-1, 0, 0],
      classIndex: [0, 0, 1],
      route: ["eu-pool", "", "überlauf"],
      sent: [10 + shift, 0, 7],
      completed: [9, 0, 7],
      rejected: [1, 0, 0],
      timedOut: [0, 0, 0],
      failed: [0, 0, 0],
      boundaryRefused: [0, 2, 0],
      retried: [3, 0, 0],
      rateLimited: [4, 0, 0],
      sloMet: [8, 0, 6],
      inputTokens: [5_000_000_000_000, 0, 12],
      outputTokens: [1_000, 0, 13],
      reasoningTokens: [900, 0, 0],
      blockedByBoundary: [0, 3, 0],
      redacted: [0, 4, 0],
      notCleanable: [0, 1, 0],
      ttftMsP50: [101.5, null, 88.25],
      ttftMsP95: [201.5, null, 188.25],
      ttftMsP99: [null, null, 0],
      tpotMsP99: [null, null, null],
      e2eMsP99: [9_000.125, null, 8_000],
    },
    poolHours: {
      hour: [0, 1],
      pool: ["eu-pool", "us-pool"],
      paidReplicaH: [3, 2.5],
      busyReplicaH: [1.25, 2],
      idleReplicaH: [1.75, 0.5],
      warmReplicaH: [0, 0],
      downReplicaH: [0, 0],
      occupancyFraction: [0.4, 1 / 3],
      kvFraction: [0.9, 0.1],
    },
    incidents: {
      startS: [12.5],
      endS: [99.75],
      kind: ["node-failure"],
      target: ["eu-pool"],
      replicasLost: [2],
      requestsLost: [17],
    },
    ledger: {
      month: ["2026-11", "2026-12"],
      line: ["gpu", "api-input"],
      target: ["eu-pool", "offer"],
      className: ["", "chat"],
      quantity: [720.5, 12.75],
      unit: ["GPU-hours", "MTok"],
      usd: [1_234.56, -0.01],
      billedUsd: [0, 2_652],
      chargeCategory: ["Usage", "Purchase"],
      pricingCategory: ["Standard", "Committed"],
      commitmentDiscountStatus: ["", "Used"],
    },
  };
}

const SERIES = [run("self-host", 0), run("self-host", 1), run("api only", 0)];

/** What the reader should give for a table of the series. */
function expectedColumns(tableOf: (run: RunSeries) => object): Record<string, unknown[]> {
  const columns: Record<string, unknown[]> = { strategy: [], replication: [] };
  for (const series of SERIES) {
    const entries = Object.entries(tableOf(series)) as [string, unknown[]][];
    for (const [name, values] of entries) (columns[name] ??= []).push(...values);
    for (let i = 0; i < (entries[0]?.[1].length ?? 0); i++) {
      columns["strategy"]?.push(series.strategy);
      columns["replication"]?.push(series.replication);
    }
  }
  return columns;
}

function plain(table: ParquetTable): Record<string, unknown[]> {
  return Object.fromEntries(
    Object.entries(table.columns).map(([name, values]) => [
      name,
      Array.from<unknown, unknown>(values, (value) => (Number.isNaN(value) ? null : value)),
    ]),
  );
}

const TABLES = [
  { name: "windows", write: windowsParquet, tableOf: (series: RunSeries) => series.windows },
  { name: "pool-hours", write: poolHoursParquet, tableOf: (series: RunSeries) => series.poolHours },
  { name: "incidents", write: incidentsParquet, tableOf: (series: RunSeries) => series.incidents },
  { name: "ledger", write: ledgerParquet, tableOf: (series: RunSeries) => series.ledger },
] as const;

describe.each(TABLES)("$name.parquet", ({ name, write, tableOf }) => {
  test("is read back as written, with strategy and replication in front", async () => {
    const table = await readHere(`${name}.parquet`, await write(SERIES, { version: "1.2.3" }));
    expect(plain(table)).toEqual(expectedColumns(tableOf));
    expect(Object.keys(table.columns).slice(0, 2)).toEqual(["strategy", "replication"]);
    expect(JSON.parse(table.metadata.get(ABOUT_KEY) ?? "")).toMatchObject({ table: name, version: "1.2.3" });
  });

  test("has the same bytes whenever and after whatever it is written", async () => {
    const first = await write(SERIES);
    for (const other of TABLES) {
      await other.write(SERIES.slice(1), { version: "x" });
      expect(Buffer.compare(await write(SERIES), first)).toBe(0);
    }
    expect(Buffer.compare(await write(SERIES.slice(1)), first)).not.toBe(0);
  });

  test("may be empty", async () => {
    const table = await readHere(`${name}-empty.parquet`, await write([]));
    expect(table.rows).toBe(0);
    expect(Object.keys(table.columns)).toEqual(Object.keys(expectedColumns(tableOf)));
  });
});

test("steps.parquet holds the rows of every run, with units, and null where nobody waits", async () => {
  const steps: StepRecord["steps"] = {
    pool: ["eu-pool", "eu-pool"],
    replica: [0, 3],
    policy: ["chunked, fcfs", "chunked, fcfs"],
    startS: [0.5, 0.75],
    endS: [0.75, 1.5],
    steps: [1, 40],
    decodeSeqs: [3, 4],
    prefillSeqs: [1, 0],
    prefillTokens: [700, 0],
    contextTokens: [5_000_000_000, 6408],
    budgetUsedTokens: [703, 4],
    budgetTokens: [8192, 8192],
    running: [4, 4],
    waiting: [2, 0],
    kvBlocksUsed: [400, 401],
    kvBlocksFree: [600, 599],
    kvBlocksCached: [0, 12],
    admitted: [1, 0],
    preempted: [0, 0],
    finished: [0, 1],
    transferS: [0, 0.001],
    queueHead: [17, null],
  };
  const spans = { pool: [], replica: [], request: [], className: [], phase: [], startS: [], endS: [] };
  const rests = { pool: [], replica: [], atS: [], waiting: [], kvBlocksUsed: [], kvBlocksCached: [] };
  const records = ["a", "b"].map((strategy) => ({ strategy, replication: 0, steps, spans, rests }));
  const table = await readHere("steps.parquet", await stepsParquet(records));
  expect(table.rows).toBe(4);
  const values = plain(table);
  expect(values.strategy).toEqual(["a", "a", "b", "b"]);
  for (const [name, column] of Object.entries(steps)) expect(values[name]).toEqual([...column, ...column]);
  expect(JSON.parse(table.metadata.get(ABOUT_KEY) ?? "")).toMatchObject({
    table: "steps",
    units: { startS: "s since t = 0", transferS: "s", prefillTokens: "tokens" },
  });
});

test("windows name their classes when the names are known, and their units always", async () => {
  const table = await readHere("named.parquet", await windowsParquet(SERIES, { classNames: ["chat", "batch"] }));
  expect(table.columns["className"]?.slice(0, 3)).toEqual(["chat", "chat", "batch"]);
  const { units } = JSON.parse(table.metadata.get(ABOUT_KEY) ?? "") as { units: Record<string, string> };
  expect(units).toMatchObject({ ttftMsP99: "ms", inputTokens: "tokens", hour: "h since t = 0" });
});

test("any columns of doubles, integers and strings survive the round trip", async () => {
  const encoder = await loadParquetEncoder();
  const row = fc.record({
    double: fc.double({ noNaN: true }),
    maybe: fc.option(fc.double({ noNaN: true })),
    int32: fc.integer(),
    int64: fc.maxSafeInteger(),
    // Parquet strings are UTF-8, which has no lone surrogates.
    text: fc.string({ unit: "grapheme", maxLength: 6 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 40 }), async (rows) => {
      const columns = [
        numbers(
          "double",
          "float64",
          rows.map((item) => item.double),
        ),
        numbers(
          "maybe",
          "float64",
          rows.map((item) => item.maybe),
          true,
        ),
        numbers(
          "int32",
          "int32",
          rows.map((item) => item.int32),
        ),
        numbers(
          "int64",
          "int64",
          rows.map((item) => item.int64),
        ),
        strings(
          "text",
          rows.map((item) => item.text),
        ),
      ];
      const table = await readHere("any.parquet", encoder.encode(columns, { table: "any", units: {} }));
      const back = plain(table);
      expect(back).toEqual({
        double: rows.map((item) => item.double),
        maybe: rows.map((item) => item.maybe),
        int32: rows.map((item) => item.int32),
        int64: rows.map((item) => item.int64),
        text: rows.map((item) => item.text),
      });
    }),
    { numRuns: 40, seed: 1 },
  );
});

test("two columns may share their memory", async () => {
  const values = Float64Array.from({ length: 1024 }, (_, i) => i);
  const whole = (name: string) => numbers(name, "float64", values);
  const half = (name: string, from: number) => numbers(name, "float64", values.subarray(from, from + 512));
  const encoder = await loadParquetEncoder();
  const twice = await readHere("twice.parquet", encoder.encode([whole("a"), whole("b")], { table: "x", units: {} }));
  expect(twice.columns["b"]).toEqual(values);
  const overlap = [half("a", 0), half("b", 8), half("c", 512)];
  const table = await readHere("overlap.parquet", encoder.encode(overlap, { table: "x", units: {} }));
  expect(table.columns["b"]).toEqual(values.slice(8, 520));
  expect(table.columns["c"]).toEqual(values.slice(512));
});

test("an integer column refuses what it cannot hold", async () => {
  const encoder = await loadParquetEncoder();
  const write = (values: (number | null)[]) =>
    encoder.encode([numbers("sent", "int32", values)], { table: "x", units: {} });
  expect(() => write([1.5])).toThrow(InvariantError);
  expect(() => write([2 ** 31])).toThrow(/sent/);
  expect(() => write([null])).toThrow(InvariantError);
  const unequal = [numbers("a", "int32", [1, 2]), numbers("b", "int32", [1])];
  expect(() => encoder.encode(unequal, { table: "x", units: {} })).toThrow(/IO-2/);
});

test("the thread gives back the chosen columns, or says which one is missing and which is near", async () => {
  const file = join(folder, "thread.parquet");
  await writeFile(file, await ledgerParquet(SERIES));
  const [table, missing] = await Promise.all([
    readParquetTable(file, ["usd", "line"]),
    readParquetTable(file, ["usdd"]).catch((error: unknown) => error),
  ]);
  expect(plain(table)).toEqual({
    line: SERIES.flatMap((series) => series.ledger.line),
    usd: SERIES.flatMap((series) => series.ledger.usd),
  });
  expect(missing).toBeInstanceOf(DataError);
  expect((missing as DataError).message).toBe(`${file}: no column usdd; the nearest column is usd`);
});
