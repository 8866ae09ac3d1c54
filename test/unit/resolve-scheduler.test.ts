/** Schedulers of pools: names, options and what does not go together. */
import { expect, test } from "vitest";
import { describeScheduler } from "../../src/engine/scheduler-spec.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import { resolveRaw, smallExperiment, valueAtPool, withValue, type Path } from "../fixtures/experiment.ts";

const POOL: Path = ["strategies", "own", "pools", "gpus"];

function problemsOf(changes: readonly [Path, unknown][]): string[] {
  let raw = smallExperiment();
  for (const [path, value] of changes) raw = withValue(raw, path, value);
  try {
    resolveRaw(raw);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ message, hint }) => `${message} | ${hint ?? ""}`);
    throw error;
  }
  return [];
}

test("names and options of policies are checked", () => {
  expect(problemsOf([[[...POOL, "scheduler"], { batching: "chunkd", order: "fcsf" }]])).toEqual([
    'unknown batching policy "chunkd" | did you mean "chunked"?',
    'unknown queue order "fcsf" | did you mean "fcfs"?',
  ]);
  expect(problemsOf([[[...POOL, "scheduler"], { batching: "edf", order: "static" }]])).toEqual([
    'unknown batching policy "edf" | it is a queue order: scheduler: { order: edf }',
    'unknown queue order "static" | it is a batching policy: scheduler: { batching: static }',
  ]);
  const wrong = { name: "static", options: { batchSize: 0, tiemoutMs: 3 } };
  expect(problemsOf([[[...POOL, "scheduler"], { batching: wrong }]])).toEqual([
    "expected a number from 1 to 4096, got 0 | requests in a full batch",
    'static has no option "tiemoutMs" | its options: batchSize, timeoutMs',
  ]);
});

test("fair shares charge something for every token", () => {
  const order = { name: "fair-share", options: { inputWeight: 0, outputWeight: 0 } };
  expect(problemsOf([[[...POOL, "scheduler"], { order }]])).toEqual([
    "expected a number from 0.001 to 1000, got 0 | service that a prompt token counts, above 0",
    "expected a number from 0.001 to 1000, got 0 | service that an answer token counts, above 0",
  ]);
});

test("drafts of a full batch fit the token budget", () => {
  const scheduler = { speculative: { draftTokens: 16, acceptance: 0.5 } };
  const tight: [Path, unknown][] = [
    [[...POOL, "scheduler"], scheduler],
    [[...POOL, "maxNumSeqs"], 256],
    [[...POOL, "maxNumBatchedTokens"], 1024],
  ];
  expect(problemsOf(tight)[0]).toMatch(/^a full batch decodes and checks 4352 tokens a step, more than/);
  expect(problemsOf([...tight, [[...POOL, "scheduler", "speculative", "mode"], "mean-field"]])).toEqual([]);
});

