/** Fields of an experiment's traffic that shape its rate by the calendar of the people behind it. */
import { z } from "zod";
import { DayLevelSchema, DriftSchema } from "../catalog/rate-law.ts";
import { epochSOfIso } from "../kernel/calendar-time.ts";

const Positive = z.number().gt(0);
const NotNegative = z.number().min(0);

export const Instant = z
  .string()
  .refine(
    (text) => epochSOfIso(text) !== null,
    "expected a date, or a date and time in UTC such as 2026-11-02T00:00:00Z",
  );
export const Day = z
  .string()
  .refine((text) => text.length === 10 && epochSOfIso(text) !== null, "expected a date such as 2026-11-24");

const PulseSchema = z
  .strictObject({
    at: Instant.optional().describe("when it starts: a launch; give this or perMonth"),
    perMonth: Positive.max(1000)
      .optional()
      .describe("mean number in a month of 30.4 days, at random times: viral spikes, experiments"),
    peak: Positive.max(1000).describe("what it adds at most, as a multiple of the rate without it"),
    riseMinutes: NotNegative.default(0).describe("time constant of the rise"),
    holdHours: NotNegative.default(0).describe("how long it lasts before it falls"),
    decayHours: NotNegative.default(0).describe("time constant of the fall; 0: it ends at once"),
  })
  .refine(({ at, perMonth }) => (at === undefined) !== (perMonth === undefined), "needs either at or perMonth")
  .refine(({ holdHours, decayHours }) => holdHours + decayHours > 0, "needs holdHours or decayHours to last");

export const rateFactorFields = {
  timeZone: z
    .string()
    .optional()
    .describe("wall clock that season, holidays and days follow: Europe/Berlin, UTC+8; without it the season's own"),
  holidays: z
    .array(
      z.strictObject({
        date: Day.describe("day on the wall clock of timeZone"),
        factor: NotNegative.max(100).describe("what its rate is multiplied by"),
      }),
    )
    .default([])
    .describe("days on which the rate is another"),
  dayLevel: DayLevelSchema.optional().describe("chance level of each day, mean 1; without it the preset's, else none"),
  drift: DriftSchema.optional().describe(
    "slow drift within days, mean 1, of each client if there are clients; without it the preset's, else none",
  ),
  pulses: z.array(PulseSchema).default([]).describe("launches, viral spikes and experiments, on top of the mean rate"),
};
