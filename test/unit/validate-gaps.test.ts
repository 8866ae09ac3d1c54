/** ITL percentiles of recorded cases: over all gaps of all requests that count, as benchmark tools have them. */
import { describe, expect, test } from "vitest";
import { DEFAULT_SCHEDULER, type SchedulerSpec } from "../../src/engine/scheduler-spec.ts";
import type { StepTime } from "../../src/engine/step-time.ts";
import type { CaseArrivals } from "../../src/experiment/validate/arrivals.ts";
import { GapSketch, gapGroups } from "../../src/experiment/validate/gaps.ts";
import {
  type CaseMetrics,
  type CaseTimes,
  caseMetrics,
  quantile,
  stageMetrics,
} from "../../src/experiment/validate/metrics.ts";
import { simulateCase } from "../../src/experiment/validate/simulate-case.ts";
import { arrivalsOf, ROOMY_ENGINE } from "../fixtures/recorded-case.ts";

/** Steps of 10 ms, of 30 ms where a prompt is in them. */
const stepTime: StepTime = {
  decodeBaseS: new Float64Array(65).fill(0.01),
  perContextTokenS: 0,
  mixedS: () => 0.03,
};

const engine = { ...ROOMY_ENGINE, apiOverheadMs: 5 };

function requests(
  arrivalS: readonly number[],
  outputTokens: readonly number[],
  change: Partial<CaseArrivals> = {},
): CaseArrivals {
  return arrivalsOf(arrivalS.length, {
    arrivalS: Float64Array.from(arrivalS),
    outputTokens: Uint32Array.from(outputTokens),
    ...change,
  });
}

function simulate(arrivals: CaseArrivals, warmupRequests = 0, scheduler: Partial<SchedulerSpec> = {}): CaseTimes {
  return simulateCase({
    engine,
    stepTime,
    arrivals,
    replicas: 1,
    router: { name: "round-robin", options: {} },
    scheduler: { ...DEFAULT_SCHEDULER, ...scheduler },
    handOff: null,
    gapGroups: gapGroups(arrivals, warmupRequests),
  });
}

const itl = (metrics: CaseMetrics): number[] =>
  [50, 90, 95, 99].map((percent) => Number(metrics[`itlMsP${percent}`]!.toFixed(9)));

/** The engine that leaps and the one that follows any policy count alike. */
const ENGINES: readonly (readonly [string, Partial<SchedulerSpec>])[] = [
  ["leaping", {}],
  ["by policy", { prefixCache: { eviction: "lru" } }],
];

describe.each(ENGINES)("gaps, %s", (_name, scheduler) => {
  test("one request of 101 tokens, whose decoding the prompt of another holds up once", () => {
    const arrivals = requests([0, 0.5], [101, 1]);
    const metrics = caseMetrics(arrivals, simulate(arrivals, 0, scheduler), 0, engine.apiOverheadMs);
    // 99 gaps of 10 ms and one of 30: at rank 99 · 0.99 = 98.01 a hundredth of the way from the one to the other.
    expect(itl(metrics)).toEqual([10, 10, 10, 10.2]);
    expect(metrics["itlMsMean"]).toBeCloseTo((99 * 10 + 30) / 100, 9);
    // Over requests there is one TPOT only.
    expect(metrics["tpotMsP99"]).toBe(metrics["tpotMsP50"]);
  });

  test("the warm-up does not count, and stages count their own", () => {
    // The first request is the warm-up, which the prompts of all others hold up; that of the fourth holds up the third.
    const stage = Uint16Array.of(0, 0, 1, 1);
    const arrivals = requests([0, 0.1, 0.2, 0.3], [51, 2, 51, 2], { stage, stageStartS: [0, 0.1] });
    const times = simulate(arrivals, 1, scheduler);
    const [first, second] = stageMetrics(arrivals, times, 1, 0);
    expect(first!["itlMsP99"]).toBeCloseTo(10, 9);
    expect(second!["itlMsP99"]).toBeGreaterThan(10);
    const whole = caseMetrics(arrivals, times, 1, 0);
    expect(whole["itlMsP50"]).toBeCloseTo(10, 9);
    expect(times.gaps!.map((one) => one.samples())).toEqual([1, 51, 50]);
  });

  test("the gaps add up to the times of the requests", () => {
    const arrivals = requests(
      Array.from({ length: 300 }, (_, i) => i * 0.037),
      Array.from({ length: 300 }, (_, i) => 1 + ((i * 13) % 40)),
    );
    const times = simulate(arrivals, 20, scheduler);
    const counted = times.gaps![0]!;
    const metrics = caseMetrics(arrivals, times, 20, 0);
    expect(counted.samples()).toBe(arrivals.outputTokens.slice(20).reduce((sum, tokens) => sum + tokens - 1, 0));
    expect(counted.mean() * 1000).toBeCloseTo(metrics["itlMsMean"]!, 9);
  });
});

test("percentiles of ramps and single values are the exact ones within the width of a bucket", () => {
  const sketch = new GapSketch();
  const all: number[] = [];
  sketch.addRamp(0.008, 1e-5, 500, 3);
  for (let i = 0; i < 500; i++) all.push(...Array<number>(3).fill(0.008 + i * 1e-5));
  sketch.add(0.25, 12);
  all.push(...Array<number>(12).fill(0.25));
  all.sort((a, b) => a - b);
  for (const q of [0, 0.1, 0.5, 0.9, 0.95, 0.99, 0.995, 1])
    expect(Math.abs(sketch.quantile(q) / quantile(all, q) - 1), String(q)).toBeLessThan(0.008);
  expect(sketch.quantile(1)).toBe(0.25);
  expect(new GapSketch().quantile(0.5)).toBeNaN();
});

test("stages beyond what a column of bytes tells apart are counted together, and none has percentiles of its own", () => {
  const size = 300;
  const stage = Uint16Array.from({ length: size }, (_, i) => i);
  const arrivals = requests(Array.from(stage), Array<number>(size).fill(5), { stage, stageStartS: Array.from(stage) });
  const times = simulate(arrivals);
  expect(caseMetrics(arrivals, times, 0, 0)["itlMsP50"]).toBeCloseTo(10, 9);
  expect(stageMetrics(arrivals, times, 0, 0)[7]!["itlMsP50"]).toBeUndefined();
});
