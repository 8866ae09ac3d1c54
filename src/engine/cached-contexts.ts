/**
 * What the running sequences of one replica have in its prefix cache, by their seats: which of their blocks have names. Blocks that
 * nobody can ask for stay without, and the others get theirs when the chunk that fills them is scheduled.
 */
import { longerInts } from "./columns.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { OWN_KEYS, type PromptContent } from "./prompt-content.ts";
import type { RequestTable } from "./request-table.ts";
import type { EngineSpec } from "./spec.ts";

export class CachedContexts {
  readonly cache: PrefixCache;
  private readonly content: PromptContent;
  private readonly table: RequestTable;
  private readonly ranked: boolean;
  private readonly blockShift: number;
  // By seat.
  /** Blocks that have had their turn to be named, from the first; beyond `named` they are to have another. */
  private readonly held: Int32Array[] = [];
  private readonly heldCount: number[] = [];
  private readonly named: number[] = [];
  private readonly admission: number[] = [];
  /** It was preempted before; or, where names change who makes room, was here before in any way. */
  private readonly again: boolean[] = [];

  constructor(spec: EngineSpec, eviction: "lru" | "fifo" | "lfu", content: PromptContent, table: RequestTable) {
    this.cache = new PrefixCache(spec.kvBlocks, eviction);
    this.content = content;
    this.table = table;
    this.ranked = eviction !== "lru";
    this.blockShift = 31 - Math.clz32(spec.blockTokens);
  }

  /** Whole blocks of the context of a waiting request that the cache holds; at least one token is always left to compute. */
  match(slot: number): number {
    const { prefillTokens, ordinal, classIndex } = this.table;
    const most = (prefillTokens[slot] - 1) >> this.blockShift;
    return this.cache.match(this.content, ordinal[slot], classIndex[slot], most);
  }

  /** A request takes a seat, by the n-th admission. */
  sit(seat: number, slot: number, admission: number): void {
    if (this.held.length <= seat) this.held[seat] = new Int32Array(64);
    this.named[seat] = this.heldCount[seat] = 0;
    this.admission[seat] = admission;
    this.again[seat] = this.table.next[slot] === 1 || (this.ranked && this.table.attempts[slot] > 1);
  }

  /** It uses the blocks of the last `match`. */
  holdFound(seat: number): void {
    const { found, foundCount } = this.cache;
    this.cache.holdFound();
    const held = this.heldFor(seat, foundCount);
    for (let i = 0; i < foundCount; i++) held[i] = found[i];
    this.named[seat] = this.heldCount[seat] = foundCount;
  }

  /**
   * Names the whole blocks of the first `tokens` tokens. Blocks that the request alone can ask for get their names when it is
   * first preempted (`ownToo`), for it will ask then; else when they are free, where a name changes who makes room.
   */
  nameUpTo(seat: number, slot: number, tokens: number, ownToo: boolean): void {
    const { cache, content } = this;
    const whole = tokens >> this.blockShift;
    let block = this.named[seat]!;
    if (block >= whole) return;
    const ordinal = this.table.ordinal[slot];
    const classIndex = this.table.classIndex[slot];
    const all = ownToo || this.again[seat]!;
    const admission = this.admission[seat]!;
    const held = this.heldFor(seat, whole);
    while (block < whole) {
      let key = content.key(ordinal, classIndex, block);
      if (key >= OWN_KEYS && !all) break;
      const until = Math.min(whole, block + content.run(ordinal, classIndex, block));
      for (; block < until; block++, key++)
        if (block >= this.heldCount[seat]! || held[block] < 0)
          held[block] = cache.name(key, admission, block, block > 0 ? held[block - 1] : -1);
    }
    this.named[seat] = block;
    if (block > this.heldCount[seat]!) this.heldCount[seat] = block;
  }

  /** Blocks that will not be computed after all lose their names, but for those that a sequence of this step has found already. */
  forgetFrom(seat: number, block: number): void {
    const held = this.held[seat]!;
    const named = this.named[seat]!;
    for (let b = block; b < named; b++) if (held[b] >= 0 && this.cache.forget(held[b])) held[b] = -1;
    if (block < named) this.named[seat] = block;
  }

  /** It leaves with `tokens` tokens computed and so many blocks. */
  release(seat: number, slot: number, tokens: number, blocks: number, comesBack: boolean): void {
    this.nameUpTo(seat, slot, tokens, comesBack);
    let count = this.heldCount[seat]!;
    let nameless = blocks - count;
    const whole = tokens >> this.blockShift;
    if (this.ranked && count < whole) {
      const key = this.content.key(this.table.ordinal[slot], this.table.classIndex[slot], count);
      if (this.cache.releaseTogether(key, this.admission[seat]!, count, whole - count)) nameless -= whole - count;
      else {
        this.nameUpTo(seat, slot, tokens, true);
        count = this.heldCount[seat]!;
        nameless = blocks - count;
      }
    }
    this.cache.release(this.held[seat]!, count, nameless);
  }

  clear(): void {
    this.cache.clear();
  }

  /** Its list of blocks, with room for so many. */
  private heldFor(seat: number, blocks: number): Int32Array {
    const held = this.held[seat]!;
    return blocks <= held.length ? held : (this.held[seat] = longerInts(held, 2 * blocks));
  }
}
