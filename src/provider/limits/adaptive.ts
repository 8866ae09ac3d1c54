/**
 * Adaptive limit: a token bucket whose limit follows its use. At every full hour it doubles when at least half of what the
 * hour allowed was used, and halves otherwise, within its bounds. Vendors publish the shape, not the numbers: hour, half
 * and factor 2 are assumed.
 */
import type { LimitKindSpec } from "../../scenario/limits.ts";
import { TokenBucket } from "./token-bucket.ts";

const HOUR_MS = 3_600_000;
const MINUTES_PER_HOUR = 60;
const BUSY_FRACTION = 0.5;
const FACTOR = 2;

export class Adaptive extends TokenBucket {
  private limitPerMin: number;
  private readonly minPerMin: number;
  private readonly maxPerMin: number;
  private readonly burstS: number;
  private hourEndMs = -Infinity;
  /** Units of this hour, refunds taken off. */
  private used = 0;

  constructor(spec: Extract<LimitKindSpec, { kind: "adaptive" }>) {
    super({ limitPerMin: spec.startPerMin, burstS: spec.burstS });
    this.limitPerMin = spec.startPerMin;
    this.minPerMin = spec.minPerMin;
    this.maxPerMin = spec.maxPerMin;
    this.burstS = spec.burstS;
  }

  /** Only what no state of it could admit: the limit may grow. */
  override oversize(charge: number): boolean {
    return charge > (this.maxPerMin * this.burstS) / 60;
  }

  /** Unknown where the limit must grow first. */
  override waitMs(timeMs: number, charge: number): number {
    const waitMs = super.waitMs(timeMs, charge);
    return charge > this.capacity ? Infinity : waitMs;
  }

  override take(timeMs: number, charge: number): void {
    super.take(timeMs, charge);
    this.used += charge;
  }

  override settle(timeMs: number, takenMs: number, reserved: number, actual: number): void {
    super.settle(timeMs, takenMs, reserved, actual);
    this.used += actual - reserved;
  }

  protected override advance(timeMs: number): void {
    if (this.hourEndMs === -Infinity) this.hourEndMs = (Math.floor(timeMs / HOUR_MS) + 1) * HOUR_MS;
    while (timeMs >= this.hourEndMs) {
      this.refill(this.hourEndMs);
      this.adapt();
      this.hourEndMs += HOUR_MS;
    }
    this.refill(timeMs);
  }

  private adapt(): void {
    const busy = this.used >= BUSY_FRACTION * this.limitPerMin * MINUTES_PER_HOUR;
    const wanted = busy ? this.limitPerMin * FACTOR : this.limitPerMin / FACTOR;
    this.limitPerMin = Math.min(this.maxPerMin, Math.max(this.minPerMin, wanted));
    this.ratePerMs = this.limitPerMin / 60_000;
    this.capacity = (this.limitPerMin * this.burstS) / 60;
    this.remaining = Math.min(this.remaining, this.capacity);
    this.used = 0;
  }
}
