import { NO_BLOCKS, NONE, type BatchingPlugin, type StepView } from "./policy.ts";

function decodeAll(step: StepView): void {
  while (!step.decodeAll()) step.preempt(step.victim());
}

export const continuous: BatchingPlugin = {
  kind: "batching",
  name: "continuous",
  doc:
    "Continuous batching without chunks (vLLM V0, Orca): whole prompts as soon as they fit, in steps of their own during which decodes stall. " +
    "A prompt longer than the token budget runs alone; if it finds no blocks to go on it goes back and the others decode.",
  options: {},
  create: () => ({
    schedule(step) {
      const unfinished = step.nextPrefill();
      if (unfinished !== NONE) {
        while (step.prefill(unfinished, step.budgetTokens) === NO_BLOCKS) {
          const victim = step.victim();
          step.preempt(victim);
          if (victim === unfinished) {
            decodeAll(step);
            break;
          }
        }
        return;
      }
      let admitted = false;
      for (let request = step.firstWaiting(); request !== NONE; request = step.firstWaiting()) {
        if (admitted && step.prefillTokensLeft(request) > step.budgetTokens) break;
        if (step.admit(request, step.maxNumBatchedTokens) <= 0) break;
        admitted = true;
      }
      if (admitted) return;
      decodeAll(step);
    },
    leap: () => Infinity,
    wakes: (step, request) => step.runningCount < step.maxNumSeqs && step.firstWaiting() === request,
  }),
};
