/**
 * Logs of single requests as benchmarks, gateways and tracers write them; in any order, so they are sorted. Sources:
 * vllm-project/vllm benchmarks/serve.py (--save-detailed), BerriAI/litellm spend logs and logging payloads, OpenTelemetry
 * semantic conventions for GenAI, ai-dynamo/aiperf profile_export.jsonl, OpenAI Batch API. What failed stays, unlike in
 * `calibrate`, which reads some of them too: it was offered.
 */
import { DataError } from "../../kernel/errors.ts";
import { DateReader, unixNanos } from "./dates.ts";
import type { JsonFormat, JsonRecord, Run } from "./format.ts";
import {
  firstNumber,
  has,
  isRecord,
  listIn,
  needNumber,
  numberIn,
  optionalCounts,
  optionalList,
  textIn,
  valueIn,
} from "./json-value.ts";

/** One document a run; `start_times` (from 2025 on) are seconds of a clock of its own. */
const vllmBench: JsonFormat = {
  kind: "json",
  name: "vllm-bench",
  ticksPerS: 1,
  clock: "seconds",
  sorts: true,
  matches: (first) => has(first, "completed", "total_input_tokens") || has(first, "input_lens", "ttfts"),
  columns: () => ["model", "status", "ttftS", "e2eS"],
  open(run) {
    const { sink } = run;
    return (document, row, file) => {
      if (row > 1) throw new DataError(file, row, "a second run, whose clock is another; one run a file is needed");
      const inputs = optionalCounts(document, "input_lens", null, file);
      const outputs = optionalCounts(document, "output_lens", null, file);
      const starts = optionalCounts(document, "start_times", null, file);
      if (inputs === null || outputs === null)
        throw new DataError(file, null, "only a summary; vllm bench serve --save-detailed writes the requests");
      if (starts === null)
        throw new DataError(file, null, "no start_times, which vLLM writes from 2025 on: no arrivals");
      const ttfts = optionalList(document, "ttfts", null, file);
      const itls = optionalList(document, "itls", null, file);
      const errors = optionalList(document, "errors", null, file);
      for (const [key, list] of Object.entries({ output_lens: outputs, start_times: starts, ttfts, itls, errors })) {
        if (list !== null && list.length !== inputs.length)
          throw new DataError(file, null, `${key} has ${list.length} entries, input_lens has ${inputs.length}`);
      }
      const model = textIn(document, "model_id");
      inputs.forEach((inputTokens, i) => {
        const failed = typeof errors?.[i] === "string" && errors[i] !== "";
        sink.add(i + 1, starts[i]!, inputTokens, outputs[i]!);
        sink.text("model", model);
        sink.status(failed || outputs[i] === 0 ? "error" : "ok");
        const ttftS = ttfts?.[i];
        if (failed || typeof ttftS !== "number") return;
        sink.number("ttftS", ttftS, i + 1);
        const gaps = itls?.[i];
        if (!Array.isArray(gaps)) return;
        sink.number(
          "e2eS",
          (gaps as number[]).reduce((sum, gap) => sum + gap, ttftS),
          i + 1,
        );
      });
    };
  },
};

/** Unix seconds of a date or of a number of seconds; NaN if it is neither. */
function unixS(record: unknown, ...path: readonly string[]): number {
  const number = numberIn(record, ...path);
  if (!Number.isNaN(number)) return number;
  const text = textIn(record, ...path);
  const reader = new DateReader();
  return Number.isNaN(reader.nanos(text, 0, text.length)) ? Number.NaN : reader.epochS!;
}

/** What lies between two times; NaN if one is missing. Never below zero: logs round. */
function betweenS(fromS: number, toS: number): number {
  return Number.isNaN(toS) ? Number.NaN : Math.max(0, toS - fromS);
}

/** A number stored as a text of JSON, as databases export it, is parsed. */
function parsedObject(value: unknown): unknown {
  if (typeof value !== "string" || !value.startsWith("{")) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return undefined;
  }
}

