/** The redaction step of a strategy: a preset of the catalogue with the values that the file replaces. Milliseconds become seconds. */
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { RedactionSpec } from "../scenario/resolved.ts";
import type { StrategyFile } from "./schema.ts";

const FIELDS = ["latencyMs", "usdPerRequest", "usdPerMTok", "failFraction"] as const;

/** Undefined where the strategy has none, or one that does not exist, which is a problem then. */
export function resolveRedaction(
  resolution: Resolution,
  file: StrategyFile["redaction"],
  path: Path,
  at: string,
): RedactionSpec | undefined {
  if (file === undefined) return undefined;
  const own = typeof file === "string" ? { preset: file } : file;
  const entry = resolution.find("redactions", own.preset, typeof file === "string" ? path : [...path, "preset"]);
  if (entry === null) return undefined;
  const pick = (field: (typeof FIELDS)[number]): number => {
    const to = field === "latencyMs" ? "latencyS" : field;
    resolution.fromFile(`${at}.${to}`, [...path, field], `catalogue:redactions/${entry.id}`);
    const value = own[field];
    if (value === undefined) resolution.useEntry("redactions", entry, [field]);
    return value ?? entry[field];
  };
  return {
    latencyS: pick("latencyMs") / 1000,
    usdPerRequest: pick("usdPerRequest"),
    usdPerMTok: pick("usdPerMTok"),
    failFraction: pick("failFraction"),
  };
}
