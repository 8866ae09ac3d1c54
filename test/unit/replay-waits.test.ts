/** Recorded requests that wait for others: agents' steps, parallel calls and sub-agents, turns of conversations. */
import { describe, expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { DataError, InvariantError } from "../../src/kernel/errors.ts";
import type { RecordedWaits, ReplayTraffic } from "../../src/scenario/resolved.ts";
import type { OpenTrafficOptions } from "../../src/traffic/options.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import { pool, runOptions, setting, strategy, to } from "../fixtures/strategies.ts";
import { OPTIONS } from "../fixtures/traffic-reference.ts";
import { watched } from "../fixtures/watched-traffic.ts";

/** By row its parents and the pause after them. */
function waits(rows: readonly (readonly [parents: readonly number[], gapS: number])[]): RecordedWaits {
  const offsets = new Uint32Array(rows.length + 1);
  rows.forEach(([parents], i) => (offsets[i + 1] = offsets[i]! + parents.length));
  return {
    offsets,
    parents: Uint32Array.from(rows.flatMap(([parents]) => parents)),
    gapS: Float64Array.from(rows, ([, gapS]) => gapS),
  };
}

/**
 * An agent that calls two tools or sub-agents at once and goes on when both are done; a question besides; a turn whose pause
 * was not recorded.
 */
const AGENT: ReplayTraffic = {
  kind: "replay",
  file: "agent.parquet",
  arrivalS: Float64Array.of(0, 10, 10, 12, 40, 60),
  inputTokens: Uint32Array.of(100, 200, 300, 50, 400, 60),
  outputTokens: Uint32Array.of(10, 20, 30, 5, 40, 6),
  maxOutput: { factor: 1, minTokens: 1 },
  sessions: Uint32Array.of(0, 0, 0, 1, 0, 1),
  waits: waits([
    [[], 0],
    [[0], 1],
    [[0], 2],
    [[], 0],
    [[1, 2], 5],
    [[3], -1],
  ]),
};

interface Sent {
  readonly request: number;
  readonly sentS: number;
  readonly facts: string;
}

/** Unlimited servers. */
function serve(
  spec: ReplayTraffic,
  serviceS: (request: number) => number,
  options: Partial<OpenTrafficOptions> = {},
): Sent[] {
  const traffic = openTraffic(spec, { ...OPTIONS, ...options });
  const sent: Sent[] = [];
  const open: { readonly request: number; readonly endS: number }[] = [];
  for (;;) {
    const next = open.reduce<(typeof open)[0] | null>(
      (first, each) => (first === null || each.endS < first.endS ? each : first),
      null,
    );
    if (next !== null && next.endS <= traffic.timeS) {
      open.splice(open.indexOf(next), 1);
      traffic.onComplete(next.request, next.endS);
      continue;
    }
    if (traffic.timeS === Infinity) return sent;
    const { request, timeS, inputTokens, outputTokens, classIndex } = traffic;
    const session = traffic.known?.session(request);
    sent.push({ request, sentS: timeS, facts: JSON.stringify([inputTokens, outputTokens, classIndex, session]) });
    open.push({ request, endS: timeS + serviceS(request) });
    traffic.advance();
  }
}

const times = (sent: readonly Sent[]): Record<number, number> =>
  Object.fromEntries(sent.map(({ request, sentS }) => [request, sentS]));

describe("a request that waits", () => {
  test("is sent when the last of those it waits for has ended and its pause has passed", () => {
    // 0 ends at 4; 1 and 2 go at 5 and 6 and end at 55 and 8; 4 joins them; 5 has no pause and its recorded time.
    expect(times(serve(AGENT, (request) => [4, 50, 2, 3, 1, 1][request]!))).toEqual({
      0: 0,
      1: 5,
      2: 6,
      3: 12,
      4: 60,
      5: 60,
    });
    // A slower parent moves what had its recorded time, too.
    expect(times(serve(AGENT, (request) => (request === 3 ? 100 : 1)))[5]).toBe(112);
  });

  test("without waits comes at its recorded time", () => {
    const { waits: _, ...open } = AGENT;
    expect(serve(open, () => 1000).map(({ sentS }) => sentS)).toEqual([...AGENT.arrivalS]);
  });

  test("is left out at or after the horizon, and one whose parents lie before the window starts at its recorded time", () => {
    expect(Object.keys(times(serve(AGENT, () => 20, { horizonS: 22 })))).toEqual(["0", "1", "3"]);
    // Rows 1 and 2 are the first of the window; 4 still joins them.
    const part = serve(AGENT, () => 1, { offsetS: 10, horizonS: 100 });
    expect(times(part)).toEqual({ 0: 0, 1: 0, 2: 2, 3: 6, 4: 50 });
    expect(part.map(({ facts }) => JSON.parse(facts) as number[]).map(([input]) => input)).toEqual([
      200, 300, 50, 400, 60,
    ]);
  });

  test("TRF-6: how requests are served moves no length, class, session or ordinal", () => {
    const long = chain(300);
    const of = (serviceS: (request: number) => number, seed = "7"): string[] =>
      serve(long, serviceS, { seed, horizonS: 1e9, classShares: [1, 1] })
        .sort((a, b) => a.request - b.request)
        .map(({ request, facts }) => `${request} ${facts}`);
    const base = of(() => 1);
    expect(base).toHaveLength(300);
    expect(of((request) => (request * 7919) % 61)).toEqual(base);
    expect(of(() => 1, "8")).not.toEqual(base);
    // A session is of one class.
    const classes = new Map<number, Set<number>>();
    for (const line of base) {
      const [, , classIndex, session] = JSON.parse(line.slice(line.indexOf("["))) as number[];
      classes.set(session!, (classes.get(session!) ?? new Set()).add(classIndex!));
    }
    expect([...classes.values()].every(({ size }) => size === 1)).toBe(true);
    expect(new Set([...classes.values()].flatMap((set) => [...set])).size).toBe(2);
  });

  test("pays the network of each step in a run", () => {
    const of = setting({ horizonS: 4000 });
    const lastS = (networkS: number): number => {
      const window = { startEpochS: of.startEpochS, horizonS: 4000, warmupS: 0, seed: "7", replication: 0 };
      const traffic = openTraffic(chain(60, 1), { ...window, classShares: [1] });
      const { traffic: view, sent } = watched(traffic);
      const own = pool({ networkS });
      simulateRun(of, strategy([[to("pool")]], [own]), view, runOptions({ replicas: [1] }));
      return Math.max(...[...sent.values()].map(({ endS }) => endS!));
    };
    expect(lastS(0.5) - lastS(0)).toBeCloseTo(60 * 0.5, 6);
  });
});

/** `rows` steps, in `sessions` chains beside each other. */
function chain(rows: number, sessions = 30): ReplayTraffic {
  const all = Array.from({ length: rows }, (_, i) => i);
  return {
    ...AGENT,
    arrivalS: Float64Array.from(all, (i) => i),
    inputTokens: Uint32Array.from(all, (i) => 50 + i),
    outputTokens: Uint32Array.from(all, (i) => 1 + (i % 9)),
    sessions: Uint32Array.from(all, (i) => i % sessions),
    waits: waits(all.map((i) => [i < sessions ? [] : [i - sessions], 1])),
  };
}

describe("what cannot be", () => {
  test.each<[string, Partial<ReplayTraffic>, number | null]>([
    ["a row that waits for a later one", { waits: waits([...Array(5).fill([[], 0]), [[5], 0]]) }, 6],
    ["waits of fewer rows", { waits: waits([[[], 0]]) }, null],
  ])("%s is refused with its row", (_, change, row) => {
    let error: unknown;
    try {
      serve({ ...AGENT, ...change }, () => 1);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(DataError);
    expect(error).toMatchObject({ file: "agent.parquet", row });
  });

  test("an answer that nobody waits for is refused", () => {
    expect(() => openTraffic(AGENT, OPTIONS).onComplete(0, 1)).toThrow(InvariantError);
  });
});
