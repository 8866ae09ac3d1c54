/**
 * The bursts of a recorded trace: the simplest generator that its dispersion does not speak against, how sure it is, and whether
 * what the first half asks for holds in the second. A fit may have gaps, a fluctuation of the rate, and a ramp through each
 * stretch: a rate that climbs through an hour spreads the counts of minutes as bursts do, but it is the season's or a drift's.
 */
import { HOUR_S } from "../../kernel/calendar-time.ts";
import { exp, log } from "../../kernel/math.ts";
import { quantile } from "../validate/metrics.ts";
import { expectedRampIndex, fitBursts, type BurstFit, type BurstShape, type MeasuredCurve } from "./burst-fit.ts";
import { DISPERSION_WINDOWS_S, firstFrom, spanOf, type Stretches } from "./dispersion.ts";
import { checkAgainst, measureOver, sampleCurves, type BandCheck } from "./sampling.ts";

export interface BurstsFound {
  readonly fit: BurstFit;
  /** 95 % intervals over samples of the fitted generator. */
  readonly intervals: { readonly cv: Interval | null; readonly tauS: Interval | null; readonly gapCv: Interval };
  readonly check: BandCheck;
  /** Gaps alone (a renewal process) on the same record. */
  readonly renewal: { readonly gapCv: number; readonly check: BandCheck };
  /** Null where bursts alone may well have made it. */
  readonly ramp: RampFound | null;
  /** On what the dispersion was taken. */
  readonly stretchS: number;
  readonly stretches: number;
}

export interface RampFound {
  /** Rate at the end of a stretch less that at its start, ÷ the mean; of several stretches the root mean square. */
  readonly change: number;
  /** Share of samples without a ramp that seem to have one as large beside their bursts. */
  readonly probability: number;
  /** What the bursts would be if the ramp were one. */
  readonly asBursts: BurstFit;
  /** A slow fluctuation that moves the rate within a stretch as much as the ramps do. */
  readonly drift: { readonly sigma: number; readonly tauS: number };
}

export interface HeldOut {
  readonly fit: BurstFit;
  readonly ramp: boolean;
  readonly check: BandCheck;
}

interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Records up to this length are one stretch; of longer ones each hour is, so that the season stays out. */
const ONE_STRETCH_S = 2 * HOUR_S;
/** Hours are taken evenly over a long record, up to this many and until they hold so many requests: more would not fit better. */
const MAX_HOURS = 120;
const MAX_REQUESTS = 150_000;
/** Below this a simpler fit is taken to be wrong. */
const LIKELY = 0.05;
/** Correlation time of a ramp taken as drift, which an hour cannot show: ServeGen's pools have 2,400 to 9,100 s, in the middle 5,000 (assumed for others). */
const DRIFT_TAU_S = 5000;

/** Null for a record too short or too thin. */
export function burstsOf(arrivalS: Float64Array, samples: number): BurstsFound | null {
  const startS = arrivalS[0]!;
  const curve = measure(arrivalS, startS, startS + spanOf(arrivalS));
  const chosen = choose(curve, "trace", samples);
  if (chosen === null) return null;
  const { fit, shape, curves, check, renewal, rampProbability } = chosen;
  const refits = curves.flatMap((one) => fitBursts(one, shape) ?? []);
  const interval = (of: (one: BurstFit) => number): Interval => {
    const values = refits.map(of).sort((a, b) => a - b);
    return { low: quantile(values, 0.025), high: quantile(values, 0.975) };
  };
  return {
    fit,
    intervals: {
      cv: shape.component ? interval(({ component }) => component!.cv) : null,
      tauS: shape.component ? interval(({ component }) => component!.tauS) : null,
      gapCv: interval(({ gapCv }) => gapCv),
    },
    check,
    renewal,
    ramp: shape.ramp ? rampFound(curve, fit, rampProbability) : null,
    stretchS: curve.stretchS,
    stretches: curve.stretches,
  };
}

/**
 * Fitted on the first half, judged on the second. The second half keeps its own rate, and its own ramp if the first half
 * asks for ramps: what is judged is how its arrivals clump, not how many there are. Its band holds both the luck of the second half and that of the
 * first, whose fit would have come out differently: each sample is a first half of the fit's, fitted again, and a second half of that fit's.
 */
export function heldOut(arrivalS: Float64Array, samples: number): HeldOut | null {
  const startS = arrivalS[0]!;
  const spanS = spanOf(arrivalS);
  const first = measure(arrivalS, startS, startS + spanS / 2);
  const rest = measure(arrivalS, startS + spanS / 2, startS + spanS);
  const chosen = rest.ratePerS === 0 ? null : choose(first, "trace/first-half", samples);
  if (chosen === null) return null;
  const { fit, shape } = chosen;
  const firsts = sampleCurves(fit, first, changesBeside(fit, shape, first), "trace/held-out", samples);
  const curves = firsts.flatMap((one, i) => {
    const again = fitBursts(one, shape);
    if (again === null) return [];
    return sampleCurves(again, rest, changesBeside(again, shape, rest), `trace/held-out/${i}`, 1);
  });
  const check = checkAgainst(rest, curves);
  return check.points.length === 0 ? null : { fit, ramp: shape.ramp, check };
}

