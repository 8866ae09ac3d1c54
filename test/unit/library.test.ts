/** The public library alone, in one thread: from a parsed file to a verdict, as a worker in a browser would do it. */
import { expect, test } from "vitest";
import { decideExperiment, resolveExperiment, runOne, setUp, summarise, THIS_THREAD } from "../../src/index.ts";
import { catalog, smallExperiment, withValue } from "../fixtures/experiment.ts";

const HOUR = 1 / 24;

test("resolves, sizes, sweeps, runs, sums up and decides", async () => {
  const short = withValue(withValue(smallExperiment(), ["days"], HOUR), ["replications"], 2);
  const sized = withValue(short, ["strategies", "own", "pools", "gpus", "replicas"], "auto");
  const { experiment } = resolveExperiment(withValue(sized, ["classes", 0, "slo"], { ttftMs: 2000 }), catalog);
  const told: string[] = [];
  const setups = await setUp(experiment, THIS_THREAD, {
    tries: (strategy, { replicas }) => told.push(`${strategy} ${replicas.join()}`),
    sized: (strategy) => told.push(`${strategy} done`),
    sweeps: (strategy) => told.push(`${strategy} sweeps`),
  });
  expect(told).toContain("own 1");
  expect(told.indexOf("own done")).toBeLessThan(told.indexOf("own sweeps"));
  expect(setups.map(({ replicas }) => replicas)).toEqual([[], [1], [2]]);
  expect(setups[1]!.sloRates[0]![0]).toBeGreaterThan(1);

  const outcomes = experiment.strategies.map((_, strategy) =>
    [0, 1].map((replication) =>
      runOne({ experiment, strategy, replication, replicas: setups[strategy]!.replicas }, null, null),
    ),
  );
  const findings = summarise({ experiment, version: "test", setups, outcomes, complete: true });
  expect(findings.strategies.map(({ name }) => name)).toEqual(["api", "own", "both"]);
  const origin = { runIds: ["test"], inputHash: "test", priceBookDate: null };
  const { verdict, records } = decideExperiment({ ...experiment, team: experiment.team! }, findings, origin);
  expect(["api-first", "hybrid", "self-hosted"]).toContain(verdict.verdict);
  expect(records.length).toBeGreaterThan(10);
});

test("without sweeps no rate is asked for", async () => {
  const { experiment } = resolveExperiment(withValue(smallExperiment(), ["days"], HOUR), catalog);
  const never = { ...THIS_THREAD, sloRate: () => Promise.reject(new Error("asked")) };
  const setups = await setUp(experiment, never, {}, false);
  expect(setups.flatMap(({ sloRates }) => sloRates.flat())).toEqual([null, null, null, null]);
});
