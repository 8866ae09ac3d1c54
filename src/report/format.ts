/**
 * Numbers for people, on pages (three significant digits, k, M and B) and in the terminal (`plainNumber`), the unit always beside
 * the number. Pure and without locale,
 * so that the same summary gives the same page everywhere.
 */
import type { Estimate } from "../experiment/findings.ts";

export type Format = (value: number) => string;

const MINUS = "−";
const SCALES: readonly (readonly [number, string])[] = [
  [1e12, "T"],
  [1e9, "B"],
  [1e6, "M"],
  [1e3, "k"],
];

/** Three significant digits without an exponent: 0.00123, 1.23, 12.3, 123; a value that rounds up carries over first. */
export function significant(value: number): string {
  if (value === 0) return "0";
  const rounded = Number(value.toPrecision(3));
  const magnitude = Math.abs(rounded);
  let decimals = 0;
  for (let step = 100; decimals < 9 && magnitude < step; step /= 10) decimals++;
  return magnitude >= 1000 ? String(Math.round(rounded)) : rounded.toFixed(decimals);
}

/** Less than this is what sums of cancelling amounts leave over. */
const NOTHING = 1e-9;

/** 45,123 → 45.1k. `unit` stands before (a currency) or after the number. */
function scaled(value: number, before: string, after: string): string {
  if (!Number.isFinite(value)) return "–";
  const magnitude = Math.abs(value) < NOTHING ? 0 : Number(Math.abs(value).toPrecision(3));
  const sign = value < 0 && magnitude > 0 ? MINUS : "";
  for (const [scale, suffix] of SCALES) {
    if (magnitude >= scale) return `${sign}${before}${significant(magnitude / scale)}${suffix}${after}`;
  }
  return `${sign}${before}${significant(magnitude)}${after}`;
}

/** Thousands separated by commas, at most `decimals` decimals, no trailing zeros: 1154.7, 180,000,000. */
export function plainNumber(value: number, decimals = 4): string {
  const [whole, part] = String(Number(value.toFixed(decimals))).split(".");
  const grouped = whole!.replace(/\B(?=(\d{3})+$)/g, ",");
  return part === undefined ? grouped : `${grouped}.${part}`;
}

/** US dollars: $45.1k, −$210, $0.00123, $0. */
export const usd: Format = (value) => scaled(value, "$", "");

/** Counts: whole below 1,000 where they are whole, else three significant digits. */
export const count: Format = (value) =>
  Number.isInteger(value) && Math.abs(value) < 1000 ? String(value).replace("-", MINUS) : scaled(value, "", "");

export const ratePerS: Format = (value) => scaled(value, "", "/s");

/** A duration given in milliseconds: 85.0 µs, 850 ms, 1.23 s, 2.50 min, 2.50 h. */
export const durationMs: Format = (value) => {
  if (!Number.isFinite(value)) return "–";
  const magnitude = Math.abs(Number(value.toPrecision(3)));
  const text = (ms: number, unit: string): string => `${significant(value / ms).replace("-", MINUS)} ${unit}`;
  if (magnitude > 0 && magnitude < 0.1) return text(0.001, "µs");
  if (magnitude < 1000) return text(1, "ms");
  if (magnitude < 120_000) return text(1000, "s");
  return magnitude < 7_200_000 ? text(60_000, "min") : text(3_600_000, "h");
};

/** Hours, in shorter units where there is less than one: 1.95 h, 58.4 min, 13.8 s, 233 ms. */
export const hours: Format = (value) =>
  Math.abs(value) >= 1 || Math.abs(value) < NOTHING ? scaled(value, "", " h") : durationMs(value * 3_600_000);

/** A duration given in hours, for labels of incidents: 14 s, 25 min, 6.2 h, 2.1 days. */
export function span(valueH: number): string {
  const minutes = Math.round(valueH * 60);
  if (minutes < 1) return `${Math.max(1, Math.round(valueH * 3600))} s`;
  if (valueH < 1) return `${minutes} min`;
  return valueH < 48 ? `${trim(valueH.toFixed(1))} h` : `${trim((valueH / 24).toFixed(1))} days`;
}

