/** Entries about the way to a target and what may leave: network paths, boundary levels, redaction; and how much models think. */
import { z } from "zod";
import { common, fraction, Id, nonNegative, positive } from "./entry.ts";

export const NetworkPathEntry = z.strictObject({
  ...common,
  rttMs: z
    .record(Id, z.record(Id, nonNegative))
    .describe("round trip between two regions in milliseconds; each pair stands once, in either order"),
});

export const BoundaryEntry = z.strictObject({
  ...common,
  level: z.int().min(0).max(7),
  option: z.string().describe("what it is, in a few words"),
  examples: z.string().optional(),
  place: z
    .enum(["dedicated_managed", "private_vpc", "onprem"])
    .optional()
    .describe("where single-tenant or own capacity of this kind stands"),
  residency: z.string().describe("where data is processed, as far as the option says"),
  priceMultiplier: positive.optional().describe("usual price over that of the public API"),
  privateNetwork: z
    .boolean()
    .nullable()
    .describe("reachable without the public internet; null = depends on the vendor"),
  retention: z.string().optional(),
  trainingUse: z.string().optional(),
});

export const RedactionEntry = z.strictObject({
  ...common,
  latencyMs: nonNegative.describe("added before the first attempt"),
  usdPerRequest: nonNegative,
  usdPerMTok: nonNegative.describe("USD per million prompt tokens"),
  failFraction: fraction.describe("share of prompts that cannot be cleaned and stays inside"),
});

export const ReasoningEntry = z.strictObject({
  ...common,
  medianTokens: positive,
  sigma: nonNegative.describe("standard deviation of the natural logarithm"),
});
