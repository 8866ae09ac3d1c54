/** What each dispatch policy does with what it sees, and that each of its options moves what it says. */
import { describe, expect, test } from "vitest";
import { type DispatchOptions, type DispatchView, NO_TARGET } from "../../src/dispatch/policies/policy.ts";
import { dispatchNamed, dispatchPlugins } from "../../src/dispatch/policies/registry.ts";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { counterKey, threefry2x32, unit, words } from "../../src/kernel/random.ts";
import type { SyntheticTraffic } from "../../src/scenario/resolved.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import {
  listTraffic,
  NO_RETRIES,
  offer,
  pool,
  poissonTraffic,
  requestClass,
  runOptions,
  setting,
  strategy,
  to,
} from "../fixtures/strategies.ts";
import { rpm } from "../fixtures/provider-offer.ts";
import { watch } from "../invariants/random-runs.ts";

interface Seen {
  readonly nowS: number;
  readonly shut: readonly number[];
  readonly inFlight: readonly number[];
  readonly pools: readonly number[];
  readonly request: number;
  readonly session: number;
  readonly ttftS: readonly number[];
  readonly ageS: number;
  readonly usd: readonly number[];
}

const KEY = counterKey("7", 0, "policy-test");

/** Three targets as a policy sees them. */
function view(seen: Partial<Seen> = {}): DispatchView {
  const { shut = [], inFlight = [0, 0, 0], pools = [], request = 0, session = request } = seen;
  const { ttftS = [NaN, NaN, NaN], ageS = Infinity, usd = [0.01, 0.02, 0.03] } = seen;
  const luck = (of: number, i: number): number => {
    threefry2x32(KEY, i, of, 0);
    return unit(words[0]!);
  };
  return {
    nowS: seen.nowS ?? 0,
    count: () => 3,
    isOpen: (i) => !shut.includes(i),
    isPool: (i) => pools.includes(i),
    inFlight: (i) => inFlight[i]!,
    inputTokens: () => 500,
    maxOutputTokens: () => 1000,
    luck: (i) => luck(request, i),
    affinity: (i) => luck(session, 10 + i),
    sessionLuck: () => luck(session, 20),
    ttftTargetS: () => 2,
    ttftS: (i) => ttftS[i]!,
    ttftAgeS: () => ageS,
    idleTtftS: () => 1,
    expectedUsd: (i) => (pools.includes(i) ? 0 : usd[i]!),
    expectedTokens: () => 1000,
  };
}

function policy(name: string, options: Partial<DispatchOptions> = {}) {
  return dispatchNamed(name)!.create({ numbers: {}, byTarget: {}, steps: {}, ...options });
}

/** Shares of the three targets over so many requests, each of a session of its own. */
function shares(of: ReturnType<typeof policy>, seen: Partial<Seen> = {}, requests = 4000): number[] {
  const counts = [0, 0, 0];
  for (let request = 0; request < requests; request++) counts[of.pick(view({ ...seen, request }))]!++;
  return counts.map((count) => count / requests);
}

test.each(dispatchPlugins.map(({ name }) => name))(
  "%s picks open targets alone, NO_TARGET when all are shut",
  (name) => {
    const byTarget = { weights: [1, 2, 3], quality: [0, 1, 2] };
    const steps = { share: [{ fromS: 0, value: 0.5 }] };
    const of = policy(name, { byTarget, steps });
    for (let request = 0; request < 50; request++) {
      for (const shut of [[0], [1], [0, 1], [1, 2], [0, 1, 2]])
        expect([0, 1, 2, NO_TARGET].filter((i) => !shut.includes(i))).toContain(of.pick(view({ request, shut })));
    }
    expect(of.pick(view({ shut: [0, 1, 2] }))).toBe(NO_TARGET);
  },
);

