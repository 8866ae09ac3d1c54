/**
 * What a request costs at list price. The schedule is compiled once into USD per token by simulated time; a request is
 * priced by the row in force when its attempt arrived. USD; tokens are whole numbers.
 */
import type { ResolvedOffer } from "../scenario/resolved.ts";
import { ConfigError } from "../kernel/errors.ts";

/** A row with its tiers, the base prices first; a tier reprices the whole request, output included. */
interface CompiledRow {
  readonly fromS: number;
  readonly aboveInputTokens: Float64Array;
  readonly inputUsd: Float64Array;
  readonly outputUsd: Float64Array;
}

export class PriceBook {
  /** Parts of the last price asked for. */
  inputUsd = 0;
  outputUsd = 0;
  private readonly rows: readonly CompiledRow[];

  /** @throws ConfigError when no price is in force at the start of the simulation. */
  constructor(offer: Pick<ResolvedOffer, "name" | "prices" | "priceMultiplier">, startEpochS: number) {
    this.rows = offer.prices
      .map((row) => {
        const tiers = [{ aboveInputTokens: -1, ...row }, ...row.longContext];
        const usdPerToken = (usdPerMTok: number): number => (usdPerMTok * offer.priceMultiplier) / 1e6;
        return {
          fromS: row.fromEpochS === null ? -Infinity : row.fromEpochS - startEpochS,
          aboveInputTokens: Float64Array.from(tiers, (tier) => tier.aboveInputTokens),
          inputUsd: Float64Array.from(tiers, (tier) => usdPerToken(tier.inputUsdPerMTok)),
          outputUsd: Float64Array.from(tiers, (tier) => usdPerToken(tier.outputUsdPerMTok)),
        };
      })
      // Not a difference: −Infinity minus −Infinity is not a number.
      .sort((a, b) => (a.fromS < b.fromS ? -1 : a.fromS > b.fromS ? 1 : 0));
    if (!(this.rows.length > 0 && this.rows[0]!.fromS <= 0)) {
      throw new ConfigError([
        { path: ["offers", offer.name, "prices"], message: "no price is in force at the start of the simulation" },
      ]);
    }
  }

  /** USD of a request that arrived at `timeS`, split into `inputUsd` and `outputUsd`. */
  priceOf(timeS: number, inputTokens: number, outputTokens: number): number {
    const rows = this.rows;
    let r = rows.length - 1;
    while (r > 0 && rows[r]!.fromS > timeS) r--;
    const row = rows[r]!;
    let tier = row.aboveInputTokens.length - 1;
    while (tier > 0 && !(inputTokens > row.aboveInputTokens[tier]!)) tier--;
    this.inputUsd = inputTokens * row.inputUsd[tier]!;
    this.outputUsd = outputTokens * row.outputUsd[tier]!;
    return this.inputUsd + this.outputUsd;
  }

  /**
   * USD of an attempt that broke off or was given up after `producedTokens`: nothing before the first token, else the
   * input and what was produced (assumed; published for the flex tiers alone). Refused attempts (429, 5xx) cost nothing.
   */
  priceOfAbandoned(timeS: number, inputTokens: number, producedTokens: number): number {
    return this.priceOf(timeS, producedTokens > 0 ? inputTokens : 0, producedTokens);
  }
}
