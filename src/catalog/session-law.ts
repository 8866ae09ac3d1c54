/** How the turns of sessions follow each other, as presets and experiments say it. Seconds. */
import { z } from "zod";

const NotNegative = z.number().min(0);
const Fraction = z.number().min(0).max(1);

const MostTurns = z.int().min(1).max(4096).default(64).describe("most turns of a session");

export const TurnsSchema = z.union([
  z.array(NotNegative).min(1).max(4096).describe("probabilities of 1, 2, 3 … turns, in any scale"),
  z.strictObject({
    mean: z.number().min(1).describe("mean of a geometric number of turns, before the limit below"),
    max: MostTurns,
  }),
  z.strictObject({
    medianTurns: z.number().min(1).describe("median of a lognormal number of turns, rounded, at least one"),
    sigma: NotNegative.max(3).describe("standard deviation of its natural logarithm"),
    max: MostTurns,
  }),
]);

const pauseFields = {
  medianS: NotNegative.describe("median, seconds"),
  sigma: NotNegative.max(4).default(0).describe("standard deviation of its natural logarithm"),
};

export const ThinkSchema = z.strictObject({
  ...pauseFields,
  breaks: z
    .strictObject({ share: Fraction.describe("share of the pauses"), ...pauseFields })
    .optional()
    .describe("pauses of another law among them: an agent's user comes back; without it none"),
});

export const CompactionSchema = z.strictObject({
  share: Fraction.describe("share of the later turns before which it happens"),
  keptFraction: Fraction.describe("length of the new context as a share of the old"),
});

/** Besides their first prompt. */
export const subAgentFields = {
  share: Fraction.describe("share of the turns that start some"),
  parallel: z.int().min(1).max(64).default(1).describe("how many run beside each other"),
  calls: z.int().min(1).max(4096).describe("requests of each, one after the other"),
};
