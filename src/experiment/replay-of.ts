/** A recording as the traffic of an experiment: what of it counts, and what is told of the rest. */
import type { FilledLengths, Recording } from "../scenario/recorded-trace.ts";
import type { MaxOutputRule, ReplayTraffic, RequestClass } from "../scenario/resolved.ts";
import { recordedClasses } from "./recorded-classes.ts";

export interface ReplayRules {
  readonly classes: readonly Pick<RequestClass, "name" | "shareFraction">[];
  readonly maxOutput: MaxOutputRule;
  /** The author of the experiment set `maxOutput`: it goes before what is recorded. */
  readonly ownLimits: boolean;
}

export function replayOf(
  file: string,
  recording: Recording,
  { classes, maxOutput, ownLimits }: ReplayRules,
  warn: (message: string) => void,
): ReplayTraffic {
  const { arrivalS, inputTokens, outputTokens, reasoningTokens, prefix, sessions, waits } = recording;
  const { filled, passedOver, maxOutputTokens } = recording;
  if (passedOver !== undefined)
    warn(
      `the recording has ${passedOver.join(", ")}, which a replay reads of imported traces alone (crossover trace import): it goes on without`,
    );
  if (ownLimits && maxOutputTokens !== undefined)
    warn("the recording has the max_tokens of its requests: traffic.maxOutput goes before them");
  else if (maxOutputTokens !== undefined) tellTooLong(recording.outputTokens, maxOutputTokens, warn);
  const classIndex = recordedClasses(recording, classes, warn);
  if (filled !== undefined) tellFilled(filled, warn);
  return {
    kind: "replay",
    file,
    arrivalS,
    inputTokens,
    outputTokens,
    maxOutput,
    ...(reasoningTokens === undefined ? {} : { reasoningTokens }),
    ...(maxOutputTokens === undefined || ownLimits ? {} : { maxOutputTokens }),
    ...(classIndex === null ? {} : { classIndex }),
    ...(prefix === undefined ? {} : { prefix }),
    ...(sessions === undefined ? {} : { sessions }),
    ...(waits === undefined ? {} : { waits }),
  };
}

/** Answers beyond their limit, which no server gives: one of the two was recorded wrong. 0: no limit is recorded. */
function tellTooLong(outputTokens: Uint32Array, limits: Uint32Array, warn: (message: string) => void): void {
  const tooLong = outputTokens.filter((tokens, row) => limits[row]! > 0 && tokens > limits[row]!).length;
  if (tooLong > 0)
    warn(
      `${tooLong} requests of the recording have more output than the max_tokens that it says: they are answered as recorded, and ask for as many tokens as that`,
    );
}

function tellFilled({ outputs, inputs, inputTokens }: FilledLengths, warn: (message: string) => void): void {
  if (outputs > 0)
    warn(
      `${outputs} requests of the recording failed or have an empty answer: they are sent all the same, for an answer of one token`,
    );
  if (inputs > 0)
    warn(
      `${inputs} failed requests of the recording have no prompt length: they are sent with the median one, ${inputTokens} tokens`,
    );
}
