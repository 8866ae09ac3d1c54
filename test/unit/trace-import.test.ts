/** Recorded traces into the canonical form and back: published sums, every format's peculiarities, and wrong files. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PROGRESS_SLOTS } from "../../src/io/parquet-read.ts";
import { loadParquetEncoder, numbers, strings } from "../../src/io/parquet-write.ts";
import { readTableInThread } from "../../src/io/parquet-table.ts";
import { readTraceTableInThread, type TraceTable } from "../../src/io/trace-table.ts";
import { readTrace } from "../../src/io/trace.ts";
import { exportedLines } from "../../src/io/traces/export.ts";
import { importInThread, importTrace, type ImportRequest } from "../../src/io/traces/import.ts";
import { mappingOf } from "../../src/io/traces/mapped.ts";
import { importWindows, windowFormatOf } from "../../src/io/traces/windows.ts";
import { DataError } from "../../src/kernel/errors.ts";

const sample = (name: string): string => fileURLToPath(new URL(`../fixtures/traces/${name}`, import.meta.url));

let folder = "";
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "crossover-import-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function saved(content: string | Uint8Array, name = "trace"): Promise<string> {
  const file = join(folder, `${files++}-${name}`);
  await writeFile(file, content);
  return file;
}

type Options = Partial<Omit<ImportRequest, "files" | "target">>;

/** On this thread, which saves starting one. */
async function imported(paths: string | readonly string[], options: Options = {}): Promise<TraceTable> {
  return readTraceTableInThread(
    { kind: "trace-table", file: await importedFile(paths, options), columns: null },
    new Float64Array(PROGRESS_SLOTS),
  );
}

async function importedFile(paths: string | readonly string[], options: Options = {}): Promise<string> {
  const target = join(folder, `${files++}.parquet`);
  const defaults = { format: null, columns: null, timeUnit: "s", sort: false } as const;
  const list = typeof paths === "string" ? [paths] : paths;
  await importInThread(
    { kind: "trace-import", files: list, target, ...defaults, ...options },
    new Float64Array(PROGRESS_SLOTS + 2),
  );
  return target;
}

async function failure(doing: Promise<unknown>): Promise<string> {
  const error: unknown = await doing.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DataError);
  return (error as DataError).message;
}

const sum = (values: ArrayLike<number>): number => Array.from(values).reduce((total, value) => total + value, 0);
const texts = (table: TraceTable, name: keyof TraceTable["texts"]): (string | null)[] =>
  Array.from(table.texts[name]!.codes, (code) => table.texts[name]!.names[code] ?? null);
const lists = (table: TraceTable, name: keyof TraceTable["lists"]): number[][] => {
  const { offsets, items } = table.lists[name]!;
  return Array.from({ length: table.rows }, (_, i) => [...items.subarray(offsets[i], offsets[i + 1])]);
};

describe("published samples have the published sums", () => {
  test.each([
    ["azure-llm-2023-conv.head.csv", "azure-llm", 100, 80_197, 17_052, 0],
    ["azure-llm-2024-conv.notebook-rows.csv", "azure-llm", 10, 12_767, 856, 0],
    ["azure-lmm-2025.notebook-rows.csv", "azure-lmm", 10, 12_859, 1395, 0],
    ["burstgpt-1.head.csv", "burstgpt", 42, 28_681, 13_469, 4],
    ["burstgpt-3.head.csv", "burstgpt", 4, 3656, 776, 0],
    ["mooncake-conversation.head.jsonl", "mooncake", 40, 506_280, 14_962, 0],
    ["ragpulse-0-trace.head.jsonl", "ragpulse", 30, 94_186, 7047, 0],
    ["bailian-doc-example.jsonl", "bailian", 2, 1197, 212, 0],
    ["dynamo-session-doc-example.jsonl", "aiperf-sessions", 4, 7168, 384, 0],
    ["splitwise-sim-test-trace.csv", "splitwise-sim", 3, 8192, 56, 0],
    ["vidur-splitwise-conv.head.csv", "vidur", 59, 42_939, 7212, 0],
    ["fleetsim-batch-spike-requests.csv", "fleet-sim", 288, 457_777, 65_571, 0],
    ["weka-trace-0291-subagents.json.gz", "weka-sessions", 32, 2_254_119, 19_504, 0],
    ["openai-batch-requests.jsonl", "openai-batch", 5, 0, 0, 0],
  ])("%s is %s", async (name, format, rows, input, output, failed) => {
    const table = await imported(sample(name));
    expect(table.about).toMatchObject({ format, rows, rowsRead: rows, failed, dropped: {}, files: [name] });
    expect([table.rows, sum(table.inputTokens), sum(table.outputTokens)]).toEqual([rows, input, output]);
    expect(table.arrivalS[0]).toBe(0);
  });
});