test("a pool hands on to another pool of the same model, once", () => {
  const pool = valueAtPool(smallExperiment());
  const second: [Path, unknown] = [[...POOL.slice(0, -1), "second"], pool];
  const handOff = (to: string): [Path, unknown] => [[...POOL, "handOff"], { to }];
  expect(problemsOf([second, handOff("second")])).toEqual([]);
  expect(problemsOf([second, handOff("gpus")])[0]).toMatch(/can't hand on to itself/);
  expect(problemsOf([second, handOff("secnd")])[0]).toMatch(/unknown pool "secnd" \| did you mean "second"/);
  const { warnings } = resolveRaw(withValue(withValue(smallExperiment(), ...second), ...handOff("second"))).experiment;
  expect(warnings).toContainEqual(expect.stringMatching(/own.pools.gpus: .*\(uSlo\) is not measured/));
  const other: [Path, unknown] = [[...POOL.slice(0, -1), "second"], { ...pool, kvDtype: "fp8" }];
  expect(problemsOf([other, handOff("second")])[0]).toMatch(/can't use the KV of this pool/);
  const chain: [Path, unknown] = [[...POOL.slice(0, -1), "second"], { ...pool, handOff: { to: "gpus" } }];
  expect(problemsOf([chain, handOff("second")])[0]).toMatch(/hands on as well/);
  const swapping: [Path, unknown] = [[...POOL.slice(0, -1), "second"], { ...pool, scheduler: { preemption: "swap" } }];
  expect(problemsOf([swapping, handOff("second")])[0]).toMatch(/recomputes what it preempts/);
});

test("a table of step times rises, and no step takes less than nothing", () => {
  const row = (batchTokens: number, promptMs: number, tokenMs: number) => ({ batchTokens, promptMs, tokenMs });
  const at: Path = [...POOL, "stepTimeTable"];
  expect(problemsOf([[at, [row(1, 10, 8), row(8192, 900, 30)]]])).toEqual([]);
  expect(problemsOf([[at, [row(8, 10, 8), row(8, 900, 30)]]])).toEqual([
    "expected more than 8 (the row before), got 8 | sort the rows by batchTokens",
  ]);
  expect(problemsOf([[at, [row(100, 10, 8), row(200, 30, 9)]]])[0]).toMatch(
    /^a step of 1 tokens would take -9.80 ms: .* first two rows .* \| add a row for 1 tokens$/,
  );
  expect(problemsOf([[at, [row(1, 10, 8), row(200, 30, 7)]]])[0]).toMatch(/last two rows/);
  const { experiment } = resolveRaw(withValue(smallExperiment(), at, [row(1, 10, 8), row(8192, 900, 30)]));
  const { stepTimeTable, outsideValidatedRange } = experiment.strategies[1]!.pools[0]!;
  expect(stepTimeTable).toHaveLength(2);
  expect(outsideValidatedRange).toMatch(/own table/);
});

test("the line of a scheduler holds the values of its options and the limits of a step", () => {
  const lineOf = (scheduler: Record<string, unknown>, more: Record<string, unknown> = {}): string => {
    const changed = {
      ...valueAtPool(smallExperiment()),
      maxNumSeqs: 128,
      maxNumBatchedTokens: 1024,
      ...more,
      scheduler,
    };
    const pool = resolveRaw(withValue(smallExperiment(), POOL, changed)).experiment.strategies[1]!.pools[0]!;
    return describeScheduler(pool.scheduler, pool.engine);
  };
  const limits = "at most 128 sequences and 1024 tokens a step";
  expect(lineOf({})).toBe(`chunked, fcfs, ${limits}`);
  expect(lineOf({}, { longPrefillTokenThreshold: 256 })).toBe(`chunked, fcfs, ${limits}, chunks up to 256`);
  expect(
    lineOf({
      batching: { name: "static", options: { batchSize: 32 } },
      order: { name: "fair-share", options: { outputWeight: 4 } },
    }),
  ).toBe(`static (batchSize 32, timeoutMs 100), fair-share (inputWeight 1, outputWeight 4), ${limits}`);
  expect(
    lineOf({
      preemption: "swap",
      swapSpaceGiB: 1,
      speculative: { draftTokens: 2, acceptance: 0.7 },
      capturedBatchSizes: [8, 1, 4],
    }),
  ).toBe(
    `chunked, fcfs, swap (up to 8192 tokens), 2 drafts (acceptance 0.7, cost 0.1), padded batches (3 sizes up to 8), ${limits}`,
  );
});

test("host memory and captured sizes are of one GPU and one rank: stages share the layers, ranks have room and batches of their own", () => {
  const schedulerOf = (more: Record<string, unknown>, llm = "llama-3.1-8b") => {
    const scheduler = { preemption: "swap", swapSpaceGiB: 4, capturedBatchSizes: [8, 64] };
    const changed = { ...valueAtPool(smallExperiment()), llm, scheduler, ...more };
    return resolveRaw(withValue(smallExperiment(), POOL, changed)).experiment.strategies[1]!.pools[0]!.scheduler;
  };
  const one = schedulerOf({});
  expect(one).toMatchObject({ swapSpaceTokens: 32_768, capturedBatchSizes: [8, 64] });
  for (const split of [{ tensorParallelSize: 2 }, { pipelineParallelSize: 2 }]) {
    const two = schedulerOf(split);
    expect(two.swapSpaceTokens, JSON.stringify(split)).toBe(2 * one.swapSpaceTokens);
    expect(two.swapSPerToken).toBeCloseTo(one.swapSPerToken / 2, 12);
  }
  expect(schedulerOf({ pipelineParallelSize: 2 }).capturedBatchSizes).toEqual([16, 128]);
  const ranks = (dataParallelSize: number) =>
    schedulerOf({ dataParallelSize, enableExpertParallel: true }, "qwen3-30b-a3b");
  expect(ranks(4).swapSpaceTokens).toBe(2 * ranks(2).swapSpaceTokens);
  expect(ranks(4).swapSPerToken).toBe(ranks(2).swapSPerToken);
  expect(ranks(4).capturedBatchSizes).toEqual([32, 256]);
});

test("a policy that gets no steps ahead where others do is warned of, and so are captured sizes without seats", () => {
  const warningsOf = (engine: string, scheduler: Record<string, unknown>, more: Record<string, unknown> = {}) => {
    const changed = { ...valueAtPool(smallExperiment()), engine, scheduler, ...more };
    const { warnings } = resolveRaw(withValue(smallExperiment(), POOL, changed)).experiment;
    return warnings.filter((warning) => /steps ahead|capturedBatchSizes/.test(warning));
  };
  const batching = { name: "static", options: {} };
  expect(warningsOf("vllm-0.14", { batching })).toEqual([
    expect.stringMatching(/scheduler: this engine forms steps ahead, .* under static requests join a step earlier/),
  ]);
  for (const name of ["chunked", "continuous"])
    expect(warningsOf("vllm-0.14", { batching: { name, options: {} } })).toEqual([]);
  expect(warningsOf("vllm", { batching })).toEqual([]);
  expect(warningsOf("vllm", { capturedBatchSizes: [1, 64] }, { maxNumSeqs: 4 })).toEqual([
    expect.stringMatching(/capturedBatchSizes: sizes above maxNumSeqs, 4 in a replica, count as that many sequences/),
  ]);
  expect(warningsOf("vllm", { capturedBatchSizes: [1, 4] }, { maxNumSeqs: 4 })).toEqual([]);
});
