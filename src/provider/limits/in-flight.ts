/**
 * Limits of what is there at the same time: requests in flight (concurrency), or the size of all jobs that a batch queue
 * holds. When room comes is not known, so no wait is told. Every end of a request or job gives back what it held.
 */
import { Limit, type LimitReadings } from "./limit.ts";

abstract class InFlight extends Limit {
  override readonly counting = true;
  protected readonly limit: number;
  protected held = 0;

  constructor({ limit }: { readonly limit: number }) {
    super();
    this.limit = limit;
  }

  override take(_timeMs: number, charge: number): void {
    this.held += charge;
  }

  /** What was refused holds nothing. */
  override debitRefused(): void {}

  override settle(_timeMs: number, _takenMs: number, reserved: number): void {
    this.held -= reserved;
  }

  override set(_timeMs: number, value: number): void {
    this.held = value;
  }

  override readings(): LimitReadings {
    return { count: this.held, utilization: this.held / this.limit, limit: this.limit };
  }
}

/** So many requests at once, of an account or a model. */
export class Concurrency extends InFlight {
  override waitMs(): number {
    return this.held < this.limit ? 0 : Infinity;
  }
}

/** A job is accepted whole or not at all: by the tokens, or the requests, that are then enqueued. */
export class BatchQueue extends InFlight {
  override waitMs(_timeMs: number, charge: number): number {
    return this.held + charge <= this.limit ? 0 : Infinity;
  }
}
