/**
 * Small CSV files, whole, as RFC 4180 has them: quoted fields may hold commas, doubled quotes and line ends; CRLF or LF; a byte
 * order mark is skipped. Traces, which are streamed, have a cursor of their own.
 */
import { DataError } from "./errors.ts";

export interface CsvTable {
  readonly names: readonly string[];
  /** Fields by row, in the order of `names`; blank lines are left out. */
  readonly rows: readonly (readonly string[])[];
}

/** Throws DataError for other separators, for a row (from 1) of another width than the header, and for an open quote. */
export function parseCsv(file: string, text: string): CsvTable {
  const [header, ...rows] = recordsOf(file, text.replace(/^\uFEFF/, ""));
  if (header === undefined) throw new DataError(file, null, "the file is empty");
  refuseOtherSeparator(file, header);
  rows.forEach((row, i) => {
    if (row.length !== header.length)
      throw new DataError(file, i + 1, `${row.length} fields where the header has ${header.length}`);
  });
  return { names: header.map((name) => name.trim()), rows };
}

function recordsOf(file: string, text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let field = "";
  let quoted = false;
  const endRecord = (): void => {
    record.push(field);
    if (record.length > 1 || record[0] !== "") records.push(record);
    record = [];
    field = "";
  };
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (quoted) {
      if (char !== '"') field += char;
      else if (text[i + 1] === '"') field += text[++i]!;
      else quoted = false;
    } else if (char === '"' && field === "") quoted = true;
    else if (char === ",") {
      record.push(field);
      field = "";
    } else if (char === "\n") endRecord();
    else if (char !== "\r" || !(text[i + 1] === "\n" || i + 1 === text.length)) field += char;
  }
  if (quoted) throw new DataError(file, Math.max(records.length, 1), "a quoted field is not closed");
  if (field !== "" || record.length > 0) endRecord();
  return records;
}

/** Separators that other programs write, and what they are called. */
const OTHER_SEPARATORS = { ";": "semicolons", "\t": "tabs", "|": "bars" } as const;

/** Throws DataError if the only name in a header holds what other programs put between names. */
export function refuseOtherSeparator(file: string, names: readonly string[]): void {
  if (names.length !== 1) return;
  const other = Object.entries(OTHER_SEPARATORS).find(([separator]) => names[0]!.includes(separator));
  if (other !== undefined) throw new DataError(file, null, `${other[1]} separate its columns, commas are needed`);
}

/** Index of a column, -1 where there is none. Throws DataError where two have the name: which of them is meant? */
export function columnOf(file: string, names: readonly string[], name: string): number {
  const at = names.indexOf(name);
  if (names.includes(name, at + 1) && at >= 0) throw new DataError(file, null, `two columns have the name ${name}`);
  return at;
}

/** The number in a field. Throws DataError when it is none. */
export function numberInField(file: string, row: number, name: string, field: string): number {
  const value = field.trim() === "" ? NaN : Number(field);
  if (!Number.isFinite(value)) throw new DataError(file, row, `${name} is "${field}", not a number`);
  return value;
}
