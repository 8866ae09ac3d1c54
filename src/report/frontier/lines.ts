/**
 * One drawing of strategies over rates: lines through points with their interval bars. Points at which the backlog grows are
 * hollow, and the way to them is broken.
 */
import * as Plot from "@observablehq/plot";
import { GRID, QUIET, draw, type Frame } from "../charts/svg.ts";

export interface LinePoint {
  readonly x: number;
  readonly y: number;
  /** Interval of `y`; null without one. */
  readonly lo: number | null;
  readonly hi: number | null;
  readonly overloaded: boolean;
}

export interface Line {
  readonly points: readonly LinePoint[];
  readonly color: string;
  /** Behind the others: thin, without dots and bars. */
  readonly faint: boolean;
}

export interface Axis {
  readonly label: string;
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  readonly format: (value: number) => string;
  readonly log: boolean;
}

export interface LineChart {
  readonly x: Axis;
  readonly y: Axis;
  /** Draws y = x. */
  readonly diagonal: boolean;
}

const LEFT = 44;

/** `lines` from the hindmost to the foremost; `height` in CSS pixels. */
export function linesSvg(chart: LineChart, lines: readonly Line[], frame: Frame, height: number, alt: string): string {
  const { x, y } = chart;
  const small = frame.width < 300;
  const [low, high] = y.domain;
  const within = (value: number): number => Math.min(high, Math.max(low, value));
  const axis = { tickSize: 0, tickPadding: 5, label: null };
  const titled = { labelArrow: "none", labelOffset: 30 } as const;
  return draw(
    frame,
    {
      height,
      marginLeft: LEFT,
      marginRight: 12,
      marginTop: small ? 8 : 22,
      marginBottom: small ? 22 : 40,
      x: { domain: x.domain, label: null },
      y: { type: y.log ? "log" : "linear", domain: y.domain, label: null },
      marks: [
        Plot.gridY(y.ticks, { stroke: GRID, strokeOpacity: 1 }),
        Plot.axisX(x.ticks, {
          ...axis,
          tickFormat: x.format,
          ...(small ? {} : { ...titled, label: x.label, labelAnchor: "right" }),
        }),
        // As text: on a log scale Plot leaves out formatted ticks that it finds too many.
        Plot.axisY(y.ticks, { ...axis, text: y.format }),
        ...(small
          ? []
          : [
              Plot.text([y.label], {
                frameAnchor: "top-left",
                text: (text: string) => text,
                dy: -18,
                dx: -LEFT + 4,
                fill: QUIET,
              }),
            ]),
        ...(chart.diagonal ? [diagonal(x, y)] : []),
        ...lines.flatMap((line) => marks(line, within, small)),
      ],
    },
    alt,
  );
}

function diagonal(x: Axis, y: Axis): Plot.Markish {
  const from = Math.max(x.domain[0], y.domain[0]);
  const to = Math.min(x.domain[1], y.domain[1]);
  const ends = [from, to].map((at) => ({ at }));
  return Plot.line(ends, { x: "at", y: "at", stroke: QUIET, strokeWidth: 0.8, strokeDasharray: "2,3" });
}

function marks({ points, color, faint }: Line, within: (value: number) => number, small: boolean): Plot.Markish[] {
  const legs = points.slice(1).map((to, i) => ({ from: points[i]!, to }));
  const leg = (broken: boolean): Plot.Markish =>
    Plot.link(
      legs.filter(({ from, to }) => (from.overloaded || to.overloaded) === broken),
      {
        x1: ({ from }: (typeof legs)[number]) => from.x,
        y1: ({ from }: (typeof legs)[number]) => within(from.y),
        x2: ({ to }: (typeof legs)[number]) => to.x,
        y2: ({ to }: (typeof legs)[number]) => within(to.y),
        stroke: color,
        strokeWidth: faint ? 0.9 : small ? 1.5 : 1.8,
        ...(broken && !faint ? { strokeDasharray: "4,3" } : {}),
      },
    );
  if (faint) return [leg(true), leg(false)];
  const radius = small ? 2.4 : 3.4;
  return [
    leg(true),
    leg(false),
    Plot.ruleX(
      points.filter(({ lo }) => lo !== null),
      {
        x: "x",
        y1: ({ lo }: LinePoint) => within(lo!),
        y2: ({ hi }: LinePoint) => within(hi!),
        stroke: color,
        strokeWidth: small ? 1 : 1.3,
        strokeOpacity: 0.6,
      },
    ),
    Plot.dot(points, {
      x: "x",
      y: ({ y }: LinePoint) => within(y),
      r: radius,
      fill: ({ overloaded }: LinePoint) => (overloaded ? "#ffffff" : color),
      stroke: color,
      strokeWidth: 1.2,
    }),
  ];
}
