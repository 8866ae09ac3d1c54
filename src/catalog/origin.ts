/** Where a number of the catalogue comes from, and the rule that the origin written nearest to a value holds for it. */
import { z } from "zod";

export const ORIGIN_KINDS = ["measured", "published", "fitted", "assumed"] as const;

const IsoDate = z
  .string('expected text in quotes, such as "2026-11"')
  .regex(/^\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?$/, "expected YYYY, YYYY-MM or YYYY-MM-DD");

export const originShape = {
  source: z.string().min(3).describe("public page, paper, repository or data set; for assumed values the reason"),
  asOf: IsoDate.describe("date of the source, as much of it as is known"),
  kind: z.enum(ORIGIN_KINDS),
  unverified: z.literal(true).optional().describe("could not be checked at its source"),
};

/** For rows of lists: what is left out is inherited from the entry. */
export const rowOriginShape = {
  source: originShape.source.optional(),
  asOf: originShape.asOf.optional(),
  kind: originShape.kind.optional(),
  unverified: originShape.unverified,
};

export const Origin = z.strictObject(originShape);

export interface Origin {
  readonly source: string;
  readonly asOf: string;
  readonly kind: (typeof ORIGIN_KINDS)[number];
  readonly unverified?: true;
}

type WrittenOrigin = z.infer<typeof Origin>;

interface HasOrigin extends WrittenOrigin {
  readonly fields?: Readonly<Record<string, WrittenOrigin>> | undefined;
}

function originFrom(origin: WrittenOrigin): Origin {
  const { source, asOf, kind, unverified } = origin;
  return unverified === undefined ? { source, asOf, kind } : { source, asOf, kind, unverified };
}

/**
 * Origin of one value of an entry. `path` is dotted (`outages.severities`); the longest key of `fields` that equals it or
 * is a parent of it wins, otherwise the entry's own origin holds.
 */
export function originOf(entry: HasOrigin, path: string): Origin {
  for (let key = path; key !== ""; key = key.slice(0, Math.max(0, key.lastIndexOf(".")))) {
    const origin = entry.fields?.[key];
    if (origin !== undefined) return originFrom(origin);
  }
  return originFrom(entry);
}

/** Origin of a row of a list (a price, a tier): its own words where it has them, the entry's for the rest. */
export function rowOriginOf(
  entry: HasOrigin,
  path: string,
  row: { readonly [K in keyof WrittenOrigin]?: WrittenOrigin[K] | undefined },
): Origin {
  const base = originOf(entry, path);
  const unverified = row.unverified ?? base.unverified;
  const origin = { source: row.source ?? base.source, asOf: row.asOf ?? base.asOf, kind: row.kind ?? base.kind };
  return unverified === undefined ? origin : { ...origin, unverified };
}
