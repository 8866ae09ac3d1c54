/**
 * What came of the requests of one run, recorded as it happens at flat memory: counters, sketches, hourly rows.
 *   INV-1   every request sent at t ≥ 0 ends in exactly one outcome or is in flight at the horizon.
 *   INV-12  latency percentiles are over completed requests; attainment counts the others that ended as misses, and of those in flight
 *           at the horizon the ones that a target has passed already: an overloaded pool would look the better the longer its queue.
 * Only requests first sent at t ≥ 0 count (the warm-up is left out), but what comes out at t ≥ 0 is a throughput of its own, whenever it
 * was sent: of a pool with a backlog the requests sent since t = 0 alone would say too little. `sent` is booked in the hour of the first send,
 * everything else in the hour in which it happened. Times in simulated seconds.
 */
import { Sketch } from "../kernel/sketch.ts";
import { MinuteWindows } from "./minute-windows.ts";
import type { WindowTable } from "./series.ts";

export const COMPLETED = 0;
export const REJECTED = 1;
export const TIMED_OUT = 2;
export const FAILED = 3;
export const BOUNDARY_REFUSED = 4;
/** No end, so that no counter of a cell stands for it: rows alone have it. */
export const IN_FLIGHT_AT_HORIZON = 5;
export const OUTCOME_NAMES = [
  "completed",
  "rejected",
  "timed-out",
  "failed",
  "boundary-refused",
  "in-flight-at-horizon",
] as const;

// Counters of a cell, in the order of its columns.
const SENT = 5;
const RETRIED = 6;
const RATE_LIMITED = 7;
const SLO_MET = 8;
const INPUT_TOKENS = 9;
const OUTPUT_TOKENS = 10;
const OVERFLOWED = 11;
const BLOCKED_BY_BOUNDARY = 12;
const REDACTED = 13;
const NOT_CLEANABLE = 14;
const REASONING_TOKENS = 15;
// In totals alone: requests of the warm-up that ended at t ≥ 0, and those in flight at the horizon that miss their targets for certain.
const EARLIER_COMPLETED = 16;
const EARLIER_MET = 17;
const EARLIER_OUTPUT_TOKENS = 18;
const OVERDUE_AT_HORIZON = 19;
const COUNTERS = 20;

/** SLO targets of a class in seconds; Infinity = none. */
export interface Targets {
  readonly ttftS: number;
  readonly tpotS: number;
  readonly e2eS: number;
}

/** Whether a completed request met the targets of its class; `tpotS` is NaN for a single token. */
export function isMet(target: Targets, ttftS: number, tpotS: number, e2eS: number): boolean {
  return ttftS <= target.ttftS && !(tpotS > target.tpotS) && e2eS <= target.e2eS;
}

/** Receives one row per request when the user asked for them: as it ends, and at the horizon for those that have not. */
export interface RequestRows {
  row(
    request: number,
    sentS: number,
    classIndex: number,
    route: number,
    inputTokens: number,
    outputTokens: number,
    ttftS: number,
    tpotS: number,
    e2eS: number,
    outcome: number,
    attempts: number,
    reasoningTokens: number,
  ): void;
}

/** Class × route. Totals over the run plus what the current hour has seen. */
class Cell {
  readonly totals = new Float64Array(COUNTERS);
  readonly hour = new Float64Array(COUNTERS);
  readonly ttftS = new Sketch();
  readonly tpotS = new Sketch();
  readonly e2eS = new Sketch();
  readonly hourTtftS = new Sketch();
  readonly hourTpotS = new Sketch();
  readonly hourE2eS = new Sketch();

  closeHour(): void {
    for (let i = 0; i < COUNTERS; i++) {
      this.totals[i] += this.hour[i];
      this.hour[i] = 0;
    }
    for (const [total, hour] of [
      [this.ttftS, this.hourTtftS],
      [this.tpotS, this.hourTpotS],
      [this.e2eS, this.hourE2eS],
    ] as const) {
      total.merge(hour);
      hour.clear();
    }
  }
}

