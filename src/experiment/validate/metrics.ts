/**
 * What a run comes to, under the names in which measurements are recorded: Ms, tokens, requests and seconds. Percentiles
 * interpolate linearly between order statistics, at (n − 1)·q.
 */
import { mean } from "simple-statistics";
import type { CaseArrivals } from "./arrivals.ts";
import { type GapGroups, GapSketch, gapGroups } from "./gaps.ts";

/** Simulated times of the same requests, on the engine's clock: without the API server's overhead. */
export interface CaseTimes {
  readonly arrivalS: Float64Array;
  readonly firstTokenS: Float64Array;
  readonly lastTokenS: Float64Array;
  readonly preemptions: number;
  /** Gaps between tokens by group of requests (`gapGroups`); null or absent = not counted. */
  readonly gaps?: readonly GapSketch[] | null;
}

/** Numbers under the names in which measurements are recorded. */
export type CaseMetrics = Readonly<Record<string, number>>;

const PERCENTILES = [10, 25, 50, 75, 90, 95, 99] as const;

/** Quantile of rising values by linear interpolation of order statistics; NaN of none. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return NaN;
  const rank = (sorted.length - 1) * q;
  const low = Math.floor(rank);
  const below = sorted[low]!;
  return low + 1 < sorted.length ? below + (sorted[low + 1]! - below) * (rank - low) : below;
}

/**
 * Metrics of the requests after the first `warmupRequests`, of those of one stage where `stage` names it. The API overhead is added to TTFT and
 * E2E alone. Percentiles of TPOT are over requests, those of ITL over all gaps. Throughput is tokens ÷ (last completion − first arrival).
 */
export function caseMetrics(
  requests: CaseArrivals,
  times: CaseTimes,
  warmupRequests: number,
  apiOverheadMs: number,
  stage: number | null = null,
): CaseMetrics {
  const ttftMs: number[] = [];
  const tpotMs: number[] = [];
  const e2eMs: number[] = [];
  let gapMs = 0;
  let gaps = 0;
  let inputTokens = 0;
  let outputTokens = 0;
  let firstArrivalS = Infinity;
  let lastCompletionS = -Infinity;
  for (let i = warmupRequests; i < times.arrivalS.length; i++) {
    if (stage !== null && requests.stage![i] !== stage) continue;
    const arrivalS = times.arrivalS[i]!;
    const lastTokenS = times.lastTokenS[i]!;
    const output = requests.outputTokens[i]!;
    const decodeMs = (lastTokenS - times.firstTokenS[i]!) * 1000;
    ttftMs.push((times.firstTokenS[i]! - arrivalS) * 1000 + apiOverheadMs);
    e2eMs.push((lastTokenS - arrivalS) * 1000 + apiOverheadMs);
    if (output > 1) {
      tpotMs.push(decodeMs / (output - 1));
      gapMs += decodeMs;
      gaps += output - 1;
    }
    inputTokens += requests.inputTokens[i]!;
    outputTokens += output;
    firstArrivalS = Math.min(firstArrivalS, arrivalS);
    lastCompletionS = Math.max(lastCompletionS, lastTokenS);
  }
  if (ttftMs.length === 0) return {};
  const makespanS = lastCompletionS - firstArrivalS;
  return {
    ...spread("ttftMs", ttftMs),
    ...spread("tpotMs", tpotMs),
    ...spread("e2eMs", e2eMs),
    ...(gaps > 0 ? { itlMsMean: gapMs / gaps } : {}),
    ...gapPercentiles(times.gaps ?? null, gapGroups(requests, warmupRequests), stage),
    outputTokensPerS: outputTokens / makespanS,
    totalTokensPerS: (inputTokens + outputTokens) / makespanS,
    requestsPerS: ttftMs.length / makespanS,
    makespanS,
    preemptions: times.preemptions,
  };
}

/** The same for each stage of the load, of the requests that it sent; none where the load has no stages. */
export function stageMetrics(
  requests: CaseArrivals,
  times: CaseTimes,
  warmupRequests: number,
  apiOverheadMs: number,
): CaseMetrics[] {
  const { stage } = requests;
  if (stage === null) return [];
  return Array.from({ length: stage[stage.length - 1]! + 1 }, (_, index) =>
    caseMetrics(requests, times, warmupRequests, apiOverheadMs, index),
  );
}

/** Each metric's mean over runs of one case. */
export function meanMetrics(runs: readonly CaseMetrics[]): CaseMetrics {
  const names = Object.keys(runs[0]!).filter((name) => runs.every((run) => run[name] !== undefined));
  return Object.fromEntries(names.map((name) => [name, mean(runs.map((run) => run[name]!))]));
}

/** Of the gaps that count: those of one stage, or all but those of the warm-up. */
function gapPercentiles(
  gaps: readonly GapSketch[] | null,
  { staged, warmup }: GapGroups,
  stage: number | null,
): Record<string, number> {
  if (gaps === null || (stage !== null && !staged)) return {};
  const counted = new GapSketch();
  gaps.forEach((one, group) => {
    if (stage === null ? group !== warmup : group === stage) counted.merge(one);
  });
  if (counted.samples() === 0) return {};
  return Object.fromEntries(PERCENTILES.map((percent) => [`itlMsP${percent}`, counted.quantile(percent / 100) * 1000]));
}

function spread(name: string, values: readonly number[]): Record<string, number> {
  if (values.length === 0) return {};
  const sorted = [...values].sort((a, b) => a - b);
  const metrics: Record<string, number> = { [`${name}Mean`]: mean(sorted) };
  for (const percent of PERCENTILES) metrics[`${name}P${percent}`] = quantile(sorted, percent / 100);
  return metrics;
}
