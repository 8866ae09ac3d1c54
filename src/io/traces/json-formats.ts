/**
 * JSON and JSONL formats, known by the keys of their first record. Sources: kvcache-ai/Mooncake, alibaba Bailian (Qwen
 * usage traces), flashserve/RAGPulse, ai-dynamo (AIPerf and Dynamo session traces), vllm-project/semantic-router.
 */
import { DataError } from "../../kernel/errors.ts";
import type { JsonFormat, JsonRecord } from "./format.ts";
import { AGENT_FORMATS } from "./agent-formats.ts";
import { firstNumber, has, isRecord, needNumber, numberIn, optionalCounts, textIn, valueIn } from "./json-value.ts";
import { LOG_FORMATS } from "./log-formats.ts";
import { besides, turnFields } from "./session-fields.ts";

/** Keys of Mooncake's lines; the length of a row's `hash_ids` follows from its input. */
const mooncake: JsonFormat = {
  kind: "json",
  name: "mooncake",
  ticksPerS: 1000,
  clock: "seconds",
  blockTokens: 512,
  hashScope: "global",
  matches: (first) =>
    Array.isArray(first["hash_ids"]) && has(first, "timestamp", "input_length", "output_length") && !isSession(first),
  columns: () => ["hashIds"],
  open(run) {
    const { sink } = run;
    return (record, row, file) => {
      const ms = needNumber(record, "timestamp", row, file);
      if (sink.length === 0) run.firstTime(textIn(record, "timestamp"));
      sink.add(row, ms, numberIn(record, "input_length"), numberIn(record, "output_length"));
      sink.list("hashIds", optionalCounts(record, "hash_ids", row, file) ?? [], row);
    };
  },
};

/** Sessions whose later turns follow the end of the one before by `delay` ms; they stand at their session's start. */
const sessions: JsonFormat = {
  kind: "json",
  name: "aiperf-sessions",
  ticksPerS: 1000,
  clock: "seconds",
  sorts: true,
  blockTokens: 512,
  hashScope: "global",
  matches: (first) =>
    isSession(first) &&
    has(first, "session_id") &&
    (has(first, "input_length") || has(first, "input_tokens") || has(first, "text_input")),
  columns: () => ["sessionId", "turn", "parents", "gapS", "hashIds", "extra"],
  open(run) {
    const { sink } = run;
    const open = new Map<string, { readonly startMs: number; row: number; turn: number }>();
    return (record, row, file) => {
      const sessionId = textIn(record, "session_id");
      const before = open.get(sessionId);
      const written = firstNumber(record, "timestamp", "created_time");
      if (Number.isNaN(written) && before === undefined)
        throw new DataError(file, row, `the first turn of session ${sessionId} has no timestamp`);
      const delayMs = firstNumber(record, "delay", "delay_ms");
      const inputTokens = firstNumber(record, "input_length", "input_tokens");
      if (Number.isNaN(inputTokens) && has(record, "text_input")) return sink.drop("text without a number of tokens");
      const ms = Number.isNaN(written) ? before!.startMs : written;
      if (sink.length === 0) run.firstTime(String(ms));
      const outputTokens = firstNumber(record, "output_length", "output_tokens");
      const hashIds = optionalCounts(record, "hash_ids", row, file) ?? [];
      const gapS = delayMs / 1000;
      const at = sink.add(row, ms, inputTokens, outputTokens);
      sink.text("sessionId", sessionId);
      sink.number("turn", before === undefined ? 0 : before.turn + 1, row);
      if (before !== undefined) sink.list("parents", [before.row], row);
      sink.number("gapS", gapS, row);
      sink.list("hashIds", hashIds, row);
      const held = turnFields({ sessionId, ms, gapS, input: inputTokens, output: outputTokens, hashIds });
      sink.text("extra", JSON.stringify({ keys: Object.keys(record), besides: besides(record, held) }));
      open.set(sessionId, { startMs: before?.startMs ?? ms, row: at, turn: (before?.turn ?? -1) + 1 });
    };
  },
};

