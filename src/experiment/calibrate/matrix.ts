/** Small dense symmetric matrices, as lists of rows. */

export type Matrix = readonly (readonly number[])[];

export function identity(size: number): number[][] {
  return Array.from({ length: size }, (_, i) => Array.from({ length: size }, (__, j) => (i === j ? 1 : 0)));
}

/** Solves A·x = b for positive definite A, by Cholesky. Null when A is not. */
export function solve(a: Matrix, b: readonly number[]): number[] | null {
  const n = b.length;
  const lower = identity(n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i]![j]!;
      for (let k = 0; k < j; k++) sum -= lower[i]![k]! * lower[j]![k]!;
      if (i === j) {
        if (!(sum > 0)) return null;
        lower[i]![i] = Math.sqrt(sum);
      } else lower[i]![j] = sum / lower[j]![j]!;
    }
  }
  const x = [...b];
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= lower[i]![k]! * x[k]!;
    x[i]! /= lower[i]![i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= lower[k]![i]! * x[k]!;
    x[i]! /= lower[i]![i]!;
  }
  return x;
}

/** The inverse of a positive definite matrix; null when it is not. */
export function inverse(a: Matrix): number[][] | null {
  const columns = identity(a.length).map((unit) => solve(a, unit));
  return columns.some((column) => column === null) ? null : (columns as number[][]);
}

/** A·B of square matrices. */
export function times(a: Matrix, b: Matrix): number[][] {
  return a.map((row) => row.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));
}

const SWEEPS = 60;

/** Eigenvalues of a symmetric matrix, falling, by Jacobi rotations. */
export function eigenvalues(a: Matrix): number[] {
  const n = a.length;
  const m = a.map((row) => [...row]);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        const apq = m[p]![q]!;
        off += apq * apq;
        if (apq === 0) continue;
        const theta = (m[q]![q]! - m[p]![p]!) / (2 * apq);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const cos = 1 / Math.sqrt(t * t + 1);
        const sin = t * cos;
        for (let k = 0; k < n; k++) {
          const akp = m[k]![p]!;
          const akq = m[k]![q]!;
          m[k]![p] = cos * akp - sin * akq;
          m[k]![q] = sin * akp + cos * akq;
        }
        for (let k = 0; k < n; k++) {
          const apk = m[p]![k]!;
          const aqk = m[q]![k]!;
          m[p]![k] = cos * apk - sin * aqk;
          m[q]![k] = sin * apk + cos * aqk;
        }
      }
    }
    if (off < 1e-24) break;
  }
  return m.map((row, i) => row[i]!).sort((x, y) => y - x);
}
