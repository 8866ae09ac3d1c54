import { expect, test } from "vitest";
import {
  estimate,
  estimateOrNull,
  intervalsOfARun,
  ratioOrNull,
  studentT95,
  withDoubtOf,
} from "../../src/experiment/estimate.ts";
import { stream } from "../../src/kernel/random.ts";
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

test("a ratio is that of the sums, replications that bought nothing included", () => {
  // 10 + 20 + 30 USD for 4 + 0 + 2 requests; residuals 10 − 40, 20, 30 − 20 around 0, s² = (30² + 20² + 10²) ÷ 2 = 700.
  const found = ratioOrNull([10, 20, 30], [4, 0, 2])!;
  expect(found).toMatchObject({ mean: 10, n: 3 });
  expect(found.hi! - 10).toBeCloseTo((4.302653 * Math.sqrt(700 / 3)) / 2, 6);
  expect(10 - found.lo!).toBeCloseTo(found.hi! - 10, 12);
  // Where all bought as much it is the mean of the ratios, with its interval.
  const [ratio, same] = [ratioOrNull([10, 20, 30], [2, 2, 2])!, estimate([5, 10, 15])];
  for (const key of ["mean", "lo", "hi"] as const) expect(ratio[key]).toBeCloseTo(same[key]!, 12);
  expect(ratioOrNull([7], [2])).toEqual({ mean: 3.5, lo: null, hi: null, n: 1 });
  expect(ratioOrNull([1, 2], [0, 0])).toBeNull();
  expect(ratioOrNull([NaN, 2], [1, 1])).toBeNull();
  expect(ratioOrNull([], [])).toBeNull();
});

test("a ratio's interval holds the truth as often as it says, also where some replications buy nothing", () => {
  // Poisson counts of mean 3 and amounts that depend on them: 20 + 10 a request, so 50 ÷ 3 in truth.
  const draw = stream("7", 0, "ratio");
  const poisson = (): number => {
    let count = -1;
    for (let sum = 0; sum < 3; sum -= Math.log(1 - draw())) count++;
    return count;
  };
  let held = 0;
  let nothing = 0;
  for (let trial = 0; trial < 2000; trial++) {
    const wholes = Array.from({ length: 30 }, poisson);
    const { lo, hi } = ratioOrNull(
      wholes.map((count) => 20 + 10 * count),
      wholes,
    )!;
    if (wholes.includes(0)) nothing++;
    if (lo! <= 50 / 3 && hi! >= 50 / 3) held++;
  }
  expect(nothing).toBeGreaterThan(1000);
  expect(held / 2000).toBeGreaterThan(0.92);
  expect(held / 2000).toBeLessThan(0.97);
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
