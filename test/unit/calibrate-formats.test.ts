/** Benchmark files of every tool: recognised by content, read alike, refused with the row that is wrong. */
import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { BenchmarkRun } from "../../src/experiment/calibrate/benchmark-run.ts";
import { parseJson } from "../../src/experiment/calibrate/formats/json.ts";
import { readBenchmark } from "../../src/experiment/calibrate/formats/read.ts";
import { columnMapping } from "../../src/experiment/calibrate/formats/request-csv.ts";
import { resolveTarget } from "../../src/experiment/calibrate/target.ts";
import type { Catalog } from "../../src/catalog/schema.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { type MeasuredRequest, SYSTEM, WRITERS } from "../fixtures/benchmarks.ts";

const REQUESTS: readonly MeasuredRequest[] = [
  { arrivalS: 0, inputTokens: 100, outputTokens: 11, ttftS: 0.05, tpotS: 0.01 },
  { arrivalS: 1.5, inputTokens: 2000, outputTokens: 1, ttftS: 0.25, tpotS: 0 },
  { arrivalS: 2, inputTokens: 30, outputTokens: 201, ttftS: 0.02, tpotS: 0.012 },
];
const read = (text: string, columns = {}): readonly BenchmarkRun[] => readBenchmark({ file: "b", text }, columns);
const only = (text: string, columns = {}): BenchmarkRun => read(text, columns)[0]!;

describe("the same three requests, as each tool writes them", () => {
  test.each(Object.entries(WRITERS))("%s", (format, write) => {
    const run = only(write(REQUESTS));
    expect(run.format).toBe(format);
    const { arrivalS, inputTokens, outputTokens, ttftMs, tpotMs, e2eMs } = run.requests!;
    const near = (values: Iterable<number>): number[] => Array.from(values, (value) => Math.round(value * 1000) / 1000);
    expect(near(arrivalS!)).toEqual([0, 1.5, 2]);
    expect([...inputTokens]).toEqual([100, 2000, 30]);
    expect([...outputTokens]).toEqual([11, 1, 201]);
    expect(near(ttftMs)).toEqual([50, 250, 20]);
    expect(near(tpotMs)).toEqual([10, NaN, 12]);
    expect(near(e2eMs)).toEqual([150, 250, 2420]);
  });

  test("what failed is left out and counted", () => {
    expect(only(WRITERS["blis-trace"](REQUESTS)).dropped).toEqual({ timeout: 1 });
    expect(only(WRITERS.guidellm(REQUESTS)).dropped).toEqual({ incomplete: 1 });
    const file = JSON.parse(WRITERS["vllm-bench"](REQUESTS)) as Record<string, unknown>;
    file["errors"] = ["", "HTTP 500", ""];
    const run = only(JSON.stringify(file));
    expect(run.dropped).toEqual({ failed: 1 });
    expect([...run.requests!.inputTokens]).toEqual([100, 30]);
  });

  test("model, load and server are taken from files that name them", () => {
    const vllm = only(WRITERS["vllm-bench"](REQUESTS, 8)).facts;
    expect(vllm).toMatchObject({ model: "meta-llama/Llama-3.1-8B-Instruct", engine: "vllm", maxConcurrency: 8 });
    expect(vllm.requestRatePerS).toBe(Infinity);
    expect(only(WRITERS.guidellm(REQUESTS)).facts).toMatchObject({ requestRatePerS: 5, arrivalCv: 1 });
    const header = {
      trace_version: 3,
      time_unit: "us",
      mode: "real",
      warm_up_requests: 1,
      server: { type: "vllm", model: "m", tensor_parallel: 2, max_num_seqs: 64 },
    };
    const [blis] = readBenchmark({ file: "b", text: WRITERS["blis-trace"](REQUESTS), header }, {});
    expect(blis!.facts).toMatchObject({ model: "m", engine: "vllm", tensorParallelSize: 2, maxNumSeqs: 64 });
    expect([...blis!.requests!.counted]).toEqual([0, 1, 1]);
    const simulated = { file: "b", text: WRITERS["blis-trace"](REQUESTS), header: { ...header, mode: "replayed" } };
    expect(() => readBenchmark(simulated, {})).toThrow("mode replayed: these times were simulated");
  });

  test("AIPerf's warm-up is load, not result", () => {
    const lines = WRITERS["aiperf-requests"](REQUESTS).replace('"profiling"', '"warmup"');
    expect([...only(lines).requests!.counted]).toEqual([0, 1, 1]);
  });
});

