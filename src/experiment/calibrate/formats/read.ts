/** Which format a benchmark's file has, by its content, and its runs. Pure: text in, runs out. */
import { parseCsv } from "../../../kernel/csv.ts";
import { DataError } from "../../../kernel/errors.ts";
import { type BenchmarkRun, FORMATS } from "../benchmark-run.ts";
import { isAiperfRecord, isAiperfSummary, readAiperfRequests, readAiperfSummary } from "./aiperf.ts";
import { isBlisTrace, readBlisTrace } from "./blis-trace.ts";
import { parseJson } from "./json.ts";
import { isGuideLlm, readGuideLlm } from "./guidellm.ts";
import { readRequestCsv } from "./request-csv.ts";
import { isVllmBench, readVllmBench } from "./vllm-bench.ts";

export interface BenchmarkFile {
  /** As messages print it. */
  readonly file: string;
  readonly text: string;
  /** Parsed YAML header of a BLIS trace, if one came with it. */
  readonly header?: unknown;
}

/**
 * The runs of a file. `columns`: of a CSV with one row a request, by field. Throws DataError with the row of what is
 * wrong, or with the known formats when the file has none of them.
 */
export function readBenchmark(
  { file, text, header }: BenchmarkFile,
  columns: Readonly<Record<string, string>>,
): readonly BenchmarkRun[] {
  if (text.trim() === "") throw new DataError(file, null, "the file is empty");
  if (/^\s*[[{]/.test(text.replace(/^\uFEFF/, ""))) return readJson(file, text.replace(/^\uFEFF/, ""));
  const csv = parseCsv(file, text);
  if (isBlisTrace(csv)) return [readBlisTrace(file, file, csv, header ?? null)];
  if (csv.names.length < 2)
    throw new DataError(file, null, `neither JSON nor CSV with a header. Known formats: ${knownFormats()}`);
  return [readRequestCsv(file, file, csv, columns)];
}

function readJson(file: string, text: string): readonly BenchmarkRun[] {
  const { documents, lines } = jsonDocuments(file, text);
  if (documents.length === 0) throw new DataError(file, null, "an empty list: no run of a benchmark is in it");
  const [first] = documents;
  if (isAiperfRecord(first)) return [readAiperfRequests(file, file, documents, lines)];
  return documents.flatMap((document, i) => {
    const id = documents.length === 1 ? file : `${file}#${i + 1}`;
    if (isVllmBench(document)) return [readVllmBench(file, id, document)];
    if (isGuideLlm(document)) return readGuideLlm(file, id, document);
    if (isAiperfSummary(document)) return [readAiperfSummary(file, id, document)];
    const isObject = typeof document === "object" && document !== null && !Array.isArray(document);
    const keys = isObject ? Object.keys(document).slice(0, 8) : [];
    const found = keys.length === 0 ? "" : ` It has ${keys.join(", ")}.`;
    throw new DataError(
      file,
      documents.length === 1 ? null : lines[i]!,
      `no benchmark output that is known.${found} Known formats: ${knownFormats()}`,
    );
  });
}

/**
 * The whole text as one document, a list of documents, as people make of the files of a sweep, or one document a line.
 * `lines`: their places, in a list counted by entry.
 */
function jsonDocuments(file: string, text: string): { documents: readonly unknown[]; lines: readonly number[] } {
  try {
    const whole = parseJson(text);
    const documents: readonly unknown[] = Array.isArray(whole) ? whole : [whole];
    return { documents, lines: documents.map((_, i) => i + 1) };
  } catch (whole) {
    const lines = text.split(/\r?\n/).flatMap((line, i) => (line.trim() === "" ? [] : [{ line, row: i + 1 }]));
    if (lines.length < 2 || !isJson(lines[0]!.line)) throw new DataError(file, null, `not JSON: ${messageOf(whole)}`);
    const documents = lines.map(({ line, row }) => {
      try {
        return parseJson(line);
      } catch (error) {
        throw new DataError(file, row, `not JSON: ${messageOf(error)}`);
      }
    });
    return { documents, lines: lines.map(({ row }) => row) };
  }
}

function isJson(line: string): boolean {
  try {
    parseJson(line);
    return true;
  } catch {
    return false;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function knownFormats(): string {
  return Object.values(FORMATS).join("; ");
}
