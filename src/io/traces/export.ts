/**
 * The way back: lines in the format that a canonical trace was read from, with the rows as they stood there. For formats
 * of which everything is kept.
 */
import { DataError } from "../../kernel/errors.ts";
import { readTraceTable, type TraceTable } from "../trace-table.ts";
import type { ListColumn, NumberColumn, TextColumn, TraceAbout } from "../trace-schema.ts";
import { dateWriter } from "./dates.ts";
import { SESSION_WRITERS } from "./export-sessions.ts";
import { packingOf } from "./text.ts";

/** Values of one row by column; empty or NaN is null. */
export interface Row {
  readonly arrivalS: number;
  readonly input: number;
  readonly output: number;
  text(column: TextColumn): string;
  number(column: NumberColumn): number;
  list(column: ListColumn): readonly number[];
  /** The time as the source writes it, as far as a number of seconds goes. */
  readonly seconds: string;
}

interface Lines {
  /** Null: no header. */
  readonly header: string | null;
  line(row: Row): string;
}

type Writer = (table: TraceTable, about: TraceAbout) => Lines;

const azure: Writer = ({ numbers }, about) => {
  const date = dateWriter(about.firstTime!);
  const images = numbers.images !== undefined;
  return {
    header: `TIMESTAMP,${images ? "NumImages," : ""}ContextTokens,GeneratedTokens`,
    line: (row) => {
      const counts = [...(images ? [row.number("images")] : []), row.input, row.output];
      return `${date(row.arrivalS * 1e9)},${counts.join(",")}`;
    },
  };
};

const burstGpt: Writer = ({ texts }) => {
  const session = texts.sessionId !== undefined;
  return {
    header: `Timestamp,${session ? "Session ID,Elapsed time," : ""}Model,Request tokens,Response tokens,Total tokens,Log Type`,
    line: (row) =>
      [
        row.seconds,
        ...(session ? [row.text("sessionId"), shown(row.number("e2eS"))] : []),
        row.text("model"),
        row.input,
        row.output,
        row.input + row.output,
        row.text("className"),
      ].join(","),
  };
};

const vidur: Writer = () => ({
  header: "arrived_at,num_prefill_tokens,num_decode_tokens",
  line: (row) => `${row.seconds},${row.input},${row.output}`,
});

const splitwise: Writer = () => ({
  header: "request_id,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size",
  line: (row) => {
    const { request_type, batch_size } = JSON.parse(row.text("extra")) as Record<string, string>;
    return [
      row.text("requestId"),
      request_type,
      row.text("client"),
      row.seconds,
      batch_size,
      row.input,
      row.output,
    ].join();
  },
});

const fleetSim: Writer = () => ({
  header: "timestamp,prompt_tokens,generated_tokens,selected_model",
  line: (row) => `${row.seconds},${row.input},${row.output},${row.text("model")}`,
});

const BLIS_COLUMNS =
  "request_id,client_id,tenant_id,slo_class,session_id,round_index,prefix_group,prefix_length,streaming,input_tokens,output_tokens,text_tokens,image_tokens,audio_tokens,video_tokens,reason_ratio,model,deadline_us,server_input_tokens,arrival_time_us,send_time_us,first_chunk_time_us,last_chunk_time_us,num_chunks,status,error_message,finish_reason".split(
    ",",
  );
/** Columns of later versions, written where a row has a value. */
const BLIS_LATER = ["vllm_priority", "slo_target_us", "x_request_id", "adapter", "think_time_us"];

const blis: Writer = ({ texts }, about) => {
  const originUs = Number(about.firstTime);
  const later = BLIS_LATER.filter((name) => texts.extra!.names.some((text) => text.includes(`"${name}":`)));
  const columns = [...BLIS_COLUMNS, ...later];
  return {
    header: columns.join(","),
    line: (row) => {
      const extra = row.text("extra");
      const fields: Record<string, unknown> = {
        ...(extra === "" ? {} : (JSON.parse(extra) as Record<string, string>)),
        request_id: row.text("requestId"),
        client_id: row.text("client"),
        tenant_id: row.text("tenant"),
        slo_class: row.text("className"),
        session_id: row.text("sessionId"),
        round_index: shown(row.number("turn")),
        input_tokens: row.input,
        output_tokens: row.output,
        model: row.text("model"),
        arrival_time_us: originUs + Math.round(row.arrivalS * 1e6),
        status: row.text("status"),
        finish_reason: row.text("finish"),
      };
      return columns.map((name) => quoted(String(fields[name] ?? ""))).join(",");
    },
  };
};

