/** Simulated outages against what their parameters imply. Intervals are Student's at 95 % over 50 seeds. */
import { gamma } from "simple-statistics";
import { afterAll, describe, expect, test } from "vitest";
import { normalCdf } from "../../src/kernel/math.ts";
import { stream } from "../../src/kernel/random.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import {
  gapScaleForAvailabilityH,
  impliedAvailability,
  meanDurationH,
  meanGapH,
} from "../../src/provider/outage-law.ts";
import { drawOutages, OutageTimeline, type Outage } from "../../src/provider/outages.ts";
import { impliedByHour, type OutageSpec } from "./outage-oracle.ts";
import { MONDAY_EPOCH_S, OPENAI_OUTAGES } from "../fixtures/provider-offer.ts";

const SEEDS = 50;
const T_95 = 2.0096; // 49 degrees of freedom
const YEAR_H = 52 * 168;

/** Availability by time and by business-hours traffic that others found by simulating 400 years of each fit, ± 0.0005. */
const STATED: Readonly<Record<string, readonly [byTime: number, byTraffic: number]>> = {
  "openai-2021-2024": [0.9951, 0.9932],
  "openai-2023-2024": [0.9919, 0.9893],
  "anthropic-2023-2024": [0.9969, 0.9958],
  "anthropic-2023-2024-minor": [0.998, 0.9972],
};
const { catalog } = await loadCatalog(["outageProfiles"]);
const PROFILES = [...catalog.outageProfiles.values()].map((spec) => ({ name: spec.id, spec }));

function interval(values: readonly number[]): { mean: number; halfWidth: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, halfWidth: T_95 * Math.sqrt(variance / values.length) };
}

const impliedMtbfH = (spec: OutageSpec): number => spec.gapWeibullScaleH * gamma(1 + 1 / spec.gapWeibullShape);

/** Mean of min(cap, lognormal). */
function impliedMttrH(spec: OutageSpec): number {
  const { durationLnHMean: mu, durationLnHSigma: sigma, durationMaxH: capH } = spec;
  const z = (Math.log(capH) - mu) / sigma;
  return Math.exp(mu + sigma ** 2 / 2) * normalCdf(z - sigma) + capH * (1 - normalCdf(z));
}

/** Requests by hour of the week: 2.2 on Mon–Fri 13–23 UTC, 0.75 in other weekday hours, 0.4 at weekends. */
function trafficWeight(hour: number): number {
  if (hour >= 120) return 0.4;
  return hour % 24 >= 13 && hour % 24 < 23 ? 2.2 : 0.75;
}

const printed: string[] = [];

describe.each(PROFILES)("$name", ({ name, spec }) => {
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

  const byHour = impliedByHour(spec, impliedMtbfH(spec));
  const weighted = (weightOf: (hour: number) => number): number => {
    const weights = byHour.map((_, hour) => weightOf(hour));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return byHour.reduce((total, share, hour) => total + (share * weights[hour]!) / sum, 0);
  };
  const implied = {
    mtbfH: impliedMtbfH(spec),
    mttrH: impliedMttrH(spec),
    byTime: weighted(() => 1),
    byTraffic: weighted(trafficWeight),
  };

  test("the oracle agrees with what others simulated", () => {
    const [byTime, byTraffic] = STATED[name]!;
    expect(Math.abs(implied.byTime - byTime)).toBeLessThan(0.0005);
    expect(Math.abs(implied.byTraffic - byTraffic)).toBeLessThan(0.0005);
  });

  test.each(["mtbfH", "mttrH", "byTime", "byTraffic"] as const)("%s lies as implied", (key) => {
    const { mean, halfWidth } = interval(runs.map((run) => run[key]));
    const share = key.startsWith("by");
    const text = (value: number): string => (share ? `${(100 * value).toFixed(3)} %` : `${value.toFixed(2)} h`);
    printed.push(
      `${name.padEnd(26)} ${key.padEnd(9)} simulated ${text(mean)} ± ${text(halfWidth)}, implied ${text(implied[key])}`,
    );
    // Narrow enough to refute: 3 % of the time, or of what is missing from 1 a twentieth.
    expect(halfWidth).toBeLessThan(share ? 0.05 * (1 - implied[key]) : 0.03 * mean);
    expect(Math.abs(mean - implied[key])).toBeLessThan(halfWidth);
  });

  test("severities by weight", () => {
    const weight = spec.severities.reduce((sum, severity) => sum + severity.weight, 0);
    const expected = spec.severities.reduce((sum, severity, i) => sum + i * severity.weight, 0) / weight;
    const { mean, halfWidth } = interval(runs.map((run) => run.severity));
    expect(Math.abs(mean - expected)).toBeLessThan(halfWidth);
  });

  test("the formulas of the profile agree with the oracle's", () => {
    expect(meanGapH(spec) / impliedMtbfH(spec)).toBeCloseTo(1, 9);
    expect(meanDurationH(spec) / impliedMttrH(spec)).toBeCloseTo(1, 9);
    // Without overlaps a little more is missing.
    expect(impliedAvailability(spec)).toBeLessThan(implied.byTime);
    expect(1 - impliedAvailability(spec)).toBeLessThan(1.12 * (1 - implied.byTime));
  });

  test.each([0.99, 0.999])("a target of %d is what comes out", (target) => {
    const scaled = { ...spec, gapWeibullScaleH: gapScaleForAvailabilityH(spec, target) };
    const shares = impliedByHour(scaled, impliedMtbfH(scaled));
    const missing = 1 - shares.reduce((sum, share) => sum + share, 0) / 168;
    printed.push(`${name.padEnd(26)} target ${100 * target} %: implied ${(100 * (1 - missing)).toFixed(3)} %`);
    // Overlaps, of which rarer outages have fewer, leave it a little better than asked for.
    expect(missing).toBeLessThan(1 - target);
    expect(missing).toBeGreaterThan(0.85 * (1 - target));
  });
});

afterAll(() => console.log(printed.join("\n")));

test("a common cause brings outages together and leaves their number as it is", () => {
  const years = 20;
  const horizonS = years * YEAR_H * 3600;
  const runs = Array.from({ length: SEEDS }, (_, seed) => {
    const of = (provider: string, commonCauseFraction: number): Outage[] =>
      drawOutages(
        { ...OPENAI_OUTAGES, commonCauseFraction },
        stream(String(seed), 3, provider),
        MONDAY_EPOCH_S,
        0,
        horizonS,
        { shared: stream(String(seed), 3, "common"), own: stream(String(seed), 3, `${provider}/own`) },
      );
    const together = (fraction: number): number => {
      const starts = new Set(of("a", fraction).map(({ startS }) => startS));
      return of("b", fraction).filter(({ startS }) => starts.has(startS)).length;
    };
    return {
      perYear: (1 / years) * of("a", 0.05).filter(({ startS }) => startS >= 0).length,
      apart: together(0),
      together: together(0.05) / of("b", 0.05).length,
    };
  });
  expect(runs.every(({ apart }) => apart === 0)).toBe(true);
  const rate = interval(runs.map((run) => run.perYear));
  expect(rate.halfWidth / rate.mean).toBeLessThan(0.03);
  expect(Math.abs(rate.mean - YEAR_H / impliedMtbfH(OPENAI_OUTAGES))).toBeLessThan(rate.halfWidth);
  const share = interval(runs.map((run) => run.together));
  expect(share.halfWidth).toBeLessThan(0.002);
  expect(Math.abs(share.mean - 0.05)).toBeLessThan(share.halfWidth);
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
