/** Every kind of limit against a naive model of it, over random histories of arrivals and ends. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Admission } from "../../src/provider/admission.ts";
import { ADMITTED, OVERSIZE, RATE_LIMITED } from "../../src/provider/attempt-status.ts";
import { DebtBucket } from "../../src/provider/limits/debt-bucket.ts";
import type { Limit, LimitReadings } from "../../src/provider/limits/limit.ts";
import { createLimit } from "../../src/provider/limits/registry.ts";
import { Ramp, SoftThreshold } from "../../src/provider/limits/soft.ts";
import { NO_CHARGE, type LimitKindSpec, type LimitSpec } from "../../src/scenario/limits.ts";
import {
  bucketLevel,
  type Change,
  debtLevel,
  inFlight,
  leakyLevel,
  windowCount,
  type Stream,
  type Taken,
} from "./naive-limits.ts";

const START_EPOCH_S = 1_772_841_600; // 2026-03-07, the day before clocks change at the Pacific
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Gap to the one before, what is asked for, what of it is used, and after how many events it ends (0 = never). */
const event = fc.record({
  gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 4000 }), fc.integer({ min: 1, max: 90_000 })),
  units: fc.integer({ min: 1, max: 1200 }),
  usedPercent: fc.integer({ min: 0, max: 130 }),
  endsAfter: fc.integer({ min: 0, max: 4 }),
});
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;
const events = fc.array(event, { minLength: 40, maxLength: 60, size: "max" });

interface Past {
  readonly taken: readonly Taken[];
  readonly changes: readonly Change[];
}

interface Naive {
  /** What the limit should show, and how long the request should wait. */
  readonly reading: (past: Past, timeMs: number) => number;
  readonly waitMs: (past: Past, timeMs: number, units: number) => number;
  readonly oversize?: (units: number) => boolean;
}

/** Plays the events to the limit and to the naive model; returns how often each answer came. */
function compare(
  spec: LimitKindSpec,
  show: (readings: LimitReadings) => number | undefined,
  { reading, waitMs, oversize = () => false }: Naive,
  gapFactor = 1,
): { admitted: number; refused: number; tooLarge: number } {
  const seen = { admitted: 0, refused: 0, tooLarge: 0 };
  fc.assert(
    fc.property(events, (list) => {
      const limit = createLimit(spec, START_EPOCH_S);
      const taken: Taken[] = [];
      const changes: Change[] = [];
      const past = { taken, changes };
      const due: { at: number; taken: Taken; units: number }[] = [];
      let timeMs = 0;
      list.forEach(({ gapMs, units, usedPercent, endsAfter }, i) => {
        timeMs += gapMs * gapFactor;
        for (const end of due.filter(({ at }) => at === i)) {
          limit.settle(timeMs, end.taken.atMs, end.taken.units, end.units);
          end.taken.settled = { atMs: timeMs, units: end.units };
          changes.push({ atMs: timeMs, units: end.units - end.taken.units });
          expectClose(show(limit.readings(timeMs))!, reading(past, timeMs));
        }
        expect(limit.oversize(units)).toBe(oversize(units));
        if (oversize(units)) {
          seen.tooLarge++;
          return;
        }
        const wanted = waitMs(past, timeMs, units);
        const found = limit.waitMs(timeMs, units);
        if (wanted === Infinity) expect(found).toBe(Infinity);
        else expectClose(found, wanted, 1e-5);
        if (found > 0) {
          seen.refused++;
          return;
        }
        seen.admitted++;
        limit.take(timeMs, units);
        const one: Taken = { atMs: timeMs, units, settled: null };
        taken.push(one);
        changes.push({ atMs: timeMs, units });
        if (endsAfter > 0) due.push({ at: i + endsAfter, taken: one, units: Math.round((units * usedPercent) / 100) });
        expectClose(show(limit.readings(timeMs))!, reading(past, timeMs));
      });
    }),
    { seed: 11 },
  );
  return seen;
}

function expectClose(found: number, wanted: number, tolerance = 1e-6): void {
  if (!(Math.abs(found - wanted) <= tolerance)) expect(found).toBe(wanted);
}

function expectBoth({ admitted, refused }: { admitted: number; refused: number }): void {
  expect(Math.min(admitted, refused)).toBeGreaterThan(300);
}

test("token bucket", () => {
  const [rate, depth] = [3000 / MINUTE_MS, 1000];
  const level = ({ changes }: Past, timeMs: number): number => bucketLevel(changes, rate, depth, timeMs);
  const seen = compare({ kind: "token_bucket", limitPerMin: 3000, burstS: 20 }, ({ level: shown }) => shown, {
    reading: level,
    waitMs: (past, timeMs, units) => Math.max(0, (units - level(past, timeMs)) / rate),
    oversize: (units) => units > depth,
  });
  expectBoth(seen);
  expect(seen.tooLarge).toBeGreaterThan(300);
});

