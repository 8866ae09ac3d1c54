import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LengthDistribution, SyntheticTraffic } from "../../src/scenario/resolved.ts";
import { InvariantError } from "../../src/kernel/errors.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import type { OpenTrafficOptions } from "../../src/traffic/options.ts";
import { expectedRequests, peakDays } from "../../src/traffic/rate.ts";
import { syntheticTraffic } from "../../src/traffic/synthetic.ts";
import type { Traffic } from "../../src/traffic/traffic.ts";
import { CHAT, CHAT_ARRIVALS, MONDAY_S, OPTIONS } from "../fixtures/traffic-reference.ts";

interface Request {
  readonly timeS: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly maxOutputTokens: number;
  readonly classIndex: number;
  readonly request: number;
}

function drain(traffic: Traffic, limit = Infinity): Request[] {
  const requests: Request[] = [];
  for (; traffic.timeS < Infinity && requests.length < limit; traffic.advance()) {
    const { timeS, inputTokens, outputTokens, maxOutputTokens, classIndex, request } = traffic;
    requests.push({ timeS, inputTokens, outputTokens, maxOutputTokens, classIndex, request });
  }
  return requests;
}

const drawn = (spec: SyntheticTraffic, options: Partial<OpenTrafficOptions> = {}): Request[] =>
  drain(syntheticTraffic(spec, { ...OPTIONS, ...options }));

describe("TRF-1: the same requests, whatever happens to them", () => {
  const options = { warmupS: 600, classShares: [0.8, 0.2] };

  test("the same seed gives the same bytes, and the first requests are frozen", () => {
    expect(JSON.stringify(drawn(CHAT, options))).toBe(JSON.stringify(drawn(CHAT, options)));
    expect(drawn(CHAT, options).slice(0, 3)).toMatchInlineSnapshot(`
      [
        {
          "classIndex": 0,
          "inputTokens": 2526,
          "maxOutputTokens": 256,
          "outputTokens": 72,
          "request": 0,
          "timeS": -599.7718124456031,
        },
        {
          "classIndex": 1,
          "inputTokens": 1047,
          "maxOutputTokens": 256,
          "outputTokens": 97,
          "request": 1,
          "timeS": -599.7704967078861,
        },
        {
          "classIndex": 0,
          "inputTokens": 1116,
          "maxOutputTokens": 840,
          "outputTokens": 420,
          "request": 2,
          "timeS": -599.3312156051627,
        },
      ]
    `);
  });

  test("another seed or replication gives other requests", () => {
    const first = (change: Partial<OpenTrafficOptions>): number => drawn(CHAT, { ...options, ...change })[0]!.timeS;
    expect(new Set([first({}), first({ seed: "8" }), first({ replication: 1 })]).size).toBe(3);
  });

  test("completions move nothing", () => {
    const listening = syntheticTraffic(CHAT, { ...OPTIONS, ...options });
    const requests: Request[] = [];
    while (listening.timeS < Infinity) {
      requests.push(...drain(listening, 1));
      listening.onComplete(listening.request, listening.timeS);
    }
    expect(requests).toEqual(drawn(CHAT, options));
  });

  test("each aspect has its own stream: changing lengths or classes moves no arrival, and the other way round", () => {
    const base = drawn(CHAT, options);
    const times = (requests: readonly Request[]): number[] => requests.map(({ timeS }) => timeS);
    expect(
      times(drawn({ ...CHAT, input: CHAT_ARRIVALS.input, output: CHAT_ARRIVALS.output, spearman: 0 }, options)),
    ).toEqual(times(base));
    expect(times(drawn(CHAT, { ...options, classShares: [1] }))).toEqual(times(base));
    const faster = drawn({ ...CHAT, meanRatePerS: 11, burst: { components: [], gapCv: 1 } }, options);
    const lengths = (requests: readonly Request[]): number[][] =>
      requests
        .slice(0, 1000)
        .map(({ inputTokens, outputTokens, classIndex }) => [inputTokens, outputTokens, classIndex]);
    expect(lengths(faster)).toEqual(lengths(base));
  });

  test("a longer horizon only adds requests", () => {
    const base = drawn(CHAT, options);
    expect(drawn(CHAT, { ...options, horizonS: 7200 }).slice(0, base.length)).toEqual(base);
  });
});

