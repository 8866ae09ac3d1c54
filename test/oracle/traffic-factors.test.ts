/**
 * Every factor of the rate has mean 1, the season stands where its table puts it, and lengths keep their recorded
 * quantiles, mean and rank correlation.
 */
import { describe, expect, test } from "vitest";
import { stream } from "../../src/kernel/random.ts";
import { openUniform } from "../../src/kernel/samplers.ts";
import { IntensityPath } from "../../src/traffic/intensity.ts";
import { gaussianRho, LengthSampler } from "../../src/traffic/lengths.ts";
import { expectedRequests, rateAt, rateCurve, seasonAt } from "../../src/traffic/rate.ts";
import { syntheticTraffic } from "../../src/traffic/synthetic.ts";
import {
  AZURE_CODE_WEEK,
  AZURE_CONV_INPUT,
  AZURE_CONV_OUTPUT,
  AZURE_CONV_WEEK,
  CHAT,
  CHAT_ARRIVALS,
  MONDAY_S,
  OPTIONS,
  PERCENTILES,
} from "../fixtures/traffic-reference.ts";
import type { SyntheticTraffic } from "../../src/scenario/resolved.ts";

const WEEK_S = 604_800;
const NO_BURSTS = { components: [], gapCv: 1 };

function count(spec: SyntheticTraffic, horizonS: number, replication: number): number {
  let requests = 0;
  const traffic = syntheticTraffic(spec, { ...OPTIONS, horizonS, replication });
  for (; traffic.timeS < Infinity; traffic.advance()) requests++;
  return requests;
}

describe("with all random factors off", () => {
  test.each([
    { name: "flat", ratePerS: 0.5, hourOfWeek: null },
    // Fewer than one request in most cells of the grid.
    { name: "nearly silent", ratePerS: 0.02, hourOfWeek: null },
    { name: "with the conversation season", ratePerS: 0.5, hourOfWeek: AZURE_CONV_WEEK },
    { name: "with the code season", ratePerS: 0.5, hourOfWeek: AZURE_CODE_WEEK },
  ])("a week $name holds rate × 604,800 requests within 3 √n", ({ ratePerS, hourOfWeek }) => {
    const spec = { ...CHAT_ARRIVALS, meanRatePerS: ratePerS, hourOfWeek, burst: NO_BURSTS };
    const expected = ratePerS * WEEK_S;
    for (let replication = 0; replication < 3; replication++) {
      expect(Math.abs(count(spec, WEEK_S, replication) - expected)).toBeLessThan(3 * Math.sqrt(expected));
    }
  });

  test("a month with season and growth holds the integral of the rate within 3 √n", () => {
    const spec = {
      ...CHAT_ARRIVALS,
      meanRatePerS: 0.2,
      hourOfWeek: AZURE_CONV_WEEK,
      growthFractionPerMonth: 0.5,
      burst: NO_BURSTS,
    };
    const horizonS = 30 * 86_400;
    const expected = expectedRequests(spec, MONDAY_S, 0, horizonS);
    expect(Math.abs(count(spec, horizonS, 0) - expected)).toBeLessThan(3 * Math.sqrt(expected));
    // Power: forgetting the growth would be seen.
    expect(expected - 0.2 * horizonS).toBeGreaterThan(50 * Math.sqrt(expected));
  });
});

test("the burst factor has mean 1 and its coefficient of variation", () => {
  const components = [
    { cv: 0.23, tauS: 174 },
    { cv: 0.5, tauS: 2000 },
  ];
  const curve = rateCurve({ ...CHAT_ARRIVALS, meanRatePerS: 1 }, MONDAY_S);
  const runs = 4000;
  let starts = 0;
  let laters = 0;
  let squares = 0;
  for (let i = 0; i < runs; i++) {
    const path = new IntensityPath(curve, components, 0, 0, stream("factors", i, "intensity"));
    starts += path.ratePerS;
    for (let cell = 0; cell < 50; cell++) path.next();
    laters += path.ratePerS;
    squares += path.ratePerS ** 2;
  }
  const cv = Math.sqrt((1 + 0.23 ** 2) * (1 + 0.5 ** 2) - 1);
  expect(Math.abs(starts / runs - 1)).toBeLessThan((3 * cv) / Math.sqrt(runs));
  expect(Math.abs(laters / runs - 1)).toBeLessThan((3 * cv) / Math.sqrt(runs));
  expect(Math.abs(Math.sqrt(squares / runs - 1) / cv - 1)).toBeLessThan(0.1);
});

