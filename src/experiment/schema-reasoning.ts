/** Schema of how much the model thinks before it answers a class. Tokens. */
import { z } from "zod";

/** Longest thinking where nothing is said. */
export const MAX_THINKING_TOKENS = 32_768;

export const ReasoningSchema = z
  .union([
    z
      .string()
      .describe(
        "effort of the catalogue (low, medium, high, xhigh), none, or share: the part of output that the preset says",
      ),
    z.strictObject({
      medianTokens: z.number().gt(0).describe("median of the thinking tokens of an answer"),
      sigma: z.number().min(0).max(4).describe("standard deviation of the natural logarithm"),
      maxTokens: z.int().min(1).default(MAX_THINKING_TOKENS).meta({
        description: "longer thinking is cut to this: the budget that is given to it",
        unit: "tokens",
        kind: "assumed",
        source: "a common limit of output; models and requests have their own",
      }),
    }),
  ])
  .default("none")
  .describe(
    "thinking before the answer, which users do not see: on top of the output, billed, limited and decoded as output, and in the time to the first token; share: part of the output",
  );
