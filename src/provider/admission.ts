/**
 * The limits of one offer as one decision: spend caps first, then what could never be admitted, then the longest wait of
 * all. Times in simulated milliseconds. The charges of the request at hand stand in `charges`, by limit; whoever decides
 * fills them, from weights (`charge`) or from an example that states them.
 *   OFF-1  Refusal or admission takes every limit or none, except that refused attempts debit limits where they count.
 */
import type { LimitSpec } from "../scenario/limits.ts";
import { ADMITTED, OVERSIZE, RATE_LIMITED } from "./attempt-status.ts";
import { DebtBucket } from "./limits/debt-bucket.ts";
import { chargeOf, type Limit } from "./limits/limit.ts";
import { ReservedSpend, SpendCap } from "./limits/money.ts";
import { createLimit } from "./limits/registry.ts";
import { Ramp, SoftThreshold } from "./limits/soft.ts";

/** Limits that several offers share, by provider, scope and name. */
export type SharedLimits = Map<string, Limit>;

/** No limit refused. */
export const NOBODY = -1;

export class Admission {
  readonly specs: readonly LimitSpec[];
  /** In the order of `specs`. */
  readonly limits: readonly Limit[];
  /** What the request at hand reserves, by limit. */
  readonly charges: Float64Array;

  /** Results of the last `decide`. Milliseconds until it would be admitted; Infinity = unknown. */
  waitMs = 0;
  /** Index of the limit that refused: the one with the longest wait. */
  refusedBy = NOBODY;
  /** What soft thresholds multiply its latency by. */
  latencyFactor = 1;
  /** It ramps up too fast: served and priced as standard. */
  asStandard = false;
  /** Some limit counts money: `settle` wants what the request cost. */
  readonly countsMoney: boolean;

  /** Spend that is paid in advance, where there is one. */
  readonly reservedSpend: ReservedSpend | null;

  /** Of the request that ends. */
  private readonly reserved: Float64Array;
  private readonly actual: Float64Array;
  private readonly soft: readonly SoftThreshold[];
  private readonly ramps: readonly Ramp[];
  private readonly caps: readonly SpendCap[];
  /** Those that debit output as it comes, and what a token of it weighs there. */
  private readonly debts: readonly DebtBucket[];
  private readonly debtWeights: Float64Array;

  /** @param startEpochS UTC seconds since 1970 at t = 0 */
  constructor(provider: string, specs: readonly LimitSpec[], startEpochS: number, shared: SharedLimits | null) {
    this.specs = specs;
    this.limits = specs.map((spec) => {
      if (spec.scope === undefined || shared === null) return createLimit(spec, startEpochS);
      const key = `${provider}/${spec.scope}/${spec.name}`;
      const known = shared.get(key);
      if (known !== undefined) return known;
      const limit = createLimit(spec, startEpochS);
      shared.set(key, limit);
      return limit;
    });
    this.charges = new Float64Array(specs.length);
    this.reserved = new Float64Array(specs.length);
    this.actual = new Float64Array(specs.length);
    this.countsMoney = this.limits.some((limit) => limit.money);
    this.soft = this.limits.filter((limit) => limit instanceof SoftThreshold);
    this.ramps = this.limits.filter((limit) => limit instanceof Ramp);
    this.reservedSpend = this.limits.find((limit) => limit instanceof ReservedSpend) ?? null;
    this.caps = this.limits.filter((limit) => limit instanceof SpendCap);
    this.debts = this.limits.filter((limit) => limit instanceof DebtBucket);
    this.debtWeights = Float64Array.from(this.debts, (limit) => specs[this.limits.indexOf(limit)]!.settle?.output ?? 0);
  }

  /** Fills `charges`. Money is not known on arrival. */
  charge(
    uncachedTokens: number,
    cacheReadTokens: number,
    cacheWriteTokens: number,
    maxOutputTokens: number,
    outputTokens: number,
  ): void {
    const { charges, limits, specs } = this;
    for (let i = 0; i < limits.length; i++) {
      charges[i] = limits[i]!.money
        ? 0
        : chargeOf(specs[i]!.reserve, uncachedTokens, cacheReadTokens, cacheWriteTokens, maxOutputTokens, outputTokens);
    }
  }

