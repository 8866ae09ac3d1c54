/**
 * The decoding sequences of one replica under a policy. Most steps give each of them one token, so nobody is touched then: a count
 * of such steps stands for all, as in `replica.ts`. What a sequence has generated is the table's `generated` and the steps since
 * `joinStep`; it ends at `finishStep` (`completions.ts`); how many need a new block at step s is `phases[s mod blockTokens]`. A step
 * that only some take part in moves those on by setting their steps back. With drafts, which give each its own number of tokens,
 * every step is visited and `draft-decoders.ts` keeps what each has and who ends. Lengths in tokens.
 */
import { longerInts } from "./columns.ts";
import { Completions } from "./completions.ts";
import type { DraftDecoders } from "./draft-decoders.ts";
import type { RequestTable } from "./request-table.ts";

export class Decoders {
  count = 0;
  /** What they attend to in their next step, in all: prompts and answers so far. */
  contextTokens = 0;
  readonly byClass: Int32Array;
  /** When everybody got a token together for the last time; those in `fresh` had theirs at `lastTokenS` of the table. */
  lastTokenS = -Infinity;
  fresh: Int32Array = new Int32Array(16);
  freshCount = 0;
  /** null = no drafts that are drawn. */
  readonly drafts: DraftDecoders | null;

  private readonly table: RequestTable;
  private readonly completions: Completions;
  private readonly phases: Int32Array;
  private readonly blockTokens: number;
  private readonly blockShift: number;
  private steps = 0;

  constructor(table: RequestTable, blockTokens: number, classes: number, drafts: DraftDecoders | null) {
    this.table = table;
    this.completions = new Completions(table);
    this.byClass = new Int32Array(classes);
    this.phases = new Int32Array(blockTokens);
    this.blockTokens = blockTokens;
    this.blockShift = 31 - Math.clz32(blockTokens);
    this.drafts = drafts;
  }

  generated(slot: number): number {
    if (this.drafts !== null) return this.drafts.generated(slot);
    return this.table.generated[slot] + ((this.steps - this.table.joinStep[slot]) | 0);
  }

  /** Prompt and answer so far: the newest token has its keys and values computed in the next step. */
  context(slot: number): number {
    return this.table.inputTokens[slot] + this.generated(slot);
  }

  isFresh(slot: number): boolean {
    const { fresh, freshCount } = this;
    for (let i = 0; i < freshCount; i++) if (fresh[i] === slot) return true;
    return false;
  }

  /** When it got its last token. */
  heardS(slot: number): number {
    return this.isFresh(slot) ? this.table.lastTokenS[slot] : this.lastTokenS;
  }

  /** Enters a sequence with `generated` and `lastTokenS` of the table. */
  join(slot: number): void {
    const { table, steps } = this;
    const context = table.inputTokens[slot] + table.generated[slot];
    this.count++;
    this.contextTokens += context;
    this.byClass[table.classIndex[slot]]++;
    this.freshen(slot);
    if (this.drafts !== null) {
      this.drafts.join(slot);
      return;
    }
    table.joinStep[slot] = steps;
    table.finishStep[slot] = steps + table.outputTokens[slot] - table.generated[slot];
    this.phases[this.phaseOf(context)]++;
    this.completions.push(slot);
  }

  /** Takes a sequence out and writes what it has generated, and when it last did, into the table. */
  leave(slot: number): void {
    const { table } = this;
    const context = this.context(slot);
    this.count--;
    this.contextTokens -= context;
    this.byClass[table.classIndex[slot]]--;
    table.lastTokenS[slot] = this.heardS(slot);
    this.stale(slot);
    if (this.drafts !== null) {
      this.drafts.leave(slot);
      return;
    }
    this.completions.remove(slot);
    this.phases[this.phaseOf(context)]--;
    table.generated[slot] = context - table.inputTokens[slot];
  }

  /** A token for everybody in each of so many steps, the last of which ends at `nowS`. */
  advanceAll(steps: number, nowS: number): void {
    this.steps = (this.steps + steps) | 0;
    this.contextTokens += this.count * steps;
    this.hearAll(nowS);
  }

  /** Everybody's last token came at `nowS`. */
  hearAll(nowS: number): void {
    this.lastTokenS = nowS;
    this.freshCount = 0;
  }

  /** Its last token came at `nowS`, and not with those of everybody. */
  hear(slot: number, nowS: number): void {
    this.stale(slot);
    this.table.lastTokenS[slot] = nowS;
    this.freshen(slot);
  }

  /** Whether everybody had a token at `timeS`. */
  allHeardAt(timeS: number): boolean {
    const { fresh, freshCount } = this;
    const { lastTokenS } = this.table;
    for (let i = 0; i < freshCount; i++) if (lastTokenS[fresh[i]] !== timeS) return false;
    return this.lastTokenS === timeS || freshCount === this.count;
  }

  /** So many tokens for one of them, in a step that ends at `nowS`. */
  advance(slot: number, tokens: number, nowS: number): void {
    const { table, completions, phases } = this;
    const context = this.context(slot);
    completions.remove(slot);
    phases[this.phaseOf(context)]--;
    table.joinStep[slot] -= tokens;
    table.finishStep[slot] -= tokens;
    phases[this.phaseOf(context + tokens)]++;
    completions.push(slot);
    this.contextTokens += tokens;
    this.hear(slot, nowS);
  }

  /** One that has all its tokens; NO_SLOT when nobody has. */
  finished(): number {
    return this.completions.finishingAt(this.steps);
  }

  /** Steps to the next end; there must be somebody, and nobody with all tokens. */
  stepsToNext(): number {
    return this.completions.stepsToNext(this.steps);
  }

  /** Blocks for the next step of everybody. */
  blocksForNext(): number {
    return this.phases[this.steps & (this.blockTokens - 1)];
  }

  /** Blocks for so many steps of everybody after the next one. */
  blocksAfterNext(steps: number): number {
    const mask = this.blockTokens - 1;
    let blocks = (steps >> this.blockShift) * this.count;
    const from = this.steps + 1;
    for (let step = from, end = from + (steps & mask); step < end; step++) blocks += this.phases[step & mask];
    return blocks;
  }

  /** How many of `most` steps so many blocks last for; the first has its blocks already. */
  stepsAffordable(most: number, blocks: number): number {
    if (this.count * (((most - 1) >> this.blockShift) + 1) <= blocks) return most;
    const mask = this.blockTokens - 1;
    const cycles = (blocks / this.count) | 0;
    let left = blocks - cycles * this.count;
    let steps = 0;
    while (steps <= mask) {
      left -= this.phases[(this.steps + 1 + steps) & mask];
      if (left < 0) break;
      steps++;
    }
    return Math.min(most, 1 + cycles * this.blockTokens + steps);
  }

  clear(): void {
    this.count = this.contextTokens = this.freshCount = this.steps = 0;
    this.lastTokenS = -Infinity;
    this.byClass.fill(0);
    this.phases.fill(0);
    this.completions.clear();
    this.drafts?.clear();
  }

  /** Index of the steps at which a sequence with this context now needs a new block. */
  private phaseOf(context: number): number {
    return (this.steps - context + 1) & (this.blockTokens - 1);
  }

  private freshen(slot: number): void {
    if (this.freshCount === this.fresh.length) this.fresh = longerInts(this.fresh, 2 * this.freshCount);
    this.fresh[this.freshCount++] = slot;
  }

  private stale(slot: number): void {
    const { fresh } = this;
    for (let i = 0; i < this.freshCount; i++) {
      if (fresh[i] !== slot) continue;
      fresh[i] = fresh[--this.freshCount];
      return;
    }
  }
}