describe("summaries", () => {
  test("vLLM without --save-detailed", () => {
    const run = only(
      JSON.stringify({
        completed: 10,
        model_id: "m",
        request_rate: 2,
        burstiness: 4,
        total_input_tokens: 1000,
        total_output_tokens: 500,
        mean_ttft_ms: 40,
        median_ttft_ms: 30,
        mean_tpot_ms: 9,
        mean_itl_ms: 9.5,
        p99_ttft_ms: 90,
      }),
    );
    expect(run).toMatchObject({ requests: null, requestCount: 10, meanInputTokens: 100, meanOutputTokens: 50 });
    expect(run.summary).toEqual({ ttftMsMean: 40, ttftMsP50: 30, ttftMsP99: 90, tpotMsMean: 9, itlMsMean: 9.5 });
    expect(run.facts).toMatchObject({ requestRatePerS: 2, arrivalCv: 0.5 });
  });

  test("one JSON object a line gives a run each", () => {
    const line = JSON.stringify({ completed: 1, total_input_tokens: 5, total_output_tokens: 5, mean_ttft_ms: 4 });
    expect(read(`${line}\n${line}\n`).map(({ id }) => id)).toEqual(["b#1", "b#2"]);
  });

  test("a list of JSON objects gives a run each, as lines do", () => {
    const one = { completed: 1, total_input_tokens: 5, total_output_tokens: 5, mean_ttft_ms: 4 };
    expect(read(JSON.stringify([one, one])).map(({ id }) => id)).toEqual(["b#1", "b#2"]);
    expect(read(JSON.stringify([one])).map(({ id }) => id)).toEqual(["b"]);
    const records = WRITERS["aiperf-requests"](REQUESTS).split("\n").join(",");
    expect(only(`[${records}]`).requestCount).toBe(3);
  });

  test("AIPerf and GenAI-Perf, units read", () => {
    const run = only(
      JSON.stringify({
        input_config: { endpoint: { model_names: ["m"] }, loadgen: { concurrency: 10 } },
        time_to_first_token: { unit: "s", avg: 0.04, p50: 0.03 },
        inter_token_latency: { unit: "ms", avg: 8 },
        input_sequence_length: { unit: "tokens", avg: 550.4 },
        output_sequence_length: { unit: "tokens", avg: 100 },
        request_count: { unit: "requests", avg: 64 },
      }),
    );
    expect(run.format).toBe("aiperf-summary");
    expect(run.summary).toEqual({ ttftMsMean: 40, ttftMsP50: 30, tpotMsMean: 8 });
    expect(run).toMatchObject({ requestCount: 64, facts: { model: "m", maxConcurrency: 10 } });
  });

  test("GuideLLM without requests", () => {
    const of = (mean: number) => ({ successful: { count: 20, mean, median: mean } });
    const metrics = {
      time_to_first_token_ms: of(40),
      inter_token_latency_ms: of(9),
      request_latency: of(2),
      prompt_token_count: of(256),
      output_token_count: of(128),
    };
    const run = only(
      JSON.stringify({ benchmarks: [{ args: { strategy: { type_: "concurrent", streams: 4 } }, metrics }] }),
    );
    expect(run.summary).toMatchObject({ ttftMsMean: 40, itlMsMean: 9, e2eMsMean: 2000 });
    expect(run).toMatchObject({ requestCount: 20, meanInputTokens: 256, facts: { maxConcurrency: 4 } });
  });
});

describe("requests that failed are counted in summaries", () => {
  const vllm = { completed: 30, total_input_tokens: 300, total_output_tokens: 300, mean_ttft_ms: 40 };
  const of = (mean: number) => ({ successful: { count: 20, mean, median: mean } });
  const guidellm = { time_to_first_token_ms: of(40), prompt_token_count: of(256), output_token_count: of(128) };
  const totals = { successful: 20, errored: 4, incomplete: 2, total: 26 };
  const aiperf = {
    time_to_first_token: { unit: "ms", avg: 40 },
    input_sequence_length: { unit: "tokens", avg: 550 },
    output_sequence_length: { unit: "tokens", avg: 100 },
    request_count: { unit: "requests", avg: 64 },
  };
  test.each([
    ["vLLM", { ...vllm, num_prompts: 45, failed: 15 }, { failed: 15 }],
    ["vLLM that writes no count of them", { ...vllm, num_prompts: 40 }, { failed: 10 }],
    ["vLLM without any", { ...vllm, num_prompts: 30, failed: 0 }, {}],
    ["GuideLLM", { benchmarks: [{ metrics: { ...guidellm, request_totals: totals } }] }, { failed: 4, incomplete: 2 }],
    [
      "GuideLLM before 0.4",
      { benchmarks: [{ request_totals: totals, metrics: guidellm }] },
      { failed: 4, incomplete: 2 },
    ],
    ["AIPerf", { ...aiperf, error_request_count: { unit: "requests", avg: 6 } }, { failed: 6 }],
  ])("%s", (_, document, dropped) => {
    expect(only(JSON.stringify(document)).dropped).toEqual(dropped);
  });
});

