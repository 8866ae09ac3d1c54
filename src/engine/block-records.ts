/**
 * What is known of the named blocks of a prefix cache, one record of 32 bytes for each so that a look at a block is one look at memory,
 * and the index from keys to blocks.
 */

const NO_BLOCK = -1;

/** Cells of a record, as a power of two. */
export const RECORD = 3;
export const REFERENCES = 0;
/** The block that was found or named behind it last, in the context of whoever asked: where to look for the next key first. */
export const BEHIND = 1;
// Of a free one: its neighbours in the order of eviction; under lru the blocks without a name before it, else its run.
export const NEXT = 2;
export const PREVIOUS = 3;
export const NAMELESS_BEFORE = 4;
export const RUN = 4;
/** Its place in the context that filled it. */
export const DEPTH = 5;
/** In doubles: the last two cells. */
const KEY = 3;

export class BlockRecords {
  /** By block and column: `cells[(block << RECORD) + REFERENCES]`. */
  readonly cells: Int32Array;
  private readonly keys: Float64Array;
  private readonly index: BlockIndex;

  constructor(blocks: number) {
    this.cells = new Int32Array(blocks << RECORD);
    this.keys = new Float64Array(this.cells.buffer);
    this.index = new BlockIndex(blocks, this.keys);
  }

  /** The block named so; -1 when there is none. */
  find(key: number): number {
    return this.index.find(key);
  }

  /** Whether the block has this name, which is not 0: that of the first block of a context has nothing before it to be found by. */
  is(block: number, key: number): boolean {
    return this.keys[(block << 2) + KEY] === key;
  }

  /** No block may be named so. */
  name(block: number, key: number): void {
    this.keys[(block << 2) + KEY] = key;
    this.index.add(block);
  }

  unname(block: number): void {
    this.index.delete(block);
    this.keys[(block << 2) + KEY] = NaN;
  }

  clear(): void {
    this.index.clear();
    this.cells.fill(0);
  }
}

/**
 * Key → block, open addressing without allocation. Keys of a text follow on one another and are asked for in turn, so eight of them lie
 * together, and the table is wide enough for such groups not to crowd. Beside each block, which stands as its number and 1, is the hash of
 * its key, so that only a block that is most likely the right one is looked at.
 */
class BlockIndex {
  private readonly entries: Int32Array;
  private readonly keys: Float64Array;
  private readonly mask: number;

  constructor(blocks: number, keys: Float64Array) {
    const size = 4 << (32 - Math.clz32(Math.max(1, 2 * blocks - 1)));
    this.mask = size - 1;
    this.entries = new Int32Array(size);
    this.keys = keys;
  }

  find(key: number): number {
    const { entries, mask } = this;
    const hash = hashOf(key);
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const block = entries[at] - 1;
      if (block === NO_BLOCK || (entries[at + 1] === hash && this.keys[(block << 2) + KEY] === key)) return block;
    }
  }

  /** The key must not be in it. */
  add(block: number): void {
    const { entries, mask } = this;
    const hash = hashOf(this.keys[(block << 2) + KEY]);
    let at = (hash << 1) & mask;
    while (entries[at] !== 0) at = (at + 2) & mask;
    entries[at] = block + 1;
    entries[at + 1] = hash;
  }

  delete(block: number): void {
    const { entries, mask } = this;
    let hole = (hashOf(this.keys[(block << 2) + KEY]) << 1) & mask;
    while (entries[hole] !== block + 1) hole = (hole + 2) & mask;
    // Whoever probed past the hole moves into it.
    for (let at = (hole + 2) & mask; entries[at] !== 0; at = (at + 2) & mask) {
      const home = (entries[at + 1] << 1) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      entries[hole] = entries[at];
      entries[hole + 1] = entries[at + 1];
      hole = at;
    }
    entries[hole] = 0;
  }

  clear(): void {
    this.entries.fill(0);
  }
}

/** The finish of MurmurHash3 over all but the last three bits, and these as they are. */
function hashOf(key: number): number {
  const group = Math.floor(key * 0.125);
  const high = Math.floor(group * 2.3283064365386963e-10);
  let hash = (group - high * 4294967296) ^ Math.imul(high, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) << 3) | (key - group * 8);
}
