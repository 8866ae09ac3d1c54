/** The prompt cache of an offer: the provider's rules with the values that the file replaces. Seconds and tokens. */
import { rowOriginOf } from "../catalog/origin.ts";
import type { OfferFacts } from "../catalog/offer.ts";
import type { PromptCacheSpec } from "../scenario/resolved.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { OfferFile } from "./schema.ts";

const FIELDS = ["ttlS", "minTokens", "stepTokens"] as const;

/** Null where nothing is cached: by the file's wish, or because provider or price list knows of no cache. */
export function resolvePromptCache(
  resolution: Resolution,
  wanted: Exclude<OfferFile, string>["promptCache"],
  { offer, provider }: OfferFacts,
  path: Path,
  at: string,
): PromptCacheSpec | null {
  const rules = offer.promptCache ?? provider.promptCache;
  const priced = offer.prices.every((row) => row.cacheReadUsdPerMTok !== undefined);
  if (wanted === "none" || (wanted === undefined && !(priced && rules?.automatic === true))) return null;
  const own = typeof wanted === "object" ? wanted : {};
  const missing = FIELDS.filter((field) => own[field] === undefined && rules === undefined);
  if (!priced) resolution.problem([...path, "promptCache"], `${offer.id} has no price for cached input`);
  else if (missing.length > 0)
    resolution.problem(
      [...path, "promptCache"],
      `the catalogue does not know the prompt cache of ${provider.name}: ${missing.join(", ")} must be given`,
    );
  if (!priced || missing.length > 0) return null;
  resolution.from(at, wanted === undefined ? `catalogue:providers/${provider.id}` : "file");
  const pick = (field: (typeof FIELDS)[number]): number => {
    resolution.fromFile(`${at}.${field}`, [...path, "promptCache", field], `catalogue:providers/${provider.id}`);
    if (own[field] !== undefined) return own[field];
    const value = rules![field];
    const [id, label, entry] =
      offer.promptCache === undefined
        ? [`providers/${provider.id}`, provider.name, provider]
        : [`offers/${offer.id}`, offer.model, offer];
    const origin = rowOriginOf(entry, "promptCache", rules!);
    resolution.useValue(`${id}/promptCache/${field}`, `${label}: prompt cache`, value, field, origin);
    return value;
  };
  const spec = { ttlS: pick("ttlS"), minTokens: pick("minTokens"), stepTokens: pick("stepTokens") };
  // A longer life than the usual one is what the hour's price of a write buys, where there is one.
  const hourPriced = offer.prices.every((row) => (row.cacheWrite1hUsdPerMTok ?? 0) > 0);
  return rules !== undefined && spec.ttlS > rules.ttlS && hourPriced ? { ...spec, keptFor1h: true } : spec;
}
