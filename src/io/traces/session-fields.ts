/**
 * What the columns of a session's row hold of its record, under the names of its source. Import keeps in `extra` what differs
 * from that, so that export can give the whole record back.
 */
import type { JsonRecord } from "./format.ts";
import { isRecord, listIn } from "./json-value.ts";

/** A number of the source that went through seconds and sums; 15 digits undo their rounding. */
export function rounded(value: number): number {
  return Number(value.toPrecision(15));
}

interface TurnColumns {
  readonly sessionId: string;
  /** Time as the source counts it. */
  readonly ms: number;
  readonly gapS: number;
  readonly input: number;
  readonly output: number;
  readonly hashIds: readonly number[];
}

/** A turn of AIPerf and Dynamo, under all names that its values may have. */
export function turnFields({ sessionId, ms, gapS, input, output, hashIds }: TurnColumns): JsonRecord {
  const timestamp = rounded(ms);
  const delay = rounded(gapS * 1000);
  return {
    session_id: sessionId,
    timestamp,
    created_time: timestamp,
    delay,
    delay_ms: delay,
    input_length: input,
    input_tokens: input,
    output_length: output,
    output_tokens: output,
    hash_ids: hashIds,
  };
}

interface CallColumns {
  readonly model: string;
  readonly input: number;
  readonly output: number;
  readonly hashIds: readonly number[];
  readonly finish: string;
  readonly ttftS: number;
  readonly e2eS: number;
  readonly gapS: number;
}

/** A call of a WEKA session; undefined where a column holds nothing. Its `t` stands in the frame. */
export function callFields({ model, input, output, hashIds, finish, ttftS, e2eS, gapS }: CallColumns): JsonRecord {
  return {
    model: model === "" ? undefined : model,
    in: input,
    out: output,
    hash_ids: hashIds.length === 0 ? undefined : hashIds,
    stop: finish === "" ? undefined : finish,
    ttft: orNothing(ttftS),
    api_time: orNothing(e2eS),
    think_time: orNothing(gapS),
  };
}

function orNothing(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}

/** The fields of `record` that `held` does not give back. */
export function besides(record: JsonRecord, held: JsonRecord): JsonRecord {
  return Object.fromEntries(
    Object.entries(record).filter(([key, value]) => JSON.stringify(value) !== JSON.stringify(held[key])),
  );
}

/** A WEKA session or sub-agent with the `t` of each call in the call's place. */
export function frameOf(holder: JsonRecord): JsonRecord {
  const requests = listIn(holder, "requests");
  if (requests === null) return holder;
  const framed = requests.map((call) => {
    if (!isRecord(call)) return call;
    return call["type"] === "subagent" ? frameOf(call) : call["t"];
  });
  return { ...holder, requests: framed };
}
