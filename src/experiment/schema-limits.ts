/** Schema of the limits of an API offer as the user's account shows them. Units are in the field names. */
import { z } from "zod";

const Positive = z.number().gt(0);
const NotNegative = z.number().min(0);
const Weight = NotNegative.optional();

/** `input` stands for those of its three kinds that are not given. */
const ChargeSchema = z.strictObject({
  op: z.enum(["sum", "max"]).optional().describe("sum of the parts (default), or the largest"),
  requests: Weight.describe("for the request itself"),
  input: Weight.describe("for each input token, of the kinds below that are not given"),
  uncached: Weight.describe("for each that is neither read from the prompt cache nor written to it"),
  cacheRead: Weight.describe("for each that is read from the prompt cache"),
  cacheWrite: Weight.describe("for each that is written to it"),
  maxOutput: Weight.describe("for each token of max_tokens"),
  output: Weight.describe("for each output token"),
});

const LimitSchema = z.strictObject({
  kind: z
    .enum([
      "token_bucket",
      "debt_bucket",
      "fixed_window",
      "leaky_utilization",
      "concurrency",
      "queue",
      "adaptive",
      "reserved_usd_per_min",
      "spend_cap",
      "ramp",
      "soft_threshold",
    ])
    .optional()
    .describe("how it counts; needed for a limit that the offer does not have"),
  limitPerMin: Positive.optional().describe("buckets: units per minute"),
  burstS: Positive.optional().describe("buckets: depth in seconds of the own rate"),
  limit: Positive.optional().describe("of a window, in flight, enqueued, or until requests become slow"),
  windowS: Positive.optional().describe("fixed_window: its length, seconds"),
  offsetS: NotNegative.optional().describe("fixed_window: one begins so long after midnight UTC"),
  zone: z.string().optional().describe("fixed_window: windows of this wall clock, for example America/Los_Angeles"),
  admitWhen: z
    .enum(["below_limit", "fits"])
    .optional()
    .describe("fixed_window: while the count is below the limit, or if the request fits into it"),
  units: Positive.optional().describe("leaky_utilization: provisioned units"),
  inputTpmPerUnit: Positive.optional().describe("leaky_utilization: input tokens per minute of a unit"),
  depthS: Positive.optional().describe("leaky_utilization: depth in seconds of its own rate"),
  startPerMin: Positive.optional().describe("adaptive: units per minute at first"),
  minPerMin: Positive.optional().describe("adaptive: it does not shrink below"),
  maxPerMin: Positive.optional().describe("adaptive: it does not grow above"),
  usdPerMin: Positive.optional().describe("reserved_usd_per_min: paid in advance for every minute"),
  usd: Positive.optional().describe("spend_cap: list price in a period"),
  period: z
    .union([z.literal("month"), z.strictObject({ windowS: Positive.describe("seconds") })])
    .optional()
    .describe("spend_cap, soft_threshold: over which it counts; months are UTC"),
  thresholdPerMin: Positive.optional().describe("ramp: units per minute up to which growth is free"),
  growth: Positive.optional().describe("ramp: allowed multiple of the minute before"),
  lookBackS: Positive.optional().describe("ramp: how long before, whole seconds"),
  latencyFactor: Positive.optional().describe("soft_threshold: multiplies latency above it"),
  reserve: ChargeSchema.optional().describe("what a request is charged on arrival"),
  settle: z
    .union([z.literal("none"), ChargeSchema])
    .optional()
    .describe("what replaces it when the request ends"),
  failedCounts: z.boolean().optional().describe("refused attempts are charged too"),
  scope: z.string().optional().describe("offers of a provider with this scope share the limit of this name"),
});
export type LimitFile = z.infer<typeof LimitSchema>;

export const LimitsSchema = z.union([
  z.literal("none"),
  z.record(z.string(), z.union([z.literal("none"), LimitSchema])),
]);
