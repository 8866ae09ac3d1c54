/** An offer at the boundary that a contract gives it: one that its provider lists, or a general one of the catalogue. */
import { offerFacts, type OfferFacts } from "../catalog/offer.ts";
import type { Found } from "../catalog/catalog.ts";
import type { Catalog } from "../catalog/schema.ts";

/**
 * Facts of `provider/model@tier`. A boundary that the provider does not list is looked up in `boundaries/`, for customers whose
 * contract says more than the provider's price list; it then stands among the provider's with its own origin.
 */
export function factsAtBoundary(catalog: Catalog, reference: string, boundary: string): Found<OfferFacts> {
  const found = offerFacts(catalog, reference, boundary);
  const general = catalog.boundaries.get(boundary);
  if (found.ok || general === undefined) return found;
  const plain = offerFacts(catalog, reference);
  if (!plain.ok) return plain;
  const { level, residency, option, place, priceMultiplier = 1, source, asOf, kind } = general;
  const row = { level, residency, option, priceMultiplier, preset: general.id, source, asOf, kind };
  const { provider } = plain.value;
  const boundaries = { ...provider.boundaries, [boundary]: place === undefined ? row : { ...row, place } };
  return { ok: true, value: { ...plain.value, provider: { ...provider, boundaries }, boundary } };
}
