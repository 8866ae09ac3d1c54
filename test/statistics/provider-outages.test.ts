/** Simulated outages against what their parameters imply. Intervals are Student's at 95 % over 50 seeds. */
import { gamma } from "simple-statistics";
import { describe, expect, test } from "vitest";
import { normalCdf } from "../../src/kernel/math.ts";
import { stream } from "../../src/kernel/random.ts";
import { drawOutages, OutageTimeline } from "../../src/provider/outages.ts";
import { MONDAY_EPOCH_S, OPENAI_OUTAGES } from "../fixtures/provider-offer.ts";

const SEEDS = 50;
const T_95 = 2.0096; // 49 degrees of freedom
const YEAR_H = 52 * 168;

/** Anthropic API 2023–24, fitted on its status page. */
const ANTHROPIC = {
  ...OPENAI_OUTAGES,
  gapWeibullShape: 0.67,
  gapWeibullScaleH: 92.6,
  durationLnHMean: -0.18,
  durationLnHSigma: 1.39,
  severities: [
    { name: "minor", weight: 29, errorFraction: 0.05, latencyFactor: 1.5 },
    { name: "major", weight: 30, errorFraction: 0.3, latencyFactor: 2.5 },
  ],
};

/** Status-page fits with the availability by time and by business-hours traffic that they imply (400 simulated years, ± 0.0005). */
const PROFILES = [
  { name: "OpenAI API 2021-24", spec: OPENAI_OUTAGES, byTime: 0.9951, byTraffic: 0.9932 },
  { name: "Anthropic API 2023-24", spec: ANTHROPIC, byTime: 0.9969, byTraffic: 0.9958 },
];

function interval(values: readonly number[]): { mean: number; halfWidth: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, halfWidth: T_95 * Math.sqrt(variance / values.length) };
}

const impliedMtbfH = (spec: typeof OPENAI_OUTAGES): number =>
  spec.gapWeibullScaleH * gamma(1 + 1 / spec.gapWeibullShape);

/** Mean of min(cap, lognormal). */
function impliedMttrH(spec: typeof OPENAI_OUTAGES): number {
  const { durationLnHMean: mu, durationLnHSigma: sigma, durationMaxH: capH } = spec;
  const z = (Math.log(capH) - mu) / sigma;
  return Math.exp(mu + sigma ** 2 / 2) * normalCdf(z - sigma) + capH * (1 - normalCdf(z));
}

/** Requests by hour of the week: 2.2 on Mon–Fri 13–23 UTC, 0.75 in other weekday hours, 0.4 at weekends. */
function trafficWeight(hour: number): number {
  if (hour >= 120) return 0.4;
  return hour % 24 >= 13 && hour % 24 < 23 ? 2.2 : 0.75;
}

