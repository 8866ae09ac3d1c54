/**
 * The conformance suite that every dispatch policy inherits: in random runs with outages, incidents, limits, breakers and hedges the
 * invariants hold (INV-1, INV-13 and all others that can be told from outside), walks end, the same arguments give the same bytes,
 * compared strategies deal alike, and no choice depends on the length of the answer (INV-7).
 */
import { describe, expect, test } from "vitest";
import type { DispatchPlugin, DispatchView } from "../../src/dispatch/policies/policy.ts";
import { dispatchPlugins } from "../../src/dispatch/policies/registry.ts";
import { stream } from "../../src/kernel/random.ts";
import type { ResolvedStrategy } from "../../src/scenario/resolved.ts";
import { listTraffic, offer, pool, requestClass, setting, strategy, to } from "../fixtures/strategies.ts";
import { checkRun } from "../invariants/check-run.ts";
import { randomChoice, randomDispatchRun, watch, type WatchedRun } from "../invariants/random-runs.ts";

const RUNS = 25;
const names = dispatchPlugins.map(({ name }) => name);

describe.each(names)("%s", (name) => {
  test(`keeps every invariant in ${RUNS} random runs, restricted requests inside also in an outage`, () => {
    let overflowed = 0;
    for (let number = 0; number < RUNS; number++) {
      const run = randomDispatchRun(number, name);
      checkRun(run);
      overflowed += run.result.classes.reduce((sum, { totals }) => sum + totals.overflowed, 0);
    }
    expect(overflowed, "requests that went on to another target").toBeGreaterThan(10);
  });

  test("the same arguments give the same bytes", () => {
    for (const number of [3, 8])
      expect(JSON.stringify(randomDispatchRun(number, name).result)).toBe(
        JSON.stringify(randomDispatchRun(number, name).result),
      );
  });

  test("no choice depends on the length of the answer that it is for", () => {
    const lengths = [40, 300, 20, 150, 90, 400, 60];
    const requests = Array.from({ length: 60 }, (_, i) => ({
      timeS: 10 * i,
      inputTokens: 200 + 37 * (i % 11),
      outputTokens: lengths[i % lengths.length]!,
    }));
    const plan = threeTargets(name);
    const routes = (run: WatchedRun): number[] =>
      run.rows.toSorted((a, b) => a.request - b.request).map(({ route }) => route);
    const base = routes(watch(of, plan, [2], listMax(requests)));
    expect(base).toHaveLength(requests.length);
    for (const k of [5, 23, 59]) {
      const longer = requests.map((request, i) => (i === k ? { ...request, outputTokens: 600 } : request));
      const changed = routes(watch(of, plan, [2], listMax(longer)));
      expect(changed.slice(0, k + 1)).toEqual(base.slice(0, k + 1));
    }
  });

  test("compared strategies deal alike: what a policy sees the same, it decides the same", () => {
    const requests = Array.from({ length: 80 }, (_, i) => ({ timeS: 20 * i, inputTokens: 300, outputTokens: 50 }));
    const plan = threeTargets(name);
    // Another price and another rate of tokens: neither changes who is asked first, but for the policy that looks at prices.
    const other = {
      ...plan,
      offers: plan.offers.map((spec) => ({ ...spec, latency: { ...spec.latency, tokensPerS: 200 } })),
    };
    const routes = (which: ResolvedStrategy): number[] =>
      watch(of, which, [2], listMax(requests))
        .rows.toSorted((a, b) => a.request - b.request)
        .map(({ route }) => route);
    expect(routes(other)).toEqual(routes(plan));
  });
});

const of = setting({ horizonS: 2000, classes: [requestClass({ timeoutS: 100 })] });

/** A pool and two offers under a policy with options drawn once. */
function threeTargets(name: string): ResolvedStrategy {
  const offers = [offer({ name: "a", provider: "a" }), offer({ name: "b", provider: "b", priceMultiplier: 0.5 })];
  const route = [to("pool"), to("offer", 0), to("offer", 1)];
  const dispatch = [randomChoice(stream("conform", 0, name), name, 3)];
  return { ...strategy([route], [pool()], offers), dispatch };
}

/** The list with one max_tokens for all, so that it tells nothing of the answer. */
function listMax(requests: Parameters<typeof listTraffic>[0]): ReturnType<typeof listTraffic> {
  const traffic = listTraffic(requests);
  return Object.defineProperty(traffic, "maxOutputTokens", { get: () => 1000, set: () => undefined });
}

describe("the suite can fail", () => {
  const broken: readonly [string, DispatchPlugin["create"]][] = [
    ["asks one target for ever", () => ({ pick: () => 0 })],
    ["asks a target that is not in the route", () => ({ pick: (view: DispatchView) => view.count() })],
  ];
  test.each(broken)("a policy that %s is stopped", (_, create) => {
    const list = dispatchPlugins as DispatchPlugin[];
    list.push({ name: "broken", doc: "", options: {}, create });
    try {
      const plan = {
        ...strategy([[to("offer", 0), to("offer", 1)]], [], [offer({ contextTokens: 10 }), offer({ name: "b" })]),
        dispatch: [{ policy: "broken", numbers: {}, byTarget: {}, steps: {} }],
      };
      const requests = [{ timeS: 1, inputTokens: 300, outputTokens: 5 }];
      expect(() => watch(of, plan, [], listTraffic(requests))).toThrow(/DSP-1/);
    } finally {
      list.pop();
    }
  });
});
