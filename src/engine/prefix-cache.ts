/**
 * KV blocks of one replica with what they hold, so that a prompt finds the blocks of an earlier one with the same beginning
 * (vLLM's automatic prefix caching): a block is referenced by the sequences that use it; one that nobody references is free but
 * keeps its contents until it is taken for something else, in the order of eviction (`eviction.ts`). A block can be found from when it
 * is named. Blocks without a name are all alike, so they are counted and not told apart: the work follows the blocks with names.
 * Of those that leave at one boundary, who gave up goes first, the last admitted of them first, then who is complete, in order.
 */
import { InvariantError } from "../kernel/errors.ts";
import { ByRank, LeastRecent, type FreeBlocks } from "./eviction.ts";
import type { PromptContent } from "./prompt-content.ts";

/** No block with a name. */
const NO_BLOCK = -1;

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
    // Keys are consecutive within a text, so every bit must come down to those of the mask (the finish of MurmurHash3).
    const high = Math.floor(key * 2.3283064365386963e-10);
    let hash = (key - high * 4294967296) ^ Math.imul(high, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    return (hash ^ (hash >>> 16)) & this.mask;
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

  private readonly blocks: number;
  private readonly references: Int32Array;
  private readonly keyOf: Float64Array;
  private readonly index: BlockIndex;
  private readonly order: FreeBlocks;
  /** Numbers that no named block has: those from `numbersUsed` on. */
  private readonly numbers: Int32Array;
  private numbersUsed = 0;

  constructor(blocks: number, eviction: "lru" | "fifo" | "lfu") {
    this.blocks = this.free = blocks;
    this.references = new Int32Array(blocks);
    this.keyOf = new Float64Array(blocks);
    this.index = new BlockIndex(blocks, this.keyOf);
    this.numbers = Int32Array.from({ length: blocks }, (_, id) => id);
    this.order = eviction === "lru" ? new LeastRecent(blocks) : new ByRank(blocks, eviction === "lfu");
    this.order.enterNameless(blocks);
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
      if (this.references[id]++ === 0) {
        this.free--;
        this.order.leave(id);
      } else this.sharedBlocks++;
      this.order.found(id);
      into.push(id);
    }
  }

  /** Takes so many free blocks, which there must be; what they held is forgotten. They have no names. */
  take(blocks: number): void {
    this.free -= blocks;
    for (let left = blocks - this.order.takeNameless(blocks); left > 0; left -= this.order.takeNameless(left)) {
      const id = this.order.first();
      this.order.leave(id);
      this.unname(id);
      left--;
    }
  }

  /**
   * A block without a name, used by one sequence since its n-th admission as block `depth` of its context, holds what `key` stands for.
   * Its number, by which it is found from now on; -1 when another block already is, and it stays without a name.
   */
  name(key: number, admission: number, depth: number): number {
    if (this.index.find(key) !== NO_BLOCK) return NO_BLOCK;
    if (this.numbersUsed === this.blocks)
      throw new InvariantError("INV-4", { named: this.blocks, blocks: this.blocks });
    const id = this.numbers[this.numbersUsed++];
    this.references[id] = 1;
    this.keyOf[id] = key;
    this.index.add(id);
    this.order.filled(id, admission, depth);
    return id;
  }

  /** Takes the name of a block that one sequence references; false, and nothing done, when more do. */
  forget(id: number): boolean {
    if (this.references[id] > 1) return false;
    this.unname(id);
    return true;
  }

  /** A sequence leaves with these blocks and so many without names behind them: its references go, the last block's first. */
  release(blocks: number[], nameless: number): void {
    const { references, order } = this;
    let freed = nameless;
    order.enterNameless(nameless);
    for (let i = blocks.length - 1; i >= 0; i--) {
      const id = blocks[i]!;
      if (id === NO_BLOCK) {
        order.enterNameless(1);
        freed++;
      } else if (--references[id] === 0) {
        order.enter(id);
        freed++;
      } else this.sharedBlocks--;
    }
    this.free += freed;
    blocks.length = 0;
  }

  clear(): void {
    this.free = this.blocks;
    this.sharedBlocks = this.numbersUsed = 0;
    this.numbers.forEach((_, id, numbers) => (numbers[id] = id));
    this.index.clear();
    this.order.clear();
    this.order.enterNameless(this.blocks);
  }

  private unname(id: number): void {
    this.index.delete(id);
    this.numbers[--this.numbersUsed] = id;
  }
}
