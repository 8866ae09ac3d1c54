/** Latency classes and outage targets of an offer: what they change, what they leave, and what makes no sense. */
import { describe, expect, test } from "vitest";
import type { ConfigError } from "../../src/kernel/errors.ts";
import { gapScaleForAvailabilityH, impliedAvailability } from "../../src/provider/outage-law.ts";
import type { ResolvedOffer } from "../../src/scenario/resolved.ts";
import { resolveRaw, smallExperiment, withValue } from "../fixtures/experiment.ts";

const OFFER = ["strategies", "both", "offers", "gpt"];

function offerWith(fields: Record<string, unknown>): ResolvedOffer {
  let raw = smallExperiment();
  for (const [field, value] of Object.entries(fields)) raw = withValue(raw, [...OFFER, field], value);
  const { strategies } = resolveRaw(raw).experiment;
  return strategies.find(({ name }) => name === "both")!.offers[0]!;
}

function problemsWith(field: string, value: unknown): ConfigError["problems"] {
  try {
    offerWith({ [field]: value });
  } catch (error) {
    return (error as ConfigError).problems;
  }
  return [];
}

describe("latency", () => {
  test("another class of the catalogue, with values of the file above it", () => {
    const { latency } = offerWith({ latency: { class: "cold-start-serverless", ttftBaseS: 3 } });
    expect(latency).toMatchObject({ ttftBaseS: 3, tailMultiple: 12, ttftSigma: 0.4 });
  });

  test("an unknown class comes with the nearest one", () => {
    expect(problemsWith("latency", { class: "custom-silicone" })[0]).toMatchObject({
      path: [...OFFER, "latency", "class"],
      hint: expect.stringContaining("custom-silicon"),
    });
  });
});

describe("outages", () => {
  test("a target scales the gaps, and nothing else", () => {
    const plain = offerWith({}).outages!;
    const { gapWeibullScaleH, ...rest } = offerWith({ outages: { targetAvailability: 0.999 } }).outages!;
    expect(gapWeibullScaleH).toBe(gapScaleForAvailabilityH(plain, 0.999));
    expect(gapWeibullScaleH).toBeGreaterThan(plain.gapWeibullScaleH);
    expect({ ...rest, gapWeibullScaleH: plain.gapWeibullScaleH }).toEqual(plain);
    expect(impliedAvailability({ ...plain, gapWeibullScaleH })).toBeCloseTo(0.999, 12);
  });

  test("a target and a scale of one's own contradict each other", () => {
    expect(problemsWith("outages", { targetAvailability: 0.999, gapWeibullScaleH: 50 })[0]!.path).toEqual([
      ...OFFER,
      "outages",
      "gapWeibullScaleH",
    ]);
  });

  test.each([
    ["gapWeibullShape", 1e-300, "expected at least 0.2, got 1e-300"],
    ["gapWeibullScaleH", 1e-9, "expected at least 0.01, got 1e-9"],
    ["durationLnHMean", 1e308, "expected at most 10, got 1e+308"],
    ["durationLnHSigma", 1e9, "expected at most 4, got 1000000000"],
    ["durationMaxH", 1e-300, "expected at least 0.001, got 1e-300"],
  ])("%s of %d, with which a run would not end, is refused", (field, value, message) => {
    const [problem] = problemsWith("outages", { [field]: value });
    expect(problem).toMatchObject({ path: [...OFFER, "outages", field], message });
  });

  test("another profile of the catalogue", () => {
    expect(offerWith({ outages: { profile: "anthropic-2023-2024" } }).outages!.severities).toHaveLength(2);
    expect(problemsWith("outages", { profile: "anthropic" })[0]!.path).toEqual([...OFFER, "outages", "profile"]);
  });
});
