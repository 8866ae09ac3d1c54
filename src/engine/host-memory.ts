/** Keys and values of preempted sequences that the host holds (vLLM's swap space), and the time to move them. Lengths in tokens. */
import type { SchedulerSpec } from "./scheduler-spec.ts";

export class HostMemory {
  /** Seconds of moving in the step that is being formed. */
  transferS = 0;
  swappedOutTokens = 0;
  private held = 0;
  private readonly space: number;
  private readonly sPerToken: number;

  constructor(scheduler: SchedulerSpec) {
    this.space = scheduler.preemption === "swap" ? scheduler.swapSpaceTokens : 0;
    this.sPerToken = scheduler.swapSPerToken;
  }

  /** Takes them in if it has room for all; whether it has. */
  swapOut(tokens: number): boolean {
    if (tokens === 0 || this.held + tokens > this.space) return false;
    this.held += tokens;
    this.swappedOutTokens += tokens;
    this.transferS += tokens * this.sPerToken;
    return true;
  }

  swapIn(tokens: number): void {
    this.held -= tokens;
    this.transferS += tokens * this.sPerToken;
  }

  /** They are not wanted any more. */
  drop(tokens: number): void {
    this.held -= tokens;
  }

  clear(): void {
    this.held = 0;
  }
}
