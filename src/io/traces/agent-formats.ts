/**
 * Recorded sessions of coding agents, one JSON document a session (callanjfox/kv-cache-tester). Each file has a clock of
 * its own: sessions stand side by side from 0.
 */
import { DataError } from "../../kernel/errors.ts";
import type { JsonFormat, JsonRecord, Run } from "./format.ts";
import { has, isRecord, needNumber, numberIn, optionalCounts, optionalList, textIn } from "./json-value.ts";
import { besides, callFields, frameOf } from "./session-fields.ts";

/**
 * Calls of one stream follow each other. A sub-agent starts after the call before it; the first call that was recorded
 * after its end waits for it.
 */
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
      const firstRow = run.sink.length;
      stream(session, { id, frame: frameOf(session), firstRow, branch: "", startS: 0, after: [] }, run, file);
      if (run.sink.length === firstRow) run.count("emptySessions");
    };
  },
};

interface Stream {
  readonly id: string;
  /** What of the session is no call; its first row keeps it. */
  readonly frame: JsonRecord;
  readonly firstRow: number;
  /** Empty: the main one. */
  readonly branch: string;
  readonly startS: number;
  /** What its first call waits for. */
  readonly after: readonly number[];
}

/** A sub-agent that has not been waited for yet: its last call, and when it ended. */
interface Running {
  readonly row: number;
  readonly endS: number;
}

/** Adds the calls of a stream. Returns its last call, null if it has none. `sourceRow` is the place in its stream. */
function stream(holder: JsonRecord, of: Stream, run: Run, file: string): number | null {
  const { id, frame, firstRow, branch, startS, after } = of;
  const { sink } = run;
  let running: readonly Running[] = [];
  let last: number | null = null;
  let turn = 0;
  for (const [i, call] of (optionalList(holder, "requests", null, file) ?? []).entries()) {
    const row = i + 1;
    if (!isRecord(call)) throw new DataError(file, row, "a request that is no object");
    const atS = startS + needNumber(call, "t", row, file);
    const before = last === null ? after : [last];
    if (call["type"] === "subagent") {
      run.count("subagents");
      const agent = { ...of, branch: textIn(call, "agent_id"), startS: atS, after: before };
      const end = stream(call, agent, run, file);
      const endS = atS + needNumber(call, "duration_ms", row, file) / 1000;
      if (end !== null) running = [...running, { row: end, endS }];
      continue;
    }
    const ended = running.filter(({ endS }) => endS <= atS);
    running = running.filter(({ endS }) => endS > atS);
    // The recorded pause counts from the call before, so it holds the wait for sub-agents.
    const thinkS = numberIn(call, "think_time");
    const columns = {
      model: textIn(call, "model"),
      input: needNumber(call, "in", row, file),
      output: needNumber(call, "out", row, file),
      hashIds: optionalCounts(call, "hash_ids", row, file) ?? [],
      finish: textIn(call, "stop"),
      ttftS: numberIn(call, "ttft"),
      e2eS: numberIn(call, "api_time"),
      gapS: Math.min(thinkS, ...ended.map(({ endS }) => atS - endS)),
    };
    if (columns.output === 0) run.count("zeroOutput");
    last = sink.add(row, atS, columns.input, columns.output);
    sink.text("sessionId", id);
    sink.text("branch", branch);
    sink.number("turn", turn++, row);
    sink.list("parents", [...before, ...ended.map((agent) => agent.row)], row);
    sink.number("gapS", columns.gapS, row);
    sink.text("model", columns.model);
    sink.text(
      "className",
      (optionalList(call, "input_types", row, file) ?? []).includes("tool_result") ? "tool" : "user",
    );
    sink.list("hashIds", columns.hashIds, row);
    sink.number("ttftS", columns.ttftS, row);
    sink.number("e2eS", columns.e2eS, row);
    sink.text("finish", columns.finish);
    const { t: _, ...rest } = besides(call, callFields(columns));
    sink.text("extra", JSON.stringify({ besides: rest, session: last === firstRow ? frame : undefined }));
  }
  return last;
}

export const AGENT_FORMATS: readonly JsonFormat[] = [weka];
