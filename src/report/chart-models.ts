/** Data and words of the charts. Headlines come from `findings.ts`; subtitles say what is drawn and how it was condensed. */
import { DAY_S, epochSOfDate } from "../kernel/calendar-time.ts";
import type { ResolvedExperiment } from "../scenario/resolved.ts";
import type { RunSeries } from "../outcome/series.ts";
import type { RequestCounts, StrategySummary } from "../experiment/findings.ts";
import type { Summary } from "../decision/summary.ts";
import {
  costHeadline,
  costText,
  differenceHeadline,
  latencyHeadline,
  outcomeHeadline,
  poolHeadline,
} from "./findings.ts";
import {
  chosen,
  count,
  durationMs,
  intervalText,
  lengthText,
  list,
  MONTHS,
  MOST_NAMES,
  NOT_NEGATIVE,
  percent,
  plural,
  usd,
  within,
} from "./format.ts";
import { isPurchase, isSpare, lineColor, lineLabel, PEOPLE, SPARE_COLOR } from "./ledger-lines.ts";
import { choosableByCost, titleOf, usdOf } from "./strategies.ts";
import type {
  CostChart,
  DifferenceChart,
  LatencyChart,
  MonthChart,
  OutcomeChart,
  PoolChart,
  StrategyView,
} from "./model.ts";
import {
  BAND_PERCENTILE_RUNS,
  bucketHours,
  eventMarks,
  hourlyTtftP99Ms,
  latencyPoints,
  NARROW_POINTS,
  poolPoints,
  usdByMonth,
  WIDE_POINTS,
} from "./series-view.ts";

/** A log axis once the tallest value is this many times the SLO (or the middle): else a linear one shows the peak alone. */
const LOG_ABOVE = 6;

/** Permitted strategies first, each with its view. */
function paired(summary: Summary, views: readonly StrategyView[]): { strategy: StrategySummary; view: StrategyView }[] {
  const all = summary.strategies.flatMap((strategy) => {
    const view = views.find((candidate) => candidate.name === strategy.name);
    return view === undefined ? [] : [{ strategy, view }];
  });
  return [...all.filter(({ strategy }) => strategy.permitted), ...all.filter(({ strategy }) => !strategy.permitted)];
}

export function costChart(summary: Summary, experiment: ResolvedExperiment, views: readonly StrategyView[]): CostChart {
  const all = [...new Set(summary.strategies.flatMap((strategy) => strategy.ledger.map((entry) => entry.line)))];
  const lines = all.filter((line) => !isPurchase(line));
  const colorOf = (line: string): string => lineColor(line, lines.indexOf(line));
  const amount = (strategy: StrategySummary, of: (line: string) => boolean): number =>
    strategy.ledger.reduce((sum, entry) => sum + (of(entry.line) ? entry.usdPerMonth.mean : 0), 0);
  return {
    headline: costHeadline(summary, experiment.classes),
    subtitle: `USD a month by ledger line; people and unused GPUs again as bars of their own.${summary.replications > 1 ? " Whisker: 95 % interval of the total." : ""}`,
    alt: `Bars of cost per month: ${list(summary.strategies.map(costText))}.`,
    legend: lines.map((line) => ({ label: lineLabel(line), color: colorOf(line) })),
    bars: paired(summary, views).map(({ strategy, view }) => {
      const total = strategy.usdPerMonth === null ? null : within(strategy.usdPerMonth, NOT_NEGATIVE);
      const people = amount(strategy, (line) => line === PEOPLE);
      const spare = amount(strategy, isSpare);
      return {
        title: titleOf(strategy),
        color: view.color,
        permitted: strategy.permitted,
        usdPerMonth: usdOf(strategy),
        loUsd: total?.lo ?? null,
        hiUsd: total?.hi ?? null,
        label: usd(usdOf(strategy)),
        parts: strategy.ledger
          .filter(({ line }) => !isPurchase(line))
          .map((entry) => ({
            label: lineLabel(entry.line),
            color: colorOf(entry.line),
            usdPerMonth: entry.usdPerMonth.mean,
          })),
        own: [
          { label: "People", color: lineColor(PEOPLE, 0), usdPerMonth: people, text: usd(people) },
          { label: "GPUs idle and warm", color: SPARE_COLOR, usdPerMonth: spare, text: usd(spare) },
        ],
      };
    }),
  };
}

