/** The prefix cache against a list of blocks that is searched from scratch. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HeldBlocks, PrefixCache } from "../../src/engine/prefix-cache.ts";
import { BLOCKS_PER_TEXT, NOTHING_SHARED, sharedContent, type PromptContent } from "../../src/engine/prompt-content.ts";

const BLOCKS = 12;
/** Texts 2 n and 2 n + 1 share their first two blocks. */
const content: PromptContent = {
  key: (text, _class, block) => BLOCKS_PER_TEXT * (block < 2 ? text - (text % 2) : text) + block,
  run: (_text, _class, block) => (block < 2 ? 2 - block : Infinity),
};
/** The same for a cache that is told of one block at a time. */
const blockByBlock: PromptContent = { ...content, run: () => 1 };

interface Block {
  key: number | null;
  users: number;
  admission: number;
  place: number;
  found: number;
  freedAt: number;
}

/** What a cache does, by the rules of the header of `prefix-cache.ts`. */
class Model {
  readonly blocks: Block[];
  private clock = 0;
  private readonly eviction: "lru" | "fifo" | "lfu";

  private readonly content: PromptContent;

  constructor(eviction: "lru" | "fifo" | "lfu", texts = content) {
    this.eviction = eviction;
    this.content = texts;
    this.blocks = Array.from({ length: BLOCKS }, () => ({
      key: null,
      users: 0,
      admission: 0,
      place: 0,
      found: 0,
      freedAt: this.clock++,
    }));
  }

  match(text: number, most: number): Block[] {
    const run: Block[] = [];
    for (let b = 0; b < most; b++) {
      const block = this.blocks.find(({ key }) => key === this.content.key(text, 0, b));
      if (block === undefined) break;
      run.push(block);
    }
    return run;
  }

  take(admission: number, place: number): Block {
    const rank = (block: Block): number[] => {
      if (this.eviction === "lru") return [block.freedAt];
      if (block.key === null) return [-1];
      const order = [block.admission, -block.place];
      return this.eviction === "lfu" ? [block.found, ...order] : order;
    };
    const free = this.blocks.filter(({ users }) => users === 0);
    free.sort((a, b) => {
      const [x, y] = [rank(a), rank(b)];
      const at = x.findIndex((value, i) => value !== y[i]);
      return at < 0 ? 0 : x[at]! - (y[at] ?? 0);
    });
    return Object.assign(free[0]!, { key: null, users: 1, admission, place, found: 0 });
  }

  name(block: Block, key: number): void {
    if (!this.blocks.some((other) => other.key === key)) block.key = key;
  }

  release(blocks: readonly Block[]): void {
    for (const block of [...blocks].reverse()) if (--block.users === 0) block.freedAt = this.clock++;
  }

  get kept(): number {
    return this.blocks.filter(({ users, key }) => users === 0 && key !== null).length;
  }

  get free(): number {
    return this.blocks.filter(({ users }) => users === 0).length;
  }

  get shared(): number {
    return this.blocks.reduce((sum, { users }) => sum + Math.max(0, users - 1), 0);
  }
}

/** A sequence: what the cache was told that it has, and its blocks in the model. */
interface Sequence {
  readonly text: number;
  readonly admission: number;
  readonly held: HeldBlocks;
  readonly blocks: Block[];
}

/** The same deeds done to a cache and to the model. */
class Pair {
  readonly cache: PrefixCache;
  private model: Model;
  private readonly eviction: "lru" | "fifo" | "lfu";
  private readonly texts: PromptContent;
  private running: Sequence[] = [];
  private admissions = 0;

  constructor(eviction: "lru" | "fifo" | "lfu", texts: PromptContent) {
    this.cache = new PrefixCache(BLOCKS, eviction);
    this.model = new Model(eviction, texts);
    this.eviction = eviction;
    this.texts = texts;
  }

  /** A context of so many blocks, unless there is no room. */
  admit(text: number, length: number): void {
    const { cache, model, texts } = this;
    const blocks = model.match(text, length - 1);
    expect(cache.match(texts, text, 0, length - 1)).toBe(blocks.length);
    expect(cache.foundFree).toBe(blocks.filter(({ users }) => users === 0).length);
    if (length - blocks.length + cache.foundFree > cache.free) return;
    const admission = ++this.admissions;
    const held = new HeldBlocks();
    cache.holdFound(held);
    expect(held.blocks).toBe(blocks.length);
    for (const block of blocks) {
      block.users++;
      block.found++;
    }
    cache.take(length - blocks.length);
    for (let place = blocks.length; place < length; place++) blocks.push(model.take(admission, place));
    this.running.push({ text, admission, held, blocks });
  }

