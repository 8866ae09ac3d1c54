/**
 * Fits parameters to logarithms of measured latencies. Parameters are counted in prior standard deviations from the
 * prior, z.
 *
 *   minimise  Σ_families Σ_i ρ(r_i / σ_f) / d_f + |z|²        r = ln measured − ln predicted, ρ Huber's
 *
 * A simulated latency is not smooth in z: a request that just misses a step waits for the next. Derivatives at a point
 * would be noise, which looks like information. So each round simulates a fixed cloud of points around z, and lays a plane
 * through the predictions of each observation: its slope is the derivative. Its height is the prediction at z itself: the mean over the cloud
 * lies above it where queues bend upwards, near saturation. What the
 * noise of the slopes adds to the normal equations is known from the scatter about the planes, and taken into account. The cloud
 * moves to the solution and shrinks to a smallest width.
 *
 * σ_f is a robust spread of the residuals of one family (TTFT, TPOT), d_f its design effect: how many residuals are worth
 * one independent one, since those of neighbouring requests go together. It keeps standard errors honest when a queue moves
 * hundreds of requests alike, or when the model is wrong by a constant. The posterior covariance is (J'WJ/(σ²·d) + I)⁻¹.
 *
 * Both are read off the residuals, so where the prior is far off they call the distance noise, and the fit stays where it is
 * and is sure of it. What leaves more than noise is therefore fitted a second time, from where the data pull under a fixed
 * spread, and what leaves less counts.
 */
import { quantileSorted } from "simple-statistics";
import { stream } from "../../kernel/random.ts";
import { type Matrix, identity, inverse, solve, times } from "./matrix.ts";

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
/** A spread of so many times the least is more than noise. */
const MORE_THAN_NOISE = 3;
/** Rounds that approach: at most so many, while any parameter still moves by this share of the cloud's width. */
const APPROACH = { width: 1, pairs: 5, rounds: 12, near: 0.25 } as const;
/** Spread of log residuals while approaching. Assumed: wide beside noise, narrow beside a constant that is off by its prior's spread. */
const APPROACH_SIGMA = 0.1;
/** While approaching, a family counts as so many independent residuals at most: enough to leave the prior, too few to chase noise. */
const APPROACH_WORTH = 100;
/** By round: half width of the cloud in prior standard deviations, and pairs of opposite points for each parameter. */
const CLOUDS = [
  { width: 1, pairs: 10 },
  { width: 0.7, pairs: 10 },
  { width: 0.5, pairs: 20 },
  { width: 0.5, pairs: 40 },
  { width: 0.5, pairs: 40 },
  { width: 0.5, pairs: 40 },
] as const;
/** No earlier round may be the last. */
const FULL_ROUND = 4;
/** The fit has settled when a round moves no parameter by more than this share of its posterior standard deviation. */
const SETTLED = 0.25;
/**
 * Standard errors of the observations are widened by it, for what planes and design effects do not catch of a queue. On 24
 * planted benchmarks the plain ones were 1.4 times too small; so widened, 4 and 2 of 144 intervals of 95 % missed, near the prior and far from it.
 */
const WIDENED = 1.5;
/** Longest move in a round, in widths of the cloud: planes hold near it only. */
const REACH = 1.5;

/** Deterministic. Throws nothing of its own; `predict` may. */
export function fitParameters(problem: FitProblem): Fit {
  const prior = problem.low.map((low, i) => Math.min(problem.high[i]!, Math.max(low, 0)));
  const nearby = settledFrom(problem, prior, 0);
  if (nearby.sigma.every((sigma, family) => sigma <= MORE_THAN_NOISE * problem.floor[family]!)) return nearby;
  const { z, rounds } = approached(problem, prior);
  const afar = settledFrom(problem, z, nearby.rounds + rounds);
  const left = ({ sigma }: Fit): number => sigma.reduce((sum, one) => sum + one, 0);
  return left(afar) < left(nearby) ? afar : nearby;
}

function settledFrom(problem: FitProblem, start: readonly number[], roundsBefore: number): Fit {
  const size = start.length;
  let z = start;
  for (let round = 1; ; round++) {
    const { width, pairs } = CLOUDS[round - 1]!;
    const planes = planesAround(problem, z, cloudDirections(size, pairs * size), width);
    const solved = solvePlanes(problem, planes, z, width * REACH, (residuals) => familyWeights(problem, residuals));
    const moved = solved.z.map((value, i) => Math.abs(value - z[i]!) / Math.sqrt(solved.covariance[i]![i]!));
    z = solved.z;
    const settled = round >= FULL_ROUND && Math.max(0, ...moved) < SETTLED;
    if (settled || round === CLOUDS.length) return { ...solved, rounds: roundsBefore + round };
  }
}