/** The dispersion between two times, with what a fit needs to know of it. */
function measure(arrivalS: Float64Array, fromS: number, toS: number): MeasuredCurve {
  const stretches = stretchesOf(arrivalS, fromS, toS);
  let requests = 0;
  let squares = 0;
  for (const startS of stretches.startsS) {
    const count = firstFrom(arrivalS, startS + stretches.lengthS) - firstFrom(arrivalS, startS);
    requests += count;
    squares += count * count;
  }
  // The fluctuation's share of the dispersion grows with the rate, so that busy hours count for more.
  const ratePerS = requests === 0 ? 0 : squares / requests / stretches.lengthS;
  return measureOver(arrivalS, stretches, DISPERSION_WINDOWS_S, ratePerS);
}

function stretchesOf(arrivalS: Float64Array, fromS: number, toS: number): Stretches {
  if (toS - fromS <= ONE_STRETCH_S) return { startsS: [fromS], lengthS: toS - fromS };
  const hours = Math.floor((toS - fromS) / HOUR_S);
  const perHour = (firstFrom(arrivalS, toS) - firstFrom(arrivalS, fromS)) / hours;
  const taken = Math.max(1, Math.min(hours, MAX_HOURS, Math.floor(MAX_REQUESTS / Math.max(perHour, 1))));
  const startsS = Array.from({ length: taken }, (_, i) => fromS + Math.floor((i * hours) / taken) * HOUR_S);
  return { startsS, lengthS: HOUR_S };
}

interface Chosen {
  readonly fit: BurstFit;
  readonly shape: BurstShape;
  readonly curves: readonly MeasuredCurve[];
  readonly check: BandCheck;
  readonly renewal: BurstsFound["renewal"];
  readonly rampProbability: number;
}

/**
 * Gaps alone, unless the dispersion speaks against them; then a fluctuation too; and a ramp, where bursts without one rarely
 * show its like. The fluctuation stays beside a ramp, which hides from the dispersion what is missing beside it (DR-30).
 */
function choose(curve: MeasuredCurve, seed: string, samples: number): Chosen | null {
  const tried = (shape: BurstShape, name: string) => {
    const fit = fitBursts(curve, shape);
    if (fit === null) return null;
    const curves = sampleCurves(fit, curve, changesBeside(fit, shape, curve), `${seed}/${name}`, samples);
    return { fit, shape, curves, check: checkAgainst(curve, curves), rampProbability: 1 };
  };
  const gaps = tried({ component: false, ramp: false }, "renewal");
  if (gaps === null) return null;
  const renewal = { gapCv: gaps.fit.gapCv, check: gaps.check };
  if (gaps.check.probability >= LIKELY) return { ...gaps, renewal };
  const bursts = tried({ component: true, ramp: false }, "fit")!;
  const ramp = rampExcessOf(curve);
  const rampProbability = bursts.curves.filter((one) => rampExcessOf(one) >= ramp).length / samples;
  if (rampProbability >= LIKELY) return { ...bursts, renewal };
  return { ...tried({ component: true, ramp: true }, "fit-on-ramp")!, renewal, rampProbability };
}

/** How many times larger the ramps are than those of the bursts about them. */
function rampExcessOf(curve: MeasuredCurve): number {
  const fit = fitBursts(curve, { component: true, ramp: true });
  return fit === null ? 0 : curve.ramps.index / expectedRampIndex(fit, curve);
}

/** Ramps of a curve without the share that bursts of this fit make by chance, which the samples have of their own; null = none. */
function changesBeside(fit: BurstFit, { ramp }: BurstShape, curve: MeasuredCurve): number[] | null {
  if (!ramp) return null;
  const { changes, index } = curve.ramps;
  const share = Math.sqrt(Math.max(0, 1 - expectedRampIndex(fit, curve) / index));
  return changes.map((change) => share * change);
}

function rampFound(curve: MeasuredCurve, fit: BurstFit, probability: number): RampFound {
  const changes = changesBeside(fit, { component: true, ramp: true }, curve)!;
  const change = Math.sqrt(changes.reduce((sum, one) => sum + one * one, 0) / changes.length);
  // Variance of the rate about its mean in a stretch: change²/12 on a straight line; of a fluctuation what its mean has not followed.
  const within = 1 - recordShare(curve.stretchS / DRIFT_TAU_S);
  return {
    change: changes.length === 1 ? changes[0]! : change,
    probability,
    asBursts: fitBursts(curve, { component: true, ramp: false })!,
    drift: { sigma: Math.sqrt(log(1 + (change * change) / 12 / within)), tauS: DRIFT_TAU_S },
  };
}

/** Variance of an Ornstein–Uhlenbeck path's mean over x correlation times ÷ that of the path. */
function recordShare(x: number): number {
  return (2 * (x - 1 + exp(-x))) / (x * x);
}
