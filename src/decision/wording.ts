/** Numbers and names as a leader reads them. Without a locale, so that the same bytes come out on every machine. */
import type { Option, VerdictName } from "./evidence.ts";
import { intervalOf } from "./inputs.ts";
import type { Measured, Place } from "./inputs.ts";

const OPTION_NAMES: Readonly<Record<Option, string>> = {
  api: "the API",
  private_managed: "a vendor-run private deployment",
  self: "own GPUs",
  split: "a split between own GPUs and the API",
};

const VERDICT_TITLES: Readonly<Record<VerdictName, string>> = {
  "api-first": "API-first",
  hybrid: "Hybrid",
  "self-hosted": "Self-hosted",
  "private-controlled": "Private, vendor-run",
  conflict: "Conflict",
};

const PLACE_NAMES: Readonly<Record<Place, string>> = {
  private_vpc: "a private VPC",
  dedicated_managed: "a dedicated managed endpoint",
  onprem: "an own site",
};

export function optionName(option: Option): string {
  return OPTION_NAMES[option];
}

/** The verb that goes with the option's name. */
export function isOrAre(option: Option): string {
  return option === "self" ? "are" : "is";
}

export function verdictTitle(verdict: VerdictName): string {
  return VERDICT_TITLES[verdict];
}

export function placesName(places: readonly Place[]): string {
  return places.length === 0 ? "nowhere" : list(places.map((place) => PLACE_NAMES[place]));
}

export function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** "a", "a and b", "a, b and c". */
export function list(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}

/** At most `digits` decimals, without trailing zeros. */
export function decimal(value: number, digits: number): string {
  const text = value.toFixed(digits);
  return digits === 0 ? text : text.replace(/\.?0+$/, "");
}

export function percent(fraction: number): string {
  return `${decimal(100 * fraction, 2)}%`;
}

export function usdPerMonth(usd: number): string {
  const whole = Math.round(usd).toFixed(0);
  return `USD ${whole.replace(/\B(?=(\d{3})+$)/g, ",")} a month`;
}

export function ratio(value: number): string {
  return decimal(value, 2);
}

/** The mean and, where its 95 % interval is known and not of width zero, its limits. */
export function withInterval(measured: Measured, format: (value: number) => string): string {
  const interval = intervalOf(measured);
  if (interval === null) return "not simulated";
  const { mean, lo, hi } = interval;
  return lo === hi ? format(mean) : `${format(mean)} (95% interval ${format(lo)} to ${format(hi)})`;
}
