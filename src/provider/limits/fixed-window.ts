/**
 * Fixed window: a count that starts again at 0 in every window. With `fits` the count never exceeds the limit, with
 * `below_limit` whoever comes below it is admitted whole. Requests per minute that are checked on shorter windows are
 * such a limit of `limit × windowS ÷ 60`, not rounded: 166.67 admits 166. A settlement counts only in the window of the
 * take: later the window it belongs to is over.
 */
import type { LimitKindSpec } from "../../scenario/limits.ts";
import { Limit, type LimitReadings } from "./limit.ts";
import { windowsOf, type Spans } from "./period.ts";

/** A count this little above the limit is rounding. */
const TOLERANCE = 1e-9;

export class FixedWindow extends Limit {
  private readonly limit: number;
  private readonly fits: boolean;
  private readonly windows: Spans;
  private count = 0;

  constructor(spec: Extract<LimitKindSpec, { kind: "fixed_window" }>, startEpochS: number) {
    super();
    this.limit = spec.limit;
    this.fits = spec.admitWhen === "fits";
    this.windows = windowsOf(spec.windowS, spec.offsetS, spec.zone, startEpochS);
  }

  override oversize(charge: number): boolean {
    return this.fits && charge > this.limit + TOLERANCE;
  }

  override waitMs(timeMs: number, charge: number): number {
    this.advance(timeMs);
    const admitted = this.fits ? this.count + charge <= this.limit + TOLERANCE : this.count < this.limit;
    return admitted ? 0 : this.windows.toMs - timeMs;
  }

  override take(timeMs: number, charge: number): void {
    this.advance(timeMs);
    this.count += charge;
  }

  override settle(timeMs: number, takenMs: number, reserved: number, actual: number): void {
    this.advance(timeMs);
    if (takenMs >= this.windows.fromMs) this.count += actual - reserved;
  }

  override set(timeMs: number, value: number): void {
    this.advance(timeMs);
    this.count = value;
  }

  override readings(timeMs: number): LimitReadings {
    this.advance(timeMs);
    const { count, limit } = this;
    return { count, utilization: count / limit, limit, resetMs: this.windows.toMs - timeMs };
  }

  private advance(timeMs: number): void {
    if (this.windows.moveTo(timeMs)) this.count = 0;
  }
}
