/**
 * What static and dynamic batching share: a batch is closed when it starts, and nobody joins until it has ended. A batch is
 * what the token budget of one step takes of the queue, in its order, so that the last prompt may be cut. Prompts and decodes
 * never share a step. After a batch that sent somebody away the next starts at once, with whoever is first in the queue.
 */
import { NO_BLOCKS, NONE, type BatchingPolicy, type StepView } from "./policy.ts";

export interface ClosedBatch {
  readonly batchSize: number;
  /** How long the first of an incomplete batch waits for the rest. */
  readonly waitS: number;
  /** Seats stay taken (and cost decode time) until the longest answer has ended. */
  readonly padded: boolean;
}

export function closedBatches({ batchSize, waitS, padded }: ClosedBatch): BatchingPolicy {
  let seats = 0;
  /** Preempted from the batch under way: they come back before a new batch is made. */
  let sentAway = 0;
  const oldestS = (step: StepView): number => {
    let oldest = Infinity;
    for (let i = 0; i < step.waitingCount; i++) oldest = Math.min(oldest, step.arrivedS(step.waitingAt(i)));
    return oldest;
  };
  const preempt = (step: StepView): number => {
    const victim = step.victim();
    step.preempt(victim);
    sentAway++;
    return victim;
  };
  return {
    schedule(step) {
      if (step.runningCount === 0) {
        if (step.waitingCount < Math.min(batchSize, step.maxNumSeqs) && sentAway === 0) {
          const dueS = oldestS(step) + waitS;
          if (step.nowS < dueS) {
            if (step.waitingCount > 0) step.wakeAt(dueS);
            return;
          }
        }
        seats = sentAway = 0;
        for (let request = step.firstWaiting(); request !== NONE && seats < batchSize; request = step.firstWaiting()) {
          if (step.admit(request, step.maxNumBatchedTokens) <= 0) break;
          seats++;
        }
        return;
      }
      // Prompts of a batch that the token budget cut are completed before its answers begin.
      for (let request = step.nextPrefill(); request !== NONE; request = step.nextPrefill()) {
        let taken = step.prefill(request, step.maxNumBatchedTokens);
        while (taken === NO_BLOCKS && preempt(step) !== request)
          taken = step.prefill(request, step.maxNumBatchedTokens);
        if (taken <= 0) break;
      }
      if (step.budgetTokens < step.maxNumBatchedTokens) return;
      while (!step.decodeAll()) preempt(step);
      if (padded) step.padDecodesTo(seats);
    },
    leap: () => Infinity,
    wakes: () => false,
  };
}
