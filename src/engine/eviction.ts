/**
 * Free blocks of a prefix cache in the order in which they make room.
 *   lru    least recently freed first; of one sequence the last block first (vLLM)
 *   fifo   filled by the first admitted first, however often it was found since; of one sequence the last block first
 *   lfu    found least often since it was filled first, equals as under fifo
 * Blocks without a name are taken before all others under fifo and lfu, in their turn under lru.
 */
import { type BlockRecords, DEPTH, NAMELESS_BEFORE, NEXT, PREVIOUS, RECORD, RUN } from "./block-records.ts";

export interface FreeBlocks {
  /** So many blocks without a name become free. */
  enterNameless(blocks: number): void;
  /** Takes up to so many blocks without a name while they are next, and says how many. */
  takeNameless(most: number): number;
  /** The next block to make room; it has a name. */
  first(): number;
  /** A block with a name becomes free, or is used again. */
  enter(id: number): void;
  leave(id: number): void;
  /** It was filled by the n-th admission, as block `depth` of a context: the same whether steps are walked or leapt over. */
  filled(id: number, admission: number, depth: number): void;
  found(id: number): void;
  /** Ranked orders only: a free block stands for so many deeper ones too, which go before it. They have no numbers of their own. */
  extend(id: number, blocks: number): void;
  /** How many it still stands for; takes up to `most` of them. */
  deeper(id: number): number;
  takeDeeper(id: number, most: number): number;
  admissionOf(id: number): number;
  /** A block joins the run of a free one, just before it. */
  enterBefore(id: number, before: number): void;
  /** Nobody is free and no block has a name. */
  clear(): void;
}

const NONE = -1;

/** A list of those with names, each with the number of blocks without one that were freed between it and the one before. */
export class LeastRecent implements FreeBlocks {
  private readonly cells: Int32Array;
  private namelessLast = 0;
  private head = NONE;
  private tail = NONE;

  constructor({ cells }: BlockRecords) {
    this.cells = cells;
  }

  enterNameless(blocks: number): void {
    this.namelessLast += blocks;
  }

  takeNameless(most: number): number {
    if (this.head === NONE) {
      const taken = Math.min(most, this.namelessLast);
      this.namelessLast -= taken;
      return taken;
    }
    const at = (this.head << RECORD) + NAMELESS_BEFORE;
    const taken = Math.min(most, this.cells[at]);
    this.cells[at] -= taken;
    return taken;
  }

  first(): number {
    return this.head;
  }

  enter(id: number): void {
    const { cells } = this;
    const at = id << RECORD;
    cells[at + NAMELESS_BEFORE] = this.namelessLast;
    this.namelessLast = 0;
    cells[at + NEXT] = NONE;
    cells[at + PREVIOUS] = this.tail;
    if (this.tail === NONE) this.head = id;
    else cells[(this.tail << RECORD) + NEXT] = id;
    this.tail = id;
  }

  leave(id: number): void {
    const { cells } = this;
    const at = id << RECORD;
    const next = cells[at + NEXT];
    const previous = cells[at + PREVIOUS];
    const nameless = cells[at + NAMELESS_BEFORE];
    if (previous === NONE) this.head = next;
    else cells[(previous << RECORD) + NEXT] = next;
    if (next === NONE) {
      this.tail = previous;
      this.namelessLast += nameless;
    } else {
      cells[(next << RECORD) + PREVIOUS] = previous;
      cells[(next << RECORD) + NAMELESS_BEFORE] += nameless;
    }
  }

  filled(): void {}

  found(): void {}

  extend(): void {}

  deeper(): number {
    return 0;
  }

  takeDeeper(): number {
    return 0;
  }

  admissionOf(): number {
    return 0;
  }

  enterBefore(): void {}

  clear(): void {
    this.head = this.tail = NONE;
    this.namelessLast = 0;
  }
}

/**
 * A heap by (times found, under lfu; admission; depth, the deepest first) of runs: blocks of one admission that were freed one after
 * the other, the last block first, stand in a list, of which the heap looks at the first.
 */
export class ByRank implements FreeBlocks {
  private readonly counts: boolean;
  private nameless = 0;
  // By block.
  private readonly admission: Float64Array;
  private readonly timesFound: Int32Array;
  private readonly more: Int32Array;
  private readonly cells: Int32Array;
  // By run.
  private readonly head: Int32Array;
  private readonly tail: Int32Array;
  private readonly place: Int32Array;
  /** The heap, and behind it the numbers that no run has. */
  private readonly heap: Int32Array;
  private runs = 0;
  /** The run that the last block entered, if it is still there. */
  private latest = NONE;

  constructor({ cells }: BlockRecords, blocks: number, counts: boolean) {
    this.cells = cells;
    this.counts = counts;
    this.admission = new Float64Array(blocks);
    const int = (): Int32Array => new Int32Array(blocks);
    this.timesFound = int();
    this.more = int();
    this.head = int();
    this.tail = int();
    this.place = int();
    this.heap = Int32Array.from({ length: blocks }, (_, run) => run);
  }

