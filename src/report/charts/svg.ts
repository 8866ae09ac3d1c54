/**
 * Plot on a server-side document: one chart becomes one string of SVG. Each chart is drawn twice, for a page and for a
 * phone, because a scaled-down chart has unreadable text; the style sheet shows one of them.
 */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { escapeHtml } from "../markup.ts";

export const INK = "#0f172a";
export const QUIET = "#475569";
export const GRID = "#e2e8f0";
export const RED = "#dc2626";
/** Shading of own incidents and of provider outages. */
export const OWN_EVENT = "#ef4444";
export const PROVIDER_EVENT = "#7c3aed";

const FONT = 'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

/** Widths in CSS pixels at which the two drawings have their natural size. */
const WIDE = 900;
const NARROW = 340;

export interface Frame {
  readonly width: number;
  readonly fontPx: number;
  readonly narrow: boolean;
}
const FRAMES: readonly Frame[] = [
  { width: WIDE, fontPx: 13, narrow: false },
  { width: NARROW, fontPx: 11, narrow: true },
];

const { document } = parseHTML("<!doctype html><html><body></body></html>");

/** One drawing. Plot's own style element goes (the page has it), coordinates keep one decimal. */
export function draw(frame: Frame, options: Plot.PlotOptions, alt: string): string {
  const plot = Plot.plot({
    ...options,
    document,
    width: frame.width,
    style: { fontSize: `${frame.fontPx}px`, fontFamily: FONT, color: QUIET, background: "none" },
  });
  const svg: string = plot.outerHTML;
  const label = `<svg role="img" aria-label="${escapeHtml(alt)}" class="plot" `;
  return svg
    .replace(/<style>[\s\S]*?<\/style>/g, "")
    .replace(/^<svg /, () => label)
    .replace(/ class="plot-[^"]*"/, "")
    .replace(/ (d|points)="[^"]*"/g, (path) => path.replace(/(\.\d)\d+/g, "$1"))
    .replace(/ d="(M[^"]*)"/g, (_, path: string) => ` d="${withoutPointsBetween(path)}"`);
}

/** A path of straight lines without the points on a level stretch between two others: the same picture, of a month in half the bytes. */
export function withoutPointsBetween(path: string): string {
  return path.replace(/(?<=[ML])[-\d.]+,[-\d.]+(?:L[-\d.]+,[-\d.]+)+/g, (line) => {
    const points = line.split("L").map((text) => ({ text, at: text.split(",").map(Number) as [number, number] }));
    const kept: typeof points = [];
    for (const point of points) {
      const [before, last] = kept.slice(-2);
      if (last !== undefined && between(before!.at, last.at, point.at)) kept.pop();
      if (kept.at(-1)?.text !== point.text) kept.push(point);
    }
    return kept.map(({ text }) => text).join("L");
  });
}

function between(a: readonly [number, number], b: readonly [number, number], c: readonly [number, number]): boolean {
  return a[1] === b[1] && b[1] === c[1] && (b[0] - a[0]) * (c[0] - b[0]) >= 0;
}

/** Both drawings of a chart. */
export function both(make: (frame: Frame) => string): string {
  return FRAMES.map((frame) => `<div class="${frame.narrow ? "narrow" : "wide"}">${make(frame)}</div>`).join("");
}

/** Rough width in pixels of a text in the report's sans serif. */
export function textWidth(text: string, fontPx: number): number {
  return text.length * fontPx * 0.58;
}
