/** How the prices of an offer go on in an experiment: paths of cuts, the end of a model, their ages, and what they do to a bill. */
import { describe, expect, test } from "vitest";
import type { Catalog } from "../../src/catalog/schema.ts";
import { resolveExperiment } from "../../src/experiment/resolve.ts";
import { DAY_S, epochSOfIso, MONTH_S } from "../../src/kernel/calendar-time.ts";
import { ADMITTED, Offer, RETIRED } from "../../src/provider/offer.ts";
import { PriceBook } from "../../src/provider/price.ts";
import type { ResolvedExperiment, ResolvedOffer } from "../../src/scenario/resolved.ts";
import { catalog, problemsOf, resolveRaw, smallExperiment, withValue, type Raw } from "../fixtures/experiment.ts";
import { CONTEXT } from "../fixtures/provider-offer.ts";

const OFFER = ["strategies", "api", "offers", "gpt"];
const START = "2026-11-02T00:00:00Z";
const START_S = epochSOfIso(START)!;

function experimentWith(offer: Record<string, unknown>, days = 1): ResolvedExperiment {
  return resolveRaw(rawWith(offer, days)).experiment;
}

function rawWith(offer: Record<string, unknown>, days = 1): Raw {
  const raw = withValue(smallExperiment(), ["days"], days);
  return withValue(raw, OFFER, { offer: "openai/gpt-5-mini@tier-5", ...offer });
}

const offerWith = (offer: Record<string, unknown>, days = 1): ResolvedOffer =>
  experimentWith(offer, days).strategies[0]!.offers[0]!;

/** USD per million input and output tokens so many days after the start. */
function pricesAt(offer: ResolvedOffer, days: number, inputTokens = 1): number[] {
  const book = new PriceBook(offer, START_S);
  book.priceOf(days * DAY_S, inputTokens, 1);
  return [(book.inputUsd * 1e6) / inputTokens, book.outputUsd * 1e6].map((usd) => Number(usd.toFixed(9)));
}

/** Requests of 1,000 + 100 tokens, one on each of these days: how they end, what they cost, and their first token. */
function ask(offer: ResolvedOffer, days: readonly number[]) {
  const quiet = { ...offer, limits: [], outages: null, congestion: null, diurnal: null };
  const served = new Offer(quiet, { ...CONTEXT, startEpochS: START_S, horizonS: 2000 * DAY_S });
  return days.map((day, request) => {
    const timeS = day * DAY_S;
    const status = served.attempt(timeS, request, 0, 1000, 100, 100);
    const ttftS = served.firstTokenS - timeS;
    served.bill(timeS, 1000, 0, status === ADMITTED ? 100 : 0);
    return { status, ttftS, usd: served.billed.inputUsd + served.billed.outputUsd };
  });
}

function billOf(offer: ResolvedOffer, days: readonly number[]): number {
  return ask(offer, days).reduce((sum, { usd }) => sum + usd, 0);
}

describe("a price path", () => {
  const LONG = 3 * 365;
  const month = MONTH_S / DAY_S;

  test("cuts at the moves to successors, one after the other", () => {
    const offer = offerWith({ pricePath: { factor: 0.5, everyMonths: 12, lagMonths: 3 } }, LONG);
    expect(pricesAt(offer, 0)).toEqual([0.25, 2]);
    expect(pricesAt(offer, 15 * month - 0.01)).toEqual([0.25, 2]);
    expect(pricesAt(offer, 15 * month)).toEqual([0.125, 1]);
    expect(pricesAt(offer, 27 * month)).toEqual([0.0625, 0.5]);
    expect(offer.prices).toHaveLength(3);
  });

  test("keeps what the catalogue has scheduled, and cuts it too", () => {
    const gemini = (pricePath?: unknown): ResolvedOffer =>
      offerWith(
        { offer: "google/gemini-3.6-flash@vertex-tier-1", ...(pricePath === undefined ? {} : { pricePath }) },
        LONG,
      );
    const rise = (epochSOfIso("2027-01-01T00:00Z")! - START_S) / DAY_S;
    expect([rise - 1, rise, LONG - 1].map((day) => pricesAt(gemini(), day)[0])).toEqual([0.75, 1.5, 1.5]);
    const cut = gemini({ factor: 0.5, everyMonths: 1, lagMonths: 0 });
    expect([0, month, rise, 2 * month].map((day) => pricesAt(cut, day)[0])).toEqual([0.75, 0.375, 0.75, 0.375]);
  });

  test("by the name of a preset, which moves the bill", () => {
    const days = [1, 400, 500, 900];
    const bill = (pricePath?: string): number =>
      billOf(offerWith(pricePath === undefined ? {} : { pricePath }, LONG), days);
    const each = bill() / 4;
    expect(each).toBeCloseTo((0.25 * 1000 + 2 * 100) / 1e6, 12);
    expect(bill("unchanged")).toBe(bill());
    // Moves 456 and 820.8 days after the start.
    expect(bill("successor-half")).toBeCloseTo(each * (1 + 1 + 0.5 + 0.25), 12);
    expect(bill("successor-third")).toBeCloseTo(each * (1 + 1 + 0.3 + 0.09), 12);
  });

  test("of an unknown name is refused with the nearest one", () => {
    expect(problemsOf(rawWith({ pricePath: "succesor-half" }))).toContainEqual(
      expect.objectContaining({ path: [...OFFER, "pricePath"], hint: 'did you mean "successor-half"?' }),
    );
  });
});

