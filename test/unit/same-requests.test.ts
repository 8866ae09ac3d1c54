/**
 * The same seed gives the same requests to every strategy and fleet: sessions, turns, lengths, classes and pauses by ordinal of
 * the request. Only when a later turn is sent follows how the earlier ones were served.
 */
import { describe, expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import type { ReplayTraffic, ResolvedStrategy, SyntheticTraffic } from "../../src/scenario/resolved.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import { offer, pool, requestClass, runOptions, setting, strategy, to } from "../fixtures/strategies.ts";
import { CHAT_ARRIVALS } from "../fixtures/traffic-reference.ts";
import { watched, type Watched } from "../fixtures/watched-traffic.ts";

const CLASSES = [
  requestClass({ name: "chat", shareFraction: 0.7 }),
  requestClass({ name: "batch", shareFraction: 0.3 }),
];
const HORIZON_S = 3000;

const own = pool({ engine: { maxNumSeqs: 32, maxNumBatchedTokens: 2048, kvBlocks: 8000 } });
const slow = pool({ networkS: 0.4, engine: { maxNumSeqs: 4, kvBlocks: 1000 } });
const routes = (kind: "pool" | "offer"): ResolvedStrategy["routes"] => CLASSES.map(() => [to(kind)]);
const STRATEGIES: readonly (readonly [name: string, strategy: ResolvedStrategy, replicas: number[]])[] = [
  ["an API", strategy(routes("offer"), [], [offer()]), []],
  ["one replica", strategy(routes("pool"), [own]), [1]],
  ["six replicas", strategy(routes("pool"), [own]), [6]],
  ["small replicas far away", strategy(routes("pool"), [slow]), [2]],
  ["a split", strategy([[to("pool")], [to("offer")]], [own], [offer()]), [2]],
];

function sentBy(traffic: SyntheticTraffic | ReplayTraffic, [, tried, replicas]: (typeof STRATEGIES)[number]) {
  const of = setting({ horizonS: HORIZON_S, classes: CLASSES });
  const window = { startEpochS: of.startEpochS, horizonS: HORIZON_S, warmupS: 0, seed: "7", replication: 0 };
  const classShares = CLASSES.map(({ shareFraction }) => shareFraction);
  const { traffic: view, sent } = watched(openTraffic(traffic, { ...window, classShares }));
  simulateRun(of, tried, view, runOptions({ replicas }));
  return sent;
}

const facts = ({ inputTokens, outputTokens, maxOutputTokens, classIndex, session }: Watched): string =>
  JSON.stringify([inputTokens, outputTokens, maxOutputTokens, classIndex, session]);

/** The share of requests that both sent: a session that is late at the end of the run has fewer turns in it. */
function common(one: ReadonlyMap<number, Watched>, other: ReadonlyMap<number, Watched>): number[] {
  return [...one.keys()].filter((request) => other.has(request));
}

const SESSIONS: SyntheticTraffic = {
  ...CHAT_ARRIVALS,
  meanRatePerS: 0.6,
  input: { kind: "lognormal", medianTokens: 300, sigma: 0.8, minTokens: 1, maxTokens: 3000 },
  output: { kind: "lognormal", medianTokens: 60, sigma: 0.6, minTokens: 1, maxTokens: 400 },
  sessions: {
    turnShares: [0.4, 0.3, 0.2, 0.1],
    think: { medianS: 20, sigma: 1 },
    newInput: { kind: "lognormal", medianTokens: 60, sigma: 0.5, minTokens: 1, maxTokens: 500 },
    carryContext: true,
    maxContextTokens: 6000,
  },
};

/** Thirty agents of four kinds of call; each second round calls two sub-agents at once and joins them. */
function agents(): ReplayTraffic {
  const rows: { arrivalS: number; agent: number; parents: number[]; gapS: number }[] = [];
  for (let round = 0; round < 8; round++) {
    for (let agent = 0; agent < 30; agent++) {
      const last = rows.flatMap((row, i) => (row.agent === agent ? [i] : []));
      const joins = round % 2 === 0 ? last.slice(-2) : last.slice(-1);
      for (let call = 0; call <= round % 2; call++)
        rows.push({ arrivalS: round * 60 + agent, agent, parents: joins, gapS: 0.5 + ((agent + round) % 7) });
    }
  }
  const offsets = new Uint32Array(rows.length + 1);
  rows.forEach(({ parents }, i) => (offsets[i + 1] = offsets[i]! + parents.length));
  return {
    kind: "replay",
    file: "agents.parquet",
    arrivalS: Float64Array.from(rows, ({ arrivalS }) => arrivalS),
    inputTokens: Uint32Array.from(rows, (_, i) => 200 + ((i * 37) % 900)),
    outputTokens: Uint32Array.from(rows, (_, i) => 20 + ((i * 53) % 90)),
    maxOutput: { factor: 2, minTokens: 64 },
    sessions: Uint32Array.from(rows, ({ agent }) => agent),
    waits: {
      offsets,
      parents: Uint32Array.from(rows.flatMap(({ parents }) => parents)),
      gapS: Float64Array.from(rows, ({ gapS }) => gapS),
    },
  };
}

/** Seconds between the end of what request `i` waited for, as the client saw it, and its start; NaN for one that waited for nothing. */
function pauseS(spec: ReplayTraffic, sent: ReadonlyMap<number, Watched>, i: number): number {
  const { offsets, parents } = spec.waits!;
  const ends = [...parents.subarray(offsets[i], offsets[i + 1])].map((parent) => sent.get(parent)!.endS!);
  return ends.length === 0 ? Number.NaN : sent.get(i)!.sentS - Math.max(...ends);
}

describe("conversations", () => {
  const base = sentBy(SESSIONS, STRATEGIES[0]!);
  test.each(STRATEGIES.slice(1))("are those of the API on %s", (...each) => {
    const sent = sentBy(SESSIONS, each);
    const both = common(base, sent);
    expect(both.length).toBeGreaterThan(0.93 * Math.max(base.size, sent.size));
    let moved = 0;
    for (const request of both) {
      const [one, other] = [base.get(request)!, sent.get(request)!];
      expect(facts(other)).toBe(facts(one));
      const before = [base.get(request - 1), sent.get(request - 1)];
      if (before.some((turn) => turn?.session !== one.session)) continue;
      expect(other.sentS - before[1]!.endS!).toBeCloseTo(one.sentS - before[0]!.endS!, 6);
      if (Math.abs(other.sentS - one.sentS) > 0.01) moved++;
    }
    // The strategies do differ in what they make of the same requests.
    expect(moved).toBeGreaterThan(50);
  });
});

describe("agents that call in parallel and join", () => {
  const spec = agents();
  const base = sentBy(spec, STRATEGIES[0]!);
  test("are all sent, with their recorded pauses", () => {
    expect(base.size).toBe(spec.arrivalS.length);
    for (const request of base.keys()) {
      const pause = pauseS(spec, base, request);
      if (pause === pause) expect(pause).toBeCloseTo(spec.waits!.gapS[request]!, 6);
    }
  });

  test.each(STRATEGIES.slice(1))("are those of the API on %s", (...each) => {
    const sent = sentBy(spec, each);
    expect([...sent.keys()].toSorted((a, b) => a - b)).toEqual([...base.keys()].toSorted((a, b) => a - b));
    for (const request of sent.keys()) {
      expect(facts(sent.get(request)!)).toBe(facts(base.get(request)!));
      const pause = pauseS(spec, sent, request);
      if (pause === pause) expect(pause).toBeCloseTo(spec.waits!.gapS[request]!, 6);
    }
    expect([...sent.values()].some(({ request, sentS }) => Math.abs(sentS - base.get(request)!.sentS) > 0.01)).toBe(
      true,
    );
  });
});
