/**
 * Turns trace files of any known format into one Parquet file in the canonical form, at flat memory where the source is
 * in order of time. Runs in a worker thread, because it decodes Parquet.
 */
import { rm, stat } from "node:fs/promises";
import { basename } from "node:path";
import { ConfigError, DataError } from "../../kernel/errors.ts";
import { nearestOf } from "../nearest-name.ts";
import { PROGRESS_SLOTS } from "../parquet-read.ts";
import { streamParquet } from "../parquet-stream.ts";
import { runParquetJob } from "../parquet-thread.ts";
import { loadParquetEncoder, type TraceAbout, type WriteColumn } from "../parquet-write.ts";
import { siblingModule } from "../thread-module.ts";
import { refuseNoDate } from "../trace-builder.ts";
import { epochSeconds } from "../trace-parquet.ts";
import { traceUnits, type OptionalColumn } from "../trace-schema.ts";
import { CsvCursor, headerNames } from "./csv-cursor.ts";
import { CSV_FORMATS, csvFormatOf } from "./csv-formats.ts";
import { DateReader } from "./dates.ts";
import type { CsvFormat, JsonFormat, JsonReader, JsonRecord, Origin, Run } from "./format.ts";
import { JSON_FORMATS, jsonFormatOf } from "./json-formats.ts";
import { isRecord } from "./json-value.ts";
import { identityMapping, mappedCsv, mappedJson, optionalColumnsOf, type Mapping, type TimeUnit } from "./mapped.ts";
import { openParquetRows } from "./parquet-rows.ts";
import { TraceSink } from "./sink.ts";
import { BYTE_ORDER_MARK, lines, packingOf, textChunks, utf8, type Packing } from "./text.ts";

export interface ImportRequest {
  readonly files: readonly string[];
  readonly target: string;
  /** Null: told by the content. */
  readonly format: string | null;
  readonly columns: Mapping | null;
  /** Of numbers in a mapped column of times. */
  readonly timeUnit: TimeUnit;
  /** Keep everything in memory and sort it by time, instead of refusing what is out of order. */
  readonly sort: boolean;
}

export interface ImportJob extends ImportRequest {
  readonly kind: "trace-import";
}

export interface Imported {
  readonly about: TraceAbout;
  readonly columns: readonly string[];
}

/** Where an import stands. */
export interface ImportProgress {
  readonly bytes: number;
  readonly totalBytes: number;
}

/** Names that `format` may have. */
export const TRACE_FORMATS: readonly string[] = [...new Set([...CSV_FORMATS, ...JSON_FORMATS, "crossover"])];

/**
 * Reads `files` in the given order as one trace and writes `target`. `watch` is called several times a second. Throws
 * DataError with file and row for whatever is wrong in a file, ConfigError for a format that is none or would be ignored,
 * Node's error for the disk; the target is then as it was.
 */
export async function importTrace(
  request: ImportRequest,
  watch: (progress: ImportProgress) => void = () => {},
): Promise<Imported> {
  const { files, target } = request;
  checkFormat(request);
  const slots = new Float64Array(new SharedArrayBuffer((PROGRESS_SLOTS + 2) * 8));
  const job: ImportJob = { ...request, kind: "trace-import" };
  const timer = setInterval(
    () => watch({ bytes: slots[PROGRESS_SLOTS]!, totalBytes: slots[PROGRESS_SLOTS + 1]! }),
    100,
  );
  try {
    return await runParquetJob(siblingModule("../parquet-worker", import.meta.url), job, files, slots);
  } finally {
    clearInterval(timer);
    await rm(`${target}.tmp`, { force: true });
  }
}

function checkFormat({ format, columns }: ImportRequest): void {
  if (format === null) return;
  const path = ["--format"];
  const known = ["auto", ...TRACE_FORMATS, "usage", "servegen"];
  if (!known.includes(format)) {
    const near = nearestOf(format, known);
    const hint = near === null ? `known: ${known.join(", ")}` : `did you mean "${near}"?`;
    throw new ConfigError([{ path, message: `unknown format "${format}"`, hint }]);
  }
  if (columns !== null)
    throw new ConfigError([{ path, message: "has no effect beside --columns, which says what the columns are" }]);
}

/** The worker's side of `importTrace`. */
export async function importInThread(job: ImportJob, progress: Float64Array): Promise<Imported> {
  const importer = new Importer(job, progress);
  const encoder = await loadParquetEncoder();
  const blocks = importer.blocks();
  const first = await blocks.next();
  if (first.done === true) throw new DataError(job.files[0]!, null, "the trace has no rows");
  async function* batches() {
    yield encoder.batch(first.value as WriteColumn[]);
    for await (const block of blocks) yield encoder.batch(block);
  }
  const about = () => ({ table: "trace", units: traceUnits(importer.columns), trace: importer.about() });
  const bytes = 4096 + 2 * Buffer.byteLength(JSON.stringify(job.files));
  await streamParquet(job.target, batches(), { bytes, final: about }, first.value);
  return { about: importer.about(), columns: first.value.map(({ name }) => name) };
}

