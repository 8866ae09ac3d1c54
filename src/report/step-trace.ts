/**
 * Recorded steps as a trace of the Trace Event Format, which Perfetto (ui.perfetto.dev) and chrome://tracing open: a process
 * for each pool, a thread for each replica, a slice for each step or stretch, an asynchronous track for each request, and
 * counters. Times in whole nanoseconds, written as microseconds.
 */
import type { StepRecord } from "../outcome/step-table.ts";

interface TraceEvent {
  readonly name: string;
  /** X = slice, b and e = begin and end on a request's track, C = counter, M = name of a process or thread. */
  readonly ph: "X" | "b" | "e" | "C" | "M";
  readonly pid: number;
  readonly tid: number;
  /** Microseconds. */
  readonly ts: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly id?: string;
  readonly args?: Readonly<Record<string, string | number | null>>;
}

/** JSON of the whole trace; one event a line. */
export function stepTrace(records: readonly StepRecord[]): string {
  const events: TraceEvent[] = [];
  const names: TraceEvent[] = [];
  const pids = new Map<string, number>();
  const threads = new Set<string>();
  const pidOf = (strategy: string, pool: string, replica: number): number => {
    const process = `${strategy}: ${pool}`;
    const pid = pids.get(process) ?? pids.size + 1;
    if (!pids.has(process)) {
      pids.set(process, pid);
      names.push({ name: "process_name", ph: "M", pid, tid: 0, ts: 0, args: { name: process } });
    }
    const thread = `${pid}/${replica}`;
    if (!threads.has(thread)) {
      threads.add(thread);
      names.push({ name: "thread_name", ph: "M", pid, tid: replica + 1, ts: 0, args: { name: `replica ${replica}` } });
    }
    return pid;
  };
  for (const record of records) {
    // First, so that of a rest and a step at one instant the step's counters stay.
    pushRests(record, pidOf, events);
    pushSteps(record, pidOf, events);
    pushSpans(record, pidOf, events);
  }
  // Of events at one instant an end comes before a beginning, so that a request's phases follow each other.
  const rank = ({ ph }: TraceEvent): number => (ph === "e" ? 0 : ph === "b" ? 1 : 2);
  events.sort((a, b) => a.ts - b.ts || rank(a) - rank(b));
  const lines = [...names, ...events].map((event) => JSON.stringify(event));
  return `{"displayTimeUnit":"ms","traceEvents":[\n${lines.join(",\n")}\n]}\n`;
}

type PidOf = (strategy: string, pool: string, replica: number) => number;

function pushSteps({ strategy, steps }: StepRecord, pidOf: PidOf, events: TraceEvent[]): void {
  steps.startS.forEach((startS, row) => {
    const replica = steps.replica[row]!;
    const pid = pidOf(strategy, steps.pool[row]!, replica);
    const at = { pid, tid: replica + 1, ts: micros(startS) };
    const prefill = steps.prefillTokens[row]!;
    const decode = steps.decodeSeqs[row]!;
    const count = steps.steps[row]!;
    const parts = [prefill > 0 ? `prefill ${prefill}` : "", decode > 0 ? `decode ${decode}` : ""].filter(
      (p) => p !== "",
    );
    events.push({
      ...at,
      name: `${parts.join(" + ")}${count > 1 ? ` × ${count}` : ""}`,
      ph: "X",
      cat: "step",
      // Between rounded times: a slice that reached a nanosecond into the next would be drawn as holding it.
      dur: (nanos(steps.endS[row]!) - nanos(startS)) / 1000,
      args: {
        policy: steps.policy[row]!,
        steps: count,
        decodeSeqs: decode,
        prefillSeqs: steps.prefillSeqs[row]!,
        prefillTokens: prefill,
        contextTokens: steps.contextTokens[row]!,
        budgetUsedTokens: steps.budgetUsedTokens[row]!,
        budgetTokens: steps.budgetTokens[row]!,
        admitted: steps.admitted[row]!,
        preempted: steps.preempted[row]!,
        finished: steps.finished[row]!,
        transferMs: 1000 * steps.transferS[row]!,
        queueHead: steps.queueHead[row] ?? null,
      },
    });
    pushCounters(events, at, {
      decode,
      prefill: steps.prefillSeqs[row]!,
      waiting: steps.waiting[row]!,
      used: steps.kvBlocksUsed[row]!,
      cached: steps.kvBlocksCached[row]!,
    });
  });
}

/** A counter keeps its value until the next one: when nothing is under way it must be told so. */
function pushRests({ strategy, rests }: StepRecord, pidOf: PidOf, events: TraceEvent[]): void {
  rests.atS.forEach((atS, row) => {
    const replica = rests.replica[row]!;
    const at = { pid: pidOf(strategy, rests.pool[row]!, replica), tid: replica + 1, ts: micros(atS) };
    pushCounters(events, at, {
      decode: 0,
      prefill: 0,
      waiting: rests.waiting[row]!,
      used: rests.kvBlocksUsed[row]!,
      cached: rests.kvBlocksCached[row]!,
    });
  });
}

interface Counters {
  readonly decode: number;
  readonly prefill: number;
  readonly waiting: number;
  readonly used: number;
  readonly cached: number;
}

function pushCounters(
  events: TraceEvent[],
  at: Pick<TraceEvent, "pid" | "tid" | "ts">,
  { decode, prefill, waiting, used, cached }: Counters,
): void {
  const counter = (name: string, args: Readonly<Record<string, number>>): void => {
    events.push({ ...at, name: `replica ${at.tid - 1} ${name}`, ph: "C", args });
  };
  counter("batch", { decode, prefill });
  counter("waiting", { requests: waiting });
  counter("KV blocks", { used, cached });
}

function pushSpans({ strategy, spans }: StepRecord, pidOf: PidOf, events: TraceEvent[]): void {
  spans.startS.forEach((startS, row) => {
    const replica = spans.replica[row]!;
    const pid = pidOf(strategy, spans.pool[row]!, replica);
    const request = spans.request[row]!;
    if (micros(startS) === micros(spans.endS[row]!)) return;
    const own = { name: spans.phase[row]!, cat: "request", id: `${pid}/${request}`, pid, tid: replica + 1 };
    events.push({ ...own, ph: "b", ts: micros(startS), args: { request, class: spans.className[row]! } });
    events.push({ ...own, ph: "e", ts: micros(spans.endS[row]!) });
  });
}

function nanos(timeS: number): number {
  return Math.round(timeS * 1e9);
}

function micros(timeS: number): number {
  return nanos(timeS) / 1000;
}
