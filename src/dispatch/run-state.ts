/** What the parts of one run share: the clock, the requests in flight, what is to come, and the books. Simulated seconds, t = 0 after the warm-up. */
import { RequestTable } from "../engine/request-table.ts";
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
    return this.traffic.timeS > nowS && this.control.firstTimeS() > nowS && this.deadlines.nextS > nowS;
  }
}
