/**
 * What a request costs. An offer's price rows are compiled once into USD per token by simulated time; a request is priced by
 * the row in force when its attempt arrived, in the window of the week and the tier of prompt length that it falls into. USD;
 * tokens are whole numbers.
 *   PR-1  Above the threshold of a tier the whole request has the tier's prices, output included. Cached tokens count.
 *   PR-2  Reads and writes of the cache without a price cost as plain input, so does a write whose price is 0 (no surcharge).
 *         Writes kept for an hour have no such fall-back. Reasoning without a price costs as output.
 *   PR-3  A multiplier (residency, form, discount) holds for every class of tokens, and not for the fee per request.
 */
import type { PriceRow, ResolvedOffer, TieredPrices, TokenPrices } from "../scenario/resolved.ts";
import { DAY_S } from "../kernel/calendar-time.ts";
import { ConfigError, InvariantError } from "../kernel/errors.ts";

/** Columns of a tier. */
const INPUT = 0;
const READ = 1;
const WRITE = 2;
const WRITE_1H = 3;
const OUTPUT = 4;
const REASONING = 5;
const CLASSES = 6;

const MINUTES_PER_DAY = 1440;
const MINUTES_PER_WEEK = 7 * MINUTES_PER_DAY;
/** Monday 1970-01-05 00:00 UTC. */
const FIRST_MONDAY_S = 4 * DAY_S;

/** The base prices first, then the tiers: from more than how many input tokens, and USD per token of each class. */
interface PriceSet {
  readonly aboveInputTokens: Float64Array;
  readonly usdPerToken: Float64Array;
}

interface CompiledRow {
  readonly fromS: number;
  readonly usdPerRequest: number;
  /** Outside all windows, then those of each window. */
  readonly sets: readonly PriceSet[];
  /** By minute of the UTC week, which set holds; null without windows. */
  readonly setOfMinute: Uint8Array | null;
}

export class PriceBook {
  /** Parts of the last price asked for. */
  inputUsd = 0;
  readUsd = 0;
  writeUsd = 0;
  outputUsd = 0;
  requestUsd = 0;
  /** Writing to the prompt cache has a price of its own. */
  readonly chargesWrites: boolean;
  private readonly rows: readonly CompiledRow[];
  /** Of t = 0, in seconds since a Monday 00:00 UTC. */
  private readonly weekOffsetS: number;

  /** @throws ConfigError when no price is in force at the start of the simulation. */
  constructor(offer: Pick<ResolvedOffer, "name" | "prices" | "priceMultiplier">, startEpochS: number) {
    this.weekOffsetS = startEpochS - FIRST_MONDAY_S;
    this.chargesWrites = offer.prices.some(
      (row) => (row.cacheWriteUsdPerMTok ?? 0) > 0 || (row.cacheWrite1hUsdPerMTok ?? 0) > 0,
    );
    this.rows = offer.prices
      .map((row): CompiledRow => ({
        fromS: row.fromEpochS === null ? -Infinity : row.fromEpochS - startEpochS,
        usdPerRequest: row.usdPerRequest ?? 0,
        sets: [row, ...(row.windows ?? [])].map((prices) => compiled(prices, offer.priceMultiplier)),
        setOfMinute: minutesOf(row),
      }))
      // Not a difference: −Infinity minus −Infinity is not a number.
      .sort((a, b) => (a.fromS < b.fromS ? -1 : a.fromS > b.fromS ? 1 : 0));
    if (!(this.rows.length > 0 && this.rows[0]!.fromS <= 0)) {
      throw new ConfigError([
        { path: ["offers", offer.name, "prices"], message: "no price is in force at the start of the simulation" },
      ]);
    }
  }

  /** USD of a request that arrived at `timeS` and used no cache, split into `inputUsd`, `outputUsd` and `requestUsd`. */
  priceOf(timeS: number, inputTokens: number, outputTokens: number): number {
    return this.charge(timeS, inputTokens, 0, 0, 0, outputTokens, 0);
  }

  /**
   * USD of a request that arrived at `timeS`, split into the five parts above. Tokens read from and written to the cache are parts
   * of the input, reasoning tokens of the output. O(rows + tiers), nothing is allocated.
   * @throws ConfigError for tokens kept for an hour where that has no price
   */
  charge(
    timeS: number,
    inputTokens: number,
    readTokens: number,
    writeTokens: number,
    write1hTokens: number,
    outputTokens: number,
    reasoningTokens: number,
  ): number {
    return this.chargeAll(
      timeS,
      inputTokens,
      inputTokens,
      readTokens,
      writeTokens,
      write1hTokens,
      outputTokens,
      reasoningTokens,
    );
  }

