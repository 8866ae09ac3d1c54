/** The latency mixture and its factors against quantiles computed from the distributions themselves. */
import { describe, expect, test } from "vitest";
import type { ResolvedOffer } from "../../src/scenario/resolved.ts";
import { Latency } from "../../src/provider/latency.ts";
import { Offer } from "../../src/provider/offer.ts";
import { CONGESTION, CONTEXT, FRONTIER_LARGE, MONDAY_EPOCH_S, OFFER } from "../fixtures/provider-offer.ts";

/** Sigma, tail probability, multiple and sigma of each class with the exact P50, P95 and P99 of X. */
const CLASSES = [
  { id: "frontier_large", shape: [0.25, 0.02, 5, 0.35], x: [1.006, 1.597, 5.0] },
  { id: "small_fast", shape: [0.25, 0.025, 5, 0.35], x: [1.008, 1.628, 5.464] },
  { id: "open_weight_gpu_serverless", shape: [0.35, 0.03, 4, 0.5], x: [1.014, 2.008, 4.962] },
  { id: "custom_silicon", shape: [0.15, 0.01, 3, 0.4], x: [1.002, 1.299, 1.622] },
  { id: "cold_start_serverless", shape: [0.4, 0.15, 12, 0.8], x: [1.093, 16.937, 39.876] },
  { id: "provisioned", shape: [0.18, 0.004, 3, 0.3], x: [1.001, 1.354, 1.57] },
] as const;

const quantile = (sorted: Float64Array, p: number): number => sorted[Math.ceil(p * sorted.length) - 1]!;

describe("X has the quantiles of its class", () => {
  test.each(CLASSES)("$id", ({ shape, x }) => {
    const [ttftSigma, tailProbability, tailMultiple, tailSigma] = shape;
    const spec: ResolvedOffer["latency"] = {
      ...FRONTIER_LARGE,
      ttftSigma,
      tailProbability,
      tailMultiple,
      tailSigma,
      ttftBaseS: 1,
      prefillSPerKTok: 0,
    };
    const latency = new Latency(spec, null, MONDAY_EPOCH_S, 12_345);
    const draws = new Float64Array(1_000_000);
    for (let i = 0; i < draws.length; i++) {
      latency.draw(0, i, 0, 1000, 1, 1);
      draws[i] = latency.ttftS;
    }
    draws.sort();
    [0.5, 0.95, 0.99].forEach((p, i) => {
      expect(Math.abs(quantile(draws, p) / x[i]! - 1)).toBeLessThan(0.03);
    });
  });
});

test("the token rate is lognormal about its median and independent of the first token", () => {
  const latency = new Latency(FRONTIER_LARGE, null, MONDAY_EPOCH_S, 1);
  const n = 200_000;
  let sum = 0;
  let squares = 0;
  let product = 0;
  let slow = 0;
  for (let i = 0; i < n; i++) {
    latency.draw(0, i, 0, 0, 1, 1);
    const lnRate = -Math.log(latency.tokenGapS) - Math.log(55);
    sum += lnRate;
    squares += lnRate * lnRate;
    if (latency.ttftS > 2.4) {
      slow++;
      product += lnRate;
    }
  }
  const sigma = Math.sqrt(squares / n);
  expect(Math.abs(sum / n)).toBeLessThan((4 * 0.2) / Math.sqrt(n));
  expect(Math.abs(sigma / 0.2 - 1)).toBeLessThan(0.01);
  expect(slow).toBeGreaterThan(1000);
  expect(Math.abs(product / slow)).toBeLessThan((4 * 0.2) / Math.sqrt(slow));
});

test("frontier_large with congestion and the peak factor 30 % of the time: P95/P50 1.78, P99/P50 4.90", () => {
  // Ten hours on five days are 29.8 % of the week; the horizon is long so that the congestion averages out.
  const horizonS = 2000 * 7 * 86_400;
  const diurnal = { fromHour: 10, toHour: 20, ttftFactor: 1.35, rateFactor: 0.75 };
  const latency = { ...FRONTIER_LARGE, prefillSPerKTok: 0 };
  const congestion = CONGESTION.map((state) => ({ ...state, overloadProbability: 0 }));
  const offer = new Offer({ ...OFFER, latency, diurnal, congestion, networkS: 0 }, { ...CONTEXT, horizonS });
  const draws = new Float64Array(800_000);
  for (let i = 0; i < draws.length; i++) {
    const timeS = (i / draws.length) * horizonS;
    offer.attempt(timeS, i, 0, 0, 100, 1024);
    draws[i] = offer.firstTokenS - timeS;
  }
  expect(offer.admitted).toBe(draws.length);
  draws.sort();
  expect(Math.abs(quantile(draws, 0.95) / quantile(draws, 0.5) / 1.78 - 1)).toBeLessThan(0.02);
  expect(Math.abs(quantile(draws, 0.99) / quantile(draws, 0.5) / 4.9 - 1)).toBeLessThan(0.03);
});

test("congestion dwells in its states as the chain's stationary distribution says", () => {
  // Dwell-weighted: normal 20, busy 1.5 / 0.9 … per cycle of the chain.
  const busy = 1.5 / 0.9;
  const degraded = (0.25 * 0.1) / 0.9;
  const total = 20 + busy + degraded;
  const horizonS = 4000 * 7 * 86_400;
  const offer = new Offer(
    {
      ...OFFER,
      networkS: 0,
      latency: { ...FRONTIER_LARGE, ttftBaseS: 1, ttftSigma: 0, tailProbability: 0, prefillSPerKTok: 0 },
      congestion: CONGESTION.map((state) => ({ ...state, overloadProbability: 0 })),
    },
    { ...CONTEXT, horizonS },
  );
  const n = 1_000_000;
  let busyCount = 0;
  let degradedCount = 0;
  for (let i = 0; i < n; i++) {
    const timeS = (i / n) * horizonS;
    offer.attempt(timeS, i, 0, 0, 1, 1);
    const factor = offer.firstTokenS - timeS;
    if (factor > 2) degradedCount++;
    else if (factor > 1.2) busyCount++;
  }
  expect(Math.abs(busyCount / n / (busy / total) - 1)).toBeLessThan(0.03);
  expect(Math.abs(degradedCount / n / (degraded / total) - 1)).toBeLessThan(0.1);
});
