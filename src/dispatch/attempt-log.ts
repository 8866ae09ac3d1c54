/**
 * What came of the attempts at each target: counts, waits and money, O(1) a target. Attempts of the warm-up are left out.
 * Targets are the strategy's pools in order and then its offers.
 */
import type { TargetResult } from "../outcome/run-result.ts";
import { ABSENT, ANSWERS, ERROR, FULL, LIMITED, NEVER, TAKEN } from "./target-answer.ts";

// What else may come of an attempt, counted beside the answers.
/** Not made, because the target's breaker was open. */
export const SKIPPED = ANSWERS;
/** Ended at the client's limit for one attempt. */
export const ATTEMPT_TIMED_OUT = ANSWERS + 1;
/** Its user left before the first token. */
export const ABANDONED = ANSWERS + 2;
/** Its replica was lost. */
export const LOST = ANSWERS + 3;
/** Was a hedge; it won; it or the attempt that it was to help was cancelled. */
export const HEDGE = ANSWERS + 4;
export const HEDGE_WON = ANSWERS + 5;
export const CANCELLED = ANSWERS + 6;
const KINDS = ANSWERS + 7;

export class AttemptLog {
  private readonly counts: Float64Array;
  private readonly retryAfterS: Float64Array;
  private readonly usd: Float64Array;
  private readonly unusedUsd: Float64Array;

  constructor(targets: number) {
    this.counts = new Float64Array(targets * KINDS);
    this.retryAfterS = new Float64Array(targets);
    this.usd = new Float64Array(targets);
    this.unusedUsd = new Float64Array(targets);
  }

  count(target: number, kind: number, nowS: number): void {
    if (nowS >= 0) this.counts[target * KINDS + kind]++;
  }

  /** A 429 that asks for a wait; Infinity = it does not. */
  asksToWait(target: number, retryAfterS: number, nowS: number): void {
    if (nowS >= 0 && retryAfterS < Infinity) this.retryAfterS[target] += retryAfterS;
  }

  /** What an attempt cost; `used`: its answer was given to the client whole. */
  billed(target: number, usd: number, used: boolean): void {
    this.usd[target] += usd;
    if (!used) this.unusedUsd[target] += usd;
  }

  result(target: number, breakerOpenS: number): TargetResult {
    const of = (kind: number): number => this.counts[target * KINDS + kind];
    const answers = [TAKEN, LIMITED, FULL, ERROR, ABSENT, NEVER];
    return {
      attempts: answers.reduce((sum, kind) => sum + of(kind), 0),
      taken: of(TAKEN),
      rateLimited: of(LIMITED),
      full: of(FULL),
      failed: of(ERROR),
      absent: of(ABSENT),
      oversize: of(NEVER),
      timedOut: of(ATTEMPT_TIMED_OUT),
      abandoned: of(ABANDONED),
      lost: of(LOST),
      skipped: of(SKIPPED),
      hedges: of(HEDGE),
      hedgesWon: of(HEDGE_WON),
      cancelled: of(CANCELLED),
      retryAfterS: this.retryAfterS[target],
      breakerOpenS,
      usd: this.usd[target],
      unusedUsd: this.unusedUsd[target],
    };
  }
}
