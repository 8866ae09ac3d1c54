/**
 * Usage and cost exports of API providers: tokens and money by bucket of time and model. Known by their columns:
 *   crossover  start, end or bucketS, model, inputTokens, outputTokens; requests, cachedInputTokens, costUsd as known
 *   openai     dashboard or Usage API as CSV: start_time, end_time, model, num_model_requests, input_tokens, …
 *   anthropic  Console CSV: usage_date_utc, model_version, usage_input_tokens_no_cache, …
 * Times in UTC seconds since 1970, money in USD. What decides over the price of a row beside its tokens (tier, speed, context window,
 * web searches, region) is read where the export has it.
 */
import { readFile } from "node:fs/promises";
import { DAY_S } from "../kernel/calendar-time.ts";
import { columnOf, parseCsv, type CsvTable } from "../kernel/csv.ts";
import { DataError } from "../kernel/errors.ts";
import type { CostRow, PromptWindow, UsageBucket } from "../scenario/usage.ts";
import { nearestName } from "./nearest-name.ts";
import { packingOf } from "./traces/text.ts";
import { readUsageTime } from "./usage-time.ts";

export interface UsageExport {
  readonly format: UsageFormat;
  readonly buckets: readonly UsageBucket[];
  /** What a reader of its figures should know. */
  readonly warnings: readonly string[];
}

export interface CostExport {
  readonly rows: readonly CostRow[];
  readonly warnings: readonly string[];
}

export type UsageFormat = "crossover" | "openai" | "anthropic";

/** A column that the format can't do without tells it. */
const FORMATS: readonly (readonly [UsageFormat, string, readonly string[]])[] = [
  ["crossover", "inputTokens", ["start", "model", "inputTokens", "outputTokens"]],
  ["openai", "input_tokens", ["start_time", "end_time", "model", "input_tokens", "output_tokens"]],
  [
    "anthropic",
    "usage_input_tokens_no_cache",
    ["usage_date_utc", "model_version", "usage_input_tokens_no_cache", "usage_output_tokens"],
  ],
];

const OUR_COLUMNS =
  "usage of any other source is read with the columns start, end (or bucketS), model, inputTokens and outputTokens, and requests, cachedInputTokens and costUsd if known";

/** Whether a header is that of a usage export, as far as its telling column goes. */
export function isUsageHeader(names: readonly string[]): boolean {
  return FORMATS.some(
    ([, column, needed]) =>
      names.includes(column) && needed.some((name) => /start|date/.test(name) && names.includes(name)),
  );
}

/** Reads a usage export. Throws DataError with file and row for what is wrong in it. */
export async function readUsage(file: string): Promise<UsageExport> {
  const table = await readCsvTable(file);
  const known = FORMATS.find(([, column]) => table.names.includes(column));
  if (known === undefined) {
    const columns = FORMATS.map(([name, , needed]) => `${needed.join(", ")} (${name})`).join(" or ");
    throw new DataError(file, null, `not a known usage export; needed are the columns ${columns}`);
  }
  const [format, , needed] = known;
  need(file, table, needed, format === "crossover" ? "" : `. It reads like an export of ${format}; ${OUR_COLUMNS}`);
  const buckets = table.rows.flatMap((_, r): UsageBucket[] => {
    const bucket = READERS[format](new Row(file, table, r));
    return bucket === null ? [] : [bucket];
  });
  if (buckets.length === 0) throw new DataError(file, null, "the export has no row with usage");
  return { format, buckets, warnings: [...equalRows(file, table), ...strangeWindows(file, table)] };
}

/** Rows that two exports of overlapping periods, pasted together, give twice; both count, since a grouping that was left out looks the same. */
function equalRows(file: string, { rows }: CsvTable): string[] {
  const seen = new Map<string, number>();
  const pairs = rows.flatMap((row, i) => {
    const key = row.join("\0");
    const first = seen.get(key);
    if (first === undefined) seen.set(key, i + 1);
    return first === undefined ? [] : [[first, i + 1]];
  });
  if (pairs.length === 0) return [];
  const [[first, second]] = pairs as [[number, number]];
  const more = pairs.length === 1 ? "" : `, and ${pairs.length - 1} more such pairs`;
  return [`${file}: rows ${first} and ${second} are equal in every column${more}; both count`];
}

