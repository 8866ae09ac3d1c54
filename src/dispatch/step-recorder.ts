/**
 * Writes down the steps of a run as its replicas form them, up to a number of rows, and what each request did meanwhile.
 * Memory follows the rows. Warm-up is left out.
 */
import { CANCELLED, DECODING, WAITING } from "../engine/batch.ts";
import { NOWHERE, type RequestTable } from "../engine/request-table.ts";
import type { ObservedReplica, StepObserver } from "../engine/step-observer.ts";
import type { RestTable, SpanTable, StepRecord, StepTable } from "../outcome/step-table.ts";
import type { ResolvedStrategy } from "../scenario/resolved.ts";

export type StepSelection =
  /** The first so many rows of all replicas of a strategy. */
  | { readonly kind: "first"; readonly count: number }
  /** Those of one replica of each pool, by its number from 0. */
  | { readonly kind: "replica"; readonly replica: number };

/** Rows of `replica:i`, so that a month of steps does not fill the memory. */
const MOST_ROWS = 100_000;

/** Thrown through the run when all rows are in: the rest of it is of no interest. */
export class StepsSeen extends Error {}

export class StepRecorder {
  readonly record: StepRecord;
  private readonly selection: StepSelection;
  private readonly strategy: ResolvedStrategy;
  private readonly classNames: readonly string[];
  private readonly observers: ReplicaObserver[] = [];
  private rowsLeft: number;
  private open = 0;

  constructor(
    strategy: ResolvedStrategy,
    classNames: readonly string[],
    replication: number,
    selection: StepSelection,
  ) {
    this.selection = selection;
    this.strategy = strategy;
    this.classNames = classNames;
    this.rowsLeft = selection.kind === "first" ? selection.count : MOST_ROWS;
    this.record = { strategy: strategy.name, replication, steps: noSteps(), spans: noSpans(), rests: noRests() };
  }

  /** For the run: who watches a replica; null when nobody does. */
  readonly observe = (pool: string, replica: number): StepObserver | null => {
    if (this.selection.kind === "replica" && this.selection.replica !== replica) return null;
    const { batching, order } = this.strategy.pools.find(({ name }) => name === pool)!.scheduler;
    const observer = new ReplicaObserver(this, pool, replica, `${batching.name}, ${order.name}`, this.classNames);
    this.observers.push(observer);
    return observer;
  };

  /** A place for one more row; false when all are taken. */
  takeRow(): boolean {
    if (this.rowsLeft === 0) return false;
    this.rowsLeft--;
    this.open++;
    return true;
  }

  /** Throws StepsSeen after the last row. */
  rowEnded(): void {
    this.open--;
    if (this.rowsLeft > 0 || this.open > 0) return;
    throw new StepsSeen();
  }

  /** Ends what is still open, at the end of what was seen of its replica. */
  close(horizonS: number): void {
    for (const observer of this.observers) observer.close(horizonS);
  }
}

interface Stay {
  readonly slot: number;
  readonly classIndex: number;
  phase: "prefill" | "decode" | "preempted";
  sinceS: number;
}

/** What a replica holds while no step is under way. */
interface Rest {
  readonly waiting: number;
  readonly kvBlocksUsed: number;
  readonly kvBlocksCached: number;
}

class ReplicaObserver implements StepObserver {
  private readonly recorder: StepRecorder;
  private readonly pool: string;
  private readonly replica: number;
  private readonly policy: string;
  private readonly classNames: readonly string[];
  /** Requests in the batch or preempted from it, by number. */
  private readonly stays = new Map<number, Stay>();
  /** Row of the step under way; −1 when it is not recorded. */
  private row = -1;
  private seenUntilS = -Infinity;
  /** No row was left for it. */
  private done = false;
  /** It rests since the warm-up: what is to be told of it at t = 0. */
  private early: Rest | null = null;

  constructor(recorder: StepRecorder, pool: string, replica: number, policy: string, classNames: readonly string[]) {
    this.recorder = recorder;
    this.pool = pool;
    this.replica = replica;
    this.policy = policy;
    this.classNames = classNames;
  }

