/** The price lists that `npm run catalog:update` writes: as committed, as derived by others, and as the source itself prices. */
import { readFileSync } from "node:fs";
import { calcPrice } from "@pydantic/genai-prices";
import { describe, expect, test } from "vitest";
import { epochSOfIso } from "../../src/kernel/calendar-time.ts";
import { PriceBook } from "../../src/provider/price.ts";
import { priceRows } from "../../src/experiment/resolve-prices.ts";
import { catalog } from "../fixtures/experiment.ts";
import { priceFiles } from "../update/main.ts";

const offers = [...catalog.offers.values()].filter(({ pricedAs }) => pricedAs === undefined);
const offerOf = (provider: string, model: string) =>
  offers.find((offer) => offer.provider === provider && offer.model === model)!;

test("are what the command would write, so that running it twice changes nothing", () => {
  const files = priceFiles();
  expect(Object.keys(files)).toHaveLength(20);
  for (const [name, text] of Object.entries(files)) {
    expect(readFileSync(new URL(`../../models/offers/${name}`, import.meta.url), "utf8") === text, name).toBe(true);
  }
});

interface SampleRow {
  readonly provider: string;
  readonly model: string;
  readonly context_window: number | null;
  readonly price_schedule: readonly (Tiered & {
    readonly from: string | null;
    readonly long_context: readonly (Tiered & { readonly above_input_tokens: number })[];
    readonly time_of_day?: readonly (Tiered & {
      readonly start_utc: string;
      readonly end_utc: string;
      readonly days?: readonly string[];
    })[];
    readonly other_units?: Readonly<Record<string, number>>;
  })[];
}
interface Tiered {
  readonly per_mtok: Readonly<Record<string, number>>;
}
const FIELDS: Readonly<Record<string, string>> = {
  input: "inputUsdPerMTok",
  output: "outputUsdPerMTok",
  cache_read: "cacheReadUsdPerMTok",
  cache_write: "cacheWriteUsdPerMTok",
  cache_write_1h: "cacheWrite1hUsdPerMTok",
  output_reasoning: "reasoningUsdPerMTok",
};

describe("rows that were derived independently", () => {
  const file = new URL("../fixtures/price-list-sample.json", import.meta.url);
  const { rows } = JSON.parse(readFileSync(file, "utf8")) as { rows: readonly SampleRow[] };
  const prices = ({ per_mtok }: Tiered) =>
    Object.fromEntries(Object.entries(per_mtok).map(([field, usd]) => [FIELDS[field], usd]));

  test.each(rows.map((row) => [`${row.provider} ${row.model}`, row] as const))("%s", (_, row) => {
    const offer = offerOf(row.provider, row.model);
    expect(offer.contextTokens).toBe(row.context_window);
    expect(offer.prices.map(({ from }) => from)).toEqual(row.price_schedule.map(({ from }) => from));
    row.price_schedule.forEach((expected, i) => {
      const found = offer.prices[i]!;
      expect(found).toMatchObject(prices(expected));
      expect(found.longContext).toEqual(
        expected.long_context.map((tier) => ({ aboveInputTokens: tier.above_input_tokens, ...prices(tier) })),
      );
      expect(found.timeOfDay ?? []).toEqual(
        (expected.time_of_day ?? []).map((window) => ({
          fromUtc: window.start_utc,
          toUtc: window.end_utc,
          ...(window.days === undefined ? {} : { days: window.days }),
          ...prices(window),
          longContext: [],
        })),
      );
      expect(found.usdPerRequest ?? 0).toBeCloseTo((expected.other_units?.["requests_kcount"] ?? 0) / 1000, 12);
    });
  });
});

