/**
 * Recorded sessions of coding agents, one JSON document a session (callanjfox/kv-cache-tester). Each file has a clock of
 * its own: sessions stand side by side from 0.
 */
import { DataError } from "../../kernel/errors.ts";
import type { JsonFormat, JsonRecord, Run } from "./format.ts";
import { countsIn, has, isRecord, listIn, needNumber, numberIn, textIn } from "./json-value.ts";

/** Calls of one stream follow each other; a sub-agent starts after the call before it, and the next call waits for all. */
const weka: JsonFormat = {
  kind: "json",
  name: "weka-sessions",
  ticksPerS: 1,
  clock: "seconds",
  sorts: true,
  blockTokens: 64,
  hashScope: "session",
  matches: (first) => has(first, "id", "requests", "block_size"),
  columns: () => [
    "sessionId",
    "branch",
    "turn",
    "parents",
    "gapS",
    "model",
    "className",
    "hashIds",
    "ttftS",
    "e2eS",
    "finish",
    "extra",
  ],
  open(run) {
    const seen = new Set<string>();
    return (session, row, file) => {
      const id = textIn(session, "id");
      if (seen.has(id)) throw new DataError(file, row, `session ${id} was read before`);
      seen.add(id);
      if (numberIn(session, "block_size") !== 64)
        throw new DataError(file, row, `blocks of ${String(session["block_size"])} tokens, 64 are expected`);
      stream(session, { id, branch: "", startS: 0, after: [] }, run, file);
    };
  },
};

interface Stream {
  readonly id: string;
  /** Empty: the main one. */
  readonly branch: string;
  readonly startS: number;
  /** What its first call waits for. */
  readonly after: readonly number[];
}

/** Adds the calls of a stream. Returns its last call, null if it has none. `sourceRow` is the place in its stream. */
function stream(holder: JsonRecord, { id, branch, startS, after }: Stream, run: Run, file: string): number | null {
  const { sink } = run;
  let waits = after;
  let last: number | null = null;
  let turn = 0;
  for (const [i, call] of (listIn(holder, "requests") ?? []).entries()) {
    const row = i + 1;
    if (!isRecord(call)) throw new DataError(file, row, "a request that is no object");
    const atS = startS + needNumber(call, "t", row, file);
    if (call["type"] === "subagent") {
      run.count("subagents");
      const name = textIn(call, "agent_id");
      const end = stream(call, { id, branch: name, startS: atS, after: last === null ? after : [last] }, run, file);
      if (end !== null) waits = [...waits, end];
      continue;
    }
    const outputTokens = needNumber(call, "out", row, file);
    if (outputTokens === 0) run.count("zeroOutput");
    last = sink.add(row, atS, needNumber(call, "in", row, file), outputTokens);
    sink.text("sessionId", id);
    sink.text("branch", branch);
    sink.number("turn", turn++, row);
    sink.list("parents", waits, row);
    sink.number("gapS", numberIn(call, "think_time"), row);
    sink.text("model", textIn(call, "model"));
    sink.text("className", (listIn(call, "input_types") ?? []).includes("tool_result") ? "tool" : "user");
    sink.list("hashIds", countsIn(call, "hash_ids") ?? [], row);
    sink.number("ttftS", numberIn(call, "ttft"), row);
    sink.number("e2eS", numberIn(call, "api_time"), row);
    sink.text("finish", textIn(call, "stop"));
    const { input_types, output_types, type } = call;
    sink.text("extra", JSON.stringify({ type, input_types, output_types }));
    waits = [last];
  }
  return last;
}

export const AGENT_FORMATS: readonly JsonFormat[] = [weka];
