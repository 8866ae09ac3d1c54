/**
 * The bill of a past period from its recorded tokens: tokens × the list price in force in each bucket, cached input at its own
 * price, by day and by model, beside what was paid. What is not priced is said, never guessed. USD.
 */
import { find } from "../../catalog/catalog.ts";
import { hintFor } from "../../catalog/nearest.ts";
import { rowOriginOf } from "../../catalog/origin.ts";
import type { Catalog, CatalogEntry } from "../../catalog/schema.ts";
import { DAY_S, epochSOfIso, isoDate } from "../../kernel/calendar-time.ts";
import { ConfigError } from "../../kernel/errors.ts";
import { PriceBook } from "../../provider/price.ts";
import type { CostRow, UsageBucket } from "../../scenario/usage.ts";
import { offersOfModel } from "../offer-of-model.ts";
import { priceRows } from "../resolve-prices.ts";
import { difference, type Difference } from "./difference.ts";

/** Where the prices of a model of the export are found. */
export interface OfferChoice {
  /** `provider/model` of the catalogue. */
  readonly offer: string;
  readonly priceMultiplier: number;
  /** On top of that for what went through the batch interface; null: the catalogue's, or none where it knows of none. */
  readonly batchMultiplier: number | null;
}

export interface BillInput {
  readonly buckets: readonly UsageBucket[];
  /** Bills by bucket; null: what the usage itself says. */
  readonly costs: readonly CostRow[] | null;
  /** What was paid in all, where that is known apart. */
  readonly totalUsd: number | null;
  /** By model as the export names it. */
  readonly offers: Readonly<Record<string, OfferChoice>>;
  /** Provider whose offers a bare model name means; null: whichever sells it. */
  readonly provider: string | null;
  readonly catalog: Catalog;
}

interface Tokens {
  readonly requests: number | null;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
}

export interface BillDay extends Tokens {
  /** UTC. */
  readonly day: string;
  readonly usd: Difference;
}

export interface BillModel extends Tokens {
  readonly model: string;
  /** Null: the catalogue has no price for it. */
  readonly offer: string | null;
  readonly usd: Difference;
}

export interface UsageBill {
  readonly days: readonly BillDay[];
  readonly models: readonly BillModel[];
  readonly total: Tokens & { readonly usd: Difference };
  /** Rows of the export without a cost beside others that have one: what was paid is of the others, and so is its error. */
  readonly rowsWithoutCost: number;
  /** What may explain the differences. */
  readonly notes: readonly string[];
}

/** A price this far in time from the period may not have held in it. */
const PRICE_DISTANCE_DAYS = 90;

/** Throws a ConfigError for an offer that the catalogue does not have. */
export function priceUsage(input: BillInput): UsageBill {
  const { buckets, costs, catalog } = input;
  const firstS = Math.min(...buckets.map(({ startEpochS }) => startEpochS));
  const tariffs = new Map<string, Tariff | null>();
  for (const { model } of buckets) {
    if (tariffs.has(model)) continue;
    const entry = offerOf(model, input);
    const choice = input.offers[model] ?? { priceMultiplier: 1, batchMultiplier: null };
    tariffs.set(model, entry === null ? null : new Tariff(entry, choice, firstS));
  }
  const priced = buckets.map((bucket) => ({
    bucket,
    usd: tariffs.get(bucket.model)?.usd(bucket) ?? null,
    day: isoDate(bucket.startEpochS),
  }));
  const days = [...new Set(priced.map(({ day }) => day))].sort().map((day): BillDay => {
    const ofDay = priced.filter((row) => row.day === day);
    const billed = costs?.filter((row) => isoDate(row.startEpochS) === day);
    const usd = billed === undefined ? againstCosts(ofDay) : difference(predictedUsd(ofDay), sumOrNull(billed));
    return { day, ...tokensOf(ofDay), usd };
  });
  const models = [...tariffs].map(([model, tariff]): BillModel => {
    const ofModel = priced.filter(({ bucket }) => bucket.model === model);
    const known = tariff === null ? difference(null, paidFor(ofModel)) : againstCosts(ofModel);
    const usd = costs === null ? known : difference(predictedUsd(ofModel), null);
    return { model, offer: tariff?.entry.id ?? null, ...tokensOf(ofModel), usd };
  });
  const paid = input.totalUsd ?? (costs === null ? null : sumOrNull(costs));
  const asTold = paid === null && costs === null;
  const withoutCost = costs === null && priced.some(hasCost) ? priced.filter((row) => !hasCost(row)) : [];
  return {
    days,
    models,
    total: { ...tokensOf(priced), usd: asTold ? againstCosts(priced) : difference(predictedUsd(priced), paid) },
    rowsWithoutCost: withoutCost.length,
    notes: [
      ...missingCosts(priced, withoutCost, input.totalUsd !== null),
      ...notesOf(priced, tariffs, catalog),
      ...unusedOffers(input.offers, [...tariffs.keys()]),
      ...daysBeyond(days, costs),
    ],
  };
}

