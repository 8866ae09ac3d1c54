/** Measured values that no prediction stands against: named, so that nobody takes them for scored. */
import { nearest } from "../../catalog/nearest.ts";
import { type RecordedCase, numbersOf } from "./case.ts";
import type { CaseMetrics } from "./metrics.ts";
import type { CaseResult } from "./result.ts";

/** How many cases measured something that is not predicted. */
export interface UnpredictedCount {
  readonly metric: string;
  readonly cases: number;
  /** Of a first few. */
  readonly ids: readonly string[];
}

const IDS_SHOWN = 3;
const REASONS_SHOWN = 3;

/** Names of the numbers that a case measured, as a whole or by stage, and that are not predicted. */
export function unpredictedMetrics(
  { measured, measuredByStage = [] }: RecordedCase,
  predicted: CaseMetrics,
  byStage: readonly CaseMetrics[],
): readonly string[] {
  const missing = Object.keys(numbersOf(measured)).filter((metric) => predicted[metric] === undefined);
  const ofStages = measuredByStage.flatMap((stage, i) =>
    Object.keys(numbersOf(stage)).filter((metric) => byStage[i]?.[metric] === undefined),
  );
  const known = Object.keys(predicted);
  return [...new Set([...missing, ...ofStages])].map((metric) =>
    // It has a name that is known, but the stage had no request, or it is of the whole run alone.
    predicted[metric] === undefined ? `${metric}${question(metric, known)}` : `${metric} of a stage`,
  );
}

/** Why none of a case's measured values can be held against a prediction; the first few of them are named. */
export function nothingToScore({ measured, measuredByStage = [], load }: RecordedCase, predicted: CaseMetrics): string {
  const known = Object.keys(predicted);
  const reasons = Object.entries(Object.assign({}, measured, ...measuredByStage) as typeof measured).map(
    ([metric, value]) => {
      if (predicted[metric] === undefined)
        return `${metric} is not predicted of a load ${load.kind}${question(metric, known)}`;
      if (typeof value !== "number") return `${metric} is no number`;
      return value > 0 ? `${metric} is unfit by a tag` : `${metric} is ${value}, not above 0`;
    },
  );
  return `nothing to score: ${reasons.length === 0 ? "nothing was measured" : reasons.slice(0, REASONS_SHOWN).join("; ")}`;
}

/** One entry a metric, the most frequent first. */
export function unpredictedCounts(cases: readonly CaseResult[]): readonly UnpredictedCount[] {
  const byMetric = new Map<string, string[]>();
  for (const { id, unpredicted } of cases)
    for (const metric of unpredicted) byMetric.set(metric, [...(byMetric.get(metric) ?? []), id]);
  return [...byMetric]
    .map(([metric, ids]) => ({ metric, cases: ids.length, ids: ids.slice(0, IDS_SHOWN) }))
    .sort((a, b) => b.cases - a.cases);
}

/** Another percentile, or that of another time, is no slip. */
function question(metric: string, known: readonly string[]): string {
  const meant = nearest(metric, known);
  if (meant === null || digits(meant) !== digits(metric) || head(meant) !== head(metric)) return "";
  return ` (did you mean "${meant}"?)`;
}

const digits = (name: string): string => name.replace(/\D/g, "");
const head = (name: string): string => name.slice(0, 2).toLowerCase();
