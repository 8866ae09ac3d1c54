/** What an engine makes of requests that are longer than its `maxModelLen`. */
import type { CaseArrivals } from "./arrivals.ts";
import type { RecordedCase } from "./case.ts";

interface Fitted {
  readonly arrivals: CaseArrivals;
  /** What was done about requests that are too long; null = there are none. */
  readonly caveat: string | null;
}

/**
 * The requests as the engine would serve them: an answer ends where prompt and answer reach `maxModelLen`, as in vLLM. A string says why none
 * of it can be compared: a prompt that leaves no room for an answer is rejected, and what was measured then is of other requests. Where no
 * `maxModelLen` is recorded the engine may have been told to go beyond the model's own context (`modelTokens`), so that is only said.
 */
export function withinModelLen(
  arrivals: CaseArrivals,
  { engineOptions }: RecordedCase,
  modelTokens: number,
): Fitted | string {
  const { inputTokens, outputTokens } = arrivals;
  const size = inputTokens.length;
  const most = engineOptions.maxModelLen ?? modelTokens;
  const beyond = inputTokens.reduce((sum, input, i) => sum + (input + outputTokens[i]! > most ? 1 : 0), 0);
  // Conversations grow on their own answers, so these are not cut: those that outgrow the model are refused elsewhere.
  if (beyond === 0 || arrivals.after !== null) return { arrivals, caveat: null };
  if (engineOptions.maxModelLen === undefined)
    return {
      arrivals,
      caveat: `${beyond} of ${size} requests are longer than the ${most} tokens of the model: maxModelLen is not recorded, so they run nevertheless`,
    };
  const rejected = inputTokens.filter((input) => input >= most);
  if (rejected.length > 0) {
    const longest = rejected.reduce((a, b) => Math.max(a, b));
    return `a prompt of ${longest} tokens leaves no room for an answer within maxModelLen ${most}: the engine rejects ${rejected.length} of ${size} requests`;
  }
  return {
    arrivals: { ...arrivals, outputTokens: outputTokens.map((output, i) => Math.min(output, most - inputTokens[i]!)) },
    caveat: `the answers of ${beyond} of ${size} requests end at maxModelLen ${most}, before their recorded length`,
  };
}
