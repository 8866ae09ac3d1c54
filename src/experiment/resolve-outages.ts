/** Outages of an offer: the provider's profile or the one named, with the values that the file replaces. */
import type { OfferFacts } from "../catalog/offer.ts";
import { gapScaleForAvailabilityH } from "../provider/outage-law.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { ResolvedOffer } from "../scenario/resolved.ts";
import type { OfferFile } from "./schema.ts";

const OUTAGE_FIELDS = [
  "gapWeibullShape",
  "gapWeibullScaleH",
  "durationLnHMean",
  "durationLnHSigma",
  "durationMaxH",
] as const;

/** A profile that does not exist is a problem; the provider's stands in for it then. */
export function resolveOutages(
  resolution: Resolution,
  own: Exclude<OfferFile, string>,
  provided: OfferFacts["outages"],
  path: Path,
  at: string,
): ResolvedOffer["outages"] {
  if (own.outages === "none") {
    resolution.from(`${at}.outages`, "file");
    return null;
  }
  const override = own.outages;
  const entry =
    override?.profile === undefined
      ? provided
      : (resolution.find("outageProfiles", override.profile, [...path, "outages", "profile"]) ?? provided);
  const pick = (field: (typeof OUTAGE_FIELDS)[number]): number => {
    resolution.fromFile(`${at}.outages.${field}`, [...path, "outages", field], `catalogue:outage-profiles/${entry.id}`);
    const value = override?.[field];
    if (value === undefined) resolution.useEntry("outageProfiles", entry, [field]);
    return value ?? entry[field];
  };
  resolution.from(`${at}.outages`, `catalogue:outage-profiles/${entry.id}`);
  resolution.useEntry("outageProfiles", entry, ["hazard", "severities"]);
  const law = {
    gapWeibullShape: pick("gapWeibullShape"),
    gapWeibullScaleH: pick("gapWeibullScaleH"),
    durationLnHMean: pick("durationLnHMean"),
    durationLnHSigma: pick("durationLnHSigma"),
    durationMaxH: pick("durationMaxH"),
    hazard: entry.hazard,
    severities: entry.severities,
  };
  const target = override?.targetAvailability;
  if (target !== undefined && override?.gapWeibullScaleH !== undefined) {
    resolution.problem(
      [...path, "outages", "gapWeibullScaleH"],
      "has no effect beside targetAvailability, which sets the gaps",
      "leave one of them out",
    );
  }
  if (target !== undefined) resolution.from(`${at}.outages.gapWeibullScaleH`, "derived");
  const common = override?.commonCauseFraction;
  if (common !== undefined) resolution.from(`${at}.outages.commonCauseFraction`, "file");
  return {
    ...law,
    ...(target === undefined ? {} : { gapWeibullScaleH: gapScaleForAvailabilityH(law, target) }),
    ...(common === undefined ? {} : { commonCauseFraction: common }),
  };
}
