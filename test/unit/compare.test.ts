/** Paired differences: exact zeros for equals, hand-computed intervals, and the sign that a larger fleet must give. */
import { sampleStandardDeviation } from "simple-statistics";
import { expect, test } from "vitest";
import { compareStrategies, type Comparison } from "../../src/experiment/compare.ts";
import { runOne, type RunOutcome } from "../../src/experiment/run-one.ts";
import { mergeClasses } from "../../src/experiment/merge-classes.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import type { ResolvedExperiment } from "../../src/scenario/resolved.ts";
import { resolveRaw, type Raw } from "../fixtures/experiment.ts";

const POOL = { llm: "llama-3.1-8b", gpu: "h100-sxm", maxNumSeqs: 16, maxNumBatchedTokens: 2048, incidents: "none" };

function study(strategies: Readonly<Record<string, Raw>>, changes: Raw = {}): ResolvedExperiment {
  const raw = {
    id: "study",
    title: "Study",
    question: "Which?",
    start: "2026-11-02T00:00:00Z",
    days: 0.003,
    warmupMinutes: 1,
    replications: 6,
    classes: [
      { name: "short", share: 0.5, slo: { ttftMs: 500 } },
      { name: "long", share: 0.5 },
    ],
    traffic: {
      requestsPerS: 6,
      input: { kind: "lognormal", medianTokens: 600, sigma: 0.8, maxTokens: 8000 },
      output: { kind: "lognormal", medianTokens: 150, sigma: 0.8, maxTokens: 2000 },
    },
    strategies: Object.fromEntries(
      Object.entries(strategies).map(([name, pool]) => [
        name,
        { pools: { own: { ...POOL, ...pool } }, routes: { short: ["own"], long: ["own"] } },
      ]),
    ),
    ...changes,
  };
  return resolveRaw(raw).experiment;
}

function simulated(experiment: ResolvedExperiment): RunOutcome[][] {
  return experiment.strategies.map(({ pools }, strategy) =>
    Array.from({ length: experiment.replications }, (_, replication) =>
      runOne({ experiment, strategy, replication, replicas: pools.map((pool) => Number(pool.replicas)) }, null, null),
    ),
  );
}

function row({ rows }: Comparison, metric: string, className: string | null = null) {
  return rows.find((candidate) => candidate.metric === metric && candidate.className === className)!;
}

const experiment = study({ one: { replicas: 1 }, same: { replicas: 1 }, more: { replicas: 2 } });
const outcomes = simulated(experiment);
const [same, more] = compareStrategies(experiment, outcomes) as [Comparison, Comparison];

test("a strategy against its like differs in nothing at all", () => {
  expect(same.pairs).toBe(6);
  expect(row(same, "ttftMean").baseline!.mean).toBeGreaterThan(0);
  for (const { metric, difference, separable } of same.rows) {
    if (difference === null) continue;
    expect({ metric, ...difference }).toEqual({ metric, mean: 0, lo: 0, hi: 0, n: 6 });
    expect(separable).toBe(false);
  }
});

test("equal percentiles of unequal runs may lie a bucket apart", () => {
  const table = (tokenMs: number): Raw => ({
    replicas: 1,
    stepTimeTable: [
      { batchTokens: 1, promptMs: 0.1, tokenMs },
      { batchTokens: 2000, promptMs: 200, tokenMs },
    ],
  });
  // 7.82 and 7.93 ms are of one bucket.
  const close = study({ one: table(7.82), other: table(7.93) });
  const [compared] = compareStrategies(close, simulated(close));
  expect(row(compared!, "tpotMean")).toMatchObject({ separable: true });
  const { difference, separable, baseline } = row(compared!, "itlP50");
  expect(difference!.mean).toBe(0);
  expect(separable).toBe(false);
  expect(difference!.lo!).toBeLessThan(-0.11);
  expect(difference!.hi!).toBeGreaterThan(0.11);
  expect(baseline!.lo!).toBeLessThan(7.82);
  expect(baseline!.hi!).toBeGreaterThan(7.82);
});

