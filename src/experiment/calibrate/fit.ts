/**
 * Fits parameters to logarithms of measured latencies: Levenberg-Marquardt on Huber's loss, with a ridge that pulls each
 * parameter to its prior. Parameters are counted in prior standard deviations from the prior, z.
 *
 *   minimise  Σ_families Σ_i ρ(r_i / σ_f) / d_f + |z|²        r = ln measured − ln predicted
 *
 * σ_f is a robust spread of the residuals of one family (TTFT, TPOT), d_f its design effect: how many residuals are worth
 * one independent one, since those of neighbouring requests go together. It is what keeps standard errors honest when a
 * queue moves hundreds of requests alike, or when the model is wrong by a constant. Both are estimated at the last fit and
 * the fit repeated. The posterior covariance is (J'WJ/(σ²·d) + I)⁻¹ in units of z.
 */
import { quantileSorted } from "simple-statistics";
import { type Matrix, identity, inverse, solve } from "./matrix.ts";

export interface FitProblem {
  /** Logarithms of the predictions, in the order of the observations. */
  readonly predict: (z: readonly number[]) => Float64Array;
  readonly observed: Float64Array;
  /** By observation: which family it belongs to, and which block of neighbours. */
  readonly family: Uint8Array;
  readonly block: Int32Array;
  readonly families: number;
  /** Indices of the observations to fit. */
  readonly use: readonly number[];
  /** Bounds of each z. */
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** Least σ of each family: what no measurement is better than. */
  readonly floor: readonly number[];
}

export interface Fit {
  readonly z: readonly number[];
  /** Posterior covariance of z. */
  readonly covariance: Matrix;
  /** What the observations alone say of z: the inverse of a covariance. */
  readonly information: Matrix;
  readonly sigma: readonly number[];
  readonly designEffect: readonly number[];
  readonly rounds: number;
}

const HUBER = 1.345;
/** Half the span of a finite difference, in prior standard deviations: wide enough to look over single steps of a queue. */
const DIFFERENCE = 0.1;
const ROUNDS = 8;
const ITERATIONS = 15;
const SETTLED = 0.005;

/** Deterministic. Throws nothing of its own; `predict` may. */
export function fitParameters(problem: FitProblem): Fit {
  const size = problem.low.length;
  let z = problem.low.map(() => 0);
  let weights = familyWeights(problem, problem.predict(z));
  let rounds = 0;
  while (rounds < ROUNDS) {
    rounds++;
    const next = minimise(problem, z, weights);
    const moved = Math.max(0, ...next.map((value, i) => Math.abs(value - z[i]!)));
    z = next;
    weights = familyWeights(problem, problem.predict(z));
    if (moved < SETTLED) break;
  }
  const information = normalEquations(problem, z, problem.predict(z), weights).information;
  const posterior = information.map((row, i) => row.map((value, j) => value + (i === j ? 1 : 0)));
  return {
    z,
    covariance: inverse(posterior) ?? identity(size),
    information,
    sigma: weights.sigma,
    designEffect: weights.designEffect,
    rounds,
  };
}

interface FamilyWeights {
  readonly sigma: readonly number[];
  readonly designEffect: readonly number[];
}

/** Spread of the residuals by family, around zero: a bias that no parameter removes counts as spread. */
function familyWeights(problem: FitProblem, predicted: Float64Array): FamilyWeights {
  const sigma: number[] = [];
  const designEffect: number[] = [];
  for (let family = 0; family < problem.families; family++) {
    const indices = problem.use.filter((i) => problem.family[i] === family);
    const residuals = indices.map((i) => problem.observed[i]! - predicted[i]!);
    const spread = robustSpread(residuals);
    sigma.push(Math.max(spread, problem.floor[family]!));
    designEffect.push(effectOfBlocks(problem, indices, residuals, sigma[family]!));
  }
  return { sigma, designEffect };
}

/** 1.4826 · median |r|, or the root mean square where there are few. */
function robustSpread(residuals: readonly number[]): number {
  if (residuals.length === 0) return 0;
  const absolute = residuals.map((r) => Math.abs(r)).sort((a, b) => a - b);
  if (absolute.length >= 20) return 1.4826 * quantileSorted(absolute, 0.5);
  return Math.sqrt(absolute.reduce((sum, r) => sum + r * r, 0) / absolute.length);
}

