import { describe, expect, test } from "vitest";
import type { PriceRow } from "../../src/scenario/resolved.ts";
import { ConfigError } from "../../src/kernel/errors.ts";
import { PriceBook } from "../../src/provider/price.ts";
import { MONDAY_EPOCH_S, OFFER } from "../fixtures/provider-offer.ts";

const DAY_S = 86_400;
const flat = (fromEpochS: number | null, input: number, output: number): PriceRow => ({
  fromEpochS,
  inputUsdPerMTok: input,
  outputUsdPerMTok: output,
  longContext: [],
});
const book = (prices: readonly PriceRow[], priceMultiplier = 1): PriceBook =>
  new PriceBook({ name: "test", prices, priceMultiplier }, MONDAY_EPOCH_S);

describe("worked examples", () => {
  test("one token above the threshold reprices the whole request, output included", () => {
    const prices = book(OFFER.prices);
    expect(prices.priceOf(0, 272_000, 1_000)).toBeCloseTo(0.554, 12);
    expect(prices.priceOf(0, 272_001, 1_000)).toBeCloseTo(1.103004, 12);
    expect(prices.inputUsd).toBeCloseTo(1.088004, 12);
    expect(prices.outputUsd).toBeCloseTo(0.015, 12);
  });

  test("broken after 300 of 800 tokens, then retried", () => {
    const prices = book([flat(null, 2, 10)]);
    expect(prices.priceOfAbandoned(0, 10_000, 300)).toBeCloseTo(0.023, 12);
    expect(prices.priceOf(0, 10_000, 800)).toBeCloseTo(0.028, 12);
  });

  test("before the first token nothing is billed", () => {
    expect(book([flat(null, 2, 10)]).priceOfAbandoned(0, 10_000, 0)).toBe(0);
  });

  test("a multiplier holds for every class of tokens: US residency, batch", () => {
    // Claude Opus 5.5 at 4/20 without its cache reads: 10,000 uncached in, 1,000 out.
    expect(book([flat(null, 4, 20)], 1.1).priceOf(0, 10_000, 1_000)).toBeCloseTo(0.066, 12);
    expect(book([flat(null, 4, 20)], 0.5).priceOf(0, 10_000, 1_000)).toBeCloseTo(0.03, 12);
  });
});

test("the row in force at arrival holds from its first second", () => {
  const prices = book([flat(MONDAY_EPOCH_S + DAY_S, 1.5, 7.5), flat(null, 0.75, 3.75)]);
  expect(prices.priceOf(DAY_S - 1e-6, 1e6, 1e6)).toBe(4.5);
  expect(prices.priceOf(DAY_S, 1e6, 1e6)).toBe(9);
  expect(prices.priceOf(0, 1e6, 1e6)).toBe(4.5); // asked out of order: a request is billed when it ends
});

test("of several tiers the last one exceeded holds", () => {
  const tier = (aboveInputTokens: number, usd: number) => ({
    aboveInputTokens,
    inputUsdPerMTok: usd,
    outputUsdPerMTok: usd,
  });
  const prices = book([{ ...flat(null, 1, 1), longContext: [tier(1_000, 2), tier(2_000, 3)] }]);
  expect([1_000, 1_001, 2_000, 2_001].map((input) => Math.round(prices.priceOf(0, input, 0) * 1e6))).toEqual([
    1_000, 2_002, 4_000, 6_003,
  ]);
});

test("no price in force at the start is the user's error", () => {
  expect(() => book([flat(MONDAY_EPOCH_S + 1, 1, 1)])).toThrow(ConfigError);
  expect(() => book([])).toThrow(ConfigError);
});