describe("numbers that JSON has not, as Python writes them", () => {
  const text = readFileSync(new URL("../fixtures/sglang-bench.jsonl", import.meta.url), "utf8");

  test("a benchmark of SGLang: an unbounded rate, figures that are missing, words inside of strings", () => {
    const [unbounded, detailed] = read(text);
    expect(unbounded).toMatchObject({ requestCount: 40, meanInputTokens: 512, facts: { engine: "sglang" } });
    expect(unbounded!.facts.requestRatePerS).toBe(Infinity);
    expect(unbounded!.summary).toEqual({ ttftMsMean: 81.5, ttftMsP50: 74.25, tpotMsMean: 9.5, itlMsMean: 9.25 });
    // The second and third of its requests have no time that could be used.
    expect(detailed!.dropped).toEqual({ "not measured": 2 });
    expect([...detailed!.requests!.inputTokens]).toEqual([100, 400]);
    expect(detailed!.facts).toMatchObject({
      model: "NaN, Infinity: -Infinity",
      requestRatePerS: 4,
      maxConcurrency: null,
    });
  });

  test("a file in lines is one document a line, and what else is wrong keeps its place", () => {
    expect(read(text.split("\n")[0]!)).toHaveLength(1);
    const place = (broken: string): string => {
      try {
        parseJson(broken);
      } catch (error) {
        return (error as Error).message;
      }
      return "";
    };
    // The same mistake behind words and behind numbers of the same length.
    const words = '{"a": -Infinity, "b": NaN, "c": Infinity, "d" 1}';
    const numbers = '{"a": 123456789, "b": 123, "c": 12345678, "d" 1}';
    const position = /position \d+/;
    expect(position.exec(place(words))![0]).toBe(position.exec(place(numbers))![0]);
    for (const broken of ["{NaN: 1}", "[1Infinity]", "[--Infinity]", "[NaNs]", "[+NaN]", '{"a": Infinit}', "[nan]"])
      expect(() => parseJson(broken)).toThrow(SyntaxError);
    expect(parseJson('["NaN", "a \\" Infinity", NaN,-Infinity,{"NaN": NaN}]')).toEqual([
      "NaN",
      'a " Infinity',
      NaN,
      -Infinity,
      { NaN },
    ]);
  });
});

