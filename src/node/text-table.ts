/** Plain text tables for a terminal or a pipe: columns padded with spaces, numbers flush right, no colours, no borders. */

export interface Column {
  readonly head: string;
  readonly align?: "left" | "right";
  /** Longer cells are cut, with an ellipsis as the last character. */
  readonly maxWidth?: number;
}

/** One line per row below a line of heads; ends in a newline, and no line in a space. Cells are matched to columns by position. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const cells = [columns.map(({ head }) => head), ...rows].map((row) =>
    columns.map(({ maxWidth }, i) => cut((row[i] ?? "").replace(/\s+/g, " "), maxWidth)),
  );
  const widths = columns.map((_, i) => cells.reduce((width, row) => Math.max(width, [...row[i]!].length), 0));
  return cells
    .map((row) => `${row.map((cell, i) => pad(cell, widths[i]!, columns[i]!.align === "right")).join("  ")}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}

function cut(text: string, maxWidth: number | undefined): string {
  const characters = [...text];
  return maxWidth === undefined || characters.length <= maxWidth
    ? text
    : `${characters.slice(0, maxWidth - 1).join("")}…`;
}

function pad(text: string, width: number, right: boolean): string {
  const space = " ".repeat(width - [...text].length);
  return right ? space + text : text + space;
}

/** Thousands separated by commas, at most `decimals` decimals, no trailing zeros: 1154.7, 180,000,000. */
export function plainNumber(value: number, decimals = 4): string {
  const [whole, part] = String(Number(value.toFixed(decimals))).split(".");
  const grouped = whole!.replace(/\B(?=(\d{3})+$)/g, ",");
  return part === undefined ? grouped : `${grouped}.${part}`;
}
