/**
 * What a pool needs of a replica, whichever engine runs in it. Times in simulated seconds.
 *
 *   HO-1  both sides of a hand-off run an engine that takes part in one.
 */
import { InvariantError } from "../kernel/errors.ts";

export interface ReplicaEngine {
  /** End of the step or stretch under way; Infinity when idle. */
  readonly dueS: number;
  readonly waitingCount: number;
  readonly inFlight: number;
  /** Between two steps: `form` is due. */
  readonly atBoundary: boolean;
  /** Puts a request into the waiting queue at `attemptS` of its slot. True when `dueS` changed. */
  enqueue(slot: number): boolean;
  /**
   * The client gave up. True when the slot is the caller's again at once; else it leaves through `sink.dropped`. `dueS` may change, and
   * the replica may stand at a boundary then.
   */
  cancel(slot: number, nowS: number): boolean;
  /** The replica dies with all that is in it. */
  fail(nowS: number): void;
  /** Ends the step or stretch under way, at `dueS`. */
  finish(): void;
  /** Forms the next step at the boundary `dueS`; afterwards `dueS` is its end, or Infinity. */
  form(): void;
  /** Ends a stretch of steps at its first boundary at or after `timeS`. True when `dueS` changed. */
  cutStretch(timeS: number): boolean;
  /** Books busy time and integrals up to `timeS`, which lies within the step under way. */
  bookUntil(timeS: number): void;
}

/** One that takes part in hand-offs, on either side. */
export interface HandOffEngine extends ReplicaEngine {
  /** Puts a request into the waiting queue whose prompt another replica has computed. True when `dueS` changed. */
  takeOver(slot: number): boolean;
  /** The keys and values of a request that was handed on are read: they are given up. True when that makes work. */
  letGo(slot: number, nowS: number): boolean;
}

/** Throws an InvariantError for another engine. */
export function handOffEngine(engine: ReplicaEngine): HandOffEngine {
  if (!("takeOver" in engine && "letGo" in engine))
    throw new InvariantError("HO-1", { engine: engine.constructor.name });
  return engine as HandOffEngine;
}