describe.each(PROFILES)("$name", ({ spec, byTime, byTraffic }) => {
  const years = 20;
  const horizonS = years * YEAR_H * 3600;
  const runs = Array.from({ length: SEEDS }, (_, seed) => {
    const outages = drawOutages(spec, stream(String(seed), 0, "outage/test"), MONDAY_EPOCH_S, 0, horizonS);
    const timeline = new OutageTimeline(outages, spec.severities);
    const started = outages.filter((outage) => outage.startS >= 0);
    let lost = 0;
    let sent = 0;
    // MONDAY_EPOCH_S is a Monday midnight, so hours of simulated time are hours of the week.
    for (let hour = 0; hour < years * YEAR_H; hour += 0.25) {
      timeline.advance(hour * 3600);
      const weight = trafficWeight(Math.floor(hour) % 168);
      sent += weight;
      lost += weight * timeline.errorFraction;
    }
    return {
      mtbfH: horizonS / 3600 / started.length,
      mttrH: started.reduce((sum, outage) => sum + (outage.endS - outage.startS) / 3600, 0) / started.length,
      severity: started.reduce((sum, outage) => sum + outage.severity, 0) / started.length,
      byTime: timeline.availabilityFraction(horizonS),
      byTraffic: 1 - lost / sent,
    };
  });

  test("mean time between outages", () => {
    const { mean, halfWidth } = interval(runs.map((run) => run.mtbfH));
    expect(halfWidth / mean).toBeLessThan(0.03); // narrow enough to refute
    expect(Math.abs(mean - impliedMtbfH(spec))).toBeLessThan(halfWidth);
  });

  test("mean duration", () => {
    const { mean, halfWidth } = interval(runs.map((run) => run.mttrH));
    expect(halfWidth / mean).toBeLessThan(0.03);
    expect(Math.abs(mean - impliedMttrH(spec))).toBeLessThan(halfWidth);
  });

  test("severities by weight", () => {
    const weight = spec.severities.reduce((sum, severity) => sum + severity.weight, 0);
    const implied = spec.severities.reduce((sum, severity, i) => sum + i * severity.weight, 0) / weight;
    const { mean, halfWidth } = interval(runs.map((run) => run.severity));
    expect(Math.abs(mean - implied)).toBeLessThan(halfWidth);
  });

  test("availability by time and by traffic", () => {
    for (const [key, implied] of [
      ["byTime", byTime],
      ["byTraffic", byTraffic],
    ] as const) {
      const { mean, halfWidth } = interval(runs.map((run) => run[key]));
      expect(halfWidth).toBeLessThan(0.0005);
      expect(Math.abs(mean - implied)).toBeLessThan(0.0005);
    }
  });

  test("availability by time is what rate, duration and severity give, overlaps taken once", () => {
    const weight = spec.severities.reduce((sum, severity) => sum + severity.weight, 0);
    const errorFraction =
      spec.severities.reduce((sum, severity) => sum + severity.weight * severity.errorFraction, 0) / weight;
    const implied = 1 - (impliedMttrH(spec) / impliedMtbfH(spec)) * errorFraction;
    const { mean, halfWidth } = interval(runs.map((run) => run.byTime));
    expect(mean).toBeGreaterThan(implied - halfWidth);
    expect(1 - mean).toBeGreaterThan(0.9 * (1 - implied));
  });
});

test("the first month has no more outages than any other: the process does not begin at t = 0", () => {
  const monthH = 28 * 24;
  const counts = Array.from(
    { length: 4000 },
    (_, seed) =>
      drawOutages(OPENAI_OUTAGES, stream(String(seed), 1, "outage/test"), MONDAY_EPOCH_S, 0, monthH * 3600).filter(
        (outage) => outage.startS >= 0,
      ).length,
  );
  const { mean, halfWidth } = interval(counts);
  expect(halfWidth).toBeLessThan(0.15);
  expect(Math.abs(mean - monthH / impliedMtbfH(OPENAI_OUTAGES))).toBeLessThan(halfWidth);
});

test("starts fall on hours of the week as the hazard says", () => {
  const starts = [0, 0, 0];
  for (let seed = 0; seed < 20; seed++) {
    const draw = stream(String(seed), 2, "outage/test");
    for (const { startS } of drawOutages(OPENAI_OUTAGES, draw, MONDAY_EPOCH_S, 0, 20 * YEAR_H * 3600)) {
      const hour = Math.floor(startS / 3600) % 168;
      starts[hour >= 120 ? 2 : hour % 24 >= 13 && hour % 24 < 23 ? 0 : 1]!++;
    }
  }
  const total = starts[0]! + starts[1]! + starts[2]!;
  const week = 2.23 * 50 + 0.71 * 70 + 0.14 * 48;
  const implied = [(2.23 * 50) / week, (0.71 * 70) / week, (0.14 * 48) / week];
  implied.forEach((share, i) => {
    const sd = Math.sqrt((share * (1 - share)) / total);
    expect(Math.abs(starts[i]! / total - share)).toBeLessThan(3 * sd);
  });
});
