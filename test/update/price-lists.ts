/**
 * The price lists of the catalogue from the providers of `@pydantic/genai-prices` and our overlay. Pure: the same input gives the
 * same lists. Prices in USD per million tokens.
 *
 * The source prices a request by the last of its entries that matches; here every date on which that changes becomes a row, with the
 * windows of the day that win over it. A tier holds above so many input tokens, for every class of tokens that has one.
 */
import type { ConditionalPrice, ModelInfo, ModelPrice, Provider } from "@pydantic/genai-prices";
import { offerId } from "../../src/catalog/offer-names.ts";
import { WEEK_DAYS } from "../../src/catalog/entries-provider.ts";
import type { Overlay, Rule } from "./overlay.ts";

type Json = Readonly<Record<string, unknown>>;

/** One file of `models/offers/`. */
export interface PriceList {
  readonly provider: string;
  readonly source: string;
  readonly asOf: string;
  readonly kind: string;
  readonly fields: Json;
  /** What most of them have in common. */
  readonly forms?: Json;
  readonly offers: readonly Json[];
}

/** Our field for each priced class of tokens of the source. */
const CLASSES = {
  input_mtok: "inputUsdPerMTok",
  output_mtok: "outputUsdPerMTok",
  cache_read_mtok: "cacheReadUsdPerMTok",
  cache_write_mtok: "cacheWriteUsdPerMTok",
  cache_write_1h_mtok: "cacheWrite1hUsdPerMTok",
  output_reasoning_mtok: "reasoningUsdPerMTok",
} as const;

export function priceLists(providers: readonly Provider[], overlay: Overlay): PriceList[] {
  const { source, asOf, kind } = overlay.priceSource;
  const { rows: _, ...latencyOrigin } = overlay.latencyClasses;
  return providers.map((provider) => {
    const own = provider.models.filter(isTextModel).map((model) => offerOf(provider.id, model, overlay));
    const resold = overlay.resold.flatMap((rule) => {
      if (rule.provider !== provider.id) return [];
      const maker = providers.find(({ id }) => id === rule.from);
      const models =
        maker?.models.filter((model) => isTextModel(model) && matches(rule, rule.provider, model.id)) ?? [];
      return models.map((model) => offerOf(provider.id, model, overlay, rule));
    });
    const forms = formsOf(overlay.forms.filter((rule) => rule.provider === provider.id && rule.models === ".*"));
    return {
      provider: provider.id,
      source,
      asOf,
      kind,
      fields: { latencyClass: latencyOrigin },
      ...(Object.keys(forms).length === 0 ? {} : { forms }),
      offers: [...own, ...resold].sort((a, b) => (String(a["id"]) < String(b["id"]) ? -1 : 1)),
    };
  });
}

/** Priced by input and output tokens, and still offered. */
function isTextModel({ prices, deprecated }: ModelInfo): boolean {
  const first = conditional(prices)[0]!.prices;
  return deprecated !== true && first["input_mtok"] !== undefined && first["output_mtok"] !== undefined;
}

function conditional(prices: ModelInfo["prices"]): ConditionalPrice[] {
  return Array.isArray(prices) ? prices : [{ prices }];
}

/** `provider` and `models` of a rule must match as a whole. */
export function matches(rule: Rule, provider: string, model: string): boolean {
  return new RegExp(`^(?:${rule.provider})$`).test(provider) && new RegExp(`^(?:${rule.models})$`, "i").test(model);
}

function offerOf(provider: string, info: ModelInfo, overlay: Overlay, resold?: Overlay["resold"][number]): Json {
  const model = info.id;
  const last = <R extends Rule>(rules: readonly R[]): R | undefined =>
    rules.findLast((rule) => matches(rule, provider, model));
  const name = overlay.names.find((row) => row.provider === provider && row.model === model);
  const id = name?.id ?? offerId(provider, model);
  const full = `${provider}/${model}`;
  const aliases = [...(name?.aliases ?? []), ...(full.toLowerCase() === id ? [] : [full])];
  const context = overlay.contexts.find((row) => row.provider === provider && row.model === model);
  const contextTokens = context?.contextTokens ?? info.context_window;
  const text = resold?.note ?? last(overlay.notes)?.note;
  const stale = last(overlay.stale);
  const rules = overlay.forms.filter((rule) => matches(rule, provider, model));
  const special = rules.some(({ models }) => models !== ".*");
  const residency = last(overlay.residency);
  const cache = last(overlay.promptCaches);
  const { provider: _, models: __, ...promptCache } = cache ?? { provider: "", models: "" };
  const lifecycle = lifecycleOf(provider, model, overlay);
  return {
    id,
    ...(aliases.length === 0 ? {} : { aliases }),
    model,
    ...(resold === undefined ? {} : { pricedAs: offerId(resold.from, model) }),
    ...(contextTokens === undefined ? {} : { contextTokens }),
    latencyClass: last(overlay.latencyClasses.rows)!.latencyClass,
    ...(text === undefined ? {} : { note: text }),
    ...(context === undefined && residency === undefined ? {} : { fields: fieldsOf(overlay, context, residency) }),
    prices: rowsOf(provider, info, overlay).map((row) =>
      stale === undefined ? row : { ...row, asOf: stale.asOf, unverified: stale.unverified },
    ),
    ...(residency === undefined ? {} : { residencyMultiplier: residency.residencyMultiplier }),
    ...(special ? { forms: formsOf(rules) } : {}),
    ...(cache === undefined ? {} : { promptCache }),
    ...(lifecycle === undefined ? {} : { lifecycle }),
  };
}

