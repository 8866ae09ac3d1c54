/**
 * When clients give up: requests in the order in which they were sent, one ring for each class, since all requests of a
 * class have the same patience. Most are long over when their deadline comes, so a request is entered once and dropped
 * when its turn comes, never looked up in between. Memory follows the requests sent within one patience.
 */
import { AT_CLIENT, IN_POOL, IN_TRANSIT, NO_SLOT, type RequestTable } from "../engine/request-table.ts";

class Ring {
  slots = new Int32Array(1024);
  /** Tells the request from a later one in the same slot. */
  ordinals = new Float64Array(1024);
  deadlineS = new Float64Array(1024);
  head = 0;
  size = 0;

  double(): void {
    const capacity = this.slots.length;
    const unrolled = <T extends Int32Array | Float64Array>(old: T, fresh: T): T => {
      fresh.set(old.subarray(this.head));
      fresh.set(old.subarray(0, this.head), capacity - this.head);
      return fresh;
    };
    this.slots = unrolled(this.slots, new Int32Array(capacity * 2));
    this.ordinals = unrolled(this.ordinals, new Float64Array(capacity * 2));
    this.deadlineS = unrolled(this.deadlineS, new Float64Array(capacity * 2));
    this.head = 0;
  }
}

export class Deadlines {
  /** No request in a pool gives up before this; `refresh` makes it exact. */
  nextS = Infinity;
  private readonly table: RequestTable;
  private readonly rings: readonly Ring[];

  constructor(table: RequestTable, classes: number) {
    this.table = table;
    this.rings = Array.from({ length: classes }, () => new Ring());
  }

  /** Enters a request that was just sent. */
  add(slot: number): void {
    const table = this.table;
    const ring = this.rings[table.classIndex[slot]];
    if (ring.size === ring.slots.length) ring.double();
    const at = (ring.head + ring.size++) & (ring.slots.length - 1);
    const deadlineS = table.deadlineS[slot];
    ring.slots[at] = slot;
    ring.ordinals[at] = table.ordinal[slot];
    ring.deadlineS[at] = deadlineS;
    if (deadlineS < this.nextS) this.nextS = deadlineS;
  }

  /** Drops what is over, makes `nextS` exact and returns the request in a pool whose it is; NO_SLOT when there is none. */
  refresh(): number {
    const { where, ordinal } = this.table;
    let first = NO_SLOT;
    this.nextS = Infinity;
    for (const ring of this.rings) {
      const mask = ring.slots.length - 1;
      while (ring.size > 0) {
        const slot = ring.slots[ring.head];
        // One that waits at its client or is on its way may be in a pool again by then; if not, an event of its own ends it first.
        const at = where[slot];
        const mayBeInPool = at === IN_POOL || at === AT_CLIENT || at === IN_TRANSIT;
        if (mayBeInPool && ordinal[slot] === ring.ordinals[ring.head]) {
          if (ring.deadlineS[ring.head] < this.nextS) {
            this.nextS = ring.deadlineS[ring.head];
            first = slot;
          }
          break;
        }
        ring.head = (ring.head + 1) & mask;
        ring.size--;
      }
    }
    return first;
  }
}