test("twice the replicas bring the first token forward and are less full, beyond the interval", () => {
  for (const metric of ["ttftMean", "ttftP95", "e2eMean", "occupancyFraction", "kvFraction"]) {
    expect(row(more, metric), metric).toMatchObject({ separable: true });
    expect(row(more, metric).difference!.hi, metric).toBeLessThan(0);
  }
  expect(row(more, "ttftMean", "short").difference!.hi).toBeLessThan(0);
  expect(row(more, "sloAttainment", "short").difference!.lo).toBeGreaterThan(0);
  // Without a target there is nothing to attain, and every answer is a good one, fast or slow.
  expect(row(more, "sloAttainment", "long").baseline).toBeNull();
  expect(row(more, "goodput", "long").baseline).toEqual(row(more, "completed", "long").baseline);
  // These pools have no price and no cache.
  expect(more.rows.filter(({ metric }) => /usd|prefix|draft/.test(metric))).toEqual([]);
});

test("the interval is that of the paired differences, by hand", () => {
  const completed = [
    [100, 104],
    [80, 90],
    [120, 130],
  ] as const;
  const withCompleted = (side: 0 | 1): RunOutcome[] =>
    outcomes[0]!.slice(0, 3).map(({ run, demand }, r) => ({
      demand,
      run: {
        ...run,
        classes: run.classes.map((result, c) => ({
          ...result,
          totals: { ...result.totals, completed: c === 0 ? completed[r]![side] : 0 },
        })),
      },
    }));
  const two = { ...experiment, strategies: experiment.strategies.slice(0, 2) };
  const [compared] = compareStrategies(two, [withCompleted(0), withCompleted(1)]);
  const { difference, separable } = row(compared!, "completed");
  // Differences 4, 10, 10: mean 8, deviation √12; t of 2 degrees of freedom is 4.302653. Per second of the horizon.
  const half = (4.302653 * Math.sqrt(12)) / Math.sqrt(3);
  expect(difference!.mean * experiment.horizonS).toBeCloseTo(8, 9);
  expect(difference!.lo! * experiment.horizonS).toBeCloseTo(8 - half, 5);
  expect(difference!.hi! * experiment.horizonS).toBeCloseTo(8 + half, 5);
  expect(separable).toBe(false);
});

test("where step-time errors are drawn, a paired difference is that of a run: what is common cancels, and more runs do not narrow the rest", () => {
  const doubted = study(
    { one: { replicas: 1 }, same: { replicas: 1 }, more: { replicas: 2 } },
    { stepTimeError: "drawn", replications: 24 },
  );
  const runs = simulated(doubted);
  const [equal, larger] = compareStrategies(doubted, runs) as [Comparison, Comparison];
  for (const { metric, difference } of equal.rows)
    if (difference !== null) expect({ metric, ...difference }).toEqual({ metric, mean: 0, lo: 0, hi: 0, n: 24 });
  const half = ({ lo, hi }: { lo: number | null; hi: number | null }): number => (hi! - lo!) / 2;
  const { baseline, other, difference } = row(larger, "tpotMean");
  // One draw for both: of an error that slows both alike the difference keeps little.
  expect(half(difference!)).toBeLessThan(0.5 * half(baseline!));
  const tpotMs = (s: number, r: number): number =>
    Sketch.fromPlain(mergeClasses(runs[s]![r]!.run.classes).tpotS).mean() * 1000;
  const spread = (values: readonly number[]): number => 2.068658 * sampleStandardDeviation(values);
  const replications = runs[0]!.map((_, r) => r);
  expect(half(difference!)).toBeCloseTo(spread(replications.map((r) => tpotMs(2, r) - tpotMs(0, r))), 6);
  expect(half(baseline!)).toBeCloseTo(spread(replications.map((r) => tpotMs(0, r))), 6);
  expect(half(other!)).toBeCloseTo(spread(replications.map((r) => tpotMs(2, r))), 6);
  // The same runs without the doubt: the interval of the mean.
  const certain = study({ one: { replicas: 1 }, more: { replicas: 2 } });
  const [plain] = compareStrategies(certain, [runs[0]!, runs[2]!]) as [Comparison];
  expect(half(difference!) / half(row(plain, "tpotMean").difference!)).toBeCloseTo(Math.sqrt(24), 9);
  // A sketch is no less coarse for it.
  const [fast, slow] = [row(larger, "e2eP50"), row(plain, "e2eP50")];
  const sketchMs = (fast.baseline!.mean + fast.other!.mean) / 128;
  expect((half(fast.difference!) - sketchMs) / (half(slow.difference!) - sketchMs)).toBeCloseTo(Math.sqrt(24), 6);
});

