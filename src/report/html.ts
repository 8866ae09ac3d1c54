/** The report page. */
import { costSvg, differenceSvg, monthSvg, outcomeSvg } from "./charts/bars.ts";
import { latencyPanelSvg } from "./charts/latency.ts";
import { poolPanelSvg, STATES, stateStyle } from "./charts/pools.ts";
import { OWN_EVENT, PROVIDER_EVENT } from "./charts/svg.ts";
import { expectationSection } from "./expectation.ts";
import { plural } from "./format.ts";
import { ink } from "./ink.ts";
import { bullets, escapeHtml, fold, legend, paragraph, prose, table } from "./markup.ts";
import type { Banner, ChartWords, MonthChart, ReportModel, SegmentView, StrategyView, VerdictView } from "./model.ts";
import { type Section, pageHtml } from "./shell.ts";

/** The whole page as text. Everything that users wrote is escaped. */
export function renderReport(model: ReportModel): string {
  const section = (id: string, title: string, content: string): Section => ({ id, title, content });
  return pageHtml(model, [
    section("verdict", "Verdict", verdictSection(model)),
    section("strategies", "Strategies", strategiesSection(model)),
    ...(model.showsMoney ? [section("cost", "Cost", costSection(model))] : []),
    section("latency", "Latency", latencySection(model)),
    section("utilization", "Own GPUs", poolSection(model)),
    section("requests", "Requests", outcomeSection(model)),
    ...(model.showsMoney ? [section("differences", "Cost differences", differenceSection(model))] : []),
    ...expectationSection(model.expectation),
    section("assumptions", "Assumptions", assumptionSection(model)),
    section("appendix", "Appendix", appendixSection(model)),
  ]);
}

function words(chart: ChartWords): string {
  return `<h2>${prose(chart.headline)}</h2>${paragraph(chart.subtitle, "sub")}`;
}

function figure(svg: string, caption = ""): string {
  return `<figure>${caption}${svg}</figure>`;
}

function bannerHtml(banner: Banner): string {
  const title = `<strong>${escapeHtml(banner.title)}</strong>`;
  const text =
    banner.lines.length === 1 ? `<p>${title}: ${prose(banner.lines[0] ?? "")}</p>` : title + bullets(banner.lines);
  return `<aside class="banner ${banner.tone}">${text}</aside>`;
}

function verdictSection({ verdict, banners, strategies }: ReportModel): string {
  const head =
    verdict === null
      ? '<h2 class="lead">No verdict was asked for: the experiment names no team</h2>'
      : verdictHead(verdict);
  const rest = verdict === null ? "" : verdictBody(verdict);
  return (
    head + `<div class="tiles">${strategies.map(tileHtml).join("")}</div>` + banners.map(bannerHtml).join("") + rest
  );
}

function tileHtml(view: StrategyView): string {
  const labels = [
    ...(view.counterfactual ? ["counterfactual"] : []),
    ...(view.rank === null ? [] : [`rank ${view.rank} on cost`]),
  ];
  const title = `<h3><span style="color:${ink(view.color)}">${escapeHtml(view.title)}</span> <span class="quiet">${escapeHtml(labels.join(", "))}</span></h3>`;
  const figures = view.figures.map(({ value, label }) => `<p><b>${prose(value)}</b> ${prose(label)}</p>`);
  const barred = view.permitted
    ? ""
    : `<p><b>Not permitted</b></p>${view.barred.map((reason) => paragraph(`for ${reason}`)).join("")}`;
  const missed = view.missed === null ? "" : `<p class="missed">${prose(view.missed)}</p>`;
  return `<div class="tile${view.permitted ? "" : " out"}" style="border-top-color:${view.color}">${title}${figures.join("")}${missed}${barred}</div>`;
}

