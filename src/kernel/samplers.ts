/**
 * Random variates from a uniform stream. Each function takes the draw and plain numbers and allocates nothing; how many
 * uniforms a variate uses is part of the API (RNG-1: common random numbers), so tests freeze the first draws of each.
 * Unit-free: the caller's parameters carry the unit.
 */
import { InvariantError } from "./errors.ts";
import { exp, log, normalQuantile, pow } from "./math.ts";
import type { Draw } from "./random.ts";

/** Half the spacing of a 32-bit uniform: added to it, the value is never 0 or 1 and its mean is exactly one half. */
const HALF_STEP = 1.1641532182693481e-10;

/** Uniform in the open interval (0, 1). One draw. */
export function openUniform(draw: Draw): number {
  return draw() + HALF_STEP;
}

/** Exponential of mean 1, by inversion. One draw. */
export function exponential(draw: Draw): number {
  return -log(draw() + HALF_STEP);
}

/** Standard normal, by inversion. One draw; the largest magnitude is 6.3, the end of 32 bits. */
export function normal(draw: Draw): number {
  return normalQuantile(draw() + HALF_STEP);
}

/** Lognormal with the given median and standard deviation of the logarithm. One draw. */
export function lognormal(draw: Draw, median: number, sigma: number): number {
  return median * exp(sigma * normal(draw));
}

/** Weibull with scale 1 and the given shape (> 0), by inversion. One draw. */
export function weibull(draw: Draw, shape: number): number {
  return pow(exponential(draw), 1 / shape);
}

/**
 * Gamma with scale 1 and the given shape (> 0), exact, by rejection. Mean and variance both equal the shape, so a gap of
 * mean 1 and coefficient of variation CV is `gamma(draw, 1 / CV²) × CV²`. A varying number of draws; one at shape 1.
 */
export function gamma(draw: Draw, shape: number): number {
  if (shape === 1) return exponential(draw);
  return shape < 1 ? gammaBelowOne(draw, shape) : gammaAboveOne(draw, shape);
}

/** Where the two parts of the envelope meet. Any value is exact; this one accepts 76–100 % of the candidates of all shapes. */
const SPLIT = 0.4;
const EXP_MINUS_SPLIT = 0.6703200460356393;

/**
 * Shape below 1, envelope x^(shape − 1) up to the split and an exponential tail beyond (Best, Computing 30, 1983). Both
 * squeezes are bounds of the ratio to the density, so that most candidates are settled by arithmetic.
 */
function gammaBelowOne(draw: Draw, shape: number): number {
  // Masses of the two parts, with the first scaled to 1.
  const mass = 1 + (EXP_MINUS_SPLIT * shape) / SPLIT;
  for (;;) {
    const p = mass * (draw() + HALF_STEP);
    const v = draw() + HALF_STEP;
    if (p <= 1) {
      const x = SPLIT * exp(log(p) / shape);
      if (v * (2 + x) <= 2 - x || v <= exp(-x)) return x;
    } else {
      const x = -log((SPLIT * (mass - p)) / shape);
      const y = x / SPLIT;
      if (v * (shape + (1 - shape) * y) <= 1 || v <= pow(y, shape - 1)) return x;
    }
  }
}

/** Shape above 1, from a cubed normal (Marsaglia and Tsang, ACM TOMS 26, 2000). */
function gammaAboveOne(draw: Draw, shape: number): number {
  const d = shape - 1 / 3;
  const c = 1 / (3 * Math.sqrt(d));
  for (;;) {
    const z = normalQuantile(draw() + HALF_STEP);
    const root = 1 + c * z;
    if (root <= 0) continue;
    const u = draw() + HALF_STEP;
    const v = root * root * root;
    const zz = z * z;
    // The squeeze settles nearly all candidates without a logarithm.
    if (u < 1 - 0.0331 * zz * zz || log(u) < 0.5 * zz + d * (1 - v + log(v))) return d * v;
  }
}

/** Poisson count of the given mean (≥ 0), exact. Below mean 10 by inversion with one draw, above by `poissonRejection`. */
export function poisson(draw: Draw, mean: number): number {
  if (mean >= 10) return poissonRejection(draw, mean);
  let rest = draw() + HALF_STEP;
  let probability = exp(-mean);
  let count = 0;
  // 200 is past the last count that a 32-bit uniform can reach; it bounds the loop against rounding of the sum.
  while (rest > probability && count < 200) {
    rest -= probability;
    probability *= mean / ++count;
  }
  return count;
}

/** Transformed rejection with squeeze, algorithm PTRS of Hörmann (Insurance: Mathematics and Economics 12, 1993); its constants. */
function poissonRejection(draw: Draw, mean: number): number {
  const b = 0.931 + 2.53 * Math.sqrt(mean);
  const a = -0.059 + 0.02483 * b;
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4);
  const vBound = 0.9277 - 3.6224 / (b - 2);
  const lnMean = log(mean);
  for (;;) {
    const u = draw() + HALF_STEP - 0.5;
    const v = draw() + HALF_STEP;
    const edge = 0.5 - Math.abs(u);
    const count = Math.floor(((2 * a) / edge + b) * u + mean + 0.43);
    if (edge >= 0.07 && v <= vBound) return count;
    if (count < 0 || (edge < 0.013 && v > edge)) continue;
    if (log((v * inverseAlpha) / (a / (edge * edge) + b)) <= count * lnMean - mean - lnFactorial(count)) return count;
  }
}

