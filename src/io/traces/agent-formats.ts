/**
 * Recorded sessions of coding agents, one JSON document a session (callanjfox/kv-cache-tester). Each file has a clock of
 * its own: sessions stand side by side from 0.
 */
import { DataError } from "../../kernel/errors.ts";
import type { JsonFormat, JsonRecord, Run } from "./format.ts";
import { countsIn, has, isRecord, listIn, needNumber, numberIn, textIn } from "./json-value.ts";

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

/** A sub-agent that has not been waited for yet: its last call, and when it ended. */
interface Running {
  readonly row: number;
  readonly endS: number;
}

/** Adds the calls of a stream. Returns its last call, null if it has none. `sourceRow` is the place in its stream. */
function stream(holder: JsonRecord, { id, branch, startS, after }: Stream, run: Run, file: string): number | null {
  const { sink } = run;
  let running: readonly Running[] = [];
  let last: number | null = null;
  let turn = 0;
  for (const [i, call] of (listIn(holder, "requests") ?? []).entries()) {
    const row = i + 1;
    if (!isRecord(call)) throw new DataError(file, row, "a request that is no object");
    const atS = startS + needNumber(call, "t", row, file);
    const before = last === null ? after : [last];
    if (call["type"] === "subagent") {
      run.count("subagents");
      const end = stream(call, { id, branch: textIn(call, "agent_id"), startS: atS, after: before }, run, file);
      const endS = atS + needNumber(call, "duration_ms", row, file) / 1000;
      if (end !== null) running = [...running, { row: end, endS }];
      continue;
    }
    const ended = running.filter(({ endS }) => endS <= atS);
    running = running.filter(({ endS }) => endS > atS);
    const outputTokens = needNumber(call, "out", row, file);
    if (outputTokens === 0) run.count("zeroOutput");
    last = sink.add(row, atS, needNumber(call, "in", row, file), outputTokens);
    sink.text("sessionId", id);
    sink.text("branch", branch);
    sink.number("turn", turn++, row);
    sink.list("parents", [...before, ...ended.map((agent) => agent.row)], row);
    // The recorded pause counts from the call before, so it holds the wait for sub-agents.
    const thinkS = numberIn(call, "think_time");
    sink.number("gapS", Math.min(thinkS, ...ended.map(({ endS }) => atS - endS)), row);
    sink.text("model", textIn(call, "model"));
    sink.text("className", (listIn(call, "input_types") ?? []).includes("tool_result") ? "tool" : "user");
    sink.list("hashIds", countsIn(call, "hash_ids") ?? [], row);
    sink.number("ttftS", numberIn(call, "ttft"), row);
    sink.number("e2eS", numberIn(call, "api_time"), row);
    sink.text("finish", textIn(call, "stop"));
    const { input_types, output_types, type } = call;
    sink.text("extra", JSON.stringify({ type, input_types, output_types }));
  }
  return last;
}

export const AGENT_FORMATS: readonly JsonFormat[] = [weka];
