/**
 * Headlines of the charts, computed from the summary. A sentence claims a difference only where the interval of it does
 * not contain zero (or the target); otherwise it says that the two cannot be told apart.
 */
import type { RequestClass } from "../scenario/resolved.ts";
import type { StrategySummary } from "../experiment/findings.ts";
import type { Summary } from "../decision/summary.ts";
import { durationMs, intervalText, list, MOST_NAMES, NOT_NEGATIVE, percent, shortList, usd, within } from "./format.ts";
import { choosable, choosableByCost, costOrder, pairedDifference, titleOf, usdOf } from "./strategies.ts";
import { judgements, missedTarget, shareText, sideOfTtft, worst, type Side } from "./targets.ts";

/** `, in the one replication run` where nothing has an interval. */
function caution(summary: Summary): string {
  return summary.replications < 2 ? " in the single replication, which has no interval" : "";
}

/** The strategies that a headline speaks of: those that can be chosen, or all where none can. */
function judged(summary: Summary): readonly StrategySummary[] {
  const open = choosable(summary);
  return open.length > 0 ? open : summary.strategies;
}

/** Those compared on cost, cheapest first: the ones that miss no target, or all where every one does. */
function compared(summary: Summary, classes: readonly RequestClass[]): StrategySummary[] {
  const ordered = choosableByCost(summary, classes);
  const able = ordered.filter((strategy) => missedTarget(strategy, classes) === null);
  return able.length > 0 ? able : ordered;
}

/** What stands behind a headline on cost: which strategies cost less only by answering less. Empty where none does. */
function reservation(summary: Summary, classes: readonly RequestClass[]): string {
  const [cheapest] = compared(summary, classes);
  if (cheapest === undefined) return "";
  const missing = choosable(summary).flatMap((strategy) => {
    const missed = missedTarget(strategy, classes);
    return missed === null ? [] : [{ strategy, missed }];
  });
  if (missing.some(({ strategy }) => strategy === cheapest)) {
    if (missing.length === 1) return `; it misses its target: ${missing[0]!.missed}`;
    const parts = missing.map(({ strategy, missed }) => `${titleOf(strategy)} ${missed}`);
    return `; every permitted strategy misses its target: ${shortList(parts)}`;
  }
  const cheaper = missing.filter(({ strategy }) => usdOf(strategy) < usdOf(cheapest));
  if (cheaper.length > MOST_NAMES)
    return `; ${shortList(cheaper.map(({ strategy }) => titleOf(strategy)))} cost less, but miss their targets`;
  return cheaper
    .map(
      ({ strategy, missed }) =>
        `; ${titleOf(strategy)} costs less (${usd(usdOf(strategy))}), but misses its target: ${missed}`,
    )
    .join("");
}

/** Which permitted strategy is the cheapest, and by how much. */
export function costHeadline(summary: Summary, classes: readonly RequestClass[]): string {
  const ordered = compared(summary, classes);
  const [cheapest, next] = ordered;
  if (cheapest === undefined) return "No strategy is permitted for every class, so none is compared on cost";
  return `${costSentence(summary, ordered, cheapest, next)}${reservation(summary, classes)}`;
}

function costSentence(
  summary: Summary,
  ordered: readonly StrategySummary[],
  cheapest: StrategySummary,
  next: StrategySummary | undefined,
): string {
  const cost = `${usd(usdOf(cheapest))} a month`;
  const all = ordered.length === choosable(summary).length;
  if (next === undefined && all) return `${titleOf(cheapest)} costs ${cost}; no other strategy is permitted`;
  if (next === undefined) return `${titleOf(cheapest)} costs ${cost}; every other permitted strategy misses its target`;
  const difference = pairedDifference(summary, cheapest.name, next.name);
  const less = usd(Math.abs(difference === null ? usdOf(next) - usdOf(cheapest) : difference.mean));
  switch (costOrder(summary, cheapest, next)) {
    case "cheaper":
      return `${titleOf(cheapest)} is the cheapest permitted strategy ${all ? "" : "that misses no target, "}at ${cost}, ${less} below ${titleOf(next)}`;
    case "single":
      return `${titleOf(cheapest)} comes out cheapest ${all ? "" : "of those that miss no target, "}at ${cost}, ${less} below ${titleOf(next)},${caution(summary)}`;
    default: {
      const tied = ordered.filter((other) => other === cheapest || costOrder(summary, cheapest, other) === "unclear");
      return `${shortList(tied.map((strategy) => `${titleOf(strategy)} (${usd(usdOf(strategy))})`))} cannot be told apart on cost per month`;
    }
  }
}

