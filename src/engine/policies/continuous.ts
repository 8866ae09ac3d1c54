import { NO_BLOCKS, NONE, type BatchingPlugin } from "./policy.ts";

export const continuous: BatchingPlugin = {
  kind: "batching",
  name: "continuous",
  doc:
    "Continuous batching without chunks (vLLM V0, Orca): whole prompts as soon as they fit, in steps of their own during which decodes stall. " +
    "A prompt longer than the token budget runs alone.",
  options: {},
  create: () => ({
    schedule(step) {
      let preempted = false;
      for (let request = step.nextPrefill(); request !== NONE; request = step.nextPrefill()) {
        let taken = step.prefill(request, step.budgetTokens);
        while (taken === NO_BLOCKS) {
          const victim = step.victim();
          step.preempt(victim);
          preempted = true;
          // It had to go itself: the others go on.
          if (victim === request) break;
          taken = step.prefill(request, step.budgetTokens);
        }
        if (taken >= 0) return;
      }
      let admitted = false;
      for (let request = step.firstWaiting(); request !== NONE && !preempted; request = step.firstWaiting()) {
        if (admitted && step.prefillTokensLeft(request) > step.budgetTokens) break;
        if (step.admit(request, step.maxNumBatchedTokens) <= 0) break;
        admitted = true;
      }
      if (admitted) return;
      while (!step.decodeAll()) step.preempt(step.victim());
    },
    leap: () => Infinity,
    wakes: (step, request) => step.runningCount < step.maxNumSeqs && step.firstWaiting() === request,
  }),
};
