import { expect, test } from "vitest";
import { estimate, estimateOrNull, intervalsOfARun, studentT95, withDoubtOf } from "../../src/experiment/estimate.ts";
import { pool, strategy, to } from "../fixtures/strategies.ts";

test("Student's t, from the table and beyond it", () => {
  expect(studentT95(2)).toBeCloseTo(4.302653, 6);
  expect(studentT95(30)).toBeCloseTo(2.042272, 6);
  expect(studentT95(60)).toBeCloseTo(2.000298, 4);
  expect(studentT95(120)).toBeCloseTo(1.97993, 4);
});

test("mean ± t·s/√n", () => {
  const { mean, lo, hi, n } = estimate([1, 2, 3]);
  expect([mean, n]).toEqual([2, 3]);
  expect(hi! - mean).toBeCloseTo(4.302653 / Math.sqrt(3), 6);
  expect(mean - lo!).toBeCloseTo(hi! - mean, 12);
});

test("the interval of a run does not narrow with replications, wherever the estimate stands", () => {
  const half = (values: readonly number[]): number => {
    const { lists } = intervalsOfARun({ lists: [{ a: estimate(values), b: null, c: "x" }] });
    expect(lists[0]).toMatchObject({ b: null, c: "x", a: { mean: 2, n: values.length } });
    return lists[0]!.a.hi! - lists[0]!.a.mean;
  };
  const thirty = Array.from({ length: 30 }, (_, i) => 1 + (i % 3));
  expect(half([1, 2, 3])).toBeCloseTo(4.302653, 6);
  expect(half(thirty) / (estimate(thirty).hi! - 2)).toBeCloseTo(Math.sqrt(30), 9);
  const alone = estimate([5]);
  expect(intervalsOfARun(alone)).toEqual(alone);
});

test("a pool with drawn errors puts doubt on its strategy and on its difference to any other, and on no other", () => {
  const band = { p5: -20, p25: -8, p50: -1, p75: 10, p95: 25 };
  const [api, known, doubted] = [
    strategy([[to("offer")]], []),
    strategy([[to("pool")]], [pool()]),
    strategy([[to("pool")]], [pool(), pool({ stepTimeError: band })]),
  ] as const;
  const found = estimate([1, 2, 3]);
  expect(withDoubtOf([api], found)).toEqual(found);
  expect(withDoubtOf([api, known], found)).toEqual(found);
  for (const strategies of [[doubted], [api, doubted], [doubted, known]])
    expect(withDoubtOf(strategies, found)).toEqual(intervalsOfARun(found));
});

test("one replication has no interval; a replication without a measure (0/0, x/0) is left out", () => {
  expect(estimate([5])).toEqual({ mean: 5, lo: null, hi: null, n: 1 });
  expect(estimate([5, NaN, Infinity])).toEqual({ mean: 5, lo: null, hi: null, n: 1 });
  expect(estimateOrNull([NaN, Infinity])).toBeNull();
  // What every run must know is no estimate of nothing.
  expect(() => estimate([Infinity])).toThrow("INV-12");
});
