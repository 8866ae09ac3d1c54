/**
 * Limits that count list price in USD. What a request costs is known when it ends, and booked then; a request whose price
 * was reserved on arrival is corrected to it.
 */
import type { LimitKindSpec } from "../../scenario/limits.ts";
import { Limit, type LimitReadings } from "./limit.ts";
import { spansOf, type Spans } from "./period.ts";

/** USD this little below the cap have reached it. */
const TOLERANCE = 1e-9;
const MINUTE = { windowS: 60 } as const;

/** Money booked in the calendar period that runs. */
abstract class Spend extends Limit {
  override readonly money = true;
  protected readonly periods: Spans;
  protected spentUsd = 0;

  constructor(periods: Spans) {
    super();
    this.periods = periods;
  }

  override take(timeMs: number, charge: number): void {
    this.advance(timeMs);
    this.spentUsd += charge;
  }

  /** What is refused costs nothing. */
  override debitRefused(): void {}

  override settle(timeMs: number, _takenMs: number, reserved: number, actual: number): void {
    this.advance(timeMs);
    this.spentUsd = Math.max(0, this.spentUsd + actual - reserved);
  }

  override set(timeMs: number, value: number): void {
    this.advance(timeMs);
    this.spentUsd = value;
  }

  protected advance(timeMs: number): void {
    if (this.periods.moveTo(timeMs)) this.spentUsd = 0;
  }
}

/** Spend cap: once the period's spend has reached it, everything is refused until the period ends, without a Retry-After. */
export class SpendCap extends Spend {
  private readonly usd: number;

  constructor({ usd, period }: Extract<LimitKindSpec, { kind: "spend_cap" }>, startEpochS: number) {
    super(spansOf(period, startEpochS));
    this.usd = usd;
  }

  override waitMs(timeMs: number): number {
    this.advance(timeMs);
    return this.spentUsd >= this.usd - TOLERANCE ? Infinity : 0;
  }

  override readings(timeMs: number): LimitReadings {
    this.advance(timeMs);
    const { spentUsd, usd } = this;
    const resetMs = this.periods.toMs - timeMs;
    return { count: spentUsd, level: Math.max(0, usd - spentUsd), utilization: spentUsd / usd, limit: usd, resetMs };
  }
}

/**
 * Reserved spend: so many USD of every clock minute are paid in advance and cover what is used in it at list price; what
 * goes beyond is paid as you go. It refuses nothing.
 */
export class ReservedSpend extends Spend {
  /** Of the minutes since t = 0: what the reservation covered, and what came on top of its price. */
  coveredUsd = 0;
  overageUsd = 0;
  /** Of the last booking, what the reservation does not cover. */
  lastOverageUsd = 0;
  readonly usdPerMin: number;

  constructor({ usdPerMin }: Extract<LimitKindSpec, { kind: "reserved_usd_per_min" }>, startEpochS: number) {
    super(spansOf(MINUTE, startEpochS));
    this.usdPerMin = usdPerMin;
  }

  override take(timeMs: number, charge: number): void {
    this.book(timeMs, charge);
  }

  override settle(timeMs: number, _takenMs: number, reserved: number, actual: number): void {
    this.book(timeMs, actual - reserved);
  }

  /** Books USD at list price and returns the part of them that the reservation does not cover. */
  book(timeMs: number, usd: number): number {
    this.advance(timeMs);
    const overBefore = Math.max(0, this.spentUsd - this.usdPerMin);
    this.spentUsd = Math.max(0, this.spentUsd + usd);
    this.lastOverageUsd = Math.max(0, this.spentUsd - this.usdPerMin) - overBefore;
    if (timeMs >= 0) {
      this.coveredUsd += usd - this.lastOverageUsd;
      this.overageUsd += this.lastOverageUsd;
    }
    return this.lastOverageUsd;
  }

  override readings(timeMs: number): LimitReadings {
    this.advance(timeMs);
    return {
      count: this.spentUsd,
      utilization: this.spentUsd / this.usdPerMin,
      limit: this.usdPerMin,
      coveredUsd: Math.min(this.usdPerMin, this.spentUsd),
      overageUsd: Math.max(0, this.spentUsd - this.usdPerMin),
    };
  }
}
