/** Mean TPOT of a closed loop, by the formula that the coefficients were fitted with. */
import type { StepTime } from "../../engine/step-time.ts";

/**
 * Mean TPOT in seconds with `concurrency` requests always running, each seen halfway through its output:
 *   T(c, c·(in + out/2)) + (c − 1)/out · (extra time of the chunks of one prompt over decode steps)
 * since c − 1 other prompts are prefilled while one request decodes its `out` tokens.
 */
export function closedLoopTpotS(
  stepTime: StepTime,
  concurrency: number,
  inputTokens: number,
  outputTokens: number,
  budgetTokens: number,
): number {
  const contextTokens = concurrency * (inputTokens + outputTokens / 2);
  const decodeS = stepTime.decodeBaseS[concurrency]! + stepTime.perContextTokenS * contextTokens;
  const promptTokens = Math.max(1, Math.round(inputTokens));
  let prefillS = 0;
  for (let done = 0; done < promptTokens;) {
    const chunk = Math.min(promptTokens - done, budgetTokens);
    prefillS +=
      stepTime.mixedS(concurrency, contextTokens, chunk, chunk * (done + chunk / 2), concurrency + 1) - decodeS;
    done += chunk;
  }
  return decodeS + ((concurrency - 1) / outputTokens) * prefillS;
}
