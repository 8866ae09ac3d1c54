/**
 * Fits the parameters of a traffic preset to a recorded trace, says how sure they are, and tries them on a part of the
 * trace that they were not fitted on.
 */
import { stream } from "../../kernel/random.ts";
import { DAY_S, HOUR_S } from "../../kernel/calendar-time.ts";
import type { RecordedTrace } from "../../scenario/recorded-trace.ts";
import { quantile } from "../validate/metrics.ts";
import { fitBursts, longestTauS, type BurstFit, type MeasuredCurve } from "./burst-fit.ts";
import {
  clockStepS,
  DISPERSION_WINDOWS_S,
  dispersionCurve,
  firstFrom,
  spanOf,
  spreadOverStep,
  type Stretches,
} from "./dispersion.ts";
import { lengthTable, spearman } from "./lengths.ts";
import { checkAgainst, sampleCurves, type BandCheck } from "./sampling.ts";
import { hourlyCounts, seasonProfile, type SeasonProfile } from "./season.ts";

export interface TraceFit {
  readonly rows: number;
  readonly spanS: number;
  readonly clockStepS: number | null;
  readonly meanRatePerS: number;
  readonly season: SeasonProfile | null;
  /** Null where the trace is too short or too thin to show any dispersion. */
  readonly bursts: BurstsFound | null;
  /** Fitted on the first half, judged on the second; null where a half is too short. */
  readonly heldOut: HeldOut | null;
  readonly input: ReturnType<typeof lengthTable>;
  readonly output: ReturnType<typeof lengthTable>;
  readonly spearman: number;
  /** What this trace cannot say and the preset therefore assumes. */
  readonly unknown: readonly string[];
}

export interface BurstsFound {
  readonly fit: BurstFit;
  /** 95 % intervals over samples of the fitted generator. */
  readonly intervals: { readonly cv: Interval | null; readonly tauS: Interval | null; readonly gapCv: Interval };
  readonly check: BandCheck;
  /** Gaps alone (a renewal process) on the same record. */
  readonly renewal: { readonly gapCv: number; readonly check: BandCheck };
  /** On what the dispersion was taken. */
  readonly stretchS: number;
  readonly stretches: number;
}

export interface HeldOut {
  readonly fit: BurstFit;
  readonly check: BandCheck;
}

interface Interval {
  readonly low: number;
  readonly high: number;
}

/** Records up to this length are one stretch; of longer ones each hour is, so that the season stays out. */
const ONE_STRETCH_S = 2 * HOUR_S;
/** Hours are taken evenly over a long record, up to this many and until they hold so many requests: more would not fit better. */
const MAX_HOURS = 120;
const MAX_REQUESTS = 150_000;
/** Below this the gaps alone are taken to be wrong. */
const LIKELY = 0.05;

/** Needs at least two rows at different times; draws by a fixed seed, so that the same trace gives the same fit. */
export function fitTrace(trace: RecordedTrace, samples: number): TraceFit {
  const { inputTokens, outputTokens, epochS } = trace;
  const stepS = clockStepS(trace.arrivalS);
  const arrivalS =
    stepS === null ? trace.arrivalS : spreadOverStep(trace.arrivalS, stepS, stream("1", 0, "trace/clock"));
  const spanS = spanOf(arrivalS);
  const season = epochS === null ? null : seasonProfile(hourlyCounts(arrivalS, epochS));
  const startS = arrivalS[0]!;
  const bursts = burstsOf(measure(arrivalS, startS, startS + spanS), samples);
  return {
    rows: arrivalS.length,
    spanS,
    clockStepS: stepS,
    meanRatePerS: season?.meanRatePerS ?? (arrivalS.length - 1) / spanS,
    season,
    bursts,
    heldOut: bursts === null ? null : heldOut(arrivalS, bursts.fit.component !== null, samples),
    input: lengthTable(inputTokens),
    output: lengthTable(outputTokens),
    spearman: Number(spearman(inputTokens, outputTokens).toFixed(3)),
    unknown: unknownOf(trace, spanS, season, bursts),
  };
}

/** The dispersion between two times, with what a fit needs to know of it. */
function measure(arrivalS: Float64Array, fromS: number, toS: number): MeasuredCurve {
  const { startsS, lengthS } = stretchesOf(arrivalS, fromS, toS);
  let requests = 0;
  let squares = 0;
  for (const startS of startsS) {
    const count = firstFrom(arrivalS, startS + lengthS) - firstFrom(arrivalS, startS);
    requests += count;
    squares += count * count;
  }
  return {
    windowsS: DISPERSION_WINDOWS_S,
    index: dispersionCurve(arrivalS, { startsS, lengthS }),
    stretchS: lengthS,
    stretches: startsS.length,
    // The fluctuation's share of the dispersion grows with the rate, so that busy hours count for more.
    ratePerS: requests === 0 ? 0 : squares / requests / lengthS,
  };
}

