/**
 * The calendar of replicas: when the step of each ends, one entry per replica, the earliest always at hand. A tournament
 * tree over the replicas' numbers.
 *   EQ-1  Order is (time, replica): nothing random, nothing address-based.
 *   EQ-2  Time never runs backwards (checked by the loop that reads it); NaN throws.
 *   EQ-3  No allocation per event; O(log replicas) to reschedule.
 * Times are simulated seconds; Infinity = nothing due.
 */
import { InvariantError } from "./errors.ts";

export class ReplicaCalendar {
  /** Nodes of the tree: 1 is the root, the children of n are 2n and 2n + 1, the leaf of replica r is leaves + r. */
  private readonly nodeDueS: Float64Array;
  private readonly winner: Int32Array;
  private readonly leaves: number;

  constructor(replicas: number) {
    let leaves = 1;
    while (leaves < replicas) leaves *= 2;
    this.leaves = leaves;
    this.nodeDueS = new Float64Array(2 * leaves).fill(Infinity);
    this.winner = new Int32Array(2 * leaves);
    for (let i = 0; i < leaves; i++) this.winner[leaves + i] = i;
    for (let node = leaves - 1; node >= 1; node--) this.winner[node] = this.winner[2 * node];
  }

  /** Number of the replica that is due first. */
  first(): number {
    return this.winner[1];
  }

  firstDueS(): number {
    return this.nodeDueS[1];
  }

  /** Enters when `replica` is due next; Infinity = not at all. O(log replicas): it climbs as far as it comes first. */
  schedule(replica: number, timeS: number): void {
    if (timeS !== timeS) throw new InvariantError("EQ-2", { replica, timeS: "NaN" });
    const { nodeDueS, winner } = this;
    let node = this.leaves + replica;
    if (timeS > nodeDueS[node]) this.remove(replica);
    nodeDueS[node] = timeS;
    for (node >>= 1; node >= 1; node >>= 1) {
      const firstS = nodeDueS[node];
      if (timeS >= firstS && (timeS > firstS || replica > winner[node])) return;
      nodeDueS[node] = timeS;
      winner[node] = replica;
    }
  }

  /**
   * `replica` is not due any more. O(log replicas): the nodes above it are played again. Which of two comes first is a coin toss, so it is
   * computed and not branched on: a mispredicted branch at each level would cost more than the rest of the event.
   */
  remove(replica: number): void {
    const { nodeDueS, winner } = this;
    let node = this.leaves + replica;
    nodeDueS[node] = Infinity;
    for (node >>= 1; node >= 1; node >>= 1) {
      // Replicas on the left have the lower numbers, so ties stay there.
      const left = node << 1;
      const first = left + Number(nodeDueS[left + 1] < nodeDueS[left]);
      nodeDueS[node] = nodeDueS[first];
      winner[node] = winner[first];
    }
  }
}
