/** Single requests worked out by hand: limits of an attempt, patience, budgets, breakers and hedges, and what each costs. */
import { describe, expect, test } from "vitest";
import { Patience, RetryBudgetLeft } from "../../src/dispatch/client.ts";
import { COMPLETED, IN_FLIGHT_AT_HORIZON, REJECTED, TIMED_OUT } from "../../src/outcome/recorder.ts";
import type { HedgeSpec } from "../../src/scenario/dispatch.ts";
import type { ResolvedStrategy } from "../../src/scenario/resolved.ts";
import {
  listTraffic,
  NO_RETRIES,
  offer,
  pool,
  poissonTraffic,
  requestClass,
  setting,
  strategy,
  to,
  TWO_RETRIES,
} from "../fixtures/strategies.ts";
import { rpm } from "../fixtures/provider-offer.ts";
import { checkRun } from "../invariants/check-run.ts";
import { watch, type WatchedRun } from "../invariants/random-runs.ts";

// First token of the fixture's offer: 1.2 s + 0.04 s per 1,000 prompt tokens + 0.05 s of network; then 55 tokens/s.
const ONE = [{ timeS: 10, inputTokens: 10_000, outputTokens: 800 }];
const NOISY = offer({ latency: { ...offer().latency, ttftSigma: 0.5 } });
const of = setting({ horizonS: 3000, classes: [requestClass({ timeoutS: 600 })] });

function run(
  plan: Partial<ResolvedStrategy>,
  requests = ONE,
  base = strategy([[to("offer")]], [], [offer()]),
): WatchedRun {
  const seen = watch(
    of,
    { ...base, ...plan },
    base.pools.map(() => 2),
    listTraffic(requests),
  );
  checkRun(seen);
  return seen;
}

test("a request that a pool turned away was tried there, each time", () => {
  const short = [{ timeS: 10, inputTokens: 500, outputTokens: 400 }];
  const full = strategy([[to("pool")]], [pool({ maxWaitingPerReplica: 0 })]);
  const turned = run({ client: TWO_RETRIES }, short, full);
  expect(turned.rows[0]).toMatchObject({ outcome: REJECTED, attempts: 3 });
  expect(turned.result.targets[0]).toMatchObject({ attempts: 3, full: 3 });
  // At an offer it fares as if it had come there first.
  const both = run({}, short, strategy([[to("pool"), to("offer")]], full.pools, [NOISY]));
  const alone = run({}, short, strategy([[to("offer")]], [], [NOISY]));
  expect(both.rows[0]).toMatchObject({ outcome: COMPLETED, attempts: 2 });
  expect(alone.rows[0]).toMatchObject({ outcome: COMPLETED, attempts: 1, e2eS: both.rows[0]!.e2eS });
});