describe("the end of a model", () => {
  const retire = { on: "2026-11-12", replacement: "openai/gpt-5.2@tier-5", lagDays: 2, tokenizerFactor: 1.25 };

  test("its replacement serves on at its own price, in tokens of the first model", () => {
    const offer = offerWith({ retire }, 30);
    expect(pricesAt(offer, 11.9)).toEqual([0.25, 2]);
    expect(pricesAt(offer, 12)).toEqual([1.75 * 1.25, 14 * 1.25]);
    expect(offer.successor).toMatchObject({
      model: "gpt-5.2",
      stopEpochS: START_S + 10 * DAY_S,
      moveEpochS: START_S + 12 * DAY_S,
      contextTokens: 320_000,
    });
    const { latency, successor } = offer;
    expect(successor!.latency.tokensPerS).toBeCloseTo(55 / 1.25, 9);
    expect(successor!.latency.ttftBaseS).toBeGreaterThan(latency.ttftBaseS);
  });

  test("requests between the two days fail, later ones are slower and dearer", () => {
    const [before, between, after] = ask(offerWith({ retire }, 30), [9.9, 11, 12.1]);
    expect([before, between, after].map((request) => request!.status)).toEqual([ADMITTED, RETIRED, ADMITTED]);
    expect(before!.usd).toBeCloseTo((0.25 * 1000 + 2 * 100) / 1e6, 12);
    expect(after!.usd).toBeCloseTo(((1.75 * 1000 + 14 * 100) * 1.25) / 1e6, 12);
    expect(after!.ttftS).toBeGreaterThan(1.5 * before!.ttftS);
  });

  test("announced: day and replacement are the catalogue's, and it is noted where they come from", () => {
    const { experiment } = resolveRaw(rawWith({ retire: "announced" }, 60));
    const { lifecycle } = catalog.offers.get("openai/gpt-5-mini")!;
    expect(lifecycle).toMatchObject({ retiresOn: "2026-12-11", replacement: "openai/gpt-5.4-mini" });
    const [offer] = experiment.strategies[0]!.offers;
    expect(offer!.successor).toMatchObject({ model: "gpt-5.4-mini", moveEpochS: epochSOfIso("2026-12-11T00:00Z") });
    expect(pricesAt(offer!, 59)).toEqual([0.75, 4.5]);
    expect(experiment.assumptions.map(({ id }) => id)).toContain("offers/openai/gpt-5-mini/lifecycle/retiresOn");
  });

  test("within the experiment is warned of, and only there", () => {
    const warnings = (days: number): string =>
      resolveRaw(withValue(smallExperiment(), ["days"], days)).experiment.warnings.join("\n");
    expect(warnings(60)).toContain("openai/gpt-5-mini retires on 2026-12-11, before this experiment ends");
    expect(warnings(30)).not.toContain("retires on");
  });

  test("what is missing or sold elsewhere is refused", () => {
    const problem = (offer: Record<string, unknown>): string => problemsOf(rawWith(offer))[0]!.message;
    expect(problem({ offer: "together/llama-3.3-70b@dynamic", retire: "announced" })).toMatch(
      /on and replacement must/,
    );
    expect(problem({ retire: { replacement: "groq/llama-3.3-70b" } })).toMatch(/another provider/);
    expect(problem({ retire: { replacement: "openai/gpt-5.4-min" } })).toMatch(/unknown offer/);
  });
});