/** Spend logs (`/spend/logs`, or the table as JSON or CSV) and the payload that its loggers write. */
export const liteLlm: JsonFormat = {
  kind: "json",
  name: "litellm",
  ticksPerS: 1,
  clock: "dates",
  sorts: true,
  matches: (first) => has(first, "startTime", "prompt_tokens", "completion_tokens"),
  columns: () => [
    "requestId",
    "model",
    "tenant",
    "client",
    "sessionId",
    "status",
    "cachedTokens",
    "reasoningTokens",
    "ttftS",
    "e2eS",
    "className",
  ],
  open(run) {
    const { sink } = run;
    const seen = new Set<string>();
    return (record, row, file) => {
      const startS = unixS(record, "startTime");
      if (Number.isNaN(startS))
        throw new DataError(file, row, `cannot read the startTime ${JSON.stringify(record["startTime"])}`);
      const id = textIn(record, "request_id") || textIn(record, "id");
      if (id !== "" && seen.has(id)) throw new DataError(file, row, `request ${id} stands in an earlier row too`);
      seen.add(id);
      const metadata = parsedObject(record["metadata"]);
      const said = textIn(record, "status") || textIn(metadata, "status");
      const failed = said !== "" && said !== "success";
      const outputTokens = needNumber(record, "completion_tokens", row, file);
      sink.add(row, startS, needNumber(record, "prompt_tokens", row, file), outputTokens);
      sink.text("requestId", id);
      sink.text("model", textIn(record, "model_group") || textIn(record, "model"));
      sink.text("tenant", textIn(record, "team_id") || textIn(metadata, "user_api_key_team_id"));
      sink.text("client", textIn(record, "end_user") || textIn(record, "user"));
      sink.text("sessionId", textIn(record, "session_id") || textIn(record, "trace_id"));
      sink.text("className", textIn(record, "call_type"));
      sink.status(failed ? "error" : "ok");
      addDetails(run, valueIn(metadata, "usage_object"), outputTokens, row);
      if (failed) return;
      const firstS = unixS(record, "completionStartTime");
      const endS = unixS(record, "endTime");
      // Without a stream the first token is logged at the end: it says nothing.
      if (firstS < endS) sink.number("ttftS", betweenS(startS, firstS), row);
      sink.number("e2eS", betweenS(startS, endS), row);
    };
  },
};

/**
 * What OpenAI's chat completions and responses say of a usage: input read from the cache, and output that was thought. Some
 * providers count thinking beside the output; a count that cannot be a part of it is told and left out.
 */
function addDetails(run: Run, usage: unknown, outputTokens: number, row: number): void {
  const detailsOf = (side: string): JsonRecord => {
    const details = valueIn(usage, `${side}_tokens_details`);
    return isRecord(details) ? details : {};
  };
  const input = { ...detailsOf("prompt"), ...detailsOf("input") };
  const output = { ...detailsOf("completion"), ...detailsOf("output") };
  const thought = numberIn(output, "reasoning_tokens");
  run.sink.number("cachedTokens", numberIn(input, "cached_tokens"), row);
  if (thought > outputTokens) run.count("thinkingBesideOutput");
  else run.sink.number("reasoningTokens", thought, row);
}

const NANOS_PER_S = 1e9;

