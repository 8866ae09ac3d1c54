/** The page of `crossover trace inspect --html`: one file, no scripts. */
import type { TraceFacts } from "../../experiment/trace/inspect.ts";
import type { Quantiles } from "../../experiment/trace/lengths.ts";
import { spanText } from "../../experiment/trace/preset.ts";
import type { Skew } from "../../experiment/trace/reuse.ts";
import { chosen, count, durationMs, percent, plain, plural, ratePerS, significant } from "../format.ts";
import { bullets, escapeHtml, paragraph, table } from "../markup.ts";
import type { Cell, TableView } from "../model.ts";
import { pageHtml, type Section } from "../shell.ts";
import { dispersionChart, INPUT_COLOR, lengthChart, OUTPUT_COLOR, rateChart, seasonChart } from "./charts.ts";
import { epochSOfIso } from "../../kernel/calendar-time.ts";

const seconds = (value: number): string => durationMs(value * 1000);
const cell = (text: string, note: string | null = null): Cell => ({ text, note, tone: null });
const column = (label: string, numeric = true): TableView["columns"][number] => ({
  label,
  note: null,
  color: null,
  numeric,
});

/** `file`: its name, without folders. */
export function tracePage(facts: TraceFacts, file: string, version: string): string {
  const { season, sessions, reuse } = facts;
  const groups = [
    ["Models", facts.models],
    ["Tenants", facts.tenants],
    ["Clients", facts.clients],
  ] as const;
  const skews = groups.flatMap(([name, skew]) => (skew === null ? [] : [skewTable(name, skew)]));
  const sections: Section[] = [
    { id: "rate", title: "Rate", content: rateSection(facts) },
    { id: "bursts", title: "Bursts", content: burstSection(facts) },
    { id: "lengths", title: "Lengths", content: lengthSection(facts) },
    ...(season === null ? [] : [{ id: "season", title: "Season", content: seasonSection(season) }]),
    ...(skews.length === 0
      ? []
      : [{ id: "who", title: "Who sends", content: `<h2>How uneven the senders are</h2>${skews.join("")}` }]),
    ...(sessions === null ? [] : [{ id: "sessions", title: "Sessions", content: sessionSection(sessions) }]),
    ...(reuse === null && facts.cachedShare === null
      ? []
      : [{ id: "reuse", title: "Prefix reuse", content: reuseSection(facts) }]),
    { id: "missing", title: "Not in this file", content: missingSection(facts) },
  ];
  return pageHtml(
    {
      title: "Trace",
      question: file,
      facts: [
        plural(facts.requests, "request"),
        spanText(facts.spanS),
        ...(facts.from === null ? [] : [`${facts.from} to ${facts.to}`]),
        facts.format,
        `crossover ${version}`,
      ],
    },
    sections,
  );
}

function figure(title: string, note: string, drawing: string): string {
  return `<figure><figcaption><strong>${escapeHtml(title)}</strong><span class="quiet">${escapeHtml(note)}</span></figcaption>${drawing}</figure>`;
}

function rateSection({ rate, gaps, spanS, from, failed, dropped }: TraceFacts): string {
  if (spanS === 0) return "<h2>No times</h2>" + paragraph("All requests stand at one moment, so there is no rate.");
  const peak = rate.peakToMean60S === null ? "" : `, the busiest minute ${rate.peakToMean60S.toFixed(2)} times that`;
  const lines = [
    ...(gaps === null
      ? []
      : [
          `Gaps: median ${seconds(gaps.seconds.p50)}, P99 ${seconds(gaps.seconds.p99)}, coefficient of variation ${gaps.cv.toFixed(2)}; ${percent(gaps.zeroShare)} are zero and ${count(gaps.silences)} longer than twenty mean gaps.`,
        ]),
    ...(failed === null ? [] : [`${plural(failed, "request")} failed; they are load all the same.`]),
    ...Object.entries(dropped).map(([why, rows]) => `${plural(rows, "row")} left out by the import: ${why}.`),
  ];
  return (
    `<h2>${escapeHtml(`${ratePerS(rate.meanPerS)} on average${peak}`)}</h2>` +
    figure(
      "Requests per second",
      `means of ${spanText(rate.binS)}; broken line: mean of all`,
      rateChart(rate, spanS, from === null ? null : epochSOfIso(from)),
    ) +
    lines.map((line) => paragraph(line)).join("")
  );
}

function burstSection({ dispersion, clockStepS }: TraceFacts): string {
  const known = dispersion.filter(({ index }) => index !== null);
  const [first, last] = [known[0], known[known.length - 1]];
  const head =
    first === undefined || last === undefined
      ? "Too short to show bursts"
      : `Counts vary ${plain(first.index!)} times as much as a Poisson process at ${first.windowS} s, ${plain(last.index!)} times at ${last.windowS} s`;
  const clock =
    clockStepS === null
      ? ""
      : paragraph(
          `The clock of this trace steps by ${seconds(clockStepS)}. Arrivals were spread evenly over the step first; as recorded they would stand in bursts that nobody sent.`,
        );
  return (
    `<h2>${escapeHtml(head)}</h2>` +
    paragraph(
      "Index of dispersion: variance ÷ mean of the counts in windows of one length. A level line is independent gaps; growth with the window is a rate that moves, and that is what queues and autoscalers see.",
      "sub",
    ) +
    clock +
    (known.length === 0 ? "" : figure("Index of dispersion", "logarithmic on both axes", dispersionChart(dispersion)))
  );
}

