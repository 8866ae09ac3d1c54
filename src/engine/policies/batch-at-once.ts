/**
 * What static and dynamic batching share: how many a batch takes is settled when it starts, and nobody joins until it has ended.
 * Its prompts come in the order of the queue, in as many steps as the token budget needs, and answers begin when all are
 * complete: prompts and decodes never share a step. Where the KV cache is full the batch goes on with those it has. After a batch
 * that sent somebody away the next starts at once, with whoever is first in the queue.
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
  /** Seats that the batch under way still wants to fill, before its answers begin. */
  let wanted = 0;
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
  const fill = (step: StepView): void => {
    for (; wanted > 0 && step.budgetTokens > 0; wanted--, seats++) {
      const request = step.firstWaiting();
      if (request === NONE || step.admit(request, step.maxNumBatchedTokens) <= 0) wanted = 0;
      if (wanted === 0) return;
    }
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
        wanted = Math.min(step.waitingCount, batchSize, step.maxNumSeqs);
        fill(step);
        return;
      }
      // A prompt that the token budget cut goes on before the next.
      for (let request = step.nextPrefill(); request !== NONE; request = step.nextPrefill()) {
        let taken = step.prefill(request, step.maxNumBatchedTokens);
        while (taken === NO_BLOCKS && preempt(step) !== request)
          taken = step.prefill(request, step.maxNumBatchedTokens);
        if (taken <= 0) break;
      }
      if (sentAway > 0) wanted = 0;
      fill(step);
      if (step.budgetTokens < step.maxNumBatchedTokens) return;
      while (!step.decodeAll()) preempt(step);
      if (padded) step.padDecodesTo(seats);
    },
    leap: () => Infinity,
    wakes: () => false,
  };
}
