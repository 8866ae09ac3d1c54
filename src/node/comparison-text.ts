/** What the terminal shows of a comparison: one table of paired differences for each strategy against the baseline. */
import type { Comparison, PairedDifference } from "../experiment/compare.ts";
import type { Estimate } from "../experiment/findings.ts";
import { lengthText, plainNumber, plural } from "../report/format.ts";
import { overviewText } from "./comparison-overview.ts";
import { metricLabel, plainFigure } from "./metric-text.ts";
import { type Column, fittedTable, textTable } from "./text-table.ts";

interface ComparisonTextInput {
  readonly title: string;
  readonly seed: string;
  readonly horizonDays: number;
  readonly comparisons: readonly Comparison[];
  readonly warnings: readonly string[];
  /** Every pair and class, however many there are. */
  readonly details: boolean;
  /** Characters of a line. */
  readonly width: number;
}

/** With more pairs than this the overview stands alone, unless the details are asked for. */
const MOST_PAIRS = 3;

export function comparisonText(input: ComparisonTextInput): string {
  const { title, seed, horizonDays, comparisons, warnings, details, width } = input;
  const pairs = comparisons[0]?.pairs ?? 0;
  const head = `${title}\n${plural(pairs, "paired replication")} of ${lengthText(horizonDays)}, seed ${seed}: the same requests and the same luck for all\n`;
  const single = pairs < 2 ? "One replication has no interval: two or more are needed to separate anything.\n" : "";
  const whole = details || comparisons.length <= MOST_PAIRS;
  const tables = whole
    ? comparisons.map((comparison) => tablesText(comparison, width))
    : [`\nThe paired differences of each, with their intervals and by class: --details, or --json.\n`];
  return [
    head,
    single,
    overviewText(comparisons, width),
    ...tables,
    ...warnings.map((warning) => `warning: ${warning}\n`),
  ].join("");
}

/** A table for all requests and one for each class, as they come in the rows. */
function tablesText({ baseline, other, rows }: Comparison, width: number): string {
  const groups = [...new Set(rows.map(({ className }) => className))];
  const tables = groups.map((group) =>
    tableText(
      group ?? "all requests",
      [baseline, other],
      rows.filter(({ className }) => className === group),
      width,
    ),
  );
  const alike = rows.some(isSame) && rows.every((row) => row.difference === null || isSame(row));
  const why =
    "To these figures both are the same. Where nobody waits, the order of a queue and the bounds of a step change nothing: try more load (requestsPerS, or --rates 4,8,16).\n";
  return `\n${other} against ${baseline}\n\n${tables.join("\n")}${alike ? why : ""}`;
}

/** Below it a difference is what sums in another order come to. */
const ROUNDING = 1e-9;

function isSame({ baseline, difference }: PairedDifference): boolean {
  if (baseline === null || difference === null) return false;
  const tiny = ROUNDING * Math.max(1, Math.abs(baseline.mean));
  return [difference.mean, difference.lo ?? 0, difference.hi ?? 0].every((value) => Math.abs(value) <= tiny);
}

/** Where not all columns fit beside each other, the differences come first and what they are of below. */
function tableText(
  head: string,
  [baseline, other]: readonly [string, string],
  rows: readonly PairedDifference[],
  width: number,
): string {
  const values = [right(baseline), right(other)];
  const differences = [right("difference"), right("95 % interval"), right("change"), { head: "" }];
  const label = (row: PairedDifference): string => metricLabel(row.metric);
  const valueCells = (row: PairedDifference): string[] => [figure(row, row.baseline), figure(row, row.other)];
  const differenceCells = (row: PairedDifference): string[] => [
    signed(row, row.difference?.mean ?? null),
    interval(row),
    change(row),
    finding(row),
  ];
  const whole = textTable(
    [{ head }, ...values, ...differences],
    rows.map((row) => [label(row), ...valueCells(row), ...differenceCells(row)]),
  );
  if (whole.split("\n").every((line) => line.length <= width)) return whole;
  const below = fittedTable(
    [{ head }, ...values],
    rows.map((row) => [label(row), ...valueCells(row)]),
    width,
  );
  const above = fittedTable(
    [{ head }, ...differences],
    rows.map((row) => [label(row), ...differenceCells(row)]),
    width,
  );
  return `${above}\n${below}`;
}

function right(head: string): Column {
  return { head, align: "right" };
}

function figure(row: PairedDifference, estimate: Estimate | null): string {
  return estimate === null ? "–" : plainFigure(row, estimate.mean);
}

function signed(row: PairedDifference, value: number | null): string {
  return value === null ? "–" : withSign(value, plainFigure(row, value));
}

function interval(row: PairedDifference): string {
  const { difference } = row;
  if (difference === null || difference.lo === null || difference.hi === null) return "–";
  return `${signed(row, difference.lo)} … ${signed(row, difference.hi)}`;
}

function change({ baseline, difference }: PairedDifference): string {
  if (baseline === null || difference === null || baseline.mean === 0) return "–";
  const percent = (difference.mean / baseline.mean) * 100;
  return `${withSign(percent, plainNumber(percent, 1))} %`;
}

/** A plus before what is shown above zero: what rounds to nothing has no direction. */
function withSign(value: number, figure: string): string {
  return `${value > 0 && figure !== "0" ? "+" : ""}${figure}`;
}

function finding(row: PairedDifference): string {
  const { separable, difference } = row;
  if (difference === null || separable === null) return "";
  if (isSame(row)) return "the same";
  if (separable) return difference.mean < 0 ? "lower" : "higher";
  return "not separable";
}
