/** What the terminal shows of a summary: the strategies side by side, and the verdict. */
import { notValidated } from "../experiment/not-validated.ts";
import { showsMoney, type Estimate, type StrategySummary } from "../experiment/findings.ts";
import { verdictNotSimulated, type Summary } from "../decision/summary.ts";
import { HOURS_PER_MONTH } from "../outcome/ledger.ts";
import { lengthText, plainNumber, plural } from "../report/format.ts";
import { fittedTable } from "./text-table.ts";

type Row = readonly [string, (strategy: StrategySummary) => string];

/** More strategies that miss their targets than these are counted, not named. */
const MOST_MISSES = 6;

/** Cash and cost of the period differ: something is paid ahead. */
function paysInAdvance({ usdPerMonth, billedUsd }: StrategySummary, days: number): boolean {
  if (usdPerMonth === null || billedUsd === null) return false;
  const usd = (usdPerMonth.mean * days * 24) / HOURS_PER_MONTH;
  return Math.abs(billedUsd.mean - usd) > 1e-6 * Math.abs(usd);
}

/** `width`: characters of a line; strategies that do not fit beside each other stand in blocks. */
export function summaryText(summary: Summary, width: number): string {
  const cost: readonly Row[] = [
    ["cost, USD a month", (s) => (s.permitted || s.counterfactual ? money(s.usdPerMonth) : "not ranked")],
    ...(summary.strategies.some((s) => paysInAdvance(s, summary.horizonDays))
      ? [
          [
            "paid in the period, USD",
            (s: StrategySummary) => (s.permitted || s.counterfactual ? money(s.billedUsd) : "not ranked"),
          ] as const,
        ]
      : []),
    ["USD per 1M output tokens", (s) => (s.permitted || s.counterfactual ? money(s.usdPerMTokOutput) : "not ranked")],
  ];
  const rows: readonly Row[] = [
    ["permitted", permitted],
    ...(showsMoney(summary) ? cost : []),
    ["TTFT P50 / P99, ms", (s) => `${whole(s.ttftMs.p50)} / ${whole(s.ttftMs.p99)}`],
    ["TPOT P50 / P99, ms", (s) => `${tenth(s.tpotMs.p50)} / ${tenth(s.tpotMs.p99)}`],
    ["SLO attainment", (s) => percent(s.sloAttainment)],
    ["completed", (s) => count(s.requests.completed)],
    [
      "rejected, timed out, failed",
      (s) => [s.requests.rejected, s.requests.timedOut, s.requests.failed].map(count).join(", "),
    ],
    ["429 answers", (s) => count(s.requests.rateLimited)],
    ...optional(summary, "retries", (s) => s.requests.retried),
    ...optional(summary, "retries over the budget", (s) => s.retriesDenied),
    ...optional(summary, "not asked, breaker open", (s) => total(s, "skipped")),
    ...optional(summary, "hedges (second attempts)", (s) => total(s, "hedges")),
    ["refused at the boundary", (s) => count(s.requests.boundaryRefused)],
    ...(summary.strategies.some((s) => s.reasoningTokens.mean > 0)
      ? [
          [
            "output tokens / of them thinking",
            (s: StrategySummary) => `${count(s.outputTokens)} / ${count(s.reasoningTokens)}`,
          ] as const,
        ]
      : []),
    ...(summary.strategies.some((s) => s.requests.blockedByBoundary.mean > 0)
      ? [["blocked by the boundary", (s: StrategySummary) => count(s.requests.blockedByBoundary)] as const]
      : []),
    ...(summary.strategies.some((s) => s.requests.redacted.mean > 0)
      ? [
          [
            "redacted / not cleanable",
            (s: StrategySummary) => `${count(s.requests.redacted)} / ${count(s.requests.notCleanable)}`,
          ] as const,
        ]
      : []),
    [
      "replicas (serving + warm)",
      (s) => s.pools.map((pool) => `${pool.replicas} + ${pool.warmReplicas}`).join("; ") || "–",
    ],
    ["busy share of serving time", (s) => s.pools.map((pool) => percent(pool.busyFraction)).join("; ") || "–"],
  ];
  const table = fittedTable(
    [{ head: "" }, ...summary.strategies.map((strategy) => ({ head: strategy.name, align: "right" as const }))],
    rows.map(([label, cell]) => [label, ...summary.strategies.map(cell)]),
    width,
  );
  const { verdict } = summary;
  const head = `${summary.title}\n${plainNumber(summary.requestsSimulated, 0)} requests simulated: ${lengthText(summary.horizonDays)}, ${plural(summary.replications, "replication")}, ${plural(summary.strategies.length, "strategy", "strategies")}${summary.complete ? "" : " (interrupted: only what had finished)"}\n`;
  const untried = verdictNotSimulated(summary);
  const warnings = [...summary.warnings, ...notValidated(summary.strategies)]
    .map((warning) => `warning: ${warning}\n`)
    .join("");
  const { costTie, targetUnmet, missedTargets } = summary.remarks;
  const sentences = [
    ...(verdict === null
      ? []
      : [`Verdict${verdict.indicative ? " (indicative: fewer than 10 replications)" : ""}: ${verdict.sentence}`]),
    ...(untried === null ? [] : [untried]),
    ...(targetUnmet === null ? [] : [targetUnmet.sentence]),
    ...(costTie === null ? [] : [costTie]),
    ...(missedTargets.length > MOST_MISSES
      ? [`${missedTargets.length} of ${summary.strategies.length} strategies miss a target, or may: see the report.`]
      : missedTargets
          .filter(({ strategy }) => strategy !== targetUnmet?.strategy)
          .map(({ strategy, sentence }) => `${strategy}: ${sentence}.`)),
  ];
  const below = sentences.length === 0 ? "" : `\n${sentences.join("\n")}\n`;
  return `${head}\n${table}${warnings}${below}`;
}

/** A row for what only happens in experiments that ask for it. */
function optional(summary: Summary, label: string, of: (strategy: StrategySummary) => Estimate): readonly Row[] {
  return summary.strategies.some((strategy) => of(strategy).mean > 0) ? [[label, (s) => count(of(s))]] : [];
}

/** Over all targets of a strategy; the mean alone. */
function total({ targets }: StrategySummary, key: "skipped" | "hedges"): Estimate {
  return { mean: targets.reduce((sum, target) => sum + target[key].mean, 0), lo: null, hi: null, n: 1 };
}

function permitted(strategy: StrategySummary): string {
  if (strategy.counterfactual) return "counterfactual";
  const barred = strategy.classes.filter((requestClass) => requestClass.barred !== null).map(({ name }) => name);
  return barred.length === 0 ? "yes" : `not for ${barred.join(", ")}`;
}

/** Mean ± half-width. */
function money(estimate: Estimate | null): string {
  if (estimate === null) return "–";
  const digits = estimate.mean < 1 ? 4 : estimate.mean < 100 ? 2 : 0;
  const half = estimate.hi === null ? "" : ` ± ${plainNumber(estimate.hi - estimate.mean, digits)}`;
  return `${plainNumber(estimate.mean, digits)}${half}`;
}

function whole(estimate: Estimate | null): string {
  return estimate === null ? "–" : plainNumber(estimate.mean, 0);
}

function tenth(estimate: Estimate | null): string {
  return estimate === null ? "–" : plainNumber(estimate.mean, 1);
}

function percent(estimate: Estimate | null): string {
  return estimate === null ? "–" : `${plainNumber(estimate.mean * 100, 2)} %`;
}

function count(estimate: Estimate): string {
  return plainNumber(estimate.mean, 0);
}
