/** Recorded traces, for replaying and with whatever their file says of each request. Times in seconds since the first arrival. */
import type { ReplayTraffic } from "./resolved.ts";

/** A recording as a replay takes it. No length is zero: what the file does not say was filled in. */
export interface Recording extends Pick<
  ReplayTraffic,
  "arrivalS" | "inputTokens" | "outputTokens" | "reasoningTokens" | "maxOutputTokens" | "prefix" | "sessions" | "waits"
> {
  /** Name of each request's class in the recording. */
  readonly classNames?: Labels;
  readonly filled?: FilledLengths;
  /** Columns that the file has and only an imported trace gives. */
  readonly passedOver?: readonly string[];
}

/** Requests whose lengths the file does not say: they failed, or gave nothing. They are offered load all the same. */
export interface FilledLengths {
  /** Sent for an answer of one token. */
  readonly outputs: number;
  /** Sent with a prompt of `inputTokens`, the median of the others. */
  readonly inputs: number;
  readonly inputTokens: number;
}

export interface RecordedTrace {
  /** Never decreasing; the first is 0. */
  readonly arrivalS: Float64Array;
  readonly inputTokens: Uint32Array;
  readonly outputTokens: Uint32Array;
  /** Name of the layout that was found in the file. */
  readonly format: string;
  /** Unix time of the first arrival, seconds; null where the file has no dates. */
  readonly epochS: number | null;
  /** All columns of the file. */
  readonly columns: readonly string[];
  /** Rows of the source that an import left out, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  /** What the following say; null where the file has no such column. */
  readonly models: Labels | null;
  readonly tenants: Labels | null;
  readonly clients: Labels | null;
  /** Anything but ok failed and is load all the same. */
  readonly statuses: Labels | null;
  readonly sessions: Labels | null;
  /** Input tokens that the recording service took from its prompt cache; NaN where a row does not say. */
  readonly cachedTokens: Float64Array | null;
  readonly blocks: BlockLists | null;
}

/** A text by row, as an index into its distinct values. */
export interface Labels {
  /** By row; −1 where the row has none. */
  readonly codes: Int32Array;
  readonly names: readonly string[];
}

/** The blocks of each request's prompt, as numbers that are equal where the recorded hashes are. */
export interface BlockLists {
  /** By row, one further: those of row i are `ids[starts[i]]` up to `ids[starts[i + 1]]`. */
  readonly starts: Float64Array;
  readonly ids: Uint32Array;
  readonly distinct: number;
}
