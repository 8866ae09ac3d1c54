/**
 * Everything the report says, as JSON: numbers of the summary written for people, points of the series for the charts.
 * Pure: no DOM, no clock.
 */
import { appendixView } from "./appendix.ts";
import { ageDays, assumptionsView } from "./assumptions.ts";
import { costChart, differenceChart, latencyChart, monthChart, outcomeChart, poolChart } from "./chart-models.ts";
import { count, dateText, lengthText, list, plural, WEEKDAYS } from "./format.ts";
import { showsMoney } from "../experiment/findings.ts";
import { isoDate, secondOfWeek, DAY_S } from "../kernel/calendar-time.ts";
import type { Banner, ReportInput, ReportModel, StrategyView } from "./model.ts";
import { viewStrategies } from "./strategies.ts";
import { ledgerTable } from "./ledger-table.ts";
import { classTable, comparisonTable, offerTable, poolTable } from "./tables.ts";
import { viewVerdict } from "./verdict-view.ts";
import { verdictNotSimulated } from "../decision/summary.ts";

export type { ReportInput, ReportModel } from "./model.ts";

/** A price older than this on `asOf` gets a banner. */
const PRICE_AGE_DAYS = 90;

/** The report's model. Quoted numbers are those of `summary`; `series` feeds charts alone and may be empty. */
export function buildReport(input: ReportInput): ReportModel {
  const { summary, experiment, series } = input;
  const strategies = viewStrategies(summary, experiment.classes);
  return {
    title: summary.title,
    question: experiment.question,
    expectation: { prediction: experiment.prediction, finding: experiment.finding },
    facts: facts(input),
    banners: banners(input, strategies),
    strategies,
    verdict: viewVerdict(summary),
    showsMoney: showsMoney(summary),
    comparison: {
      permitted: comparisonTable(summary, experiment, strategies, true),
      notPermitted: comparisonTable(summary, experiment, strategies, false),
      classes: classTable(summary, experiment, strategies),
    },
    cost: costChart(summary, experiment, strategies),
    costTable: ledgerTable(summary, strategies),
    months: monthChart(summary, experiment, series, strategies),
    latency: latencyChart(summary, experiment, series, strategies),
    pools: poolChart(summary, experiment, series, strategies),
    poolTable: poolTable(summary, strategies),
    outcomes: outcomeChart(summary, experiment, strategies),
    offerTable: offerTable(summary, strategies),
    differences: differenceChart(summary, experiment, strategies),
    assumptions: assumptionsView(experiment.assumptions, summary.asOf),
    appendix: appendixView(input),
  };
}

function facts({ summary, experiment, manifest }: ReportInput): string[] {
  const day = WEEKDAYS[Math.floor(secondOfWeek(experiment.startEpochS) / DAY_S)] ?? "";
  return [
    `${lengthText(summary.horizonDays)} from ${day} ${dateText(isoDate(experiment.startEpochS))} (UTC)`,
    plural(summary.replications, "replication"),
    `${count(summary.requestsSimulated)} requests simulated`,
    `prices and facts as of ${dateText(summary.asOf)}`,
    `version ${manifest.version}`,
  ];
}

function banners({ summary, experiment }: ReportInput, strategies: readonly StrategyView[]): Banner[] {
  const result: Banner[] = [];
  const add = (tone: Banner["tone"], title: string, lines: readonly string[]): void => {
    const unique = [...new Set(lines)];
    if (unique.length > 0) result.push({ tone, title, lines: unique });
  };
  if (!summary.complete) {
    add("bad", "Incomplete run", [
      `Stopped early: ${summary.replications} of ${plural(experiment.replications, "replication")} finished. Only what had finished is in this report.`,
    ]);
  }
  add(
    "warn",
    "Counterfactual",
    strategies
      .filter((view) => view.counterfactual)
      .map((view) => `${view.title}: boundary rules were lifted to see what they cost. It is not a choice.`),
  );
  add(
    "warn",
    "Not permitted",
    strategies
      .filter((view) => !view.permitted)
      .map(
        (view) =>
          `${view.title}: ${view.barred.length === 0 ? "not permitted" : list(view.barred)}. Shown apart and not ranked on cost.`,
      ),
  );
  const untried = verdictNotSimulated(summary);
  add("warn", "The verdict was not simulated", untried === null ? [] : [untried]);
  add(
    "warn",
    "Outside the validated range",
    summary.strategies.flatMap((strategy) =>
      strategy.pools.flatMap((pool) =>
        pool.outsideValidatedRange === null
          ? []
          : [`${strategy.title}, pool ${pool.name}: ${pool.outsideValidatedRange}`],
      ),
    ),
  );
  add(
    "warn",
    `Prices older than ${PRICE_AGE_DAYS} days on ${dateText(summary.asOf)}`,
    stalePrices(summary, experiment),
  );
  add("info", "Warnings of the run", [...summary.warnings, ...experiment.warnings]);
  return result;
}

function stalePrices(summary: ReportInput["summary"], experiment: ReportInput["experiment"]): string[] {
  const dated = [
    ...summary.strategies.flatMap((strategy) =>
      strategy.offers.map((offer) => ({ label: `offer ${offer.name}`, asOf: offer.priceAsOf })),
    ),
    // What the user declared is no list price that ages.
    ...experiment.assumptions.filter(
      (entry) => /usd/i.test(entry.unit) && entry.kind !== "declared" && entry.kind !== "derived",
    ),
  ];
  return dated.flatMap(({ label, asOf }) => {
    const age = ageDays(asOf, summary.asOf);
    return age !== null && age > PRICE_AGE_DAYS ? [`${label}: as of ${dateText(asOf)}, ${age} days old`] : [];
  });
}
