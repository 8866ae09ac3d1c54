/** A rate that climbs through a record is told from bursts, goes into the preset as drift, and its theory is that of numeric integration. */
import { expect, test } from "vitest";
import { buildCatalog } from "../../src/catalog/catalog.ts";
import { expectedAboutRamp, rampExcess } from "../../src/experiment/trace/cox.ts";
import { dispersionCurve, rampsOf, wholeRecord } from "../../src/experiment/trace/dispersion.ts";
import { fitTrace } from "../../src/experiment/trace/fit.ts";
import { presetEntries } from "../../src/experiment/trace/preset.ts";
import { alongRamps } from "../../src/experiment/trace/sampling.ts";
import { stream } from "../../src/kernel/random.ts";
import { exponential } from "../../src/kernel/samplers.ts";
import type { RecordedTrace } from "../../src/scenario/recorded-trace.ts";

const HOUR_S = 3600;

/** Poisson arrivals of 4 a second over an hour, along a ramp. */
function climbing(change: number, seed: number): Float64Array {
  const draw = stream("ramp", seed, "arrivals");
  const times: number[] = [];
  for (let timeS = exponential(draw) / 4; timeS < HOUR_S; timeS += exponential(draw) / 4)
    times.push(alongRamps(timeS, HOUR_S, [change]));
  return Float64Array.from(times);
}

function recordOf(arrivalS: Float64Array): RecordedTrace {
  const ones = new Uint32Array(arrivalS.length).fill(1);
  const none = { models: null, tenants: null, clients: null, statuses: null, sessions: null, cachedTokens: null };
  const rest = { format: "test", epochS: null, columns: [], dropped: {}, blocks: null };
  return { ...none, ...rest, arrivalS, inputTokens: ones, outputTokens: ones };
}

test.each([
  { cv: 0.23, tauS: 174, stretchS: 3500 },
  { cv: 0.9, tauS: 20, stretchS: 600 },
])("what a component adds to ramps: $cv, $tauS s in $stretchS s", ({ cv, tauS, stretchS }) => {
  const variance = Math.log(1 + cv * cv);
  const steps = 200_000;
  let sum = 0;
  for (let i = 0; i < steps; i++) {
    const u = (i + 0.5) / steps;
    sum += (Math.exp(variance * Math.exp((-u * stretchS) / tauS)) - 1) * (1 - 3 * u + 2 * u ** 3);
  }
  expect(rampExcess({ cv, tauS }, stretchS) / ((2 * stretchS * sum) / steps)).toBeCloseTo(1, 5);
});

test("ramps bend the time by as much as the rate moves, each stretch by its own", () => {
  expect(alongRamps(900, 1000, [0])).toBeCloseTo(900, 9);
  // Rate 0.75 + 0.5 x: half of the requests have come where 0.75 x + 0.25 x² = 0.5.
  const x = (-0.75 + Math.sqrt(0.75 ** 2 + 4 * 0.25 * 0.5)) / 0.5;
  expect(alongRamps(1500, 1000, [0, 0.5])).toBeCloseTo(1000 + 1000 * x, 9);
  expect(rampsOf(climbing(0.5, 1), { startsS: [0], lengthS: HOUR_S }).changes[0]).toBeCloseTo(0.5, 1);
});

test("a ramp spreads the counts of minutes about their mean, not about the ramp", () => {
  const arrivalS = climbing(0.8, 2);
  const [about] = dispersionCurve(arrivalS, wholeRecord(arrivalS), [60], "ramp");
  const [plain] = dispersionCurve(arrivalS, wholeRecord(arrivalS), [60]);
  expect(plain).toBeGreaterThan(8);
  expect(Math.abs(about! - 1)).toBeLessThan(0.6);
  expect(expectedAboutRamp(1, 1, 1, 20)).toBe(1);
});

test("the fit of a climbing Poisson record has a ramp, weak bursts, and a preset with drift in place of a season", () => {
  const { bursts, ...rest } = fitTrace(recordOf(climbing(0.8, 3)), 40);
  const { ramp, fit, check } = bursts!;
  expect(ramp!.change).toBeCloseTo(0.8, 1);
  expect(ramp!.asBursts.component!.cv).toBeGreaterThan(2 * fit.component!.cv);
  expect(check.probability).toBeGreaterThan(0.05);
  const { traffic } = presetEntries({ bursts, ...rest }, { id: "climbs", file: "climbs.csv", asOf: "2026-01-01" });
  const documents = [{ kind: "traffic" as const, file: "climbs", value: traffic, override: true }];
  const [entry] = [...buildCatalog(documents, "2026-11-01").traffic.values()];
  // Variance within the hour: 0.8²/12 of the ramp; of a drift over 5,000 s a fifth of its own.
  expect(entry!.drift!.sigma).toBeCloseTo(0.5, 1);
  expect(entry!.note).toContain("rises by");
});
