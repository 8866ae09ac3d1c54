/**
 * A trace with its optional columns, found by name: model, tenant, client, sessionId, status, cachedTokens, hashIds.
 * Parquet holds hash ids as a list of whole numbers; in CSV they are separated by spaces.
 */
import type { DataType, Vector } from "apache-arrow";
import { DataError } from "../kernel/errors.ts";
import type { BlockLists, Labels, RecordedTrace } from "../scenario/recorded-trace.ts";
import { openParquet } from "./parquet-read.ts";
import { ABOUT_KEY } from "./parquet-write.ts";
import { runParquetJob } from "./parquet-thread.ts";
import { siblingModule } from "./thread-module.ts";
import { readTrace } from "./trace.ts";
import { CsvCursor, headerNames } from "./traces/csv-cursor.ts";
import { lines, packingOf, textChunks } from "./traces/text.ts";

/** Names under which a column is known, the first being ours. */
const COLUMNS = {
  models: ["model"],
  tenants: ["tenant", "tenantId"],
  clients: ["client", "clientId"],
  statuses: ["status"],
  sessions: ["sessionId", "session"],
  cachedTokens: ["cachedTokens"],
  blocks: ["hashIds"],
} as const;

type DetailName = keyof typeof COLUMNS;
type TextName = Exclude<DetailName, "cachedTokens" | "blocks">;
const TEXTS: readonly TextName[] = ["models", "tenants", "clients", "statuses", "sessions"];

/** Besides the columns: what the footer of an imported trace says. */
type Details = Pick<RecordedTrace, DetailName | "columns" | "dropped"> & { readonly epochS: number | null };

/** The part of a footer that is read here; a file that no import wrote has none. */
interface Footer {
  readonly epochS?: number | null;
  readonly hashScope?: "global" | "session" | null;
  readonly dropped?: Readonly<Record<string, number>>;
}

export interface TraceDetailsJob {
  readonly kind: "trace-details";
  readonly file: string;
}

/** Reads a trace and what else its columns say. Throws DataError with file and row, as `readTrace` does. */
export async function readRecordedTrace(path: string): Promise<RecordedTrace> {
  const { arrivalS, inputTokens, outputTokens, format, epochS } = await readTrace(path);
  const job: TraceDetailsJob = { kind: "trace-details", file: path };
  const details: Details = format.endsWith("parquet")
    ? await runParquetJob(siblingModule("./parquet-worker", import.meta.url), job, [path])
    : await csvDetails(path);
  return { arrivalS, inputTokens, outputTokens, format, ...details, epochS: epochS ?? details.epochS };
}

/** The worker's side for Parquet. */
export async function traceDetailsInThread(job: TraceDetailsJob, progress: Float64Array): Promise<Details> {
  const { DataType } = await import("apache-arrow");
  const source = await openParquet(job.file, progress);
  const names = source.fields.map(({ name }) => name);
  const found = foundColumns(names);
  const about = JSON.parse(source.metadata.get(ABOUT_KEY) ?? "{}") as { readonly trace?: Footer };
  const collector = new DetailCollector(job.file, names, found, about.trace ?? {});
  for (const [detail, name] of found) {
    const type = source.fields.find((field) => field.name === name)!.type as DataType;
    const needed = neededType(DataType, detail, type);
    if (needed !== null) throw new DataError(job.file, null, `column ${name} has type ${String(type)}, ${needed}`);
  }
  if (found.size > 0) {
    await source.scan([...found.values()], (batch) => {
      const columns = [...found].map(([detail, name]) => [detail, batch.getChild(name)!] as const);
      for (let i = 0; i < batch.numRows; i++)
        for (const [detail, column] of columns) collector.add(detail, column.get(i));
    });
  }
  source.close();
  return collector.finish();
}

/** What is wrong with a column's type, or null. */
function neededType(types: typeof DataType, detail: DetailName, type: DataType): string | null {
  const isNumber = (one: DataType): boolean => types.isInt(one) || types.isFloat(one);
  if (detail === "cachedTokens") return isNumber(type) ? null : "a number is needed";
  if (detail === "blocks") {
    const item = types.isList(type) ? type.children[0]!.type : null;
    return item !== null && isNumber(item) ? null : "a list of numbers is needed";
  }
  const values = types.isDictionary(type) ? type.dictionary : type;
  return types.isUtf8(values) || isNumber(values) ? null : "text or a number is needed";
}

