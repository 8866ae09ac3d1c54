/**
 * The decoding sequences of one replica by the step count at which each has all its tokens. Those that end within
 * `NEAR_STEPS` of their join stand in a ring of lists, one for each step, with a bitmap to find the next one: O(1) and
 * without the coin-toss branches of a heap. The few longer ones stand in a heap.
 * Step counts are 32-bit integers that wrap, so only their differences say anything; as doubles each would cost a conversion
 * wherever it is used.
 *   ENG-1  Every decoding sequence stands in exactly one of the two, where its join and finish step put it.
 */
import { InvariantError } from "../kernel/errors.ts";
import { CompletionHeap } from "./completion-heap.ts";
import { NO_SLOT, type RequestTable } from "./request-table.ts";

/** Power of two; at 4 bytes a step the rings of a large fleet still fit in the cache. */
const NEAR_STEPS = 512;
const RING_MASK = NEAR_STEPS - 1;
const WORD_MASK = NEAR_STEPS / 32 - 1;
const MOST_STEPS = 0x7fffffff;

export class Completions {
  private readonly table: RequestTable;
  private readonly far: CompletionHeap;
  /** Head of the list of sequences that finish at a step ≡ index; linked through `nextAtStep`. */
  private readonly heads = new Int32Array(NEAR_STEPS).fill(NO_SLOT);
  private readonly words = new Int32Array(NEAR_STEPS / 32);
  private near = 0;

  constructor(table: RequestTable) {
    this.table = table;
    this.far = new CompletionHeap(table);
  }

  /** Enters a sequence whose `joinStep` and `finishStep` were just written. */
  push(slot: number): void {
    const table = this.table;
    const finish = table.finishStep[slot];
    if (((finish - table.joinStep[slot]) | 0) >= NEAR_STEPS) {
      this.far.push(slot);
      return;
    }
    const at = finish & RING_MASK;
    table.nextAtStep[slot] = this.heads[at];
    this.heads[at] = slot;
    this.words[at >> 5] |= 1 << (at & 31);
    this.near++;
  }

  remove(slot: number): void {
    const table = this.table;
    if (((table.finishStep[slot] - table.joinStep[slot]) | 0) >= NEAR_STEPS) {
      this.far.remove(slot);
      return;
    }
    const at = table.finishStep[slot] & RING_MASK;
    const heads = this.heads;
    if (heads[at] === slot) {
      heads[at] = table.nextAtStep[slot];
      if (heads[at] === NO_SLOT) this.words[at >> 5] &= ~(1 << (at & 31));
    } else {
      let before = heads[at];
      while (before !== NO_SLOT && table.nextAtStep[before] !== slot) before = table.nextAtStep[before];
      if (before === NO_SLOT) throw new InvariantError("ENG-1", { slot, finishStep: table.finishStep[slot] });
      table.nextAtStep[before] = table.nextAtStep[slot];
    }
    this.near--;
  }

  /** A sequence that finishes at step count `step`, which no unfinished one precedes; NO_SLOT when none does. */
  finishingAt(step: number): number {
    const at = step & RING_MASK;
    // The bitmap is in the cache when the ring is not.
    if ((this.words[at >> 5] & (1 << (at & 31))) !== 0) return this.heads[at];
    const far = this.far;
    return far.size > 0 && far.firstStep === step ? far.first() : NO_SLOT;
  }

  /** Steps from step count `step` to the next finish; there must be one, and none at or before `step`. */
  stepsToNext(step: number): number {
    const far = this.far;
    const farSteps = far.size > 0 ? (far.firstStep - step) | 0 : MOST_STEPS;
    if (this.near === 0) return farSteps;
    const words = this.words;
    const from = (step + 1) & RING_MASK;
    let w = from >> 5;
    let word = words[w] & (-1 << (from & 31));
    for (let seen = 0; word === 0; seen++) {
      if (seen > WORD_MASK) throw new InvariantError("ENG-1", { step, near: this.near });
      w = (w + 1) & WORD_MASK;
      word = words[w];
    }
    const at = (w << 5) + 31 - Math.clz32(word & -word);
    const nearSteps = ((at - from) & RING_MASK) + 1;
    return nearSteps < farSteps ? nearSteps : farSteps;
  }

  clear(): void {
    this.far.size = 0;
    this.near = 0;
    this.heads.fill(NO_SLOT);
    this.words.fill(0);
  }
}
