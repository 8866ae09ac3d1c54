/**
 * CSV formats with a row a request, known by their columns. Sources: Azure/AzurePublicDataset (LLM inference traces 2023
 * and 2024, LMM 2025), HPMLL/BurstGPT, microsoft/vidur, Mutinifni/splitwise-sim, inference-sim TraceV2 (BLIS),
 * vllm-project/semantic-router (fleet-sim).
 */
import { DataError } from "../../kernel/errors.ts";
import { refuseDate } from "../trace-csv.ts";
import type { CsvCursor } from "./csv-cursor.ts";
import type { CsvFormat, Run } from "./format.ts";
import { liteLlm } from "./log-formats.ts";

const NO_COLUMNS = () => [] as const;

const AZURE = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"] as const;

/** Rows with an answer of no tokens stay and are counted: the source does not say why. */
function azureRow(cursor: CsvCursor, run: Run): () => void {
  const [time, input, output] = AZURE.map((name) => cursor.need(name)) as [number, number, number];
  const images = cursor.column("NumImages");
  const { sink, dates } = run;
  return () => {
    const nanos = dates.nanos(cursor.text, cursor.from(time), cursor.to(time));
    if (Number.isNaN(nanos)) refuseDate(cursor, time);
    if (sink.length === 0) run.firstTime(cursor.field(time));
    const outputTokens = cursor.count(output);
    sink.add(cursor.row, nanos, cursor.count(input), outputTokens);
    if (outputTokens === 0) run.count("zeroOutput");
    if (images >= 0) sink.number("images", cursor.count(images, "number of images"), cursor.row);
  };
}

const azureLlm: CsvFormat = {
  kind: "csv",
  name: "azure-llm",
  ticksPerS: 1e9,
  clock: "dates",
  needs: AZURE,
  columns: NO_COLUMNS,
  open: azureRow,
};

const azureLmm: CsvFormat = {
  ...azureLlm,
  name: "azure-lmm",
  needs: [...AZURE, "NumImages"],
  columns: () => ["images"],
};

/** A response of no tokens is a failure; the request was offered all the same. */
const burstGpt: CsvFormat = {
  kind: "csv",
  name: "burstgpt",
  ticksPerS: 1,
  clock: "seconds",
  needs: ["Timestamp", "Model", "Request tokens", "Response tokens", "Total tokens", "Log Type"],
  columns: (names) => [
    "model",
    "className",
    "status",
    ...(names.includes("Session ID") ? (["sessionId", "e2eS"] as const) : []),
  ],
  open(cursor, run) {
    const [time, model, input, output, total, kind] = this.needs.map((name) => cursor.need(name)) as number[];
    const session = cursor.column("Session ID");
    const elapsed = cursor.column("Elapsed time");
    const { sink } = run;
    return () => {
      const inputTokens = cursor.count(input!);
      const outputTokens = cursor.count(output!);
      if (cursor.count(total!) !== inputTokens + outputTokens)
        cursor.refuse(
          `Total tokens ${cursor.field(total!)} is not the sum of ${inputTokens} request and ${outputTokens} response tokens`,
        );
      if (sink.length === 0) run.firstTime(cursor.field(time!));
      sink.add(cursor.row, cursor.decimal(time!, "arrival time"), inputTokens, outputTokens);
      sink.text("model", cursor.field(model!));
      sink.text("className", cursor.field(kind!));
      sink.status(outputTokens === 0 ? "error" : "ok");
      if (session < 0) return;
      sink.text("sessionId", cursor.field(session));
      sink.number("e2eS", cursor.optional(elapsed, "elapsed time"), cursor.row);
    };
  },
};

/** A format of seconds and two counts, and texts of other columns. */
function secondsFormat(
  name: string,
  [time, input, output]: readonly [string, string, string],
  texts: Readonly<Partial<Record<"requestId" | "model" | "client", string>>> = {},
  extra: readonly string[] = [],
): CsvFormat {
  const columns = Object.keys(texts) as (keyof typeof texts)[];
  return {
    kind: "csv",
    name,
    ticksPerS: 1,
    clock: "seconds",
    needs: [time, input, output, ...Object.values(texts), ...extra],
    columns: () => [...columns, ...(extra.length > 0 ? (["extra"] as const) : [])],
    open(cursor, run) {
      const [timeAt, inputAt, outputAt] = [time, input, output].map((column) => cursor.need(column)) as number[];
      const textsAt = columns.map((column) => [column, cursor.need(texts[column]!)] as const);
      const { sink } = run;
      return () => {
        if (sink.length === 0) run.firstTime(cursor.field(timeAt!));
        sink.add(cursor.row, cursor.decimal(timeAt!, "arrival time"), cursor.count(inputAt!), cursor.count(outputAt!));
        for (const [column, at] of textsAt) sink.text(column, cursor.field(at));
        if (extra.length > 0) sink.text("extra", extraOf(cursor, extra));
      };
    },
  };
}

/** Fields by column as JSON, as they are written; empty ones are left out. */
function extraOf(cursor: CsvCursor, names: readonly string[]): string {
  const fields: Record<string, string> = {};
  for (const name of names) {
    const field = cursor.field(cursor.column(name));
    if (field !== "") fields[name] = field;
  }
  return Object.keys(fields).length === 0 ? "" : JSON.stringify(fields);
}

const vidur = secondsFormat("vidur", ["arrived_at", "num_prefill_tokens", "num_decode_tokens"]);

