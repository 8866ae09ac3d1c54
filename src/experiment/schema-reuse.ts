/** Schemas of what prompts have in common: `traffic.sessions`, the prompt cache of an offer, repeated prompts and the response cache. Seconds and tokens. */
import { z } from "zod";
import { CompactionSchema, subAgentFields, ThinkSchema, TurnsSchema } from "../catalog/session-law.ts";

const NotNegative = z.number().min(0);

/** `length` is the schema of a length in tokens. */
export function sessionsSchema<Length extends z.ZodType>(length: Length) {
  const fields = z.strictObject({
    turns: TurnsSchema.describe(
      "requests of one session; requestsPerS counts them all, so that sessions start at requestsPerS / mean turns",
    ),
    thinkTimeS: ThinkSchema.describe(
      "pause from the end of an answer (or of a failure) to the next turn: reading, typing, running a tool",
    ),
    newInput: length
      .optional()
      .describe("what each turn after the first adds to the context; input is the first prompt; without it as input"),
    carryContext: z
      .boolean()
      .default(true)
      .describe("prompts hold all earlier turns, answers included; false: the new part alone"),
    maxContextTokens: z
      .int()
      .min(1)
      .describe(
        "longer prompts lose their beginning down to this length, and with it what a prefix cache holds of them",
      ),
    compaction: CompactionSchema.optional().describe(
      "now and then the context is rewritten into a shorter one: a summary, a reset; without it never",
    ),
    subAgents: z
      .strictObject({
        ...subAgentFields,
        input: length.describe("first prompt of each; its later calls add newInput to it"),
      })
      .optional()
      .describe("agents that a turn starts beside each other; the next turn waits for all of them; without it none"),
  });
  return z.union([z.literal("none").describe("every request alone, although the preset has sessions"), fields]);
}

export const PromptCacheSchema = z
  .union([
    z.enum(["on", "none"]),
    z.strictObject({
      ttlS: z.number().gt(0).optional().describe("seconds that a beginning is kept after its last use"),
      minTokens: z.int().min(0).optional().describe("shorter prompts and beginnings are not cached"),
      stepTokens: z.int().min(1).optional().describe("beginnings count in whole steps of so many tokens"),
    }),
  ])
  .optional()
  .describe(
    "input that was sent to this offer before costs its cache-read price; fields left out are the provider's; without it on where the provider caches by itself",
  );

export const RepeatsSchema = z
  .strictObject({
    questions: z.int().min(1).max(1_000_000).describe("different prompts of this class"),
    zipfExponent: NotNegative.max(5)
      .default(1)
      .describe("the n-th most frequent comes with probability ∝ n^-this; 0: all alike"),
  })
  .optional()
  .describe("how often whole prompts come again; matters where a strategy has a responseCache; without it never");

export const ResponseCacheSchema = z
  .strictObject({
    hitFraction: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .default(null)
      .describe(
        "share of requests answered from it; null: those whose prompt was answered within ttlS, by the classes' repeats",
      ),
    ttlS: z.number().gt(0).default(3600).meta({
      description: "time that an answer is kept",
      unit: "s",
      kind: "assumed",
      source: "an hour: long enough for a burst of one question, short enough for changing facts",
    }),
    latencyMs: NotNegative.default(5).meta({
      description: "look-up and whole answer from the response cache",
      unit: "ms",
      kind: "assumed",
      source: "a key-value store in the same region",
    }),
  })
  .optional()
  .describe("exact-match cache of answers before every route; its answers cost nothing and are a route of their own");
