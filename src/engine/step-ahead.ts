/**
 * A replica whose engine forms each step while the one before it runs (vLLM's asynchronous scheduling, its default since 0.14): who comes
 * during a step finds the next one formed already and joins the one after. An engine with nothing else to run takes it at once.
 *
 * The queue of the replica inside gets a request only when a step has been formed without it, so that each engine keeps its rules and
 * its leaps. What a step sets free (seats, KV blocks) is given away at its end as ever: an engine that runs ahead does
 * so one step later, which shows at saturation only and is left out.
 */
import type { ReplicaEngine } from "./replica-engine.ts";
import type { RequestTable } from "./request-table.ts";
import type { SchedulerSpec } from "./scheduler-spec.ts";
import type { EngineSpec } from "./spec.ts";

/** Policies under which a replica never rests while it has requests, so that the next step is always formed ahead. */
const NEVER_REST: readonly string[] = ["chunked", "continuous"];

/** Whether a replica forms steps ahead: where its engine does, under policies that never rest. */
export function formsStepsAhead(
  { schedulesAhead }: Pick<EngineSpec, "schedulesAhead">,
  scheduler: SchedulerSpec,
): boolean {
  return schedulesAhead === true && scheduler.role === "both" && NEVER_REST.includes(scheduler.batching.name);
}

/** `replica` itself, or with steps formed ahead where the engine does so. */
export function withStepAhead(
  replica: ReplicaEngine,
  spec: EngineSpec,
  scheduler: SchedulerSpec,
  table: RequestTable,
  lost: (slot: number) => void,
): ReplicaEngine {
  return formsStepsAhead(spec, scheduler) ? new StepAhead(replica, table, lost) : replica;
}

class StepAhead implements ReplicaEngine {
  private readonly inner: ReplicaEngine;
  private readonly table: RequestTable;
  private readonly lost: (slot: number) => void;
  /** Came during the step under way, in order. */
  private readonly late: number[] = [];

  constructor(inner: ReplicaEngine, table: RequestTable, lost: (slot: number) => void) {
    this.inner = inner;
    this.table = table;
    this.lost = lost;
  }

  get dueS(): number {
    return this.inner.dueS;
  }

  get waitingCount(): number {
    return this.inner.waitingCount + this.late.length;
  }

  get inFlight(): number {
    return this.inner.inFlight + this.late.length;
  }

  get atBoundary(): boolean {
    return this.inner.atBoundary;
  }

  enqueue(slot: number): boolean {
    if (this.nothingRuns) return this.inner.enqueue(slot);
    this.late.push(slot);
    return this.inner.cutStretch(this.table.attemptS[slot]!);
  }

  cancel(slot: number, nowS: number): boolean {
    const i = this.late.indexOf(slot);
    if (i < 0) return this.inner.cancel(slot, nowS);
    this.late.splice(i, 1);
    return true;
  }

  fail(nowS: number): void {
    const late = this.late.splice(0);
    this.inner.fail(nowS);
    for (const slot of late) this.lost(slot);
  }

  finish(): void {
    this.inner.finish();
  }

  form(): void {
    if (this.nothingRuns) this.letIn();
    this.inner.form();
    if (this.late.length > 0) this.letIn();
  }

  bookUntil(timeS: number): void {
    this.inner.bookUntil(timeS);
  }

  cutStretch(timeS: number): boolean {
    return this.inner.cutStretch(timeS);
  }

  private get nothingRuns(): boolean {
    return this.inner.inFlight === this.inner.waitingCount;
  }

  private letIn(): void {
    for (const slot of this.late.splice(0)) this.inner.enqueue(slot);
  }
}
