/** Limits and client against worked examples that follow from the vendors' rules, by hand. Times in ms unless named. */
import { describe, expect, test } from "vitest";
import { retryDelayS } from "../../src/dispatch/client.ts";
import { epochSOfDate } from "../../src/kernel/calendar-time.ts";
import { DebtBucket } from "../../src/provider/limits/debt-bucket.ts";
import type { Limit } from "../../src/provider/limits/limit.ts";
import { ReservedSpend } from "../../src/provider/limits/money.ts";
import { createLimit } from "../../src/provider/limits/registry.ts";
import { Ramp, SoftThreshold } from "../../src/provider/limits/soft.ts";
import type { LimitKindSpec } from "../../src/scenario/limits.ts";
import type { ClientProfile } from "../../src/scenario/resolved.ts";

const make = (spec: LimitKindSpec, startEpochS = 0): Limit => createLimit(spec, startEpochS);
const window = (spec: Partial<Extract<LimitKindSpec, { kind: "fixed_window" }>>, startEpochS = 0): Limit =>
  make(
    { kind: "fixed_window", limit: 1, windowS: 60, offsetS: 0, zone: null, admitWhen: "fits", ...spec },
    startEpochS,
  );

describe("token bucket", () => {
  test("settling down never fills it above its depth", () => {
    const bucket = make({ kind: "token_bucket", limitPerMin: 60_000, burstS: 60 });
    bucket.take(0, 10_000);
    expect(bucket.readings(0).level).toBe(50_000);
    bucket.settle(5000, 0, 10_000, 4_000);
    expect(bucket.readings(5000).level).toBe(60_000);
  });

  test("settling up leaves a debt that later arrivals wait out", () => {
    const bucket = make({ kind: "token_bucket", limitPerMin: 60_000, burstS: 60 });
    bucket.take(0, 55_000);
    bucket.settle(2000, 0, 30_000, 42_000);
    expect(bucket.readings(2000).level).toBe(-5_000);
    expect(bucket.waitMs(2000, 100)).toBe(5_100);
    bucket.debitRefused(2000, 100);
    expect(bucket.readings(2000).level).toBe(-5_000); // a refusal is no gift
  });
});

describe("debt bucket", () => {
  test("nothing on arrival, refused while in debt", () => {
    const bucket = new DebtBucket({ limitPerMin: 12_000, burstS: 60 });
    expect(bucket.oversize()).toBe(false);
    expect(bucket.waitMs(0)).toBe(0);
    bucket.take();
    expect(bucket.readings(0).level).toBe(12_000);
    bucket.debit(0, 13_000);
    expect(bucket.readings(0).level).toBe(-1_000);
    expect(bucket.waitMs(0)).toBe(5_000);
    expect(bucket.waitMs(5000)).toBe(0);
    expect(bucket.readings(5000).level).toBe(0);
  });

  test("a stream is debited every second for what has come since", () => {
    // 1 token at 0.5 s, 300 more evenly until 3.5 s: 51 by 1 s, 100 in each of the next two seconds, 50 until 3.5 s.
    const bucket = new DebtBucket({ limitPerMin: 0.006, burstS: 60_000_000 }); // 6,000 deep, refills with one in 1e4 s
    bucket.waitMs(0);
    bucket.produce(0, 500, 3500, 301, 1);
    const debited = (timeMs: number): number => Math.round(6000 - bucket.readings(timeMs).level!);
    expect([999, 1000, 1999, 2000, 3000, 3999, 4000, 9000].map(debited)).toEqual([0, 51, 51, 151, 251, 251, 301, 301]);
  });

  test("a stream that is given up is debited for what it produced", () => {
    const bucket = new DebtBucket({ limitPerMin: 0.006, burstS: 60_000_000 });
    bucket.produce(0, 500, 3500, 301, 1);
    bucket.cancel(1500, 500, 3500, 301, 1);
    expect(Math.round(6000 - bucket.readings(9000).level!)).toBe(101);
    bucket.produce(9000, 9500, 12_500, 301, 1);
    bucket.cancel(9100, 9500, 12_500, 301, 1);
    expect(Math.round(6000 - bucket.readings(20_000).level!)).toBe(101);
  });
});

