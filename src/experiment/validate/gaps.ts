/**
 * Gaps between tokens over all requests, seconds: what benchmark tools give percentiles of as ITL (those of TPOT are over requests).
 * The engine counts them as it goes, many at a time, in a sketch; this one also sums each bucket, so that a percentile is the mean of the
 * gaps in its bucket: exact where they are alike, else within the bucket's width (1.6 %).
 */
import { SKETCH_BUCKETS, Sketch, bucketOf, lowerEdge } from "../../kernel/sketch.ts";
import type { CaseArrivals } from "./arrivals.ts";

/** Groups of requests whose gaps are counted apart: a group a stage, and one of the warm-up, which does not count. */
export interface GapGroups {
  /** By request. */
  readonly groupOf: Uint8Array;
  readonly size: number;
  /** Each stage of the load has a group. */
  readonly staged: boolean;
  /** Group of the warm-up; −1 = there is none. */
  readonly warmup: number;
}

/** The column of groups has a byte a request; of a load with more stages the gaps are counted together. */
const MOST_STAGES = 254;

/** The groups of a load whose first `warmupRequests` do not count. */
export function gapGroups({ arrivalS, stage }: CaseArrivals, warmupRequests: number): GapGroups {
  const stages = stage === null ? 1 : stage[stage.length - 1]! + 1;
  const counted = stages > MOST_STAGES ? 1 : stages;
  const warmup = warmupRequests > 0 ? counted : -1;
  const groupOf = Uint8Array.from(arrivalS, (_, i) => (i < warmupRequests ? counted : counted === 1 ? 0 : stage![i]!));
  return { groupOf, size: counted + (warmup < 0 ? 0 : 1), staged: stages === counted, warmup };
}

/** Gaps of one group. */
export class GapSketch extends Sketch {
  private readonly sums = new Float64Array(SKETCH_BUCKETS);

  override add(x: number, weight: number): void {
    super.add(x, weight);
    this.sums[bucketOf(x)]! += x * weight;
  }

  override addToBucket(bucket: number, weight: number, sum: number): void {
    super.addToBucket(bucket, weight, sum);
    this.sums[bucket]! += sum;
  }

  override addRamp(first: number, step: number, k: number, weight: number): void {
    super.addRamp(first, step, k, weight);
    const lastBucket = bucketOf(first + step * (k - 1));
    let done = 0;
    for (let bucket = bucketOf(first); bucket <= lastBucket; bucket++) {
      const below = bucket === lastBucket ? k : Math.min(k, Math.ceil((lowerEdge(bucket + 1) - first) / step));
      if (below <= done) continue;
      const n = below - done;
      this.sums[bucket]! += weight * n * (first + (step * (done + below - 1)) / 2);
      done = below;
    }
  }

  override merge(other: GapSketch): void {
    super.merge(other);
    other.sums.forEach((sum, bucket) => (this.sums[bucket]! += sum));
  }

  /** At rank (n − 1)·q, between the order statistics on either side as everywhere in validation; NaN when empty. */
  override quantile(q: number): number {
    const rank = (this.samples() - 1) * q;
    const low = Math.floor(rank);
    let seen = 0;
    let below = NaN;
    for (let bucket = 0; bucket < SKETCH_BUCKETS; bucket++) {
      const count = this.counts[bucket]!;
      if (count === 0) continue;
      seen += count;
      const value = this.sums[bucket]! / count;
      if (seen > low + 1) return Number.isNaN(below) ? value : below + (value - below) * (rank - low);
      // The last of this bucket is the lower of the two, the first of the next one the upper.
      if (seen === low + 1) below = value;
    }
    return below;
  }
}