describe("the way back gives the rows as they were published", () => {
  test.each([
    "azure-llm-2023-conv.head.csv",
    "azure-llm-2024-conv.notebook-rows.csv",
    "azure-lmm-2025.notebook-rows.csv",
    "burstgpt-1.head.csv",
    "burstgpt-3.head.csv",
    "mooncake-conversation.head.jsonl",
    "ragpulse-0-trace.head.jsonl",
    "bailian-doc-example.jsonl",
    "splitwise-sim-test-trace.csv",
    "vidur-splitwise-conv.head.csv",
    "fleetsim-batch-spike-requests.csv",
  ])("%s", async (name) => {
    const lines: string[] = [];
    for await (const line of exportedLines(await importedFile(sample(name)))) lines.push(line);
    const published = (await readFile(sample(name), "utf8")).split(/\r?\n/).filter((line) => line !== "");
    expect(lines).toEqual(published);
  });

  test("a format without one says which have one, and a sorted trace says why not", async () => {
    const [batch, fleet] = ["openai-batch-requests.jsonl", "fleetsim-batch-spike-requests.csv"].map(sample);
    const all = async (file: string): Promise<void> => {
      for await (const _ of exportedLines(file));
    };
    expect(await failure(all(await importedFile(batch!)))).toContain("openai-batch has no way back; these have: azure");
    expect(await failure(all(await importedFile(fleet!, { sort: true })))).toContain("its rows were sorted");
  });
});

describe("times", () => {
  test("dates with and without a fraction, a byte order mark, CRLF and no last line end", async () => {
    const text =
      "\ufeffTIMESTAMP,ContextTokens,GeneratedTokens\r\n2024-05-10 00:00:00+00:00,100,5\r\n2024-05-10 00:00:00.009930+00:00,200,6\r\n2024-05-10 00:00:01.5+00:00,300,0";
    const table = await imported(await saved(text));
    expect([...table.arrivalS]).toEqual([0, 0.00993, 1.5]);
    expect(table.about).toMatchObject({
      clock: "dates",
      epochS: Date.UTC(2024, 4, 10) / 1000,
      counts: { zeroOutput: 1 },
    });
  });

  test("several files are one trace on one clock, and of one format", async () => {
    const head = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    const first = await saved(`${head}2024-05-10 00:00:00+00:00,1,2\n`);
    const second = await saved(gzipSync(`${head}2024-05-11 00:00:00+00:00,3,4\n`));
    expect([...(await imported([first, second])).arrivalS]).toEqual([0, 86_400]);
    expect(await failure(imported([second, first]))).toContain("row 1: time runs backwards: -86400 s after 0 s");
    expect(await failure(imported([first, sample("vidur-splitwise-conv.head.csv")]))).toContain(
      "format vidur, but " + first + " has azure-llm; import them apart",
    );
    expect(await failure(imported([sample("burstgpt-1.head.csv"), sample("burstgpt-3.head.csv")]))).toContain(
      "its columns differ from those of",
    );
  });

  test("what is out of order is refused, or sorted and counted; equal times keep their order", async () => {
    const file = await saved("arrived_at,num_prefill_tokens,num_decode_tokens\n5,1,1\n3,2,1\n5,3,1\n4,4,1\n");
    expect(await failure(imported(file))).toContain("row 2: time runs backwards");
    const table = await imported(file, { sort: true });
    expect([...table.arrivalS]).toEqual([0, 1, 2, 2]);
    expect([...table.inputTokens]).toEqual([2, 4, 1, 3]);
    expect([...table.numbers.sourceRow!]).toEqual([2, 4, 1, 3]);
    expect(table.about).toMatchObject({ inversions: 2, sameTime: 1 });
  });

  test("RAGPulse's two weeks on one clock are unfolded", async () => {
    const line = (timestamp: string): string =>
      `{"timestamp": "${timestamp}", "input_length": 5, "output_length": 1, "hash_ids": {"history": [1]}, "session_id": "s"}`;
    const table = await imported(await saved(`${[604_400, 604_453, 0, 35].map(String).map(line).join("\n")}\n\n`));
    expect([...table.arrivalS]).toEqual([0, 53, 400, 435]);
    expect([...table.numbers.turn!]).toEqual([0, 1, 2, 3]);
    expect(table.about!.counts).toEqual({ clockWraps: 1, emptyLines: 1 });
  });
});

