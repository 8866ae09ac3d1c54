/** What every entry of the catalogue has, and the number types they share. */
import { z } from "zod";
import { Origin, originShape } from "./origin.ts";

export const positive = z.number().positive();
export const nonNegative = z.number().nonnegative();
export const fraction = z.number().min(0).max(1);
export const count = z.int().min(1);

/** Lower-case words joined by hyphens, dots or underscores; an offer's id is `provider/model`. */
export const Id = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9._-]*(\/[a-z0-9][a-z0-9._-]*)?$/,
    "expected lower-case letters, digits, '-', '.', '_' (and one '/' in an offer)",
  );

export const common = {
  id: Id,
  aliases: z.array(z.string().min(1)).default([]).describe("other spellings that are accepted"),
  ...originShape,
  note: z.string().optional(),
  fields: z.record(z.string(), Origin).optional().describe("origin of single values, by dotted path"),
};