  formed(of: ObservedReplica): void {
    const { batch, startS } = of;
    this.row = -1;
    if (this.done) return;
    // Who runs already when the warm-up ends is known by then.
    const { admitted, preempted } = this.compareBatch(of);
    this.flushEarly(startS);
    if (startS < 0) return;
    this.done = !this.recorder.takeRow();
    if (this.done) return;
    const rows = this.recorder.record.steps;
    let prefillSeqs = 0;
    for (let i = 0; i < batch.prefillCount; i++) if (batch.plans(batch.prefills[i])) prefillSeqs++;
    this.row = rows.pool.push(this.pool) - 1;
    rows.replica.push(this.replica);
    rows.policy.push(this.policy);
    rows.startS.push(startS);
    rows.endS.push(of.dueS);
    rows.steps.push(of.plannedSteps);
    rows.decodeSeqs.push(batch.decodeCount);
    rows.prefillSeqs.push(prefillSeqs);
    rows.prefillTokens.push(batch.prefillTokens);
    rows.contextTokens.push(batch.decodeContext);
    rows.budgetUsedTokens.push(batch.maxNumBatchedTokens - batch.budgetTokens);
    rows.budgetTokens.push(batch.maxNumBatchedTokens);
    rows.running.push(batch.runningCount);
    rows.waiting.push(batch.waitingCount);
    rows.kvBlocksUsed.push(batch.kvBlocks - batch.freeBlocks);
    rows.kvBlocksFree.push(batch.freeBlocks);
    rows.kvBlocksCached.push(batch.cached?.cache.kept ?? 0);
    // Who was sent away and came back at once is in the batch, as before.
    rows.admitted.push(admitted + Math.max(0, of.preempted - preempted));
    rows.preempted.push(Math.max(preempted, of.preempted));
    rows.finished.push(0);
    rows.transferS.push(batch.host.transferS);
    rows.queueHead.push(batch.waitingCount === 0 ? null : of.table.ordinal[batch.firstWaiting()]);
  }

  ended(of: ObservedReplica, endS: number, steps: number): void {
    if (this.done) return;
    const { batch, table } = of;
    const running = new Set<number>();
    for (let i = 0; i < batch.runningCount; i++) {
      const slot = batch.slots[i];
      running.add(table.ordinal[slot]);
      const stay = this.stays.get(table.ordinal[slot]);
      if (stay?.phase === "prefill" && isDecoding(table, slot)) this.turn(table.ordinal[slot], stay, "decode", endS);
    }
    let finished = 0;
    for (const [request, stay] of this.stays) {
      if (stay.phase === "preempted" || running.has(request)) continue;
      this.leave(request, stay, endS);
      finished++;
    }
    this.seenUntilS = endS;
    if (this.row < 0) return;
    const rows = this.recorder.record.steps;
    rows.endS[this.row] = endS;
    rows.steps[this.row] = steps;
    rows.finished[this.row] = finished;
    this.row = -1;
    this.recorder.rowEnded();
  }

  rested({ batch }: ObservedReplica, nowS: number): void {
    if (this.done) return;
    this.flushEarly(nowS);
    const rest = {
      waiting: batch.waitingCount,
      kvBlocksUsed: batch.kvBlocks - batch.freeBlocks,
      kvBlocksCached: batch.cached?.cache.kept ?? 0,
    };
    if (nowS < 0) this.early = rest;
    else this.rest(rest, nowS);
  }

  /** A rest of the warm-up that lasts beyond its end begins there. */
  private flushEarly(untilS: number): void {
    if (this.early !== null && untilS > 0) this.rest(this.early, 0);
    this.early = null;
  }

  private rest({ waiting, kvBlocksUsed, kvBlocksCached }: Rest, atS: number): void {
    const { rests } = this.recorder.record;
    rests.pool.push(this.pool);
    rests.replica.push(this.replica);
    rests.atS.push(atS);
    rests.waiting.push(waiting);
    rests.kvBlocksUsed.push(kvBlocksUsed);
    rests.kvBlocksCached.push(kvBlocksCached);
  }