function verdictHead(verdict: VerdictView): string {
  const tags = [
    `<span class="tag solid" style="background:${ink(verdict.color)}">${escapeHtml(verdict.name)}</span>`,
    ...(verdict.indicative === null ? [] : [`<span class="tag warn">${escapeHtml(verdict.indicative)}</span>`]),
    ...(verdict.controlledShare === null
      ? []
      : [`<span class="tag">${escapeHtml(verdict.controlledShare)} of requests on controlled capacity</span>`]),
    ...(verdict.unknownNodes.length === 0
      ? []
      : [`<span class="tag warn">Unknown: ${escapeHtml(verdict.unknownNodes.join(", "))}</span>`]),
  ];
  const unmet = verdict.targetUnmet === null ? "" : paragraph(verdict.targetUnmet, "banner warn");
  const tie = verdict.costTie === null ? "" : paragraph(verdict.costTie);
  return `<h2 class="lead">${prose(verdict.sentence)}</h2><p class="tags">${tags.join(" ")}</p>${unmet}${tie}`;
}

function verdictBody(verdict: VerdictView): string {
  const forces =
    verdict.forces.length > 0 ? bullets(verdict.forces) : verdict.noForces === null ? "" : paragraph(verdict.noForces);
  return [
    forces === "" ? "" : `<div id="forces"><h3>What forces it</h3>${forces}</div>`,
    verdict.literal === null ? "" : paragraph(verdict.literal, "literal"),
    ...verdict.segments.map(segmentHtml),
  ].join("");
}

function segmentHtml(segment: SegmentView): string {
  const path = segment.path.map(
    ({ node, label, value, decides }) =>
      `<li class="node ${value === "n/a" ? "na" : value}${decides ? " decides" : ""}"><b>${escapeHtml(node)}</b> ${escapeHtml(label)}<em>${value === "n/a" ? "n/a" : value}${decides ? " · decides" : ""}</em></li>`,
  );
  const speaks = segment.evidence.filter(says);
  const silent = segment.evidence.filter((entry) => !says(entry));
  const notes = segment.notes.map(
    ({ label, lines }) =>
      `<dt>${escapeHtml(label)}</dt><dd>${lines.length === 1 ? escapeHtml(lines[0] ?? "") : bullets(lines)}</dd>`,
  );
  return `<article class="segment" style="border-color:${segment.color}">
<h3>${escapeHtml(segment.name)} <span class="quiet">${escapeHtml(segment.share)}</span></h3>
<ol class="path" aria-label="Path through the tree">${path.join("")}<li class="choice" style="background:${ink(segment.color)}">${escapeHtml(segment.choice)}</li></ol>
<p class="reason"><b>${escapeHtml(segment.rule)}:</b> ${escapeHtml(segment.reason)}</p>
${evidenceHtml(speaks)}
${notes.length === 0 ? "" : `<dl class="notes">${notes.join("")}</dl>`}
${silent.length === 0 ? "" : fold(`${plural(silent.length, "further record")} of evidence`, "none gives a reason for own capacity", evidenceHtml(silent))}
</article>`;
}

type SegmentEvidence = SegmentView["evidence"][number];

/** Nodes that would give a reason for own capacity: that they do not is read by few. */
const REASONS = /^(T1|T2|T3a|T4)\b/;

function says({ node, value }: SegmentEvidence): boolean {
  return value !== "n/a" && (value !== "no" || !REASONS.test(node));
}

function evidenceHtml(evidence: readonly SegmentEvidence[]): string {
  if (evidence.length === 0) return "";
  const items = evidence.map(
    ({ node, value, statement }) =>
      `<li><span class="mark ${value === "n/a" ? "na" : value}">${escapeHtml(node)}: ${value}</span> ${prose(statement)}</li>`,
  );
  return `<ul class="evidence">${items.join("")}</ul>`;
}

function strategiesSection({ comparison, strategies, showsMoney }: ReportModel): string {
  const { permitted, notPermitted, classes } = comparison;
  const barred = strategies.filter((view) => !view.permitted);
  return [
    `<h2>${showsMoney ? "Cost, service" : "Service"} level and latency side by side</h2>`,
    permitted === null ? paragraph("No strategy is permitted for every class.") : table(permitted),
    notPermitted === null
      ? ""
      : `<div class="barred"><h3>Not permitted</h3>${barred.map(barredHtml).join("")}${fold("Figures", notPermitted.caption.toLowerCase(), table(notPermitted))}</div>`,
    table(classes),
  ].join("");
}

