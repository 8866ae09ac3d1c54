/**
 * An intensity that switches between two factors of mean 1: MMPP-2 (exponential lengths) or a client who comes and goes
 * (lognormal lengths). Spans end where the path below them or the state does. Seconds.
 */
import { exp } from "../kernel/math.ts";
import type { Draw } from "../kernel/random.ts";
import { exponential, lognormal, openUniform } from "../kernel/samplers.ts";
import type { SyntheticTraffic } from "../scenario/resolved.ts";
import type { Intensity } from "./intensity.ts";

/** Two states, 0 low and 1 high. */
interface SwitchLaw {
  readonly factors: readonly [number, number];
  /** Share of time in the high state. */
  readonly highShare: number;
  /** Length of a stay in a state; `inProgress`: what is left of one met at a random instant. */
  readonly stayS: (state: 0 | 1, inProgress: boolean, draw: Draw) => number;
}

/** Rates l0 and l1 with switching rates 1/lowS and 1/highS; the low factor follows from the mean of 1. */
export function exponentialStays(switching: NonNullable<SyntheticTraffic["burst"]["switching"]>): SwitchLaw {
  const { highFactor, highS, lowS } = switching;
  const highShare = highS / (highS + lowS);
  const lowFactor = Math.max(0, (1 - highShare * highFactor) / (1 - highShare));
  return {
    factors: [lowFactor, highFactor],
    highShare,
    stayS: (state, _, draw) => (state === 1 ? highS : lowS) * exponential(draw),
  };
}

/** Presence and absence. What is left of a stay met at random is a uniform part of one drawn in proportion to its length. */
export function lognormalStays(onMedianS: number, onSigma: number, offMedianS: number, offSigma: number): SwitchLaw {
  const onMeanS = onMedianS * exp((onSigma * onSigma) / 2);
  const offMeanS = offMedianS * exp((offSigma * offSigma) / 2);
  const highShare = onMeanS / (onMeanS + offMeanS);
  return {
    factors: [0, 1 / highShare],
    highShare,
    stayS(state, inProgress, draw) {
      const medianS = state === 1 ? onMedianS : offMedianS;
      const sigma = state === 1 ? onSigma : offSigma;
      if (!inProgress) return lognormal(draw, medianS, sigma);
      return openUniform(draw) * lognormal(draw, medianS * exp(sigma * sigma), sigma);
    },
  };
}

export class SwitchedPath implements Intensity {
  ratePerS = 0;
  cellStartS: number;
  cellEndS = 0;
  cellS = 0;
  private readonly below: Intensity;
  private readonly law: SwitchLaw;
  private readonly draw: Draw;
  private state: 0 | 1;
  private switchAtS: number;

  constructor(below: Intensity, law: SwitchLaw, draw: Draw) {
    this.below = below;
    this.law = law;
    this.draw = draw;
    this.cellStartS = below.cellStartS;
    this.state = draw() < law.highShare ? 1 : 0;
    this.switchAtS = this.cellStartS + law.stayS(this.state, true, draw);
    this.setSpan();
  }

  next(): void {
    this.cellStartS = this.cellEndS;
    if (this.cellStartS >= this.below.cellEndS) this.below.next();
    else {
      this.state = this.state === 1 ? 0 : 1;
      this.switchAtS += this.law.stayS(this.state, false, this.draw);
    }
    this.setSpan();
  }

  private setSpan(): void {
    this.cellEndS = Math.min(this.below.cellEndS, this.switchAtS);
    this.cellS = this.cellEndS - this.cellStartS;
    this.ratePerS = this.below.ratePerS * this.law.factors[this.state];
  }
}
