/** Imported traces as runs replay them: blocks, sessions, waits, and what failed. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { DEFAULT_SCHEDULER } from "../../src/engine/scheduler-spec.ts";
import { PROGRESS_SLOTS } from "../../src/io/parquet-read.ts";
import { readReplay, type ReplayTrace } from "../../src/io/replay-trace.ts";
import { importInThread } from "../../src/io/traces/import.ts";
import { DataError } from "../../src/kernel/errors.ts";
import type { ReplayTraffic } from "../../src/scenario/resolved.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import { resolveRaw, smallExperiment, withValue } from "../fixtures/experiment.ts";
import { pool, runOptions, setting, strategy, to } from "../fixtures/strategies.ts";

const sample = (name: string): string => fileURLToPath(new URL(`../fixtures/traces/${name}`, import.meta.url));

let folder = "";
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "crossover-replay-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function imported(file: string): Promise<ReplayTrace> {
  const target = join(folder, `${files++}.parquet`);
  const asked = { format: null, columns: null, timeUnit: "s", sort: false } as const;
  const job = { kind: "trace-import", files: [file], target, ...asked } as const;
  await importInThread(job, new Float64Array(PROGRESS_SLOTS + 2));
  return readReplay(target);
}

async function saved(text: string, name: string): Promise<string> {
  const file = join(folder, `${files++}-${name}`);
  await writeFile(file, text);
  return file;
}

const traffic = ({ epochS: _epochS, filled: _filled, ...recording }: ReplayTrace): ReplayTraffic => ({
  kind: "replay",
  file: "imported.parquet",
  ...recording,
  maxOutput: { factor: 1, minTokens: 1 },
});

test("the max_tokens of requests and the names of their classes come along", async () => {
  const rows =
    "arrivalS,inputTokens,outputTokens,maxOutputTokens,className\n0,10,5,64,chat\n1,10,5,,batch\n2,10,5,8,chat\n";
  const names = ["arrivalS", "inputTokens", "outputTokens", "maxOutputTokens", "className"];
  const columns = Object.fromEntries(names.map((name) => [name, name]));
  const target = join(folder, `${files++}.parquet`);
  const asked = { format: null, columns, timeUnit: "s", sort: false } as const;
  const job = { kind: "trace-import", files: [await saved(rows, "asked.csv")], target, ...asked } as const;
  await importInThread(job, new Float64Array(PROGRESS_SLOTS + 2));
  const { maxOutputTokens, classNames, passedOver } = await readReplay(target);
  expect(passedOver).toBeUndefined();
  const raw = await readReplay(await saved(rows, "raw.csv"));
  expect(raw.passedOver).toEqual(["maxOutputTokens", "className"]);
  expect(raw).not.toHaveProperty("classNames");
  expect([...maxOutputTokens!]).toEqual([64, 0, 8]);
  expect([...classNames!.codes].map((code) => classNames!.names[code])).toEqual(["chat", "batch", "chat"]);
});

const WINDOW = { startEpochS: 0, horizonS: 1e9, warmupS: 0, seed: "7", replication: 0, classShares: [1] };

/** Sent times by row, on servers that take `serviceS(row)` each. */
function sentTimes(spec: ReplayTraffic, serviceS: (row: number) => number): number[] {
  const cursor = openTraffic(spec, WINDOW);
  const sent: number[] = [];
  const open = new Map<number, number>();
  for (;;) {
    const [row, endS] = [...open].reduce((first, each) => (each[1] < first[1] ? each : first), [-1, Infinity]);
    if (cursor.timeS === Infinity && row < 0) return sent;
    if (endS <= cursor.timeS) {
      open.delete(row);
      cursor.onComplete(row, endS);
    } else {
      sent[cursor.request] = cursor.timeS;
      open.set(cursor.request, cursor.timeS + serviceS(cursor.request));
      cursor.advance();
    }
  }
}

/** Share of the prompt tokens that an endless cache of single requests one after the other finds, by the ids. */
function tokensFound({ inputTokens, prefix }: ReplayTrace): number {
  const { blockTokens, offsets, items } = prefix!;
  const seen = new Set<number>();
  let found = 0;
  let asked = 0;
  inputTokens.forEach((tokens, row) => {
    const ids = items.subarray(offsets[row], offsets[row + 1]);
    const first = ids.findIndex((id) => !seen.has(id));
    found += first < 0 ? Math.min(tokens, ids.length * blockTokens) : first * blockTokens;
    asked += tokens;
    for (const id of ids) seen.add(id);
  });
  return found / asked;
}

