/** How a replica schedules its requests: the policy names and options of a pool, all resolved. */

export interface PolicyChoice {
  readonly name: string;
  readonly options: Readonly<Record<string, number>>;
}

export interface SchedulerSpec {
  readonly batching: PolicyChoice;
  readonly order: PolicyChoice;
  /** What becomes of the KV of a preempted sequence: thrown away and computed again, or moved to host memory and back. */
  readonly preemption: "recompute" | "swap";
  /** Seconds to move the KV of one token between a GPU and its host, and the tokens that the host has room for. */
  readonly swapSPerToken: number;
  readonly swapSpaceTokens: number;
  /**
   * `optimistic` admits when the next chunk has blocks (vLLM); `reserve` only when prompt and max_tokens have, so that nothing is
   * ever preempted (TensorRT-LLM's GUARANTEED_NO_EVICT).
   */
  readonly admission: "optimistic" | "reserve";
  /** Which cached block makes room first; null = no prefix cache. */
  readonly prefixCache: { readonly eviction: "lru" | "fifo" | "lfu" } | null;
  /**
   * Draft tokens a step with the probability that each is accepted; null = off. Exact ones are drawn, so their steps are walked.
   * They count in the token budget, which decodes may overdraw, and have blocks of their own, but never beyond prompt and
   * max_tokens: what `reserve` set aside suffices, and a request that fits without drafts fits with them.
   */
  readonly speculative: SpeculativeSpec | null;
  /** A decode step costs as much as that of the next of these sizes; rising; null = no padding. */
  readonly capturedBatchSizes: readonly number[] | null;
  /** `prefill` replicas hand a request on after its first token; `decode` replicas take it with its KV. */
  readonly role: "both" | "prefill" | "decode";
}

export interface SpeculativeSpec {
  readonly draftTokens: number;
  readonly acceptance: number;
  /** One draft step as a share of a plain decode step. */
  readonly draftCost: number;
  /** `mean-field` gives every sequence the mean number of tokens a step, as steps that much shorter. */
  readonly mode: "exact" | "mean-field";
}

/** The choices in a line, defaults left out, for tables. */
export function describeScheduler(scheduler: SchedulerSpec): string {
  const parts = [scheduler.batching.name, scheduler.order.name];
  if (scheduler.preemption === "swap") parts.push("swap");
  if (scheduler.admission === "reserve") parts.push("reserve");
  if (scheduler.prefixCache !== null) parts.push(`prefix cache ${scheduler.prefixCache.eviction}`);
  if (scheduler.speculative !== null)
    parts.push(
      `${scheduler.speculative.draftTokens} drafts${scheduler.speculative.mode === "exact" ? "" : " (mean-field)"}`,
    );
  if (scheduler.capturedBatchSizes !== null) parts.push("padded batches");
  if (scheduler.role !== "both") parts.push(`${scheduler.role} only`);
  return parts.join(", ");
}

/** vLLM's own way: what a pool does that says nothing. */
export const DEFAULT_SCHEDULER: SchedulerSpec = {
  batching: { name: "chunked", options: {} },
  order: { name: "fcfs", options: {} },
  preemption: "recompute",
  swapSPerToken: 0,
  swapSpaceTokens: 0,
  admission: "optimistic",
  prefixCache: null,
  speculative: null,
  capturedBatchSizes: null,
  role: "both",
};

/** Whether the leaping `Replica` does all of it; anything else runs in `PolicyReplica`. */
export function isPlain(scheduler: SchedulerSpec): boolean {
  return (
    scheduler.batching.name === "chunked" &&
    scheduler.order.name === "fcfs" &&
    scheduler.preemption === "recompute" &&
    scheduler.admission === "optimistic" &&
    scheduler.prefixCache === null &&
    scheduler.speculative?.mode !== "exact" &&
    scheduler.role === "both"
  );
}
