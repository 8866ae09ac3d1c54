/** Who sits where in the batch of one replica: a sequence keeps its seat while it has blocks, and columns of the batch go by seats. */
import { longerInts } from "./columns.ts";

const NOBODY = -1;

export class Seats {
  private slotOf: Int32Array = new Int32Array(16).fill(NOBODY);
  /** A stack of seats, the first so many `taken`. */
  private free: Int32Array = Int32Array.from({ length: 16 }, (_, seat) => seat);
  private taken = 0;

  /** Every seat is taken. */
  get full(): boolean {
    return this.taken === this.free.length;
  }

  take(slot: number): number {
    const seat = this.free[this.taken++];
    this.slotOf[seat] = slot;
    return seat;
  }

  /** Whether a running sequence sits there. */
  holds(seat: number, slot: number): boolean {
    return this.slotOf[seat] === slot;
  }

  /** It runs no more, but its seat stays taken. */
  stopped(seat: number): void {
    this.slotOf[seat] = NOBODY;
  }

  giveBack(seat: number): void {
    this.free[--this.taken] = seat;
  }

  clear(): void {
    this.taken = 0;
    this.slotOf.fill(NOBODY);
    this.free.forEach((_, seat, seats) => (seats[seat] = seat));
  }

  /** When all are taken: so many in all. */
  widen(length: number): void {
    const old = this.free.length;
    this.slotOf = longerInts(this.slotOf, length).fill(NOBODY, old);
    this.free = longerInts(this.free, length);
    for (let seat = old; seat < length; seat++) this.free[seat] = seat;
  }
}
