/** Offers of the catalogue from accepted entries of LiteLLM's price file: changes to known ones, and new ones. */
import { find } from "./catalog.ts";
import type { LitellmForm, LitellmPrices, LitellmRow } from "./litellm.ts";
import { editDistance } from "./nearest.ts";
import { offerId } from "./offer-names.ts";
import { rowOriginOf } from "./origin.ts";
import type { Catalog, CatalogEntry } from "./schema.ts";

/** LiteLLM's names of providers whose offers we know, where they differ. Those of Vertex begin alike. */
const PROVIDERS: Readonly<Record<string, string>> = {
  gemini: "google",
  bedrock: "aws",
  bedrock_converse: "aws",
  azure_ai: "azure",
  together_ai: "together",
  fireworks_ai: "fireworks",
  xai: "x-ai",
  moonshot: "moonshotai",
  cohere_chat: "cohere",
  zai: "zhipuai",
  "text-completion-openai": "openai",
};

const FIELDS: Readonly<Record<keyof LitellmPrices, string>> = {
  input: "inputUsdPerMTok",
  output: "outputUsdPerMTok",
  cache_read: "cacheReadUsdPerMTok",
  cache_write: "cacheWriteUsdPerMTok",
  cache_write_1h: "cacheWrite1hUsdPerMTok",
  output_reasoning: "reasoningUsdPerMTok",
};

/** A form is one multiple of the list price here: that of input and output, if they agree to a thousandth. */
const FORM_TOLERANCE = 1e-3;

type Json = Readonly<Record<string, unknown>>;

export interface OfferChange {
  readonly key: string;
  readonly id: string;
  /** Date of the prices of the catalogue that it takes the place of; null for a new offer. */
  readonly replacesAsOf: string | null;
  readonly entry: Json;
  /** What could not be taken over. */
  readonly notes: readonly string[];
}

export interface NotOffered {
  readonly key: string;
  readonly reason: string;
}

/** Of several entries for one offer the first holds. */
export function offersOfLitellm(
  rows: readonly LitellmRow[],
  catalog: Catalog,
): { readonly changes: readonly OfferChange[]; readonly notOffered: readonly NotOffered[] } {
  const changes = new Map<string, OfferChange>();
  const notOffered: NotOffered[] = [];
  for (const row of rows) {
    const made = changeOf(row, catalog);
    const before = typeof made === "string" ? undefined : changes.get(made.id);
    if (typeof made === "string") notOffered.push({ key: row.key, reason: made });
    else if (before !== undefined) notOffered.push({ key: row.key, reason: `${before.key} is the same offer` });
    else changes.set(made.id, made);
  }
  return { changes: [...changes.values()], notOffered };
}

/** Or why there is none. */
function changeOf(row: LitellmRow, catalog: Catalog): OfferChange | string {
  if (row.mode === "embedding") return "embeddings are not simulated";
  const provider = row.provider.startsWith("vertex_ai") ? "google" : (PROVIDERS[row.provider] ?? row.provider);
  if (!catalog.providers.has(provider)) return `no provider "${provider}" in the catalogue`;
  const model = modelOf(row);
  const found = find(catalog, "offers", `${provider}/${model}`);
  const known = found.ok ? found.value : null;
  const notes: string[] = [];
  const forms = formsOf(row, notes);
  const regions = Object.values(row.region_multipliers ?? {});
  const prices = {
    from: null,
    ...pricesOf(row.per_mtok, row.per_mtok),
    longContext: row.long_context.map((tier) => ({
      aboveInputTokens: tier.above_input_tokens,
      ...pricesOf(row.per_mtok, tier.per_mtok),
    })),
  };
  const entry = {
    ...(known === null ? newOffer(row, provider, model, catalog) : { id: known.id }),
    prices: [prices],
    ...(Object.keys(forms).length === 0 ? {} : { forms: { ...known?.forms, ...forms } }),
    ...(regions.length === 0 ? {} : { residencyMultiplier: Math.max(...regions) }),
    ...(row.deprecated_on === undefined ? {} : { lifecycle: { retiresOn: row.deprecated_on } }),
  };
  const replacesAsOf = known === null ? null : rowOriginOf(known, "prices.0", known.prices[0]!).asOf;
  return { key: row.key, id: entry.id, replacesAsOf, entry, notes };
}

/** Without the prefix that says where it is sold. */
function modelOf({ key, provider }: LitellmRow): string {
  const prefixes = [`${provider}/`, "accounts/fireworks/models/"];
  return prefixes.reduce((name, prefix) => (name.startsWith(prefix) ? name.slice(prefix.length) : name), key);
}

function newOffer(row: LitellmRow, provider: string, model: string, catalog: Catalog): { readonly id: string } & Json {
  const like = nearestOffer(provider, model, catalog);
  return {
    id: offerId(provider, model),
    provider,
    model,
    ...(row.context_tokens === undefined ? {} : { contextTokens: row.context_tokens }),
    latencyClass: like?.latencyClass ?? "frontier-large",
    fields: {
      latencyClass: {
        source: like === null ? "not known: the slowest class is taken" : `as ${like.id}, whose name is nearest`,
        asOf: catalog.asOf,
        kind: "assumed",
      },
    },
  };
}

function nearestOffer(provider: string, model: string, catalog: Catalog): CatalogEntry<"offers"> | null {
  let nearest: CatalogEntry<"offers"> | null = null;
  let least = Infinity;
  for (const offer of catalog.offers.values()) {
    const distance =
      offer.provider === provider ? editDistance(offer.model.toLowerCase(), model.toLowerCase()) : Infinity;
    if (distance >= least) continue;
    nearest = offer;
    least = distance;
  }
  return nearest;
}

/** A tier keeps the base price of what it does not name. */
function pricesOf(base: LitellmPrices, own: Partial<LitellmPrices>): Json {
  const all = { ...base, ...own };
  return Object.fromEntries(Object.entries(all).map(([name, usd]) => [FIELDS[name as keyof LitellmPrices], usd]));
}

function formsOf(row: LitellmRow, notes: string[]): Json {
  const forms: Record<string, Json> = {};
  const { service_tiers: tiers, per_mtok: base, fast_multiplier: fast } = row;
  for (const [form, prices] of Object.entries(tiers) as [LitellmForm, Readonly<Record<string, number>>][]) {
    const ratios = (["input", "output"] as const).flatMap((name) =>
      prices[name] === undefined || base[name] === 0 ? [] : [prices[name] / base[name]],
    );
    const [first = 1] = ratios;
    if (ratios.every((ratio) => Math.abs(ratio / first - 1) < FORM_TOLERANCE))
      forms[form] = { priceMultiplier: Number(first.toPrecision(8)) };
    else notes.push(`${form} is left out: input and output are not the same multiple of the list price`);
  }
  if (fast !== undefined && forms["priority"] === undefined) forms["priority"] = { priceMultiplier: fast };
  return forms;
}
