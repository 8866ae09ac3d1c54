/** What the terminal shows of a frontier: one block for each metric, strategies down, rates across. */
import { type Frontier, type FrontierMetric, type FrontierPoint, sizesDiffer } from "../experiment/frontier.ts";
import type { Estimate } from "../experiment/findings.ts";
import { lengthText, plainNumber, plural } from "../report/format.ts";
import { metricLabel, plainFigure } from "./metric-text.ts";
import { fittedTable } from "./text-table.ts";

interface FrontierTextInput {
  readonly title: string;
  readonly seed: string;
  readonly horizonS: number;
  readonly replications: number;
  readonly frontier: Frontier;
  readonly warnings: readonly string[];
  /** Characters of a line. */
  readonly width: number;
}

export function frontierText(input: FrontierTextInput): string {
  const { title, seed, horizonS, replications, frontier, warnings, width } = input;
  const { metrics, classes } = frontier;
  return [
    `${title}\n`,
    `${plural(replications, "replication")} of ${lengthText(horizonS / 86_400)} at each rate, seed ${seed}: the same requests and the same luck for all\n`,
    "± half a 95 % interval; * best of its column, beyond the paired interval to the next; ! overloaded, the backlog grows\n",
    ...metrics.map((metric) =>
      block(metricLabel(metric.metric), frontier, metric, width, (point) => point.figures[metric.metric] ?? null),
    ),
    ...(classes.length === 1 ? [] : classes).map((name, c) =>
      block(
        `${name}: ${metricLabel("sloAttainment")}`,
        frontier,
        { metric: "sloAttainment", unit: "fraction", better: "higher" },
        width,
        (point) => point.classes[c]!.figures["sloAttainment"] ?? null,
        false,
      ),
    ),
    ...(sizesDiffer(frontier) ? [gpusBlock(frontier, width)] : []),
    ...warnings.map((warning) => `warning: ${warning}\n`),
  ].join("");
}

function gpusBlock({ rates, strategies, points }: Frontier, width: number): string {
  const columns = [
    { head: metricLabel("gpus") },
    ...rates.map((rate) => ({ head: `${rate}/s`, align: "right" as const })),
  ];
  const rows = strategies.map((strategy, s) => [
    strategy,
    ...rates.map((_, r) => plainNumber(points[r * strategies.length + s]!.gpus, 0)),
  ]);
  return `\n${fittedTable(columns, rows, width)}`;
}

function block(
  head: string,
  { rates, strategies, points, best }: Frontier,
  metric: FrontierMetric,
  width: number,
  of: (point: FrontierPoint) => Estimate | null,
  marked = true,
): string {
  const columns = [{ head }, ...rates.map((rate) => ({ head: `${rate}/s`, align: "right" as const }))];
  const rows = strategies.map((strategy, s) => [
    strategy,
    ...rates.map((ratePerS, r) => {
      const point = points[r * strategies.length + s]!;
      const isBest =
        marked &&
        best.some((one) => one.metric === metric.metric && one.ratePerS === ratePerS && one.strategy === strategy);
      const marks = `${point.overloaded ? "!" : ""}${isBest ? "*" : ""}`;
      return `${marks}${marks === "" ? "" : " "}${figure(metric, of(point))}`;
    }),
  ]);
  return `\n${fittedTable(columns, rows, width)}`;
}

function figure(metric: FrontierMetric, estimate: Estimate | null): string {
  if (estimate === null) return "–";
  const half = estimate.hi === null ? "" : ` ±${plainFigure(metric, estimate.hi - estimate.mean)}`;
  return `${plainFigure(metric, estimate.mean)}${half}`;
}
