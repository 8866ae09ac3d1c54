/**
 * Debt bucket: nothing is charged on arrival; tokens are debited as they are produced and may take the level below 0, and
 * arrivals are refused while it is. Anthropic's output-token limit works so: max_tokens does not matter there, and streams
 * that run are not cut. Debits come once a second (assumed) for what was produced since the last one; production is spread
 * evenly between the first and the last token, so that any number of streams is one slope and two changes of it.
 *   INV-9  level ≤ capacity; no lower bound, but no arrival is admitted below 0.
 */
import { TokenBucket } from "./token-bucket.ts";

/** A debt this small is rounding. */
const TOLERANCE = 1e-6;
const TICK_MS = 1000;
/** A slope of fewer tokens a second is what is left of streams that have ended, by rounding. */
const LEAST_SLOPE = 1e-6;

export class DebtBucket extends TokenBucket {
  /** Tick k debits what was produced in ((k − 1) s, k s]. Rings by tick: changes of the slope, and what comes on top. */
  private slopeChange = new Float64Array(64);
  private lump = new Float64Array(64);
  private slopePerTick = 0;
  private ticked = -Infinity;
  private lastTick = -Infinity;

  override oversize(): boolean {
    return false;
  }

  override waitMs(timeMs: number): number {
    this.advance(timeMs);
    return this.remaining >= -TOLERANCE ? 0 : -this.remaining / this.ratePerMs;
  }

  override take(): void {}

  override debitRefused(): void {}

  /** What did not come as a stream; there is nothing reserved to give back. */
  override settle(timeMs: number, takenMs: number, _reserved: number, actual: number): void {
    super.settle(timeMs, takenMs, 0, actual);
  }

  /** Debits at once. */
  debit(timeMs: number, units: number): void {
    this.advance(timeMs);
    this.remaining -= units;
  }

  /** A stream seen at `timeMs`: one of its `units` comes with the first token, the rest evenly until the last. */
  produce(timeMs: number, firstMs: number, lastMs: number, tokens: number, unitsPerToken: number): void {
    this.advance(timeMs);
    if (tokens <= 0) return;
    this.addEven(firstMs, firstMs, unitsPerToken);
    this.addEven(firstMs, lastMs, (tokens - 1) * unitsPerToken);
  }

  /** The same stream ends at `timeMs`, before its last token. */
  cancel(timeMs: number, firstMs: number, lastMs: number, tokens: number, unitsPerToken: number): void {
    this.advance(timeMs);
    if (tokens <= 0 || timeMs >= lastMs) return;
    if (timeMs < firstMs) this.addEven(firstMs, firstMs, -unitsPerToken);
    const fromMs = Math.max(timeMs, firstMs);
    const rest = ((tokens - 1) * unitsPerToken * (lastMs - fromMs)) / (lastMs - firstMs);
    if (lastMs > fromMs) this.addEven(fromMs, lastMs, -rest);
  }

  private addEven(fromMs: number, toMs: number, units: number): void {
    const from = Math.max(Math.ceil(fromMs / TICK_MS), this.ticked + 1);
    const to = Math.max(Math.ceil(toMs / TICK_MS), from);
    this.fit(to);
    const { lump, slopeChange } = this;
    const mask = lump.length - 1;
    this.lastTick = Math.max(this.lastTick, to);
    if (from === to) {
      lump[from & mask]! += units;
      return;
    }
    const perMs = units / (toMs - fromMs);
    lump[from & mask]! += perMs * (from * TICK_MS - fromMs);
    lump[to & mask]! += perMs * (toMs - (to - 1) * TICK_MS);
    slopeChange[(from + 1) & mask]! += perMs * TICK_MS;
    slopeChange[to & mask]! -= perMs * TICK_MS;
  }

  /** Makes the rings long enough for tick `to`. */
  private fit(to: number): void {
    const before = this.lump.length;
    let length = before;
    while (to - this.ticked >= length) length *= 2;
    if (length === before) return;
    const copy = (ring: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const longer = new Float64Array(length);
      for (let tick = this.ticked + 1; tick <= this.ticked + before; tick++) {
        longer[tick & (length - 1)] = ring[tick & (before - 1)]!;
      }
      return longer;
    };
    this.lump = copy(this.lump);
    this.slopeChange = copy(this.slopeChange);
  }

  protected override advance(timeMs: number): void {
    const now = Math.floor(timeMs / TICK_MS);
    if (this.lastTick > this.ticked) this.tick(Math.min(now, this.lastTick));
    if (now > this.ticked) this.ticked = now;
    this.refill(timeMs);
  }

  private tick(until: number): void {
    const { lump, slopeChange } = this;
    const mask = lump.length - 1;
    for (let tick = this.ticked + 1; tick <= until; tick++) {
      const slot = tick & mask;
      const slope = this.slopePerTick + slopeChange[slot]!;
      this.slopePerTick = slope > LEAST_SLOPE || slope < -LEAST_SLOPE ? slope : 0;
      const units = this.slopePerTick + lump[slot]!;
      slopeChange[slot] = 0;
      lump[slot] = 0;
      if (units !== 0) {
        this.refill(tick * TICK_MS);
        this.remaining -= units;
      }
    }
  }
}
