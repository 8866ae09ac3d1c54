/**
 * How many provisioned units a demand needs, as vendors compute it: the weighted tokens a minute of the peak over what one
 * unit is good for, in the steps in which units are sold. Tokens a minute; units are whole numbers.
 */

export interface UnitSteps {
  /** Fewest that are sold. */
  readonly minUnits: number;
  /** More come in steps of so many. */
  readonly increment: number;
}

/** Units for a demand of so many unit's worth of tokens: at least the minimum, then whole steps above it. */
export function unitsInSteps(rawUnits: number, { minUnits, increment }: UnitSteps): number {
  // What exceeds a step by rounding alone is no further step.
  return minUnits + Math.max(0, Math.ceil((rawUnits - minUnits) / increment - 1e-9)) * increment;
}

/** Tokens a minute that a demand weighs: uncached input, cached input and output, each with its weight. */
export function weightedTokensPerMin(
  demand: {
    readonly requestsPerMin: number;
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly cachedFraction: number;
  },
  weights: { readonly uncachedWeight: number; readonly cachedWeight: number; readonly outputWeight: number },
): number {
  const { requestsPerMin, inputTokens, outputTokens, cachedFraction } = demand;
  const input = inputTokens * (weights.uncachedWeight * (1 - cachedFraction) + weights.cachedWeight * cachedFraction);
  return requestsPerMin * (input + weights.outputWeight * outputTokens);
}
