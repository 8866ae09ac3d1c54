import { describe, expect, test } from "vitest";
import type { Pulse, RateFactors, SyntheticTraffic } from "../../src/scenario/resolved.ts";
import { epochSOfIso } from "../../src/kernel/calendar-time.ts";
import { clockOf } from "../../src/kernel/time-zone.ts";
import { expectedRequests, rateAt, rateCurve } from "../../src/traffic/rate.ts";
import { stream } from "../../src/kernel/random.ts";
import { ReasoningPart } from "../../src/traffic/reasoning.ts";
import { clientLengths } from "../../src/traffic/client-lengths.ts";
import { clientShares } from "../../src/traffic/clients.ts";
import { syntheticTraffic } from "../../src/traffic/synthetic.ts";
import type { OpenTrafficOptions } from "../../src/traffic/options.ts";
import { problemsOf, resolveRaw, smallExperiment, withValue } from "../fixtures/experiment.ts";
import { AZURE_CONV_WEEK, CHAT_ARRIVALS, MONDAY_S, OPTIONS } from "../fixtures/traffic-reference.ts";

const DAY = 86_400;
const HOUR = 3600;
const MONTH = 30.4 * DAY;
const PLAIN: RateFactors = {
  clock: [{ fromEpochS: MONDAY_S, offsetS: 0 }],
  holidays: [],
  dayLevel: null,
  pulses: [],
};
const PULSE: Pulse = { atS: DAY, perMonth: 0, peak: 4, riseS: 600, holdS: 0, decayS: 7200 };
const POISSON: SyntheticTraffic = { ...CHAT_ARRIVALS, meanRatePerS: 1, burst: { components: [], gapCv: 1 } };
const withFactors = (factors: Partial<RateFactors>, spec: SyntheticTraffic = POISSON): SyntheticTraffic => ({
  ...spec,
  factors: { ...PLAIN, ...factors },
});

function count(spec: SyntheticTraffic, options: Partial<OpenTrafficOptions>): number {
  let requests = 0;
  const traffic = syntheticTraffic(spec, { ...OPTIONS, ...options });
  for (; traffic.timeS < Infinity; traffic.advance()) requests++;
  return requests;
}

describe("the calendar of the people behind the traffic", () => {
  test("the season runs on their wall clock, daylight saving time included", () => {
    // Berlin is at UTC+2 until 25 October 2026, 01:00 UTC, then at UTC+1.
    const startEpochS = epochSOfIso("2026-10-19")!;
    const clock = clockOf("Europe/Berlin", startEpochS, startEpochS + 14 * DAY)!;
    const curve = rateCurve(withFactors({ clock }, { ...POISSON, hourOfWeek: AZURE_CONV_WEEK }), startEpochS);
    const factorAtLocal14h30 = AZURE_CONV_WEEK[14]! / (AZURE_CONV_WEEK.reduce((a, b) => a + b, 0) / 168);
    expect(rateAt(curve, 12.5 * HOUR)).toBeCloseTo(factorAtLocal14h30, 12);
    expect(rateAt(curve, 7 * DAY + 13.5 * HOUR)).toBeCloseTo(factorAtLocal14h30, 12);
    expect(rateAt(curve, 7 * DAY + 12.5 * HOUR)).not.toBeCloseTo(factorAtLocal14h30, 3);
  });

  test("a holiday lasts from midnight to midnight on that clock", () => {
    const clock = [{ fromEpochS: MONDAY_S, offsetS: 8 * HOUR }];
    const spec = withFactors({ clock, holidays: [{ dayEpochS: MONDAY_S + DAY, factor: 0.25 }] });
    const curve = rateCurve(spec, MONDAY_S);
    const hours = [15.9, 16.1, 39.9, 40.1].map((hour) => rateAt(curve, hour * HOUR));
    expect(hours).toEqual([1, 0.25, 0.25, 1]);
    expect(expectedRequests(spec, MONDAY_S, 0, 3 * DAY) / DAY).toBeCloseTo(2.25, 3);
  });

  test("a launch rises, holds and falls; its requests are the integral of the shape", () => {
    // a·(1 − e^(−t/tr))·e^(−t/td) has the integral a·(td − tr·td/(tr + td)).
    const area = PULSE.peak * (7200 - (600 * 7200) / 7800);
    const spec = withFactors({ pulses: [PULSE] });
    expect(expectedRequests(spec, MONDAY_S, 0, 5 * DAY) - 5 * DAY).toBeCloseTo(area, -1);
    const curve = rateCurve(spec, MONDAY_S);
    expect(rateAt(curve, DAY - 1)).toBe(1);
    expect(rateAt(curve, DAY + 1200)).toBeCloseTo(1 + 4 * (1 - Math.exp(-2)) * Math.exp(-1 / 6), 9);
    const held = { ...PULSE, riseS: 0, holdS: HOUR, decayS: 0 };
    const step = rateCurve(withFactors({ pulses: [held] }), MONDAY_S);
    expect([DAY - 1, DAY, DAY + HOUR - 1, DAY + HOUR + 1].map((timeS) => rateAt(step, timeS))).toEqual([1, 5, 5, 1]);
    // The drawn traffic has them too.
    const drawn = count(spec, { horizonS: 3 * DAY });
    expect(Math.abs(drawn - 3 * DAY - area)).toBeLessThan(4 * Math.sqrt(3 * DAY + area));
  });
});

