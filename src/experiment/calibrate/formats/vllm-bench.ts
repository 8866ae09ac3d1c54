/**
 * What `vllm bench serve --save-result` writes (vllm-project/vllm, vllm/benchmarks/serve.py, Apache-2.0, read at 009e6d4):
 * one JSON object a run, or one a line with --append-result. `--save-detailed` adds one entry a request to `input_lens`,
 * `output_lens`, `ttfts` (s), `itls` (s, a list each), `start_times` (s, from 2025) and `errors`. SGLang's
 * bench_serving writes the same names, and a number that it has not as NaN or Infinity.
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
import { listAt, listOf, numberAt, numbersAt, textAt, valueAt } from "./json.ts";

export function isVllmBench(document: unknown): boolean {
  const measured = valueAt(document, "mean_ttft_ms") ?? valueAt(document, "ttfts");
  return measured !== undefined && numberAt(document, "completed") !== null;
}

/** Throws DataError with the 1-based number of the request that is wrong. */
export function readVllmBench(file: string, id: string, document: unknown): BenchmarkRun {
  const run = { id, file, format: "vllm-bench", facts: factsOf(document) } as const;
  const inputs = listAt(document, "input_lens");
  if (inputs !== null && (valueAt(document, "ttfts") ?? null) !== null)
    return readDetails(run, document, inputs.length);
  const completed = numberAt(document, "completed")!;
  const inputTokens = numberAt(document, "total_input_tokens");
  const outputTokens = numberAt(document, "total_output_tokens");
  if (completed < 1 || inputTokens === null || outputTokens === null)
    throw new DataError(file, null, "completed, total_input_tokens and total_output_tokens must be positive numbers");
  return {
    ...run,
    requests: null,
    summary: summaryOf(document),
    requestCount: completed,
    meanInputTokens: inputTokens / completed,
    meanOutputTokens: outputTokens / completed,
    dropped: failedOf(document, completed),
  };
}

/** Older versions write no `failed`: what was to be sent and did not complete. */
function failedOf(document: unknown, completed: number): BenchmarkRun["dropped"] {
  const dropped = new Dropped();
  const sent = numberAt(document, "num_prompts") ?? completed;
  dropped.add("failed", numberAt(document, "failed") ?? sent - completed);
  return dropped.counts;
}

function factsOf(document: unknown): RunFacts {
  const backend = textAt(document, "backend") ?? "";
  const rate = valueAt(document, "request_rate");
  const burstiness = numberAt(document, "burstiness");
  return {
    model: textAt(document, "model_id"),
    engine: /^(vllm|sglang)\b/.exec(backend)?.[1] ?? null,
    requestRatePerS: rate === "inf" || rate === Infinity ? Infinity : numberAt(document, "request_rate"),
    arrivalCv: burstiness === null || burstiness <= 0 ? null : 1 / Math.sqrt(burstiness),
    maxConcurrency: numberAt(document, "max_concurrency"),
  };
}

function readDetails(
  run: Pick<BenchmarkRun, "id" | "file" | "format" | "facts">,
  document: unknown,
  count: number,
): BenchmarkRun {
  const { file } = run;
  const there = <T>(name: string, list: readonly T[] | null): readonly T[] => {
    if (list === null) throw new DataError(file, null, `no ${name}, which --save-detailed writes beside input_lens`);
    return list;
  };
  const need = (name: string): readonly number[] => there(name, numbersAt(file, document, name, count));
  const inputs = need("input_lens");
  const outputs = need("output_lens");
  const ttfts = need("ttfts");
  const starts = numbersAt(file, document, "start_times", count);
  const itls = there("itls", listOf(file, document, "itls", count));
  const errors = listOf(file, document, "errors", count) ?? [];
  const dropped = new Dropped();
  const rows: RequestRow[] = [];
  for (let i = 0; i < count; i++) {
    if (typeof errors[i] === "string" && errors[i] !== "") dropped.add("failed");
    else if (outputs[i] === 0) dropped.add("no output");
    else {
      const ttftS = ttfts[i]!;
      const decodeS = sumOf(file, i + 1, itls[i]);
      if (!Number.isFinite(ttftS) || !Number.isFinite(decodeS)) dropped.add("not measured");
      else
        rows.push({
          row: i + 1,
          arrivalS: starts?.[i] ?? NaN,
          inputTokens: inputs[i]!,
          outputTokens: outputs[i]!,
          ttftS,
          decodeS,
        });
    }
  }
  return runOfRequests(run, requestsOf(file, rows), dropped.counts);
}

function sumOf(file: string, row: number, gaps: unknown): number {
  if (!Array.isArray(gaps) || !gaps.every((gap) => typeof gap === "number"))
    throw new DataError(file, row, "itls has no list of numbers for it");
  return (gaps as number[]).reduce((sum, gap) => sum + gap, 0);
}

const METRICS: Readonly<Record<string, string>> = { ttft: "ttftMs", tpot: "tpotMs", itl: "itlMs", e2el: "e2eMs" };

function summaryOf(document: unknown): Record<string, number> {
  const summary: Record<string, number> = {};
  for (const [theirs, ours] of Object.entries(METRICS)) {
    for (const [statistic, suffix] of [
      ["mean", "Mean"],
      ["median", "P50"],
      ["p90", "P90"],
      ["p99", "P99"],
    ] as const) {
      const value = numberAt(document, `${statistic}_${theirs}_ms`);
      if (value !== null && value > 0) summary[ours + suffix] = value;
    }
  }
  return summary;
}