describe("what failed stays as offered load, and what is dropped is counted by reason", () => {
  test("BurstGPT's empty responses", async () => {
    const table = await imported(sample("burstgpt-1.head.csv"));
    expect(texts(table, "status").filter((status) => status === "error")).toHaveLength(4);
    expect(table.texts.model!.names.toSorted()).toEqual(["ChatGPT", "GPT-4"]);
  });

  test("vLLM's errors, with observed times of the others", async () => {
    const run = {
      model_id: "m",
      completed: 2,
      total_input_tokens: 30,
      input_lens: [10, 20, 7],
      output_lens: [2, 3, 0],
      ttfts: [0.25, 0.5, 0],
      itls: [[0.25], [0.125, 0.125], []],
      start_times: [100, 101.5, 101],
      errors: ["", "", "boom"],
    };
    const table = await imported(await saved(JSON.stringify(run, null, 2)));
    expect([...table.arrivalS]).toEqual([0, 1, 1.5]);
    expect(texts(table, "status")).toEqual(["ok", "error", "ok"]);
    expect([...table.numbers.e2eS!]).toEqual([0.5, Number.NaN, 0.75]);
    const { start_times: _, ...old } = run;
    expect(await failure(imported(await saved(JSON.stringify(old))))).toContain("no start_times");
    for (const [wrong, message] of [
      [{ ttfts: 0.25 }, "ttfts is no list but 0.25"],
      [{ itls: { first: [0.25] } }, 'itls is no list but {"first":[0.25]}'],
      [{ errors: "none" }, 'errors is no list but "none"'],
      [{ ttfts: [0.25] }, "ttfts has 1 entries, input_lens has 3"],
    ] as const)
      expect(await failure(imported(await saved(JSON.stringify({ ...run, ...wrong }))))).toContain(message);
    expect((await imported(await saved(JSON.stringify({ ...run, errors: null })))).about?.failed).toBe(1);
  });

  test("LiteLLM's failures, from CSV with quoted JSON, newest first", async () => {
    const text = `request_id,startTime,endTime,completionStartTime,model,prompt_tokens,completion_tokens,metadata,status
r2,2026-11-02T10:00:05.250Z,2026-11-02T10:00:09.250Z,2026-11-02T10:00:05.750Z,m,100,20,"{""usage_object"": {""prompt_tokens_details"": {""cached_tokens"": 64}}}",success
r1,2026-11-02 10:00:00,2026-11-02 10:00:01,,m,10,0,{},failure
`;
    const table = await imported(await saved(text));
    expect(table.about).toMatchObject({
      format: "litellm",
      failed: 1,
      inversions: 1,
      epochS: Date.UTC(2026, 10, 2, 10) / 1000,
    });
    expect([...table.arrivalS]).toEqual([0, 5.25]);
    expect(texts(table, "status")).toEqual(["error", "ok"]);
    expect([table.numbers.cachedTokens![1], table.numbers.ttftS![1], table.numbers.e2eS![1]]).toEqual([64, 0.5, 4]);
    expect(await failure(imported(await saved(text.replace("r1,", "r2,"))))).toContain(
      "row 2: request r2 stands in an earlier row",
    );
  });

  test("what LiteLLM and Batch say was thought is a part of the output, or told", async () => {
    const spend = (id: string, output: number, thought: number): string =>
      JSON.stringify({
        request_id: id,
        startTime: "2026-11-02T10:00:05Z",
        endTime: "2026-11-02T10:00:09Z",
        prompt_tokens: 10,
        completion_tokens: output,
        metadata: { usage_object: { completion_tokens_details: { reasoning_tokens: thought } } },
      });
    const table = await imported(await saved(`${spend("a", 50, 40)}\n${spend("b", 50, 60)}\n`));
    expect([...table.numbers.reasoningTokens!]).toEqual([40, Number.NaN]);
    expect(table.about?.counts).toMatchObject({ thinkingBesideOutput: 1 });

    const answer = (id: string, usage: object): string =>
      JSON.stringify({ custom_id: id, response: { status_code: 200, body: { model: "m", usage } }, error: null });
    const chat = {
      prompt_tokens: 30,
      completion_tokens: 20,
      prompt_tokens_details: { cached_tokens: 16 },
      completion_tokens_details: { reasoning_tokens: 12 },
    };
    const response = {
      input_tokens: 31,
      output_tokens: 21,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens_details: { reasoning_tokens: 13 },
    };
    const batch = await imported(await saved(`${answer("a", chat)}\n${answer("b", response)}\n`));
    expect([...batch.inputTokens, ...batch.outputTokens]).toEqual([30, 31, 20, 21]);
    expect([...batch.numbers.reasoningTokens!]).toEqual([12, 13]);
    expect([...batch.numbers.cachedTokens!]).toEqual([16, 0]);
  });

  test("spans of no model call, in OTLP", async () => {
    const span = (
      spanId: string,
      start: string,
      end: string,
      attributes: Record<string, object>,
      status = {},
    ): object => ({
      traceId: "t",
      spanId,
      startTimeUnixNano: start,
      endTimeUnixNano: end,
      attributes: Object.entries(attributes).map(([key, value]) => ({ key, value })),
      status,
    });
    const call = { "gen_ai.request.model": { stringValue: "m" } };
    const spans = [
      span("b", "1764000001500000123", "1764000003500000123", {
        ...call,
        "gen_ai.usage.input_tokens": { intValue: "120" },
        "gen_ai.usage.output_tokens": { intValue: "12" },
        "gen_ai.response.finish_reasons": { arrayValue: { values: [{ stringValue: "stop" }] } },
      }),
      span(
        "a",
        "1764000000000000000",
        "1764000000500000000",
        { ...call, "error.type": { stringValue: "timeout" } },
        { code: 2 },
      ),
      span("c", "1764000000000000000", "1764000000500000000", { "http.route": { stringValue: "/" } }),
    ];
    const table = await imported(await saved(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] })));
    expect([...table.arrivalS]).toEqual([0, 1.500000123]);
    expect([...table.inputTokens]).toEqual([0, 120]);
    expect(texts(table, "finish")).toEqual([null, "stop"]);
    expect(table.about).toMatchObject({
      rowsRead: 3,
      rows: 2,
      failed: 1,
      dropped: { "span of no model call": 1 },
      epochS: 1_764_000_000,
    });
  });

  test("AIPerf's cancelled and warm-up records", async () => {
    const record = (startNs: number, more: object, phase = "profiling"): string =>
      JSON.stringify({
        metadata: { request_start_ns: startNs, benchmark_phase: phase },
        metrics: {
          input_sequence_length: { value: 9, unit: "tokens" },
          output_sequence_length: { value: 4, unit: "tokens" },
          time_to_first_token: { value: 125, unit: "ms" },
          request_latency: { value: 1.5, unit: "s" },
        },
        ...more,
      });
    const text = [
      record(1e18, {}, "warmup"),
      record(1e18 + 2e9, {}),
      record(1e18 + 3e9, { error: { code: 500 } }),
    ].join("\n");
    const table = await imported(await saved(text));
    expect([...table.arrivalS]).toEqual([0, 1]);
    expect([table.numbers.ttftS![0], table.numbers.e2eS![0]]).toEqual([0.125, 1.5]);
    expect(table.about).toMatchObject({ dropped: { "warm-up": 1 }, failed: 1 });
  });
});

