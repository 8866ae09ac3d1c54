/** Request traces: the shipped file, the variants of CSV, and every way in which a file can be wrong. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROGRESS_SLOTS } from "../../src/io/parquet-read.ts";
import { loadParquetEncoder, numbers, strings, type WriteColumn } from "../../src/io/parquet-write.ts";
import { readTraceInThread } from "../../src/io/trace-parquet.ts";
import { readTrace, type Trace } from "../../src/io/trace.ts";
import { DataError } from "../../src/kernel/errors.ts";

const SHIPPED = fileURLToPath(new URL("../../models/traffic/azure-llm-2023-conv.parquet", import.meta.url));

let folder = "";
let shipped: Trace;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "crossover-trace-"));
  shipped = await readTrace(SHIPPED);
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function saved(content: string | Uint8Array, name = "trace"): Promise<string> {
  const file = join(folder, `${files++}-${name}`);
  await writeFile(file, content);
  return file;
}

async function parquet(columns: readonly WriteColumn[]): Promise<string> {
  return saved((await loadParquetEncoder()).encode(columns, { table: "trace", units: {} }), "trace.parquet");
}

/** Files that decode may be read on this thread, which saves starting one. */
const readHere = (file: string) => readTraceInThread({ kind: "trace", file }, new Float64Array(PROGRESS_SLOTS));

async function failure(reading: Promise<Trace>): Promise<DataError> {
  const error: unknown = await reading.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  return error as DataError;
}

const sum = (values: Uint32Array) => values.reduce((total, value) => total + value, 0);
const rows = (trace: Trace) =>
  Array.from(trace.arrivalS, (arrivalS, i) => [arrivalS, trace.inputTokens[i], trace.outputTokens[i]]);

describe("the shipped Azure trace of 2023", () => {
  test("has the published rows, tokens and times", () => {
    expect(shipped).toMatchObject({ rowsRead: 19_366, format: "azure-llm-parquet", epochS: 1_700_158_546.68059 });
    expect(sum(shipped.inputTokens)).toBe(22_361_870);
    expect(sum(shipped.outputTokens)).toBe(4_088_665);
    expect(shipped.arrivalS[0]).toBe(0);
    expect(shipped.arrivalS[1]).toBe(4.314579);
    expect(shipped.arrivalS[19_365]).toBe(3501.721937);
  });

  test("lies in shared memory, so that threads need no copy", () => {
    for (const values of [shipped.arrivalS, shipped.inputTokens, shipped.outputTokens]) {
      expect(values.buffer).toBeInstanceOf(SharedArrayBuffer);
      expect(values.length).toBe(19_366);
    }
  });

  test.each([
    { form: "with CRLF and no last newline, as published", end: "\r\n", bom: "", last: "", zip: false },
    { form: "with a byte order mark and newlines", end: "\n", bom: "\ufeff", last: "\n", zip: false },
    { form: "gzipped", end: "\r\n", bom: "\ufeff", last: "\r\n\r\n", zip: true },
  ])("is the same trace as CSV $form", async ({ end, bom, last, zip }) => {
    const lines = Array.from(shipped.arrivalS, (arrivalS, i) => {
      const micros = Math.round((arrivalS + 46.68059) * 1e6);
      const second = Math.floor(micros / 1e6);
      const clock = new Date(Date.UTC(2023, 10, 16, 18, 15, second)).toISOString().slice(0, 19).replace("T", " ");
      const fraction = String(micros % 1e6).padStart(6, "0");
      return `${clock}.${fraction}0,${shipped.inputTokens[i]},${shipped.outputTokens[i]}`;
    });
    const text = bom + ["TIMESTAMP,ContextTokens,GeneratedTokens", ...lines].join(end) + last;
    const trace = await readTrace(await saved(zip ? gzipSync(text) : text));
    expect(trace).toMatchObject({ rowsRead: 19_366, format: "azure-llm-csv", epochS: shipped.epochS });
    expect(trace.arrivalS).toEqual(shipped.arrivalS);
    expect(trace.inputTokens).toEqual(shipped.inputTokens);
    expect(trace.outputTokens).toEqual(shipped.outputTokens);
    expect(trace.arrivalS.buffer).toBeInstanceOf(SharedArrayBuffer);
  });
});

