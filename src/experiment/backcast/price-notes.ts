/** What the prices of a bill rest on and what they leave out, by model, each with its amount: so may differences be explained. */
import { hintFor } from "../../catalog/nearest.ts";
import { rowOriginOf } from "../../catalog/origin.ts";
import type { Catalog } from "../../catalog/schema.ts";
import { DAY_S, epochSOfIso } from "../../kernel/calendar-time.ts";
import type { UsageBucket } from "../../scenario/usage.ts";
import { money, paidFor, tokenCount, tokensOf, type Priced } from "./amounts.ts";
import type { Tariff } from "./tariff.ts";

/** A price this far in time from the period may not have held in it. */
const PRICE_DISTANCE_DAYS = 90;

/** `tariffs` by model as the export names it, null where the catalogue has no price. */
export function notesOf(
  rows: readonly Priced[],
  tariffs: ReadonlyMap<string, Tariff | null>,
  catalog: Catalog,
): string[] {
  return [...tariffs].flatMap(([model, tariff]): string[] => {
    const own = rows.filter(({ bucket }) => bucket.model === model);
    if (tariff === null) return [unknownModel(model, own, catalog)];
    const ofModel = [
      ...cacheNotes(own, tariff),
      ...batchNotes(own, tariff),
      ...tierNotes(own, tariff),
      ...regionNotes(own, tariff),
      ...searchNotes(own, tariff),
      ...lengthNotes(own, tariff),
    ];
    return [...ofModel.map((note) => `${model}: ${note}`), ...ageNotes(rows, tariff)];
  });
}

function unknownModel(model: string, own: readonly Priced[], catalog: Catalog): string {
  const { inputTokens, outputTokens } = tokensOf(own);
  const paid = paidFor(own);
  const cost = paid === null ? "" : `, for which ${money(paid)} USD were paid`;
  const searches = searchesOf(own);
  const searched = searches === 0 ? "" : `, nor are ${searches} web searches`;
  const hint = hintFor(
    model,
    [...catalog.offers.values()].map((entry) => entry.model),
  );
  const name = model === "" ? "the export names no model (group it by model)" : `${model} is not in the catalogue`;
  return `${name}: ${tokenCount(inputTokens)} input and ${tokenCount(outputTokens)} output tokens are not priced${searched}${cost}; name its offer under offers${hint === undefined ? "" : ` (${hint})`}`;
}

function cacheNotes(own: readonly Priced[], tariff: Tariff): string[] {
  const { cachedInputTokens } = tokensOf(own);
  if (cachedInputTokens === 0) return [];
  const cached = `${tokenCount(cachedInputTokens)} cached input tokens`;
  if (!tariff.knowsCache) return [`${cached} are charged in full, since the catalogue has no price for them`];
  const full = own.reduce((sum, { bucket }) => sum + tariff.usd(bucket, true), 0);
  return [`${cached} are at their own price; charged in full the bill would be ${money(full)} USD`];
}

function batchNotes(own: readonly Priced[], tariff: Tariff): string[] {
  const tokens = tokensIn(own, ({ batch }) => batch);
  if (tariff.batchMultiplier !== 1 || tokens === 0) return [];
  return [
    `${tokenCount(tokens)} tokens went through the batch interface and are at list price; offers can give their batchMultiplier`,
  ];
}

/** Tiers that have no price of their own here, and those whose price is not sure. */
function tierNotes(own: readonly Priced[], tariff: Tariff): string[] {
  return named(own, ({ tier }) => tier).flatMap((tier): string[] => {
    const ofTier = (batch: boolean): number =>
      tokensIn(own, (bucket) => bucket.tier === tier && bucket.batch === batch);
    const [tokens, batchTokens] = [ofTier(false), ofTier(true)];
    const notes = batchTokens === 0 ? [] : [`${tokenCount(batchTokens)} tokens of tier ${tier} are priced as batches`];
    const form = tariff.formOf(tier);
    if (tokens === 0) return notes;
    const said = `${tokenCount(tokens)} tokens of tier ${tier} are`;
    if (form === null) return [...notes, `${said} priced as default: ${tariff.entry.id} has no price for it`];
    const { kind, unverified, source } = form.origin;
    if (unverified !== true && kind !== "assumed") return notes;
    const doubt = unverified === true ? "which could not be checked at its source" : "which is assumed";
    return [...notes, `${said} at ${form.priceMultiplier} times the default price, ${doubt} (${source})`];
  });
}

