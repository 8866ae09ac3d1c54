/** A validation run as plain text for a terminal: bars, pooled errors, every case, refusals, sources, what is not covered. */
import {
  type Bar,
  type Dimension,
  type ErrorStatistics,
  type MetricStatistics,
  POOL_NAMES,
  type Pooled,
} from "./pool.ts";
import type { CaseResult, PoolName } from "./result.ts";
import type { ValidationResult } from "./validate.ts";

const POOL_TITLES: Readonly<Record<PoolName, string>> = {
  validation: "VALIDATION: no coefficient was fitted on these",
  calibration: "CALIBRATION: coefficients were fitted on these, so the errors are in-sample",
  setAside: "SET ASIDE: recordings tagged not-fitted (doubtful) and memory of multimodal models; out of the bars",
};
const DIMENSION_TITLES: readonly (readonly [Dimension, string])[] = [
  ["source", "by source"],
  ["gpu", "by GPU"],
  ["model", "by model"],
  ["engine", "by engine"],
];

export const NOT_COVERED: readonly string[] = [
  "models with sliding-window, hybrid or MLA attention; expert, pipeline and data parallelism; several replicas",
  "speculative decoding, shared prefixes, LoRA, multimodal inputs, CPU offload, disaggregated prefill",
  "TTFT of closed loops; memory use of other engines than vLLM",
  "NVLink aside, tensor parallelism over PCIe: its all-reduce is assumed",
];

function signedPercent(fraction: number): string {
  return `${fraction < 0 ? "−" : "+"}${(Math.abs(fraction) * 100).toFixed(1)} %`;
}

function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(1)} %`;
}

/** `skipped`: files of the directory that hold no cases. */
export function validationText(result: ValidationResult, skipped: readonly string[]): string {
  const refused = result.cases.filter((one) => one.refused !== null);
  const lines = [
    `${result.cases.length} cases, ${result.cases.length - refused.length} predicted, ${refused.length} refused in whole or part`,
    "",
    ...result.bars.map(barLine),
  ];
  for (const name of POOL_NAMES) {
    const cases = result.cases.filter((one) => one.pool === name);
    if (cases.length === 0) continue;
    lines.push("", POOL_TITLES[name], "", ...poolLines(result.pooled, name));
    const scored = cases.filter((one) => Object.keys(one.errors).length > 0);
    if (scored.length > 0) lines.push("", "  cases", ...scored.flatMap(caseLines));
  }
  if (refused.length > 0) lines.push("", "REFUSED", ...refusalLines(refused));
  if (skipped.length > 0) lines.push("", `SKIPPED, not case files: ${skipped.join(", ")}`);
  lines.push("", "SOURCES", ...sourceLines(result.cases));
  lines.push("", "NOT COVERED", ...NOT_COVERED.map((line) => `  ${line}`));
  return lines.join("\n") + "\n";
}

function barLine({ name, limit, value, n, passed }: Bar): string {
  if (value === null) return `not tested  ${name}: no case measures it (limit ${percent(limit)})`;
  return `${passed === true ? "pass" : "FAIL"}  ${name}: ${percent(value)} of at most ${percent(limit)}, n = ${n}`;
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
  const outside = one.outsideValidatedRange === null ? [] : [`      ${one.outsideValidatedRange}`];
  const metrics = Object.entries(one.errors).map(
    ([metric, error]) =>
      `      ${metric}: ${figure(one.predicted[metric]!)}, measured ${figure(one.measured[metric]!)}, ${signedPercent(error)}`,
  );
  return [`    ${one.id}${set}${band}`, ...outside, ...metrics];
}

function figure(value: number): string {
  return value >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

/** One line a reason, with its cases: hundreds of cases may share one. */
function refusalLines(refused: readonly CaseResult[]): string[] {
  const byReason = new Map<string, string[]>();
  for (const { id, refused: reason } of refused) {
    const ids = byReason.get(reason!) ?? [];
    ids.push(id);
    byReason.set(reason!, ids);
  }
  return [...byReason].map(([reason, ids]) => `  ${ids.length} × ${reason}: ${ids.join(", ")}`);
}

function sourceLines(cases: readonly CaseResult[]): string[] {
  const counts = new Map<string, number>();
  for (const { source, licence, role } of cases)
    if (role !== null) counts.set(`${source} (${licence})`, (counts.get(`${source} (${licence})`) ?? 0) + 1);
  return [...counts].map(([source, n]) => `  ${source}: ${n} cases`);
}
