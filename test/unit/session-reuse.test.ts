/** What a prefix cache, a router and a bill make of sessions and recorded prefixes, with hits counted by hand. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { DEFAULT_SCHEDULER } from "../../src/engine/scheduler-spec.ts";
import { sticky } from "../../src/fleet/routers/sticky.ts";
import type { RunResult } from "../../src/outcome/run-result.ts";
import type { ReplayTraffic, ResolvedPool, SessionSpec, SyntheticTraffic } from "../../src/scenario/resolved.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import { CHAT_ARRIVALS } from "../fixtures/traffic-reference.ts";
import { pool, requestClass, runOptions, setting, strategy, to } from "../fixtures/strategies.ts";

const CACHED = { ...DEFAULT_SCHEDULER, prefixCache: { eviction: "lru" } as const };

/** Sessions of three turns: 320 tokens, then 64 more each; answers of 100. */
const SESSIONS: SessionSpec = {
  turnShares: [0, 0, 1],
  think: { medianS: 30, sigma: 0 },
  newInput: { kind: "constant", tokens: 64 },
  carryContext: true,
  maxContextTokens: 8000,
};
const PROMPTS = [320, 320 + 100 + 64, 320 + 2 * (100 + 64)];

function spec(sessions: SessionSpec, meanRatePerS: number): SyntheticTraffic {
  return {
    ...CHAT_ARRIVALS,
    meanRatePerS,
    burst: { components: [], gapCv: 1 },
    input: { kind: "constant", tokens: 320 },
    output: { kind: "constant", tokens: 100 },
    sessions,
  };
}

function run(
  options: Parameters<typeof pool>[0],
  { sessions = SESSIONS, replicas = 1, ratePerS = 0.15, classes = [requestClass()] } = {},
): RunResult {
  const of = setting({ horizonS: 6000, classes });
  const own: ResolvedPool = pool({ scheduler: CACHED, engine: { kvBlocks: 20_000 }, ...options });
  const classShares = classes.map(({ shareFraction }) => shareFraction);
  const window = { startEpochS: of.startEpochS, horizonS: of.horizonS, warmupS: 0, seed: "7", replication: 0 };
  const traffic = openTraffic(spec(sessions, ratePerS), { ...window, classShares });
  return simulateRun(of, strategy([[to("pool")]], [own]), traffic, runOptions({ replicas: [replicas] }));
}

const hits = (result: RunResult): number => result.pools[0]!.prefixHitFraction;

/** Of whole blocks of 16: the context of the turn before without its last token, whose KV was never computed. */
const reused = (found: (turn: number) => number): number =>
  PROMPTS.reduce((sum, _, turn) => sum + (turn === 0 ? 0 : found(turn)), 0) / PROMPTS.reduce((a, b) => a + b, 0);
const whole = (tokens: number): number => 16 * Math.floor(tokens / 16);

describe("sessions and the prefix cache", () => {
  test("a turn finds the blocks of the turns before, answers included", () => {
    const byHand = reused((turn) => whole(PROMPTS[turn - 1]! + 100 - 1));
    expect(byHand).toBeCloseTo((416 + 576) / 1452, 12);
    // Sessions that began before the run or go on after it weigh a little differently.
    expect(hits(run({}))).toBeCloseTo(byHand, 1.7);
    expect(hits(run({ scheduler: DEFAULT_SCHEDULER }))).toBeNaN();
  });

  test("without the context, or once it is cut, nothing is found; turns reuse a shared system prompt all the same", () => {
    expect(hits(run({}, { sessions: { ...SESSIONS, carryContext: false } }))).toBe(0);
    const cut = hits(run({}, { sessions: { ...SESSIONS, maxContextTokens: 400 } }));
    expect(cut).toBe(0);
    const classes = [requestClass({ sharedPrefix: { tokens: 160, groups: 1 } })];
    // All but the first request find ten blocks, of prompts of 320, 400 and 400 tokens.
    const shared = hits(run({}, { classes, sessions: { ...SESSIONS, maxContextTokens: 400 } }));
    expect(shared).toBeCloseTo(480 / 1120, 2);
  });

  test("all turns of a session have one of several system prompts", () => {
    const classes = [requestClass({ sharedPrefix: { tokens: 320, groups: 1_000_000 } })];
    expect(hits(run({}, { classes }))).toBeCloseTo((416 + 576) / 1452, 1.7);
  });

  test("sticky routing keeps the hits of one replica, others lose them", () => {
    const at = (name: string): number =>
      hits(run({ router: { name, options: { maxLoadFactor: 4 } } }, { replicas: 6, ratePerS: 1 }));
    expect(at("sticky")).toBeGreaterThan(0.6);
    expect(at("round-robin")).toBeLessThan(0.25);
  });
});

