/** Lengths of a recording by class, and what is computed from them before a run. */
import { expect, test } from "vitest";
import { rowsOfClass } from "../../src/experiment/rows-of-class.ts";
import { sloRatePerReplica, sweepKey } from "../../src/experiment/slo-rate.ts";
import { NO_CLASS, type ReplayTraffic } from "../../src/scenario/resolved.ts";
import { resolveRaw, smallExperiment } from "../fixtures/experiment.ts";

const TRACE: ReplayTraffic = {
  kind: "replay",
  file: "x.parquet",
  arrivalS: Float64Array.of(0, 1, 2, 3),
  inputTokens: Uint32Array.of(100, 9000, 100, 9000),
  outputTokens: Uint32Array.of(20, 600, 20, 600),
  maxOutput: { factor: 1, minTokens: 1 },
};

test("of the requests of a class and of those that are drawn; of all where it has none", () => {
  const classIndex = Uint8Array.of(0, 1, NO_CLASS, 1);
  expect([...rowsOfClass({ ...TRACE, classIndex }, 0).inputTokens]).toEqual([100, 100]);
  expect([...rowsOfClass({ ...TRACE, classIndex }, 1).outputTokens]).toEqual([600, 20, 600]);
  expect(rowsOfClass(TRACE, 1)).toBe(TRACE);
  const one = { ...TRACE, classIndex: new Uint8Array(4) };
  expect(rowsOfClass(one, 1)).toBe(one);
});

test("a replica serves more of the short class than of the long one", () => {
  const { experiment } = resolveRaw(smallExperiment());
  const traffic = { ...TRACE, classIndex: Uint8Array.of(0, 1, 0, 1) };
  const strategy = experiment.strategies.findIndex(({ name }) => name === "own");
  const rate = (classIndex: number): number =>
    sloRatePerReplica({ experiment: { ...experiment, traffic }, strategy, pool: 0, classIndex })!;
  expect(rate(0)).toBeGreaterThan(5 * rate(1));
  // Classes of one target share a sweep where their requests are alike, and there alone.
  const classes = experiment.classes.map((one) => ({ ...experiment.classes[0]!, name: one.name }));
  const key = (of: ReplayTraffic, classIndex: number): string =>
    sweepKey({ experiment: { ...experiment, classes, traffic: of }, strategy, pool: 0, classIndex });
  expect(key(traffic, 0)).not.toBe(key(traffic, 1));
  expect(key(TRACE, 0)).toBe(key(TRACE, 1));
});