/** Σ over blocks of (Σ ψ)² ÷ Σ ψ², ψ the residual cut as Huber does; at least 1. */
function effectOfBlocks(
  problem: FitProblem,
  indices: readonly number[],
  residuals: readonly number[],
  sigma: number,
): number {
  const sums = new Map<number, number>();
  let squares = 0;
  indices.forEach((index, i) => {
    const psi = Math.max(-HUBER, Math.min(HUBER, residuals[i]! / sigma));
    squares += psi * psi;
    const block = problem.block[index]!;
    sums.set(block, (sums.get(block) ?? 0) + psi);
  });
  let ofBlocks = 0;
  for (const sum of sums.values()) ofBlocks += sum * sum;
  return squares > 0 ? Math.max(1, ofBlocks / squares) : 1;
}

function minimise(problem: FitProblem, start: readonly number[], weights: FamilyWeights): number[] {
  let z = [...start];
  let predicted = problem.predict(z);
  let loss = lossOf(problem, z, predicted, weights);
  let damping = 1e-3;
  for (let iteration = 0; iteration < ITERATIONS; iteration++) {
    const { information, gradient } = normalEquations(problem, z, predicted, weights);
    let step = 0;
    for (let attempt = 0; attempt < 6; attempt++) {
      const damped = information.map((row, i) =>
        row.map((value, j) => (i === j ? (value + 1) * (1 + damping) : value)),
      );
      const direction = solve(
        damped,
        gradient.map((value, i) => value - z[i]!),
      );
      if (direction === null) return z;
      const trial = z.map((value, i) => Math.min(problem.high[i]!, Math.max(problem.low[i]!, value + direction[i]!)));
      const trialPredicted = problem.predict(trial);
      const trialLoss = lossOf(problem, trial, trialPredicted, weights);
      if (trialLoss < loss) {
        step = Math.max(...trial.map((value, i) => Math.abs(value - z[i]!)));
        [z, predicted, loss] = [trial, trialPredicted, trialLoss];
        damping = Math.max(1e-6, damping / 5);
        break;
      }
      damping *= 5;
    }
    if (step < SETTLED / 5) break;
  }
  return z;
}

function lossOf(problem: FitProblem, z: readonly number[], predicted: Float64Array, weights: FamilyWeights): number {
  let loss = z.reduce((sum, value) => sum + value * value, 0);
  for (const i of problem.use) {
    const family = problem.family[i]!;
    const r = Math.abs(problem.observed[i]! - predicted[i]!) / weights.sigma[family]!;
    loss += (r <= HUBER ? r * r : HUBER * (2 * r - HUBER)) / weights.designEffect[family]!;
  }
  return loss;
}

/** J'WJ/(σ²·d) and J'Wr/(σ²·d), with Huber's weights, J by central differences within the bounds. */
function normalEquations(
  problem: FitProblem,
  z: readonly number[],
  predicted: Float64Array,
  weights: FamilyWeights,
): { information: number[][]; gradient: number[] } {
  const size = z.length;
  const columns = z.map((value, j) => {
    const above = [...z];
    const below = [...z];
    above[j] = Math.min(problem.high[j]!, value + DIFFERENCE);
    below[j] = Math.max(problem.low[j]!, value - DIFFERENCE);
    const span = above[j]! - below[j]!;
    const up = problem.predict(above);
    const down = problem.predict(below);
    return up.map((p, i) => (span > 0 ? (p - down[i]!) / span : 0));
  });
  const information = identity(size).map((row) => row.map(() => 0));
  const gradient = z.map(() => 0);
  for (const i of problem.use) {
    const family = problem.family[i]!;
    const sigma = weights.sigma[family]!;
    const residual = problem.observed[i]! - predicted[i]!;
    const r = Math.abs(residual) / sigma;
    const weight = (r <= HUBER ? 1 : HUBER / r) / (sigma * sigma * weights.designEffect[family]!);
    for (let j = 0; j < size; j++) {
      const dj = columns[j]![i]!;
      gradient[j]! += weight * dj * residual;
      for (let k = 0; k < size; k++) information[j]![k]! += weight * dj * columns[k]![i]!;
    }
  }
  return { information, gradient };
}
