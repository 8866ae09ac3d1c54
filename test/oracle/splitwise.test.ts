/**
 * Prefill and decode on one node and on two, against the printed times of another simulator (splitwise-sim) with its own table of
 * step times: three requests that never meet, so that every stage can be told.
 */
import { readFileSync } from "node:fs";
import { mean } from "simple-statistics";
import { describe, expect, test } from "vitest";
import { DEFAULT_SCHEDULER, type SchedulerSpec } from "../../src/engine/scheduler-spec.ts";
import { interpolatedMs, type StepTimeRow, tableStepTime } from "../../src/engine/step-time-table.ts";
import { quantile } from "../../src/experiment/validate/metrics.ts";
import { COMPLETED } from "../../src/outcome/recorder.ts";
import type { ResolvedPool } from "../../src/scenario/resolved.ts";
import { type ListedRequest, listTraffic, pool, setting, strategy, to } from "../fixtures/strategies.ts";
import { watch, type WatchedRun } from "../invariants/random-runs.ts";

interface Expected {
  readonly ttftS: readonly number[];
  readonly responseS: readonly number[];
  readonly responsePerTokenS: readonly number[];
  /** By request: start and end of each stage. */
  readonly stagesS: readonly (readonly (readonly [number, number])[])[];
}

interface Fixture {
  readonly kvTransferSPerPromptToken: number;
  readonly stepTimes: Readonly<Record<"h100" | "a100", readonly StepTimeRow[]>>;
  readonly requests: readonly ListedRequest[];
  readonly oneNode: Expected & { readonly meanResponseS: number; readonly p99ResponseS: number };
  readonly split: Expected & { readonly kvTransferS: readonly number[] };
}

const FILE = new URL("../fixtures/splitwise-three-requests.json", import.meta.url);
const FIXTURE = JSON.parse(readFileSync(FILE, "utf8")) as Fixture;
/** Printed with six decimals. */
const TOLERANCE_S = 1e-6;

function node(gpu: "h100" | "a100", options: Partial<ResolvedPool> = {}): ResolvedPool {
  const engine = { maxNumBatchedTokens: 8192, kvBlocks: 4000, apiOverheadMs: 0 };
  return pool({ stepTimeTable: FIXTURE.stepTimes[gpu], networkS: 0, engine, ...options });
}

const scheduler = (change: Partial<SchedulerSpec>): SchedulerSpec => ({ ...DEFAULT_SCHEDULER, ...change });

const SPLIT: readonly ResolvedPool[] = [
  node("h100", {
    name: "prefill",
    scheduler: scheduler({ role: "prefill" }),
    handOff: { pool: 1, sPerToken: FIXTURE.kvTransferSPerPromptToken, latencyS: 0 },
  }),
  node("a100", { name: "decode", scheduler: scheduler({ role: "decode" }) }),
];

function run(pools: readonly ResolvedPool[], requests = FIXTURE.requests): WatchedRun {
  return watch(
    setting({ horizonS: 60 }),
    strategy([[to("pool")]], pools),
    pools.map(() => 1),
    listTraffic(requests),
  );
}

function near(value: number, expected: number): void {
  expect(Math.abs(value - expected), `${value}, expected ${expected}`).toBeLessThanOrEqual(TOLERANCE_S);
}

function compareTimes({ rows }: WatchedRun, expected: Expected): void {
  expect(rows.map(({ outcome }) => outcome)).toEqual([COMPLETED, COMPLETED, COMPLETED]);
  rows.forEach((row, i) => {
    near(row.ttftS, expected.ttftS[i]!);
    near(row.e2eS, expected.responseS[i]!);
    // It divides by the tokens; TPOT divides by the gaps between them, one fewer.
    near((row.tpotS * (row.outputTokens - 1)) / row.outputTokens, expected.responsePerTokenS[i]!);
  });
}

/** Start and end of the stages of one request on its own: what each pool was busy for, and what lies between. */
function stagesOf(pools: readonly ResolvedPool[], request: ListedRequest): (readonly [number, number])[] {
  const { rows, result } = run(pools, [request]);
  const { sentS, ttftS, e2eS } = rows[0]!;
  const busyS = result.pools.map(({ busyH }) => busyH * 3600);
  const promptEndS = sentS + ttftS;
  const endS = sentS + e2eS;
  const tokenStartS = endS - (pools.length === 1 ? busyS[0]! - ttftS : busyS[1]!);
  if (pools.length === 1)
    return [
      [promptEndS - ttftS, promptEndS],
      [tokenStartS, endS],
    ];
  return [
    [promptEndS - busyS[0]!, promptEndS],
    [promptEndS, tokenStartS],
    [tokenStartS, endS],
  ];
}

function compareStages(pools: readonly ResolvedPool[], expected: Expected): void {
  FIXTURE.requests.forEach((request, i) => {
    const stages = stagesOf(pools, request);
    expect(stages).toHaveLength(expected.stagesS[i]!.length);
    stages.forEach(([startS, endS], stage) => {
      near(startS, expected.stagesS[i]![stage]![0]);
      near(endS, expected.stagesS[i]![stage]![1]);
    });
  });
}

describe("three requests of splitwise-sim", () => {
  test.each([
    ["the leaping engine", {}],
    ["continuous batching", { batching: { name: "continuous", options: {} } }],
    ["static batching of one", { batching: { name: "static", options: { batchSize: 1, timeoutMs: 0 } } }],
  ])("on one node under %s", (_, change) => {
    const pools = [node("h100", { scheduler: scheduler(change) })];
    const whole = run(pools);
    compareTimes(whole, FIXTURE.oneNode);
    const sorted = whole.rows.map(({ e2eS }) => e2eS).sort((a, b) => a - b);
    near(mean(sorted), FIXTURE.oneNode.meanResponseS);
    near(quantile(sorted, 0.99), FIXTURE.oneNode.p99ResponseS);
    compareStages(pools, FIXTURE.oneNode);
  });

  test("prompts on one node, tokens on another, KV on its way between", () => {
    compareTimes(run(SPLIT), FIXTURE.split);
    compareStages(SPLIT, FIXTURE.split);
    FIXTURE.split.kvTransferS.forEach((expectedS, i) => {
      const [, transfer] = stagesOf(SPLIT, FIXTURE.requests[i]!);
      near(transfer![1] - transfer![0], expectedS);
    });
  });
});

test("a table is linear between its points and beyond them, and drafts move along it", () => {
  const rows = [
    { batchTokens: 10, promptMs: 20, tokenMs: 5 },
    { batchTokens: 20, promptMs: 40, tokenMs: 6 },
    { batchTokens: 40, promptMs: 50, tokenMs: 10 },
  ];
  expect([0, 10, 15, 20, 30, 40, 60].map((tokens) => interpolatedMs(rows, "promptMs", tokens))).toEqual([
    0, 20, 30, 40, 45, 50, 60,
  ]);
  const one = tableStepTime(rows, 20);
  expect(one.decodeBaseS[10]).toBeCloseTo(0.005, 15);
  expect(tableStepTime(rows, 20, 2).decodeBaseS[10]).toBeCloseTo(0.006, 15);
  expect(one.mixedS(0, 1e6, 20, 1e6, 1)).toBeCloseTo(0.04, 15);
  // Beside decodes: a tenth more than the longer of the two.
  expect(one.mixedS(10, 0, 20, 0, 1)).toBeCloseTo(0.044, 15);
  expect(one.mixedS(20, 0, 1, 0, 1)).toBeCloseTo(0.0066, 15);
});
