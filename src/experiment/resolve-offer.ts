/** One API offer: the catalogue's facts with the values that the file replaces. Prices in USD per million tokens. */
import { originOf, rowOriginOf } from "../catalog/origin.ts";
import type { OfferFacts } from "../catalog/offer.ts";
import { factsAtBoundary } from "./offer-boundary.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { ResolvedOffer } from "../scenario/resolved.ts";
import { resolveLimits } from "./resolve-limits.ts";
import { contextTokensOf, resolvePrices, type OfferPeriod } from "./resolve-prices.ts";
import { resolveLatency } from "./resolve-latency.ts";
import { resolveOutages } from "./resolve-outages.ts";
import { resolvePromptCache } from "./resolve-prompt-cache.ts";
import type { OfferFile } from "./schema.ts";

type Override = Exclude<OfferFile, string>;

/** Null when the offer is unknown; the problems are in `resolution` then. */
export function resolveOffer(
  resolution: Resolution,
  name: string,
  file: OfferFile,
  path: Path,
  at: string,
  period: OfferPeriod,
): ResolvedOffer | null {
  const own: Override = typeof file === "string" ? { offer: file, boundary: "default" } : file;
  const found = factsAtBoundary(resolution.catalog, own.offer, own.boundary);
  if (!found.ok) {
    const field = found.message.includes("boundary") ? "boundary" : "offer";
    resolution.problem(typeof file === "string" ? path : [...path, field], found.message, found.hint);
    return null;
  }
  const facts = found.value;
  const { offer, provider, latency, congestion, outages } = facts;
  const boundary = provider.boundaries[facts.boundary]!; // offerFacts has found it
  const entry = `catalogue:offers/${offer.id}` as const;
  for (const field of ["provider", "model", "prices", "priceAsOf", "contextTokens"])
    resolution.from(`${at}.${field}`, entry);
  resolution.from(`${at}.name`, "file");
  for (const field of ["boundaryLevel", "residency", "networkS", "priceMultiplier"])
    resolution.from(`${at}.${field}`, `catalogue:providers/${provider.id}`);
  if (own.networkMs !== undefined) resolution.from(`${at}.networkS`, "file");
  if (own.residency !== undefined) resolution.from(`${at}.residency`, "file");
  if (own.priceMultiplier !== undefined) resolution.from(`${at}.priceMultiplier`, "file");
  const boundaryOrigin = rowOriginOf(provider, `boundaries.${facts.boundary}`, boundary);
  resolution.useValue(
    `providers/${provider.id}/boundaries/${facts.boundary}/level`,
    `${provider.name} (${boundary.option}): boundary level`,
    boundary.level,
    "level",
    boundaryOrigin,
  );
  const ofOffer = boundary.priceMultiplier === 1 ? undefined : offer.residencyMultiplier;
  const residencyMultiplier = ofOffer ?? boundary.priceMultiplier;
  if (ofOffer !== undefined && own.priceMultiplier === undefined) resolution.from(`${at}.priceMultiplier`, entry);
  if (boundary.priceMultiplier !== 1) {
    resolution.useValue(
      ofOffer === undefined
        ? `providers/${provider.id}/boundaries/${facts.boundary}/priceMultiplier`
        : `offers/${offer.id}/residencyMultiplier`,
      `${provider.name} (${boundary.option}): price multiplier`,
      residencyMultiplier,
      "priceMultiplier",
      ofOffer === undefined ? boundaryOrigin : originOf(offer, "residencyMultiplier"),
    );
  }
  if (own.networkMs === undefined) resolution.useEntry("providers", provider, ["networkS"]);
  const { prices, priceAsOf, successor } = resolvePrices(resolution, own, facts, period, path, at);
  const promptCache = resolvePromptCache(resolution, own.promptCache, facts, path, `${at}.promptCache`);
  return {
    name,
    provider: provider.id,
    model: offer.model,
    boundaryLevel: boundary.level,
    residency: own.residency ?? boundary.residency,
    ...(boundary.place === undefined ? {} : { place: boundary.place }),
    priceMultiplier: residencyMultiplier * (own.priceMultiplier ?? 1),
    prices,
    priceAsOf,
    limits: resolveLimits(resolution, own.limits, facts, path, at),
    ...(promptCache === null ? {} : { promptCache }),
    ...(successor === undefined ? {} : { successor }),
    contextTokens: contextTokensOf(offer),
    latency: resolveLatency(resolution, own, latency, path, at),
    diurnal:
      own.diurnal === "none"
        ? offLine(resolution, `${at}.diurnal`)
        : congestionPart(resolution, congestion, `${at}.diurnal`, "diurnal"),
    congestion:
      own.congestion === "none"
        ? offLine(resolution, `${at}.congestion`)
        : (congestionPart(resolution, congestion, `${at}.congestion`, "states"), facts.congestionStates),
    outages: resolveOutages(resolution, own, outages, path, at),
    networkS: own.networkMs === undefined ? provider.networkS : own.networkMs / 1000,
  };
}

function offLine(resolution: Resolution, at: string): null {
  resolution.from(at, "file");
  return null;
}

function congestionPart<F extends "diurnal" | "states">(
  resolution: Resolution,
  entry: OfferFacts["congestion"],
  at: string,
  field: F,
): OfferFacts["congestion"][F] {
  resolution.from(at, `catalogue:congestions/${entry.id}`);
  resolution.useEntry("congestions", entry, [field]);
  return entry[field];
}
