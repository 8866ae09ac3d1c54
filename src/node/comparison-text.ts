/** What the terminal shows of a comparison: one table of paired differences for each strategy against the baseline. */
import { type Comparison, isPercentile, type PairedDifference } from "../experiment/compare.ts";
import type { Estimate } from "../experiment/findings.ts";
import { lengthText } from "./length-text.ts";
import { plainNumber, textTable } from "./text-table.ts";

interface ComparisonTextInput {
  readonly title: string;
  readonly seed: string;
  readonly horizonDays: number;
  readonly comparisons: readonly Comparison[];
  readonly warnings: readonly string[];
}

export function comparisonText({ title, seed, horizonDays, comparisons, warnings }: ComparisonTextInput): string {
  const pairs = comparisons[0]?.pairs ?? 0;
  const head = `${title}\n${pairs} paired replications of ${lengthText(horizonDays)}, seed ${seed}: the same requests and the same luck for all\n`;
  const single = pairs < 2 ? "One replication has no interval: two or more are needed to separate anything.\n" : "";
  return [head, single, ...comparisons.map(tableText), ...warnings.map((warning) => `warning: ${warning}\n`)].join("");
}

function tableText({ baseline, other, rows }: Comparison): string {
  return `\n${textTable(
    [
      { head: `${other} against ${baseline}` },
      { head: baseline, align: "right" },
      { head: other, align: "right" },
      { head: "difference", align: "right" },
      { head: "95 % interval", align: "right" },
      { head: "change", align: "right" },
      { head: "" },
    ],
    rows.map((row) => [
      label(row),
      figure(row, row.baseline),
      figure(row, row.other),
      signed(row, row.difference?.mean ?? null),
      interval(row),
      change(row),
      finding(row),
    ]),
  )}`;
}

const STATISTICS = /(Mean|P50|P95|P99)$/;
const LABELS: Readonly<Record<string, string>> = {
  sloAttainment: "SLO attainment, %",
  goodput: "goodput, requests/s",
  completed: "completed, requests/s",
  outputTokens: "output tokens/s",
  unanswered: "rejected, timed out or failed",
  preemptions: "preemptions",
  busyFraction: "busy, % of serving time",
  occupancyFraction: "occupancy, % of sequences",
  kvFraction: "KV held, % of capacity",
  fairnessIndex: "fairness index of the classes",
  ttftP99Ratio: "TTFT P99, worst class ÷ best",
};

function label({ metric, className }: PairedDifference): string {
  const name = metricLabel(metric);
  return className === null ? name : `${className}: ${name}`;
}

/** With its unit, as it stands at the head of a row or block. */
export function metricLabel(metric: string): string {
  const statistic = STATISTICS.exec(metric)?.[0] ?? "";
  return (
    LABELS[metric] ?? `${metric.slice(0, -statistic.length).toUpperCase()} ${statistic.replace("Mean", "mean")}, ms`
  );
}

/** In the unit of its label, to about three digits. */
export function plainFigure({ unit }: Pick<PairedDifference, "unit">, value: number): string {
  const shown = unit === "fraction" ? value * 100 : value;
  const size = Math.abs(shown);
  return plainNumber(shown, size >= 1000 ? 0 : size >= 100 ? 1 : size >= 1 ? 2 : 4);
}

function figure(row: PairedDifference, estimate: Estimate | null): string {
  return estimate === null ? "–" : plainFigure(row, estimate.mean);
}

function signed(row: PairedDifference, value: number | null): string {
  return value === null ? "–" : `${value > 0 ? "+" : ""}${plainFigure(row, value)}`;
}

function interval(row: PairedDifference): string {
  const { difference } = row;
  if (difference === null || difference.lo === null || difference.hi === null) return "–";
  return `${signed(row, difference.lo)} … ${signed(row, difference.hi)}`;
}

function change({ baseline, difference }: PairedDifference): string {
  if (baseline === null || difference === null || baseline.mean === 0) return "–";
  const percent = (difference.mean / baseline.mean) * 100;
  return `${percent > 0 ? "+" : ""}${plainNumber(percent, 1)} %`;
}

function finding({ metric, separable, difference }: PairedDifference): string {
  if (difference === null || separable === null) return "";
  if (separable) return difference.mean < 0 ? "lower" : "higher";
  if (difference.lo !== 0 || difference.hi !== 0) return "not separable";
  return isPercentile(metric) ? "the same within 1 %" : "the same";
}
