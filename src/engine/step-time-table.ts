/**
 * Step times from a measured table instead of the physics: a user's own profile of an engine, or the table of another simulator.
 * Linear between the points, and along the first and the last segment beyond them. Milliseconds over the tokens of a step:
 *   prompt   the tokens of all chunks in it
 *   decode   one for each sequence, or more with drafts to check; context costs nothing of its own
 *   both     the longer of the two, and a tenth more (Splitwise's rule, MIT-licensed splitwise-sim)
 */
import type { StepTime } from "./step-time.ts";

export interface StepTimeRow {
  readonly batchTokens: number;
  readonly promptMs: number;
  readonly tokenMs: number;
}

const MIXED_FACTOR = 1.1;

/** Milliseconds of column `of` at `tokens`. At least two rows, `batchTokens` rising. */
export function interpolatedMs(rows: readonly StepTimeRow[], of: "promptMs" | "tokenMs", tokens: number): number {
  let i = 1;
  while (i < rows.length - 1 && rows[i]!.batchTokens < tokens) i++;
  const low = rows[i - 1]!;
  const high = rows[i]!;
  return low[of] + ((high[of] - low[of]) * (tokens - low.batchTokens)) / (high.batchTokens - low.batchTokens);
}

/** The step time of a table for up to `maxNumSeqs` sequences that take `tokensPerDecode` tokens each in a decode step. */
export function tableStepTime(rows: readonly StepTimeRow[], maxNumSeqs: number, tokensPerDecode = 1): StepTime {
  const decodeBaseS = new Float64Array(maxNumSeqs + 1);
  for (let d = 1; d <= maxNumSeqs; d++) decodeBaseS[d] = interpolatedMs(rows, "tokenMs", d * tokensPerDecode) / 1000;
  return {
    decodeBaseS,
    perContextTokenS: 0,
    mixedS: (decodes, _context, prefillTokens) => {
      const promptS = interpolatedMs(rows, "promptMs", prefillTokens) / 1000;
      return decodes === 0 ? promptS : MIXED_FACTOR * Math.max(promptS, decodeBaseS[decodes]!);
    },
  };
}
