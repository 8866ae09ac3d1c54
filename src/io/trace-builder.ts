/**
 * What a request trace is, which column layouts are known, and the checks that every row passes whatever file it came
 * from. Times in seconds since the first arrival.
 */
import { DataError } from "../kernel/errors.ts";
import { nearestName, nearestOf } from "./nearest-name.ts";

/** A request trace in arrival order. The arrays lie in shared memory: threads read them without a copy. */
export interface Trace {
  /** Seconds since the first arrival, never decreasing; the first is 0. */
  readonly arrivalS: Float64Array;
  readonly inputTokens: Uint32Array;
  readonly outputTokens: Uint32Array;
  /** Part of the output that was thinking; only where some row of the file says so. */
  readonly reasoningTokens?: Uint32Array;
  readonly rowsRead: number;
  readonly format: TraceFormat;
  /** Columns of the file's header that were passed over; only where its form is CSV. */
  readonly unread?: readonly string[];
  /** Unix time of the first arrival, seconds; null where the file has no dates. */
  readonly epochS: number | null;
}

type TraceFormat = "azure-llm-parquet" | "azure-llm-csv" | "crossover-parquet" | "crossover-csv";

/** The columns that a trace is made of, by the names of one source. */
export interface TraceLayout {
  readonly name: "azure-llm" | "crossover";
  /** `dates`: points in time; else seconds as a number. */
  readonly dates: boolean;
  readonly time: string;
  readonly input: string;
  readonly output: string;
  /** May be missing. */
  readonly reasoning?: string;
}

/** Azure: github.com/Azure/AzurePublicDataset, LLM inference traces of 2023 and 2024. Crossover: our own canonical form. */
const LAYOUTS: readonly TraceLayout[] = [
  { name: "azure-llm", dates: true, time: "TIMESTAMP", input: "ContextTokens", output: "GeneratedTokens" },
  {
    name: "crossover",
    dates: false,
    time: "arrivalS",
    input: "inputTokens",
    output: "outputTokens",
    reasoning: "reasoningTokens",
  },
];

/**
 * Finds the layout whose columns are there; other columns are ignored. Throws DataError that names the missing column
 * and the nearest present one, or the known layouts if nothing resembles any.
 */
export function detectLayout(file: string, names: readonly string[]): TraceLayout {
  let best: TraceLayout | null = null;
  let bestScore = 0;
  for (const layout of LAYOUTS) {
    const score = columnsOf(layout).reduce((sum, name) => sum + likeness(name, names), 0);
    if (score > bestScore) [best, bestScore] = [layout, score];
  }
  if (best === null) {
    const known = LAYOUTS.map((layout) => `${columnsOf(layout).join(", ")} (${layout.name})`).join(" or ");
    throw new DataError(file, null, `not a known trace format; needed are the columns ${known}`);
  }
  const needed = columnsOf(best);
  const missing = needed.find((name) => !names.includes(name));
  if (missing !== undefined) {
    const others = names.filter((name) => !needed.includes(name));
    throw new DataError(file, null, `no column ${missing} (format ${best.name})${nearestName(missing, others)}`);
  }
  return best;
}

function columnsOf(layout: TraceLayout): readonly string[] {
  return [layout.time, layout.input, layout.output];
}

function likeness(wanted: string, names: readonly string[]): number {
  if (names.includes(wanted)) return 2;
  return nearestOf(wanted, names) === null ? 0 : 1;
}

/** Collects rows in order and refuses the first wrong one. */
export class TraceBuilder {
  private rows = 0;
  private lastS = 0;
  private arrivalS: Float64Array;
  private inputTokens: Uint32Array;
  private outputTokens: Uint32Array;
  /** Null until a row has some. */
  private reasoningTokens: Uint32Array | null = null;
  private readonly file: string;

  /** `capacity`: the number of rows if it is known, else a first guess; it grows. */
  constructor(file: string, capacity: number) {
    this.file = file;
    this.arrivalS = new Float64Array(new SharedArrayBuffer(capacity * 8));
    this.inputTokens = new Uint32Array(new SharedArrayBuffer(capacity * 4));
    this.outputTokens = new Uint32Array(new SharedArrayBuffer(capacity * 4));
  }

  /** Appends one row. Throws DataError with the row for a time that is no number or runs backwards, and for bad counts. */
  add(arrivalS: number, inputTokens: number, outputTokens: number): void {
    const at = this.rows;
    const row = at + 1;
    if (!(arrivalS >= this.lastS && arrivalS <= MOST_SPAN_S)) refuseTime(this.file, row, arrivalS, this.lastS);
    if (!isCount(inputTokens)) refuseCount(this.file, row, "input", inputTokens);
    if (!isCount(outputTokens)) refuseCount(this.file, row, "output", outputTokens);
    if (at === this.arrivalS.length) this.resize(Math.max(at * 2, 1));
    this.arrivalS[at] = arrivalS;
    this.inputTokens[at] = inputTokens;
    this.outputTokens[at] = outputTokens;
    this.lastS = arrivalS;
    this.rows = row;
  }

