/** The prefix cache against a list of blocks that is searched from scratch. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PrefixCache } from "../../src/engine/prefix-cache.ts";
import { NOTHING_SHARED, OWN_KEYS, sharedContent, type PromptContent } from "../../src/engine/prompt-content.ts";

const BLOCKS = 12;
/** Texts are numbers: block b of text t has key 100 t + b; texts 2 n and 2 n + 1 share their first two blocks. */
const content: PromptContent = {
  key: (text, _class, block) => 100 * (block < 2 ? text - (text % 2) : text) + block,
  run: (_text, _class, block) => (block < 2 ? 2 - block : Infinity),
};

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

  get free(): number {
    return this.blocks.filter(({ users }) => users === 0).length;
  }

  get shared(): number {
    return this.blocks.reduce((sum, { users }) => sum + Math.max(0, users - 1), 0);
  }
}

describe.each(["lru", "fifo", "lfu"] as const)("eviction %s", (eviction) => {
  test("finds, shares, takes and forgets as the model does", () => {
    const length = fc.integer({ min: 1, max: 6 });
    const admit = fc.record({ what: fc.constant("admit" as const), text: fc.integer({ min: 0, max: 5 }), length });
    const leave = fc.record({ what: fc.constant("leave" as const), which: fc.nat(20) });
    const clear = fc.constant({ what: "clear" as const });
    const actions = fc.array(
      fc.oneof({ weight: 10, arbitrary: admit }, { weight: 9, arbitrary: leave }, { weight: 1, arbitrary: clear }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(actions, (list) => {
        const cache = new PrefixCache(BLOCKS, eviction);
        let model = new Model(eviction);
        let running: { ids: number[]; blocks: Block[] }[] = [];
        let admissions = 0;
        for (const action of list) {
          if (action.what === "clear") {
            cache.clear();
            model = new Model(eviction);
            running = [];
          } else if (action.what === "leave") {
            const [gone] = running.splice(action.which % Math.max(1, running.length), 1);
            if (gone === undefined) continue;
            cache.release(Int32Array.from(gone.ids), gone.ids.length, gone.blocks.length - gone.ids.length);
            model.release(gone.blocks);
          } else {
            const { text } = action;
            const wanted = model.match(text, action.length);
            expect(cache.match(content, text, 0, action.length)).toBe(wanted.length);
            expect(cache.foundFree).toBe(wanted.filter(({ users }) => users === 0).length);
            if (action.length - wanted.length + cache.foundFree > cache.free) continue;
            const admission = ++admissions;
            const ids = [...cache.found.subarray(0, cache.foundCount)];
            cache.holdFound();
            for (const block of wanted) {
              block.users++;
              block.found++;
            }
            cache.take(action.length - ids.length);
            for (let place = wanted.length; place < action.length; place++) wanted.push(model.take(admission, place));
            // The last block of a context stays unknown, as one that is not full.
            for (let place = ids.length; place + 1 < action.length; place++) {
              ids.push(cache.name(content.key(text, 0, place), admission, place, ids[place - 1] ?? -1));
              model.name(wanted[place]!, content.key(text, 0, place));
            }
            running.push({ ids, blocks: wanted });
          }
          expect(cache.free).toBe(model.free);
          expect(cache.sharedBlocks).toBe(model.shared);
          for (let text = 0; text < 6; text++)
            expect(cache.match(content, text, 0, 6), `blocks of text ${text}`).toBe(model.match(text, 6).length);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe.each(["fifo", "lfu"] as const)("answers under %s", (eviction) => {
  /** Texts from 1000 on are of one request each, which may come twice. */
  const own: PromptContent = { key: (text, _class, block) => OWN_KEYS + 1000 * text + block, run: () => Infinity };

  test("released together they go and are found as one by one", () => {
    const action = fc.record({
      back: fc.boolean(),
      which: fc.nat(20),
      length: fc.integer({ min: 1, max: 6 }),
      leaves: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (list) => {
        const cache = new PrefixCache(BLOCKS, eviction);
        const model = new Model(eviction, own);
        const running: { text: number; admission: number; ids: number[]; blocks: Block[]; again: boolean }[] = [];
        const seen: number[] = [];
        let admissions = 0;
        for (const { back, which, length, leaves } of list) {
          if (leaves) {
            const [gone] = running.splice(which % Math.max(1, running.length), 1);
            if (gone === undefined) continue;
            const { text, admission, ids, blocks, again } = gone;
            const whole = blocks.length - 1;
            blocks.slice(0, whole).forEach((block, place) => model.name(block, own.key(text, 0, place)));
            if (!again && whole > 0) {
              expect(cache.releaseTogether(own.key(text, 0, 0), admission, 0, whole)).toBe(true);
              cache.release(new Int32Array(0), 0, 1);
            } else cache.release(Int32Array.from(ids), ids.length, blocks.length - ids.length);
            model.release(blocks);
            seen.push(text);
          } else {
            const again = back && seen.length > 0;
            const text = again ? seen[which % seen.length]! : seen.length + running.length;
            if (running.some((other) => other.text === text)) continue;
            const wanted = model.match(text, length - 1);
            expect(cache.match(own, text, 0, length - 1)).toBe(wanted.length);
            if (length - wanted.length + cache.foundFree > cache.free) continue;
            const admission = ++admissions;
            const ids = [...cache.found.subarray(0, cache.foundCount)];
            cache.holdFound();
            for (const block of wanted) {
              block.users++;
              block.found++;
            }
            cache.take(length - ids.length);
            for (let place = wanted.length; place < length; place++) wanted.push(model.take(admission, place));
            for (let place = ids.length; again && place + 1 < length; place++) {
              ids.push(cache.name(own.key(text, 0, place), admission, place, ids[place - 1] ?? -1));
              model.name(wanted[place]!, own.key(text, 0, place));
            }
            running.push({ text, admission, ids, blocks: wanted, again });
          }
          expect(cache.free).toBe(model.free);
        }
        for (const text of seen)
          if (!running.some((other) => other.text === text && !other.again))
            expect(cache.match(own, text, 0, 6), `blocks of text ${text}`).toBe(model.match(text, 6).length);
      }),
      { numRuns: 300 },
    );
  });
});

test("a block that one sequence uses can be made unknown, a shared one not", () => {
  const cache = new PrefixCache(4, "lru");
  cache.take(2);
  const first = [0, 1].map((block) => cache.name(content.key(0, 0, block), 1, block, -1));
  cache.match(content, 0, 0, 1);
  cache.holdFound();
  expect(first.map((id) => cache.forget(id))).toEqual([false, true]);
  expect(cache.match(content, 0, 0, 2)).toBe(1);
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