describe("weighted", () => {
  const weights = [6, 3, 1];
  test("splits in proportion, again among those that are left", () => {
    const all = shares(policy("weighted", { byTarget: { weights } }));
    [0.6, 0.3, 0.1].forEach((share, i) => expect(all[i]).toBeCloseTo(share, 1));
    const left = shares(policy("weighted", { byTarget: { weights } }), { shut: [0] });
    [0, 0.75, 0.25].forEach((share, i) => expect(left[i]).toBeCloseTo(share, 1));
  });

  test("weight 0 is a last resort", () => {
    const of = policy("weighted", { byTarget: { weights: [0, 1, 0] } });
    expect(shares(of)).toEqual([0, 1, 0]);
    expect(shares(of, { shut: [1] })).toEqual([1, 0, 0]);
  });

  test("bySession keeps a session's turns together", () => {
    const ways = (bySession: number): number => {
      const of = policy("weighted", { byTarget: { weights: [1, 1, 1] }, numbers: { bySession } });
      return new Set(Array.from({ length: 50 }, (_, request) => of.pick(view({ request, session: 7 })))).size;
    };
    expect([ways(0), ways(1)]).toEqual([3, 1]);
  });
});

describe("sticky", () => {
  test("a session stays, comes back after its target was shut, and sessions are spread", () => {
    const of = policy("sticky");
    const home = of.pick(view({ session: 3 }));
    expect(of.pick(view({ session: 3, request: 99 }))).toBe(home);
    expect(of.pick(view({ session: 3, shut: [home] }))).not.toBe(home);
    expect(of.pick(view({ session: 3 }))).toBe(home);
    for (const share of shares(of)) expect(share).toBeCloseTo(1 / 3, 1);
  });

  test("maxInFlight sends it on, unless all have as much", () => {
    const home = policy("sticky").pick(view({ session: 3 }));
    const inFlight = [0, 1, 2].map((i) => (i === home ? 8 : 2));
    const of = policy("sticky", { numbers: { maxInFlight: 8 } });
    expect(of.pick(view({ session: 3, inFlight }))).not.toBe(home);
    expect(of.pick(view({ session: 3, inFlight: [9, 9, 9] }))).toBe(home);
    expect(policy("sticky", { numbers: { maxInFlight: 9 } }).pick(view({ session: 3, inFlight }))).toBe(home);
  });
});

describe("overflow", () => {
  const at = (of: ReturnType<typeof policy>, held: number): number => of.pick(view({ inFlight: [held, 0, 0] }));
  test("goes on from the threshold and comes back below it", () => {
    const of = policy("overflow", { numbers: { inFlight: 8, returnFraction: 1 } });
    expect([7.9, 8, 20, 7.9].map((held) => at(of, held))).toEqual([0, 1, 1, 0]);
    expect(policy("overflow", { numbers: { inFlight: 8 } }).pick(view({ inFlight: [9, 0, 0], shut: [1, 2] }))).toBe(0);
  });

  test("returnFraction holds it back", () => {
    const of = policy("overflow", { numbers: { inFlight: 8, returnFraction: 0.5 } });
    expect([8, 7, 4, 3.9, 7].map((held) => at(of, held))).toEqual([1, 1, 1, 0, 0]);
  });
});

describe("quality-floor", () => {
  const byTarget = { quality: [1, 5, 9] };
  test("premium requests go to nothing below the floor, not even when all others are shut", () => {
    const of = policy("quality-floor", { byTarget, numbers: { floor: 5, premiumShare: 1 } });
    expect(of.pick(view())).toBe(1);
    expect(of.pick(view({ shut: [1] }))).toBe(2);
    expect(of.pick(view({ shut: [1, 2] }))).toBe(NO_TARGET);
    expect(policy("quality-floor", { byTarget, numbers: { floor: 6 } }).pick(view())).toBe(2);
  });

  test("the other share goes below it, and to premium as a last resort", () => {
    const of = policy("quality-floor", { byTarget, numbers: { floor: 5, premiumShare: 0.3 } });
    const [low, high, none] = shares(of);
    expect(low).toBeCloseTo(0.7, 1);
    expect(high).toBeCloseTo(0.3, 1);
    expect(none).toBe(0);
    expect(shares(of, { shut: [0] })[1]).toBe(1);
  });
});

