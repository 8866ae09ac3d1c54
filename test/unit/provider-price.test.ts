import { describe, expect, test } from "vitest";
import type { PriceRow, PriceWindow, TokenPrices } from "../../src/scenario/resolved.ts";
import { epochSOfIso } from "../../src/kernel/calendar-time.ts";
import { ConfigError, InvariantError } from "../../src/kernel/errors.ts";
import { Offer } from "../../src/provider/offer.ts";
import { PriceBook } from "../../src/provider/price.ts";
import { CONTEXT, MONDAY_EPOCH_S, OFFER } from "../fixtures/provider-offer.ts";

const DAY_S = 86_400;
const flat = (fromEpochS: number | null, input: number, output: number, more: Partial<TokenPrices> = {}): PriceRow => ({
  fromEpochS,
  inputUsdPerMTok: input,
  outputUsdPerMTok: output,
  ...more,
  longContext: [],
});
const book = (prices: readonly PriceRow[], priceMultiplier = 1): PriceBook =>
  new PriceBook({ name: "test", prices, priceMultiplier }, MONDAY_EPOCH_S);
const at = (iso: string): number => epochSOfIso(iso)! - MONDAY_EPOCH_S;

describe("worked examples", () => {
  test("cache reads and writes are parts of the input, each at its price", () => {
    // Claude Sonnet 5.
    const prices = book([flat(null, 2, 10, { cacheReadUsdPerMTok: 0.2, cacheWriteUsdPerMTok: 2.5 })]);
    expect(prices.charge(0, 1e6, 800_000, 50_000, 0, 0, 0)).toBeCloseTo(0.585, 12);
    expect([prices.inputUsd, prices.readUsd, prices.writeUsd].map((usd) => Number(usd.toFixed(12)))).toEqual([
      0.3, 0.16, 0.125,
    ]);
  });

  test("one token above the threshold reprices the whole request, output included", () => {
    const prices = book(OFFER.prices);
    expect(prices.priceOf(0, 272_000, 1_000)).toBeCloseTo(0.554, 12);
    expect(prices.priceOf(0, 272_001, 1_000)).toBeCloseTo(1.103004, 12);
    expect(prices.inputUsd).toBeCloseTo(1.088004, 12);
    expect(prices.outputUsd).toBeCloseTo(0.015, 12);
    // Cached tokens count for the threshold.
    expect(prices.charge(0, 272_001, 272_000, 0, 0, 1_000, 0)).toBeCloseTo(1.103004, 12);
  });

  test.each([
    ["as listed", 1, 0.064],
    ["US residency", 1.1, 0.0704],
    ["batch", 0.5, 0.032],
  ])("a multiplier holds for every class of tokens: Claude Opus 5.5 %s", (_, multiplier, usd) => {
    const prices = book([flat(null, 4, 20, { cacheReadUsdPerMTok: 0.2 })], multiplier);
    expect(prices.charge(0, 30_000, 20_000, 0, 0, 1_000, 0)).toBeCloseTo(usd, 12);
  });

  test("hours of the week at another price: DeepSeek V4 Pro", () => {
    const peak = (startHour: number, endHour: number, days = [0, 1, 2, 3, 4]): PriceWindow => ({
      startMinute: startHour * 60,
      endMinute: endHour * 60,
      days,
      inputUsdPerMTok: 1.32,
      outputUsdPerMTok: 3.96,
      longContext: [],
    });
    const prices = book([{ ...flat(null, 0.66, 1.98), windows: [peak(1, 4), peak(6, 10)] }]);
    const input = (iso: string): number => Number(prices.priceOf(at(iso), 1e6, 0).toFixed(12));
    expect(input("2026-11-24T02:00Z")).toBe(1.32); // Tuesday
    expect(input("2026-11-24T12:00Z")).toBe(0.66);
    expect(input("2026-11-28T02:00Z")).toBe(0.66); // Saturday
    // From the first second on, up to the last; and before the simulated time begins.
    expect(
      ["2026-11-24T01:00Z", "2026-11-24T00:59:59Z", "2026-11-24T03:59:59Z", "2026-11-24T04:00Z"].map(input),
    ).toEqual([1.32, 0.66, 1.32, 0.66]);
    expect(input("2026-10-30T07:00Z")).toBe(1.32); // Friday
  });

  test("broken after 300 of 800 tokens, then retried", () => {
    const offer = new Offer({ ...OFFER, prices: [flat(null, 2, 10)] }, CONTEXT);
    const bill = (produced: number): number => {
      offer.bill(0, 10_000, 0, produced);
      return offer.billed.inputUsd + offer.billed.outputUsd;
    };
    expect(bill(300)).toBeCloseTo(0.023, 12);
    expect(bill(800)).toBeCloseTo(0.028, 12);
    // Before the first token nothing is billed.
    expect(bill(0)).toBe(0);
  });
});