test("the grid of the chat preset: cells of 17.4 s with persistence 0.904837", () => {
  const path = new IntensityPath(
    rateCurve(CHAT_ARRIVALS, MONDAY_S),
    CHAT_ARRIVALS.burst.components,
    0,
    0,
    stream("grid", 0, "x"),
  );
  expect(path.cellS).toBeCloseTo(17.4, 12);
  expect(Math.exp(-path.cellS / 174)).toBeCloseTo(0.904837, 6);
});

describe("season", () => {
  test("code traffic at Monday 00:00 UTC lies between Sunday 23 h and Monday 0 h", () => {
    expect(seasonAt(Float64Array.from(AZURE_CODE_WEEK), MONDAY_S)).toBeCloseTo(0.7115, 12);
  });

  test("a table's value stands at half past its hour, whatever the start", () => {
    const factors = Float64Array.from(AZURE_CODE_WEEK);
    for (let hour = 0; hour < 168; hour++)
      expect(seasonAt(factors, MONDAY_S + hour * 3600 + 1800)).toBeCloseTo(AZURE_CODE_WEEK[hour]!, 12);
    const wednesday = rateCurve({ ...CHAT, growthFractionPerMonth: 0, meanRatePerS: 2 }, MONDAY_S + 2 * 86_400);
    const mean = AZURE_CONV_WEEK.reduce((sum, factor) => sum + factor, 0) / 168;
    expect(rateAt(wednesday, 14.5 * 3600)).toBeCloseTo((2 * 1.528) / mean, 12);
  });
});

describe("lengths", () => {
  const requests = 200_000;

  function drawLengths(spearman: number): { input: Float64Array; output: Float64Array } {
    const sampler = new LengthSampler(CHAT.input, CHAT.output, spearman, CHAT.maxOutput);
    const draw = stream("lengths", 0, "lengths");
    const input = new Float64Array(requests);
    const output = new Float64Array(requests);
    for (let i = 0; i < requests; i++) {
      sampler.draw(openUniform(draw), openUniform(draw));
      input[i] = sampler.inputTokens;
      output[i] = sampler.outputTokens;
    }
    return { input, output };
  }

  test.each([0, 0.073])(
    "with rank correlation %d keep the recorded quantiles P50–P99 within 5 % or a token, and the mean",
    (spearman) => {
      const { input, output } = drawLengths(spearman);
      for (const [found, recorded] of [
        [input, AZURE_CONV_INPUT],
        [output, AZURE_CONV_OUTPUT],
      ] as const) {
        const sorted = found.slice().sort();
        for (const [i, percentile] of PERCENTILES.entries()) {
          if (percentile < 50 || percentile > 99) continue;
          const token = sorted[Math.floor((percentile / 100) * requests)]!;
          expect(Math.abs(token - recorded.tokens[i]!)).toBeLessThan(Math.max(1, 0.05 * recorded.tokens[i]!));
        }
        // Standard error of the mean: 0.25 % (CV 1.1 of the input).
        expect(Math.abs(found.reduce((sum, x) => sum + x / requests, 0) / recorded.meanTokens - 1)).toBeLessThan(
          0.0075,
        );
      }
    },
  );

  test.each([0.073, 0.421, -0.3])("have the rank correlation %d that is asked for", (spearman) => {
    const { input, output } = drawLengths(spearman);
    expect(Math.abs(rankCorrelation(input, output) - spearman)).toBeLessThan(3 / Math.sqrt(requests) + 0.002);
  });

  test("the normals behind a rank correlation of 0.421 correlate by 0.4373", () => {
    expect(gaussianRho(0.421)).toBeCloseTo(0.4373, 4);
    for (let rank = -1; rank <= 1; rank += 0.01)
      expect(Math.abs(gaussianRho(rank) - 2 * Math.sin((Math.PI * rank) / 6))).toBeLessThan(1e-15);
  });
});

/** Spearman's, ties at their mean rank. */
function rankCorrelation(a: Float64Array, b: Float64Array): number {
  const x = meanRanks(a);
  const y = meanRanks(b);
  const middle = (a.length - 1) / 2;
  let xy = 0;
  let xx = 0;
  let yy = 0;
  for (let i = 0; i < a.length; i++) {
    xy += (x[i]! - middle) * (y[i]! - middle);
    xx += (x[i]! - middle) ** 2;
    yy += (y[i]! - middle) ** 2;
  }
  return xy / Math.sqrt(xx * yy);
}

function meanRanks(values: Float64Array): Float64Array {
  const order = Uint32Array.from(values.keys()).sort((i, j) => values[i]! - values[j]!);
  const ranks = new Float64Array(values.length);
  for (let from = 0, to = 0; from < order.length; from = to) {
    while (to < order.length && values[order[to]!] === values[order[from]!]) to++;
    for (let i = from; i < to; i++) ranks[order[i]!] = (from + to - 1) / 2;
  }
  return ranks;
}
