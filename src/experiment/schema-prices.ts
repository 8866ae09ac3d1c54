/** Schemas of how the prices of an offer go on after today: a path of price cuts, and the end of its model. */
import { z } from "zod";

const IsoDay = z.string("expected a date in quotes").regex(/^\d{4}-\d{2}-\d{2}$/, "expected YYYY-MM-DD");

export const PricePathSchema = z
  .union([
    z.string().describe("price path of the catalogue"),
    z.strictObject({
      factor: z.number().gt(0).describe("price of a successor of equal quality as a share of today's"),
      everyMonths: z.number().gt(0).describe("months between two successors, the first one counted from the start"),
      lagMonths: z.number().min(0).default(0).describe("months that moving to a successor takes"),
    }),
  ])
  .optional()
  .describe(
    "successors of equal quality come at a lower price, and requests move to them; default: prices stay as they are",
  );

export const RetireSchema = z
  .union([
    z.literal("announced"),
    z.strictObject({
      on: IsoDay.optional().describe("first day on which the model is not served; default: the announced one"),
      replacement: z
        .string()
        .optional()
        .describe("offer of the same provider that takes its requests; default: the announced one"),
      lagDays: z
        .number()
        .min(0)
        .default(0)
        .describe("days after that until requests are sent to the replacement; until then they fail"),
      tokenizerFactor: z.number().gt(0).default(1).describe("tokens of the replacement for one token of the model"),
    }),
  ])
  .optional()
  .describe("the model is retired and its replacement serves on, at its own price and speed; announced: as announced");
