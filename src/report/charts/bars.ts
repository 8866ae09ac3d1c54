/** Horizontal bars: cost by ledger line, cost by month, outcomes of requests, paired differences. */
import * as Plot from "@observablehq/plot";
import { chosen, usd } from "../format.ts";
import type { CostChart, DifferenceChart, MonthChart, OutcomeChart } from "../model.ts";
import { ink } from "../ink.ts";
import { linearTicks } from "./latency.ts";
import { both, draw, type Frame, GRID, INK, QUIET, textWidth } from "./svg.ts";

/** Light fills need dark text. */
function inkOn(fill: string): string {
  const channel = (at: number): number => Number.parseInt(fill.slice(at, at + 2), 16);
  return 0.299 * channel(1) + 0.587 * channel(3) + 0.114 * channel(5) > 150 ? INK : "#ffffff";
}

/** A strategy that is not permitted stands back: its cost leaves out what it refused. */
const OUT_OPACITY = 0.4;

interface Rect {
  readonly opacity: number;
  readonly x1: number;
  readonly x2: number;
  readonly y1: number;
  readonly y2: number;
  readonly fill: string;
  readonly text: string;
}

function rects(data: readonly Rect[], separated: boolean): Plot.Markish {
  return Plot.rect(data, {
    x1: "x1",
    x2: "x2",
    y1: "y1",
    y2: "y2",
    fill: "fill",
    fillOpacity: "opacity",
    ...(separated ? { insetRight: 0.75 } : {}),
  });
}

interface Whisker {
  readonly lo: number;
  readonly hi: number;
  readonly y: number;
}

/** Pixels left free on either side of a label inside a bar, and around a whisker. */
const LABEL_GAP = 4;
/** A whisker narrower than this looks like the edge of its bar. */
const LEAST_WHISKER = 3;

/** Labels in the middle of what is free of their bar; none where it does not fit. */
function insideLabels(
  data: readonly Rect[],
  pxPerUnit: number,
  frame: Frame,
  whiskers: readonly Whisker[] = [],
): Plot.Markish {
  const fontPx = frame.fontPx - 1;
  const free = (rect: Rect): { from: number; to: number } => {
    const whisker = whiskers.find(({ y }) => y > rect.y1 && y < rect.y2);
    return whisker === undefined ? { from: rect.x1, to: rect.x2 } : beside(rect, whisker, LABEL_GAP / pxPerUnit);
  };
  const fitting = data.filter((rect) => {
    const { from, to } = free(rect);
    return rect.text !== "" && textWidth(rect.text, fontPx) + 2 * LABEL_GAP < (to - from) * pxPerUnit;
  });
  return Plot.text(fitting, {
    x: (rect: Rect) => (free(rect).from + free(rect).to) / 2,
    y: (rect: Rect) => (rect.y1 + rect.y2) / 2,
    text: "text",
    fill: (rect: Rect) => (rect.opacity < 1 ? INK : inkOn(rect.fill)),
    fontSize: fontPx,
  });
}

/** The wider part of a bar beside the whisker that lies over it. */
function beside({ x1, x2 }: Rect, { lo, hi }: Whisker, gap: number): { from: number; to: number } {
  const left = { from: x1, to: Math.max(x1, Math.min(x2, lo - gap)) };
  const right = { from: Math.min(x2, Math.max(x1, hi + gap)), to: x2 };
  return left.to - left.from >= right.to - right.from ? left : right;
}

interface Label {
  readonly x: number;
  readonly y: number;
  readonly text: string;
}

function labels(data: readonly Label[], fill: string, fontPx: number, bold: boolean, dx = 0): Plot.Markish {
  return Plot.text(data, {
    x: "x",
    y: "y",
    text: "text",
    textAnchor: "start",
    fill,
    fontSize: fontPx,
    fontWeight: bold ? 600 : 400,
    dx,
    stroke: "white",
    strokeWidth: 3,
  });
}

