/**
 * What resolving collects on its way: every problem, warning and assumption, and for each resolved value where it came
 * from. Nothing here stops at the first problem; the caller throws once, at the end.
 */
import { find } from "../catalog/catalog.ts";
import { originOf } from "../catalog/origin.ts";
import { KINDS } from "../catalog/schema.ts";
import type { Catalog, CatalogEntry, CatalogKind } from "../catalog/schema.ts";
import { DAY_S, epochSOfDate, isoDate } from "../kernel/calendar-time.ts";
import type { Problem } from "../kernel/errors.ts";
import { STAND_IN_NAME, related, valueAt } from "./read.ts";
import type { Path } from "./read.ts";
import type { Assumption, Provenance } from "../scenario/resolved.ts";
import { fieldLabel, fieldUnit } from "./units.ts";

/** Where a resolved value came from. `derived` = computed from other resolved values. */
type ValueOrigin = "file" | "default" | "derived" | "cli" | `preset:${string}` | `catalogue:${string}`;

/**
 * By dotted path of the resolved experiment (`strategies.0.pools.0.gpu`). The longest key that is a path or a parent of it
 * holds for that path.
 */
export type Origins = Readonly<Record<string, ValueOrigin>>;

/** Prices older than this are worth a second look: they move in steps, several times a year. */
const OLD_PRICE_DAYS = 90;
/** In a list of names. */
const STAND_INS_IN_LIST = new RegExp(`${STAND_IN_NAME}, |(, )?${STAND_IN_NAME}`, "g");

/** Prices that a warning names. */
const MOST_PRICES = 3;

export class Resolution {
  readonly problems: Problem[] = [];
  readonly warnings: string[] = [];
  readonly origins: Record<string, ValueOrigin> = {};
  readonly catalog: Catalog;
  private readonly asOf: string;
  /** Simulated start, UTC seconds; null for traffic without prices. */
  private readonly startEpochS: number | null;
  private readonly laterPrices: string[] = [];
  private readonly raw: unknown;
  private readonly ignore: readonly Path[];
  private readonly byId = new Map<string, Assumption>();

  /** Problems under a path of `ignore` have been reported already. Ages are relative to `asOf`, or to the start where it is later. */
  constructor(
    catalog: Catalog,
    raw: unknown,
    ignore: readonly Path[],
    asOf: string,
    startEpochS: number | null = null,
  ) {
    this.catalog = catalog;
    this.asOf = asOf;
    this.startEpochS = startEpochS;
    this.raw = raw;
    this.ignore = ignore;
  }

  problem(path: Path, message: string, hint?: string): void {
    if (this.reported(path) || message.includes(STAND_IN_NAME)) return;
    if (hint?.includes(STAND_IN_NAME) === true) {
      const known = hint.replace(STAND_INS_IN_LIST, "");
      // Where no other name is known, what is unknown is meant to be this one.
      if (known.endsWith(": ")) return;
      hint = known;
    }
    // Two classes of one name ask for one route.
    const at = path.join(".");
    if (this.problems.some((before) => before.message === message && before.path.join(".") === at)) return;
    this.problems.push(hint === undefined ? { path, message } : { path, message, hint });
  }

  /** Has a problem been reported that concerns `path`? */
  reported(path: Path): boolean {
    return this.ignore.some((before) => related(before, path));
  }

  warn(message: string): void {
    if (!this.warnings.includes(message)) this.warnings.push(message);
  }

  /** An entry of the catalogue by id or alias; a miss is a problem at `path` with the nearest name, and gives null. */
  find<K extends CatalogKind>(kind: K, name: string, path: Path): CatalogEntry<K> | null {
    const found = find(this.catalog, kind, name);
    if (found.ok) return found.value;
    this.problem(path, found.message, found.hint);
    return null;
  }

  /** Did the file set the value at `path`? */
  declared(path: Path): boolean {
    return valueAt(this.raw, path) !== undefined && valueAt(this.raw, path) !== null;
  }

  /** Notes the origin of a resolved value. */
  from(path: string, origin: ValueOrigin): void {
    this.origins[path] = origin;
  }

  /** Origin of a value that the file may set at `path`, else `otherwise`. */
  fromFile(resolvedPath: string, path: Path, otherwise: ValueOrigin = "default"): void {
    this.from(resolvedPath, this.declared(path) ? "file" : otherwise);
  }

  assume(assumption: Assumption): void {
    if (!this.byId.has(assumption.id)) this.byId.set(assumption.id, assumption);
  }

