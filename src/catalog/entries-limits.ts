/**
 * Limits of API providers: what a request is charged (rules, in the provider's entry) and how much an account may have
 * (figures by model and tier, in `limits/`). A tier states one figure for each limit; the rule of its name says what the
 * figure means.
 */
import { z } from "zod";
import { clockOf } from "../kernel/time-zone.ts";
import { NO_CHARGE } from "../scenario/limits.ts";
import { Id, common, nonNegative, positive } from "./entry.ts";
import { rowOriginShape } from "./origin.ts";

/** Weights of `LimitCharge`; `input` stands for those of its three kinds that are not given. */
const Charge = z
  .strictObject({
    op: z.enum(["sum", "max"]).default("sum"),
    requests: nonNegative.default(0),
    input: nonNegative.default(0),
    uncached: nonNegative.optional(),
    cacheRead: nonNegative.optional(),
    cacheWrite: nonNegative.optional(),
    maxOutput: nonNegative.default(0),
    output: nonNegative.default(0),
  })
  .transform(({ op, requests, input, uncached = input, cacheRead = input, cacheWrite = input, maxOutput, output }) => ({
    op,
    requests,
    uncached,
    cacheRead,
    cacheWrite,
    maxOutput,
    output,
  }));

const Zone = z
  .string()
  .refine((zone) => clockOf(zone, 0, 1) !== null, "no such time zone; for example America/Los_Angeles or UTC-8");

const rule = {
  reserve: Charge.default(NO_CHARGE),
  settle: Charge.nullable().default(null).describe("replaces the reserve when the request ends; null = never"),
  failedCounts: z.boolean().default(false).describe("a refused attempt is charged too"),
  scope: Id.optional().describe("offers of the provider with this scope share the limit; default: a scope of its own"),
  note: z.string().optional(),
  ...rowOriginShape,
};
const perWindow = { windowS: positive.describe("a tier states its limit per this many seconds") };
const burst = { burstS: positive.describe("depth of the bucket in seconds of its own rate") };
const Period = z.union([z.literal("month"), z.strictObject({ windowS: positive })]);

export const LimitRule = z.discriminatedUnion("limitKind", [
  z.strictObject({ limitKind: z.literal("token_bucket"), ...perWindow, ...burst, ...rule }),
  z.strictObject({ limitKind: z.literal("debt_bucket"), ...perWindow, ...burst, ...rule }),
  z.strictObject({
    limitKind: z.literal("fixed_window"),
    ...perWindow,
    checkedS: positive.optional().describe("shorter windows on which their share of the limit is checked"),
    offsetS: nonNegative.default(0).describe("a window begins so long after midnight UTC"),
    zone: Zone.nullable().default(null).describe("windows of this wall clock instead"),
    admitWhen: z.enum(["below_limit", "fits"]),
    ...rule,
  }),
  z.strictObject({
    limitKind: z.literal("leaky_utilization"),
    inputTpmPerUnit: positive.describe("input tokens per minute of one unit"),
    depthS: positive,
    ...rule,
  }),
  z.strictObject({ limitKind: z.literal("concurrency"), ...rule }),
  z.strictObject({ limitKind: z.literal("queue"), ...rule }),
  z.strictObject({
    limitKind: z.literal("adaptive"),
    ...perWindow,
    ...burst,
    minMultiple: positive.describe("of the tier's figure, below which it does not shrink"),
    maxMultiple: positive.describe("of the tier's figure, above which it does not grow"),
    ...rule,
  }),
  z.strictObject({ limitKind: z.literal("reserved_usd_per_min"), ...rule }),
  z.strictObject({ limitKind: z.literal("spend_cap"), period: Period, ...rule }),
  z.strictObject({ limitKind: z.literal("ramp"), growth: positive, lookBackS: positive, ...rule }),
  z.strictObject({ limitKind: z.literal("soft_threshold"), period: Period, latencyFactor: positive, ...rule }),
]);
export type LimitRuleEntry = z.infer<typeof LimitRule>;

/** What differs from the provider's rule for some models. */
const RuleChange = z.strictObject({
  reserve: Charge.optional(),
  settle: Charge.nullable().optional(),
  scope: Id.optional(),
});

/** One tier: figures by limit name, and what it takes to be in it. */
export const LimitTier = z.strictObject({
  limits: z.record(z.string(), positive).describe("limit by rule name of the provider"),
  batchQueue: z
    .strictObject({ counts: z.enum(["input", "requests"]), limit: positive })
    .optional()
    .describe("input tokens or requests that may be enqueued as batch jobs"),
  qualification: z.string().optional(),
  note: z.string().optional(),
  ...rowOriginShape,
});

const models = z
  .array(z.string().min(1))
  .min(1)
  .describe("model part of the offers' ids; * stands for any characters, and the longest that fits holds");

export const LimitsEntry = z.strictObject({
  ...common,
  provider: Id,
  rules: z.record(z.string(), LimitRule).default({}).describe("beside those of the provider's entry"),
  changes: z
    .array(z.strictObject({ models, rules: z.record(z.string(), RuleChange), ...rowOriginShape }))
    .default([])
    .describe("what differs from the rules for some models"),
  rows: z.array(z.strictObject({ models, tier: Id, ...LimitTier.shape })).min(1),
});
