/** The page of `crossover compare --rates`: how far each strategy goes, at what latency, and who pays for it. */
import { type Frontier, type FrontierMetric, type FrontierPoint, sizesDiffer } from "../../experiment/frontier.ts";
import type { Estimate } from "../../experiment/findings.ts";
import type { RequestClass } from "../../scenario/resolved.ts";
import { type Expectation, expectationSection } from "../expectation.ts";
import { chosen, count, durationMs, percent, plain, ratePerS, significant } from "../format.ts";
import { bullets, escapeHtml, paragraph, prose, table } from "../markup.ts";
import type { Cell, TableView } from "../model.ts";
import { type Section, pageHtml } from "../shell.ts";
import { type FigureSpec, figure, strategyLegend } from "./figure.ts";

export interface FrontierPageInput extends Expectation {
  readonly title: string;
  readonly question: string;
  readonly version: string;
  readonly seed: string;
  readonly replications: number;
  readonly horizonS: number;
  readonly complete: boolean;
  readonly classes: readonly Pick<RequestClass, "name" | "slo">[];
  readonly frontier: Frontier;
  readonly warnings: readonly string[];
}

export function frontierPage(input: FrontierPageInput): string {
  const { frontier, classes } = input;
  const sections: Section[] = [
    { id: "goodput", title: "Goodput", content: goodputSection(frontier) },
    { id: "frontier", title: "Frontier", content: latencySection(frontier) },
    ...(classes.length === 1
      ? []
      : [
          { id: "classes", title: "Classes", content: classesSection(frontier, classes) },
          { id: "fairness", title: "Fairness", content: fairnessSection(frontier) },
        ]),
    ...expectationSection(input),
    { id: "figures", title: "All figures", content: figuresSection(frontier) },
    { id: "reading", title: "How to read this", content: readingSection(input) },
  ];
  return pageHtml(
    {
      title: input.title,
      question: input.question,
      facts: [
        `${frontier.strategies.length} strategies at ${frontier.rates.map(rateText).join(", ")} requests/s`,
        `${input.replications} replications of ${Math.round(input.horizonS / 60)} min each`,
        `seed ${input.seed}`,
        `crossover ${input.version}`,
        ...(input.complete ? [] : ["interrupted: rates are missing"]),
      ],
    },
    sections,
  );
}

/** Of the drawn figures; the tables show all. */
const DRAWN = {
  goodput: { metric: "goodput", label: "goodput, requests/s", alt: "goodput against offered rate" },
  ttftP99: { metric: "ttftP99", label: "P99 time to first token", alt: "P99 time to first token against throughput" },
  tpotP99: {
    metric: "tpotP99",
    label: "P99 time per output token",
    alt: "P99 time per output token against throughput",
  },
  fairnessIndex: { metric: "fairnessIndex", label: "fairness index", alt: "fairness index against offered rate" },
} as const satisfies Readonly<Record<string, Omit<FigureSpec, "against" | "log" | "diagonal">>>;

function goodputSection(frontier: Frontier): string {
  const top = frontier.points.reduce<FrontierPoint | null>((best, point) => {
    const [value, most] = [point.figures["goodput"]?.mean ?? 0, best?.figures["goodput"]?.mean ?? 0];
    return value > most ? point : best;
  }, null);
  const first = frontier.best.find(
    (one) => one.metric === "goodput" && one.ratePerS === top?.ratePerS && one.strategy === top.strategy,
  );
  const head =
    top === null
      ? "No request met its target"
      : `The most requests within their targets: ${ratePerS(top.figures["goodput"]!.mean)}, by ${top.strategy} at ${rateText(top.ratePerS)} requests/s`;
  const sub =
    top === null
      ? ""
      : first === undefined
        ? "The next strategy at that rate can't be told apart from it."
        : `More than ${first.runnerUp}, the next at that rate, beyond the paired interval.`;
  return (
    `<h2 class="lead">${prose(head)}</h2>${paragraph(sub, "sub")}` +
    rateTable(frontier, "Requests per second that met every target of their class", metricCell(frontier, "goodput")) +
    gpusTable(frontier) +
    `<h3>Goodput against offered rate</h3>` +
    paragraph("Dotted: every request within its targets.", "sub") +
    strategyLegend(frontier) +
    figure(frontier, { ...DRAWN.goodput, against: "rate", log: false, diagonal: true })
  );
}

function latencySection(frontier: Frontier): string {
  const part = (title: string, spec: (typeof DRAWN)["ttftP99" | "tpotP99"]): string =>
    `<h3>${escapeHtml(title)}</h3>${figure(frontier, { ...spec, against: "throughput", log: true, diagonal: false })}`;
  return (
    `<h2>Latency against throughput</h2>` +
    paragraph(
      "One point for each rate; further right and lower is better. Hollow: overloaded, the backlog grows, so that the latency is that of the simulated time and of the requests that got through.",
      "sub",
    ) +
    strategyLegend(frontier) +
    part("Time to first token, P99", DRAWN.ttftP99) +
    part("Time per output token, P99 over requests", DRAWN.tpotP99)
  );
}

function classesSection(frontier: Frontier, classes: FrontierPageInput["classes"]): string {
  const tables = classes.map(({ name, slo }, c) =>
    rateTable(frontier, `${name}: ${targetsText(slo)}`, (point) => {
      const attained = point.classes[c]!.figures["sloAttainment"] ?? null;
      return attained === null
        ? cell("–", "muted")
        : cell(
            percent(attained.mean),
            attained.mean >= slo.targetFraction ? "good" : attained.mean < 0.5 ? "bad" : null,
          );
    }),
  );
  return `<h2>Attainment by class</h2>${paragraph("Share of the requests that ended, or are overdue at the end, that met every target of their class; green: the share asked for, red: less than half.", "sub")}${tables.join("")}`;
}

