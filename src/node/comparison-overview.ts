/** The strategies of a comparison in one table, a row each: what a reader of many looks at before the pairs. */
import type { Comparison, PairedDifference } from "../experiment/compare.ts";
import { metricLabel, plainFigure } from "./metric-text.ts";
import { fittedTable } from "./text-table.ts";

const METRICS = [
  "ttftP50",
  "ttftP99",
  "tpotP50",
  "tpotP99",
  "goodput",
  "sloAttainment",
  "preemptions",
  "prefixHitFraction",
  "gpus",
  "usdPerMonth",
] as const;

/** Of more than two strategies; else nothing. */
export function overviewText(comparisons: readonly Comparison[], width: number): string {
  const [first] = comparisons;
  if (first === undefined || comparisons.length < 2) return "";
  const shown = METRICS.filter((metric) =>
    comparisons.some((comparison) => cellsOf(comparison, metric).some((cell) => cell !== "–")),
  );
  const rows = [
    [first.baseline, ...shown.map((metric) => baselineCell(comparisons, metric))],
    ...comparisons.map((comparison) => [comparison.other, ...shown.map((metric) => cellsOf(comparison, metric)[1]!)]),
  ];
  const heads = shown.map((metric) => ({ head: metricLabel(metric), align: "right" as const }));
  const note = `all requests; ↑ and ↓: separable from ${first.baseline}, the baseline\n`;
  return `\n${fittedTable([{ head: "strategy" }, ...heads], rows, width)}${note}`;
}

/** From the first pair that knows it: a figure that the other one can't give is missing from their pair. */
function baselineCell(comparisons: readonly Comparison[], metric: string): string {
  return comparisons.map((comparison) => cellsOf(comparison, metric)[0]).find((cell) => cell !== "–") ?? "–";
}

/** Of the baseline and of the other; the other's with an arrow where the two are separable. */
function cellsOf({ rows }: Comparison, metric: string): readonly [string, string] {
  const row = rows.find((one) => one.metric === metric && one.className === null);
  if (row === undefined) return ["–", "–"];
  const { baseline, other } = row;
  return [
    baseline === null ? "–" : `${plainFigure(row, baseline.mean)} `,
    other === null ? "–" : `${plainFigure(row, other.mean)}${arrow(row)}`,
  ];
}

function arrow({ separable, difference }: PairedDifference): string {
  if (separable !== true || difference === null) return " ";
  return difference.mean > 0 ? "↑" : "↓";
}