test("leaky utilization", () => {
  // Binary fractions: at the very edge nothing is rounded.
  const [rate, capacity] = [1 / 16, 1500];
  const level = ({ changes }: Past, timeMs: number): number => leakyLevel(changes, rate, timeMs);
  const seen = compare(
    { kind: "leaky_utilization", units: 2, inputTpmPerUnit: 1875, depthS: 24 },
    ({ level: shown }) => shown,
    {
      reading: level,
      // The first whole millisecond at which it is below 100 %.
      waitMs: (past, timeMs) => {
        let waitMs = 0;
        for (let step = 2 ** 20; step >= 1; step /= 2) {
          if (level(past, timeMs + waitMs + step - 1) >= capacity) waitMs += step;
        }
        return waitMs;
      },
    },
  );
  expectBoth(seen);
});

describe("fixed window", () => {
  const windowOf = (timeMs: number): number => Math.floor((timeMs - 7000) / 30_000);
  const restMs = (timeMs: number): number => (windowOf(timeMs) + 1) * 30_000 + 7000 - timeMs;
  const spec = { kind: "fixed_window", limit: 2000, windowS: 30, offsetS: 7, zone: null } as const;
  const reading = ({ taken }: Past, timeMs: number): number => windowCount(taken, windowOf, timeMs);

  test("fits", () => {
    const seen = compare({ ...spec, limit: 1100, admitWhen: "fits" }, ({ count }) => count, {
      reading,
      waitMs: (past, timeMs, units) => (reading(past, timeMs) + units <= 1100 ? 0 : restMs(timeMs)),
      oversize: (units) => units > 1100,
    });
    expectBoth(seen);
    expect(seen.tooLarge).toBeGreaterThan(100);
  });

  test("below_limit", () => {
    expectBoth(
      compare({ ...spec, admitWhen: "below_limit" }, ({ count }) => count, {
        reading,
        waitMs: (past, timeMs) => (reading(past, timeMs) < 2000 ? 0 : restMs(timeMs)),
      }),
    );
  });

  test("days of a zone are those of Intl", () => {
    const zone = "America/Los_Angeles";
    const day = new Intl.DateTimeFormat("en", { timeZone: zone, dateStyle: "short" });
    const dayOf = (timeMs: number): string => day.format(new Date(START_EPOCH_S * 1000 + timeMs));
    const count = ({ taken }: Past, timeMs: number): number => windowCount(taken, dayOf, timeMs);
    const seen = compare(
      { kind: "fixed_window", limit: 3000, windowS: 86_400, offsetS: 0, zone, admitWhen: "fits" },
      ({ count: shown }) => shown,
      {
        reading: count,
        waitMs: (past, timeMs, units) => {
          if (count(past, timeMs) + units <= 3000) return 0;
          // Midnights fall on full hours there.
          let endMs = (Math.floor(timeMs / 3_600_000) + 1) * 3_600_000;
          while (dayOf(endMs) === dayOf(timeMs)) endMs += 3_600_000;
          return endMs - timeMs;
        },
      },
      900,
    );
    expectBoth(seen);
  });
});

test("concurrency", () => {
  expectBoth(
    compare({ kind: "concurrency", limit: 2500 }, ({ count }) => count, {
      reading: ({ taken }) => inFlight(taken),
      waitMs: ({ taken }) => (inFlight(taken) < 2500 ? 0 : Infinity),
    }),
  );
});

test("batch queue", () => {
  expectBoth(
    compare({ kind: "queue", limit: 2500 }, ({ count }) => count, {
      reading: ({ taken }) => inFlight(taken),
      waitMs: ({ taken }, _, units) => (inFlight(taken) + units <= 2500 ? 0 : Infinity),
    }),
  );
});

test("spend cap by months of the calendar", () => {
  const monthOf = (timeMs: number): string => new Date(START_EPOCH_S * 1000 + timeMs).toISOString().slice(0, 7);
  // What was reserved and is settled in a later month is corrected there, and never below nothing.
  const spent = ({ changes }: Past, timeMs: number): number => {
    const now = monthOf(timeMs);
    return changes.filter(({ atMs }) => monthOf(atMs) === now).reduce((sum, { units }) => Math.max(0, sum + units), 0);
  };
  expectBoth(
    compare(
      { kind: "spend_cap", usd: 1500, period: "month" },
      ({ count }) => count,
      { reading: spent, waitMs: (past, timeMs) => (spent(past, timeMs) >= 1500 ? Infinity : 0) },
      3000,
    ),
  );
});