/** Spans as OTLP/JSON, or one flat span an object as SDKs print it; others than those of a model call are dropped. */
const otelGenAi: JsonFormat = {
  kind: "json",
  name: "otel-genai",
  ticksPerS: NANOS_PER_S,
  clock: "dates",
  sorts: true,
  matches: (first) =>
    Array.isArray(first["resourceSpans"]) ||
    (isRecord(first["attributes"]) && (has(first, "start_time") || has(first, "startTimeUnixNano"))),
  columns: () => [
    "requestId",
    "model",
    "sessionId",
    "status",
    "cachedTokens",
    "reasoningTokens",
    "maxOutputTokens",
    "ttftS",
    "e2eS",
    "finish",
    "serviceTier",
  ],
  open(run) {
    const { sink } = run;
    const seen = new Set<string>();
    const add = (span: JsonRecord, row: number, file: string): void => {
      const attributes = attributesOf(span["attributes"]);
      const inputTokens = firstNumber(attributes, "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens");
      const outputTokens = firstNumber(attributes, "gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens");
      const failed = textIn(attributes, "error.type") !== "" || /error|^2$/i.test(statusOf(span));
      if (!has(attributes, "gen_ai.request.model")) return sink.drop("span of no model call");
      if (Number.isNaN(inputTokens) && !failed) return sink.drop("model call without token counts");
      const start = unixNanos(span["startTimeUnixNano"] ?? span["start_time"]);
      const end = unixNanos(span["endTimeUnixNano"] ?? span["end_time"]);
      if (start === null) throw new DataError(file, row, "a span without a readable start time");
      const id = textIn(span, "spanId") || textIn(span, "context", "span_id");
      if (id !== "" && seen.has(id)) throw new DataError(file, row, `span ${id} stands in the file twice`);
      seen.add(id);
      run.origin.ticks ??= start;
      sink.add(row, Number(start - run.origin.ticks), orZero(inputTokens), orZero(outputTokens));
      sink.text("requestId", id);
      sink.text("model", textIn(attributes, "gen_ai.request.model"));
      sink.text(
        "sessionId",
        textIn(attributes, "gen_ai.conversation.id") || textIn(span, "traceId") || textIn(span, "context", "trace_id"),
      );
      sink.status(failed ? "error" : "ok");
      sink.number("cachedTokens", firstNumber(attributes, "gen_ai.usage.cache_read.input_tokens"), row);
      if (!Number.isNaN(outputTokens))
        sink.number("reasoningTokens", firstNumber(attributes, "gen_ai.usage.reasoning.output_tokens"), row);
      sink.number("maxOutputTokens", firstNumber(attributes, "gen_ai.request.max_tokens"), row);
      sink.number("ttftS", firstNumber(attributes, "gen_ai.latency.time_to_first_token"), row);
      if (end !== null && !failed) sink.number("e2eS", Number(end - start) / NANOS_PER_S, row);
      const reasons = attributes["gen_ai.response.finish_reasons"];
      sink.text(
        "finish",
        Array.isArray(reasons) ? reasons.join(" ") : textIn(attributes, "gen_ai.response.finish_reasons"),
      );
      sink.text(
        "serviceTier",
        textIn(attributes, "gen_ai.openai.request.service_tier") || textIn(attributes, "openai.request.service_tier"),
      );
    };
    let spans = 0;
    return (record, row, file) => {
      const resources = listIn(record, "resourceSpans");
      if (resources === null) return add(record, row, file);
      for (const resource of resources) {
        for (const scope of listIn(resource, "scopeSpans") ?? []) {
          for (const span of listIn(scope, "spans") ?? []) if (isRecord(span)) add(span, ++spans, file);
        }
      }
    };
  },
};

function orZero(value: number): number {
  return Number.isNaN(value) ? 0 : value;
}

/** OTLP lists attributes as {key, value: {intValue: "5"}}; SDKs print an object. */
function attributesOf(value: unknown): JsonRecord {
  if (!Array.isArray(value)) return isRecord(value) ? value : {};
  return Object.fromEntries(
    (value as unknown[]).map((entry) => {
      const held = valueIn(entry, "value");
      const values = listIn(held, "arrayValue", "values");
      const plain = isRecord(held) ? Object.values(held)[0] : undefined;
      return [textIn(entry, "key"), values === null ? plain : values.map((item) => textIn(item, "stringValue"))];
    }),
  );
}

function statusOf(span: JsonRecord): string {
  return textIn(span, "status", "code") || textIn(span, "status", "status_code");
}

