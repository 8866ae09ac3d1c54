/** How outages come and go: fields that outage profiles and offers of an experiment share. Hours. */
import { z } from "zod";

/** Beyond these bounds outages come faster than one could tell them apart, or last longer than a provider lives. */
export const outageFields = {
  gapWeibullShape: z.number().min(0.2).max(20),
  gapWeibullScaleH: z.number().min(0.01).max(1_000_000),
  durationLnHMean: z.number().min(-10).max(10),
  durationLnHSigma: z.number().min(0).max(4),
  durationMaxH: z.number().min(0.001).max(100_000),
} as const;