test("debt bucket: streams, some given up, debited once a second", () => {
  const [rate, depth] = [6000 / MINUTE_MS, 600];
  let [admitted, refused, cancelled] = [0, 0, 0];
  fc.assert(
    fc.property(events, (list) => {
      const bucket = new DebtBucket({ limitPerMin: 6000, burstS: 6 });
      const streams: Stream[] = [];
      let timeMs = 0;
      bucket.waitMs(0);
      list.forEach(({ gapMs, units, usedPercent, endsAfter }, i) => {
        timeMs += Math.min(gapMs, 9000);
        const level = debtLevel(streams, rate, depth, timeMs);
        expectClose(bucket.readings(timeMs).level!, level, 1e-6);
        expectClose(bucket.waitMs(timeMs), level >= -1e-6 ? 0 : -level / rate, 1e-4);
        if (level < -1e-6) {
          refused++;
          return;
        }
        admitted++;
        const firstMs = timeMs + 1 + 300 * endsAfter;
        const stream = { firstMs, lastMs: firstMs + usedPercent * 170, tokens: units, endMs: Infinity };
        bucket.produce(timeMs, stream.firstMs, stream.lastMs, units, 1);
        // Every third is given up at the same instant or a little later; nothing else happens in between.
        if (i % 3 !== 0 || stream.lastMs === stream.firstMs) streams.push(stream);
        else {
          cancelled++;
          timeMs += gapMs % 2000;
          bucket.cancel(timeMs, stream.firstMs, stream.lastMs, units, 1);
          streams.push({ ...stream, endMs: timeMs });
        }
      });
    }),
    { seed: 11 },
  );
  expect(Math.min(admitted, refused, cancelled)).toBeGreaterThan(300);
});

test("adaptive: the limit of an hour follows the use of the one before", () => {
  const spec = { kind: "adaptive", startPerMin: 400, minPerMin: 100, maxPerMin: 1600, burstS: 180 } as const;
  const HOUR_MS = 3_600_000;
  const limits = new Set<number>();
  fc.assert(
    fc.property(events, (list) => {
      const limit = createLimit(spec, START_EPOCH_S);
      const taken: { atMs: number; units: number }[] = [];
      let timeMs = 0;
      for (const { gapMs, units } of list) {
        timeMs += gapMs * 40;
        // From the beginning: hour by hour, and within an hour change by change.
        let perMin = 400;
        let level = 1200;
        let atMs = 0;
        const to = (untilMs: number): void => {
          level = Math.min(perMin * 3, level + ((untilMs - atMs) * perMin) / MINUTE_MS);
          atMs = untilMs;
        };
        for (let hour = 0; hour * HOUR_MS <= timeMs; hour++) {
          const within = taken.filter((one) => Math.floor(one.atMs / HOUR_MS) === hour);
          for (const one of within) {
            to(one.atMs);
            level -= one.units;
          }
          if ((hour + 1) * HOUR_MS > timeMs) break;
          to((hour + 1) * HOUR_MS);
          const used = within.reduce((sum, one) => sum + one.units, 0);
          perMin = Math.min(1600, Math.max(100, used >= perMin * 30 ? perMin * 2 : perMin / 2));
          level = Math.min(level, perMin * 3);
        }
        to(timeMs);
        limits.add(perMin);
        expectClose(limit.readings(timeMs).limit!, perMin);
        expectClose(limit.readings(timeMs).level!, level);
        const wanted = units > perMin * 3 ? Infinity : Math.max(0, ((units - level) * MINUTE_MS) / perMin);
        const found = limit.waitMs(timeMs, units);
        if (wanted === Infinity) expect(found).toBe(Infinity);
        else expectClose(found, wanted, 1e-4);
        if (found === 0) {
          limit.take(timeMs, units);
          taken.push({ atMs: timeMs, units });
        }
      }
    }),
    { seed: 11 },
  );
  expect(Math.min(...limits)).toBe(100);
  expect(Math.max(...limits)).toBeGreaterThanOrEqual(400);
});

test("ramp and soft threshold: sums over what was taken", () => {
  const seen = { fast: 0, slow: 0, soft: 0 };
  fc.assert(
    fc.property(events, (list) => {
      const ramp = new Ramp({ kind: "ramp", thresholdPerMin: 1500, growth: 1.5, lookBackS: 120 });
      const soft = new SoftThreshold(
        { kind: "soft_threshold", limit: 2000, period: { windowS: 600 }, latencyFactor: 3 },
        START_EPOCH_S,
      );
      const taken: { second: number; units: number }[] = [];
      let timeMs = 0;
      for (const { gapMs, units } of list) {
        timeMs += gapMs;
        ramp.take(timeMs, units);
        soft.take(timeMs, units);
        const second = Math.floor(timeMs / 1000);
        taken.push({ second, units });
        const sum = (from: number, to: number): number =>
          taken.filter((one) => one.second > from && one.second <= to).reduce((total, one) => total + one.units, 0);
        const last = sum(second - 60, second);
        const before = Math.max(1500, sum(second - 180, second - 120));
        const fast = last > 1500 && last > 1.5 * before;
        expect(ramp.tooFast(timeMs)).toBe(fast);
        const above = sum(Math.floor(second / 600) * 600 - 1, second) > 2000;
        expect(soft.latencyFactor(timeMs)).toBe(above ? 3 : 1);
        if (fast) seen.fast++;
        else seen.slow++;
        if (above) seen.soft++;
      }
    }),
    { seed: 11 },
  );
  expect(Math.min(seen.fast, seen.slow, seen.soft)).toBeGreaterThan(300);
});

