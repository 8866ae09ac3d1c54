/** What the parts of one run share: the clock, the requests in flight, what is to come, and the books. Simulated seconds, t = 0 after the warm-up. */
import { AT_OFFER, IN_POOL, IN_TRANSIT, RequestTable } from "../engine/request-table.ts";
import { EventHeap } from "../kernel/event-heap.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { Deadlines } from "./deadlines.ts";

// Control events in their order at one instant; step ends come after INCIDENT, arrivals after RETRY.
export const WINDOW_EDGE = 0;
export const INCIDENT = 1;
export const RESTORE = 2;
export const ANSWER_END = 3;
/** The KV of a request has reached the pool that goes on with it. */
export const HAND_OVER = 4;
export const RETRY = 5;
export const GIVE_UP = 6;
/** A client's limit for one attempt; its user's patience; the time of a second attempt; the first token of one of two. */
export const ATTEMPT_END = 7;
export const ABANDON = 8;
export const HEDGE_DUE = 9;
export const RACE_END = 10;
/** Later than all of them. */
export const NO_EVENT = 11;

export class RunState {
  nowS: number;
  readonly table = new RequestTable();
  readonly control = new EventHeap();
  readonly traffic: Traffic;
  readonly deadlines: Deadlines;

  /** `patienceS` by class; nothing happens before `startS`. */
  constructor(traffic: Traffic, patienceS: readonly number[], startS: number) {
    this.nowS = startS;
    this.traffic = traffic;
    this.deadlines = new Deadlines(this.table, patienceS, startS);
  }

  /** No arrival, retry or time-out of this very instant is still to come: a step may be formed at once. */
  nothingElseNow(): boolean {
    const nowS = this.nowS;
    return this.traffic.timeS > nowS && this.control.firstTimeS > nowS && this.deadlines.nextS > nowS;
  }

  /** Tokens of an answer before the first one that its user sees; of an answer that is all thinking all but the last. */
  unseenTokens(slot: number): number {
    const { reasoningTokens, outputTokens } = this.table;
    return Math.min(reasoningTokens[slot], outputTokens[slot] - 1);
  }

  /** Tells the attempt that runs in `slot` from later ones in it. */
  attemptTag(slot: number): number {
    return this.table.ordinal[slot] * 65_536 + this.table.attempts[slot];
  }

  /** Does the attempt still run that had this tag? */
  isRunning(slot: number, tag: number): boolean {
    const where = this.table.where[slot];
    return (where === IN_POOL || where === AT_OFFER || where === IN_TRANSIT) && this.attemptTag(slot) === tag;
  }

  /** The request in another slot as well, which has no attempt yet. */
  copy(slot: number): number {
    const { table } = this;
    const other = table.take();
    table.ordinal[other] = table.ordinal[slot];
    table.sentS[other] = table.sentS[slot];
    table.deadlineS[other] = table.deadlineS[slot];
    table.classIndex[other] = table.classIndex[slot];
    table.inputTokens[other] = table.inputTokens[slot];
    table.outputTokens[other] = table.outputTokens[slot];
    table.maxOutputTokens[other] = table.maxOutputTokens[slot];
    table.reasoningTokens[other] = table.reasoningTokens[slot];
    table.redacted[other] = table.redacted[slot];
    table.blocked[other] = table.blocked[slot];
    table.attempts[other] = table.attempts[slot];
    table.turnedAway[other] = table.turnedAway[slot];
    table.retries[other] = table.retries[slot];
    return other;
  }
}
