/**
 * The decoding sequences of one replica, by the step at which each has all its tokens: an indexed binary min-heap over
 * request slots. Key = `finishStep` of the slot, ties by heap order (sequences that finish at one step end at one instant).
 */
import type { RequestTable } from "./request-table.ts";

export class CompletionHeap {
  size = 0;
  /** `finishStep` of the first; undefined behaviour when empty. */
  firstStep = 0;
  private readonly table: RequestTable;
  private slots = new Int32Array(64);

  constructor(table: RequestTable) {
    this.table = table;
  }

  /** Slot that finishes first; undefined behaviour when empty. */
  first(): number {
    return this.slots[0];
  }

  push(slot: number): void {
    if (this.size === this.slots.length) {
      const bigger = new Int32Array(this.slots.length * 2);
      bigger.set(this.slots);
      this.slots = bigger;
    }
    this.up(this.size++, slot);
    this.firstStep = this.table.finishStep[this.slots[0]];
  }

  remove(slot: number): void {
    const hole = this.table.heapSlot[slot];
    const moved = this.slots[--this.size];
    if (moved === slot) return;
    const key = this.table.finishStep;
    if (hole > 0 && ((key[moved] - key[this.slots[(hole - 1) >> 1]]) | 0) < 0) this.up(hole, moved);
    else this.down(hole, moved);
    this.firstStep = key[this.slots[0]];
  }

  private up(i: number, slot: number): void {
    const slots = this.slots;
    const key = this.table.finishStep;
    const heapSlot = this.table.heapSlot;
    const finish = key[slot];
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = slots[parent];
      if (((key[above] - finish) | 0) <= 0) break;
      slots[i] = above;
      heapSlot[above] = i;
      i = parent;
    }
    slots[i] = slot;
    heapSlot[slot] = i;
  }

  private down(i: number, slot: number): void {
    const slots = this.slots;
    const key = this.table.finishStep;
    const heapSlot = this.table.heapSlot;
    const size = this.size;
    const finish = key[slot];
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && ((key[slots[child + 1]] - key[slots[child]]) | 0) < 0) child++;
      const below = slots[child];
      if (((key[below] - finish) | 0) >= 0) break;
      slots[i] = below;
      heapSlot[below] = i;
      i = child;
    }
    slots[i] = slot;
    heapSlot[slot] = i;
  }
}
