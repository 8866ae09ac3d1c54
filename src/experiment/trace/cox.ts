/** Theory of the generator's dispersion: log-Gaussian Cox intensity, Gamma gaps in its transformed time. */
import { exp, log } from "../../kernel/math.ts";

/** Fluctuation of the rate: coefficient of variation and correlation time. */
export interface Component {
  readonly cv: number;
  readonly tauS: number;
}

const PRECISION = 1e-9;

/**
 * What one component adds to the index of dispersion per request and second of rate:
 * (2/w) ∫₀ʷ (w − s)(exp(σ² e^(−s/τ)) − 1) ds with σ² = ln(1 + cv²), by the power series of exp, term by term
 * 2 σ²ᵏ/k! · (τ/k)(1 − (τ/kw)(1 − e^(−kw/τ))).
 */
export function coxExcess({ cv, tauS }: Component, windowS: number): number {
  const variance = log(1 + cv * cv);
  let power = 1;
  let sum = 0;
  for (let k = 1; k < 200; k++) {
    power *= variance / k;
    const x = (k * windowS) / tauS;
    // (1 − (1 − e^−x)/x) of a tiny x is lost to rounding; its series begins x/2 − x²/6.
    const shape = x < 1e-4 ? x / 2 - (x * x) / 6 : 1 - (1 - exp(-x)) / x;
    const term = 2 * power * (tauS / k) * shape;
    sum += term;
    if (term <= PRECISION * sum) break;
  }
  return sum;
}

/**
 * Index of dispersion that a record of `windows` windows is expected to show when the process has `index` in a window
 * and `recordIndex` over the whole record: the sample variance is taken about the record's own mean, which has followed
 * the slow part of the fluctuation. E s² = (n V(w) − V(T)/n)/(n − 1), exact for any stationary process.
 */
export function expectedInRecord(index: number, recordIndex: number, windows: number): number {
  return (windows * index - recordIndex) / (windows - 1);
}

/**
 * What Gamma gaps add to the index of dispersion in a window of `mean` requests, per unit of cv² − 1: all of it in long
 * windows, less in short ones. Var N = cv² m + (1 − cv⁴)/6 (Cox, Renewal Theory, 1962, section 4.5, for Gamma gaps of a
 * stationary process), with 1 + cv² taken as 2.
 */
export function gapShare(mean: number): number {
  return 1 - 1 / (3 * mean);
}