/** Rows of Mooncake's conversation trace (kvcache-ai/Mooncake @3b5a5941, Apache-2.0), twelve conversations of it. */
const ROWS = readFileSync(new URL("../fixtures/mooncake-conversation-rows.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n")
  .map(
    (line) =>
      JSON.parse(line) as { timestamp: number; input_length: number; output_length: number; hash_ids: number[] },
  );

function recording(): ReplayTraffic {
  const offsets = new Uint32Array(ROWS.length + 1);
  ROWS.forEach(({ hash_ids }, i) => (offsets[i + 1] = offsets[i]! + hash_ids.length));
  return {
    kind: "replay",
    file: "rows.jsonl",
    arrivalS: Float64Array.from(ROWS, ({ timestamp }) => timestamp / 1000),
    inputTokens: Uint32Array.from(ROWS, ({ input_length }) => input_length),
    outputTokens: Uint32Array.from(ROWS, ({ output_length }) => output_length),
    maxOutput: { factor: 1, minTokens: 1 },
    prefix: { blockTokens: 512, offsets, items: Uint32Array.from(ROWS.flatMap(({ hash_ids }) => hash_ids)) },
  };
}

describe("recorded prefixes", () => {
  const of = setting({ horizonS: 4000 });
  const window = { startEpochS: of.startEpochS, horizonS: of.horizonS, warmupS: 0, seed: "7", replication: 0 };
  const replay = (traffic: ReplayTraffic, kvBlocks: number, blockTokens = 16): number => {
    const own = pool({ scheduler: CACHED, engine: { kvBlocks, blockTokens, maxModelLen: 16_384 } });
    const opened = openTraffic(traffic, { ...window, classShares: [1] });
    return hits(simulateRun(of, strategy([[to("pool")]], [own]), opened, runOptions({ replicas: [1] })));
  };

  test("without a limit a replay finds what the ids say; with few blocks less, without ids nothing", () => {
    const seen = new Set<number>();
    let found = 0;
    let asked = 0;
    for (const { hash_ids, input_length } of ROWS) {
      const first = hash_ids.findIndex((id) => !seen.has(id));
      found += first < 0 ? input_length : 512 * first;
      asked += input_length;
      for (const id of hash_ids) seen.add(id);
    }
    expect(found / asked).toBeGreaterThan(0.4);
    expect(replay(recording(), 60_000)).toBeCloseTo(found / asked, 2);
    expect(replay(recording(), 60_000, 64)).toBeCloseTo(found / asked, 2);
    const few = replay(recording(), 1100);
    expect(few).toBeGreaterThan(0.05);
    expect(few).toBeLessThan(0.9 * (found / asked));
    const { prefix: _, ...unknown } = recording();
    expect(replay(unknown, 60_000)).toBe(0);
  });

  test("ids of fewer rows than the recording are refused", () => {
    const broken = { ...recording(), prefix: { ...recording().prefix!, offsets: new Uint32Array(3) } };
    expect(() => openTraffic(broken, { ...window, classShares: [1] })).toThrow(/block ids of 2 of 96 requests/);
  });
});

describe("sticky", () => {
  const view = (loads: readonly number[], session: number, names = loads.map((_, i) => i)) => ({
    count: () => loads.length,
    inFlight: (i: number) => loads[i]!,
    replica: (i: number) => names[i]!,
    session: () => session,
  });
  const router = sticky.create({ maxLoadFactor: 1.5 }, () => 0);

  test("spreads sessions evenly, and moves only those of a replica that is gone", () => {
    const counts = [0, 0, 0, 0, 0];
    let moved = 0;
    for (let session = 0; session < 10_000; session++) {
      const all = router.route(view([0, 0, 0, 0, 0], session));
      counts[all]!++;
      const names = [4, 0, 1, 3];
      const rest = names[router.route(view([0, 0, 0, 0], session, names))]!;
      if (all !== 2 && rest !== all) moved++;
    }
    for (const count of counts) expect(Math.abs(count - 2000)).toBeLessThan(4 * Math.sqrt(2000));
    expect(moved).toBe(0);
  });

  test("goes on to the next choice where a replica is above its share, and stays with a higher limit", () => {
    const session = 17;
    const home = router.route(view([0, 0, 0, 0], session));
    const loaded = [2, 2, 2, 2].map((load, i) => (i === home ? 5 : load));
    expect(router.route(view(loaded, session))).not.toBe(home);
    expect(sticky.create({ maxLoadFactor: 3 }, () => 0).route(view(loaded, session))).toBe(home);
  });
});
