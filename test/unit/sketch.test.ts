/** The quantile sketch against exact order statistics and against DDSketch. */
import { DDSketch } from "@datadog/sketches-js";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stream } from "../../src/kernel/random.ts";
import { exponential, lognormal } from "../../src/kernel/samplers.ts";
import { bucketOf, lowerEdge, Sketch, SKETCH_BUCKETS } from "../../src/kernel/sketch.ts";

const QUANTILES = [0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1];
/** Half a bucket, which is a 64th of an octave at its lower end. */
const ACCURACY = 1 / 128;

function sketchOf(values: readonly number[]): Sketch {
  const sketch = new Sketch();
  for (const value of values) sketch.add(value, 1);
  return sketch;
}

/** The first bucket in which two sketches differ; −1 when there is none. */
function firstDifference(a: Sketch, b: Sketch): number {
  return a.counts.findIndex((count, bucket) => count !== b.counts[bucket]);
}

/** A value inside the sketch's range, of any magnitude. */
const value = fc.double({ min: 2 ** -19, max: 2 ** 23, noNaN: true });

describe("SK-1: a quantile is the exact order statistic within 1/128", () => {
  test.each([
    ["lognormal", (i: ReturnType<typeof stream>) => lognormal(i, 0.3, 1.2)],
    ["exponential", exponential],
    ["uniform", (i: ReturnType<typeof stream>) => 0.01 + i()],
  ])("%s samples, and DDSketch says the same", (name, sample) => {
    const draw = stream("sketch", 0, name);
    const values = Array.from({ length: 20_000 }, () => sample(draw));
    const sketch = sketchOf(values);
    const peer = new DDSketch({ relativeAccuracy: 0.01 });
    for (const v of values) peer.accept(v);
    values.sort((a, b) => a - b);
    for (const q of QUANTILES) {
      const exact = values[Math.floor(q * (values.length - 1))]!;
      expect(Math.abs(sketch.quantile(q) / exact - 1), `quantile ${q}`).toBeLessThanOrEqual(ACCURACY);
      expect(Math.abs(sketch.quantile(q) / peer.getValueAtQuantile(q) - 1)).toBeLessThanOrEqual(ACCURACY + 0.0101);
    }
  });

  test("any samples", () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const exact = values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
          expect(Math.abs(sketchOf(values).quantile(q) / exact - 1)).toBeLessThanOrEqual(ACCURACY);
        },
      ),
    );
  });

  test("a value lies in its bucket", () => {
    fc.assert(
      fc.property(value, (x) => {
        const bucket = bucketOf(x);
        expect(lowerEdge(bucket)).toBeLessThanOrEqual(x);
        expect(lowerEdge(bucket + 1)).toBeGreaterThan(x);
      }),
    );
  });

  test("what is out of range is kept at its ends", () => {
    expect(bucketOf(0)).toBe(0);
    expect(bucketOf(1e-12)).toBe(0);
    expect(bucketOf(1e300)).toBe(SKETCH_BUCKETS - 1);
    const sketch = sketchOf([0, 1e300]);
    expect(sketch.samples()).toBe(2);
    expect(sketch.quantile(0)).toBe(0);
  });

  test("nothing in it: no quantile, no mean", () => {
    expect(new Sketch().quantile(0.5)).toBeNaN();
    expect(new Sketch().mean()).toBeNaN();
  });
});

describe("SK-2: merging adds", () => {
  test("in any order and grouping, and through its plain form", () => {
    fc.assert(
      fc.property(fc.array(fc.array(value, { maxLength: 20 }), { minLength: 1, maxLength: 5 }), (parts) => {
        const all = sketchOf(parts.flat());
        const forward = new Sketch();
        for (const part of parts) forward.merge(sketchOf(part));
        const backward = new Sketch();
        for (const part of parts.toReversed()) backward.merge(Sketch.fromPlain(sketchOf(part).toPlain()));
        for (const merged of [forward, backward]) {
          expect(firstDifference(merged, all)).toBe(-1);
          expect(merged.samples()).toBe(parts.flat().length);
          expect(Math.abs(merged.sum - all.sum)).toBeLessThanOrEqual(1e-12 * all.sum);
        }
      }),
    );
  });

  test("clear leaves nothing", () => {
    const sketch = sketchOf([1, 2, 3]);
    sketch.clear();
    expect(sketch.samples()).toBe(0);
    expect(sketch.sum).toBe(0);
  });
});

test("SK-3: the mean is that of the samples, not of the buckets", () => {
  // Both lie in one bucket, whose middle is neither.
  expect(sketchOf([1, 1.001, 1.002]).mean()).toBeCloseTo(1.001, 12);
  const weighted = new Sketch();
  weighted.add(2, 3);
  weighted.add(4, 1);
  expect(weighted.mean()).toBe(2.5);
  expect(weighted.samples()).toBe(4);
});

describe("addRamp adds what adding one by one adds", () => {
  const ramp = fc.record({
    // Binary fractions: the sums of both ways are exact, so that no value changes its bucket by rounding.
    first: fc.integer({ min: 1, max: 2 ** 20 }).map((n) => n / 2 ** 16),
    step: fc.integer({ min: 0, max: 2 ** 14 }).map((n) => n / 2 ** 16),
    k: fc.integer({ min: 1, max: 400 }),
    weight: fc.integer({ min: 1, max: 40 }),
  });
  test("bucket by bucket", () => {
    fc.assert(
      fc.property(ramp, ({ first, step, k, weight }) => {
        const ramped = new Sketch();
        ramped.addRamp(first, step, k, weight);
        const single = new Sketch();
        for (let i = 0; i < k; i++) single.add(first + i * step, weight);
        expect(firstDifference(ramped, single)).toBe(-1);
        expect(Math.abs(ramped.sum / single.sum - 1)).toBeLessThan(1e-12);
      }),
      { numRuns: 500 },
    );
  });

  test("its cost follows the buckets crossed, not the number of values", () => {
    const sketch = new Sketch();
    sketch.addRamp(0.01, 1e-12, 1e9, 1);
    expect(sketch.samples()).toBe(1e9);
  });
});
