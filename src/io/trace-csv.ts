/**
 * A request trace from CSV text, plain or gzipped, streamed. Accepts CRLF, a byte order mark, a last line without an
 * end and further columns in any order; fields are not quoted. Dates: 2023-11-16 18:15:46.6805900, with an optional
 * fraction of up to nine digits, "T" or a space, and an optional zone (Z, +00:00); without a zone they are UTC.
 */
import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { DataError } from "../kernel/errors.ts";
import { detectLayout, TraceBuilder, type Trace, type TraceLayout } from "./trace-builder.ts";

const FIRST_CAPACITY = 65_536;
const NANOS_PER_S = 1e9;

/** Reads a trace. Throws DataError with file and 1-based row (the header is row 0, so to say). */
export async function readCsvTrace(file: string, gzipped: boolean): Promise<Trace> {
  const parser = new TraceParser(file);
  // Latin-1 keeps one character per byte, so a chunk can be cut anywhere; names and numbers are ASCII.
  let rest = "";
  for await (const chunk of textChunks(file, gzipped)) {
    const text = rest + chunk;
    let start = 0;
    for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n", start)) {
      parser.line(text, start, end);
      start = end + 1;
    }
    rest = text.slice(start);
  }
  if (rest !== "") parser.line(rest, 0, rest.length);
  return parser.finish();
}

async function* textChunks(file: string, gzipped: boolean): AsyncGenerator<string> {
  const bytes = createReadStream(file, { highWaterMark: 1 << 20 });
  let source: Readable = bytes;
  if (gzipped) {
    source = bytes.pipe(createGunzip({ chunkSize: 1 << 18 }));
    bytes.once("error", (error) => source.destroy(error));
  }
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) yield chunk.toString("latin1");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!code.startsWith("Z_")) throw error;
    const what = code === "Z_BUF_ERROR" ? "the gzip stream is truncated" : "the gzip stream is corrupt";
    throw new DataError(file, null, `${what} (${(error as Error).message})`);
  } finally {
    bytes.destroy();
  }
}

/** Turns lines into rows. Keeps the positions of the fields of one line and allocates nothing per row. */
class TraceParser {
  private readonly file: string;
  private readonly builder: TraceBuilder;
  private layout: TraceLayout | null = null;
  private columns = 0;
  private timeColumn = 0;
  private inputColumn = 0;
  private outputColumn = 0;
  /** Start of each field and, one further, the end of the line plus one. */
  private starts = new Int32Array(0);
  private row = 0;
  private blankRow = 0;
  private originS = 0;
  private originNanos = 0;
  private dayKey = -1;
  private dayS = 0;

  constructor(file: string) {
    this.file = file;
    this.builder = new TraceBuilder(file, FIRST_CAPACITY);
  }

  /** One line of `text`, from `start` up to its line feed at `end`. */
  line(text: string, start: number, end: number): void {
    const stop = end > start && text.charCodeAt(end - 1) === CR ? end - 1 : end;
    if (this.layout === null) this.header(text.slice(start, stop));
    else this.dataRow(text, start, stop, this.layout);
  }

  finish(): Trace {
    if (this.layout === null) throw new DataError(this.file, null, "the file is empty");
    const epochS = this.layout.dates ? this.originS + this.originNanos / NANOS_PER_S : null;
    return this.builder.finish(this.layout, "csv", epochS);
  }

  private header(line: string): void {
    const names = line.replace(/^\u00ef\u00bb\u00bf/, "").split(",");
    const layout = detectLayout(this.file, names);
    this.timeColumn = names.indexOf(layout.time);
    this.inputColumn = names.indexOf(layout.input);
    this.outputColumn = names.indexOf(layout.output);
    this.columns = names.length;
    this.starts = new Int32Array(names.length + 1);
    this.layout = layout;
  }

  private dataRow(text: string, start: number, stop: number, layout: TraceLayout): void {
    const row = ++this.row;
    if (start === stop) {
      // Blank lines at the end are harmless; between rows they are a hole.
      this.blankRow ||= row;
      return;
    }
    if (this.blankRow > 0) this.refuse("the row is empty", this.blankRow);
    this.splitFields(text, start, stop);
    const first = row === 1;
    const arrivalS = layout.dates ? this.date(text, first) : this.seconds(text, first);
    this.builder.add(arrivalS, this.count(text, this.inputColumn), this.count(text, this.outputColumn));
  }

  private splitFields(text: string, start: number, stop: number): void {
    const { starts, columns } = this;
    let field = 0;
    starts[0] = start;
    for (let i = start; i < stop; i++) {
      if (text.charCodeAt(i) !== COMMA) continue;
      field++;
      if (field < columns) starts[field] = i + 1;
    }
    if (field + 1 !== columns) {
      const cut = field + 1 < columns ? "; the file may be truncated" : "";
      this.refuse(`${field + 1} fields where the header has ${columns}${cut}`);
    }
    starts[columns] = stop + 1;
  }

