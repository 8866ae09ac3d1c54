/** Recorded sessions into the canonical form and back: the published rows, and records that no column holds whole. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROGRESS_SLOTS } from "../../src/io/parquet-read.ts";
import { loadParquetEncoder, numbers, strings, type TraceAbout } from "../../src/io/parquet-write.ts";
import { streamParquet } from "../../src/io/parquet-stream.ts";
import { exportedLines } from "../../src/io/traces/export.ts";
import { importInThread } from "../../src/io/traces/import.ts";
import { DataError } from "../../src/kernel/errors.ts";

const sample = (name: string): string => fileURLToPath(new URL(`../fixtures/traces/${name}`, import.meta.url));

let folder = "";
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "crossover-sessions-back-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function saved(...records: readonly unknown[]): Promise<string> {
  const file = join(folder, `${files++}.jsonl`);
  await writeFile(file, records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  return file;
}

/** Lines that come back from the files. */
async function back(...paths: readonly string[]): Promise<string[]> {
  const target = join(folder, `${files++}.parquet`);
  const asked = { format: null, columns: null, timeUnit: "s", sort: false } as const;
  await importInThread({ kind: "trace-import", files: paths, target, ...asked }, new Float64Array(PROGRESS_SLOTS + 2));
  return linesOf(target);
}

async function linesOf(file: string): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportedLines(file)) lines.push(line);
  return lines;
}

async function refusal(doing: Promise<unknown>): Promise<string> {
  const error: unknown = await doing.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  return (error as DataError).message;
}

const parsed = (lines: readonly string[]): unknown[] => lines.map((line) => JSON.parse(line) as unknown);

describe("AIPerf and Dynamo", () => {
  test("the published rows come back byte by byte", async () => {
    const file = sample("dynamo-session-doc-example.jsonl");
    expect((await back(file)).join("\n")).toBe((await readFile(file, "utf8")).trimEnd());
  });

  test("so do other names, rows out of order, and what no column holds", async () => {
    const rows = [
      { session_id: "b", timestamp: 5000.5, input_length: 10, output_length: 2, hash_ids: [] },
      { hash_ids: [7], output_tokens: 3, input_tokens: 20, created_time: 100.25, session_id: "a", model: "m" },
      { session_id: "b", input_length: 12, output_length: 2, delay: 33.3, delay_ms: 40 },
      { session_id: "a", timestamp: 4999.9, input_length: "30", output_length: 4, priority: { level: 1 } },
      { session_id: 9, timestamp: 86_400_000_000.125, input_length: 1, output_length: 1, delay: null },
    ];
    expect((await back(await saved(...rows))).join("\n")).toBe(rows.map((row) => JSON.stringify(row)).join("\n"));
  });

  test("what cannot come back is refused and named", async () => {
    const row = { session_id: "a", timestamp: 0, input_length: 10, output_length: 2 };
    const written = { session_id: "a", delay: 1, text_input: "hello", output_length: 2 };
    expect(await refusal(back(await saved(row, written)))).toContain("1 (text without a number of tokens)");
    expect(await refusal(back(await saved(row), await saved({ ...row, session_id: "b" })))).toContain("from 2 files");
    expect(await refusal(back(await saved({ ...row, timestamp: -1 })))).toContain("begin below 0");
  });
});

describe("WEKA", () => {
  const call = { t: 0, type: "n", model: "m", in: 130, out: 5, hash_ids: [1, 2], input_types: ["text"] };

  test("a published session with sub-agents comes back byte by byte, one that was laid out anew with all its values", async () => {
    const [agents, plain] = ["weka-trace-0291-subagents.json.gz", "weka-trace-0026.json"].map(sample);
    const packed = gunzipSync(await readFile(agents!)).toString();
    const laidOut = JSON.parse(await readFile(plain!, "utf8")) as unknown;
    expect(await back(agents!)).toEqual([packed]);
    expect(parsed(await back(plain!))).toEqual([laidOut]);
    expect(parsed(await back(plain!, agents!))).toEqual([laidOut, JSON.parse(packed)]);
  });

  test("so do pauses that sub-agents shorten, agents within agents or without calls, and fields that lack or are new", async () => {
    const agent = (agent_id: string, t: number, requests: unknown): object => ({
      t,
      type: "subagent",
      agent_id,
      duration_ms: 4000,
      requests,
    });
    const session = {
      id: "s",
      models: ["m"],
      block_size: 64,
      requests: [
        agent("first", 0.5, [{ ...call, t: 0.25, session: { its: "own" } }]),
        { ...call, t: 3.5, ttft: 0.5, api_time: 1.25, think_time: 0, stop: "" },
        agent("outer", 5, [call, agent("inner", 1, [call, { ...call, t: 2 }]), agent("idle", 2, [])]),
        agent("parallel", 5.5, [{ ...call, t: 1 }]),
        { ...call, t: 20, think_time: 15, hash_ids: [], cached: 64 },
        { t: 30, in: 1, out: 0, stop: null },
      ],
      totals: { subagent_count: 5 },
    };
    const later = { requests: [{ ...call, t: 7 }], block_size: 64, id: "late" };
    expect(parsed(await back(await saved(later), await saved(session)))).toEqual([session, later]);
  });

  test("what cannot come back is refused and named", async () => {
    const session = { id: "s", block_size: 64, requests: [call] };
    const agent = { t: 1, type: "subagent", agent_id: "x", duration_ms: 1, requests: [call] };
    expect(await refusal(back(await saved(session, { ...session, id: "e", requests: [] })))).toContain(
      "1 sessions without calls",
    );
    expect(await refusal(back(await saved({ ...session, requests: [agent, agent] })))).toContain(
      "two sub-agents of session s have the same agent_id",
    );
  });
});

test.each(["aiperf-sessions", "weka-sessions"])("%s of an import that kept less is refused", async (format) => {
  const columns = [
    numbers("arrivalS", "float64", [0]),
    numbers("inputTokens", "uint32", [1]),
    numbers("outputTokens", "uint32", [1]),
    numbers("turn", "uint32", [0], true),
    numbers("sourceRow", "uint32", [1], true),
    strings("sessionId", ["s"]),
    ...(format === "weka-sessions" ? [strings("extra", ['{"type":"n"}'])] : []),
  ];
  const trace = { format, files: ["a"], firstTime: "0", dropped: {}, counts: {}, rows: 1 } as unknown as TraceAbout;
  const encoder = await loadParquetEncoder();
  const target = join(folder, `${format}.parquet`);
  async function* batches() {
    yield encoder.batch(columns);
  }
  const final = () => ({ table: "trace", units: {}, trace });
  await streamParquet(target, batches(), { bytes: 4096, final }, columns);
  expect(await refusal(linesOf(target))).toContain("import its source again");
});
