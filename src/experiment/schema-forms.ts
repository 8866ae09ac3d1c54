/** Schema of the commercial form of an offer, and of what a vendor does for a pool. Units are in the field names. */
import { z } from "zod";
import { TERMS } from "../catalog/entries-forms.ts";

const Fraction = z.number().min(0).max(1);
const Positive = z.number().gt(0);
const NotNegative = z.number().min(0);
const Units = z.union([z.int().min(1), z.literal("auto")]);

const Provisioned = z.strictObject({
  kind: z.literal("provisioned"),
  plan: z
    .string()
    .optional()
    .describe(
      "plan of the catalogue, such as azure-ptu or azure-ptu/gpt-5.2; without it the one that sells this model",
    ),
  units: Units.default("auto").describe(
    "units bought; auto: for the expected peak, in the steps in which they are sold",
  ),
  outputUnits: Units.optional().describe("units of output, where they are sold apart (units are those of input then)"),
  deployment: z.string().optional().describe("deployment of the plan, such as global; without it the first"),
  term: z.enum(TERMS).default("1-month").describe("commitment; hourly: none"),
  reservedUnits: z
    .int()
    .min(0)
    .optional()
    .describe(
      "units under the commitment, paid whatever is deployed; the others are billed by the minute; without it all",
    ),
  usdPerUnit: NotNegative.optional().describe(
    "price of a unit as negotiated, for one payment of the term (hourly: an hour)",
  ),
  payment: z
    .enum(["upfront", "monthly"])
    .optional()
    .describe("the whole term at once or month by month; without it as the plan is sold"),
  outputWeight: Positive.optional().describe(
    "input tokens that an output token counts as, where the plan publishes none",
  ),
  cachedFraction: Fraction.default(0).describe(
    "for units: auto, share of prompt tokens expected from the prompt cache",
  ),
  acquisition: z
    .strictObject({
      successProbability: Fraction.gt(0).default(1).describe("probability that an attempt to deploy succeeds"),
      leadTimeH: NotNegative.default(0).describe("hours that an attempt takes; requests spill over or fail until then"),
    })
    .prefault({})
    .describe("a reservation is no capacity: deploying may take time or fail"),
  spillover: z
    .string()
    .optional()
    .describe(
      "offer of this strategy that takes at once what the units refuse, under its own price and limits; without it they answer 429",
    ),
});

const Batch = z.strictObject({
  kind: z.literal("batch"),
  priceMultiplier: NotNegative.optional().describe("of the token prices; without it the catalogue's"),
  windowH: Positive.optional().describe("jobs that are not done by then expire"),
  completionMedianH: Positive.optional().describe("median time from hand-in to the end"),
  completionSigma: NotNegative.optional().describe("sigma of its logarithm"),
  expiredBills: z
    .enum(["completed", "nothing"])
    .optional()
    .describe("of an expired job: the part that was done, or nothing"),
  queueLimit: z
    .union([Positive, z.literal("none")])
    .optional()
    .describe("input tokens or requests that may wait or run at once; without it those of the tier"),
});

const Flex = z.strictObject({
  kind: z.literal("flex"),
  priceMultiplier: NotNegative.optional().describe("of the token prices; without it the catalogue's"),
  ttftFactor: Positive.optional().describe("of the typical time to the first token"),
  ttftSigma: NotNegative.optional().describe("sigma of its body"),
  rateFactor: Positive.optional().describe("of the output rate"),
  unavailablePeakProbability: Fraction.optional().describe("429 for lack of capacity in the peak hours"),
  unavailableOtherProbability: Fraction.optional().describe("and outside them"),
});

const Priority = z.strictObject({
  kind: z.literal("priority"),
  priceMultiplier: NotNegative.optional().describe("of the token prices; without it the catalogue's"),
  limitFactor: Positive.optional().describe("of the limits of the tier"),
  minTokensPerS: Positive.optional().describe("slowest output rate that it lets through"),
});

const Committed = z.strictObject({
  kind: z.literal("committed"),
  usdPerMonth: Positive.describe("spend committed to, a month of 730 hours; what falls short of it is paid too"),
  discounts: z
    .array(
      z.strictObject({
        fromUsdPerMonth: NotNegative.describe("commitment from which the discount holds"),
        discountFraction: Fraction.describe("off the token prices"),
      }),
    )
    .default([])
    .describe("discount by the size of the commitment; the largest step that it reaches holds"),
  prepaidMonths: z.int().min(0).max(60).default(0).describe("months paid in advance at once; 0: billed as used"),
});

const FormOptions = z.discriminatedUnion("kind", [Provisioned, Batch, Flex, Priority, Committed]);

export const FormSchema = z
  .union([
    z.string().describe("pay-as-you-go, provisioned, batch, flex or priority, as the catalogue has it"),
    FormOptions,
  ])
  .optional()
  .describe("how the offer is bought; without it pay-as-you-go");

export type FormFile = z.output<typeof FormOptions>;
export type FormOf<K extends FormFile["kind"]> = Extract<FormFile, { kind: K }>;

/** Forms that need nothing said about them. */
export const PLAIN_FORMS = ["pay-as-you-go", "provisioned", "batch", "flex", "priority"] as const;

/** A form of which everything is left to the catalogue. */
export function plainForm(kind: Exclude<(typeof PLAIN_FORMS)[number], "pay-as-you-go">): FormFile {
  return FormOptions.parse({ kind });
}

/** Fields of a pool that a vendor runs. */
export const managedFields = {
  managed: z
    .string()
    .optional()
    .describe(
      "managed preset of the catalogue: a vendor's people run the pool, at its place and for its markup; without it ours do",
    ),
  scaleToZero: z
    .strictObject({
      idleMinutes: Positive.describe("idle time after which the pool gives all its GPUs back"),
    })
    .optional()
    .describe("no GPUs are paid while nobody asks; the first requests after that wait for a cold start"),
};
