/** What `--steps` recorded of one run: the steps as columns, and what became of each request meanwhile. */

/** One row per step or stretch of steps; sizes are of its first step, as it was formed. */
export interface StepTable {
  readonly pool: string[];
  /** Number of the replica in its pool. */
  readonly replica: number[];
  /** Names of the batching policy and the queue order. */
  readonly policy: string[];
  readonly startS: number[];
  readonly endS: number[];
  readonly steps: number[];
  readonly decodeSeqs: number[];
  readonly prefillSeqs: number[];
  readonly prefillTokens: number[];
  /** Context that the decoding sequences attend to. */
  readonly contextTokens: number[];
  /** Of the token budget, and the budget. */
  readonly budgetUsedTokens: number[];
  readonly budgetTokens: number[];
  readonly running: number[];
  readonly waiting: number[];
  readonly kvBlocksUsed: number[];
  readonly kvBlocksFree: number[];
  /** Of the free ones those that a prefix cache keeps: a prompt may find what they hold until they are taken for something else. */
  readonly kvBlocksCached: number[];
  /** Requests taken into the batch, and sent back to the queue, when it was formed; and those that ended with it. */
  readonly admitted: number[];
  readonly preempted: number[];
  readonly finished: number[];
  /** Moving KV to and from the host, part of the step's duration. */
  readonly transferS: number[];
  /** Number of the request that is first in the queue; null when nobody waits. */
  readonly queueHead: (number | null)[];
}

/** One row each time that a replica comes to rest, and again when its queue changes while it rests: no step is under way from then on. */
export interface RestTable {
  readonly pool: string[];
  readonly replica: number[];
  readonly atS: number[];
  readonly waiting: number[];
  readonly kvBlocksUsed: number[];
  readonly kvBlocksCached: number[];
}

/** One row per request and what it did for a while at one replica. */
export interface SpanTable {
  readonly pool: string[];
  readonly replica: number[];
  readonly request: number[];
  readonly className: string[];
  /** queued, prefill, decode, preempted */
  readonly phase: string[];
  readonly startS: number[];
  readonly endS: number[];
}

export interface StepRecord {
  readonly strategy: string;
  readonly replication: number;
  readonly steps: StepTable;
  readonly spans: SpanTable;
  readonly rests: RestTable;
}
