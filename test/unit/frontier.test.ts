/** The frontier: fairness and backlog by hand, overload where theory has it, and the best only where it can be told apart. */
import { expect, test } from "vitest";
import { backlog } from "../../src/experiment/backlog.ts";
import { compareStrategies } from "../../src/experiment/compare.ts";
import { frontierAt, frontierOf, type FrontierPoint } from "../../src/experiment/frontier.ts";
import { FAIRNESS_METRICS, jainIndex, servingGpus } from "../../src/experiment/run-metrics.ts";
import { runOne, type RunOutcome } from "../../src/experiment/run-one.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import type { ResolvedExperiment } from "../../src/scenario/resolved.ts";
import { frontierText } from "../../src/node/frontier-text.ts";
import { type Raw, resolveRaw } from "../fixtures/experiment.ts";

const POOL = { llm: "llama-3.1-8b", gpu: "h100-sxm", replicas: 1, maxNumSeqs: 8, incidents: "none" };
const routes = { short: ["own"], long: ["own"] };

function study(requestsPerS: number, changes: Raw = {}): ResolvedExperiment {
  return resolveRaw({
    id: "study",
    title: "Study",
    question: "Which?",
    start: "2026-11-02T00:00:00Z",
    days: 0.003,
    warmupMinutes: 0,
    replications: 4,
    classes: [
      { name: "short", share: 0.5, slo: { ttftMs: 500 } },
      { name: "long", share: 0.5, slo: { ttftMs: 500 }, input: { kind: "constant", tokens: 3000 } },
    ],
    traffic: {
      requestsPerS,
      input: { kind: "constant", tokens: 200 },
      output: { kind: "lognormal", medianTokens: 100, sigma: 0.5, maxTokens: 2000 },
    },
    strategies: {
      one: { pools: { own: POOL }, routes },
      same: { pools: { own: POOL }, routes },
      more: { pools: { own: { ...POOL, replicas: 3 } }, routes },
    },
    ...changes,
  }).experiment;
}

function simulated(experiment: ResolvedExperiment): RunOutcome[][] {
  return experiment.strategies.map(({ pools }, strategy) =>
    Array.from({ length: experiment.replications }, (_, replication) =>
      runOne({ experiment, strategy, replication, replicas: pools.map((pool) => Number(pool.replicas)) }, null, null),
    ),
  );
}

const RATES = [1, 15];
const columns = RATES.map((rate) => frontierAt(study(rate), rate, simulated(study(rate))));
const frontier = frontierOf(study(1), columns);
const point = (ratePerS: number, strategy: string): FrontierPoint =>
  frontier.points.find((one) => one.ratePerS === ratePerS && one.strategy === strategy)!;

test("the GPUs of each strategy are told where they differ", () => {
  expect([point(1, "one").gpus, point(15, "same").gpus, point(15, "more").gpus]).toEqual([1, 1, 3]);
  const text = (points: readonly FrontierPoint[]): string =>
    frontierText({
      title: "",
      seed: "1",
      horizonS: 60,
      replications: 4,
      warnings: [],
      width: 200,
      frontier: { ...frontier, points },
    });
  expect(text(frontier.points)).toMatch(/GPUs that serve +1\/s +15\/s\none +1 +1\nsame +1 +1\nmore +3 +3\n/);
  expect(text(frontier.points.map((one) => ({ ...one, gpus: 2 })))).not.toContain("GPUs that serve");
  const rows = compareStrategies(study(1), simulated(study(1))).map(
    ({ rows: all }) => all.find(({ metric }) => metric === "gpus")!.difference!.mean,
  );
  expect(rows).toEqual([0, 2]);
  expect(servingGpus({ pools: [] }, [])).toBe(0);
});

test("Jain's index, by hand", () => {
  expect(jainIndex([0.9, 0.9, 0.9])).toBeCloseTo(1, 12);
  expect(jainIndex([1, 0, 0, 0])).toBeCloseTo(1 / 4, 12);
  // (1 + 0.5)² ÷ (2·1.25).
  expect(jainIndex([1, 0.5])).toBeCloseTo(0.9, 12);
  expect(jainIndex([0, 0])).toBeNaN();
});

test("a P99 ratio wants a thousand requests of every class", () => {
  const classOf = (ms: number, n: number): RunOutcome["run"]["classes"][number] => {
    const ttftS = new Sketch();
    ttftS.add(ms / 1000, n);
    return { ...simulatedClass, ttftS: ttftS.toPlain() };
  };
  const ratio = FAIRNESS_METRICS.find(({ metric }) => metric === "ttftP99Ratio")!.of;
  expect(ratio([classOf(100, 1000), classOf(800, 5000), classOf(200, 1000)]) / 8).toBeCloseTo(1, 1);
  expect(ratio([classOf(100, 999), classOf(800, 5000)])).toBeNaN();
});

