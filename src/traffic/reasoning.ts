/** Which part of an answer is reasoning: a share drawn from an inverse CDF, independent of the lengths. Tokens. */
import type { Draw } from "../kernel/random.ts";
import { openUniform, quantileAt, quantileTable, type QuantileTable } from "../kernel/samplers.ts";

export class ReasoningPart {
  private readonly table: QuantileTable;
  private readonly draw: Draw;

  /** Percentiles rise strictly from 0 to 100; shares lie in [0, 1] and do not fall. */
  constructor(law: { readonly percentiles: readonly number[]; readonly shares: readonly number[] }, draw: Draw) {
    const { percentiles, shares } = law;
    let mean = 0;
    for (let i = 0; i + 1 < shares.length; i++)
      mean += ((percentiles[i + 1]! - percentiles[i]!) / 100) * 0.5 * (shares[i]! + shares[i + 1]!);
    this.table = quantileTable(percentiles, shares, mean);
    this.draw = draw;
  }

  /** Reasoning tokens of the next answer, which has `outputTokens` in all. */
  of(outputTokens: number): number {
    return Math.min(outputTokens, Math.round(quantileAt(this.table, openUniform(this.draw)) * outputTokens));
  }
}