  /** What the last row thought; NaN where the file does not say. Throws DataError unless it is a count within the output. */
  reasoning(tokens: number): void {
    if (tokens === 0 || Number.isNaN(tokens)) return;
    const at = this.rows - 1;
    if (!isCount(tokens)) refuseCount(this.file, this.rows, "reasoning", tokens);
    if (tokens > this.outputTokens[at]!) refuseThinking(this.file, this.rows, tokens, this.outputTokens[at]!);
    this.reasoningTokens ??= new Uint32Array(new SharedArrayBuffer(this.arrivalS.length * 4));
    this.reasoningTokens[at] = tokens;
  }

  /** The trace. Throws DataError if it has no row. */
  finish(layout: TraceLayout, container: "parquet" | "csv", epochS: number | null): Trace {
    if (this.rows === 0) throw new DataError(this.file, null, "the trace has no rows");
    refuseNoDate(this.file, epochS);
    if (this.rows !== this.arrivalS.length) this.resize(this.rows);
    const { arrivalS, inputTokens, outputTokens, reasoningTokens, rows } = this;
    const format: TraceFormat = `${layout.name}-${container}`;
    const thought = reasoningTokens === null ? {} : { reasoningTokens };
    return { arrivalS, inputTokens, outputTokens, ...thought, rowsRead: rows, format, epochS };
  }

  private resize(capacity: number): void {
    const { arrivalS, inputTokens, outputTokens, reasoningTokens } = this;
    const kept = Math.min(capacity, this.rows);
    this.arrivalS = new Float64Array(new SharedArrayBuffer(capacity * 8));
    this.inputTokens = new Uint32Array(new SharedArrayBuffer(capacity * 4));
    this.outputTokens = new Uint32Array(new SharedArrayBuffer(capacity * 4));
    this.arrivalS.set(arrivalS.subarray(0, kept));
    this.inputTokens.set(inputTokens.subarray(0, kept));
    this.outputTokens.set(outputTokens.subarray(0, kept));
    if (reasoningTokens === null) return;
    this.reasoningTokens = new Uint32Array(new SharedArrayBuffer(capacity * 4));
    this.reasoningTokens.set(reasoningTokens.subarray(0, kept));
  }
}

/** Twenty years: what lasts longer has another unit, or a date that stands for none. */
export const MOST_SPAN_S = 631_152_000;

/** The end of the year 9999, Unix seconds; years before 1970 are as far away on the other side. */
const LAST_EPOCH_S = 253_402_300_799;

/** Throws DataError for a first arrival that is no date of a calendar. */
export function refuseNoDate(file: string, epochS: number | null): void {
  if (epochS === null || Math.abs(epochS) <= LAST_EPOCH_S) return;
  throw new DataError(
    file,
    null,
    `it begins ${epochS} s from 1970: that is no date, is the unit of its times another?`,
  );
}

/** Throws DataError for an arrival that is no number, lies before the last one or beyond any recording. Seconds since the first arrival. */
export function refuseTime(file: string, row: number, arrivalS: number, lastS: number): never {
  if (!Number.isFinite(arrivalS)) throw new DataError(file, row, "the arrival time is missing or not finite");
  if (arrivalS > MOST_SPAN_S && arrivalS >= lastS)
    throw new DataError(
      file,
      row,
      `${arrivalS} s after the first arrival, more than twenty years: is its unit another?`,
    );
  const backwards = `time runs backwards: ${arrivalS} s after ${lastS} s (counted from the first arrival)`;
  throw new DataError(file, row, backwards);
}

/** Throws DataError for a count of tokens that `isCount` refuses. */
export function refuseCount(file: string, row: number, which: "input" | "output" | "reasoning", tokens: number): never {
  const what = `${which} token count`;
  if (Number.isNaN(tokens)) throw new DataError(file, row, `the ${what} is missing or not a number`);
  if (tokens < 0) throw new DataError(file, row, `negative ${what} ${tokens}`);
  if (!Number.isInteger(tokens)) throw new DataError(file, row, `the ${what} ${tokens} is not a whole number`);
  throw new DataError(file, row, `the ${what} ${tokens} is above ${MAX_COUNT}`);
}

/** Throws DataError for more thinking than the answer that holds it. */
export function refuseThinking(file: string, row: number, reasoningTokens: number, outputTokens: number): never {
  throw new DataError(
    file,
    row,
    `${reasoningTokens} reasoning tokens of an answer of ${outputTokens}: they are a part of the output`,
  );
}

const MAX_COUNT = 2 ** 32 - 1;

/** Whether a number fits an unsigned 32-bit column. */
export function isCount(tokens: number): boolean {
  return tokens >= 0 && tokens <= MAX_COUNT && Math.floor(tokens) === tokens;
}
