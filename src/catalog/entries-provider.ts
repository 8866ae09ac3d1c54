/** Entries of API providers: what they sell, charge and limit, how fast they answer and how they fail. */
import { z } from "zod";
import { LimitRule, LimitTier } from "./entries-limits.ts";
import { Id, common, count, fraction, nonNegative, positive } from "./entry.ts";
import { originShape, rowOriginShape } from "./origin.ts";
import { outageFields } from "./outage-fields.ts";

const PromptCacheRules = z.strictObject({
  automatic: z.boolean().describe("without the client asking for it"),
  ttlS: positive,
  minTokens: count,
  stepTokens: count,
  ...rowOriginShape,
});

export const ProviderEntry = z.strictObject({
  ...common,
  name: z.string(),
  networkS: nonNegative.describe("client ↔ provider round trip on top of the latency class"),
  congestion: Id.describe("entry of congestions/"),
  outageProfile: Id.describe("entry of outage-profiles/"),
  promptCache: PromptCacheRules.optional().describe(
    "how long and in what steps prompts are cached, for offers with a price for it",
  ),
  boundaries: z
    .record(
      z.string(),
      z.strictObject({
        level: z.int().min(0).max(7),
        residency: z.string(),
        priceMultiplier: positive.default(1),
        option: z.string(),
        preset: Id.optional().describe("entry of boundaries/ that this is a case of"),
        place: z
          .enum(["dedicated_managed", "private_vpc", "onprem"])
          .optional()
          .describe("the offer runs on capacity of the customer's alone that stands there"),
        ...rowOriginShape,
      }),
    )
    .refine((boundaries) => "default" in boundaries, "a boundary named `default` is needed"),
  limitRules: z
    .record(z.string(), LimitRule)
    .default({})
    .describe("what a request is charged at admission, by limit name, before those of limits/"),
});

/** Above 0 is a price; a cache write of 0 has no surcharge and costs as plain input. */
const TokenPrices = {
  inputUsdPerMTok: nonNegative,
  outputUsdPerMTok: nonNegative,
  cacheReadUsdPerMTok: nonNegative.optional(),
  cacheWriteUsdPerMTok: nonNegative.optional().describe("kept for the provider's default time"),
  cacheWrite1hUsdPerMTok: nonNegative.optional().describe("kept for an hour"),
  reasoningUsdPerMTok: nonNegative.optional().describe("output that users do not see, where it has its own price"),
};
const TieredPrices = {
  ...TokenPrices,
  longContext: z
    .array(z.strictObject({ aboveInputTokens: count, ...TokenPrices }))
    .default([])
    .refine(
      (tiers) => tiers.every((tier, i) => i === 0 || tier.aboveInputTokens > tiers[i - 1]!.aboveInputTokens),
      "expected tiers sorted by `aboveInputTokens`",
    )
    .describe("above so many input tokens, cached ones included, the whole request has these prices"),
};

export const WEEK_DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const ClockTime = z
  .string('expected text in quotes, such as "16:30"')
  .regex(/^([01]\d|2[0-3]):[0-5]\d$/, "expected HH:MM, 00:00 to 23:59");

const PriceRowEntry = z.strictObject({
  from: originShape.asOf.nullable().describe("first day on which the row holds (00:00 UTC); null = always"),
  ...TieredPrices,
  timeOfDay: z
    .array(
      z.strictObject({
        fromUtc: ClockTime,
        toUtc: ClockTime.describe("first minute outside; not later than `fromUtc`: on the next day"),
        days: z.array(z.enum(WEEK_DAYS)).min(1).optional().describe("UTC days on which it starts; default: all"),
        ...TieredPrices,
      }),
    )
    .optional()
    .describe("hours at other prices; of windows that overlap the last one holds"),
  usdPerRequest: positive.optional().describe("on top of the tokens"),
  otherUnits: z
    .record(z.string(), nonNegative)
    .optional()
    .describe("prices of what is not simulated (searches, audio, images), in the units of the source"),
  ...rowOriginShape,
});

/** Forms of sale at a fixed multiple of the list price. */
export const PRICED_FORMS = ["batch", "flex", "priority"] as const;

export const OfferEntry = z.strictObject({
  ...common,
  provider: Id,
  model: z.string().describe("name under which the provider sells it"),
  pricedAs: Id.optional().describe("offer of the model's maker, whose list price this is"),
  contextTokens: count.nullable().default(null).describe("null: not known, and nothing is refused for its length"),
  latencyClass: Id,
  prices: z
    .array(PriceRowEntry)
    .min(1)
    .refine(
      (rows) => rows.every((row, i) => i === 0 || (row.from ?? "") > (rows[i - 1]?.from ?? "")),
      "expected rows sorted by `from`",
    ),
  forms: z
    .partialRecord(z.enum(PRICED_FORMS), z.strictObject({ priceMultiplier: positive, ...rowOriginShape }))
    .default({})
    .describe("what a form of sale multiplies every price with"),
  residencyMultiplier: positive
    .optional()
    .describe(
      "in place of the price multiplier of boundaries that have one: 1 where the price covers it or none is taken",
    ),
  promptCache: PromptCacheRules.optional().describe("in place of the provider's"),
  lifecycle: z
    .strictObject({
      retiresOn: originShape.asOf.describe("first day on which it is not served, or the earliest one announced"),
      replacement: Id.optional().describe("offer that the provider names in its place"),
      ...rowOriginShape,
    })
    .optional(),
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
        context.addIssue({
          code: "custom",
          path: ["states", i, "next"],
          message: "expected probabilities that sum to 1",
        });
      for (const next of Object.keys(state.next)) {
        if (!names.includes(next))
          context.addIssue({ code: "custom", path: ["states", i, "next", next], message: "no such state" });
      }
    });
  });

export const OutageProfileEntry = z.strictObject({
  ...common,
  ...outageFields,
  hazard: z.strictObject({ businessHours: nonNegative, otherWeekday: nonNegative, weekend: nonNegative }),
  severities: z
    .array(z.strictObject({ name: z.string(), weight: nonNegative, errorFraction: fraction, latencyFactor: positive }))
    .min(1),
});

/** Successors of equal quality: each costs `factor` of what it replaces. */
export const PricePathEntry = z.strictObject({
  ...common,
  name: z.string(),
  factor: positive,
  everyMonths: positive.describe("months between two successors, the first one counted from the start"),
  lagMonths: nonNegative.describe("months that moving to a successor takes"),
});
