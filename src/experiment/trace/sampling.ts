/**
 * How far a record's dispersion may lie from its generator's by luck: the generator is run again and again over as much
 * time, and measured as the record was (a parametric bootstrap).
 */
import { mean, sampleStandardDeviation } from "simple-statistics";
import { log } from "../../kernel/math.ts";
import type { SyntheticTraffic } from "../../scenario/resolved.ts";
import { syntheticTraffic } from "../../traffic/synthetic.ts";
import { quantile } from "../validate/metrics.ts";
import type { BurstFit, MeasuredCurve } from "./burst-fit.ts";
import { dispersionCurve } from "./dispersion.ts";

/** `samples` curves of the generator over the windows of `curve`. */
export function sampleCurves(fit: BurstFit, curve: MeasuredCurve, seed: string, samples: number): (number | null)[][] {
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
      times.push(cursor.timeS);
    return dispersionCurve(Float64Array.from(times), { startsS, lengthS: stretchS }, windowsS);
  });
}

/** A window's measured dispersion beside what the generator gives by luck. */
export interface BandPoint {
  readonly windowS: number;
  readonly measured: number;
  readonly middle: number;
  readonly low: number;
  readonly high: number;
  readonly inside: boolean;
}

export interface BandCheck {
  readonly points: readonly BandPoint[];
  /**
   * Share of samples that lie as far out at their worst window as the record at its own; below 0.05 the record is not of
   * this generator, all windows taken together.
   */
  readonly probability: number;
}

const BAND = [0.025, 0.975] as const;

/** Puts a measured curve beside samples of a generator. Windows that either lacks are left out. */
export function checkAgainst(curve: MeasuredCurve, samples: readonly (readonly (number | null)[])[]): BandCheck {
  const used = curve.windowsS.map((_, w) => w).filter((w) => curve.index[w] !== null && samples[0]?.[w] !== null);
  const worst = samples.map(() => 0);
  let recordWorst = 0;
  const points = used.map((w): BandPoint => {
    const values = samples.flatMap((sample) => (sample[w] === null ? [] : [sample[w]!]));
    const logs = values.map((value) => log(value));
    const [centre, spread] = [mean(logs), sampleStandardDeviation(logs)];
    const distance = (value: number): number => Math.abs(log(value) - centre) / spread;
    samples.forEach((sample, i) => (worst[i] = Math.max(worst[i]!, distance(sample[w] ?? values[0]!))));
    const measured = curve.index[w]!;
    recordWorst = Math.max(recordWorst, distance(measured));
    values.sort((a, b) => a - b);
    const [low, high] = [quantile(values, BAND[0]), quantile(values, BAND[1])];
    const inside = measured >= low && measured <= high;
    return { windowS: curve.windowsS[w]!, measured, middle: quantile(values, 0.5), low, high, inside };
  });
  return { points, probability: worst.filter((distance) => distance >= recordWorst).length / worst.length };
}
