/** Where figures lie against the targets of the classes: what headlines, ranks and the colours of tables judge by. */
import type { RequestClass, Slo } from "../scenario/resolved.ts";
import type { ClassSummary, Estimate, StrategySummary } from "../experiment/findings.ts";
import { list, percent } from "./format.ts";

/** Where an estimate lies against a limit. `single`-replication estimates are judged by their mean. */
export type Side = "within" | "beyond" | "unclear" | "unknown";

export function side(estimate: Estimate | null, limit: number, goodSide: "below" | "above"): Side {
  if (estimate === null) return "unknown";
  const lo = estimate.lo ?? estimate.mean;
  const hi = estimate.hi ?? estimate.mean;
  if (goodSide === "below") return hi <= limit ? "within" : lo > limit ? "beyond" : "unclear";
  return lo >= limit ? "within" : hi < limit ? "beyond" : "unclear";
}

/** How a table colours what lies there: the same judgement that headlines put in words. */
export function toneOf(where: Side): "bad" | "warn" | null {
  return where === "beyond" ? "bad" : where === "unclear" ? "warn" : null;
}

/** The worst of several sides: one missed target misses, one doubtful one leaves doubt. */
export function worst(sides: readonly Side[]): Side {
  for (const candidate of ["beyond", "unclear", "unknown"] as const) if (sides.includes(candidate)) return candidate;
  return sides.length === 0 ? "unknown" : "within";
}

/** The attainment that the class is judged by; null where it is unknown. */
export function attained(entry: ClassSummary, target: RequestClass): Estimate | null {
  return target.slo.attainBasis === "windows" ? entry.sloAttainmentWindows : entry.sloAttainment;
}

/** One class that the strategy may take, against the share that its SLO wants. */
interface Judgement {
  readonly target: RequestClass;
  readonly side: Side;
  /** Null on the side "unknown" alone. */
  readonly estimate: Estimate | null;
}

export function judgements(strategy: StrategySummary, classes: readonly RequestClass[]): Judgement[] {
  return strategy.classes.flatMap((entry) => {
    const target = classes.find((candidate) => candidate.name === entry.name);
    if (entry.barred !== null || target === undefined) return [];
    const estimate = attained(entry, target);
    return [{ target, side: side(estimate, target.slo.targetFraction, "above"), estimate }];
  });
}

/**
 * `3.10 % of requests within SLO` where the strategy misses the target of a class, beyond the interval; null where it does
 * not. What it costs is the cost of less than was asked for.
 */
export function missedTarget(strategy: StrategySummary, classes: readonly RequestClass[]): string | null {
  return shares(strategy, judgements(strategy, classes), (judgement) => judgement.side === "beyond");
}

/** Beyond the interval, or by the mean alone. */
export function missesOrMay({ side: where, estimate, target }: Judgement): boolean {
  return where === "beyond" || (where === "unclear" && estimate !== null && estimate.mean < target.slo.targetFraction);
}

/** The same with its verb; also where the mean alone misses. */
export function missSentence(strategy: StrategySummary, classes: readonly RequestClass[]): string | null {
  const missed = missedTarget(strategy, classes);
  if (missed !== null) return `Misses its target: ${missed}`;
  const below = shares(strategy, judgements(strategy, classes), missesOrMay);
  return below === null ? null : `May miss its target: ${below}`;
}

function shares(
  strategy: StrategySummary,
  judged: readonly Judgement[],
  counts: (judgement: Judgement) => boolean,
): string | null {
  const low = judged.filter(counts);
  if (low.length === 0) return null;
  if (low.length === judged.length && low.every(({ target }) => target.slo.attainBasis === "requests"))
    return `${shareText(strategy.sloAttainment)} of requests within SLO`;
  const texts = low.map(
    ({ target, estimate }) => `${shareText(estimate)} of the ${target.slo.attainBasis} of ${target.name}`,
  );
  return `${list(texts)} within SLO`;
}

/** The mean of a share; – where it is unknown. */
export function shareText(estimate: Estimate | null): string {
  return percent(estimate?.mean ?? NaN);
}

const PERCENTILES = [
  ["p99", 0.99],
  ["p95", 0.95],
  ["p50", 0.5],
] as const;

/**
 * The highest percentile of a `LatencySummary` that is not above the one that the target names: what lies over the limit
 * there misses the target. Null below the median.
 */
export function judgedPercentile({ targetFraction }: Pick<Slo, "targetFraction">): "p50" | "p95" | "p99" | null {
  return PERCENTILES.find(([, fraction]) => fraction <= targetFraction)?.[0] ?? null;
}

/** Time to first token of a class at the percentile that its target names; null without such a target. */
export function sideOfTtft(entry: ClassSummary, target: RequestClass): Side | null {
  const { ttftS, tpotS, e2eS, targetFraction } = target.slo;
  if (ttftS === null) return null;
  const key = judgedPercentile(target.slo);
  const below = key === null ? "unknown" : side(entry.ttftMs[key], ttftS * 1000, "below");
  if (below === "beyond" || PERCENTILES.some(([, fraction]) => fraction === targetFraction)) return below;
  // No percentile of that name is known, but the share of requests that keep all targets is.
  const share = side(attained(entry, target), targetFraction, "above");
  return share === "within" || (tpotS === null && e2eS === null) ? share : "unknown";
}
