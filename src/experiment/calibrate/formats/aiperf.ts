/**
 * What AIPerf and GenAI-Perf write (ai-dynamo/aiperf, Apache-2.0; docs/tutorials/working-with-profile-exports.md read at
 * 13992db, docs/reference/json-export-schema.md at 1554b47).
 *
 *   requests  profile_export.jsonl, a record a line: `metadata.request_start_ns`, and metrics of {value, unit}
 *   summary   profile_export_aiperf.json or profile_export_genai_perf.json: metrics of {unit, avg, p50, …}
 *
 * Units are read, not assumed.
 */
import { DataError } from "../../../kernel/errors.ts";
import {
  type BenchmarkRun,
  Dropped,
  type RequestRow,
  type RunFacts,
  requestsOf,
  runOfRequests,
} from "../benchmark-run.ts";
import { listAt, numberAt, textAt, valueAt } from "./json.ts";

const SECONDS: Readonly<Record<string, number>> = { s: 1, sec: 1, seconds: 1, ms: 1e-3, us: 1e-6, µs: 1e-6, ns: 1e-9 };

export function isAiperfRecord(document: unknown): boolean {
  return numberAt(document, "metadata", "request_start_ns") !== null;
}

export function isAiperfSummary(document: unknown): boolean {
  return (
    numberAt(document, "time_to_first_token", "avg") !== null &&
    numberAt(document, "input_sequence_length", "avg") !== null
  );
}

/** `rows`: line numbers of the records. Throws DataError with the line that is wrong. */
export function readAiperfRequests(
  file: string,
  id: string,
  records: readonly unknown[],
  lines: readonly number[],
): BenchmarkRun {
  const dropped = new Dropped();
  const rows: RequestRow[] = [];
  // Nanoseconds since 1970 exceed what a double holds exactly; to a quarter of a microsecond they are right.
  records.forEach((record, i) => {
    const row = lines[i]!;
    if (valueAt(record, "metadata", "was_cancelled") === true) return dropped.add("cancelled");
    if ((valueAt(record, "error") ?? null) !== null) return dropped.add("failed");
    const startNs = numberAt(record, "metadata", "request_start_ns");
    if (startNs === null) throw new DataError(file, row, "no metadata.request_start_ns");
    const outputTokens =
      numberAt(record, "metrics", "output_sequence_length", "value") ?? needTokens(record, "output_token_count");
    if (outputTokens === 0) return dropped.add("no output");
    const ttftS = needS(record, "time_to_first_token");
    rows.push({
      row,
      arrivalS: startNs / 1e9,
      inputTokens: needTokens(record, "input_sequence_length"),
      outputTokens,
      ttftS,
      decodeS: decodeS(record, outputTokens, ttftS),
      warmup: textAt(record, "metadata", "benchmark_phase") === "warmup",
    });

    function needTokens(from: unknown, name: string): number {
      const value = numberAt(from, "metrics", name, "value");
      if (value === null) throw new DataError(file, row, `no metrics.${name}`);
      return value;
    }
    function needS(from: unknown, name: string): number {
      const metric = valueAt(from, "metrics", name);
      const seconds = secondsOf(metric, "value");
      if (seconds === null) throw new DataError(file, row, `no metrics.${name} with a value and a unit of time`);
      return seconds;
    }
    function decodeS(from: unknown, tokens: number, firstS: number): number {
      if (tokens === 1) return 0;
      const gapS = secondsOf(valueAt(from, "metrics", "inter_token_latency"), "value");
      return gapS === null ? needS(from, "request_latency") - firstS : gapS * (tokens - 1);
    }
  });
  const run = { id, file, format: "aiperf-requests", facts: {} } as const;
  return runOfRequests(run, requestsOf(file, rows), dropped.counts);
}

function secondsOf(metric: unknown, statistic: string): number | null {
  const value = numberAt(metric, statistic);
  const unit = SECONDS[textAt(metric, "unit") ?? ""];
  return value === null || unit === undefined ? null : value * unit;
}

/** Inter-token latency is a mean of each request in both tools: our TPOT. */
const METRICS = { time_to_first_token: "ttftMs", inter_token_latency: "tpotMs", request_latency: "e2eMs" } as const;

export function readAiperfSummary(file: string, id: string, document: unknown): BenchmarkRun {
  const summary: Record<string, number> = {};
  for (const [theirs, ours] of Object.entries(METRICS)) {
    for (const [statistic, suffix] of [
      ["avg", "Mean"],
      ["p50", "P50"],
      ["p90", "P90"],
      ["p99", "P99"],
    ] as const) {
      const seconds = secondsOf(valueAt(document, theirs), statistic);
      if (seconds !== null && seconds > 0) summary[ours + suffix] = seconds * 1000;
    }
  }
  const requestCount = numberAt(document, "request_count", "avg") ?? numberAt(document, "request_latency", "count");
  const output = numberAt(document, "output_sequence_length", "avg");
  if (requestCount === null || output === null)
    throw new DataError(file, null, "no request_count or output_sequence_length");
  // `request_count` has those alone that succeeded.
  const dropped = new Dropped();
  dropped.add("failed", numberAt(document, "error_request_count", "avg") ?? 0);
  return {
    id,
    file,
    format: "aiperf-summary",
    facts: summaryFacts(valueAt(document, "input_config")),
    requests: null,
    summary,
    requestCount: Math.round(requestCount),
    meanInputTokens: numberAt(document, "input_sequence_length", "avg")!,
    meanOutputTokens: output,
    dropped: dropped.counts,
  };
}

/** The configuration moved between versions; these are the places where it has stood. */
function summaryFacts(config: unknown): RunFacts {
  const places = [valueAt(config, "loadgen"), valueAt(config, "perf_analyzer", "stimulus"), config];
  const first = (name: string): number | null =>
    places.map((place) => numberAt(place, name)).find((value) => value !== null && value > 0) ?? null;
  const [model] = [
    ...(listAt(config, "endpoint", "model_names") ?? []),
    ...(listAt(config, "model_names") ?? []),
    textAt(config, "model"),
    ...(listAt(config, "model") ?? []),
  ].filter((name) => typeof name === "string");
  return {
    model: typeof model === "string" ? model : null,
    requestRatePerS: first("request_rate"),
    maxConcurrency: first("concurrency"),
  };
}
