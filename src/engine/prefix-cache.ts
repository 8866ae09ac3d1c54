/**
 * KV blocks of one replica with what they hold, so that a prompt finds the blocks of an earlier one with the same beginning
 * (vLLM's automatic prefix caching): a block is referenced by the sequences that use it; one that nobody references is free but
 * keeps its contents until it is taken for something else, in the order of eviction (`eviction.ts`). A block can be found from when it
 * is named. Blocks without a name are all alike, so they are counted and not told apart: the work follows the blocks with names.
 * Of those that leave at one boundary, who gave up goes first, the last admitted of them first, then who is complete, in order.
 */
import { InvariantError } from "../kernel/errors.ts";
import { BEHIND, BlockRecords, RECORD, REFERENCES } from "./block-records.ts";
import { ByRank, LeastRecent, type FreeBlocks } from "./eviction.ts";
import type { PromptContent } from "./prompt-content.ts";

/** No block with a name. */
const NO_BLOCK = -1;

export class PrefixCache {
  /** Blocks that nobody references. */
  free: number;
  /** References beyond the first, over all blocks: what sharing saves. */
  sharedBlocks = 0;
  /** Result of the last `match`: the blocks found, and how many of them were free. */
  found: Int32Array = new Int32Array(64);
  foundCount = 0;
  foundFree = 0;

  private readonly blocks: number;
  private readonly records: BlockRecords;
  private readonly order: FreeBlocks;
  /** Numbers that no named block has: those from `numbersUsed` on. */
  private readonly numbers: Int32Array;
  private numbersUsed = 0;

  constructor(blocks: number, eviction: "lru" | "fifo" | "lfu") {
    this.blocks = this.free = blocks;
    this.records = new BlockRecords(blocks);
    this.numbers = Int32Array.from({ length: blocks }, (_, id) => id);
    this.order =
      eviction === "lru" ? new LeastRecent(this.records) : new ByRank(this.records, blocks, eviction === "lfu");
    this.order.enterNameless(blocks);
  }

  /** Looks for the first `most` blocks of a context, up to the first that is not there: into `found`. */
  match(content: PromptContent, ordinal: number, classIndex: number, most: number): number {
    const { records } = this;
    const { cells } = records;
    if (most > this.found.length) this.found = new Int32Array(2 * most);
    const { found } = this;
    this.foundCount = this.foundFree = 0;
    let before = NO_BLOCK;
    for (let block = 0; block < most;) {
      let key = content.key(ordinal, classIndex, block);
      const until = Math.min(most, block + content.run(ordinal, classIndex, block));
      for (; block < until; block++, key++) {
        let id = before === NO_BLOCK ? NO_BLOCK : cells[(before << RECORD) + BEHIND];
        if (id === NO_BLOCK || !records.is(id, key)) {
          id = records.find(key);
          if (id === NO_BLOCK) return block;
          if (this.order.deeper(id) > 0) this.spread(id, key, block);
          if (before !== NO_BLOCK) cells[(before << RECORD) + BEHIND] = id;
        }
        if (cells[(id << RECORD) + REFERENCES] === 0) this.foundFree++;
        found[block] = before = id;
        this.foundCount = block + 1;
      }
    }
    return this.foundCount;
  }

  /** References the blocks of the last `match`, in order. */
  holdFound(): void {
    const { found, order } = this;
    const { cells } = this.records;
    for (let i = 0; i < this.foundCount; i++) {
      const id = found[i];
      if (cells[(id << RECORD) + REFERENCES]++ === 0) {
        this.free--;
        order.leave(id);
      } else this.sharedBlocks++;
      order.found(id);
    }
  }

  /** Takes so many free blocks, which there must be; what they held is forgotten. They have no names. */
  take(blocks: number): void {
    const { order } = this;
    this.free -= blocks;
    for (let left = blocks - order.takeNameless(blocks); left > 0; left -= order.takeNameless(left)) {
      const id = order.first();
      left -= order.takeDeeper(id, left);
      if (left === 0) break;
      order.leave(id);
      this.unname(id);
      left--;
    }
  }

  /**
   * A block without a name, used by one sequence since its n-th admission as block `depth` of its context, behind block `before`
   * (-1: none with a name), holds what `key` stands for. Its number, by which it is found from now on; -1 when another block already
   * is, and it stays without a name.
   */
  name(key: number, admission: number, depth: number, before: number): number {
    const { records } = this;
    const found = records.find(key);
    if (found !== NO_BLOCK) {
      if (this.order.deeper(found) > 0) this.spread(found, key, depth);
      return NO_BLOCK;
    }
    const id = this.number(key, admission, depth);
    records.cells[(id << RECORD) + REFERENCES] = 1;
    if (before !== NO_BLOCK) records.cells[(before << RECORD) + BEHIND] = id;
    return id;
  }

  /**
   * So many blocks of a sequence that leaves, from `depth` on with consecutive keys from `key` on, are free with names from now on. Only
   * the request itself can ask for them, so they share one number until it does. False, and nothing done, when the first key is taken.
   */
  releaseTogether(key: number, admission: number, depth: number, blocks: number): boolean {
    if (this.records.find(key) !== NO_BLOCK) return false;
    const id = this.number(key, admission, depth);
    this.order.extend(id, blocks - 1);
    this.order.enter(id);
    this.free += blocks;
    return true;
  }

  /** Takes the name of a block that one sequence references; false, and nothing done, when more do. */
  forget(id: number): boolean {
    if (this.records.cells[(id << RECORD) + REFERENCES] > 1) return false;
    this.unname(id);
    return true;
  }

  /** A sequence leaves with these blocks, -1 = one without a name, and so many without behind them: its references go, the last block's first. */
  release(ids: Int32Array, count: number, nameless: number): void {
    const { order } = this;
    const { cells } = this.records;
    let freed = nameless;
    order.enterNameless(nameless);
    for (let i = count - 1; i >= 0; i--) {
      const id = ids[i];
      if (id === NO_BLOCK) {
        order.enterNameless(1);
        freed++;
      } else if (--cells[(id << RECORD) + REFERENCES] === 0) {
        order.enter(id);
        freed++;
      } else this.sharedBlocks--;
    }
    this.free += freed;
  }

  clear(): void {
    this.free = this.blocks;
    this.sharedBlocks = this.numbersUsed = 0;
    for (let id = 0; id < this.blocks; id++) this.numbers[id] = id;
    this.records.clear();
    this.order.clear();
    this.order.enterNameless(this.blocks);
  }

  /** Gives the blocks that a free one stands for numbers of their own. */
  private spread(id: number, key: number, depth: number): void {
    const { order } = this;
    for (let more = order.deeper(id); more > 0; more--) {
      order.takeDeeper(id, 1);
      order.enterBefore(this.number(key + more, order.admissionOf(id), depth + more), id);
    }
  }

  /** A named block that nobody references. */
  private number(key: number, admission: number, depth: number): number {
    if (this.numbersUsed === this.blocks)
      throw new InvariantError("INV-4", { named: this.blocks, blocks: this.blocks });
    const id = this.numbers[this.numbersUsed++];
    this.records.name(id, key);
    this.records.cells[(id << RECORD) + REFERENCES] = 0;
    this.order.filled(id, admission, depth);
    return id;
  }

  private unname(id: number): void {
    this.records.unname(id);
    this.numbers[--this.numbersUsed] = id;
  }
}
