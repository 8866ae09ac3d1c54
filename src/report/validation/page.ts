/** The page of `crossover validate`: bars, predicted against measured, errors, what was refused and what is not covered. */
import {
  DIMENSION_TITLES,
  NOT_COVERED,
  POOL_TITLES,
  barPercent,
  percent,
  signedPercent,
  sourceLines,
} from "../../experiment/validate/text.ts";
import { type MetricStatistics, POOL_NAMES } from "../../experiment/validate/pool.ts";
import type { CaseResult } from "../../experiment/validate/result.ts";
import type { ValidationResult } from "../../experiment/validate/validate.ts";
import { plural } from "../format.ts";
import { bullets, escapeHtml, fold, legend, paragraph, prose, table } from "../markup.ts";
import type { Cell, TableView } from "../model.ts";
import { type Section, pageHtml } from "../shell.ts";
import { type ScatterPoint, scatterSvg } from "./scatter.ts";

/** The panels: of each case the first of the metrics that it holds. */
const PANELS: readonly { readonly title: string; readonly unit: string; readonly metrics: readonly string[] }[] = [
  { title: "Time per output token", unit: "ms", metrics: ["tpotMsMean", "tpotMsP50", "itlMsMean"] },
  { title: "Time to first token, mean", unit: "ms", metrics: ["ttftMsMean"] },
  { title: "End to end, mean or median", unit: "ms", metrics: ["e2eMsMean", "e2eMsP50"] },
  { title: "End to end, P99", unit: "ms", metrics: ["e2eMsP99"] },
  { title: "Time to first token, P99", unit: "ms", metrics: ["ttftMsP99"] },
  { title: "Throughput", unit: "output tokens/s", metrics: ["outputTokensPerS", "totalTokensPerS", "requestsPerS"] },
];
/** By engine; engines beyond these share the last. */
const COLORS = ["#2563eb", "#0d9488", "#d97706", "#7c3aed", "#64748b"] as const;
/** Metrics of the tables by GPU, model and so on. */
const HEADLINE_METRICS = [
  "tpotMsMean",
  "tpotMsP50",
  "ttftMsMean",
  "ttftMsP99",
  "e2eMsMean",
  "e2eMsP50",
  "e2eMsP99",
  "outputTokensPerS",
] as const;
const WORST_SHOWN = 12;

/** `skipped`: files that hold no cases. */
export function validationPage(result: ValidationResult, skipped: readonly string[], version: string): string {
  const { cases, bars } = result;
  const refused = cases.filter((one) => one.refused !== null).length;
  const judged = bars.filter((bar) => bar.passed !== null);
  const missed = judged.filter((bar) => bar.passed === false).length;
  const sections: Section[] = [
    { id: "bars", title: "Bars", content: barsSection(result, missed) },
    { id: "scatter", title: "Predicted and measured", content: scatterSection(cases) },
    { id: "errors", title: "Errors", content: errorsSection(result) },
    ...(result.order.length > 0 ? [{ id: "order", title: "Order", content: orderSection(result) }] : []),
    { id: "refused", title: "Not covered", content: refusedSection(result, skipped) },
    { id: "sources", title: "Sources", content: sourceSection(cases) },
  ];
  return pageHtml(
    {
      title: "Validation",
      question: "How far off is the simulator from recorded runs of real engines?",
      facts: [
        counted(cases.length, "recorded case"),
        refused === 0 ? "all predicted" : `${refused} refused in whole or part`,
        `${judged.length - missed} of ${counted(judged.length, "bar")} met`,
        `crossover ${version}`,
      ],
    },
    sections,
  );
}

const plain = (text: string, tone: Cell["tone"] = null): Cell => ({ text, note: null, tone });
const column = (label: string, numeric = true): TableView["columns"][number] => ({
  label,
  note: null,
  color: null,
  numeric,
});

