/**
 * Joins an offer with its provider, tier, boundary, latency class, congestion chain and outage profile into the flat facts
 * that a scenario needs. The result keeps the entries it came from, so that each value's origin can be shown.
 */
import type { LimitSpec } from "../scenario/limits.ts";
import { find, miss, type Found } from "./catalog.ts";
import { limitSpecOf } from "./limit-spec.ts";
import { ruleFor } from "./offer-tiers.ts";
import type { Catalog, CatalogEntry } from "./schema.ts";

export interface OfferFacts {
  readonly offer: CatalogEntry<"offers">;
  readonly provider: CatalogEntry<"providers">;
  readonly latency: CatalogEntry<"latencyClasses">;
  readonly congestion: CatalogEntry<"congestions">;
  readonly outages: CatalogEntry<"outageProfiles">;
  /** Keys of `offer.tiers` and `provider.boundaries`. */
  readonly tier: string;
  readonly boundary: string;
  readonly limits: readonly LimitSpec[];
  /** Congestion states with their transitions by index, as the simulator wants them. */
  readonly congestionStates: readonly {
    readonly name: string;
    readonly ttftFactor: number;
    readonly rateFactor: number;
    readonly overloadProbability: number;
    readonly meanDwellH: number;
    readonly next: readonly number[];
  }[];
}

/**
 * Looks up `provider/model@tier`. The tier may be left out only where the offer has a single one, and `boundary` names one
 * of the provider's boundaries.
 */
export function offerFacts(catalog: Catalog, reference: string, boundary = "default"): Found<OfferFacts> {
  const at = reference.lastIndexOf("@");
  const name = at < 0 ? reference : reference.slice(0, at);
  const found = find(catalog, "offers", name);
  if (!found.ok) return found;
  const offer = found.value;

  const tiers = Object.keys(offer.tiers);
  const tier = at < 0 ? (tiers.length === 1 ? tiers[0]! : null) : reference.slice(at + 1);
  if (tier === null)
    return { ok: false, message: `"${reference}" needs a tier`, hint: tiers.map((t) => `${offer.id}@${t}`).join(", ") };
  const limitsOfTier = Object.hasOwn(offer.tiers, tier) ? offer.tiers[tier] : undefined;
  if (limitsOfTier === undefined) return miss(`tier of ${offer.id}`, tier, tiers);

  const provider = find(catalog, "providers", offer.provider);
  if (!provider.ok) return provider;
  if (!Object.hasOwn(provider.value.boundaries, boundary)) {
    return miss(`boundary of ${offer.provider}`, boundary, Object.keys(provider.value.boundaries));
  }
  const latency = find(catalog, "latencyClasses", offer.latencyClass);
  if (!latency.ok) return latency;
  const congestion = find(catalog, "congestions", provider.value.congestion);
  if (!congestion.ok) return congestion;
  const outages = find(catalog, "outageProfiles", provider.value.outageProfile);
  if (!outages.ok) return outages;

  const limits = Object.entries(limitsOfTier.limits).map(([limitName, figure]) =>
    limitSpecOf(limitName, ruleFor(limitName, offer, provider.value, catalog.limits.values()), figure),
  );
  const states = congestion.value.states;
  const congestionStates = states.map((state) => ({ ...state, next: states.map((to) => state.next[to.name] ?? 0) }));
  return {
    ok: true,
    value: {
      offer,
      provider: provider.value,
      latency: latency.value,
      congestion: congestion.value,
      outages: outages.value,
      tier,
      boundary,
      limits,
      congestionStates,
    },
  };
}
