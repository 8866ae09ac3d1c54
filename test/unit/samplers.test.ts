/**
 * Each variate against its exact distribution (Kolmogorov–Smirnov, mean, variance), each test with the power to refuse
 * a law that is 3 % off, and the first draws of each frozen, since the number of uniforms it takes is part of the API.
 */
import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/kernel/errors.ts";
import { normalCdf } from "../../src/kernel/math.ts";
import { stream, type Draw } from "../../src/kernel/random.ts";
import {
  cumulativeShares,
  discrete,
  exponential,
  gamma,
  lognormal,
  normal,
  openUniform,
  poisson,
  quantileAt,
  quantileTable,
  weibull,
} from "../../src/kernel/samplers.ts";
import { AZURE_CONV_INPUT, AZURE_CONV_OUTPUT, PERCENTILES } from "../fixtures/traffic-reference.ts";

const COUNT = 100_000;
/** sqrt(n)·D beyond this has probability 0.0003 under the null. */
const KS_LIMIT = 2.1;

function sample(name: string, variate: (draw: Draw) => number, scale = 1): Float64Array {
  const draw = stream("samplers", 0, name);
  return Float64Array.from({ length: COUNT }, () => scale * variate(draw)).sort();
}

function ks(sorted: Float64Array, cdf: (x: number) => number): number {
  let distance = 0;
  for (let i = 0; i < sorted.length; i++) {
    const p = cdf(sorted[i]!);
    distance = Math.max(distance, p - i / sorted.length, (i + 1) / sorted.length - p);
  }
  return distance * Math.sqrt(sorted.length);
}

function moments(values: ArrayLike<number>): { mean: number; variance: number } {
  let mean = 0;
  for (let i = 0; i < values.length; i++) mean += values[i]! / values.length;
  let variance = 0;
  for (let i = 0; i < values.length; i++) variance += (values[i]! - mean) ** 2 / (values.length - 1);
  return { mean, variance };
}

function lnGamma(x: number): number {
  if (x < 8) return lnGamma(x + 1) - Math.log(x);
  const i = 1 / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + i / 12 - i ** 3 / 360 + i ** 5 / 1260;
}

/** Regularised lower incomplete gamma function by its series. */
function gammaCdf(shape: number, x: number): number {
  if (x > shape + 60 + 12 * Math.sqrt(shape)) return 1;
  let term = 1 / shape;
  let sum = term;
  for (let n = 1; term > 1e-15 * sum; n++) sum += term *= x / (shape + n);
  return x === 0 ? 0 : sum * Math.exp(shape * Math.log(x) - x - lnGamma(shape));
}

const CONTINUOUS: {
  name: string;
  variate: (draw: Draw) => number;
  cdf: (x: number) => number;
  mean: number;
  variance: number;
}[] = [
  { name: "exponential", variate: exponential, cdf: (x) => -Math.expm1(-x), mean: 1, variance: 1 },
  { name: "normal", variate: normal, cdf: normalCdf, mean: 0, variance: 1 },
  {
    name: "lognormal 100, 0.5",
    variate: (draw) => lognormal(draw, 100, 0.5),
    cdf: (x) => normalCdf(Math.log(x / 100) / 0.5),
    mean: 100 * Math.exp(0.125),
    variance: 1e4 * Math.exp(0.25) * Math.expm1(0.25),
  },
  ...[0.43, 2].map((shape) => ({
    name: `Weibull ${shape}`,
    variate: (draw: Draw) => weibull(draw, shape),
    cdf: (x: number) => -Math.expm1(-(x ** shape)),
    mean: Math.exp(lnGamma(1 + 1 / shape)),
    variance: Math.exp(lnGamma(1 + 2 / shape)) - Math.exp(2 * lnGamma(1 + 1 / shape)),
  })),
  ...[0.1, 0.25, 0.5, 1 / 1.05 ** 2, 1, 1.3, 4, 50].map((shape) => ({
    name: `gamma ${shape.toFixed(3)}`,
    variate: (draw: Draw) => gamma(draw, shape),
    cdf: (x: number) => gammaCdf(shape, x),
    mean: shape,
    variance: shape,
  })),
];

