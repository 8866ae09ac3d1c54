/** Recorded steps against what the unwatched run says of itself, and the trace against the rules of its format. */
import { expect, test } from "vitest";
import { NONE } from "../../src/engine/policies/policy.ts";
import { batchingNamed, registerPolicy } from "../../src/engine/policies/registry.ts";
import { runOne } from "../../src/experiment/run-one.ts";
import { watchSteps } from "../../src/experiment/watch-steps.ts";
import type { StepRecord } from "../../src/outcome/step-table.ts";
import { stepTrace } from "../../src/report/step-trace.ts";
import { resolveRaw, smallExperiment, withValue, type Raw } from "../fixtures/experiment.ts";

const MINUTES = 1 / 1440;

/** The strategy `own` for ten minutes, with so little KV that it preempts. */
function experiment(scheduler: Raw = {}) {
  let raw = withValue(smallExperiment(), ["days"], 6 * MINUTES);
  raw = withValue(raw, ["warmupMinutes"], 0);
  raw = withValue(raw, ["traffic", "requestsPerS"], 12);
  raw = withValue(raw, ["strategies", "own", "pools", "gpus", "incidents"], "none");
  raw = withValue(raw, ["strategies", "own", "pools", "gpus", "scheduler"], scheduler);
  raw = withValue(raw, ["strategies", "own", "pools", "gpus", "kvBlocks"], 1000);
  const { experiment: resolved } = resolveRaw(raw);
  const strategy = resolved.strategies.findIndex(({ name }) => name === "own");
  return { task: { experiment: resolved, strategy, replication: 0, replicas: [2] }, horizonS: resolved.horizonS };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

test.each([{}, { batching: "static" }, { batching: "continuous", preemption: "swap" }, { order: "shortest-prompt" }])(
  "with %o the rows add up to the run: busy time, preemptions, answers",
  (scheduler) => {
    const { task, horizonS } = experiment(scheduler);
    const { run } = runOne(task, null, null);
    const { steps, spans } = watchSteps(task, { kind: "first", count: 1_000_000 });
    const rows = steps.startS.map((_, row) => row);
    expect(rows.length).toBeGreaterThan(500);
    const busyS = sum(rows.map((row) => steps.endS[row]! - steps.startS[row]!));
    const pool = run.pools[0]!;
    expect(busyS / 3600).toBeCloseTo(sum(run.series.poolHours.busyReplicaH), 9);
    expect(sum(steps.preempted)).toBe(pool.preemptions);
    if (Object.keys(scheduler).length === 0) expect(pool.preemptions).toBeGreaterThan(0);
    const answered = sum(run.classes.map(({ totals }) => totals.completed));
    const gaveUp = sum(run.classes.map(({ totals }) => totals.timedOut));
    expect(sum(steps.finished)).toBeGreaterThanOrEqual(answered);
    expect(sum(steps.finished)).toBeLessThanOrEqual(answered + gaveUp);
    for (const row of rows) {
      expect(steps.endS[row]!).toBeGreaterThan(steps.startS[row]!);
      expect(steps.kvBlocksUsed[row]! + steps.kvBlocksFree[row]!).toBe(1000);
      expect(steps.budgetUsedTokens[row]!).toBe(steps.decodeSeqs[row]! + steps.prefillTokens[row]!);
      expect(steps.decodeSeqs[row]! + steps.prefillSeqs[row]!).toBeLessThanOrEqual(steps.running[row]!);
      expect(steps.queueHead[row] === null).toBe(steps.waiting[row] === 0);
    }
    // What follows by replica: who is in the batch is who was, less who left, more who came.
    for (const replica of [0, 1]) {
      const own = rows.filter((row) => steps.replica[row] === replica);
      own.slice(1).forEach((row, i) => {
        const before = own[i]!;
        const carried = steps.running[before]! - steps.finished[before]! + steps.admitted[row]! - steps.preempted[row]!;
        expect(steps.running[row]!).toBe(carried);
        expect(steps.startS[row]!).toBeGreaterThanOrEqual(steps.endS[before]!);
      });
    }
    expect(new Set(spans.phase)).toEqual(
      new Set(pool.preemptions > 0 ? ["queued", "prefill", "decode", "preempted"] : ["queued", "prefill", "decode"]),
    );
    expect(Math.max(...spans.endS)).toBeLessThanOrEqual(horizonS);
  },
);

test("who is sent away and taken in again in one step counts as both, and recomputes what it had", () => {
  const chunked = batchingNamed("chunked")!;
  registerPolicy({
    ...chunked,
    name: "restless",
    create: (options) => {
      const inner = chunked.create(options);
      let calls = 0;
      return {
        schedule: (step) => {
          inner.schedule(step);
          const last = step.runningCount > 1 ? step.runningAt(step.runningCount - 1) : NONE;
          if (++calls % 7 > 0 || last === NONE || !step.isDecoding(last)) return;
          step.preempt(last);
          step.admit(last, step.budgetTokens);
        },
      };
    },
  });
  const { task } = experiment({ batching: "restless" });
  const { run } = runOne(task, null, null);
  const { steps, spans } = watchSteps(task, { kind: "first", count: 1_000_000 });
  const { preemptions } = run.pools[0]!;
  expect(preemptions).toBeGreaterThan(50);
  expect(sum(steps.preempted)).toBe(preemptions);
  const rows = steps.startS.map((_, row) => row).filter((row) => steps.replica[row] === 0);
  rows.slice(1).forEach((row, i) => {
    const before = rows[i]!;
    const carried = steps.running[before]! - steps.finished[before]! + steps.admitted[row]! - steps.preempted[row]!;
    expect(steps.running[row]!).toBe(carried);
  });
  const prefills = new Map<number, number>();
  spans.phase.forEach((phase, i) => {
    const request = spans.request[i]!;
    if (phase === "prefill") prefills.set(request, (prefills.get(request) ?? 0) + 1);
  });
  expect(Math.max(...prefills.values())).toBeGreaterThan(1);
});

test("first:N is the beginning of all rows, replica:i those of one replica", () => {
  const { task } = experiment();
  const all = watchSteps(task, { kind: "first", count: 1_000_000 });
  const first = watchSteps(task, { kind: "first", count: 100 });
  expect(first.steps.startS).toEqual(all.steps.startS.slice(0, 100));
  expect(first.steps.endS).toEqual(all.steps.endS.slice(0, 100));
  const one = watchSteps(task, { kind: "replica", replica: 1 });
  expect(one.steps.startS).toEqual(all.steps.startS.filter((_, row) => all.steps.replica[row] === 1));
  expect(new Set(one.spans.replica)).toEqual(new Set([1]));
});

test("the warm-up is left out: what runs at its end is not admitted then, and nothing begins before t = 0", () => {
  const { task } = experiment();
  const warmed = { ...task, experiment: { ...task.experiment, warmupS: 120 } };
  const { steps, spans } = watchSteps(warmed, { kind: "first", count: 200 });
  expect(steps.running[0]!).toBeGreaterThan(steps.admitted[0]!);
  expect(Math.min(...steps.startS, ...spans.startS)).toBe(0);
});

interface Event {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly id?: string;
  readonly args?: Record<string, unknown>;
}

test("the trace keeps the rules of the Trace Event Format", () => {
  const { task } = experiment();
  const record: StepRecord = watchSteps(task, { kind: "first", count: 3000 });
  const other: StepRecord = { ...record, strategy: "other" };
  const { traceEvents } = JSON.parse(stepTrace([record, other])) as { traceEvents: Event[] };
  const of = (ph: string): Event[] => traceEvents.filter((event) => event.ph === ph);
  // Every process and every thread has a name, strategies apart.
  expect(
    of("M")
      .filter(({ name }) => name === "process_name")
      .map(({ args }) => args!.name),
  ).toEqual(["own: gpus", "other: gpus"]);
  const named = new Set(of("M").map(({ name, pid, tid }) => `${name} ${pid} ${tid}`));
  for (const { pid, tid } of of("X")) {
    expect(named.has(`process_name ${pid} 0`)).toBe(true);
    expect(named.has(`thread_name ${pid} ${tid}`)).toBe(true);
  }
  // Slices: microseconds, in order, one after the other on each thread.
  expect(of("X")).toHaveLength(6000);
  const nanos = (micros: number): number => Math.round(1000 * micros);
  const ends = new Map<string, number>();
  for (const { pid, tid, ts, dur } of of("X")) {
    expect(dur!).toBeGreaterThan(0);
    expect(nanos(ts)).toBeGreaterThanOrEqual(ends.get(`${pid} ${tid}`) ?? 0);
    ends.set(`${pid} ${tid}`, nanos(ts) + nanos(dur!));
  }
  const { startS, endS } = record.steps;
  expect(of("X")[0]!.ts).toBeCloseTo(startS[0]! * 1e6, 2);
  expect(of("X")[0]!.dur).toBeCloseTo((endS[0]! - startS[0]!) * 1e6, 2);
  // The track of a request: begun, ended, begun again, never two phases at once.
  const open = new Map<string, string>();
  let lastTs = 0;
  for (const { ph, id, cat, name, ts } of traceEvents) {
    if (ph === "M") continue;
    expect(ts).toBeGreaterThanOrEqual(lastTs);
    lastTs = ts;
    if (ph === "b") {
      expect(cat).toBe("request");
      expect(open.has(id!)).toBe(false);
      open.set(id!, name);
    } else if (ph === "e") {
      expect(open.get(id!)).toBe(name);
      open.delete(id!);
    }
  }
  expect(open.size).toBe(0);
  for (const { args } of of("C")) for (const value of Object.values(args!)) expect(typeof value).toBe("number");
  expect(new Set(traceEvents.map(({ ph }) => ph))).toEqual(new Set(["M", "X", "b", "e", "C"]));
});

/** The value of each counter of a replica at each instant that has one, the last of an instant. */
function countersOf(events: readonly Event[], replica: number): Map<string, Map<number, Record<string, unknown>>> {
  const counters = new Map<string, Map<number, Record<string, unknown>>>();
  for (const { ph, name, ts, args } of events) {
    if (ph !== "C" || !name.startsWith(`replica ${replica} `)) continue;
    const what = name.replace(/^replica \d+ /, "");
    counters.set(what, (counters.get(what) ?? new Map<number, Record<string, unknown>>()).set(ts, args!));
  }
  return counters;
}

test.each([
  ["between requests that come one by one", {}, 0.5],
  ["while a batch waits to be full", { batching: { name: "static", options: { timeoutMs: 2000 } } }, 2],
])("counters of the trace fall when no step is under way: %s", (_, scheduler, requestsPerS) => {
  const { task } = experiment({ ...scheduler, prefixCaching: "lru" });
  let raw = withValue(smallExperiment(), ["classes", 0, "sharedPrefix"], { tokens: 64, groups: 1 });
  raw = withValue(raw, ["traffic", "requestsPerS"], requestsPerS);
  const { experiment: shared } = resolveRaw(raw);
  const quiet = { ...task.experiment, traffic: shared.traffic, classes: shared.classes };
  const record = watchSteps({ ...task, experiment: quiet }, { kind: "first", count: 1_000_000 });
  const { traceEvents } = JSON.parse(stepTrace([record])) as { traceEvents: Event[] };
  for (const replica of [0, 1]) {
    const counters = countersOf(traceEvents, replica);
    const slices = traceEvents.filter(({ ph, tid }) => ph === "X" && tid === replica + 1);
    let rests = 0;
    slices.forEach(({ ts, dur }, i) => {
      const endNs = Math.round(1000 * (ts + dur!));
      const next = slices[i + 1];
      if (next !== undefined && Math.round(1000 * next.ts) - endNs < 2) return;
      // Nothing runs from here on, and what the prompts had in common is kept without a user.
      const at = [...counters.get("batch")!.keys()].find((time) => Math.abs(Math.round(1000 * time) - endNs) < 2);
      if (next === undefined && at === undefined) return;
      rests++;
      expect(counters.get("batch")!.get(at!)).toEqual({ decode: 0, prefill: 0 });
      expect(counters.get("KV blocks")!.get(at!)).toEqual({ used: 0, cached: expect.any(Number) as number });
      expect(counters.get("KV blocks")!.get(at!)!.cached).toBeGreaterThanOrEqual(4);
    });
    expect(rests).toBeGreaterThan(10);
    // Every value of "waiting" while nothing runs is one that somebody who came then has made.
    if (requestsPerS === 2) {
      const resting = [...counters.get("waiting")!].filter(([ts]) => {
        const batch = counters.get("batch")!.get(ts)!;
        return batch.decode === 0 && batch.prefill === 0;
      });
      expect(Math.max(...resting.map(([, args]) => args.requests as number))).toBeGreaterThan(1);
    }
  }
});

test("a rest that began in the warm-up is told from t = 0 on", () => {
  const { task } = experiment();
  const calm = { ...task.experiment, warmupS: 120, traffic: { ...task.experiment.traffic, meanRatePerS: 0.05 } };
  const { rests, steps } = watchSteps({ ...task, experiment: calm } as typeof task, {
    kind: "first",
    count: 1_000_000,
  });
  expect(Math.min(...rests.atS)).toBe(0);
  expect(Math.min(...rests.atS)).toBeLessThan(Math.min(...steps.startS));
});