  /** So many more blocks of a context are computed; the last one of all stays unknown, as one that is not full. */
  goOn(which: number, chunk: number): void {
    const sequence = this.running[which % this.running.length];
    if (sequence !== undefined) this.name(sequence, Math.min(sequence.held.blocks + chunk, sequence.blocks.length - 1));
  }

  /** It leaves; of what it had named, but for what others use, the blocks from `kept` on were not computed after all. */
  leave(which: number, kept: number): void {
    const [sequence] = this.running.splice(which % Math.max(1, this.running.length), 1);
    if (sequence === undefined) return;
    const { held, blocks } = sequence;
    const named = held.blocks;
    this.cache.forget(held, kept);
    expect(held.blocks).toBe(named);
    for (const block of blocks.slice(kept, named)) if (block.users === 1) block.key = null;
    this.cache.release(held, blocks.length - named);
    this.model.release(blocks);
  }

  clear(): void {
    this.cache.clear();
    this.model = new Model(this.eviction, this.texts);
    this.running = [];
  }

  expectSame(): void {
    expect(this.cache.free).toBe(this.model.free);
    expect(this.cache.kept).toBe(this.model.kept);
    expect(this.cache.sharedBlocks).toBe(this.model.shared);
    for (let text = 0; text < 6; text++)
      expect(this.found(text), `blocks of text ${text}`).toBe(this.model.match(text, 8).length);
  }

  found(text: number): number {
    return this.cache.match(this.texts, text, 0, 8);
  }

  private name({ text, admission, held, blocks }: Sequence, whole: number): void {
    for (let place = held.blocks; place < whole; place++)
      this.model.name(blocks[place]!, this.texts.key(text, 0, place));
    while (held.blocks < whole) {
      const run = Math.min(whole - held.blocks, this.texts.run(text, 0, held.blocks));
      this.cache.name(held, this.texts.key(text, 0, held.blocks), run, admission);
    }
  }
}

const EVICTIONS = ["lru", "fifo", "lfu"] as const;
const CASES = EVICTIONS.flatMap((eviction) => [
  { eviction, asked: "by runs", texts: content },
  { eviction, asked: "block by block", texts: blockByBlock },
]);

