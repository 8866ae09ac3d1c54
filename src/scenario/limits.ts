/** What an account may send to an API offer: one type per kind of limit, with what each request is charged. Plain data. */
/**
 * Weights of what one request is charged: the sum of its parts, or the largest. The three kinds of input are summed first
 * and are one part; the others are max_tokens, output and a constant for the request itself.
 */
export interface LimitCharge {
  readonly op: "sum" | "max";
  readonly requests: number;
  /** Input that is neither read from the provider's prompt cache nor written to it. */
  readonly uncached: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly maxOutput: number;
  readonly output: number;
}

/** Of what charges nothing. */
export const NO_CHARGE: LimitCharge = {
  op: "sum",
  requests: 0,
  uncached: 0,
  cacheRead: 0,
  cacheWrite: 0,
  maxOutput: 0,
  output: 0,
};

/** Fixed spans of so many seconds, or months of the UTC calendar. */
export type LimitPeriod = { readonly windowS: number } | "month";

interface Bucket {
  readonly limitPerMin: number;
  /** Depth of the bucket in seconds of its own rate. */
  readonly burstS: number;
}

/** The parameters of each kind; see the file of its name in `provider/limits/`. */
export type LimitKindSpec =
  | ({ readonly kind: "token_bucket" } & Bucket)
  | ({ readonly kind: "debt_bucket" } & Bucket)
  | {
      readonly kind: "fixed_window";
      readonly limit: number;
      readonly windowS: number;
      /** One window begins so many seconds after midnight UTC … */
      readonly offsetS: number;
      /** … or all at whole windows of this zone's wall clock; null = `offsetS` holds. */
      readonly zone: string | null;
      /** `fits`: what is admitted never exceeds the limit; `below_limit`: the last one may overshoot. */
      readonly admitWhen: "below_limit" | "fits";
    }
  | {
      readonly kind: "leaky_utilization";
      readonly units: number;
      readonly inputTpmPerUnit: number;
      readonly depthS: number;
    }
  | { readonly kind: "concurrency"; readonly limit: number }
  | { readonly kind: "queue"; readonly limit: number }
  | {
      readonly kind: "adaptive";
      readonly startPerMin: number;
      readonly minPerMin: number;
      readonly maxPerMin: number;
      readonly burstS: number;
    }
  | { readonly kind: "reserved_usd_per_min"; readonly usdPerMin: number }
  | { readonly kind: "spend_cap"; readonly usd: number; readonly period: LimitPeriod }
  | { readonly kind: "ramp"; readonly thresholdPerMin: number; readonly growth: number; readonly lookBackS: number }
  | {
      readonly kind: "soft_threshold";
      readonly limit: number;
      readonly period: LimitPeriod;
      /** Multiplies times to the first token and between tokens while the count is above the limit. */
      readonly latencyFactor: number;
    };

export type LimitKind = LimitKindSpec["kind"];

export type LimitSpec = LimitKindSpec & {
  readonly name: string;
  readonly reserve: LimitCharge;
  /**
   * Charge that replaces the reserve when the request ends; null = never settled. What is counted while in flight is
   * released then anyway, and money is booked then at list price.
   */
  readonly settle: LimitCharge | null;
  /** A refused attempt still debits this limit (OpenAI RPM). */
  readonly failedCounts: boolean;
  /** Offers of one provider whose limits have this scope and name in common share one state; absent = the offer's own. */
  readonly scope?: string;
};