function lengthSection({ lengths }: TraceFacts): string {
  const row = (name: string, color: string, { mean, p5, p50, p95, p99, max }: Quantiles) => ({
    header: name,
    note: null,
    color,
    cells: [mean, p5, p50, p95, p99, max].map((value) => cell(chosen(plain)(value))),
  });
  const view: TableView = {
    caption: "Tokens of a request",
    columns: [column("", false), ...["mean", "P5", "P50", "P95", "P99", "most"].map((label) => column(label))],
    rows: [row("input", INPUT_COLOR, lengths.input), row("output", OUTPUT_COLOR, lengths.output)],
    layout: "cards",
  };
  const zeros = [
    ...(lengths.zeroInput === 0 ? [] : [`${plural(lengths.zeroInput, "request")} without input`]),
    ...(lengths.zeroOutput === 0 ? [] : [`${plural(lengths.zeroOutput, "request")} without output`]),
  ];
  return (
    `<h2>${escapeHtml(`${plain(lengths.input.mean)} tokens in and ${plain(lengths.output.mean)} out on average`)}</h2>` +
    `<div class="pairs">${figure("Input", "share of requests", lengthChart(lengths.inputBins, "Input", INPUT_COLOR))}${figure("Output", "share of requests", lengthChart(lengths.outputBins, "Output", OUTPUT_COLOR))}</div>` +
    table(view) +
    paragraph(
      `Rank correlation of input and output (Spearman): ${lengths.spearman.toFixed(3)}.${zeros.length === 0 ? "" : ` ${zeros.join(", ")}.`}`,
    )
  );
}

function seasonSection(season: NonNullable<TraceFacts["season"]>): string {
  const low = Math.min(...season.hourOfWeek);
  const high = Math.max(...season.hourOfWeek);
  const note =
    season.kind === "week"
      ? `Every hour of the week was seen at least ${season.observations} times.`
      : "Too short to tell the days of the week apart: they are drawn alike.";
  return (
    `<h2>${escapeHtml(`From ${significant(low)} to ${significant(high)} times the mean`)}</h2>` +
    paragraph(note, "sub") +
    figure("Rate over mean rate", "by hour of the week, UTC", seasonChart(season.hourOfWeek))
  );
}

function skewTable(name: string, skew: Skew): string {
  const view: TableView = {
    caption: `${name}: ${count(skew.distinct)}, as uneven as ${significant(skew.effective)} equal ones`,
    columns: [column(name.toLowerCase(), false), column("of requests"), column("of tokens")],
    rows: skew.top.map((one) => ({
      header: one.name,
      note: null,
      color: null,
      cells: [cell(percent(one.requestShare)), cell(percent(one.tokenShare))],
    })),
    layout: "compare",
  };
  const rest =
    skew.distinct > skew.top.length
      ? `The ${skew.top.length} largest send ${percent(skew.top10Share)} of requests. `
      : "";
  const without = skew.rowsWithout === 0 ? "" : `${plural(skew.rowsWithout, "request")} without one.`;
  return table(view) + (rest + without === "" ? "" : paragraph(rest + without, "quiet"));
}

function sessionSection(sessions: NonNullable<TraceFacts["sessions"]>): string {
  const { turns, gapS } = sessions;
  return (
    `<h2>${escapeHtml(`${count(sessions.sessions)} sessions of ${turns.mean.toFixed(2)} turns on average`)}</h2>` +
    bullets([
      `${percent(sessions.singleTurnShare)} have one turn; P95 ${significant(turns.p95)}, the longest ${count(turns.max)}.`,
      ...(gapS === null
        ? []
        : [
            `From the arrival of one turn to that of the next: median ${seconds(gapS.p50)}, P95 ${seconds(gapS.p95)}.`,
            `${percent(sessions.grownShare ?? 0)} of later turns are at least as long as the turn before with its answer: the conversation is sent again.`,
          ]),
      ...(sessions.rowsWithout === 0 ? [] : [`${plural(sessions.rowsWithout, "request")} belong to no session.`]),
    ])
  );
}

function reuseSection({ reuse, cachedShare }: TraceFacts): string {
  const lines = [
    ...(reuse === null
      ? []
      : [
          `${count(reuse.blocks)} blocks of prompts, ${count(reuse.distinct)} of them distinct; ${percent(reuse.neverReusedShare)} of the distinct ones never come again.`,
        ]),
    ...(cachedShare === null
      ? []
      : [`${percent(cachedShare)} of input tokens were read from a cache when this was recorded.`]),
  ];
  const head = reuse === null ? "Cached input" : `A cache that never forgets hits ${percent(reuse.hitShare)} of blocks`;
  return `<h2>${escapeHtml(head)}</h2>${bullets(lines)}`;
}

function missingSection({ missing }: TraceFacts): string {
  const head = missing.length === 0 ? "Nothing that is looked for is missing" : "What no figure above can show";
  const sentences = missing.map((line) => `${line.charAt(0).toUpperCase()}${line.slice(1)}.`);
  return `<h2>${escapeHtml(head)}</h2>${bullets(sentences)}`;
}
