/** What a recorded trace shows, as plain figures: for the text, the page and the JSON of `crossover trace inspect`. */
import { sampleStandardDeviation, mean } from "simple-statistics";
import { DAY_S, isoDateTime } from "../../kernel/calendar-time.ts";
import { stream } from "../../kernel/random.ts";
import type { Labels, RecordedTrace } from "../../scenario/recorded-trace.ts";
import {
  clockStepS,
  DISPERSION_WINDOWS_S,
  dispersionCurve,
  firstFrom,
  spanOf,
  spreadOverStep,
  wholeRecord,
} from "./dispersion.ts";
import { quantilesOf, spearman, type Quantiles } from "./lengths.ts";
import { prefixReuse, sessionFacts, skewOf, type ReuseFacts, type SessionFacts, type Skew } from "./reuse.ts";
import { hourlyCounts, seasonProfile, type SeasonProfile } from "./season.ts";

export interface TraceFacts {
  readonly format: string;
  readonly requests: number;
  readonly spanS: number;
  /** ISO times in UTC; null where the file has no dates. */
  readonly from: string | null;
  readonly to: string | null;
  readonly rate: RateFacts;
  readonly gaps: GapFacts | null;
  /** Step of a clock that is coarser than the arrivals, seconds. Dispersion is then of arrivals spread over it. */
  readonly clockStepS: number | null;
  readonly dispersion: readonly { readonly windowS: number; readonly index: number | null }[];
  readonly lengths: LengthFacts;
  readonly season: SeasonProfile | null;
  readonly models: Skew | null;
  readonly tenants: Skew | null;
  readonly clients: Skew | null;
  /** Rows whose status is not ok; null where the file has no status. */
  readonly failed: number | null;
  /** Rows of the source that an import left out, by reason. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly sessions: SessionFacts | null;
  readonly reuse: ReuseFacts | null;
  /** Σ cached ÷ Σ input tokens over the rows that say; null where none does. */
  readonly cachedShare: number | null;
  /** What the file cannot show, and why. */
  readonly missing: readonly string[];
}

export interface RateFacts {
  readonly meanPerS: number;
  /** Requests per second in bins of equal length that cover the record. */
  readonly binS: number;
  readonly perS: readonly number[];
  /** Busiest minute ÷ mean minute; null with fewer than ten. */
  readonly peakToMean60S: number | null;
}

export interface GapFacts {
  readonly seconds: Quantiles;
  readonly cv: number;
  readonly zeroShare: number;
  /** Gaps of more than twenty mean gaps. */
  readonly silences: number;
}

export interface LengthFacts {
  readonly input: Quantiles;
  readonly output: Quantiles;
  readonly spearman: number;
  readonly zeroInput: number;
  readonly zeroOutput: number;
  /** Histograms over equal steps of the logarithm, for the drawing. */
  readonly inputBins: readonly LengthBin[];
  readonly outputBins: readonly LengthBin[];
}

export interface LengthBin {
  readonly fromTokens: number;
  readonly toTokens: number;
  readonly share: number;
}

const MINUTE_S = 60;
const MIN_MINUTES = 10;
const SILENCE_GAPS = 20;
/** Bins of the drawn rate: the shortest of these lengths that needs no more than this many. */
const MAX_BINS = 240;
const BIN_LENGTHS_S = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, DAY_S] as const;
/** Steps of a length histogram within a doubling. */
const BINS_PER_DOUBLING = 4;

/** Computes everything. Random only where a coarse clock is spread, by a fixed seed. */
export function inspectTrace(trace: RecordedTrace): TraceFacts {
  const { arrivalS, inputTokens, outputTokens, epochS } = trace;
  const spanS = spanOf(arrivalS);
  const stepS = clockStepS(arrivalS);
  const points = stepS === null ? arrivalS : spreadOverStep(arrivalS, stepS, stream("1", 0, "trace/clock"));
  const index = dispersionCurve(points, wholeRecord(points));
  const season = epochS === null ? null : seasonProfile(hourlyCounts(arrivalS, epochS));
  const skew = (labels: Labels | null): Skew | null =>
    labels === null ? null : skewOf(labels, inputTokens, outputTokens);
  const facts = {
    format: trace.format,
    requests: arrivalS.length,
    spanS,
    from: epochS === null ? null : isoDateTime(epochS),
    to: epochS === null ? null : isoDateTime(epochS + spanS),
    rate: rateFacts(arrivalS, spanS),
    gaps: gapFacts(arrivalS),
    clockStepS: stepS,
    dispersion: DISPERSION_WINDOWS_S.map((windowS, i) => ({ windowS, index: index[i]! })),
    lengths: lengthFacts(inputTokens, outputTokens),
    season,
    models: skew(trace.models),
    tenants: skew(trace.tenants),
    clients: skew(trace.clients),
    failed: trace.statuses === null ? null : failedRows(trace.statuses),
    dropped: trace.dropped,
    sessions: trace.sessions === null ? null : sessionFacts(trace.sessions, arrivalS, inputTokens, outputTokens),
    reuse: trace.blocks === null ? null : prefixReuse(trace.blocks),
    cachedShare: trace.cachedTokens === null ? null : cachedShare(trace.cachedTokens, inputTokens),
  };
  return { ...facts, missing: missingOf(facts, epochS !== null, trace.columns) };
}

