/** What came out next to what was expected, field by field. */
import { hintFor } from "../../catalog/nearest.ts";
import { isRecord, Refusal, type Values } from "./fields.ts";

/** Other names under which fixtures may expect the same. */
const ALIASES: Readonly<Record<string, string>> = {
  level: "level_after",
  levels: "level_after",
  count: "count_after",
  counts: "count_after",
  queued: "count_after",
  queued_after: "count_after",
  in_flight: "count_after",
  in_flight_after: "count_after",
  spent_after: "count_after",
  spent_usd_after: "count_after",
  used_after: "count_after",
  utilization: "utilization_after",
  limit_per_min_after: "limit_after",
  limit_after_per_min: "limit_after",
  limit_per_min: "limit_after",
  spillover: "spilled",
  spill: "spilled",
  spills: "spilled",
  spilled_to: "served_by",
  to_offer: "served_by",
  offer: "served_by",
  limited_by: "refused_by",
  limit_id: "refused_by",
  binding_limit: "refused_by",
  latency_factor: "latency_multiplier",
  service_tier: "served_as",
  tier: "served_as",
  form: "served_as",
  limit: "limit_after",
  utilization_pct: "utilization_percent",
  utilization_pct_after: "utilization_percent",
  utilization_percent_after: "utilization_percent",
  covered: "covered_usd",
  overage: "overage_usd",
  billed_usd: "bill_usd",
  bill: "bill_usd",
  minute_bill_usd: "bill_usd",
  result: "outcome",
  decision: "outcome",
  action: "outcome",
};

/** Milliseconds are right to a thousandth, tokens and USD to a millionth. */
const TOLERANCE = 1e-6;
const MS_TOLERANCE = 1e-3;
/** Pure numbers are printed rounded: they are right to half of their last decimal, if they have at least three. */
const ROUNDED = /utilization|ratio|raw|share|fraction|break_?even|saving/;

export interface Comparison {
  /** Only what is expected. */
  readonly got: Values;
  readonly differs: readonly string[];
}

/** @throws Refusal where something is expected that the event does not give */
export function compare(expected: Values, found: Values): Comparison {
  const got: Record<string, unknown> = {};
  const differs: string[] = [];
  for (const [name, wanted] of Object.entries(expected)) {
    if (name === "note" || name === "notes" || name === "comment") continue;
    const canonical = Object.hasOwn(found, name) ? name : (ALIASES[name] ?? name);
    if (!Object.hasOwn(found, canonical)) {
      const hint = hintFor(name, Object.keys(found));
      throw new Refusal(`nothing is known of the expected field "${name}"${hint === undefined ? "" : ` (${hint})`}`);
    }
    const { value, wrong } = part(name, wanted, found[canonical]);
    got[name] = value;
    differs.push(...wrong);
  }
  return { got, differs };
}

function part(path: string, wanted: unknown, found: unknown): { readonly value: unknown; readonly wrong: string[] } {
  if (isRecord(found)) {
    // One number for the only limit that has such a reading.
    if (!isRecord(wanted)) {
      const all = Object.entries(found);
      if (all.length === 1) return part(path, wanted, all[0]![1]);
      throw new Refusal(
        `the expected field "${path}" does not say of which of ${all.map(([name]) => name).join(", ")}`,
      );
    }
    const value: Record<string, unknown> = {};
    const wrong: string[] = [];
    for (const [key, inner] of Object.entries(wanted)) {
      const name = Object.hasOwn(found, key) ? key : key.toLowerCase();
      if (!Object.hasOwn(found, name)) throw new Refusal(`nothing is known of the expected field "${path}.${key}"`);
      const result = part(`${path}.${key}`, inner, found[name]);
      value[key] = result.value;
      wrong.push(...result.wrong);
    }
    return { value, wrong };
  }
  // Several answers are all true: a request that spilled was refused here and served there.
  const value = Array.isArray(found) ? (found.includes(wanted) ? wanted : (found as unknown[])[0]) : found;
  return { value, wrong: same(path, wanted, value) ? [] : [path] };
}

function same(path: string, wanted: unknown, found: unknown): boolean {
  // Headers are text on the wire.
  if (typeof wanted === "string" && typeof found === "number")
    return wanted !== "" && same(path, Number(wanted), found);
  if (typeof wanted !== "number" || typeof found !== "number") return wanted === found;
  const decimals = /\.(\d+)$/.exec(String(wanted))?.[1]?.length ?? 0;
  const rounded = ROUNDED.test(path) && decimals >= 3 ? 0.500001 * Number(`1e-${decimals}`) : 0;
  const exact = /ms\b|_ms$/.test(path) ? MS_TOLERANCE : TOLERANCE;
  return Math.abs(wanted - found) <= Math.max(exact, rounded);
}