describe.each(CONTINUOUS)("$name", ({ name, variate, cdf, mean, variance }) => {
  const sorted = sample(name, variate);

  test("has its exact distribution", () => {
    expect(ks(sorted, cdf)).toBeLessThan(KS_LIMIT);
  });

  test("power: values 5 % too large, or 0.03 standard deviations too high, are refused", () => {
    const shift = 0.03 * Math.sqrt(variance);
    const wrong = sorted.map((x) => (name === "normal" ? x + shift : 1.05 * x + shift));
    expect(ks(wrong, cdf)).toBeGreaterThan(KS_LIMIT);
  });

  test("has its mean within 4 standard errors and its variance", () => {
    const found = moments(sorted);
    expect(Math.abs(found.mean - mean)).toBeLessThan(4 * Math.sqrt(variance / COUNT));
    // The heaviest tail here, Weibull 0.43, has a kurtosis of about 100: 3 % at this count.
    expect(Math.abs(found.variance / variance - 1)).toBeLessThan(0.12);
  });
});

describe.each([0.05, 1, 7.5, 9.99, 10, 33, 400, 30_000])("Poisson of mean %d", (mean) => {
  const draw = stream("samplers", 0, `poisson ${mean}`);
  const counts = Array.from({ length: COUNT }, () => poisson(draw, mean));

  test("has its exact probabilities (chi-square over its bulk)", () => {
    const spread = Math.ceil(5 * Math.sqrt(mean) + 5);
    const low = Math.max(0, Math.floor(mean) - spread);
    const observed = new Float64Array(2 * spread + 2);
    for (const count of counts) observed[Math.min(Math.max(count - low, 0), observed.length - 1)]!++;
    let chiSquare = 0;
    let cells = 0;
    for (let k = 0; k < observed.length - 1; k++) {
      const expected = COUNT * Math.exp((low + k) * Math.log(mean) - mean - lnGamma(low + k + 1));
      if (expected < 8) continue;
      chiSquare += (observed[k]! - expected) ** 2 / expected;
      cells++;
    }
    // Mean cells − 1, variance 2(cells − 1); four standard deviations up.
    expect(chiSquare).toBeLessThan(cells - 1 + 4 * Math.sqrt(2 * Math.max(cells - 1, 1)) + 2);
  });

  test("has mean and variance equal to it", () => {
    const found = moments(counts);
    expect(Math.abs(found.mean - mean)).toBeLessThan(4 * Math.sqrt(mean / COUNT));
    expect(Math.abs(found.variance / mean - 1)).toBeLessThan(4 * Math.sqrt((2 + 1 / mean) / COUNT));
  });
});

test("a Poisson of mean 0 is 0", () => {
  expect(poisson(stream("samplers", 0, "zero"), 0)).toBe(0);
});

describe("discrete", () => {
  test("draws each index by its share, and never one of share zero", () => {
    const shares = cumulativeShares([0, 3, 0, 1, 0]);
    const draw = stream("samplers", 0, "discrete");
    const seen = [0, 0, 0, 0, 0];
    for (let i = 0; i < COUNT; i++) seen[discrete(shares, draw())]!++;
    expect([seen[0], seen[2], seen[4]]).toEqual([0, 0, 0]);
    expect(Math.abs(seen[1]! / COUNT - 0.75)).toBeLessThan(4 * Math.sqrt(0.1875 / COUNT));
    expect([discrete(shares, 0), discrete(shares, 1 - 2 ** -32)]).toEqual([1, 3]);
  });

  test("weights whose sum rounds below one still cover every draw", () => {
    const shares = cumulativeShares(Array(10).fill(0.1));
    expect(discrete(shares, 1 - 2 ** -53)).toBe(9);
  });

  test.each([[[]], [[0, 0]], [[1, -1]], [[NaN]], [[Infinity]]])("refuses the weights %j", (weights) => {
    expect(() => cumulativeShares(weights)).toThrow(InvariantError);
  });
});

