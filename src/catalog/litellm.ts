/**
 * Reads the price file of LiteLLM (`model_prices_and_context_window.json`), which many hands edit: each entry is accepted, with
 * or without a warning, skipped because it is no price of text tokens, refused because it can't be one, or held back. Prices here
 * in USD per million tokens with eight digits; the file has USD per token.
 *   S1 reserved key or no object         R1 no price, or one beyond 300 in or 1,000 out (slips of units)
 *   S2 no chat, completion, embedding    R2 costs nothing
 *   S3 no token price                    R3 a form that can't be: its prices are dropped
 *   W1 output / input outside 0.5 to 20  W2 a cache write of 0: no surcharge     W3 deprecated
 *   H1 more than 4 times, or less than 0.08 times, what it cost in the previous file
 */

export type LitellmRule = "S1" | "S2" | "S3" | "R1" | "R2" | "R3" | "W1" | "W2" | "W3" | "H1";

export interface LitellmPrices {
  readonly input: number;
  readonly output: number;
  readonly cache_read?: number;
  readonly cache_write?: number;
  readonly cache_write_1h?: number;
  readonly output_reasoning?: number;
}

interface Judged {
  readonly key: string;
  readonly rules: readonly LitellmRule[];
  /** A sentence for each rule. */
  readonly reasons: readonly string[];
}

export interface LitellmRow extends Judged {
  readonly action: "accept" | "accept-with-warning" | "confirm";
  readonly provider: string;
  readonly mode: string;
  readonly per_mtok: LitellmPrices;
  readonly long_context: readonly {
    readonly above_input_tokens: number;
    readonly per_mtok: Partial<LitellmPrices>;
  }[];
  readonly service_tiers: Readonly<Partial<Record<LitellmForm, Readonly<Record<string, number>>>>>;
  readonly region_multipliers?: Readonly<Record<string, number>>;
  readonly fast_multiplier?: number;
  readonly context_tokens?: number;
  readonly deprecated_on?: string;
}

export type LitellmForm = "batch" | "flex" | "priority";
export type LitellmResult = LitellmRow | (Judged & { readonly action: "skip" | "reject" });

export interface LitellmOptions {
  /** Day of the file. */
  readonly asOf: string;
  /** An older file, for H1; null = none. */
  readonly previous: unknown;
  /** Models that cost nothing are taken. */
  readonly allowFree: boolean;
}

const RESERVED: ReadonlySet<string> = new Set(["sample_spec", "fallback_generalizations", "last_updated"]);
const MODES: ReadonlySet<string> = new Set(["chat", "completion", "responses", "embedding"]);
const MOST_INPUT = 300;
const MOST_OUTPUT = 1000;
const RATIO = { least: 0.5, most: 20 };
const JUMP = { least: 0.08, most: 4 };

/** Suffix in the file, and between which multiples of the list price a form can be. */
const FORMS = {
  batch: { suffix: "_batches", above: 0, most: 1 },
  flex: { suffix: "_flex", above: 0, most: 1 },
  priority: { suffix: "_priority", above: 1, most: 4 },
} as const;

/** Our class of tokens for each field of the file. */
const CLASSES = {
  input: "input_cost_per_token",
  output: "output_cost_per_token",
  cache_read: "cache_read_input_token_cost",
  cache_write: "cache_creation_input_token_cost",
  cache_write_1h: "cache_creation_input_token_cost_above_1hr",
  output_reasoning: "output_cost_per_reasoning_token",
} as const;
type Class = keyof typeof CLASSES;

type Entry = Readonly<Record<string, unknown>>;

/** What each key of the file comes to, in its order. */
export function readLitellm(file: Entry, options: LitellmOptions): LitellmResult[] {
  return Object.entries(file).map(([key, value]) => judged(key, value, options));
}

function judged(key: string, value: unknown, { asOf, previous, allowFree }: LitellmOptions): LitellmResult {
  const skip = (rule: LitellmRule, reason: string): LitellmResult => ({
    key,
    action: "skip",
    rules: [rule],
    reasons: [reason],
  });
  const reject = (rule: LitellmRule, reason: string): LitellmResult => ({
    key,
    action: "reject",
    rules: [rule],
    reasons: [reason],
  });
  if (RESERVED.has(key)) return skip("S1", "is no model");
  const entry = asEntry(value);
  if (entry === null) return skip("S1", "is no object");
  const mode = String(entry["mode"]);
  if (!MODES.has(mode)) return skip("S2", `mode ${mode} is not priced by text tokens`);
  const prices = basePrices(entry);
  if (prices === null) return skip("S3", "has no price of tokens");
  const { input, output } = prices;
  if (!(input >= 0 && input <= MOST_INPUT && output >= 0 && output <= MOST_OUTPUT))
    return reject("R1", `${input} in and ${output} out USD per million tokens: a slip of the unit`);
  if (input === 0 && output === 0 && !allowFree) return reject("R2", "costs nothing (--allow-free takes it)");

  const found: [LitellmRule, string][] = [];
  const forms = formsOf(entry, prices, (form, reason) => found.push(["R3", `${form} is dropped: ${reason}`]));
  if (mode !== "embedding" && !(output >= RATIO.least * input && output <= RATIO.most * input))
    found.push(["W1", `output costs ${significant(output / input)} times the input`]);
  if (entry[CLASSES.cache_write] === 0) found.push(["W2", "a cache write of 0 is taken as no surcharge"]);
  const deprecatedOn = entry["deprecation_date"];
  if (typeof deprecatedOn === "string" && deprecatedOn < asOf) found.push(["W3", `deprecated on ${deprecatedOn}`]);
  const jump = jumpSince(asEntry(asEntry(previous)?.[key]), prices);
  if (jump !== null) found.push(["H1", `${jump} (--confirm takes it)`]);

  const regions = regionsOf(entry);
  const fast = asEntry(entry["provider_specific_entry"])?.["fast"];
  const context = entry["max_input_tokens"];
  return {
    key,
    action: jump !== null ? "confirm" : found.length > 0 ? "accept-with-warning" : "accept",
    rules: [...new Set(found.map(([rule]) => rule))],
    reasons: found.map(([, reason]) => reason),
    provider: String(entry["litellm_provider"]),
    mode,
    per_mtok: prices,
    long_context: tiersOf(entry),
    service_tiers: forms,
    ...(Object.keys(regions).length === 0 ? {} : { region_multipliers: regions }),
    ...(typeof fast === "number" ? { fast_multiplier: fast } : {}),
    ...(typeof context === "number" ? { context_tokens: context } : {}),
    ...(typeof deprecatedOn === "string" ? { deprecated_on: deprecatedOn } : {}),
  };
}