/** A horizon shorter than this leaves parts of months, which say nothing beside each other. */
const SHORTEST_MONTH_S = 28 * DAY_S;

export function monthChart(
  summary: Summary,
  experiment: ResolvedExperiment,
  series: readonly RunSeries[],
  views: readonly StrategyView[],
): MonthChart | null {
  if (experiment.horizonS < SHORTEST_MONTH_S) return null;
  const months = [...new Set(series.flatMap((run) => run.ledger.month))].sort();
  const labels = new Map(months.map((month) => [month, monthLabel(month, experiment)]));
  const bars = paired(summary, views).flatMap(({ strategy, view }) => {
    const totals = series.filter((run) => run.strategy === strategy.name).map(usdByMonth);
    if (totals.length === 0) return [];
    return months.map((month) => {
      const values = totals.map((total) => total.get(month) ?? 0);
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      return {
        month: labels.get(month) ?? month,
        title: titleOf(strategy),
        color: view.color,
        usd: mean,
        loUsd: values.length > 1 ? Math.min(...values) : null,
        hiUsd: values.length > 1 ? Math.max(...values) : null,
        label: usd(mean),
      };
    });
  });
  return {
    headline: "Cost by calendar month",
    subtitle: `USD as incurred in each month (UTC); beside a month that is not simulated whole stands how much of it is.${summary.replications > 1 ? " Bar: mean of the replications; whisker: minimum to maximum." : ""}`,
    alt: `Bars of cost by calendar month: ${list(bars.map((bar) => `${bar.title} ${bar.month} ${bar.label}`))}.`,
    months: [...labels.values()],
    bars,
  };
}

/** `Nov 2026`, with how much of it the horizon covers where that is not the whole month. */
function monthLabel(month: string, { startEpochS, horizonS }: ResolvedExperiment): string {
  const [year = 0, number = 1] = month.split("-").map(Number);
  const fromS = epochSOfDate({ year, month: number, day: 1 });
  const toS = epochSOfDate(number === 12 ? { year: year + 1, month: 1, day: 1 } : { year, month: number + 1, day: 1 });
  const coveredS = Math.min(toS, startEpochS + horizonS) - Math.max(fromS, startEpochS);
  return `${MONTHS[number - 1] ?? month} ${year}${coveredS < toS - fromS ? ` (${lengthText(coveredS / DAY_S)})` : ""}`;
}

export function latencyChart(
  summary: Summary,
  experiment: ResolvedExperiment,
  series: readonly RunSeries[],
  views: readonly StrategyView[],
): LatencyChart {
  const horizonH = experiment.horizonS / 3600;
  const panels = paired(summary, views).flatMap(({ strategy, view }) => {
    const runs = series.filter((run) => run.strategy === strategy.name);
    if (runs.length === 0) return [];
    const hourly = runs.map((run) => hourlyTtftP99Ms(run.windows, Math.ceil(horizonH)));
    const events = eventMarks(runs, horizonH);
    return [
      {
        title: titleOf(strategy),
        color: view.color,
        wide: latencyPoints(hourly, horizonH, WIDE_POINTS),
        narrow: latencyPoints(hourly, horizonH, NARROW_POINTS),
        events: events.marks,
        note: eventNote(events, runs.length),
      },
    ];
  });
  const values = panels.flatMap((panel) =>
    panel.wide.flatMap(({ value, hi }) => (value === null ? [] : [Math.max(value, hi ?? value)])),
  );
  const medians = panels
    .flatMap((panel) => panel.wide.flatMap(({ value }) => (value === null ? [] : [value])))
    .sort((a, b) => a - b);
  const lows = panels.flatMap((panel) => panel.wide.flatMap(({ value, lo }) => (value === null ? [] : [lo ?? value])));
  const slos = sloLines(experiment);
  const hiMs = Math.max(...values, ...slos.map((slo) => slo.ms), 1);
  const middleMs = Math.max(medians[Math.floor(medians.length / 2)] ?? 1, ...slos.map((slo) => slo.ms));
  const scale = hiMs > LOG_ABOVE * middleMs ? "log" : "linear";
  return {
    headline: latencyHeadline(summary, experiment.classes),
    subtitle: latencySubtitle(summary, horizonH, scale),
    alt: `Lines of P99 time to first token by hour. Over the whole horizon it is ${list(
      summary.strategies.map(
        ({ title, ttftMs }) => `${ttftMs.p99 === null ? "unknown" : durationMs(ttftMs.p99.mean)} on ${title}`,
      ),
    )}.`,
    panels,
    slos,
    scale,
    loMs: Math.max(1, Math.min(...lows, ...slos.map((slo) => slo.ms))),
    hiMs,
    startEpochS: experiment.startEpochS,
    horizonH,
  };
}

