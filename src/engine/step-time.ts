/** How long one engine step takes: the only thing the step loop knows of GPUs and models. */
export interface StepTime {
  /**
   * Decode-only steps are affine in context, which is what makes leaping exact: a step of `d` sequences with `c` tokens
   * of context in all lasts `decodeBaseS[d] + perContextTokenS·c` seconds. Length maxNumSeqs + 1; entry 0 is unused.
   */
  readonly decodeBaseS: Float64Array;
  readonly perContextTokenS: number;
  /**
   * Seconds of a step with prefill in it: `decodeSeqs` sequences decoding over `contextTokens`, `prefillTokens` > 0
   * scheduled in chunks, `attendedPairs` = sum over those tokens of the context each attends to
   * (a chunk of c tokens after d done: c·(d + c/2)), `prompts` = how many chunks these are, each of a prompt of its own.
   */
  mixedS(
    decodeSeqs: number,
    contextTokens: number,
    prefillTokens: number,
    attendedPairs: number,
    prompts: number,
  ): number;
}
