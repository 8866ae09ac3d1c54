/**
 * A GuideLLM report (vllm-project/guidellm, Apache-2.0; schemas/request_stats.py read at 06cef29, the form before 0.4 at
 * neuralmagic/guidellm 00a210d): one object with a list `benchmarks`, each a run. Requests stand in `requests.successful`
 * with `prompt_tokens`, `output_tokens`, `time_to_first_token_ms`, `inter_token_latency_ms` (both ms) and a start in Unix
 * seconds, `request_start_time` or, before, `start_time`; without them `metrics` has distributions. How many failed is in
 * `metrics.request_totals` or, before, `request_totals`.
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

export function isGuideLlm(document: unknown): boolean {
  const [first] = listAt(document, "benchmarks") ?? [];
  return valueAt(first, "requests") !== undefined || valueAt(first, "metrics") !== undefined;
}

/** One run for each benchmark of the report. Throws DataError with the 1-based number of the request that is wrong. */
export function readGuideLlm(file: string, id: string, document: unknown): readonly BenchmarkRun[] {
  return listAt(document, "benchmarks")!.map((benchmark, i, all) => {
    const run = {
      id: all.length === 1 ? id : `${id}#${i + 1}`,
      file,
      format: "guidellm",
      facts: factsOf(document, benchmark),
    } as const;
    const requests = listAt(benchmark, "requests", "successful") ?? [];
    return requests.length > 0 ? readRequests(run, benchmark, requests) : readSummary(run, benchmark);
  });
}

function factsOf(document: unknown, benchmark: unknown): RunFacts {
  const strategy = valueAt(benchmark, "config", "strategy") ?? valueAt(benchmark, "args", "strategy");
  const type = textAt(strategy, "type_");
  const streams = numberAt(strategy, "streams");
  return {
    model:
      textAt(benchmark, "worker", "backend_model") ??
      textAt(benchmark, "config", "backend", "model") ??
      textAt(document, "args", "model"),
    requestRatePerS: type === "constant" || type === "poisson" ? numberAt(strategy, "rate") : null,
    arrivalCv: type === "constant" ? 0 : type === "poisson" ? 1 : null,
    maxConcurrency: type === "synchronous" ? 1 : (streams ?? numberAt(strategy, "max_concurrency")),
  };
}

function readRequests(
  run: Pick<BenchmarkRun, "id" | "file" | "format" | "facts">,
  benchmark: unknown,
  requests: readonly unknown[],
): BenchmarkRun {
  const { file } = run;
  const dropped = new Dropped();
  dropped.add("failed", listAt(benchmark, "requests", "errored")?.length ?? 0);
  dropped.add("incomplete", listAt(benchmark, "requests", "incomplete")?.length ?? 0);
  const rows: RequestRow[] = [];
  requests.forEach((request, i) => {
    const need = (name: string): number => {
      const value = numberAt(request, name);
      if (value === null) throw new DataError(file, i + 1, `requests.successful has no ${name} for it`);
      return value;
    };
    const outputTokens = need("output_tokens");
    if (outputTokens === 0) return dropped.add("no output");
    rows.push({
      row: i + 1,
      arrivalS: numberAt(request, "request_start_time") ?? need("start_time"),
      inputTokens: need("prompt_tokens"),
      outputTokens,
      ttftS: need("time_to_first_token_ms") / 1000,
      decodeS: outputTokens > 1 ? (need("inter_token_latency_ms") * (outputTokens - 1)) / 1000 : 0,
    });
  });
  return runOfRequests(run, requestsOf(file, rows), dropped.counts);
}

/** Their name, ours, and what makes it ms. */
const METRICS = [
  ["time_to_first_token_ms", "ttftMs", 1],
  ["inter_token_latency_ms", "itlMs", 1],
  ["request_latency", "e2eMs", 1000],
] as const;

function readSummary(run: Pick<BenchmarkRun, "id" | "file" | "format" | "facts">, benchmark: unknown): BenchmarkRun {
  const summary: Record<string, number> = {};
  for (const [theirs, ours, toMs] of METRICS) {
    const successful = valueAt(benchmark, "metrics", theirs, "successful");
    for (const [statistic, suffix] of [
      ["mean", "Mean"],
      ["median", "P50"],
    ] as const) {
      const value = numberAt(successful, statistic);
      if (value !== null && value > 0) summary[ours + suffix] = value * toMs;
    }
  }
  const count = numberAt(benchmark, "metrics", "prompt_token_count", "successful", "count");
  const input = numberAt(benchmark, "metrics", "prompt_token_count", "successful", "mean");
  const output = numberAt(benchmark, "metrics", "output_token_count", "successful", "mean");
  if (count === null || input === null || output === null)
    throw new DataError(
      run.file,
      null,
      "a benchmark has neither requests.successful nor metrics with prompt_token_count and output_token_count",
    );
  const totals = valueAt(benchmark, "metrics", "request_totals") ?? valueAt(benchmark, "request_totals");
  const dropped = new Dropped();
  dropped.add("failed", numberAt(totals, "errored") ?? 0);
  dropped.add("incomplete", numberAt(totals, "incomplete") ?? 0);
  return {
    ...run,
    requests: null,
    summary,
    requestCount: count,
    meanInputTokens: input,
    meanOutputTokens: output,
    dropped: dropped.counts,
  };
}
