/**
 * A request trace from CSV text, plain or compressed, streamed. Accepts CRLF, a byte order mark, a last line without an
 * end and further columns in any order. Dates are those of `traces/dates.ts`.
 */
import { DataError } from "../kernel/errors.ts";
import { detectLayout, TraceBuilder, type Trace, type TraceLayout } from "./trace-builder.ts";
import { CsvCursor, headerNames } from "./traces/csv-cursor.ts";
import { DateReader } from "./traces/dates.ts";
import { lines, textChunks, type Packing } from "./traces/text.ts";

const FIRST_CAPACITY = 65_536;
const NANOS_PER_S = 1e9;

/** Reads a trace. Throws DataError with file and 1-based row (the header is row 0, so to say). */
export async function readCsvTrace(file: string, packing: Exclude<Packing, "parquet">): Promise<Trace> {
  const builder = new TraceBuilder(file, FIRST_CAPACITY);
  const dates = new DateReader();
  let open: { readonly cursor: CsvCursor; readonly layout: TraceLayout; readonly add: () => void } | null = null;
  const reading = lines(textChunks(file, packing), (text, start, stop) => {
    if (open === null) {
      const names = headerNames(file, text.slice(start, stop));
      const layout = detectLayout(file, names);
      const cursor = new CsvCursor(file, names);
      open = { cursor, layout, add: rowReader(cursor, layout, dates, builder) };
    } else if (open.cursor.line(text, start, stop)) open.add();
  });
  while ((await reading.next()).done !== true);
  if (open === null) throw new DataError(file, null, "the file is empty");
  const { cursor, layout } = open as { readonly cursor: CsvCursor; readonly layout: TraceLayout };
  cursor.end();
  const { time, input, output, reasoning } = layout;
  const unread = cursor.names.filter((name) => ![time, input, output, reasoning].includes(name));
  return { ...builder.finish(layout, "csv", layout.dates ? dates.epochS : null), unread };
}

function rowReader(cursor: CsvCursor, layout: TraceLayout, dates: DateReader, builder: TraceBuilder): () => void {
  const time = cursor.column(layout.time);
  const input = cursor.column(layout.input);
  const output = cursor.column(layout.output);
  const reasoning = layout.reasoning === undefined ? -1 : cursor.column(layout.reasoning);
  let originS = Number.NaN;
  return () => {
    let arrivalS: number;
    if (layout.dates) {
      const nanos = dates.nanos(cursor.text, cursor.from(time), cursor.to(time));
      if (Number.isNaN(nanos)) refuseDate(cursor, time);
      // Whole nanoseconds first: the same double as from the 64-bit integers of the Parquet form.
      arrivalS = nanos / NANOS_PER_S;
    } else {
      const seconds = cursor.decimal(time, "arrival time");
      if (Number.isNaN(originS)) originS = seconds;
      arrivalS = seconds - originS;
    }
    builder.add(arrivalS, cursor.count(input), cursor.count(output));
    if (reasoning >= 0) builder.reasoning(cursor.optional(reasoning, "reasoning token count"));
  };
}

/** Throws DataError for a time that is no date. */
export function refuseDate(cursor: CsvCursor, column: number): never {
  cursor.refuse(`cannot read the time "${cursor.field(column)}"; a date like 2023-11-16 18:15:46.68 is needed`);
}
