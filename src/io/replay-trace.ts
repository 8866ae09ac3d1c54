/**
 * A recorded trace as a replay takes it: times and lengths, and from a file of `trace import` also blocks of prompts, sessions
 * and who waited for whom. Lengths that the file does not say are filled in and counted. Seconds, tokens.
 */
import { DataError } from "../kernel/errors.ts";
import type { FilledLengths, Recording } from "../scenario/recorded-trace.ts";
import { readTrace } from "./trace.ts";
import { readTraceTable, type TraceTable } from "./trace-table.ts";

/** Columns of an imported trace that a replay looks at. */
const COLUMNS = ["hashIds", "sessionId", "parents", "gapS", "e2eS", "status", "maxOutputTokens", "className"] as const;

/** Numbers that stand for texts must lie below this; see `KnownText`. */
const TEXT_NUMBERS = 2 ** 30;

export interface ReplayTrace extends Recording {
  /** Unix time of the first arrival, seconds; null where the file has no dates. */
  readonly epochS: number | null;
}

/**
 * Reads `path`. Throws what `readTrace` throws, and DataError with the row for a prompt of no known length that did not fail:
 * its format does not say lengths at all.
 */
export async function readReplay(path: string): Promise<ReplayTrace> {
  const { arrivalS, inputTokens, outputTokens, reasoningTokens, format, epochS, unread } = await readTrace(path);
  const table = format === "crossover-parquet" ? await readTraceTable(path, COLUMNS) : null;
  const filled = fillLengths(path, inputTokens, outputTokens, table?.texts.status);
  const sessions = table?.texts.sessionId === undefined ? undefined : numbered(table.texts.sessionId);
  const waits = table === null ? undefined : (waitsOf(table) ?? turnsOf(table));
  const prefix = table === null ? undefined : prefixOf(path, table, sessions);
  const passedOver = COLUMNS.filter((name) => unread?.includes(name));
  return {
    arrivalS,
    inputTokens,
    outputTokens,
    epochS: epochS ?? table?.about?.epochS ?? null,
    ...(reasoningTokens === undefined ? {} : { reasoningTokens }),
    ...limitsOf(table),
    ...(table?.texts.className === undefined ? {} : { classNames: table.texts.className }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(sessions === undefined ? {} : { sessions }),
    ...(waits === undefined ? {} : { waits }),
    ...(filled.outputs + filled.inputs === 0 ? {} : { filled }),
    ...(passedOver.length === 0 ? {} : { passedOver }),
  };
}

/** Replaces lengths of zero, in place: an answer becomes one token, a prompt that failed the median of the others. */
function fillLengths(
  file: string,
  inputTokens: Uint32Array,
  outputTokens: Uint32Array,
  status: TraceTable["texts"]["status"],
): FilledLengths {
  let outputs = 0;
  let inputs = 0;
  let medianTokens = 0;
  for (let row = 0; row < inputTokens.length; row++) {
    if (inputTokens[row] === 0) {
      const code = status?.codes[row] ?? -1;
      if (code < 0 || status!.names[code] === "ok")
        throw new DataError(file, row + 1, "a prompt of zero tokens: its length is unknown, so it cannot be replayed");
      if (inputs === 0) medianTokens = medianOf(inputTokens.filter((tokens) => tokens > 0));
      if (medianTokens === 0) throw new DataError(file, row + 1, "no row of the trace has the length of its prompt");
      inputTokens[row] = medianTokens;
      inputs++;
    }
    if (outputTokens[row] === 0) {
      outputTokens[row] = 1;
      outputs++;
    }
  }
  return { outputs, inputs, inputTokens: medianTokens };
}

function medianOf(tokens: Uint32Array): number {
  return tokens.sort()[Math.floor(tokens.length / 2)] ?? 0;
}

/** The max_tokens that requests asked for; 0 where a row does not say. */
function limitsOf(table: TraceTable | null): Pick<Recording, "maxOutputTokens"> {
  const asked = table?.numbers.maxOutputTokens;
  if (asked === undefined) return {};
  const maxOutputTokens = new Uint32Array(new SharedArrayBuffer(asked.length * 4));
  asked.forEach((tokens, row) => (maxOutputTokens[row] = tokens > 0 ? tokens : 0));
  return { maxOutputTokens };
}

/** Sessions from 0; rows without one have numbers of their own. */
function numbered({ codes, names }: NonNullable<TraceTable["texts"]["sessionId"]>): Uint32Array {
  let next = names.length;
  const sessions = new Uint32Array(new SharedArrayBuffer(codes.length * 4));
  codes.forEach((code, row) => (sessions[row] = code < 0 ? next++ : code));
  return sessions;
}

/** A pause that the file does not say is that between the recorded end of the parents and the row, if they have one. */
function waitsOf({ rows, arrivalS, numbers, lists }: TraceTable): Recording["waits"] {
  const { parents } = lists;
  if (parents === undefined) return undefined;
  const { gapS: said, e2eS } = numbers;
  const gapS = new Float64Array(new SharedArrayBuffer(rows * 8));
  for (let row = 0; row < rows; row++) {
    let endS = -Infinity;
    for (let i = parents.offsets[row]!; i < parents.offsets[row + 1]!; i++) {
      const parent = parents.items[i]!;
      endS = Math.max(endS, arrivalS[parent]! + (e2eS?.[parent] ?? Number.NaN));
    }
    const between = Math.max(0, arrivalS[row]! - endS);
    gapS[row] = said !== undefined && said[row]! >= 0 ? said[row]! : between < Infinity ? between : -1;
  }
  return { offsets: parents.offsets, parents: parents.items, gapS };
}

/**
 * Where the file names sessions and not who waited for whom: a turn waits for that turn of its session which had ended last when it
 * came, as far as ends are recorded; else for the one before it. What ran at the same time did not wait.
 */
function turnsOf({ rows, arrivalS, numbers: { e2eS }, texts: { sessionId } }: TraceTable): Recording["waits"] {
  if (sessionId === undefined) return undefined;
  const offsets = new Uint32Array(new SharedArrayBuffer(rows * 4 + 4));
  const parents = new Uint32Array(new SharedArrayBuffer(rows * 4));
  const gapS = new Float64Array(new SharedArrayBuffer(rows * 8)).fill(-1);
  // By session: its turns that nobody has waited for yet, and the one that has ended last.
  const open = new Map<number, number[]>();
  let found = 0;
  for (let row = 0; row < rows; row++) {
    const session = sessionId.codes[row]!;
    if (session >= 0) {
      const before = open.get(session) ?? [];
      const endS = (turn: number): number => arrivalS[turn]! + (e2eS?.[turn] ?? Number.NaN);
      const running = before.filter((turn) => endS(turn) > arrivalS[row]!);
      const ended = before.filter((turn) => !running.includes(turn));
      if (ended.length > 0) {
        const parent = ended.reduce((last, turn) => (endS(turn) < endS(last) ? last : turn));
        parents[found++] = parent;
        gapS[row] = Number.isNaN(endS(parent)) ? -1 : arrivalS[row]! - endS(parent);
        open.set(session, [...running, parent, row]);
      } else open.set(session, [...running, row]);
    }
    offsets[row + 1] = found;
  }
  return found === 0 ? undefined : { offsets, parents: parents.slice(0, found), gapS };
}

/** Ids are numbers within their file or session; here within the trace. */
function prefixOf(file: string, table: TraceTable, sessions: Uint32Array | undefined): Recording["prefix"] {
  const { hashIds } = table.lists;
  const { blockTokens, hashScope } = table.about ?? {};
  if (hashIds === undefined || blockTokens === null || blockTokens === undefined) return undefined;
  const { offsets, items } = hashIds;
  if (hashScope === "session") {
    if (sessions === undefined)
      throw new DataError(file, null, "ids of blocks within sessions, but no column sessionId");
    apart(file, offsets, items, sessions);
  }
  let largest = 0;
  for (const id of items) if (id > largest) largest = id;
  if (largest >= TEXT_NUMBERS) renumber(file, items);
  return { blockTokens, offsets, items };
}

/** Moves the ids of each session behind those of the sessions before it. */
function apart(file: string, offsets: Uint32Array, items: Uint32Array, sessions: Uint32Array): void {
  const room = new Float64Array(sessions.reduce((most, session) => Math.max(most, session), 0) + 1);
  sessions.forEach((session, row) => {
    for (let i = offsets[row]!; i < offsets[row + 1]!; i++) room[session] = Math.max(room[session]!, items[i]! + 1);
  });
  let next = 0;
  const first = room.map((ids) => (next += ids) - ids);
  if (next > 2 ** 32)
    throw new DataError(file, null, `ids of blocks up to ${next} in all sessions: numbers of 32 bits are needed`);
  sessions.forEach((session, row) => {
    for (let i = offsets[row]!; i < offsets[row + 1]!; i++) items[i]! += first[session]!;
  });
}

/** In the order of their first use. */
function renumber(file: string, items: Uint32Array): void {
  const numberOf = new Map<number, number>();
  for (let i = 0; i < items.length; i++) {
    let number = numberOf.get(items[i]!);
    if (number === undefined) numberOf.set(items[i]!, (number = numberOf.size));
    items[i] = number;
  }
  if (numberOf.size >= TEXT_NUMBERS) throw new DataError(file, null, `${numberOf.size} distinct blocks are too many`);
}
