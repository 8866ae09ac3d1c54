/** Entries of API providers: what they sell, charge and limit, how fast they answer and how they fail. */
import { z } from "zod";
import { LimitRule, LimitTier } from "./entries-limits.ts";
import { Id, common, count, fraction, nonNegative, positive } from "./entry.ts";
import { originShape, rowOriginShape } from "./origin.ts";

export const ProviderEntry = z.strictObject({
  ...common,
  name: z.string(),
  networkS: nonNegative.describe("client ↔ provider round trip on top of the latency class"),
  congestion: Id.describe("entry of congestions/"),
  outageProfile: Id.describe("entry of outage-profiles/"),
  promptCache: z
    .strictObject({
      automatic: z.boolean().describe("without the client asking for it"),
      ttlS: positive,
      minTokens: count,
      stepTokens: count,
      ...rowOriginShape,
    })
    .optional()
    .describe("how long and in what steps prompts are cached, for offers with a price for it"),
  boundaries: z
    .record(
      z.string(),
      z.strictObject({
        level: z.int().min(0).max(7),
        residency: z.string(),
        priceMultiplier: positive.default(1),
        option: z.string(),
        ...rowOriginShape,
      }),
    )
    .refine((boundaries) => "default" in boundaries, "a boundary named `default` is needed"),
  limitRules: z.record(z.string(), LimitRule).describe("what a request is charged at admission, by limit name"),
});

const TokenPrices = { inputUsdPerMTok: nonNegative, outputUsdPerMTok: nonNegative };
const CachePrices = {
  cacheReadUsdPerMTok: nonNegative.optional(),
  cacheWriteUsdPerMTok: nonNegative.optional(),
  cacheWrite1hUsdPerMTok: nonNegative.optional(),
};

export const OfferEntry = z.strictObject({
  ...common,
  provider: Id,
  model: z.string().describe("name under which the provider sells it"),
  contextTokens: count,
  latencyClass: Id,
  prices: z
    .array(
      z.strictObject({
        from: originShape.asOf.nullable().describe("first day on which the row holds (00:00 UTC); null = always"),
        ...TokenPrices,
        ...CachePrices,
        longContext: z.array(z.strictObject({ aboveInputTokens: count, ...TokenPrices, ...CachePrices })).default([]),
        ...rowOriginShape,
      }),
    )
    .min(1)
    .refine(
      (rows) => rows.every((row, i) => i === 0 || (row.from ?? "") > (rows[i - 1]?.from ?? "")),
      "rows must be sorted by `from`",
    ),
  tiers: z.record(z.string(), LimitTier).default({ default: { limits: {} } }),
});

export const LatencyClassEntry = z.strictObject({
  ...common,
  examples: z.string(),
  ttftBaseS: positive,
  ttftSigma: nonNegative,
  tailProbability: fraction,
  tailMultiple: positive,
  tailSigma: nonNegative,
  prefillSPerKTok: nonNegative,
  tokensPerS: positive,
  rateSigma: nonNegative,
});

export const CongestionEntry = z
  .strictObject({
    ...common,
    diurnal: z
      .strictObject({
        fromHour: z.int().min(0).max(23),
        toHour: z.int().min(1).max(24),
        ttftFactor: positive,
        rateFactor: positive,
      })
      .nullable()
      .describe("Mon–Fri UTC, [fromHour, toHour)"),
    states: z.array(
      z.strictObject({
        name: z.string(),
        ttftFactor: positive,
        rateFactor: positive,
        overloadProbability: fraction,
        meanDwellH: positive,
        next: z.record(z.string(), fraction),
      }),
    ),
  })
  .superRefine((entry, context) => {
    const names = entry.states.map((state) => state.name);
    entry.states.forEach((state, i) => {
      const total = Object.values(state.next).reduce((sum, p) => sum + p, 0);
      if (Math.abs(total - 1) > 1e-9)
        context.addIssue({ code: "custom", path: ["states", i, "next"], message: "probabilities must sum to 1" });
      for (const next of Object.keys(state.next)) {
        if (!names.includes(next))
          context.addIssue({ code: "custom", path: ["states", i, "next", next], message: "no such state" });
      }
    });
  });

export const OutageProfileEntry = z.strictObject({
  ...common,
  gapWeibullShape: positive,
  gapWeibullScaleH: positive,
  durationLnHMean: z.number(),
  durationLnHSigma: nonNegative,
  durationMaxH: positive,
  hazard: z.strictObject({ businessHours: nonNegative, otherWeekday: nonNegative, weekend: nonNegative }),
  severities: z
    .array(z.strictObject({ name: z.string(), weight: nonNegative, errorFraction: fraction, latencyFactor: positive }))
    .min(1),
});