const simulatedClass = simulated(study(1))[0]![0]!.run.classes[0]!;

test("the backlog leaves out what a steady queue has in flight", () => {
  const e2eS = new Sketch();
  e2eS.add(10, 90);
  const totals = { ...simulatedClass.totals, sent: 100, completed: 90 };
  // 90 in 100 s of 10 s each: 9 in flight are steady, one of a hundred is left.
  expect(backlog({ totals, e2eS: e2eS.toPlain() }, 100)).toBeCloseTo(0.01, 2);
  expect(backlog({ totals: { ...totals, completed: 0 }, e2eS: new Sketch().toPlain() }, 100)).toBe(1);
});

test("overload is where more is asked than is carried", () => {
  expect(point(1, "one").overloaded).toBe(false);
  expect(Math.abs(point(1, "one").backlogFraction!.mean)).toBeLessThan(0.01);
  const busy = point(15, "one");
  expect(busy.overloaded).toBe(true);
  // What 8 sequences at a time can't carry is the growth: half of it stands beyond a steady queue as their waits grow linearly.
  const missing = 1 - busy.figures["completed"]!.mean / 15;
  expect(busy.backlogFraction!.mean / missing).toBeGreaterThan(0.3);
  expect(busy.backlogFraction!.mean / missing).toBeLessThan(0.8);
});

test("three replicas are best where it shows, and equals never are", () => {
  expect(frontier.rates).toEqual(RATES);
  expect(frontier.metrics.map(({ metric }) => metric)).toContain("fairnessIndex");
  const best = (metric: string, rate: number) =>
    frontier.best.find((one) => one.metric === metric && one.ratePerS === rate);
  expect(best("completed", 15)).toMatchObject({ strategy: "more", runnerUp: "one" });
  expect(best("tpotP50", 1)).toMatchObject({ strategy: "more" });
  expect(frontier.best.some(({ strategy }) => strategy !== "more")).toBe(false);
  const pair = study(1);
  const equals = frontierAt({ ...pair, strategies: pair.strategies.slice(0, 2) }, 1, simulated(pair).slice(0, 2));
  expect(equals.best).toEqual([]);
});

test("where step-time errors are drawn, the best is best in a run, not in the mean", () => {
  const pair = study(1);
  const ahead = simulated(pair).slice(0, 2);
  const more = [1, 2, 3, 2];
  const first = ahead[0]!.map(({ run, ...rest }, r) => ({
    ...rest,
    run: {
      ...run,
      classes: run.classes.map((one, c) => ({
        ...one,
        totals: { ...one.totals, completed: one.totals.completed + (c === 0 ? more[r]! : 0) },
      })),
    },
  }));
  // 2 ± 1.3 in the mean, ± 2.6 in a run.
  const at = (experiment: ResolvedExperiment) =>
    frontierAt({ ...experiment, strategies: experiment.strategies.slice(0, 2) }, 1, [first, ahead[1]!]);
  const best = ({ best: all }: ReturnType<typeof at>): string[] => all.map(({ metric }) => metric);
  const [mean, run] = [at(pair), at(study(1, { stepTimeError: "drawn" }))];
  expect(best(mean)).toContain("completed");
  expect(best(run)).not.toContain("completed");
  const half = ({ points }: ReturnType<typeof at>, s: number): number => {
    const { hi, mean: middle } = points[s]!.figures["e2eP50"]!;
    return hi! - middle;
  };
  for (const s of [0, 1]) expect(half(run, s) / half(mean, s)).toBeCloseTo(2, 9);
});

test("a percentile that leads by one bucket of its sketch is not best", () => {
  const pair = study(1);
  const [one, same] = simulated(pair) as [RunOutcome[], RunOutcome[]];
  const slower = same.map(({ run, ...rest }) => ({
    ...rest,
    run: {
      ...run,
      classes: run.classes.map((each) => ({ ...each, e2eS: { ...each.e2eS, from: each.e2eS.from + 1 } })),
    },
  }));
  const { best } = frontierAt({ ...pair, strategies: pair.strategies.slice(0, 2) }, 1, [one, slower]);
  expect(best.map(({ metric }) => metric)).not.toContain("e2eP50");
});

test("latencies of the overloaded do not compete, classes have figures of their own", () => {
  expect(point(15, "one").figures["ttftP50"]!.mean).toBeGreaterThan(10_000);
  expect(frontier.best.filter(({ metric, ratePerS }) => metric === "ttftP50" && ratePerS === 15)).toEqual([]);
  const [short, long] = point(1, "one").classes;
  expect(short).toMatchObject({ name: "short" });
  expect(long!.figures["ttftP50"]!.mean).toBeGreaterThan(short!.figures["ttftP50"]!.mean);
});
