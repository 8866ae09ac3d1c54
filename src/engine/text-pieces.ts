/**
 * The named blocks of a prefix cache, by the texts that they hold: a piece is some blocks of one text that follow on one another and
 * have had the same users, so that what happens to all of them costs what it costs for one. The pieces of a text stand in a list in
 * the order of its blocks, and the index knows the first one.
 */
import { InvariantError } from "../kernel/errors.ts";

/** No piece. */
export const NONE = -1;

export class TextPieces {
  // By piece.
  readonly text: Float64Array;
  /** Its first block in the text, and how many it has. */
  readonly first: Int32Array;
  readonly blocks: Int32Array;
  /** Sequences that use it: each block of it. */
  readonly references: Int32Array;
  /** The piece before it and the one after it in its text. */
  readonly before: Int32Array;
  readonly after: Int32Array;

  private readonly index: TextIndex;
  /** Numbers that no piece has: those from `used` on. */
  private readonly numbers: Int32Array;
  private used = 0;

  constructor(most: number) {
    const int = (): Int32Array => new Int32Array(most);
    this.text = new Float64Array(most);
    this.first = int();
    this.blocks = int();
    this.references = int();
    this.before = int();
    this.after = int();
    this.numbers = Int32Array.from({ length: most }, (_, piece) => piece);
    this.index = new TextIndex(this.text);
  }

  /** The first piece of a text. */
  find(text: number): number {
    return this.index.find(text);
  }

  /** Of the pieces of a text from `from` on, the last that begins at block `at` or before it. */
  upTo(from: number, at: number): number {
    const { first, after } = this;
    if (from === NONE || first[from] > at) return NONE;
    let piece = from;
    for (let next = after[piece]; next !== NONE && first[next] <= at; next = after[piece]) piece = next;
    return piece;
  }

  /** A piece of a text behind piece `before` (NONE: as the first one), at blocks that no other piece has. */
  add(text: number, first: number, blocks: number, references: number, before: number): number {
    if (this.used === this.numbers.length) throw new InvariantError("INV-4", { pieces: this.used });
    const piece = this.numbers[this.used++];
    const after = before === NONE ? this.index.find(text) : this.after[before];
    this.text[piece] = text;
    this.first[piece] = first;
    this.blocks[piece] = blocks;
    this.references[piece] = references;
    this.before[piece] = before;
    this.after[piece] = after;
    if (after !== NONE) this.before[after] = piece;
    if (before !== NONE) this.after[before] = piece;
    else if (after === NONE) this.index.add(piece);
    else this.index.replace(after, piece);
    return piece;
  }

  /** Makes a piece of its own of all but the first `blocks` blocks of a piece. */
  split(piece: number, blocks: number): number {
    const rest = this.blocks[piece] - blocks;
    this.blocks[piece] = blocks;
    return this.add(this.text[piece], this.first[piece] + blocks, rest, this.references[piece], piece);
  }

  remove(piece: number): void {
    const before = this.before[piece];
    const after = this.after[piece];
    if (after !== NONE) this.before[after] = before;
    if (before !== NONE) this.after[before] = after;
    else if (after === NONE) this.index.delete(piece);
    else this.index.replace(piece, after);
    this.numbers[--this.used] = piece;
  }

  clear(): void {
    this.index.clear();
    for (let piece = 0; piece < this.numbers.length; piece++) this.numbers[piece] = piece;
    this.used = 0;
  }
}

/**
 * Text → its first piece, open addressing. Numbers of texts that are asked for in turn mostly follow on one another, so eight of them
 * lie together. Beside each piece, which stands as its number and 1, is the hash of its text, so that only a piece that is most likely
 * the right one is looked at.
 */
class TextIndex {
  private entries = new Int32Array(256);
  private count = 0;
  private readonly text: Float64Array;

  constructor(text: Float64Array) {
    this.text = text;
  }

  find(text: number): number {
    const { entries } = this;
    const mask = entries.length - 1;
    const hash = hashOf(text);
    for (let at = (hash << 1) & mask; ; at = (at + 2) & mask) {
      const piece = entries[at] - 1;
      if (piece === NONE || (entries[at + 1] === hash && this.text[piece] === text)) return piece;
    }
  }

  /** No piece of its text is in it. */
  add(piece: number): void {
    // One place in four is taken at most, so that groups do not crowd.
    if (8 * ++this.count > this.entries.length) this.widen();
    const hash = hashOf(this.text[piece]);
    this.enter(piece + 1, hash);
  }

  replace(piece: number, other: number): void {
    this.entries[this.placeOf(piece)] = other + 1;
  }

  delete(piece: number): void {
    const { entries } = this;
    const mask = entries.length - 1;
    let hole = this.placeOf(piece);
    // Whoever probed past the hole moves into it.
    for (let at = (hole + 2) & mask; entries[at] !== 0; at = (at + 2) & mask) {
      const home = (entries[at + 1] << 1) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      entries[hole] = entries[at];
      entries[hole + 1] = entries[at + 1];
      hole = at;
    }
    entries[hole] = 0;
    this.count--;
  }

  clear(): void {
    this.entries.fill(0);
    this.count = 0;
  }

  private placeOf(piece: number): number {
    const { entries } = this;
    const mask = entries.length - 1;
    let at = (hashOf(this.text[piece]) << 1) & mask;
    while (entries[at] !== piece + 1) at = (at + 2) & mask;
    return at;
  }

  private enter(entry: number, hash: number): void {
    const { entries } = this;
    const mask = entries.length - 1;
    let at = (hash << 1) & mask;
    while (entries[at] !== 0) at = (at + 2) & mask;
    entries[at] = entry;
    entries[at + 1] = hash;
  }

  private widen(): void {
    const old = this.entries;
    this.entries = new Int32Array(2 * old.length);
    for (let at = 0; at < old.length; at += 2) if (old[at] !== 0) this.enter(old[at], old[at + 1]);
  }
}

/** The finish of MurmurHash3 over all but the last three bits, and these as they are. */
function hashOf(text: number): number {
  const group = Math.floor(text * 0.125);
  const high = Math.floor(group * 2.3283064365386963e-10);
  let hash = (group - high * 4294967296) ^ Math.imul(high, 0x9e3779b1);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) << 3) | (text - group * 8);
}
