/**
 * Batching policies and queue orders as plug-ins: one file each, entered in `registry.ts` or loaded by `--plugin`. A policy
 * says at each step boundary what the next step holds; the replica (`policy-replica.ts`) keeps budget, blocks and clock, and
 * refuses what does not fit, so a policy can be wrong about speed but never about conservation.
 *
 *   INV-7  no policy reads the length of an answer: it sees at most a prediction with a stated error.
 */

/** No request: what `firstWaiting` and `victim` give when there is none. */
export const NONE = -1;
/** `prefill` and `admit`: the KV blocks do not suffice. */
export const NO_BLOCKS = -1;

export interface PolicyOption {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly doc: string;
  /** A count: fractions are refused. */
  readonly whole?: boolean;
}

/** What every plug-in declares; options are numbers, so that an experiment can sweep them. */
interface Plugin {
  readonly name: string;
  /** One or two sentences for `crossover catalog policies` and the report. */
  readonly doc: string;
  readonly options: Readonly<Record<string, PolicyOption>>;
}

/** Requests are numbers, valid while they wait or run. Tokens and seconds of simulated time. */
export interface RequestFacts {
  inputTokens(request: number): number;
  /** The client's max_tokens: an upper bound of the answer. */
  maxOutputTokens(request: number): number;
  /** Arrival at this replica. */
  arrivedS(request: number): number;
  /** Priority of its class, lower is more urgent (vLLM's convention). */
  priority(request: number): number;
  /** Instant by which its first token is due under the SLO of its class; Infinity without one. */
  deadlineS(request: number): number;
  /** Whose request it is: the index of its class. */
  tenant(request: number): number;
  /** A prediction of the answer's length with a log-normal error of `sigma`, the same each time it is asked. */
  predictedOutputTokens(request: number, sigma: number): number;
}

/** A step boundary, as a policy sees it and acts on it. */
export interface StepView extends RequestFacts {
  readonly nowS: number;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  /** Longest chunk of one prompt in one step. */
  readonly longestChunkTokens: number;
  readonly blockTokens: number;
  readonly kvBlocks: number;
  readonly freeBlocks: number;
  /** Tokens that this step may still take. */
  readonly budgetTokens: number;

  readonly waitingCount: number;
  /** First of the queue in the order of its discipline. */
  firstWaiting(): number;
  /**
   * The i-th that waits, in no order: one that picks by a key of its own needs an answer to ties, for requests may come at one instant with
   * prompts of one length. `predictedOutputTokens(request, 1)` differs between any two and is the same in every executor.
   */
  waitingAt(i: number): number;
  readonly runningCount: number;
  /** The i-th that runs, in order of admission. */
  runningAt(i: number): number;
  isDecoding(request: number): boolean;
  /** Output tokens so far. */
  generatedTokens(request: number): number;
  /** Tokens of context still to be computed before it decodes; for one that waits, without what the prefix cache holds. */
  prefillTokensLeft(request: number): number;

  /**
   * One token for every decoding sequence. False, and nothing done, when their new blocks are not free. A full batch of decodes
   * always fits the budget, so it is not looked at: call this before prompts take their part.
   */
  decodeAll(): boolean;
  /** One token for one decoding sequence; false when its new block is not free or the budget is spent. */
  decode(request: number): boolean;
  /** The next sequence in order of admission with its prompt incomplete and no chunk in this step yet; NONE when there is none. */
  nextPrefill(): number;
  /** A chunk of at most `tokens` for a running prompt: tokens taken, 0 without budget, NO_BLOCKS. Each prompt once a step. */
  prefill(request: number, tokens: number): number;
  /** Takes a waiting request into the batch with a chunk of at most `tokens`: tokens taken, 0 without budget or seat, NO_BLOCKS. */
  admit(request: number, tokens: number): number;
  /** Whom the queue order would send away first. */
  victim(): number;
  /**
   * Sends a running sequence back to the queue; what it had in this step is taken back. It may be admitted again in the same step, at the
   * price of its way out and in (recomputed, or swapped twice).
   */
  preempt(request: number): void;
  /** Decode steps cost as much as with so many sequences: seats of a batch that stay taken until its last answer ends. */
  padDecodesTo(sequences: number): void;
  /** When nothing was scheduled: ask again at this time, or when a request comes. */
  wakeAt(timeS: number): void;
}

/** The state of one policy in one replica. */
export interface BatchingPolicy {
  /** Decides the next step through `step`. Called at every boundary that is visited. */
  schedule(step: StepView): void;
  /**
   * The leap condition. Called after a `schedule` that gave every running sequence one decode and did nothing else: over how many
   * steps (this one included) would it do just the same, as long as nothing ends, is cancelled or lacks a block and no arrival
   * cuts in? (Steps are walked anyway while the first that waits could get in for reasons of its own: a fair share, evicted blocks.) Infinity is usual; 1 = walk. A policy without it is walked.
   * In the steps that are leapt over neither `schedule` nor `leap` is called: what a policy counts by its calls stands still, what it takes from `nowS` goes on. `crossover conform` tries the claim.
   */
  leap?(step: StepView): number;
  /**
   * Can a request that has just joined the queue change what the steps under way hold? Asked at arrivals during a leap, and of the
   * first that waits before one; true when left out.
   */
  wakes?(step: StepView, request: number): boolean;
}

export interface BatchingPlugin extends Plugin {
  readonly kind: "batching";
  /** Called for each replica; what the policy remembers is made here, so that replicas share nothing. */
  create(options: Readonly<Record<string, number>>): BatchingPolicy;
}

/** The state of one queue order in one replica. */
export interface QueueOrder {
  /** Smaller goes first; equals in order of arrival. Asked when the request joins the queue; 0 for all = first come first served. */
  key(facts: RequestFacts, request: number): number;
}

/** Fair shares need more than a key: what each tenant has had so far. */
export interface TenantCharges {
  /**
   * Charged to the tenant for each token of the prompt at its first admission, but for those that the prefix cache holds or another
   * replica has computed, and for each token of the answer as it comes out. Both above 0: who is charged nothing stays the
   * poorest, and would be served before all others.
   */
  readonly inputWeight: number;
  readonly outputWeight: number;
}

export interface OrderPlugin extends Plugin {
  readonly kind: "order";
  /** Who is preempted: the last admitted, or the one with the largest key and of equals the last to arrive (vLLM's priorities). */
  readonly victim: "last-admitted" | "least-urgent";
  create(options: Readonly<Record<string, number>>): QueueOrder;
  /** Set by orders that serve the tenant with the least service so far first, and inside a tenant by key. */
  charges?(options: Readonly<Record<string, number>>): TenantCharges;
}

export type PolicyPlugin = BatchingPlugin | OrderPlugin;
