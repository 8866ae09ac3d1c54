/** One API offer: the catalogue's facts with the values that the file replaces. Prices in USD per million tokens. */
import { originOf, rowOriginOf } from "../catalog/origin.ts";
import { offerFacts, type OfferFacts } from "../catalog/offer.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { ResolvedOffer } from "../scenario/resolved.ts";
import { resolveLimits } from "./resolve-limits.ts";
import { contextTokensOf, resolvePrices, type OfferPeriod } from "./resolve-prices.ts";
import { resolvePromptCache } from "./resolve-prompt-cache.ts";
import type { OfferFile } from "./schema.ts";

type Override = Exclude<OfferFile, string>;

const LATENCY_FIELDS = [
  "ttftBaseS",
  "ttftSigma",
  "tailProbability",
  "tailMultiple",
  "tailSigma",
  "prefillSPerKTok",
  "tokensPerS",
  "rateSigma",
] as const;
const OUTAGE_FIELDS = [
  "gapWeibullShape",
  "gapWeibullScaleH",
  "durationLnHMean",
  "durationLnHSigma",
  "durationMaxH",
] as const;

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
  const found = offerFacts(resolution.catalog, own.offer, own.boundary);
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
    residency: boundary.residency,
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

function resolveLatency(
  resolution: Resolution,
  own: Override,
  entry: OfferFacts["latency"],
  path: Path,
  at: string,
): ResolvedOffer["latency"] {
  const pick = (field: (typeof LATENCY_FIELDS)[number]): number => {
    resolution.fromFile(`${at}.latency.${field}`, [...path, "latency", field], `catalogue:latency-classes/${entry.id}`);
    const value = own.latency?.[field];
    if (value === undefined) resolution.useEntry("latencyClasses", entry, [field]);
    return value ?? entry[field];
  };
  return {
    ttftBaseS: pick("ttftBaseS"),
    ttftSigma: pick("ttftSigma"),
    tailProbability: pick("tailProbability"),
    tailMultiple: pick("tailMultiple"),
    tailSigma: pick("tailSigma"),
    prefillSPerKTok: pick("prefillSPerKTok"),
    tokensPerS: pick("tokensPerS"),
    rateSigma: pick("rateSigma"),
  };
}

function resolveOutages(
  resolution: Resolution,
  own: Override,
  entry: OfferFacts["outages"],
  path: Path,
  at: string,
): ResolvedOffer["outages"] {
  if (own.outages === "none") return offLine(resolution, `${at}.outages`);
  const override = own.outages;
  const pick = (field: (typeof OUTAGE_FIELDS)[number]): number => {
    resolution.fromFile(`${at}.outages.${field}`, [...path, "outages", field], `catalogue:outage-profiles/${entry.id}`);
    const value = override?.[field];
    if (value === undefined) resolution.useEntry("outageProfiles", entry, [field]);
    return value ?? entry[field];
  };
  resolution.from(`${at}.outages`, `catalogue:outage-profiles/${entry.id}`);
  resolution.useEntry("outageProfiles", entry, ["hazard", "severities"]);
  return {
    gapWeibullShape: pick("gapWeibullShape"),
    gapWeibullScaleH: pick("gapWeibullScaleH"),
    durationLnHMean: pick("durationLnHMean"),
    durationLnHSigma: pick("durationLnHSigma"),
    durationMaxH: pick("durationMaxH"),
    hazard: entry.hazard,
    severities: entry.severities,
  };
}
