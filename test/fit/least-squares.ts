/** Robust nonlinear least squares: Levenberg–Marquardt with weights that let outliers count linearly (soft L1). */

/** Differentiation step in parameters of order one (logarithms of coefficients). */
const STEP = 1e-3;
const MAX_MOVE = 1;

function softCost(residuals: readonly number[]): number {
  return residuals.reduce((sum, r) => sum + 2 * (Math.sqrt(1 + r * r) - 1), 0);
}

/** Minimises the soft-L1 cost of `residualsOf`, whose residuals are in standard deviations. Returns the parameters. */
export function fitRobust(
  residualsOf: (parameters: readonly number[]) => number[],
  start: readonly number[],
  maxIterations: number,
): number[] {
  let parameters = [...start];
  let residuals = residualsOf(parameters);
  let cost = softCost(residuals);
  let damping = 1e-2;
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const slopes = parameters.map((value, i) => {
      const moved = residualsOf(parameters.with(i, value + STEP));
      return moved.map((r, row) => (r - residuals[row]!) / STEP);
    });
    const weights = residuals.map((r) => 1 / Math.sqrt(1 + r * r));
    const weighted = (a: readonly number[], b: readonly number[]): number =>
      a.reduce((sum, x, row) => sum + weights[row]! * x * b[row]!, 0);
    const normal = slopes.map((a) => slopes.map((b) => weighted(a, b)));
    const gradient = slopes.map((a) => -weighted(a, residuals));
    const before = cost;
    for (let attempt = 0; attempt < 8 && cost === before; attempt++) {
      const damped = normal.map((row, i) => row.with(i, row[i]! * (1 + damping) + 1e-9));
      const move = solve(damped, gradient);
      const next = parameters.map((value, i) => value + Math.max(-MAX_MOVE, Math.min(MAX_MOVE, move[i]!)));
      const nextResiduals = residualsOf(next);
      const nextCost = softCost(nextResiduals);
      if (nextCost < cost) {
        parameters = next;
        residuals = nextResiduals;
        cost = nextCost;
        damping = Math.max(1e-6, damping / 4);
      } else damping *= 4;
    }
    if (before - cost <= 1e-6 * before) break;
  }
  return parameters;
}

/** Gaussian elimination with row pivots. */
function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const size = right.length;
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  for (let i = 0; i < size; i++) {
    const pivot = rows.reduce(
      (best, row, j) => (j >= i && Math.abs(row[i]!) > Math.abs(rows[best]![i]!) ? j : best),
      i,
    );
    [rows[i], rows[pivot]] = [rows[pivot]!, rows[i]!];
    for (let j = i + 1; j < size; j++) {
      const factor = rows[j]![i]! / rows[i]![i]!;
      for (let k = i; k <= size; k++) rows[j]![k]! -= factor * rows[i]![k]!;
    }
  }
  const solution: number[] = Array.from({ length: size }, () => 0);
  for (let i = size - 1; i >= 0; i--) {
    const known = rows[i]!.slice(i + 1, size).reduce((sum, x, j) => sum + x * solution[i + 1 + j]!, 0);
    solution[i] = (rows[i]![size]! - known) / rows[i]![i]!;
  }
  return solution;
}