/** Of several rules for one form the last one holds. */
function formsOf(rules: Overlay["forms"]): Json {
  const rows = rules.map((rule) => {
    const { provider: _, models: __, form, ...facts } = rule;
    return [form, facts] as const;
  });
  return Object.fromEntries(rows);
}

/** A row's `fields` take the place of the list's, so that these are repeated. */
function fieldsOf(
  overlay: Overlay,
  context: Overlay["contexts"][number] | undefined,
  residency: Overlay["residency"][number] | undefined,
): Json {
  const { rows: _, ...latencyClass } = overlay.latencyClasses;
  return {
    latencyClass,
    ...(context === undefined ? {} : { contextTokens: originOf(context) }),
    ...(residency === undefined ? {} : { residencyMultiplier: originOf(residency) }),
  };
}

function lifecycleOf(provider: string, model: string, overlay: Overlay): Json | undefined {
  for (const { rows, provider: of, ...origin } of overlay.lifecycles) {
    const row = of === provider ? rows.find((candidate) => candidate.model === model) : undefined;
    if (row === undefined) continue;
    const { retiresOn, replacement } = row;
    return {
      retiresOn,
      ...(replacement === undefined ? {} : { replacement: offerId(provider, replacement) }),
      ...origin,
    };
  }
  return undefined;
}

function rowsOf(provider: string, { id, prices }: ModelInfo, overlay: Overlay): Json[] {
  const entries = conditional(prices);
  const correction = overlay.peakHours.find((rule) => matches(rule, provider, id));
  const dates = new Set<string | null>([null]);
  for (const { constraint } of entries) if (constraint?.type === "start_date") dates.add(constraint.start_date);
  if (correction !== undefined) for (const date of [correction.from, correction.weekdaysFrom]) dates.add(date);
  const sorted = [...dates].sort((a, b) => ((a ?? "") < (b ?? "") ? -1 : 1));
  return sorted.map((from) => {
    const holds = ({ constraint }: ConditionalPrice): boolean =>
      constraint === undefined || (constraint.type === "start_date" && from !== null && constraint.start_date <= from);
    const base = entries.findLastIndex(holds);
    const windows = entries.slice(base + 1).filter(({ constraint }) => constraint?.type === "time_of_date");
    const open = correction === undefined || (from ?? "") >= correction.from;
    const weekdays = correction !== undefined && (from ?? "") >= correction.weekdaysFrom;
    return {
      from,
      ...tiersOf(entries[base]!.prices),
      ...(windows.length === 0 || !open
        ? {}
        : { timeOfDay: windows.map((window) => ({ ...hoursOf(window, weekdays), ...tiersOf(window.prices) })) }),
      ...feesOf(entries[base]!.prices),
      ...(correction === undefined || !open ? {} : originOf(correction)),
    };
  });
}

function originOf({ source, asOf, kind }: Pick<Overlay["priceSource"], "source" | "asOf" | "kind">): Json {
  return { source, asOf, kind };
}

function hoursOf({ constraint }: ConditionalPrice, weekdays: boolean): Json {
  if (constraint?.type !== "time_of_date") throw new Error("no window of the day");
  const days = weekdays ? { days: WEEK_DAYS.slice(0, 5) } : {};
  return { fromUtc: clockOf(constraint.start_time), toUtc: clockOf(constraint.end_time), ...days };
}

/** `16:30:00Z` → `16:30`. */
function clockOf(time: string): string {
  const parts = /^(\d\d:\d\d)(:00)?Z$/.exec(time);
  if (parts === null) throw new Error(`"${time}" is no UTC time of whole minutes`);
  return parts[1]!;
}

function tiersOf(prices: ModelPrice): Json {
  const starts = new Set<number>();
  for (const source of Object.keys(CLASSES)) {
    const price = prices[source];
    if (typeof price === "object") for (const tier of price.tiers) starts.add(tier.start);
  }
  const at = (start: number): Json =>
    Object.fromEntries(
      Object.entries(CLASSES).flatMap(([source, field]) => {
        const price = prices[source];
        if (price === undefined) return [];
        const usd =
          typeof price === "number" ? price : (price.tiers.findLast((t) => t.start <= start)?.price ?? price.base);
        return [[field, usd]];
      }),
    );
  const longContext = [...starts].sort((a, b) => a - b).map((start) => ({ aboveInputTokens: start, ...at(start) }));
  return { ...at(-1), ...(longContext.length === 0 ? {} : { longContext }) };
}

/** What is not priced by the token. */
function feesOf(prices: ModelPrice): Json {
  const requests = prices["requests_kcount"];
  const others = Object.entries(prices).filter(
    ([unit, price]) => !Object.hasOwn(CLASSES, unit) && unit !== "requests_kcount" && typeof price === "number",
  );
  return {
    ...(typeof requests === "number" ? { usdPerRequest: requests / 1000 } : {}),
    ...(others.length === 0 ? {} : { otherUnits: Object.fromEntries(others) }),
  };
}
