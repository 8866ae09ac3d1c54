/**
 * The ledger of the strategies in two views: what a month costs with everything spread over the hours that it covers, and what
 * is paid within the horizon. The second is shown line by line only where the two differ.
 */
import type { Summary } from "../decision/summary.ts";
import type { LedgerLine, StrategySummary } from "../experiment/findings.ts";
import { HOURS_PER_MONTH } from "../outcome/ledger.ts";
import { lengthText, usd } from "./format.ts";
import { isPurchase, lineLabel } from "./ledger-lines.ts";
import type { StrategyView, TableView } from "./model.ts";
import { cell, estimateCell, group, strategyColumns } from "./tables.ts";

type Row = TableView["rows"][number];

/** Ledger lines by strategy, USD a month, and the cash of the horizon. */
export function ledgerTable(summary: Summary, views: readonly StrategyView[]): TableView {
  const { strategies, horizonDays } = summary;
  const lines = [...new Set(strategies.flatMap((strategy) => strategy.ledger.map((entry) => entry.line)))];
  const entryOf = ({ ledger }: StrategySummary, line: string): LedgerLine | undefined =>
    ledger.find((candidate) => candidate.line === line);
  const row = (line: string, of: "usdPerMonth" | "billedUsd"): Row => ({
    header: lineLabel(line),
    note: null,
    color: null,
    cells: strategies.map((strategy) => {
      const entry = entryOf(strategy, line);
      return entry === undefined ? cell("–", null, "muted") : estimateCell(entry[of], usd);
    }),
  });
  const total = (header: string, of: "usdPerMonth" | "billedUsd"): Row => ({
    header,
    note: null,
    color: null,
    cells: strategies.map((strategy) => estimateCell(strategy[of], usd)),
  });
  const months = (horizonDays * 24) / HOURS_PER_MONTH;
  const differs = ({ usdPerMonth, billedUsd }: LedgerLine): boolean =>
    Math.abs(billedUsd.mean - usdPerMonth.mean * months) > 1e-6 * Math.abs(usdPerMonth.mean * months) + 1e-9;
  const inAdvance = lines.filter((line) =>
    strategies.some((strategy) => {
      const entry = entryOf(strategy, line);
      return entry !== undefined && differs(entry);
    }),
  );
  return {
    caption: "Cost per month by ledger line, and cash",
    columns: strategyColumns("", strategies, views),
    rows: [
      ...lines.filter((line) => !isPurchase(line)).map((line) => row(line, "usdPerMonth")),
      total("Total", "usdPerMonth"),
      group("Cash", `paid within the ${lengthText(horizonDays)} simulated; what is paid in advance stands here whole`),
      ...inAdvance.map((line) => row(line, "billedUsd")),
      total("Paid", "billedUsd"),
    ],
    layout: "compare",
  };
}
