/**
 * KV blocks of one replica with what they hold, so that a prompt finds the blocks of an earlier one with the same beginning
 * (vLLM's automatic prefix caching): a block is referenced by the sequences that use it; one that nobody references is free but
 * keeps its contents until it is taken for something else, in the order of eviction.
 *   lru    least recently freed first; of one sequence the last block first (vLLM)
 *   fifo   filled by the first admitted first, however often it was found since; of one sequence the last block first
 *   lfu    found least often since it was filled first, equals as under fifo
 * A block can be found from when the chunk that fills it is scheduled; blocks of an answer from when its sequence leaves the batch.
 * Of those that leave at one boundary, who gave up goes first, the last admitted of them first, then who is complete, in order.
 * Blocks without known contents are taken before all others under fifo and lfu, in their turn under lru.
 */
import type { PromptContent } from "./prompt-content.ts";

const NO_BLOCK = -1;
const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** Key → block, open addressing without allocation. */
class BlockIndex {
  private readonly blocks: Int32Array;
  private readonly keyOf: Float64Array;
  private readonly mask: number;

  constructor(blocks: number, keyOf: Float64Array) {
    const size = 1 << (32 - Math.clz32(Math.max(1, 2 * blocks - 1)));
    this.mask = size - 1;
    this.blocks = new Int32Array(size).fill(NO_BLOCK);
    this.keyOf = keyOf;
  }

  find(key: number): number {
    for (let at = this.home(key); ; at = (at + 1) & this.mask) {
      const block = this.blocks[at];
      if (block === NO_BLOCK || this.keyOf[block] === key) return block;
    }
  }

  /** The key must not be in it. */
  add(block: number): void {
    let at = this.home(this.keyOf[block]);
    while (this.blocks[at] !== NO_BLOCK) at = (at + 1) & this.mask;
    this.blocks[at] = block;
  }

  delete(block: number): void {
    const { blocks, mask } = this;
    let hole = this.home(this.keyOf[block]);
    while (blocks[hole] !== block) hole = (hole + 1) & mask;
    // Whoever probed past the hole moves into it.
    for (let at = (hole + 1) & mask; blocks[at] !== NO_BLOCK; at = (at + 1) & mask) {
      const home = this.home(this.keyOf[blocks[at]]);
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      blocks[hole] = blocks[at];
      hole = at;
    }
    blocks[hole] = NO_BLOCK;
  }

  clear(): void {
    this.blocks.fill(NO_BLOCK);
  }

  private home(key: number): number {
    double[0] = key;
    let hash = Math.imul(words[0] ^ Math.imul(words[1], 0x9e3779b1), 0x85ebca6b);
    hash ^= hash >>> 15;
    return Math.imul(hash, 0xc2b2ae35) & this.mask;
  }
}

export class PrefixCache {
  /** Blocks that nobody references. */
  free: number;
  /** References beyond the first, over all blocks: what sharing saves. */
  sharedBlocks = 0;
  /** Result of the last `match`: the blocks found, and how many of them were free. */
  readonly found: number[] = [];
  foundFree = 0;

  private readonly eviction: "lru" | "fifo" | "lfu";
  private readonly references: Int32Array;
  /** NaN = contents unknown. */
  private readonly keyOf: Float64Array;
  private readonly index: BlockIndex;
  /** Free blocks by (rank, ticket), smallest first; the list of lru needs no ranks. */
  private readonly next: Int32Array;
  private readonly previous: Int32Array;
  private readonly heap: Int32Array;
  private readonly place: Int32Array;
  private readonly rank: Float64Array;
  /** Which admission filled it, and its place in the context: the same whether steps are walked or leapt over. */
  private readonly admission: Float64Array;
  private readonly depth: Int32Array;
  private readonly timesFound: Float64Array;
  private head = NO_BLOCK;
  private tail = NO_BLOCK;
  private heapSize = 0;

  constructor(blocks: number, eviction: "lru" | "fifo" | "lfu") {
    this.free = blocks;
    this.eviction = eviction;
    this.references = new Int32Array(blocks);
    this.keyOf = new Float64Array(blocks).fill(NaN);
    this.index = new BlockIndex(blocks, this.keyOf);
    const ranked = eviction === "lru" ? 0 : blocks;
    this.next = new Int32Array(blocks - ranked);
    this.previous = new Int32Array(blocks - ranked);
    this.heap = new Int32Array(ranked);
    this.place = new Int32Array(ranked);
    this.rank = new Float64Array(ranked);
    this.admission = new Float64Array(ranked);
    this.depth = new Int32Array(ranked);
    this.timesFound = new Float64Array(ranked);
    this.fillFree();
  }

