/** Limits as fixtures write them (snake case, milliseconds) into those of the simulator. */
import { clockOf } from "../../kernel/time-zone.ts";
import { chargeOf } from "../../provider/limits/limit.ts";
import { LIMIT_KINDS } from "../../provider/limits/registry.ts";
import {
  NO_CHARGE,
  type LimitCharge,
  type LimitKindSpec,
  type LimitPeriod,
  type LimitSpec,
} from "../../scenario/limits.ts";
import { Fields, isRecord, Refusal } from "./fields.ts";

/** What a request costs by the tokens it states, where a fixture gives weights instead of charges. */
export interface Weights {
  readonly charge: LimitCharge;
  /** max_tokens counts once for each of so many answers. */
  readonly timesBestOf: boolean;
}

export interface ReplayLimit {
  readonly spec: LimitSpec;
  /** It counts requests, which stay charged when the provider is overloaded. */
  readonly ofRequests: boolean;
  readonly reserve: Weights | null;
  readonly settle: Weights | null;
  /** The end of a request needs to say what was used. */
  readonly mustSettle: boolean;
  /** Level or count at the start; null = as if unused. */
  readonly initial: number | null;
}

export function readLimit(value: unknown, where: string, initialOf: (id: string) => unknown): ReplayLimit {
  const fields = new Fields(value, where);
  const id = fields.text("id");
  if (id === null) throw new Refusal(`${where} needs an id`);
  const kind = fields.text("kind");
  const known = LIMIT_KINDS.find((name) => name === kind);
  if (known === undefined) {
    throw new Refusal(`${where}: unknown kind of limit "${String(kind)}" (${LIMIT_KINDS.join(", ")})`);
  }
  const kindSpec = kindOf(known, fields);
  const metric = fields.text("metric");
  const ofRequests = metric === null ? /^r(p[smhd]|eq|ate)|request/i.test(id) : /request/.test(metric);
  const rule = fields.oneOf(["none", "on_finish", "finish", "same_window"], "settle");
  const reserve = weightsOf(fields.record("charge", "reserve"));
  const settle = weightsOf(fields.record("settle_charge", "settle_charges"));
  // Windows keep what they have unless they are told; buckets take what a fixture says about the end.
  const settles = rule === null ? kindSpec.kind !== "fixed_window" || settle !== null : rule !== "none";
  const failedCounts = fields.flag("failed_counts", "failed_requests_count");
  fields.value("scope");
  const initial = initialOf(id) ?? fields.value("initial", "initial_level", "initial_count");
  fields.done();
  return {
    spec: {
      ...kindSpec,
      name: id,
      reserve: { ...NO_CHARGE, requests: ofRequests ? 1 : 0 },
      settle: settles ? NO_CHARGE : null,
      failedCounts,
    },
    ofRequests,
    reserve,
    settle,
    mustSettle: rule !== null && rule !== "none",
    initial: initialNumber(initial, kindSpec, where),
  };
}

function initialNumber(value: unknown, spec: LimitKindSpec, where: string): number | null {
  if (value === undefined || value === null) return null;
  if (typeof value === "number") return value;
  if (!isRecord(value)) throw new Refusal(`${where}: initial is no number`);
  const fields = new Fields(value, `${where}.initial`);
  const utilization = fields.value("utilization");
  const direct = fields.value("level", "count", "used", "queued", "in_flight", "spent_usd", "usd");
  fields.done();
  if (typeof direct === "number") return direct;
  if (typeof utilization !== "number") throw new Refusal(`${where}: initial is no number`);
  if (spec.kind === "leaky_utilization") {
    return (utilization * spec.units * spec.inputTpmPerUnit * spec.depthS) / 60;
  }
  throw new Refusal(`${where}: a ${spec.kind} has no utilization to begin with`);
}

function kindOf(kind: LimitKindSpec["kind"], fields: Fields): LimitKindSpec {
  switch (kind) {
    case "token_bucket":
    case "debt_bucket":
      return { kind, limitPerMin: fields.number("limit_per_min"), burstS: fields.numberOr(60, "burst_s", "depth_s") };
    case "fixed_window": {
      const windowS = fields.has("window_s") ? fields.number("window_s") : fields.number("window_ms") / 1000;
      const limit = fields.has("limit") ? fields.number("limit") : (fields.number("limit_per_min") * windowS) / 60;
      const admitWhen = fields.oneOf(["below_limit", "fits"], "admit_when") ?? "fits";
      const offsetS = fields.numberOr(0, "offset_ms") / 1000;
      return { kind, limit, windowS, offsetS, zone: zoneOf(fields), admitWhen };
    }
    case "leaky_utilization":
      return {
        kind,
        units: fields.number("units"),
        inputTpmPerUnit: fields.number("input_tpm_per_unit"),
        depthS: fields.numberOr(60, "depth_s", "burst_s"),
      };
    case "concurrency":
    case "queue":
      return { kind, limit: fields.number("limit") };
    case "adaptive": {
      const startPerMin = fields.number("start", "start_per_min", "limit_per_min");
      return {
        kind,
        startPerMin,
        minPerMin: fields.numberOr(0, "min", "min_per_min"),
        maxPerMin: fields.numberOr(Infinity, "max", "max_per_min"),
        burstS: fields.numberOr(60, "burst_s", "depth_s"),
      };
    }
    case "reserved_usd_per_min":
      return { kind, usdPerMin: fields.number("usd_per_min", "R", "reserved_usd_per_min", "usd", "limit") };
    case "spend_cap":
      return { kind, usd: fields.number("usd", "limit", "limit_usd"), period: periodOf(fields, "month") };
    case "ramp":
      return {
        kind,
        thresholdPerMin: fields.number("threshold", "threshold_per_min", "threshold_tpm"),
        growth: fields.numberOr(1.5, "growth"),
        lookBackS:
          fields.numberOr(0, "look_back_s", "window_s") ||
          fields.numberOr(0, "window_min", "minutes", "look_back_min") * 60 ||
          fields.numberOr(900_000, "window_ms", "look_back_ms") / 1000,
      };
    case "soft_threshold":
      return softThreshold(fields);
  }
}

