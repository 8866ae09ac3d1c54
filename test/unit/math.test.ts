/** The portable functions against the host's, whose errors are below an ulp or two, and against published values. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { exp, log, normalCdf, normalQuantile, pow } from "../../src/kernel/math.ts";

const EPSILON = 2.220446049250313e-16;
const relativeError = (found: number, expected: number): number => Math.abs(found / expected - 1);

test("log is the host's within 2 ulp over all magnitudes, subnormals included", () => {
  fc.assert(
    fc.property(fc.double({ min: Number.MIN_VALUE, max: Number.MAX_VALUE, noNaN: true }), (x) => {
      expect(Math.abs(log(x) - Math.log(x))).toBeLessThanOrEqual(2 * EPSILON * Math.max(Math.abs(Math.log(x)), 1e-300));
    }),
    { numRuns: 2000 },
  );
  for (let x = 0.5; x < 2; x += 0.0007)
    expect(Math.abs(log(x) - Math.log(x))).toBeLessThanOrEqual(2 * EPSILON * Math.abs(Math.log(x)));
  expect([log(0), log(1), log(Infinity), log(-1), log(NaN)]).toEqual([-Infinity, 0, Infinity, NaN, NaN]);
});

test("exp is the host's within 2 ulp and ends in 0 and Infinity where doubles do", () => {
  for (let x = -708; x < 709.7; x += 0.0913)
    expect(relativeError(exp(x), Math.exp(x))).toBeLessThanOrEqual(2 * EPSILON);
  for (let x = -740; x < -708; x += 0.0913)
    expect(Math.abs(exp(x) - Math.exp(x))).toBeLessThanOrEqual(1e-323 + 2 * EPSILON * Math.exp(x));
  expect([exp(0), exp(710), exp(-746), exp(-Infinity), exp(NaN)]).toEqual([1, Infinity, 0, 0, NaN]);
});

test("pow: whole powers by squaring, the rest through logarithms", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
      fc.double({ min: -40, max: 40, noNaN: true }),
      (x, y) => {
        expect(relativeError(pow(x, y), x ** y)).toBeLessThan(1e-13);
      },
    ),
  );
  expect([pow(2, 10), pow(0, 0), pow(0, 2.5), pow(3, 0), pow(1.5, 3)]).toEqual([1024, 1, 0, 1, 3.375]);
});

describe("normal distribution", () => {
  test.each([
    [0.5, 0],
    [0.75, 0.6744897501960817],
    [0.975, 1.959963984540054],
    [0.995, 2.5758293035489004],
    [0.999, 3.090232306167813],
    [1e-9, -5.997807015007687],
    [1e-20, -9.26234008979841],
  ])("quantile of %d is %d", (p, z) => {
    expect(Math.abs(normalQuantile(p) - z)).toBeLessThan(5e-15 * Math.max(1, Math.abs(z)));
  });

  test("the quantile is odd, rises, and is infinite at 0 and 1", () => {
    let before = -Infinity;
    for (let p = 0.0005; p < 1; p += 0.0005) {
      expect(normalQuantile(p)).toBeGreaterThan(before);
      expect(normalQuantile(p) + normalQuantile(1 - p)).toBeCloseTo(0, 12);
      before = normalQuantile(p);
    }
    expect([normalQuantile(0), normalQuantile(1)]).toEqual([-Infinity, Infinity]);
  });

  test("the CDF inverts the quantile to 1e-7", () => {
    for (let p = 1e-6; p < 1; p += 0.00037) expect(Math.abs(normalCdf(normalQuantile(p)) - p)).toBeLessThan(1e-7);
    expect([normalCdf(-40), normalCdf(40)]).toEqual([0, 1]);
  });
});
