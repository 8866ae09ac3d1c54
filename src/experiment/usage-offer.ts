/** The API offer of an experiment that is made from a usage export: that of the model in it. */
import { hintFor } from "../catalog/nearest.ts";
import type { Catalog, CatalogEntry } from "../catalog/schema.ts";
import { offersOfModel } from "./offer-of-model.ts";
import { DEFAULT_OFFER } from "./starter.ts";

interface UsageOffer {
  /** `provider/model@tier`. */
  readonly offer: string;
  /** What it stands for, and what was not found; one sentence a line. */
  readonly comments: readonly string[];
}

/**
 * `models` as the export names them, most tokens first; `provider` null where the export may be of any. A model counts only by its own
 * name or as a dated snapshot; of several the first is taken that one offer sells, without any the default stays.
 */
export function usageOffer(models: readonly string[], provider: string | null, catalog: Catalog): UsageOffer {
  const sellers = models.map((model) => ({ model, offers: offersOfModel(catalog, model, provider) }));
  const chosen = sellers.find(({ offers }) => offers.length === 1);
  const names = [...catalog.offers.values()].map((entry) => entry.model);
  const doubts = sellers.flatMap(({ model, offers }) => {
    if (offers.length === 1) return [];
    if (offers.length > 1)
      return [`${model} is sold as ${offers.map(({ id }) => id).join(", ")}: name the one that you use.`];
    const hint = hintFor(model, names);
    return [`The catalogue has no offer of ${model}${hint === undefined ? "" : ` (${hint})`}.`];
  });
  if (chosen === undefined)
    return {
      offer: DEFAULT_OFFER,
      comments: [...doubts, `API offer: ${DEFAULT_OFFER} stands in, put yours in its place.`],
    };
  const [offer] = chosen.offers as [CatalogEntry<"offers">];
  const tier = highestTier(Object.keys(offer.tiers));
  const others = models.length === 1 ? "" : `; all ${models.length} models of the export are priced as it`;
  const account = Object.keys(offer.tiers).length === 1 ? "" : " The tier is assumed, take that of your account.";
  return {
    offer: `${offer.id}@${tier}`,
    comments: [`API offer: ${offer.id}, that of ${chosen.model}${others}.${account}`, ...doubts],
  };
}

/** The last of those that are named as the first is, but for its number: tiers of one kind rise. */
function highestTier(tiers: readonly string[]): string {
  const kindOf = (tier: string): string => tier.replace(/\d+$/, "#");
  const kind = kindOf(tiers[0]!);
  const numbered = kind.endsWith("#");
  return tiers.findLast((tier) => (numbered ? kindOf(tier) === kind : !kindOf(tier).endsWith("#")))!;
}
