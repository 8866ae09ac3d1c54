/**
 * One breaker for each target of a strategy: after failures the target is left alone for a while, then tried again.
 * Without half-open probes it is LiteLLM's cooldown (BerriAI/litellm-docs, docs/routing.md, 2026-05): open for some seconds at once
 * on a 429, above a share of failures or above a number of failures in the current minute; afterwards all counters start anew. With
 * probes it is a circuit breaker: some attempts are let through first, and one failure among them opens it again. Simulated seconds.
 */
import type { BreakerSpec } from "../scenario/dispatch.ts";

export class Breakers {
  private readonly spec: BreakerSpec;
  private readonly untilS: Float64Array;
  /** 1 after it has opened, until it is closed for good. */
  private readonly tripped: Uint8Array;
  /** Of the current minute. */
  private readonly minute: Float64Array;
  private readonly failures: Float64Array;
  private readonly successes: Float64Array;
  /** Half open: probes let through, those that succeeded, and when the first was. */
  private readonly probes: Float64Array;
  private readonly probesPassed: Float64Array;
  private readonly probedS: Float64Array;
  private readonly openS: Float64Array;

  constructor(spec: BreakerSpec, targets: number) {
    this.spec = spec;
    this.untilS = new Float64Array(targets).fill(-Infinity);
    this.tripped = new Uint8Array(targets);
    this.minute = new Float64Array(targets).fill(-Infinity);
    this.failures = new Float64Array(targets);
    this.successes = new Float64Array(targets);
    this.probes = new Float64Array(targets);
    this.probesPassed = new Float64Array(targets);
    this.probedS = new Float64Array(targets);
    this.openS = new Float64Array(targets);
  }

  /** Would an attempt at `target` be let through now? */
  admits(target: number, nowS: number): boolean {
    if (nowS < this.untilS[target]) return false;
    if (this.tripped[target] === 0) return true;
    const { halfOpenProbes, openS } = this.spec;
    // Probes whose end was never told (cancelled, given up) don't keep it half open for ever.
    return this.probes[target] < halfOpenProbes || nowS >= this.probedS[target] + openS;
  }

  /** An attempt that `admits` allowed is made. */
  attempted(target: number, nowS: number): void {
    if (this.tripped[target] === 0) return;
    if (this.probes[target] >= this.spec.halfOpenProbes) this.probes[target] = this.probesPassed[target] = 0;
    if (this.probes[target]++ === 0) this.probedS[target] = nowS;
  }

  succeeded(target: number, nowS: number): void {
    if (nowS < this.untilS[target]) return;
    if (this.tripped[target] === 1) {
      // Attempts from before it opened may end now; they say as much about the target as a probe.
      if (++this.probesPassed[target] >= this.spec.halfOpenProbes) this.close(target);
      return;
    }
    this.turn(target, nowS);
    this.successes[target]++;
  }

  failed(target: number, is429: boolean, nowS: number): void {
    if (nowS < this.untilS[target]) return;
    if (this.tripped[target] === 1) {
      this.open(target, nowS);
      return;
    }
    this.turn(target, nowS);
    const failures = ++this.failures[target];
    const { on429, failureFraction, minAnswers, allowedFailuresPerMin } = this.spec;
    const answers = failures + this.successes[target];
    if (
      (is429 && on429) ||
      failures > allowedFailuresPerMin ||
      (answers >= minAnswers && failures > failureFraction * answers)
    )
      this.open(target, nowS);
  }

  /** Seconds of [0, horizonS) that a target's breaker was open. */
  openSeconds(target: number, horizonS: number): number {
    return this.openS[target] - Math.max(0, this.untilS[target] - horizonS);
  }

  private open(target: number, nowS: number): void {
    const untilS = nowS + this.spec.openS;
    this.untilS[target] = untilS;
    this.openS[target] += Math.max(0, untilS - Math.max(0, nowS));
    this.tripped[target] = this.spec.halfOpenProbes > 0 ? 1 : 0;
    this.probes[target] = this.probesPassed[target] = 0;
    this.minute[target] = -Infinity;
  }

  private close(target: number): void {
    this.tripped[target] = 0;
    this.minute[target] = -Infinity;
  }

  private turn(target: number, nowS: number): void {
    const minute = Math.floor(nowS / 60);
    if (minute === this.minute[target]) return;
    this.minute[target] = minute;
    this.failures[target] = this.successes[target] = 0;
  }
}