describe("cheapest", () => {
  test("the cheapest that is expected to be in time; when none is, the fastest", () => {
    const of = policy("cheapest");
    expect(of.pick(view())).toBe(0);
    expect(of.pick(view({ ttftS: [9, NaN, NaN], ageS: 0 }))).toBe(1);
    expect(of.pick(view({ ttftS: [9, 8, 1.2], ageS: 0 }))).toBe(2);
    expect(of.pick(view({ ttftS: [9, 7, 8], ageS: 0 }))).toBe(1);
    expect(of.pick(view({ usd: [0.03, 0.02, 0.01] }))).toBe(2);
  });

  test("a pool is paid by the hour, unless it has a price, and holds so much", () => {
    const pools = [2];
    expect(policy("cheapest").pick(view({ pools }))).toBe(2);
    expect(policy("cheapest", { numbers: { poolUsdPerMTok: 15 } }).pick(view({ pools }))).toBe(0);
    expect(policy("cheapest", { numbers: { poolUsdPerMTok: 9 } }).pick(view({ pools }))).toBe(2);
    expect(policy("cheapest").pick(view({ pools, inFlight: [0, 0, 64] }))).toBe(0);
    expect(policy("cheapest", { numbers: { poolInFlight: 65 } }).pick(view({ pools, inFlight: [0, 0, 64] }))).toBe(2);
  });

  test("memoryS forgets, headroom leaves room", () => {
    const seen = { ttftS: [4, NaN, NaN], ageS: 60 };
    // 1 + 3/e s against 0.8 × 2 s; after the shorter memory 1 s.
    expect(policy("cheapest").pick(view(seen))).toBe(1);
    expect(policy("cheapest", { numbers: { memoryS: 6 } }).pick(view(seen))).toBe(0);
    expect(policy("cheapest", { numbers: { headroom: 1.2 } }).pick(view(seen))).toBe(0);
  });
});

describe("migration", () => {
  const steps = {
    share: [
      { fromS: 100, value: 0.25 },
      { fromS: 200, value: 1 },
    ],
  };
  test("the share follows the dates, and who has moved stays moved", () => {
    const of = policy("migration", { steps });
    expect([99, 100, 200].map((nowS) => Math.round(100 * shares(of, { nowS })[0]!) / 100)).toEqual([
      0,
      expect.closeTo(0.25, 1),
      1,
    ]);
    const moved = (nowS: number): number[] =>
      Array.from({ length: 200 }, (_, request) => request).filter((request) => of.pick(view({ nowS, request })) === 0);
    const early = new Set(moved(150));
    expect(early.size).toBeGreaterThan(30);
    expect(moved(250)).toHaveLength(200);
    expect([...early].every((request) => of.pick(view({ nowS: 180, request })) === 0)).toBe(true);
  });

  test("each side takes over what the other does not take, unless fallBack is 0", () => {
    const both = policy("migration", { steps });
    expect([both.pick(view({ nowS: 0, shut: [1, 2] })), both.pick(view({ nowS: 300, shut: [0] }))]).toEqual([0, 1]);
    const hard = policy("migration", { steps, numbers: { fallBack: 0 } });
    expect([hard.pick(view({ nowS: 0, shut: [1, 2] })), hard.pick(view({ nowS: 300, shut: [0] }))]).toEqual([
      NO_TARGET,
      NO_TARGET,
    ]);
  });
});