/** Context windows whose names say nothing of lengths: their rows are priced without them. */
function strangeWindows(file: string, { names, rows }: CsvTable): string[] {
  const at = names.indexOf(CONTEXT_WINDOW);
  const strange = rows.map((row) => (row[at] ?? "").trim()).filter((text) => promptWindow(text) === undefined);
  if (strange.length === 0) return [];
  return [
    `${file}: ${strange.length} rows have a ${CONTEXT_WINDOW} that is not known ("${strange[0]}"): how long their prompts are counts as not told`,
  ];
}

/** Money by bucket: start and costUsd, or OpenAI's start_time and amount_value, or Anthropic's usage_date_utc and cost_usd. */
export async function readCosts(file: string): Promise<CostExport> {
  const table = await readCsvTable(file);
  const [time, amount] = (
    [
      ["start_time", "amount_value"],
      ["usage_date_utc", "cost_usd"],
    ] as const
  ).find(([, column]) => table.names.includes(column)) ?? ["start", "costUsd"];
  need(file, table, [time, amount]);
  const rows = table.rows.flatMap((_, r): CostRow[] => {
    const row = new Row(file, table, r);
    const currency = row.text("amount_currency");
    if (currency !== "" && currency.toLowerCase() !== "usd") row.refuse(`the currency is ${currency}, not USD`);
    const usd = row.numberOrNull(amount);
    return usd === null ? [] : [{ startEpochS: row.time(time), usd }];
  });
  return { rows, warnings: equalRows(file, table) };
}

async function readCsvTable(file: string): Promise<CsvTable> {
  const packing = await packingOf(file);
  if (packing !== "plain") throw new DataError(file, null, `this is ${packing}, a plain CSV file is needed`);
  return parseCsv(file, await readFile(file, "utf8"));
}

/** Throws a DataError with every column that is missing, and `advice`. */
function need(file: string, { names }: CsvTable, needed: readonly string[], advice = ""): void {
  const missing = needed.filter((name) => !names.includes(name));
  const message = missing.map((name) => `no column ${name}${nearestName(name, names)}`).join("; ");
  if (missing.length > 0) throw new DataError(file, null, `${message}${advice}`);
}

/** Null: the bucket saw no usage. */
const READERS: Readonly<Record<UsageFormat, (row: Row) => UsageBucket | null>> = {
  crossover: (row) => {
    const startEpochS = row.time("start");
    const lengthS = row.numberOrNull("bucketS");
    if (lengthS === null && row.text("end") === "") row.refuse("neither end nor bucketS is given");
    return row.bucket({
      startEpochS,
      endEpochS: lengthS === null ? row.time("end") : startEpochS + lengthS,
      model: row.text("model"),
      requests: row.numberOrNull("requests"),
      inputTokens: row.number("inputTokens"),
      cachedInputTokens: row.numberOrNull("cachedInputTokens") ?? 0,
      cacheWriteTokens: 0,
      cacheWrite1hTokens: 0,
      outputTokens: row.number("outputTokens"),
      costUsd: row.numberOrNull("costUsd"),
      batch: false,
      ...PLAIN,
    });
  },
  openai: (row) => {
    if (row.text("input_tokens") === "" && row.text("output_tokens") === "") return null;
    return row.bucket({
      startEpochS: row.time("start_time"),
      endEpochS: row.time("end_time"),
      model: row.text("model"),
      requests: row.numberOrNull("num_model_requests"),
      inputTokens: row.numberOrNull("input_tokens") ?? 0,
      cachedInputTokens: row.numberOrNull("input_cached_tokens") ?? 0,
      cacheWriteTokens: 0,
      cacheWrite1hTokens: 0,
      outputTokens: row.numberOrNull("output_tokens") ?? 0,
      costUsd: null,
      ...PLAIN,
      ...row.soldAs("service_tier"),
      ...(/^(true|1)$/i.test(row.text("batch")) ? { batch: true } : {}),
    });
  },
  anthropic: (row) => {
    const startEpochS = row.time("usage_date_utc");
    const cachedInputTokens = row.numberOrNull("usage_input_tokens_cache_read") ?? 0;
    const cacheWriteTokens =
      (row.numberOrNull("usage_input_tokens_cache_write_5m") ?? 0) +
      (row.numberOrNull("usage_input_tokens_cache_write") ?? 0);
    const cacheWrite1hTokens = row.numberOrNull("usage_input_tokens_cache_write_1h") ?? 0;
    return row.bucket({
      startEpochS,
      endEpochS: startEpochS + DAY_S,
      model: row.text("model_version"),
      requests: null,
      inputTokens:
        row.number("usage_input_tokens_no_cache") + cachedInputTokens + cacheWriteTokens + cacheWrite1hTokens,
      cachedInputTokens,
      cacheWriteTokens,
      cacheWrite1hTokens,
      outputTokens: row.number("usage_output_tokens"),
      costUsd: null,
      ...row.soldAs("service_tier", "usage_type", "speed"),
      promptWindow: promptWindow(row.text(CONTEXT_WINDOW)) ?? null,
      webSearches: row.numberOrNull("web_search_count") ?? 0,
      region: row.named("inference_geo", ["global", NOT_AVAILABLE]),
    });
  },
};

