/** From the rule of a limit and the figure of a tier to the limit as the simulator wants it. */
import type { LimitKindSpec, LimitSpec } from "../scenario/limits.ts";
import type { LimitRuleEntry } from "./entries-limits.ts";

/** The limit `name` with so much of it. */
export function limitSpecOf(name: string, rule: LimitRuleEntry, figure: number): LimitSpec {
  const { reserve, settle, failedCounts, scope } = rule;
  const charged = { name, reserve, settle, failedCounts, ...(scope === undefined ? {} : { scope }) };
  return { ...kindSpecOf(rule, figure), ...charged };
}

function kindSpecOf(rule: LimitRuleEntry, figure: number): LimitKindSpec {
  const kind = rule.limitKind;
  switch (kind) {
    case "token_bucket":
    case "debt_bucket":
      return { kind, limitPerMin: (figure * 60) / rule.windowS, burstS: rule.burstS };
    case "fixed_window": {
      const { windowS, checkedS = windowS, offsetS, zone, admitWhen } = rule;
      return { kind, limit: (figure * checkedS) / windowS, windowS: checkedS, offsetS, zone, admitWhen };
    }
    case "leaky_utilization":
      return { kind, units: figure, inputTpmPerUnit: rule.inputTpmPerUnit, depthS: rule.depthS };
    case "concurrency":
    case "queue":
      return { kind, limit: figure };
    case "adaptive": {
      const startPerMin = (figure * 60) / rule.windowS;
      const minPerMin = startPerMin * rule.minMultiple;
      return { kind, startPerMin, minPerMin, maxPerMin: startPerMin * rule.maxMultiple, burstS: rule.burstS };
    }
    case "reserved_usd_per_min":
      return { kind, usdPerMin: figure };
    case "spend_cap":
      return { kind, usd: figure, period: rule.period };
    case "ramp":
      return { kind, thresholdPerMin: figure, growth: rule.growth, lookBackS: rule.lookBackS };
    case "soft_threshold":
      return { kind, limit: figure, period: rule.period, latencyFactor: rule.latencyFactor };
  }
}
