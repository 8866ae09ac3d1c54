/**
 * The commercial form of an offer: what it changes about prices, limits and latency, from the catalogue and the values that the
 * file replaces. Provisioned units are in `resolve-provisioned.ts`.
 */
import { miss } from "../catalog/catalog.ts";
import type { PRICED_FORMS } from "../catalog/entries-provider.ts";
import { hintFor } from "../catalog/nearest.ts";
import { offerFacts, type OfferFacts } from "../catalog/offer.ts";
import { originOf, rowOriginOf } from "../catalog/origin.ts";
import { KINDS, type CatalogEntry } from "../catalog/schema.ts";
import type { ResolvedForm } from "../scenario/forms.ts";
import type { LimitSpec } from "../scenario/limits.ts";
import type { ResolvedOffer } from "../scenario/resolved.ts";
import type { Path } from "./read.ts";
import { queueLimit, rampLimit, scaledLimit } from "./resolve-form-limits.ts";
import { resolveProvisioned, type ProvisionedContext } from "./resolve-provisioned.ts";
import type { Resolution } from "./resolution.ts";
import type { OfferFile } from "./schema.ts";
import { PLAIN_FORMS, plainForm, type FormFile, type FormOf } from "./schema-forms.ts";

type FormEntry<F extends CatalogEntry<"forms">["form"]> = Extract<CatalogEntry<"forms">, { readonly form: F }>;

const HOUR_S = 3600;

/** The form as the file has it; null is pay-as-you-go, undefined a form that does not exist. */
export function formOf(file: OfferFile): FormFile | null | undefined {
  const form = typeof file === "string" ? undefined : file.form;
  if (form === undefined || form === "pay-as-you-go") return null;
  if (typeof form !== "string") return form;
  const plain = PLAIN_FORMS.find((name) => name === form);
  return plain === undefined || plain === "pay-as-you-go" ? undefined : plainForm(plain);
}

/** The offer under its form; null after a problem. Pay-as-you-go leaves it as it is. */
export function applyForm(
  resolution: Resolution,
  offer: ResolvedOffer,
  file: OfferFile,
  path: Path,
  at: string,
  context: Omit<ProvisionedContext, "offerId">,
): ResolvedOffer | null {
  const form = formOf(file);
  if (form === null) return offer;
  const formPath = [...path, "form"];
  if (form === undefined) {
    const name = typeof file === "string" ? "" : String(file.form);
    const unknown = miss("commercial form", name, [...PLAIN_FORMS, "committed"]);
    if (!unknown.ok) resolution.problem(formPath, unknown.message, unknown.hint);
    return null;
  }
  resolution.from(`${at}.form`, "file");
  const facts = offerFacts(resolution.catalog, typeof file === "string" ? file : file.offer);
  if (!facts.ok) return null;
  warnOfIdleFields(resolution, form.kind, path);
  const sold = soldIn(resolution, offer, facts.value, form, formPath, at, context);
  return sold === null ? null : { ...sold, latency: { ...sold.latency, ...measuredShape(file, form) } };
}

function soldIn(
  resolution: Resolution,
  offer: ResolvedOffer,
  facts: OfferFacts,
  form: FormFile,
  path: Path,
  at: string,
  context: Omit<ProvisionedContext, "offerId">,
): ResolvedOffer | null {
  switch (form.kind) {
    case "provisioned":
      return resolveProvisioned(resolution, offer, form, path, at, { ...context, offerId: facts.offer.id });
    case "batch":
      return resolveBatch(resolution, offer, facts, form, path, at);
    case "flex":
      return resolveFlex(resolution, offer, facts, form, path, at);
    case "priority":
      return resolvePriority(resolution, offer, facts, form, path, at);
    case "committed":
      return resolveCommitted(resolution, offer, form, path, at);
  }
}

/** Fields of an offer that a form makes idle, and what counts in their place. */
const IDLE_FIELDS: Partial<Record<FormFile["kind"], Readonly<Record<string, string>>>> = {
  provisioned: {
    limits: "the units alone limit it",
    priceMultiplier: "its tokens are free; usdPerUnit of the form is the price",
    pricePath: "its tokens are free; usdPerUnit of the form is the price",
  },
  batch: { limits: "queueLimit of the form is what limits jobs" },
};

function warnOfIdleFields(resolution: Resolution, kind: FormFile["kind"], path: Path): void {
  for (const [field, instead] of Object.entries(IDLE_FIELDS[kind] ?? {}))
    if (resolution.declared([...path, field]))
      resolution.warn(`${[...path, field].join(".")} has no effect on a ${kind} offer: ${instead}`);
}

const SHAPE = ["ttftSigma", "tailProbability", "tailMultiple", "tailSigma", "rateSigma", "minTokensPerS"] as const;

