/**
 * The pure calculations that fixtures name, by the functions that the simulator computes with. Each takes the fields of
 * the fixture's config and of one event, and gives every figure that it can be asked for.
 */
import { hintFor } from "../../catalog/nearest.ts";
import { GIVES_UP, retryDelayS } from "../../dispatch/client.ts";
import { retryAfterS } from "../../provider/admission.ts";
import { chargeOf } from "../../provider/limits/limit.ts";
import { ReservedSpend } from "../../provider/limits/money.ts";
import type { LimitCharge } from "../../scenario/limits.ts";
import { breakEven, provisionedBill, unitsNeeded, unitsOfTwoAxes } from "./calculations-units.ts";
import { requestCost } from "./calculations-cost.ts";
import { Fields, Refusal, type Values } from "./fields.ts";

type Calculation = (config: Fields, event: Fields) => Values;

const SUM: LimitCharge = { op: "sum", requests: 0, uncached: 1, cacheRead: 1, cacheWrite: 1, maxOutput: 0, output: 0 };

/** Input tokens a minute that a limit admits when so much of the input is read from the cache, at a weight of its own. */
function effectiveInputTpm(config: Fields, event: Fields): Values {
  const both = new Fields({ ...config.values, ...event.values }, event.where);
  const read = event.numberOr(config.numberOr(0, "cache_read_share"), "cache_read_share", "cached_share");
  const written = event.numberOr(0, "cache_write_share");
  const weights = {
    ...SUM,
    uncached: both.numberOr(1, "uncached_weight"),
    cacheRead: both.numberOr(0, "cache_read_weight"),
    cacheWrite: both.numberOr(1, "cache_write_weight"),
  };
  for (const name of ["uncached_weight", "cache_read_weight", "cache_write_weight", "limit_per_min"]) {
    config.value(name);
    event.value(name);
  }
  const perToken = chargeOf(weights, 1 - read - written, read, written, 0, 0);
  const limit = both.number("limit_per_min");
  return { effective_total_input_tpm: limit / perToken, uncached_input_tpm: (limit / perToken) * (1 - read - written) };
}

/** Requests a minute that a token limit admits for requests of one size. */
function requestsPerMin(config: Fields, event: Fields): Values {
  const both = new Fields({ ...config.values, ...event.values }, event.where);
  const input = both.numberOr(0, "input_tokens", "prompt_tokens");
  const read = both.numberOr(0, "cache_read_tokens", "cached_tokens");
  const written = both.numberOr(0, "cache_write_tokens");
  const weights = {
    ...SUM,
    cacheRead: both.numberOr(0, "cache_read_weight"),
    output: both.numberOr(1, "burndown", "output_burndown", "output_weight"),
  };
  const perRequest = chargeOf(weights, input - read - written, read, written, 0, both.numberOr(0, "output_tokens"));
  const perMin = both.number("tpm", "limit_per_min") / perRequest;
  for (const name of Object.keys(both.values)) {
    config.value(name);
    event.value(name);
  }
  both.value("type");
  both.done();
  return {
    tokens_per_request: perRequest,
    rpm: perMin,
    rpm_floor: Math.floor(perMin + 1e-9),
    requests_per_min: perMin,
  };
}

/** The SDK's wait before the next attempt. */
function sdkDelay(config: Fields, event: Fields): Values {
  const retryMs = event.value("retry_after_ms");
  const retryS = event.value("retry_after_s");
  const given = retryMs !== undefined && retryMs !== null ? event.number("retry_after_ms") / 1000 : null;
  const waitS = given ?? (retryS !== undefined && retryS !== null ? event.number("retry_after_s") : Infinity);
  const maxRetryAfterS = config.value("max_retry_after_s") === undefined ? null : config.number("max_retry_after_s");
  config.value("max_retries");
  const client = {
    name: "fixture",
    // A fixture asks for the delay of any attempt, beyond the last retry too.
    maxRetries: Infinity,
    backoffInitialS: config.numberOr(0.5, "initial_s"),
    backoffFactor: config.numberOr(2, "factor"),
    backoffMaxS: config.numberOr(8, "max_s"),
    jitterFraction: config.numberOr(0.25, "jitter"),
    honorRetryAfter: config.value("honor_retry_after") === undefined ? true : config.flag("honor_retry_after"),
    maxRetryAfterS,
  };
  const delayS = retryDelayS(client, event.number("attempt"), waitS, event.numberOr(0, "u"));
  const delayMs = delayS === GIVES_UP ? null : delayS * 1000;
  return { delay_ms: delayMs, delay_s: delayMs === null ? null : delayMs / 1000 };
}

