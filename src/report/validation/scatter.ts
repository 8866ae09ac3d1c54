/** Predicted against measured, one drawing a metric: logarithmic on both axes, on the diagonal where they agree. */
import * as Plot from "@observablehq/plot";
import { GRID, QUIET, draw } from "../charts/svg.ts";

export interface ScatterPoint {
  readonly measured: number;
  readonly predicted: number;
  readonly color: string;
  /** Fitted on: drawn hollow. */
  readonly hollow: boolean;
}

/** Side of the square in CSS pixels: two stand side by side on a screen, one fills a phone. */
const SIDE = 440;
const LEFT = 52;
const OTHER = 34;
/** Beside the diagonal: a fifth too much, a fifth too little. */
const BAND = 0.2;
/** Ends of an axis: so far apart that some ticks lie between them. */
const LEAST_RANGE = 10;
const HOLLOW_RADIUS = 1.6;
const SOLID_RADIUS = 2.1;

export function scatterSvg(points: readonly ScatterPoint[], unit: string, alt: string): string {
  const [low, high] = range(points);
  const domain = [low, high] as const;
  const ticks = decades(low, high);
  const frame = { width: SIDE, fontPx: 12, narrow: false };
  // A line through two points of log-log axes stays a line, so the band is drawn by its ends.
  const line = (factor: number): { at: number; value: number }[] => [
    { at: low, value: low * factor },
    { at: high, value: high * factor },
  ];
  const axis = { tickSize: 0, tickFormat: tickText, tickPadding: 6 };
  const dots = (hollow: boolean): Plot.Markish =>
    Plot.dot(
      points.filter((point) => point.hollow === hollow),
      {
        x: "measured",
        y: "predicted",
        r: hollow ? HOLLOW_RADIUS : SOLID_RADIUS,
        [hollow ? "stroke" : "fill"]: "color",
        strokeWidth: 0.7,
        strokeOpacity: 0.35,
        fillOpacity: 0.6,
      },
    );
  return draw(
    frame,
    {
      height: SIDE,
      marginLeft: LEFT,
      marginBottom: OTHER,
      marginTop: 24,
      marginRight: 14,
      x: { type: "log", domain, label: null },
      y: { type: "log", domain, label: null },
      color: { type: "identity" },
      clip: true,
      marks: [
        Plot.gridX(ticks, { stroke: GRID, strokeOpacity: 1 }),
        Plot.gridY(ticks, { stroke: GRID, strokeOpacity: 1 }),
        Plot.axisX(ticks, { ...axis, label: `measured, ${unit}`, labelAnchor: "right", labelArrow: "none" }),
        Plot.axisY(ticks, {
          ...axis,
          label: `predicted, ${unit}`,
          labelAnchor: "top",
          labelArrow: "none",
        }),
        Plot.line(line(1), { x: "at", y: "value", stroke: QUIET, strokeWidth: 1.2 }),
        ...[1 + BAND, 1 / (1 + BAND)].map((factor) =>
          Plot.line(line(factor), { x: "at", y: "value", stroke: QUIET, strokeDasharray: "3,4", strokeWidth: 0.8 }),
        ),
        dots(true),
        dots(false),
      ],
    },
    alt,
  );
}

function range(points: readonly ScatterPoint[]): readonly [number, number] {
  let low = Infinity;
  let high = 0;
  for (const { measured, predicted } of points) {
    low = Math.min(low, measured, predicted);
    high = Math.max(high, measured, predicted);
  }
  const wider = Math.max(1.15, Math.sqrt(LEAST_RANGE / (high / low)));
  return [low / wider, high * wider];
}

/** Powers of ten within the range; with fewer than two of them, halves and fifths too. */
function decades(low: number, high: number): number[] {
  const ticks = (steps: readonly number[]): number[] => {
    const found: number[] = [];
    for (let power = -6; power <= 9; power++)
      for (const step of steps) {
        const tick = Number(`${step}e${power}`);
        if (tick >= low && tick <= high) found.push(tick);
      }
    return found;
  };
  const coarse = ticks([1]);
  return coarse.length >= 3 ? coarse : ticks([1, 2, 5]);
}

function tickText(value: number): string {
  return value >= 1e6 ? `${value / 1e6}M` : value >= 1000 ? `${value / 1000}k` : String(value);
}
