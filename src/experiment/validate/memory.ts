/** Memory of the engine behind a recorded case: by the formula, and at least what the recording proves. */
import { schedulerDefaults } from "../../catalog/pool-facts.ts";
import { kvCapacity } from "../../engine/kv-capacity.ts";
import type { EngineSpec } from "../../engine/spec.ts";
import { type CaseArrivals, longestRequest } from "./arrivals.ts";
import { kvDtypeOf } from "./assumed.ts";
import { type RecordedCase, meanRequest } from "./case.ts";
import { prefillsApart, requestTokens } from "./serve.ts";
import { type Setup, layoutOf } from "./setup.ts";

export interface Memory {
  /** 0 where the formula leaves none, though the weights fit: that it ran proves that there were some. */
  readonly kvBlocks: number;
  /** The formula's figures, to be scored; a recorded block count overrides them only for the simulation. */
  readonly metrics: Record<string, number>;
}

export function predictMemory(recorded: RecordedCase, setup: Setup): Memory | string {
  const { profile, gpu, llm } = setup;
  const { engineOptions } = recorded;
  const blockTokens = engineOptions.blockTokens ?? profile.blockTokens;
  const defaults = schedulerDefaults(profile, gpu);
  const input = {
    gpu,
    llm,
    weightDtype: setup.weightDtype,
    kvDtype: kvDtypeOf(recorded, setup),
    ...layoutOf(recorded),
    gpuMemoryUtilization: engineOptions.gpuMemoryFraction ?? profile.gpuMemoryUtilization,
    maxNumSeqs: engineOptions.maxNumSeqs ?? defaults.maxNumSeqs,
    maxNumBatchedTokens: budgetTokensOf(recorded, setup),
    blockTokens,
    ...meanRequest(recorded),
    profile: profile.kvCapacity,
  };
  const capacity = kvCapacity(input);
  const { missingGiB, weightsGiB, activationGiB, nonTorchGiB } = capacity;
  const ran = recorded.load.kind !== "startup" && capacity.kvGiB + activationGiB + nonTorchGiB > 0;
  if (missingGiB > 0 && engineOptions.kvBlocks === undefined && !ran)
    return (
      `no KV block fits: weights ${weightsGiB.toFixed(2)}, activation ${activationGiB.toFixed(2)} and other ` +
      `${nonTorchGiB.toFixed(2)} GiB a GPU lack ${missingGiB.toFixed(2)} GiB`
    );
  const metrics = {
    kvBlocks: capacity.kvBlocks,
    kvTokens: capacity.kvTokens,
    kvCacheGiBPerGpu: capacity.kvGiB,
    weightsGiBPerGpu: weightsGiB,
    activationPeakGiB: activationGiB,
    nonTorchGiB,
  };
  // A server without room for what it served had other limits than the defaults.
  const fewer = { maxNumSeqs: FEWER_SEQS, maxNumBatchedTokens: Math.min(input.maxNumBatchedTokens, FEWER_TOKENS) };
  const isDefault = engineOptions.maxNumSeqs === undefined && engineOptions.maxNumBatchedTokens === undefined;
  const tooSmall = capacity.kvTokensPerRank < provenTokens(recorded, longestRequest(recorded.load));
  const kvBlocks = isDefault && tooSmall ? kvCapacity({ ...input, ...fewer }).kvBlocks : capacity.kvBlocks;
  return { kvBlocks: engineOptions.kvBlocks ?? kvBlocks, metrics };
}

/** What vLLM takes by default where memory is small (engine/arg_utils.py). */
const FEWER_SEQS = 256;
const FEWER_TOKENS = 2048;

/** Tokens that the KV cache holds for certain: the longest request that was served, and vLLM does not start without room for `maxModelLen`. */
function provenTokens({ engine, engineOptions }: RecordedCase, longest: number): number {
  return Math.max(longest, engine === "vllm" ? (engineOptions.maxModelLen ?? 0) : 0);
}

/** Longest prompt that a step is taken to have room for by default: beyond it vLLM chunks prompts. */
const LONGEST_WHOLE_PROMPT = 32_768;

/** As recorded, else the engine's default, which without chunked prefill is at least the longest prompt. */
export function budgetTokensOf(recorded: RecordedCase, { profile, gpu, llm }: Setup): number {
  const { maxNumBatchedTokens, maxModelLen = llm.maxContext } = recorded.engineOptions;
  if (maxNumBatchedTokens !== undefined) return maxNumBatchedTokens;
  const budget = schedulerDefaults(profile, gpu).maxNumBatchedTokens;
  return prefillsApart(recorded, llm.maxContext)
    ? Math.max(budget, Math.min(maxModelLen, LONGEST_WHOLE_PROMPT))
    : budget;
}

/** The engine with a KV cache that holds at least what the recording proves, where its size is not recorded. */
export function withProvenCache(engine: EngineSpec, recorded: RecordedCase, arrivals: CaseArrivals): EngineSpec {
  const kvBlocks = provenBlocks(recorded, engine, requestTokens(arrivals).longest);
  return kvBlocks === engine.kvBlocks ? engine : { ...engine, kvBlocks };
}

/** Blocks of one replica, all its ranks together: those it is taken to have, or what the recording proves if that is more. */
export function provenBlocks(
  recorded: RecordedCase,
  { kvBlocks, blockTokens }: Pick<EngineSpec, "kvBlocks" | "blockTokens">,
  longest: number,
): number {
  if (recorded.engineOptions.kvBlocks !== undefined) return kvBlocks;
  return Math.max(kvBlocks, Math.ceil(provenTokens(recorded, longest) / blockTokens) * Math.max(1, recorded.dp));
}

/** Where the simulated engine has more blocks than the formula gives it. */
export function cacheCaveats(
  recorded: RecordedCase,
  { profile }: Setup,
  { metrics }: Memory,
  kvBlocks: number,
): readonly string[] {
  const { engineOptions } = recorded;
  const { blockTokens = profile.blockTokens } = engineOptions;
  const computed = metrics["kvBlocks"]!;
  if (engineOptions.kvBlocks !== undefined || kvBlocks <= computed) return [];
  return [
    `the KV cache is taken to hold ${kvBlocks * blockTokens} tokens: by the formula it holds ${computed * blockTokens}, too few for what was served, so the engine had other options than its defaults`,
  ];
}
