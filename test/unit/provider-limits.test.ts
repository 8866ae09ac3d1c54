import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createLimit } from "../../src/provider/limits/registry.ts";

/** Even over the range in steps of a thousandth: doubles of fast-check are mostly next to 0. */
const between = (min: number, max: number) =>
  fc.integer({ min: 0, max: 1000 }).map((step) => min + ((max - min) * step) / 1000);
const spec = fc.record({
  kind: fc.constant("token_bucket" as const),
  limitPerMin: fc.oneof(between(1, 1000), between(1e4, 1e7)),
  burstS: between(1, 120),
});
/** Gaps in milliseconds and charges as fractions of the capacity; `used` is the share that the settlement says was used. */
const event = fc.record({
  gapMs: fc.oneof(fc.constant(0), between(0, 30_000)),
  fraction: between(0, 1.2),
  used: between(0, 1),
});

describe("token bucket", () => {
  test("INV-9: the level stays within 0 and the capacity, and more than the capacity is never admitted", () => {
    let admitted = 0;
    let refused = 0;
    let oversize = 0;
    fc.assert(
      fc.property(spec, fc.array(event, { minLength: 20, maxLength: 60 }), (bucketSpec, events) => {
        const capacity = (bucketSpec.limitPerMin * bucketSpec.burstS) / 60;
        const bucket = createLimit(bucketSpec, 0);
        let timeMs = -100_000;
        for (const { gapMs, fraction, used } of events) {
          timeMs += gapMs;
          const charge = fraction * capacity;
          if (bucket.oversize(charge)) {
            oversize++;
            expect(charge).toBeGreaterThan(capacity);
          } else if (bucket.waitMs(timeMs, charge) > 0) {
            refused++;
            bucket.debitRefused(timeMs, charge);
          } else {
            admitted++;
            bucket.take(timeMs, charge);
            bucket.settle(timeMs, timeMs, charge, used * charge);
          }
          const level = bucket.readings(timeMs).level!;
          expect(level).toBeGreaterThanOrEqual(-1e-9);
          expect(level).toBeLessThanOrEqual(capacity);
        }
      }),
      { seed: 7 },
    );
    expect(Math.min(admitted, refused, oversize)).toBeGreaterThan(100); // each way was gone
  });

  test("over any span it admits no more than its burst and the rate times the span", () => {
    let binding = 0;
    fc.assert(
      fc.property(spec, fc.array(event, { minLength: 20, maxLength: 60 }), (bucketSpec, events) => {
        const capacity = (bucketSpec.limitPerMin * bucketSpec.burstS) / 60;
        const bucket = createLimit(bucketSpec, 0);
        const taken: { timeMs: number; charge: number }[] = [];
        let timeMs = 0;
        for (const { gapMs, fraction } of events) {
          timeMs += gapMs / 10;
          const charge = Math.min(1, fraction) * capacity;
          if (bucket.waitMs(timeMs, charge) === 0) {
            bucket.take(timeMs, charge);
            taken.push({ timeMs, charge });
          } else binding++;
        }
        for (let from = 0; from < taken.length; from++) {
          let sum = 0;
          for (let to = from; to < taken.length; to++) {
            sum += taken[to]!.charge;
            const spanMs = taken[to]!.timeMs - taken[from]!.timeMs;
            expect(sum).toBeLessThanOrEqual(
              (capacity + (bucketSpec.limitPerMin / 60_000) * spanMs) * (1 + 1e-9) + 1e-6,
            );
          }
        }
      }),
      { seed: 7, numRuns: 50 },
    );
    expect(binding).toBeGreaterThan(100);
  });

  test("whoever waits as told is admitted", () => {
    let waited = 0;
    fc.assert(
      fc.property(spec, fc.array(event, { maxLength: 30 }), (bucketSpec, events) => {
        const capacity = (bucketSpec.limitPerMin * bucketSpec.burstS) / 60;
        const bucket = createLimit(bucketSpec, 0);
        let timeMs = 0;
        for (const { gapMs, fraction } of events) {
          timeMs += gapMs / 10;
          const charge = Math.min(1, fraction) * capacity;
          const waitMs = bucket.waitMs(timeMs, charge);
          if (waitMs > 0) {
            waited++;
            timeMs += 1000 * Math.max(1, Math.ceil(waitMs / 1000 - 1e-9));
            expect(bucket.waitMs(timeMs, charge)).toBe(0);
          }
          bucket.take(timeMs, charge);
        }
      }),
      { seed: 7 },
    );
    expect(waited).toBeGreaterThan(100);
  });

  test("the same rate admits one at a time or sixty, by its depth", () => {
    const admittedAtOnce = (burstS: number): number => {
      const bucket = createLimit({ kind: "token_bucket", limitPerMin: 60, burstS }, 0);
      let count = 0;
      while (bucket.waitMs(0, 1) === 0) {
        bucket.take(0, 1);
        count++;
      }
      return count;
    };
    expect(admittedAtOnce(1)).toBe(1);
    expect(admittedAtOnce(60)).toBe(60);
  });
});

test("debt bucket: admits only out of debt, and in the long run no faster than its rate", () => {
  const bucket = createLimit({ kind: "debt_bucket", limitPerMin: 6_000, burstS: 60 }, 0);
  let used = 0;
  for (let timeMs = 0; timeMs < 3_600_000; timeMs += 500) {
    if (bucket.waitMs(timeMs, 0) === 0) {
      expect(bucket.readings(timeMs).level).toBeGreaterThanOrEqual(-1e-6);
      bucket.settle(timeMs, timeMs, 0, 700);
      used += 700;
    }
    expect(bucket.readings(timeMs).level).toBeLessThanOrEqual(6_000);
  }
  // The rate over the hour, the depth, and the last request's overshoot.
  expect(used).toBeLessThanOrEqual(360_000 + 6_000 + 700);
  expect(used).toBeGreaterThan(360_000);
});
