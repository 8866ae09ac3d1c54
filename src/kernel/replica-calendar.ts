/**
 * The calendar of replicas: when the step of each ends, one entry per replica, the earliest always at hand. A tournament
 * tree over the replicas' numbers.
 *   EQ-1  Order is (time, replica): nothing random, nothing address-based.
 *   EQ-2  Time never runs backwards (checked by the loop that reads it); NaN throws.
 *   EQ-3  No allocation per event; O(log replicas) to reschedule.
 * Times are simulated seconds; Infinity = nothing due.
 *
 * Which of two comes first is a coin toss, and a branch on it is mispredicted half of the time. So the tree is played on
 * times in whole ticks of 32 bits, between which integer arithmetic decides; the times themselves decide between equal ticks.
 */
import { InvariantError } from "./errors.ts";

/** About a microsecond. */
const TICKS_PER_S = 1 << 20;
/** Ticks from the origin that are told apart, either way; small enough that no difference of two keys overflows. */
const RANGE = 1 << 29;
/** Key of what is due later than that. */
const FAR = RANGE;
/** Key of replica 0 when it is not due; each has its own, so that none ties with another. */
const IDLE = RANGE + 1;
/** The origin moves up when it is so far behind the first that is due. */
const STALE_S = 64;

export class ReplicaCalendar {
  private readonly dueS: Float64Array;
  /**
   * Node n of the tree has its key at 2n and its winner beside it; 1 is the root, the children of n are 2n and 2n + 1, the leaf of
   * replica r is leaves + r.
   */
  private readonly tree: Int32Array;
  private readonly leaves: number;
  /** Where ticks count from. */
  private originS = 0;

  constructor(replicas: number) {
    let leaves = 1;
    while (leaves < replicas) leaves *= 2;
    this.leaves = leaves;
    this.dueS = new Float64Array(leaves).fill(Infinity);
    this.tree = new Int32Array(4 * leaves);
    this.build();
  }

  /** Number of the replica that is due first. */
  first(): number {
    return this.tree[3];
  }

  firstDueS(): number {
    return this.dueS[this.tree[3]];
  }

  /** Enters when `replica` is due next; Infinity = not at all. */
  schedule(replica: number, timeS: number): void {
    const { dueS, tree } = this;
    dueS[replica] = timeS;
    const ticks = (timeS - this.originS) * TICKS_PER_S;
    let key = ticks > -RANGE && ticks < RANGE ? ticks | 0 : this.keyBeyond(replica, timeS);
    let first = replica;
    let at = 2 * (this.leaves + replica);
    tree[at] = key;
    while (at > 2) {
      const other = at ^ 2;
      const lead = (tree[other] - key) | 0;
      if (lead === 0) break;
      // All ones if the other one comes first, else zero.
      const takesOther = lead >> 31;
      key = (key + (lead & takesOther)) | 0;
      first = (first + ((tree[other + 1] - first) & takesOther)) | 0;
      at = (at >> 1) & ~1;
      tree[at] = key;
      tree[at + 1] = first;
    }
    for (let node = at >> 2; node >= 1; node >>= 1) this.settle(node);
  }

  /** `replica` is not due any more. */
  remove(replica: number): void {
    this.schedule(replica, Infinity);
  }

  /** Key of a time that is no time in range of the origin, which moves if it is to be. */
  private keyBeyond(replica: number, timeS: number): number {
    if (timeS !== timeS) throw new InvariantError("EQ-2", { replica, timeS: "NaN" });
    if (timeS === Infinity) return IDLE + replica;
    const firstS = this.dueS.reduce((least, dueS) => Math.min(least, dueS));
    if (firstS < this.originS || firstS > this.originS + STALE_S) {
      this.originS = firstS;
      this.build();
    }
    return this.keyOf(replica);
  }

  private build(): void {
    const { leaves, tree } = this;
    for (let replica = 0; replica < leaves; replica++) {
      const at = 2 * (leaves + replica);
      tree[at] = this.keyOf(replica);
      tree[at + 1] = replica;
    }
    for (let node = leaves - 1; node >= 1; node--) this.settle(node);
  }

  private keyOf(replica: number): number {
    const timeS = this.dueS[replica];
    if (timeS === Infinity) return IDLE + replica;
    return Math.min(FAR, (timeS - this.originS) * TICKS_PER_S) | 0;
  }

  /** Plays a node by exact times. Replicas on the left have the lower numbers, so ties stay there. */
  private settle(node: number): void {
    const { tree, dueS } = this;
    const left = 4 * node;
    const right = left + 2;
    const ahead = tree[right] - tree[left] || dueS[tree[right + 1]] - dueS[tree[left + 1]];
    const first = ahead < 0 ? right : left;
    tree[2 * node] = tree[first];
    tree[2 * node + 1] = tree[first + 1];
  }
}
