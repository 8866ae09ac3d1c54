/** When a target is left alone and tried again, by hand: LiteLLM's cooldown (its documentation's numbers) and the circuit breaker. */
import { describe, expect, test } from "vitest";
import { Breakers } from "../../src/dispatch/breakers.ts";
import type { BreakerSpec } from "../../src/scenario/dispatch.ts";

/** As litellm-docs docs/routing.md, 2026-05. */
const LITELLM: BreakerSpec = {
  openS: 5,
  on429: true,
  failureFraction: 0.5,
  minAnswers: 1,
  allowedFailuresPerMin: 3,
  halfOpenProbes: 0,
};

function breaker(spec: Partial<BreakerSpec> = {}): Breakers {
  return new Breakers({ ...LITELLM, ...spec }, 2);
}

describe("cooldown", () => {
  test("a 429 opens at once, for five seconds, this target alone", () => {
    const b = breaker();
    b.failed(0, true, 100);
    expect([b.admits(0, 104.9), b.admits(0, 105), b.admits(1, 101)]).toEqual([false, true, true]);
    const patient = breaker({ on429: false, failureFraction: 1 });
    patient.failed(0, true, 100);
    expect(patient.admits(0, 101)).toBe(true);
    const long = breaker({ openS: 60 });
    long.failed(0, true, 100);
    expect(long.admits(0, 159)).toBe(false);
  });

  test("more than half of the answers of this minute opens, half does not", () => {
    const b = breaker({ allowedFailuresPerMin: 100 });
    b.succeeded(0, 60);
    b.failed(0, false, 61);
    expect(b.admits(0, 61)).toBe(true);
    b.failed(0, false, 62);
    expect(b.admits(0, 62)).toBe(false);
    // The minute before does not count.
    const turned = breaker({ allowedFailuresPerMin: 100, minAnswers: 2 });
    turned.failed(0, false, 59);
    turned.failed(0, false, 61);
    expect(turned.admits(0, 61)).toBe(true);
  });

  test("more than three failures in a minute open, whatever their share", () => {
    const b = breaker();
    for (let i = 0; i < 100; i++) b.succeeded(0, 60 + i / 10);
    for (let i = 0; i < 3; i++) b.failed(0, false, 71);
    expect(b.admits(0, 71)).toBe(true);
    b.failed(0, false, 72);
    expect(b.admits(0, 72)).toBe(false);
    // All counters start anew afterwards.
    b.succeeded(0, 78);
    b.succeeded(0, 78);
    b.failed(0, false, 79);
    expect(b.admits(0, 79)).toBe(true);
  });
});

describe("circuit breaker", () => {
  test("half open it lets its probes through, and closes when all succeed", () => {
    const b = breaker({ halfOpenProbes: 2 });
    b.failed(0, true, 0);
    expect(b.admits(0, 6)).toBe(true);
    b.attempted(0, 6);
    b.attempted(0, 6);
    expect(b.admits(0, 6)).toBe(false);
    b.succeeded(0, 7);
    expect(b.admits(0, 7)).toBe(false);
    b.succeeded(0, 8);
    for (let i = 0; i < 10; i++) b.attempted(0, 8);
    expect(b.admits(0, 8)).toBe(true);
  });

  test("one failed probe opens it again", () => {
    const b = breaker({ halfOpenProbes: 2, on429: false, failureFraction: 1 });
    for (let i = 0; i < 4; i++) b.failed(0, false, 0);
    b.attempted(0, 5);
    b.failed(0, false, 6);
    expect([b.admits(0, 10.9), b.admits(0, 11)]).toEqual([false, true]);
  });

  test("probes of which nothing is heard don't keep it half open for ever", () => {
    const b = breaker({ halfOpenProbes: 1 });
    b.failed(0, true, 0);
    b.attempted(0, 5);
    expect([b.admits(0, 9.9), b.admits(0, 10)]).toEqual([false, true]);
  });
});

test("open time is counted within the horizon and without the warm-up", () => {
  const b = breaker({ openS: 10 });
  b.failed(0, true, -4);
  b.failed(0, true, 20);
  b.failed(0, true, 95);
  expect(b.openSeconds(0, 100)).toBe(6 + 10 + 5);
  expect(b.openSeconds(1, 100)).toBe(0);
});
