/** What the terminal shows of a backcast: predicted against actual, by day, by model and in all. */
import type { UsageBill } from "../experiment/backcast/bill.ts";
import type { Difference } from "../experiment/backcast/difference.ts";
import type { ReplayRow } from "../experiment/backcast/replay.ts";
import { plainNumber } from "../report/format.ts";
import { textTable, type Column } from "./text-table.ts";

export interface Backcast {
  readonly title: string;
  /** Null for a trace: its bill is the simulated one. */
  readonly bill: UsageBill | null;
  /** Null without an experiment. */
  readonly replay: {
    readonly strategy: string;
    readonly replications: number;
    readonly rows: readonly ReplayRow[];
  } | null;
  readonly warnings: readonly string[];
}

export function backcastText({ title, bill, replay, warnings }: Backcast): string {
  return [
    `${title}\n`,
    bill === null ? "" : billText(bill),
    replay === null
      ? ""
      : `\nReplayed with ${replay.strategy}, ${replay.replications} replications\n${replayText(replay.rows)}`,
    bill === null || bill.notes.length === 0
      ? ""
      : `\nWhat may explain the differences:\n${bill.notes.map((note) => `- ${note}\n`).join("")}`,
    ...warnings.map((warning) => `warning: ${warning}\n`),
  ].join("");
}

const right = (head: string): Column => ({ head, align: "right" });

function billText({ days, models, total }: UsageBill): string {
  const columns = [
    "requests",
    "input tokens",
    "of it cached",
    "output tokens",
    "predicted USD",
    "actual USD",
    "error",
  ].map(right);
  const row = (name: string, figures: UsageBill["total"]): string[] => [
    name,
    figures.requests === null ? "–" : plainNumber(figures.requests, 0),
    plainNumber(figures.inputTokens, 0),
    plainNumber(figures.cachedInputTokens, 0),
    plainNumber(figures.outputTokens, 0),
    ...differenceCells(figures.usd, 2),
  ];
  const byDay = [...days.map((day) => row(day.day, day)), row("total", total)];
  const byModel = models.map((model) => row(`${model.model || "–"} (${model.offer ?? "not priced"})`, model));
  return `Bill from recorded tokens at dated list prices\n\n${textTable([{ head: "day, UTC" }, ...columns], byDay)}\n${textTable([{ head: "model" }, ...columns], byModel)}`;
}

function replayText(rows: readonly ReplayRow[]): string {
  return textTable(
    [{ head: "" }, right("predicted"), right("95 % interval"), right("actual"), right("error"), { head: "" }],
    rows
      .filter((row) => row.predicted !== null || row.difference.actual !== null)
      .map(({ figure, unit, predicted, difference, given }) => {
        const digits = unit === "ms" ? 1 : unit === "USD" ? 2 : 0;
        const [, actual, error] = differenceCells(difference, digits);
        const lo = predicted?.lo ?? null;
        const hi = predicted?.hi ?? null;
        return [
          unit === "ms" || unit === "USD" ? `${figure}, ${unit}` : figure,
          predicted === null ? "–" : plainNumber(predicted.mean, digits),
          lo === null || hi === null ? "–" : `${plainNumber(lo, digits)} … ${plainNumber(hi, digits)}`,
          actual!,
          error!,
          given ? "given by the recording" : predicted === null && unit === "ms" ? "too few answers for it" : "",
        ];
      }),
  );
}

function differenceCells({ predicted, actual, errorFraction }: Difference, digits: number): string[] {
  const number = (value: number | null): string => (value === null ? "–" : plainNumber(value, digits));
  const error =
    errorFraction === null ? "–" : `${errorFraction > 0 ? "+" : ""}${plainNumber(errorFraction * 100, 1)} %`;
  return [number(predicted), number(actual), error];
}
