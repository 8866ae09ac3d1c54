/** Replicas paid for, stacked by what they do: busy, idle, warm, down. */
import * as Plot from "@observablehq/plot";
import type { PoolChart, PoolPanel, PoolPoint } from "../model.ts";
import { linearTicks } from "./latency.ts";
import { both, draw, type Frame, GRID, INK } from "./svg.ts";
import { timeTicks } from "./time-axis.ts";

export const STATES = ["busy", "idle", "warm", "down"] as const;

/** Busy has the strategy's colour, idle a tint of it. */
export function stateStyle(state: (typeof STATES)[number], color: string): { fill: string; opacity: number } {
  if (state === "busy") return { fill: color, opacity: 0.85 };
  if (state === "idle") return { fill: color, opacity: 0.28 };
  return state === "warm" ? { fill: "#94a3b8", opacity: 0.45 } : { fill: "#dc2626", opacity: 0.9 };
}

export function poolPanelSvg(chart: PoolChart, panel: PoolPanel): string {
  return both((frame) => drawPanel(chart, panel, frame));
}

interface Layer {
  readonly hour: number;
  readonly from: number;
  readonly to: number;
}

function drawPanel(chart: PoolChart, panel: PoolPanel, frame: Frame): string {
  const points = frame.narrow ? panel.narrow : panel.wide;
  const ticks = timeTicks(chart.startEpochS, chart.horizonH, frame.narrow ? 4 : 9);
  const paid = (point: PoolPoint): number => point.busy + point.idle + point.warm + point.down;
  const high = Math.max(1, ...points.map(paid)) * 1.08;
  const yTicks = linearTicks(high, 3).filter((tick) => Number.isInteger(tick));
  const base = points.map(() => 0);
  const layers = STATES.map((state) => {
    const rows: Layer[] = points.map((point, i) => ({
      hour: point.hour,
      from: base[i],
      to: (base[i] += point[state]),
    }));
    // A step holds until the next point; the last one until the end.
    const last = rows[rows.length - 1];
    if (last !== undefined) rows.push({ ...last, hour: chart.horizonH });
    return { state, rows };
  });
  return draw(
    frame,
    {
      height: frame.narrow ? 130 : 150,
      marginLeft: 48,
      marginRight: 12,
      marginTop: 10,
      marginBottom: 28,
      x: { domain: [0, chart.horizonH] },
      y: { domain: [0, high] },
      marks: [
        Plot.gridY(yTicks, { stroke: GRID, strokeOpacity: 1 }),
        Plot.axisY(yTicks, { tickSize: 0, tickFormat: String, tickPadding: 8, label: null }),
        Plot.axisX(
          ticks.map((tick) => tick.hour),
          {
            tickSize: 0,
            tickFormat: (hour: number) => ticks.find((tick) => tick.hour === hour)?.label ?? "",
            label: null,
            tickPadding: 8,
          },
        ),
        ...layers.map(({ state, rows }) => {
          const { fill, opacity } = stateStyle(state, panel.color);
          return Plot.areaY(rows, { x: "hour", y1: "from", y2: "to", fill, fillOpacity: opacity, curve: "step-after" });
        }),
        Plot.lineY(layers[layers.length - 1]?.rows ?? [], {
          x: "hour",
          y: "to",
          stroke: INK,
          strokeWidth: 1,
          curve: "step-after",
        }),
      ],
    },
    `${panel.title}: replicas by state over time; ${panel.note}.`,
  );
}