/** SageServe has these columns too, but repeats its ids in batches. */
const splitwise: CsvFormat = {
  ...secondsFormat(
    "splitwise-sim",
    ["arrival_timestamp", "prompt_size", "token_size"],
    { requestId: "request_id", client: "application_id" },
    ["request_type", "batch_size"],
  ),
  not: "client_tenant",
};

const fleetSim = secondsFormat("fleet-sim", ["timestamp", "prompt_tokens", "generated_tokens"], {
  model: "selected_model",
});

/** Lengths without times: all requests arrive at once. */
const vidurLengths: CsvFormat = {
  kind: "csv",
  name: "vidur-lengths",
  ticksPerS: 1,
  clock: "none",
  needs: ["num_prefill_tokens", "num_decode_tokens", "pd_ratio"],
  columns: NO_COLUMNS,
  open(cursor, { sink }) {
    const input = cursor.need("num_prefill_tokens");
    const output = cursor.need("num_decode_tokens");
    return () => void sink.add(cursor.row, 0, cursor.count(input), cursor.count(output));
  },
};

const BLIS_TEXTS = [
  ["requestId", "request_id"],
  ["client", "client_id"],
  ["tenant", "tenant_id"],
  ["className", "slo_class"],
  ["sessionId", "session_id"],
  ["model", "model"],
  ["finish", "finish_reason"],
] as const;
const BLIS_TAKEN = [...BLIS_TEXTS.map(([, name]) => name), "round_index", "input_tokens", "output_tokens", "status"];

const blis: CsvFormat = {
  kind: "csv",
  name: "blis-trace",
  ticksPerS: 1e6,
  clock: "seconds",
  needs: [
    "request_id",
    "input_tokens",
    "output_tokens",
    "arrival_time_us",
    "send_time_us",
    "first_chunk_time_us",
    "last_chunk_time_us",
    "status",
  ],
  columns: () => [...BLIS_TEXTS.map(([column]) => column), "turn", "status", "ttftS", "e2eS", "extra"],
  open(cursor, run) {
    const [id, input, output, arrival, send, first, last, status] = this.needs.map((name) => cursor.need(name));
    const others = cursor.names.filter((name) => name !== "arrival_time_us" && !BLIS_TAKEN.includes(name));
    const textsAt = BLIS_TEXTS.map(([column, name]) => [column, cursor.column(name)] as const);
    const turn = cursor.column("round_index");
    const { sink } = run;
    const seen = new Set<string>();
    return () => {
      const requestId = cursor.field(id!);
      if (seen.has(requestId)) cursor.refuse(`request_id ${requestId} stands in an earlier row too`);
      seen.add(requestId);
      const arrivalUs = cursor.count(arrival!, "arrival time");
      if (sink.length === 0) run.firstTime(cursor.field(arrival!));
      sink.add(cursor.row, arrivalUs, cursor.count(input!), cursor.count(output!));
      for (const [column, at] of textsAt) sink.text(column, cursor.field(at));
      sink.number("turn", cursor.optional(turn, "round index"), cursor.row);
      sink.status(cursor.field(status!) || "ok");
      const sentUs = cursor.count(send!, "time") || arrivalUs;
      for (const [column, at] of [
        ["ttftS", first!],
        ["e2eS", last!],
      ] as const) {
        // 0: not recorded.
        const us = cursor.count(at, "time");
        if (us > 0) sink.number(column, (us - sentUs) / 1e6, cursor.row);
      }
      sink.text("extra", extraOf(cursor, others));
    };
  },
};

/** LiteLLM's table of spend logs, exported as CSV: read like the records of its JSON. */
const liteLlmCsv: CsvFormat = {
  kind: "csv",
  name: liteLlm.name,
  ticksPerS: liteLlm.ticksPerS,
  clock: liteLlm.clock,
  sorts: true,
  needs: ["startTime", "prompt_tokens", "completion_tokens", "model"],
  columns: () => liteLlm.columns({}),
  open(cursor, run) {
    const read = liteLlm.open(run);
    return () =>
      read(Object.fromEntries(cursor.names.map((name, i) => [name, cursor.field(i)])), cursor.row, cursor.file);
  },
};

/** The more columns a format needs, the earlier it stands, so that one that needs a part of them does not hide it. */
const FORMATS: readonly CsvFormat[] = [
  azureLmm,
  azureLlm,
  burstGpt,
  blis,
  splitwise,
  fleetSim,
  liteLlmCsv,
  vidur,
  vidurLengths,
];

/** Names of the formats. */
export const CSV_FORMATS: readonly string[] = FORMATS.map(({ name }) => name);

/** The format of a header; null if none fits. `name`: the only one to try, which then must fit. Throws DataError. */
export function csvFormatOf(file: string, names: readonly string[], name: string | null): CsvFormat | null {
  const tried = FORMATS.filter(
    (format) => (name === null || format.name === name) && (format.not === undefined || !names.includes(format.not)),
  );
  const found = tried.find(({ needs }) => needs.every((need) => names.includes(need)));
  if (found !== undefined) return found;
  // The one that most of the columns speak for, to say which is missing.
  const [best] = tried
    .map((format) => ({ format, missing: format.needs.filter((need) => !names.includes(need)) }))
    .filter(({ format, missing }) => name !== null || missing.length * 3 <= format.needs.length)
    .sort((a, b) => a.missing.length - b.missing.length);
  if (best === undefined) return null;
  const others = names.filter((column) => !best.format.needs.includes(column));
  const near = others.length === 0 ? "" : `; the other columns are ${others.join(", ")}`;
  throw new DataError(file, null, `no column ${best.missing[0]} (format ${best.format.name})${near}`);
}
