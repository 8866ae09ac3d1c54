/**
 * KV blocks of one replica with what they hold, so that a prompt finds the blocks of an earlier one with the same beginning
 * (vLLM's automatic prefix caching): a block is referenced by the sequences that use it; one that nobody references is free but
 * keeps its contents until it is taken for something else, in the order of eviction (`eviction.ts`). A block can be found from when it
 * is named. Blocks without a name are all alike, so they are counted and not told apart; those with names stand together in pieces of
 * texts (`text-pieces.ts`), so that the work follows the pieces and not the blocks.
 * Of those that leave at one boundary, who gave up goes first, the last admitted of them first, then who is complete, in order.
 */
import { ByRank, LeastRecent, type FreeBlocks } from "./eviction.ts";
import { BLOCKS_PER_TEXT, type PromptContent, textOf } from "./prompt-content.ts";
import { NONE, TextPieces } from "./text-pieces.ts";

/**
 * The first blocks of a context, in order: runs of blocks of one text, which are the named ones from the beginning of a piece on, or of
 * blocks without a name (piece NONE). Others may have split the piece since.
 */
export class HeldBlocks {
  blocks = 0;
  runs = 0;
  readonly piece: number[] = [];
  readonly length: number[] = [];

  add(piece: number, blocks: number): void {
    this.piece[this.runs] = piece;
    this.length[this.runs++] = blocks;
    this.blocks += blocks;
  }

  /** The last run is so much longer. */
  grow(blocks: number): void {
    this.length[this.runs - 1]! += blocks;
    this.blocks += blocks;
  }

  /** Takes the last run away: its piece and its length. */
  pop(): [piece: number, blocks: number] {
    const last = --this.runs;
    this.blocks -= this.length[last]!;
    return [this.piece[last]!, this.length[last]!];
  }

  clear(): void {
    this.blocks = this.runs = 0;
  }
}

export class PrefixCache {
  /** Blocks that nobody references. */
  free: number;
  /** References beyond the first, over all blocks: what sharing saves. */
  sharedBlocks = 0;
  /** Of the blocks that the last `match` found, so many are free. */
  foundFree = 0;

  private readonly blocks: number;
  private readonly pieces: TextPieces;
  private readonly order: FreeBlocks;
  /** Result of the last `match`: each run is of one piece, but need not begin with it; its first block in the text. */
  private readonly found = new HeldBlocks();
  private readonly foundAt: number[] = [];

  constructor(blocks: number, eviction: "lru" | "fifo" | "lfu") {
    this.blocks = this.free = blocks;
    this.pieces = new TextPieces(blocks);
    this.order = eviction === "lru" ? new LeastRecent(blocks) : new ByRank(this.pieces, blocks, eviction === "lfu");
    this.order.enterNameless(blocks);
  }

  /** Blocks that nobody references and that keep what a prompt may find; counted when asked for. */
  get kept(): number {
    return this.free - this.order.namelessBlocks();
  }

  /** Looks for the first `most` blocks of a context, up to the first that is not there, and says how many it found. */
  match(content: PromptContent, ordinal: number, classIndex: number, most: number): number {
    const { pieces, found, foundAt } = this;
    const { first, blocks } = pieces;
    found.clear();
    this.foundFree = 0;
    let piece = NONE;
    while (found.blocks < most) {
      const key = content.key(ordinal, classIndex, found.blocks);
      const text = textOf(key);
      let at = key - text * BLOCKS_PER_TEXT;
      const until = at + Math.min(most - found.blocks, content.run(ordinal, classIndex, found.blocks));
      const last = piece;
      if (piece === NONE || pieces.text[piece] !== text || first[piece] > at) piece = pieces.find(text);
      while (at < until) {
        piece = pieces.upTo(piece, at);
        const there = piece === NONE ? 0 : Math.min(until, first[piece] + blocks[piece]) - at;
        if (there <= 0) return found.blocks;
        if (pieces.references[piece] === 0) this.foundFree += there;
        if (piece === last) found.grow(there);
        else {
          foundAt[found.runs] = at;
          found.add(piece, there);
        }
        at += there;
      }
    }
    return found.blocks;
  }

  /** References the blocks of the last `match` for a sequence that has none yet. */
  holdFound(held: HeldBlocks): void {
    const { pieces, order, found, foundAt } = this;
    for (let i = 0; i < found.runs; i++) {
      const blocks = found.length[i]!;
      let piece = found.piece[i]!;
      if (foundAt[i]! > pieces.first[piece]) piece = this.split(piece, foundAt[i]! - pieces.first[piece]);
      if (blocks < pieces.blocks[piece]) this.split(piece, blocks);
      if (pieces.references[piece]++ === 0) {
        this.free -= blocks;
        order.leave(piece);
      } else this.sharedBlocks += blocks;
      order.found(piece);
      held.add(piece, blocks);
    }
  }

