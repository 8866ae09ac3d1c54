/** Latency of an offer: its class of the catalogue or the one named, with the values that the file replaces. */
import type { OfferFacts } from "../catalog/offer.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { ResolvedOffer } from "../scenario/resolved.ts";
import type { OfferFile } from "./schema.ts";

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

/** A class that does not exist is a problem; the offer's own stands in for it then. */
export function resolveLatency(
  resolution: Resolution,
  own: Exclude<OfferFile, string>,
  offered: OfferFacts["latency"],
  path: Path,
  at: string,
): ResolvedOffer["latency"] {
  const named = own.latency?.class;
  const entry =
    named === undefined
      ? offered
      : (resolution.find("latencyClasses", named, [...path, "latency", "class"]) ?? offered);
  const pick = (field: (typeof LATENCY_FIELDS)[number]): number => {
    resolution.fromFile(`${at}.latency.${field}`, [...path, "latency", field], `catalogue:latency-classes/${entry.id}`);
    const value = own.latency?.[field];
    if (value === undefined) resolution.useEntry("latencyClasses", entry, [field]);
    return value ?? entry[field];
  };
  const minTokensPerS = own.latency?.minTokensPerS;
  if (minTokensPerS !== undefined) resolution.from(`${at}.latency.minTokensPerS`, "file");
  return {
    ttftBaseS: pick("ttftBaseS"),
    ttftSigma: pick("ttftSigma"),
    tailProbability: pick("tailProbability"),
    tailMultiple: pick("tailMultiple"),
    tailSigma: pick("tailSigma"),
    prefillSPerKTok: pick("prefillSPerKTok"),
    tokensPerS: pick("tokensPerS"),
    rateSigma: pick("rateSigma"),
    ...(minTokensPerS === undefined ? {} : { minTokensPerS }),
  };
}
