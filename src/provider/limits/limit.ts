/**
 * What every limit of an offer can do: the interface that the plug-ins of this folder implement. Times are simulated
 * milliseconds, in which vendors state waits and in which their worked examples are whole numbers; charges are in the
 * limit's own unit (requests, tokens, USD). Callers go forward in time only, at one instant ends come before arrivals.
 *
 * The defaults are those of a limit that never refuses; a kind overrides what it is about.
 */
import type { LimitCharge } from "../../scenario/limits.ts";

/** What a limit shows of itself after an event, by name; each kind has those that mean something for it. */
export interface LimitReadings {
  /** Left to be taken (buckets), or what stands in it (leaky). */
  readonly level?: number;
  /** Counted in the window or period, in flight, or enqueued. */
  readonly count?: number;
  /** Share of the capacity that is in use. */
  readonly utilization?: number;
  /** What holds now, in the unit of the limit; of buckets a minute's worth. */
  readonly limit?: number;
  /** Until it is as if unused, if nothing more comes. */
  readonly resetMs?: number;
  /** Reserved spend: of the running minute, USD at list price that the reservation covers, and above it. */
  readonly coveredUsd?: number;
  readonly overageUsd?: number;
}

export abstract class Limit {
  /** It counts what is in flight or enqueued, so that every end of a request must be told it. */
  readonly counting: boolean = false;
  /** It counts list price in USD, booked when a request ends. */
  readonly money: boolean = false;

  /** True when this charge could not even be admitted by an idle limit: a permanent error (400), never retried. */
  oversize(_charge: number): boolean {
    return false;
  }

  /** Milliseconds until this charge would be admitted: 0 = now, Infinity = unknown (then no Retry-After is sent). Reserves nothing. */
  waitMs(_timeMs: number, _charge: number): number {
    return 0;
  }

  /** Reserves the charge. Only after `waitMs` returned 0 at the same time. */
  abstract take(timeMs: number, charge: number): void;

  /** Debits a refused attempt; called only where failed attempts count. */
  debitRefused(timeMs: number, charge: number): void {
    this.take(timeMs, charge);
  }

  /** Replaces what was reserved at `takenMs` by what was used, when the request ends. */
  abstract settle(timeMs: number, takenMs: number, reserved: number, actual: number): void;

  /** Puts the level (or the count) where it is to start. */
  abstract set(timeMs: number, value: number): void;

  /** After bringing it up to date. */
  abstract readings(timeMs: number): LimitReadings;
}

/** The charge of one request under these weights. */
export function chargeOf(
  weights: LimitCharge,
  uncachedTokens: number,
  cacheReadTokens: number,
  cacheWriteTokens: number,
  maxOutputTokens: number,
  outputTokens: number,
): number {
  const input =
    weights.uncached * uncachedTokens + weights.cacheRead * cacheReadTokens + weights.cacheWrite * cacheWriteTokens;
  const maxOutput = weights.maxOutput * maxOutputTokens;
  const output = weights.output * outputTokens;
  return weights.op === "sum"
    ? weights.requests + input + maxOutput + output
    : Math.max(weights.requests, input, maxOutput, output);
}
