/**
 * Fits to recordings, judged on what they were not fitted on: Azure's conversation trace as it ships, and Mooncake's with its
 * 3 s clock spread out. A fit on one half has the other inside its 95 % band, all windows together; generators of the whole lie within
 * 20 % of the record's dispersion, and gaps alone do not do on Azure.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { dispersionCurve, spreadOverStep, wholeRecord } from "../../src/experiment/trace/dispersion.ts";
import { fitTrace, type TraceFit } from "../../src/experiment/trace/fit.ts";
import type { BandCheck } from "../../src/experiment/trace/sampling.ts";
import { readRecordedTrace } from "../../src/io/trace-details.ts";
import { stream } from "../../src/kernel/random.ts";
import type { RecordedTrace } from "../../src/scenario/recorded-trace.ts";
import { catalog } from "../fixtures/experiment.ts";
import { AZURE_CONV_IDC, burstTable, CHAT_ARRIVALS, meanIdc, WINDOWS_S } from "../fixtures/traffic-reference.ts";

const SAMPLES = 200;

/** Mooncake's requests at the steps of its clock. */
function mooncake(): Float64Array {
  const { counts, stepS } = JSON.parse(readFileSync("test/fixtures/mooncake-conversation-counts.json", "utf8")) as {
    counts: number[];
    stepS: number;
  };
  return Float64Array.from(counts.flatMap((count, step) => Array<number>(count).fill(step * stepS)));
}

function recordOf(arrivalS: Float64Array): RecordedTrace {
  const ones = new Uint32Array(arrivalS.length).fill(1);
  const none = { models: null, tenants: null, clients: null, statuses: null, sessions: null, cachedTokens: null };
  return {
    ...none,
    arrivalS,
    inputTokens: ones,
    outputTokens: ones,
    format: "test",
    epochS: null,
    columns: [],
    dropped: {},
    blocks: null,
  };
}

function bandTable(title: string, { points, probability, missShare }: BandCheck): string {
  const cell = (value: number): string => value.toFixed(2).padStart(8);
  return [
    `${title}; all windows together: probability ${probability.toFixed(2)}; ${(100 * missShare).toFixed(0)} % of samples are outside at one window or more`,
    "  window   record   middle  95 % band of the window  95 % band of the curve",
    ...points.map(
      ({ windowS, measured, middle, low, high, inside, curveLow, curveHigh }) =>
        `${`${windowS} s`.padStart(8)} ${cell(measured)} ${cell(middle)} ${cell(low)} …${cell(high)}  ${(inside ? "inside" : "OUTSIDE").padEnd(7)} ${cell(curveLow)} …${cell(curveHigh)}`,
    ),
  ].join("\n");
}

const outside = ({ points }: BandCheck): number[] =>
  points.filter(({ inside }) => !inside).map(({ windowS }) => windowS);

const outsideCurve = ({ points }: BandCheck): number[] =>
  points
    .filter(({ measured, curveLow, curveHigh }) => measured < curveLow || measured > curveHigh)
    .map(({ windowS }) => windowS);

function print(name: string, { bursts, heldOut }: TraceFit): void {
  const { fit, intervals, ramp } = bursts!;
  const { component, gapCv } = heldOut!.fit;
  const range = (interval: { low: number; high: number } | null): string =>
    interval === null ? "" : ` (95 %: ${interval.low.toPrecision(3)} to ${interval.high.toPrecision(3)})`;
  console.log(
    [
      `${name}: CV ${fit.component?.cv.toFixed(3) ?? "none"}${range(intervals.cv)}, correlation time ${fit.component?.tauS.toFixed(0) ?? "none"} s${range(intervals.tauS)}, gaps ${fit.gapCv.toFixed(2)}${range(intervals.gapCv)}`,
      ramp === null
        ? "no ramp beyond what bursts make"
        : `ramp of ${(100 * ramp.change).toFixed(0)} % of the mean rate (probability without one ${ramp.probability.toFixed(3)}); taken for bursts: CV ${ramp.asBursts.component!.cv.toFixed(3)}, ${ramp.asBursts.component!.tauS.toFixed(0)} s`,
      `fit of the first half: CV ${component?.cv.toFixed(3) ?? "none"}, ${component?.tauS.toFixed(0) ?? "none"} s, gaps ${gapCv.toFixed(2)}, ${heldOut!.ramp ? "with" : "without"} ramps`,
      bandTable("whole record against its fit", bursts!.check),
      bandTable("second half against the fit of the first", heldOut!.check),
      bandTable("whole record against gaps alone", bursts!.renewal.check),
    ].join("\n"),
  );
}

