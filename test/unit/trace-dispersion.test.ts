/** Dispersion of recorded arrivals against a naive count, against theory, and what a coarse clock does to it. */
import { expect, test } from "vitest";
import { coxExcess, expectedInRecord, gapShare } from "../../src/experiment/trace/cox.ts";
import {
  clockStepS,
  DISPERSION_WINDOWS_S,
  dispersionCurve,
  spanOf,
  spreadOverStep,
  wholeRecord,
} from "../../src/experiment/trace/dispersion.ts";
import { readTrace } from "../../src/io/trace.ts";
import { stream } from "../../src/kernel/random.ts";
import { exponential, gamma } from "../../src/kernel/samplers.ts";
import { coxIdc } from "../fixtures/traffic-reference.ts";

const AZURE = "models/traffic/azure-llm-2023-conv.parquet";

function poisson(ratePerS: number, requests: number): Float64Array {
  const draw = stream("dispersion", 0, "poisson");
  let timeS = 0;
  return Float64Array.from({ length: requests }, () => (timeS += exponential(draw) / ratePerS));
}

test("the curve of the shipped recording is that of a naive count, and the published one", async () => {
  const { arrivalS } = await readTrace(AZURE);
  const spanS = arrivalS[arrivalS.length - 1]! - arrivalS[0]!;
  const naive = DISPERSION_WINDOWS_S.map((windowS) => {
    const windows = Math.floor(spanS / windowS);
    const inWindow = new Map<number, number>();
    for (const timeS of arrivalS) {
      const window = Math.floor((timeS - arrivalS[0]!) / windowS);
      inWindow.set(window, (inWindow.get(window) ?? 0) + 1);
    }
    const counts = Array.from({ length: windows }, (_, i) => inWindow.get(i) ?? 0);
    const mean = counts.reduce((a, b) => a + b) / windows;
    const square = counts.reduce((a, b) => a + b * b, 0) / windows;
    return ((square - mean * mean) * windows) / (windows - 1) / mean;
  });
  const curve = dispersionCurve(arrivalS, wholeRecord(arrivalS));
  curve.forEach((index, i) => expect(index).toBeCloseTo(naive[i]!, 9));
  const published = [1.39, 2.54, 3.87, 8.95, 16.41, 30.6];
  published.forEach((index, i) => expect(curve[i]).toBeCloseTo(index, index > 20 ? 1 : 2));
});

test("a Poisson trace has about 1 at every window, a clock's ticks none", () => {
  const curve = dispersionCurve(poisson(5, 100_000), wholeRecord(poisson(5, 100_000)));
  // Relative error √(2/windows): 0.16 at 240 s, where there are 83.
  curve.forEach((index, i) =>
    expect(Math.abs(index! - 1)).toBeLessThan(3.5 * Math.sqrt(DISPERSION_WINDOWS_S[i]! / 1e4)),
  );
  const ticks = Float64Array.from({ length: 4000 }, (_, i) => i * 0.5);
  expect(dispersionCurve(ticks, wholeRecord(ticks), [1, 10])).toEqual([0, 0]);
});

test("too few windows give no figure, and stretches keep a change of level out", () => {
  const short = poisson(5, 500);
  expect(dispersionCurve(short, wholeRecord(short), [1, 60])[1]).toBeNull();
  const slow = poisson(2, 4000);
  const fast = poisson(20, 40_000).map((timeS) => timeS + spanOf(slow) + 1);
  const both = Float64Array.from([...slow, ...fast]);
  const [whole] = dispersionCurve(both, wholeRecord(both), [10]);
  const [apart] = dispersionCurve(both, { startsS: [0, spanOf(slow) + 2], lengthS: spanOf(slow) - 10 }, [10]);
  expect(whole).toBeGreaterThan(20);
  expect(Math.abs(apart! - 1)).toBeLessThan(0.3);
});

test("a clock of three seconds is found and spread, a fine one is left alone", () => {
  const fine = poisson(4, 8000);
  const coarse = fine.map((timeS) => Math.floor(timeS / 3) * 3);
  expect(clockStepS(fine)).toBeNull();
  expect(clockStepS(coarse)).toBe(3);
  const spread = spreadOverStep(coarse, 3, stream("1", 0, "clock"));
  const [recorded] = dispersionCurve(coarse, wholeRecord(coarse), [1]);
  const [natural] = dispersionCurve(spread, wholeRecord(spread), [1]);
  expect(recorded).toBeGreaterThan(5);
  expect(Math.abs(natural! - 1)).toBeLessThan(0.1);
});

test.each([
  { cv: 0.23, tauS: 174, windowS: 60 },
  { cv: 0.9, tauS: 20, windowS: 240 },
  { cv: 0.12, tauS: 5000, windowS: 1 },
])("theory of one component is that of numeric integration: $cv, $tauS s, $windowS s", ({ cv, tauS, windowS }) => {
  const ratePerS = 5.53;
  const excess = coxIdc(ratePerS, [{ cv, tauS }], windowS) - 1;
  expect((ratePerS * coxExcess({ cv, tauS }, windowS)) / excess).toBeCloseTo(1, 5);
});

test("a record shows less dispersion than its process, by what the record's own mean has followed", () => {
  expect(expectedInRecord(1, 1, 20)).toBe(1);
  expect(expectedInRecord(30, 97, 29)).toBeCloseTo((29 * 30 - 97) / 28, 12);
});

test("gaps show less of themselves in short windows, as counted", () => {
  const cv2 = 1.44;
  const draw = stream("dispersion", 0, "gamma");
  let timeS = 0;
  const arrivalS = Float64Array.from({ length: 400_000 }, () => (timeS += gamma(draw, 1 / cv2) * cv2));
  const windowsS = [3, 30];
  dispersionCurve(arrivalS, wholeRecord(arrivalS), windowsS).forEach((index, i) => {
    expect(Math.abs(index! - 1 - (cv2 - 1) * gapShare(windowsS[i]!))).toBeLessThan(0.04);
  });
});
