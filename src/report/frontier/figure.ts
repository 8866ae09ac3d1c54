/**
 * A figure of strategies over rates. A few strategies share one picture in colours; of many, each has a small one, in front of
 * all others in grey and of the baseline in black.
 */
import type { Frontier, FrontierPoint } from "../../experiment/frontier.ts";
import { linearTicks } from "../charts/latency.ts";
import { both, INK } from "../charts/svg.ts";
import { chosen, durationMs, plain } from "../format.ts";
import { escapeHtml, legend } from "../markup.ts";
import { type Axis, type Line, type LineChart, linesSvg } from "./lines.ts";

export interface FigureSpec {
  readonly metric: string;
  readonly label: string;
  readonly alt: string;
  /** What lies on the x axis: requests offered or completed per second. */
  readonly against: "rate" | "throughput";
  readonly log: boolean;
  /** Draws y = x. */
  readonly diagonal: boolean;
}

/** The baseline first. More strategies than this have a picture each. */
const COLORS = [INK, "#2563eb", "#0d9488", "#d97706", "#7c3aed", "#dc2626"] as const;
const OWN = "#2563eb";
const OTHERS = "#cbd5e1";
const SMALL = { width: 176, fontPx: 10.5, narrow: true };

/** Empty where pictures carry the names of their strategies. */
export function strategyLegend({ strategies }: Frontier): string {
  if (strategies.length <= COLORS.length) return legend(strategies.map((label, s) => ({ label, color: COLORS[s]! })));
  return legend([
    { label: "the strategy named", color: OWN },
    { label: `${strategies[0]!}, the baseline`, color: INK },
    { label: "the others", color: OTHERS },
  ]);
}

export function figure(frontier: Frontier, spec: FigureSpec): string {
  const { strategies } = frontier;
  const wide = chartOf(frontier, spec, 6);
  if (strategies.length <= COLORS.length) {
    const lines = strategies.map((_, s) => lineOf(frontier, spec, s, COLORS[s]!, false)).reverse();
    return `<figure>${both((frame) => linesSvg(wide, lines, frame, frame.narrow ? 240 : 320, `${strategies.join(", ")}: ${spec.alt}`))}</figure>`;
  }
  const small = chartOf(frontier, spec, 3);
  const panels = strategies.map((name, s) => {
    const behind = strategies.flatMap((_, other) =>
      other === s || other === 0 ? [] : [lineOf(frontier, spec, other, OTHERS, true)],
    );
    const lines = [
      ...behind,
      ...(s === 0 ? [] : [lineOf(frontier, spec, 0, INK, true)]),
      lineOf(frontier, spec, s, s === 0 ? INK : OWN, false),
    ];
    return `<figure><figcaption><strong>${escapeHtml(name)}</strong></figcaption>${linesSvg(small, lines, SMALL, 132, `${name}: ${spec.alt}`)}</figure>`;
  });
  const axes = `Up: ${spec.label}; right: ${small.x.label}.`;
  return `<p class="quiet axes">${escapeHtml(axes)}</p><div class="panels">${panels.join("")}</div>`;
}

function lineOf(
  { strategies, rates, points }: Frontier,
  spec: FigureSpec,
  s: number,
  color: string,
  faint: boolean,
): Line {
  const own = rates.map((_, r) => points[r * strategies.length + s]!);
  return {
    color,
    faint,
    points: own.flatMap((point) => {
      const x = xOf(point, spec);
      const y = point.figures[spec.metric] ?? null;
      if (x === null || y === null) return [];
      return [{ x, y: y.mean, lo: y.lo, hi: y.hi, overloaded: point.overloaded }];
    }),
  };
}

function xOf(point: FrontierPoint, { against }: FigureSpec): number | null {
  return against === "rate" ? point.ratePerS : (point.figures["completed"]?.mean ?? null);
}

function chartOf({ points }: Frontier, spec: FigureSpec, ticks: number): LineChart {
  const xs = points.flatMap((point) => xOf(point, spec) ?? []);
  const ys = points.flatMap(({ figures }) => figures[spec.metric]?.mean ?? []);
  const xHigh = Math.max(...xs, 0) * 1.04;
  const x: Axis = {
    label: spec.against === "rate" ? "offered, requests/s" : "completed, requests/s",
    domain: [0, xHigh || 1],
    ticks: linearTicks(xHigh || 1, ticks),
    format: chosen(plain),
    log: false,
  };
  return {
    x,
    y: spec.log ? logAxis(spec.label, ys, ticks) : linearAxis(spec.label, ys, ticks),
    diagonal: spec.diagonal,
  };
}

function linearAxis(label: string, values: readonly number[], ticks: number): Axis {
  const high = Math.max(...values, 0) * 1.05 || 1;
  return { label, domain: [0, high], ticks: linearTicks(high, ticks), format: chosen(plain), log: false };
}

/** Milliseconds; ticks at powers of ten, with halves and fifths where there are fewer than three, and more where one would be left. */
function logAxis(label: string, values: readonly number[], ticks: number): Axis {
  const low = Math.min(...values, Infinity) / 1.25;
  const high = Math.max(...values, 0) * 1.25;
  const domain: readonly [number, number] = high > low ? [low, high] : [1, 1000];
  const within = (steps: readonly number[]): number[] => {
    const found: number[] = [];
    for (let decade = 0.01; decade <= domain[1]; decade *= 10)
      for (const step of steps) {
        const tick = Number((step * decade).toPrecision(3));
        if (tick >= domain[0] && tick <= domain[1]) found.push(tick);
      }
    return found;
  };
  const decades = within([1]);
  const fine = within([1, 2, 5]);
  if (fine.length < 2)
    return { label, domain, ticks: within([1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]), format: chosen(durationMs), log: true };
  const chosenTicks =
    decades.length >= 3 || fine.length > ticks + 2 ? (decades.length >= 2 ? decades : within([1, 3])) : fine;
  return { label, domain, ticks: chosenTicks, format: chosen(durationMs), log: true };
}
