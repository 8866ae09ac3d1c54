/**
 * One line of CSV after the other, by the position of its fields: nothing is allocated per row unless a field is quoted.
 * Counts data rows from 1; blank lines are counted where they end the file and refused where they leave a hole.
 */
import { columnOf, refuseOtherSeparator } from "../../kernel/csv.ts";
import { DataError } from "../../kernel/errors.ts";
import { nearestName } from "../nearest-name.ts";
import { digits } from "./dates.ts";
import { BYTE_ORDER_MARK, utf8 } from "./text.ts";

export class CsvCursor {
  readonly file: string;
  readonly names: readonly string[];
  /** 1-based data row. */
  row = 0;
  emptyLines = 0;
  text = "";
  /** Start of each field and, one further, the end of the line plus one. */
  private readonly starts: Int32Array;
  private blankRow = 0;
  /** A record whose quoted field goes on in the next line. */
  private open = "";

  constructor(file: string, names: readonly string[]) {
    this.file = file;
    this.names = names;
    this.starts = new Int32Array(names.length + 1);
  }

  /** Takes the line at [start, stop). False if it is blank, or if a quoted field goes on. */
  line(text: string, start: number, stop: number): boolean {
    if (this.open !== "") {
      this.open += `\n${text.slice(start, stop)}`;
      return this.quoted(this.open);
    }
    const row = ++this.row;
    if (start === stop) {
      this.blankRow ||= row;
      this.emptyLines++;
      return false;
    }
    if (this.blankRow > 0) this.refuse("the row is empty", this.blankRow);
    return this.split(text, start, stop);
  }

  /** To be called after the last line. */
  end(): void {
    if (this.open !== "") this.refuse("a quoted field is not closed");
  }

  /** Index of a column, -1 where there is none. Throws DataError where two have the name. */
  column(name: string): number {
    return columnOf(this.file, this.names, name);
  }

  /** Index of a column that must be there. Throws DataError that names the nearest one. */
  need(name: string): number {
    const at = this.column(name);
    if (at < 0) throw new DataError(this.file, null, `no column ${name}${nearestName(name, this.names)}`);
    return at;
  }

  from(column: number): number {
    return this.starts[column]!;
  }

  to(column: number): number {
    return this.starts[column + 1]! - 1;
  }

  field(column: number): string {
    return column < 0 ? "" : utf8(this.text.slice(this.from(column), this.to(column)));
  }

  /** A whole number; whether other numbers will do is for the caller to check. */
  count(column: number, what = "token count"): number {
    const from = this.starts[column]!;
    const to = this.starts[column + 1]! - 1;
    const value = digits(this.text, from, to);
    // More digits would not be exact here; they and anything but digits are rare enough for the slow way.
    if (value >= 0 && to - from <= 15) return value;
    return this.decimal(column, what);
  }

  decimal(column: number, what: string): number {
    const field = this.field(column);
    if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(field)) this.refuse(`cannot read the ${what} "${field}"`);
    return Number(field);
  }

  /** NaN where the field is empty or the column absent. */
  optional(column: number, what: string): number {
    return column < 0 || this.from(column) >= this.to(column) ? Number.NaN : this.decimal(column, what);
  }

  refuse(message: string, row = this.row): never {
    throw new DataError(this.file, row, message);
  }

  private split(text: string, start: number, stop: number): boolean {
    const { starts } = this;
    const columns = this.names.length;
    let field = 0;
    starts[0] = start;
    for (let i = start; i < stop; i++) {
      const char = text.charCodeAt(i);
      if (char === QUOTE) return this.quoted(text.slice(start, stop));
      if (char !== COMMA) continue;
      field++;
      if (field < columns) starts[field] = i + 1;
    }
    this.checkWidth(field + 1);
    this.text = text;
    starts[columns] = stop + 1;
    return true;
  }

  /** RFC 4180. The fields are put end to end without their quotes, as if the line had been plain. */
  private quoted(record: string): boolean {
    const fields = unquoted(record);
    this.open = fields === null ? record : "";
    if (fields === null) return false;
    this.checkWidth(fields.length);
    this.text = fields.join(",");
    let at = 0;
    fields.forEach((value, i) => {
      this.starts[i] = at;
      at += value.length + 1;
    });
    this.starts[fields.length] = at;
    return true;
  }

  private checkWidth(fields: number): void {
    const columns = this.names.length;
    if (fields === columns) return;
    const cut = fields < columns ? "; the file may be truncated" : "";
    this.refuse(`${fields} fields where the header has ${columns}${cut}`);
  }
}

/** Names in the first line of a table, which may begin with a byte order mark. Throws DataError if commas do not separate them. */
export function headerNames(file: string, line: string): string[] {
  const plain = line.replace(BYTE_ORDER_MARK, "");
  const names = (unquoted(plain) ?? plain.split(",")).map((name) => utf8(name.trim()));
  refuseOtherSeparator(file, names);
  return names;
}

/** Fields of a record without their quotes, as RFC 4180 has them; null where a quoted field goes on. */
function unquoted(record: string): string[] | null {
  const fields: string[] = [];
  let field = "";
  let inside = false;
  for (let i = 0; i < record.length; i++) {
    const char = record[i]!;
    if (inside) {
      if (char !== '"') field += char;
      else if (record[i + 1] === '"') field += record[++i]!;
      else inside = false;
    } else if (char === '"' && field === "") inside = true;
    else if (char === ",") {
      fields.push(field);
      field = "";
    } else field += char;
  }
  if (inside) return null;
  fields.push(field);
  return fields;
}

const QUOTE = 34;
const COMMA = 44;
