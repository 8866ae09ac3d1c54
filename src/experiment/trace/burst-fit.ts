/**
 * Fits the generator's burst parameters to a curve of dispersion: least squares of relative differences, over correlation
 * times on a grid, the coefficient of variation by a search within, the gaps in closed form.
 */
import { exp, log } from "../../kernel/math.ts";
import { coxExcess, expectedAboutRamp, expectedInRecord, gapShare, rampExcess } from "./cox.ts";
import type { Ramps } from "./dispersion.ts";

/** What the generator needs for its bursts. */
export interface BurstFit {
  /** Null: gaps alone. */
  readonly component: { readonly cv: number; readonly tauS: number } | null;
  readonly gapCv: number;
}

/** What a fit is made of. */
export interface BurstShape {
  /** A fluctuation of the rate beside the gaps. */
  readonly component: boolean;
  /** Each stretch has a ramp of its own, about which the dispersion is taken: the season's and the drift's, not the bursts'. */
  readonly ramp: boolean;
}

/** A measured curve and what it was measured on. */
export interface MeasuredCurve {
  readonly windowsS: readonly number[];
  readonly index: readonly (number | null)[];
  /** About the ramp of each stretch. */
  readonly indexAboutRamp: readonly (number | null)[];
  readonly ramps: Ramps;
  /** Length of a stretch, of which there are `stretches`. */
  readonly stretchS: number;
  readonly stretches: number;
  readonly ratePerS: number;
}

/** Windows with fewer requests than this do not show what the gaps do to the dispersion. */
const MIN_REQUESTS = 2;
/** Scales share the luck of the slow fluctuation, so that none counts for more than this many windows. */
const MAX_WEIGHT = 200;
const TAU_STEPS = 36;
/** Times above this share of a stretch look like a rate that drifts through it. */
const MAX_TAU_SHARE = 0.2;
/** Fluctuations shorter than this, or than so many mean gaps, are the gaps' own. */
const MIN_TAU_S = 1;
const MIN_TAU_GAPS = 2;
const CV_MIN = 0.01;
const CV_MAX = 1.5;
const SEARCH_STEPS = 22;
const GAP_CV_MIN = 0.3;
const GAP_CV_MAX = 3;

interface Scale {
  readonly windowS: number;
  readonly index: number;
  readonly windows: number;
  readonly weight: number;
}

/** Null with fewer than three scales to fit on. */
export function fitBursts(curve: MeasuredCurve, shape: BurstShape): BurstFit | null {
  const scales = scalesOf(curve, shape.ramp);
  if (scales.length < 3) return null;
  if (!shape.component) return { component: null, gapCv: gapsFor(curve, scales, shape.ramp, null).gapCv };
  let best: BurstFit | null = null;
  let least = Infinity;
  const shortest = Math.max(MIN_TAU_S, MIN_TAU_GAPS / curve.ratePerS);
  const longest = Math.max(longestTauS(curve.stretchS), 2 * shortest);
  for (let i = 0; i < TAU_STEPS; i++) {
    const tauS = shortest * exp((log(longest / shortest) * i) / (TAU_STEPS - 1));
    const tryCv = (lnCv: number) => gapsFor(curve, scales, shape.ramp, { cv: exp(lnCv), tauS });
    const lnCv = smallest((x) => tryCv(x).loss, log(CV_MIN), log(CV_MAX));
    const { loss, gapCv } = tryCv(lnCv);
    if (loss >= least) continue;
    least = loss;
    best = { component: { cv: exp(lnCv), tauS }, gapCv };
  }
  return best;
}

/** The longest correlation time that stretches of this length can tell from a drift. */
export function longestTauS(stretchS: number): number {
  return MAX_TAU_SHARE * stretchS;
}

/** The index of dispersion of the ramps that bursts alone make by chance. */
export function expectedRampIndex({ component, gapCv }: BurstFit, { stretchS, ratePerS }: MeasuredCurve): number {
  return gapCv * gapCv + (component === null ? 0 : ratePerS * rampExcess(component, stretchS));
}

function scalesOf(curve: MeasuredCurve, ramp: boolean): Scale[] {
  const { windowsS, stretchS, stretches, ratePerS } = curve;
  const index = ramp ? curve.indexAboutRamp : curve.index;
  return windowsS.flatMap((windowS, i): Scale[] => {
    const measured = index[i] ?? null;
    if (measured === null || !(measured > 0) || ratePerS * windowS < MIN_REQUESTS) return [];
    const windows = Math.floor(stretchS / windowS);
    const all = windows * stretches;
    return [{ windowS, index: measured, windows, weight: all / (1 + all / MAX_WEIGHT) }];
  });
}

/** The gaps' share of the dispersion that fits best beside this component, and what is left. */
function gapsFor(curve: MeasuredCurve, scales: readonly Scale[], ramp: boolean, component: BurstFit["component"]) {
  const excess = (windowS: number): number => (component === null ? 0 : curve.ratePerS * coxExcess(component, windowS));
  const whole = 1 + excess(curve.stretchS);
  const rampIndex = ramp ? expectedRampIndex({ component, gapCv: 1 }, curve) : 0;
  const theory = scales.map(({ windowS, windows }) =>
    ramp
      ? expectedAboutRamp(1 + excess(windowS), whole, rampIndex, windows)
      : expectedInRecord(1 + excess(windowS), whole, windows),
  );
  const shares = scales.map(({ windowS }) => gapShare(curve.ratePerS * windowS));
  let numerator = 0;
  let denominator = 0;
  scales.forEach(({ index, weight }, i) => {
    numerator += (weight * shares[i]! * (index - theory[i]!)) / (index * index);
    denominator += (weight * shares[i]! * shares[i]!) / (index * index);
  });
  const squared = Math.max(GAP_CV_MIN * GAP_CV_MIN, Math.min(GAP_CV_MAX * GAP_CV_MAX, 1 + numerator / denominator));
  let loss = 0;
  scales.forEach(({ index, weight }, i) => {
    const difference = (index - theory[i]! - shares[i]! * (squared - 1)) / index;
    loss += weight * difference * difference;
  });
  return { gapCv: Math.sqrt(squared), loss };
}

/** Place of the smallest value of a function with one valley, by golden section. */
function smallest(f: (x: number) => number, low: number, high: number): number {
  const golden = 0.6180339887498949;
  let [a, b] = [low, high];
  let x = b - golden * (b - a);
  let y = a + golden * (b - a);
  let [fx, fy] = [f(x), f(y)];
  for (let i = 0; i < SEARCH_STEPS; i++) {
    if (fx <= fy) {
      [b, y, fy] = [y, x, fx];
      x = b - golden * (b - a);
      fx = f(x);
    } else {
      [a, x, fx] = [x, y, fy];
      y = a + golden * (b - a);
      fy = f(y);
    }
  }
  return (a + b) / 2;
}
