/**
 * KV blocks as objects that carry their contents, for the naive policy stepper. Who is evicted is found by looking at every
 * block each time. A block's contents are the whole text from the beginning of the context to its end, in words.
 */
import type { PolicyRequest } from "./scenario.ts";

export interface Block {
  /** Null when it can't be found by what it holds. */
  contents: string | null;
  users: number;
  /** Which admission it was taken for, at which place of the context, how often it was found since, and when it came free. */
  admission: number;
  place: number;
  found: number;
  freedAt: number;
}

/** The first `tokens` tokens of what a request's context holds: two contexts with the same words hold the same tokens. */
export function textOf(request: PolicyRequest, index: number, tokens: number): string {
  const shared = request.system < 0 ? 0 : Math.min(tokens, request.systemTokens);
  const rest = tokens - shared;
  const system = shared > 0 ? `${shared} of system prompt ${request.system}` : "";
  const own = request.session < 0 ? `request ${index}` : `session ${request.session}`;
  return rest > 0 ? `${system}, ${rest} of ${own}` : system;
}

export class NaiveBlocks {
  /** Evicted blocks that held something that could have been found. */
  evicted = 0;
  private readonly total: number;
  private readonly eviction: "lru" | "fifo" | "lfu" | null;
  /** Those that were ever used. */
  private blocks: Block[] = [];
  private clock = 0;

  constructor(total: number, eviction: "lru" | "fifo" | "lfu" | null) {
    this.total = total;
    this.eviction = eviction;
  }

  free(): number {
    let used = 0;
    for (const block of this.blocks) if (block.users > 0) used++;
    return this.total - used;
  }

  /** The longest run of blocks from the first on that hold these contents. */
  find(contents: readonly string[]): Block[] {
    const run: Block[] = [];
    if (this.eviction === null) return run;
    for (const wanted of contents) {
      const block = this.blocks.find((one) => one.contents === wanted);
      if (block === undefined) break;
      run.push(block);
    }
    return run;
  }

  share(block: Block): void {
    block.users++;
    block.found++;
  }

  take(admission: number, place: number): Block {
    const fresh = { contents: null, users: 1, admission, place, found: 0, freedAt: 0 };
    if (this.blocks.length < this.total) {
      this.blocks.push(fresh);
      return fresh;
    }
    let first: Block | null = null;
    for (const block of this.blocks)
      if (block.users === 0 && (first === null || this.goesBefore(block, first))) first = block;
    if (first === null) throw new Error("no block is free");
    if (first.contents !== null) this.evicted++;
    return Object.assign(first, fresh);
  }

  /** From now on it is found by what it holds, unless another block is already. */
  name(block: Block, contents: string): void {
    if (this.eviction === null || this.blocks.some((one) => one.contents === contents)) return;
    block.contents = contents;
  }

  release(blocks: readonly Block[]): void {
    for (const block of [...blocks].reverse()) {
      block.users--;
      if (block.users === 0) block.freedAt = ++this.clock;
      if (this.eviction === null && block.users === 0) this.blocks = this.blocks.filter((one) => one !== block);
    }
  }

  private goesBefore(a: Block, b: Block): boolean {
    if (this.eviction === "lru") return a.freedAt < b.freedAt;
    if ((a.contents === null) !== (b.contents === null)) return a.contents === null;
    if (this.eviction === "lfu" && a.found !== b.found) return a.found < b.found;
    if (a.admission !== b.admission) return a.admission < b.admission;
    return a.place > b.place;
  }
}