describe("sessions", () => {
  test("Bailian's chats form trees; a parent outside the file starts a session and is counted", async () => {
    const line = (chat: number, parent: number, timestamp: number, turn: number, ids: string): string =>
      `{"chat_id": ${chat}, "parent_chat_id": ${parent}, "timestamp": ${timestamp}, "input_length": 64, "output_length": 2, "type": "text", "turn": ${turn}, "hash_ids": [${ids}]}`;
    const text = [
      line(1, -1, 0.5, 1, "1, 2, 3"),
      line(2, 1, 61.25, 2, "1, 2, 4"),
      line(3, 1, 90, 2, "1"),
      line(4, 99, 95, 3, "8"),
    ].join("\n");
    const table = await imported(await saved(text));
    expect(texts(table, "sessionId")).toEqual(["1", "1", "1", "99"]);
    expect(lists(table, "parents")).toEqual([[], [0], [0], []]);
    expect(lists(table, "hashIds")[1]).toEqual([1, 2, 4]);
    expect(table.about).toMatchObject({ counts: { orphans: 1 }, blockTokens: 16, hashScope: "global" });
    expect(await failure(imported(await saved(text.replace('"chat_id": 2', '"chat_id": 1'))))).toContain(
      "row 2: chat_id 1 stands",
    );
  });

  test("Dynamo's later turns wait for the one before and their delay", async () => {
    const table = await imported(sample("dynamo-session-doc-example.jsonl"));
    expect([...table.arrivalS]).toEqual([0, 0, 0.01, 0.01]);
    expect(lists(table, "parents")).toEqual([[], [0], [], [2]]);
    expect([...table.numbers.gapS!]).toEqual([Number.NaN, 0.25, Number.NaN, 0.05]);
  });

  test("WEKA's sub-agents start after a call, and the next call waits for them", async () => {
    const table = await imported(sample("weka-trace-0291-subagents.json.gz"));
    const branch = texts(table, "branch");
    expect(branch.filter((name) => name === null)).toHaveLength(20);
    expect(table.lists.hashIds!.items).toHaveLength(35_209);
    const parents = lists(table, "parents");
    // Every call of the main stream but the first follows the one before; those after sub-agents follow their ends too.
    const main = branch.flatMap((name, i) => (name === null ? [i] : []));
    main.forEach((row, k) => expect(parents[row]!.includes(main[k - 1]!)).toBe(k > 0));
    expect(
      main
        .flatMap((row) => parents[row]!.map((parent) => branch[parent]!))
        .filter((name) => name !== null)
        .toSorted(),
    ).toEqual(["agent_001", "agent_002"]);
    parents.forEach((list, row) =>
      list.forEach((parent) => expect(table.arrivalS[parent]!).toBeLessThanOrEqual(table.arrivalS[row]!)),
    );
  });

  test("BLIS TraceV2 gives outcomes and observed times", async () => {
    const header =
      "request_id,client_id,tenant_id,slo_class,session_id,round_index,prefix_group,prefix_length,streaming,input_tokens,output_tokens,text_tokens,image_tokens,audio_tokens,video_tokens,reason_ratio,model,deadline_us,server_input_tokens,arrival_time_us,send_time_us,first_chunk_time_us,last_chunk_time_us,num_chunks,status,error_message,finish_reason";
    const text = `${header}
0,c,acme,standard,s,0,sys,512,true,640,120,640,0,0,0,0,m,0,0,1000000,1000000,1250000,2000000,9,ok,,stop
1,c,acme,standard,s,1,sys,512,true,810,0,810,0,0,0,0,m,0,0,32500000,0,0,0,0,timeout,"slow, very",
`;
    const file = await saved(text);
    const lines: string[] = [];
    for await (const line of exportedLines(await importedFile(file))) lines.push(line);
    expect(`${lines.join("\n")}\n`).toBe(text);
    const table = await imported(file);
    expect([...table.arrivalS]).toEqual([0, 31.5]);
    expect([...table.numbers.ttftS!]).toEqual([0.25, Number.NaN]);
    expect(texts(table, "status")).toEqual(["ok", "timeout"]);
    expect(JSON.parse(texts(table, "extra")[1]!)).toMatchObject({ prefix_group: "sys", error_message: "slow, very" });
  });
});

