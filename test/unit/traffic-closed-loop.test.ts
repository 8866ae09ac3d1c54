import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/kernel/errors.ts";
import { stream } from "../../src/kernel/random.ts";
import { exponential } from "../../src/kernel/samplers.ts";
import { closedLoopTraffic, type ClosedLoop } from "../../src/traffic/closed-loop.ts";
import { CHAT, OPTIONS } from "../fixtures/traffic-reference.ts";

const LOOP: ClosedLoop = {
  users: 8,
  think: null,
  input: CHAT.input,
  output: CHAT.output,
  spearman: CHAT.spearman,
  maxOutput: CHAT.maxOutput,
};

interface Served {
  readonly request: number;
  readonly startS: number;
  readonly endS: number;
  readonly tokens: readonly number[];
}

/** Serves the loop with unlimited servers: every request takes `serviceS()`. Checks the order of time and TRF-3 on the way. */
function serve(loop: ClosedLoop, serviceS: (request: number) => number, horizonS = 600): Served[] {
  const traffic = closedLoopTraffic(loop, { ...OPTIONS, warmupS: 60, horizonS, classShares: [0.5, 0.5] });
  const served: Served[] = [];
  const inFlight: Served[] = [];
  let nowS = -60;
  for (;;) {
    const next = inFlight.reduce<Served | null>(
      (first, each) => (first === null || each.endS < first.endS ? each : first),
      null,
    );
    if (traffic.timeS === Infinity && next === null) return served;
    if (next !== null && next.endS <= traffic.timeS) {
      nowS = next.endS;
      inFlight.splice(inFlight.indexOf(next), 1);
      traffic.onComplete(next.request, nowS);
      continue;
    }
    expect(traffic.timeS).toBeGreaterThanOrEqual(nowS);
    expect(traffic.timeS).toBeLessThan(horizonS);
    nowS = traffic.timeS;
    const { request, inputTokens, outputTokens, maxOutputTokens, classIndex } = traffic;
    const record = {
      request,
      startS: nowS,
      endS: nowS + serviceS(request),
      tokens: [inputTokens, outputTokens, maxOutputTokens, classIndex],
    };
    traffic.advance();
    served.push(record);
    inFlight.push(record);
    expect(inFlight.length).toBeLessThanOrEqual(loop.users);
  }
}

describe("TRF-3: never more than N in flight", () => {
  test("for any number of users, think times and service times", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.option(
          fc.record({
            medianS: fc.double({ min: 0.1, max: 100, noNaN: true }),
            sigma: fc.double({ min: 0, max: 1.5, noNaN: true }),
          }),
        ),
        fc.double({ min: 0.5, max: 200, noNaN: true }),
        (users, think, meanServiceS) => {
          const draw = stream("closed-loop-test", 0, `${users} ${meanServiceS}`);
          const served = serve({ ...LOOP, users, think }, () => meanServiceS * exponential(draw), 200);
          expect(new Set(served.map(({ request }) => request)).size).toBe(served.length);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("without think time, N are in flight from the start to the horizon", () => {
    const served = serve(LOOP, () => 7);
    expect(served.filter(({ startS }) => startS === -60)).toHaveLength(8);
    // 660 s of rounds of 7 s, and one more that starts before the horizon.
    expect(served).toHaveLength(8 * Math.ceil(660 / 7));
  });

  test("a request that is not in flight cannot complete", () => {
    const traffic = closedLoopTraffic(LOOP, { ...OPTIONS });
    const first = traffic.request;
    expect(() => traffic.onComplete(first, 1)).toThrow(InvariantError);
    traffic.advance();
    traffic.onComplete(first, 1);
    expect(() => traffic.onComplete(first, 2)).toThrow(InvariantError);
  });
});

test("TRF-4: faster service moves the times, not what user u asks k-th", () => {
  const byRequest = (serviceS: number): Map<number, readonly number[]> =>
    new Map(
      serve({ ...LOOP, think: { medianS: 5, sigma: 1 } }, (request) => serviceS * (1 + (request % 3))).map(
        ({ request, tokens }) => [request, tokens],
      ),
    );
  const fast = byRequest(1);
  const slow = byRequest(9);
  let shared = 0;
  for (const [request, tokens] of slow) {
    if (!fast.has(request)) continue;
    expect(fast.get(request)).toEqual(tokens);
    shared++;
  }
  expect(shared).toBeGreaterThan(100);
  expect(fast.size).toBeGreaterThan(1.5 * slow.size);
});

test("50 users who think 20 s and wait 5 s make 2 requests a second", () => {
  const served = serve({ ...LOOP, users: 50, think: { medianS: 20, sigma: 0 } }, () => 5, 5000);
  const counted = served.filter(({ startS }) => startS >= 0);
  expect(counted.length / 5000).toBeCloseTo(2, 2);
});
