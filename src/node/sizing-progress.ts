/**
 * What is told while fleets are sized: the strategy, the size that is tried, and the time left at most once bounds are known and a
 * trial of the whole load has been timed. Before that no estimate would be worth its ink. Times in seconds of wall clock.
 */
import type { SizingTrial } from "../experiment/size-pool.ts";
import { duration } from "./progress.ts";

interface UnderWay {
  readonly trial: SizingTrial;
  readonly sinceS: number;
  /** Of the trials with the whole load so far. */
  readonly longestS: number;
}

export class SizingProgress {
  private readonly underWay = new Map<string, UnderWay>();
  private readonly nowS: () => number;

  constructor(nowS = (): number => performance.now() / 1000) {
    this.nowS = nowS;
  }

  /** A strategy tries a size now. Returns what to tell. */
  tries(strategy: string, trial: SizingTrial): string {
    const before = this.underWay.get(strategy);
    const nowS = this.nowS();
    const tookS = before?.trial.scale === 1 ? nowS - before.sinceS : 0;
    this.underWay.set(strategy, { trial, sinceS: nowS, longestS: Math.max(before?.longestS ?? 0, tookS) });
    const { replicas, scale } = trial;
    const sizes = replicas.map((count) => count * scale).join(" + ");
    const leftS = this.mostLeftS();
    const left = leftS === null ? "" : `at most ${duration(leftS)} left  `;
    return `${left}${strategy}: are ${scale === 1 ? "" : "about "}${sizes} replicas enough?`;
  }

  /** A strategy has its size. */
  done(strategy: string): void {
    this.underWay.delete(strategy);
  }

  /** Strategies share the threads, which the times of their trials hold already. Null as long as one of them is searching for bounds. */
  private mostLeftS(): number | null {
    let mostS = 0;
    for (const { trial, longestS } of this.underWay.values()) {
      if (trial.left === null || longestS === 0) return null;
      mostS = Math.max(mostS, (trial.left + 1) * longestS);
    }
    return mostS;
  }
}
