/** How recorded requests are served: by which engine's rules, and by the cheapest simulation that follows them. */
import { DEFAULT_SCHEDULER, type SchedulerSpec } from "../../engine/scheduler-spec.ts";
import type { EngineSpec } from "../../engine/spec.ts";
import type { StepTime } from "../../engine/step-time.ts";
import type { CaseArrivals } from "./arrivals.ts";
import type { RecordedCase } from "./case.ts";
import type { CaseTimes } from "./metrics.ts";
import type { Routing } from "./setup.ts";

/**
 * Runs replicas over the requests of a load, first come first served. `arrivalS` of the result is when each was sent; the
 * times of a request that never finished are NaN.
 */
export type CaseSimulator = (input: SimulatorInput) => CaseTimes;

interface SimulatorInput {
  readonly engine: EngineSpec;
  readonly stepTime: StepTime;
  readonly arrivals: CaseArrivals;
  readonly replicas: number;
  readonly router: Routing;
  readonly scheduler: SchedulerSpec;
}

/**
 * One simulation under the engine's own way to admit and to keep: TensorRT-LLM takes a request only when KV for its whole
 * answer is free (its default policy, guaranteed no evict); the others take it and preempt. All keep what they computed in
 * a prefix cache unless the recording says that it was off.
 */
export function serve(
  recorded: RecordedCase,
  simulator: CaseSimulator,
  deployment: Omit<SimulatorInput, "scheduler">,
): CaseTimes {
  const input: SimulatorInput = { ...deployment, scheduler: DEFAULT_SCHEDULER };
  const { engine, arrivals } = input;
  const reserves = recorded.engine === "trtllm";
  const prefixCache = recorded.engineOptions.prefixCaching === false ? null : ({ eviction: "lru" } as const);
  const scheduler: SchedulerSpec = { ...input.scheduler, admission: reserves ? "reserve" : "optimistic", prefixCache };
  if (arrivals.content !== null) return simulator({ ...input, scheduler });
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
function requestTokens({ inputTokens, outputTokens }: CaseArrivals): { shortest: number; longest: number } {
  let shortest = Infinity;
  let longest = 0;
  for (let i = 0; i < inputTokens.length; i++) {
    const tokens = inputTokens[i]! + outputTokens[i]!;
    shortest = Math.min(shortest, tokens);
    longest = Math.max(longest, tokens);
  }
  return { shortest, longest };
}

/** Requests that no engine would take: longer than the whole cache, or a conversation that outgrew the model. */
export function unservable(arrivals: CaseArrivals, engine: EngineSpec): string | null {
  const cacheTokens = engine.kvBlocks * engine.blockTokens;
  const { longest } = requestTokens(arrivals);
  if (longest > cacheTokens)
    return `a request of ${longest} tokens does not fit into the KV cache of ${cacheTokens} tokens`;
  if (arrivals.after !== null && longest > engine.maxModelLen)
    return `conversations grow to ${longest} tokens, beyond the model's ${engine.maxModelLen}`;
  return null;
}
