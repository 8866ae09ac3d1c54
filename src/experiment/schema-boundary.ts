/** Schema of the redaction step of a strategy. Units are in the field names. */
import { z } from "zod";

const NotNegative = z.number().min(0);

export const RedactionSchema = z
  .union([
    z.string().describe("redaction step of the catalogue"),
    z.strictObject({
      preset: z
        .string()
        .default("ner-model")
        .describe("redaction step of the catalogue; the fields below replace its values"),
      latencyMs: NotNegative.optional().describe("added before the first attempt, milliseconds"),
      usdPerRequest: NotNegative.optional().describe("price of one prompt"),
      usdPerMTok: NotNegative.optional().describe("price of a million prompt tokens"),
      failFraction: z
        .number()
        .min(0)
        .max(1)
        .optional()
        .describe("share of prompts that cannot be cleaned and stays inside"),
    }),
  ])
  .optional()
  .describe(
    "what redactable content passes on its way to targets below the level that it needs as it is; without it such content counts as cleaned before it comes, for nothing",
  );
