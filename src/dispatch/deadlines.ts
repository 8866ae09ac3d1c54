/**
 * When clients give up. Most requests are long over when their deadline comes, so nothing is kept of a request when it is
 * sent or ends: once in the patience of a class, those of it that are still in flight are put in order. Until the next
 * such time, none that was sent since can give up. Times in simulated seconds.
 */
import { AT_CLIENT, IN_POOL, IN_TRANSIT, NO_SLOT, type RequestTable } from "../engine/request-table.ts";

/** One class: all its requests have the same patience, so the order of sending is the order of giving up. */
interface Queue {
  readonly patienceS: number;
  /** Requests sent after the queue was made give up no earlier than this. */
  knownUntilS: number;
  slots: number[];
  /** Tell the requests from later ones in the same slots. */
  ordinals: number[];
  dueS: number[];
  head: number;
}

export class Deadlines {
  /** No request in a pool gives up before this. */
  nextS: number;
  private readonly table: RequestTable;
  private readonly queues: readonly Queue[];

  /** `patienceS` by class; no request is sent before `startS`. */
  constructor(table: RequestTable, patienceS: readonly number[], startS: number) {
    this.table = table;
    this.queues = patienceS.map((classPatienceS) => ({
      patienceS: classPatienceS,
      knownUntilS: startS + classPatienceS,
      slots: [],
      ordinals: [],
      dueS: [],
      head: 0,
    }));
    this.nextS = startS + Math.min(...patienceS);
  }

  /** Moves `nextS` on, at `nowS` ≤ `nextS`; returns the request in a pool that gives up then, NO_SLOT when there may be none. */
  refresh(nowS: number): number {
    const { deadlineS } = this.table;
    let first = NO_SLOT;
    this.nextS = Infinity;
    this.queues.forEach((queue, classIndex) => {
      if (queue.knownUntilS <= nowS) this.fill(queue, classIndex, nowS);
      while (queue.head < queue.slots.length && !this.mayBeInPool(queue, queue.head)) queue.head++;
      const slot = queue.head < queue.slots.length ? queue.slots[queue.head]! : NO_SLOT;
      const nextS = slot === NO_SLOT ? queue.knownUntilS : deadlineS[slot]!;
      if (nextS < this.nextS) {
        this.nextS = nextS;
        first = slot;
      }
    });
    return first;
  }

  /** A request may be in a pool again that was not to be when its queue was filled: it was at an offer, or it had another slot. */
  add(slot: number): void {
    const { deadlineS, ordinal, classIndex } = this.table;
    const { slots, ordinals, dueS, knownUntilS, head } = this.queues[classIndex[slot]!]!;
    const ownS = deadlineS[slot]!;
    if (ownS >= knownUntilS) return;
    let low = head;
    let high = dueS.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (dueS[middle]! < ownS) low = middle + 1;
      else high = middle;
    }
    slots.splice(low, 0, slot);
    ordinals.splice(low, 0, ordinal[slot]!);
    dueS.splice(low, 0, ownS);
    this.nextS = Math.min(this.nextS, ownS);
  }

  /** One that waits at its client or is on its way may be in a pool again by then; if not, an event of its own ends it first. */
  private mayBeInPool(queue: Queue, at: number): boolean {
    const slot = queue.slots[at]!;
    return this.table.ordinal[slot] === queue.ordinals[at] && this.isUnderWay(slot);
  }

  private isUnderWay(slot: number): boolean {
    const where = this.table.where[slot];
    return where === IN_POOL || where === AT_CLIENT || where === IN_TRANSIT;
  }

  /** Puts the requests of a class that are in flight at `nowS` in the order in which they were sent. */
  private fill(queue: Queue, classIndex: number, nowS: number): void {
    const { deadlineS, ordinal, classIndex: classOf, capacity } = this.table;
    queue.slots = [];
    for (let slot = 0; slot < capacity; slot++)
      if (classOf[slot] === classIndex && this.isUnderWay(slot)) queue.slots.push(slot);
    queue.slots.sort((a, b) => deadlineS[a]! - deadlineS[b]! || ordinal[a]! - ordinal[b]!);
    queue.ordinals = queue.slots.map((slot) => ordinal[slot]!);
    queue.dueS = queue.slots.map((slot) => deadlineS[slot]!);
    queue.head = 0;
    queue.knownUntilS = nowS + queue.patienceS;
  }
}
