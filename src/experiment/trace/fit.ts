/**
 * Fits the parameters of a traffic preset to a recorded trace, says how sure they are, and tries them on a part of the
 * trace that they were not fitted on.
 */
import { stream } from "../../kernel/random.ts";
import { DAY_S } from "../../kernel/calendar-time.ts";
import type { RecordedTrace } from "../../scenario/recorded-trace.ts";
import { longestTauS } from "./burst-fit.ts";
import { burstsOf, heldOut, type BurstsFound, type HeldOut } from "./bursts.ts";
import { clockStepS, spanOf, spreadOverStep } from "./dispersion.ts";
import { lengthTable, spearman } from "./lengths.ts";
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

/** Needs at least two rows at different times; draws by a fixed seed, so that the same trace gives the same fit. */
export function fitTrace(trace: RecordedTrace, samples: number): TraceFit {
  const { inputTokens, outputTokens, epochS } = trace;
  const stepS = clockStepS(trace.arrivalS);
  const arrivalS =
    stepS === null ? trace.arrivalS : spreadOverStep(trace.arrivalS, stepS, stream("1", 0, "trace/clock"));
  const spanS = spanOf(arrivalS);
  const season = epochS === null ? null : seasonProfile(hourlyCounts(arrivalS, epochS));
  const bursts = burstsOf(arrivalS, samples);
  return {
    rows: arrivalS.length,
    spanS,
    clockStepS: stepS,
    meanRatePerS: season?.meanRatePerS ?? (arrivalS.length - 1) / spanS,
    season,
    bursts,
    heldOut: bursts === null ? null : heldOut(arrivalS, samples),
    input: lengthTable(inputTokens),
    output: lengthTable(outputTokens),
    spearman: Number(spearman(inputTokens, outputTokens).toFixed(3)),
    unknown: unknownOf(trace, spanS, season, bursts),
  };
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