describe("any table by a mapping", () => {
  const columns = mappingOf("arrivalS=at,inputTokens=in,outputTokens=out,model=llm,e2eS=took");

  test("CSV, JSONL and Parquet give the same trace; rows without a time are dropped and counted", async () => {
    const csv = await saved("llm,at,in,out,took\nb,1500,3,4,0.5\na,,1,1,\n,2500,5,6,\n");
    const jsonl = await saved(
      '{"llm":"b","at":1500,"in":3,"out":4,"took":0.5}\n{"llm":"a","at":null,"in":1,"out":1}\n{"at":2500,"in":5,"out":6}\n',
    );
    for (const file of [csv, jsonl]) {
      const table = await imported(file, { columns, timeUnit: "ms" });
      expect([...table.arrivalS]).toEqual([0, 1]);
      expect([...table.outputTokens]).toEqual([4, 6]);
      expect(texts(table, "model")).toEqual(["b", null]);
      expect([...table.numbers.e2eS!]).toEqual([0.5, Number.NaN]);
      expect(table.about!.dropped).toEqual({ "no arrival time": 1 });
    }
    const encoder = await loadParquetEncoder();
    const bytes = encoder.encode(
      [
        strings("llm", ["b", "c"]),
        numbers("at", "int64", [1500, 2500]),
        numbers("in", "uint32", [3, 5]),
        numbers("out", "float64", [4, 6]),
        numbers("took", "float32", [0.5, Number.NaN], true),
      ],
      { table: "x", units: {} },
    );
    const table = await imported(await saved(bytes), { columns, timeUnit: "ms" });
    expect([[...table.arrivalS], [...table.outputTokens], texts(table, "model")]).toEqual([
      [0, 1],
      [4, 6],
      ["b", "c"],
    ]);
  });

  test.each([
    [";", "semicolons"],
    ["\t", "tabs"],
  ])("a table with %j between its columns is told so", async (separator, called) => {
    const table = ["arrived_at", "num_prefill_tokens", "num_decode_tokens"].join(separator);
    await expect(imported(await saved(`${table}\n`), {})).rejects.toThrow(`${called} separate its columns`);
  });

  test("quoted names of columns may hold commas and quotes", async () => {
    const file = await saved('at,"in","out, ""all""",llm\n0,3,4,"a,b"\n');
    const table = await imported(file, {
      columns: { arrivalS: "at", inputTokens: "in", outputTokens: 'out, "all"', model: "llm" },
    });
    expect([[...table.outputTokens], texts(table, "model")]).toEqual([[4], ["a,b"]]);
  });

  test("a wrong mapping says what is near", () => {
    expect(() => mappingOf("arrivalS=a,inputToken=b,outputTokens=c")).toThrow(
      "no column inputToken; nearest is inputTokens",
    );
    expect(() => mappingOf("arrivalS=a,inputTokens=b")).toThrow("outputTokens is missing");
    expect(() => mappingOf("arrivalS=a,inputTokens=b,outputTokens=c,arrivalS=d")).toThrow(
      "arrivalS is given twice: a and d",
    );
  });

  test("the canonical form is read again with all its columns", async () => {
    const once = await importedFile(sample("mooncake-conversation.head.jsonl"));
    const [first, again] = [await imported(sample("mooncake-conversation.head.jsonl")), await imported(once)];
    expect(again.about!.format).toBe("crossover");
    expect({ ...again, about: null }).toEqual({ ...first, about: null });
  });
});