/** Per strategy: title, stacked total with whisker, and the bars that are never hidden in the stack. */
export function costSvg(chart: CostChart): string {
  return both((frame) => {
    const top = Math.max(...chart.bars.map((bar) => Math.max(bar.usdPerMonth, bar.hiUsd ?? 0)), 1e-9);
    const left = frame.narrow ? 4 : 8;
    const right = frame.narrow ? 74 : 90;
    const pxPerUsd = (frame.width - left - right) / top;
    const stack: Rect[] = [];
    const own: Rect[] = [];
    const titles: (Label & { color: string })[] = [];
    const totals: Label[] = [];
    const ownLabels: Label[] = [];
    const whiskers: Whisker[] = [];
    let y = 0;
    for (const bar of chart.bars) {
      titles.push({ x: 0, y: y + 10, text: bar.title, color: bar.permitted ? ink(bar.color) : QUIET });
      y += 20;
      let x = 0;
      for (const part of bar.parts) {
        stack.push({
          x1: x,
          x2: x + part.usdPerMonth,
          y1: y,
          y2: y + 26,
          fill: part.color,
          text: `${part.label} ${usd(part.usdPerMonth)}`,
          opacity: bar.permitted ? 1 : OUT_OPACITY,
        });
        x += part.usdPerMonth;
      }
      if (bar.loUsd !== null && bar.hiUsd !== null && (bar.hiUsd - bar.loUsd) * pxPerUsd >= LEAST_WHISKER)
        whiskers.push({ lo: bar.loUsd, hi: bar.hiUsd, y: y + 13 });
      totals.push({ x: Math.max(bar.usdPerMonth, bar.hiUsd ?? 0), y: y + 13, text: bar.label });
      y += 31;
      for (const { label, color, usdPerMonth, text } of bar.own) {
        own.push({
          x1: 0,
          x2: usdPerMonth,
          y1: y,
          y2: y + 9,
          fill: color,
          text: "",
          opacity: bar.permitted ? 1 : OUT_OPACITY,
        });
        ownLabels.push({ x: usdPerMonth, y: y + 4.5, text: `${label} ${text}` });
        y += 16;
      }
      y += 16;
    }
    return draw(
      frame,
      {
        height: y,
        marginLeft: left,
        marginRight: right,
        marginTop: 0,
        marginBottom: 0,
        x: { domain: [0, top], axis: null },
        y: { domain: [0, y], range: [0, y], axis: null },
        marks: [
          rects(stack, true),
          insideLabels(stack, pxPerUsd, frame, whiskers),
          rects(own, false),
          // White around it: half of a whisker lies on its bar, which may be dark.
          Plot.ruleY(whiskers, { x1: "lo", x2: "hi", y: "y", stroke: "white", strokeWidth: 4 }),
          Plot.ruleY(whiskers, { x1: "lo", x2: "hi", y: "y", stroke: INK, strokeWidth: 1.5 }),
          Plot.link(
            whiskers.flatMap(({ lo, hi, y: at }) => [lo, hi].map((x) => ({ x, from: at - 5, to: at + 5 }))),
            { x1: "x", x2: "x", y1: "from", y2: "to", stroke: INK, strokeWidth: 1.5 },
          ),
          Plot.text(titles, { x: "x", y: "y", text: "text", fill: "color", fontWeight: 600, textAnchor: "start" }),
          labels(totals, INK, frame.fontPx + 1, true, 8),
          labels(ownLabels, QUIET, frame.fontPx - 1, false, 6),
        ],
      },
      chart.alt,
    );
  });
}