/** Totals of one class. */
export interface ClassTotals {
  readonly sent: number;
  readonly completed: number;
  readonly rejected: number;
  readonly timedOut: number;
  readonly failed: number;
  readonly boundaryRefused: number;
  readonly retried: number;
  readonly rateLimited: number;
  readonly overflowed: number;
  readonly sloMet: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Part of the output that was thinking, which the user does not see. */
  readonly reasoningTokens: number;
  /** Of requests sent in the warm-up and answered after it, which count for throughput alone. */
  readonly earlierCompleted: number;
  readonly earlierMet: number;
  readonly earlierOutputTokens: number;
  /**
   * Requests that every permitted target refused at once while a target that the boundary bars would have taken them; each
   * counts once, whatever became of it.
   */
  readonly blockedByBoundary: number;
  /** Requests that went through the redaction step, and those of them that it could not clean. */
  readonly redacted: number;
  readonly notCleanable: number;
  /** In flight at the horizon with a target that has passed: no first token in the time for it, or no end in the time for that. */
  readonly overdueAtHorizon: number;
}

/**
 * SLO attainment: met ÷ (completed + rejected + timed out + failed + overdue at the horizon). Boundary refusals stand outside, and
 * what is in flight and may still meet its targets. NaN where there was none.
 */
export function attainment(totals: ClassTotals): number {
  return (
    totals.sloMet / (totals.completed + totals.rejected + totals.timedOut + totals.failed + totals.overdueAtHorizon)
  );
}

/** The route column of requests that reached no target. */
export const NO_ROUTE = 0;

export class Recorder {
  readonly windows: WindowTable = {
    hour: [],
    classIndex: [],
    route: [],
    sent: [],
    completed: [],
    rejected: [],
    timedOut: [],
    failed: [],
    boundaryRefused: [],
    retried: [],
    rateLimited: [],
    sloMet: [],
    inputTokens: [],
    outputTokens: [],
    reasoningTokens: [],
    blockedByBoundary: [],
    redacted: [],
    notCleanable: [],
    ttftMsP50: [],
    ttftMsP95: [],
    ttftMsP99: [],
    tpotMsP99: [],
    e2eMsP99: [],
  };
  /** Of the request that `completed` is about to be told of, as its client saw them; `tpotS` is NaN for a single token. */
  request = 0.5;
  sentS = 0.5;
  ttftS = 0.5;
  tpotS = 0.5;
  e2eS = 0.5;
  reasoningTokens = 0;
  private readonly cells: Cell[] = [];
  private readonly routes: readonly string[];
  private readonly targets: readonly Targets[];
  private readonly rows: RequestRows | null;
  private readonly horizonS: number;
  /** Requests and met ones by class and minute of the first send. */
  private readonly minutes: number;
  private readonly ended: Uint32Array;
  private readonly met: Uint32Array;

  /** `routes` names the targets from 1 on; route 0 stands for none. */
  constructor(targets: readonly Targets[], routes: readonly string[], horizonS: number, rows: RequestRows | null) {
    this.targets = targets;
    this.routes = ["", ...routes];
    this.rows = rows;
    this.horizonS = horizonS;
    for (let i = 0; i < targets.length * this.routes.length; i++) this.cells.push(new Cell());
    this.minutes = Math.ceil(horizonS / 60);
    this.ended = new Uint32Array(this.minutes * targets.length);
    this.met = new Uint32Array(this.minutes * targets.length);
  }

  sent(classIndex: number, sentS: number): void {
    if (sentS >= 0) this.cell(classIndex, NO_ROUTE).hour[SENT]++;
  }

  retried(classIndex: number, route: number, sentS: number): void {
    if (sentS >= 0) this.cell(classIndex, route).hour[RETRIED]++;
  }

  rateLimited(classIndex: number, route: number, sentS: number): void {
    if (sentS >= 0) this.cell(classIndex, route).hour[RATE_LIMITED]++;
  }

  overflowed(classIndex: number, route: number, sentS: number): void {
    if (sentS >= 0) this.cell(classIndex, route).hour[OVERFLOWED]++;
  }

  blockedByBoundary(classIndex: number, sentS: number): void {
    if (sentS >= 0) this.cell(classIndex, NO_ROUTE).hour[BLOCKED_BY_BOUNDARY]++;
  }

  redacted(classIndex: number, sentS: number, clean: boolean): void {
    if (sentS < 0) return;
    const { hour } = this.cell(classIndex, NO_ROUTE);
    hour[REDACTED]++;
    if (!clean) hour[NOT_CLEANABLE]++;
  }