test("leaky utilization: below 100 % anything goes, the wait is the next whole millisecond", () => {
  const units = make({ kind: "leaky_utilization", units: 20, inputTpmPerUnit: 3000, depthS: 60 });
  for (let i = 0; i < 3; i++) {
    expect(units.waitMs(0, 20_000)).toBe(0);
    units.take(0, 20_000);
  }
  expect(units.readings(0).utilization).toBe(1);
  expect(units.waitMs(0, 20_000)).toBe(1);
  units.settle(2000, 0, 20_000, 5_000);
  expect(units.readings(2000).utilization).toBeCloseTo(43 / 60, 12);
  expect(units.waitMs(2000, 20_000)).toBe(0);
});

describe("fixed window", () => {
  test("below_limit: the last one may overshoot, and the next window starts at 0", () => {
    const minute = window({ limit: 100_000, admitWhen: "below_limit" });
    expect(minute.oversize(1e9)).toBe(false);
    for (let i = 0; i < 4; i++) {
      expect(minute.waitMs(i * 1000, 32_000)).toBe(0);
      minute.take(i * 1000, 32_000);
    }
    expect(minute.waitMs(20_000, 32_000)).toBe(40_000);
    expect(minute.waitMs(59_999, 32_000)).toBe(1);
    expect(minute.waitMs(60_000, 32_000)).toBe(0);
    expect(minute.readings(60_000).count).toBe(0);
  });

  test("fits: settled within its window, not after", () => {
    const half = window({ limit: 30_000, windowS: 30 });
    expect([half.oversize(30_000), half.oversize(30_001)]).toEqual([false, true]);
    half.take(0, 12_000);
    half.take(1000, 12_000);
    expect(half.waitMs(2000, 12_000)).toBe(28_000);
    half.settle(5000, 0, 12_000, 2_000);
    expect(half.readings(5000).count).toBe(14_000);
    expect(half.waitMs(5000, 12_000)).toBe(0);
    half.settle(30_000, 1000, 12_000, 2_000);
    expect(half.readings(30_000).count).toBe(0);
  });

  test("a share of a limit is not rounded: 166.67 admits 166", () => {
    const second = window({ limit: 166.67, windowS: 1 });
    let admitted = 0;
    for (; second.waitMs(0, 1) === 0; admitted++) second.take(0, 1);
    expect(admitted).toBe(166);
  });

  test("offset: the day of UTC-7 ends at 07:00 UTC", () => {
    const day = window({ limit: 1, windowS: 86_400, offsetS: 7 * 3600 });
    day.take(6 * 3_600_000, 1);
    expect(day.waitMs(6.5 * 3_600_000, 1)).toBe(1_800_000);
  });

  test("Pacific days have 23 and 25 hours when the clock changes", () => {
    const lengthH = (month: number, date: number): number => {
      const day = window(
        { windowS: 86_400, zone: "America/Los_Angeles" },
        epochSOfDate({ year: 2026, month, day: date }),
      );
      const noonMs = 20 * 3_600_000; // 12:00 or 13:00 there
      day.take(noonMs, 1);
      const endMs = noonMs + day.waitMs(noonMs, 1);
      expect(day.waitMs(endMs - 1, 1)).toBe(1);
      day.take(endMs, 1);
      return (endMs + day.waitMs(endMs, 1) - endMs) / 3_600_000;
    };
    // The day after 7 March has no 02:00, the one after 31 October has it twice.
    expect([lengthH(3, 6), lengthH(3, 7), lengthH(3, 8), lengthH(10, 31), lengthH(11, 1)]).toEqual([
      24, 23, 24, 25, 24,
    ]);
  });
});

test("concurrency: no wait is told, an end makes room", () => {
  const limit = make({ kind: "concurrency", limit: 2 });
  limit.take(0, 1);
  limit.take(0, 1);
  expect(limit.waitMs(0, 1)).toBe(Infinity);
  limit.settle(1000, 0, 1, 0);
  expect(limit.waitMs(1000, 1)).toBe(0);
});

test("batch queue: a job whole or not at all, until one completes", () => {
  const queue = make({ kind: "queue", limit: 90_000 });
  for (let i = 0; i < 2; i++) {
    expect(queue.waitMs(0, 40_000)).toBe(0);
    queue.take(0, 40_000);
  }
  expect(queue.waitMs(0, 20_000)).toBe(Infinity);
  queue.settle(9, 0, 40_000, 0);
  expect(queue.waitMs(9, 20_000)).toBe(0);
});

