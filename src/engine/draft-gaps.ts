/**
 * Gaps between tokens over steps in which everybody decodes with drafts: tokens of one step share its gap. Consecutive steps last
 * much the same, so counts are gathered, and go to the sketches once a step lasts so long that one of them belongs to another bucket.
 */
import { bucketOf, type Sketch } from "../kernel/sketch.ts";

export class DraftGaps {
  /** By tokens put out and class: sequences that did so, not yet in the sketches. */
  readonly sequences: Int32Array;
  private readonly tokensAtMost: number;
  private readonly itlS: readonly Sketch[];
  /** By tokens put out: the bucket of the gap of each. */
  private readonly buckets: Int32Array;

  /** `itlS` by class. */
  constructor(tokensAtMost: number, itlS: readonly Sketch[]) {
    this.tokensAtMost = tokensAtMost;
    this.itlS = itlS;
    this.sequences = new Int32Array((1 + tokensAtMost) * itlS.length);
    this.buckets = new Int32Array(1 + tokensAtMost);
  }

  /** What is counted next in `sequences` is of a step of so many seconds, in which `byClass` sequences take part. */
  begin(stepS: number, byClass: Int32Array): void {
    const { itlS } = this;
    if (!this.suits(stepS)) this.turnTo(stepS);
    // So many tokens at so many parts of the step: the step itself, whatever their number.
    for (let c = 0; c < itlS.length; c++) itlS[c].sum += stepS * byClass[c];
  }

  /** Brings all that is counted into the sketches. */
  flush(): void {
    const { itlS, buckets, sequences, tokensAtMost } = this;
    const classes = itlS.length;
    for (let tokens = 1, at = classes; tokens <= tokensAtMost; tokens++)
      for (let c = 0; c < classes; c++, at++) {
        if (sequences[at] === 0) continue;
        itlS[c].counts[buckets[tokens]] += sequences[at] * tokens;
        sequences[at] = 0;
      }
  }

  private suits(stepS: number): boolean {
    const { buckets, tokensAtMost } = this;
    // Halves of what lies in one bucket lie in one bucket.
    for (let tokens = 1; tokens <= tokensAtMost; tokens += 2)
      if (bucketOf(stepS / tokens) !== buckets[tokens]) return false;
    return true;
  }

  private turnTo(stepS: number): void {
    this.flush();
    for (let tokens = 1; tokens <= this.tokensAtMost; tokens++) this.buckets[tokens] = bucketOf(stepS / tokens);
  }
}
