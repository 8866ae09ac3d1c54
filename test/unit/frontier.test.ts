/** The frontier: fairness and backlog by hand, overload where theory has it, and the best only where it can be told apart. */
import { expect, test } from "vitest";
import { backlog, frontierAt, frontierOf, type FrontierPoint } from "../../src/experiment/frontier.ts";
import { FAIRNESS_METRICS, jainIndex } from "../../src/experiment/run-metrics.ts";
import { runOne, type RunOutcome } from "../../src/experiment/run-one.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import type { ResolvedExperiment } from "../../src/scenario/resolved.ts";
import { resolveRaw } from "../fixtures/experiment.ts";

const POOL = { llm: "llama-3.1-8b", gpu: "h100-sxm", replicas: 1, maxNumSeqs: 8, incidents: "none" };
const routes = { short: ["own"], long: ["own"] };

function study(requestsPerS: number): ResolvedExperiment {
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

test("latencies of the overloaded do not compete, classes have figures of their own", () => {
  expect(point(15, "one").figures["ttftP50"]!.mean).toBeGreaterThan(10_000);
  expect(frontier.best.filter(({ metric, ratePerS }) => metric === "ttftP50" && ratePerS === 15)).toEqual([]);
  const [short, long] = point(1, "one").classes;
  expect(short).toMatchObject({ name: "short" });
  expect(long!.figures["ttftP50"]!.mean).toBeGreaterThan(short!.figures["ttftP50"]!.mean);
});
