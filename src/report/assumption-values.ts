/** Values behind the answer as a reader would say them: `3 s`, `$2.95 per GPU-hour`, `99 %`, groups and lists in words. */
import { fieldLabel, fieldUnit } from "../experiment/units.ts";
import { plain, plainNumber } from "./format.ts";

/** `value` in `unit` (that of `Assumption`). Inputs are printed as given, up to six digits; millions and more are shortened. */
export function valueText(value: number | string, unit: string): string {
  if (typeof value === "number") return quantity(value, unit);
  const parsed = asJson(value);
  if (parsed !== null) return structure(parsed, unit);
  return unit === "" ? value : `${value} ${unit}`;
}

/** The group or list that stands in a text as JSON; null where the text is one. */
function asJson(text: string): object | null {
  if (!/^[[{]/.test(text)) return null;
  try {
    return JSON.parse(text) as object;
  } catch {
    return null;
  }
}

const PHRASES: Readonly<Record<string, (figure: string) => string>> = {
  "USD/Mtok": (figure) => `$${figure} per 1M tokens`,
  "USD/GPU-h": (figure) => `$${figure} per GPU-hour`,
  "USD/year": (figure) => `$${figure} a year`,
  "1/min": (figure) => `${figure} a minute`,
  "1/month": (figure) => `${figure} a month`,
  "1/s": (figure) => `${figure} a second`,
  "h/month": (figure) => `${figure} h a month`,
  level: (figure) => `level ${figure}`,
};

function quantity(value: number, unit: string): string {
  if (unit === "fraction") return `${exact(value * 100)} %`;
  if (unit in SECONDS) return duration(value, unit as keyof typeof SECONDS);
  const figure = exact(value);
  return PHRASES[unit]?.(figure) ?? (unit === "" ? figure : `${figure} ${unit}`);
}

function exact(value: number): string {
  return Math.abs(value) >= 1e6 ? plain(value) : plainNumber(Number(value.toPrecision(6)), 9);
}

/** From the longest. */
const SECONDS = { h: 3600, min: 60, s: 1, ms: 0.001 } as const;

/** In the longest unit of which there is at least one and that needs no more than one decimal; else as given. */
function duration(value: number, unit: keyof typeof SECONDS): string {
  for (const [name, seconds] of Object.entries(SECONDS)) {
    const amount = Number(((value * SECONDS[unit]) / seconds).toPrecision(12));
    if (amount >= 1 && Number.isInteger(Number((amount * 10).toPrecision(12)))) return `${exact(amount)} ${name}`;
  }
  return `${exact(value)} ${unit}`;
}

/** Factors whose names end like a unit. */
const FACTORS: Readonly<Record<string, string>> = { businessHours: "business hours" };

/** `from hour 13, to hour 19`; items of a list that have a name begin with it: `busy: rate factor 0.85; degraded: …`. */
function structure(value: object, unit: string): string {
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => partText(item, unit));
    return items.length === 0 ? "none" : items.join(value.some(isGroup) ? "; " : ", ");
  }
  const { name, ...fields } = value as Readonly<Record<string, unknown>>;
  const texts = Object.entries(fields).map(([field, part]) => {
    const known = FACTORS[field];
    const text = partText(part, known === undefined ? fieldUnit(field) : "");
    return `${known ?? fieldLabel(field)} ${isGroup(part) ? `(${text})` : text}`;
  });
  if (typeof name !== "string") return texts.length === 0 ? "nothing" : texts.join(", ");
  return texts.length === 0 ? name : `${name}: ${texts.join(", ")}`;
}

function partText(value: unknown, unit: string): string {
  if (isGroup(value)) return structure(value, unit);
  return typeof value === "number" || typeof value === "string" ? valueText(value, unit) : String(value);
}

function isGroup(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
