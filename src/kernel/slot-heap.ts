/** Binary min-heap of slots, ordered by keys that their owner holds. O(log size); grows as needed, allocates nothing else. */
export class SlotHeap {
  size = 0;
  private slots = new Int32Array(16);
  private readonly isBefore: (slot: number, other: number) => boolean;

  /** `isBefore` is a strict order of the slots in the heap, whose keys change only as the methods say. */
  constructor(isBefore: (slot: number, other: number) => boolean) {
    this.isBefore = isBefore;
  }

  /** The slot before all others; undefined behaviour when empty. */
  first(): number {
    return this.slots[0]!;
  }

  push(slot: number): void {
    if (this.size === this.slots.length) {
      const bigger = new Int32Array(this.size * 2);
      bigger.set(this.slots);
      this.slots = bigger;
    }
    const { slots } = this;
    let at = this.size++;
    while (at > 0 && this.isBefore(slot, slots[(at - 1) >>> 1]!)) {
      slots[at] = slots[(at - 1) >>> 1]!;
      at = (at - 1) >>> 1;
    }
    slots[at] = slot;
  }

  /** Takes the first slot out. */
  pop(): void {
    const last = this.slots[--this.size]!;
    if (this.size > 0) this.sink(last);
  }

  /** The key of the first slot has grown. */
  firstMoved(): void {
    this.sink(this.slots[0]!);
  }

  /** Puts `slot` into the hole at the root. */
  private sink(slot: number): void {
    const { slots, size } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.isBefore(slots[child + 1]!, slots[child]!)) child++;
      if (!this.isBefore(slots[child]!, slot)) break;
      slots[at] = slots[child]!;
      at = child;
    }
    slots[at] = slot;
  }
}