function regionNotes(own: readonly Priced[], tariff: Tariff): string[] {
  return named(own, ({ region }) => region)
    .filter((region) => tariff.regionFactor(region) === null)
    .map((region) => {
      const tokens = tokensIn(own, (bucket) => bucket.region === region);
      return `${tokenCount(tokens)} tokens of region ${region} are priced as of any: the catalogue has no factor for it`;
    });
}

function searchNotes(own: readonly Priced[], tariff: Tariff): string[] {
  const isPriced = ({ bucket }: Priced): boolean => tariff.searchesUsd(bucket) !== null;
  const priced = own.filter(isPriced);
  const usd = priced.reduce((sum, { bucket }) => sum + (tariff.searchesUsd(bucket) ?? 0), 0);
  const [known, unknown] = [searchesOf(priced), searchesOf(own.filter((row) => !isPriced(row)))];
  return [
    ...(known === 0 ? [] : [`${known} web searches are ${money(usd)} USD of the bill`]),
    ...(unknown === 0 ? [] : [`${unknown} web searches are not priced: the catalogue has no price for them`]),
  ];
}

function lengthNotes(own: readonly Priced[], tariff: Tariff): string[] {
  const mean = tokensIn(own, (bucket) => tariff.lengthDoubt(bucket) === "mean");
  const shortest = tokensIn(own, (bucket) => tariff.lengthDoubt(bucket) === "shortest");
  const beyond = tokensIn(own, (bucket) => tariff.isBeyondContext(bucket));
  const rises = "its price rises with the length of the prompt, which is";
  return [
    ...(mean === 0 ? [] : [`${rises} known as the mean of a bucket only`]),
    ...(shortest === 0
      ? []
      : [
          `${rises} not known without a count of requests: ${tokenCount(shortest)} tokens are at the price of short prompts`,
        ]),
    ...(beyond === 0
      ? []
      : [
          `${tokenCount(beyond)} tokens are of prompts beyond its context of ${tariff.entry.contextTokens} tokens, for which the catalogue has no price: they are at that of shorter ones`,
        ]),
  ];
}

function ageNotes(rows: readonly Priced[], { entry }: Tariff): string[] {
  const lastS = Math.max(...rows.map(({ bucket }) => bucket.endEpochS));
  const firstS = Math.min(...rows.map(({ bucket }) => bucket.startEpochS));
  const { asOf } = rowOriginOf(entry, "prices.0", entry.prices[0]!);
  const pricedS = epochSOfIso(asOf.length === 10 ? asOf : `${asOf}-01`.slice(0, 10));
  if (pricedS === null || entry.prices.length > 1) return [];
  const awayDays = Math.floor(Math.max(pricedS - lastS, firstS - pricedS) / DAY_S);
  if (awayDays <= PRICE_DISTANCE_DAYS) return [];
  return [`${entry.id}: the only price is as of ${asOf}, ${awayDays} days away from this period`];
}

function tokensIn(rows: readonly Priced[], counts: (bucket: UsageBucket) => boolean): number {
  const { inputTokens, outputTokens } = tokensOf(rows.filter(({ bucket }) => counts(bucket)));
  return inputTokens + outputTokens;
}

function searchesOf(rows: readonly Priced[]): number {
  return rows.reduce((sum, { bucket }) => sum + bucket.webSearches, 0);
}

/** Each name that rows have, once. */
function named(rows: readonly Priced[], of: (bucket: UsageBucket) => string | null): string[] {
  const names = new Set(rows.map(({ bucket }) => of(bucket)));
  return [...names].filter((name) => name !== null);
}