function asEntry(value: unknown): Entry | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Entry) : null;
}

/** Eight digits, as the file's own numbers carry noise of their units. */
function significant(value: number): number {
  return Number(value.toPrecision(8));
}

/** Prices of an entry, or of a tier of one; cache writes of 0 are none. */
function pricesOf(entry: Entry, suffix = ""): Partial<LitellmPrices> {
  const found = (Object.keys(CLASSES) as Class[]).flatMap((name): [Class, number][] => {
    const usd = entry[CLASSES[name] + suffix];
    if (typeof usd !== "number" || (usd === 0 && name.startsWith("cache_write"))) return [];
    return [[name, significant(usd * 1e6)]];
  });
  return Object.fromEntries(found);
}

function ranges(entry: Entry): { readonly from: number; readonly prices: Partial<LitellmPrices> }[] {
  const list = entry["tiered_pricing"];
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: unknown) => {
    const tier = asEntry(item);
    const range = tier?.["range"];
    if (tier === null || !Array.isArray(range) || typeof range[0] !== "number") return [];
    return [{ from: range[0], prices: pricesOf(tier) }];
  });
}

/** Null where nothing is priced by the token. */
function basePrices(entry: Entry): LitellmPrices | null {
  const first = ranges(entry).find(({ from }) => from === 0);
  const prices = { ...first?.prices, ...pricesOf(entry) };
  if (prices.input === undefined && prices.output === undefined) return null;
  return { ...prices, input: prices.input ?? 0, output: prices.output ?? 0 };
}

function tiersOf(entry: Entry): LitellmRow["long_context"] {
  const thresholds = Object.keys(entry).flatMap((field) => {
    const found = /_above_(\d+)k_tokens$/.exec(field);
    return found === null ? [] : [Number(found[1])];
  });
  const named = [...new Set(thresholds)].map((kTokens) => ({
    above_input_tokens: kTokens * 1000,
    per_mtok: pricesOf(entry, `_above_${kTokens}k_tokens`),
  }));
  const listed = ranges(entry)
    .filter(({ from }) => from > 0)
    .map(({ from, prices }) => ({ above_input_tokens: from, per_mtok: prices }));
  return [...named, ...listed]
    .filter(({ per_mtok }) => Object.keys(per_mtok).length > 0)
    .sort((a, b) => a.above_input_tokens - b.above_input_tokens);
}

function formsOf(
  entry: Entry,
  base: LitellmPrices,
  drop: (form: LitellmForm, reason: string) => void,
): LitellmRow["service_tiers"] {
  const kept: Partial<Record<LitellmForm, Readonly<Record<string, number>>>> = {};
  for (const [form, { suffix, above, most }] of Object.entries(FORMS) as [LitellmForm, (typeof FORMS)[LitellmForm]][]) {
    const { input, output } = pricesOf(entry, suffix);
    const prices = { ...(input === undefined ? {} : { input }), ...(output === undefined ? {} : { output }) };
    const priced = Object.entries(prices) as ["input" | "output", number][];
    if (priced.length === 0) continue;
    const ratios = priced.filter(([name]) => base[name] > 0).map(([name, usd]) => usd / base[name]);
    const odd = ratios.find((ratio) => !(ratio > above && ratio <= most));
    if (odd !== undefined) drop(form, `${significant(odd)} times the list price is outside (${above}, ${most}]`);
    else kept[form] = prices;
  }
  return kept;
}

function regionsOf(entry: Entry): Record<string, number> {
  const own = asEntry(entry["provider_specific_entry"]);
  const found = ["us", "eu"].flatMap((region): [string, number][] => {
    const uplift = entry[`regional_processing_uplift_multiplier_${region}`] ?? own?.[region];
    return typeof uplift === "number" ? [[region, uplift]] : [];
  });
  return Object.fromEntries(found);
}

function jumpSince(before: Entry | null, now: LitellmPrices): string | null {
  const old = before === null ? null : basePrices(before);
  if (old === null) return null;
  for (const name of ["input", "output"] as const) {
    if (old[name] === 0) continue;
    const ratio = now[name] / old[name];
    if (ratio > JUMP.most || ratio < JUMP.least) return `${name} went from ${old[name]} to ${now[name]}`;
  }
  return null;
}
