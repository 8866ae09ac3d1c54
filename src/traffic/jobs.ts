/**
 * Batch jobs: each arrival of the stream below brings a lognormal number of requests at the same instant, with lengths
 * and classes of their own. The deadline is the time-out of the request's class. Seconds, tokens.
 */
import type { SyntheticTraffic } from "../scenario/resolved.ts";
import { exp } from "../kernel/math.ts";
import type { Draw } from "../kernel/random.ts";
import { cumulativeShares, discrete, lognormal, openUniform } from "../kernel/samplers.ts";
import { classLengthSamplers, type LengthSampler } from "./lengths.ts";
import { trafficStream, type OpenTrafficOptions } from "./options.ts";
import type { Traffic } from "./traffic.ts";

type Jobs = NonNullable<SyntheticTraffic["burst"]["jobs"]>;

/** Requests of a mean job. */
export function meanJobSize({ medianRequests, sigma }: Jobs): number {
  return medianRequests * exp((sigma * sigma) / 2);
}

export class JobsCursor implements Traffic {
  timeS = Infinity;
  inputTokens = 0;
  outputTokens = 0;
  maxOutputTokens = 0;
  classIndex = 0;
  request = -1;

  private readonly arrivals: Traffic;
  private readonly jobs: Jobs;
  /** By class index. */
  private readonly lengths: readonly LengthSampler[];
  private readonly shares: Float64Array;
  private readonly sizeDraw: Draw;
  private readonly lengthDraw: Draw;
  private readonly classDraw: Draw;
  /** Requests of the current job after this one. */
  private left: number;

  /** `arrivals`: the submissions, at the rate of `spec` ÷ `meanJobSize`. */
  constructor(spec: SyntheticTraffic, jobs: Jobs, options: OpenTrafficOptions, arrivals: Traffic) {
    this.arrivals = arrivals;
    this.jobs = jobs;
    this.lengths = classLengthSamplers(spec, options.classShares.length);
    this.shares = cumulativeShares(options.classShares);
    this.sizeDraw = trafficStream(options, "job-sizes");
    this.lengthDraw = trafficStream(options, "job-lengths");
    this.classDraw = trafficStream(options, "job-classes");
    this.left = this.size();
    this.show();
  }

  advance(): void {
    if (this.left > 0) this.left--;
    else {
      this.arrivals.advance();
      this.left = this.size();
    }
    this.show();
  }

  /** Open traffic does not listen. */
  onComplete(): void {}

  /** Requests of a job after its first. */
  private size(): number {
    return Math.max(0, Math.round(lognormal(this.sizeDraw, this.jobs.medianRequests, this.jobs.sigma)) - 1);
  }

  private show(): void {
    this.timeS = this.arrivals.timeS;
    if (this.timeS === Infinity) return;
    this.request++;
    if (this.shares.length > 1) this.classIndex = discrete(this.shares, this.classDraw());
    const lengths = this.lengths[this.classIndex];
    lengths.draw(openUniform(this.lengthDraw), openUniform(this.lengthDraw));
    this.inputTokens = lengths.inputTokens;
    this.outputTokens = lengths.outputTokens;
    this.maxOutputTokens = lengths.maxOutputTokens;
  }
}
