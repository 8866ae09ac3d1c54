/** What came of a request at the limits, by the names in which fixtures expect it. An answer that is a list is true in each of its words. */
import { retryAfterS, type Admission } from "../../provider/admission.ts";
import type { Values } from "./fields.ts";
import type { ReplayLimit } from "./read-limits.ts";

export interface ReplayOffer {
  readonly id: string;
  readonly limits: readonly ReplayLimit[];
  readonly admission: Admission;
  /** Index of the offer that takes what this one refuses; null = nobody. */
  readonly overflow: number | null;
  /** It overflows to an offer that the fixture does not describe. */
  readonly overflowsAway: string | null;
}

export const NOT_SERVED: Values = {
  wait_ms: null,
  retry_after_s: null,
  retry_after_ms: null,
  admitted: false,
  accepted: false,
  spilled: false,
  permanent: false,
};

export function admitted({ admission, limits }: ReplayOffer): Values {
  const priority = limits.some(({ spec }) => spec.kind === "ramp");
  return {
    status: 200,
    outcome: ["admitted", "admit", "accepted", "accept", "ok"],
    wait_ms: 0,
    wait_s: 0,
    retry_after_s: null,
    retry_after_ms: null,
    refused_by: null,
    admitted: true,
    accepted: true,
    spilled: false,
    permanent: false,
    latency_multiplier: admission.latencyFactor,
    ...(priority
      ? { served_as: admission.asStandard ? "standard" : "priority", downgraded: admission.asStandard }
      : {}),
  };
}

export function refusal(offer: ReplayOffer, timeMs: number): Values {
  const { waitMs, refusedBy } = offer.admission;
  const known = waitMs < Infinity;
  return {
    status: 429,
    outcome: ["refused", "rejected", "reject", "rate_limited", "throttled"],
    retryable: true,
    wait_ms: known ? waitMs : null,
    wait_s: known ? waitMs / 1000 : null,
    retry_after_s: known ? retryAfterS(waitMs) : null,
    retry_after_ms: known ? Math.max(1, Math.ceil(waitMs - 1e-9)) : null,
    refused_by: offer.limits[refusedBy]!.spec.name,
    admitted: false,
    accepted: false,
    spilled: false,
    permanent: false,
    headers: headersOf(offer, timeMs, known ? waitMs : null),
  };
}

/** Refused by one offer and served by another: both statuses are true. */
export function spilled(refused: Values, servedBy: string): Values {
  return {
    ...refused,
    status: [200, 429, "spill", "spilled", "spillover"],
    outcome: ["spill", "spilled", "spillover"],
    spilled: true,
    served_by: servedBy,
    admitted: true,
    accepted: true,
  };
}

/**
 * Headers as vendors send them: whole numbers, resets in milliseconds (`…-ms`) or seconds. The first limit of requests
 * and the first of tokens give theirs.
 */
export function headersOf({ limits, admission }: ReplayOffer, timeMs: number, waitMs: number | null): Values {
  const headers: Record<string, number | null> = {
    "retry-after": waitMs === null ? null : retryAfterS(waitMs),
    "retry-after-ms": waitMs === null ? null : Math.max(1, Math.ceil(waitMs - 1e-9)),
  };
  const show = (what: string, i: number): void => {
    if (i < 0) return;
    const { level, count, limit, resetMs } = admission.limits[i]!.readings(timeMs);
    const left = count === undefined ? level : (limit ?? 0) - count;
    const figures = {
      limit,
      remaining: left === undefined ? undefined : Math.max(0, Math.floor(left + 1e-9)),
      "reset-ms": resetMs,
      reset: resetMs === undefined ? undefined : resetMs / 1000,
    };
    for (const [name, value] of Object.entries(figures)) {
      if (value === undefined) continue;
      const [figure, unit] = name.split("-");
      headers[`x-ratelimit-${figure}-${what}${unit === undefined ? "" : `-${unit}`}`] = value;
      headers[`anthropic-ratelimit-${what}-${name}`] = value;
    }
  };
  const named = (pattern: RegExp): number => limits.findIndex(({ spec }) => pattern.test(spec.name));
  show(
    "requests",
    limits.findIndex(({ ofRequests }) => ofRequests),
  );
  show(
    "tokens",
    limits.findIndex(({ ofRequests, spec }) => !ofRequests && spec.kind !== "concurrency"),
  );
  show("input-tokens", named(/^i(nput)?[-_]?t/i));
  show("output-tokens", named(/^o(utput)?[-_]?t/i));
  return headers;
}
