/** Rows of single requests: written in parts, joined into one file, at flat memory, whole or not at all. */
import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wasmMemory } from "parquet-wasm";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { PROGRESS_SLOTS } from "../../src/io/parquet-read.ts";
import { readTableInThread } from "../../src/io/parquet-table.ts";
import { ABOUT_KEY, loadParquetEncoder, numbers } from "../../src/io/parquet-write.ts";
import { concatInThread, concatParquet } from "../../src/io/requests-concat.ts";
import { openRequestsWriter, type RequestBatch, type RequestRun } from "../../src/io/requests-writer.ts";
import { DataError, InvariantError } from "../../src/kernel/errors.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "crossover-requests-"));
});
afterEach(() => rm(folder, { recursive: true }));

const run = (strategy: string, replication: number): RequestRun => ({
  strategy,
  replication,
  classNames: ["chat", "batch"],
  routes: ["eu-pool", "offer"],
  outcomes: ["completed", "failed"],
  version: "1.0.0",
});

/** Rows `from` to `from + rows` of an endless table. */
function batch(from: number, rows: number): RequestBatch {
  const column = (value: (row: number) => number) => Float64Array.from({ length: rows }, (_, i) => value(from + i));
  return {
    rows,
    sentS: column((row) => row / 4),
    className: column((row) => row % 2),
    route: column((row) => (row % 3) - 1),
    inputTokens: column((row) => row % 5_000),
    outputTokens: column((row) => row % 700),
    reasoningTokens: column((row) => row % 7),
    ttftMs: column((row) => (row % 10 === 9 ? Number.NaN : (row % 1_000) / 8)),
    tpotMs: column((row) => (row % 64) / 4),
    e2eMs: column((row) => row % 30_000),
    outcome: column((row) => (row % 10 === 9 ? 1 : 0)),
    attempts: column((row) => 1 + (row % 2)),
  };
}

/** Writes `rows` rows in batches of `batchRows` and returns the parts. */
async function write(
  prefix: string,
  rows: number,
  batchRows: number,
  about = run("self", 0),
): Promise<readonly string[]> {
  const writer = await openRequestsWriter(join(folder, prefix), about);
  for (let from = 0; from < rows; from += batchRows) writer.write(batch(from, Math.min(batchRows, rows - from)));
  return writer.close();
}

const slots = () => new Float64Array(PROGRESS_SLOTS);
const read = (file: string) => readTableInThread({ kind: "table", file, columns: null }, slots());
const concatHere = (parts: readonly string[], name: string) =>
  concatInThread({ kind: "concat", parts, target: join(folder, name) }, slots());

test("the parts of two runs become one file, in order, with the rows as written", async () => {
  const first = await write("a", 150_000, 10_000, run("self", 0));
  const second = await write("b", 7, 2, run("api", 3));
  expect([first.length, second.length]).toEqual([2, 1]);
  const target = join(folder, "requests.parquet");
  await concatParquet([...first, ...second], target);
  expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);

  const table = await read(target);
  expect(table.rows).toBe(150_007);
  expect(JSON.parse(table.metadata.get(ABOUT_KEY) ?? "")).toMatchObject({
    table: "requests",
    version: "1.0.0",
    units: { sentS: "s since t = 0", ttftMs: "ms", inputTokens: "tokens" },
  });
  const at = (row: number) =>
    Object.fromEntries(Object.entries(table.columns).map(([name, values]) => [name, values[row]]));
  const common = { className: "batch", inputTokens: 4_999, attempts: 2, tpotMs: 11.75 };
  expect(at(149_999)).toEqual({
    ...common,
    strategy: "self",
    replication: 0,
    sentS: 37_499.75,
    route: "offer",
    outputTokens: 149_999 % 700,
    reasoningTokens: 149_999 % 7,
    ttftMs: Number.NaN,
    e2eMs: 29_999,
    outcome: "failed",
  });
  expect(at(150_000)).toEqual({
    strategy: "api",
    replication: 3,
    sentS: 0,
    className: "chat",
    route: null,
    inputTokens: 0,
    outputTokens: 0,
    reasoningTokens: 0,
    ttftMs: 0,
    tpotMs: 0,
    e2eMs: 0,
    outcome: "completed",
    attempts: 1,
  });
  const sentS = table.columns["sentS"] as Float64Array;
  expect(sentS.subarray(0, 150_000).every((value, row) => value === row / 4)).toBe(true);
});

test("the same rows give the same bytes, however they were cut", async () => {
  const coarse = await write("coarse", 140_000, 140_000);
  const fine = await write("fine", 140_000, 9_999);
  await concatHere(coarse, "coarse.parquet");
  await concatHere(fine, "fine.parquet");
  const bytes = (name: string) => readFileSync(join(folder, name));
  for (const [i, part] of coarse.entries())
    expect(readFileSync(part).equals(readFileSync(fine[i] as string))).toBe(true);
  expect(bytes("fine.parquet").equals(bytes("coarse.parquet"))).toBe(true);
});

