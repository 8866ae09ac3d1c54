import { expect, test } from "vitest";
import { NO_CLASS, type ReplayTraffic } from "../../src/scenario/resolved.ts";
import { DataError } from "../../src/kernel/errors.ts";
import { replayTraffic } from "../../src/traffic/replay.ts";
import { OPTIONS } from "../fixtures/traffic-reference.ts";

const RECORDED: ReplayTraffic = {
  kind: "replay",
  file: "recorded.csv",
  arrivalS: Float64Array.of(0, 4.314579, 4.314579, 100.1, 3501.721937),
  inputTokens: Uint32Array.of(374, 396, 879, 91, 2),
  outputTokens: Uint32Array.of(44, 109, 55, 16, 1000),
  maxOutput: { factor: 2, minTokens: 100 },
};

function rows(
  change: Partial<ReplayTraffic> = {},
  options: Partial<Parameters<typeof replayTraffic>[1]> = {},
): number[][] {
  const found: number[][] = [];
  const traffic = replayTraffic({ ...RECORDED, ...change }, { ...OPTIONS, ...options });
  for (; traffic.timeS < Infinity; traffic.advance()) {
    found.push([traffic.request, traffic.timeS, traffic.inputTokens, traffic.outputTokens, traffic.maxOutputTokens]);
    traffic.onComplete(traffic.request, traffic.timeS + 1);
  }
  return found;
}

test("times and lengths come out exactly as recorded", () => {
  expect(rows()).toEqual([
    [0, 0, 374, 44, 100],
    [1, 4.314579, 396, 109, 218],
    [2, 4.314579, 879, 55, 110],
    [3, 100.1, 91, 16, 100],
    [4, 3501.721937, 2, 1000, 2000],
  ]);
});

test("the window cuts both ends: from −warmupS on, before horizonS", () => {
  expect(rows({}, { horizonS: 100.1 }).map((row) => row[1])).toEqual([0, 4.314579, 4.314579]);
  const part = rows({}, { offsetS: 10, warmupS: 6, horizonS: 95 });
  expect(part.map((row) => row[2])).toEqual([396, 879, 91]);
  expect(part.map((row) => row[0])).toEqual([0, 1, 2]);
  expect(part[2]![1]).toBeCloseTo(90.1, 9);
  expect(rows({}, { offsetS: 4000 })).toEqual([]);
});

test("classes are drawn by share from their own stream", () => {
  const classes = (seed: string): number[] => {
    const arrivalS = Float64Array.from({ length: 4000 }, (_, i) => i / 2);
    const ones = new Uint32Array(4000).fill(1);
    const traffic = replayTraffic(
      { ...RECORDED, arrivalS, inputTokens: ones, outputTokens: ones },
      { ...OPTIONS, seed, classShares: [1, 3] },
    );
    const found: number[] = [];
    for (; traffic.timeS < Infinity; traffic.advance()) found.push(traffic.classIndex);
    return found;
  };
  expect(classes("7")).toEqual(classes("7"));
  expect(classes("7")).not.toEqual(classes("8"));
  const second = classes("7").filter((index) => index === 1).length;
  expect(Math.abs(second / 4000 - 0.75)).toBeLessThan(4 * Math.sqrt(0.1875 / 4000));
});

test("the max_tokens that were asked for go before the rule, but never below the answer", () => {
  const asked = (change: Partial<ReplayTraffic>): number[] => {
    const found: number[] = [];
    const traffic = replayTraffic({ ...RECORDED, ...change }, OPTIONS);
    for (; traffic.timeS < Infinity; traffic.advance()) found.push(traffic.maxOutputTokens);
    return found;
  };
  const maxOutputTokens = Uint32Array.of(4096, 0, 10, 16, 1500);
  expect(asked({ maxOutputTokens })).toEqual([4096, 218, 55, 16, 1500]);
  const offsets = new Uint32Array(6);
  const waits = { offsets, parents: new Uint32Array(0), gapS: new Float64Array(5) };
  expect(asked({ maxOutputTokens, waits })).toEqual([4096, 218, 55, 16, 1500]);
});

test("classes that the recording names are those, the others are drawn", () => {
  const classIndex = Uint8Array.of(1, 0, NO_CLASS, 1, 0);
  const waits = { offsets: new Uint32Array(6), parents: new Uint32Array(0), gapS: new Float64Array(5) };
  for (const change of [{ classIndex }, { classIndex, waits }]) {
    const drawn = new Set<number>();
    for (let seed = 0; seed < 40; seed++) {
      const traffic = replayTraffic(
        { ...RECORDED, ...change },
        { ...OPTIONS, seed: String(seed), classShares: [0.5, 0.5] },
      );
      const found: number[] = [];
      for (; traffic.timeS < Infinity; traffic.advance()) found.push(traffic.classIndex);
      drawn.add(found[2]!);
      expect(found.toSpliced(2, 1)).toEqual([1, 0, 1, 0]);
    }
    expect(drawn).toEqual(new Set([0, 1]));
  }
});

test.each<[string, Partial<ReplayTraffic>, number | null]>([
  ["times that fall", { arrivalS: Float64Array.of(0, 5, 4, 6, 7) }, 3],
  ["a time that is no number", { arrivalS: Float64Array.of(0, NaN, 4, 6, 7) }, 2],
  ["an endless time", { arrivalS: Float64Array.of(0, 1, 4, 6, Infinity) }, 5],
  ["an unknown output length", { outputTokens: Uint32Array.of(1, 1, 1, 0, 1) }, 4],
  ["columns of unequal length", { inputTokens: Uint32Array.of(1) }, null],
])("refuses %s and names the row", (_, change, row) => {
  let error: unknown;
  try {
    rows(change);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(DataError);
  expect(error).toMatchObject({ file: "recorded.csv", row });
});
