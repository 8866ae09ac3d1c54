/** How a replica schedules its requests: the policy names and options of a pool, all resolved. */
import type { EngineSpec } from "./spec.ts";

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

/** Limits of a step that stand in the line of `describeScheduler`. */
type StepLimits = Pick<EngineSpec, "maxNumSeqs" | "maxNumBatchedTokens" | "longPrefillTokenThreshold">;

/** The choices in a line with the values of their options, for tables; what is off is left out. */
export function describeScheduler(scheduler: SchedulerSpec, limits: StepLimits): string {
  const { batching, order, preemption, prefixCache, speculative, capturedBatchSizes, role } = scheduler;
  const parts = [withValues(batching), withValues(order)];
  if (preemption === "swap") parts.push(`swap (up to ${scheduler.swapSpaceTokens} tokens)`);
  if (scheduler.admission === "reserve") parts.push("reserve");
  if (prefixCache !== null) parts.push(`prefix cache ${prefixCache.eviction}`);
  if (speculative !== null) {
    const { draftTokens, acceptance, draftCost, mode } = speculative;
    const how = mode === "exact" ? "" : ", mean-field";
    parts.push(`${draftTokens} drafts (acceptance ${acceptance}, cost ${draftCost}${how})`);
  }
  if (capturedBatchSizes !== null)
    parts.push(
      `padded batches (${capturedBatchSizes.length === 1 ? "of" : `${capturedBatchSizes.length} sizes up to`} ${capturedBatchSizes.at(-1)})`,
    );
  if (role !== "both") parts.push(`${role} only`);
  parts.push(`at most ${limits.maxNumSeqs} sequences and ${limits.maxNumBatchedTokens} tokens a step`);
  if (limits.longPrefillTokenThreshold > 0) parts.push(`chunks up to ${limits.longPrefillTokenThreshold}`);
  return parts.join(", ");
}

/** `static (batchSize 16, timeoutMs 100)` */
function withValues({ name, options }: PolicyChoice): string {
  const values = Object.entries(options).map(([option, value]) => `${option} ${value}`);
  return values.length === 0 ? name : `${name} (${values.join(", ")})`;
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
