/** How the figures of a comparison are named and shown in the terminal. */
import type { PairedDifference } from "../experiment/compare.ts";
import { plainNumber } from "../report/format.ts";

const STATISTICS = /(Mean|P50|P95|P99)$/;
const LABELS: Readonly<Record<string, string>> = {
  sloAttainment: "SLO attainment, %",
  goodput: "goodput, requests/s",
  completed: "completed, requests/s",
  outputTokens: "output tokens/s",
  unanswered: "rejected, timed out or failed",
  gpus: "GPUs that serve",
  preemptions: "preemptions",
  busyFraction: "busy, % of serving time",
  occupancyFraction: "occupancy, % of sequences",
  kvFraction: "KV held, % of capacity",
  prefixHitFraction: "prompt tokens cached, %",
  draftAcceptedFraction: "drafts accepted, %",
  usdPerMonth: "USD a month",
  fairnessIndex: "fairness index of the classes",
  ttftP99Ratio: "TTFT P99, worst class ÷ best",
};

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