describe("factors of chance have mean 1", () => {
  // Few requests, many replications: what is to be seen is the spread of the factor.
  const rare = { ...POISSON, meanRatePerS: 0.005 };
  const totals = (spec: SyntheticTraffic, days: number, seeds: number): number[] =>
    Array.from(
      { length: seeds },
      (_, replication) => count(spec, { horizonS: days * DAY, replication }) / (days * DAY * 0.005),
    );
  const meanWithin = (values: readonly number[], expected: number): void => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
    expect(Math.abs(mean - expected)).toBeLessThan(3 * Math.sqrt(variance / values.length));
    expect(Math.sqrt(variance / values.length)).toBeLessThan(0.05);
  };

  test("day levels, with their spread and persistence", () => {
    const spec = withFactors({ dayLevel: { sigma: 0.5, persistence: 0.6 } }, { ...POISSON, meanRatePerS: 0.05 });
    const days: number[] = [];
    for (let replication = 0; replication < 20; replication++) {
      const counts = Array.from({ length: 28 }, () => 0);
      const traffic = syntheticTraffic(spec, { ...OPTIONS, horizonS: 28 * DAY, replication });
      for (; traffic.timeS < Infinity; traffic.advance()) counts[Math.floor(traffic.timeS / DAY)]!++;
      days.push(...counts.map((requests) => Math.log(requests / (DAY * 0.05))));
    }
    const mean = days.reduce((sum, x) => sum + x, 0) / days.length;
    const centred = days.map((x) => x - mean);
    const variance = centred.reduce((sum, x) => sum + x * x, 0) / days.length;
    const lagged = centred.slice(1).reduce((sum, x, i) => sum + x * centred[i]!, 0) / days.length;
    expect(Math.abs(mean + 0.125)).toBeLessThan(0.12);
    expect(Math.sqrt(variance)).toBeCloseTo(0.5, 1);
    expect(Math.abs(lagged / variance - 0.6)).toBeLessThan(0.12);
  });

  test("random pulses come on top, as many as declared", () => {
    const pulse = { ...PULSE, atS: null, perMonth: 30, holdS: HOUR };
    const spec = withFactors({ pulses: [pulse] }, rare);
    const expected = expectedRequests(spec, MONDAY_S, 0, 10 * DAY) / (10 * DAY * 0.005);
    const numeric = Array.from({ length: 40_000 }, (_, i) => (i + 0.5) * 5).reduce((sum, age) => {
      const rise = 1 - Math.exp(-age / 600);
      return sum + 5 * 4 * (age <= HOUR ? rise : rise * Math.exp(-(age - HOUR) / 7200));
    }, 0);
    expect(expected).toBeCloseTo(1 + (30 / MONTH) * numeric, 3);
    meanWithin(totals(spec, 10, 60), expected);
  });

  test.each([
    ["switching", { switching: { highFactor: 5, highS: 600, lowS: 5400 } }],
    ["clients of different size", { clients: { count: 12, rateSigma: 2, intermittent: null } }],
    [
      "clients who come and go",
      {
        clients: {
          count: 12,
          rateSigma: 1,
          intermittent: { volumeShare: 0.6, onMedianS: 1800, onSigma: 1, offMedianS: 3600, offSigma: 1 },
        },
      },
    ],
    ["jobs", { jobs: { medianRequests: 20, sigma: 1 } }],
  ] as const)("%s", (_, more) => {
    meanWithin(totals({ ...rare, burst: { ...rare.burst, ...more } }, 10, 40), 1);
  });
});

