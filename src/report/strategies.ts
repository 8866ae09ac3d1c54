/**
 * Colour, order and cost rank of the strategies. A strategy that may not take a class is set apart and never ranked: what
 * it saves is the work that it refused.
 */
import type { Option } from "../decision/evidence.ts";
import type { RequestClass } from "../scenario/resolved.ts";
import { showsMoney, type Estimate, type Findings, type StrategySummary } from "../experiment/findings.ts";
import type { Summary } from "../decision/summary.ts";
import { durationMs, intervalText, NOT_NEGATIVE, usd, within } from "./format.ts";
import type { StrategyView } from "./model.ts";
import { missedTarget, missSentence, shareText } from "./targets.ts";

const OPTION_COLORS: Readonly<Record<Option | "conflict", string>> = {
  api: "#2563eb",
  split: "#0d9488",
  self: "#d97706",
  private_managed: "#7c3aed",
  conflict: "#dc2626",
};

/** For further strategies of an option whose colour is taken. */
const PALETTE = ["#7c3aed", "#be185d", "#4d7c0f", "#0e7490", "#9f1239", "#57534e", "#a16207", "#4338ca"] as const;

const OPTION_TITLES: Readonly<Record<Option | "conflict", string>> = {
  api: "API",
  split: "Own GPUs and API",
  self: "Own GPUs",
  private_managed: "Private managed",
  conflict: "Conflict",
};

export function optionColor(option: Option | "conflict"): string {
  return OPTION_COLORS[option];
}

export function optionTitle(option: Option | "conflict"): string {
  return OPTION_TITLES[option];
}

/** What the replications say of `first` against `second` on cost. `single`: one replication, so no interval. */
export type CostOrder = "cheaper" | "dearer" | "unclear" | "single";

/** The paired difference first − second in USD a month, whichever way round it was recorded; null when it was not. */
export function pairedDifference(summary: Findings, first: string, second: string): Estimate | null {
  for (const pair of summary.pairedCost) {
    if (pair.first === first && pair.second === second) return pair.usdPerMonth;
    if (pair.first === second && pair.second === first) {
      const { mean, lo, hi, n } = pair.usdPerMonth;
      return { mean: -mean, lo: hi === null ? null : -hi, hi: lo === null ? null : -lo, n };
    }
  }
  return null;
}

/** Decided by the paired difference; by overlap of the two intervals where no pair was recorded. */
export function costOrder(summary: Findings, first: StrategySummary, second: StrategySummary): CostOrder {
  const pair = pairedDifference(summary, first.name, second.name);
  const [a, b] = [first.usdPerMonth, second.usdPerMonth];
  const lo = pair === null ? gap(a?.lo, b?.hi) : pair.lo;
  const hi = pair === null ? gap(a?.hi, b?.lo) : pair.hi;
  if (lo === null || hi === null) return "single";
  if (hi < 0) return "cheaper";
  return lo > 0 ? "dearer" : "unclear";
}

function gap(a: number | null = null, b: number | null = null): number | null {
  return a === null || b === null ? null : a - b;
}

/** Mean USD a month; NaN where nothing is priced, which then holds for every strategy. */
export function usdOf({ usdPerMonth }: StrategySummary): number {
  return usdPerMonth?.mean ?? NaN;
}

/**
 * Permitted strategies. A counterfactual one (boundary rules lifted) is no choice, so it stays out unless all are
 * counterfactual.
 */
export function choosable(summary: Findings): StrategySummary[] {
  const permitted = summary.strategies.filter((strategy) => strategy.permitted);
  const real = permitted.filter((strategy) => !strategy.counterfactual);
  return real.length > 0 ? real : permitted;
}

/**
 * The choosable strategies from the cheapest mean on, those that miss a target after all others: answering less costs
 * less. Ties keep the order of the experiment.
 */
export function choosableByCost(summary: Findings, classes: readonly RequestClass[]): StrategySummary[] {
  const ordered = choosable(summary).sort((a, b) => usdOf(a) - usdOf(b));
  const misses = new Set(ordered.filter((strategy) => missedTarget(strategy, classes) !== null));
  return [...ordered.filter((strategy) => !misses.has(strategy)), ...misses];
}

/** The title with what sets the strategy apart. */
export function titleOf({ title, permitted, counterfactual }: StrategySummary): string {
  return `${title}${permitted ? "" : " (not permitted)"}${counterfactual ? " (counterfactual)" : ""}`;
}

/** One view per strategy, in the order of the experiment. */
export function viewStrategies(summary: Summary, classes: readonly RequestClass[]): StrategyView[] {
  const ranks = showsMoney(summary) ? rankChoosable(summary, classes) : new Map<string, number>();
  const taken = new Set<string>();
  return summary.strategies.map((strategy) => {
    const wanted = optionColor(strategy.option);
    const color = taken.has(wanted) ? (PALETTE.find((candidate) => !taken.has(candidate)) ?? "#475569") : wanted;
    taken.add(color);
    return {
      name: strategy.name,
      title: strategy.title,
      color,
      permitted: strategy.permitted,
      counterfactual: strategy.counterfactual,
      rank: ranks.get(strategy.name) ?? null,
      missed: strategy.permitted ? missSentence(strategy, classes) : null,
      figures: strategy.permitted ? figures(strategy) : [],
      barred: strategy.classes.flatMap((entry) =>
        entry.barred === null ? [] : [`class ${entry.name}: ${entry.barred}`],
      ),
    };
  });
}

function figures({ usdPerMonth, sloAttainment, ttftMs }: StrategySummary): StrategyView["figures"] {
  const interval = usdPerMonth === null ? null : intervalText(within(usdPerMonth, NOT_NEGATIVE), usd);
  return [
    ...(usdPerMonth === null
      ? []
      : [{ value: usd(usdPerMonth.mean), label: interval === null ? "a month" : `a month, ${interval}` }]),
    { value: shareText(sloAttainment), label: "of requests within SLO" },
    ...(ttftMs.p99 === null ? [] : [{ value: durationMs(ttftMs.p99.mean), label: "P99 time to first token" }]),
  ];
}

/** A strategy shares the rank of the one before it unless that one is cheaper beyond the interval, or meets what it misses. */
function rankChoosable(summary: Summary, classes: readonly RequestClass[]): Map<string, number> {
  const misses = (strategy: StrategySummary): boolean => missedTarget(strategy, classes) !== null;
  const ranks = new Map<string, number>();
  choosableByCost(summary, classes).forEach((strategy, position, ordered) => {
    const before = ordered[position - 1];
    const beforeRank = before === undefined ? undefined : ranks.get(before.name);
    const shares =
      before !== undefined && misses(before) === misses(strategy) && costOrder(summary, before, strategy) === "unclear";
    ranks.set(strategy.name, shares && beforeRank !== undefined ? beforeRank : position + 1);
  });
  return ranks;
}
