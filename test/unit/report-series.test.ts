import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WindowTable } from "../../src/outcome/series.ts";
import { timeTicks } from "../../src/report/charts/time-axis.ts";
import { eventMarks, hourlyTtftP99Ms, latencyPoints, poolPoints } from "../../src/report/series-view.ts";
import { withoutPointsBetween } from "../../src/report/charts/svg.ts";
import { figure } from "../../src/report/frontier/figure.ts";
import type { FrontierPoint } from "../../src/experiment/frontier.ts";
import { reportInput } from "../fixtures/report/input.ts";

interface Row {
  readonly completed: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

/** Rows of hour 0, each a target of its own. */
function windowsOf(rows: readonly Row[]): WindowTable {
  const zeros = rows.map(() => 0);
  return {
    hour: zeros,
    classIndex: zeros,
    route: rows.map((_, i) => `r${i}`),
    sent: rows.map((row) => row.completed),
    completed: rows.map((row) => row.completed),
    rejected: zeros,
    timedOut: zeros,
    failed: zeros,
    boundaryRefused: zeros,
    retried: zeros,
    rateLimited: zeros,
    sloMet: zeros,
    inputTokens: zeros,
    outputTokens: zeros,
    reasoningTokens: zeros,
    blockedByBoundary: zeros,
    redacted: zeros,
    notCleanable: zeros,
    ttftMsP50: rows.map((row) => row.p50),
    ttftMsP95: rows.map((row) => row.p95),
    ttftMsP99: rows.map((row) => row.p99),
    tpotMsP99: zeros,
    e2eMsP99: zeros,
  };
}

describe("P99 of an hour over several targets", () => {
  test("one row keeps its own P99, an hour without completions has none", () => {
    expect(hourlyTtftP99Ms(windowsOf([{ completed: 10, p50: 1, p95: 2, p99: 3 }]), 2)).toEqual(
      Float64Array.of(3, Number.NaN),
    );
  });

  test("two exponential tails mix as the exact mixture does", () => {
    const exponential = (mean: number, completed: number): Row => ({
      completed,
      p50: mean * Math.log(2),
      p95: mean * Math.log(20),
      p99: mean * Math.log(100),
    });
    const [p99] = hourlyTtftP99Ms(windowsOf([exponential(200, 800), exponential(600, 200)]), 1);
    // Exact: 0.8·exp(−x/200) + 0.2·exp(−x/600) = 0.01.
    const tail = 0.8 * Math.exp(-p99 / 200) + 0.2 * Math.exp(-p99 / 600);
    expect(tail).toBeGreaterThan(0.0095);
    expect(tail).toBeLessThan(0.0105);
  });

  test("the mixture lies between the lowest and the highest P99", () => {
    const row = fc.tuple(
      fc.integer({ min: 1, max: 5000 }),
      fc.double({ min: 1, max: 1e4, noNaN: true }),
      fc.double({ min: 1, max: 9, noNaN: true }),
      fc.double({ min: 1, max: 9, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 4 }), (raw) => {
        const rows = raw.map(([completed, p50, a, b]) => ({ completed, p50, p95: p50 * a, p99: p50 * a * b }));
        const [p99] = hourlyTtftP99Ms(windowsOf(rows), 1);
        expect(p99).toBeGreaterThanOrEqual(Math.min(...rows.map((entry) => entry.p99)) * (1 - 1e-9));
        expect(p99).toBeLessThanOrEqual(Math.max(...rows.map((entry) => entry.p99)) * (1 + 1e-9));
      }),
    );
  });
});

describe("long horizons", () => {
  const hours = 8760;
  const runs = [0, 1, 2].map((run) =>
    Float64Array.from({ length: hours }, (_, hour) => (hour === 4321 ? 9000 + run : 100 + run)),
  );

  test("a chart gets at most 800 points, and the worst hour stays", () => {
    const points = latencyPoints(runs, hours, 720);
    expect(points.length).toBeLessThanOrEqual(800);
    expect(points.length).toBeGreaterThan(600);
    expect(Math.max(...points.map((point) => point.value ?? 0))).toBe(9001);
    expect(Math.max(...points.map((point) => point.hi ?? 0))).toBe(9002);
    expect(Math.min(...points.map((point) => point.lo ?? Infinity))).toBe(100);
  });

  test("one replication has a line and no band; an hour without data is a gap", () => {
    const points = latencyPoints([Float64Array.of(5, Number.NaN, 7)], 3, 720);
    expect(points.map((point) => point.value)).toEqual([5, null, 7]);
    expect(points.every((point) => point.lo === null && point.hi === null)).toBe(true);
  });

  test("from 20 replications on the band leaves out the extremes", () => {
    const many = Array.from({ length: 21 }, (_, i) => Float64Array.of(i));
    const [point] = latencyPoints(many, 1, 720);
    expect([point?.lo, point?.value, point?.hi]).toEqual([1, 10, 19]);
  });

  test("replica-hours survive the buckets", () => {
    const { series } = reportInput({ days: 90 });
    const own = series.filter((run) => run.strategy === "hybrid");
    const points = poolPoints(own, "own", 90 * 24, 240);
    const bucketH = Math.ceil((90 * 24) / 240);
    const drawn = points.reduce((sum, point) => sum + point.busy * bucketH, 0);
    const recorded =
      own.reduce((sum, run) => sum + run.poolHours.busyReplicaH.reduce((a, b) => a + b, 0), 0) / own.length;
    expect(drawn / recorded).toBeCloseTo(1, 9);
  });

  test("incidents are ours, outages theirs; many are counted and the longest kept", () => {
    const { series } = reportInput({ days: 365, replications: 2 });
    const events = eventMarks(
      series.filter((run) => run.strategy === "hybrid"),
      365 * 24,
    );
    expect(events.provider).toBe(2);
    expect(events.own).toBeGreaterThan(40);
    expect(events.marks.length).toBe(40);
    expect(
      events.marks
        .filter((mark) => mark.label !== null)
        .map((mark) => mark.whose)
        .sort(),
    ).toEqual(["own", "provider"]);
  });
});

