/** The schema of a backcast file: what was recorded, what it cost, and the experiment to replay it with. */
import { z } from "zod";
import { explained } from "../../catalog/explain.ts";
import { ConfigError, type Problem } from "../../kernel/errors.ts";

const Positive = z.number().gt(0);
const MOST_MULTIPLIER = 1000;
const File = z.string().min(1);

const LatencySchema = z
  .strictObject({
    mean: Positive.optional(),
    p50: Positive.optional(),
    p95: Positive.optional(),
    p99: Positive.optional(),
  })
  .optional();

const BackcastSchema = z.strictObject({
  title: z.string().min(1).describe("one line, shown on top"),
  usage: File.optional().describe("usage export (CSV), relative to this file; give this or trace"),
  costs: File.optional().describe("cost export (CSV) with what was paid, where the usage does not say it"),
  trace: File.optional().describe("recorded requests (Parquet or CSV), relative to this file"),
  offers: z
    .record(
      z.string(),
      z.union([
        z.string(),
        z.strictObject({
          offer: z.string().describe("offer of the catalogue: provider/model"),
          priceMultiplier: z
            .number()
            .min(0)
            .max(MOST_MULTIPLIER)
            .default(1)
            .describe("multiplies list prices, for example a discount"),
          batchMultiplier: z
            .number()
            .min(0)
            .max(MOST_MULTIPLIER)
            .nullable()
            .default(null)
            .describe("on top of that for tokens through the batch interface; without it the catalogue's"),
        }),
      ]),
    )
    .default({})
    .describe("offer by model as the export names it; without it the offer of that name"),
  experiment: File.optional().describe("experiment to replay the requests with; a trace needs one, usage may"),
  strategy: z.string().optional().describe("its strategy; without it the only one"),
  actual: z
    .strictObject({
      usd: Positive.optional().describe("paid for the period, where no export says it"),
      requests: Positive.optional().describe("answered"),
      inputTokens: Positive.optional().describe("of answered requests"),
      outputTokens: Positive.optional().describe("of answered requests"),
      ttftMs: LatencySchema.describe("first token, milliseconds"),
      tpotMs: LatencySchema.describe("time per output token, milliseconds"),
      e2eMs: LatencySchema.describe("last token, milliseconds"),
    })
    .prefault({})
    .describe("what was measured in the period"),
});

export type BackcastFile = z.output<typeof BackcastSchema>;

/** Checks the plain data of a backcast file. Throws a ConfigError with every problem. */
export function readBackcast(raw: unknown): BackcastFile {
  const parsed = BackcastSchema.safeParse(raw, { reportInput: true });
  const problems: Problem[] = parsed.success
    ? meaning(parsed.data)
    : explained(BackcastSchema, parsed.error.issues, raw);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);
  return parsed.data;
}

function meaning(file: BackcastFile): Problem[] {
  const problems: Problem[] = [];
  if ((file.usage === undefined) === (file.trace === undefined))
    problems.push({ path: file.usage === undefined ? [] : ["trace"], message: "needs either usage or trace" });
  if (file.trace !== undefined && file.experiment === undefined)
    problems.push({ path: ["trace"], message: "needs an experiment to replay it with" });
  if (file.costs !== undefined && file.usage === undefined)
    problems.push({ path: ["costs"], message: "stands beside usage; give actual.usd for a trace" });
  if (file.strategy !== undefined && file.experiment === undefined)
    problems.push({ path: ["strategy"], message: "names a strategy, but there is no experiment" });
  const { ttftMs, tpotMs, e2eMs } = file.actual;
  if (file.experiment === undefined)
    for (const [field, value] of Object.entries({ ttftMs, tpotMs, e2eMs }))
      if (value !== undefined)
        problems.push({ path: ["actual", field], message: "is predicted by a replay, which needs an experiment" });
  return problems;
}
