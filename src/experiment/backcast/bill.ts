/**
 * The bill of a past period from its recorded tokens: tokens × the list price in force in each bucket, cached input at its own
 * price, by day and by model, beside what was paid. What is not priced is said, never guessed. USD.
 */
import { find } from "../../catalog/catalog.ts";
import { hintFor } from "../../catalog/nearest.ts";
import type { Catalog, CatalogEntry } from "../../catalog/schema.ts";
import { isoDate } from "../../kernel/calendar-time.ts";
import { ConfigError } from "../../kernel/errors.ts";
import type { CostRow, UsageBucket } from "../../scenario/usage.ts";
import { offersOfModel } from "../offer-of-model.ts";
import { hasCost, money, paidFor, predictedUsd, tokensOf, type Priced, type Tokens } from "./amounts.ts";
import { difference, type Difference } from "./difference.ts";
import { notesOf } from "./price-notes.ts";
import { Tariff, type OfferChoice } from "./tariff.ts";

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

/** Throws a ConfigError for an offer that the catalogue does not have. */
export function priceUsage(input: BillInput): UsageBill {
  const { buckets, costs, catalog } = input;
  const firstS = Math.min(...buckets.map(({ startEpochS }) => startEpochS));
  const tariffs = new Map<string, Tariff | null>();
  for (const { model } of buckets) {
    if (tariffs.has(model)) continue;
    const entry = offerOf(model, input);
    const choice = input.offers[model] ?? { priceMultiplier: 1, batchMultiplier: null };
    tariffs.set(model, entry === null ? null : new Tariff(entry, choice, firstS, catalog));
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
