/**
 * Hourly tables of the runs as the points of charts. Replications are combined hour by hour (median, with minimum to
 * maximum or 5th to 95th percentile around it); long horizons are then cut into buckets that keep the worst hour, so that
 * no peak disappears. Milliseconds, hours since t = 0, replicas.
 */
import { exp, log } from "../kernel/math.ts";
import type { RunSeries, WindowTable } from "../outcome/series.ts";
import { span } from "./format.ts";
import type { EventMark, HourPoint, PoolPoint } from "./model.ts";

/** From this many replications on a band shows the 5th to 95th percentile; below, minimum to maximum. */
export const BAND_PERCENTILE_RUNS = 20;
export const WIDE_POINTS = 720;
export const NARROW_POINTS = 240;
const EVENTS_MAX = 40;

/** Hours that one point of a chart stands for when `horizonH` is drawn with at most `maxPoints`. */
export function bucketHours(horizonH: number, maxPoints: number): number {
  return Math.max(1, Math.ceil(horizonH / maxPoints));
}

/**
 * P99 TTFT by hour over all classes and targets of one run; NaN where nothing completed. The hour's rows are mixed by
 * their completed requests: each tail is interpolated exponentially through its own P50, P95 and P99, so that the result
 * is exact for one row and lies between the rows' P99s otherwise (percentiles themselves are never averaged).
 */
export function hourlyTtftP99Ms(windows: WindowTable, hoursInRun: number): Float64Array {
  const rowsOf: (number[] | undefined)[] = [];
  windows.hour.forEach((hour, row) => {
    if (hour < 0 || hour >= hoursInRun || windows.ttftMsP99[row] === null || windows.completed[row] === 0) return;
    (rowsOf[hour] ??= []).push(row);
  });
  const p99 = new Float64Array(hoursInRun).fill(Number.NaN);
  for (let hour = 0; hour < hoursInRun; hour++) {
    const rows = rowsOf[hour];
    if (rows !== undefined) p99[hour] = mixedP99Ms(rows.map((row) => tailOf(windows, row)));
  }
  return p99;
}

