/**
 * How many drafts of a step are accepted, as a function of one 32-bit word: the k-th is when all before it are, each with the same
 * probability a, so at least k are where u < aᵏ. That is ⌊ln u ÷ ln a⌋, of which the steps are found once: taking two logarithms for every
 * sequence and step would cost more than all the rest.
 */
import { log } from "../kernel/math.ts";
import { unit } from "../kernel/random.ts";

const WORDS = 4_294_967_296;
const CELLS_LOG2 = 12;
/** The number depends on the rest of the word. */
const SPLIT = 255;

export class AcceptedDrafts {
  /** How many words give more than k. */
  private readonly wordsAbove: Float64Array;
  /** By the first bits of the word. */
  private readonly cells = new Uint8Array(1 << CELLS_LOG2);

  /** `acceptance` in 0 … 1. */
  constructor(draftTokens: number, acceptance: number) {
    // Just below 0 where every draft is accepted, so that the quotient of logarithms is +Infinity there.
    const lnAcceptance = Math.min(log(acceptance), -Number.MIN_VALUE);
    const accepted = (word: number): number => Math.min(draftTokens, Math.floor(log(unit(word)) / lnAcceptance));
    this.wordsAbove = new Float64Array(draftTokens + 1);
    for (let k = 0; k < draftTokens; k++) {
      let low = 0;
      let high = WORDS;
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        if (accepted(middle) > k) low = middle + 1;
        else high = middle;
      }
      this.wordsAbove[k] = low;
    }
    const cellWords = WORDS / this.cells.length;
    for (let cell = 0; cell < this.cells.length; cell++) {
      const first = accepted(cell * cellWords);
      this.cells[cell] = first === accepted((cell + 1) * cellWords - 1) ? first : SPLIT;
    }
  }

  of(word: number): number {
    const cell = this.cells[word >>> (32 - CELLS_LOG2)];
    if (cell !== SPLIT) return cell;
    let k = 0;
    while (word >>> 0 < this.wordsAbove[k]) k++;
    return k;
  }
}