/** Choices for models that the export does not name: they change nothing. */
function unusedOffers(offers: BillInput["offers"], models: readonly string[]): string[] {
  return Object.keys(offers)
    .filter((model) => !models.includes(model))
    .map((model) => {
      const hint = hintFor(model, models);
      return `offers names ${model}, which the export does not${hint === undefined ? "" : ` (${hint})`}`;
    });
}

interface Priced {
  readonly bucket: UsageBucket;
  /** Null: no price is known. */
  readonly usd: number | null;
  readonly day: string;
}

function offerOf(model: string, { offers, provider, catalog }: BillInput): CatalogEntry<"offers"> | null {
  const choice = Object.hasOwn(offers, model) ? offers[model] : undefined;
  if (choice !== undefined) {
    const found = find(catalog, "offers", choice.offer.replace(/@.*$/, ""));
    if (found.ok) return found.value;
    const hint = found.hint === undefined ? {} : { hint: found.hint };
    throw new ConfigError([{ path: ["offers", model], message: found.message, ...hint }]);
  }
  const meant = offersOfModel(catalog, model, provider);
  return meant.length === 1 ? meant[0]! : null;
}

/** The prices of one offer for every kind of token. */
class Tariff {
  readonly entry: CatalogEntry<"offers">;
  readonly batchMultiplier: number;
  private readonly book: PriceBook;
  private readonly startEpochS: number;

  constructor(
    entry: CatalogEntry<"offers">,
    { priceMultiplier, batchMultiplier }: Omit<OfferChoice, "offer">,
    startEpochS: number,
  ) {
    this.entry = entry;
    this.batchMultiplier = batchMultiplier ?? entry.forms.batch?.priceMultiplier ?? 1;
    this.startEpochS = startEpochS;
    this.book = new PriceBook({ name: entry.id, prices: priceRows(entry), priceMultiplier }, startEpochS);
  }

  usd(bucket: UsageBucket, cachedInFull = false): number {
    const { requests, inputTokens, outputTokens, cachedInputTokens, cacheWriteTokens, cacheWrite1hTokens } = bucket;
    // Which tier of prompt length a request fell into is not recorded; the mean prompt of the bucket stands for all.
    const promptTokens = requests ? inputTokens / requests : 1;
    const own = cachedInFull ? 0 : 1;
    const { book } = this;
    const listUsd = book.chargeAll(
      bucket.startEpochS - this.startEpochS,
      promptTokens,
      inputTokens,
      cachedInputTokens * own,
      cacheWriteTokens * own,
      cacheWrite1hTokens * own,
      outputTokens,
      0,
    );
    const feesUsd = book.requestUsd * ((requests ?? 0) - 1);
    return (listUsd + feesUsd) * (bucket.batch ? this.batchMultiplier : 1);
  }

  /** Its price rows name an own price for cached input. */
  get knowsCache(): boolean {
    return this.entry.prices.every((row) => row.cacheReadUsdPerMTok !== undefined);
  }
}

function tokensOf(rows: readonly Priced[]): Tokens {
  const sum = (of: (bucket: UsageBucket) => number): number => rows.reduce((total, row) => total + of(row.bucket), 0);
  return {
    requests: rows.some(({ bucket }) => bucket.requests === null) ? null : sum((bucket) => bucket.requests ?? 0),
    inputTokens: sum((bucket) => bucket.inputTokens),
    cachedInputTokens: sum((bucket) => bucket.cachedInputTokens),
    outputTokens: sum((bucket) => bucket.outputTokens),
  };
}

function predictedUsd(rows: readonly Priced[]): number | null {
  const known = rows.filter(({ usd }) => usd !== null);
  return known.length === 0 ? null : known.reduce((sum, { usd }) => sum + (usd ?? 0), 0);
}

function hasCost({ bucket }: Priced): boolean {
  return bucket.costUsd !== null;
}

/** Paid for the rows that have a cost; null when none has. */
function paidFor(rows: readonly Priced[]): number | null {
  const told = rows.filter(hasCost);
  return told.length === 0 ? null : told.reduce((sum, { bucket }) => sum + (bucket.costUsd ?? 0), 0);
}

/** The bill of all rows, what was paid for those that are priced and have a cost, and the error of these: both of its sides speak of the same tokens. */
function againstCosts(rows: readonly Priced[]): Difference {
  const both = rows.filter((row) => row.usd !== null && hasCost(row));
  const paid = paidFor(both);
  const { errorFraction } = difference(predictedUsd(both), paid);
  return { predicted: predictedUsd(rows), actual: paid, errorFraction };
}

/** Models named by a note on rows without a cost. */
const MOST_MODELS = 3;