describe("the limit of one attempt", () => {
  test("an attempt that breaks after 300 tokens is billed for them, and the retry in full: 0.023 + 0.028 USD", () => {
    // First token after 1.65 s; the 300th token 299 gaps later; the second attempt ends by the same limit and is final.
    const attemptTimeoutS = 1.65 + 299.5 / 55;
    const cut = run({ client: { ...TWO_RETRIES, maxRetries: 0, attemptTimeoutS } });
    expect(cut.rows[0]).toMatchObject({ outcome: TIMED_OUT, attempts: 1 });
    expect(cut.result.targets[0]!.usd).toBeCloseTo(0.023, 12);
    expect(cut.result.targets[0]!.unusedUsd).toBeCloseTo(0.023, 12);
    // A breaker keeps the retry from it, so that another offer at the same price answers, which is faster.
    const fast = offer({ name: "fast", provider: "b", latency: { ...offer().latency, tokensPerS: 2000 } });
    const both = run(
      { client: { ...TWO_RETRIES, attemptTimeoutS }, breaker: { ...BREAKER, openS: 60 } },
      ONE,
      strategy([[to("offer", 0), to("offer", 1)]], [], [offer(), fast]),
    );
    expect(both.rows[0]).toMatchObject({ outcome: COMPLETED, attempts: 2 });
    expect(both.result.targets[0]!.usd + both.result.targets[1]!.usd).toBeCloseTo(0.051, 12);
    expect(both.result.targets[0]).toMatchObject({ taken: 1, timedOut: 1, skipped: 1 });
  });

  test("at a pool it ends the attempt there too, and the request is tried again", () => {
    const slow = strategy([[to("pool")]], [pool()]);
    const requests = [{ timeS: 10, inputTokens: 500, outputTokens: 400 }];
    const free = run({}, requests, slow);
    const e2eS = free.rows[0]!.e2eS;
    const cut = run({ client: { ...TWO_RETRIES, attemptTimeoutS: e2eS / 2 } }, requests, slow);
    expect(cut.rows[0]).toMatchObject({ outcome: TIMED_OUT, attempts: 3 });
    expect(cut.result.targets[0]).toMatchObject({ taken: 3, timedOut: 3 });
    expect(cut.result.classes[0]!.totals.retried).toBe(2);
  });

  test("a request whose attempts at a pool are cut meets its deadline as every other", () => {
    const busy = strategy([[to("pool")]], [pool({ replicas: 1 })]);
    const crowd = { ...of, horizonS: 300, classes: [requestClass({ timeoutS: 6 })] };
    const plan = { ...busy, client: { ...TWO_RETRIES, maxRetries: 9, attemptTimeoutS: 1 } };
    const seen = watch(crowd, plan, [1], poissonTraffic(crowd, { meanRatePerS: 12 }));
    checkRun(seen);
    expect(seen.result.targets[0]!.timedOut).toBeGreaterThan(50);
    const ended = seen.rows.filter(({ outcome }) => outcome !== IN_FLIGHT_AT_HORIZON);
    expect(ended.length).toBeGreaterThan(1000);
    ended.forEach((row) => expect(seen.endedS[row.request]! - row.sentS).toBeLessThanOrEqual(6 + 1e-9));
  });
});

const BREAKER = {
  openS: 5,
  on429: true,
  failureFraction: 0.5,
  minAnswers: 1,
  allowedFailuresPerMin: 3,
  halfOpenProbes: 0,
};

describe("patience", () => {
  test("a user leaves when no token has come: at an offer, in a queue and between attempts", () => {
    const abandonment = { medianS: 1, sigma: 0 };
    const left = run({ client: { ...NO_RETRIES, abandonment } });
    expect(left.rows[0]).toMatchObject({ outcome: TIMED_OUT });
    expect(left.endedS[0]).toBeCloseTo(11, 9);
    expect(left.result.targets[0]).toMatchObject({ abandoned: 1, usd: 0 });
    // Who has a token stays.
    expect(run({ client: { ...NO_RETRIES, abandonment: { medianS: 2, sigma: 0 } } }).rows[0]!.outcome).toBe(COMPLETED);
    const requests = Array.from({ length: 60 }, () => ({ timeS: 10, inputTokens: 3000, outputTokens: 100 }));
    const queued = run({ client: { ...NO_RETRIES, abandonment } }, requests, strategy([[to("pool")]], [pool()]));
    expect(queued.result.targets[0]!.abandoned).toBeGreaterThan(10);
    const waiting = run({ client: { ...TWO_RETRIES, abandonment } }, [{ ...ONE[0]!, timeS: 1 }, ONE[0]!], {
      ...strategy([[to("offer")]], [], [offer({ limits: [rpm(1)] })]),
    });
    expect(waiting.rows.find(({ request }) => request === 1)).toMatchObject({ outcome: TIMED_OUT });
    expect(waiting.endedS[1]).toBeCloseTo(11, 9);
  });

  test("its median and spread are as told, the same in every strategy", () => {
    const patience = new Patience({ medianS: 4, sigma: 0.5 }, "7", 0);
    const sorted = Array.from({ length: 4001 }, (_, request) => patience.ofS(request)).sort((a, b) => a - b);
    expect(sorted[2000]).toBeCloseTo(4, 0);
    expect(sorted[Math.floor(0.8413 * 4001)]! / sorted[2000]!).toBeCloseTo(Math.exp(0.5), 1);
    expect(patience.ofS(5)).toBe(new Patience({ medianS: 4, sigma: 0.5 }, "7", 0).ofS(5));
  });
});

