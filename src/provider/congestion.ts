/**
 * Congestion of a provider: a Markov chain whose dwell times are exponential, brought up to date when somebody asks.
 * Its path depends on its own named stream alone, never on who asks when, so every strategy meets the same congestion.
 * Times are simulated seconds.
 */
import type { CongestionState } from "../scenario/resolved.ts";
import { log } from "../kernel/math.ts";
import type { Draw } from "../kernel/random.ts";

/** The chain runs this long before t = 0, many times its memory, so that it has forgotten that it began in state 0. */
const LEAD_IN_S = 7 * 86_400;

export class Congestion {
  ttftFactor: number;
  rateFactor: number;
  overloadProbability: number;
  private state = 0;
  private untilS: number;
  private readonly states: readonly CongestionState[];
  private readonly draw: Draw;

  /** `firstS`: the earliest time that will be asked for, ≤ 0. */
  constructor(states: readonly CongestionState[], draw: Draw, firstS: number) {
    this.states = states;
    this.draw = draw;
    const first = states[0]!;
    this.ttftFactor = first.ttftFactor;
    this.rateFactor = first.rateFactor;
    this.overloadProbability = first.overloadProbability;
    this.untilS = Math.min(firstS, -LEAD_IN_S) + this.dwellS();
  }

  /** Brings the chain to `timeS`, which must not run backwards. */
  advance(timeS: number): void {
    while (timeS >= this.untilS) {
      const next = this.states[this.state]!.next;
      let u = this.draw();
      let chosen = 0;
      // The last state of positive probability takes what rounding leaves over.
      for (let i = 0; i < next.length; i++) {
        if (next[i]! > 0) {
          chosen = i;
          if (u < next[i]!) break;
          u -= next[i]!;
        }
      }
      this.state = chosen;
      this.untilS += this.dwellS();
      const state = this.states[chosen]!;
      this.ttftFactor = state.ttftFactor;
      this.rateFactor = state.rateFactor;
      this.overloadProbability = state.overloadProbability;
    }
  }

  private dwellS(): number {
    return -this.states[this.state]!.meanDwellH * 3600 * log(1 - this.draw());
  }
}
