/** How a rate fluctuates: fields that traffic presets and experiments share. */
import { z } from "zod";

const Positive = z.number().gt(0);
const NotNegative = z.number().min(0);
/** A rate that moves faster than this is chance, and would have to be followed step by step. */
const SHORTEST_S = 0.1;

const burstFields = {
  components: z
    .array(
      z.strictObject({
        cv: Positive.max(5).describe("coefficient of variation of the intensity"),
        tauS: z.number().min(SHORTEST_S).describe("correlation time, seconds"),
      }),
    )
    .describe("slow fluctuations of the arrival rate; empty: none"),
  gapCv: z
    .number()
    .min(0.01)
    .max(20)
    .default(1)
    .describe("coefficient of variation of the gaps in operational time; 1: Poisson"),
  switching: z
    .strictObject({
      highFactor: z.number().gt(1).describe("rate in the high state over the mean rate"),
      highS: z.number().min(SHORTEST_S).describe("mean length of the high state, seconds"),
      lowS: z
        .number()
        .min(SHORTEST_S)
        .describe("mean length of the low state, seconds; its rate follows from the mean"),
    })
    .refine(
      ({ highFactor, highS, lowS }) => (highFactor * highS) / (highS + lowS) <= 1,
      "the high state alone brings more than the mean rate: lower highFactor or highS, or raise lowS",
    )
    .optional()
    .describe("two states of the rate of exponential lengths; with gapCv 1 a Markov-modulated Poisson process"),
  clients: z
    .strictObject({
      count: z.int().min(1).max(10_000).describe("independent clients, each with fluctuation and gaps of its own"),
      rateSigma: NotNegative.max(4).default(0).describe("standard deviation of the logarithm of their mean rates"),
      topShare: z
        .number()
        .gt(0)
        .lt(1)
        .optional()
        .describe(
          "share of the requests that the largest client sends, and no other exceeds; without it as rateSigma says",
        ),
      lengthShare: z
        .number()
        .min(0)
        .max(0.95)
        .default(0)
        .describe("share of the variance of lengths that lies between clients, who then have lengths of their own"),
      intermittent: z
        .strictObject({
          volumeShare: z.number().gt(0).max(1).describe("share of the requests from clients who come and go"),
          onMedianS: z.number().min(SHORTEST_S).describe("median time of presence, seconds"),
          onSigma: NotNegative.max(3).describe("standard deviation of its logarithm"),
          offMedianS: z.number().min(SHORTEST_S).describe("median time of absence, seconds"),
          offSigma: NotNegative.max(3).describe("standard deviation of its logarithm"),
        })
        .optional()
        .describe("without it every client is always present"),
    })
    .refine(
      ({ count, topShare }) => topShare === undefined || count * topShare >= 1,
      "so few clients of at most topShare each do not make up the whole: raise topShare or count",
    )
    .optional()
    .describe("the traffic as the sum of its clients; without it one stream"),
  jobs: z
    .strictObject({
      medianRequests: z.number().min(1).describe("median requests of a job, all sent at once"),
      sigma: NotNegative.max(3).describe("standard deviation of its logarithm"),
    })
    .optional()
    .describe("batch jobs instead of single requests; their deadline is the class's timeoutS"),
};

export const BurstSchema = z
  .strictObject(burstFields)
  .refine(({ clients, jobs }) => clients === undefined || jobs === undefined, "has either clients or jobs");

export const DayLevelSchema = z.strictObject({
  sigma: Positive.max(2).describe("standard deviation of the logarithm of a day's level"),
  persistence: z.number().min(0).lt(1).default(0).describe("correlation of that logarithm from one day to the next"),
});

export const DriftSchema = z.strictObject({
  sigma: Positive.max(1.5).describe("standard deviation of the logarithm of the rate"),
  tauS: z.number().min(SHORTEST_S).describe("correlation time, seconds; tens of minutes to hours"),
});