  close(horizonS: number): void {
    this.flushEarly(horizonS);
    const untilS = this.row < 0 ? this.seenUntilS : horizonS;
    if (this.row >= 0) {
      const { endS } = this.recorder.record.steps;
      endS[this.row] = Math.min(endS[this.row], horizonS);
    }
    for (const [request, stay] of this.stays) this.leave(request, stay, Math.max(stay.sinceS, untilS));
  }

  /** Who joined and who was sent away since the last step. */
  private compareBatch({ batch, table, startS }: ObservedReplica): { admitted: number; preempted: number } {
    let admitted = 0;
    let preempted = 0;
    const running = new Set<number>();
    for (let i = 0; i < batch.runningCount; i++) {
      const slot = batch.slots[i];
      const request = table.ordinal[slot];
      running.add(request);
      const phase = isDecoding(table, slot) ? "decode" : "prefill";
      const stay = this.stays.get(request);
      if (stay === undefined) {
        admitted++;
        const classIndex = table.classIndex[slot];
        this.span(request, classIndex, "queued", table.attemptS[slot], startS);
        this.stays.set(request, { slot, classIndex, phase, sinceS: startS });
      } else if (stay.phase === "preempted") {
        admitted++;
        this.turn(request, stay, phase, startS);
      } else if (stay.phase === "decode" && phase === "prefill") this.turn(request, stay, phase, startS);
    }
    for (const [request, stay] of this.stays) {
      if (running.has(request)) continue;
      const waits =
        table.ordinal[stay.slot] === request &&
        table.where[stay.slot] !== NOWHERE &&
        table.state[stay.slot] === WAITING;
      if (!waits) this.leave(request, stay, startS);
      else if (stay.phase !== "preempted") {
        preempted++;
        this.turn(request, stay, "preempted", startS);
      }
    }
    return { admitted, preempted };
  }

  private turn(request: number, stay: Stay, phase: Stay["phase"], nowS: number): void {
    this.span(request, stay.classIndex, stay.phase, stay.sinceS, nowS);
    stay.phase = phase;
    stay.sinceS = nowS;
  }

  private leave(request: number, stay: Stay, nowS: number): void {
    this.span(request, stay.classIndex, stay.phase, stay.sinceS, nowS);
    this.stays.delete(request);
  }

  private span(request: number, classIndex: number, phase: string, fromS: number, endS: number): void {
    const startS = Math.max(0, fromS);
    if (!(endS > startS)) return;
    const spans = this.recorder.record.spans;
    spans.pool.push(this.pool);
    spans.replica.push(this.replica);
    spans.request.push(request);
    spans.className.push(this.classNames[classIndex]);
    spans.phase.push(phase);
    spans.startS.push(startS);
    spans.endS.push(endS);
  }
}

function isDecoding(table: RequestTable, slot: number): boolean {
  return (table.state[slot] & ~CANCELLED) === DECODING;
}

function noRests(): RestTable {
  return { pool: [], replica: [], atS: [], waiting: [], kvBlocksUsed: [], kvBlocksCached: [] };
}

function noSpans(): SpanTable {
  return { pool: [], replica: [], request: [], className: [], phase: [], startS: [], endS: [] };
}

function noSteps(): StepTable {
  return {
    pool: [],
    replica: [],
    policy: [],
    startS: [],
    endS: [],
    steps: [],
    decodeSeqs: [],
    prefillSeqs: [],
    prefillTokens: [],
    contextTokens: [],
    budgetUsedTokens: [],
    budgetTokens: [],
    running: [],
    waiting: [],
    kvBlocksUsed: [],
    kvBlocksFree: [],
    kvBlocksCached: [],
    admitted: [],
    preempted: [],
    finished: [],
    transferS: [],
    queueHead: [],
  };
}