describe("clients of their own kind", () => {
  test("the largest sends its share, and no other more", () => {
    const mix = { count: 37, rateSigma: 2.64, intermittent: null };
    for (const topShare of [0.05, 0.167, 0.301, 0.614]) {
      const shares = clientShares({ ...mix, topShare });
      expect(shares[0]).toBe(topShare);
      expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
      shares.forEach((share, i) => i > 0 && expect(share).toBeLessThanOrEqual(shares[i - 1]! + 1e-15));
    }
    // ServeGen m-small: 0.301, 0.220, 0.108, 0.089.
    const [, second, third, fourth] = clientShares({ ...mix, topShare: 0.301 });
    expect(second).toBeCloseTo(0.22, 1);
    expect(third).toBeCloseTo(0.108, 1);
    expect(fourth).toBeCloseTo(0.089, 1);
  });

  const law: SyntheticTraffic = {
    ...POISSON,
    meanRatePerS: 50,
    input: { kind: "lognormal", medianTokens: 500, sigma: 1, minTokens: 1, maxTokens: 100_000 },
    output: { kind: "lognormal", medianTokens: 100, sigma: 0.8, minTokens: 1, maxTokens: 10_000 },
  };
  const mix = { count: 60, rateSigma: 1, intermittent: null };
  const clients = (more: Partial<typeof mix & { lengthShare: number }>, seed = "7") => {
    const shares = clientShares({ ...mix, ...more });
    const options = { ...OPTIONS, horizonS: 4000, seed };
    const lengths = clientLengths(law, { ...mix, ...more }, shares, options);
    return Array.from(shares, (share, client) => {
      const inputs: number[] = [];
      const outputs: number[] = [];
      const own = { ...law, ...lengths?.[client], meanRatePerS: 50 * share };
      for (const traffic = syntheticTraffic(own, { ...options, client }); traffic.timeS < Infinity; traffic.advance()) {
        inputs.push(traffic.inputTokens);
        outputs.push(traffic.outputTokens);
      }
      return { inputs, outputs };
    });
  };
  const meanLog = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + Math.log(value), 0) / values.length;
  const betweenShare = (groups: readonly (readonly number[])[]): number => {
    const all = groups.flat();
    const mean = meanLog(all);
    const variance = all.reduce((sum, value) => sum + (Math.log(value) - mean) ** 2, 0) / all.length;
    return groups.reduce((sum, group) => sum + group.length * (meanLog(group) - mean) ** 2, 0) / all.length / variance;
  };

  test("differ in their lengths by their share of the variance; all together have the common law", () => {
    for (const lengthShare of [0.3, 0.6, 0.9]) {
      const found = clients({ lengthShare });
      expect(Math.abs(betweenShare(found.map(({ inputs }) => inputs)) - lengthShare)).toBeLessThan(0.05);
      expect(Math.abs(betweenShare(found.map(({ outputs }) => outputs)) - lengthShare)).toBeLessThan(0.05);
      const all = found.flatMap(({ inputs }) => inputs).sort((a, b) => a - b);
      for (const [rank, score] of [
        [0.5, 0],
        [0.9, 1.2816],
        [0.95, 1.6449],
        [0.99, 2.3263],
      ] as const)
        expect(Math.abs(all[Math.floor(rank * all.length)]! / (500 * Math.exp(score)) - 1)).toBeLessThan(0.05);
      const mean = all.reduce((sum, tokens) => sum + tokens, 0) / all.length;
      expect(Math.abs(mean / (500 * Math.exp(0.5)) - 1)).toBeLessThan(0.02);
    }
    expect(betweenShare(clients({}).map(({ inputs }) => inputs))).toBeLessThan(0.01);
  });

  test("who has long prompts is drawn anew in each seed; long prompts go with long answers somewhat", () => {
    const found = clients({ lengthShare: 0.6 });
    const logs = (of: typeof found, which: "inputs" | "outputs"): number[] =>
      of.map((client) => meanLog(client[which]));
    expect(correlation(logs(found, "inputs"), logs(clients({ lengthShare: 0.6 }, "8"), "inputs"))).toBeLessThan(0.5);
    const both = correlation(logs(found, "inputs"), logs(found, "outputs"));
    expect(both).toBeGreaterThan(0.05);
    expect(both).toBeLessThan(0.75);
  });
});

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [ma, mb] = [mean(a), mean(b)];
  const product = (x: readonly number[], mx: number, y: readonly number[], my: number): number =>
    x.reduce((sum, value, i) => sum + (value - mx) * (y[i]! - my), 0);
  return product(a, ma, b, mb) / Math.sqrt(product(a, ma, a, ma) * product(b, mb, b, mb));
}

