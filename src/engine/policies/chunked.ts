import { NO_BLOCKS, NONE, type BatchingPlugin, type StepView } from "./policy.ts";

/** Chunks for prompts under way; whoever stands in the way of one is sent away. True when somebody was. */
function continuePrefills(step: StepView): boolean {
  let preempted = false;
  for (let request = step.nextPrefill(); request !== NONE; request = step.nextPrefill()) {
    let taken = step.prefill(request, step.longestChunkTokens);
    while (taken === NO_BLOCKS) {
      const victim = step.victim();
      step.preempt(victim);
      preempted = true;
      // Gone itself: those behind it may find room now (vLLM leaves them to the next step).
      if (victim === request) break;
      taken = step.prefill(request, step.longestChunkTokens);
    }
    if (taken === 0) break;
  }
  return preempted;
}

export const chunked: BatchingPlugin = {
  kind: "batching",
  name: "chunked",
  doc: "Continuous batching with chunked prefill (vLLM V1): decodes first, then chunks of prompts, then admissions, under one token budget.",
  options: {},
  create: () => ({
    schedule(step) {
      let preempted = false;
      while (!step.decodeAll()) {
        step.preempt(step.victim());
        preempted = true;
      }
      if (continuePrefills(step)) preempted = true;
      if (preempted) return;
      for (let request = step.firstWaiting(); request !== NONE; request = step.firstWaiting()) {
        if (step.admit(request, step.longestChunkTokens) <= 0) return;
      }
    },
    leap: () => Infinity,
    wakes: (step, request) => step.runningCount < step.maxNumSeqs && step.firstWaiting() === request,
  }),
};