describe("TRF-2: times do not fall and lie in the window", () => {
  test("for any burstiness, season, warm-up and horizon", () => {
    fc.assert(
      fc.property(
        fc.record({
          meanRatePerS: fc.double({ min: 0, max: 3, noNaN: true }),
          gapCv: fc.double({ min: 0.2, max: 3, noNaN: true }),
          cv: fc.double({ min: 0, max: 2, noNaN: true }),
          tauS: fc.double({ min: 1, max: 5000, noNaN: true }),
          warmupS: fc.double({ min: 0, max: 2000, noNaN: true }),
          horizonS: fc.double({ min: 1, max: 3000, noNaN: true }),
          offsetS: fc.integer({ min: 0, max: 1_000_000 }),
          silentHours: fc.boolean(),
        }),
        ({ meanRatePerS, gapCv, cv, tauS, warmupS, horizonS, offsetS, silentHours }) => {
          const hourOfWeek = silentHours ? Array.from({ length: 168 }, (_, hour) => (hour % 3 === 0 ? 1 : 0)) : null;
          const spec = { ...CHAT, meanRatePerS, hourOfWeek, burst: { components: [{ cv, tauS }], gapCv } };
          const requests = drawn(spec, { warmupS, horizonS, offsetS });
          // One assertion a run: there are thousands of requests in each.
          const wrong = requests.find(
            ({ timeS, inputTokens, outputTokens, maxOutputTokens, request }, ordinal) =>
              !(timeS >= (requests[ordinal - 1]?.timeS ?? -warmupS) && timeS < horizonS && request === ordinal) ||
              !(inputTokens >= 1 && outputTokens >= 1 && maxOutputTokens === Math.max(2 * outputTokens, 256)),
          );
          expect(wrong).toBeUndefined();
        },
      ),
      { numRuns: 60 },
    );
  });

  test("the end is final", () => {
    const traffic = syntheticTraffic(CHAT, { ...OPTIONS, horizonS: 1 });
    drain(traffic);
    traffic.advance();
    expect(traffic.timeS).toBe(Infinity);
  });

  test("a rate of zero ends without a request", () => {
    expect(drawn({ ...CHAT, meanRatePerS: 0 })).toEqual([]);
  });
});

test("classes come by share, within 4 standard errors", () => {
  const requests = drawn(CHAT_ARRIVALS, { classShares: [0.7, 0.1, 0.2], horizonS: 20_000 });
  for (const [classIndex, share] of [0.7, 0.1, 0.2].entries()) {
    const found = requests.filter((request) => request.classIndex === classIndex).length / requests.length;
    expect(Math.abs(found - share)).toBeLessThan(4 * Math.sqrt((share * (1 - share)) / requests.length));
  }
});

test("a class with lengths of its own has those; arrivals, classes and the lengths of the others stay", () => {
  const options = { classShares: [0.5, 0.3, 0.2] };
  const long: LengthDistribution = {
    kind: "lognormal",
    medianTokens: 6000,
    sigma: 0.3,
    minTokens: 1000,
    maxTokens: 20_000,
  };
  const classLengths = [
    CHAT,
    { input: long, output: CHAT.output },
    { input: CHAT.input, output: { kind: "constant", tokens: 3 } },
  ] as const;
  const alike = drawn(CHAT, options);
  const apart = drawn({ ...CHAT, classLengths }, options);
  expect(apart).toHaveLength(alike.length);
  apart.forEach((request, i) => {
    const { classIndex, inputTokens, outputTokens } = alike[i]!;
    expect(request).toMatchObject({ timeS: alike[i]!.timeS, classIndex });
    if (classIndex !== 1) expect(request.inputTokens).toBe(inputTokens);
    expect(request.outputTokens).toBe(classIndex === 2 ? 3 : outputTokens);
  });
  const prompts = apart.filter(({ classIndex }) => classIndex === 1).map(({ inputTokens }) => inputTokens);
  prompts.sort((a, b) => a - b);
  expect(prompts[Math.floor(prompts.length / 2)]! / 6000).toBeCloseTo(1, 1);
});

test("lognormal lengths have their median and keep to their bounds; max_tokens is the larger of the two rules", () => {
  const lognormal: LengthDistribution = {
    kind: "lognormal",
    medianTokens: 300,
    sigma: 1,
    minTokens: 40,
    maxTokens: 4000,
  };
  const requests = drawn(
    {
      ...CHAT_ARRIVALS,
      input: lognormal,
      output: lognormal,
      spearman: 0.5,
      maxOutput: { factor: 1.5, minTokens: 450 },
    },
    { horizonS: 8000 },
  );
  for (const field of ["inputTokens", "outputTokens"] as const) {
    const sorted = requests.map((request) => request[field]).sort((a, b) => a - b);
    expect(Math.abs(sorted[sorted.length >> 1]! / 300 - 1)).toBeLessThan((4 * 1.2533) / Math.sqrt(sorted.length));
    expect([sorted[0], sorted.at(-1)]).toEqual([40, 4000]);
  }
  const ruled = requests.filter(
    ({ outputTokens, maxOutputTokens }) =>
      maxOutputTokens === (outputTokens > 300 ? Math.ceil(1.5 * outputTokens) : 450),
  );
  expect(ruled).toHaveLength(requests.length);
});

