/** P99 TTFT by hour: one panel per strategy on a common scale, the SLO in red, incidents and outages shaded. */
import * as Plot from "@observablehq/plot";
import { durationMs } from "../format.ts";
import type { LatencyChart, LatencyPanel } from "../model.ts";
import { both, draw, type Frame, GRID, OWN_EVENT, PROVIDER_EVENT, RED, textWidth } from "./svg.ts";
import { timeTicks } from "./time-axis.ts";

/** A shading is at least this share of the width, so that a short outage stays visible. */
const LEAST_WIDTH = 0.003;
/** With more events than this the shading is lighter, so that the lines stay in front. */
const CROWDED = 15;
/** Pixels left of the panel for the axis. */
const LEFT = 48;

export function latencyPanelSvg(chart: LatencyChart, panel: LatencyPanel): string {
  return both((frame) => drawPanel(chart, panel, frame));
}

function drawPanel(chart: LatencyChart, panel: LatencyPanel, frame: Frame): string {
  const { horizonH } = chart;
  const points = frame.narrow ? panel.narrow : panel.wide;
  const ticks = timeTicks(chart.startEpochS, horizonH, frame.narrow ? 4 : 9);
  const [low, high] = chart.scale === "log" ? [chart.loMs * 0.8, chart.hiMs * 1.5] : [0, chart.hiMs * 1.15];
  const yTicks = chart.scale === "log" ? logTicks(low, high) : linearTicks(high, frame.narrow ? 3 : 5);
  const right = frame.narrow || chart.slos.length === 0 ? 12 : 92;
  const inner = frame.width - LEFT - right;
  const marks: Plot.Markish[] = [
    Plot.gridY(yTicks, { stroke: GRID, strokeOpacity: 1 }),
    Plot.axisY(yTicks, { tickSize: 0, tickFormat: tickText, tickPadding: 8, label: null }),
    Plot.axisX(
      ticks.map((tick) => tick.hour),
      {
        tickSize: 0,
        tickFormat: (hour: number) => ticks.find((tick) => tick.hour === hour)?.label ?? "",
        label: null,
        tickPadding: 8,
      },
    ),
    ...(["own", "provider"] as const).map((whose) =>
      Plot.rectX(
        panel.events.filter((event) => event.whose === whose),
        {
          x1: "startH",
          x2: (event: { startH: number; endH: number }) =>
            Math.min(horizonH, Math.max(event.endH, event.startH + LEAST_WIDTH * horizonH)),
          fill: whose === "own" ? OWN_EVENT : PROVIDER_EVENT,
          fillOpacity: panel.events.length > CROWDED ? 0.09 : 0.16,
        },
      ),
    ),
    Plot.areaY(points, { x: "hour", y1: "lo", y2: "hi", fill: panel.color, fillOpacity: 0.22 }),
    // One hour is no line: its median as a dot on the bar of its band.
    ...(points.length === 1
      ? [
          Plot.link(points, {
            x1: "hour",
            x2: "hour",
            y1: "lo",
            y2: "hi",
            stroke: panel.color,
            strokeOpacity: 0.3,
            strokeWidth: 6,
          }),
          Plot.dot(points, { x: "hour", y: "value", fill: panel.color, r: 4 }),
        ]
      : []),
    Plot.lineY(points, { x: "hour", y: "value", stroke: panel.color, strokeWidth: frame.narrow ? 1.4 : 1.8 }),
    ...chart.slos.flatMap((slo) => [
      Plot.ruleY([slo.ms], { stroke: RED, strokeDasharray: "5,3", strokeWidth: 1.3 }),
      // Beside the line where there is room, so that nothing crosses it; above the line on a phone.
      frame.narrow
        ? Plot.text([slo], {
            x: 0,
            y: "ms",
            text: "label",
            fill: RED,
            fontWeight: 600,
            textAnchor: "start",
            lineAnchor: "bottom",
            dx: 3,
            dy: -3,
            stroke: "white",
            strokeWidth: 4,
          })
        : Plot.text([slo], {
            x: horizonH,
            y: "ms",
            text: (entry: { label: string }) => entry.label.replace(" under", "\nunder"),
            fill: RED,
            fontWeight: 600,
            textAnchor: "start",
            dx: 8,
          }),
    ]),
    ...eventLabels(panel, frame, horizonH, inner),
  ];
  return draw(
    frame,
    {
      height: frame.narrow ? 170 : 200,
      marginLeft: LEFT,
      marginRight: right,
      marginTop: 34,
      marginBottom: 28,
      x: { domain: [0, horizonH] },
      y: { type: chart.scale, domain: [low, high], clamp: true },
      marks,
    },
    `${panel.title}: P99 time to first token by hour; ${panel.note}.`,
  );
}

/** The labelled events in the margin above the panel, one line each, kept inside the picture. */
function eventLabels(panel: LatencyPanel, frame: Frame, horizonH: number, inner: number): Plot.Markish[] {
  return panel.events
    .filter((event) => event.label !== null)
    .map((event, line) => {
      const text = event.label ?? "";
      const fontPx = frame.fontPx - 1;
      const start = (event.startH / horizonH) * inner;
      const fits = start + textWidth(text, fontPx) < inner;
      const overlong = textWidth(text, fontPx) > inner;
      return Plot.text([text], {
        x: overlong ? 0 : fits ? event.startH : horizonH,
        frameAnchor: "top",
        text: (value: string) => value,
        textAnchor: overlong || fits ? "start" : "end",
        lineAnchor: "bottom",
        dy: -4 - line * (fontPx + 3),
        fill: event.whose === "own" ? "#b91c1c" : "#6d28d9",
        fontSize: fontPx,
      });
    });
}

function tickText(ms: number): string {
  return ms === 0
    ? "0 s"
    : ms < 1000
      ? `${ms} ms`
      : ms < 120_000
        ? `${Number((ms / 1000).toFixed(1))} s`
        : durationMs(ms);
}

/** Four to six round values from zero. */
export function linearTicks(high: number, wanted: number): number[] {
  const raw = high / wanted;
  let unit = 1;
  while (unit * 10 <= raw) unit *= 10;
  while (unit > raw) unit /= 10;
  const step = unit * ([1, 2, 2.5, 5, 10].find((factor) => unit * factor >= raw) ?? 10);
  const ticks: number[] = [];
  for (let i = 0; i * step <= high; i++) ticks.push(i * step);
  return ticks;
}

/** 1, 3 and 10 of each decade. */
function logTicks(low: number, high: number): number[] {
  const ticks: number[] = [];
  for (let decade = 1; decade <= high; decade *= 10)
    for (const tick of [decade, 3 * decade]) if (tick >= low && tick <= high) ticks.push(tick);
  return ticks;
}