describe.each(CASES)("eviction $eviction, asked $asked", ({ eviction, texts }) => {
  test("finds, shares, takes and forgets as the model does", () => {
    const nat = fc.nat(20);
    const deed = fc.oneof(
      {
        weight: 10,
        arbitrary: fc.tuple(fc.nat(5), fc.integer({ min: 1, max: 8 })).map(([text, length]) => (pair: Pair) => {
          pair.admit(text, length);
        }),
      },
      {
        weight: 12,
        arbitrary: fc.tuple(nat, fc.integer({ min: 1, max: 4 })).map(([which, chunk]) => (pair: Pair) => {
          pair.goOn(which, chunk);
        }),
      },
      { weight: 6, arbitrary: nat.map((which) => (pair: Pair) => pair.leave(which, BLOCKS)) },
      {
        weight: 3,
        arbitrary: fc.tuple(nat, fc.nat(6)).map(([which, kept]) => (pair: Pair) => {
          pair.leave(which, kept);
        }),
      },
      { weight: 1, arbitrary: fc.constant((pair: Pair) => pair.clear()) },
    );
    fc.assert(
      fc.property(fc.array(deed, { maxLength: 100 }), (deeds) => {
        const pair = new Pair(eviction, texts);
        for (const act of deeds) {
          act(pair);
          pair.expectSame();
        }
      }),
      { numRuns: 300 },
    );
  });

  test("a text whose end made room is continued by others, each of whom finds what is left", () => {
    const pair = new Pair(eviction, texts);
    const step = (found: number): void => {
      pair.expectSame();
      expect(pair.found(0)).toBe(found);
    };
    pair.admit(0, 8);
    pair.goOn(0, 7);
    pair.leave(0, BLOCKS);
    step(7);
    // Five blocks without a name, then the last ones of the text.
    pair.admit(2, 8);
    step(4);
    // A third keeps two of the four and takes the last of them for its own end; a fourth goes on from the three that are left.
    pair.admit(0, 3);
    step(3);
    pair.leave(0, BLOCKS);
    pair.admit(0, 8);
    pair.goOn(1, 2);
    step(5);
    pair.leave(1, BLOCKS);
    pair.leave(0, BLOCKS);
    pair.admit(0, 8);
    pair.goOn(0, 7);
    step(7);
  });

  test("texts with one beginning each keep their own end, whichever goes first", () => {
    const pair = new Pair(eviction, texts);
    pair.admit(0, 5);
    pair.goOn(0, 4);
    pair.admit(1, 5);
    pair.goOn(1, 4);
    expect([pair.found(0), pair.found(1)]).toEqual([4, 4]);
    expect(pair.cache.sharedBlocks).toBe(2);
    pair.leave(0, 0);
    pair.expectSame();
    // What the other uses too is kept.
    expect([pair.found(0), pair.found(1)]).toEqual([2, 4]);
    pair.leave(0, 3);
    pair.expectSame();
    expect([pair.found(0), pair.found(1)]).toEqual([2, 3]);
  });

  test("a text that two fill at once lives on in its end when its beginning makes room, and gets it again", () => {
    const pair = new Pair(eviction, texts);
    pair.admit(0, 4);
    pair.admit(0, 6);
    pair.goOn(0, 3);
    // Its first three blocks are those of the other one, so that its own stay without names.
    pair.goOn(1, 5);
    expect(pair.found(0)).toBe(5);
    pair.leave(0, BLOCKS);
    pair.admit(2, 6);
    pair.expectSame();
    expect(pair.found(0)).toBe(0);
    pair.goOn(1, 5);
    pair.expectSame();
    pair.leave(1, BLOCKS);
    pair.admit(0, 4);
    pair.goOn(1, 3);
    pair.expectSame();
    expect(pair.found(0)).toBe(5);
    // Who named the end leaves and it makes room: what is left is the new beginning.
    pair.leave(0, BLOCKS);
    pair.admit(4, 8);
    pair.expectSame();
    pair.leave(0, BLOCKS);
    for (let length = 8; length > 0; length--) {
      pair.admit(2, length);
      pair.expectSame();
    }
  });

  test("a beginning that outlives its end makes room after the blocks that came free between them", () => {
    const pair = new Pair(eviction, texts);
    pair.admit(0, 3);
    pair.goOn(0, 2);
    pair.admit(0, 5);
    pair.goOn(1, 2);
    pair.leave(1, BLOCKS);
    pair.leave(0, BLOCKS);
    pair.expectSame();
    pair.admit(2, 8);
    pair.admit(4, 2);
    pair.expectSame();
    // Under fifo the beginning is the older admission's, and goes before the end.
    expect(pair.found(0)).toBe(eviction === "fifo" ? 0 : 2);
  });

  test("both parts of a text that was cut keep how often it was found", () => {
    const pair = new Pair(eviction, texts);
    pair.admit(0, 5);
    pair.goOn(0, 4);
    pair.leave(0, BLOCKS);
    pair.admit(0, 5);
    pair.leave(0, BLOCKS);
    // The second text is younger and was never found; then somebody cuts the first one.
    pair.admit(2, 5);
    pair.goOn(0, 4);
    pair.leave(0, BLOCKS);
    pair.admit(0, 3);
    pair.expectSame();
    pair.leave(0, BLOCKS);
    pair.admit(4, 6);
    pair.expectSame();
    expect([pair.found(0), pair.found(2)]).toEqual({ lru: [2, 3], fifo: [2, 4], lfu: [4, 2] }[eviction]);
  });
});

test("two caches of one content know nothing of each other", () => {
  const [one, other] = [new Pair("lru", content), new Pair("lru", content)];
  one.admit(0, 8);
  one.goOn(0, 7);
  expect([one.found(0), other.found(0)]).toEqual([7, 0]);
});

describe("what prompts share", () => {
  const beginnings = {
    systemStream: (ordinal: number) => [0, 0, -1, 1][ordinal]!,
    systemTokens: (ordinal: number) => [20, 33, 0, 16][ordinal]!,
    sessionStream: (ordinal: number) => [-1, -1, 7, 7][ordinal]!,
  };
  const shared = sharedContent(beginnings, 16);
  const same = (a: number, b: number, block: number): boolean => shared.key(a, 0, block) === shared.key(b, 0, block);

  test("blocks wholly within both system prompts, and no others", () => {
    expect([0, 1, 2].map((block) => same(0, 1, block))).toEqual([true, false, false]);
  });

  test("a session shares all beyond the system prompt, and no two requests share what is their own", () => {
    expect([0, 1, 2].map((block) => same(2, 3, block))).toEqual([false, true, true]);
    const keys = [0, 1, 2, 3].flatMap((ordinal) => [0, 1].map((block) => NOTHING_SHARED.key(ordinal, 0, block)));
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("keys follow on one another as far as it says", () => {
    for (let ordinal = 0; ordinal < 4; ordinal++)
      for (let block = 0; block < 4; block++) {
        const most = Math.min(4, shared.run(ordinal, 0, block));
        const keys = Array.from({ length: most }, (_, i) => shared.key(ordinal, 0, block + i) - i);
        expect(new Set(keys).size).toBe(1);
      }
    expect(shared.run(1, 0, 0)).toBe(2);
  });
});
