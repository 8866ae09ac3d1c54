/**
 * The canonical form of a request trace, which every reader writes and every consumer reads: a Parquet file of one row a
 * request in order of arrival, three columns always, others where the source has them, and in the footer what is true of
 * the whole file. A column that a source cannot fill is absent; a value that one row lacks is null.
 */
import type { TraceAbout } from "./parquet-write.ts";

export type { TraceAbout } from "./parquet-write.ts";

/** What a value of a column is: a number (stored as the named type), a text, or a list of whole numbers. */
type ColumnKind = "float64" | "uint32" | "string" | "uint32-list";

interface TraceColumn {
  readonly kind: ColumnKind;
  readonly unit?: string;
  readonly meaning: string;
}

/** Always there and never null. */
export const REQUIRED_COLUMNS = {
  arrivalS: { kind: "float64", unit: "s", meaning: "arrival after the first one of the trace" },
  inputTokens: { kind: "uint32", unit: "tokens", meaning: "whole prompt, cached part included; 0 where unknown" },
  outputTokens: { kind: "uint32", unit: "tokens", meaning: "all that was generated; 0 where it failed or is unknown" },
} as const satisfies Record<string, TraceColumn>;

/** Null where a row has none. */
export const OPTIONAL_COLUMNS = {
  requestId: { kind: "string", meaning: "as the source names it" },
  model: { kind: "string", meaning: "requested model" },
  className: { kind: "string", meaning: "the source's own kind of request" },
  tenant: { kind: "string", meaning: "organisation or team" },
  client: { kind: "string", meaning: "caller within it" },
  sessionId: { kind: "string", meaning: "conversation or agent run" },
  branch: { kind: "string", meaning: "sub-agent within a session" },
  turn: { kind: "uint32", meaning: "place within the session or branch, from 0" },
  parents: { kind: "uint32-list", meaning: "rows of this file, from 0, that must end first" },
  gapS: { kind: "float64", unit: "s", meaning: "pause after the last parent's end" },
  cachedTokens: { kind: "uint32", unit: "tokens", meaning: "part of the input that was read from a cache" },
  reasoningTokens: { kind: "uint32", unit: "tokens", meaning: "part of the output that was reasoning" },
  maxOutputTokens: { kind: "uint32", unit: "tokens", meaning: "limit that the request asked for" },
  images: { kind: "uint32", meaning: "images in the prompt" },
  hashIds: { kind: "uint32-list", meaning: "ids of the prompt's blocks; the footer says their size and scope" },
  status: { kind: "string", meaning: "ok, error, timeout or cancelled; not ok is offered load all the same" },
  ttftS: { kind: "float64", unit: "s", meaning: "time to the first token that was observed" },
  e2eS: { kind: "float64", unit: "s", meaning: "time to the whole answer that was observed" },
  finish: { kind: "string", meaning: "why the answer ended" },
  serviceTier: { kind: "string", meaning: "standard, batch, flex, priority, or as the source names it" },
  sourceRow: { kind: "uint32", meaning: "row of the source from 1, where rows were sorted" },
  extra: { kind: "string", meaning: "JSON of what the source says besides" },
} as const satisfies Record<string, TraceColumn>;

export type OptionalColumn = keyof typeof OPTIONAL_COLUMNS;

type OfKind<K extends ColumnKind> = {
  [C in OptionalColumn]: (typeof OPTIONAL_COLUMNS)[C]["kind"] extends K ? C : never;
}[OptionalColumn];

export type TextColumn = OfKind<"string">;
export type NumberColumn = OfKind<"float64" | "uint32">;
export type ListColumn = OfKind<"uint32-list">;

export function isOptionalColumn(name: string): name is OptionalColumn {
  return Object.hasOwn(OPTIONAL_COLUMNS, name);
}

/** Units by column, as the footer states them. */
export function traceUnits(columns: readonly OptionalColumn[]): Record<string, string> {
  const all: Record<string, TraceColumn> = { ...REQUIRED_COLUMNS };
  for (const name of columns) all[name] = OPTIONAL_COLUMNS[name];
  return Object.fromEntries(
    Object.entries(all).flatMap(([name, { unit }]) => (unit === undefined ? [] : [[name, unit]])),
  );
}

/** The footer's account of a trace; null for a file that no import wrote. */
export function traceAboutOf(aboutJson: string | undefined): TraceAbout | null {
  if (aboutJson === undefined) return null;
  return (JSON.parse(aboutJson) as { readonly trace?: TraceAbout }).trace ?? null;
}
