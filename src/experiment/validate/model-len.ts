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
 * Conversations end where they outgrow either.
 */
export function withinModelLen(
  arrivals: CaseArrivals,
  { engineOptions }: RecordedCase,
  modelTokens: number,
): Fitted | string {
  const { inputTokens, outputTokens, after } = arrivals;
  const size = inputTokens.length;
  const most = engineOptions.maxModelLen ?? modelTokens;
  const beyond = inputTokens.reduce((sum, input, i) => sum + (input + outputTokens[i]! > most ? 1 : 0), 0);
  if (beyond === 0) return { arrivals, caveat: null };
  if (after !== null) return whileTheyFit(arrivals, after, most);
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

/**
 * Conversations without the turns that they have no room for: the engine rejects such a prompt, and as the client adds to a conversation only what
 * was answered (inference-perf's user sessions), so it does with every later one of that user.
 */
function whileTheyFit(arrivals: CaseArrivals, after: Int32Array, most: number): Fitted | string {
  const { inputTokens, outputTokens } = arrivals;
  const size = inputTokens.length;
  /** By request: its number among those that stay, −1 for the others. Who waits comes later than whom it waits for. */
  const numberOf = new Int32Array(size).fill(-1);
  const stay: number[] = [];
  for (let i = 0; i < size; i++) {
    const before = after[i]!;
    const fits = inputTokens[i]! + outputTokens[i]! <= most && (before < 0 || numberOf[before]! >= 0);
    if (fits) numberOf[i] = stay.push(i) - 1;
  }
  if (stay.length === 0) return `no turn of a conversation fits into the ${most} tokens of the model`;
  const { arrivalS, stage, content } = arrivals;
  return {
    arrivals: {
      ...arrivals,
      arrivalS: Float64Array.from(stay, (i) => arrivalS[i]!),
      inputTokens: Uint32Array.from(stay, (i) => inputTokens[i]!),
      outputTokens: Uint32Array.from(stay, (i) => outputTokens[i]!),
      after: Int32Array.from(stay, (i) => (after[i]! < 0 ? -1 : numberOf[after[i]!]!)),
      stage: stage === null ? null : Uint16Array.from(stay, (i) => stage[i]!),
      content: content && {
        prefixStream: Float64Array.from(stay, (i) => content.prefixStream[i]!),
        prefixTokens: Uint32Array.from(stay, (i) => content.prefixTokens[i]!),
        sessionStream: Float64Array.from(stay, (i) => content.sessionStream[i]!),
        sessionTokens: Uint32Array.from(stay, (i) => content.sessionTokens[i]!),
      },
    },
    caveat: `conversations end at the ${most} tokens of the model: ${size - stay.length} of ${size} requests are rejected and do not count, as with clients that go on with the conversation as it was`,
  };
}
