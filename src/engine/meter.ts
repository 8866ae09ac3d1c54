/** What the outside hears of a replica: the ends of its requests, and sums over the replicas of a pool. */
import type { Sketch } from "../kernel/sketch.ts";

/**
 * What the engine tells whoever owns the requests, in simulated order. Here and elsewhere in the hot loop times travel in
 * columns and fields: a number passed to a call that is not inlined is boxed, and boxes are garbage.
 */
export interface ReplicaSink {
  /** The last output token of a request is out, at `lastTokenS` of its slot; the slot is the sink's again. */
  completed(slot: number): void;
  /** A request cancelled while running has left the batch; its slot is the sink's again. */
  dropped(slot: number): void;
  /** The replica failed with this request waiting or running; its slot is the sink's again. */
  lost(slot: number): void;
  /** A prefill replica has the first token of a request that wants more, at `lastTokenS`; its KV stays there until `letGo`. The slot is the sink's. */
  prefilled?(slot: number): void;
  /** A replica that decodes has room for the KV of a request that was handed on: `letGo` of it where it was prefilled. */
  tookOver?(slot: number): void;
}

/** What the replicas of one pool add up to; plain sums, reset by the owner. */
export class EngineMeter {
  busyS = 0;
  /** ∫ sequences in the batch dt. */
  occupancySeqS = 0;
  /** ∫ tokens held in the KV cache dt. */
  kvTokenS = 0;
  steps = 0;
  /** Ends of steps and stretches that were visited: what leaping leaves of the steps. */
  boundaries = 0;
  prefillTokens = 0;

  preemptions = 0;
  /** Prompt tokens looked for in the prefix cache, and found. */
  prefixTokensAsked = 0;
  prefixTokensFound = 0;
  swappedOutTokens = 0;
  draftTokens = 0;
  acceptedTokens = 0;
  /** Gaps between two tokens of a sequence, by class. */
  readonly itlS: readonly Sketch[];

  constructor(itlS: readonly Sketch[]) {
    this.itlS = itlS;
  }

  /** At the end of the warm-up; steps and boundaries are of the whole run. */
  forgetCounts(): void {
    this.preemptions = this.prefixTokensAsked = this.prefixTokensFound = 0;
    this.swappedOutTokens = this.draftTokens = this.acceptedTokens = 0;
  }
}