function latencySubtitle(summary: Summary, horizonH: number, scale: "linear" | "log"): string {
  const runs = summary.replications;
  const band = runs >= BAND_PERCENTILE_RUNS ? "5th to 95th percentile" : "minimum to maximum";
  const bucketH = bucketHours(horizonH, WIDE_POINTS);
  return [
    `P99 by hour (UTC), all classes together${scale === "log" ? ", log scale" : ""}.`,
    runs > 1
      ? `${horizonH > 1 ? "Line" : "Dot"}: median of ${runs} replications; ${horizonH > 1 ? "band" : "bar"}: ${band}.`
      : `${horizonH > 1 ? "Line" : "Dot"}: the single replication.`,
    bucketH > 1 ? `Each point is the worst of ${bucketH} hours.` : "",
  ]
    .filter((part) => part !== "")
    .join(" ");
}

function eventNote(
  { marks, own, provider }: { marks: readonly unknown[]; own: number; provider: number },
  runs: number,
): string {
  if (own + provider === 0) return "No incident or outage";
  const parts = [
    ...(own > 0 ? [plural(own, "own incident")] : []),
    ...(provider > 0 ? [plural(provider, "provider outage")] : []),
  ];
  const shown = marks.length < own + provider ? `; the ${marks.length} longest are shaded` : "";
  return `${list(parts)} in ${plural(runs, "replication")}${shown}`;
}

/** One line per different TTFT target, named after its classes where there are several. */
function sloLines({ classes }: ResolvedExperiment): { ms: number; label: string }[] {
  const byMs = new Map<number, { names: string[]; fraction: number }>();
  for (const { name, slo } of classes) {
    if (slo.ttftS === null) continue;
    const entry = byMs.get(slo.ttftS * 1000) ?? { names: [], fraction: slo.targetFraction };
    byMs.set(slo.ttftS * 1000, {
      names: [...entry.names, name],
      fraction: Math.max(entry.fraction, slo.targetFraction),
    });
  }
  return [...byMs].map(([ms, { names, fraction }]) => ({
    ms,
    label: `SLO: ${fraction === 0.99 ? "P99" : chosen(percent)(fraction)} under ${chosen(durationMs)(ms)}${byMs.size > 1 ? ` (${list(names)})` : ""}`,
  }));
}

export function poolChart(
  summary: Summary,
  experiment: ResolvedExperiment,
  series: readonly RunSeries[],
  views: readonly StrategyView[],
): PoolChart {
  const horizonH = experiment.horizonS / 3600;
  const bucketH = bucketHours(horizonH, WIDE_POINTS);
  return {
    headline: poolHeadline(summary),
    subtitle: `Replicas paid for by state, by hour (UTC)${summary.replications > 1 ? ", mean of the replications" : ""}.${bucketH > 1 ? ` Each point is the mean of ${bucketH} hours.` : ""}`,
    alt: `Stacked areas of busy, idle, warm and down replicas over time. ${poolHeadline(summary)}.`,
    panels: paired(summary, views).flatMap(({ strategy, view }) => {
      const runs = series.filter((run) => run.strategy === strategy.name);
      return strategy.pools.flatMap((pool) => {
        if (runs.length === 0) return [];
        return [
          {
            title: `${titleOf(strategy)} · ${pool.name}`,
            color: view.color,
            wide: poolPoints(runs, pool.name, horizonH, WIDE_POINTS),
            narrow: poolPoints(runs, pool.name, horizonH, NARROW_POINTS),
            note: `${pool.replicas} serving + ${pool.warmReplicas} warm, ${pool.gpusPerReplica} × ${pool.gpu} each`,
          },
        ];
      });
    }),
    startEpochS: experiment.startEpochS,
    horizonH,
  };
}