/** Within the intervals of a fit. */
function holds({ bursts }: TraceFit, preset: string): boolean {
  const { components, gapCv } = catalog.traffic.get(preset)!.burst;
  const { cv, tauS, gapCv: gaps } = bursts!.intervals;
  const within = (value: number, interval: { low: number; high: number } | null): boolean =>
    interval !== null && value >= interval.low && value <= interval.high;
  // The interval of the gaps is that of the fit with its own component: theirs is judged by the dispersion.
  return (
    within(components[0]!.cv, cv) && within(components[0]!.tauS, tauS) && Math.abs(gapCv - 1) < gaps.high - 1 + 0.05
  );
}

describe("Azure's conversation trace", { timeout: 400_000 }, () => {
  test("fits, and its second half the fit of its first; gaps alone fail at every window", async () => {
    const fit = fitTrace(await readRecordedTrace("models/traffic/azure-llm-2023-conv.parquet"), SAMPLES);
    print("Azure 2023 conversation, 19,366 requests", fit);
    expect(outside(fit.bursts!.check)).toEqual([]);
    expect(fit.bursts!.ramp).toBeNull();
    expect(outside(fit.heldOut!.check)).toEqual([]);
    expect(outsideCurve(fit.heldOut!.check)).toEqual([]);
    expect(fit.heldOut!.check.probability).toBeGreaterThan(0.05);
    expect(fit.bursts!.renewal.check.probability).toBe(0);
    expect(outside(fit.bursts!.renewal.check)).toEqual([1, 5, 10, 30, 60, 120, 240]);
    expect(holds(fit, "chat-consumer")).toBe(true);
    expect(holds(fit, "chat-azure-2023")).toBe(true);
  });
});

describe("Mooncake's conversation trace", { timeout: 400_000 }, () => {
  test("has its clock found and spread, fits, and its second half the fit of its first", () => {
    const fit = fitTrace(recordOf(mooncake()), SAMPLES);
    print("Mooncake conversation, 12,031 requests, de-quantised", fit);
    expect(fit.clockStepS).toBe(3);
    expect(outside(fit.bursts!.check)).toEqual([]);
    expect(outside(fit.heldOut!.check)).toEqual([]);
    expect(outsideCurve(fit.heldOut!.check)).toEqual([]);
    // The rate climbs through the hour, which the first half shows by itself.
    expect(fit.heldOut!.ramp).toBe(true);
    expect(fit.bursts!.ramp!.change).toBeGreaterThan(0.2);
    expect(fit.bursts!.ramp!.change).toBeLessThan(0.3);
    expect(fit.heldOut!.check.probability).toBeGreaterThan(0.05);
  });

  test("presets of both lie within 20 % of their records at 1 s to 120 s", () => {
    // The preset has no drift: its one component stands for the ramp too.
    const { component } = fitTrace(recordOf(mooncake()), 40).bursts!.ramp!.asBursts;
    const [preset] = catalog.traffic.get("chat-longcontext")!.burst.components;
    expect(Math.abs(preset!.cv / component!.cv - 1)).toBeLessThan(0.1);
    expect(Math.abs(preset!.tauS / component!.tauS - 1)).toBeLessThan(0.25);
    const seeds = 20;
    const spread = WINDOWS_S.map(() => 0);
    for (let seed = 0; seed < seeds; seed++) {
      const arrivalS = spreadOverStep(mooncake(), 3, stream(String(seed), 0, "mooncake"));
      dispersionCurve(arrivalS, wholeRecord(arrivalS), WINDOWS_S).forEach((index, w) => (spread[w]! += index! / seeds));
    }
    const of = (preset: string): number[] => {
      const { meanRatePerS, burst } = catalog.traffic.get(preset)!;
      const { components, gapCv } = burst;
      return meanIdc({ ...CHAT_ARRIVALS, meanRatePerS, burst: { components, gapCv } }, 10, 24);
    };
    const [chat, long] = [of("chat-consumer"), of("chat-longcontext")];
    console.log(
      burstTable({
        "Azure 2023 conversation, record": AZURE_CONV_IDC,
        "chat-consumer, 24 seeds of 10 h": chat,
        "Mooncake, record, 20 spreads": spread,
        "chat-longcontext, 24 seeds of 10 h": long,
      }),
    );
    chat.forEach((index, w) => expect(Math.abs(index / AZURE_CONV_IDC[w]! - 1)).toBeLessThan(0.2));
    long.forEach((index, w) => expect(Math.abs(index / spread[w]! - 1)).toBeLessThan(0.2));
  });
});
