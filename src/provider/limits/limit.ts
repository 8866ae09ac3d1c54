/**
 * What every rate limit of an offer can do: the interface that the plug-ins of this folder implement. Times are
 * simulated seconds, charges are in the limit's own unit (requests or tokens). Callers go forward in time only.
 *
 * A kind that charges nothing on arrival ignores `take`, one that counts what is in flight (concurrency) is released
 * by any settlement, one that resets (fixed window) rolls over inside whichever method sees the new time first.
 */
import type { LimitCharge } from "../../scenario/resolved.ts";

export interface Limit {
  /** True when this charge could not even be admitted by an idle limit: a permanent error (400), never retried. */
  oversize(charge: number): boolean;
  /** Seconds until this charge would be admitted: 0 = now, Infinity = unknown (then no Retry-After is sent). Reserves nothing. */
  waitS(timeS: number, charge: number): number;
  /** Reserves the charge. Only after `waitS` returned 0 at the same time. */
  take(timeS: number, charge: number): void;
  /** Debits a refused attempt; called only where failed attempts count. */
  debitRefused(timeS: number, charge: number): void;
  /** Replaces what was reserved by what was used, when the request ends. */
  settle(timeS: number, reserved: number, actual: number): void;
  /** What is left to be taken, after bringing the limit up to date. */
  level(timeS: number): number;
}

/** The charge of one request under these weights. */
export function chargeOf(
  weights: LimitCharge,
  inputTokens: number,
  maxOutputTokens: number,
  outputTokens: number,
): number {
  const input = weights.input * inputTokens;
  const maxOutput = weights.maxOutput * maxOutputTokens;
  const output = weights.output * outputTokens;
  return weights.op === "sum"
    ? weights.requests + input + maxOutput + output
    : Math.max(weights.requests, input, maxOutput, output);
}