const ENDS: readonly { label: string; color: string; of: (requests: RequestCounts) => number }[] = [
  { label: "Within SLO", color: "#94a3b8", of: (requests) => requests.sloMet.mean },
  {
    label: "Completed, SLO missed",
    color: "#f59e0b",
    of: (requests) => requests.completed.mean - requests.sloMet.mean,
  },
  { label: "Rejected", color: "#f87171", of: (requests) => requests.rejected.mean },
  { label: "Timed out", color: "#dc2626", of: (requests) => requests.timedOut.mean },
  { label: "Failed", color: "#7f1d1d", of: (requests) => requests.failed.mean },
  { label: "Boundary refused", color: "#7c3aed", of: (requests) => requests.boundaryRefused.mean },
  { label: "In flight at the end", color: "#cbd5e1", of: (requests) => requests.inFlightAtHorizon.mean },
];

export function outcomeChart(
  summary: Summary,
  experiment: ResolvedExperiment,
  views: readonly StrategyView[],
): OutcomeChart {
  return {
    headline: outcomeHeadline(summary, experiment.classes),
    subtitle:
      "How requests ended, as shares of those sent. Upper bar: all; lower bar: the rest, stretched to full width.",
    alt: `Bars of request outcomes: ${list(
      summary.strategies.map(
        (strategy) =>
          `${strategy.title} ${count(strategy.requests.sloMet.mean)} of ${count(strategy.requests.sent.mean)} within SLO`,
      ),
    )}.`,
    legend: ENDS.map(({ label, color }) => ({ label, color })),
    bars: paired(summary, views).map(({ strategy, view }) => {
      const sent = strategy.requests.sent.mean;
      return {
        title: titleOf(strategy),
        color: view.color,
        parts: ENDS.map(({ label, color, of }) => {
          const share = sent > 0 ? Math.max(0, of(strategy.requests) / sent) : 0;
          return { label, color, share, text: percent(share) };
        }),
      };
    }),
  };
}

export function differenceChart(
  summary: Summary,
  experiment: ResolvedExperiment,
  views: readonly StrategyView[],
): DifferenceChart {
  const view = (name: string): StrategyView | undefined => views.find((candidate) => candidate.name === name);
  const choices = choosableByCost(summary, experiment.classes);
  // Every pair of many would hide what choosing the best one saves.
  const against = choices.length > MOST_NAMES ? (choices[0]?.name ?? null) : null;
  const ranked = summary.pairedCost.filter(
    ({ first, second }) =>
      (view(first)?.rank ?? null) !== null &&
      (view(second)?.rank ?? null) !== null &&
      (against === null || first === against || second === against),
  );
  const left = summary.strategies.filter((strategy) => view(strategy.name)?.rank === null).map(titleOf);
  const rows = ranked.map((pair) => {
    const { mean, lo, hi } = pair.usdPerMonth;
    // Written with the dearer one first, so that the difference is what choosing the other one saves.
    const swapped = mean < 0;
    const [first, second] = swapped ? [view(pair.second), view(pair.first)] : [view(pair.first), view(pair.second)];
    const shown = swapped
      ? { mean: -mean, lo: hi === null ? null : -hi, hi: lo === null ? null : -lo, n: pair.usdPerMonth.n }
      : pair.usdPerMonth;
    const interval = intervalText(shown, usd);
    const same = interval === null && usd(shown.mean) === usd(0);
    const tied = !same && shown.lo !== null && shown.lo <= 0 ? "; may be zero" : "";
    return {
      label: `${first?.title ?? ""} − ${second?.title ?? ""}`,
      color: second?.color ?? "#475569",
      usdPerMonth: shown.mean,
      loUsd: shown.lo,
      hiUsd: shown.hi,
      text: same ? "the same" : `${usd(shown.mean)}${interval === null ? "" : ` (${interval})`}${tied}`,
    };
  });
  return {
    headline: differenceHeadline(summary, experiment.classes),
    subtitle: `Paired differences on common random numbers, USD a month${summary.replications > 1 ? ", 95 % interval" : ""}.${against === null ? "" : ` Each against ${view(against)?.title ?? against}; summary.json holds every pair.`}${left.length === 0 ? "" : ` Left out: ${list(left)}.`}`,
    alt: `Differences in cost per month: ${rows.length === 0 ? "none" : list(rows.map((row) => `${row.label} ${row.text}`))}.`,
    rows,
  };
}