function retryAfterHeader(_config: Fields, event: Fields): Values {
  const waitMs = event.value("wait_ms");
  if (waitMs === null) return { retry_after_s: null, retry_after_ms: null };
  const ms = event.number("wait_ms");
  return { retry_after_s: retryAfterS(ms), retry_after_ms: Math.max(1, Math.ceil(ms - 1e-9)) };
}

/** Cost of so many uses of one prompt, relative to sending it without a cache once. */
function cacheCostRatio(config: Fields, event: Fields): Values {
  const uses = event.number("uses", "n");
  const ratio = config.number("write") + (uses - 1) * config.number("read");
  return { ratio, ratio_per_use: ratio / uses, saving_fraction: 1 - ratio / uses };
}

/** Bill of one reserved minute. */
function reservedMinute(config: Fields, event: Fields): Values {
  const usdPerMin = config.number("usd_per_min", "R", "reserved_usd_per_min");
  const reserved = new ReservedSpend({ kind: "reserved_usd_per_min", usdPerMin }, 0);
  const used = event.number("usd", "used_usd", "usage_usd", "list_usd", "u", "list_cost_usd", "list_cost", "cost_usd");
  const overage = reserved.book(0, used);
  const bill = usdPerMin + overage;
  const covered = used - overage;
  return {
    covered_usd: covered,
    overage_usd: overage,
    bill_usd: bill,
    covered,
    overage,
    bill,
    billed_usd: bill,
    usd: bill,
    reserved_usd: usdPerMin,
  };
}

/** max_tokens that clients send where nobody says: four times the output, at least 1,024. */
function defaultMaxTokens(config: Fields, event: Fields): Values {
  const factor = config.numberOr(4, "factor");
  return { max_tokens: Math.max(factor * event.number("output_tokens"), config.numberOr(1024, "min", "min_tokens")) };
}

/** Each by the names that fixtures have or may have for it. */
const NAMED: readonly (readonly [Calculation, string])[] = [
  [effectiveInputTpm, "effective_input_tpm effective_total_input_tpm"],
  [requestsPerMin, "requests_per_min effective_rpm burndown_rpm max_rpm steady_state_rpm"],
  [sdkDelay, "sdk_delay_ms sdk_delay sdk_backoff backoff_ms retry_delay_ms"],
  [retryAfterHeader, "retry_after retry_after_header retry_after_s"],
  [cacheCostRatio, "cache_cost_ratio cache_ratio relative_input_cost"],
  [
    reservedMinute,
    "reserved_minute_bill reserved_minute reserved_bill reserved_usd_per_min reserved_spend reserved_cost",
  ],
  [unitsNeeded, "units_needed units ptu_units gsu_units provisioned_units"],
  [unitsOfTwoAxes, "xai_units units_two_axes two_axis_units"],
  [provisionedBill, "provisioned_bill provisioned_cost unit_bill"],
  [breakEven, "break_even break_even_utilization breakeven_utilization"],
  [defaultMaxTokens, "default_max_tokens max_tokens_default"],
  [
    requestCost,
    "request_cost request_cost_usd request_usd request_price token_cost token_cost_usd cost cost_usd price billing",
  ],
];
const CALCULATIONS: ReadonlyMap<string, Calculation> = new Map(
  NAMED.flatMap(([calculation, names]) => names.split(" ").map((name) => [name, calculation] as const)),
);

/** @throws Refusal for a calculation or a field that is not known */
export function calculate(name: string, config: Values, event: Values, where: string): Values {
  const known = CALCULATIONS.get(name);
  if (known === undefined) {
    const names = [...CALCULATIONS.keys()];
    throw new Refusal(`unknown calculation "${name}" (${hintFor(name, names) ?? names.join(", ")})`);
  }
  const fields = new Fields(event, where);
  const type = fields.text("type");
  if (type !== null && type !== "calc") throw new Refusal(`${where}: unknown type of event "${type}" in a calculation`);
  const settings = new Fields(config, "config");
  const figures = known(settings, fields);
  settings.done();
  fields.done();
  return figures;
}
