/**
 * Leaky bucket of provisioned units: fills with what is admitted and drains at the throughput that the units stand for.
 * Anything is admitted below 100 %, which the last one may overshoot; a wait is the smallest whole number of milliseconds
 * until it is below.
 *   INV-9  0 ≤ level.
 */
import type { LimitKindSpec } from "../../scenario/limits.ts";
import { Limit, type LimitReadings } from "./limit.ts";

export class LeakyUtilization extends Limit {
  private readonly ratePerMs: number;
  private readonly capacity: number;
  private held = 0;
  private drainedMs = -Infinity;

  constructor({ units, inputTpmPerUnit, depthS }: Extract<LimitKindSpec, { kind: "leaky_utilization" }>) {
    super();
    this.ratePerMs = (units * inputTpmPerUnit) / 60_000;
    this.capacity = (units * inputTpmPerUnit * depthS) / 60;
  }

  override waitMs(timeMs: number): number {
    this.drain(timeMs);
    return this.held < this.capacity ? 0 : Math.floor((this.held - this.capacity) / this.ratePerMs) + 1;
  }

  override take(timeMs: number, charge: number): void {
    this.drain(timeMs);
    this.held += charge;
  }

  override settle(timeMs: number, _takenMs: number, reserved: number, actual: number): void {
    this.drain(timeMs);
    this.held = Math.max(0, this.held + actual - reserved);
  }

  override set(timeMs: number, value: number): void {
    this.drain(timeMs);
    this.held = value;
  }

  override readings(timeMs: number): LimitReadings {
    this.drain(timeMs);
    const { held, capacity, ratePerMs } = this;
    return { level: held, utilization: held / capacity, limit: ratePerMs * 60_000, resetMs: held / ratePerMs };
  }

  private drain(timeMs: number): void {
    if (timeMs > this.drainedMs) {
      // Before its first use it is empty.
      this.held = Math.max(0, this.held - (timeMs - this.drainedMs) * this.ratePerMs);
      this.drainedMs = timeMs;
    }
  }
}