describe("windows of time", () => {
  const read = async (paths: readonly string[]) => {
    const target = join(folder, `${files++}.parquet`);
    const format = await windowFormatOf(paths[0]!);
    const { about, histograms } = await importWindows(paths, format!, target);
    return { about, windows: await tableOf(target), bins: histograms === null ? null : await tableOf(histograms) };
  };
  const tableOf = (file: string) =>
    readTableInThread({ kind: "table", file, columns: null }, new Float64Array(PROGRESS_SLOTS));

  test("a ServeGen client has the published requests, families and histograms", async () => {
    const { about, windows, bins } = await read(
      ["trace.csv.gz", "dataset.json.gz"].map((end) => sample(`servegen-language-m-large-chunk-67-${end}`)),
    );
    const { requests, family, client } = windows.columns;
    expect(about).toMatchObject({
      format: "servegen",
      rows: 2016,
      counts: { histogramWindows: 56, silentWindows: 2002 },
    });
    expect(sum(requests as Float64Array)).toBe(57_010);
    const count = (name: string) => (family as string[]).filter((found) => found === name).length;
    expect([count("gamma"), count("weibull"), (client as string[])[0]]).toEqual([13, 1, "67"]);
    const mean = (field: string, startS: number): number => {
      const { columns } = bins!;
      return sum(
        Array.from(columns["value"] as Float64Array, (value, i) =>
          (columns["field"] as string[])[i] === field && columns["startS"]![i] === startS
            ? value * (columns["probability"]![i] as number)
            : 0,
        ),
      );
    };
    expect(mean("input_tokens", 475_200)).toBeCloseTo(80.732, 3);
    expect(mean("output_tokens", 1_144_800)).toBeCloseTo(11.984, 3);
  });

  test("a usage export keeps its buckets by model", async () => {
    const head = "start_time,end_time,model,num_model_requests,input_tokens,output_tokens,batch\n";
    const { about, windows } = await read([
      await saved(`${head}2026-11-03,2026-11-04,m,7,50,5,true\n2026-11-02,2026-11-03,m,10,100,20,false\n`),
    ]);
    expect(about).toMatchObject({ format: "usage", clock: "dates", epochS: Date.UTC(2026, 10, 2) / 1000 });
    expect([...(windows.columns["startS"] as Float64Array)]).toEqual([0, 86_400]);
    expect([...(windows.columns["requests"] as Float64Array)]).toEqual([10, 7]);
    expect(windows.columns["serviceTier"]).toEqual(["", "batch"]);
  });

  test.each([
    [
      "a rate that is no whole number of requests",
      "0,0.5,1,Gamma,1,1\n600,0.3333,1,Gamma,1,1\n",
      "row 2: 0.3333 requests/s in 600 s",
    ],
    ["a hole between windows", "0,0,0,,0,0\n600,0,0,,0,0\n1800,0,0,,0,0\n", "row 3: starts at 1800 s"],
    ["probabilities that do not add up", '{"0": {"input_tokens": "{5: 0.5}"}}', "add up to 0.5"],
  ])("%s is refused", async (_, text, message) => {
    expect(await failure(read([await saved(text)]))).toContain(message);
  });

  test("a trace of requests is none", async () => {
    expect(await windowFormatOf(sample("burstgpt-1.head.csv"))).toBeNull();
  });
});

