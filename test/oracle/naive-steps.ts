/** Steps that a naive stepper has walked, and what they add up to. Seconds, tokens. */
import type { Integrals } from "./scenario.ts";

export interface Step {
  readonly startS: number;
  readonly endS: number;
  readonly sequences: number;
  readonly kvTokens: number;
}

/** Over the steps that have begun, each up to `timeS`. */
export function integralsAt(steps: readonly Step[], timeS: number): Integrals {
  let busyS = 0;
  let sequenceS = 0;
  let kvTokenS = 0;
  for (const { startS, endS, sequences, kvTokens } of steps) {
    const lengthS = Math.min(timeS, endS) - startS;
    busyS += lengthS;
    sequenceS += sequences * lengthS;
    kvTokenS += kvTokens * lengthS;
  }
  return { busyS, sequenceS, kvTokenS };
}
