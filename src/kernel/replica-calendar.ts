/**
 * The calendar of replicas: when each is due next, one entry per replica, the earliest always at hand. A tournament
 * tree over the replicas' numbers.
 *   EQ-1  Order is (time, kind, replica): nothing random, nothing address-based.
 *   EQ-2  Time never runs backwards (checked by the loop that reads it); NaN throws.
 *   EQ-3  No allocation per event; O(log replicas) to reschedule.
 * Times are simulated seconds; Infinity = nothing due.
 */
import { InvariantError } from "./errors.ts";

/** The end of the step or stretch under way. Comes before arrivals of the same instant. */
export const STEP_END = 0;
/** The forming of a step that had to wait for all arrivals of its instant. Comes after them. */
export const STEP_FORM = 1;

export class ReplicaCalendar {
  /** By replica; write an entry, then call `moved`. */
  readonly dueS: Float64Array;
  readonly kind: Uint8Array;
  /** winner[1] = the earliest replica; winner[leaves + r] = r. */
  private readonly winner: Int32Array;
  private readonly leaves: number;

  constructor(replicas: number) {
    let leaves = 1;
    while (leaves < replicas) leaves *= 2;
    this.leaves = leaves;
    this.dueS = new Float64Array(leaves).fill(Infinity);
    this.kind = new Uint8Array(leaves);
    this.winner = new Int32Array(2 * leaves);
    for (let i = 0; i < leaves; i++) this.winner[leaves + i] = i;
    for (let node = leaves - 1; node >= 1; node--) this.winner[node] = this.winner[2 * node];
  }

  /** Number of the replica that is due first. */
  first(): number {
    return this.winner[1];
  }

  firstDueS(): number {
    return this.dueS[this.winner[1]];
  }

  /** Moves a replica whose `dueS` and `kind` were just written to its place in the order. */
  moved(replica: number): void {
    const due = this.dueS;
    const kinds = this.kind;
    const winner = this.winner;
    if (due[replica] !== due[replica]) throw new InvariantError("EQ-2", { replica, timeS: "NaN" });
    let node = (this.leaves + replica) >> 1;
    while (node >= 1) {
      const a = winner[2 * node];
      const b = winner[2 * node + 1];
      const dueA = due[a];
      const dueB = due[b];
      // Which of two comes first is a coin toss, so it is computed and not branched on: a mispredicted branch at each
      // level would cost more than the rest of the event.
      let second = Number(dueB < dueA);
      // a < b always, so an exact tie of time and kind stays with a.
      if (dueA === dueB) second = Number(kinds[b] < kinds[a]);
      winner[node] = a + (b - a) * second;
      node >>= 1;
    }
  }
}