/** What exports say that do not know of these. */
const PLAIN = { tier: null, promptWindow: null, webSearches: 0, region: null } as const;

const CONTEXT_WINDOW = "context_window";
const NOT_AVAILABLE = "not_available";

/** "≤ 200k" and "0-200k", "> 200k" and "200k-1M"; null where nothing is told, undefined for what is not known. */
function promptWindow(text: string): PromptWindow | null | undefined {
  const plain = text.toLowerCase().replace(/[\s,]|tokens$/g, "");
  if (plain === "" || plain === NOT_AVAILABLE) return null;
  const match =
    /^(?:(?<from>\d+[km]?)[-–](?<to>\d+[km]?)|(?:≤|<=?)(?<most>\d+[km]?)|(?:≥|>=?)(?<above>\d+[km]?))$/.exec(plain);
  if (match === null) return undefined;
  const { from, to, most, above } = match.groups!;
  const end = to ?? most;
  return { above: tokensOf(from ?? above ?? "0"), upTo: end === undefined ? null : tokensOf(end) };
}

/** 200k and 1m as numbers. */
function tokensOf(text: string): number {
  return Number.parseInt(text, 10) * (text.endsWith("k") ? 1e3 : text.endsWith("m") ? 1e6 : 1);
}

class Row {
  private readonly file: string;
  private readonly table: CsvTable;
  private readonly index: number;

  constructor(file: string, table: CsvTable, index: number) {
    this.file = file;
    this.table = table;
    this.index = index;
  }

  /** Empty where the column is not there. */
  text(column: string): string {
    return (this.table.rows[this.index]![columnOf(this.file, this.table.names, column)] ?? "").trim();
  }

  numberOrNull(column: string): number | null {
    const text = this.text(column);
    if (text === "") return null;
    const value = Number(text);
    if (!Number.isFinite(value)) this.refuse(`cannot read the number "${text}" in ${column}`);
    return value;
  }

  number(column: string): number {
    return this.numberOrNull(column) ?? this.refuse(`${column} is empty`);
  }

  /** In lower case; null where it is empty or one of the names that say nothing. */
  named(column: string, nothing: readonly string[]): string | null {
    const name = this.text(column).toLowerCase();
    return name === "" || nothing.includes(name) ? null : name;
  }

  /** Whether the columns say batch, and what else but the default; two such names at once are a tier of their own. */
  soldAs(...columns: readonly string[]): Pick<UsageBucket, "batch" | "tier"> {
    const names = columns.map((column) => this.named(column, ["default", "standard", NOT_AVAILABLE]));
    const tiers = [...new Set(names)].filter((name) => name !== null && name !== "batch");
    return { batch: names.includes("batch"), tier: tiers.length === 0 ? null : tiers.join(" and ") };
  }

  time(column: string): number {
    const time = readUsageTime(this.text(column));
    return typeof time === "number"
      ? time
      : this.refuse(`cannot read the time "${this.text(column)}" in ${column}; ${time}`);
  }

  /** The bucket, if its figures can be. */
  bucket(bucket: UsageBucket): UsageBucket {
    const { startEpochS, endEpochS, requests, inputTokens, outputTokens } = bucket;
    const cached = bucket.cachedInputTokens + bucket.cacheWriteTokens + bucket.cacheWrite1hTokens;
    if (!(endEpochS > startEpochS)) this.refuse("the bucket ends before it starts");
    if (Math.min(inputTokens, outputTokens, cached, requests ?? 0, bucket.webSearches) < 0)
      this.refuse("a count is negative");
    if (!Number.isInteger(requests ?? 0)) this.refuse(`${requests} is no whole number of requests`);
    if (cached > inputTokens)
      this.refuse(`${cached} cached input tokens are more than the ${inputTokens} input tokens`);
    return bucket;
  }

  refuse(message: string): never {
    throw new DataError(this.file, this.index + 1, message);
  }
}
