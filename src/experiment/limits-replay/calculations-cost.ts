/**
 * What requests cost, by the price book of the simulator. A config gives prices in USD per million tokens, plain or as a
 * schedule with tiers and hours; an event the tokens, cached ones being part of the input.
 */
import { WEEK_DAYS } from "../../catalog/entries-provider.ts";
import { epochSOfIso } from "../../kernel/calendar-time.ts";
import { PriceBook } from "../../provider/price.ts";
import type { PriceRow, PriceWindow, TokenPrices } from "../../scenario/resolved.ts";
import { Fields, isRecord, Refusal, type Values } from "./fields.ts";

/** One request, and how much of the price each class of tokens makes. */
export function requestCost(config: Fields, event: Fields): Values {
  const atEpochS = epochOf(event.value("at", "time", "t_utc", "date", "arrival", "arrival_utc"), event.where) ?? 0;
  const multiplier = [
    "m_form",
    "m_residency",
    "multiplier",
    "price_multiplier",
    "form_multiplier",
    "residency_multiplier",
  ]
    .map((name) => event.numberOr(config.numberOr(1, name), name))
    .reduce((product, factor) => product * factor, 1);
  config.value("model", "provider", "currency");
  event.value("model", "case");
  const prices = schedule(config);
  if (!prices.some(({ fromEpochS }) => fromEpochS === null || fromEpochS <= atEpochS)) {
    throw new Refusal(`${event.where}: no price is in force at its time`);
  }
  // The simulation begins with the request.
  const book = new PriceBook({ name: "fixture", prices, priceMultiplier: multiplier }, atEpochS);
  const input = event.numberOr(0, "input_tokens", "input", "I", "prompt_tokens");
  const read = event.numberOr(0, "cache_read_tokens", "cached_tokens", "cache_read", "R");
  const written = event.numberOr(0, "cache_write_tokens", "cache_write", "W");
  const written1h = event.numberOr(0, "cache_write_1h_tokens", "cache_write_1h", "W1");
  const reasoning = event.numberOr(0, "thinking_tokens", "reasoning_tokens");
  const output = event.has("visible_tokens")
    ? event.number("visible_tokens") + reasoning
    : event.numberOr(0, "output_tokens", "output", "O", "produced_tokens", "completion_tokens");
  const usd = book.charge(0, input, read, written, written1h, output, reasoning);
  return {
    usd,
    cost_usd: usd,
    cost: usd,
    input_usd: book.inputUsd,
    cache_read_usd: book.readUsd,
    cache_write_usd: book.writeUsd,
    output_usd: book.outputUsd,
    usd_per_mtok_input: input > 0 ? (book.inputUsd / Math.max(1, input - read - written - written1h)) * 1e6 : 0,
  };
}

function schedule(config: Fields): PriceRow[] {
  const rows = config.value("price_schedule", "schedule");
  if (rows === undefined) return [rowOf(config, config.record("per_mtok", "prices", "price") ?? config)];
  if (!Array.isArray(rows)) throw new Refusal("config: price_schedule is no list");
  return (rows as unknown[]).map((value, i) => {
    const row = new Fields(value, `price_schedule[${i}]`);
    const prices = row.record("per_mtok", "prices");
    const read = rowOf(row, prices ?? row);
    prices?.done();
    row.done();
    return read;
  });
}

function rowOf(row: Fields, prices: Fields): PriceRow {
  const fees = row.record("other_units");
  const perThousand = fees?.numberOr(0, "requests_kcount") ?? 0;
  return {
    fromEpochS: epochOf(row.value("from"), row.where),
    ...pricesOf(prices),
    longContext: listOf(row, "long_context", (tier) => ({
      aboveInputTokens: tier.number("above_input_tokens", "above"),
      ...pricesOf(tier.record("per_mtok", "prices") ?? tier),
    })),
    windows: listOf(row, "time_of_day", (window): PriceWindow => ({
      startMinute: minuteOf(window.text("start_utc", "from_utc", "start"), window.where),
      endMinute: minuteOf(window.text("end_utc", "to_utc", "end"), window.where),
      days: daysOf(window.value("days")),
      ...pricesOf(window.record("per_mtok", "prices") ?? window),
      longContext: [],
    })),
    ...(perThousand > 0 ? { usdPerRequest: perThousand / 1000 } : {}),
  };
}

function pricesOf(fields: Fields): TokenPrices {
  const optional = (name: keyof TokenPrices, ...names: readonly string[]): Partial<TokenPrices> =>
    fields.has(...names) ? { [name]: fields.number(...names) } : {};
  return {
    inputUsdPerMTok: fields.number("input", "p_in", "in"),
    outputUsdPerMTok: fields.number("output", "p_out", "out"),
    ...optional("cacheReadUsdPerMTok", "cache_read", "p_read", "read"),
    ...optional("cacheWriteUsdPerMTok", "cache_write", "p_write", "write"),
    ...optional("cacheWrite1hUsdPerMTok", "cache_write_1h", "p_write1h", "write_1h"),
    ...optional("reasoningUsdPerMTok", "output_reasoning", "reasoning"),
  };
}

function listOf<T>(fields: Fields, name: string, read: (item: Fields) => T): T[] {
  const value = fields.value(name);
  if (value === undefined || value === null) return [];
  const items: unknown[] = Array.isArray(value) ? (value as unknown[]) : isRecord(value) ? [value] : [];
  return items.map((item, i) => read(new Fields(item, `${fields.where}.${name}[${i}]`)));
}

function epochOf(value: unknown, where: string): number | null {
  if (value === undefined || value === null) return null;
  const text = String(value)
    .replace(" ", "T")
    .replace(/(T\d\d:\d\d(:\d\d)?)$/, "$1Z");
  const epochS = epochSOfIso(text);
  if (epochS === null) throw new Refusal(`${where}: "${String(value)}" is no date`);
  return epochS;
}

function minuteOf(text: string | null, where: string): number {
  const match = /^(\d\d):(\d\d)(?::00)?Z?$/.exec(text ?? "");
  if (match === null) throw new Refusal(`${where}: "${text}" is no time of day`);
  return Number(match[1]) * 60 + Number(match[2]);
}

function daysOf(value: unknown): PriceWindow["days"] {
  if (value === undefined || value === null) return WEEK_DAYS.map((_, day) => day);
  if (!Array.isArray(value)) throw new Refusal("days are no list");
  return (value as unknown[]).map((day) =>
    typeof day === "number" ? day : WEEK_DAYS.findIndex((name) => String(day).toLowerCase().startsWith(name)),
  );
}
