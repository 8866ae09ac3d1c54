/**
 * What the parameters of an outage profile imply before anything is drawn: how often, how long, how available. Hours.
 * Overlaps are counted twice here, which understates the availability by a few percent of what is missing.
 */
import type { ResolvedOffer } from "../scenario/resolved.ts";
import { exp, log, normalCdf } from "../kernel/math.ts";

type OutageSpec = NonNullable<ResolvedOffer["outages"]>;

/** Mean time between starts: scale · Γ(1 + 1/shape). The hour of the week moves starts about and keeps their number. */
export function meanGapH(spec: Pick<OutageSpec, "gapWeibullShape" | "gapWeibullScaleH">): number {
  return spec.gapWeibullScaleH * exp(lnGamma(1 + 1 / spec.gapWeibullShape));
}

/** Mean of min(cap, lognormal). */
export function meanDurationH(spec: Pick<OutageSpec, "durationLnHMean" | "durationLnHSigma" | "durationMaxH">): number {
  const { durationLnHMean: mu, durationLnHSigma: sigma, durationMaxH: capH } = spec;
  if (sigma === 0) return Math.min(capH, exp(mu));
  const z = (log(capH) - mu) / sigma;
  return exp(mu + (sigma * sigma) / 2) * normalCdf(z - sigma) + capH * (1 - normalCdf(z));
}

/** Share of requests that outages let through, requests being spread evenly over time. */
export function impliedAvailability(spec: Omit<OutageSpec, "hazard">): number {
  const weight = spec.severities.reduce((sum, severity) => sum + severity.weight, 0);
  const errors = spec.severities.reduce((sum, severity) => sum + severity.weight * severity.errorFraction, 0);
  return 1 - ((meanDurationH(spec) / meanGapH(spec)) * errors) / weight;
}

/** Scale of the gap with which a profile has the availability `target`: outages as long and as bad, but rarer or more frequent. */
export function gapScaleForAvailabilityH(spec: Omit<OutageSpec, "hazard">, target: number): number {
  return (spec.gapWeibullScaleH * (1 - impliedAvailability(spec))) / (1 - target);
}

/** Stirling's series, after x has been shifted to where three of its terms are exact to 1e-12. */
function lnGamma(x: number): number {
  let shifted = x;
  let product = 1;
  for (; shifted < 30; shifted++) product *= shifted;
  const inverse = 1 / shifted;
  const series = inverse * (1 / 12 - inverse * inverse * (1 / 360 - (inverse * inverse) / 1260));
  return (shifted - 0.5) * log(shifted) - shifted + 0.9189385332046727 + series - log(product);
}
