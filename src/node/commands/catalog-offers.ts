/**
 * `crossover catalog offers`: what each offer costs on a day, how old that price is and who says so, and the limits of its tiers.
 * The day is that of `--date`, else the one ages count from (`--as-of`, the catalogue's own date), never the clock's.
 */
import { nearest } from "../../catalog/nearest.ts";
import { originOf, rowOriginOf, type Origin } from "../../catalog/origin.ts";
import type { Catalog, CatalogEntry } from "../../catalog/schema.ts";
import { ConfigError } from "../../kernel/errors.ts";
import { ageDays } from "../../report/assumptions.ts";
import { plainNumber } from "../../report/format.ts";
import { textTable } from "../text-table.ts";

export interface OffersFilter {
  /** Id of a provider. */
  readonly provider?: string;
  /** Part of the name of a model. */
  readonly model?: string;
}

type Offer = CatalogEntry<"offers">;
type PriceRow = Offer["prices"][number];

/** @throws ConfigError when nothing is left, with the nearest name */
export function filteredOffers(catalog: Catalog, { provider, model }: OffersFilter): Offer[] {
  const all = [...catalog.offers.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  const ofProvider = all.filter((offer) => provider === undefined || offer.provider === provider);
  if (ofProvider.length === 0) throw missed("--provider", provider ?? "", [...catalog.providers.keys()]);
  const wanted = model?.toLowerCase();
  const found = ofProvider.filter(
    ({ id, model: name, aliases }) =>
      wanted === undefined || [id, name, ...aliases].some((candidate) => candidate.toLowerCase().includes(wanted)),
  );
  if (found.length === 0) {
    const names = ofProvider.map(({ id }) => id.slice(id.indexOf("/") + 1));
    throw missed("--model", model ?? "", names);
  }
  return found;
}

function missed(option: string, name: string, candidates: readonly string[]): ConfigError {
  const meant = nearest(name, candidates);
  const hint = meant === null ? `known: ${candidates.slice(0, 20).join(", ")}` : `did you mean "${meant}"?`;
  return new ConfigError([{ path: [option], message: `no offer of "${name}"`, hint }]);
}

/** The row in force at the beginning of a day; null for an offer that is sold later. */
export function priceOn(offer: Offer, date: string): { readonly row: PriceRow; readonly origin: Origin } | null {
  const i = offer.prices.findLastIndex(({ from }) => from === null || from <= date);
  return i < 0 ? null : { row: offer.prices[i]!, origin: rowOriginOf(offer, `prices.${i}`, offer.prices[i]!) };
}

/** The entries as they stand, each with its price of the day and the age of that in days. */
export function offersJson(offers: readonly Offer[], date: string, asOf: string): object[] {
  return offers.map((offer) => {
    const price = priceOn(offer, date);
    const today = price === null ? null : { ...price.row, ...price.origin, ageDays: ageDays(price.origin.asOf, asOf) };
    return { ...offer, ageDays: ageDays(offer.asOf, asOf), today };
  });
}

const COLUMNS = [
  { head: "offer" },
  { head: "in", align: "right" },
  { head: "cached", align: "right" },
  { head: "out", align: "right" },
  { head: "limits, and what else moves the price", maxWidth: 50 },
  { head: "age days", align: "right" },
  { head: "kind", maxWidth: 21 },
  { head: "as of" },
  { head: "source", maxWidth: 32 },
] as const;

export function offersText(offers: readonly Offer[], date: string, asOf: string): string {
  const rows = offers.flatMap((offer) => {
    const price = priceOn(offer, date);
    const first = [
      offer.override ? `${offer.id} (yours)` : offer.id,
      ...(price === null
        ? ["-", "-", "-", ...sourceCells("not sold yet", originOf(offer, ""), asOf)]
        : [
            plainNumber(price.row.inputUsdPerMTok, 6),
            price.row.cacheReadUsdPerMTok === undefined ? "-" : plainNumber(price.row.cacheReadUsdPerMTok, 6),
            plainNumber(price.row.outputUsdPerMTok, 6),
            ...sourceCells("", price.origin, asOf),
          ]),
    ];
    const changes = price === null ? [] : changesOf(offer, price.row, date, asOf);
    const tiers = Object.entries(offer.tiers).map(([tier, row]) => {
      const limits = Object.entries(row.limits).map(([name, limit]) => `${name} ${plainNumber(limit)}`);
      const known = limits.length > 0;
      const text = `@${tier}: ${known ? limits.join(", ") : "no limit known"}`;
      return known ? sourceCells(text, rowOriginOf(offer, `tiers.${tier}`, row), asOf) : [text, "", "", "", ""];
    });
    return [first, ...[...tiers, ...changes].map((cells) => ["", "", "", "", ...cells])];
  });
  const head = `${offers.length} offers; USD per million tokens on ${date}, ages from ${asOf}`;
  return `${head}\n\n${textTable(COLUMNS, rows)}`;
}

/** A text with the age, kind, date and source of what it says. */
function sourceCells(text: string, origin: Origin, asOf: string): string[] {
  const age = ageDays(origin.asOf, asOf);
  const kind = origin.unverified === true ? `${origin.kind}, unverified` : origin.kind;
  return [text, age === null || age < 0 ? "-" : plainNumber(age), kind, origin.asOf, origin.source];
}

/** What makes the price another than the one of the day: the prompt, the hour, the form, the future. */
function changesOf(offer: Offer, row: PriceRow, date: string, asOf: string): string[][] {
  const both = (prices: { readonly inputUsdPerMTok: number; readonly outputUsdPerMTok: number }): string =>
    `${plainNumber(prices.inputUsdPerMTok, 6)} in, ${plainNumber(prices.outputUsdPerMTok, 6)} out`;
  const told = (text: string): string[] => [text, "", "", "", ""];
  const later = offer.prices.filter(({ from }) => from !== null && from > date);
  const { lifecycle } = offer;
  return [
    ...row.longContext.map((tier) => told(`above ${plainNumber(tier.aboveInputTokens)} tokens: ${both(tier)}`)),
    ...(row.timeOfDay ?? []).map((window) =>
      told(`${window.fromUtc} to ${window.toUtc} UTC${daysText(window.days)}: ${both(window)}`),
    ),
    ...(row.cacheWriteUsdPerMTok ? [told(`cache writes: ${plainNumber(row.cacheWriteUsdPerMTok, 6)}`)] : []),
    ...(row.usdPerRequest === undefined ? [] : [told(`${plainNumber(row.usdPerRequest, 6)} USD per request`)]),
    ...later.map((next) => sourceCells(`from ${next.from}: ${both(next)}`, rowOriginOf(offer, "prices", next), asOf)),
    ...formsOf(offer, asOf),
    ...(lifecycle === undefined
      ? []
      : [
          sourceCells(
            `retires ${lifecycle.retiresOn}${followedBy(lifecycle)}`,
            rowOriginOf(offer, "lifecycle", lifecycle),
            asOf,
          ),
        ]),
    ...(offer.note === undefined ? [] : [told(offer.note)]),
  ];
}

/** All forms in a line, with the origin of the oldest. */
function formsOf(offer: Offer, asOf: string): string[][] {
  const forms = Object.entries(offer.forms).map(([form, terms]) => {
    const origin = rowOriginOf(offer, `forms.${form}`, terms);
    const doubt = origin.kind === "assumed" ? " (assumed)" : origin.unverified === true ? " (unverified)" : "";
    return { text: `${form} × ${plainNumber(terms.priceMultiplier)}${doubt}`, origin };
  });
  if (forms.length === 0) return [];
  const { origin } = forms.reduce((oldest, form) => (form.origin.asOf < oldest.origin.asOf ? form : oldest));
  return [sourceCells(forms.map(({ text }) => text).join(", "), origin, asOf)];
}

function followedBy({ replacement }: NonNullable<Offer["lifecycle"]>): string {
  return replacement === undefined ? "" : `, then ${replacement}`;
}

function daysText(days: readonly string[] | undefined): string {
  if (days === undefined) return "";
  return days.join() === "mon,tue,wed,thu,fri" ? ", Mon to Fri" : `, ${days.join(", ")}`;
}
