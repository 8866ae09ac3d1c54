/** How recorded requests are served: by which engine's rules, and by the cheapest simulation that follows them. */
import { DEFAULT_SCHEDULER, type SchedulerSpec } from "../../engine/scheduler-spec.ts";
import type { EngineSpec } from "../../engine/spec.ts";
import type { StepTime } from "../../engine/step-time.ts";
import type { CaseArrivals } from "./arrivals.ts";
import { cachesPrefixes, chunksPrefills } from "./assumed.ts";
import type { RecordedCase } from "./case.ts";
import { type GapGroups, gapGroups } from "./gaps.ts";
import type { CaseTimes } from "./metrics.ts";
import type { Routing } from "./setup.ts";

/**
 * Runs replicas over the requests of a load, first come first served. `arrivalS` of the result is when each was sent; the
 * times of a request that never finished are NaN.
 */
export type CaseSimulator = (input: SimulatorInput) => CaseTimes;

/** Replicas of one kind. */
export interface ServingPool {
  readonly engine: EngineSpec;
  readonly stepTime: StepTime;
  readonly replicas: number;
  readonly router: Routing;
}

interface SimulatorInput extends ServingPool {
  readonly arrivals: CaseArrivals;
  readonly scheduler: SchedulerSpec;
  /** Whose gaps between tokens are counted apart; null = gaps are not counted. */
  readonly gapGroups?: GapGroups | null;
  /** Where requests go after their first token, and how long that takes; null = they stay. */
  readonly handOff: (ServingPool & { readonly sPerToken: number; readonly latencyS: number }) | null;
}

/** Assumed, as in experiments: a draft head or model of a tenth of the weights. */
export const DRAFT_COST = 0.1;

/** Drafts as recorded; their acceptance is drawn. */
export function draftsOf({ engineOptions }: RecordedCase): SchedulerSpec["speculative"] {
  const { speculativeTokens: draftTokens = 0, speculativeAcceptance: acceptance } = engineOptions;
  if (draftTokens === 0 || acceptance === undefined) return null;
  return { draftTokens, acceptance, draftCost: DRAFT_COST, mode: "exact" };
}

/** Without chunked prefill vLLM and SGLang give prompts steps of their own; TensorRT-LLM mixes them in all the same. */
export function prefillsApart(recorded: RecordedCase, modelTokens: number): boolean {
  return recorded.engine !== "trtllm" && !chunksPrefills(recorded, modelTokens);
}

/** TensorRT-LLM takes a request only when KV for its whole answer is free (its default policy, guaranteed no evict). */
export function reservesAnswers({ engine }: RecordedCase): boolean {
  return engine === "trtllm";
}

/**
 * One simulation under the engine's own way to admit and to keep: where room for whole answers is not reserved, requests are taken and preempted. All keep what they computed in
 * a prefix cache unless the recording says that it was off, or its engine had none by default.
 */
export function serve(
  recorded: RecordedCase,
  simulator: CaseSimulator,
  deployment: Omit<SimulatorInput, "scheduler" | "gapGroups">,
): CaseTimes {
  const apart = prefillsApart(recorded, deployment.engine.maxModelLen);
  const batching = { name: apart ? "continuous" : "chunked", options: {} };
  const speculative = draftsOf(recorded);
  const scheduled = { ...DEFAULT_SCHEDULER, batching, speculative };
  // The tokens of a step with drafts come out at once, while the engine counts the step in equal parts: no gap that a client sees.
  const groups = speculative === null ? gapGroups(deployment.arrivals, recorded.load.warmupRequests ?? 0) : null;
  const input: SimulatorInput = { ...deployment, scheduler: scheduled, gapGroups: groups };
  const { engine, arrivals, handOff } = input;
  const reserves = reservesAnswers(recorded);
  const prefixCache = cachesPrefixes(recorded) ? ({ eviction: "lru" } as const) : null;
  const scheduler: SchedulerSpec = { ...input.scheduler, admission: reserves ? "reserve" : "optimistic", prefixCache };
  if (handOff !== null || arrivals.content !== null) return simulator({ ...input, scheduler });
  // The cheaper simulations that come to the same follow. Reserved room for requests of one length limits how many run.
  const tokens = requestTokens(arrivals);
  if (reserves && tokens.shortest < tokens.longest) return simulator({ ...input, scheduler });
  const room = Math.floor(engine.kvBlocks / Math.ceil(tokens.longest / engine.blockTokens));
  if (reserves) return simulator({ ...input, engine: { ...engine, maxNumSeqs: Math.min(engine.maxNumSeqs, room) } });
  // Where nothing is shared a prefix cache is of use to preempted requests alone.
  const times = simulator(input);
  return times.preemptions > 0 && prefixCache !== null ? simulator({ ...input, scheduler }) : times;
}

/** Shortest and longest request, prompt and answer together. */
export function requestTokens({ inputTokens, outputTokens }: CaseArrivals): { shortest: number; longest: number } {
  let shortest = Infinity;
  let longest = 0;
  for (let i = 0; i < inputTokens.length; i++) {
    const tokens = inputTokens[i]! + outputTokens[i]!;
    shortest = Math.min(shortest, tokens);
    longest = Math.max(longest, tokens);
  }
  return { shortest, longest };
}

/** Requests that the engine would not take: longer than the whole cache. */
export function unservable(arrivals: CaseArrivals, engine: EngineSpec): string | null {
  const cacheTokens = engine.kvBlocks * engine.blockTokens;
  const { longest } = requestTokens(arrivals);
  if (longest > cacheTokens)
    return `a request of ${longest} tokens does not fit into the KV cache of ${cacheTokens} tokens`;
  return null;
}