describe("clients and jobs", () => {
  const spec = (clients: number): SyntheticTraffic => ({
    ...POISSON,
    meanRatePerS: clients,
    burst: { components: [], gapCv: 2, clients: { count: clients, rateSigma: 0, intermittent: null } },
  });

  test("one more client moves no request of the others", () => {
    const times = (clients: number): number[] => {
      const found: number[] = [];
      const traffic = syntheticTraffic(spec(clients), { ...OPTIONS, horizonS: 600 });
      for (; traffic.timeS < Infinity; traffic.advance()) found.push(traffic.timeS);
      expect(found).toEqual(found.toSorted((a, b) => a - b));
      return found;
    };
    const three = new Set(times(3));
    const four = times(4);
    expect(four.filter((timeS) => three.has(timeS))).toHaveLength(three.size);
    expect(four.length).toBeGreaterThan(three.size + 300);
  });

  test("the requests of a job come at one instant, in sizes of the declared median", () => {
    const sizes = new Map<number, number>();
    const jobs = { medianRequests: 50, sigma: 0.8 };
    const traffic = syntheticTraffic(
      { ...POISSON, burst: { ...POISSON.burst, jobs } },
      { ...OPTIONS, horizonS: 2 * DAY },
    );
    for (; traffic.timeS < Infinity; traffic.advance()) sizes.set(traffic.timeS, (sizes.get(traffic.timeS) ?? 0) + 1);
    const ordered = [...sizes.values()].toSorted((a, b) => a - b);
    expect(ordered.length).toBeGreaterThan(1500);
    expect(Math.abs(ordered[ordered.length >>> 1]! / 50 - 1)).toBeLessThan(0.1);
  });
});

test("reasoning is a share of the answer with the declared quantiles", () => {
  const law = { percentiles: [0, 50, 100], shares: [0, 0.8, 1] };
  const part = new ReasoningPart(law, stream("7", 0, "reasoning"));
  const shares = Array.from({ length: 20_000 }, () => part.of(1000) / 1000).sort((a, b) => a - b);
  expect([shares[5000], shares[10_000], shares[15_000]].map((share) => Math.round(share! * 50) / 50)).toEqual([
    0.4, 0.8, 0.9,
  ]);
  expect(part.of(1)).toBeLessThanOrEqual(1);
});

describe("bad input and thinning", () => {
  const traffic = (change: Record<string, unknown>): Record<string, unknown> => {
    const raw = smallExperiment();
    return withValue(raw, ["traffic"], { ...(raw["traffic"] as object), ...change });
  };

  test.each([
    ["a time zone that does not exist", { timeZone: "Europe/Berlyn" }, /no time zone "Europe\/Berlyn"/],
    ["a holiday twice", { holidays: [1, 2].map((factor) => ({ date: "2026-11-02", factor })) }, /twice/],
    ["a pulse without a time", { pulses: [{ peak: 1, holdHours: 1 }] }, /either at or perMonth/],
    ["a pulse that never lasts", { pulses: [{ peak: 1, perMonth: 1 }] }, /holdHours or decayHours/],
    [
      "a high state above the mean",
      { burst: { components: [], switching: { highFactor: 3, highS: 50, lowS: 50 } } },
      /more than the mean rate/,
    ],
    [
      "clients and jobs",
      { burst: { components: [], clients: { count: 2 }, jobs: { medianRequests: 2, sigma: 1 } } },
      /either clients or jobs/,
    ],
  ])("%s", (_, change, message) => {
    expect(problemsOf(traffic(change)).map((problem) => problem.message)).toEqual([expect.stringMatching(message)]);
  });

  test("the nearest zone is named", () => {
    expect(problemsOf(traffic({ timeZone: "Europe/Berlyn" }))[0]!.hint).toBe('did you mean "Europe/Berlin"?');
  });

  test("below the recorded rate the traffic is thinned and says so; above it the copies are independent", () => {
    const at = (requestsPerS: number) => resolveRaw(traffic({ requestsPerS })).experiment;
    const warned = (requestsPerS: number): boolean => at(requestsPerS).warnings.some((text) => /thinned/.test(text));
    expect([0.5, 5.53, 22.12].map(warned)).toEqual([true, false, false]);
    const cv = (requestsPerS: number): number => (at(requestsPerS).traffic as SyntheticTraffic).burst.components[0]!.cv;
    expect([cv(0.5), cv(5.53), cv(22.12)]).toEqual([0.23, 0.23, 0.115]);
  });

  test.each([
    ["api-midsize", 1, 8],
    ["api-midsize", 20, 158],
    ["api-midsize", 0.1, 1],
    ["code-completion", 7.686, 3],
  ])("%s at %d requests/s is the sum of %d clients", (preset, requestsPerS, clients) => {
    const { experiment } = resolveRaw(traffic({ preset, requestsPerS }));
    expect((experiment.traffic as SyntheticTraffic).burst.clients!.count).toBe(clients);
    expect(experiment.warnings.some((text) => /thinned/.test(text))).toBe(requestsPerS < 1);
  });
});
