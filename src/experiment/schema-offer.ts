/** Schema of an API offer of a strategy, with what the user's own account replaces. Units are in the field names. */
import { z } from "zod";
import { outageFields } from "../catalog/outage-fields.ts";
import { LimitsSchema } from "./schema-limits.ts";
import { PricePathSchema, RetireSchema } from "./schema-prices.ts";
import { FormSchema } from "./schema-forms.ts";
import { PromptCacheSchema } from "./schema-reuse.ts";

const Fraction = z.number().min(0).max(1);
const Positive = z.number().gt(0);
const NotNegative = z.number().min(0);

const OfferOverrideSchema = z.strictObject({
  offer: z.string().describe("offer of the catalogue: provider/model@form"),
  boundary: z
    .string()
    .default("default")
    .describe(
      "boundary of the provider's entry, or of the catalogue's boundaries: where and how your contract has it process",
    ),
  residency: z.string().min(1).optional().describe("region in which it processes; without it the boundary's"),
  form: FormSchema,
  priceMultiplier: NotNegative.optional().describe("multiplies the catalogue's prices, for example a discount"),
  pricePath: PricePathSchema,
  retire: RetireSchema,
  region: z.string().min(1).optional().describe("where it is served from, for the network path of its users"),
  networkMs: NotNegative.optional().describe("round trip between client and provider, milliseconds"),
  limits: LimitsSchema.optional().describe("limits by name as your account shows them, or none"),
  latency: z
    .strictObject({
      class: z.string().optional().describe("latency class of the catalogue; without it the offer's"),
      ttftBaseS: NotNegative.optional().describe("typical time to the first token without prefill, seconds"),
      ttftSigma: NotNegative.optional().describe("sigma of its body"),
      tailProbability: Fraction.optional().describe("share of requests in the slow tail"),
      tailMultiple: NotNegative.optional().describe("median of the tail as a multiple of the base"),
      tailSigma: NotNegative.optional().describe("sigma of the tail"),
      prefillSPerKTok: NotNegative.optional().describe("seconds per 1,000 prompt tokens"),
      tokensPerS: Positive.optional().describe("typical output tokens per second of one request"),
      rateSigma: NotNegative.optional().describe("sigma of the output rate"),
      minTokensPerS: Positive.optional().describe(
        "output tokens per second that your contract promises; without it none",
      ),
    })
    .optional()
    .describe("latency as you measured it; fields left out are the catalogue's"),
  promptCache: PromptCacheSchema,
  diurnal: z.literal("none").optional().describe("none: no slower hours"),
  congestion: z.literal("none").optional().describe("none: no congestion states"),
  outages: z
    .union([
      z.literal("none"),
      z.strictObject({
        profile: z.string().optional().describe("outage profile of the catalogue; without it the provider's"),
        targetAvailability: z
          .number()
          .gt(0.5)
          .lt(1)
          .optional()
          .describe(
            "share of requests over time that outages let through: the gaps are scaled to it; without it as the profile has it",
          ),
        commonCauseFraction: Fraction.optional().describe(
          "share of the outages whose cause strikes every provider that has such a share; without it none, 0.02 to 0.05 is plausible",
        ),
        gapWeibullShape: outageFields.gapWeibullShape.optional().describe("shape of the gap between outage starts"),
        gapWeibullScaleH: outageFields.gapWeibullScaleH.optional().describe("scale of that gap, hours"),
        durationLnHMean: outageFields.durationLnHMean
          .optional()
          .describe("mean of the logarithm of the duration in hours"),
        durationLnHSigma: outageFields.durationLnHSigma.optional().describe("its standard deviation"),
        durationMaxH: outageFields.durationMaxH.optional().describe("longest outage, hours"),
      }),
    ])
    .optional()
    .describe("outages of the provider, or none; fields left out are the catalogue's"),
});

export const OfferSchema = z.union([
  z.string().describe("offer of the catalogue: provider/model@form"),
  OfferOverrideSchema,
]);