describe("a price that is missing", () => {
  const usd = (more: Partial<TokenPrices>, read: number, write: number, hour: number, reasoning = 0): number =>
    Number((book([flat(null, 2, 10, more)]).charge(0, 1000, read, write, hour, 100, reasoning) * 1e6).toFixed(6));

  test("reads and writes cost as plain input, a write of 0 too, reasoning as output", () => {
    expect(usd({}, 500, 500, 0, 50)).toBe(3000);
    expect(usd({ cacheWriteUsdPerMTok: 0 }, 0, 500, 0)).toBe(3000);
    expect(usd({ cacheReadUsdPerMTok: 0 }, 500, 0, 0)).toBe(2000);
    expect(usd({ reasoningUsdPerMTok: 3 }, 0, 0, 0, 50)).toBe(2650);
  });

  test("writes for an hour are refused without a price of their own", () => {
    expect(usd({ cacheWrite1hUsdPerMTok: 4 }, 0, 0, 500)).toBe(4000);
    expect(() => usd({ cacheWriteUsdPerMTok: 2.5 }, 0, 0, 500)).toThrow(ConfigError);
  });

  test("more cached than sent is our bug", () => {
    expect(() => usd({}, 600, 500, 0)).toThrow(InvariantError);
    expect(() => usd({}, 0, 0, 0, 101)).toThrow(InvariantError);
  });
});

test("a fee per request comes on top, whatever the multiplier", () => {
  const prices = book([{ ...flat(null, 1, 1), usdPerRequest: 0.005 }], 0.5);
  expect(prices.priceOf(0, 1e6, 1e6)).toBe(1.005);
  const offer = new Offer({ ...OFFER, prices: [{ ...flat(null, 1, 1), usdPerRequest: 0.005 }] }, CONTEXT);
  offer.bill(0, 100, 0, 10);
  expect([offer.billed.requests, offer.billed.requestUsd]).toEqual([1, 0.005]);
  offer.bill(0, 100, 0, 0);
  expect([offer.billed.requests, offer.billed.requestUsd]).toEqual([0, 0]);
});

test("a window may cross midnight, on the days on which it starts; of two the last one holds", () => {
  const window = (startMinute: number, endMinute: number, usd: number): PriceWindow => ({
    startMinute,
    endMinute,
    days: [6],
    inputUsdPerMTok: usd,
    outputUsdPerMTok: usd,
    longContext: [{ aboveInputTokens: 1000, inputUsdPerMTok: 2 * usd, outputUsdPerMTok: 2 * usd }],
  });
  const prices = book([{ ...flat(null, 1, 1), windows: [window(22 * 60, 6 * 60, 3), window(60, 120, 5)] }]);
  const input = (timeS: number, tokens = 1000): number => Math.round((prices.priceOf(timeS, tokens, 0) / tokens) * 1e6);
  // Sunday 21:59, 22:00, Monday 05:59 and 06:00; Sunday 01:30.
  expect([-7260, -7200, 21_540, 21_600].map((timeS) => input(timeS))).toEqual([1, 3, 3, 1]);
  expect(input(-DAY_S + 5400)).toBe(5);
  expect(input(0, 1001)).toBe(6);
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