describe("time axis", () => {
  const monday = 1_793_577_600; // 2026-11-02T00:00:00Z

  test.each([
    [6, 9, ["2 Nov", "01:00", "02:00", "03:00", "04:00", "05:00"]],
    [24 * 7, 9, ["Mon 2 Nov", "Tue 3 Nov", "Wed 4 Nov", "Thu 5 Nov", "Fri 6 Nov", "Sat 7 Nov", "Sun 8 Nov"]],
    [24 * 30, 6, ["2 Nov", "9 Nov", "16 Nov", "23 Nov", "30 Nov"]],
    [24 * 365, 5, ["Jan 2027", "Apr 2027", "Jul 2027", "Oct 2027"]],
  ])("%i hours with at most about %i ticks", (horizonH, most, labels) => {
    expect(timeTicks(monday, horizonH, most).map((tick) => tick.label)).toEqual(labels);
  });

  test("a start off midnight and off Monday is aligned to both", () => {
    const wednesdayNoon = monday + 2.5 * 86_400;
    expect(timeTicks(wednesdayNoon, 24 * 20, 4)[0]).toEqual({ hour: 4.5 * 24, label: "9 Nov" });
    expect(timeTicks(wednesdayNoon, 24 * 4, 9)[0]).toEqual({ hour: 0, label: "12:00" });
  });
});

describe("paths of charts", () => {
  test("points on a level stretch go, corners and the way back of an area stay", () => {
    expect(withoutPointsBetween("M0,5L1,5L1,5L2,5L2,7L3,7L3,7L4,7L4,9L3,9L2,9L0,9Z")).toBe("M0,5L2,5L2,7L4,7L4,9L0,9Z");
    // There and back again on one level is no stretch.
    expect(withoutPointsBetween("M0,5L4,5L2,5")).toBe("M0,5L4,5L2,5");
    expect(withoutPointsBetween("M0,1L1,2L2,3M5,5L6,5L7,5")).toBe("M0,1L1,2L2,3M5,5L7,5");
    expect(withoutPointsBetween("M1,1A3,3,0,1,1,2,2Z")).toBe("M1,1A3,3,0,1,1,2,2Z");
  });
});

describe("the axis of a latency over rates", () => {
  const ticksOf = (low: number, high: number): string[] => {
    const at = (mean: number) => ({ mean, lo: null, hi: null, n: 2 });
    const point = (ratePerS: number, ms: number): FrontierPoint => ({
      ratePerS,
      strategy: "own",
      replications: 2,
      gpus: 1,
      figures: { completed: at(ratePerS), ttftP99: at(ms) },
      classes: [],
      backlogFraction: null,
      overloaded: false,
    });
    const frontier = { rates: [1, 2], strategies: ["own"], classes: [], metrics: [], best: [] };
    const spec = { metric: "ttftP99", label: "", alt: "", against: "throughput", log: true, diagonal: false } as const;
    const svg = figure({ ...frontier, points: [point(1, low), point(2, high)] }, spec).split(
      '<div class="narrow">',
    )[0]!;
    return [...svg.matchAll(/>([\d.]+ m?s)</g)].map((match) => match[1]!);
  };

  test("has two ticks at least, and no more than can be read", () => {
    expect(ticksOf(144, 206)).toEqual(["150 ms", "200 ms"]);
    expect(ticksOf(100, 1000)).toEqual(["100 ms", "200 ms", "500 ms", "1 s"]);
    expect(ticksOf(10, 5000)).toEqual(["10 ms", "100 ms", "1 s"]);
  });
});