function quoted(field: string): string {
  return /[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

const mooncake: Writer = (_, about) => {
  const originMs = Number(about.firstTime);
  return {
    header: null,
    line: (row) =>
      spaced({
        timestamp: originMs + Math.round(row.arrivalS * 1000),
        input_length: row.input,
        output_length: row.output,
        hash_ids: row.list("hashIds"),
      }),
  };
};

const bailian: Writer = ({ texts, lists }) => {
  const ids = texts.requestId!;
  const hashes = lists.hashIds!.items.length > 0;
  return {
    header: null,
    line: (row) => {
      const chat = row.text("requestId");
      const [parent] = row.list("parents");
      const session = row.text("sessionId");
      const orphan = session === chat ? -1 : Number(session);
      return spaced({
        chat_id: Number(chat),
        parent_chat_id: parent === undefined ? orphan : Number(ids.names[ids.codes[parent]!]),
        timestamp: Number(row.seconds),
        input_length: row.input,
        output_length: row.output,
        type: row.text("className"),
        turn: row.number("turn") + 1,
        ...(hashes ? { hash_ids: row.list("hashIds") } : {}),
      });
    },
  };
};

const WEEK_S = 604_800;

const ragPulse: Writer = (_, about) => ({
  header: null,
  line: (row) => {
    const timeS = Number(row.seconds);
    const { hash_ids } = JSON.parse(row.text("extra")) as { hash_ids: unknown };
    return spaced({
      timestamp: String((about.counts["clockWraps"] ?? 0) > 0 ? timeS % WEEK_S : timeS),
      input_length: row.input,
      output_length: row.output,
      hash_ids,
      session_id: row.text("sessionId"),
    });
  },
});

const WRITERS: Readonly<Record<string, Writer>> = {
  "azure-llm": azure,
  "azure-lmm": azure,
  burstgpt: burstGpt,
  vidur,
  "splitwise-sim": splitwise,
  "fleet-sim": fleetSim,
  "blis-trace": blis,
  mooncake,
  bailian,
  ragpulse: ragPulse,
};

/**
 * Lines of the trace in `file` in its source's format, header first, without line ends; the whole trace is held in
 * memory. Throws DataError for a file that no import wrote, and for a format that has no way back.
 */
export async function* exportedLines(file: string): AsyncGenerator<string> {
  const table = (await packingOf(file)) === "parquet" ? await readTraceTable(file) : null;
  const about = table?.about ?? null;
  if (table === null || about === null) throw new DataError(file, null, "not written by crossover trace import");
  const sessions = SESSION_WRITERS[about.format];
  if (sessions !== undefined) {
    yield* sessions({ file, table, about, row: (i) => rowOf(table, i, String) });
    return;
  }
  const writer = WRITERS[about.format];
  if (writer !== undefined && about.firstTime === null)
    throw new DataError(file, null, "it was read from Parquet; the rows of its source are those of this file");
  if (writer === undefined || about.firstTime === null) {
    const formats = Object.keys({ ...WRITERS, ...SESSION_WRITERS }).join(", ");
    throw new DataError(file, null, `format ${about.format} has no way back; these have: ${formats}`);
  }
  if (table.numbers.sourceRow !== undefined)
    throw new DataError(file, null, "its rows were sorted; only a trace in its source's order has a way back");
  const { header, line } = writer(table, about);
  if (header !== null) yield header;
  const seconds = secondsWriter(about.firstTime);
  for (let i = 0; i < table.rows; i++) yield line(rowOf(table, i, seconds));
}

function rowOf(table: TraceTable, i: number, seconds: (arrivalS: number) => string): Row {
  const arrivalS = table.arrivalS[i]!;
  return {
    arrivalS,
    input: table.inputTokens[i]!,
    output: table.outputTokens[i]!,
    get seconds() {
      return seconds(arrivalS);
    },
    text(column) {
      const values = table.texts[column];
      return values === undefined ? "" : (values.names[values.codes[i]!] ?? "");
    },
    number: (column) => table.numbers[column]?.[i] ?? Number.NaN,
    list(column) {
      const values = table.lists[column];
      return values === undefined ? [] : [...values.items.subarray(values.offsets[i]!, values.offsets[i + 1]!)];
    },
  };
}

/** 15 digits, which every decimal of a source has at most, undo the rounding of the difference to the first time. */
function secondsWriter(firstTime: string): (arrivalS: number) => string {
  const originS = Number(firstTime);
  const decimal = firstTime.includes(".");
  return (arrivalS) => {
    const timeS = originS === 0 ? arrivalS : Number((originS + arrivalS).toPrecision(15));
    return decimal && Number.isInteger(timeS) ? `${timeS}.0` : String(timeS);
  };
}

function shown(value: number): string {
  return Number.isNaN(value) ? "" : String(value);
}

/** JSON with a space after commas and colons, as Python writes it. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([key, item]) => `${JSON.stringify(key)}: ${spaced(item)}`)
    .join(", ")}}`;
}