describe("deadline and Retry-After", () => {
  const requests = [{ ...ONE[0]!, timeS: 1 }, ONE[0]!];
  const limited = strategy([[to("offer")]], [], [offer({ limits: [rpm(1)] })]);
  const second = (plan: Partial<ResolvedStrategy>): WatchedRun["rows"][number] =>
    run(plan, requests, limited).rows.find(({ request }) => request === 1)!;

  test("the SDK waits as long as the limit asks for; a bound or a deadline ends that", () => {
    const parked = second({ client: { ...TWO_RETRIES, maxRetryAfterS: null } });
    expect(parked).toMatchObject({ outcome: COMPLETED, attempts: 2 });
    expect(parked.ttftS).toBeGreaterThan(50);
    expect(second({ client: { ...TWO_RETRIES, maxRetryAfterS: 20 } })).toMatchObject({
      outcome: REJECTED,
      attempts: 1,
    });
    expect(second({ client: { ...TWO_RETRIES, maxRetryAfterS: null, deadlineS: 20 } }).outcome).toBe(TIMED_OUT);
  });
});

describe("retry budget", () => {
  test("a tenth of the requests is retried, and no more", () => {
    const left = new RetryBudgetLeft({ fractionOfRequests: 0.1, perS: 0, burst: 2 }, 0);
    const granted = Array.from({ length: 100 }, () => {
      left.earn();
      return left.spend(1) ? 1 : 0;
    });
    // Two at the start, then one for ten.
    expect(granted.reduce<number>((sum, one) => sum + one, 0)).toBe(11);
    expect(left.denied).toBe(89);
  });

  test("time alone fills it up to its burst", () => {
    const left = new RetryBudgetLeft({ fractionOfRequests: 0, perS: 0.5, burst: 3 }, 0);
    expect([left.spend(0), left.spend(0), left.spend(0), left.spend(0)]).toEqual([true, true, true, false]);
    expect([left.spend(1), left.spend(2), left.spend(100)]).toEqual([false, true, true]);
  });

  test("requests end with what they had when it is empty", () => {
    const crowd = { ...of, horizonS: 600 };
    const plan = strategy([[to("offer")]], [], [offer({ limits: [rpm(30)] })]);
    const seen = (client: ResolvedStrategy["client"]): WatchedRun =>
      watch(crowd, { ...plan, ...(client && { client }) }, [], poissonTraffic(crowd, { meanRatePerS: 2 }));
    const free = seen(TWO_RETRIES);
    const held = seen({ ...TWO_RETRIES, retryBudget: { fractionOfRequests: 0.1, perS: 0, burst: 1 } });
    checkRun(held);
    const { sent, retried } = held.result.classes[0]!.totals;
    expect(retried).toBeLessThanOrEqual(0.1 * sent + 1);
    expect(held.result.retriesDenied).toBeGreaterThan(100);
    expect(free.result.classes[0]!.totals.retried).toBeGreaterThan(5 * retried);
  });
});

