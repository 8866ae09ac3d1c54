/**
 * Token bucket: refills continuously at the published rate up to `burstS` seconds' worth, and starts full. A per-minute
 * figure is never collapsed to its average: 60 a minute with a depth of 1 s admits one simultaneous request, with a depth
 * of 60 s it admits sixty.
 *   INV-9  0 ≤ level ≤ capacity, except that a settlement above the reserve may take the level below 0.
 */
import { Limit, type LimitReadings } from "./limit.ts";

/** A level this little short of the charge is rounding, not shortage. */
const TOLERANCE = 1e-9;

export interface BucketSize {
  readonly limitPerMin: number;
  /** Depth of the bucket in seconds of its own rate. */
  readonly burstS: number;
}

export class TokenBucket extends Limit {
  protected ratePerMs: number;
  protected capacity: number;
  protected remaining: number;
  private refilledMs = -Infinity;

  constructor({ limitPerMin, burstS }: BucketSize) {
    super();
    this.ratePerMs = limitPerMin / 60_000;
    this.capacity = (limitPerMin * burstS) / 60;
    this.remaining = this.capacity;
  }

  override oversize(charge: number): boolean {
    return charge > this.capacity;
  }

  override waitMs(timeMs: number, charge: number): number {
    this.advance(timeMs);
    return this.remaining >= charge - TOLERANCE ? 0 : (charge - this.remaining) / this.ratePerMs;
  }

  override take(timeMs: number, charge: number): void {
    this.advance(timeMs);
    this.remaining -= charge;
  }

  /** Refused attempts cannot push the level below 0 (assumed), nor lift one that a settlement left below it. */
  override debitRefused(timeMs: number, charge: number): void {
    this.advance(timeMs);
    if (this.remaining > 0) this.remaining = Math.max(0, this.remaining - charge);
  }

  override settle(timeMs: number, _takenMs: number, reserved: number, actual: number): void {
    this.advance(timeMs);
    this.remaining = Math.min(this.capacity, this.remaining + reserved - actual);
  }

  override set(timeMs: number, value: number): void {
    this.advance(timeMs);
    this.remaining = Math.min(this.capacity, value);
  }

  override readings(timeMs: number): LimitReadings {
    this.advance(timeMs);
    return {
      level: this.remaining,
      limit: this.ratePerMs * 60_000,
      resetMs: (this.capacity - this.remaining) / this.ratePerMs,
    };
  }

  /** Brings it up to date. */
  protected advance(timeMs: number): void {
    this.refill(timeMs);
  }

  protected refill(timeMs: number): void {
    if (timeMs > this.refilledMs) {
      // Before its first use the bucket is full, and stays so whatever is added to it.
      this.remaining = Math.min(this.capacity, this.remaining + (timeMs - this.refilledMs) * this.ratePerMs);
      this.refilledMs = timeMs;
    }
  }
}