describe("parts of an experiment", () => {
  const part = { offsetS: 5 * 86_400, horizonS: 7200, warmupS: 600 };

  test("are deterministic, and have requests of their own", () => {
    expect(drawn(CHAT, part)).toEqual(drawn(CHAT, part));
    expect(drawn(CHAT, part)[0]!.inputTokens === drawn(CHAT, { ...part, offsetS: 0 })[0]!.inputTokens).toBe(false);
  });

  test("follow the rate of their place: growth and season at the offset", () => {
    const spec = { ...CHAT, growthFractionPerMonth: 1, burst: { components: [], gapCv: 1 } };
    const offsetS = 20 * 86_400 + 5 * 3600;
    const found = drawn(spec, { offsetS, horizonS: 6 * 3600 }).length;
    const expected = expectedRequests(spec, MONDAY_S, offsetS, offsetS + 6 * 3600);
    expect(Math.abs(found - expected)).toBeLessThan(4 * Math.sqrt(expected));
    expect(Math.abs(drawn(spec, { horizonS: 6 * 3600 }).length - expected)).toBeGreaterThan(12 * Math.sqrt(expected));
  });
});

describe("expected requests and peak days", () => {
  const flat = { ...CHAT, hourOfWeek: null };

  test("growth compounds continuously over months of 30.4 days", () => {
    const monthS = 30.4 * 86_400;
    expect(expectedRequests(flat, MONDAY_S, 0, monthS)).toBeCloseTo((5.53 * monthS * 0.05) / Math.log(1.05), 3);
    expect(
      expectedRequests(flat, MONDAY_S, monthS, 2 * monthS) / expectedRequests(flat, MONDAY_S, 0, monthS),
    ).toBeCloseTo(1.05, 9);
  });

  test("a season without growth leaves the week's total", () => {
    const seasonal = { ...CHAT, growthFractionPerMonth: 0 };
    for (const startS of [0, 1234.5])
      expect(expectedRequests(seasonal, MONDAY_S + 4321, startS, startS + 604_800)).toBeCloseTo(5.53 * 604_800, 3);
  });

  test("parts add up", () => {
    const whole = expectedRequests(CHAT, MONDAY_S + 777, -1800, 250_000.25);
    const parts =
      expectedRequests(CHAT, MONDAY_S + 777, -1800, 3_333.3) +
      expectedRequests(CHAT, MONDAY_S + 777, 3_333.3, 250_000.25);
    expect(parts).toBeCloseTo(whole, 4);
    expect(expectedRequests(CHAT, MONDAY_S, 5, 5)).toBe(0);
  });

  test("with growth the last working day is the busiest; without, ties go to the earlier day", () => {
    const days = peakDays(CHAT, MONDAY_S, 30 * 86_400, 3).map(({ fromS }) => fromS / 86_400);
    // Day 0 is a Monday, so 29 is a Tuesday and 25 a Friday.
    expect(days[0]).toBe(29);
    expect(days.every((day) => day % 7 < 5)).toBe(true);
    const tied = peakDays({ ...flat, growthFractionPerMonth: 0 }, MONDAY_S, 3.5 * 86_400, 5);
    expect(tied.map(({ fromS, toS }) => [fromS / 86_400, toS / 86_400])).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 3.5],
    ]);
  });

  test("of a recording are counts", () => {
    const replay = {
      kind: "replay",
      file: "three.csv",
      arrivalS: Float64Array.of(1, 2, 86_401),
      inputTokens: Uint32Array.of(1, 1, 1),
      outputTokens: Uint32Array.of(1, 1, 1),
      maxOutput: { factor: 1, minTokens: 1 },
    } as const;
    expect(expectedRequests(replay, MONDAY_S, 1, 2)).toBe(1);
    expect(peakDays(replay, MONDAY_S, 2 * 86_400, 1)).toEqual([{ fromS: 0, toS: 86_400, expectedRequests: 2 }]);
    expect(drain(openTraffic(replay, { ...OPTIONS, horizonS: 10 }))).toHaveLength(2);
  });
});

test.each<[string, Partial<SyntheticTraffic>]>([
  ["a gap CV of zero", { burst: { components: [], gapCv: 0 } }],
  ["a correlation time of zero", { burst: { components: [{ cv: 0.2, tauS: 0 }], gapCv: 1 } }],
  ["a negative rate", { meanRatePerS: -1 }],
  ["24 factors for a week", { hourOfWeek: Array(24).fill(1) }],
  ["a rank correlation above one", { spearman: 1.2 }],
])("refuses %s", (_, change) => {
  expect(() => syntheticTraffic({ ...CHAT, ...change }, OPTIONS)).toThrow(InvariantError);
});
