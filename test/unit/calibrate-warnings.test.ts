/** What a calibration warns of, and that it does not where nothing is wrong. */
import { beforeAll, describe, expect, test } from "vitest";
import { calibrate } from "../../src/experiment/calibrate/calibrate.ts";
import { readBenchmark } from "../../src/experiment/calibrate/formats/read.ts";
import type { Constants } from "../../src/experiment/calibrate/parameters.ts";
import type { Catalogs } from "../../src/experiment/calibrate/target.ts";
import { type Judged, warningsOf } from "../../src/experiment/calibrate/warnings.ts";
import { errorStatistics } from "../../src/experiment/validate/pool.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { type MeasuredRequest, type PlantedLoad, SYSTEM, WRITERS, plantedRequests } from "../fixtures/benchmarks.ts";

const LOAD: PlantedLoad = {
  seed: "warn",
  requests: 120,
  ratePerS: [1, 8],
  inputTokens: [40, 2000],
  outputTokens: [30, 200],
};
const SLOW = { ew: 0.6 };

let catalogs: Catalogs;
beforeAll(async () => {
  const { catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"]);
  catalogs = { catalog, shipped: catalog };
});

/** Measured where constants are the shipped ones by factors. */
const measured = (factors: Constants, load: Partial<PlantedLoad> = {}, noise?: number): readonly MeasuredRequest[] =>
  plantedRequests(
    catalogs,
    { ...LOAD, ...load },
    (prior) => Object.fromEntries(Object.entries(factors).map(([name, by]) => [name, prior[name]! * by])),
    noise,
  );
const warningsFor = (...texts: readonly string[]): readonly string[] =>
  calibrate(
    texts.flatMap((text, i) => readBenchmark({ file: `run-${i}`, text }, {})),
    SYSTEM,
    catalogs,
  ).calibration.warnings;

describe("constants that no engine has", () => {
  test("are named, with what to check", () => {
    const warnings = warningsFor(WRITERS["request-csv"](measured(SLOW)));
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^ew moved by −[45]\.\d prior standard deviations, to 0\.5\d+: more than physics/);
  });

  test("beside a server that idles: times of sending in ms that are read as seconds", () => {
    const stretched = measured(SLOW).map((one) => ({ ...one, arrivalS: one.arrivalS * 1000 }));
    expect(warningsFor(WRITERS["request-csv"](stretched)).at(-1)).toMatch(
      /^run-0: 0\.00\d+ requests in flight on average, so hardly any two overlap\..* wrong unit$/,
    );
  });

  test("a low rate alone is no reason to warn", () => {
    expect(warningsFor(WRITERS["request-csv"](measured({ ew: 0.8 }, { ratePerS: [0.01, 0.01] })))).toEqual([]);
  });
});

describe("errors of what was held out, under a fit to the rest, beside those as fitted", () => {
  const errors = (ttft: number, tpot: number) => ({ ttft: errorStatistics([ttft]), tpot: errorStatistics([tpot]) });
  const judged = (ttft: number, tpot: number): Judged => ({
    runs: [],
    loads: [],
    parameters: [],
    observations: { family: new Uint8Array(), summariesOnly: false },
    fit: { z: [], covariance: [] },
    predictAt: () => new Float64Array(),
    fitted: { before: errors(0.3, 0.3), after: errors(0.06, 0.02) },
    heldOut: {
      what: "every third block of time",
      before: errors(0.3, 0.3),
      after: errors(ttft, tpot),
      medianBefore: 0.3,
      medianAfter: 0.1,
      better: true,
    },
  });

  test.each([
    ["more than twice, but by few points", 0.08, 0.06],
    ["many points, but not twice", 0.115, 0.02],
    ["less", 0.01, 0.01],
  ])("%s: no warning", (_, ttft, tpot) => {
    expect(warningsOf(judged(ttft, tpot))).toEqual([]);
  });

  test("far above them they are those of another solution", () => {
    const [warning, ...others] = warningsOf(judged(0.08, 0.343));
    expect(warning).toContain("(median: TPOT 34.3 % instead of 2.0 %): the two fits are different solutions");
    expect(others).toEqual([]);
  });
});

describe("summaries", () => {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const summary = (factors: Constants, change: object = {}, concurrency = 8): string => {
    const lengths = { inputTokens: [800, 800], outputTokens: [100, 100] } as const;
    const requests = measured(factors, { requests: 64, concurrency, ...lengths }, 0);
    return JSON.stringify({
      backend: "vllm",
      model_id: "llama-3.1-8b",
      completed: 64,
      request_rate: "inf",
      max_concurrency: concurrency,
      total_input_tokens: 800 * 64,
      total_output_tokens: 100 * 64,
      mean_ttft_ms: mean(requests.map(({ ttftS }) => ttftS * 1000)),
      mean_tpot_ms: mean(requests.map(({ tpotS }) => tpotS * 1000)),
      ...change,
    });
  };

  test("one that is slower than the priors have it is too little to move them", () => {
    const [warning] = warningsFor(summary({ ew: 0.75 }));
    expect(warning).toMatch(
      /^TPOT is still predicted too low by \d+ % on average: too few values to move the constants/,
    );
    expect(warning).toContain("(--save-detailed)");
  });

  test("several move them", () => {
    expect(warningsFor(...[1, 4, 16, 64].map((inFlight) => summary({ ew: 0.75 }, {}, inFlight)))).toEqual([]);
  });

  test("what no plausible constants explain is not for lack of values", () => {
    const warnings = warningsFor(summary({}, { mean_ttft_ms: 20_000 }));
    expect(warnings[0]).toMatch(/^TTFT is still predicted too low by \d+ % on average: the constants can't explain it/);
  });

  test("requests that failed are not in the replay", () => {
    expect(warningsFor(summary({}, { num_prompts: 80, failed: 16 }))).toEqual([
      expect.stringMatching(/^run-0: 16 of 80 requests are left out \(failed\): they loaded the server too/),
    ]);
    expect(warningsFor(summary({}, { num_prompts: 66, failed: 2 }))).toEqual([]);
  });
});

test("failed requests of a file with each request, but not those that the end of the benchmark cut off", () => {
  const requests = measured({});
  const vllm = JSON.parse(WRITERS["vllm-bench"](requests)) as Record<string, unknown>;
  const errors = requests.map((_, i) => (i % 10 === 0 ? "HTTP 500" : ""));
  expect(warningsFor(JSON.stringify({ ...vllm, errors }))).toContainEqual(
    expect.stringContaining("run-0: 12 of 120 requests are left out (failed)"),
  );
  const report = JSON.parse(WRITERS.guidellm(requests)) as { benchmarks: { requests: object }[] };
  report.benchmarks[0]!.requests = { ...report.benchmarks[0]!.requests, incomplete: Array.from({ length: 20 }) };
  expect(warningsFor(JSON.stringify(report))).toEqual([]);
});