  private fieldText(text: string, column: number): string {
    return text.slice(this.starts[column], (this.starts[column + 1] as number) - 1);
  }

  /** A whole number; other numbers are left to the builder's checks. */
  private count(text: string, column: number): number {
    const from = this.starts[column] as number;
    const to = (this.starts[column + 1] as number) - 1;
    const value = digits(text, from, to);
    // More digits would not be exact here; they and anything but digits are rare enough for the slow way.
    if (value >= 0 && to - from <= 15) return value;
    return this.decimal(this.fieldText(text, column), "token count");
  }

  private seconds(text: string, first: boolean): number {
    const value = this.decimal(this.fieldText(text, this.timeColumn), "arrival time");
    if (first) this.originS = value;
    return value - this.originS;
  }

  private decimal(field: string, what: string): number {
    if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(field)) this.refuse(`cannot read the ${what} "${field}"`);
    return Number(field);
  }

  /** Seconds between the date in the time column and that of the first row. */
  private date(text: string, first: boolean): number {
    const from = this.starts[this.timeColumn] as number;
    const to = (this.starts[this.timeColumn + 1] as number) - 1;
    const year = digits(text, from, from + 4);
    const month = digits(text, from + 5, from + 7);
    const day = digits(text, from + 8, from + 10);
    const hour = digits(text, from + 11, from + 13);
    const minute = digits(text, from + 14, from + 16);
    const second = digits(text, from + 17, from + 19);
    const fine =
      to - from >= 19 &&
      text.charCodeAt(from + 4) === DASH &&
      text.charCodeAt(from + 7) === DASH &&
      (text.charCodeAt(from + 10) === SPACE || text.charCodeAt(from + 10) === LETTER_T) &&
      text.charCodeAt(from + 13) === COLON &&
      text.charCodeAt(from + 16) === COLON &&
      Math.min(year, month, day, hour, minute, second) >= 0 &&
      hour < 24 &&
      minute < 60 &&
      second < 60;
    if (!fine) this.refuseDate(text);

    let at = from + 19;
    let nanos = 0;
    if (at < to && text.charCodeAt(at) === POINT) {
      const fraction = at + 1;
      for (at = fraction; at < to && digits(text, at, at + 1) >= 0; at++);
      if (at === fraction || at - fraction > 9) this.refuseDate(text);
      nanos = digits(text, fraction, at) * (POWERS_OF_TEN[9 - (at - fraction)] as number);
    }
    const zoneS = at === to ? 0 : zoneSeconds(text.slice(at, to));
    if (Number.isNaN(zoneS)) this.refuseDate(text);
    const wholeS = this.daySeconds(text, year, month, day) + hour * 3600 + minute * 60 + second - zoneS;
    if (first) {
      this.originS = wholeS;
      this.originNanos = nanos;
    }
    // Whole nanoseconds first: the same double as from the 64-bit integers of the Parquet form.
    return ((wholeS - this.originS) * NANOS_PER_S + (nanos - this.originNanos)) / NANOS_PER_S;
  }

  /** Unix time of midnight UTC, remembered from row to row. */
  private daySeconds(text: string, year: number, month: number, day: number): number {
    const key = (year * 100 + month) * 100 + day;
    if (key !== this.dayKey) {
      const ms = Date.UTC(year, month - 1, day);
      const iso = Number.isNaN(ms) ? "" : new Date(ms).toISOString().slice(0, 10).replaceAll("-", "");
      if (Number(iso) !== key) this.refuseDate(text);
      this.dayKey = key;
      this.dayS = ms / 1000;
    }
    return this.dayS;
  }

  private refuseDate(text: string): never {
    this.refuse(
      `cannot read the time "${this.fieldText(text, this.timeColumn)}"; a date like 2023-11-16 18:15:46.68 is needed`,
    );
  }

  private refuse(message: string, row = this.row): never {
    throw new DataError(this.file, row, message);
  }
}

const CR = 13;
const SPACE = 32;
const COMMA = 44;
const DASH = 45;
const POINT = 46;
const COLON = 58;
const LETTER_T = 84;
const POWERS_OF_TEN = [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];

/** The digits from `from` to `to` as a number, -1 if there is none or anything else. */
function digits(text: string, from: number, to: number): number {
  let value = to > from ? 0 : -1;
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** Seconds that the clock of a zone is ahead of UTC, NaN if it is none. */
function zoneSeconds(zone: string): number {
  if (zone === "Z") return 0;
  const match = /^([+-])([01]\d|2[0-3]):?([0-5]\d)?$/.exec(zone);
  if (match === null) return Number.NaN;
  return (match[1] === "-" ? -1 : 1) * (Number(match[2]) * 3600 + Number(match[3] ?? 0) * 60);
}