test("a run without requests gives a file with columns and no rows", async () => {
  const parts = await write("none", 0, 1);
  expect(parts).toHaveLength(1);
  await concatHere(parts, "none.parquet");
  const table = await read(join(folder, "none.parquet"));
  expect(table.rows).toBe(0);
  expect(Object.keys(table.columns)).toHaveLength(13);
});

test("memory is flat in the number of rows, writing, joining and reading", async () => {
  const halfBlock = batch(0, 65_536);
  const cycle = async (name: string, blocks: number) => {
    const writer = await openRequestsWriter(join(folder, name), run("self", 0));
    for (let i = 0; i < 2 * blocks; i++) writer.write(halfBlock);
    await concatHere(writer.close(), `${name}.parquet`);
    const { rows } = await readTableInThread(
      { kind: "table", file: join(folder, `${name}.parquet`), columns: ["attempts"] },
      slots(),
    );
    expect(rows).toBe(blocks * 131_072);
    return wasmMemory().buffer.byteLength;
  };
  const few = await cycle("few", 3);
  expect(await cycle("many", 7)).toBeLessThan(few * 1.1);
}, 30_000);

test("columns that are too short, and nothing to join, are faults of the caller", async () => {
  const writer = await openRequestsWriter(join(folder, "x"), run("self", 0));
  expect(() => writer.write({ ...batch(0, 5), attempts: new Int32Array(4) })).toThrow(InvariantError);
  await expect(concatParquet([], join(folder, "y"))).rejects.toThrow(InvariantError);
});

test("a discarded writer leaves nothing", async () => {
  const writer = await openRequestsWriter(join(folder, "x"), run("self", 0));
  writer.write(batch(0, 140_000));
  expect(await readdir(folder)).toEqual(["x-00000.parquet"]);
  writer.discard();
  expect(await readdir(folder)).toEqual([]);
});

describe("when a part is wrong", () => {
  test("a corrupt one is a DataError that names it, and the old target stays", async () => {
    const good = await write("good", 1_000, 1_000);
    const bad = await write("bad", 1_000, 1_000);
    const bytes = readFileSync(bad[0] as string);
    bytes.fill(0xff, 40, 400);
    writeFileSync(bad[0] as string, bytes);
    const target = join(folder, "requests.parquet");
    writeFileSync(target, "old");
    const error: unknown = await concatParquet([...good, ...bad], target).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).file).toBe(bad[0]);
    expect((error as DataError).message).toContain("row group 1 of 1 (rows 1 to 1000)");
    expect(readFileSync(target, "utf8")).toBe("old");
    expect(existsSync(`${target}.tmp`)).toBe(false);
  });

  test("one with other columns is a DataError", async () => {
    const good = await write("good", 10, 10);
    const other = join(folder, "other.parquet");
    const encoder = await loadParquetEncoder();
    writeFileSync(other, encoder.encode([numbers("a", "int32", [1])], { table: "x", units: {} }));
    await expect(concatHere([...good, other], "requests.parquet")).rejects.toThrow(
      /other\.parquet: its columns differ/,
    );
  });
});

describe("when the disk says no", () => {
  const noFullDevice = !existsSync("/dev/full");
  if (noFullDevice) console.warn("SKIPPED: no /dev/full on this system, a full disk is not tested");

  test.skipIf(noFullDevice)("a full one is ENOSPC, for a part and for the whole, and nothing is left", async () => {
    const parts = await write("good", 1_000, 1_000);
    const target = join(folder, "requests.parquet");
    symlinkSync("/dev/full", `${target}.tmp`);
    await expect(concatParquet(parts, target)).rejects.toMatchObject({ code: "ENOSPC" });
    symlinkSync("/dev/full", join(folder, "part-00000.parquet.tmp"));
    const writer = await openRequestsWriter(join(folder, "part"), run("self", 0));
    writer.write(batch(0, 1_000));
    expect(() => writer.close()).toThrow(expect.objectContaining({ code: "ENOSPC" }));
    expect(await readdir(folder)).toEqual(["good-00000.parquet"]);
  });

  test("a target that cannot be made is an error with Node's code", async () => {
    const parts = await write("good", 10, 10);
    await expect(concatParquet(parts, join(folder, "absent", "requests.parquet"))).rejects.toMatchObject({
      code: "ENOENT",
    });
    await mkdir(join(folder, "taken"));
    await expect(concatHere(parts, "taken")).rejects.toMatchObject({ code: "EISDIR" });
    expect(await readdir(folder)).toEqual(["good-00000.parquet", "taken"]);
  });
});
