import { describe, expect, test } from "vitest";
import { InvariantError } from "../../src/kernel/errors.ts";
import { DemandMeter, type DemandMeasures } from "../../src/traffic/demand.ts";
import { syntheticTraffic } from "../../src/traffic/synthetic.ts";
import { CHAT_ARRIVALS, OPTIONS } from "../fixtures/traffic-reference.ts";

const DAY_BINS = 288;

/** Feeds `count(bin)` arrivals, evenly spread, in each 5-minute bin. */
function measured(bins: number, count: (bin: number) => number): DemandMeasures {
  const meter = new DemandMeter(bins * 300);
  for (let bin = 0; bin < bins; bin++) {
    for (let i = 0; i < count(bin); i++) meter.add(300 * (bin + (i + 0.5) / count(bin)));
  }
  return meter.measures();
}

test("the mean counts arrivals from t = 0 on, over the whole horizon", () => {
  const meter = new DemandMeter(1000);
  for (const timeS of [-5, -0.001, 0, 1, 1, 999.9]) meter.add(timeS);
  expect(meter.measures()).toMatchObject({ requests: 4, meanRatePerS: 0.004 });
});

describe("peak to mean", () => {
  test("is 1 for even demand", () => {
    expect(measured(1000, () => 4).peakToMean).toBe(1);
  });

  test("is the 99.9th percentile of the bins, between order statistics, over their mean", () => {
    // 2001 bins: the percentile is the third largest, order statistic 1998 from 0.
    const counts = (bin: number): number => [10, 30, 20][bin] ?? 1;
    expect(measured(2001, counts).peakToMean).toBeCloseTo(10 / ((60 + 1998) / 2001), 12);
    // 1001 bins: order statistic 999, the second largest. 501 bins: half way between the two largest.
    expect(measured(1001, counts).peakToMean).toBeCloseTo(20 / ((60 + 998) / 1001), 12);
    expect(measured(501, counts).peakToMean).toBeCloseTo(25 / ((60 + 498) / 501), 12);
  });

  test("leaves out the part of a bin at the end", () => {
    const meter = new DemandMeter(620);
    for (const timeS of [1, 301, 601, 602, 603]) meter.add(timeS);
    expect(meter.measures().peakToMean).toBe(1);
  });
});

describe("error of the seasonal-naive forecast", () => {
  test("is null below two days, zero for days that repeat", () => {
    const daily = (bin: number): number => 1 + (bin % DAY_BINS === 100 ? 5 : 0);
    expect(measured(2 * DAY_BINS - 1, daily).wape).toBeNull();
    expect(measured(2 * DAY_BINS, daily).wape).toBe(0);
  });

  test("below two weeks compares with the day before", () => {
    expect(measured(3 * DAY_BINS, (bin) => [4, 5, 2][Math.floor(bin / DAY_BINS)]!).wape).toBeCloseTo(
      (1 + 3) / (5 + 2),
      12,
    );
  });

  test("from two weeks on compares with the week before", () => {
    const weekend = (bin: number): number => (Math.floor(bin / DAY_BINS) % 7 < 5 ? 3 : 1);
    expect(measured(14 * DAY_BINS, weekend).wape).toBe(0);
    expect(measured(13 * DAY_BINS, weekend).wape).toBeGreaterThan(0.1);
  });
});

describe("dispersion of 60-s windows", () => {
  test("is the sample variance over the mean, empty windows included", () => {
    const meter = new DemandMeter(330);
    for (const timeS of [0, 30, 59.9, 60, 200, 201, 310]) meter.add(timeS);
    // Counts 3, 1, 0, 2, 0; the last 30 s are no window.
    const mean = 6 / 5;
    const variance = (1.8 ** 2 + 0.2 ** 2 + 1.2 ** 2 + 0.8 ** 2 + 1.2 ** 2) / 4;
    expect(meter.measures().dispersion60s).toBeCloseTo(variance / mean, 12);
  });

  test("counts the window that ends with the horizon", () => {
    const meter = new DemandMeter(120);
    for (const timeS of [1, 61, 62, 63]) meter.add(timeS);
    expect(meter.measures().dispersion60s).toBeCloseTo(2 / 2, 12);
    // Asking changes nothing.
    expect(meter.measures().dispersion60s).toBeCloseTo(2 / 2, 12);
  });

  test("is 1 for Poisson arrivals, within 4 standard errors", () => {
    const horizonS = 400_000;
    const meter = new DemandMeter(horizonS);
    const spec = { ...CHAT_ARRIVALS, meanRatePerS: 1, burst: { components: [], gapCv: 1 } };
    for (const traffic = syntheticTraffic(spec, { ...OPTIONS, horizonS }); traffic.timeS < Infinity; traffic.advance())
      meter.add(traffic.timeS);
    expect(Math.abs(meter.measures().dispersion60s! - 1)).toBeLessThan(4 * Math.sqrt(2 / (horizonS / 60)));
  });
});

test("without arrivals, ratios are null", () => {
  expect(new DemandMeter(30 * 86_400).measures()).toEqual({
    requests: 0,
    meanRatePerS: 0,
    peakToMean: null,
    wape: null,
    dispersion60s: null,
  });
});

test("time must not fall nor reach the horizon", () => {
  const meter = new DemandMeter(600);
  meter.add(130);
  expect(() => meter.add(100)).toThrow(InvariantError);
  expect(() => meter.add(600)).toThrow(InvariantError);
  expect(() => meter.add(NaN)).toThrow(InvariantError);
});
