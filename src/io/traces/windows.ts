/**
 * Recordings that hold no single requests but windows of time: usage exports of providers (tokens by day or hour and
 * model) and ServeGen's clients (alibaba/ServeGen: rate and shape of the gaps by ten minutes, histograms of lengths by six
 * hours). They become a table of windows, and one of histograms beside it.
 */
import { rename, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { DataError } from "../../kernel/errors.ts";
import { loadParquetEncoder, numbers, strings, type TraceAbout, type WriteColumn } from "../parquet-write.ts";
import { isUsageHeader, readUsage } from "../usage-csv.ts";
import { isRecord } from "./json-value.ts";
import { BYTE_ORDER_MARK, packingOf, textChunks, utf8 } from "./text.ts";

/** A stretch of one client's or model's traffic. NaN is null. */
interface Window {
  readonly startS: number;
  readonly lengthS: number;
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly costUsd: number;
  /** Coefficient of variation of the gaps, the family they were fitted with, and its two parameters. */
  readonly cv: number;
  readonly family: string;
  readonly shape: number;
  readonly scale: number;
  readonly client: string;
  readonly model: string;
  /** `batch`, or empty where the export does not tell. */
  readonly serviceTier: string;
}

interface Bin {
  readonly client: string;
  readonly field: string;
  readonly startS: number;
  readonly value: number;
  readonly probability: number;
}

export interface WindowsImported {
  readonly about: TraceAbout;
  readonly columns: readonly string[];
  /** The table of histograms, where there are any. */
  readonly histograms: string | null;
}

type WindowFormat = "usage" | "servegen";

/** Which kind of windows a file holds; null if it is another kind of trace. Throws DataError if it is missing or empty. */
export async function windowFormatOf(file: string): Promise<WindowFormat | null> {
  const packing = await packingOf(file);
  if (packing === "parquet") return null;
  for await (const chunk of textChunks(file, packing)) {
    const head = chunk.replace(BYTE_ORDER_MARK, "");
    const [line = ""] = head.split(/\r?\n/, 1);
    if (SERVEGEN_ROW.test(line) || SERVEGEN_DATASET.test(head)) return "servegen";
    return isUsageHeader(line.split(",").map((name) => name.trim())) ? "usage" : null;
  }
  return null;
}

const NUMBER = String.raw`-?\d+(?:\.\d+)?(?:e[+-]?\d+)?`;
/** Start, rate, CV, family or nothing, two parameters; there is no header. */
const SERVEGEN_ROW = new RegExp(`^${NUMBER},${NUMBER},${NUMBER},(?:[A-Za-z]+)?,${NUMBER},${NUMBER}$`, "i");
const SERVEGEN_DATASET = /^\s*\{\s*"\d+"\s*:\s*\{\s*"\w+"\s*:\s*"\{/;

/** Reads `files` and writes `target`, and histograms beside it. Throws DataError with file and row, or Node's error. */
export async function importWindows(
  files: readonly string[],
  format: WindowFormat,
  target: string,
): Promise<WindowsImported> {
  const windows: Window[] = [];
  const bins: Bin[] = [];
  const counts: Record<string, number> = {};
  for (const file of files) {
    const found = await windowFormatOf(file);
    if (found !== format)
      throw new DataError(file, null, `format ${found ?? "unknown"}, but ${files[0]} has ${format}; import them apart`);
    if (format === "usage") windows.push(...(await usageWindows(file)));
    else await readServeGen(file, windows, bins, counts);
  }
  windows.sort((a, b) => a.startS - b.startS);
  if (format === "usage") {
    const equal = windows.length - new Set(windows.map((window) => Object.values(window).join("\0"))).size;
    if (equal > 0) counts["equalWindows"] = equal;
  }
  const originS = format === "usage" ? (windows[0]?.startS ?? 0) : 0;
  const columns: WriteColumn[] = [
    numbers(
      "startS",
      "float64",
      windows.map(({ startS }) => startS - originS),
    ),
    ...(
      ["lengthS", "requests", "inputTokens", "outputTokens", "cachedTokens", "costUsd", "cv", "shape", "scale"] as const
    )
      .filter((name) => windows.some((window) => !Number.isNaN(window[name])))
      .map((name) =>
        numbers(
          name,
          "float64",
          Float64Array.from(windows, (window) => window[name]),
          true,
        ),
      ),
    ...(["family", "client", "model", "serviceTier"] as const)
      .filter((name) => windows.some((window) => window[name] !== ""))
      .map((name) =>
        strings(
          name,
          windows.map((window) => window[name]),
        ),
      ),
  ];
  const about: TraceAbout = {
    format,
    files: files.map((file) => basename(file)),
    clock: format === "usage" ? "dates" : "seconds",
    epochS: format === "usage" ? originS : null,
    firstTime: null,
    blockTokens: null,
    hashScope: null,
    rowsRead: windows.length,
    rows: windows.length,
    dropped: {},
    failed: 0,
    inversions: 0,
    sameTime: 0,
    counts,
  };
  const histograms = bins.length === 0 ? null : `${target.replace(/\.parquet$/, "")}.histograms.parquet`;
  await writeTable(target, "trace-windows", columns, about);
  if (histograms !== null) await writeTable(histograms, "trace-histograms", histogramColumns(bins), about);
  return { about, columns: columns.map(({ name }) => name), histograms };
}

function histogramColumns(bins: readonly Bin[]): WriteColumn[] {
  return [
    strings(
      "client",
      bins.map(({ client }) => client),
    ),
    strings(
      "field",
      bins.map(({ field }) => field),
    ),
    numbers(
      "startS",
      "float64",
      bins.map(({ startS }) => startS),
    ),
    numbers(
      "value",
      "float64",
      bins.map(({ value }) => value),
    ),
    numbers(
      "probability",
      "float64",
      bins.map(({ probability }) => probability),
    ),
  ];
}

const TABLE_UNITS: Readonly<Record<string, string>> = {
  startS: "s",
  lengthS: "s",
  inputTokens: "tokens",
  outputTokens: "tokens",
  cachedTokens: "tokens",
  costUsd: "USD",
};

async function writeTable(
  target: string,
  table: string,
  columns: readonly WriteColumn[],
  trace: TraceAbout,
): Promise<void> {
  const units = Object.fromEntries(
    columns.flatMap(({ name }) => (TABLE_UNITS[name] === undefined ? [] : [[name, TABLE_UNITS[name]]])),
  );
  const bytes = (await loadParquetEncoder()).encode(columns, { table, units, trace });
  const temporary = `${target}.tmp`;
  try {
    await writeFile(temporary, bytes);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function usageWindows(file: string): Promise<Window[]> {
  const { buckets } = await readUsage(file);
  return buckets.map((bucket) => ({
    startS: bucket.startEpochS,
    lengthS: bucket.endEpochS - bucket.startEpochS,
    requests: bucket.requests ?? Number.NaN,
    inputTokens: bucket.inputTokens,
    outputTokens: bucket.outputTokens,
    cachedTokens: bucket.cachedInputTokens,
    costUsd: bucket.costUsd ?? Number.NaN,
    cv: Number.NaN,
    family: "",
    shape: Number.NaN,
    scale: Number.NaN,
    client: "",
    model: bucket.model,
    serviceTier: bucket.batch ? "batch" : "",
  }));
}

async function readServeGen(
  file: string,
  windows: Window[],
  bins: Bin[],
  counts: Record<string, number>,
): Promise<void> {
  const pieces: string[] = [];
  const packing = await packingOf(file);
  if (packing === "parquet") throw new DataError(file, null, "Parquet, where ServeGen has CSV and JSON");
  for await (const chunk of textChunks(file, packing)) pieces.push(chunk);
  const text = utf8(pieces.join("")).replace(/^\ufeff/, "");
  const client = /chunk-(\w+?)-(?:trace|dataset)/.exec(basename(file))?.[1] ?? basename(file);
  if (text.trimStart().startsWith("{")) bins.push(...histogramBins(file, text, client, counts));
  else windows.push(...clientWindows(file, text, client, counts));
}

/** Of rate and shape the rate is authoritative: times the window's length it is a whole number of requests. */
function clientWindows(file: string, text: string, client: string, counts: Record<string, number>): Window[] {
  const rows = text.split(/\r?\n/).filter((line) => line !== "");
  const startOf = (line: string | undefined): number => Number(line?.split(",", 1)[0]);
  const lengthS = rows.length > 1 ? startOf(rows[1]) - startOf(rows[0]) : 600;
  return rows.map((line, i) => {
    const row = i + 1;
    if (!SERVEGEN_ROW.test(line))
      throw new DataError(file, row, `no window of start, rate, CV, family and two parameters: ${line}`);
    const [start, rate, cv, family = "", shape, scale] = line.split(",");
    const startS = Number(start);
    if (i > 0 && startS <= startOf(rows[i - 1]))
      throw new DataError(file, row, `starts at ${startS} s, not after the window before: unsorted or given twice`);
    if (i > 0 && startS - startOf(rows[i - 1]) !== lengthS)
      throw new DataError(file, row, `starts at ${startS} s, windows of ${lengthS} s are expected`);
    const requests = Math.round(Number(rate) * lengthS);
    if (Math.abs(Number(rate) * lengthS - requests) > 1e-6 * Math.max(1, requests))
      throw new DataError(file, row, `${rate} requests/s in ${lengthS} s are no whole number of requests`);
    if (requests === 0) counts["silentWindows"] = (counts["silentWindows"] ?? 0) + 1;
    const known = family !== "";
    return {
      startS,
      lengthS,
      requests,
      inputTokens: Number.NaN,
      outputTokens: Number.NaN,
      cachedTokens: Number.NaN,
      costUsd: Number.NaN,
      cv: known ? Number(cv) : Number.NaN,
      family: family.toLowerCase(),
      shape: known ? Number(shape) : Number.NaN,
      scale: known ? Number(scale) : Number.NaN,
      client,
      model: "",
      serviceTier: "",
    };
  });
}

/** By start of the window and field: a Python dictionary as text, from value to probability. */
function histogramBins(file: string, text: string, client: string, counts: Record<string, number>): Bin[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new DataError(file, null, `not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isRecord(document)) throw new DataError(file, null, "no object of windows");
  const bins: Bin[] = [];
  Object.entries(document).forEach(([start, fields], i) => {
    counts["histogramWindows"] = (counts["histogramWindows"] ?? 0) + 1;
    for (const [field, dictionary] of Object.entries(isRecord(fields) ? fields : {})) {
      let sum = 0;
      const body = /^\{(.*)\}$/s.exec(String(dictionary))?.[1];
      if (body === undefined) throw new DataError(file, i + 1, `${field} of window ${start} is no dictionary`);
      if (body.trim() === "") continue;
      for (const pair of body.split(",")) {
        const [value, probability] = pair.split(":").map(Number);
        if (!Number.isFinite(value) || !(probability! >= 0))
          throw new DataError(file, i + 1, `${field} of window ${start} holds "${pair.trim()}"`);
        sum += probability!;
        bins.push({ client, field, startS: Number(start), value: value!, probability: probability! });
      }
      if (Math.abs(sum - 1) > 1e-6)
        throw new DataError(file, i + 1, `the probabilities of ${field} in window ${start} add up to ${sum}`);
    }
  });
  return bins;
}