const PERIODS = [
  { name: "day", perDay: 1 },
  { name: "hour", perDay: 24 },
  { name: "minute", perDay: 24 * 60 },
  { name: "second", perDay: 24 * 60 * 60 },
] as const;

/** How long a simulated period is, in the largest unit of which it has one, with at most two decimals: 30 days, 7.2 minutes. */
export function lengthText(days: number): string {
  // A whole minute may come out of a division just below one.
  const unit = PERIODS.find(({ perDay }) => days * perDay >= 1 - 1e-9) ?? PERIODS[3];
  const figure = plainNumber(days * unit.perDay, 2);
  return `${figure} ${unit.name}${figure === "1" ? "" : "s"}`;
}

/** A fraction as a percentage. Digits grow towards 0 and 1, and neither 0 % nor 100 % is ever written for something else. */
export const percent: Format = (value) => {
  if (!Number.isFinite(value)) return "–";
  // Sums that are nothing or one may miss it by a rounding of the last bits.
  if (Math.abs(value) < 1e-12) return "0 %";
  if (Math.abs(value - 1) < 1e-12) return "100 %";
  const hundredth = value * 100;
  if (value > 0 && hundredth < 0.001) return "<0.001 %";
  if (value < 1 && hundredth > 99.999) return ">99.999 %";
  const edge = Math.min(Math.abs(hundredth), Math.abs(100 - hundredth));
  // More decimals towards the edges: 99.997 %, 99.42 %, 62.3 %.
  const decimals = edge < 0.01 ? 3 : edge < 10 ? 2 : 1;
  return `${hundredth.toFixed(decimals).replace("-", MINUS)} %`;
};

/** Plain numbers without a unit of their own. */
export const plain: Format = (value) => scaled(value, "", "");

/** For values that somebody chose: `3 s` and `99 %` instead of `3.00 s` and `99.00 %`. */
export function chosen(format: Format): Format {
  return (value) => trim(format(value));
}

function trim(text: string): string {
  return text.replace(/\.0+(?!\d)|(\.\d*[1-9])0+(?!\d)/, "$1");
}

export interface Bounds {
  readonly lo: number;
  readonly hi: number;
}
export const NOT_NEGATIVE: Bounds = { lo: 0, hi: Infinity };
export const SHARE: Bounds = { lo: 0, hi: 1 };

/** The estimate with its interval cut to what the figure can be: that of few replications often reaches beyond. */
export function within(estimate: Estimate, { lo, hi }: Bounds): Estimate {
  const cut = (value: number | null): number | null => (value === null ? null : Math.min(Math.max(value, lo), hi));
  return { ...estimate, lo: cut(estimate.lo), hi: cut(estimate.hi) };
}

/** `$44.2k – $46.0k`, or null where there is no interval (one replication) or it has no width at this precision. */
export function intervalText(estimate: Estimate, format: Format): string | null {
  if (estimate.lo === null || estimate.hi === null) return null;
  const [lo, hi] = [format(estimate.lo), format(estimate.hi)];
  return lo === hi ? null : `${lo} – ${hi}`;
}

/** `2 Nov 2026` from an ISO date or date and time; other texts pass as they are. */
export function dateText(iso: string): string {
  const match = /^(\d{4})-(\d{2})(?:-(\d{2}))?/.exec(iso);
  if (match === null) return iso;
  const month = MONTHS[Number(match[2]) - 1] ?? match[2];
  return match[3] === undefined ? `${month} ${match[1]}` : `${Number(match[3])} ${month} ${match[1]}`;
}

export const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;
export const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"] as const;

/** More of them make a headline that nobody reads. */
export const MOST_NAMES = 4;

/** `a`, `a and b`, `a, b and c`. */
export function list(items: readonly string[]): string {
  return items.length < 2 ? (items[0] ?? "") : `${items.slice(0, -1).join(", ")} and ${items[items.length - 1]}`;
}

/** Names in a headline: all of a few, else the first three and how many more there are. */
export function shortList(items: readonly string[]): string {
  return items.length <= MOST_NAMES ? list(items) : list([...items.slice(0, 3), `${items.length - 3} others`]);
}

/** `1 replication`, `3 replications`. */
export function plural(amount: number, word: string, words = `${word}s`): string {
  return `${count(amount)} ${amount === 1 ? word : words}`;
}
