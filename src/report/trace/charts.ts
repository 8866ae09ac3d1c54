/** Drawings of a trace: rate over time, dispersion by window, lengths, the week. */
import * as Plot from "@observablehq/plot";
import { HOUR_S } from "../../kernel/calendar-time.ts";
import type { LengthBin, RateFacts, TraceFacts } from "../../experiment/trace/inspect.ts";
import { linearTicks } from "../charts/latency.ts";
import { both, draw, type Frame, GRID, INK, QUIET } from "../charts/svg.ts";
import { timeTicks } from "../charts/time-axis.ts";
import { chosen, plain, WEEKDAYS } from "../format.ts";

const tidy = chosen(plain);

const BLUE = "#2563eb";
const TEAL = "#0d9488";
const AMBER = "#d97706";
export const INPUT_COLOR = BLUE;
export const OUTPUT_COLOR = TEAL;

interface AxisTick {
  readonly at: number;
  readonly label: string;
}

/** A base for charts with a linear time or hour axis. */
function frameOf(frame: Frame, high: number, domain: readonly [number, number], ticks: readonly AxisTick[]) {
  const yTicks = linearTicks(high, frame.narrow ? 3 : 4);
  return {
    options: {
      height: frame.narrow ? 160 : 210,
      marginLeft: 48,
      marginRight: 12,
      marginTop: 12,
      marginBottom: 40,
      x: { domain: [...domain] },
      y: { domain: [0, high] },
    },
    axes: (label: string | null): Plot.Markish[] => [
      Plot.gridY(yTicks, { stroke: GRID, strokeOpacity: 1 }),
      Plot.axisY(yTicks, { tickSize: 0, tickPadding: 8, label: null, tickFormat: tidy }),
      Plot.axisX(
        ticks.map(({ at }) => at),
        {
          tickSize: 0,
          tickPadding: 8,
          tickFormat: (at: number) => ticks.find((tick) => tick.at === at)?.label ?? "",
          label,
          labelAnchor: "right",
          labelArrow: "none",
        },
      ),
    ],
  };
}

/** Requests per second over the trace; the broken line is the mean. */
export function rateChart(rate: RateFacts, spanS: number, epochS: number | null): string {
  return both((frame) => {
    const high = Math.max(...rate.perS, rate.meanPerS) * 1.08 || 1;
    const { ticks, label } = traceTicks(spanS, epochS, frame.narrow ? 4 : 9);
    const { options, axes } = frameOf(frame, high, [0, spanS], ticks);
    const steps = rate.perS.map((perS, i) => ({ at: i * rate.binS, perS }));
    const last = steps[steps.length - 1];
    if (last !== undefined) steps.push({ at: last.at + rate.binS, perS: last.perS });
    return draw(
      frame,
      {
        ...options,
        marks: [
          ...axes(label),
          Plot.areaY(steps, { x: "at", y: "perS", fill: BLUE, fillOpacity: 0.15, curve: "step-after" }),
          Plot.lineY(steps, { x: "at", y: "perS", stroke: BLUE, strokeWidth: 1.3, curve: "step-after" }),
          Plot.ruleY([rate.meanPerS], { stroke: QUIET, strokeDasharray: "4,4" }),
        ],
      },
      `Requests per second over the trace, ${plain(rate.meanPerS)} on average`,
    );
  });
}

/** Clock times where there are dates and a span of hours, else minutes or hours from the start. */
function traceTicks(
  spanS: number,
  epochS: number | null,
  wanted: number,
): { readonly ticks: AxisTick[]; readonly label: string | null } {
  if (epochS !== null && spanS > 4 * HOUR_S) {
    const ticks = timeTicks(epochS, spanS / HOUR_S, wanted);
    return { ticks: ticks.map(({ hour, label }) => ({ at: hour * HOUR_S, label })), label: null };
  }
  const [unitS, label] =
    spanS > 4 * HOUR_S
      ? [HOUR_S, "hours from the first request"]
      : spanS > 240
        ? [60, "minutes from the first request"]
        : [1, "seconds from the first request"];
  const ticks = linearTicks(spanS / unitS, wanted).map((tick) => ({ at: tick * unitS, label: tidy(tick) }));
  return { ticks, label };
}

