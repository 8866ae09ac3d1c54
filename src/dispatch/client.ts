/** How the calling SDK waits between attempts. Seconds. Published: the code of openai 6.49.0 and @anthropic-ai/sdk 1.12.0 (npm). */
import type { ClientProfile } from "../scenario/resolved.ts";
import { pow } from "../kernel/math.ts";

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