  /** Likewise for the tokens of many requests at once, all priced as a prompt of `promptTokens`; with one fee. */
  chargeAll(
    timeS: number,
    promptTokens: number,
    inputTokens: number,
    readTokens: number,
    writeTokens: number,
    write1hTokens: number,
    outputTokens: number,
    reasoningTokens: number,
  ): number {
    const plainTokens = inputTokens - readTokens - writeTokens - write1hTokens;
    if (!(plainTokens >= 0 && reasoningTokens <= outputTokens))
      throw new InvariantError("PR-2", { inputTokens, plainTokens, outputTokens, reasoningTokens });
    const rows = this.rows;
    let r = rows.length - 1;
    while (r > 0 && rows[r]!.fromS > timeS) r--;
    const row = rows[r]!;
    const { setOfMinute } = row;
    const set = row.sets[setOfMinute === null ? 0 : setOfMinute[this.minuteOfWeek(timeS)]!]!;
    const { aboveInputTokens, usdPerToken } = set;
    let tier = aboveInputTokens.length - 1;
    while (tier > 0 && !(promptTokens > aboveInputTokens[tier]!)) tier--;
    const at = tier * CLASSES;
    this.inputUsd = plainTokens * usdPerToken[at + INPUT]!;
    this.readUsd = readTokens * usdPerToken[at + READ]!;
    this.writeUsd = writeTokens * usdPerToken[at + WRITE]!;
    if (write1hTokens > 0) this.writeUsd += write1hTokens * priced(usdPerToken[at + WRITE_1H]!);
    this.outputUsd =
      reasoningTokens === 0
        ? outputTokens * usdPerToken[at + OUTPUT]!
        : (outputTokens - reasoningTokens) * usdPerToken[at + OUTPUT]! + reasoningTokens * usdPerToken[at + REASONING]!;
    this.requestUsd = row.usdPerRequest;
    return this.inputUsd + this.readUsd + this.writeUsd + this.outputUsd + this.requestUsd;
  }

  private minuteOfWeek(timeS: number): number {
    const minute = Math.floor((timeS + this.weekOffsetS) / 60);
    // Not a remainder: those of doubles are slow, and negative before the first Monday.
    return minute - Math.floor(minute / MINUTES_PER_WEEK) * MINUTES_PER_WEEK;
  }
}

function priced(usdPerToken: number): number {
  if (usdPerToken !== usdPerToken)
    throw new ConfigError([{ path: ["prices"], message: "cache writes that are kept for an hour have no price here" }]);
  return usdPerToken;
}

function compiled(prices: TieredPrices, multiplier: number): PriceSet {
  const tiers = [{ aboveInputTokens: -1, ...prices }, ...prices.longContext];
  return {
    aboveInputTokens: Float64Array.from(tiers, (tier) => tier.aboveInputTokens),
    usdPerToken: Float64Array.from(tiers.flatMap((tier) => classesOf(tier).map((usd) => (usd * multiplier) / 1e6))),
  };
}

/** USD per million tokens in the order of the columns; NaN where there is no price. */
function classesOf(prices: TokenPrices): number[] {
  const { inputUsdPerMTok: input, outputUsdPerMTok: output } = prices;
  return [
    input,
    prices.cacheReadUsdPerMTok ?? input,
    prices.cacheWriteUsdPerMTok || input,
    prices.cacheWrite1hUsdPerMTok || NaN,
    output,
    prices.reasoningUsdPerMTok ?? output,
  ];
}

function minutesOf({ windows = [] }: PriceRow): Uint8Array | null {
  if (windows.length === 0) return null;
  const minutes = new Uint8Array(MINUTES_PER_WEEK);
  windows.forEach(({ startMinute, endMinute, days }, i) => {
    const length = endMinute > startMinute ? endMinute - startMinute : endMinute + MINUTES_PER_DAY - startMinute;
    for (const day of days) {
      const first = day * MINUTES_PER_DAY + startMinute;
      for (let minute = first; minute < first + length; minute++) minutes[minute % MINUTES_PER_WEEK] = i + 1;
    }
  });
  return minutes;
}
