/** Schema of `models/price-overlay.yaml`, whose comments say what each part is for. */
import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { z } from "zod";
import { PRICED_FORMS } from "../../src/catalog/entries-provider.ts";
import { originShape } from "../../src/catalog/origin.ts";

const rule = { provider: z.string(), models: z.string() };
const one = { provider: z.string(), model: z.string() };

export interface Rule {
  readonly provider: string;
  readonly models: string;
}

const OverlaySchema = z.strictObject({
  priceSource: z.strictObject({ package: z.string(), version: z.string(), ...originShape }),
  names: z.array(z.strictObject({ ...one, id: z.string(), aliases: z.array(z.string()).optional() })),
  notes: z.array(z.strictObject({ ...rule, note: z.string() })),
  stale: z.array(z.strictObject({ ...rule, asOf: originShape.asOf, unverified: z.literal(true) })),
  contexts: z.array(z.strictObject({ ...one, contextTokens: z.int().min(1), ...originShape })),
  latencyClasses: z.strictObject({
    ...originShape,
    rows: z.array(z.strictObject({ ...rule, latencyClass: z.string() })).min(1),
  }),
  resold: z.array(z.strictObject({ ...rule, from: z.string(), note: z.string() })),
  forms: z.array(
    z.strictObject({ ...rule, form: z.enum(PRICED_FORMS), priceMultiplier: z.number().positive(), ...originShape }),
  ),
  residency: z.array(z.strictObject({ ...rule, residencyMultiplier: z.number().positive(), ...originShape })),
  promptCaches: z.array(
    z.strictObject({
      ...rule,
      automatic: z.boolean(),
      ttlS: z.number(),
      minTokens: z.int(),
      stepTokens: z.int(),
      ...originShape,
    }),
  ),
  peakHours: z.array(z.strictObject({ ...rule, from: z.string(), weekdaysFrom: z.string(), ...originShape })),
  lifecycles: z.array(
    z.strictObject({
      provider: z.string(),
      ...originShape,
      rows: z.array(
        z.strictObject({ model: z.string(), retiresOn: originShape.asOf, replacement: z.string().optional() }),
      ),
    }),
  ),
});

export type Overlay = z.infer<typeof OverlaySchema>;

export function readOverlay(file: string | URL): Overlay {
  return OverlaySchema.parse(parse(readFileSync(file, "utf8")));
}