describe("quantile table", () => {
  const tableMean = (percentiles: number[], values: number[]): number =>
    percentiles.slice(1).reduce((sum, p, i) => sum + ((p - percentiles[i]!) / 200) * (values[i]! + values[i + 1]!), 0);

  test("is the linear interpolation at every rank, its ends included", () => {
    const { tokens } = AZURE_CONV_INPUT;
    const table = quantileTable(PERCENTILES, tokens, tableMean(PERCENTILES, tokens));
    const draw = stream("samplers", 0, "ranks");
    for (let i = 0; i < 20_000; i++) {
      const u = i < 32 ? PERCENTILES[i]! / 100 : draw() ** (1 + (i % 4)) * (i % 2) + (1 - draw() ** 6) * (1 - (i % 2));
      const right = Math.max(
        1,
        PERCENTILES.findIndex((p) => p / 100 >= u),
      );
      const width = PERCENTILES[right]! - PERCENTILES[right - 1]!;
      const expected =
        tokens[right - 1]! + ((tokens[right]! - tokens[right - 1]!) * (100 * u - PERCENTILES[right - 1]!)) / width;
      expect(Math.abs(quantileAt(table, u) - expected)).toBeLessThan(1e-6);
    }
    expect(quantileAt(table, 0)).toBe(2);
    expect(quantileAt(table, 1)).toBeCloseTo(14_050, 6);
  });

  test("reads 245 tokens at the rank 52.5 % of recorded retrieval answers (234 at 50 %, 256 at 55 %)", () => {
    const table = quantileTable(
      [0, 50, 55, 100],
      [7, 234, 256, 2183],
      tableMean([0, 50, 55, 100], [7, 234, 256, 2183]),
    );
    expect(quantileAt(table, 0.525)).toBeCloseTo(245, 9);
  });

  test.each([AZURE_CONV_INPUT, AZURE_CONV_OUTPUT])(
    "has the mean that it is given: $meanTokens",
    ({ tokens, meanTokens }) => {
      const table = quantileTable(PERCENTILES, tokens, meanTokens);
      let mean = 0;
      for (let i = 0; i < 200_000; i++) mean += quantileAt(table, (i + 0.5) / 200_000) / 200_000;
      expect(Math.abs(mean / meanTokens - 1)).toBeLessThan(1e-5);
      expect(Math.abs(tableMean(PERCENTILES, tokens) / meanTokens - 1)).toBeGreaterThan(0.004);
    },
  );

  test.each([
    { percentiles: [0, 50], values: [1, 2] },
    { percentiles: [1, 100], values: [1, 2] },
    { percentiles: [0, 50, 50, 100], values: [1, 2, 3, 4] },
    { percentiles: [0, 50, 100], values: [1, 3, 2] },
    { percentiles: [0, 100], values: [0, 0] },
    { percentiles: [0, 100], values: [1] },
    { percentiles: [0, 100], values: [1, NaN] },
  ])("refuses $percentiles, $values", ({ percentiles, values }) => {
    expect(() => quantileTable(percentiles, values, 1)).toThrow(InvariantError);
  });
});

test("the first draws of each variate are frozen", () => {
  const first = (variate: (draw: Draw) => number): number[] => {
    const draw = stream("7", 0, "samplers");
    return [variate(draw), variate(draw), variate(draw)];
  };
  expect({
    openUniform: first(openUniform),
    exponential: first(exponential),
    normal: first(normal),
    lognormal: first((draw) => lognormal(draw, 100, 0.5)),
    weibull: first((draw) => weibull(draw, 0.43)),
    gammaBelowOne: first((draw) => gamma(draw, 1 / 1.05 ** 2)),
    gammaAboveOne: first((draw) => gamma(draw, 2.5)),
    poissonSmall: first((draw) => poisson(draw, 3)),
    poissonLarge: first((draw) => poisson(draw, 300)),
  }).toMatchInlineSnapshot(`
    {
      "exponential": [
        0.05599780137363949,
        2.1784447625374153,
        0.020644163877847933,
      ],
      "gammaAboveOne": [
        5.48660991330514,
        6.785696374920914,
        0.7049352660619126,
      ],
      "gammaBelowOne": [
        2.804762558484668,
        0.07220714060596709,
        1.228014639769569,
      ],
      "lognormal": [
        222.89679864218894,
        54.61854518275337,
        277.9992544184789,
      ],
      "normal": [
        1.6030773839909476,
        -1.2095934110905455,
        2.0448964915020635,
      ],
      "openUniform": [
        0.9455412147799507,
        0.11321747384499758,
        0.979567468049936,
      ],
      "poissonLarge": [
        337,
        271,
        312,
      ],
      "poissonSmall": [
        6,
        1,
        7,
      ],
      "weibull": [
        0.001226788541908864,
        6.114871441182371,
        0.0001204824939436224,
      ],
    }
  `);
});