describe("worked examples hold for the shipped offers", () => {
  const start = epochSOfIso("2026-11-24T00:00:00Z")!;
  const book = (id: string, multiplier = 1): PriceBook => {
    const offer = catalog.offers.get(id)!;
    return new PriceBook({ name: id, prices: priceRows(offer), priceMultiplier: multiplier }, start);
  };
  const at = (iso: string): number => epochSOfIso(iso)! - start;

  test.each([
    ["Claude Sonnet 5, most of it cached", "anthropic/claude-sonnet-5", 1, [1_000_000, 800_000, 50_000, 0, 0], 0.585],
    ["GPT-6 Sol at the threshold", "openai/gpt-6-sol", 1, [272_000, 0, 0, 0, 1000], 0.554],
    ["GPT-6 Sol above it", "openai/gpt-6-sol", 1, [272_001, 0, 0, 0, 1000], 1.103004],
    ["Claude Opus 5.5", "anthropic/claude-opus-5-5", 1, [30_000, 20_000, 0, 0, 1000], 0.064],
    ["Claude Opus 5.5 in the US", "anthropic/claude-opus-5-5", 1.1, [30_000, 20_000, 0, 0, 1000], 0.0704],
    ["Claude Opus 5.5 as a batch", "anthropic/claude-opus-5-5", 0.5, [30_000, 20_000, 0, 0, 1000], 0.032],
  ] as const)("%s", (_, id, multiplier, [input, read, write, hour, output], usd) => {
    expect(book(id, multiplier).charge(0, input, read, write, hour, output, 0)).toBeCloseTo(usd, 12);
  });

  test("the multipliers are those of boundary and form", () => {
    const { anthropic } = Object.fromEntries(catalog.providers);
    expect(anthropic!.boundaries["regional"]!.priceMultiplier).toBe(1.1);
    expect(catalog.offers.get("anthropic/claude-opus-5-5")!.residencyMultiplier).toBeUndefined();
    expect(catalog.offers.get("anthropic/claude-opus-5-5")!.forms.batch!.priceMultiplier).toBe(0.5);
  });

  test("DeepSeek V4 Pro by day and hour", () => {
    const prices = book("deepseek/deepseek-v4-pro");
    const days = [
      "2026-11-24T02:00Z",
      "2026-11-24T12:00Z",
      "2026-11-28T02:00Z",
      "2026-08-22T02:00Z",
      "2026-08-15T02:00Z",
    ];
    // The last Saturday before weekends were off-peak, and before there were peak hours.
    expect(days.map((day) => Number(prices.priceOf(at(day), 1e6, 0).toFixed(12)))).toEqual([
      1.32, 0.66, 0.66, 1.32, 0.435,
    ]);
  });
});

describe("the source's own calculator", () => {
  /** A daily window of the source carries neither date nor day of the week; the overlay corrects these. */
  const corrected = (model: string): boolean => model.startsWith("deepseek-v4-");
  let seed = 7;
  const draw = (): number => {
    seed = (seed * 16_807) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const tokens = (most: number): number => Math.floor(draw() * draw() * most);

  test("agrees on random requests, cached and long ones, over two years", () => {
    const start = epochSOfIso("2025-01-01T00:00:00Z")!;
    let compared = 0;
    const models = new Set<string>();
    for (const offer of offers) {
      if (corrected(offer.model)) continue;
      const book = new PriceBook({ name: offer.id, prices: priceRows(offer), priceMultiplier: 1 }, start);
      const hour = offer.prices.every((row) => row.cacheWrite1hUsdPerMTok !== undefined);
      for (let i = 0; i < 8; i++) {
        const timeS = Math.floor(draw() * 800 * 86_400);
        const input = i === 0 ? 272_000 : i === 1 ? 272_001 : tokens(600_000);
        const read = tokens(input);
        const write = tokens(input - read);
        const write1h = hour ? tokens(input - read - write) : 0;
        const output = tokens(8000);
        const usage = {
          input_tokens: input,
          cache_read_tokens: read,
          cache_write_tokens: write + write1h,
          ...(hour ? { cache_write_1h_tokens: write1h } : {}),
          output_tokens: output,
        };
        const options = { providerId: offer.provider, timestamp: new Date((start + timeS) * 1000) };
        const theirs = calcPrice(usage, offer.model, options);
        // It finds models by patterns: some by their own name not at all, and some as a sibling.
        if (theirs === null || theirs.model.id !== offer.model || theirs.provider.id !== offer.provider) continue;
        const ours = book.charge(timeS, input, read, write, write1h, output, 0) - book.requestUsd;
        const usd = theirs.input_price + theirs.output_price;
        expect(ours, `${offer.id} ${JSON.stringify(usage)}`).toBeCloseTo(usd, 9);
        models.add(offer.id);
        compared++;
      }
    }
    expect(models.size).toBeGreaterThan(470);
    expect(compared).toBe(8 * models.size);
  });
});
