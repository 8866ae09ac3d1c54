/**
 * One run of a benchmark tool, as its file records it, whatever the tool. Times in seconds from the first arrival, latencies
 * in ms as that tool's clock saw them, lengths in tokens.
 */
import { mean } from "simple-statistics";
import { DataError } from "../../kernel/errors.ts";

export const FORMATS = {
  "vllm-bench": "vLLM `bench serve` JSON (--save-result, better with --save-detailed)",
  guidellm: "GuideLLM benchmarks JSON",
  "aiperf-requests": "AIPerf profile_export.jsonl, one record a request",
  "aiperf-summary": "AIPerf or GenAI-Perf summary JSON",
  "blis-trace": "BLIS TraceV2 CSV, with its YAML header if there is one",
  "request-csv": "CSV with one row a request",
} as const;
export type FormatName = keyof typeof FORMATS;

/** What a file says of the system and of its load. Null or absent: it does not say. */
export interface RunFacts {
  readonly model?: string | null;
  readonly engine?: string | null;
  readonly tensorParallelSize?: number | null;
  readonly maxNumSeqs?: number | null;
  readonly blockTokens?: number | null;
  readonly gpuMemoryUtilization?: number | null;
  readonly maxModelLen?: number | null;
  /** Requests per second that the client meant to send; Infinity = all at once. */
  readonly requestRatePerS?: number | null;
  /** Coefficient of variation of the gaps between arrivals. */
  readonly arrivalCv?: number | null;
  readonly maxConcurrency?: number | null;
}

/** The completed requests of a run in the order of their arrival. */
export interface RunRequests {
  /** Null: the tool did not write when it sent them. */
  readonly arrivalS: Float64Array | null;
  readonly inputTokens: Uint32Array;
  readonly outputTokens: Uint32Array;
  readonly ttftMs: Float64Array;
  /** NaN for answers of one token. */
  readonly tpotMs: Float64Array;
  readonly e2eMs: Float64Array;
  /** 0 for warm-up: part of the load, not of the result. */
  readonly counted: Uint8Array;
}

export interface BenchmarkRun {
  /** The file's name, with `#2` for its second run. */
  readonly id: string;
  readonly file: string;
  readonly format: FormatName;
  readonly facts: RunFacts;
  /** Null: the file has only means and percentiles. */
  readonly requests: RunRequests | null;
  /** Means and percentiles that the tool wrote, by the metric names of validation cases; read when there are no requests. */
  readonly summary: Readonly<Record<string, number>>;
  readonly requestCount: number;
  readonly meanInputTokens: number;
  readonly meanOutputTokens: number;
  /** Requests left out, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
}

/** One request as a reader found it. `row` is where, for messages. */
export interface RequestRow {
  readonly row: number;
  /** On any clock; NaN: not recorded, which must then hold for all rows of the run. */
  readonly arrivalS: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly ttftS: number;
  /** From the first to the last token. */
  readonly decodeS: number;
  readonly warmup?: boolean;
}

/** Checks rows and puts them in order of arrival. Throws DataError with the row of the first impossible one. */
export function requestsOf(file: string, rows: readonly RequestRow[]): RunRequests {
  if (rows.length === 0) throw new DataError(file, null, "no completed request");
  const timed = rows.filter(({ arrivalS }) => !Number.isNaN(arrivalS)).length;
  for (const one of rows) {
    const { row, arrivalS, inputTokens, outputTokens, ttftS, decodeS } = one;
    if (timed > 0 && !Number.isFinite(arrivalS))
      throw new DataError(file, row, "no time of arrival, which other rows have");
    if (!isCount(inputTokens)) throw new DataError(file, row, `${inputTokens} is no number of input tokens`);
    if (!isCount(outputTokens)) throw new DataError(file, row, `${outputTokens} is no number of output tokens`);
    if (!(ttftS > 0 && ttftS < Infinity)) throw new DataError(file, row, `a time to first token of ${ttftS} s`);
    if (!(decodeS >= 0 && decodeS < Infinity))
      throw new DataError(file, row, `the last token ${decodeS} s after the first`);
    if (outputTokens > 1 && decodeS === 0)
      throw new DataError(file, row, `${outputTokens} tokens at one instant: was the answer streamed?`);
  }
  const sorted = timed > 0 ? [...rows].sort((a, b) => a.arrivalS - b.arrivalS) : rows;
  const originS = sorted[0]!.arrivalS;
  return {
    arrivalS: timed > 0 ? Float64Array.from(sorted, (one) => one.arrivalS - originS) : null,
    inputTokens: Uint32Array.from(sorted, (one) => one.inputTokens),
    outputTokens: Uint32Array.from(sorted, (one) => one.outputTokens),
    ttftMs: Float64Array.from(sorted, (one) => one.ttftS * 1000),
    tpotMs: Float64Array.from(sorted, (one) =>
      one.outputTokens > 1 ? (one.decodeS * 1000) / (one.outputTokens - 1) : NaN,
    ),
    e2eMs: Float64Array.from(sorted, (one) => (one.ttftS + one.decodeS) * 1000),
    counted: Uint8Array.from(sorted, (one) => (one.warmup === true ? 0 : 1)),
  };
}

function isCount(tokens: number): boolean {
  return Number.isInteger(tokens) && tokens >= 1 && tokens < 4_294_967_296;
}

/** A run of requests. */
export function runOfRequests(
  run: Pick<BenchmarkRun, "id" | "file" | "format" | "facts">,
  requests: RunRequests,
  dropped: BenchmarkRun["dropped"] = {},
): BenchmarkRun {
  return {
    ...run,
    requests,
    summary: {},
    requestCount: requests.counted.length,
    meanInputTokens: mean([...requests.inputTokens]),
    meanOutputTokens: mean([...requests.outputTokens]),
    dropped,
  };
}

/** Counts of reasons, for readers that leave requests out. */
export class Dropped {
  readonly counts: Record<string, number> = {};
  add(reason: string, count = 1): void {
    if (count > 0) this.counts[reason] = (this.counts[reason] ?? 0) + count;
  }
}
