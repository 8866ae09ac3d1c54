/** A predicted figure beside the actual one. */
export interface Difference {
  readonly predicted: number | null;
  readonly actual: number | null;
  /** (predicted − actual) ÷ actual; null where either is unknown or the actual one is zero. */
  readonly errorFraction: number | null;
}

export function difference(predicted: number | null, actual: number | null): Difference {
  const known = predicted !== null && actual !== null && actual !== 0;
  return { predicted, actual, errorFraction: known ? (predicted - actual) / actual : null };
}
