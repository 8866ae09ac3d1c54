/**
 * Free blocks of a prefix cache in the order in which they make room.
 *   lru    least recently freed first; of one sequence the last block first (vLLM)
 *   fifo   filled by the first admitted first, however often it was found since; of one sequence the last block first
 *   lfu    found least often since it was filled first, equals as under fifo
 * Blocks without a name are taken before all others under fifo and lfu, in their turn under lru. Those with names stand in pieces
 * (`text-pieces.ts`), which make room from their last block to their first.
 */
import { NONE, type TextPieces } from "./text-pieces.ts";

export interface FreeBlocks {
  /** So many blocks without a name become free. */
  enterNameless(blocks: number): void;
  /** Takes up to so many blocks without a name while they are next, and says how many. */
  takeNameless(most: number): number;
  /** All blocks without a name; O(pieces) under lru, for who looks on. */
  namelessBlocks(): number;
  /** The piece whose last block is the next to make room. */
  first(): number;
  /** A piece becomes free, or is used again. */
  enter(piece: number): void;
  leave(piece: number): void;
  /** A piece becomes free as the beginning of a free one, which it follows at once: it takes its place, if it does. */
  enterInto(piece: number, free: number): boolean;
  /** It was filled by the n-th admission: the same whether steps are walked or leapt over. */
  filled(piece: number, admission: number): void;
  /** Whether blocks filled by that admission, and used by the same sequence alone, are as those of the piece. */
  alike(piece: number, admission: number): boolean;
  found(piece: number): void;
  /** The last blocks of a piece are one of their own now. */
  split(piece: number, last: number, free: boolean): void;
  /** Nobody is free and no block has a name. */
  clear(): void;
}

/** A list of pieces, each with the number of blocks without a name that were freed between it and the one before. */
export class LeastRecent implements FreeBlocks {
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly namelessBefore: Int32Array;
  private namelessLast = 0;
  private head = NONE;
  private tail = NONE;

  constructor(most: number) {
    this.next = new Int32Array(most);
    this.previous = new Int32Array(most);
    this.namelessBefore = new Int32Array(most);
  }

  enterNameless(blocks: number): void {
    this.namelessLast += blocks;
  }

  namelessBlocks(): number {
    let blocks = this.namelessLast;
    for (let piece = this.head; piece !== NONE; piece = this.next[piece]) blocks += this.namelessBefore[piece];
    return blocks;
  }

  takeNameless(most: number): number {
    if (this.head === NONE) {
      const taken = Math.min(most, this.namelessLast);
      this.namelessLast -= taken;
      return taken;
    }
    const taken = Math.min(most, this.namelessBefore[this.head]);
    this.namelessBefore[this.head] -= taken;
    return taken;
  }

  first(): number {
    return this.head;
  }

  enter(piece: number): void {
    const { tail } = this;
    this.namelessBefore[piece] = this.namelessLast;
    this.namelessLast = 0;
    this.link(tail, piece);
    this.link(piece, NONE);
  }

  leave(piece: number): void {
    const next = this.next[piece];
    const nameless = this.namelessBefore[piece];
    if (next === NONE) this.namelessLast += nameless;
    else this.namelessBefore[next] += nameless;
    this.link(this.previous[piece], next);
  }

  enterInto(piece: number, free: number): boolean {
    if (free !== this.tail || this.namelessLast > 0) return false;
    this.namelessBefore[piece] = this.namelessBefore[free];
    this.link(this.previous[free], piece);
    this.link(piece, NONE);
    return true;
  }

  filled(): void {}

  alike(): boolean {
    return true;
  }

  found(): void {}

  split(piece: number, last: number, free: boolean): void {
    if (!free) return;
    this.namelessBefore[last] = this.namelessBefore[piece];
    this.namelessBefore[piece] = 0;
    this.link(this.previous[piece], last);
    this.link(last, piece);
  }

  clear(): void {
    this.head = this.tail = NONE;
    this.namelessLast = 0;
  }

  private link(piece: number, next: number): void {
    if (piece === NONE) this.head = next;
    else this.next[piece] = next;
    if (next === NONE) this.tail = piece;
    else this.previous[next] = piece;
  }
}

/** A heap of pieces by (times found, under lfu; admission; place in the context, the last first). Pieces of one admission lie apart. */
export class ByRank implements FreeBlocks {
  private readonly counts: boolean;
  private nameless = 0;
  // By piece.
  private readonly firstBlock: Int32Array;
  private readonly admission: Float64Array;
  private readonly timesFound: Int32Array;
  private readonly place: Int32Array;
  private readonly heap: Int32Array;
  private count = 0;

  constructor(pieces: TextPieces, most: number, counts: boolean) {
    this.counts = counts;
    this.firstBlock = pieces.first;
    this.admission = new Float64Array(most);
    this.timesFound = new Int32Array(most);
    this.place = new Int32Array(most);
    this.heap = new Int32Array(most);
  }

  enterNameless(blocks: number): void {
    this.nameless += blocks;
  }

  namelessBlocks(): number {
    return this.nameless;
  }

  takeNameless(most: number): number {
    const taken = Math.min(most, this.nameless);
    this.nameless -= taken;
    return taken;
  }

  first(): number {
    return this.heap[0];
  }

  enter(piece: number): void {
    this.rise(piece, this.count++);
  }

  leave(piece: number): void {
    const hole = this.place[piece];
    const last = this.heap[--this.count];
    if (last === piece) return;
    this.rise(last, hole);
    if (this.place[last] === hole) this.sink(last, hole);
  }

  enterInto(piece: number, free: number): boolean {
    if (this.admission[piece] !== this.admission[free] || this.timesFound[piece] !== this.timesFound[free])
      return false;
    // Nothing of the same admission has its place between them.
    this.put(piece, this.place[free]);
    return true;
  }

  filled(piece: number, admission: number): void {
    this.admission[piece] = admission;
    this.timesFound[piece] = 0;
  }

  alike(piece: number, admission: number): boolean {
    return this.admission[piece] === admission && this.timesFound[piece] === 0;
  }

  found(piece: number): void {
    if (this.counts) this.timesFound[piece]++;
  }

  split(piece: number, last: number, free: boolean): void {
    this.admission[last] = this.admission[piece];
    this.timesFound[last] = this.timesFound[piece];
    if (free) this.enter(last);
  }

  clear(): void {
    this.count = this.nameless = 0;
  }

  private before(piece: number, other: number): boolean {
    const { timesFound, admission, firstBlock } = this;
    if (timesFound[piece] !== timesFound[other]) return timesFound[piece] < timesFound[other];
    if (admission[piece] !== admission[other]) return admission[piece] < admission[other];
    return firstBlock[piece] > firstBlock[other];
  }

  private rise(piece: number, from: number): void {
    const { heap } = this;
    let hole = from;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.before(piece, heap[parent])) break;
      this.put(heap[parent], hole);
      hole = parent;
    }
    this.put(piece, hole);
  }

  private sink(piece: number, from: number): void {
    const { heap, count } = this;
    let hole = from;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= count) break;
      if (child + 1 < count && this.before(heap[child + 1], heap[child])) child++;
      if (!this.before(heap[child], piece)) break;
      this.put(heap[child], hole);
      hole = child;
    }
    this.put(piece, hole);
  }

  private put(piece: number, place: number): void {
    this.heap[place] = piece;
    this.place[piece] = place;
  }
}
