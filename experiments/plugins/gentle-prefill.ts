/**
 * A scheduler of one's own, complete: chunked prefill that is gentle with answers under way. A step that decodes takes only a
 * few tokens of prompts, so that no gap between tokens is long; a step without decodes takes as many as the budget allows.
 *
 *   npx crossover conform experiments/plugins/gentle-prefill.ts
 *   npx crossover compare experiments/plugins/gentle-prefill.yaml --plugin experiments/plugins/gentle-prefill.ts
 */
import { NO_BLOCKS, NONE, type BatchingPlugin } from "crossover/policies";

export const gentlePrefill: BatchingPlugin = {
  kind: "batching",
  name: "gentle-prefill",
  doc: "Chunked prefill with at most prefillTokens of prompts in a step that decodes, and the whole budget in one that does not.",
  options: {
    prefillTokens: { default: 256, min: 1, max: 65_536, doc: "prompt tokens in a step that decodes" },
  },
  create: ({ prefillTokens }) => ({
    schedule(step) {
      let preempted = false;
      while (!step.decodeAll()) {
        step.preempt(step.victim());
        preempted = true;
      }
      // The part of the budget that prompts must leave alone.
      const decodes = step.budgetTokens < step.maxNumBatchedTokens;
      const reserve = decodes ? Math.max(0, step.budgetTokens - prefillTokens!) : 0;
      const room = (): number => Math.min(step.budgetTokens - reserve, step.longestChunkTokens);

      for (let request = step.nextPrefill(); request !== NONE && room() > 0; request = step.nextPrefill()) {
        if (step.prefill(request, room()) !== NO_BLOCKS) continue;
        step.preempt(step.victim());
        preempted = true;
      }
      if (preempted) return;
      for (let request = step.firstWaiting(); request !== NONE && room() > 0; request = step.firstWaiting())
        if (step.admit(request, room()) <= 0) return;
    },
    // Once all decode and nobody can join, nothing changes until something ends or comes: the simulator may leap there.
    leap: () => Infinity,
    // An arrival matters when there is a seat for it and it is first in the queue.
    wakes: (step, request) => step.runningCount < step.maxNumSeqs && step.firstWaiting() === request,
  }),
};