describe("what is wrong says where", () => {
  const csv = (...rows: string[]): string => ["arrivalS,inputTokens,outputTokens,ttftMs,e2eMs", ...rows].join("\n");
  test.each([
    ["an empty file", " \n", "b: the file is empty"],
    ["no format", '{"a": 1, "b": 2}', "b: no benchmark output that is known. It has a, b. Known formats: vLLM"],
    ["a list of nothing", "[]", "b: an empty list"],
    ["a list of no format", '[{"a": 1}, [2]]', "b: row 1: no benchmark output that is known. It has a. Known"],
    ["a list in a list", "[[1, 2]]", "b: no benchmark output that is known. Known formats: vLLM"],
    ["broken JSON", '{"a": ', "b: not JSON:"],
    ["a broken line", '{"metadata": {"request_start_ns": 1}}\n{"meta', "b: row 2: not JSON:"],
    ["no number", csv("0,10,5,20,100", "1,ten,5,20,100"), 'b: row 2: inputTokens is "ten", not a number'],
    ["half a token", csv("0,1.5,5,20,100"), "b: row 1: 1.5 is no number of input tokens"],
    ["no first token", csv("0,10,5,0,100"), "b: row 1: a time to first token of 0 s"],
    ["the last token first", csv("0,10,5,200,100"), "b: row 1: the last token -0.1 s after the first"],
    ["not streamed", csv("0,10,5,100,100"), "b: row 1: 5 tokens at one instant: was the answer streamed?"],
    ["a short row", csv("0,10,5,20"), "b: row 1: 4 fields where the header has 5"],
    ["an open quote", 'a,b\n"1,2\n', "a quoted field is not closed"],
    [
      "columns of its own",
      "ts,prompt\n1,2\n",
      "no column for inputTokens; outputTokens; arrivalS; firstTokenS or ttftMs; lastTokenS, e2eMs or tpotMs. Its columns are ts, prompt",
    ],
    [
      "lists of two lengths",
      JSON.stringify({ completed: 2, mean_ttft_ms: 1, input_lens: [1, 2], output_lens: [1, 2], ttfts: [1], itls: [] }),
      "ttfts has 1 entries, input_lens has 2",
    ],
    [
      "errors that are no list",
      JSON.stringify({ completed: 1, input_lens: [1], output_lens: [2], ttfts: [1], itls: [[1]], errors: "none" }),
      "errors is no list",
    ],
    [
      "first tokens that are no list",
      JSON.stringify({ completed: 1, mean_ttft_ms: 1, input_lens: [1], output_lens: [2], ttfts: 1, itls: [[1]] }),
      "ttfts is no list",
    ],
    [
      "requests without gaps",
      JSON.stringify({ completed: 1, mean_ttft_ms: 1, input_lens: [1], output_lens: [2], ttfts: [1] }),
      "b: no itls, which --save-detailed writes beside input_lens",
    ],
    [
      "a request without gaps",
      JSON.stringify({ completed: 1, mean_ttft_ms: 1, input_lens: [1], output_lens: [2], ttfts: [1], itls: [null] }),
      "b: row 1: itls has no list of numbers for it",
    ],
  ])("%s", (_, text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  test("a CSV's columns are mapped; a wrong mapping names the nearest", () => {
    const text = "start,prompt,answer,ttft_ms,tpot_ms\n10,5,3,20,7\n";
    const mapping = columnMapping(
      "arrivalMs=start,inputTokens=prompt,outputTokens=answer,ttftMs=ttft_ms,tpotMs=tpot_ms",
    );
    const { requests } = only(text, mapping);
    expect([...requests!.e2eMs].map(Math.round)).toEqual([34]);
    expect(() => columnMapping("arivalS=start")).toThrow(ConfigError);
    expect(() => columnMapping("ttft")).toThrow('"ttft" is not field=column');
    expect(() => only(text, { inputTokens: "promt" })).toThrow(
      'no column "promt" for inputTokens; did you mean "prompt"?',
    );
  });
});

describe("what was benchmarked", () => {
  let catalog: Catalog;
  beforeAll(async () => {
    ({ catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"]));
  });
  const problems = (runs: readonly BenchmarkRun[], options: object): string[] => {
    try {
      resolveTarget(runs, options, { catalog, shipped: catalog });
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.problems.map(
        ({ path, message, hint }) => `${path.join()} ${message}${hint === undefined ? "" : ` (${hint})`}`,
      );
    }
  };

  test("all that is missing is said at once", () => {
    const missing = problems(read(WRITERS["request-csv"](REQUESTS)), {});
    expect(missing.map((line) => line.split(" ")[0])).toEqual([
      "--gpu",
      "--model",
      "--engine",
      "--tensor-parallel-size",
      "--weight-dtype",
      "--clock",
    ]);
  });

  test("unknown names come with the nearest", () => {
    const wrong = { ...SYSTEM, gpu: "h100-smx", weightDtype: "fp9", clock: "clients" };
    expect(problems([], wrong)).toEqual([
      expect.stringContaining('--gpu unknown GPU "h100-smx" (did you mean "h100-sxm"?)'),
      expect.stringContaining('--weight-dtype unknown weight dtype "fp9" (did you mean "fp8"?)'),
      expect.stringContaining('--clock unknown clock "clients" (did you mean "client"?)'),
    ]);
  });

  test("a file's model is found under its usual names", () => {
    const { model: _, engine: __, ...options } = SYSTEM;
    const target = resolveTarget(read(WRITERS["vllm-bench"](REQUESTS)), options, { catalog, shipped: catalog });
    expect([target.llm.id, target.profile.id]).toEqual(["llama-3.1-8b", "vllm"]);
  });
});