function targetsText({ ttftS, tpotS, e2eS, targetFraction }: RequestClass["slo"]): string {
  const ms = chosen(durationMs);
  const targets = [
    ...(ttftS === null ? [] : [`first token within ${ms(ttftS * 1000)}`]),
    ...(tpotS === null ? [] : [`${ms(tpotS * 1000)} a token`]),
    ...(e2eS === null ? [] : [`done within ${ms(e2eS * 1000)}`]),
  ];
  return targets.length === 0 ? "no target" : `${targets.join(", ")} for ${chosen(percent)(targetFraction)}`;
}

function fairnessSection(frontier: Frontier): string {
  return (
    `<h2>How alike the classes fare</h2>` +
    paragraph(
      "Jain's index over the share of each class's requests that was completed within its targets: 1 where all fare alike, well or badly, 1/n where one class of n gets everything.",
      "sub",
    ) +
    strategyLegend(frontier) +
    figure(frontier, { ...DRAWN.fairnessIndex, against: "rate", log: false, diagonal: false }) +
    rateTable(
      frontier,
      "P99 time to first token of the class that waits longest ÷ of the one that waits least",
      metricCell(frontier, "ttftP99Ratio"),
    )
  );
}

const TITLES: Readonly<Record<string, string>> = {
  completed: "Throughput: completed requests per second",
  sloAttainment: "Share of ended requests within every target",
  ttftP50: "Time to first token, P50",
  ttftP99: "Time to first token, P99",
  tpotP50: "Time per output token, P50 over requests",
  tpotP99: "Time per output token, P99 over requests",
  e2eP50: "End to end, P50",
  e2eP99: "End to end, P99",
  fairnessIndex: "Fairness index",
};

/** Where they differ, as with `replicas: auto`: the figures are of unequal means then. */
function gpusTable(frontier: Frontier): string {
  if (!sizesDiffer(frontier)) return "";
  return rateTable(frontier, "GPUs that serve", ({ gpus }) => cell(count(gpus)));
}

function figuresSection(frontier: Frontier): string {
  const tables = frontier.metrics.flatMap(({ metric }) => {
    const title = TITLES[metric];
    return title === undefined ? [] : [rateTable(frontier, title, metricCell(frontier, metric, true))];
  });
  return `<h2>All figures, with half of their 95 % interval</h2>${tables.join("")}`;
}

function readingSection({ warnings }: FrontierPageInput): string {
  return `<h2>How to read this</h2>${bullets([
    "Within a rate all strategies meet the same requests with the same luck. Green with a star: the best of its column, beyond the 95 % interval of the paired differences to the next. Without one, the first two can't be told apart.",
    "The interval of a single figure holds the luck of the traffic, which all strategies of a rate share: their differences are known better than it says. Each stands for its figure alone: of many pairs that do not differ, one in twenty seems to.",
    "Overloaded, marked with !: of the requests sent, more than 1 % were left without an answer beyond those that a steady queue has in flight (completed per second × mean time in the system), in the mean over replications.",
    "Latencies are over completed requests; those of overloaded strategies do not compete for the best. Percentiles come from a sketch of 1 % relative error, P99 from 1,000 requests on.",
    ...warnings,
  ])}`;
}

/** As it was given. */
const rateText = chosen(plain);
const cell = (text: string, tone: Cell["tone"] = null, note: string | null = null): Cell => ({ text, note, tone });

function metricCell(frontier: Frontier, name: string, intervals = false): (point: FrontierPoint) => Cell {
  const metric = frontier.metrics.find((one) => one.metric === name)!;
  return (point) => {
    const estimate = point.figures[name] ?? null;
    if (estimate === null) return cell("–", "muted");
    const best = frontier.best.some(
      (one) => one.metric === name && one.ratePerS === point.ratePerS && one.strategy === point.strategy,
    );
    const text = `${shown(metric, estimate.mean)}${best ? " *" : ""}${point.overloaded ? " !" : ""}`;
    return cell(text, best ? "good" : point.overloaded ? "muted" : null, intervals ? half(metric, estimate) : null);
  };
}

function shown({ unit }: FrontierMetric, value: number): string {
  if (unit === "ms") return durationMs(value);
  if (unit === "fraction") return percent(value);
  return unit === "1/s" ? significant(value) : plain(value);
}

/** Null where it is narrower than the last digit of the figure. */
function half(metric: FrontierMetric, { mean, hi }: Estimate): string | null {
  if (hi === null) return null;
  const width = hi - mean;
  if (width < 0.001 * Math.abs(mean)) return null;
  if (metric.unit === "fraction") return `± ${count(Number((width * 100).toPrecision(2)))}`;
  return `± ${metric.unit === "ms" ? durationMs(Number(width.toPrecision(2))) : count(Number(width.toPrecision(2)))}`;
}

/** Strategies down, rates across. */
function rateTable(
  { rates, strategies, points }: Frontier,
  caption: string,
  of: (point: FrontierPoint) => Cell,
): string {
  const view: TableView = {
    caption,
    columns: [
      { label: "strategy", note: null, color: null, numeric: false },
      ...rates.map((rate) => ({ label: `${rateText(rate)}/s`, note: null, color: null, numeric: true })),
    ],
    rows: strategies.map((header, s) => ({
      header,
      note: null,
      color: null,
      cells: rates.map((_, r) => of(points[r * strategies.length + s]!)),
    })),
    layout: "compare",
  };
  return table(view);
}
