/** CSV as RFC 4180 has it: quoted cells may hold commas, quotes and line ends; CRLF or LF; a byte order mark is skipped. */
import { DataError } from "../../../kernel/errors.ts";

export interface Csv {
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Blank lines are skipped. Throws DataError for a row of another width than the header, and for an open quote. */
export function parseCsv(file: string, text: string): Csv {
  const records: string[][] = [];
  let record: string[] = [];
  let cell = "";
  let quoted = false;
  const endRecord = (): void => {
    record.push(cell);
    cell = "";
    if (record.length > 1 || record[0] !== "") records.push(record);
    record = [];
  };
  for (let i = text.startsWith("\uFEFF") ? 1 : 0; i < text.length; i++) {
    const char = text[i]!;
    if (quoted) {
      if (char !== '"') cell += char;
      else if (text[i + 1] === '"') cell += text[++i]!;
      else quoted = false;
    } else if (char === '"' && cell === "") quoted = true;
    else if (char === ",") {
      record.push(cell);
      cell = "";
    } else if (char === "\n") endRecord();
    else if (char !== "\r" || text[i + 1] !== "\n") cell += char;
  }
  if (quoted) throw new DataError(file, records.length, "a quote is opened and not closed");
  if (cell !== "" || record.length > 0) endRecord();
  const [header, ...rows] = records;
  if (header === undefined) throw new DataError(file, null, "the file is empty");
  rows.forEach((row, i) => {
    if (row.length !== header.length)
      throw new DataError(file, i + 1, `${row.length} cells where the header has ${header.length}`);
  });
  return { names: header.map((name) => name.trim()), rows };
}

/** The number in a cell. Throws DataError when it is none. */
export function cellNumber(file: string, row: number, name: string, cell: string): number {
  const value = cell.trim() === "" ? NaN : Number(cell);
  if (!Number.isFinite(value)) throw new DataError(file, row, `${name} is "${cell}", not a number`);
  return value;
}
