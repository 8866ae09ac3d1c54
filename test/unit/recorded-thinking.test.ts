/** Thinking that a recording knows: from the file to what users see and what is paid. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { replayed } from "../../src/experiment/backcast/replay.ts";
import { sloRatePerReplica } from "../../src/experiment/slo-rate.ts";
import { PROGRESS_SLOTS } from "../../src/io/parquet-read.ts";
import { readReplay, type ReplayTrace } from "../../src/io/replay-trace.ts";
import { importInThread } from "../../src/io/traces/import.ts";
import type { ReplayTraffic, ResolvedStrategy } from "../../src/scenario/resolved.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import { resolveRaw, smallExperiment, withValue } from "../fixtures/experiment.ts";
import { offer, pool, RowList, runOptions, setting, strategy, to } from "../fixtures/strategies.ts";

let folder = "";
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "crossover-thinking-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function saved(text: string, name = "t.csv"): Promise<string> {
  const file = join(folder, `${files++}-${name}`);
  await writeFile(file, text);
  return file;
}

async function imported(file: string): Promise<ReplayTrace> {
  const target = join(folder, `${files++}.parquet`);
  const asked = { format: null, columns: null, timeUnit: "s", sort: false } as const;
  await importInThread({ kind: "trace-import", files: [file], target, ...asked }, new Float64Array(PROGRESS_SLOTS + 2));
  return readReplay(target);
}

const table = (...rows: readonly string[]): string =>
  ["arrivalS,inputTokens,outputTokens,reasoningTokens", ...rows, ""].join("\n");

/** A part of the answer, all of it, and none; so far apart that each is alone. */
const ROWS = ["0,100,50,20", "100,100,50,50", "200,100,50,"];

const traffic = ({ epochS: _epochS, filled: _filled, ...recording }: ReplayTrace): ReplayTraffic => ({
  kind: "replay",
  file: "thought.csv",
  ...recording,
  maxOutput: { factor: 1, minTokens: 1 },
});

const WINDOW = { startEpochS: 0, horizonS: 1000, warmupS: 0, seed: "7", replication: 0, classShares: [1] };

describe("the file", () => {
  test("says it in its column reasoningTokens, imported or as it is, and nothing where it says nothing", async () => {
    for (const read of [readReplay, imported]) {
      const recorded = await read(await saved(table(...ROWS)));
      expect([...recorded.reasoningTokens!]).toEqual([20, 50, 0]);
      expect(await read(await saved(table("0,1,1,0", "1,1,1,")))).not.toHaveProperty("reasoningTokens");
    }
  });

  test("of more rows than fit at first", async () => {
    const many = Array.from({ length: 70_000 }, (_, row) => `${row},9,8,${row % 8}`);
    const { reasoningTokens } = await readReplay(await saved(table(...many)));
    expect(reasoningTokens!.length).toBe(70_000);
    expect(reasoningTokens!.every((tokens, row) => tokens === row % 8)).toBe(true);
  });

  test.each([
    ["0,100,50,51", /row 2: 51 reasoning tokens of an answer of 50: they are a part of the output/],
    ["0,100,0,3", /row 2: 3 reasoning tokens of an answer of 0/],
    ["0,100,50,-1", /row 2: (negative reasoning token count -1|reasoningTokens cannot be -1)/],
    ["0,100,50,1.5", /row 2: (the reasoning token count 1.5 is not|reasoningTokens cannot be 1.5)/],
    ["0,100,50,some", /row 2: cannot read the reasoning ?[tT]oken( count|s) "some"/],
  ])("%s is refused with its row", async (row, expected) => {
    const file = await saved(table("0,1,1,0", row));
    await expect(readReplay(file)).rejects.toThrow(expected);
    await expect(imported(file)).rejects.toThrow(expected);
  });

  test("may be a log of spans or of AIPerf, which count it within the output", async () => {
    const span = {
      start_time: "2026-10-01T00:00:00Z",
      attributes: {
        "gen_ai.request.model": "m",
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 30,
        "gen_ai.usage.reasoning.output_tokens": 12,
      },
    };
    const record = {
      metadata: { request_start_ns: 1_790_000_000_000_000_000 },
      metrics: {
        input_sequence_length: { value: 10, unit: "tokens" },
        output_sequence_length: { value: 30, unit: "tokens" },
        output_token_count: { value: 18, unit: "tokens" },
        reasoning_token_count: { value: 12, unit: "tokens" },
      },
    };
    for (const log of [span, record]) {
      const recorded = await imported(await saved(`${JSON.stringify(log)}\n`, "log.jsonl"));
      expect([recorded.outputTokens[0], recorded.reasoningTokens?.[0]]).toEqual([30, 12]);
    }
    // Where the whole answer was not counted, thinking would be a part of nothing: it is left out.
    const cut = { ...span.attributes, "gen_ai.usage.output_tokens": undefined, "error.type": "timeout" };
    const spoken = { ...record.metrics, output_sequence_length: undefined };
    const partly: readonly (readonly [unknown, number])[] = [
      [{ ...span, attributes: cut }, 1],
      [{ ...record, metrics: spoken }, 18],
    ];
    for (const [log, outputTokens] of partly) {
      const recorded = await imported(await saved(`${JSON.stringify(log)}\n`, "log.jsonl"));
      expect([recorded.outputTokens[0], recorded.reasoningTokens]).toEqual([outputTokens, undefined]);
    }
  });
});

