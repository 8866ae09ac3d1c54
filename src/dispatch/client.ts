/** How the calling SDK waits between attempts. Seconds. Published: the code of openai 6.49.0 and @anthropic-ai/sdk 1.12.0 (npm). */
import { counterKey, threefry2x32, unit, words } from "../kernel/random.ts";
import { exp, normalQuantile, pow } from "../kernel/math.ts";
import type { Abandonment, RetryBudget } from "../scenario/dispatch.ts";
import type { ClientProfile } from "../scenario/resolved.ts";

/** What `retryDelayS` returns when the client retries no more. */
export const GIVES_UP = -1;

/**
 * Seconds from the failure of attempt number `attempt` (0 = the first) to the next attempt, or `GIVES_UP`. Applies to
 * 408, 409, 429, 5xx and connection errors; a permanent error (400) is never retried and must not be asked about.
 * A Retry-After (`retryAfterS`; Infinity = no header) replaces the back-off unjittered, however long, unless the
 * profile bounds it: then a longer one ends the request. `u` is uniform in [0, 1).
 */
export function retryDelayS(profile: ClientProfile, attempt: number, retryAfterS: number, u: number): number {
  if (attempt >= profile.maxRetries) return GIVES_UP;
  if (profile.honorRetryAfter && retryAfterS > 0 && retryAfterS < Infinity) {
    return profile.maxRetryAfterS !== null && retryAfterS > profile.maxRetryAfterS ? GIVES_UP : retryAfterS;
  }
  const backoffS = Math.min(profile.backoffInitialS * pow(profile.backoffFactor, attempt), profile.backoffMaxS);
  return backoffS * (1 - profile.jitterFraction * u);
}

/** By class: seconds from the first send to the end of the client's patience, over all attempts. */
export function patienceOf(client: ClientProfile, classes: readonly { readonly timeoutS: number }[]): number[] {
  return classes.map(({ timeoutS }) => Math.min(timeoutS, client.deadlineS ?? Infinity));
}

/** The retries that all clients together may still make. */
export class RetryBudgetLeft {
  /** Retries that it did not allow, at t ≥ 0. */
  denied = 0;
  private readonly budget: RetryBudget;
  private tokens: number;
  private atS = 0;

  constructor(budget: RetryBudget, startS: number) {
    this.budget = budget;
    this.tokens = budget.burst;
    this.atS = startS;
  }

  /** A request is sent for the first time. */
  earn(): void {
    this.tokens = Math.min(this.budget.burst, this.tokens + this.budget.fractionOfRequests);
  }

  /** Takes what a retry costs; false when it is not there. */
  spend(nowS: number): boolean {
    const { perS, burst } = this.budget;
    this.tokens = Math.min(burst, this.tokens + perS * (nowS - this.atS));
    this.atS = nowS;
    // Ten tenths are one.
    if (this.tokens < 1 - 1e-9) {
      if (nowS >= 0) this.denied++;
      return false;
    }
    this.tokens -= 1;
    return true;
  }
}

/** How long the user of a request waits for the first token: a function of the request alone, so that compared strategies have the same users. */
export class Patience {
  private readonly spec: Abandonment;
  private readonly key: number;

  constructor(spec: Abandonment, seed: string, replication: number) {
    this.spec = spec;
    this.key = counterKey(seed, replication, "client/patience");
  }

  ofS(request: number): number {
    threefry2x32(this.key, 0, request, 0);
    return this.spec.medianS * exp(this.spec.sigma * normalQuantile(unit(words[0]!)));
  }
}
