/** Schemas of how clients retry and how a strategy's gateway treats its targets: `client`, `breaker`, `hedge`, `dispatch`. Seconds. */
import { z } from "zod";
import { SHORTEST_TIMEOUT_S } from "./bounds.ts";
import { Instant } from "./schema-traffic.ts";

const Positive = z.number().gt(0);
const NotNegative = z.number().min(0);
const Fraction = z.number().min(0).max(1);

const RetryBudgetSchema = z.strictObject({
  fractionOfRequests: NotNegative.max(100)
    .default(0.1)
    .describe("retries that each request sent puts into the budget; 0.1: one for ten requests"),
  perS: NotNegative.default(0).describe("retries that each second puts into it, so that rare requests may be retried"),
  burst: Positive.min(1).default(10).describe("most retries that it holds; it starts full"),
});

const AbandonmentSchema = z.strictObject({
  medianS: Positive.describe("median patience of a user without a first token, seconds from the first send"),
  sigma: NotNegative.max(4).default(0.5).describe("standard deviation of its natural logarithm"),
});

export const ClientSchema = z.union([
  z.string().describe("client profile of the catalogue: how the calling SDK retries"),
  z.strictObject({
    profile: z.string().default("openai-node").describe("client profile of the catalogue"),
    maxRetries: z.int().min(0).max(1000).optional().describe("retries of a request; without it the profile's"),
    maxRetryAfterS: Positive.nullable()
      .optional()
      .describe("a longer Retry-After ends the request, seconds; null: obeyed however long; without it the profile's"),
    attemptTimeoutS: Positive.nullable()
      .optional()
      .describe("one attempt is ended and retried after so many seconds; null: never; without it the profile's"),
    deadlineS: z
      .number()
      .min(SHORTEST_TIMEOUT_S)
      .optional()
      .describe(
        "the client gives up so long after the first send, over all attempts, where the class's timeoutS is not shorter",
      ),
    retryBudget: RetryBudgetSchema.optional().describe(
      "retries that all clients together may make; without it each retries for itself",
    ),
    abandonment: AbandonmentSchema.optional().describe(
      "people leave when no token has come; without it they wait until the deadline",
    ),
  }),
]);

/** Defaults: LiteLLM's router, BerriAI/litellm-docs docs/routing.md, 2026-05 (published). */
export const BreakerSchema = z
  .strictObject({
    openS: Positive.default(5).describe("a target is left alone for so many seconds"),
    on429: z.boolean().default(true).describe("a 429 opens at once"),
    failureFraction: Fraction.default(0.5).describe("opens above this share of failures in the current minute"),
    minAnswers: z.int().min(1).default(1).describe("answers of the minute from which on that share counts"),
    allowedFailuresPerMin: z
      .int()
      .min(0)
      .default(3)
      .describe("opens above so many failures in the current minute, whatever their share"),
    halfOpenProbes: z
      .int()
      .min(0)
      .max(1000)
      .default(0)
      .describe(
        "attempts let through after openS, all of which must succeed, else it opens again: a circuit breaker; 0: a cooldown, as LiteLLM's",
      ),
  })
  .describe("targets that fail are left alone for a while; the defaults are LiteLLM's cooldown");

export const HedgeSchema = z
  .strictObject({
    afterS: Positive.describe("a second attempt starts at another offer of the route after so many seconds"),
    afterPercentile: z
      .number()
      .gt(0)
      .lt(100)
      .nullable()
      .default(null)
      .describe("after this percentile of the times so far instead, once 100 answers are in; null: after afterS"),
    maxFraction: Fraction.default(0.05).describe("most hedges, as a share of the requests sent"),
    race: z
      .enum(["first-token", "answer"])
      .default("first-token")
      .describe("who wins: the first token (clients that stream), or the first whole answer; the other is cancelled"),
  })
  .describe("second attempts against slow answers; both are billed for what they produced");

const DispatchOptionSchema = z.union([
  z.number(),
  z.record(z.string(), z.number()).describe("a number for each target by its name"),
  z.array(
    z.strictObject({
      from: Instant.describe("from when on it holds"),
      value: z.number().describe("what holds then"),
    }),
  ),
]);

const dispatchFields = {
  policy: z.string().describe("dispatch policy plug-in: crossover catalog dispatch lists them"),
  options: z.record(z.string(), DispatchOptionSchema).default({}).describe("options of the policy"),
};

export const DispatchSchema = z
  .union([
    z.string().describe("dispatch policy with its defaults, for all classes"),
    z.strictObject({
      ...dispatchFields,
      policy: dispatchFields.policy.default("ordered"),
      byClass: z
        .record(z.string(), z.union([z.string(), z.strictObject(dispatchFields)]))
        .default({})
        .describe("classes with a policy of their own"),
    }),
  ])
  .describe("who chooses among the targets of a class's route; without it their order decides");

export type ClientFile = z.output<typeof ClientSchema>;
export type DispatchOptionFile = z.output<typeof DispatchOptionSchema>;