test("the cursors send it with its request, waiting or not", async () => {
  const recorded = await readReplay(await saved(table(...ROWS)));
  const waits = { offsets: new Uint32Array(4), parents: new Uint32Array(0), gapS: new Float64Array(3) };
  for (const more of [{}, { waits }]) {
    const cursor = openTraffic({ ...traffic(recorded), ...more }, WINDOW);
    const sent: (number | undefined)[] = [];
    for (; cursor.timeS < Infinity; cursor.advance()) sent.push(cursor.reasoningTokens);
    expect(sent).toEqual([20, 50, 0]);
  }
});

describe("what it does", () => {
  const prices = [
    { fromEpochS: null, inputUsdPerMTok: 2, outputUsdPerMTok: 10, longContext: [], reasoningUsdPerMTok: 4 },
  ];
  const at: readonly (readonly [string, ResolvedStrategy])[] = [
    ["an offer", strategy([[to("offer")]], [], [offer()])],
    ["an own pool", strategy([[to("pool")]], [pool()])],
  ];
  const run = (recorded: ReplayTrace, plan: ResolvedStrategy) => {
    const rows = new RowList();
    const of = setting({ horizonS: 1000 });
    const opened = openTraffic(traffic(recorded), { ...WINDOW, horizonS: of.horizonS });
    const result = simulateRun(of, plan, opened, runOptions({ rows, replicas: plan.pools.map(() => 1) }));
    return { result, rows: rows.list };
  };

  test.each(at)(
    "%s: users see the answer later by the decoding of what was thought; all else stays",
    async (_, plan) => {
      const recorded = await readReplay(await saved(table(...ROWS)));
      const { reasoningTokens: __, ...plain } = recorded;
      const [before, after] = [run(plain, plan), run(recorded, plan)];
      expect(before.rows.length).toBe(3);
      // Of 50 tokens the first is there at once, the 49 after it take 49 paces: one is seen after 20, the one at the very end after 49.
      const paces = after.rows.map(({ ttftS }, i) => (ttftS - before.rows[i]!.ttftS) / before.rows[i]!.tpotS);
      expect(paces).toEqual([expect.closeTo(20, 9), expect.closeTo(49, 9), 0]);
      expect(after.rows.map(({ e2eS }) => e2eS)).toEqual(before.rows.map(({ e2eS }) => e2eS));
      expect(after.rows[0]!.tpotS).toBeCloseTo(before.rows[0]!.tpotS, 12);
      expect(after.rows[1]!.tpotS).toBeNaN();
      expect(after.result.series.ledger).toEqual(before.result.series.ledger);
      expect(before.result.classes[0]!.totals.reasoningTokens).toBe(0);
      expect(after.result.classes[0]!.totals.reasoningTokens).toBe(70);
    },
  );

  test("an offer that has a price for it charges it for every token of it", async () => {
    const recorded = await readReplay(await saved(table(...ROWS)));
    const { ledger } = run(recorded, strategy([[to("offer")]], [], [offer({ prices })])).result.series;
    const usd = ledger.usd.reduce((sum, amount, i) => sum + (ledger.line[i] === "api-output" ? amount : 0), 0);
    expect(usd).toBeCloseTo((80 * 10 + 70 * 4) / 1e6, 15);
  });

  test("the rate at the SLO is that of the recorded mix: nothing meets a first token that comes after the thinking", async () => {
    const rows = Array.from({ length: 50 }, (_, row) => `${row},100,200,190`);
    const recorded = await readReplay(await saved(table(...rows)));
    const { reasoningTokens: _, ...plain } = recorded;
    const { experiment } = resolveRaw(smallExperiment());
    const first = experiment.classes[0]!;
    const rate = (recording: ReplayTrace, ttftS: number) =>
      sloRatePerReplica({
        experiment: {
          ...experiment,
          classes: [{ ...first, slo: { ...first.slo, ttftS } }],
          strategies: [strategy([[to("pool")]], [pool()])],
          traffic: traffic(recording),
        },
        strategy: 0,
        pool: 0,
        classIndex: 0,
      });
    // A step takes some 7 ms: 190 of them are more than a second.
    expect(rate(plain, 1)).toBeGreaterThan(1);
    expect(rate(recorded, 1)).toBeNull();
    expect(rate(recorded, 5)).toBeGreaterThan(1);
  });
});

describe("a class that thinks by a law beside it is refused", () => {
  test("in an experiment", async () => {
    const recording = await readReplay(await saved(table(...ROWS)));
    const replay = withValue(smallExperiment(), ["traffic"], { replay: { file: "x.parquet" } });
    const both = withValue(replay, ["classes", 0, "reasoning"], "high");
    expect(() => resolveRaw(both, { recording })).toThrow(/only one of the two can count/);
    expect(resolveRaw(replay, { recording }).experiment.traffic).toHaveProperty("reasoningTokens");
    const { reasoningTokens: _, ...plain } = recording;
    expect(resolveRaw(both, { recording: plain }).experiment.classes[0]).toHaveProperty("reasoning");
  });

  test("in a backcast", async () => {
    const recording = await readReplay(await saved(table(...ROWS)));
    const { experiment } = resolveRaw(withValue(smallExperiment(), ["classes", 0, "reasoning"], "high"));
    const period = { recording, file: "t.csv", startEpochS: 0, lengthS: 1000, ownLimits: false };
    expect(() => replayed(experiment, "own", period)).toThrow(/so does class open of the experiment/);
    const again = replayed(resolveRaw(smallExperiment()).experiment, "own", period);
    expect(again.traffic).toHaveProperty("reasoningTokens", recording.reasoningTokens);
  });
});
