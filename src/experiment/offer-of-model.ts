/** Which offers of the catalogue sell a model under the name that a usage export has for it. */
import type { Catalog, CatalogEntry } from "../catalog/schema.ts";

/** Dated snapshots of a model: gpt-5-mini-2025-08-07, claude-haiku-4-5-20251001. */
const SNAPSHOT = /-(\d{4}-\d{2}-\d{2}|\d{8})$/;

/**
 * Offers of the model of that very name, or of the model that it is a dated snapshot of, or else the offer of that very id; none, one or
 * several. `provider` null: of whichever provider, except those who resell at the maker's price, who are meant only by name.
 */
export function offersOfModel(catalog: Catalog, model: string, provider: string | null): CatalogEntry<"offers">[] {
  const names = [model, model.replace(SNAPSHOT, "")];
  const all = [...new Set(catalog.offers.values())];
  const named = all.filter(
    (entry) =>
      names.includes(entry.model) && (provider === null ? entry.pricedAs === undefined : entry.provider === provider),
  );
  return named.length > 0 ? named : all.filter(({ id }) => id === model);
}