describe("CSV", () => {
  const csv = async (...lines: string[]) => readTrace(await saved(lines.join("\n")));
  const AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens";

  test("takes dates with and without fraction and zone, and further columns", async () => {
    const trace = await csv(
      "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens",
      "2024-05-09T23:59:59.75Z,0,100,5",
      "2024-05-10 00:00:00+00:00,0,200,6",
      "2024-05-10 02:00:00.009930+02:00,0,300,0",
      "2024-05-09 22:30:01.5-01:30,2,400,7",
    );
    expect(rows(trace)).toEqual([
      [0, 100, 5],
      [0.25, 200, 6],
      [0.25993, 300, 0],
      [1.75, 400, 7],
    ]);
    expect(trace.epochS).toBe(Date.UTC(2024, 4, 9, 23, 59, 59, 750) / 1000);
  });

  test("takes the canonical form in any order of columns, counted from the first arrival", async () => {
    const trace = await csv("outputTokens,arrivalS,inputTokens", "5,100.5,10", "6,1.01e2,4294967295");
    expect(trace).toMatchObject({ format: "crossover-csv", epochS: null, rowsRead: 2 });
    expect(rows(trace)).toEqual([
      [0, 10, 5],
      [0.5, 4_294_967_295, 6],
    ]);
  });

  const start = "2023-11-16 18:00:00,1,1";
  test.each([
    ["no rows", [AZURE], null, "the trace has no rows"],
    [
      "a missing column",
      ["TIMESTAMP,ContextToken,GeneratedTokens", start],
      null,
      "no column ContextTokens (format azure-llm); the nearest column is ContextToken",
    ],
    [
      "a column of another name",
      ["arrivalS,inputTokens,n", "0,1,1"],
      null,
      "no column outputTokens (format crossover); the other columns are n",
    ],
    ["an unknown format", ["a,b,c", "1,2,3"], null, "not a known trace format"],
    ["a negative count", [AZURE, start, "2023-11-16 18:00:01,-5,1"], 2, "negative input token count -5"],
    [
      "a fraction of a token",
      [AZURE, start, start, "2023-11-16 18:00:01,5,1.5"],
      3,
      "the output token count 1.5 is not a whole number",
    ],
    [
      "too many tokens",
      [AZURE, "2023-11-16 18:00:01,5,4294967296"],
      1,
      "the output token count 4294967296 is above 4294967295",
    ],
    ["a count that is no number", [AZURE, "2023-11-16 18:00:01,many,1"], 1, 'cannot read the token count "many"'],
    ["an absent count", [AZURE, "2023-11-16 18:00:01,,1"], 1, 'cannot read the token count ""'],
    [
      "time that runs backwards",
      [AZURE, start, "2023-11-16 18:00:02,1,1", "2023-11-16 18:00:01.5,1,1"],
      3,
      "time runs backwards: 1.5 s after 2 s",
    ],
    ["a time before the first", [AZURE, start, "2023-11-16 17:59:59,1,1"], 2, "time runs backwards: -1 s after 0 s"],
    ["a time that is no date", [AZURE, start, "yesterday,1,1"], 2, 'cannot read the time "yesterday"'],
    ["a day that does not exist", [AZURE, "2023-02-29 18:00:00,1,1"], 1, 'cannot read the time "2023-02-29 18:00:00"'],
    ["an hour that does not exist", [AZURE, "2023-02-28 24:00:00,1,1"], 1, "cannot read the time"],
    ["an empty fraction", [AZURE, "2023-02-28 23:00:00.,1,1"], 1, "cannot read the time"],
    ["an unknown zone", [AZURE, "2023-02-28 23:00:00 CET,1,1"], 1, "cannot read the time"],
    [
      "a canonical time that is no number",
      ["arrivalS,inputTokens,outputTokens", "0x10,1,1"],
      1,
      'cannot read the arrival time "0x10"',
    ],
    [
      "a last row cut off",
      [AZURE, start, "2023-11-16 18:00:01,3"],
      2,
      "2 fields where the header has 3; the file may be truncated",
    ],
    ["a row that is too long", [AZURE, "2023-11-16 18:00:01,3,4,5"], 1, "4 fields where the header has 3"],
    ["a hole", [AZURE, start, "", start], 2, "the row is empty"],
  ] as const)("with %s is refused", async (_what, lines, row, message) => {
    const error = await failure(csv(...lines));
    expect(error.row).toBe(row);
    expect(error.message).toContain(message);
    expect(error.message.startsWith(error.file)).toBe(true);
  });

  test("rows keep their number across chunks of the file", async () => {
    const lines = Array.from({ length: 60_000 }, (_, i) => `${i},${i % 7},${i % 5}`);
    const good = await csv("arrivalS,inputTokens,outputTokens", ...lines);
    expect(good.rowsRead).toBe(60_000);
    expect(good.arrivalS.every((arrivalS, i) => arrivalS === i)).toBe(true);
    lines[59_998] = "3,1,1";
    expect((await failure(csv("arrivalS,inputTokens,outputTokens", ...lines))).row).toBe(59_999);
  });
});

