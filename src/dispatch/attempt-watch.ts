/**
 * What a client does about an attempt that runs at a pool: it ends it at its own limit, or its user leaves before the first token.
 * (Of an attempt at an offer all times are known when it starts, see `offer-side.ts`.) Simulated seconds.
 */
import { TIMED_OUT } from "../outcome/recorder.ts";
import { ABANDONED, ATTEMPT_TIMED_OUT } from "./attempt-log.ts";
import type { PoolSide } from "./pool-side.ts";
import type { RequestDesk } from "./request-desk.ts";
import { targetOfRoute } from "./run-book.ts";
import { ABANDON, ATTEMPT_END, type RunState } from "./run-state.ts";

export class AttemptWatch {
  private readonly state: RunState;
  private readonly desk: RequestDesk;
  private readonly poolSide: PoolSide;
  private readonly attemptTimeoutS: number;

  constructor(state: RunState, desk: RequestDesk, poolSide: PoolSide) {
    this.state = state;
    this.desk = desk;
    this.poolSide = poolSide;
    this.attemptTimeoutS = desk.client.attemptTimeoutS ?? Infinity;
  }

  /** A pool has taken the request in `slot` now. */
  start(slot: number): void {
    const { table, control, nowS } = this.state;
    const endS = nowS + this.attemptTimeoutS;
    const deadlineS = table.deadlineS[slot];
    if (endS < deadlineS) control.push(endS, ATTEMPT_END, slot, this.state.attemptTag(slot));
    const { patience } = this.desk;
    if (patience === null) return;
    // Of the answer before in this slot.
    table.firstTokenS[slot] = Infinity;
    const leavesS = Math.max(nowS, table.sentS[slot] + patience.ofS(table.ordinal[slot]));
    if (leavesS < deadlineS) control.push(leavesS, ABANDON, slot, this.state.attemptTag(slot));
  }

  attemptEnds(slot: number, tag: number): void {
    const { state, desk, poolSide } = this;
    if (!state.isRunning(slot, tag)) return;
    const route = poolSide.routeOf(slot);
    const left = poolSide.cancel(slot);
    desk.noteFailure(route, ATTEMPT_TIMED_OUT);
    if (desk.hedges !== null && desk.hedges.leaves(slot)) {
      if (left) state.table.release(slot);
      return;
    }
    let again = slot;
    if (!left) {
      again = state.copy(slot);
      state.deadlines.add(again);
    }
    desk.retryOrEnd(again, route, TIMED_OUT, Infinity, false);
  }

  abandon(slot: number, tag: number): void {
    const { state, desk, poolSide } = this;
    if (!state.isRunning(slot, tag) || state.table.firstTokenS[slot] <= state.nowS) return;
    desk.log.count(targetOfRoute(poolSide.routeOf(slot)), ABANDONED, state.nowS);
    poolSide.timeOut(slot);
  }
}
