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
  return powerSeries(cv, (k) => {
    const x = (k * windowS) / tauS;
    // (1 − (1 − e^−x)/x) of a tiny x is lost to rounding; its series begins x/2 − x²/6.
    const shape = x < 1e-4 ? x / 2 - (x * x) / 6 : 1 - (1 - exp(-x)) / x;
    return 2 * (tauS / k) * shape;
  });
}

/**
 * What one component adds to the ramps' index of dispersion (`rampsOf`) per request and second of rate, in stretches of at least
 * twice its correlation time: 2T ∫₀¹ (exp(σ² e^(−uT/τ)) − 1) K(u) du. K(u) = 1 − 3u + 2u³ is how a straight line of mean 0 and variance 1 goes with
 * itself u further on; term by term with a = kT/τ, ∫ e^(−au) K du = 1/a − 3/a² + 12/a⁴ − e^(−a)(3/a² + 12/a³ + 12/a⁴).
 */
export function rampExcess({ cv, tauS }: Component, stretchS: number): number {
  return powerSeries(cv, (k) => {
    const a = (k * stretchS) / tauS;
    const a2 = a * a;
    const rest = exp(-a) * (3 / a2 + 12 / (a2 * a) + 12 / (a2 * a2));
    return 2 * stretchS * (1 / a - 3 / a2 + 12 / (a2 * a2) - rest);
  });
}

/** Σ σ²ᵏ/k! · term(k) with σ² = ln(1 + cv²). */
function powerSeries(cv: number, term: (k: number) => number): number {
  const variance = log(1 + cv * cv);
  let power = 1;
  let sum = 0;
  for (let k = 1; k < 200; k++) {
    power *= variance / k;
    const next = power * term(k);
    sum += next;
    if (next <= PRECISION * sum) break;
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

/** The same about a straight line, which has also followed the ramps' part, of index `rampIndex`. */
export function expectedAboutRamp(index: number, recordIndex: number, rampIndex: number, windows: number): number {
  return (windows * index - recordIndex - rampIndex) / (windows - 2);
}

/**
 * What Gamma gaps add to the index of dispersion in a window of `mean` requests, per unit of cv² − 1: all of it in long
 * windows, less in short ones. Var N = cv² m + (1 − cv⁴)/6 (Cox, Renewal Theory, 1962, section 4.5, for Gamma gaps of a
 * stationary process), with 1 + cv² taken as 2.
 */
export function gapShare(mean: number): number {
  return 1 - 1 / (3 * mean);
}