function missingCosts(rows: readonly Priced[], without: readonly Priced[], totalKnown: boolean): string[] {
  if (without.length === 0) return [];
  const models = [...new Set(without.map(({ bucket }) => bucket.model || "no model"))];
  const more = models.length - MOST_MODELS;
  const named = [...models.slice(0, MOST_MODELS), ...(more > 0 ? [`${more} more`] : [])].join(", ");
  const usd = predictedUsd(without);
  const priced = usd === null ? "" : `, ${money(usd)} USD by the prices,`;
  const [first, last] = [without[0]!.day, without.at(-1)!.day];
  const when = first === last ? first : `${first} to ${last}`;
  return [
    `${without.length} of ${rows.length} rows have no cost (${named}; ${when}): they${priced} count in the predicted bill, but neither in what was paid nor in the error${totalKnown ? " of days and models" : ""}`,
  ];
}

function sumOrNull(rows: readonly CostRow[]): number | null {
  return rows.length === 0 ? null : rows.reduce((sum, { usd }) => sum + usd, 0);
}

function notesOf(rows: readonly Priced[], tariffs: ReadonlyMap<string, Tariff | null>, catalog: Catalog): string[] {
  const lastS = Math.max(...rows.map(({ bucket }) => bucket.endEpochS));
  const firstS = Math.min(...rows.map(({ bucket }) => bucket.startEpochS));
  return [...tariffs].flatMap(([model, tariff]): string[] => {
    const own = rows.filter(({ bucket }) => bucket.model === model);
    const { inputTokens, cachedInputTokens, outputTokens } = tokensOf(own);
    if (tariff === null) {
      const paid = paidFor(own);
      const cost = paid === null ? "" : `, for which ${money(paid)} USD were paid`;
      const hint = hintFor(
        model,
        [...catalog.offers.values()].map((entry) => entry.model),
      );
      const name = model === "" ? "the export names no model (group it by model)" : `${model} is not in the catalogue`;
      return [
        `${name}: ${tokenCount(inputTokens)} input and ${tokenCount(outputTokens)} output tokens are not priced${cost}; name its offer under offers${hint === undefined ? "" : ` (${hint})`}`,
      ];
    }
    const notes: string[] = [];
    const { entry } = tariff;
    if (cachedInputTokens > 0 && tariff.knowsCache) {
      const full = own.reduce((sum, { bucket }) => sum + tariff.usd(bucket, true), 0);
      notes.push(
        `${model}: ${tokenCount(cachedInputTokens)} cached input tokens are at their own price; charged in full the bill would be ${money(full)} USD`,
      );
    } else if (cachedInputTokens > 0) {
      notes.push(
        `${model}: ${tokenCount(cachedInputTokens)} cached input tokens are charged in full, since the catalogue has no price for them`,
      );
    }
    const batchTokens = tokensOf(own.filter(({ bucket }) => bucket.batch));
    if (tariff.batchMultiplier === 1 && batchTokens.inputTokens + batchTokens.outputTokens > 0) {
      notes.push(
        `${model}: ${tokenCount(batchTokens.inputTokens + batchTokens.outputTokens)} tokens went through the batch interface and are at list price; offers can give their batchMultiplier`,
      );
    }
    if (entry.prices.some((row) => row.longContext.length > 0)) {
      notes.push(
        `${model}: its price rises with the length of the prompt, which is known as the mean of a bucket only`,
      );
    }
    const { asOf } = rowOriginOf(entry, "prices.0", entry.prices[0]!);
    const pricedS = epochSOfIso(asOf.length === 10 ? asOf : `${asOf}-01`.slice(0, 10));
    const awayDays =
      pricedS === null || entry.prices.length > 1 ? 0 : Math.floor(Math.max(pricedS - lastS, firstS - pricedS) / DAY_S);
    if (awayDays > PRICE_DISTANCE_DAYS) {
      notes.push(`${entry.id}: the only price is as of ${asOf}, ${awayDays} days away from this period`);
    }
    return notes;
  });
}

/** Days that only one side knows of. */
function daysBeyond(days: readonly BillDay[], costs: readonly CostRow[] | null): string[] {
  if (costs === null) return [];
  const billed = new Set(costs.map((row) => isoDate(row.startEpochS)));
  const used = new Set(days.map(({ day }) => day));
  const onlyUsed = [...used].filter((day) => !billed.has(day));
  const onlyBilled = [...billed].filter((day) => !used.has(day)).sort();
  return [
    ...(onlyUsed.length === 0 ? [] : [`no bill for ${onlyUsed.join(", ")}`]),
    ...(onlyBilled.length === 0 ? [] : [`billed but without usage: ${onlyBilled.join(", ")}`]),
  ];
}

/** For people: 28.6 M from 100,000 on; small counts as they are. */
export function tokenCount(tokens: number): string {
  return tokens < 100_000 ? String(tokens) : `${Math.round(tokens / 1e4) / 100} M`;
}

function money(usd: number): string {
  return String(Math.round(usd * 100) / 100);
}
