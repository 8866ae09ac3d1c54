/**
 * What the decision asks of a demand: its mean, its peaks, how well last week predicts it, and how bursty it is.
 * Measured on arrivals at t ≥ 0 as they pass; memory is one count per 5-minute bin. Rates in requests per second.
 */
import { DAY_S, WEEK_S } from "../kernel/calendar-time.ts";
import { InvariantError } from "../kernel/errors.ts";

const BIN_S = 300;
const WINDOW_S = 60;

export interface DemandMeasures {
  readonly requests: number;
  /** Requests ÷ horizon. */
  readonly meanRatePerS: number;
  /** 99.9th percentile (between order statistics, linear) of the counts of whole 5-minute bins ÷ their mean; null without arrivals in them. */
  readonly peakToMean: number | null;
  /**
   * Σ|a − f| ÷ Σa over whole 5-minute bins, f the same bin one week before, or one day if the horizon is below two
   * weeks; null below two seasons or without arrivals.
   */
  readonly wape: number | null;
  /** Sample variance ÷ mean of the counts in whole 60-s windows; null below two windows or without arrivals. */
  readonly dispersion60s: number | null;
}

/** Counts the arrivals of one run. Feed it every arrival in order of time, then call `measures`. */
export class DemandMeter {
  private readonly horizonS: number;
  private readonly bins: Float64Array;
  private requests = 0;
  private window = 0;
  private windowCount = 0;
  private sum = 0;
  private sumOfSquares = 0;

  constructor(horizonS: number) {
    this.horizonS = horizonS;
    this.bins = new Float64Array(Math.ceil(horizonS / BIN_S));
  }

  /** One arrival. Those of the warm-up (before 0) are not counted; time must not fall and must lie before the horizon. */
  add(timeS: number): void {
    if (timeS < 0) return;
    const window = Math.floor(timeS / WINDOW_S);
    if (!(window >= this.window && timeS < this.horizonS))
      throw new InvariantError("INV-2", { timeS, window: this.window });
    this.requests++;
    this.bins[Math.floor(timeS / BIN_S)]!++;
    if (window !== this.window) this.closeWindow(window);
    this.windowCount++;
  }

  /** Counts are integers below 2^53, so the sums are exact and no window order matters; empty windows add nothing to them. */
  private closeWindow(next: number): void {
    this.sum += this.windowCount;
    this.sumOfSquares += this.windowCount * this.windowCount;
    this.windowCount = 0;
    this.window = next;
  }

  measures(): DemandMeasures {
    const wholeBins = Math.floor(this.horizonS / BIN_S);
    const counts = this.bins.slice(0, wholeBins);
    return {
      requests: this.requests,
      meanRatePerS: this.requests / this.horizonS,
      wape: seasonalNaiveWape(counts),
      peakToMean: peakToMean(counts),
      dispersion60s: this.dispersion(),
    };
  }

  private dispersion(): number | null {
    const windows = Math.floor(this.horizonS / WINDOW_S);
    // The window that is open counts once the horizon has closed it.
    const last = this.window < windows ? this.windowCount : 0;
    const mean = (this.sum + last) / windows;
    if (windows < 2 || mean === 0) return null;
    return (this.sumOfSquares + last * last - windows * mean * mean) / (windows - 1) / mean;
  }
}

function total(counts: Float64Array): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}

function peakToMean(counts: Float64Array): number | null {
  const sum = total(counts);
  if (sum === 0) return null;
  const ordered = counts.slice().sort();
  const rank = 0.999 * (ordered.length - 1);
  const below = Math.floor(rank);
  const above = Math.min(below + 1, ordered.length - 1);
  const peak = ordered[below]! + (ordered[above]! - ordered[below]!) * (rank - below);
  return (peak * ordered.length) / sum;
}

function seasonalNaiveWape(counts: Float64Array): number | null {
  const weekBins = WEEK_S / BIN_S;
  const dayBins = DAY_S / BIN_S;
  const lag = counts.length >= 2 * weekBins ? weekBins : dayBins;
  if (counts.length < 2 * lag) return null;
  let error = 0;
  for (let bin = lag; bin < counts.length; bin++) error += Math.abs(counts[bin]! - counts[bin - lag]!);
  const actual = total(counts.subarray(lag));
  return actual === 0 ? null : error / actual;
}