/** ln n! by Stirling's series, absolute error below 1e-9 for n ≥ 7 and exact products below. */
function lnFactorial(n: number): number {
  if (n < 7) {
    let product = 1;
    for (let factor = 2; factor <= n; factor++) product *= factor;
    return log(product);
  }
  const x = n + 1;
  const inverse = 1 / x;
  const series =
    inverse * (1 / 12 - inverse * inverse * (1 / 360 - inverse * inverse * (1 / 1260 - (inverse * inverse) / 1680)));
  return (x - 0.5) * log(x) - x + 0.9189385332046727 + series;
}

/** Running sums of weights (≥ 0, not all zero) scaled to end at exactly 1, for `discrete`. Throws InvariantError otherwise. */
export function cumulativeShares(weights: readonly number[]): Float64Array {
  const sums = new Float64Array(weights.length);
  let total = 0;
  for (let i = 0; i < weights.length; i++) {
    if (!(weights[i]! >= 0))
      throw new InvariantError("cumulative shares need weights of at least zero", { i, weight: weights[i] });
    total += weights[i]!;
    sums[i] = total;
  }
  if (!(total > 0 && total < Infinity)) throw new InvariantError("cumulative shares need a positive sum", { total });
  let last = sums.length - 1;
  while (weights[last] === 0) last--;
  // Rounding must not leave a gap below 1 that would fall to an entry of weight zero.
  for (let i = 0; i < sums.length; i++) sums[i] = i >= last ? 1 : sums[i]! / total;
  return sums;
}

/** Index drawn with the probabilities behind `shares` (see `cumulativeShares`); `u` uniform in [0, 1). */
export function discrete(shares: Float64Array, u: number): number {
  let index = 0;
  while (u >= shares[index]!) index++;
  return index;
}

/** An inverse CDF ready for look-ups. `segments` holds start rank, value there and slope, three numbers per segment. */
export interface QuantileTable {
  readonly segments: Float64Array;
  /** Offset into `segments` at which the search for a rank in this cell starts. */
  readonly guide: Uint16Array;
}

/** Cells of the guide: with 32 percentiles, nearly every look-up ends at its first or second segment. */
const GUIDE_CELLS = 1024;

/**
 * The inverse CDF through (percentiles[i], values[i]), linear between, multiplied so that its mean is `mean`: a table of
 * order statistics interpolates to a slightly different mean than its source, and totals (costs) follow the mean.
 * Percentiles rise strictly from 0 to 100, values do not fall. Throws InvariantError otherwise.
 */
export function quantileTable(percentiles: readonly number[], values: readonly number[], mean: number): QuantileTable {
  const count = percentiles.length;
  let rising = count >= 2 && values.length === count && percentiles[0] === 0 && percentiles[count - 1] === 100;
  let tableMean = 0;
  for (let i = 0; i + 1 < count; i++) {
    rising &&= percentiles[i]! < percentiles[i + 1]! && values[i]! >= 0 && values[i]! <= values[i + 1]!;
    tableMean += ((percentiles[i + 1]! - percentiles[i]!) / 100) * 0.5 * (values[i]! + values[i + 1]!);
  }
  const scale = mean / tableMean;
  if (!rising || !(scale > 0 && scale < Infinity))
    throw new InvariantError("a quantile table rises from 0 to 100 % and has a positive mean", {
      percentiles,
      values,
      mean,
    });

  // A closing segment that starts above rank 1 stops every search.
  const segments = new Float64Array(3 * count);
  for (let i = 0; i < count; i++) {
    const last = i === count - 1;
    segments[3 * i] = last ? Infinity : percentiles[i]! / 100;
    segments[3 * i + 1] = values[i]! * scale;
    segments[3 * i + 2] = last
      ? 0
      : ((values[i + 1]! - values[i]!) * scale * 100) / (percentiles[i + 1]! - percentiles[i]!);
  }
  const guide = new Uint16Array(GUIDE_CELLS + 1);
  for (let cell = 0, at = 0; cell <= GUIDE_CELLS; cell++) {
    while (segments[at + 3]! <= cell / GUIDE_CELLS) at += 3;
    guide[cell] = at;
  }
  return { segments, guide };
}

/** Value at rank `u` in [0, 1]. */
export function quantileAt(table: QuantileTable, u: number): number {
  const segments = table.segments;
  let at = table.guide[(u * GUIDE_CELLS) | 0]!;
  while (segments[at + 3]! <= u) at += 3;
  return segments[at + 1]! + segments[at + 2]! * (u - segments[at]!);
}
