/**
 * How many drafts of a step are accepted, as a function of one 32-bit word: the k-th is when all before it are, each with the same
 * probability a, so at least k are where u < aᵏ. That is ⌊ln u ÷ ln a⌋, of which the steps are found once: taking two logarithms for every
 * sequence and step would cost more than all the rest. The first byte of the word mostly decides alone, so that a caller may draw
 * the others only where it does not.
 */
import { log } from "../kernel/math.ts";
import { unit } from "../kernel/random.ts";

const WORDS = 4_294_967_296;
/** The number depends on the rest of the word. */
export const SPLIT = 255;

export class AcceptedDrafts {
  /** The number by the first byte of the word; SPLIT where that is not enough. */
  readonly byFirstByte = new Uint8Array(256);
  /** How many words give more than k. */
  private readonly wordsAbove: Float64Array;

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
    for (let byte = 0; byte < 256; byte++) {
      const first = accepted(byte << 24);
      this.byFirstByte[byte] = first === accepted((byte << 24) | 0xffffff) ? first : SPLIT;
    }
  }

  of(word: number): number {
    const byFirst = this.byFirstByte[word >>> 24];
    if (byFirst !== SPLIT) return byFirst;
    let k = 0;
    while (word >>> 0 < this.wordsAbove[k]) k++;
    return k;
  }
}
