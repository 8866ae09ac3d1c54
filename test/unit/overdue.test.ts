/** What the horizon cuts off: a request that has missed a target by then is a miss, though it has not ended. */
import { expect, test } from "vitest";
import { backlogWarnings } from "../../src/experiment/backlog.ts";
import { attainment, COMPLETED, IN_FLIGHT_AT_HORIZON, isMet, type Targets } from "../../src/outcome/recorder.ts";
import type { RequestClass } from "../../src/scenario/resolved.ts";
import { listTraffic, offer, pool, requestClass, setting, strategy, to } from "../fixtures/strategies.ts";
import { watch } from "../invariants/random-runs.ts";

const HORIZON_S = 120;
const SLO = { ttftS: 2, tpotS: null, e2eS: 30, targetFraction: 0.99, strict: false } as const;

/** The same 20 requests a second, seen for so long. */
function seen(plan: ReturnType<typeof strategy>, horizonS: number, slo: Partial<RequestClass["slo"]> = {}) {
  const classes = [requestClass({ timeoutS: 3600, slo: { ...SLO, attainBasis: "requests", ...slo } })];
  const requests = Array.from({ length: 20 * HORIZON_S }, (_, i) => ({
    timeS: i / 20,
    inputTokens: 500,
    outputTokens: 100 + (i % 50),
  }));
  const { result, rows } = watch(
    setting({ horizonS, classes }),
    plan,
    plan.pools.map(() => 1),
    listTraffic(requests),
  );
  return { ...result.classes[0]!, rows, result };
}

const targets: Targets = { ttftS: SLO.ttftS, tpotS: Infinity, e2eS: SLO.e2eS };
const overloaded = strategy([[to("pool")]], [pool({ replicas: 1 })]);

test("an overloaded pool does not look the better the more wait at the horizon", () => {
  const short = seen(overloaded, HORIZON_S);
  const { totals } = short;
  const open = short.rows.filter(({ outcome }) => outcome === IN_FLIGHT_AT_HORIZON);
  expect(open.length).toBeGreaterThan(0.3 * totals.sent);
  expect(totals.overdueAtHorizon).toBeGreaterThan(0.8 * open.length);

  // The oracle: the same run seen to its end, where every request has had its answer.
  const whole = seen(overloaded, 3600);
  expect(whole.totals.completed).toBe(totals.sent);
  const missed = new Set(
    whole.rows.filter(({ ttftS, e2eS }) => !isMet(targets, ttftS, NaN, e2eS)).map(({ request }) => request),
  );
  const ended = short.rows.filter(({ outcome, request }) => outcome === COMPLETED && missed.has(request)).length;
  const cutOff = open.filter(({ request }) => missed.has(request)).length;
  expect(totals.completed - totals.sloMet).toBe(ended);
  // None is called a miss that is none, and those left out were all sent within the target before the horizon.
  expect(totals.overdueAtHorizon).toBeLessThanOrEqual(cutOff);
  expect(cutOff - totals.overdueAtHorizon).toBeLessThanOrEqual(20 * SLO.ttftS + 8);
  expect(Math.abs(attainment(totals) - attainment(whole.totals))).toBeLessThan(0.02);
  expect(totals.sloMet / totals.completed).toBeGreaterThan(1.3 * attainment(whole.totals));
});

test("by windows of a minute too", () => {
  const slo = { attainBasis: "windows", targetFraction: 0.02 } as const;
  // A few of the first minute's are in time, none of the second's, of which none ends by the horizon.
  for (const horizonS of [HORIZON_S, 3600]) expect(seen(overloaded, horizonS, slo).attainmentWindows).toBe(0.5);
});

test("of what runs, the first token is known and the end is not", () => {
  // Without a target for the end, an answer that began in time may be cut off, but is not overdue.
  const plan = strategy([[to("offer")]], [], [offer()]);
  const { totals, inFlightAtHorizon } = seen(plan, HORIZON_S, { e2eS: null });
  expect(inFlightAtHorizon).toBeGreaterThan(0);
  expect(totals.overdueAtHorizon).toBe(0);
  // An answer takes longer than 0.1 s: all that were sent before are overdue.
  const strict = seen(plan, HORIZON_S, { ttftS: null, e2eS: 0.1 });
  expect(strict.totals.overdueAtHorizon).toBe(strict.inFlightAtHorizon - 2);
});

test("a strategy that leaves requests waiting is warned of, batch jobs that wait by design are not", () => {
  const plans = [overloaded, strategy([[to("offer")]], [], [offer()])];
  const runs = plans.map((plan) => [{ run: seen(plan, HORIZON_S).result, demand: null as never }]);
  const experiment = { strategies: plans, horizonS: HORIZON_S } as never;
  expect(backlogWarnings(experiment, runs)).toEqual([
    expect.stringMatching(/^overloaded: test \(4\d %\)\. So much of what was sent still waits at the end/),
  ]);
  const form = { kind: "batch" } as never;
  const deferred = { ...overloaded, offers: [offer({ form })] };
  expect(backlogWarnings({ strategies: [deferred], horizonS: HORIZON_S } as never, runs.slice(0, 1))).toEqual([]);
});