function barsSection({ bars }: ValidationResult, missed: number): string {
  const judged = bars.filter((bar) => bar.passed !== null).length;
  const idle = bars.length - judged;
  const told =
    judged === 0
      ? "No bar is tested by these cases"
      : missed > 0
        ? `${missed} of ${counted(judged, "bar")} ${missed === 1 ? "is" : "are"} missed`
        : `${judged === 1 ? "The one bar that is tested is" : `All ${judged} bars that are tested are`} met`;
  const head = idle === 0 || judged === 0 ? told : `${told}; ${idle} ${idle === 1 ? "is" : "are"} not tested`;
  const view: TableView = {
    caption: "Absolute errors of validation cases, on which no coefficient was fitted",
    columns: [
      column("bar", false),
      column("error"),
      column("limit"),
      column("statistic", false),
      column("cases"),
      column("", false),
    ],
    rows: bars.map((bar) => ({
      header: bar.name,
      note: null,
      color: null,
      cells: [
        plain(bar.value === null ? "–" : barPercent(bar.value)),
        plain(percent(bar.limit)),
        plain(bar.statistic),
        plain(String(bar.n)),
        bar.passed === null ? plain("not tested") : bar.passed ? plain("met", "good") : plain("missed", "bad"),
      ],
    })),
    layout: "cards",
  };
  return `<h2 class="lead">${prose(head)}</h2>${table(view)}`;
}

function scatterSection(cases: readonly CaseResult[]): string {
  const scored = cases.filter((one) => one.pool === "validation" || one.pool === "calibration");
  const engines = [...new Set(scored.map((one) => one.engine))].sort();
  const colorOf = (engine: string): string => COLORS[Math.min(engines.indexOf(engine), COLORS.length - 1)]!;
  const figures = PANELS.flatMap(({ title, unit, metrics }) => {
    const points: ScatterPoint[] = [];
    for (const one of scored) {
      const metric = metrics.find((name) => one.errors[name] !== undefined);
      if (metric === undefined) continue;
      const measured = one.measured[metric]!;
      const predicted = one.predicted[metric]!;
      points.push({ measured, predicted, color: colorOf(one.engine), hollow: one.pool === "calibration" });
    }
    if (points.length === 0) return [];
    const alt = `${title}: predicted against measured for ${counted(points.length, "case")}`;
    const caption = `<figcaption><strong>${escapeHtml(title)}</strong><span class="quiet">${counted(points.length, "case")}</span></figcaption>`;
    return [`<figure>${caption}${scatterSvg(points, unit, alt)}</figure>`];
  });
  const engineLegend = legend(engines.map((engine) => ({ label: engine, color: colorOf(engine) })));
  return (
    `<h2>On the line, prediction and measurement agree</h2>` +
    paragraph(
      "Broken lines: a fifth too much and a fifth too little. Filled: validation; rings: calibration, on which coefficients were fitted.",
      "sub",
    ) +
    engineLegend +
    `<div class="pairs">${figures.join("")}</div>`
  );
}

