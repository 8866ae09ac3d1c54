/** A validation run as plain text for a terminal: bars, pooled errors, every case, refusals, sources, what is not covered. */
import type { Bar } from "./bars.ts";
import type { OrderResult } from "./order.ts";
import { type Dimension, type ErrorStatistics, type MetricStatistics, POOL_NAMES, type Pooled } from "./pool.ts";
import type { CaseResult, Comparison, PoolName } from "./result.ts";
import type { UnpredictedCount } from "./unpredicted.ts";
import type { RefusalCount, ValidationResult } from "./validate.ts";

export const POOL_TITLES: Readonly<Record<PoolName, string>> = {
  validation: "VALIDATION: no coefficient was fitted on these",
  calibration: "CALIBRATION: coefficients were fitted on these, so the errors are in-sample",
  setAside: "SET ASIDE: recordings tagged not-fitted (doubtful) and memory of multimodal models; out of the bars",
};
export const DIMENSION_TITLES: readonly (readonly [Dimension, string])[] = [
  ["source", "by source"],
  ["gpu", "by GPU"],
  ["model", "by model"],
  ["modelClass", "by model class"],
  ["engine", "by engine"],
  ["loadKind", "by kind of load"],
  ["loadLevel", "by load level (requests in flight at a replica: low to 8, medium to 64, high above)"],
];

/** What no case could test, however it were recorded. */
export const NOT_COVERED: readonly string[] = [
  "LoRA, multimodal inputs, CPU offload",
  "memory use of other engines than vLLM",
  "tensor parallelism over PCIe: its all-reduce is assumed",
];

export function signedPercent(fraction: number): string {
  return `${fraction < 0 ? "−" : "+"}${(Math.abs(fraction) * 100).toFixed(1)} %`;
}

export function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(1)} %`;
}

/** `skipped`: files of the directory that hold no cases. */
export function validationText(result: ValidationResult, skipped: readonly string[]): string {
  const refused = result.cases.filter((one) => one.refused !== null);
  const lines = [
    `${result.cases.length} cases, ${result.cases.length - refused.length} predicted, ${refused.length} refused in whole or part`,
    "",
    "BARS",
    ...result.bars.map(barLine),
  ];
  for (const name of POOL_NAMES) {
    const cases = result.cases.filter((one) => one.pool === name);
    if (cases.length === 0) continue;
    lines.push("", POOL_TITLES[name], "", ...poolLines(result.pooled, name));
    const scored = cases.filter((one) => Object.keys(one.errors).length + one.byStage.length > 0);
    if (scored.length > 0) lines.push("", "  cases", ...scored.flatMap(caseLines));
  }
  if (result.order.length > 0) lines.push("", "ORDER of cases that are compared", ...result.order.map(orderLine));
  if (refused.length > 0) lines.push("", "REFUSED", ...result.notCovered.map(refusalLine));
  if (result.notPredicted.length > 0)
    lines.push("", "MEASURED, NOT PREDICTED", ...result.notPredicted.map(unpredictedLine));
  if (skipped.length > 0) lines.push("", `SKIPPED, not case files: ${skipped.join(", ")}`);
  lines.push("", "SOURCES", ...sourceLines(result.cases));
  lines.push("", "NOT COVERED", ...NOT_COVERED.map((line) => `  ${line}`));
  return lines.join("\n") + "\n";
}

/** Two decimals: some figures stand close to their limit. */
export function barPercent(fraction: number): string {
  return `${(fraction * 100).toFixed(2)} %`;
}

/** `8.93 % of at most 9.0 % (median, n = 403)` */
function barFigure({ statistic, limit, value, n }: Bar): string {
  if (value === null) return `no case measures it; at most ${percent(limit)} (${statistic})`;
  return `${barPercent(value)} of at most ${percent(limit)} (${statistic}, n = ${n})`;
}

function barLine(bar: Bar): string {
  return `  ${bar.passed === null ? "not tested" : bar.passed ? "pass" : "MISS"}  ${bar.name}: ${barFigure(bar)}`;
}

function orderLine({ group, pool, cases, pairs, right }: OrderResult): string {
  const share =
    pairs === 0 ? "nothing to compare" : `${right} of ${pairs} pairs as measured (${percent(right / pairs)})`;
  return `  ${group} (${pool}, ${cases} cases): ${share}`;
}

const HEADER = ["metric", "n", "median", "MAPE", "P90", "bias", "in band"];

function poolLines(all: Pooled, name: PoolName): string[] {
  const pool = all[name];
  const lines = tableLines("all", pool.all);
  for (const [dimension, title] of DIMENSION_TITLES) {
    const groups = Object.entries(pool[dimension]);
    if (groups.length < 2) continue;
    lines.push("", `  ${title}`);
    for (const [value, statistics] of groups) lines.push(...tableLines(value, statistics));
  }
  return lines;
}

function tableLines(title: string, statistics: MetricStatistics): string[] {
  const rows = Object.entries(statistics);
  if (rows.length === 0) return [`  ${title}: nothing scored`];
  return [`  ${title}`, row(HEADER), ...rows.map(([metric, one]) => row([metric, ...statisticCells(one)]))];
}

function statisticCells({ n, medianAbs, mape, p90Abs, bias, insideBand }: ErrorStatistics): string[] {
  return [
    String(n),
    percent(medianAbs),
    percent(mape),
    percent(p90Abs),
    signedPercent(bias),
    insideBand === null ? "–" : `${(insideBand * 100).toFixed(0)} %`,
  ];
}

function row([metric = "", ...cells]: readonly string[]): string {
  return `    ${metric.padEnd(20)}${cells.map((cell) => cell.padStart(10)).join("")}`;
}

function caseLines(one: CaseResult): string[] {
  const band = one.band === null ? "" : `  band ${signedPercent(one.band.p5)} to ${signedPercent(one.band.p95)}`;
  const set = one.scope === null ? "" : `  set ${one.scope}`;
  const notes = [one.outsideValidatedRange, ...one.caveats].flatMap((note) => (note === null ? [] : [`      ${note}`]));
  const stages = one.byStage.flatMap((stage, i) => [
    `      stage ${i + 1}, load ${stage.loadLevel}`,
    ...metricLines(stage),
  ]);
  const rest = one.unpredicted.length === 0 ? [] : [`      not predicted: ${one.unpredicted.join(", ")}`];
  return [`    ${one.id}${set}${band}`, ...notes, ...metricLines(one), ...stages, ...rest];
}

function metricLines({ errors, predicted, measured }: Comparison): string[] {
  return Object.entries(errors).map(
    ([metric, error]) =>
      `      ${metric}: ${figure(predicted[metric]!)}, measured ${figure(measured[metric]!)}, ${signedPercent(error)}`,
  );
}

export function figure(value: number): string {
  return value >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

export function refusalLine({ reason, cases, ids }: RefusalCount): string {
  return `  ${cases} × ${reason}: ${firstIds(cases, ids)}`;
}

function unpredictedLine({ metric, cases, ids }: UnpredictedCount): string {
  return `  ${cases} × ${metric}: ${firstIds(cases, ids)}`;
}

function firstIds(cases: number, ids: readonly string[]): string {
  return `${ids.join(", ")}${cases > ids.length ? ` and ${cases - ids.length} more` : ""}`;
}

export function sourceLines(cases: readonly CaseResult[]): string[] {
  const counts = new Map<string, number>();
  for (const { source, licence, role } of cases)
    if (role !== null) counts.set(`${source} (${licence})`, (counts.get(`${source} (${licence})`) ?? 0) + 1);
  return [...counts].map(([source, n]) => `  ${source}: ${n} cases`);
}
