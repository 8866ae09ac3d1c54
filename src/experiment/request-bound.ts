/** How many requests a run can count: each has a number of 32 bits, which its luck follows from. */
import { expectedRequests } from "../traffic/rate.ts";
import type { ResolvedTraffic } from "../scenario/resolved.ts";

const MOST_REQUESTS = 4_294_967_296;

/**
 * What is wrong with traffic of which more requests are expected in [fromS, toS) than a run can count, and the highest mean
 * rate that would do; null where nothing is. A recording has been counted when it was read.
 */
export function tooManyRequests(
  traffic: ResolvedTraffic,
  startEpochS: number,
  fromS: number,
  toS: number,
): { readonly message: string; readonly hint: string } | null {
  if (traffic.kind === "replay") return null;
  const expected = expectedRequests(traffic, startEpochS, fromS, toS);
  if (expected <= MOST_REQUESTS) return null;
  const most = Math.floor((traffic.meanRatePerS / expected) * MOST_REQUESTS);
  return {
    message: `about ${expected.toPrecision(2)} requests in a replication, which can have 4,294,967,296 (32 bits) at most`,
    hint: most >= 1 ? `over this time at most ${most} requests per second` : "a shorter time, or less growth",
  };
}