test("replications pair by number, whichever finished; a P99 wants a thousand samples", () => {
  const two = { ...experiment, strategies: [experiment.strategies[0]!, experiment.strategies[2]!] };
  const [compared] = compareStrategies(two, [outcomes[0]!.slice(1), outcomes[2]!.slice(0, 2)]);
  expect(compared!.pairs).toBe(1);
  const r = row(compared!, "completed");
  expect(r.baseline!.mean * experiment.horizonS).toBeCloseTo(
    outcomes[0]![1]!.run.classes.reduce((sum, { totals }) => sum + totals.completed + totals.earlierCompleted, 0),
    6,
  );
  expect(r.separable).toBeNull();
  expect(row(more, "ttftP99")).not.toMatchObject({ difference: null });
  expect(row(more, "ttftP99", "short")).toMatchObject({ difference: null });
});

test("a percentile that moves by one bucket of its sketch is not told apart", () => {
  // Every answer of every replication in the next bucket: a difference without any spread.
  const slower = outcomes[0]!.map(({ run, ...rest }) => ({
    ...rest,
    run: { ...run, classes: run.classes.map((one) => ({ ...one, e2eS: { ...one.e2eS, from: one.e2eS.from + 1 } })) },
  }));
  const [moved] = compareStrategies(experiment, [outcomes[0]!, slower, outcomes[2]!]) as [Comparison];
  const { difference, baseline, separable } = row(moved, "e2eP50");
  expect(difference!.mean / baseline!.mean).toBeCloseTo(1 / 90, 2);
  expect(separable).toBe(false);
  // Three buckets are told.
  const slowerStill = slower.map(({ run, ...rest }) => ({
    ...rest,
    run: { ...run, classes: run.classes.map((one) => ({ ...one, e2eS: { ...one.e2eS, from: one.e2eS.from + 2 } })) },
  }));
  const [told] = compareStrategies(experiment, [outcomes[0]!, slowerStill, outcomes[2]!]) as [Comparison];
  expect(row(told, "e2eP50").separable).toBe(true);
});

test("what is cached and drafted is compared where a strategy does so, and money where all have prices", () => {
  const priced = { replicas: 1, gpuPrice: "nebius-on-demand" };
  const reuse = { prefixCaching: "lru", speculative: { draftTokens: 3, acceptance: 0.7 } };
  const of = study({ plain: priced, more: { ...priced, replicas: 2 }, reuse: { ...priced, scheduler: reuse } });
  const [twice, cached] = compareStrategies(of, simulated(of)) as [Comparison, Comparison];
  const cost = row(twice, "usdPerMonth");
  expect(cost).toMatchObject({ unit: "USD", separable: true });
  expect(cost.difference!.mean).toBeCloseTo(730 * 2.95, 6);
  // Who has no cache and no drafts has no figure of them, and the other one's stands alone.
  expect(row(twice, "prefixHitFraction")).toMatchObject({ baseline: null, other: null, difference: null });
  expect(row(cached, "prefixHitFraction")).toMatchObject({ baseline: null, difference: null, separable: null });
  expect(row(cached, "prefixHitFraction").other!.mean).toBeGreaterThanOrEqual(0);
  // (0.7 + 0.7² + 0.7³) ÷ 3 of all drafts.
  expect(row(cached, "draftAcceptedFraction").other!.mean).toBeCloseTo(0.511, 1);
});

test("intervals stay within what a figure can be", () => {
  // With two replications Student's t reaches thirteen standard errors far.
  const few = outcomes.map((runs) => runs.slice(0, 2));
  for (const { rows } of compareStrategies(experiment, few)) {
    for (const { unit, baseline, other, difference } of rows) {
      const most = unit === "fraction" ? 1 : Infinity;
      for (const one of [baseline, other]) if (one?.lo != null) expect(one.lo).toBeGreaterThanOrEqual(0);
      for (const one of [baseline, other]) if (one?.hi != null) expect(one.hi).toBeLessThanOrEqual(most);
      if (difference?.lo != null) expect(difference.lo).toBeGreaterThanOrEqual(-most);
    }
  }
});