/** A record a request, sent times in Unix nanoseconds (a double holds them to a quarter of a microsecond). */
const aiperfRecords: JsonFormat = {
  kind: "json",
  name: "aiperf-records",
  ticksPerS: NANOS_PER_S,
  clock: "dates",
  sorts: true,
  matches: (first) => !Number.isNaN(numberIn(first, "metadata", "request_start_ns")),
  columns: () => ["sessionId", "turn", "reasoningTokens", "status", "ttftS", "e2eS"],
  open(run) {
    const { sink } = run;
    return (record, row, file) => {
      const startNs = numberIn(record, "metadata", "request_start_ns");
      if (Number.isNaN(startNs)) throw new DataError(file, row, "no metadata.request_start_ns");
      if (textIn(record, "metadata", "benchmark_phase") === "warmup") return sink.drop("warm-up");
      const cancelled = valueIn(record, "metadata", "was_cancelled") === true;
      const failed = (valueIn(record, "error") ?? null) !== null;
      const metric = (name: string): number => numberIn(record, "metrics", name, "value");
      const output = metric("output_sequence_length");
      sink.add(
        row,
        startNs,
        orZero(metric("input_sequence_length")),
        orZero(Number.isNaN(output) ? metric("output_token_count") : output),
      );
      sink.text("sessionId", textIn(record, "metadata", "conversation_id"));
      sink.number("turn", numberIn(record, "metadata", "turn_index"), row);
      // The sequence is what was thought and what was said; a count of tokens alone is what was said.
      if (!Number.isNaN(output)) sink.number("reasoningTokens", metric("reasoning_token_count"), row);
      sink.status(cancelled ? "cancelled" : failed ? "error" : "ok");
      if (cancelled || failed) return;
      sink.number("ttftS", metricS(record, "time_to_first_token", row, file), row);
      sink.number("e2eS", metricS(record, "request_latency", row, file), row);
    };
  },
};

const SECONDS: Readonly<Record<string, number>> = { s: 1, sec: 1, ms: 1e-3, us: 1e-6, ns: 1e-9 };

function metricS(record: JsonRecord, name: string, row: number, file: string): number {
  const value = numberIn(record, "metrics", name, "value");
  if (Number.isNaN(value)) return Number.NaN;
  const unit = textIn(record, "metrics", name, "unit");
  const perUnit = SECONDS[unit];
  if (perUnit === undefined) throw new DataError(file, row, `metrics.${name} has the unit "${unit}", no unit of time`);
  return value * perUnit;
}

/** Lines of a batch job, input or output. Inputs have no token counts and no times; outputs have the counts. */
const openAiBatch: JsonFormat = {
  kind: "json",
  name: "openai-batch",
  ticksPerS: 1,
  clock: "none",
  matches: (first) => has(first, "custom_id") && (has(first, "url", "body") || has(first, "response")),
  columns: () => [
    "requestId",
    "model",
    "className",
    "cachedTokens",
    "reasoningTokens",
    "maxOutputTokens",
    "status",
    "serviceTier",
  ],
  open(run) {
    const { sink } = run;
    const seen = new Set<string>();
    return (record, row, file) => {
      const id = textIn(record, "custom_id");
      if (seen.has(id)) throw new DataError(file, row, `custom_id ${id} stands in an earlier row too`);
      seen.add(id);
      const usage = valueIn(record, "response", "body", "usage");
      const body = record["body"] ?? valueIn(record, "response", "body");
      const failed = (record["error"] ?? null) !== null || numberIn(record, "response", "status_code") >= 400;
      const counted = isRecord(usage) ? usage : {};
      const inputTokens = orZero(firstNumber(counted, "prompt_tokens", "input_tokens"));
      const outputTokens = orZero(firstNumber(counted, "completion_tokens", "output_tokens"));
      if (inputTokens === 0) run.count("unknownInput");
      sink.add(row, 0, inputTokens, outputTokens);
      sink.text("requestId", id);
      sink.text("model", textIn(body, "model"));
      sink.text("className", textIn(record, "url"));
      sink.number(
        "maxOutputTokens",
        firstNumber(isRecord(body) ? body : {}, "max_completion_tokens", "max_output_tokens", "max_tokens"),
        row,
      );
      sink.status(failed ? "error" : "ok");
      sink.text("serviceTier", "batch");
      addDetails(run, counted, outputTokens, row);
    };
  },
};

export const LOG_FORMATS: readonly JsonFormat[] = [vllmBench, liteLlm, otelGenAi, aiperfRecords, openAiBatch];