  /** Takes so many free blocks, which there must be; what they held is forgotten. They have no names. */
  take(blocks: number): void {
    const { order, pieces } = this;
    this.free -= blocks;
    for (let left = blocks - order.takeNameless(blocks); left > 0; left -= order.takeNameless(left)) {
      const piece = order.first();
      const taken = Math.min(left, pieces.blocks[piece]);
      pieces.blocks[piece] -= taken;
      left -= taken;
      if (pieces.blocks[piece] > 0) break;
      order.leave(piece);
      pieces.remove(piece);
    }
  }

  /**
   * The next blocks of a sequence, without names so far, are filled by its n-th admission with what `key` and the keys after it stand
   * for. They are found from now on, but for those that another block already stands for, which stay without a name.
   */
  name(held: HeldBlocks, key: number, blocks: number, admission: number): void {
    const { pieces, order } = this;
    const { first, after } = pieces;
    const text = textOf(key);
    let at = key - text * BLOCKS_PER_TEXT;
    const end = at + blocks;
    const behind = this.endsBefore(held, text, at);
    let head = behind ? held.piece[held.runs - 1]! : pieces.find(text);
    let piece = pieces.upTo(head, at);
    let grows = behind && pieces.references[piece] === 1 && order.alike(piece, admission);
    while (at < end) {
      const others = piece === NONE ? -1 : first[piece] + pieces.blocks[piece] - at;
      let more: number;
      if (others > 0) {
        more = Math.min(others, end - at);
        held.add(NONE, more);
      } else {
        const next = piece === NONE ? head : after[piece];
        more = (next === NONE ? end : Math.min(end, first[next])) - at;
        if (grows && others === 0) {
          pieces.blocks[piece] += more;
          held.grow(more);
        } else {
          piece = pieces.add(text, at, more, 1, piece);
          order.filled(piece, admission);
          held.add(piece, more);
        }
      }
      grows = false;
      at += more;
      piece = pieces.upTo(piece, at);
    }
  }

  /** A sequence that is about to leave gives up the names of its blocks from the n-th on, but for those that others use too. */
  forget(held: HeldBlocks, from: number): void {
    const { pieces } = this;
    const runs: [piece: number, blocks: number][] = [];
    while (held.blocks > from) runs.push(held.pop());
    for (const [begin, length] of runs.reverse()) {
      if (begin === NONE) held.add(NONE, length);
      let piece = begin;
      for (let left = begin === NONE ? 0 : length; left > 0;) {
        const kept = from - held.blocks;
        if (kept > 0 && kept < pieces.blocks[piece]) this.split(piece, kept);
        const blocks = pieces.blocks[piece];
        const next = pieces.after[piece];
        if (kept > 0 || pieces.references[piece] > 1) held.add(piece, blocks);
        else {
          pieces.remove(piece);
          held.add(NONE, blocks);
        }
        left -= blocks;
        piece = next;
      }
    }
  }

  /** A sequence leaves with these blocks, and so many without a name behind them: its references go, the last block's first. */
  release(held: HeldBlocks, nameless: number): void {
    const { order, pieces } = this;
    const { blocks } = pieces;
    let freed = nameless;
    order.enterNameless(nameless);
    for (let run = held.runs - 1; run >= 0; run--) {
      const length = held.length[run]!;
      let piece = held.piece[run]!;
      if (piece === NONE) {
        order.enterNameless(length);
        freed += length;
        continue;
      }
      for (let left = length - blocks[piece]; left > 0; left -= blocks[piece]) piece = pieces.after[piece];
      for (let left = length; left > 0;) {
        const before = pieces.before[piece];
        const count = blocks[piece];
        left -= count;
        if (--pieces.references[piece] === 0) {
          this.enter(piece);
          freed += count;
        } else this.sharedBlocks -= count;
        piece = before;
      }
    }
    this.free += freed;
  }

  clear(): void {
    this.free = this.blocks;
    this.sharedBlocks = 0;
    this.pieces.clear();
    this.order.clear();
    this.order.enterNameless(this.blocks);
  }

  /** A piece that nobody uses any more is free, and one with the piece behind it where both make room in turn. */
  private enter(piece: number): void {
    const { pieces, order } = this;
    const { first, blocks } = pieces;
    const after = pieces.after[piece];
    const joins = after !== NONE && pieces.references[after] === 0 && first[piece] + blocks[piece] === first[after];
    if (!joins || !order.enterInto(piece, after)) {
      order.enter(piece);
      return;
    }
    blocks[piece] += blocks[after];
    pieces.remove(after);
  }

  private split(piece: number, blocks: number): number {
    const { pieces, order } = this;
    const last = pieces.split(piece, blocks);
    order.split(piece, last, pieces.references[piece] === 0);
    return last;
  }

  /** Whether the last block that a sequence holds has a name, as that just before block `at` of the text. */
  private endsBefore(held: HeldBlocks, text: number, at: number): boolean {
    if (held.runs === 0) return false;
    const piece = held.piece[held.runs - 1]!;
    return (
      piece !== NONE &&
      this.pieces.text[piece] === text &&
      this.pieces.first[piece] + held.length[held.runs - 1]! === at
    );
  }
}
