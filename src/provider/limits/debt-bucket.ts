/**
 * Debt bucket: nothing is charged on arrival; what a request produced is debited when it ends and may take the level
 * below 0, and arrivals are refused while it is. Anthropic's output-token limit works so: max_tokens does not matter
 * there, and streams that run are not cut. The whole output is debited at the end of the request (assumed: vendors
 * debit as tokens are produced, which is earlier by less than one response time).
 *   INV-9  level ≤ capacity; no lower bound, but no arrival is admitted below 0.
 */
import { TokenBucket } from "./token-bucket.ts";

/** A debt this small is rounding. */
const TOLERANCE = 1e-6;

export class DebtBucket extends TokenBucket {
  override oversize(): boolean {
    return false;
  }

  override waitS(timeS: number): number {
    this.refill(timeS);
    return this.remaining >= -TOLERANCE ? 0 : -this.remaining / this.ratePerS;
  }

  override take(): void {}

  override debitRefused(): void {}
}