  /** Looks for the first `most` blocks of a context, up to the first that is not there: into `found`. */
  match(content: PromptContent, ordinal: number, classIndex: number, most: number): number {
    const found = this.found;
    found.length = 0;
    this.foundFree = 0;
    for (let block = 0; block < most; block++) {
      const id = this.index.find(content.key(ordinal, classIndex, block));
      if (id === NO_BLOCK) break;
      found.push(id);
      if (this.references[id] === 0) this.foundFree++;
    }
    return found.length;
  }

  /** References the blocks of the last `match`, in order, for a sequence whose list of blocks is `into`. */
  holdFound(into: number[]): void {
    for (const id of this.found) {
      if (this.references[id]++ === 0) this.leaveFree(id);
      else this.sharedBlocks++;
      if (this.eviction !== "lru") this.timesFound[id]++;
      into.push(id);
    }
  }

  /** Takes a free block, which there must be, for place `depth` in the context of the n-th admission; what it held is forgotten. */
  take(admission: number, depth: number): number {
    const id = this.eviction === "lru" ? this.head : this.heap[0];
    this.leaveFree(id);
    if (!Number.isNaN(this.keyOf[id])) {
      this.index.delete(id);
      this.keyOf[id] = NaN;
    }
    this.references[id] = 1;
    if (this.eviction !== "lru") {
      this.admission[id] = admission;
      this.depth[id] = depth;
      this.timesFound[id] = 0;
    }
    return id;
  }

  /** The block holds what `key` stands for, and is found by it unless another block already is. */
  name(id: number, key: number): void {
    if (this.index.find(key) !== NO_BLOCK) return;
    this.keyOf[id] = key;
    this.index.add(id);
  }

  /** Takes the name of a block that one sequence references. */
  forget(id: number): void {
    if (this.references[id] > 1 || Number.isNaN(this.keyOf[id])) return;
    this.index.delete(id);
    this.keyOf[id] = NaN;
  }

  /** A sequence leaves: its references go, the last block's first. */
  release(blocks: number[]): void {
    for (let i = blocks.length - 1; i >= 0; i--) {
      const id = blocks[i]!;
      if (--this.references[id] === 0) this.enterFree(id);
      else this.sharedBlocks--;
    }
    blocks.length = 0;
  }

  clear(): void {
    this.references.fill(0);
    this.keyOf.fill(NaN);
    this.index.clear();
    this.sharedBlocks = 0;
    this.head = this.tail = NO_BLOCK;
    this.heapSize = 0;
    this.fillFree();
  }

  private fillFree(): void {
    this.free = 0;
    for (let id = 0; id < this.references.length; id++) this.enterFree(id);
  }

  private enterFree(id: number): void {
    this.free++;
    if (this.eviction === "lru") {
      this.next[id] = NO_BLOCK;
      this.previous[id] = this.tail;
      if (this.tail === NO_BLOCK) this.head = id;
      else this.next[this.tail] = id;
      this.tail = id;
      return;
    }
    const unknown = Number.isNaN(this.keyOf[id]);
    this.rank[id] = unknown ? -1 : this.eviction === "fifo" ? this.admission[id] : this.timesFound[id];
    this.rise(id, this.heapSize++);
  }

  private leaveFree(id: number): void {
    this.free--;
    if (this.eviction === "lru") {
      const next = this.next[id];
      const previous = this.previous[id];
      if (previous === NO_BLOCK) this.head = next;
      else this.next[previous] = next;
      if (next === NO_BLOCK) this.tail = previous;
      else this.previous[next] = previous;
      return;
    }
    const hole = this.place[id];
    const last = this.heap[--this.heapSize];
    if (last === id) return;
    this.rise(last, hole);
    if (this.place[last] === hole) this.sink(last, hole);
  }

  private before(a: number, b: number): boolean {
    if (this.rank[a] !== this.rank[b]) return this.rank[a] < this.rank[b];
    if (this.admission[a] !== this.admission[b]) return this.admission[a] < this.admission[b];
    return this.depth[a] > this.depth[b];
  }

  private rise(id: number, from: number): void {
    const { heap, place } = this;
    let hole = from;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.before(id, heap[parent])) break;
      heap[hole] = heap[parent];
      place[heap[hole]] = hole;
      hole = parent;
    }
    heap[hole] = id;
    place[id] = hole;
  }

  private sink(id: number, from: number): void {
    const { heap, place, heapSize } = this;
    let hole = from;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= heapSize) break;
      if (child + 1 < heapSize && this.before(heap[child + 1], heap[child])) child++;
      if (!this.before(heap[child], id)) break;
      heap[hole] = heap[child];
      place[heap[hole]] = hole;
      hole = child;
    }
    heap[hole] = id;
    place[id] = hole;
  }
}