function stretchesOf(arrivalS: Float64Array, fromS: number, toS: number): Stretches {
  if (toS - fromS <= ONE_STRETCH_S) return { startsS: [fromS], lengthS: toS - fromS };
  const hours = Math.floor((toS - fromS) / HOUR_S);
  const perHour = (firstFrom(arrivalS, toS) - firstFrom(arrivalS, fromS)) / hours;
  const taken = Math.max(1, Math.min(hours, MAX_HOURS, Math.floor(MAX_REQUESTS / Math.max(perHour, 1))));
  const startsS = Array.from({ length: taken }, (_, i) => fromS + Math.floor((i * hours) / taken) * HOUR_S);
  return { startsS, lengthS: HOUR_S };
}

function burstsOf(curve: MeasuredCurve, samples: number): BurstsFound | null {
  const renewal = fitBursts(curve, false);
  const withComponent = fitBursts(curve);
  if (renewal === null || withComponent === null) return null;
  const renewalCurves = sampleCurves(renewal, curve, "trace/renewal", samples);
  const renewalCheck = checkAgainst(curve, renewalCurves);
  const plain = renewalCheck.probability >= LIKELY;
  const fit = plain ? renewal : withComponent;
  const curves = plain ? renewalCurves : sampleCurves(fit, curve, "trace/fit", samples);
  const refits = curves.flatMap((index) => fitBursts({ ...curve, index }, !plain) ?? []);
  const interval = (of: (one: BurstFit) => number): Interval => {
    const values = refits.map(of).sort((a, b) => a - b);
    return { low: quantile(values, 0.025), high: quantile(values, 0.975) };
  };
  return {
    fit,
    intervals: {
      cv: plain ? null : interval(({ component }) => component!.cv),
      tauS: plain ? null : interval(({ component }) => component!.tauS),
      gapCv: interval(({ gapCv }) => gapCv),
    },
    check: plain ? renewalCheck : checkAgainst(curve, curves),
    renewal: { gapCv: renewal.gapCv, check: renewalCheck },
    stretchS: curve.stretchS,
    stretches: curve.stretches,
  };
}

/**
 * The second half keeps its own rate: what is judged is how its arrivals clump, not how many there are. Its band holds both the
 * luck of the second half and that of the first, whose fit would have come out differently: each sample is a first half of
 * the fit's, fitted again, and a second half of that fit's.
 */
function heldOut(arrivalS: Float64Array, withComponent: boolean, samples: number): HeldOut | null {
  const startS = arrivalS[0]!;
  const spanS = spanOf(arrivalS);
  const middleS = startS + spanS / 2;
  const first = measure(arrivalS, startS, middleS);
  const fit = fitBursts(first, withComponent);
  const rest = measure(arrivalS, middleS, startS + spanS);
  if (fit === null || rest.ratePerS === 0) return null;
  const curves = sampleCurves(fit, first, "trace/held-out", samples).flatMap((index, i) => {
    const again = fitBursts({ ...first, index }, withComponent);
    return again === null ? [] : sampleCurves(again, rest, `trace/held-out/${i}`, 1);
  });
  const check = checkAgainst(rest, curves);
  return check.points.length === 0 ? null : { fit, check };
}

function unknownOf(
  { epochS, columns }: RecordedTrace,
  spanS: number,
  season: SeasonProfile | null,
  bursts: BurstsFound | null,
): string[] {
  const lines: string[] = [];
  if (epochS === null) lines.push("The file has no dates, so no season was fitted: the preset is flat.");
  else if (season === null)
    lines.push("The span shows no hour of the day twice, so no season was fitted: the preset is flat.");
  else if (season.kind === "day") lines.push("Fewer than two weeks: the days of the week are taken to be alike.");
  else if (season.observations < 4)
    lines.push(`The season rests on ${season.observations} weeks, whose own luck it holds.`);
  if (spanS < 60 * DAY_S) lines.push("Growth: the span is too short; an experiment sets growthPerMonth.");
  if (bursts === null) lines.push("Bursts: too few requests or too short; Poisson arrivals are assumed.");
  else if (bursts.fit.component !== null) {
    const limit = longestTauS(bursts.stretchS);
    lines.push(
      `Fluctuations that last longer than about ${Math.round(limit / 60)} minutes look like a changed mean in stretches of ${Math.round(bursts.stretchS / 60)} minutes; they are not in the bursts.`,
    );
    if (bursts.fit.component.tauS > 0.95 * limit)
      lines.push("The correlation time stands at its longest allowed value: the true one may be longer.");
  }
  lines.push("If the file is a sample of a service, the service is burstier than the file: sampling thins bursts.");
  if (!columns.includes("maxOutputTokens")) lines.push("max_tokens of clients: assumed.");
  lines.push("Lengths are drawn without regard to the time, the client or the turn; sessions are open arrivals.");
  return lines;
}