function softThreshold(fields: Fields): LimitKindSpec {
  const kind = "soft_threshold";
  const latencyFactor = fields.numberOr(2, "latency_multiplier", "latency_multiplier_above", "latency_factor");
  if (fields.has("tokens_per_month")) {
    return { kind, limit: fields.number("tokens_per_month"), period: "month", latencyFactor };
  }
  if (fields.has("tokens_per_min", "tokens_per_minute", "limit_per_min", "tpm")) {
    const limit = fields.number("tokens_per_min", "tokens_per_minute", "limit_per_min", "tpm");
    return { kind, limit, period: { windowS: 60 }, latencyFactor };
  }
  return { kind, limit: fields.number("limit", "threshold"), period: periodOf(fields, "month"), latencyFactor };
}

function zoneOf(fields: Fields): string | null {
  const zone = fields.text("time_zone", "timezone", "zone", "tz");
  if (zone !== null && clockOf(zone, 0, 1) === null) throw new Refusal(`${fields.where}: unknown time zone "${zone}"`);
  return zone;
}

const PERIOD_S: Readonly<Record<string, number>> = {
  minute: 60,
  min: 60,
  hour: 3600,
  h: 3600,
  day: 86_400,
  s: 1,
  week: 604_800,
};

/** `month`, `day`, `10min`, `10 minutes`, milliseconds, or `window_ms` beside it. */
function periodOf(fields: Fields, otherwise: LimitPeriod): LimitPeriod {
  if (fields.has("window_ms", "period_ms")) return { windowS: fields.number("window_ms", "period_ms") / 1000 };
  if (fields.has("window_s", "period_s")) return { windowS: fields.number("window_s", "period_s") };
  const value = fields.value("period");
  if (value === undefined) return otherwise;
  if (typeof value === "number") return { windowS: value / 1000 };
  const adverbs: Readonly<Record<string, string>> = { monthly: "month", weekly: "week", daily: "day", hourly: "hour" };
  const match = /^(?:calendar[ _])?(\d+)? ?(month|minute|min|hour|h|day|week|s)s?$/.exec(
    adverbs[String(value)] ?? String(value),
  );
  if (match === null || (match[2] === "month" && (match[1] ?? "1") !== "1")) {
    throw new Refusal(`${fields.where}: unknown period ${JSON.stringify(value)}`);
  }
  return match[2] === "month" ? "month" : { windowS: Number(match[1] ?? 1) * PERIOD_S[match[2]!]! };
}

function weightsOf(fields: Fields | null): Weights | null {
  if (fields === null) return null;
  const op = fields.oneOf(["sum", "max"], "op") ?? "sum";
  const input = fields.numberOr(0, "input", "prompt");
  const times = fields.oneOf(["best_of", "n"], "times");
  const charge: LimitCharge = {
    op,
    requests: fields.numberOr(0, "requests"),
    uncached: fields.numberOr(input, "uncached"),
    cacheRead: fields.numberOr(input, "cache_read", "cached"),
    cacheWrite: fields.numberOr(input, "cache_write"),
    maxOutput: fields.numberOr(0, "max_tokens", "max_output"),
    output: fields.numberOr(0, "output"),
  };
  fields.done();
  return { charge, timesBestOf: times !== null };
}

/** What a request or its usage costs by these weights; `characters` of a prompt count as tokens by the fixture's ratio. */
export function weigh({ charge, timesBestOf }: Weights, tokens: Fields, charsPerToken: number): number {
  const read = tokens.numberOr(0, "cache_read_tokens", "cached_tokens", "cache_read", "cached");
  const written = tokens.numberOr(0, "cache_write_tokens", "cache_write", "cache_creation_tokens");
  const input = tokens.has("prompt_chars")
    ? tokens.number("prompt_chars") / charsPerToken
    : tokens.numberOr(0, "prompt_tokens", "input_tokens", "prompt", "input");
  const uncached = tokens.numberOr(input - read - written, "uncached_tokens", "uncached");
  const answers = timesBestOf ? tokens.numberOr(1, "best_of", "n") : 1;
  const maxTokens = tokens.numberOr(0, "max_tokens", "max_output_tokens", "max_completion_tokens") * answers;
  const output = tokens.numberOr(0, "output_tokens", "completion_tokens", "output");
  return chargeOf(charge, uncached, read, written, maxTokens, output);
}