test("adaptive: an hour at half of its limit doubles it, a quieter one halves it", () => {
  const limit = make({ kind: "adaptive", startPerMin: 1000, minPerMin: 500, maxPerMin: 3000, burstS: 60 });
  const perMin = (timeMs: number): number => limit.readings(timeMs).limit!;
  const use = (hour: number, perMinute: number): void => {
    for (let minute = 0; minute < 60; minute++) limit.take((hour * 60 + minute) * 60_000, perMinute);
  };
  use(0, 500); // exactly half
  expect([perMin(3_599_999), perMin(3_600_000)]).toEqual([1000, 2000]);
  use(1, 1000);
  expect(perMin(2 * 3_600_000)).toBe(3000); // not 4,000
  use(2, 1499);
  expect(perMin(3 * 3_600_000)).toBe(1500);
  expect([perMin(4 * 3_600_000), perMin(5 * 3_600_000), perMin(9 * 3_600_000)]).toEqual([750, 500, 500]);
});

test("reserved spend: a minute is paid in any case, what goes beyond is paid as you go", () => {
  const reserved = new ReservedSpend({ kind: "reserved_usd_per_min", usdPerMin: 5 }, 0);
  expect(reserved.book(1000, 4.2)).toBe(0);
  expect(reserved.readings(59_000)).toMatchObject({ coveredUsd: 4.2, overageUsd: 0 });
  expect(reserved.book(61_000, 4)).toBe(0);
  expect(reserved.book(62_000, 2.1)).toBeCloseTo(1.1, 12);
  expect(reserved.overageUsd).toBeCloseTo(1.1, 12);
  expect(reserved.coveredUsd).toBeCloseTo(9.2, 12);
});

test("spend cap: refused without a wait until the calendar month is over", () => {
  const cap = make({ kind: "spend_cap", usd: 500, period: "month" }, epochSOfDate({ year: 2026, month: 2, day: 27 }));
  cap.settle(0, 0, 0, 499.99);
  expect(cap.waitMs(1000, 0)).toBe(0);
  cap.settle(1000, 0, 0, 0.01);
  expect(cap.waitMs(2 * 86_400_000 - 1, 0)).toBe(Infinity);
  expect(cap.waitMs(2 * 86_400_000, 0)).toBe(0); // 1 March
});

test("ramp: above the threshold a minute may be 1.5 times that of 15 minutes before", () => {
  const ramp = new Ramp({ kind: "ramp", thresholdPerMin: 1_000_000, growth: 1.5, lookBackS: 900 });
  const take = (timeS: number, tokens: number): boolean => {
    ramp.take(timeS * 1000, tokens);
    return ramp.tooFast(timeS * 1000);
  };
  expect(take(0, 1_500_000)).toBe(false); // 1.5 times the threshold
  expect(take(1, 1)).toBe(true);
  expect(take(61, 1_400_000)).toBe(false); // what came at 0 and 1 s is older than a minute
  expect(take(900, 2_200_000)).toBe(false); // 1,500,000 in the minute up to 0 s allow 2,250,000
  expect(take(901, 50_001)).toBe(false); // 1,500,001 up to 1 s allow a little more
  expect(take(901, 1)).toBe(true);
});

test("soft threshold: only latency", () => {
  const soft = new SoftThreshold({ kind: "soft_threshold", limit: 1000, period: { windowS: 60 }, latencyFactor: 2 }, 0);
  soft.take(0, 1000);
  expect([soft.waitMs(0, 1e9), soft.latencyFactor(0)]).toEqual([0, 1]);
  soft.take(1000, 1);
  expect([soft.latencyFactor(1000), soft.latencyFactor(60_000)]).toEqual([2, 1]);
});

test("SDK back-off", () => {
  const client: ClientProfile = {
    name: "openai-node",
    maxRetries: Infinity, // the example goes on past the two retries of the SDK
    backoffInitialS: 0.5,
    backoffFactor: 2,
    backoffMaxS: 8,
    jitterFraction: 0.25,
    honorRetryAfter: true,
    maxRetryAfterS: null,
  };
  expect([0, 1, 2, 3, 4, 5].map((attempt) => retryDelayS(client, attempt, Infinity, 0))).toEqual([0.5, 1, 2, 4, 8, 8]);
  expect(retryDelayS(client, 1, Infinity, 0.5)).toBe(0.875);
  expect(retryDelayS(client, 0, 3.5, 0.4)).toBe(3.5);
  expect(retryDelayS(client, 0, 90, 0.4)).toBe(90);
});