/** What all files of one import share once the first is known. */
interface Opened {
  readonly format: Pick<CsvFormat, "name" | "clock" | "ticksPerS" | "blockTokens" | "hashScope">;
  /** Tells files of other columns. */
  readonly shape: string;
  readonly run: Run & { readonly sink: TraceSink };
  readonly json: JsonReader | null;
}

class Importer {
  private readonly job: ImportJob;
  private readonly progress: Float64Array;
  private opened: Opened | null = null;
  private readonly dates = new DateReader();
  private readonly origin: Origin = { ticks: null };
  private readonly counts: Record<string, number> = {};
  private firstTime: string | null = null;

  constructor(job: ImportJob, progress: Float64Array) {
    this.job = job;
    this.progress = progress;
  }

  get columns(): readonly OptionalColumn[] {
    return this.opened!.run.sink.columns;
  }

  async *blocks(): AsyncGenerator<WriteColumn[]> {
    const { files } = this.job;
    const sizes: number[] = [];
    const packings: Packing[] = [];
    for (const file of files) {
      packings.push(await packingOf(file));
      sizes.push((await stat(file)).size);
    }
    this.progress[PROGRESS_SLOTS + 1] = sizes.reduce((sum, size) => sum + size, 0);
    let before = 0;
    for (const [index, file] of files.entries()) {
      const packing = packings[index]!;
      const reading = packing === "parquet" ? this.parquet(file, index) : this.text(file, packing, before);
      for await (const _ of reading) yield* this.opened?.run.sink.blocks() ?? [];
      before += sizes[index]!;
      this.progress[PROGRESS_SLOTS] = before;
    }
    if (this.opened !== null) yield* this.opened.run.sink.blocks(true);
  }

  about(): TraceAbout {
    const { format, run } = this.opened!;
    const { name, clock, ticksPerS, blockTokens, hashScope } = format;
    const startS = this.dates.epochS ?? (this.origin.ticks === null ? 0 : epochSeconds(this.origin.ticks, ticksPerS));
    if (clock === "dates") refuseNoDate(this.job.files[0]!, startS + run.sink.origin / ticksPerS);
    return {
      format: name,
      files: this.job.files.map((file) => basename(file)),
      clock,
      epochS: clock === "dates" ? startS + run.sink.origin / ticksPerS : null,
      firstTime: this.firstTime,
      blockTokens: blockTokens ?? null,
      hashScope: hashScope ?? null,
      ...run.sink.counts(),
      counts: this.counts,
    };
  }

  /** Opens the first file's format; a later file must have the same one. */
  private open(
    file: string,
    format: CsvFormat | JsonFormat | (Opened["format"] & { readonly kind: "parquet"; readonly sorts?: true }),
    columns: readonly OptionalColumn[],
    shape: string,
  ): Opened {
    if (this.opened === null) {
      const sorts = format.sorts === true || this.job.sort;
      const sink = new TraceSink({ columns, ticksPerS: format.ticksPerS, sorts });
      const run: Opened["run"] = {
        sink,
        dates: this.dates,
        origin: this.origin,
        count: (name) => (this.counts[name] = (this.counts[name] ?? 0) + 1),
        firstTime: (text) => (this.firstTime ??= text),
      };
      this.opened = { format, shape, run, json: format.kind === "json" ? format.open(run) : null };
    } else {
      const { format: before, shape: shapeBefore } = this.opened;
      const first = this.job.files[0]!;
      if (before.name !== format.name)
        throw new DataError(file, null, `format ${format.name}, but ${first} has ${before.name}; import them apart`);
      if (shapeBefore !== shape)
        throw new DataError(file, null, `its columns differ from those of ${first}; import them apart`);
    }
    this.opened.run.sink.startFile(file);
    return this.opened;
  }

  private async *parquet(file: string, index: number): AsyncGenerator<void> {
    const { columns, timeUnit } = this.job;
    const source = await openParquetRows(file, columns, timeUnit, this.progress, index);
    const { format: name, dates, ticksPerS, mapping } = source;
    const clock = dates ? "dates" : "seconds";
    const { run } = this.open(
      file,
      { kind: "parquet", name, clock, ticksPerS },
      optionalColumnsOf(mapping),
      JSON.stringify([mapping, ticksPerS]),
    );
    yield* source.into(run.sink, this.origin);
    source.close();
  }