/** What the paired differences say, cheapest first. */
export function differenceHeadline(summary: Summary, classes: readonly RequestClass[]): string {
  const [cheapest, ...others] = compared(summary, classes);
  const after = reservation(summary, classes);
  const all = others.length + 1 >= choosable(summary).length;
  if (cheapest === undefined || others.length === 0)
    return all
      ? "Nothing to compare: fewer than two strategies are permitted"
      : `Nothing to compare: fewer than two permitted strategies miss no target${after}`;
  const clear = others.filter((other) => costOrder(summary, cheapest, other) === "cheaper");
  const saved = clear.map((other) => {
    const pair = pairedDifference(summary, cheapest.name, other.name);
    return Math.abs(pair === null ? usdOf(other) - usdOf(cheapest) : pair.mean);
  });
  if (summary.replications < 2) return `One replication gives differences, but no interval around them${after}`;
  if (clear.length === 0)
    return `${all ? "No strategy" : "None of the strategies that miss no target"} is cheaper than another beyond the interval of ${summary.replications} replications${after}`;
  const less =
    clear.length > MOST_NAMES
      ? `${usd(Math.min(...saved))} to ${usd(Math.max(...saved))} less than ${clear.length} others`
      : list(clear.map((other, i) => `${usd(saved[i]!)} less than ${titleOf(other)}`));
  return `${titleOf(cheapest)} costs ${less} a month, with the same traffic and the same failures${after}`;
}

/** Which permitted strategies hold TTFT under the target of every class that has one, at the percentile it names. */
export function latencyHeadline(summary: Summary, classes: readonly RequestClass[]): string {
  const targets = classes.filter((entry) => entry.slo.ttftS !== null);
  if (targets.length === 0) return p99List(summary);
  const of = (strategy: StrategySummary): Side =>
    worst(
      strategy.classes.flatMap((entry) => {
        const target = targets.find((candidate) => candidate.name === entry.name);
        const judged = entry.barred !== null || target === undefined ? null : sideOfTtft(entry, target);
        return judged === null ? [] : [judged];
      }),
    );
  const percentiles = new Set(targets.map(({ slo }) => `P${Number((slo.targetFraction * 100).toPrecision(9))}`));
  const name = `${list([...percentiles])} time to first token`;
  return sentence(summary, of, {
    within: (titles, many) => `${titles} ${many ? "keep" : "keeps"} ${name} under the SLO`,
    beyond: (titles, many, first) =>
      `${titles} ${many ? "do" : "does"} not${first ? ` keep ${name} under the SLO` : ""}`,
    unclear: (titles, many, first) =>
      `${whether(first)} ${titles} ${many ? "keep" : "keeps"} ${first ? name : "it"} under the SLO is open: the interval holds values on both sides`,
    unknown: (titles, many, first) =>
      `${whether(first)} ${titles} ${many ? "keep" : "keeps"} ${first ? name : "it"} under the SLO is not known`,
  });
}

function p99List(summary: Summary): string {
  const parts = judged(summary).flatMap(({ title, ttftMs }) =>
    ttftMs.p99 === null ? [] : [`${durationMs(ttftMs.p99.mean)} on ${title}`],
  );
  return parts.length === 0
    ? "Too few requests completed for a P99"
    : `P99 time to first token is ${shortList(parts)}; no class sets a target`;
}

