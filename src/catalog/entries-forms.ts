/** Entries of commercial forms: what batch, flex and priority mean at a provider, provisioned units, and vendors that run pools. */
import { z } from "zod";
import { Id, common, count, fraction, nonNegative, positive } from "./entry.ts";
import { rowOriginShape } from "./origin.ts";

const ofProvider = {
  ...common,
  provider: Id.describe("entry of providers/ that sells it; what it multiplies prices with stands at its offers"),
  exportedAs: z
    .array(z.string())
    .optional()
    .describe("tiers and speeds of the provider's usage exports that are this form; without it the form's own name"),
};

const Hour = z.int().min(0).max(24);

/** How a provider sells its models beside pay-as-you-go. */
export const FormEntry = z.discriminatedUnion("form", [
  z.strictObject({
    ...ofProvider,
    form: z.literal("batch"),
    windowH: positive.describe("jobs that are not done by then expire"),
    completionMedianH: positive,
    completionSigma: nonNegative,
    expiredBills: z.enum(["completed", "nothing"]).describe("of an expired job: the part that was done, or nothing"),
    queue: z
      .strictObject({
        counts: z.enum(["input", "requests"]).describe("what jobs that wait or run take of it"),
        byTier: z.record(z.string(), positive).describe("limit by tier of the offer"),
        ...rowOriginShape,
      })
      .nullable(),
  }),
  z.strictObject({
    ...ofProvider,
    form: z.literal("flex"),
    ttftFactor: positive,
    ttftSigma: nonNegative.describe("in the place of the latency class's"),
    rateFactor: positive.describe("of the output rate"),
    peakFromHour: Hour.describe("Mon–Fri UTC, [peakFromHour, peakToHour)"),
    peakToHour: Hour,
    unavailablePeakProbability: fraction.describe("429 for lack of capacity in the peak hours"),
    unavailableOtherProbability: fraction.describe("and outside them"),
  }),
  z.strictObject({
    ...ofProvider,
    form: z.literal("priority"),
    limitFactor: positive.describe("of the limits of the tier"),
    minTokensPerS: positive.nullable().describe("output rate that the vendor aims at; null = not published"),
    ramp: z
      .strictObject({ inputTokensPerMin: positive, growth: positive, lookBackS: count })
      .optional()
      .describe("above so many, growing faster than this since then is served and priced as standard"),
  }),
]);

const Steps = z.strictObject({ minUnits: count, increment: count });

const Term = z.strictObject({
  usdPerUnit: nonNegative.describe("for one unit and one payment; without a term for one unit and one hour"),
  termH: nonNegative.describe("hours of the commitment; 0 = by the minute, without any"),
  paidEveryH: nonNegative.describe("hours that one payment covers"),
  ...rowOriginShape,
});

/** Names of terms, shortest commitment first. */
export const TERMS = ["hourly", "1-week", "1-month", "3-months", "1-year"] as const;

/** One kind of provisioned unit: what it costs, how it is limited, and what it is good for by model. */
export const ProvisionedEntry = z.strictObject({
  ...common,
  name: z.string(),
  unit: z.string().describe("what the vendor calls one"),
  limit: z
    .discriminatedUnion("limitKind", [
      z.strictObject({ limitKind: z.literal("leaky_utilization"), depthS: positive }),
      z.strictObject({ limitKind: z.literal("fixed_window"), windowS: positive }),
    ])
    .describe("how use is held to the units"),
  reserves: z
    .enum(["maxOutput", "output"])
    .describe("output that a request is charged on arrival, before it settles to the real one"),
  deployments: z
    .record(
      z.string(),
      z.strictObject({
        priceFactor: positive.default(1).describe("of the prices of the terms"),
        terms: z.partialRecord(z.enum(TERMS), Term),
        ...rowOriginShape,
      }),
    )
    .refine((deployments) => Object.keys(deployments).length > 0, "at least one deployment is needed"),
  latency: z
    .strictObject({
      ttftFactor: positive.describe("of the latency class's base"),
      ttftSigma: nonNegative,
      tailProbability: fraction,
      tailMultiple: positive,
      tailSigma: nonNegative,
      rateSigma: nonNegative,
      ...rowOriginShape,
    })
    .describe("shape of the latency on reserved capacity, in the place of the class's"),
  models: z
    .array(
      z.strictObject({
        model: z.string(),
        inputTokensPerMinPerUnit: positive,
        outputTokensPerMinPerUnit: positive.nullable().default(null).describe("where output units are sold apart"),
        outputWeight: positive.nullable().describe("input tokens that an output token counts as; null = not published"),
        cachedWeight: fraction.describe("input tokens that one read from the prompt cache counts as"),
        minTokensPerS: positive.nullable().default(null).describe("output rate that the vendor aims at"),
        steps: z.record(z.string(), Steps).describe("fewest units and further steps, by deployment"),
        offer: Id.optional().describe("pay-as-you-go offer of the same model, to compare with"),
        note: z.string().optional(),
        ...rowOriginShape,
      }),
    )
    .min(1),
});

/** A vendor's team that runs our engine: where, and for how much on top of the GPUs. */
export const ManagedEntry = z.strictObject({
  ...common,
  name: z.string(),
  place: z.enum(["private_vpc", "onprem", "dedicated_managed"]),
  boundaryLevel: z.int().min(0).max(7),
  residency: z.string().optional().describe("without it the place's"),
  gpuRateFactor: z.number().min(1).describe("what the vendor charges as a multiple of the rate of the GPU"),
  rates: z
    .array(z.strictObject({ gpu: Id, usdPerGpuHour: positive, ...rowOriginShape }))
    .default([])
    .describe("GPUs with a rate of the vendor's own, all in"),
  scaleToZero: z.boolean().describe("it can give the GPUs back while nobody asks"),
  billStartup: z.boolean().describe("the time of starting is paid"),
});
