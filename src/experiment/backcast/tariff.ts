/**
 * The prices of one offer for what an export counts: every kind of token, times the factors of its form of sale and of its region, fees
 * and web searches. A factor that the catalogue does not know is null, and its tokens are priced without it. USD.
 */
import { rowOriginOf, type Origin } from "../../catalog/origin.ts";
import type { Catalog, CatalogEntry } from "../../catalog/schema.ts";
import { PriceBook } from "../../provider/price.ts";
import type { PriceRow } from "../../scenario/resolved.ts";
import type { UsageBucket } from "../../scenario/usage.ts";
import { priceRows } from "../resolve-prices.ts";

/** Where the prices of a model of the export are found. */
export interface OfferChoice {
  /** `provider/model` of the catalogue. */
  readonly offer: string;
  readonly priceMultiplier: number;
  /** On top of that for what went through the batch interface; null: the catalogue's, or none where it knows of none. */
  readonly batchMultiplier: number | null;
}

/** Which length of prompt a bucket is priced as where its price depends on that: the mean, or as if all were short. */
export type LengthDoubt = "mean" | "shortest";

interface FormPrice {
  readonly priceMultiplier: number;
  readonly origin: Origin;
}

/** `web_searches_kcount` of the catalogue is the price of so many. */
const SEARCHES = 1000;

export class Tariff {
  readonly entry: CatalogEntry<"offers">;
  readonly batchMultiplier: number;
  private readonly catalog: Catalog;
  private readonly rows: readonly PriceRow[];
  private readonly book: PriceBook;
  private readonly startEpochS: number;

  constructor(
    entry: CatalogEntry<"offers">,
    { priceMultiplier, batchMultiplier }: Omit<OfferChoice, "offer">,
    startEpochS: number,
    catalog: Catalog,
  ) {
    this.entry = entry;
    this.catalog = catalog;
    this.batchMultiplier = batchMultiplier ?? entry.forms.batch?.priceMultiplier ?? 1;
    this.startEpochS = startEpochS;
    this.rows = priceRows(entry);
    this.book = new PriceBook({ name: entry.id, prices: this.rows, priceMultiplier }, startEpochS);
  }

  /** Multipliers are of tokens: fees and searches cost the same in every form and region. */
  usd(bucket: UsageBucket, cachedInFull = false): number {
    const { requests, inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens } = bucket;
    const own = cachedInFull ? 0 : 1;
    const { book } = this;
    const listUsd = book.chargeAll(
      bucket.startEpochS - this.startEpochS,
      promptTokensOf(bucket),
      inputTokens,
      cachedInputTokens * own,
      cacheWriteTokens * own,
      cacheWrite1hTokens * own,
      outputTokens,
      0,
    );
    const tokensUsd = (listUsd - book.requestUsd) * this.formFactor(bucket) * (this.regionFactor(bucket.region) ?? 1);
    return tokensUsd + book.requestUsd * (requests ?? 0) + (this.searchesUsd(bucket) ?? 0);
  }

  private formFactor({ batch, tier }: UsageBucket): number {
    if (batch) return this.batchMultiplier;
    return tier === null ? 1 : (this.formOf(tier)?.priceMultiplier ?? 1);
  }

  /** The form of the offer that exports of its provider call `tier`; null: none that the catalogue knows a price of. */
  formOf(tier: string): FormPrice | null {
    const { entry } = this;
    const forms = [...this.catalog.forms.values()].filter(({ provider }) => provider === entry.provider);
    for (const form of ["flex", "priority"] as const) {
      const names = forms.find((sold) => sold.form === form)?.exportedAs ?? [form];
      const price = entry.forms[form];
      if (price === undefined || !names.includes(tier)) continue;
      return { priceMultiplier: price.priceMultiplier, origin: rowOriginOf(entry, `forms.${form}`, price) };
    }
    return null;
  }

  /** What computing in a region multiplies prices with, as the provider's boundaries have it; null: not known. */
  regionFactor(region: string | null): number | null {
    if (region === null) return 1;
    const { residencyMultiplier, provider } = this.entry;
    const boundaries = Object.values(this.catalog.providers.get(provider)?.boundaries ?? {});
    const factors = boundaries
      .filter(({ residency }) => residency === region)
      .map(({ priceMultiplier }) => (priceMultiplier === 1 ? 1 : (residencyMultiplier ?? priceMultiplier)));
    return new Set(factors).size === 1 ? factors[0]! : null;
  }

  /** Null: the catalogue has no price of web searches for the model. */
  searchesUsd(bucket: UsageBucket): number | null {
    const usd = this.entry.prices[this.rowInForce(bucket)]!.otherUnits?.["web_searches_kcount"];
    return usd === undefined ? null : (bucket.webSearches * usd) / SEARCHES;
  }

  /** Null: all prompts that the bucket may hold have one price. */
  lengthDoubt(bucket: UsageBucket): LengthDoubt | null {
    const { above, upTo } = bucket.promptWindow ?? { above: 0, upTo: null };
    const open = this.thresholds(bucket).some((tokens) => tokens > above && tokens < (upTo ?? Infinity));
    if (!open) return null;
    return bucket.requests ? "mean" : "shortest";
  }

  /** The export tells of longer prompts than the catalogue has a price for. */
  isBeyondContext(bucket: UsageBucket): boolean {
    const above = bucket.promptWindow?.above ?? 0;
    const { contextTokens } = this.entry;
    return (
      contextTokens !== null && above >= contextTokens && !this.thresholds(bucket).some((tokens) => tokens <= above)
    );
  }

  /** Its price rows name an own price for cached input. */
  get knowsCache(): boolean {
    return this.entry.prices.every((row) => row.cacheReadUsdPerMTok !== undefined);
  }

  /** Lengths of prompts above which the prices in force rise. */
  private thresholds(bucket: UsageBucket): number[] {
    const row = this.rows[this.rowInForce(bucket)]!;
    return [row, ...(row.windows ?? [])].flatMap((prices) => prices.longContext.map((tier) => tier.aboveInputTokens));
  }

  private rowInForce({ startEpochS }: UsageBucket): number {
    return this.rows.findLastIndex(({ fromEpochS }) => fromEpochS === null || fromEpochS <= startEpochS);
  }
}

/** Each request's own length is not recorded: the mean prompt of the bucket stands for all, or the shortest that it may hold. */
function promptTokensOf({ requests, inputTokens, promptWindow }: UsageBucket): number {
  const { above, upTo } = promptWindow ?? { above: 0, upTo: null };
  const mean = requests ? inputTokens / requests : 1;
  return Math.min(Math.max(mean, promptWindow === null ? 0 : above + 1), upTo ?? Infinity);
}