/** What the file measured of the latency stands before what the catalogue says of the form, unless the form says it itself. */
function measuredShape(file: OfferFile, form: FormFile): Partial<ResolvedOffer["latency"]> {
  const measured = typeof file === "string" ? undefined : file.latency;
  const values = SHAPE.filter((field) => !(field in form) || form[field as keyof FormFile] === undefined).flatMap(
    (field) => (measured?.[field] === undefined ? [] : [[field, measured[field]] as const]),
  );
  return Object.fromEntries(values);
}

/** The provider's entry of a form; a problem and null where it sells none. */
function entryOf<F extends CatalogEntry<"forms">["form"]>(
  resolution: Resolution,
  offer: ResolvedOffer,
  form: F,
  path: Path,
): FormEntry<F> | null {
  const all = [...resolution.catalog.forms.values()].filter((entry): entry is FormEntry<F> => entry.form === form);
  const entry = all.find((candidate) => candidate.provider === offer.provider);
  if (entry !== undefined) return entry;
  const sellers = all.map(({ provider }) => provider).join(", ");
  resolution.problem(path, `the catalogue knows no ${form} of ${offer.provider}`, `sold by ${sellers}`);
  return null;
}

/** What the form multiplies the offer's prices with; a problem and null where nobody says. */
function multiplierOf(
  resolution: Resolution,
  { offer }: OfferFacts,
  form: (typeof PRICED_FORMS)[number],
  own: number | undefined,
  path: Path,
): number | null {
  if (own !== undefined) return own;
  const priced = offer.forms[form];
  if (priced === undefined) {
    resolution.problem(path, `${offer.provider} does not sell ${offer.model} as ${form}`, soldAs(offer));
    return null;
  }
  resolution.useValue(
    `offers/${offer.id}/forms/${form}/priceMultiplier`,
    `${offer.model}: price as ${form}`,
    priced.priceMultiplier,
    "priceMultiplier",
    rowOriginOf(offer, `forms.${form}`, priced),
  );
  return priced.priceMultiplier;
}

function soldAs(offer: CatalogEntry<"offers">): string {
  const known = Object.keys(offer.forms);
  return known.length === 0
    ? "pay-as-you-go alone; give priceMultiplier if your contract has it"
    : `sold as ${known.join(", ")}`;
}

/** Picks values of a form: the file's, else the entry's, noted with their origin. */
function picker<E extends CatalogEntry<"forms">, O extends object>(
  resolution: Resolution,
  entry: E,
  own: O,
  path: Path,
  at: string,
): <K extends keyof E & keyof O & string>(field: K) => NonNullable<O[K]> | E[K] {
  return (field) => {
    const value = own[field];
    if (value !== undefined && value !== null) return value;
    resolution.useValue(
      `${KINDS.forms.folder}/${entry.id}/${field}`,
      `${entry.provider} ${entry.form}: ${field}`,
      entry[field],
      field,
      originOf(entry, field),
    );
    resolution.fromFile(`${at}.form.${field}`, [...path, field], `catalogue:forms/${entry.id}`);
    return entry[field];
  };
}

function resolveBatch(
  resolution: Resolution,
  offer: ResolvedOffer,
  facts: OfferFacts,
  own: FormOf<"batch">,
  path: Path,
  at: string,
): ResolvedOffer | null {
  const entry = entryOf(resolution, offer, "batch", path);
  const priceMultiplier = multiplierOf(resolution, facts, "batch", own.priceMultiplier, path);
  if (entry === null || priceMultiplier === null) return null;
  const pick = picker(resolution, entry, own, path, at);
  const form: ResolvedForm = {
    kind: "batch",
    windowS: pick("windowH") * HOUR_S,
    completion: { medianS: pick("completionMedianH") * HOUR_S, sigma: pick("completionSigma") },
    expiredBills: pick("expiredBills"),
  };
  const queue = queueOf(resolution, facts, own, entry);
  return {
    ...offer,
    form,
    priceMultiplier: offer.priceMultiplier * priceMultiplier,
    // Jobs run when there is room: neither the interactive limits nor the load of the hour concern them.
    limits: queue === null ? [] : [queue],
    diurnal: null,
    congestion: null,
  };
}

/** The file's, else that of the model's tier, else what the provider has for the tier of any model. */
function queueOf(
  resolution: Resolution,
  { offer, tier }: OfferFacts,
  own: FormOf<"batch">,
  { id, provider, queue, ...entry }: FormEntry<"batch">,
): LimitSpec | null {
  const ofModel = offer.tiers[tier]?.batchQueue;
  if (own.queueLimit === undefined && ofModel !== undefined) {
    const field = ofModel.counts === "input" ? "limitTokens" : "limit";
    const origin = rowOriginOf(offer, `tiers.${tier}`, offer.tiers[tier]!);
    resolution.useValue(
      `offers/${offer.id}@${tier}/batchQueue`,
      `${offer.model} (${tier}): batch queue`,
      ofModel.limit,
      field,
      origin,
    );
    return queueLimit(ofModel.limit, ofModel.counts);
  }
  if (own.queueLimit === "none" || (queue === null && own.queueLimit === undefined)) return null;
  const published = queue?.byTier[tier];
  const limit = own.queueLimit ?? published;
  if (limit === undefined) return null;
  if (own.queueLimit === undefined)
    resolution.useValue(
      `forms/${id}/queue/byTier/${tier}`,
      `${provider} batch: queue of ${tier}`,
      limit,
      queue!.counts === "input" ? "limitTokens" : "limit",
      rowOriginOf(entry, "queue", queue!),
    );
  return queueLimit(limit, ofModel?.counts ?? queue?.counts ?? "requests");
}