function hitsOf(spec: ReplayTraffic): number {
  const of = setting({ horizonS: 100_000 });
  const own = pool({
    scheduler: { ...DEFAULT_SCHEDULER, prefixCache: { eviction: "lru" } },
    engine: { kvBlocks: 400_000, blockTokens: 16, maxModelLen: 262_144 },
  });
  const opened = openTraffic(spec, { ...WINDOW, horizonS: of.horizonS });
  const run = simulateRun(of, strategy([[to("pool")]], [own]), opened, runOptions({ replicas: [1] }));
  return run.pools[0]!.prefixHitFraction;
}

describe("an agent's recorded session", () => {
  test("on a server with the recorded service times starts its calls when they were recorded", async () => {
    const recorded = await imported(sample("weka-trace-0026.json"));
    expect(sentTimes(traffic(recorded), (row) => [46.25, 48.05, 4.34][row]!)).toEqual([0, 94.25, 146.3]);
    // 822 blocks, of which 509 were in a prompt before.
    const { offsets, items } = recorded.prefix!;
    expect(offsets[3]).toBe(822);
    expect(822 - new Set(items).size).toBe(509);
  });

  test("joins its sub-agents: the call after them waits for the slower", async () => {
    const recorded = await imported(sample("weka-trace-0291-subagents.json.gz"));
    const { offsets, parents, gapS } = recorded.waits!;
    const joins = Array.from({ length: gapS.length }, (_, row) => [...parents.subarray(offsets[row], offsets[row + 1])])
      .map((of, row) => [row, of] as const)
      .filter(([, of]) => of.length > 1);
    expect(joins.length).toBeGreaterThan(0);
    for (const [row, of] of joins) {
      for (const slow of of) {
        const serviceS = (one: number): number => (one === slow ? 5000 : 2);
        const sent = sentTimes(traffic(recorded), serviceS);
        const ends = of.map((parent) => sent[parent]! + serviceS(parent));
        expect(sent[row]).toBeCloseTo(Math.max(...ends) + gapS[row]!, 6);
        expect(sent[row]).toBeGreaterThan(5000);
      }
    }
  });

  test("finds the blocks of its earlier calls in a run", async () => {
    const recorded = await imported(sample("weka-trace-0291-subagents.json.gz"));
    const found = tokensFound(recorded);
    expect(found).toBeGreaterThan(0.85);
    expect(Math.abs(hitsOf(traffic(recorded)) - found)).toBeLessThan(0.005);
  });
});

test("ids that count within sessions are kept apart", async () => {
  const recorded = await readReplay(await twoSessions());
  const { offsets, items } = recorded.prefix!;
  const ids = (row: number): number[] => [...items.subarray(offsets[row], offsets[row + 1])];
  expect(ids(0).filter((id) => ids(1).includes(id))).toEqual([]);
});

async function twoSessions(): Promise<string> {
  const session = (id: string): string =>
    JSON.stringify({
      id,
      block_size: 64,
      requests: [{ t: 0, type: "n", model: "m", in: 128, out: 2, hash_ids: [1, 2], think_time: 0, api_time: 1 }],
    });
  const target = join(folder, `${files++}.parquet`);
  const list = [await saved(session("a"), "a.json"), await saved(session("b"), "b.json")];
  const asked = { format: null, columns: null, timeUnit: "s", sort: false } as const;
  await importInThread({ kind: "trace-import", files: list, target, ...asked }, new Float64Array(PROGRESS_SLOTS + 2));
  return target;
}

test("Mooncake's recorded blocks give a run the hits that its ids say, within 0.5 points", async () => {
  const rows = await imported(fileURLToPath(new URL("../fixtures/mooncake-conversation-rows.jsonl", import.meta.url)));
  const found = tokensFound(rows);
  expect(found).toBeGreaterThan(0.4);
  expect(Math.abs(hitsOf(traffic(rows)) - found)).toBeLessThan(0.005);
  const { prefix: _, ...unknown } = traffic(rows);
  expect(hitsOf(unknown)).toBe(0);
});

