/** The lengths of a recording by class, where it names classes. */
import { NO_CLASS, type ReplayTraffic } from "../scenario/resolved.ts";

export type RecordedLengths = Pick<ReplayTraffic, "inputTokens" | "outputTokens" | "reasoningTokens">;

/** Of the requests of a class and of those whose class is drawn; of all where that leaves none, or where classes are not named. */
export function rowsOfClass(trace: ReplayTraffic, classIndex: number): RecordedLengths {
  const { classIndex: classes, inputTokens, outputTokens, reasoningTokens } = trace;
  const rows = classes?.reduce((found, one) => found + (one === classIndex || one === NO_CLASS ? 1 : 0), 0) ?? 0;
  if (classes === undefined || rows === 0) return trace;
  const own = (tokens: Uint32Array): Uint32Array =>
    tokens.filter((_, row) => classes[row] === classIndex || classes[row] === NO_CLASS);
  return {
    inputTokens: own(inputTokens),
    outputTokens: own(outputTokens),
    ...(reasoningTokens === undefined ? {} : { reasoningTokens: own(reasoningTokens) }),
  };
}
