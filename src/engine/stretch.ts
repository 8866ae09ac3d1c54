/**
 * Decode steps whose batch does not change: step i lasts base + slope·i seconds, so all sums over them are closed forms
 * (`replica.ts` has the derivation, and its own copy of three of these, inlined in the hot loop).
 */
export class Stretch {
  startS = 0;
  baseS = 0;
  slopeS = 0;

  /** Duration of the first k steps. */
  spanS(k: number): number {
    return k * this.baseS + (this.slopeS * k * (k - 1)) / 2;
  }

  /** Smallest k ≥ 1 whose end is at or after `timeS`: the root of the quadratic, corrected so that rounding never decides. */
  stepsUntil(timeS: number): number {
    const wantedS = timeS - this.startS;
    const linear = this.baseS - this.slopeS / 2;
    let k = Math.ceil((2 * wantedS) / (linear + Math.sqrt(linear * linear + 2 * this.slopeS * wantedS)));
    if (!(k >= 1)) k = 1;
    while (k > 1 && this.startS + this.spanS(k - 1) >= timeS) k--;
    while (this.startS + this.spanS(k) < timeS) k++;
    return k;
  }

  /** Number of whole steps that have ended by `timeS`. */
  stepsDoneBy(timeS: number): number {
    const k = this.stepsUntil(timeS);
    return this.startS + this.spanS(k) > timeS ? k - 1 : k;
  }

  /** Σ over the first k steps of (tokens held × duration), with `tokens` held in the first and `perStep` more in each. */
  tokenSeconds(k: number, tokens: number, perStep: number): number {
    return (
      k * tokens * this.baseS +
      ((tokens * this.slopeS + perStep * this.baseS) * k * (k - 1)) / 2 +
      (perStep * this.slopeS * k * (k - 1) * (2 * k - 1)) / 6
    );
  }
}