describe("several limits at once", () => {
  const limit = (name: string, kind: LimitKindSpec, failedCounts = false): LimitSpec => ({
    ...kind,
    name,
    reserve: NO_CHARGE,
    settle: NO_CHARGE,
    failedCounts,
  });
  const specs: readonly LimitSpec[] = [
    limit("rpm", { kind: "token_bucket", limitPerMin: 30, burstS: 4 }, true),
    limit("tpm", { kind: "fixed_window", limit: 1000, windowS: 10, offsetS: 0, zone: null, admitWhen: "fits" }),
    limit("concurrency", { kind: "concurrency", limit: 3 }),
    limit("cap", { kind: "spend_cap", usd: 9, period: { windowS: 300 } }),
  ];

  test("all are taken or none, the longest wait is told, refusals are charged where they count", () => {
    const statuses = new Map<string, number>();
    fc.assert(
      fc.property(events, (list: readonly Event[]) => {
        const admission = new Admission("x", specs, START_EPOCH_S, null);
        const alone: readonly Limit[] = specs.map((spec) => createLimit(spec, START_EPOCH_S));
        const running: { at: number; atMs: number; charges: Float64Array; used: Float64Array }[] = [];
        let timeMs = 0;
        list.forEach(({ gapMs, units, usedPercent, endsAfter }, i) => {
          timeMs += Math.min(gapMs, 8000);
          for (const end of running.filter(({ at }) => at === i)) {
            admission.settleTo(timeMs, end.atMs, end.charges, end.used);
            alone.forEach((one, l) => one.settle(timeMs, end.atMs, end.charges[l]!, end.used[l]!));
          }
          const charges = Float64Array.of(1, units * 0.9, 1, 0);
          admission.charges.set(charges);
          const waits = alone.map((one, l) => one.waitMs(timeMs, charges[l]!));
          const capped = waits[3]! > 0;
          const wanted = capped
            ? RATE_LIMITED
            : units * 0.9 > 1000
              ? OVERSIZE
              : Math.max(...waits) > 0
                ? RATE_LIMITED
                : ADMITTED;
          expect(admission.decide(timeMs)).toBe(wanted);
          const by = wanted === ADMITTED ? "" : specs[admission.refusedBy]!.name;
          const answer = `${wanted} ${by}`.trim();
          statuses.set(answer, (statuses.get(answer) ?? 0) + 1);
          if (wanted === ADMITTED) {
            alone.forEach((one, l) => one.take(timeMs, charges[l]!));
            const used = Float64Array.of(1, (units * usedPercent) / 100, 0, usedPercent / 50);
            running.push({ at: i + 1 + 2 * endsAfter, atMs: timeMs, charges, used });
          } else if (wanted === RATE_LIMITED && !capped) {
            expect(admission.waitMs).toBe(Math.max(...waits));
            expect(waits[admission.refusedBy]).toBe(admission.waitMs);
            alone[0]!.debitRefused(timeMs, 1);
          } else if (capped) expect(admission.waitMs).toBe(Infinity);
          expect(admission.limits.map((one) => one.readings(timeMs))).toEqual(alone.map((one) => one.readings(timeMs)));
        });
      }),
      { seed: 11 },
    );
    // Each limit had its turn.
    expect([...statuses.keys()].sort()).toEqual(["0", "1 cap", "1 concurrency", "1 rpm", "1 tpm", "4 tpm"]);
  });
});

test("a window does not drift: after 400 days it begins where the calendar says", () => {
  const limit = createLimit(
    { kind: "fixed_window", limit: 1, windowS: 0.1, offsetS: 0, zone: null, admitWhen: "fits" },
    START_EPOCH_S,
  );
  for (const index of [0, 7, 31_536_000, 345_000_003]) {
    limit.take(index * 100, 1);
    expect(limit.waitMs(index * 100, 1)).toBeCloseTo(100, 3);
    expect(limit.waitMs(index * 100 + 99, 1)).toBeCloseTo(1, 3);
  }
  expect(400 * DAY_MS).toBeGreaterThan(345_000_003 * 100);
});
