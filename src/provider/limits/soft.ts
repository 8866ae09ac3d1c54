/** Limits that never refuse: above them requests are served more slowly, or as standard ones in place of priority. */
import type { LimitKindSpec } from "../../scenario/limits.ts";
import { Limit, type LimitReadings } from "./limit.ts";
import { spansOf, type Spans } from "./period.ts";

/** Soft threshold: requests that come above the period's count have their latency multiplied. */
export class SoftThreshold extends Limit {
  private readonly limit: number;
  private readonly latencyFactorAbove: number;
  private readonly periods: Spans;
  private count = 0;

  constructor(
    { limit, period, latencyFactor }: Extract<LimitKindSpec, { kind: "soft_threshold" }>,
    startEpochS: number,
  ) {
    super();
    this.limit = limit;
    this.latencyFactorAbove = latencyFactor;
    this.periods = spansOf(period, startEpochS);
  }

  /** For a request that was just taken: its own charge counts too. */
  latencyFactor(timeMs: number): number {
    this.advance(timeMs);
    return this.count > this.limit ? this.latencyFactorAbove : 1;
  }

  override take(timeMs: number, charge: number): void {
    this.advance(timeMs);
    this.count += charge;
  }

  override debitRefused(): void {}

  override settle(timeMs: number, takenMs: number, reserved: number, actual: number): void {
    this.advance(timeMs);
    this.count += takenMs >= this.periods.fromMs ? actual - reserved : Math.max(0, actual - reserved);
  }

  override set(timeMs: number, value: number): void {
    this.advance(timeMs);
    this.count = value;
  }

  override readings(timeMs: number): LimitReadings {
    this.advance(timeMs);
    return { count: this.count, utilization: this.count / this.limit };
  }

  private advance(timeMs: number): void {
    if (this.periods.moveTo(timeMs)) this.count = 0;
  }
}

const SECOND_MS = 1000;
const SECONDS_PER_MIN = 60;

/**
 * Ramp: who grows too fast is served as standard at the standard price. Above the threshold the units of the last minute
 * may be at most `growth` times those of the minute `lookBackS` earlier, or times the threshold if that was less. Minutes
 * slide by whole seconds.
 */
export class Ramp extends Limit {
  private readonly threshold: number;
  private readonly growth: number;
  private readonly lookBackS: number;
  /** Units by second, a ring that holds the look-back and a minute before it. */
  private readonly bySecond: Float64Array;
  private second = -Infinity;
  private lastMinute = 0;
  private minuteBefore = 0;

  constructor({ thresholdPerMin, growth, lookBackS }: Extract<LimitKindSpec, { kind: "ramp" }>) {
    super();
    this.threshold = thresholdPerMin;
    this.growth = growth;
    this.lookBackS = lookBackS;
    this.bySecond = new Float64Array(lookBackS + SECONDS_PER_MIN + 1);
  }

  /** For a request that was just taken: its own units are of the last minute. */
  tooFast(timeMs: number): boolean {
    this.advance(timeMs);
    const { lastMinute, threshold } = this;
    return lastMinute > threshold && lastMinute > this.growth * Math.max(threshold, this.minuteBefore);
  }

  override take(timeMs: number, charge: number): void {
    this.advance(timeMs);
    this.bySecond[this.at(this.second)]! += charge;
    this.lastMinute += charge;
  }

  override debitRefused(): void {}

  /** Input is known on arrival: nothing to correct. */
  override settle(): void {}

  override set(timeMs: number, value: number): void {
    this.advance(timeMs);
    this.take(timeMs, value - this.lastMinute);
  }

  override readings(timeMs: number): LimitReadings {
    this.advance(timeMs);
    return { count: this.lastMinute };
  }

  private at(second: number): number {
    const length = this.bySecond.length;
    return second - Math.floor(second / length) * length;
  }

  private advance(timeMs: number): void {
    const now = Math.floor(timeMs / SECOND_MS);
    if (now <= this.second) return;
    const { bySecond } = this;
    if (now - this.second > bySecond.length) {
      bySecond.fill(0);
      this.lastMinute = this.minuteBefore = 0;
      this.second = now;
      return;
    }
    while (this.second < now) {
      this.second++;
      const old = this.second - this.lookBackS;
      this.lastMinute -= bySecond[this.at(this.second - SECONDS_PER_MIN)]!;
      this.minuteBefore += bySecond[this.at(old)]! - bySecond[this.at(old - SECONDS_PER_MIN)]!;
      bySecond[this.at(this.second)] = 0;
    }
  }
}
