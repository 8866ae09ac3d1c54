/** What a recording knows of its prompts: the ids of their blocks, and which requests are turns of one session. */
import type { KnownText, ReplayTraffic } from "../scenario/resolved.ts";

/** For requests numbered from 0 at `firstRow`; undefined where the recording knows neither. */
export function recordedText(
  { prefix, sessions, inputTokens }: Pick<ReplayTraffic, "prefix" | "sessions" | "inputTokens">,
  firstRow: number,
): KnownText | undefined {
  if (prefix === undefined && sessions === undefined) return undefined;
  return {
    session: (ordinal) => (sessions === undefined ? ordinal : sessions[firstRow + ordinal]!),
    oneText: false,
    text(ordinal, endToken) {
      const row = firstRow + ordinal;
      // What follows the prompt, the answer, is nobody else's.
      if (prefix === undefined || endToken > inputTokens[row]!) return -1;
      const { blockTokens, offsets, items } = prefix;
      // Ids are chained, so that of the last block reached stands for all before it.
      const at = offsets[row]! + Math.ceil(endToken / blockTokens) - 1;
      return at < offsets[row + 1]! ? items[at]! : -1;
    },
  };
}
