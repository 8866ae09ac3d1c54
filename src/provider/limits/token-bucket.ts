/**
 * Token bucket: refills continuously at the published rate up to `burstS` seconds' worth, and starts full. Levels in
 * the limit's unit, times in seconds. A daily or per-minute figure is never collapsed to its average: 60 a minute with
 * a depth of 1 s admits one simultaneous request, with a depth of 60 s it admits sixty.
 *   INV-9  0 ≤ level ≤ capacity, except that a settlement above the reserve may take the level below 0.
 */
import type { Limit } from "./limit.ts";

/** A level this little short of the charge is rounding, not shortage. */
const TOLERANCE = 1e-9;

export interface TokenBucketSpec {
  readonly limitPerMin: number;
  /** Depth of the bucket in seconds of its own rate. */
  readonly burstS: number;
}

export class TokenBucket implements Limit {
  protected readonly ratePerS: number;
  protected remaining: number;
  private readonly capacity: number;
  private refilledS = -Infinity;

  constructor(spec: TokenBucketSpec) {
    this.ratePerS = spec.limitPerMin / 60;
    this.capacity = (spec.limitPerMin * spec.burstS) / 60;
    this.remaining = this.capacity;
  }

  oversize(charge: number): boolean {
    return charge > this.capacity;
  }

  waitS(timeS: number, charge: number): number {
    this.refill(timeS);
    return this.remaining >= charge - TOLERANCE ? 0 : (charge - this.remaining) / this.ratePerS;
  }

  take(timeS: number, charge: number): void {
    this.refill(timeS);
    this.remaining -= charge;
  }

  /** Refused attempts cannot push the level below 0 (assumed), nor lift one that a settlement left below it. */
  debitRefused(timeS: number, charge: number): void {
    this.refill(timeS);
    if (this.remaining > 0) this.remaining = Math.max(0, this.remaining - charge);
  }

  settle(timeS: number, reserved: number, actual: number): void {
    this.refill(timeS);
    this.remaining = Math.min(this.capacity, this.remaining + reserved - actual);
  }

  level(timeS: number): number {
    this.refill(timeS);
    return this.remaining;
  }

  protected refill(timeS: number): void {
    if (timeS > this.refilledS) {
      // Before its first use the bucket is full, and stays so whatever is added to it.
      this.remaining = Math.min(this.capacity, this.remaining + (timeS - this.refilledS) * this.ratePerS);
      this.refilledS = timeS;
    }
  }
}
