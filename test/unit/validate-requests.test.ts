/** What is wrong with the requests of a recorded case, said as it is: lengths, warm-up, requests longer than the model. */
import { beforeAll, describe, expect, test } from "vitest";
import type { Catalog } from "../../src/catalog/schema.ts";
import { predictCase } from "../../src/experiment/validate/predict.ts";
import type { CaseSimulator } from "../../src/experiment/validate/serve.ts";
import { simulateCase } from "../../src/experiment/validate/simulate-case.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import { type Change, RECORDED, recorded } from "../fixtures/recorded-case.ts";

let catalog: Catalog;
beforeAll(async () => {
  ({ catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"]));
});

const predict = (change: Change, simulate: CaseSimulator = simulateCase, text: string | null = null) =>
  predictCase(recorded(change), { catalog, simulate, readText: () => text });
const withLoad = (load: Change): Change => ({ load: { ...RECORDED.load, ...load } });

describe("refused, with what is wrong", () => {
  test.each([
    [
      { dist: "uniform-int", min: 0, max: 9 },
      'the distribution uniform-int: min: expected a number above 0, got 0; it is written as {"dist": "uniform-int", "min": 1, "max": 1024}',
    ],
    [
      { dist: "uniform-int", min: 9, max: 3 },
      /^the distribution uniform-int: max: expected at least min, got 3; it is/,
    ],
    [
      { dist: "constant", mean: 300 },
      'the distribution constant: value: is missing: a number is needed here, and mean is not read; it is written as {"dist": "constant", "value": 512}',
    ],
    [{ dist: "mean-only", value: 300 }, /^the distribution mean-only: mean: is missing: .*, and value is not read; it/],
    [
      { dist: "constant", value: "300" },
      /^the distribution constant: value: expected a number, got "300"; it is written/,
    ],
    [{ dist: "uniform", min: 1, max: 3 }, 'the distribution uniform is not known (did you mean "uniform-int"?)'],
    [{ dist: "zipf", a: 2 }, "the distribution zipf is not known (known: constant, uniform-int, mean-only, trace)"],
    [{ dist: "trace" }, "lengths come from a trace, so a trace or open load with a requestsFile is needed"],
  ])("lengths %j", (lengths, reason) => {
    for (const field of ["inputTokens", "outputTokens"]) {
      const { refused } = predict(withLoad({ [field]: lengths }));
      expect(refused!.slice(0, field.length + 2)).toBe(`${field}: `);
      expect(refused!.slice(field.length + 2)).toMatch(reason);
    }
  });

  test.each([
    [
      { requests: undefined, durationS: 2, warmupRequests: 20 },
      "warmupRequests is 20 of 20 requests: none is left to count",
    ],
    [
      { requests: undefined, ratePerS: undefined, stages: [{ ratePerS: 1, durationS: 5 }], warmupRequests: 8 },
      "warmupRequests is 8 of 5 requests: none is left to count",
    ],
    [
      { kind: "trace", requestsFile: "t.csv", warmupRequests: 1 },
      "warmupRequests is 1 of 1 requests: none is left to count",
    ],
  ])("a warm-up of all: %j", (load, reason) => {
    expect(predict(withLoad(load), simulateCase, "arrivalS,inputTokens,outputTokens\n0,5,5\n").refused).toBe(reason);
  });
});

describe("requests beyond maxModelLen", () => {
  const engineOptions = { maxModelLen: 600 };

  test("a prompt that leaves no room is rejected by the engine, so the case is refused", () => {
    expect(predict({ engineOptions, ...withLoad({ inputTokens: 600 }) }).refused).toBe(
      "a prompt of 600 tokens leaves no room for an answer within maxModelLen 600: the engine rejects 20 of 20 requests",
    );
    const text = "arrivalS,inputTokens,outputTokens\n0,10,5\n1,700,5\n";
    expect(predict({ engineOptions, load: { kind: "trace", requestsFile: "t.csv" } }, simulateCase, text).refused).toBe(
      "a prompt of 700 tokens leaves no room for an answer within maxModelLen 600: the engine rejects 1 of 2 requests",
    );
  });

  test("answers end at it, as is said; where nothing is longer nothing is", () => {
    const cut = predict({ engineOptions });
    const short = predict({ engineOptions, ...withLoad({ outputTokens: 88 }) });
    expect(cut.refused).toBeNull();
    expect(cut.predicted["e2eMsMean"]).toBe(short.predicted["e2eMsMean"]);
    expect(cut.caveats).toEqual([
      "the answers of 20 of 20 requests end at maxModelLen 600, before their recorded length",
    ]);
    expect(short.caveats).toEqual([]);
    const closed = (outputTokens: number) =>
      predict({ engineOptions, load: { ...RECORDED.load, kind: "closed", concurrency: 4, outputTokens } }).predicted;
    expect(closed(256)).toEqual(closed(88));
  });

  test("beyond the model's own context, with no maxModelLen recorded, they run, as is said", () => {
    const { refused, caveats } = predict(withLoad({ inputTokens: 131_000, requests: 3, ratePerS: 0.1 }));
    expect(refused).toBeNull();
    expect(caveats).toEqual([
      "3 of 3 requests are longer than the 131072 tokens of the model: maxModelLen is not recorded, so they run nevertheless",
    ]);
  });
});
