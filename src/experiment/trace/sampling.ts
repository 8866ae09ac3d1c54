/**
 * How far a record's dispersion may lie from its generator's by luck: the generator is run again and again over as much
 * time, and measured as the record was (a parametric bootstrap).
 */
import { mean, sampleStandardDeviation } from "simple-statistics";
import { exp, log } from "../../kernel/math.ts";
import type { SyntheticTraffic } from "../../scenario/resolved.ts";
import { syntheticTraffic } from "../../traffic/synthetic.ts";
import { quantile } from "../validate/metrics.ts";
import type { BurstFit, MeasuredCurve } from "./burst-fit.ts";
import { dispersionCurve, rampsOf, type Stretches } from "./dispersion.ts";

/** Everything a fit needs of arrivals over stretches. */
export function measureOver(
  arrivalS: Float64Array,
  stretches: Stretches,
  windowsS: readonly number[],
  ratePerS: number,
): MeasuredCurve {
  return {
    windowsS,
    index: dispersionCurve(arrivalS, stretches, windowsS),
    indexAboutRamp: dispersionCurve(arrivalS, stretches, windowsS, "ramp"),
    ramps: rampsOf(arrivalS, stretches),
    stretchS: stretches.lengthS,
    stretches: stretches.startsS.length,
    ratePerS,
  };
}

/** `samples` records of the generator like that of `curve`. `changes`: the ramp of each stretch; null = none. */
export function sampleCurves(
  fit: BurstFit,
  curve: MeasuredCurve,
  changes: readonly number[] | null,
  seed: string,
  samples: number,
): MeasuredCurve[] {
  const { stretchS, stretches, windowsS, ratePerS } = curve;
  const spec: SyntheticTraffic = {
    kind: "synthetic",
    meanRatePerS: ratePerS,
    growthFractionPerMonth: 0,
    hourOfWeek: null,
    burst: { components: fit.component === null ? [] : [fit.component], gapCv: fit.gapCv },
    input: { kind: "constant", tokens: 1 },
    output: { kind: "constant", tokens: 1 },
    spearman: 0,
    maxOutput: { factor: 1, minTokens: 1 },
  };
  const horizonS = stretchS * stretches;
  const startsS = Array.from({ length: stretches }, (_, i) => i * stretchS);
  return Array.from({ length: samples }, (_, replication) => {
    const options = { warmupS: 0, horizonS, startEpochS: 0, seed, replication, classShares: [1] };
    const times: number[] = [];
    for (const cursor = syntheticTraffic(spec, options); cursor.timeS < Infinity; cursor.advance())
      times.push(changes === null ? cursor.timeS : alongRamps(cursor.timeS, stretchS, changes));
    return measureOver(Float64Array.from(times), { startsS, lengthS: stretchS }, windowsS, ratePerS);
  });
}

/** Ramps as steep as this take the rate to almost nothing at one end. */
const STEEPEST = 1.9;

/**
 * The time at which a rate with ramps has brought what an even one has by `timeS`. Of a stretch's requests the share
 * x + (c/2)(x² − x) has come at the place x, c being the ramp's change; correlation times stretch by as much as the rate moves.
 */
export function alongRamps(timeS: number, stretchS: number, changes: readonly number[]): number {
  const stretch = Math.min(changes.length - 1, Math.floor(timeS / stretchS));
  const share = timeS / stretchS - stretch;
  const change = Math.max(-STEEPEST, Math.min(STEEPEST, changes[stretch]!));
  const start = 1 - change / 2;
  return stretchS * (stretch + (2 * share) / (start + Math.sqrt(start * start + 2 * change * share)));
}

/** A window's measured dispersion beside what the generator gives by luck. */
export interface BandPoint {
  readonly windowS: number;
  readonly measured: number;
  readonly middle: number;
  readonly low: number;
  readonly high: number;
  readonly inside: boolean;
  /** The band that holds the whole curve in 95 % of the samples: as many deviations about the middle at every window. */
  readonly curveLow: number;
  readonly curveHigh: number;
}

export interface BandCheck {
  readonly points: readonly BandPoint[];
  /** Share of samples that leave the band of single windows at one of them or more, which a curve of this generator also does. */
  readonly missShare: number;
  /**
   * Share of samples that lie as far out at their worst window as the record at its own; below 0.05 the record is not of
   * this generator, all windows taken together.
   */
  readonly probability: number;
}

const BAND = [0.025, 0.975] as const;

/** Puts a measured curve beside samples of a generator. Windows that either lacks are left out. */
export function checkAgainst(curve: MeasuredCurve, samples: readonly MeasuredCurve[]): BandCheck {
  const used = curve.windowsS.map((_, w) => w).filter((w) => curve.index[w] !== null && samples[0]?.index[w] !== null);
  const worst = samples.map(() => 0);
  const missed = samples.map(() => false);
  let recordWorst = 0;
  const laws = used.map((w) => {
    const values = samples.map(({ index }) => index[w]!);
    const logs = values.map((value) => log(value));
    const [centre, spread] = [mean(logs), sampleStandardDeviation(logs)];
    const distance = (value: number): number => Math.abs(log(value) - centre) / spread;
    const sorted = [...values].sort((a, b) => a - b);
    const [low, high] = [quantile(sorted, BAND[0]), quantile(sorted, BAND[1])];
    values.forEach((value, i) => {
      worst[i] = Math.max(worst[i]!, distance(value));
      if (value < low || value > high) missed[i] = true;
    });
    const measured = curve.index[w]!;
    recordWorst = Math.max(recordWorst, distance(measured));
    return { windowS: curve.windowsS[w]!, measured, middle: quantile(sorted, 0.5), low, high, centre, spread };
  });
  const reach = quantile(
    [...worst].sort((a, b) => a - b),
    BAND[1] - BAND[0],
  );
  const points = laws.map(({ centre, spread, ...point }): BandPoint => ({
    ...point,
    inside: point.measured >= point.low && point.measured <= point.high,
    curveLow: exp(centre - reach * spread),
    curveHigh: exp(centre + reach * spread),
  }));
  return {
    points,
    missShare: missed.filter((miss) => miss).length / missed.length,
    probability: worst.filter((distance) => distance >= recordWorst).length / worst.length,
  };
}