describe("wrong files", () => {
  const burst = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";
  test.each([
    [
      "a count beyond 32 bits",
      "arrived_at,num_prefill_tokens,num_decode_tokens\n0,4294967296,1\n",
      "row 1: the input token count 4294967296 is above 4294967295",
    ],
    [
      "a missing column",
      "Timestamp,Model,Request tokens,Total tokens,Log Type\n5,GPT-4,1,1,x\n",
      "no column Response tokens (format burstgpt)",
    ],
    [
      "sums that do not hold",
      `${burst}5,GPT-4,1,2,4,x\n`,
      "row 1: Total tokens 4 is not the sum of 1 request and 2 response tokens",
    ],
    [
      "a cut row",
      `${burst}5,GPT-4,1,2,3,x\n6,GPT-4,1`,
      "row 2: 3 fields where the header has 6; the file may be truncated",
    ],
    [
      "SageServe, which looks like splitwise-sim with more",
      "request_id,batch_id,client_tenant,request_type,application_id,arrival_timestamp,batch_size,prompt_size,token_size\n1,1,a,2,3,0,1,5,5\n",
      "no known trace: its columns are request_id",
    ],
    ["unknown columns", "when,who\n1,2\n", "no known trace: its columns are when, who"],
    ["unknown keys", '{"when": 1}\n', "no known trace: its first record has when"],
    [
      "a line that is no JSON",
      '{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": []}\n{"timest',
      "row 2: not a JSON object",
    ],
    [
      "blocks that are no list",
      '{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": []}\n{"timestamp": 1, "input_length": 1, "output_length": 1, "hash_ids": "5"}\n',
      'row 2: hash_ids is no list but "5"',
    ],
    [
      "a hash id that is no number",
      '{"timestamp": 0, "input_length": 1, "output_length": 1, "hash_ids": ["x"]}\n',
      "row 1: hashIds holds NaN",
    ],
    ["only a header", burst, "the trace has no rows"],
    ["nothing", "", "the file is empty"],
    ["an open quote", `${burst}5,"GPT-4,1,2,3,x\n`, "a quoted field is not closed"],
  ])("%s", async (_, text, message) => {
    expect(await failure(imported(await saved(text)))).toContain(message);
  });

  test("zstd is read or refused with what to do", async () => {
    const file = await saved(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0]));
    expect(await failure(imported(file))).toMatch(/zstd needs Node 22\.15 or newer|the zstd stream is corrupt/);
  });

  test("a failed import leaves the target as it was, and the thread gives the same errors", async () => {
    const target = await saved("before");
    const file = await saved(`${burst}5,GPT-4,1,2,4,x\n`);
    const request = { files: [file], target, format: null, columns: null, timeUnit: "s", sort: false } as const;
    expect(await failure(importTrace(request))).toContain("row 1: Total tokens 4");
    expect(await readFile(target, "utf8")).toBe("before");
    const asked = importTrace({ ...request, format: "burst" });
    await expect(asked).rejects.toMatchObject({ problems: [{ message: 'unknown format "burst"' }] });
  });
});

test("blocks that stream give the rows of the whole file, and a run can replay it", async () => {
  const rows = 150_000;
  const lines = Array.from({ length: rows }, (_, i) => `${i * 0.25},${(i % 1000) + 1},${(i % 7) + 1}`);
  const text = `arrived_at,num_prefill_tokens,num_decode_tokens\n${lines.join("\n")}\n`;
  const trace = await readTrace(await importedFile(await saved(text)));
  expect([trace.rowsRead, trace.arrivalS[rows - 1], trace.format]).toEqual([rows, (rows - 1) / 4, "crossover-parquet"]);
  expect(sum(trace.inputTokens)).toBe(150 * 500_500);
});
