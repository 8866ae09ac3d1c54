/**
 * BLIS TraceV2 (inference-sim/inference-sim sim/workload/tracev2.go, Apache-2.0, read at 0045b72): a CSV with one row a
 * request, times in whole µs, and a YAML header beside it that names the server. What was simulated (`mode: generated`
 * or `replayed`) is refused: it would calibrate one simulator to another.
 */
import { columnOf, numberInField, type CsvTable } from "../../../kernel/csv.ts";
import { DataError } from "../../../kernel/errors.ts";
import {
  type BenchmarkRun,
  Dropped,
  type RequestRow,
  type RunFacts,
  requestsOf,
  runOfRequests,
} from "../benchmark-run.ts";
import { numberAt, textAt } from "./json.ts";

const NEEDED = [
  "input_tokens",
  "output_tokens",
  "arrival_time_us",
  "send_time_us",
  "first_chunk_time_us",
  "last_chunk_time_us",
  "status",
] as const;

export function isBlisTrace({ names }: CsvTable): boolean {
  return names.includes("first_chunk_time_us") && names.includes("send_time_us");
}

export function isBlisHeader(value: unknown): boolean {
  return numberAt(value, "trace_version") !== null;
}

/** `header`: the parsed YAML, null when there is none. Throws DataError with the row that is wrong. */
export function readBlisTrace(file: string, id: string, csv: CsvTable, header: unknown): BenchmarkRun {
  const mode = textAt(header, "mode");
  if (mode !== null && mode !== "real")
    throw new DataError(file, null, `its header says mode ${mode}: these times were simulated, not measured`);
  const unit = textAt(header, "time_unit");
  if (unit !== null && unit !== "us" && unit !== "microseconds")
    throw new DataError(file, null, `its header says time_unit ${unit}; us is what the columns are named for`);
  const columns = NEEDED.map((name) => {
    const at = columnOf(file, csv.names, name);
    if (at < 0) throw new DataError(file, null, `no column ${name}`);
    return at;
  });
  const serverInput = columnOf(file, csv.names, "server_input_tokens");
  const warmup = numberAt(header, "warm_up_requests") ?? 0;
  const dropped = new Dropped();
  const rows: RequestRow[] = [];
  csv.rows.forEach((cells, i) => {
    const row = i + 1;
    const at = (which: number): number => numberInField(file, row, NEEDED[which]!, cells[columns[which]!]!);
    const status = cells[columns[6]!]!;
    if (status !== "ok") return dropped.add(status === "" ? "no status" : status);
    if (at(1) === 0) return dropped.add("no output");
    const sentUs = at(3) > 0 ? at(3) : at(2);
    const servedInput = serverInput < 0 ? 0 : numberInField(file, row, "server_input_tokens", cells[serverInput]!);
    rows.push({
      row,
      arrivalS: sentUs / 1e6,
      inputTokens: servedInput > 0 ? servedInput : at(0),
      outputTokens: at(1),
      ttftS: (at(4) - sentUs) / 1e6,
      decodeS: (at(5) - at(4)) / 1e6,
      warmup: i < warmup,
    });
  });
  const run = { id, file, format: "blis-trace", facts: factsOf(header, csv) } as const;
  return runOfRequests(run, requestsOf(file, rows), dropped.counts);
}

function factsOf(header: unknown, { names, rows }: CsvTable): RunFacts {
  const modelColumn = names.indexOf("model");
  const server = (name: string): number | null => {
    const value = numberAt(header, "server", name);
    return value === null || value === 0 ? null : value;
  };
  return {
    model: textAt(header, "server", "model") ?? (rows[0]?.[modelColumn] || null),
    engine: textAt(header, "server", "type"),
    tensorParallelSize: server("tensor_parallel"),
    maxNumSeqs: server("max_num_seqs"),
    blockTokens: server("block_size"),
    gpuMemoryUtilization: server("gpu_memory_utilization"),
    maxModelLen: server("max_model_len"),
  };
}
