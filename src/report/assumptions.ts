/**
 * The values behind the answer: those that a reader should check first, then all others by subject. What a value is, where it
 * comes from and how old it is stand in its row.
 */
import { epochSOfIso, DAY_S } from "../kernel/calendar-time.ts";
import type { Assumption } from "../scenario/resolved.ts";
import { valueText } from "./assumption-values.ts";
import { dateText, list, plainNumber, plural } from "./format.ts";
import type { AssumptionsView, Cell, TableView } from "./model.ts";
import { cell, group } from "./tables.ts";

type Row = TableView["rows"][number];

/** Days from a date, or the first day of a month or year, to `asOf`; null where either is no date. */
export function ageDays(date: string, asOf: string): number | null {
  const full = /^\d{4}$/.test(date) ? `${date}-01-01` : /^\d{4}-\d{2}$/.test(date) ? `${date}-01` : date;
  const from = epochSOfIso(full);
  const to = epochSOfIso(asOf);
  return from === null || to === null ? null : Math.floor((to - from) / DAY_S);
}

/** Titles of subjects, in the order of the page, with the beginnings of the ids that belong to each. */
const SUBJECTS: readonly (readonly [title: string, beginnings: readonly string[]])[] = [
  ["Traffic", ["experiment/traffic", "traffic", "seasons"]],
  ["Classes, their targets and their data", ["experiment/classes", "boundary", "boundaries", "redactions"]],
  ["Strategies as declared", ["experiment/strategies"]],
  [
    "Offers of providers, their limits and prices",
    ["offers", "providers", "limits", "forms", "provisioned", "price-paths"],
  ],
  [
    "Latency and failures of providers",
    ["latency-classes", "reasoning", "network-paths", "congestions", "outage-profiles"],
  ],
  ["Models, GPUs and where they stand", ["llms", "gpus", "gpu-prices", "places", "managed"]],
  ["Speed of the serving engine", ["engines", "coefficients"]],
  ["Failures and starts of own replicas", ["incidents", "cold-starts"]],
  ["Team and people", ["experiment/team", "teams", "team-levels", "people", "derived/people"]],
  ["Clients and their retries", ["experiment/client", "clients"]],
  ["What the decision takes for granted", ["decision"]],
];
const OTHER = "Others";

/** The subject that an assumption of this id is told under. */
export function subjectOf(id: string): string {
  return SUBJECTS.find(([, beginnings]) => beginnings.some((start) => `${id}/`.startsWith(`${start}/`)))?.[0] ?? OTHER;
}

const KIND_ORDER = ["assumed", "fitted", "published", "measured", "declared", "derived"] as const;

/** Unverified first, then assumed, then the rest from the weakest kind to the strongest. */
function weakness(entry: Assumption): number {
  return entry.unverified === true ? -1 : KIND_ORDER.indexOf(entry.kind);
}

/** What to check first, in this order; an assumption stands under the first that it is one of. */
const FIRST: readonly (readonly [title: string, note: string, belongs: (entry: Assumption) => boolean])[] = [
  [
    "Prices and people",
    "amounts follow them in proportion",
    ({ id, unit }) => /usd/i.test(unit) || id.startsWith("derived/people/"),
  ],
  ["Taken for granted by the decision", "for every class", ({ id }) => id.startsWith("decision/")],
  ["Not verified", "could not be checked at their source", ({ unverified }) => unverified === true],
];

/** `assumptions` in the groups of `FIRST` and by subject, each value once; ages count to `asOf`. */
export function assumptionsView(assumptions: readonly Assumption[], asOf: string): AssumptionsView {
  const ordered = [...assumptions].sort((a, b) => weakness(a) - weakness(b));
  const unverified = ordered.filter((entry) => entry.unverified === true).length;
  const assumed = ordered.filter((entry) => entry.unverified !== true && entry.kind === "assumed").length;
  const reasonOf = (entry: Assumption): number => FIRST.findIndex(([, , belongs]) => belongs(entry));
  const first = FIRST.flatMap(([title, note], i) => {
    const entries = ordered.filter((entry) => reasonOf(entry) === i);
    return entries.length === 0 ? [] : [group(title, note), ...rowsOf(entries, asOf)];
  });
  const subjects = [...SUBJECTS.map(([title]) => title), OTHER].flatMap((title) => {
    const entries = ordered.filter((entry) => reasonOf(entry) === -1 && subjectOf(entry.id) === title);
    if (entries.length === 0) return [];
    return [{ title, note: kindsText(entries), table: tableOf(title, rowsOf(entries, asOf)) }];
  });
  return {
    headline: `${plural(ordered.length, "value")} behind the answer: ${unverified} unverified, ${assumed} assumed`,
    first: first.length === 0 ? null : tableOf(`To check first; ages are those on ${dateText(asOf)}`, first),
    subjects,
  };
}

/** `12 values: 3 assumed, 9 published`. */
function kindsText(entries: readonly Assumption[]): string {
  const counts = KIND_ORDER.flatMap((kind) => {
    const amount = entries.filter((entry) => entry.kind === kind).length;
    return amount === 0 ? [] : [`${amount} ${kind}`];
  });
  return `${plural(entries.length, "value")}: ${list(counts)}`;
}

function tableOf(caption: string, rows: readonly Row[]): TableView {
  const columns = ["Assumption", "Value", "Kind", "Source", "As of"];
  return {
    caption,
    columns: columns.map((label) => ({ label, note: null, color: null, numeric: false })),
    rows,
    layout: "cards",
  };
}

function rowsOf(entries: readonly Assumption[], asOf: string): Row[] {
  return entries.map((entry, i) => {
    const { label, id, value, unit, kind } = entry;
    const doubt =
      entry.unverified === true
        ? cell(`${kind}, unverified`, null, "bad")
        : cell(kind, null, kind === "assumed" ? "warn" : null);
    const begins = i === 0 || !sameSource(entries[i - 1]!, entry);
    const origin = begins ? originCells(entry, sharing(entries, i), asOf) : [];
    return { header: label, note: id, color: null, cells: [cell(valueText(value, unit)), doubt, ...origin] };
  });
}

function sameSource(a: Assumption, b: Assumption): boolean {
  return a.source === b.source && a.asOf === b.asOf;
}

/** How many entries from `start` on have its source. */
function sharing(entries: readonly Assumption[], start: number): number {
  const end = entries.findIndex((entry, i) => i > start && !sameSource(entries[start]!, entry));
  return (end === -1 ? entries.length : end) - start;
}

/** An age that deserves a second look. */
const OLD_DAYS = 90;

/** Source and date, once for the rows that share them. */
function originCells({ source, asOf: date }: Assumption, rows: number, asOf: string): Cell[] {
  const age = ageDays(date, asOf);
  // What is of a later date has no age: a minus would look like one.
  const known = age !== null && age >= 0;
  return [
    { ...cell(source), rows },
    {
      ...cell(
        dateText(date),
        known ? `${plainNumber(age)} ${age === 1 ? "day" : "days"}` : null,
        known && age > OLD_DAYS ? "warn" : null,
      ),
      rows,
    },
  ];
}