  enterNameless(blocks: number): void {
    this.nameless += blocks;
  }

  takeNameless(most: number): number {
    const taken = Math.min(most, this.nameless);
    this.nameless -= taken;
    return taken;
  }

  first(): number {
    return this.head[this.heap[0]];
  }

  filled(id: number, admission: number, depth: number): void {
    this.admission[id] = admission;
    this.cells[(id << RECORD) + DEPTH] = depth;
    this.timesFound[id] = this.more[id] = 0;
  }

  found(id: number): void {
    if (this.counts) this.timesFound[id]++;
  }

  extend(id: number, blocks: number): void {
    this.more[id] = blocks;
  }

  deeper(id: number): number {
    return this.more[id];
  }

  takeDeeper(id: number, most: number): number {
    // Nothing of the same admission has its place between them, so the heap stays as it is.
    const taken = Math.min(most, this.more[id]);
    this.more[id] -= taken;
    return taken;
  }

  admissionOf(id: number): number {
    return this.admission[id];
  }

  enterBefore(id: number, before: number): void {
    const { cells } = this;
    const at = id << RECORD;
    const previous = cells[(before << RECORD) + PREVIOUS];
    const run = cells[(before << RECORD) + RUN];
    cells[at + NEXT] = before;
    cells[at + PREVIOUS] = previous;
    cells[at + RUN] = run;
    cells[(before << RECORD) + PREVIOUS] = id;
    if (previous === NONE) this.head[run] = id;
    else cells[(previous << RECORD) + NEXT] = id;
  }

  enter(id: number): void {
    const { cells, tail, latest } = this;
    const at = id << RECORD;
    cells[at + NEXT] = NONE;
    if (latest !== NONE && this.continues(tail[latest], id)) {
      cells[at + PREVIOUS] = tail[latest];
      cells[(tail[latest] << RECORD) + NEXT] = id;
      tail[latest] = id;
      cells[at + RUN] = latest;
      return;
    }
    const run = this.heap[this.runs];
    cells[at + PREVIOUS] = NONE;
    this.head[run] = tail[run] = id;
    cells[at + RUN] = run;
    this.latest = run;
    this.rise(run, this.runs++);
  }

  leave(id: number): void {
    const { cells } = this;
    const at = id << RECORD;
    const run = cells[at + RUN];
    const next = cells[at + NEXT];
    const previous = cells[at + PREVIOUS];
    if (next === NONE && previous === NONE) {
      this.removeRun(run);
      return;
    }
    if (next === NONE) this.tail[run] = previous;
    else cells[(next << RECORD) + PREVIOUS] = previous;
    if (previous !== NONE) {
      cells[(previous << RECORD) + NEXT] = next;
      return;
    }
    this.head[run] = next;
    this.sink(run, this.place[run]);
  }

  clear(): void {
    this.runs = this.nameless = 0;
    this.more.fill(0);
    this.latest = NONE;
    this.heap.forEach((_, run, heap) => (heap[run] = run));
  }

  private removeRun(run: number): void {
    const { heap } = this;
    if (this.latest === run) this.latest = NONE;
    const hole = this.place[run];
    const last = heap[--this.runs];
    if (last !== run) {
      this.rise(last, hole);
      if (this.place[last] === hole) this.sink(last, hole);
    }
    heap[this.runs] = run;
  }

  /** Whether a block comes next in the run that `before` ends. */
  private continues(before: number, id: number): boolean {
    return (
      this.admission[before] === this.admission[id] &&
      this.timesFound[before] === this.timesFound[id] &&
      this.cells[(before << RECORD) + DEPTH] > this.deepest(id)
    );
  }

  private before(run: number, other: number): boolean {
    const { timesFound, admission } = this;
    const a = this.head[run];
    const b = this.head[other];
    if (timesFound[a] !== timesFound[b]) return timesFound[a] < timesFound[b];
    if (admission[a] !== admission[b]) return admission[a] < admission[b];
    return this.deepest(a) > this.deepest(b);
  }

  private deepest(id: number): number {
    return this.cells[(id << RECORD) + DEPTH] + this.more[id];
  }

  private rise(run: number, from: number): void {
    const { heap, place } = this;
    let hole = from;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.before(run, heap[parent])) break;
      heap[hole] = heap[parent];
      place[heap[hole]] = hole;
      hole = parent;
    }
    heap[hole] = run;
    place[run] = hole;
  }

  private sink(run: number, from: number): void {
    const { heap, place, runs } = this;
    let hole = from;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= runs) break;
      if (child + 1 < runs && this.before(heap[child + 1], heap[child])) child++;
      if (!this.before(heap[child], run)) break;
      heap[hole] = heap[child];
      place[heap[hole]] = hole;
      hole = child;
    }
    heap[hole] = run;
    place[run] = hole;
  }
}