/** A session is the tree of chats under one root; a chat whose parent is not in the file starts one of its own. */
const bailian: JsonFormat = {
  kind: "json",
  name: "bailian",
  ticksPerS: 1,
  clock: "seconds",
  blockTokens: 16,
  hashScope: "global",
  matches: (first) => has(first, "chat_id", "parent_chat_id", "timestamp", "input_length", "output_length"),
  columns: () => ["requestId", "className", "sessionId", "turn", "parents", "hashIds"],
  open(run) {
    const { sink } = run;
    const chats = new Map<string, { readonly session: string; readonly row: number }>();
    return (record, row, file) => {
      const chat = textIn(record, "chat_id");
      if (chats.has(chat)) throw new DataError(file, row, `chat_id ${chat} stands in an earlier row too`);
      const parentChat = textIn(record, "parent_chat_id");
      const parent = chats.get(parentChat);
      const isRoot = parentChat === "-1" || parentChat === "";
      if (parent === undefined && !isRoot) run.count("orphans");
      const session = parent?.session ?? (isRoot ? chat : parentChat);
      if (sink.length === 0) run.firstTime(textIn(record, "timestamp"));
      const timeS = needNumber(record, "timestamp", row, file);
      const at = sink.add(row, timeS, numberIn(record, "input_length"), numberIn(record, "output_length"));
      sink.text("requestId", chat);
      sink.text("className", textIn(record, "type"));
      sink.text("sessionId", session);
      sink.number("turn", numberIn(record, "turn") - 1, row);
      if (parent !== undefined) sink.list("parents", [parent.row], row);
      sink.list("hashIds", optionalCounts(record, "hash_ids", row, file) ?? [], row);
      chats.set(chat, { session, row: at });
    };
  },
};

const DAY_S = 86_400;
const WEEK_S = 604_800;

/**
 * The published file is two weeks folded onto one clock: a fall of more than a day is the next week. The parts of a prompt
 * have lengths of their own, so their ids stay in `extra` and are no blocks.
 */
const ragPulse: JsonFormat = {
  kind: "json",
  name: "ragpulse",
  ticksPerS: 1,
  clock: "seconds",
  matches: (first) => isRecord(first["hash_ids"]) && has(first, "session_id", "input_length"),
  columns: () => ["sessionId", "turn", "extra"],
  open(run) {
    const { sink } = run;
    const turns = new Map<string, number>();
    let beforeS = -Infinity;
    let addedS = 0;
    return (record, row, file) => {
      const writtenS = needNumber(record, "timestamp", row, file);
      if (writtenS < beforeS - DAY_S) {
        addedS += WEEK_S;
        run.count("clockWraps");
      }
      beforeS = writtenS;
      if (sink.length === 0) run.firstTime(textIn(record, "timestamp"));
      sink.add(row, writtenS + addedS, numberIn(record, "input_length"), numberIn(record, "output_length"));
      const session = textIn(record, "session_id");
      const turn = turns.get(session) ?? 0;
      turns.set(session, turn + 1);
      sink.text("sessionId", session);
      sink.number("turn", turn, row);
      sink.text("extra", JSON.stringify({ hash_ids: valueIn(record, "hash_ids") }));
    };
  },
};

const fleetSim: JsonFormat = {
  kind: "json",
  name: "fleet-sim-jsonl",
  ticksPerS: 1,
  clock: "seconds",
  matches: (first) => has(first, "timestamp", "prompt_tokens", "generated_tokens"),
  columns: (first) => [
    "model",
    ...(has(first, "category") ? (["className"] as const) : []),
    ...(has(first, "complexity") ? (["extra"] as const) : []),
  ],
  open(run) {
    const { sink } = run;
    const names = sink.columns;
    return (record, row, file) => {
      if (sink.length === 0) run.firstTime(textIn(record, "timestamp"));
      sink.add(
        row,
        needNumber(record, "timestamp", row, file),
        numberIn(record, "prompt_tokens"),
        numberIn(record, "generated_tokens"),
      );
      sink.text("model", textIn(record, "selected_model") || textIn(record, "model"));
      if (names.includes("className")) sink.text("className", textIn(record, "category"));
      const complexity = textIn(record, "complexity");
      if (names.includes("extra") && complexity !== "") sink.text("extra", JSON.stringify({ complexity }));
    };
  },
};

const FORMATS: readonly JsonFormat[] = [
  bailian,
  mooncake,
  sessions,
  ragPulse,
  fleetSim,
  ...LOG_FORMATS,
  ...AGENT_FORMATS,
];

/** Names of the formats. */
export const JSON_FORMATS: readonly string[] = FORMATS.map(({ name }) => name);

/** The format of a file whose first record is given; null if none fits. `name`: the only one that may. */
export function jsonFormatOf(file: string, first: JsonRecord, name: string | null): JsonFormat | null {
  const found = FORMATS.find((format) => (name === null || format.name === name) && format.matches(first));
  if (found !== undefined || name === null) return found ?? null;
  throw new DataError(file, 1, `no record of format ${name}: it has ${Object.keys(first).join(", ")}`);
}

function isSession(record: JsonRecord): boolean {
  return has(record, "session_id") && !isRecord(record["hash_ids"]) && !has(record, "chat_id");
}