interface Tail {
  readonly weight: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

function tailOf(windows: WindowTable, row: number): Tail {
  const p99 = windows.ttftMsP99[row] ?? 0;
  const p95 = Math.min(p99, windows.ttftMsP95[row] ?? p99);
  return { weight: windows.completed[row], p50: Math.min(p95, windows.ttftMsP50[row] ?? p95), p95, p99 };
}

function mixedP99Ms(tails: readonly Tail[]): number {
  let lo = Math.min(...tails.map((tail) => tail.p99));
  let hi = Math.max(...tails.map((tail) => tail.p99));
  if (lo === hi) return lo;
  const total = tails.reduce((sum, tail) => sum + tail.weight, 0);
  // 40 halvings: far below a pixel.
  for (let i = 0; i < 40; i++) {
    const middle = (lo + hi) / 2;
    const above = tails.reduce((sum, tail) => sum + tail.weight * survival(tail, middle), 0);
    if (above > 0.01 * total) lo = middle;
    else hi = middle;
  }
  return hi;
}

/** Share of a tail's requests above `ms`. */
function survival({ p50, p95, p99 }: Tail, ms: number): number {
  if (ms < p50) return 1 - (0.5 * ms) / p50;
  if (ms < p95) return 0.5 * exp((log(0.1) * (ms - p50)) / (p95 - p50));
  // Equal percentiles leave no slope: everything above the step is the last percent.
  return p99 > p95 ? 0.05 * exp((log(0.2) * (ms - p95)) / (p99 - p95)) : ms < p99 ? 0.05 : 0.01;
}

/** Median and band over replications by hour, then buckets that keep the highest median and the widest band. */
export function latencyPoints(runs: readonly Float64Array[], horizonH: number, maxPoints: number): HourPoint[] {
  const hoursInRun = Math.max(0, ...runs.map((run) => run.length));
  const bucketH = bucketHours(horizonH, maxPoints);
  const points: HourPoint[] = [];
  for (let start = 0; start < hoursInRun; start += bucketH) {
    const end = Math.min(start + bucketH, hoursInRun);
    let value: number | null = null;
    let lo: number | null = null;
    let hi: number | null = null;
    for (let hour = start; hour < end; hour++) {
      const sorted = runs
        .map((run) => run[hour] ?? Number.NaN)
        .filter((ms) => !Number.isNaN(ms))
        .sort((a, b) => a - b);
      if (sorted.length === 0) continue;
      const percentileBand = runs.length >= BAND_PERCENTILE_RUNS;
      value = Math.max(value ?? 0, quantile(sorted, 0.5));
      lo = Math.min(lo ?? Infinity, percentileBand ? quantile(sorted, 0.05) : sorted[0]);
      hi = Math.max(hi ?? 0, percentileBand ? quantile(sorted, 0.95) : sorted[sorted.length - 1]);
    }
    points.push({ hour: (start + end) / 2, value, lo: runs.length > 1 ? lo : null, hi: runs.length > 1 ? hi : null });
  }
  return points;
}

/** Linear interpolation between order statistics. */
function quantile(sorted: readonly number[], p: number): number {
  const position = p * (sorted.length - 1);
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

/** Mean replicas in each state of one pool, over the replications and the hours of each bucket. */
export function poolPoints(runs: readonly RunSeries[], pool: string, horizonH: number, maxPoints: number): PoolPoint[] {
  const bucketH = bucketHours(horizonH, maxPoints);
  const buckets = Array.from({ length: Math.ceil(horizonH / bucketH) }, () => ({ busy: 0, idle: 0, warm: 0, down: 0 }));
  for (const { poolHours } of runs) {
    poolHours.hour.forEach((hour, row) => {
      const bucket = poolHours.pool[row] === pool ? buckets[Math.floor(hour / bucketH)] : undefined;
      if (bucket === undefined) return;
      bucket.busy += poolHours.busyReplicaH[row];
      bucket.idle += poolHours.idleReplicaH[row];
      bucket.warm += poolHours.warmReplicaH[row];
      bucket.down += poolHours.downReplicaH[row];
    });
  }
  return buckets.map((sum, index) => {
    const start = index * bucketH;
    const replicaHours = runs.length * (Math.min(start + bucketH, horizonH) - start);
    return {
      hour: start,
      busy: sum.busy / replicaHours,
      idle: sum.idle / replicaHours,
      warm: sum.warm / replicaHours,
      down: sum.down / replicaHours,
    };
  });
}

/** The longest incidents and outages of a strategy's runs; the longest of either kind is labelled. `total` counts all. */
export function eventMarks(
  runs: readonly RunSeries[],
  horizonH: number,
): { marks: EventMark[]; own: number; provider: number } {
  const all = runs.flatMap(({ incidents, replication }) =>
    incidents.startS.map((startS, row) => ({
      startH: startS / 3600,
      endH: Math.min(incidents.endS[row] / 3600, horizonH),
      kind: incidents.kind[row],
      target: incidents.target[row],
      whose: incidents.kind[row].startsWith("outage") ? ("provider" as const) : ("own" as const),
      replication,
    })),
  );
  const seen = all
    .filter((event) => event.startH < horizonH && event.endH > 0)
    .sort((a, b) => b.endH - b.startH - (a.endH - a.startH));
  const labelled = (["own", "provider"] as const).flatMap((whose) => seen.find((event) => event.whose === whose) ?? []);
  return {
    own: seen.filter((event) => event.whose === "own").length,
    provider: seen.filter((event) => event.whose === "provider").length,
    marks: seen.slice(0, EVENTS_MAX).map((event) => ({
      startH: Math.max(0, event.startH),
      endH: event.endH,
      whose: event.whose,
      label: labelled.includes(event)
        ? `${kindText(event.kind, event.target)}, ${span(event.endH - event.startH)}${runs.length > 1 ? `, replication ${event.replication + 1}` : ""}`
        : null,
    })),
  };
}

/** `Node failure (own)`, `Provider outage (api, major)`. */
function kindText(kind: string, target: string): string {
  const [head = "", ...rest] = kind.split("-");
  const outage = head === "outage";
  const text = outage ? "provider outage" : [head, ...rest].join(" ");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)} (${[target, ...(outage ? rest : [])].join(", ")})`;
}

/** Total of one run's ledger by calendar month. */
export function usdByMonth(run: RunSeries): Map<string, number> {
  const totals = new Map<string, number>();
  run.ledger.month.forEach((month, row) => totals.set(month, (totals.get(month) ?? 0) + run.ledger.usd[row]));
  return totals;
}
