/**
 * Latency of a hosted API without congestion and outages: a mixture of two lognormals for the first token (one
 * lognormal understates P99 by a factor of 2 to 3), a prefill slope in the input, and one lognormal token rate per
 * request; both move with the hour of the week. Times are seconds, rates output tokens per second.
 *
 *   TTFT = base · D(hour) · M · X + prefill · input/1000     X ~ (1 − p)·LN(0, s) + p·LN(ln k, s₂)
 *   rate = max(floor, r · d(hour) · m · exp(s_r · Z))        one draw per request; a floor where the vendor promises one
 */
import type { ResolvedOffer } from "../scenario/resolved.ts";
import { exp, log, normalQuantile } from "../kernel/math.ts";
import { threefry2x32, unit, words } from "../kernel/random.ts";
import { hourOfWeek, HOURS_PER_WEEK, isWeekday } from "./hour-of-week.ts";

/** Second key word of the latency draws; the offer's draws of failures use another. */
const LATENCY_KEY = 1;

export class Latency {
  /** Results of the last `draw`: the server's time to the first token, and between tokens. */
  ttftS = 0;
  tokenGapS = 0;
  private readonly spec: ResolvedOffer["latency"];
  private readonly lnTailMultiple: number;
  private readonly startEpochS: number;
  private readonly key: number;
  private readonly maxTokenGapS: number;
  private readonly ttftFactorByHour = new Float64Array(HOURS_PER_WEEK).fill(1);
  private readonly rateFactorByHour = new Float64Array(HOURS_PER_WEEK).fill(1);

  constructor(spec: ResolvedOffer["latency"], diurnal: ResolvedOffer["diurnal"], startEpochS: number, key: number) {
    this.spec = spec;
    this.lnTailMultiple = log(spec.tailMultiple);
    this.startEpochS = startEpochS;
    this.key = key;
    this.maxTokenGapS = spec.minTokensPerS === undefined ? Infinity : 1 / spec.minTokensPerS;
    if (diurnal !== null) {
      for (let hour = 0; hour < HOURS_PER_WEEK; hour++) {
        if (isWeekday(hour) && hour % 24 >= diurnal.fromHour && hour % 24 < diurnal.toHour) {
          this.ttftFactorByHour[hour] = diurnal.ttftFactor;
          this.rateFactorByHour[hour] = diurnal.rateFactor;
        }
      }
    }
  }

  /**
   * Latency of an attempt that arrives at `timeS`, into `ttftS` and `tokenGapS`. The luck depends on (request, attempt)
   * alone (RNG-2). The factors are those of the congestion state at arrival, which holds for the whole request.
   */
  draw(
    timeS: number,
    request: number,
    attempt: number,
    inputTokens: number,
    ttftFactor: number,
    rateFactor: number,
  ): void {
    const spec = this.spec;
    threefry2x32(this.key, LATENCY_KEY, request, attempt);
    const u = unit(words[0]!);
    const rateZ = normalQuantile(unit(words[1]!));
    // One uniform number serves the choice of the component and, stretched, the quantile within it.
    const p = spec.tailProbability;
    const x =
      u < p
        ? exp(this.lnTailMultiple + spec.tailSigma * normalQuantile(u / p))
        : exp(spec.ttftSigma * normalQuantile((u - p) / (1 - p)));
    const hour = hourOfWeek(this.startEpochS + timeS);
    this.ttftS =
      spec.ttftBaseS * ttftFactor * this.ttftFactorByHour[hour]! * x + (spec.prefillSPerKTok * inputTokens) / 1000;
    const tokensPerS = spec.tokensPerS * exp(spec.rateSigma * rateZ) * rateFactor * this.rateFactorByHour[hour]!;
    this.tokenGapS = Math.min(this.maxTokenGapS, 1 / tokensPerS);
  }
}