/** One row of columns per strategy, months from left to right. */
export function monthSvg(chart: MonthChart): string {
  return both((frame) => {
    const titles = [...new Set(chart.bars.map((bar) => bar.title))];
    const rowPx = frame.narrow ? 84 : 96;
    const high = Math.max(...chart.bars.map((bar) => Math.max(bar.usd, bar.hiUsd ?? 0)), 1e-9);
    const unit = (frame.width - 16) / Math.max(chart.months.length, frame.narrow ? 3 : 6);
    const labelled = chart.bars.every((bar) => textWidth(bar.label, frame.fontPx - 1) < unit - 2);
    // What is simulated of a month stands below its name.
    const names = new Map(chart.months.map((month) => [month, month.replace(" (", "\n(")]));
    const lines = [...names.values()].map((name) => name.split("\n"));
    const longest = Math.max(...lines.flat().map((line) => textWidth(line, frame.fontPx - 1)));
    const every = Math.max(1, Math.ceil((longest + 6) / unit));
    const footPx = 8 + 14 * Math.max(...lines.map(({ length }) => length));
    const placed = chart.bars.map((bar) => {
      const x = chart.months.indexOf(bar.month) * unit;
      const floor = titles.indexOf(bar.title) * rowPx + rowPx - 6;
      const scale = (rowPx - 44) / high;
      return {
        ...bar,
        x,
        floor,
        roof: floor - bar.usd * scale,
        lo: floor - (bar.loUsd ?? 0) * scale,
        hi: floor - (bar.hiUsd ?? 0) * scale,
      };
    });
    const height = titles.length * rowPx + footPx;
    return draw(
      frame,
      {
        height,
        marginLeft: 8,
        marginRight: 8,
        marginTop: 0,
        marginBottom: 0,
        x: { domain: [0, frame.width - 16], axis: null },
        y: { domain: [0, height], range: [0, height], axis: null },
        marks: [
          Plot.ruleY(
            titles.map((_, i) => i * rowPx + rowPx - 6),
            { stroke: GRID },
          ),
          Plot.rect(placed, {
            x1: (bar: { x: number }) => bar.x,
            x2: (bar: { x: number }) => bar.x + unit * 0.86,
            y1: "roof",
            y2: "floor",
            fill: "color",
            fillOpacity: 0.85,
          }),
          Plot.link(
            placed.filter((bar) => bar.loUsd !== null && bar.loUsd !== bar.hiUsd),
            {
              x1: (bar: { x: number }) => bar.x + unit * 0.43,
              x2: (bar: { x: number }) => bar.x + unit * 0.43,
              y1: "lo",
              y2: "hi",
              stroke: INK,
              strokeWidth: 1.3,
            },
          ),
          ...(labelled
            ? [
                Plot.text(placed, {
                  x: (bar: { x: number }) => bar.x + unit * 0.43,
                  y: (bar: { roof: number; hi: number; hiUsd: number | null }) =>
                    bar.hiUsd === null ? bar.roof : Math.min(bar.roof, bar.hi),
                  dy: -8,
                  text: "label",
                  fill: INK,
                  fontSize: frame.fontPx - 1,
                }),
              ]
            : []),
          Plot.text(titles, {
            x: 0,
            y: (title: string) => titles.indexOf(title) * rowPx + 12,
            text: (title: string) => title,
            textAnchor: "start",
            fontWeight: 600,
            fill: (title: string) => ink(chart.bars.find((bar) => bar.title === title)?.color ?? INK),
          }),
          Plot.text(
            chart.months.filter((_, i) => i % every === 0),
            {
              x: (month: string) => chart.months.indexOf(month) * unit + (every > 1 ? 0 : unit * 0.43),
              y: height - footPx + 6,
              text: (month: string) => names.get(month) ?? month,
              lineAnchor: "top",
              textAnchor: every > 1 ? "start" : "middle",
              fill: QUIET,
              fontSize: frame.fontPx - 1,
            },
          ),
        ],
      },
      chart.alt,
    );
  });
}

