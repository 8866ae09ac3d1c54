/** Entries of demand: how calling clients retry, and how much of what length arrives when. */
import { z } from "zod";
import { clockOf } from "../kernel/time-zone.ts";
import { BurstSchema, DayLevelSchema, DriftSchema } from "./rate-law.ts";
import { CompactionSchema, subAgentFields, ThinkSchema, TurnsSchema } from "./session-law.ts";
import { Id, common, count, fraction, nonNegative, positive } from "./entry.ts";

export const ClientEntry = z.strictObject({
  ...common,
  name: z.string(),
  maxRetries: z.int().min(0),
  backoffInitialS: nonNegative,
  backoffFactor: positive,
  backoffMaxS: nonNegative,
  jitterFraction: fraction,
  honorRetryAfter: z.boolean(),
  maxRetryAfterS: positive.nullable(),
  attemptTimeoutS: positive.nullable().describe("default timeout of one attempt; null = none"),
});

const Lengths = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("constant"), tokens: count }),
  z.strictObject({
    kind: z.literal("lognormal"),
    medianTokens: positive,
    sigma: nonNegative,
    minTokens: count,
    maxTokens: count,
  }),
  z
    .strictObject({
      kind: z.literal("quantiles"),
      percentiles: z.array(z.number().min(0).max(100)).min(2),
      tokens: z.array(nonNegative).min(2),
      meanTokens: positive,
    })
    .superRefine((lengths, context) => {
      const rising = (values: readonly number[], strictly: boolean) =>
        values.every((value, i) => i === 0 || (strictly ? value > values[i - 1]! : value >= values[i - 1]!));
      if (lengths.tokens.length !== lengths.percentiles.length)
        context.addIssue({ code: "custom", path: ["tokens"], message: "one value per percentile is needed" });
      if (!rising(lengths.percentiles, true))
        context.addIssue({ code: "custom", path: ["percentiles"], message: "expected rising percentiles" });
      if (!rising(lengths.tokens, false))
        context.addIssue({ code: "custom", path: ["tokens"], message: "expected values that do not fall" });
    }),
]);

/** Weekly profile of a rate. */
export const SeasonEntry = z.strictObject({
  ...common,
  name: z.string(),
  hourOfWeek: z
    .array(nonNegative)
    .length(168)
    .refine((hours) => hours.some((hour) => hour > 0), "the season sums to zero: it leaves no traffic")
    .refine(
      (hours) => Math.abs(hours.reduce((sum, hour) => sum + hour, 0) / 168 - 1) < 1e-3,
      "expected 168 factors with a mean of 1",
    )
    .describe("rate over mean rate, hours of the week from Monday 00:00 of the zone's clock"),
  timeZone: z
    .string()
    .refine((zone) => clockOf(zone, 0, 1) !== null, "no such time zone; for example Asia/Shanghai or UTC+8")
    .optional()
    .describe("whose clock the hours are on, such as Asia/Shanghai or UTC+8; without it UTC"),
});

/** An inverse CDF of shares between 0 and 1. */
const Shares = z.strictObject({
  percentiles: z.array(z.number().min(0).max(100)).min(2),
  shares: z.array(fraction).min(2),
});

/** Requests of the preset as turns of sessions. */
const Sessions = z.strictObject({
  turns: TurnsSchema,
  thinkTimeS: ThinkSchema,
  firstInput: Lengths.optional().describe("first prompts; without it as input"),
  newInput: Lengths.optional().describe("what later turns add; without it as input"),
  carryContext: z.boolean(),
  maxContextTokens: count,
  compaction: CompactionSchema.optional(),
  subAgents: z.strictObject({ ...subAgentFields, input: Lengths }).optional(),
});

export const TrafficEntry = z.strictObject({
  ...common,
  name: z.string(),
  meanRatePerS: positive.describe("rate of what was recorded: one cell, at which the bursts hold"),
  burst: BurstSchema,
  dayLevel: DayLevelSchema.optional(),
  drift: DriftSchema.optional(),
  season: Id.nullable().describe("entry of seasons/; null = flat"),
  input: Lengths,
  output: Lengths,
  spearman: z.number().min(-1).max(1),
  maxOutput: z
    .strictObject({ factor: positive, minTokens: count })
    .describe("max_tokens that clients send = max(factor × output, minTokens)"),
  sessions: Sessions.optional().describe(
    "how its requests are turns of sessions; input is then that of single requests",
  ),
  reasoningShare: Shares.optional().describe("share of the output that is reasoning, in the order of its percentiles"),
  trace: z.string().nullable().describe("recording behind the preset, a file beside this one; null = none shipped"),
});
