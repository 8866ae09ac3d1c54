/** Plain text tables for a terminal or a pipe: columns padded with spaces, numbers flush right, no colours, no borders. */

export interface Column {
  readonly head: string;
  readonly align?: "left" | "right";
  /** Longer cells are cut, with an ellipsis as the last character. */
  readonly maxWidth?: number;
}

/** Where stdout is no terminal. */
const PIPE_WIDTH = 100;
const GAP = "  ";

/** Characters that a line of stdout has room for. */
export function outputWidth(): number {
  // A terminal that does not know its width says 0.
  return process.stdout.columns || PIPE_WIDTH;
}

/** One line per row below a line of heads; ends in a newline, and no line in a space. Cells are matched to columns by position. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  return blockText(filled(columns, rows));
}

/**
 * As `textTable`, but where that is wider than `width` in blocks of columns, one below the other with an empty line between, each
 * with the first column again. A block has one other column at least, so that only a very long name or cell is wider.
 */
export function fittedTable(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): string {
  const [first, ...others] = filled(columns, rows);
  if (first === undefined) return "";
  const blocks: FilledColumn[][] = [];
  let left = 0;
  for (const column of others) {
    left -= GAP.length + column.width;
    if (blocks.length === 0 || left < 0) {
      blocks.push([first]);
      left = width - first.width - GAP.length - column.width;
    }
    blocks.at(-1)!.push(column);
  }
  return blocks.map(blockText).join("\n");
}

/** The cells of a column, its head first, all padded to its width. */
interface FilledColumn {
  readonly width: number;
  readonly cells: readonly string[];
}

function filled(columns: readonly Column[], rows: readonly (readonly string[])[]): FilledColumn[] {
  return columns.map(({ head, align, maxWidth }, i) => {
    const cells = [head, ...rows.map((row) => row[i] ?? "")].map((cell) => cut(cell.replace(/\s+/g, " "), maxWidth));
    const width = cells.reduce((most, cell) => Math.max(most, [...cell].length), 0);
    return { width, cells: cells.map((cell) => pad(cell, width, align === "right")) };
  });
}

function blockText(columns: readonly FilledColumn[]): string {
  const lines = columns[0]?.cells.map((_, row) => columns.map(({ cells }) => cells[row]!).join(GAP)) ?? [];
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
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
