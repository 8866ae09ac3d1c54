/** The latency mixture and its factors against quantiles computed from the distributions themselves. */
import { afterAll, describe, expect, test } from "vitest";
import type { ResolvedOffer } from "../../src/scenario/resolved.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { Latency } from "../../src/provider/latency.ts";
import { Offer } from "../../src/provider/offer.ts";
import { CONGESTION, CONTEXT, FRONTIER_LARGE, MONDAY_EPOCH_S, OFFER } from "../fixtures/provider-offer.ts";

const quantile = (sorted: Float64Array, p: number): number => sorted[Math.ceil(p * sorted.length) - 1]!;

/** Standard normal CDF by Simpson's rule over its density: shares nothing with the sampler. */
function phi(z: number): number {
  if (z < -9) return 0;
  if (z > 9) return 1;
  const steps = 400;
  const h = Math.abs(z) / steps;
  let sum = 0;
  for (let i = 0; i <= steps; i++) {
    const weight = i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2;
    sum += weight * Math.exp(-((i * h) ** 2) / 2);
  }
  return 0.5 + (Math.sign(z) * sum * h) / 3 / Math.sqrt(2 * Math.PI);
}

/** Quantile of X ~ (1 − p)·LN(0, s) + p·LN(ln k, s₂), its CDF inverted by bisection. */
function impliedX(law: ResolvedOffer["latency"], share: number): number {
  const { ttftSigma, tailProbability: p, tailMultiple, tailSigma } = law;
  const cdf = (lnX: number): number =>
    (1 - p) * phi(lnX / ttftSigma) + p * phi((lnX - Math.log(tailMultiple)) / tailSigma);
  let low = -10;
  let high = 10;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (cdf(middle) < share) low = middle;
    else high = middle;
  }
  return Math.exp((low + high) / 2);
}

/** P50, P95 and P99 of X by class, computed elsewhere from exact quantiles: an anchor for the inversion above. */
const STATED: Readonly<Record<string, readonly number[]>> = {
  "frontier-large": [1.006, 1.597, 5.0],
  "small-fast": [1.008, 1.628, 5.464],
  "open-weight-serverless": [1.014, 2.008, 4.962],
  "custom-silicon": [1.002, 1.299, 1.622],
  "cold-start-serverless": [1.093, 16.937, 39.876],
  "frontier-large, provisioned": [1.001, 1.354, 1.57],
};

type LatencyLaw = ResolvedOffer["latency"];

const { catalog } = await loadCatalog(["latencyClasses"]);
const CLASSES: [string, LatencyLaw][] = [...catalog.latencyClasses.values()].map((entry) => [entry.id, entry]);
/** Reserved capacity: the class of the model with a spread of its own. */
const PROVISIONED = { ttftSigma: 0.18, tailProbability: 0.004, tailMultiple: 3, tailSigma: 0.3, rateSigma: 0.1 };
CLASSES.push(["frontier-large, provisioned", { ...FRONTIER_LARGE, ...PROVISIONED, ttftBaseS: 0.85 * 1.2 }]);

describe("an offer's first tokens have the spread that the parameters of its class imply", () => {
  const printed: string[] = [];
  test.each(CLASSES)("%s", (name, law) => {
    const latency = { ...OFFER.latency, ...law, prefillSPerKTok: 0 };
    const offer = new Offer({ ...OFFER, latency, networkS: 0 }, CONTEXT);
    const draws = new Float64Array(1_000_000);
    for (let i = 0; i < draws.length; i++) {
      offer.attempt(i, i, 0, 1000, 100, 1024);
      draws[i] = offer.firstTokenS - i;
    }
    draws.sort();
    const implied = [0.5, 0.95, 0.99].map((p) => impliedX(law, p));
    STATED[name]?.forEach((x, i) => expect(Math.abs(implied[i]! / x - 1)).toBeLessThan(0.001));
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((p) => quantile(draws, p)) as [number, number, number];
    expect(Math.abs(p50 / (law.ttftBaseS * implied[0]!) - 1)).toBeLessThan(0.03);
    const rows = [
      ["P95/P50", p95 / p50, implied[1]! / implied[0]!],
      ["P99/P50", p99 / p50, implied[2]! / implied[0]!],
    ] as const;
    for (const [what, simulated, expected] of rows) {
      const offPercent = 100 * (simulated / expected - 1);
      printed.push(
        `${name.padEnd(40)} ${what} simulated ${simulated.toFixed(3)}, implied ${expected.toFixed(3)} (${offPercent.toFixed(2)} %)`,
      );
      expect(Math.abs(offPercent)).toBeLessThan(3);
    }
  });
  afterAll(() => console.log(printed.join("\n")));
});

test("no answer is slower than the rate that a contract promises", () => {
  const latency = new Latency({ ...FRONTIER_LARGE, minTokensPerS: 50 }, null, MONDAY_EPOCH_S, 1);
  const free = new Latency(FRONTIER_LARGE, null, MONDAY_EPOCH_S, 1);
  let lifted = 0;
  for (let i = 0; i < 10_000; i++) {
    latency.draw(0, i, 0, 0, 1, 1);
    free.draw(0, i, 0, 0, 1, 1);
    expect(latency.tokenGapS).toBe(Math.min(free.tokenGapS, 1 / 50));
    if (free.tokenGapS > 1 / 50) lifted++;
  }
  // ln(50/55)/0.2 = -0.4766 standard deviations: 31.7 % are slower.
  expect(Math.abs(lifted / 10_000 - 0.3168)).toBeLessThan(0.02);
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