/** Index of dispersion by window, logarithmic on both axes, over the flat line of a Poisson process. */
export function dispersionChart(dispersion: TraceFacts["dispersion"]): string {
  const points = dispersion.flatMap(({ windowS, index }) => (index === null || index <= 0 ? [] : [{ windowS, index }]));
  const windows = dispersion.map(({ windowS }) => windowS);
  const low = Math.min(1, ...points.map(({ index }) => index)) / 1.4;
  const high = Math.max(10, ...points.map(({ index }) => index)) * 1.5;
  const yTicks = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000].filter((tick) => tick >= low && tick <= high);
  const domain = [windows[0]! / 1.2, windows[windows.length - 1]! * 1.25];
  return both((frame) =>
    draw(
      frame,
      {
        height: frame.narrow ? 220 : 280,
        marginLeft: 48,
        marginRight: 16,
        marginTop: 16,
        marginBottom: 40,
        x: { type: "log", domain },
        y: { type: "log", domain: [low, high] },
        marks: [
          Plot.gridY(yTicks, { stroke: GRID, strokeOpacity: 1 }),
          Plot.axisY(yTicks, { tickSize: 0, tickPadding: 8, label: null, text: yTicks.map(tidy) }),
          Plot.axisX(windows, {
            tickSize: 0,
            tickPadding: 8,
            // A tickFormat would lose every label that is no 1, 2 or 3 of its decade.
            text: windows.map(tidy),
            label: "length of the window, seconds",
            labelAnchor: "right",
            labelArrow: "none",
          }),
          Plot.ruleY([1], { stroke: QUIET, strokeDasharray: "4,4" }),
          Plot.text([{ windowS: domain[1]!, index: 1 }], {
            x: "windowS",
            y: "index",
            text: () => "Poisson",
            textAnchor: "end",
            dy: 11,
            fill: QUIET,
          }),
          Plot.line(points, { x: "windowS", y: "index", stroke: AMBER, strokeWidth: 2 }),
          Plot.dot(points, { x: "windowS", y: "index", fill: AMBER, r: 3.5 }),
          Plot.text(points, {
            x: "windowS",
            y: "index",
            text: ({ index }: { index: number }) => plain(index),
            dy: -11,
            dx: -4,
            fill: INK,
          }),
        ],
      },
      `Index of dispersion by window: ${points.map(({ windowS, index }) => `${index.toFixed(2)} at ${windowS} s`).join(", ")}`,
    ),
  );
}

/** Share of requests by length, logarithmic. */
export function lengthChart(bins: readonly LengthBin[], name: string, color: string): string {
  const longest = bins[bins.length - 1]?.toTokens ?? 2;
  const high = Math.max(...bins.map(({ share }) => share)) * 1.08 || 1;
  const decades = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000].filter((tick) => tick <= longest);
  const yTicks = linearTicks(high, 4);
  return draw(
    { width: 440, fontPx: 12, narrow: false },
    {
      height: 210,
      marginLeft: 44,
      marginRight: 14,
      marginTop: 10,
      marginBottom: 40,
      x: { type: "log", domain: [1, longest] },
      y: { domain: [0, high] },
      marks: [
        Plot.gridY(yTicks, { stroke: GRID, strokeOpacity: 1 }),
        Plot.axisY(yTicks, {
          tickSize: 0,
          tickPadding: 8,
          label: null,
          tickFormat: (share: number) => `${tidy(share * 100)} %`,
        }),
        Plot.axisX(decades, {
          tickSize: 0,
          tickPadding: 8,
          tickFormat: tidy,
          label: "tokens",
          labelAnchor: "right",
          labelArrow: "none",
        }),
        Plot.rectY(bins, { x1: "fromTokens", x2: "toTokens", y: "share", fill: color, fillOpacity: 0.75, inset: 0.4 }),
      ],
    },
    `${name}: share of requests by tokens, logarithmic`,
  );
}

/** Rate over mean rate by hour of the week. */
export function seasonChart(hourOfWeek: readonly number[]): string {
  return both((frame) => {
    const high = Math.max(...hourOfWeek) * 1.08;
    const ticks = WEEKDAYS.map((label, day) => ({ at: day * 24 + 12, label }));
    const { options, axes } = frameOf(frame, high, [0, 168], ticks);
    const hours = hourOfWeek.map((factor, hour) => ({ hour: hour + 0.5, factor }));
    return draw(
      frame,
      {
        ...options,
        marks: [
          ...axes(null),
          Plot.ruleX([24, 48, 72, 96, 120, 144], { stroke: GRID }),
          Plot.ruleY([1], { stroke: QUIET, strokeDasharray: "4,4" }),
          Plot.lineY(hours, { x: "hour", y: "factor", stroke: BLUE, strokeWidth: 1.6 }),
        ],
      },
      "Rate over mean rate by hour of the week, UTC",
    );
  });
}
