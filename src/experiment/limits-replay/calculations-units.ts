/** Calculations about provisioned units: how many a demand needs, what they cost, when they pay. */
import { formCharges } from "../../provider/forms/charges.ts";
import { unitsInSteps, weightedTokensPerMin } from "../../provider/forms/units.ts";
import type { TermPrice } from "../../scenario/forms.ts";
import { Fields, Refusal, type Values } from "./fields.ts";

/** Units of provisioned throughput for a demand, in the steps in which they are sold. */
export function unitsNeeded(config: Fields, event: Fields): Values {
  const demand = {
    requestsPerMin: event.number("rpm", "rpm_peak", "requests_per_min"),
    inputTokens: event.number("input_tokens"),
    outputTokens: event.number("output_tokens"),
    cachedFraction: event.numberOr(0, "cached_share", "cached_fraction"),
  };
  const weights = {
    uncachedWeight: 1,
    cachedWeight: config.numberOr(0, "cached_input_weight", "cache_read_weight"),
    outputWeight: config.number("output_ratio"),
  };
  const perUnit = config.has("input_tpm_per_unit", "tpm_per_unit")
    ? config.number("input_tpm_per_unit", "tpm_per_unit")
    : config.number("tokens_per_sec_per_unit") * 60;
  const raw = weightedTokensPerMin(demand, weights) / perUnit;
  const steps = {
    minUnits: config.numberOr(1, "min_units", "min"),
    increment: config.numberOr(1, "increment", "step"),
  };
  return { units_raw: raw, raw, units: unitsInSteps(raw, steps) };
}

/** Units that are sized for input and output apart. */
export function unitsOfTwoAxes(config: Fields, event: Fields): Values {
  const whole = { minUnits: 0, increment: 1 };
  const input = unitsInSteps(event.number("input_tpm") / config.number("input_tpm_per_unit"), whole);
  const output = unitsInSteps(event.number("output_tpm") / config.number("output_tpm_per_unit"), whole);
  const day = config.numberOr(NaN, "usd_per_unit_day");
  const units = input + output;
  return { units_input: input, units_output: output, units, ...(Number.isNaN(day) ? {} : { usd_day: units * day }) };
}

const TERM_MONTHS: Readonly<Record<string, number>> = { "1mo": 1, "3mo": 3, "6mo": 6, "1y": 12, "1yr": 12, "3y": 36 };

/** Bill of provisioned units: by the hour, prorated by the minute, or the share of a term. */
export function provisionedBill(config: Fields, event: Fields): Values {
  const monthH = config.numberOr(730, "hours_per_month");
  for (const name of Object.keys(config.values)) if (name.startsWith("usd_per_unit_")) config.value(name);
  const hours =
    event.numberOr(0, "minutes") / 60 +
    event.numberOr(0, "hours") +
    event.numberOr(0, "days") * 24 +
    event.numberOr(0, "month", "months") * monthH;
  if (event.has("deployed_units")) {
    const over = Math.max(0, event.number("deployed_units") - event.number("reserved_units"));
    const usd = hours > 0 ? { usd: billed(over, termPrice(config, "hourly", monthH, event.where), hours) } : {};
    return { overage_units_billed_hourly: over, ...usd };
  }
  const price = termPrice(config, event.text("term") ?? "hourly", monthH, event.where);
  return { usd: billed(event.number("units"), price, hours) };
}

/** Spread over the hours that were paid for. */
function billed(units: number, price: TermPrice, hours: number): number {
  const reserved = price.termH > 0;
  const form = {
    kind: "provisioned" as const,
    plan: "fixture",
    units,
    reservedUnits: reserved ? units : 0,
    throughputs: [
      { name: "tokens", units, tokensPerMinPerUnit: 1, uncachedWeight: 1, cachedWeight: 1, outputWeight: 1 },
    ],
    reserved: reserved ? price : null,
    hourly: reserved ? null : price,
    acquisition: { successProbability: 1, leadTimeH: 0 },
  };
  const unused = { inputTokens: 0, cachedTokens: 0, writtenTokens: 0, outputTokens: 0, usageUsd: 0 };
  const { charges } = formCharges(form, { fromS: 0, toS: hours * 3600, ...unused }, 0);
  return charges.reduce((sum, { usd }) => sum + usd, 0);
}

function termPrice(config: Fields, term: string, monthH: number, where: string): TermPrice {
  if (term === "hourly") {
    const usdPerUnit = config.number("usd_per_unit_h", "usd_per_unit_hour");
    return { name: term, termH: 0, paidEveryH: 0, usdPerUnit };
  }
  const months = TERM_MONTHS[term];
  if (months === undefined) throw new Refusal(`${where}: unknown term "${term}"`);
  const termH = months * monthH;
  const ways = [
    { name: `usd_per_unit_day_${term}`, paidEveryH: 24, factor: 1 },
    { name: `usd_per_unit_month_${term}`, paidEveryH: monthH, factor: 1 },
    { name: `usd_per_unit_year_${term}`, paidEveryH: 12 * monthH, factor: 1 },
    { name: `usd_per_unit_${term}`, paidEveryH: termH, factor: 1 },
    { name: `usd_per_unit_h_${term}`, paidEveryH: monthH, factor: monthH },
  ];
  const way = ways.find(({ name }) => config.has(name));
  if (way === undefined) throw new Refusal(`config has no price of a unit for ${term}`);
  return { name: term, termH, paidEveryH: way.paidEveryH, usdPerUnit: way.factor * config.number(way.name) };
}

/** Of units that are paid used or not, the mean use above which they cost less than pay-as-you-go. */
export function breakEven(config: Fields, event: Fields): Values {
  const both = new Fields({ ...config.values, ...event.values }, event.where);
  const value = both.has("value_usd", "v_usd", "V")
    ? both.number("value_usd", "v_usd", "V")
    : (both.number("input_tpm_per_unit", "input_tpm") *
        both.numberOr(730, "hours_per_month") *
        60 *
        both.number("input_usd_per_mtok", "p_in")) /
      1e6;
  const cached = both.numberOr(0, "cached_share", "c");
  const perInput = both.has("output_per_input", "o")
    ? both.number("output_per_input", "o")
    : both.numberOr(0, "output_tokens") / both.numberOr(1, "input_tokens");
  const ratio = both.numberOr(1, "output_ratio", "r");
  const request = { requestsPerMin: 1, inputTokens: 1, outputTokens: perInput, cachedFraction: cached };
  const weigh = (cachedWeight: number): number =>
    weightedTokensPerMin(request, { uncachedWeight: 1, cachedWeight, outputWeight: ratio });
  const unitShare = weigh(both.numberOr(0, "cached_input_weight", "q"));
  const listShare = weigh(both.numberOr(0.1, "cache_read_multiplier", "k"));
  const s = unitShare / listShare;
  const price = both.numberOr(NaN, "price_per_unit_month", "usd_per_unit_month");
  both.value("type");
  both.done();
  for (const name of Object.keys(both.values)) {
    config.value(name);
    event.value(name);
  }
  const utilization = (price / value) * s;
  return {
    value_usd: value,
    s,
    ...(Number.isNaN(price) ? {} : { break_even_utilization: utilization, u_star: utilization }),
  };
}