/** Which permitted strategies meet the SLO of every class, on the basis the class declares; misses are named. */
export function outcomeHeadline(summary: Summary, classes: readonly RequestClass[]): string {
  const of = (strategy: StrategySummary): Side =>
    worst(judgements(strategy, classes).map((judgement) => judgement.side));
  const described = (strategy: StrategySummary): string => {
    const open = judgements(strategy, classes).filter(
      (judgement) => judgement.side === "beyond" || judgement.side === "unclear",
    );
    if (strategy.sloAttainment === null) return titleOf(strategy);
    const met = `${shareText(strategy.sloAttainment)} of requests`;
    return `${titleOf(strategy)} (${open.length === 0 ? met : open.map(({ target, estimate }) => `${target.name}: ${shareText(estimate)}`).join(", ")})`;
  };
  return sentence(
    summary,
    of,
    {
      within: (titles, many) => `${titles} ${many ? "meet" : "meets"} the SLO of every class`,
      beyond: (titles, many) => `${titles} ${many ? "miss" : "misses"} the SLO of a class`,
      unclear: (titles, many, first) =>
        `${whether(first)} ${titles} ${many ? "meet" : "meets"} the SLO is open: the interval holds values on both sides`,
      unknown: (titles, many, first) =>
        `${whether(first)} ${titles} ${many ? "meet" : "meets"} the SLO of every class is not known`,
    },
    described,
  );
}

/** Our own word may begin a headline with a capital; a strategy stands there as its author wrote it. */
function whether(first: boolean): string {
  return first ? "Whether" : "whether";
}

type Phrases = Readonly<Record<Side, (titles: string, many: boolean, first: boolean) => string>>;

function sentence(
  summary: Summary,
  of: (strategy: StrategySummary) => Side,
  phrases: Phrases,
  describe: (strategy: StrategySummary) => string = titleOf,
): string {
  const groups = new Map<Side, StrategySummary[]>();
  for (const strategy of judged(summary)) {
    const key = of(strategy);
    groups.set(key, [...(groups.get(key) ?? []), strategy]);
  }
  const parts: string[] = [];
  for (const key of ["within", "beyond", "unclear", "unknown"] as const) {
    const group = groups.get(key);
    if (group === undefined) continue;
    const titles = shortList(group.map(group.length > MOST_NAMES ? titleOf : describe));
    parts.push(phrases[key](titles, group.length > 1, parts.length === 0));
  }
  if (parts.length === 0) return "No strategy was simulated";
  return `${parts.join("; ")}${summary.replications < 2 ? " (single replication, no interval)" : ""}`;
}

/** Busy share of what is paid for, by strategy, over all its pools. */
export function poolHeadline(summary: Summary): string {
  const parts = summary.strategies.flatMap((strategy) => {
    const paid = strategy.pools.reduce((sum, pool) => sum + pool.paidReplicaH.mean, 0);
    const busy = strategy.pools.reduce((sum, pool) => sum + pool.busyReplicaH.mean, 0);
    return paid > 0 ? [{ share: busy / paid, text: `${percent(busy / paid)} on ${titleOf(strategy)}` }] : [];
  });
  if (parts.length === 0) return "No strategy pays for GPUs of its own";
  const least = parts.reduce((a, b) => (b.share < a.share ? b : a));
  const most = parts.reduce((a, b) => (b.share > a.share ? b : a));
  const busy = parts.length > MOST_NAMES ? `from ${least.text} to ${most.text}` : list(parts.map(({ text }) => text));
  return `Of the replica time paid for, own GPUs are busy ${busy}`;
}

/** Cost of one strategy with its interval, for texts of pictures. */
export function costText(strategy: StrategySummary): string {
  const { usdPerMonth } = strategy;
  const interval = usdPerMonth === null ? null : intervalText(within(usdPerMonth, NOT_NEGATIVE), usd);
  return `${titleOf(strategy)} ${usd(usdOf(strategy))} a month${interval === null ? "" : ` (95 % interval ${interval})`}`;
}