describe("hedges", () => {
  const quick = offer({ name: "quick", provider: "b", latency: { ...offer().latency, ttftBaseS: 0.2 } });
  const route = [[to("offer", 0), to("offer", 1)]];
  const hedge = { afterS: 0.5, afterPercentile: null, maxFraction: 1, race: "first-token" as const };
  const two = strategy(route, [], [offer(), quick]);

  test("the first token wins; the loser before its first token costs nothing", () => {
    // 0.5 + 0.2 + 0.4 + 0.05 s against 1.65 s.
    const seen = run({ hedge }, ONE, two);
    expect(seen.rows[0]!.ttftS).toBeCloseTo(0.5 + 0.65, 9);
    expect(seen.rows[0]).toMatchObject({ route: 2, attempts: 2 });
    expect(seen.result.targets[0]).toMatchObject({ taken: 1, cancelled: 1, usd: 0 });
    expect(seen.result.targets[1]).toMatchObject({ taken: 1, hedges: 1, hedgesWon: 1 });
  });

  test("a hedge that comes too late loses", () => {
    const seen = run({ hedge: { ...hedge, afterS: 1.2 } }, ONE, two);
    expect(seen.rows[0]).toMatchObject({ route: 1 });
    expect(seen.result.targets[1]).toMatchObject({ hedges: 1, hedgesWon: 0, cancelled: 1, usd: 0 });
    expect(run({ hedge: { ...hedge, afterS: 1.7 } }, ONE, two).result.targets[1]!.attempts).toBe(0);
  });

  test("in a race for the whole answer both are billed for what they produced", () => {
    const seen = run({ hedge: { ...hedge, race: "answer" } }, ONE, two);
    expect(seen.rows[0]!.route).toBe(2);
    const endS = 0.5 + 0.65 + 799 / 55;
    const produced = 1 + Math.floor((endS - 1.65) * 55);
    expect(seen.result.targets[0]!.unusedUsd).toBeCloseTo((10_000 * 2 + produced * 10) / 1e6, 9);
    expect(seen.result.targets[1]!.usd).toBeCloseTo(0.028, 12);
  });

  test("from a pool to an offer, when the pool takes long", () => {
    const requests = Array.from({ length: 60 }, () => ({ timeS: 10, inputTokens: 3000, outputTokens: 100 }));
    const hybrid = strategy([[to("pool"), to("offer")]], [pool()], [offer()]);
    const alone = run({}, requests, hybrid);
    const seen = run({ hedge }, requests, hybrid);
    const worst = ({ rows }: WatchedRun): number => Math.max(...rows.map(({ ttftS }) => ttftS));
    expect(seen.result.targets[1]!.hedgesWon).toBeGreaterThan(10);
    expect(seen.result.targets[0]!.cancelled).toBe(seen.result.targets[1]!.hedgesWon);
    expect(worst(seen)).toBeLessThan(0.5 * worst(alone));
  });

  test("no more than its share of the requests, and after a percentile once answers are known", () => {
    const requests = Array.from({ length: 400 }, (_, i) => ({ timeS: 5 * i, inputTokens: 1000, outputTokens: 20 }));
    const uneven = offer({ latency: { ...offer().latency, ttftSigma: 0.3 } });
    const hedged = (options: Partial<HedgeSpec>, offers = [offer(), quick]): number =>
      run({ hedge: { ...hedge, ...options } }, requests, strategy(route, [], offers)).result.targets[1]!.hedges;
    expect(hedged({})).toBe(400);
    expect(hedged({ maxFraction: 0.1 })).toBe(40);
    // The first hundred all; then, of times that scatter, every second one, or one of ten.
    const after = (afterPercentile: number): number =>
      hedged({ afterPercentile }, [uneven, offer({ name: "same", provider: "b" })]);
    expect(after(50)).toBeGreaterThan(100 + 120);
    expect(after(50)).toBeLessThan(100 + 180);
    expect(after(90)).toBeLessThan(100 + 60);
  });

  test("hedges go through the limits", () => {
    const full = strategy(route, [], [offer(), { ...quick, limits: [rpm(1)] }]);
    const requests = [ONE[0]!, { ...ONE[0]!, timeS: 20 }];
    const seen = run({ hedge }, requests, full);
    expect(seen.result.targets[1]).toMatchObject({ attempts: 2, taken: 1, rateLimited: 1, hedges: 1 });
  });
});