function errorsSection({ pooled, cases }: ValidationResult): string {
  const parts = POOL_NAMES.flatMap((name) => {
    const pool = pooled[name];
    if (Object.keys(pool.all).length === 0) return [];
    const [kind = "", note = ""] = POOL_TITLES[name].split(": ");
    const head = `<h3>${escapeHtml(capitalized(kind.toLowerCase()))}</h3>${paragraph(`${capitalized(note)}.`, "sub")}`;
    const all = table(statisticsTable("All metrics", [["", pool.all]], Object.keys(pool.all)));
    if (name !== "validation") return [head + all];
    const groups = DIMENSION_TITLES.map(([dimension, title]) => {
      const entries = Object.entries(pool[dimension]);
      return fold(
        capitalized(title),
        plural(entries.length, "group"),
        table(statisticsTable(title, entries, HEADLINE_METRICS)),
      );
    });
    return [head + all + groups.join("")];
  });
  return `<h2>Errors by metric</h2>${paragraph("Predicted ÷ measured − 1: median, mean and 90th percentile of its size, and its signed mean.", "sub")}${parts.join("")}${worstTable(cases)}`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function statisticsTable(
  title: string,
  groups: readonly (readonly [string, MetricStatistics])[],
  metrics: readonly string[],
): TableView {
  return {
    caption: capitalized(title),
    columns: [
      column("metric", false),
      ...["cases", "median", "MAPE", "P90", "bias", "in band"].map((label) => column(label)),
    ],
    rows: groups.flatMap(([group, statistics]) => {
      const rows = metrics.flatMap((metric) => {
        const one = statistics[metric];
        if (one === undefined) return [];
        const cells = [
          plain(String(one.n)),
          plain(percent(one.medianAbs)),
          plain(percent(one.mape)),
          plain(percent(one.p90Abs)),
          plain(signedPercent(one.bias)),
          plain(one.insideBand === null ? "–" : percent(one.insideBand)),
        ];
        return [{ header: metric, note: null, color: null, cells }];
      });
      if (group === "" || rows.length === 0) return rows;
      return [{ header: group, note: null, color: null, cells: [] }, ...rows];
    }),
    layout: "cards",
  };
}

/** The validation cases that are furthest off in the time of a token: where to look next. */
function worstTable(cases: readonly CaseResult[]): string {
  const error = (one: CaseResult): number => Math.abs(one.errors["tpotMsMean"] ?? one.errors["tpotMsP50"] ?? 0);
  const worst = cases.filter((one) => one.pool === "validation" && error(one) > 0);
  worst.sort((a, b) => error(b) - error(a));
  if (worst.length === 0) return "";
  return table({
    caption: "Furthest off in time per output token, validation",
    columns: [column("case", false), column("error"), column("coefficients", false)],
    rows: worst.slice(0, WORST_SHOWN).map((one) => ({
      header: one.id,
      note: one.outsideValidatedRange,
      color: null,
      cells: [plain(signedPercent(one.errors["tpotMsMean"] ?? one.errors["tpotMsP50"]!)), plain(one.scope ?? "–")],
    })),
    layout: "cards",
  });
}

function orderSection({ order }: ValidationResult): string {
  const view: TableView = {
    caption: "Pairs of compared cases that come out in the measured order",
    columns: [column("group", false), column("role", false), column("cases"), column("pairs"), column("right")],
    rows: order.map(({ group, pool, cases, pairs, right }) => ({
      header: group,
      note: null,
      color: null,
      cells: [
        plain(pool),
        plain(String(cases)),
        plain(String(pairs)),
        plain(pairs === 0 ? "–" : `${right} (${percent(right / pairs)})`),
      ],
    })),
    layout: "cards",
  };
  return `<h2>Which of two comes out faster</h2>${table(view)}`;
}

function sourceSection(cases: readonly CaseResult[]): string {
  return `<h2>Where the recordings come from</h2>${bullets(sourceLines(cases).map((line) => line.trim()))}`;
}

function refusedSection({ notCovered, notPredicted }: ValidationResult, skipped: readonly string[]): string {
  const refusals = countTable(
    "Cases that were refused in whole or part, by reason",
    "reason",
    notCovered.map(({ reason, ...rest }) => ({ header: reason, ...rest })),
  );
  const unpredicted = countTable(
    "Measured, not predicted",
    "metric",
    notPredicted.map(({ metric, ...rest }) => ({ header: metric, ...rest })),
  );
  const files = skipped.length === 0 ? "" : paragraph(`Not case files, skipped: ${skipped.join(", ")}.`, "quiet");
  return `<h2>What these figures do not say</h2>${bullets(NOT_COVERED)}${refusals}${unpredicted}${files}`;
}

/** How many cases something is said of, with the first of them; nothing where it is said of none. */
function countTable(
  caption: string,
  head: string,
  counts: readonly { readonly header: string; readonly cases: number; readonly ids: readonly string[] }[],
): string {
  if (counts.length === 0) return "";
  return table({
    caption,
    columns: [column(head, false), column("cases"), column("for example", false)],
    rows: counts.map(({ header, cases, ids }) => ({
      header,
      note: null,
      color: null,
      cells: [plain(String(cases)), plain(ids[0] ?? "")],
    })),
    layout: "cards",
  });
}

/** With every digit: which cases there are can be counted. */
function counted(amount: number, word: string): string {
  return `${amount} ${word}${amount === 1 ? "" : "s"}`;
}