function rateFacts(arrivalS: Float64Array, spanS: number): RateFacts {
  const binS =
    BIN_LENGTHS_S.find((length) => spanS / length <= MAX_BINS) ?? Math.ceil(spanS / MAX_BINS / DAY_S) * DAY_S;
  const minutes = countsIn(arrivalS, MINUTE_S, spanS);
  return {
    meanPerS: spanS > 0 ? (arrivalS.length - 1) / spanS : 0,
    binS,
    perS: countsIn(arrivalS, binS, spanS).map((count) => count / binS),
    peakToMean60S: minutes.length < MIN_MINUTES ? null : minutes.reduce((a, b) => Math.max(a, b), 0) / mean(minutes),
  };
}

/** Counts in whole bins from the first arrival on. */
function countsIn(arrivalS: Float64Array, binS: number, spanS: number): number[] {
  const bins = Math.floor(spanS / binS);
  let from = 0;
  return Array.from({ length: bins }, (_, bin) => {
    const to = firstFrom(arrivalS, arrivalS[0]! + (bin + 1) * binS);
    const count = to - from;
    from = to;
    return count;
  });
}

function gapFacts(arrivalS: Float64Array): GapFacts | null {
  if (arrivalS.length < 3) return null;
  const gaps = Array.from({ length: arrivalS.length - 1 }, (_, i) => arrivalS[i + 1]! - arrivalS[i]!);
  const seconds = quantilesOf(gaps)!;
  const countOf = (is: (gap: number) => boolean): number => gaps.reduce((sum, gap) => sum + (is(gap) ? 1 : 0), 0);
  return {
    seconds,
    cv: seconds.mean === 0 ? 0 : sampleStandardDeviation(gaps) / seconds.mean,
    zeroShare: countOf((gap) => gap === 0) / gaps.length,
    silences: countOf((gap) => gap > SILENCE_GAPS * seconds.mean),
  };
}

function lengthFacts(inputTokens: Uint32Array, outputTokens: Uint32Array): LengthFacts {
  const zeros = (tokens: Uint32Array): number => tokens.reduce((sum, count) => sum + (count === 0 ? 1 : 0), 0);
  return {
    input: quantilesOf(inputTokens)!,
    output: quantilesOf(outputTokens)!,
    spearman: spearman(inputTokens, outputTokens),
    zeroInput: zeros(inputTokens),
    zeroOutput: zeros(outputTokens),
    inputBins: lengthBins(inputTokens),
    outputBins: lengthBins(outputTokens),
  };
}

/** Zeros stand in the first bin, with the ones. */
function lengthBins(tokens: Uint32Array): LengthBin[] {
  const edges = [1];
  const longest = tokens.reduce((a, b) => Math.max(a, b), 1);
  const ratio = Math.sqrt(Math.sqrt(2)); // 2^(1/BINS_PER_DOUBLING)
  while (edges[edges.length - 1]! <= longest) {
    const doublings = Math.floor(edges.length / BINS_PER_DOUBLING);
    let edge = 1;
    for (let i = 0; i < doublings; i++) edge *= 2;
    for (let i = doublings * BINS_PER_DOUBLING; i < edges.length; i++) edge *= ratio;
    edges.push(edge);
  }
  const sorted = Float64Array.from(tokens).sort();
  let from = 0;
  return edges.slice(1).map((toTokens, i) => {
    const to = firstFrom(sorted, toTokens);
    const share = (to - from) / sorted.length;
    from = to;
    return { fromTokens: edges[i]!, toTokens, share };
  });
}

function cachedShare(cachedTokens: Float64Array, inputTokens: Uint32Array): number | null {
  let cached = 0;
  let input = 0;
  cachedTokens.forEach((tokens, i) => {
    if (Number.isNaN(tokens)) return;
    cached += tokens;
    input += inputTokens[i]!;
  });
  return input > 0 ? cached / input : null;
}

function failedRows({ codes, names }: Labels): number {
  const ok = names.indexOf("ok");
  return codes.reduce((sum, code) => sum + (code >= 0 && code !== ok ? 1 : 0), 0);
}

function missingOf(facts: Omit<TraceFacts, "missing">, dated: boolean, columns: readonly string[]): string[] {
  const unseen = facts.dispersion.filter(({ index }) => index === null).map(({ windowS }) => `${windowS}`);
  const { season } = facts;
  const lines: (string | null)[] = [
    dated ? null : "dates: times count from the first request, so no hour of the day is known",
    !dated || season?.kind === "week"
      ? null
      : season === null
        ? "season: no hour of the day was seen twice in whole"
        : "weekdays: fewer than two weeks, so hours of the day are known but not days of the week",
    unseen.length === 0
      ? null
      : `dispersion at ${unseen.join(", ")} s: fewer than ten such windows, or too many to count`,
    facts.models === null ? "models: no column model" : null,
    facts.tenants === null && facts.clients === null ? "tenants and clients: no column tenant or client" : null,
    facts.sessions === null ? "sessions: no column sessionId; what follows from an answer cannot be told" : null,
    facts.reuse === null ? "prefix reuse: no column hashIds" : null,
    facts.cachedShare === null ? "cached input: no column cachedTokens" : null,
    facts.failed === null ? "failures: no column status, so a failed request looks like any other" : null,
    columns.includes("maxOutputTokens")
      ? null
      : "limits that clients set on answers (max_tokens): no column maxOutputTokens",
    columns.includes("e2eS") ? null : "how long answers took: no column e2eS",
  ];
  return lines.filter((line) => line !== null);
}
