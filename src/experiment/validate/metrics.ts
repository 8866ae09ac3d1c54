/**
 * What a run comes to, under the names in which measurements are recorded: Ms, tokens, requests and seconds. Percentiles
 * interpolate linearly between order statistics, at (n − 1)·q.
 */
import { mean } from "simple-statistics";
import type { CaseArrivals } from "./arrivals.ts";

/** Simulated times of the same requests, on the engine's clock: without the API server's overhead. */
export interface CaseTimes {
  readonly arrivalS: Float64Array;
  readonly firstTokenS: Float64Array;
  readonly lastTokenS: Float64Array;
  readonly preemptions: number;
}

/** Numbers under the names in which measurements are recorded. */
export type CaseMetrics = Readonly<Record<string, number>>;

const PERCENTILES = [50, 90, 95, 99] as const;

/** Quantile of rising values by linear interpolation of order statistics; NaN of none. */
export function quantile(sorted: ArrayLike<number>, q: number): number {
  if (sorted.length === 0) return NaN;
  const rank = (sorted.length - 1) * q;
  const low = Math.floor(rank);
  const below = sorted[low]!;
  return low + 1 < sorted.length ? below + (sorted[low + 1]! - below) * (rank - low) : below;
}

/**
 * Metrics of the requests after the first `warmupRequests`, of those that `counts` picks. The API overhead is added to TTFT and E2E alone. Throughput
 * is tokens ÷ (last completion − first arrival).
 */
export function caseMetrics(
  requests: CaseArrivals,
  times: CaseTimes,
  warmupRequests: number,
  apiOverheadMs: number,
  counts: (request: number) => boolean = () => true,
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
    if (!counts(i)) continue;
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
    caseMetrics(requests, times, warmupRequests, apiOverheadMs, (request) => stage[request] === index),
  );
}

/** Each metric's mean over runs of one case. */
export function meanMetrics(runs: readonly CaseMetrics[]): CaseMetrics {
  const names = Object.keys(runs[0]!).filter((name) => runs.every((run) => run[name] !== undefined));
  return Object.fromEntries(names.map((name) => [name, mean(runs.map((run) => run[name]!))]));
}

function spread(name: string, values: readonly number[]): Record<string, number> {
  if (values.length === 0) return {};
  const sorted = [...values].sort((a, b) => a - b);
  const metrics: Record<string, number> = { [`${name}Mean`]: mean(sorted) };
  for (const percent of PERCENTILES) metrics[`${name}P${percent}`] = quantile(sorted, percent / 100);
  return metrics;
}