/** Near where the data pull, under a spread that does not grow with the distance. */
function approached(problem: FitProblem, start: readonly number[]): { z: readonly number[]; rounds: number } {
  const { width, pairs, rounds, near } = APPROACH;
  const weights: FamilyWeights = {
    sigma: problem.floor.map((floor) => Math.max(floor, APPROACH_SIGMA)),
    designEffect: problem.floor.map((_, family) =>
      Math.max(1, problem.use.filter((i) => problem.family[i] === family).length / APPROACH_WORTH),
    ),
  };
  const directions = cloudDirections(start.length, pairs * start.length);
  let z = start;
  for (let round = 1; ; round++) {
    const next = solvePlanes(problem, planesAround(problem, z, directions, width), z, width * REACH, () => weights).z;
    const moved = Math.max(0, ...next.map((value, i) => Math.abs(value - z[i]!)));
    z = next;
    if (moved < near * width || round === rounds) return { z, rounds: round };
  }
}

/** Points of the cube from −1 to 1 in opposite pairs, the same in each round: what a round moves is not their chance. */
function cloudDirections(size: number, pairs: number): readonly (readonly number[])[] {
  const draw = stream("calibrate", 0, "calibrate/cloud");
  return Array.from({ length: pairs }, () => Array.from({ length: size }, () => 2 * draw() - 1)).flatMap((point) => [
    point,
    point.map((value) => -value),
  ]);
}

interface Planes {
  /** By used observation: prediction at the centre, and slopes. */
  readonly height: Float64Array;
  readonly slopes: readonly Float64Array[];
  /** Variance of the scatter about the plane. */
  readonly scatter: Float64Array;
  /** Covariance of the slopes per unit of scatter. */
  readonly slopeNoise: Matrix;
}

function planesAround(
  problem: FitProblem,
  centre: readonly number[],
  directions: readonly (readonly number[])[],
  width: number,
): Planes {
  const size = centre.length;
  const { use, low, high } = problem;
  // Columns of the regression: one, and the distance from the centre in each parameter.
  const points = directions.map((direction) => [
    1,
    ...direction.map((value, i) => {
      const at = centre[i]! + width * value;
      return Math.min(high[i]!, Math.max(low[i]!, at)) - centre[i]!;
    }),
  ]);
  const gram = identity(size + 1).map((row, j) =>
    row.map((_, k) => points.reduce((sum, point) => sum + point[j]! * point[k]!, 0) + (j === k && j > 0 ? 1e-9 : 0)),
  );
  const gramInverse = inverse(gram) ?? identity(size + 1);
  const coefficients = gram.map(() => new Float64Array(use.length));
  const predictions = points.map(([, ...offset]) => {
    const all = problem.predict(offset.map((value, i) => centre[i]! + value));
    return Float64Array.from(use, (i) => all[i]!);
  });
  points.forEach((point, k) => {
    gramInverse.forEach((row, j) => {
      const weight = row.reduce((sum, value, column) => sum + value * point[column]!, 0);
      for (let i = 0; i < use.length; i++) coefficients[j]![i]! += weight * predictions[k]![i]!;
    });
  });
  const scatter = new Float64Array(use.length);
  points.forEach((point, k) => {
    for (let i = 0; i < use.length; i++) {
      let fitted = 0;
      for (let j = 0; j <= size; j++) fitted += coefficients[j]![i]! * point[j]!;
      const off = predictions[k]![i]! - fitted;
      scatter[i]! += (off * off) / (points.length - size - 1);
    }
  });
  const [, ...slopes] = coefficients;
  const atCentre = problem.predict(centre);
  return {
    height: Float64Array.from(use, (i) => atCentre[i]!),
    slopes,
    scatter,
    slopeNoise: gramInverse.slice(1).map((row) => row.slice(1)),
  };
}

/** The minimum over the planes, within bounds and reach; spread and weights are found by repetition. */
function solvePlanes(
  problem: FitProblem,
  planes: Planes,
  centre: readonly number[],
  reach: number,
  weigh: (residuals: Float64Array) => FamilyWeights,
): Omit<Fit, "rounds"> {
  const { use, family } = problem;
  const size = centre.length;
  const low = centre.map((value, i) => Math.max(problem.low[i]!, value - reach));
  const high = centre.map((value, i) => Math.min(problem.high[i]!, value + reach));
  const residuals = new Float64Array(use.length);
  let z: readonly number[] = centre;
  let weights: FamilyWeights = { sigma: [], designEffect: [] };
  let information: Matrix = [];
  for (let repeat = 0; repeat < 12; repeat++) {
    use.forEach((index, i) => {
      let predicted = planes.height[i]!;
      for (let j = 0; j < size; j++) predicted += planes.slopes[j]![i]! * (z[j]! - centre[j]!);
      residuals[i] = problem.observed[index]! - predicted;
    });
    weights = weigh(residuals);
    const normal = identity(size).map((row) => row.map(() => 0));
    const pull = z.map(() => 0);
    let noise = 0;
    use.forEach((index, i) => {
      const sigma = weights.sigma[family[index]!]!;
      const r = Math.abs(residuals[i]!) / sigma;
      const weight = (r <= HUBER ? 1 : HUBER / r) / (sigma * sigma * weights.designEffect[family[index]!]!);
      noise += weight * planes.scatter[i]!;
      for (let j = 0; j < size; j++) {
        const slope = weight * planes.slopes[j]![i]!;
        pull[j]! += slope * residuals[i]!;
        for (let k = 0; k < size; k++) normal[j]![k]! += slope * planes.slopes[k]![i]!;
      }
    });
    const known = withoutNoise(normal, planes.slopeNoise, noise);
    const trust = trustIn(known, normal);
    const share = trust.map((row) => row.map((value) => value / (WIDENED * WIDENED)));
    information = times(share, known);
    const next = boundedStep(information, applied(share, pull), z, low, high);
    const moved = Math.max(0, ...next.map((value, i) => Math.abs(value - z[i]!)));
    z = next;
    if (moved < 1e-4) break;
  }
  const posterior = information.map((row, i) => row.map((value, j) => value + (i === j ? 1 : 0)));
  return { z, covariance: inverse(posterior) ?? identity(size), information, ...weights };
}