function barredHtml(view: StrategyView): string {
  const reasons = view.barred.length === 0 ? "" : `: not permitted for ${view.barred.join("; ")}`;
  return `<p><b style="color:${ink(view.color)}">${escapeHtml(view.title)}</b>${escapeHtml(reasons)}. Its cost leaves out the requests it refused and is not ranked.</p>`;
}

function costSection({ cost, costTable, months }: ReportModel): string {
  return [
    words(cost),
    cost.bars.length === 0
      ? paragraph("No strategy was simulated.", "empty")
      : figure(costSvg(cost), legend(cost.legend)),
    table(costTable),
    months === null ? "" : monthsHtml(months),
  ].join("");
}

function monthsHtml(months: MonthChart): string {
  const bars =
    months.bars.length === 0 ? paragraph("No ledger was recorded by month.", "empty") : figure(monthSvg(months));
  return `<h3>${escapeHtml(months.headline)}</h3>${paragraph(months.subtitle, "sub")}${bars}`;
}

function panelCaption(title: string, color: string, note: string): string {
  return `<figcaption><b style="color:${ink(color)}">${escapeHtml(title)}</b> <span class="quiet">${escapeHtml(note)}</span></figcaption>`;
}

function latencySection({ latency }: ReportModel): string {
  const key = legend([
    { label: "own incident", color: OWN_EVENT, opacity: 0.35 },
    { label: "provider outage", color: PROVIDER_EVENT, opacity: 0.35 },
  ]);
  const panels = latency.panels.map((panel) =>
    figure(latencyPanelSvg(latency, panel), panelCaption(panel.title, panel.color, panel.note)),
  );
  return (
    words(latency) +
    (panels.length === 0 ? paragraph("No hourly series was recorded.", "empty") : key + panels.join(""))
  );
}

function poolSection({ pools, poolTable }: ReportModel): string {
  const panels = pools.panels.map((panel) => {
    const key = legend(
      STATES.map((state) => ({
        label: state,
        color: stateStyle(state, panel.color).fill,
        opacity: stateStyle(state, panel.color).opacity,
      })),
    );
    return figure(poolPanelSvg(pools, panel), panelCaption(panel.title, panel.color, panel.note) + key);
  });
  const hasPools = poolTable.columns.length > 1;
  return [
    `<h2>${prose(pools.headline)}</h2>`,
    panels.length > 0
      ? paragraph(pools.subtitle, "sub") + panels.join("")
      : hasPools
        ? paragraph("No hourly series was recorded.", "empty")
        : "",
    hasPools ? table(poolTable) : "",
  ].join("");
}

function outcomeSection({ outcomes, offerTable }: ReportModel): string {
  return [
    words(outcomes),
    outcomes.bars.length === 0
      ? paragraph("No strategy was simulated.", "empty")
      : figure(outcomeSvg(outcomes), legend(outcomes.legend)),
    offerTable.columns.length > 1 ? table(offerTable) : "",
  ].join("");
}

function differenceSection({ differences }: ReportModel): string {
  return words(differences) + (differences.rows.length === 0 ? "" : figure(differenceSvg(differences)));
}

function assumptionSection({ assumptions }: ReportModel): string {
  const { headline, first, subjects } = assumptions;
  const others = subjects.map(({ title, note, table: view }) => fold(title, note, table(view)));
  return `<h2>${prose(headline)}</h2>${first === null ? "" : table(first)}${others.join("")}`;
}

function appendixSection({ appendix }: ReportModel): string {
  const { evidence } = appendix;
  const idItem = (id: string): string => `<li>${escapeHtml(id)}</li>`;
  const definitions = appendix.definitions.map(
    ({ term, text }) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(text)}</dd>`,
  );
  return [
    "<h2>How to check this report</h2>",
    `<h3>Replay</h3><pre><code>${escapeHtml(appendix.replayCommand)}</code></pre>`,
    table(appendix.run),
    table(appendix.demand),
    `<h3>How to read it</h3><dl class="definitions">${definitions.join("")}</dl>`,
    ...(evidence.records.rows.length === 0
      ? []
      : ["<h3>What the verdict rests on</h3>", fold(evidence.records.caption, "", table(evidence.records))]),
    ...evidence.bases.map(({ title, ids }) => fold(title, "", `<ul class="ids">${ids.map(idItem).join("")}</ul>`)),
  ].join("");
}
