/**
 * The way back for formats whose rows were sorted on import: `extra` says how the source wrote them, and what of it no column
 * holds. A trace that lacks this, or rows, is refused.
 */
import { DataError } from "../../kernel/errors.ts";
import type { TraceTable } from "../trace-table.ts";
import type { TraceAbout } from "../trace-schema.ts";
import type { Row } from "./export.ts";
import type { JsonRecord } from "./format.ts";
import { isRecord, textIn } from "./json-value.ts";
import { callFields, rounded, turnFields } from "./session-fields.ts";

interface Imported {
  readonly file: string;
  readonly table: TraceTable;
  readonly about: TraceAbout;
  row(i: number): Row;
}

type SessionLines = Generator<string>;
type SessionWriter = (imported: Imported) => SessionLines;

/** AIPerf and Dynamo: a line a turn, as compact JSON, keys in the source's order. */
function* turns({ file, table, about, row }: Imported): SessionLines {
  const dropped = Object.entries(about.dropped).map(([reason, count]) => `${count} (${reason})`);
  if (dropped.length > 0)
    throw new DataError(file, null, `rows that were dropped cannot come back: ${dropped.join(", ")}`);
  if (about.files.length > 1)
    throw new DataError(
      file,
      null,
      `it was read from ${about.files.length} files, and which row was whose is not kept`,
    );
  const placed = table.numbers.sourceRow;
  if (placed === undefined || table.texts.extra === undefined) throw keptLess(file);
  const order = [...placed.keys()].toSorted((a, b) => placed[a]! - placed[b]!);
  const originMs = rounded(Number(about.firstTime) - row(order[0]!).arrivalS * 1000);
  if (originMs < 0)
    throw new DataError(file, null, "its times begin below 0, where fractions would not come back exact");
  for (const i of order) {
    const at = row(i);
    const { keys, besides } = JSON.parse(at.text("extra")) as { keys: string[]; besides: JsonRecord };
    const held = turnFields({
      sessionId: at.text("sessionId"),
      ms: originMs + at.arrivalS * 1000,
      gapS: at.number("gapS"),
      input: at.input,
      output: at.output,
      hashIds: at.list("hashIds"),
    });
    yield JSON.stringify(Object.fromEntries(keys.map((key) => [key, key in besides ? besides[key] : held[key]])));
  }
}

/** WEKA: a line a session, in order of their first calls. */
function* weka({ file, table, about, row }: Imported): SessionLines {
  const empty = about.counts["emptySessions"] ?? 0;
  if (empty > 0)
    throw new DataError(file, null, `${empty} sessions without calls have no rows, so they cannot come back`);
  const frames: JsonRecord[] = [];
  const rowOf = new Map<string, number>();
  for (let i = 0; i < table.rows; i++) {
    const at = row(i);
    const place = placeOf(at.text("sessionId"), at.text("branch"), at.number("turn"));
    if (rowOf.has(place))
      throw new DataError(file, null, `two sub-agents of session ${at.text("sessionId")} have the same agent_id`);
    rowOf.set(place, i);
    const { session } = extraOf(at, file);
    if (isRecord(session)) frames.push(session);
  }
  let written = 0;
  const call = (place: string, t: unknown): string => {
    const i = rowOf.get(place);
    if (i === undefined) throw keptLess(file);
    written++;
    const at = row(i);
    const { besides } = extraOf(at, file);
    const held = callFields({
      model: at.text("model"),
      input: at.input,
      output: at.output,
      hashIds: at.list("hashIds"),
      finish: at.text("finish"),
      ttftS: at.number("ttftS"),
      e2eS: at.number("e2eS"),
      gapS: at.number("gapS"),
    });
    const fields: JsonRecord = { ...CALL_ORDER, ...held, ...besides, t };
    return object(
      Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [[key, json(key, value)]])),
    );
  };
  const stream = (holder: JsonRecord, id: string, branch: string): string => {
    let turn = 0;
    const item = (value: unknown): string =>
      isRecord(value) ? stream(value, id, textIn(value, "agent_id")) : call(placeOf(id, branch, turn++), value);
    return object(
      Object.entries(holder).map(([key, value]) => [
        key,
        key === "requests" && Array.isArray(value) ? `[${value.map(item).join(",")}]` : json(key, value),
      ]),
    );
  };
  const lines = frames.map((session) => stream(session, textIn(session, "id"), ""));
  if (written !== table.rows) throw keptLess(file);
  yield* lines;
}

/** Keys of a call in the order in which they are published. */
const CALL_ORDER: JsonRecord = Object.fromEntries(
  "t type model in out hash_ids input_types output_types stop ttft api_time think_time"
    .split(" ")
    .map((key) => [key, undefined]),
);

/** Published with a fraction always. */
const SECONDS = new Set(["t", "ttft", "api_time", "think_time"]);

function json(key: string, value: unknown): string {
  return SECONDS.has(key) && Number.isInteger(value) ? (value as number).toFixed(1) : JSON.stringify(value);
}

function object(fields: readonly (readonly string[])[]): string {
  return `{${fields.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(",")}}`;
}

function placeOf(session: string, branch: string, turn: number): string {
  return JSON.stringify([session, branch, turn]);
}

function extraOf(row: Row, file: string): { readonly besides: JsonRecord; readonly session: unknown } {
  const extra: unknown = JSON.parse(row.text("extra") || "null");
  if (!isRecord(extra) || !isRecord(extra["besides"])) throw keptLess(file);
  return { besides: extra["besides"], session: extra["session"] };
}

function keptLess(file: string): DataError {
  return new DataError(
    file,
    null,
    "it was imported by a version that kept less than the whole records; import its source again",
  );
}

export const SESSION_WRITERS: Readonly<Record<string, SessionWriter>> = {
  "aiperf-sessions": turns,
  "weka-sessions": weka,
};