/** The information less what noisy slopes add to it, as far as it stays one. */
function withoutNoise(normal: Matrix, slopeNoise: Matrix, noise: number): Matrix {
  for (let share = 1; share > 0.01; share /= 2) {
    const clean = normal.map((row, i) => row.map((value, j) => value - share * noise * slopeNoise[i]![j]!));
    if (inverse(clean) !== null) return clean;
  }
  return normal;
}

/**
 * K·N⁻¹ for the true information K and the normal equations N as they came out. The pull of the observations is K times
 * the distance to the truth plus an error of covariance N, of which the part K is theirs and the rest the slopes' noise;
 * so it is worth the information K·N⁻¹·K.
 */
function trustIn(known: Matrix, normal: Matrix): Matrix {
  const size = normal.length;
  const largest = Math.max(...normal.map((row, i) => row[i]!));
  const positive = normal.map((row, i) => row.map((value, j) => value + (i === j ? 1e-9 * largest : 0)));
  const inverted = inverse(positive);
  return inverted === null ? identity(size) : times(known, inverted);
}

function applied(matrix: Matrix, vector: readonly number[]): number[] {
  return matrix.map((row) => row.reduce((sum, value, j) => sum + value * vector[j]!, 0));
}

/** From z to the minimum of the quadratic, with |z|² in it; parameters that would leave their bounds stay there. */
function boundedStep(
  information: Matrix,
  pull: readonly number[],
  z: readonly number[],
  low: readonly number[],
  high: readonly number[],
): number[] {
  const next = [...z];
  let free = z.map((_, i) => i);
  while (free.length > 0) {
    const fixed = z.map((_, i) => i).filter((i) => !free.includes(i));
    const matrix = free.map((i) => free.map((j) => information[i]![j]! + (i === j ? 1 : 0)));
    const right = free.map(
      (i) => pull[i]! - z[i]! - fixed.reduce((sum, j) => sum + information[i]![j]! * (next[j]! - z[j]!), 0),
    );
    const step = solve(matrix, right);
    if (step === null) return next;
    free.forEach((i, k) => (next[i] = z[i]! + step[k]!));
    const outside = free.filter((i) => next[i]! < low[i]! || next[i]! > high[i]!);
    for (const i of outside) next[i] = Math.min(high[i]!, Math.max(low[i]!, next[i]!));
    if (outside.length === 0) return next;
    free = free.filter((i) => !outside.includes(i));
  }
  return next;
}

interface FamilyWeights {
  readonly sigma: readonly number[];
  readonly designEffect: readonly number[];
}

/** Spread of the residuals by family, around zero: a bias that no parameter removes counts as spread. */
function familyWeights(problem: FitProblem, residuals: Float64Array): FamilyWeights {
  const sigma: number[] = [];
  const designEffect: number[] = [];
  for (let family = 0; family < problem.families; family++) {
    const members = problem.use.flatMap((index, i) => (problem.family[index] === family ? [i] : []));
    const spread = robustSpread(members.map((i) => residuals[i]!));
    sigma.push(Math.max(spread, problem.floor[family]!));
    const blocks = members.map((i) => problem.block[problem.use[i]!]!);
    designEffect.push(
      effectOfBlocks(
        blocks,
        members.map((i) => residuals[i]! / sigma[family]!),
      ),
    );
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
function effectOfBlocks(blocks: readonly number[], residuals: readonly number[]): number {
  const sums = new Map<number, number>();
  let squares = 0;
  residuals.forEach((residual, i) => {
    const psi = Math.max(-HUBER, Math.min(HUBER, residual));
    squares += psi * psi;
    sums.set(blocks[i]!, (sums.get(blocks[i]!) ?? 0) + psi);
  });
  let ofBlocks = 0;
  for (const sum of sums.values()) ofBlocks += sum * sum;
  return squares > 0 ? Math.max(1, ofBlocks / squares) : 1;
}