describe("what failed", () => {
  test("is sent for one token, and counted in a warning", async () => {
    const recorded = await imported(sample("burstgpt-1.head.csv"));
    expect(recorded.filled).toEqual({ outputs: 4, inputs: 4, inputTokens: 601 });
    expect(recorded.inputTokens).toHaveLength(42);
    expect(Math.min(...recorded.outputTokens)).toBe(1);
    const raw = withValue(smallExperiment(), ["traffic"], { replay: { file: "x.parquet" } });
    const { experiment } = resolveRaw(raw, { recording: recorded });
    expect(experiment.warnings).toEqual(
      expect.arrayContaining([
        "4 requests of the recording failed or have an empty answer: they are sent all the same, for an answer of one token",
        "4 failed requests of the recording have no prompt length: they are sent with the median one, 601 tokens",
      ]),
    );
    expect(experiment.traffic).not.toHaveProperty("filled");
    expect(sentTimes(experiment.traffic as ReplayTraffic, () => 1)).toHaveLength(42);
  });

  test("without a prompt length is sent with the median one", async () => {
    const head = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";
    const lines = ["1,GPT-4,10,5,15,x", "2,GPT-4,0,0,0,x", "3,GPT-4,30,5,35,x", "4,GPT-4,20,0,20,x", ""];
    const recorded = await imported(await saved(head + lines.join("\n"), "burst.csv"));
    expect([...recorded.inputTokens]).toEqual([10, 20, 30, 20]);
    expect([...recorded.outputTokens]).toEqual([5, 1, 5, 1]);
    expect(recorded.filled).toEqual({ outputs: 2, inputs: 1, inputTokens: 20 });
  });

  test("is not what a format without lengths has: that cannot be replayed", async () => {
    const error = await imported(sample("openai-batch-requests.jsonl")).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect((error as DataError).message).toMatch(/row 1: .*length is unknown/);
  });
});

test("a pause that the file does not say follows from the recorded end, else the recorded time holds", async () => {
  const chats = [
    { chat_id: 1, parent_chat_id: -1, timestamp: 0, input_length: 10, output_length: 5, type: "text", turn: 1 },
    { chat_id: 2, parent_chat_id: 1, timestamp: 60, input_length: 30, output_length: 5, type: "text", turn: 2 },
  ];
  const recorded = await imported(await saved(chats.map((chat) => JSON.stringify(chat)).join("\n"), "chats.jsonl"));
  expect([...recorded.waits!.gapS]).toEqual([-1, -1]);
  expect(sentTimes(traffic(recorded), () => 4)).toEqual([0, 60]);
  expect(sentTimes(traffic(recorded), () => 100)).toEqual([0, 100]);
});

test("turns of sessions wait for the turn before, by its recorded end; what overlapped does not", async () => {
  const head = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n";
  const lines = [
    "110.0,s,12,GPT-4,100,50,150,Conversation log",
    "140.0,s,8,GPT-4,220,40,260,Conversation log",
    "141.0,t,9,GPT-4,10,40,50,Conversation log",
    "143.0,s,2,GPT-4,230,40,270,Conversation log",
    "150.0,,3,GPT-4,300,20,320,API log",
    "160.0,s,4,GPT-4,240,40,280,Conversation log",
    "",
  ];
  const recorded = await imported(await saved(head + lines.join("\n"), "burst-3.csv"));
  // Row 3 came while row 1 ran, so it waits for row 0 too; row 5 waits for row 1, which ended after row 3.
  expect([...recorded.waits!.offsets]).toEqual([0, 0, 1, 1, 2, 2, 3]);
  expect([...recorded.waits!.parents]).toEqual([0, 0, 1]);
  expect([...recorded.waits!.gapS]).toEqual([-1, 18, -1, 21, -1, 12]);
  const sent = sentTimes(traffic(recorded), (row) => [12, 8, 9, 2, 3, 4][row]!);
  expect(sent).toEqual([0, 30, 31, 33, 40, 50]);
  expect(sentTimes(traffic(recorded), () => 100)).toEqual([0, 118, 31, 121, 40, 230]);
});

test("turns without recorded ends keep their times, or wait for the turn before", async () => {
  const recorded = await imported(sample("ragpulse-0-trace.head.jsonl"));
  const { offsets, gapS } = recorded.waits!;
  expect(offsets.at(-1)).toBe(30 - 17);
  expect(new Set(gapS)).toEqual(new Set([-1]));
  expect(sentTimes(traffic(recorded), () => 0)).toEqual([...recorded.arrivalS]);
});

test("turns: as-recorded leaves the waits out, and says so where there are none", async () => {
  const agent = await imported(sample("weka-trace-0026.json"));
  const of = (turns: string, recording: ReplayTrace) =>
    resolveRaw(withValue(smallExperiment(), ["traffic"], { replay: { file: "x.parquet", turns } }), { recording });
  expect(sentTimes(of("as-recorded", agent).experiment.traffic as ReplayTraffic, () => 900)).toEqual([0, 94, 146]);
  expect(sentTimes(of("after-parents", agent).experiment.traffic as ReplayTraffic, () => 900)[1]).toBe(948);
  const { waits: _, ...single } = agent;
  expect(of("as-recorded", single).experiment.warnings.join()).toContain("traffic.replay.turns has no effect");
});
