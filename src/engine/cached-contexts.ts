/**
 * What the running sequences of one replica have in its prefix cache, by their seats: which of their blocks have names. Blocks that
 * nobody can ask for stay without, and the others get theirs when the chunk that fills them is scheduled.
 */
import { HeldBlocks, PrefixCache } from "./prefix-cache.ts";
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
  /** Blocks that have had their turn to be named. */
  private readonly held: HeldBlocks[] = [];
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
    if (this.held.length <= seat) this.held[seat] = new HeldBlocks();
    this.held[seat]!.clear();
    this.admission[seat] = admission;
    this.again[seat] = this.table.next[slot] === 1 || (this.ranked && this.table.attempts[slot] > 1);
  }

  /** It uses the blocks of the last `match`. */
  holdFound(seat: number): void {
    this.cache.holdFound(this.held[seat]!);
  }

  /**
   * Names the whole blocks of the first `tokens` tokens. Blocks that the request alone can ask for get their names when it is
   * first preempted (`ownToo`), for it will ask then; else when they are free, where a name changes who makes room.
   */
  nameUpTo(seat: number, slot: number, tokens: number, ownToo: boolean): void {
    const { cache, content } = this;
    const held = this.held[seat]!;
    const whole = tokens >> this.blockShift;
    if (held.blocks >= whole) return;
    const ordinal = this.table.ordinal[slot];
    const classIndex = this.table.classIndex[slot];
    const all = ownToo || this.again[seat]!;
    while (held.blocks < whole) {
      const key = content.key(ordinal, classIndex, held.blocks);
      if (key >= OWN_KEYS && !all) break;
      const blocks = Math.min(whole - held.blocks, content.run(ordinal, classIndex, held.blocks));
      cache.name(held, key, blocks, this.admission[seat]!);
    }
  }

  /** It leaves with `tokens` tokens computed: what will not be computed after all loses its name. */
  settle(seat: number, slot: number, tokens: number, comesBack: boolean): void {
    this.cache.forget(this.held[seat]!, tokens >> this.blockShift);
    this.nameUpTo(seat, slot, tokens, comesBack || this.ranked);
  }

  /** Its blocks, so many in all, are not used by it any more. */
  release(seat: number, blocks: number): void {
    const held = this.held[seat]!;
    this.cache.release(held, blocks - held.blocks);
  }

  clear(): void {
    this.cache.clear();
  }
}
