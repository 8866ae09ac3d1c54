/** The limits that a commercial form brings: provisioned units, the queue of batch jobs, and limits that a form scales. */
import type { CatalogEntry } from "../catalog/schema.ts";
import type { UnitThroughput } from "../scenario/forms.ts";
import { NO_CHARGE, type LimitKindSpec, type LimitSpec } from "../scenario/limits.ts";

/** Units as a limit: charged on arrival for the output that may come, settled to what came. */
export function unitLimit(plan: CatalogEntry<"provisioned">, part: UnitThroughput): LimitSpec {
  const { uncachedWeight, cachedWeight, outputWeight } = part;
  const input = { ...NO_CHARGE, uncached: uncachedWeight, cacheRead: cachedWeight, cacheWrite: uncachedWeight };
  const settle = { ...input, output: outputWeight };
  return {
    name: part.name === "tokens" ? "units" : `${part.name}-units`,
    ...unitKind(plan, part),
    reserve: plan.reserves === "maxOutput" ? { ...input, maxOutput: outputWeight } : settle,
    settle,
    failedCounts: false,
  };
}

function unitKind(plan: CatalogEntry<"provisioned">, { units, tokensPerMinPerUnit }: UnitThroughput): LimitKindSpec {
  const { limit } = plan;
  if (limit.limitKind === "leaky_utilization")
    return { kind: "leaky_utilization", units, inputTpmPerUnit: tokensPerMinPerUnit, depthS: limit.depthS };
  return {
    kind: "fixed_window",
    limit: (units * tokensPerMinPerUnit * limit.windowS) / 60,
    windowS: limit.windowS,
    offsetS: 0,
    zone: null,
    admitWhen: "fits",
  };
}

/** So many input tokens or requests may wait or run at once. */
export function queueLimit(limit: number, counts: "input" | "requests"): LimitSpec {
  const reserve =
    counts === "requests" ? { ...NO_CHARGE, requests: 1 } : { ...NO_CHARGE, uncached: 1, cacheRead: 1, cacheWrite: 1 };
  return { name: "batch-queue", kind: "queue", limit, reserve, settle: null, failedCounts: false };
}

/** Input may grow so fast; what comes on top is served as standard. */
export function rampLimit(ramp: NonNullable<Extract<CatalogEntry<"forms">, { form: "priority" }>["ramp"]>): LimitSpec {
  const { inputTokensPerMin, growth, lookBackS } = ramp;
  const reserve = { ...NO_CHARGE, uncached: 1, cacheRead: 1, cacheWrite: 1 };
  const kind = { kind: "ramp", thresholdPerMin: inputTokensPerMin, growth, lookBackS } as const;
  return { name: "ramp", ...kind, reserve, settle: null, failedCounts: false };
}

/** The same limit with more or less room. */
export function scaledLimit(limit: LimitSpec, factor: number): LimitSpec {
  switch (limit.kind) {
    case "token_bucket":
    case "debt_bucket":
      return { ...limit, limitPerMin: limit.limitPerMin * factor };
    case "adaptive": {
      const { startPerMin, minPerMin, maxPerMin } = limit;
      return {
        ...limit,
        startPerMin: startPerMin * factor,
        minPerMin: minPerMin * factor,
        maxPerMin: maxPerMin * factor,
      };
    }
    case "leaky_utilization":
      return { ...limit, units: limit.units * factor };
    case "fixed_window":
    case "concurrency":
    case "queue":
    case "soft_threshold":
      return { ...limit, limit: limit.limit * factor };
    case "ramp":
      return { ...limit, thresholdPerMin: limit.thresholdPerMin * factor };
    case "reserved_usd_per_min":
      return { ...limit, usdPerMin: limit.usdPerMin * factor };
    case "spend_cap":
      return { ...limit, usd: limit.usd * factor };
  }
}
