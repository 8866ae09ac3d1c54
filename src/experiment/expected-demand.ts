/**
 * The demand that provisioned units are sized for: the busiest quarter of an hour that the traffic lets expect (of a replay, the
 * busiest that was recorded), and the mean request of the classes concerned. Requests a minute, tokens.
 */
import { meanOfCutLognormal } from "./resolve-traffic.ts";
import { rowsOfClass } from "./rows-of-class.ts";
import type { ReasoningLaw, RequestClass, ResolvedTraffic } from "../scenario/resolved.ts";
import { LengthSampler } from "../traffic/lengths.ts";
import { expectedRequests, peakDays } from "../traffic/rate.ts";

/** What the sizing needs of the experiment; null where a part of it did not resolve. */
export interface DemandContext {
  readonly traffic: ResolvedTraffic;
  readonly startEpochS: number;
  readonly horizonS: number;
}

export interface ExpectedDemand {
  readonly requestsPerMin: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Short enough for a peak, long enough that a minute's chance does not size a contract. */
const PEAK_S = 900;
/** Points of the unit square at which lengths are looked up; their mean is within 0.1 % of the distribution's. */
const LENGTH_POINTS = 8192;
/** Powers of the inverse of the plastic number: the R2 sequence (Roberts 2018) covers the unit square evenly. */
const R2 = [0.7548776662466927, 0.5698402909980532] as const;

/** Null for sessions, whose prompts grow with what happened before. */
export function expectedDemand(
  { traffic, startEpochS, horizonS }: DemandContext,
  classes: readonly RequestClass[],
  concerned: readonly number[],
): ExpectedDemand | null {
  if (traffic.kind === "synthetic" && traffic.sessions !== undefined) return null;
  const share = concerned.reduce((sum, c) => sum + classes[c]!.shareFraction, 0);
  let inputTokens = 0;
  let outputTokens = 0;
  for (const c of concerned) {
    const mean = meanLengths(traffic, c);
    const weight = classes[c]!.shareFraction / share;
    inputTokens += weight * mean.inputTokens;
    outputTokens += weight * (mean.outputTokens + meanThinking(classes[c]!.reasoning));
  }
  return { requestsPerMin: share * peakPerMin(traffic, startEpochS, horizonS), inputTokens, outputTokens };
}

/** Tokens that thinking adds to an answer in the mean. */
function meanThinking(law: ReasoningLaw | undefined): number {
  if (law?.kind !== "added") return 0;
  return meanOfCutLognormal(law.medianTokens, law.sigma, 1, law.maxTokens);
}

function peakPerMin(traffic: ResolvedTraffic, startEpochS: number, horizonS: number): number {
  let most = 0;
  for (const day of peakDays(traffic, startEpochS, horizonS, 1)) {
    const windowS = Math.min(PEAK_S, day.toS - day.fromS);
    for (let fromS = day.fromS; fromS + windowS <= day.toS; fromS += windowS)
      most = Math.max(most, (expectedRequests(traffic, startEpochS, fromS, fromS + windowS) * 60) / windowS);
  }
  return most;
}

function meanLengths(
  traffic: ResolvedTraffic,
  classIndex: number,
): { readonly inputTokens: number; readonly outputTokens: number } {
  if (traffic.kind === "replay") {
    const mean = (tokens: Uint32Array): number => tokens.reduce((sum, count) => sum + count, 0) / tokens.length;
    const { inputTokens, outputTokens } = rowsOfClass(traffic, classIndex);
    return { inputTokens: mean(inputTokens), outputTokens: mean(outputTokens) };
  }
  const { input, output } = traffic.classLengths?.[classIndex] ?? traffic;
  const sampler = new LengthSampler(input, output, traffic.spearman, traffic.maxOutput);
  let inputTokens = 0;
  let outputTokens = 0;
  for (let i = 1; i <= LENGTH_POINTS; i++) {
    sampler.draw((0.5 + i * R2[0]) % 1, (0.5 + i * R2[1]) % 1);
    inputTokens += sampler.inputTokens;
    outputTokens += sampler.outputTokens;
  }
  return { inputTokens: inputTokens / LENGTH_POINTS, outputTokens: outputTokens / LENGTH_POINTS };
}