describe("in a run", () => {
  const of = setting({ horizonS: 600, client: NO_RETRIES });

  test("ordered is the route's order, both ways round", () => {
    const outage = { ...pool().incidents, engineCrashesPerReplicaDay: 400, engineRestart: { medianS: 100, sigma: 0 } };
    for (const route of [
      [to("pool"), to("offer")],
      [to("offer"), to("pool")],
    ]) {
      const plan = strategy([route], [pool({ replicas: 1, incidents: outage })], [offer({ limits: [rpm(60)] })]);
      const seen = watch(of, plan, [1], poissonTraffic(of));
      const named = { ...plan, dispatch: [{ policy: "ordered", numbers: {}, byTarget: {}, steps: {} }] };
      expect(JSON.stringify(watch(of, named, [1], poissonTraffic(of)).result)).toBe(JSON.stringify(seen.result));
      expect(seen.result.classes[0]!.totals.overflowed).toBeGreaterThan(100);
    }
  });

  test("a policy of one class leaves the others alone", () => {
    const classes = [requestClass({ name: "a", shareFraction: 0.5 }), requestClass({ name: "b", shareFraction: 0.5 })];
    const two = setting({ horizonS: 600, classes });
    const route = [to("offer", 0), to("offer", 1)];
    const plan = strategy([route, route], [], [offer(), offer({ name: "other" })]);
    const dispatch = [{ policy: "weighted", numbers: {}, byTarget: { weights: [0, 1] }, steps: {} }, null];
    const { rows } = watch(two, { ...plan, dispatch }, [], poissonTraffic(two));
    expect(new Set(rows.filter(({ classIndex }) => classIndex === 0).map(({ route: at }) => at))).toEqual(new Set([2]));
    expect(new Set(rows.filter(({ classIndex }) => classIndex === 1).map(({ route: at }) => at))).toEqual(new Set([1]));
  });

  test("cheapest sees prices of the moment, answers and load", () => {
    const late = offer().latency;
    const slow = offer({ name: "slow", latency: { ...late, ttftBaseS: 3 }, priceMultiplier: 0.1 });
    const requests = Array.from({ length: 50 }, (_, i) => ({ timeS: 10 * i, inputTokens: 500, outputTokens: 50 }));
    const routes = (ttftS: number | null): number[] => {
      const classes = [requestClass({ slo: { ...requestClass().slo, ttftS } })];
      const plan = strategy([[to("offer", 0), to("offer", 1)]], [], [offer(), slow]);
      const dispatch = [{ policy: "cheapest", numbers: {}, byTarget: {}, steps: {} }];
      return watch(setting({ classes }), { ...plan, dispatch }, [], listTraffic(requests)).rows.map(
        ({ route }) => route,
      );
    };
    expect(new Set(routes(2))).toEqual(new Set([1]));
    expect(new Set(routes(null))).toEqual(new Set([2]));
  });

  test("sticky keeps prompt caches warm: more of the input is read from them than under an even split", () => {
    const promptCache = { ttlS: 600, minTokens: 0, stepTokens: 16, readPrices: offer().prices, writePrices: null };
    const offers = ["a", "b", "c"].map((name) => offer({ name, provider: name, promptCache }));
    const plan = strategy([[to("offer", 0), to("offer", 1), to("offer", 2)]], [], offers);
    const { startEpochS, horizonS, warmupS } = of;
    const spec: SyntheticTraffic = {
      kind: "synthetic",
      meanRatePerS: 2,
      growthFractionPerMonth: 0,
      hourOfWeek: null,
      burst: { components: [], gapCv: 1 },
      input: { kind: "constant", tokens: 400 },
      output: { kind: "constant", tokens: 50 },
      spearman: 0,
      maxOutput: { factor: 1, minTokens: 1 },
      sessions: {
        turnShares: [0, 0, 0, 1],
        think: { medianS: 5, sigma: 0.2 },
        newInput: { kind: "constant", tokens: 100 },
        carryContext: true,
        maxContextTokens: 8000,
      },
    };
    const cached = (name: string): number => {
      const dispatch = [{ policy: name, numbers: {}, byTarget: { weights: [1, 1, 1] }, steps: {} }];
      const luck = { seed: "7", replication: 0 };
      const traffic = openTraffic(spec, { startEpochS, horizonS, warmupS, ...luck, classShares: [1] });
      const { ledger } = simulateRun(of, { ...plan, dispatch }, traffic, runOptions(luck)).series;
      return ledger.quantity.reduce((sum, n, i) => sum + (ledger.line[i] === "api-cached-input" ? n : 0), 0);
    };
    expect(cached("sticky")).toBeGreaterThan(1.5 * cached("weighted"));
  });
});
