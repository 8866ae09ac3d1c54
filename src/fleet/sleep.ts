/**
 * Scale to zero: a pool that has been idle for a while gives all its GPUs back, and the next request waits until they are
 * there again. What follows from when requests came and went is worked out when somebody asks, so that it needs no events.
 * Simulated seconds.
 */
import type { ScaleToZero } from "../scenario/forms.ts";

export class Sleep {
  /** Counted from t = 0: how often the pool started, and requests that waited for it. */
  starts = 0;
  waited = 0;
  private readonly spec: ScaleToZero;
  /** Since when nobody is in the pool; meant while that is so. */
  private idleSinceS: number;
  private startedS = -Infinity;
  private readyS = -Infinity;

  /** The pool is up and idle at `startS`. */
  constructor(spec: ScaleToZero, startS: number) {
    this.spec = spec;
    this.idleSinceS = startS;
  }

  /** The last request has left. */
  idle(nowS: number): void {
    this.idleSinceS = nowS;
  }

  /** Nobody is in the pool: are its GPUs gone? */
  asleep(nowS: number): boolean {
    return nowS >= this.idleSinceS + this.spec.idleS;
  }

  /** A request has come to the sleeping pool. What was before must have been counted. */
  start(nowS: number): void {
    this.startedS = nowS;
    this.readyS = this.idleSinceS = nowS + this.spec.coldStartS;
    if (nowS >= 0) this.starts++;
  }

  /** When a request that arrives at `nowS` can be served. */
  servesS(nowS: number): number {
    if (this.readyS <= nowS) return nowS;
    if (nowS >= 0) this.waited++;
    return this.readyS;
  }

  /** Seconds within [fromS, toS) in which no GPU is paid; `empty`: nobody is in the pool now. */
  unpaidS(fromS: number, toS: number, empty: boolean): number {
    const gone = empty ? Math.max(0, toS - Math.max(fromS, this.idleSinceS + this.spec.idleS)) : 0;
    const starting = Math.max(0, Math.min(toS, this.readyS) - Math.max(fromS, this.startedS));
    return this.spec.billStartup ? gone : gone + starting;
  }
}