/** Per strategy a bar of all requests, and below it what lies outside the SLO at full width. */
export function outcomeSvg(chart: OutcomeChart): string {
  return both((frame) => {
    const left = 4;
    const px = frame.width - 2 * left;
    const upper: Rect[] = [];
    const lower: Rect[] = [];
    const titles: (Label & { color: string })[] = [];
    const fans: { x1: number; y1: number; x2: number; y2: number }[] = [];
    const below: Label[] = [];
    let y = 0;
    for (const bar of chart.bars) {
      titles.push({ x: 0, y: y + 10, text: bar.title, color: ink(bar.color) });
      y += 20;
      let x = 0;
      for (const part of bar.parts) {
        upper.push({
          x1: x,
          x2: x + part.share,
          y1: y,
          y2: y + 24,
          fill: part.color,
          text: `${part.label} ${part.text}`,
          opacity: 1,
        });
        x += part.share;
      }
      y += 24;
      const [met, ...missed] = bar.parts;
      const rest = missed.reduce((sum, part) => sum + part.share, 0);
      if (met === undefined || rest <= 0) {
        below.push({
          x: 0,
          y: y + 10,
          text: met !== undefined && met.share > 0 ? "Nothing outside the SLO" : "No request was sent",
        });
        y += 36;
        continue;
      }
      fans.push({ x1: met.share, y1: y, x2: 0, y2: y + 12 }, { x1: 1, y1: y, x2: 1, y2: y + 12 });
      y += 12;
      x = 0;
      for (const part of missed) {
        const width = part.share / rest;
        lower.push({
          x1: x,
          x2: x + width,
          y1: y,
          y2: y + 18,
          fill: part.color,
          text: `${part.label} ${part.text}`,
          opacity: 1,
        });
        x += width;
      }
      y += 38;
    }
    return draw(
      frame,
      {
        height: y,
        marginLeft: left,
        marginRight: left,
        marginTop: 0,
        marginBottom: 0,
        x: { domain: [0, 1], axis: null },
        y: { domain: [0, y], range: [0, y], axis: null },
        marks: [
          rects(upper, false),
          insideLabels(upper, px, frame),
          Plot.link(fans, { x1: "x1", y1: "y1", x2: "x2", y2: "y2", stroke: "#94a3b8", strokeWidth: 1 }),
          rects(lower, true),
          insideLabels(lower, px, frame),
          Plot.text(titles, { x: "x", y: "y", text: "text", fill: "color", fontWeight: 600, textAnchor: "start" }),
          labels(below, QUIET, frame.fontPx - 1, false),
        ],
      },
      chart.alt,
    );
  });
}

/** Dots with intervals around the zero line. */
export function differenceSvg(chart: DifferenceChart): string {
  return both((frame) => {
    const values = chart.rows.flatMap((row) => [
      row.usdPerMonth,
      row.loUsd ?? row.usdPerMonth,
      row.hiUsd ?? row.usdPerMonth,
    ]);
    const lo = Math.min(0, ...values);
    const hi = Math.max(0, ...values, 1e-9);
    const pad = (hi - lo) * 0.05;
    const placed = chart.rows.map((row, i) => ({
      ...row,
      y: i * 48 + 34,
      lo: row.loUsd ?? row.usdPerMonth,
      hi: row.hiUsd ?? row.usdPerMonth,
    }));
    const height = chart.rows.length * 48 + 34;
    const ticks = linearTicks(hi, frame.narrow ? 3 : 5);
    const stepUsd = ticks[1] ?? hi;
    for (let tick = -stepUsd; tick >= lo; tick -= stepUsd) ticks.push(tick);
    return draw(
      frame,
      {
        height,
        marginLeft: 12,
        marginRight: 24,
        marginTop: 0,
        marginBottom: 26,
        x: { domain: [lo - pad, hi + pad] },
        y: { domain: [0, height - 26], range: [0, height - 26], axis: null },
        marks: [
          Plot.gridX(ticks, { stroke: GRID, strokeOpacity: 1 }),
          Plot.axisX(ticks, { tickSize: 0, tickFormat: chosen(usd), label: null }),
          Plot.ruleX([0], { stroke: INK }),
          Plot.link(placed, {
            x1: "lo",
            x2: "hi",
            y1: "y",
            y2: "y",
            stroke: "color",
            strokeWidth: 6,
            strokeOpacity: 0.3,
            strokeLinecap: "round",
          }),
          Plot.dot(placed, { x: "usdPerMonth", y: "y", fill: "color", r: 5 }),
          Plot.text(placed, {
            // Right of the zero line where that leaves room for the text.
            x: -lo < 0.3 * (hi - lo) ? 0 : lo - pad,
            dx: -lo < 0.3 * (hi - lo) ? 8 : 0,
            y: (row: { y: number }) => row.y - 18,
            text: (row: { label: string; text: string }) => `${row.label}: ${row.text}`,
            textAnchor: "start",
            fill: INK,
            stroke: "white",
            strokeWidth: 4,
          }),
        ],
      },
      chart.alt,
    );
  });
}
