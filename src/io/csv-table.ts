/** A small CSV file as rows by column name: quoted fields, CRLF and a byte order mark are understood, nothing is streamed. */
import { readFile } from "node:fs/promises";
import { DataError } from "../kernel/errors.ts";

export interface CsvTable {
  readonly names: readonly string[];
  /** Fields by row, in the order of `names`; blank lines are left out. */
  readonly rows: readonly (readonly string[])[];
}

/** Reads a table. Throws DataError with the 1-based row for a row of another width or an open quote. */
export async function readCsvTable(file: string): Promise<CsvTable> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT")
      throw new DataError(file, null, "no such file");
    throw error;
  });
  const records = recordsOf(file, text.replace(/^\ufeff/, ""));
  const [names, ...rows] = records;
  if (names === undefined) throw new DataError(file, null, "the file is empty");
  rows.forEach((row, i) => {
    if (row.length !== names.length)
      throw new DataError(file, i + 1, `${row.length} fields where the header has ${names.length}`);
  });
  return { names: names.map((name) => name.trim()), rows };
}

/** RFC 4180: a quote inside a quoted field is doubled, and a quoted field may hold line ends. */
function recordsOf(file: string, text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let field = "";
  let quoted = false;
  const endRecord = (): void => {
    record.push(field.endsWith("\r") ? field.slice(0, -1) : field);
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
    else field += char;
  }
  if (quoted) throw new DataError(file, Math.max(records.length, 1), "a quoted field is not closed");
  if (field !== "" || record.length > 0) endRecord();
  return records;
}
