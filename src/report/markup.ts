/** HTML as strings: text goes through `escapeHtml`, tables through `table`. Nothing here knows the report. */
import { ink } from "./ink.ts";
import type { Cell, TableView } from "./model.ts";

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for element content and quoted attributes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** Running text: a number and its unit stay on one line, and so do the ends of an interval. */
export function prose(text: string): string {
  return escapeHtml(text)
    .replace(/(\d) (?=(%|µs|ms|s|h|d|min)(?![a-z]))/g, "$1\u00a0")
    .replace(/(?<=\S) – (?=\S)/g, "\u00a0–\u00a0");
}

export function paragraph(text: string, className = ""): string {
  return `<p${className === "" ? "" : ` class="${className}"`}>${prose(text)}</p>`;
}

export function bullets(lines: readonly string[]): string {
  return `<ul>${lines.map((line) => `<li>${prose(line)}</li>`).join("")}</ul>`;
}

function cellHtml(cell: Cell, numeric: boolean, label: string): string {
  const classes = [numeric ? "num" : "", cell.words === true ? "words" : "", cell.tone ?? ""]
    .filter((name) => name !== "")
    .join(" ");
  const note = cell.note === null ? "" : `<small>${escapeHtml(cell.note)}</small>`;
  const rows = cell.rows ?? 1;
  const span = rows === 1 ? "" : ` rowspan="${rows}"`;
  // Cards are apart from each other: the first says for how many it speaks.
  const also = rows === 1 ? "" : `<small class="also">also of the next ${rows - 1}</small>`;
  return `<td${classes === "" ? "" : ` class="${classes}"`}${span} data-label="${escapeHtml(label)}"><div><span>${escapeHtml(cell.text)}</span>${note}${also}</div></td>`;
}

/** With more columns than this, notes stay below the numbers. */
const ROOMY_COLUMNS = 4;

/** Strategies beside each other that paper has room for, with their intervals. */
const MOST_COMPARED = 4;

/** A table with its headers; it scrolls in its own box rather than the page, or becomes cards on a phone. */
export function table(view: TableView): string {
  return blocks(view).map(tableHtml).join("");
}

/** A table of many strategies as several, each with the first column: paper does not scroll. */
function blocks(view: TableView): TableView[] {
  const others = view.columns.length - 1;
  const count = Math.ceil(others / MOST_COMPARED);
  if (view.layout !== "compare" || count < 2) return [view];
  const size = Math.ceil(others / count);
  return Array.from({ length: count }, (_, block) => {
    const from = block * size;
    return {
      ...view,
      caption: block === 0 ? view.caption : `${view.caption} (continued)`,
      columns: [view.columns[0]!, ...view.columns.slice(1 + from, 1 + from + size)],
      rows: view.rows.map((row) => ({ ...row, cells: row.cells.slice(from, from + size) })),
    };
  });
}

/** Rows up to each heading: the heading is that of its own part of the table alone. */
function parts(rows: TableView["rows"]): TableView["rows"][] {
  const starts = rows.flatMap((row, i) => (i === 0 || row.cells.length === 0 ? [i] : []));
  return starts.map((start, i) => rows.slice(start, starts[i + 1]));
}

function tableHtml(view: TableView): string {
  const width = view.columns.length;
  const color = (value: string | null): string => (value === null ? "" : ` style="color:${escapeHtml(ink(value))}"`);
  const head = view.columns.map(({ label, note, color: ink, numeric }) => {
    const small = note === null ? "" : `<small>${escapeHtml(note)}</small>`;
    const type = numeric ? ' class="num"' : "";
    return label === "" ? "<td></td>" : `<th scope="col"${type}${color(ink)}>${escapeHtml(label)}${small}</th>`;
  });
  const rowHtml = (row: TableView["rows"][number]): string => {
    const small = row.note === null ? "" : `<small>${escapeHtml(row.note)}</small>`;
    if (row.cells.length === 0)
      return `<tr class="group"><th scope="rowgroup" colspan="${width}"${color(row.color)}>${escapeHtml(row.header)}${small}</th></tr>`;
    const cells = row.cells.map((cell, i) =>
      cellHtml(cell, view.columns[i + 1]?.numeric ?? false, view.columns[i + 1]?.label ?? ""),
    );
    return `<tr><th scope="row"${color(row.color)}>${escapeHtml(row.header)}${small}</th>${cells.join("")}</tr>`;
  };
  const bodies = parts(view.rows).map((rows) => `<tbody>${rows.map(rowHtml).join("")}</tbody>`);
  const scroll = `<div class="scroll" tabindex="0" role="region" aria-label="${escapeHtml(view.caption)}">`;
  return `${scroll}<table class="${view.layout}${view.columns.length > ROOMY_COLUMNS ? " dense" : ""}"><caption>${escapeHtml(view.caption)}</caption><thead><tr>${head.join("")}</tr></thead>${bodies.join("")}</table></div>`;
}

/** What most readers skip: folded on a screen, open on paper. `content` is HTML. */
export function fold(title: string, note: string, content: string): string {
  return `<details><summary><b>${escapeHtml(title)}</b> <span class="quiet">${escapeHtml(note)}</span></summary>${content}</details>`;
}

export function legend(
  entries: readonly { readonly label: string; readonly color: string; readonly opacity?: number }[],
): string {
  const items = entries.map(
    ({ label, color, opacity }) =>
      `<li><i style="background:${escapeHtml(color)};opacity:${opacity ?? 1}"></i>${escapeHtml(label)}</li>`,
  );
  return `<ul class="legend">${items.join("")}</ul>`;
}
