/** Requests waiting at one replica, first come first served but for the preempted, who go to the front: a list through the table. */
import { NO_SLOT, type RequestTable } from "./request-table.ts";

export class WaitingQueue {
  head = NO_SLOT;
  count = 0;
  private tail = NO_SLOT;
  private readonly table: RequestTable;

  constructor(table: RequestTable) {
    this.table = table;
  }

  pushBack(slot: number): void {
    const table = this.table;
    table.next[slot] = NO_SLOT;
    table.previous[slot] = this.tail;
    if (this.tail === NO_SLOT) this.head = slot;
    else table.next[this.tail] = slot;
    this.tail = slot;
    this.count++;
  }

  pushFront(slot: number): void {
    const table = this.table;
    table.previous[slot] = NO_SLOT;
    table.next[slot] = this.head;
    if (this.head === NO_SLOT) this.tail = slot;
    else table.previous[this.head] = slot;
    this.head = slot;
    this.count++;
  }

  remove(slot: number): void {
    const table = this.table;
    const next = table.next[slot];
    const previous = table.previous[slot];
    if (previous === NO_SLOT) this.head = next;
    else table.next[previous] = next;
    if (next === NO_SLOT) this.tail = previous;
    else table.previous[next] = previous;
    this.count--;
  }

  clear(): void {
    this.head = this.tail = NO_SLOT;
    this.count = 0;
  }
}