async function csvDetails(file: string): Promise<Details> {
  const packing = await packingOf(file);
  if (packing === "parquet") throw new DataError(file, null, "a CSV file is needed");
  let open: { readonly cursor: CsvCursor; readonly collector: DetailCollector } | null = null;
  let columns: (readonly [DetailName, number])[] = [];
  const reading = lines(textChunks(file, packing), (text, start, stop) => {
    if (open === null) {
      const names = headerNames(file, text.slice(start, stop));
      const found = foundColumns(names);
      const cursor = new CsvCursor(file, names);
      open = { cursor, collector: new DetailCollector(file, names, found, {}) };
      columns = [...found].map(([detail, name]) => [detail, cursor.column(name)] as const);
      return;
    }
    const { cursor, collector } = open;
    if (columns.length === 0 || !cursor.line(text, start, stop)) return;
    for (const [detail, column] of columns) {
      const field = cursor.field(column);
      collector.add(detail, field === "" ? null : field);
    }
  });
  while ((await reading.next()).done !== true);
  if (open === null) throw new DataError(file, null, "the file is empty");
  return (open as { readonly collector: DetailCollector }).collector.finish();
}

function foundColumns(names: readonly string[]): Map<DetailName, string> {
  const found = new Map<DetailName, string>();
  for (const [detail, known] of Object.entries(COLUMNS) as [DetailName, readonly string[]][]) {
    const name = known.find((one) => names.includes(one));
    if (name !== undefined) found.set(detail, name);
  }
  return found;
}

/** Gathers values by row; every column that was found gets one value a row, sessions before blocks. */
class DetailCollector {
  private readonly file: string;
  private readonly columns: readonly string[];
  private readonly footer: Footer;
  private readonly texts = new Map<DetailName, TextColumn>();
  private readonly cached: number[] | null;
  private readonly blockColumn: BlockColumn | null;

  constructor(file: string, columns: readonly string[], found: ReadonlyMap<DetailName, string>, footer: Footer) {
    this.file = file;
    this.columns = columns;
    this.footer = footer;
    for (const detail of TEXTS) if (found.has(detail)) this.texts.set(detail, new TextColumn());
    this.cached = found.has("cachedTokens") ? [] : null;
    this.blockColumn = found.has("blocks") ? new BlockColumn() : null;
  }

  add(detail: DetailName, value: unknown): void {
    if (detail === "cachedTokens") {
      const tokens = value === null ? Number.NaN : Number(value);
      this.cached!.push(tokens);
      if (value !== null && !(tokens >= 0))
        throw new DataError(this.file, this.cached!.length, `cannot read the cached tokens "${String(value)}"`);
    } else if (detail === "blocks") {
      // Ids of one session say nothing about those of another.
      const scope = this.footer.hashScope === "session" ? (this.texts.get("sessions")?.last ?? -1) : null;
      if (value === null || value === undefined) this.blockColumn!.add([], scope);
      else if (typeof value === "string") this.blockColumn!.add(value.split(" "), scope);
      else this.blockColumn!.add(value as Vector, scope);
    } else this.texts.get(detail)!.add(value);
  }

  finish(): Details {
    const text = (name: TextName): Labels | null => this.texts.get(name)?.finish() ?? null;
    return {
      columns: this.columns,
      epochS: this.footer.epochS ?? null,
      dropped: this.footer.dropped ?? {},
      models: text("models"),
      tenants: text("tenants"),
      clients: text("clients"),
      statuses: text("statuses"),
      sessions: text("sessions"),
      cachedTokens: this.cached === null ? null : Float64Array.from(this.cached),
      blocks: this.blockColumn?.finish() ?? null,
    };
  }
}

class TextColumn {
  private readonly index = new Map<string, number>();
  private readonly codes: number[] = [];

  /** Code of the row that was added last. */
  get last(): number {
    return this.codes[this.codes.length - 1] ?? -1;
  }

  add(value: unknown): void {
    if (value === null || value === undefined || value === "") this.codes.push(-1);
    else this.codes.push(codeOf(this.index, String(value)));
  }

  finish(): Labels {
    return { codes: Int32Array.from(this.codes), names: [...this.index.keys()] };
  }
}

class BlockColumn {
  private readonly index = new Map<string | number | bigint, number>();
  private readonly starts: number[] = [0];
  private ids = new Uint32Array(1024);
  private used = 0;

  add(hashes: Iterable<string | number | bigint>, scope: number | null): void {
    for (const hash of hashes) {
      if (this.used === this.ids.length) {
        const larger = new Uint32Array(this.used * 2);
        larger.set(this.ids);
        this.ids = larger;
      }
      this.ids[this.used++] = codeOf(this.index, scope === null ? hash : `${scope}/${hash}`);
    }
    this.starts.push(this.used);
  }

  finish(): BlockLists {
    return {
      starts: Float64Array.from(this.starts),
      ids: this.ids.slice(0, this.used),
      distinct: this.index.size,
    };
  }
}

/** Numbers distinct values from 0 in the order of their first use. */
function codeOf<T>(index: Map<T, number>, value: T): number {
  const known = index.get(value);
  if (known !== undefined) return known;
  index.set(value, index.size);
  return index.size - 1;
}