function resolveFlex(
  resolution: Resolution,
  offer: ResolvedOffer,
  facts: OfferFacts,
  own: FormOf<"flex">,
  path: Path,
  at: string,
): ResolvedOffer | null {
  const entry = entryOf(resolution, offer, "flex", path);
  const priceMultiplier = multiplierOf(resolution, facts, "flex", own.priceMultiplier, path);
  if (entry === null || priceMultiplier === null) return null;
  const pick = picker(resolution, entry, own, path, at);
  return {
    ...offer,
    form: {
      kind: "flex",
      unavailable: {
        fromHour: entry.peakFromHour,
        toHour: entry.peakToHour,
        peakProbability: pick("unavailablePeakProbability"),
        otherProbability: pick("unavailableOtherProbability"),
      },
    },
    priceMultiplier: offer.priceMultiplier * priceMultiplier,
    latency: {
      ...offer.latency,
      ttftBaseS: offer.latency.ttftBaseS * pick("ttftFactor"),
      ttftSigma: pick("ttftSigma"),
      tokensPerS: offer.latency.tokensPerS * pick("rateFactor"),
    },
  };
}

function resolvePriority(
  resolution: Resolution,
  offer: ResolvedOffer,
  facts: OfferFacts,
  own: FormOf<"priority">,
  path: Path,
  at: string,
): ResolvedOffer | null {
  const entry = entryOf(resolution, offer, "priority", path);
  const priceMultiplier = multiplierOf(resolution, facts, "priority", own.priceMultiplier, path);
  if (entry === null || priceMultiplier === null) return null;
  const pick = picker(resolution, entry, own, path, at);
  const limitFactor = pick("limitFactor");
  const minTokensPerS = pick("minTokensPerS");
  const limits = limitFactor === 1 ? offer.limits : offer.limits.map((limit) => scaledLimit(limit, limitFactor));
  const ramp = limits.some(({ kind }) => kind === "ramp") ? undefined : entry.ramp;
  if (ramp !== undefined) resolution.useEntry("forms", entry, ["ramp"]);
  return {
    ...offer,
    form: { kind: "priority", ...(priceMultiplier > 0 ? { standardPriceFraction: 1 / priceMultiplier } : {}) },
    priceMultiplier: offer.priceMultiplier * priceMultiplier,
    limits: ramp === undefined ? limits : [...limits, rampLimit(ramp)],
    latency: minTokensPerS === null ? offer.latency : { ...offer.latency, minTokensPerS },
  };
}

function resolveCommitted(
  resolution: Resolution,
  offer: ResolvedOffer,
  own: FormOf<"committed">,
  path: Path,
  at: string,
): ResolvedOffer | null {
  const { usdPerMonth, discounts, prepaidMonths } = own;
  const from = discounts.map((step) => step.fromUsdPerMonth);
  const double = from.findIndex((usd, i) => from.indexOf(usd) < i);
  if (double >= 0) {
    resolution.problem([...path, "discounts", double], `${from[double]} USD a month stands twice in the discounts`);
    return null;
  }
  const step = discounts
    .filter(({ fromUsdPerMonth }) => fromUsdPerMonth <= usdPerMonth)
    .sort((a, b) => b.fromUsdPerMonth - a.fromUsdPerMonth)[0];
  resolution.fromFile(`${at}.form.prepaidMonths`, [...path, "prepaidMonths"]);
  return {
    ...offer,
    form: { kind: "committed", usdPerMonth, prepaidMonths },
    priceMultiplier: offer.priceMultiplier * (1 - (step?.discountFraction ?? 0)),
  };
}

/** The offer that takes what this one refuses, where the file names one; a name that does not exist is a problem. */
export function spilloverOf(
  resolution: Resolution,
  name: string,
  file: OfferFile,
  offers: readonly string[],
  path: Path,
): string | null {
  const form = formOf(file);
  if (form?.kind !== "provisioned" || form.spillover === undefined) return null;
  const at = [...path, "form", "spillover"];
  const { spillover } = form;
  if (spillover === name) resolution.problem(at, `${name} cannot spill over to itself`);
  else if (!offers.includes(spillover))
    resolution.problem(
      at,
      `there is no offer "${spillover}" to spill over to`,
      hintFor(
        spillover,
        offers.filter((offer) => offer !== name),
      ),
    );
  else return spillover;
  return null;
}
