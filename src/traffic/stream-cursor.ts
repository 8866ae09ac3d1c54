/**
 * One stream of synthetic arrivals: Gamma gaps in the transformed time of an intensity, lengths by copula, classes by
 * share. Times in seconds, lengths in tokens. Memory is flat in the horizon and no request allocates.
 *   TRF-1  Arrivals, lengths and classes are functions of (spec, window, seed, replication) alone: nothing that happens
 *          to a request moves another, so that compared strategies see the same requests.
 *   TRF-2  Arrival times do not fall and lie in [−warmupS, horizonS).
 */
import type { SyntheticTraffic } from "../scenario/resolved.ts";
import { InvariantError } from "../kernel/errors.ts";
import type { Draw } from "../kernel/random.ts";
import { cumulativeShares, discrete, gamma, openUniform } from "../kernel/samplers.ts";
import type { Intensity } from "./intensity.ts";
import { classLengthSamplers, type LengthSampler } from "./lengths.ts";
import { trafficStream, type OpenTrafficOptions } from "./options.ts";
import type { Traffic } from "./traffic.ts";

/** Mean intervals simulated before the window, after which the first gap has the law of a running process. */
const BURN_IN_INTERVALS = 100;

/** One stream of arrivals; the cursor stands at the first. */
export class StreamCursor implements Traffic {
  timeS: number;
  inputTokens = 0;
  outputTokens = 0;
  maxOutputTokens = 0;
  classIndex = 0;
  request = -1;

  private readonly horizonS: number;
  private readonly gapShape: number;
  private readonly gapScale: number;
  private readonly intensity: Intensity;
  /** By class index. */
  private readonly lengths: readonly LengthSampler[];
  private readonly shares: Float64Array;
  private readonly arrivalDraw: Draw;
  private readonly lengthDraw: Draw;
  private readonly classDraw: Draw;

  /** `intensity` starts at −warmupS. */
  constructor(spec: SyntheticTraffic, options: OpenTrafficOptions, intensity: Intensity) {
    if (!(spec.burst.gapCv > 0)) throw new InvariantError("gaps have a positive CV", { gapCv: spec.burst.gapCv });
    this.timeS = -options.warmupS;
    this.horizonS = options.horizonS;
    this.gapScale = spec.burst.gapCv * spec.burst.gapCv;
    this.gapShape = 1 / this.gapScale;
    this.intensity = intensity;
    this.lengths = classLengthSamplers(spec, options.classShares.length);
    this.shares = cumulativeShares(options.classShares);
    this.arrivalDraw = trafficStream(options, "arrivals");
    this.lengthDraw = trafficStream(options, "lengths");
    this.classDraw = trafficStream(options, "classes");
    let elapsed = 0;
    while (elapsed < BURN_IN_INTERVALS) elapsed += this.gap();
    this.moveBy(elapsed - BURN_IN_INTERVALS);
  }

  advance(): void {
    if (this.timeS !== Infinity) this.moveBy(this.gap());
  }

  /** Open traffic does not listen. */
  onComplete(): void {}

  /** Gap to the next arrival in transformed time, mean 1. */
  private gap(): number {
    return gamma(this.arrivalDraw, this.gapShape) * this.gapScale;
  }

  /** Goes forward by `gap` mean intervals, to a new request or to the end. */
  private moveBy(gap: number): void {
    const intensity = this.intensity;
    let fromS = this.timeS;
    let left = gap;
    let inCell = (intensity.cellEndS - fromS) * intensity.ratePerS;
    // `>=` also steps over cells of rate zero.
    while (left >= inCell) {
      left -= inCell;
      intensity.next();
      fromS = intensity.cellStartS;
      if (fromS >= this.horizonS) {
        this.timeS = Infinity;
        return;
      }
      inCell = intensity.cellS * intensity.ratePerS;
    }
    // Rounding must not carry an arrival past its cell, or the next could come before it (TRF-2).
    const timeS = Math.min(fromS + left / intensity.ratePerS, intensity.cellEndS);
    if (timeS >= this.horizonS) {
      this.timeS = Infinity;
      return;
    }
    this.timeS = timeS;
    this.request++;
    const draw = this.lengthDraw;
    if (this.shares.length > 1) this.classIndex = discrete(this.shares, this.classDraw());
    const lengths = this.lengths[this.classIndex];
    lengths.draw(openUniform(draw), openUniform(draw));
    this.inputTokens = lengths.inputTokens;
    this.outputTokens = lengths.outputTokens;
    this.maxOutputTokens = lengths.maxOutputTokens;
  }
}