  /** Notes values of a catalogue entry that the answer rests on, with unit and label from their names. */
  useEntry<K extends CatalogKind>(kind: K, entry: CatalogEntry<K>, fields: readonly string[]): void {
    const name = "name" in entry && typeof entry.name === "string" ? entry.name : entry.id;
    for (const field of fields) {
      const value = valueAt(entry, field.split("."));
      if (value === undefined || value === null) continue;
      this.useValue(
        `${KINDS[kind].folder}/${entry.id}/${field.replaceAll(".", "/")}`,
        `${name}: ${fieldLabel(field)}`,
        value,
        field,
        originOf(entry, field),
      );
    }
  }

  /** One value with its provenance; lists and groups are shown in short. */
  useValue(id: string, label: string, value: unknown, field: string, provenance: Provenance): void {
    const shown = typeof value === "number" || typeof value === "string" ? value : summarize(value);
    const { kind, source, asOf, unverified } = provenance;
    const origin = unverified === undefined ? { kind, source, asOf } : { kind, source, asOf, unverified };
    this.assume({ id, label, value: shown, unit: fieldUnit(field), ...origin });
  }

  /**
   * Warns of a price of the day `asOf` that is more than 90 days old at the experiment's date, or at a simulated start after it. One
   * that is later than the start is kept for `noteLaterPrices`, unless it is `dated`: known to hold from a day on.
   */
  noteAge(what: string, asOf: string, dated = false): void {
    const { startEpochS } = this;
    const clockS = endOfS(this.asOf);
    const startsLater = startEpochS !== null && startEpochS > clockS;
    const ageDays = Math.floor(((startsLater ? startEpochS : clockS) - endOfS(asOf)) / DAY_S);
    if (ageDays > OLD_PRICE_DAYS)
      this.warn(`${what} is ${ageDays} days old${startsLater ? " at the start of the run" : ""} (${asOf})`);
    // Of what is later than the experiment's own date `noteLater` tells.
    if (startEpochS === null || dated || isLater(asOf, this.asOf) || !isLater(asOf, isoDate(startEpochS))) return;
    const text = `${what} of ${asOf}`;
    if (!this.laterPrices.includes(text)) this.laterPrices.push(text);
  }

  /** One warning for all prices that are later than the simulated start. */
  noteLaterPrices(): void {
    const { laterPrices, startEpochS } = this;
    if (startEpochS === null || laterPrices.length === 0) return;
    const more = laterPrices.length - MOST_PRICES;
    const named = [...laterPrices.slice(0, MOST_PRICES), ...(more > 0 ? [`${more} more`] : [])].join(", ");
    this.warn(`the run starts on ${isoDate(startEpochS)} and pays prices of a later date: ${named}`);
  }

  /** Warns of values that are of a later date than the experiment's own clock: they were not known then. */
  noteLater(asOf: string): void {
    const dated = [...this.byId.values()].filter(({ kind }) => kind !== "declared" && kind !== "derived");
    const later = dated.map((entry) => entry.asOf).filter((date) => isLater(date, asOf));
    if (later.length === 0) return;
    const last = later.reduce((a, b) => (a > b ? a : b));
    this.warn(
      `asOf ${asOf} lies before the date of ${later.length} of ${dated.length} values that the answer rests on (the last is of ${last}): they are not those of that day, and have no age`,
    );
  }

  /** By id, so that the order does not depend on who came first. */
  assumptions(): Assumption[] {
    return [...this.byId.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
  }
}

/** A year or a month alone is later than a day only if all of it is. */
function isLater(date: string, day: string): boolean {
  return date > day.slice(0, date.length);
}

/** Last day of a date of which only the year or the month may be known, UTC seconds: the youngest it can be. */
function endOfS(asOf: string): number {
  const [year = 1970, month = 12, day] = asOf.split("-").map(Number);
  if (day !== undefined) return epochSOfDate({ year, month, day });
  return epochSOfDate(month === 12 ? { year: year + 1, month: 1, day: 1 } : { year, month: month + 1, day: 1 }) - DAY_S;
}

function summarize(value: unknown): string {
  if (typeof value === "object" && value !== null && "percentiles" in value && "meanTokens" in value) {
    return `quantile table with mean ${String(value.meanTokens)} tokens`;
  }
  if (Array.isArray(value) && value.length > 4 && value.every((item) => typeof item === "number")) {
    return `${value.length} values from ${Math.min(...(value as number[]))} to ${Math.max(...(value as number[]))}`;
  }
  return JSON.stringify(value);
}