  /** A request got all its tokens, with the times in the fields above. */
  completed(classIndex: number, route: number, inputTokens: number, outputTokens: number, attempts: number): void {
    const { sentS, ttftS, tpotS, e2eS } = this;
    const cell = this.cell(classIndex, route);
    if (sentS < 0) {
      if (sentS + e2eS < 0) return;
      cell.totals[EARLIER_COMPLETED]++;
      cell.totals[EARLIER_OUTPUT_TOKENS] += outputTokens;
      if (isMet(this.targets[classIndex], ttftS, tpotS, e2eS)) cell.totals[EARLIER_MET]++;
      return;
    }
    const hour = cell.hour;
    hour[COMPLETED]++;
    hour[INPUT_TOKENS] += inputTokens;
    hour[OUTPUT_TOKENS] += outputTokens;
    hour[REASONING_TOKENS] += this.reasoningTokens;
    cell.hourTtftS.add(ttftS, 1);
    cell.hourE2eS.add(e2eS, 1);
    if (tpotS === tpotS) cell.hourTpotS.add(tpotS, 1);
    const target = this.targets[classIndex];
    const minute = classIndex * this.minutes + Math.floor(sentS / 60);
    this.ended[minute]++;
    if (isMet(target, ttftS, tpotS, e2eS)) {
      hour[SLO_MET]++;
      this.met[minute]++;
    }
    if (this.rows !== null)
      this.rows.row(
        this.request,
        sentS,
        classIndex,
        route,
        inputTokens,
        outputTokens,
        ttftS,
        tpotS,
        e2eS,
        COMPLETED,
        attempts,
        this.reasoningTokens,
      );
  }

  /** A request, `request` and `sentS` in the fields above, ended any other way. */
  unanswered(classIndex: number, route: number, inputTokens: number, outcome: number, attempts: number): void {
    const { sentS } = this;
    if (sentS < 0) return;
    this.cell(classIndex, route).hour[outcome]++;
    if (outcome !== BOUNDARY_REFUSED) this.ended[classIndex * this.minutes + Math.floor(sentS / 60)]++;
    this.rowWithoutAnswer(classIndex, route, inputTokens, 0, outcome, attempts, 0);
  }

  /**
   * A request, `request`, `sentS` and `reasoningTokens` in the fields above, has not ended at the horizon. Counted elsewhere (INV-1),
   * here only if it is overdue; `outputTokens` are those that it will have been billed, `begun` whether its first token has come.
   */
  inFlightAtHorizon(
    classIndex: number,
    route: number,
    inputTokens: number,
    outputTokens: number,
    attempts: number,
    begun: boolean,
  ): void {
    const { sentS, reasoningTokens } = this;
    if (sentS < 0) return;
    const { ttftS, e2eS } = this.targets[classIndex];
    const ageS = this.horizonS - sentS;
    if (ageS > e2eS || (!begun && ageS > ttftS)) {
      this.cell(classIndex, route).totals[OVERDUE_AT_HORIZON]++;
      this.ended[classIndex * this.minutes + Math.floor(sentS / 60)]++;
    }
    this.rowWithoutAnswer(
      classIndex,
      route,
      inputTokens,
      outputTokens,
      IN_FLIGHT_AT_HORIZON,
      attempts,
      reasoningTokens,
    );
  }

  private rowWithoutAnswer(
    classIndex: number,
    route: number,
    inputTokens: number,
    outputTokens: number,
    outcome: number,
    attempts: number,
    reasoningTokens: number,
  ): void {
    if (this.rows === null) return;
    const { request, sentS } = this;
    this.rows.row(
      request,
      sentS,
      classIndex,
      route,
      inputTokens,
      outputTokens,
      NaN,
      NaN,
      NaN,
      outcome,
      attempts,
      reasoningTokens,
    );
  }

