/**
 * Quantile sketch: a histogram in logarithmic buckets, 64 to an octave, indexed straight from the bits of the number.
 *   SK-1  A quantile lies within 0.8 % of the exact order statistic (the bucket's midpoint is at most 1/128 away).
 *   SK-2  Sketches merge exactly, by adding counts, in any order; percentiles are never averaged.
 *   SK-3  `mean` is the mean of the samples themselves, not of the buckets.
 * Values are non-negative, in any unit; counts are exact up to 2^53. Values below 2^-20 share the first bucket.
 */

const MANTISSA_BITS = 6;
const SHIFT = 20 - MANTISSA_BITS;
const LOWEST_EXPONENT = -20;
const OCTAVES = 44;
const BASE = (1023 + LOWEST_EXPONENT) << MANTISSA_BITS;
/** Bucket 0 holds what lies below the range, the last bucket what lies above. */
export const SKETCH_BUCKETS = (OCTAVES << MANTISSA_BITS) + 2;

const double = new Float64Array(1);
const halves = new Uint32Array(double.buffer);

/** Index of the bucket of x ≥ 0. */
export function bucketOf(x: number): number {
  double[0] = x;
  const index = (halves[1] >>> SHIFT) - BASE + 1;
  return index < 0 ? 0 : index >= SKETCH_BUCKETS ? SKETCH_BUCKETS - 1 : index;
}

/** Lower edge of a bucket; 0 for the first. */
export function lowerEdge(bucket: number): number {
  if (bucket === 0) return 0;
  halves[0] = 0;
  halves[1] = (bucket - 1 + BASE) << SHIFT;
  return double[0];
}

export class Sketch {
  readonly counts = new Float64Array(SKETCH_BUCKETS);
  sum = 0;

  /** Adds `weight` samples of value x. NaN is a caller's bug and would vanish silently, so it must not be passed. */
  add(x: number, weight: number): void {
    double[0] = x;
    let bucket = (halves[1] >>> SHIFT) - BASE + 1;
    if (bucket < 0) bucket = 0;
    else if (bucket >= SKETCH_BUCKETS) bucket = SKETCH_BUCKETS - 1;
    this.counts[bucket] += weight;
    this.sum += x * weight;
  }

  /** Adds samples known to lie in `bucket`, `weight` of them with this sum. */
  addToBucket(bucket: number, weight: number, sum: number): void {
    this.counts[bucket] += weight;
    this.sum += sum;
  }

  /** Adds the k values first, first + step, …, each `weight` times; step ≥ 0. Cost grows with the buckets crossed, not with k. */
  addRamp(first: number, step: number, k: number, weight: number): void {
    const counts = this.counts;
    const lastBucket = bucketOf(first + step * (k - 1));
    let done = 0;
    for (let bucket = bucketOf(first); bucket < lastBucket; bucket++) {
      // How many of the values lie below the upper edge of this bucket.
      const below = Math.min(k, Math.ceil((lowerEdge(bucket + 1) - first) / step));
      if (below <= done) continue;
      counts[bucket] += (below - done) * weight;
      done = below;
    }
    counts[lastBucket] += (k - done) * weight;
    this.sum += weight * (k * first + (step * k * (k - 1)) / 2);
  }

  merge(other: Sketch): void {
    const into = this.counts;
    const from = other.counts;
    for (let i = 0; i < SKETCH_BUCKETS; i++) into[i] += from[i];
    this.sum += other.sum;
  }

  clear(): void {
    this.counts.fill(0);
    this.sum = 0;
  }

  /** Counted from the buckets: adding keeps no more than it must. */
  samples(): number {
    let samples = 0;
    for (let i = 0; i < SKETCH_BUCKETS; i++) samples += this.counts[i];
    return samples;
  }

  /** NaN when empty. */
  mean(): number {
    return this.sum / this.samples();
  }

  /** The value of rank ⌊q·(samples − 1)⌋, within SK-1; NaN when empty. */
  quantile(q: number): number {
    const rank = Math.floor(q * (this.samples() - 1));
    let seen = 0;
    for (let bucket = 0; bucket < SKETCH_BUCKETS; bucket++) {
      seen += this.counts[bucket];
      if (seen > 0 && seen > rank) return bucket === 0 ? 0 : (lowerEdge(bucket) + lowerEdge(bucket + 1)) / 2;
    }
    return NaN;
  }

  /** Plain form that crosses threads by structured clone; only the buckets in use. */
  toPlain(): PlainSketch {
    let from = 0;
    let to = SKETCH_BUCKETS;
    while (from < to && this.counts[from] === 0) from++;
    while (to > from && this.counts[to - 1] === 0) to--;
    return { from, counts: this.counts.slice(from, to), sum: this.sum };
  }

  static fromPlain(plain: PlainSketch): Sketch {
    const sketch = new Sketch();
    sketch.counts.set(plain.counts, plain.from);
    sketch.sum = plain.sum;
    return sketch;
  }
}

export interface PlainSketch {
  readonly from: number;
  readonly counts: Float64Array;
  readonly sum: number;
}