  private async *text(file: string, packing: Exclude<Packing, "parquet">, before: number): AsyncGenerator<void> {
    let onLine: ((text: string, start: number, stop: number) => void) | null = null;
    let row: (() => void) | null = null;
    let cursor: CsvCursor | null = null;
    let document: string[] | null = null;
    const first = (line: string): void => {
      if (/^\s*[[{]/.test(line)) {
        if (parsed(line) !== undefined && line.trimStart().startsWith("{")) onLine = this.jsonLines(file);
        else {
          const whole: string[] = [];
          document = whole;
          onLine = (piece, from, to) => void whole.push(piece.slice(from, to));
        }
        onLine(line, 0, line.length);
        return;
      }
      let names: string[] | null = null;
      onLine = (piece, from, to) => {
        if (names === null) {
          names = headerNames(file, piece.slice(from, to));
          cursor = new CsvCursor(file, names);
          return;
        }
        if (!cursor!.line(piece, from, to)) {
          if (from === to) this.count("emptyLines");
          return;
        }
        // The format of a mapped table depends on its first time.
        row ??= this.csv(file, cursor!);
        row();
      };
      onLine(line, 0, line.length);
    };
    const bytes = (done: number): void => void (this.progress[PROGRESS_SLOTS] = before + done);
    yield* lines(textChunks(file, packing, bytes), (text, start, stop) => {
      if (onLine !== null) onLine(text, start, stop);
      else if (start < stop) first(text.slice(start, stop).replace(BYTE_ORDER_MARK, ""));
    });
    (cursor as CsvCursor | null)?.end();
    const whole = document as string[] | null;
    if (whole === null) return;
    this.wholeDocument(file, utf8(whole.join("\n")));
    yield;
  }

  private count(name: string): void {
    this.counts[name] = (this.counts[name] ?? 0) + 1;
  }

  private csv(file: string, cursor: CsvCursor): () => void {
    const { columns, format: asked, timeUnit } = this.job;
    const { names } = cursor;
    const ours = asked === null || asked === "crossover" ? identityMapping(names) : null;
    const mapping = columns ?? ours;
    let format: CsvFormat | null;
    if (mapping === null) format = csvFormatOf(file, names, asked);
    else {
      const time = cursor.need(mapping["arrivalS"]!);
      const dates = this.dates.epochS !== null || !/^[+-]?[\d.]+(e[+-]?\d+)?$/i.test(cursor.field(time));
      format = mappedCsv(columns === null ? "crossover" : "mapped", mapping, timeUnit, dates);
    }
    if (format === null) throw unknownFormat(file, `its columns are ${names.join(", ")}`);
    const { run } = this.open(file, format, format.columns(names), names.join(","));
    return format.open(cursor, run);
  }

  private jsonLines(file: string): (text: string, start: number, stop: number) => void {
    let row = 0;
    let read: JsonReader | null = null;
    return (text, start, stop) => {
      const line = utf8(text.slice(start, stop));
      row++;
      if (line.trim() === "") return this.count("emptyLines");
      const record = parsed(line);
      if (!isRecord(record)) throw new DataError(file, row, `not a JSON object: ${line.slice(0, 60)}`);
      read ??= this.json(file, record);
      read(record, row, file);
    };
  }

  private wholeDocument(file: string, text: string): void {
    let document: unknown;
    try {
      document = JSON.parse(text);
    } catch (error) {
      throw new DataError(file, null, `not JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
    const records: readonly unknown[] = Array.isArray(document) ? document : [document];
    let read: JsonReader | null = null;
    records.forEach((record, i) => {
      if (!isRecord(record)) throw new DataError(file, i + 1, "not a JSON object");
      read ??= this.json(file, record);
      read(record, i + 1, file);
    });
  }

  private json(file: string, first: JsonRecord): JsonReader {
    const { columns, format: asked, timeUnit } = this.job;
    const mapping = columns ?? (asked === null || asked === "crossover" ? identityMapping(Object.keys(first)) : null);
    const format = mapping === null ? jsonFormatOf(file, first, asked) : mappedJson(mapping, timeUnit, first);
    if (format === null) throw unknownFormat(file, `its first record has ${Object.keys(first).join(", ")}`);
    const read = this.open(file, format, format.columns(first), "").json!;
    if (mapping !== null) return read;
    return (record, row, of) => {
      // Records of one format may lack what tells it; those of another may look alike.
      const other = format.matches(record) ? null : jsonFormatOf(of, record, null);
      if (other !== null && other.name !== format.name)
        throw new DataError(
          of,
          row,
          `a record of format ${other.name} among those of ${format.name}; import them apart`,
        );
      read(record, row, of);
    };
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch {
    return undefined;
  }
}

function unknownFormat(file: string, what: string): DataError {
  return new DataError(
    file,
    null,
    `no known trace: ${what}. Known are ${TRACE_FORMATS.join(", ")}; any other table is read with --columns arrivalS=…,inputTokens=…,outputTokens=…`,
  );
}