  /** Admits the request at hand and takes its charges, or says why not and for how long. */
  decide(timeMs: number): typeof ADMITTED | typeof RATE_LIMITED | typeof OVERSIZE {
    const { limits, charges, specs } = this;
    this.refusedBy = NOBODY;
    this.waitMs = 0;
    this.latencyFactor = 1;
    this.asStandard = false;
    for (let c = 0; c < this.caps.length; c++) {
      if (this.caps[c]!.waitMs(timeMs) > 0) {
        this.refusedBy = limits.indexOf(this.caps[c]!);
        this.waitMs = Infinity;
        return RATE_LIMITED;
      }
    }
    for (let i = 0; i < limits.length; i++) {
      if (limits[i]!.oversize(charges[i]!)) {
        this.refusedBy = i;
        return OVERSIZE;
      }
    }
    let longestMs = 0;
    for (let i = 0; i < limits.length; i++) {
      const waitMs = limits[i]!.waitMs(timeMs, charges[i]!);
      if (waitMs > longestMs) {
        longestMs = waitMs;
        this.refusedBy = i;
      }
    }
    if (longestMs > 0) {
      this.waitMs = longestMs;
      for (let i = 0; i < limits.length; i++) {
        if (specs[i]!.failedCounts) limits[i]!.debitRefused(timeMs, charges[i]!);
      }
      return RATE_LIMITED;
    }
    for (let i = 0; i < limits.length; i++) limits[i]!.take(timeMs, charges[i]!);
    for (let i = 0; i < this.soft.length; i++) this.latencyFactor *= this.soft[i]!.latencyFactor(timeMs);
    for (let i = 0; i < this.ramps.length; i++) this.asStandard ||= this.ramps[i]!.tooFast(timeMs);
    return ADMITTED;
  }

  /** Would `decide` admit the request at hand? Takes nothing. */
  wouldAdmit(timeMs: number): boolean {
    const { limits, charges } = this;
    return limits.every((limit, i) => !limit.oversize(charges[i]!) && !(limit.waitMs(timeMs, charges[i]!) > 0));
  }

  /** What was just admitted meets an overload of the provider: tokens are given back, requests stay charged (assumed). */
  overloaded(timeMs: number): void {
    const { limits, charges, specs } = this;
    for (let i = 0; i < limits.length; i++) {
      limits[i]!.settle(timeMs, timeMs, charges[i]!, specs[i]!.reserve.requests);
    }
  }

  /** What was just admitted will send `outputTokens` evenly from `firstMs` to `lastMs`: debt buckets debit them as they come. */
  streams(timeMs: number, firstMs: number, lastMs: number, outputTokens: number): void {
    const { debts, debtWeights } = this;
    for (let d = 0; d < debts.length; d++) debts[d]!.produce(timeMs, firstMs, lastMs, outputTokens, debtWeights[d]!);
  }

  /** Such a stream is given up at `timeMs`. */
  gaveUp(timeMs: number, firstMs: number, lastMs: number, outputTokens: number): void {
    const { debts, debtWeights } = this;
    for (let d = 0; d < debts.length; d++) debts[d]!.cancel(timeMs, firstMs, lastMs, outputTokens, debtWeights[d]!);
  }

  /** The end of a request that was admitted at `takenMs` with the same tokens and produced `producedTokens` of its output. */
  settle(
    timeMs: number,
    takenMs: number,
    uncachedTokens: number,
    cacheReadTokens: number,
    cacheWriteTokens: number,
    maxOutputTokens: number,
    outputTokens: number,
    producedTokens: number,
    usd: number,
  ): void {
    const { limits, specs, reserved, actual } = this;
    for (let i = 0; i < limits.length; i++) {
      const limit = limits[i]!;
      const { reserve, settle } = specs[i]!;
      if (limit.money) {
        reserved[i] = 0;
        actual[i] = usd;
        continue;
      }
      if (settle === null && !limit.counting) continue;
      // Debt buckets have debited the output as it came.
      const output = limit instanceof DebtBucket ? 0 : producedTokens;
      reserved[i] = chargeOf(reserve, uncachedTokens, cacheReadTokens, cacheWriteTokens, maxOutputTokens, outputTokens);
      actual[i] =
        settle === null
          ? 0
          : chargeOf(settle, uncachedTokens, cacheReadTokens, cacheWriteTokens, maxOutputTokens, output);
    }
    this.settleTo(timeMs, takenMs, reserved, actual);
  }

  /** The end of a request that was admitted at `takenMs`: by limit, what it reserved there and what it used. */
  settleTo(timeMs: number, takenMs: number, reserved: Float64Array, actual: Float64Array): void {
    const { limits, specs } = this;
    for (let i = 0; i < limits.length; i++) {
      const limit = limits[i]!;
      if (specs[i]!.settle === null && !limit.counting && !limit.money) continue;
      limit.settle(timeMs, takenMs, reserved[i]!, actual[i]!);
    }
  }
}

/** Whole seconds of a Retry-After header: Infinity, a wait that is not known, has none. */
export function retryAfterS(waitMs: number): number {
  // The tolerance keeps 5,000.000001 ms from being 6 s.
  return Math.max(1, Math.ceil(waitMs / 1000 - 1e-9));
}