describe("files that are not whole", () => {
  test("an absent and an empty one", async () => {
    expect((await failure(readTrace(join(folder, "absent")))).message).toContain("no such file");
    expect((await failure(readTrace(await saved("")))).message).toContain("the file is empty");
  });

  test("a gzip stream cut off or damaged", async () => {
    const zipped = gzipSync(`arrivalS,inputTokens,outputTokens\n${"0,1,1\n".repeat(10_000)}`);
    const cut = await failure(readTrace(await saved(zipped.subarray(0, zipped.length - 20))));
    expect(cut.message).toContain("the gzip stream is truncated");
    const damaged = Buffer.from(zipped);
    damaged[zipped.length - 6] = (damaged[zipped.length - 6] as number) ^ 0xff;
    expect((await failure(readTrace(await saved(damaged)))).message).toContain("the gzip stream is corrupt");
  });

  test("Parquet cut off anywhere", async () => {
    const good = await readFile(SHIPPED);
    const cut = async (length: number) => saved(good.subarray(0, length));
    const errors = [await failure(readTrace(await cut(50_000)))];
    for (const length of [4, 8, 12, good.length - 1]) errors.push(await failure(readHere(await cut(length))));
    for (const error of errors) expect(error.message).toContain("not a whole Parquet file, truncated or corrupt");
  });

  test("a corrupt page ends neither the process nor the reading of other files", async () => {
    // Three row groups; the damage is in the pages of the second.
    const count = 600_000;
    const times = Float64Array.from({ length: count }, (_, i) => i / 7);
    const tokens = Uint32Array.from({ length: count }, (_, i) => (i * 2_654_435_761) % 5_000);
    const file = await parquet([
      numbers("arrivalS", "float64", times),
      numbers("inputTokens", "uint32", tokens),
      numbers("outputTokens", "uint32", tokens),
    ]);
    const bytes = await readFile(file);
    for (let i = 0; i < 64; i++) {
      const at = Math.floor(bytes.length / 2) + i;
      bytes[at] = (bytes[at] as number) ^ 0xff;
    }
    const [error, good] = await Promise.all([failure(readTrace(await saved(bytes))), readTrace(file)]);
    expect(error.message).toContain("row group 2 of 3 (rows 262145 to 524288) cannot be decoded, the file is corrupt");
    expect(good.rowsRead).toBe(count);
  });

  test("bytes flipped anywhere give a trace or a DataError, never anything else", async () => {
    const good = await readFile(SHIPPED);
    const outcomes = await Promise.all(
      [30, 90_000, good.length - 200, good.length - 40].map(async (at) => {
        const bytes = Buffer.from(good);
        for (let i = at; i < at + 6 && i < bytes.length; i++) bytes[i] = (bytes[i] as number) ^ 0xff;
        return readTrace(await saved(bytes)).then(
          () => "trace",
          (error: unknown) => (error instanceof DataError ? "DataError" : String(error)),
        );
      }),
    );
    expect(outcomes.filter((outcome) => outcome !== "trace" && outcome !== "DataError")).toEqual([]);
    expect(outcomes).toContain("DataError");
  }, 20_000);
});

describe("Parquet", () => {
  const time = numbers("arrivalS", "float64", [3, 4, 5.5]);
  const input = numbers("inputTokens", "int64", [1, 2, 3]);
  const output = numbers("outputTokens", "float64", [1, 0, 3]);

  test("in the canonical form, with any numeric type", async () => {
    const trace = await readHere(await parquet([output, time, input]));
    expect(trace).toMatchObject({ format: "crossover-parquet", epochS: null, rowsRead: 3 });
    expect(rows(trace)).toEqual([
      [0, 1, 1],
      [1, 2, 0],
      [2.5, 3, 3],
    ]);
  });

  test.each([
    [
      "no rows",
      [numbers("arrivalS", "float64", []), numbers("inputTokens", "int32", []), numbers("outputTokens", "int32", [])],
      null,
      "the trace has no rows",
    ],
    [
      "a missing column",
      [time, input, numbers("output_tokens", "int32", [1, 1, 1])],
      null,
      "no column outputTokens (format crossover); the nearest column is output_tokens",
    ],
    [
      "dates that are no timestamps",
      [
        numbers("TIMESTAMP", "int64", [1]),
        numbers("ContextTokens", "int32", [1]),
        numbers("GeneratedTokens", "int32", [1]),
      ],
      null,
      "column TIMESTAMP has type Int64, a timestamp is needed",
    ],
    ["counts that are strings", [time, input, strings("outputTokens", ["1", "2", "3"])], null, "a number is needed"],
    [
      "a negative count",
      [time, numbers("inputTokens", "int64", [1, -2, 3]), output],
      2,
      "negative input token count -2",
    ],
    [
      "a fraction of a token",
      [time, input, numbers("outputTokens", "float64", [1, 2, 3.5])],
      3,
      "the output token count 3.5 is not a whole number",
    ],
    [
      "an absent count",
      [time, numbers("inputTokens", "float64", [1, null, 3], true), output],
      2,
      "the input token count is missing",
    ],
    [
      "an absent first time",
      [numbers("arrivalS", "float64", [null, 1, 2], true), input, output],
      1,
      "the arrival time is missing",
    ],
    [
      "time that runs backwards",
      [numbers("arrivalS", "float64", [1, 3, 2]), input, output],
      3,
      "time runs backwards: 1 s after 2 s",
    ],
  ] as const)("with %s is refused", async (_what, columns, row, message) => {
    const error = await failure(readHere(await parquet(columns)));
    expect(error.row).toBe(row);
    expect(error.message).toContain(message);
  });
});
