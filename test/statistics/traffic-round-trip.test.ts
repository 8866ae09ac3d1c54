/**
 * Every sample of a recorded trace into the canonical form and, where its format has a way back, out again: the same rows, byte
 * by byte (of a document laid out over many lines the same values). Prints what each format came to.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PROGRESS_SLOTS } from "../../src/io/parquet-read.ts";
import { readTraceTableInThread } from "../../src/io/trace-table.ts";
import { exportedLines } from "../../src/io/traces/export.ts";
import { importInThread } from "../../src/io/traces/import.ts";
import { DataError } from "../../src/kernel/errors.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "crossover-round-trip-"));
});
afterAll(() => rm(folder, { recursive: true }));

const SAMPLES = [
  "azure-llm-2023-conv.head.csv",
  "azure-llm-2024-conv.notebook-rows.csv",
  "azure-lmm-2025.notebook-rows.csv",
  "burstgpt-1.head.csv",
  "burstgpt-3.head.csv",
  "mooncake-conversation.head.jsonl",
  "bailian-doc-example.jsonl",
  "ragpulse-0-trace.head.jsonl",
  "splitwise-sim-test-trace.csv",
  "vidur-splitwise-conv.head.csv",
  "fleetsim-batch-spike-requests.csv",
  "dynamo-session-doc-example.jsonl",
  "weka-trace-0026.json",
  "weka-trace-0291-subagents.json.gz",
  "openai-batch-requests.jsonl",
  "../../../models/traffic/azure-llm-2023-conv.parquet",
];

/** Those without a way back say so; all others give their rows back. */
const ONE_WAY = new Set(["openai-batch", "azure-llm parquet"]);

test("import and export of every sample", { timeout: 300_000 }, async () => {
  const line = (cells: readonly (string | number)[]): string =>
    cells.map((cell, i) => (i === 0 ? String(cell).padEnd(40) : String(cell).padStart(i === 1 ? 18 : 12))).join("");
  const table = [line(["file", "format", "rows", "tokens in", "tokens out", "failed", "dropped", "way back"])];
  const wrong: string[] = [];
  for (const [i, name] of SAMPLES.entries()) {
    const source = join("test/fixtures/traces", name);
    const target = join(folder, `${i}.parquet`);
    const asked = { format: null, columns: null, timeUnit: "s", sort: false } as const;
    const job = { kind: "trace-import", files: [source], target, ...asked } as const;
    const { about } = await importInThread(job, new Float64Array(PROGRESS_SLOTS + 2));
    const read = await readTraceTableInThread(
      { kind: "trace-table", file: target, columns: [] },
      new Float64Array(PROGRESS_SLOTS),
    );
    const sum = (values: Uint32Array): number => values.reduce((total, value) => total + value, 0);
    const bytes = await readFile(source);
    const published = (name.endsWith(".gz") ? gunzipSync(bytes) : bytes)
      .toString()
      .split(/\r?\n/)
      .filter((text) => text !== "");
    const lines: string[] = [];
    let back = "";
    try {
      for await (const text of exportedLines(target)) lines.push(text);
      const came = JSON.stringify(name.endsWith(".json") ? JSON.parse(lines.join("\n")) : lines);
      const gone = JSON.stringify(name.endsWith(".json") ? JSON.parse(published.join("\n")) : published);
      back = came === gone ? "equal" : "DIFFERENT";
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      back = "none";
    }
    const kind = name.endsWith(".parquet") ? `${about.format} parquet` : about.format;
    if (back !== (ONE_WAY.has(kind) ? "none" : "equal")) wrong.push(`${name}: ${back}`);
    const dropped = Object.values(about.dropped).reduce((total, count) => total + count, 0);
    table.push(
      line([
        name.replace(/^.*\//, ""),
        about.format,
        about.rows,
        sum(read.inputTokens),
        sum(read.outputTokens),
        about.failed,
        dropped,
        back,
      ]),
    );
  }
  console.log(table.join("\n"));
  expect(wrong).toEqual([]);
});
