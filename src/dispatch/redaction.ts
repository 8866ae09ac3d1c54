/**
 * The redaction step of a strategy. A prompt goes through it once, before the first target that may not see it as it is; then
 * it is clean, or it stays inside for good. Which it is depends on the request alone, so that compared strategies agree.
 */
import { counterKey, threefry2x32, unit, words } from "../kernel/random.ts";
import type { RedactionSpec } from "../scenario/resolved.ts";

// What a request table's `redacted` says of a prompt.
export const AS_IT_IS = 0;
export const CLEANED = 1;
export const NOT_CLEANABLE = 2;

export class Redaction {
  readonly latencyS: number;
  private readonly spec: RedactionSpec;
  private readonly key: number;

  constructor(spec: RedactionSpec, seed: string, replication: number) {
    this.spec = spec;
    this.latencyS = spec.latencyS;
    this.key = counterKey(seed, replication, "redaction");
  }

  /** CLEANED or NOT_CLEANABLE. */
  outcome(request: number): number {
    threefry2x32(this.key, 0, request, 0);
    return unit(words[0]!) < this.spec.failFraction ? NOT_CLEANABLE : CLEANED;
  }

  /** USD for a prompt of so many tokens, whatever came out. */
  costUsd(inputTokens: number): number {
    return this.spec.usdPerRequest + (this.spec.usdPerMTok * inputTokens) / 1e6;
  }
}