  /** Writes the rows of the hour that ends now and adds it to the totals. */
  closeHour(hour: number): void {
    const windows = this.windows;
    for (let c = 0; c < this.targets.length; c++) {
      for (let r = 0; r < this.routes.length; r++) {
        const cell = this.cell(c, r);
        const counts = cell.hour;
        if (counts.some((count) => count > 0)) {
          windows.hour.push(hour);
          windows.classIndex.push(c);
          windows.route.push(this.routes[r]);
          windows.sent.push(counts[SENT]);
          windows.completed.push(counts[COMPLETED]);
          windows.rejected.push(counts[REJECTED]);
          windows.timedOut.push(counts[TIMED_OUT]);
          windows.failed.push(counts[FAILED]);
          windows.boundaryRefused.push(counts[BOUNDARY_REFUSED]);
          windows.retried.push(counts[RETRIED]);
          windows.rateLimited.push(counts[RATE_LIMITED]);
          windows.sloMet.push(counts[SLO_MET]);
          windows.inputTokens.push(counts[INPUT_TOKENS]);
          windows.outputTokens.push(counts[OUTPUT_TOKENS]);
          windows.reasoningTokens.push(counts[REASONING_TOKENS]);
          windows.blockedByBoundary.push(counts[BLOCKED_BY_BOUNDARY]);
          windows.redacted.push(counts[REDACTED]);
          windows.notCleanable.push(counts[NOT_CLEANABLE]);
          windows.ttftMsP50.push(milliseconds(cell.hourTtftS, 0.5));
          windows.ttftMsP95.push(milliseconds(cell.hourTtftS, 0.95));
          windows.ttftMsP99.push(milliseconds(cell.hourTtftS, 0.99));
          windows.tpotMsP99.push(milliseconds(cell.hourTpotS, 0.99));
          windows.e2eMsP99.push(milliseconds(cell.hourE2eS, 0.99));
        }
        cell.closeHour();
      }
    }
  }

  /** Totals of a class over all routes, or over one. Call after the last `closeHour`. */
  totals(classIndex: number, route: number | null): ClassTotals {
    const sum = new Float64Array(COUNTERS);
    for (let r = 0; r < this.routes.length; r++) {
      if (route !== null && r !== route) continue;
      const totals = this.cell(classIndex, r).totals;
      for (let i = 0; i < COUNTERS; i++) sum[i] += totals[i];
    }
    return {
      sent: sum[SENT],
      completed: sum[COMPLETED],
      rejected: sum[REJECTED],
      timedOut: sum[TIMED_OUT],
      failed: sum[FAILED],
      boundaryRefused: sum[BOUNDARY_REFUSED],
      retried: sum[RETRIED],
      rateLimited: sum[RATE_LIMITED],
      overflowed: sum[OVERFLOWED],
      sloMet: sum[SLO_MET],
      inputTokens: sum[INPUT_TOKENS],
      outputTokens: sum[OUTPUT_TOKENS],
      reasoningTokens: sum[REASONING_TOKENS],
      earlierCompleted: sum[EARLIER_COMPLETED],
      earlierMet: sum[EARLIER_MET],
      earlierOutputTokens: sum[EARLIER_OUTPUT_TOKENS],
      blockedByBoundary: sum[BLOCKED_BY_BOUNDARY],
      redacted: sum[REDACTED],
      notCleanable: sum[NOT_CLEANABLE],
      overdueAtHorizon: sum[OVERDUE_AT_HORIZON],
    };
  }

  /** Latency of a class over all routes. */
  latency(classIndex: number): { ttftS: Sketch; tpotS: Sketch; e2eS: Sketch } {
    const all = { ttftS: new Sketch(), tpotS: new Sketch(), e2eS: new Sketch() };
    for (let r = 0; r < this.routes.length; r++) {
      const cell = this.cell(classIndex, r);
      all.ttftS.merge(cell.ttftS);
      all.tpotS.merge(cell.tpotS);
      all.e2eS.merge(cell.e2eS);
    }
    return all;
  }

  /** Share of one-minute windows that meet the targets, as `MinuteWindows` counts them; NaN when there was none. */
  attainmentWindows(classIndex: number, targetFraction: number): number {
    const counted = new MinuteWindows(targetFraction);
    for (let m = classIndex * this.minutes, end = m + this.minutes; m < end; m++)
      counted.add(this.ended[m], this.met[m], m === end - 1);
    return counted.good / counted.windows;
  }

  private cell(classIndex: number, route: number): Cell {
    return this.cells[classIndex * this.routes.length + route];
  }
}

function milliseconds(sketch: Sketch, q: number): number | null {
  const seconds = sketch.quantile(q);
  return seconds !== seconds ? null : seconds * 1000;
}
