/** For whoever wants to see why: a replica tells its observer of every step or stretch. Absent, it costs nothing. */
import type { Batch } from "./batch.ts";
import type { RequestTable } from "./request-table.ts";

/** What an observer may look at, and must not change. */
export interface ObservedReplica {
  readonly batch: Batch;
  readonly table: RequestTable;
  /** Start and planned end of what is under way, and its steps; an arrival may still cut it short. */
  readonly startS: number;
  readonly dueS: number;
  readonly plannedSteps: number;
  /** Preemptions since the last step was told; who was sent away may be back already. */
  readonly preempted: number;
}

export interface StepObserver {
  /** A step, or several planned together, have just been formed. */
  formed(replica: ObservedReplica): void;
  /** After `steps` of them, at `endS`; what ended with the last one has left the batch. 0 when the replica failed in the first. */
  ended(replica: ObservedReplica, endS: number, steps: number): void;
  /** Nothing is under way from `nowS` on: idle, failed, or waiting by the policy's wish; told again when the queue changes meanwhile. */
  rested(replica: ObservedReplica, nowS: number): void;
}