test.each([
  ["openai/gpt-5-mini@tier-5", "regional", 1], // before 2026-03-05
  ["openai/gpt-5.4-mini@tier-5", "regional", 1.1],
  ["anthropic/claude-haiku-4-5@scale", "regional", 1],
  ["aws/regional.openai.gpt-5.6-sol", "geo", 1], // its price covers it
  ["aws/llama-3.3-70b@default", "geo", 1.1],
  ["openai/gpt-5.4-mini@tier-5", "zdr", 1],
])("the surcharge of %s at boundary %s is %d", (offer, boundary, multiplier) => {
  expect(offerWith({ offer, boundary }).priceMultiplier).toBe(multiplier);
  expect(offerWith({ offer, boundary, priceMultiplier: 0.5 }).priceMultiplier).toBe(multiplier * 0.5);
});

const startingOn = (day: string): ReturnType<typeof resolveRaw>["experiment"] =>
  resolveRaw(withValue(smallExperiment(), ["start"], `${day}T00:00:00Z`)).experiment;

/** The shipped catalogue with a price of gpt-5-mini that holds from a day on. */
function catalogWith(from: string | null): Catalog {
  const offer = catalog.offers.get("openai/gpt-5-mini")!;
  const prices = offer.prices.map((row) => ({ ...row, from }));
  return { ...catalog, offers: new Map([...catalog.offers, [offer.id, { ...offer, prices }]]) };
}

describe("old prices", () => {
  const warningsAt = (asOf: string): string =>
    resolveRaw(withValue(smallExperiment(), ["asOf"], asOf)).experiment.warnings.join("\n");

  test("are warned of when they are more than 90 days older than the experiment", () => {
    expect(warningsAt("2026-12-22")).not.toContain("price of openai/gpt-5-mini");
    expect(warningsAt("2026-12-23")).toContain("price of openai/gpt-5-mini is 91 days old (2026-09-23)");
  });

  test("so are those that will be when the run starts, once", () => {
    const { warnings } = startingOn("2027-01-01");
    const told = warnings.filter((warning) => warning.startsWith("price of openai/gpt-5-mini"));
    expect(told).toEqual(["price of openai/gpt-5-mini is 100 days old at the start of the run (2026-09-23)"]);
    expect(startingOn("2026-12-01").warnings.join("\n")).not.toContain("at the start");
  });
});

describe("prices of a later date than the simulated start", () => {
  const later = ({ warnings }: { readonly warnings: readonly string[] }): string[] =>
    warnings.filter((warning) => warning.startsWith("the run starts on"));

  test("are warned of in one line that names them", () => {
    const [told, ...more] = later(startingOn("2024-01-01"));
    expect(more).toEqual([]);
    expect(told).toMatch(/^the run starts on 2024-01-01 and pays prices of a later date: /);
    expect(told).toContain("price of openai/gpt-5-mini of 2026-09-23");
    expect(told).toContain("GPU price ");
    expect(later(startingOn("2026-09-22"))).toEqual([
      "the run starts on 2026-09-22 and pays prices of a later date: price of openai/gpt-5-mini of 2026-09-23",
    ]);
    // That day's own price, and a price of which only the year is known.
    expect(later(startingOn("2026-09-23"))).toEqual([]);
  });

  test("are not when they are known to hold from an earlier day on, nor when the experiment's own date is earlier still", () => {
    const sold = (from: string | null): readonly string[] => {
      const changed = catalogWith(from);
      return later(
        resolveExperiment(withValue(smallExperiment(), ["start"], "2026-02-02T00:00:00Z"), changed).experiment,
      );
    };
    expect(sold(null).join()).toContain("openai/gpt-5-mini");
    expect(sold("2026-01-01").join()).not.toContain("openai/gpt-5-mini");
    const both = withValue(withValue(smallExperiment(), ["start"], "2024-01-01T00:00:00Z"), ["asOf"], "2024-01-01");
    const { warnings } = resolveRaw(both).experiment;
    expect(later({ warnings })).toEqual([]);
    expect(warnings.join("\n")).toContain("asOf 2024-01-01 lies before the date of");
  });
});
