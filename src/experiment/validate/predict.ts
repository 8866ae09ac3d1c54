/**
 * Predicts what a recorded case measured, or says why it cannot. Coefficients come from the sets fitted on calibration
 * groups alone, so that cases with the role validation stay unseen.
 *
 *   startup              memory and KV blocks, by `kv-capacity.ts`
 *   closed               mean TPOT, by the closed-loop formula that the coefficients were fitted with
 *   open, offline, trace everything that times give, by simulating one replica
 */
import { find } from "../../catalog/catalog.ts";
import { schedulerDefaults } from "../../catalog/pool-facts.ts";
import type { Catalog, CatalogEntry } from "../../catalog/schema.ts";
import {
  type ChosenCoefficients,
  type CoefficientRequest,
  type ResidualBandPercent,
  chooseCoefficients,
  llmClass,
  outsideValidatedRange,
} from "../../engine/coefficients.ts";
import { kvCapacity } from "../../engine/kv-capacity.ts";
import type { EngineSpec, GpuSpec, KvDtype } from "../../engine/spec.ts";
import type { StepTime } from "../../engine/step-time.ts";
import { type WeightFormat, createStepTime } from "../../engine/step-time-physics.ts";
import { type CaseArrivals, LoadError, caseArrivals } from "./arrivals.ts";
import { type RecordedCase, meanTokens } from "./case.ts";
import { type CaseTimes, caseMetrics } from "./metrics.ts";

/** Runs one replica over requests at given times, first come first served. Times of a request that never finished are NaN. */
export type CaseSimulator = (input: {
  readonly engine: EngineSpec;
  readonly stepTime: StepTime;
  readonly arrivals: CaseArrivals;
}) => CaseTimes;

export interface Prediction {
  readonly predicted: Readonly<Record<string, number>>;
  /** Coefficient set that stands behind the times; null where none was needed. */
  readonly scope: string | null;
  readonly bandPercent: ResidualBandPercent | null;
  readonly outsideValidatedRange: string | null;
  /** Why (the rest of) the case was not predicted; null = all of it was. */
  readonly refused: string | null;
}

/** What a prediction needs beside the case. */
export interface PredictionTools {
  readonly catalog: Catalog;
  readonly simulate: CaseSimulator | null;
  /** Text of a file named by the case, relative to the case file; null when it cannot be read. */
  readonly readText: (path: string) => string | null;
}

/** Everything a case names, looked up. */
interface Setup {
  readonly gpu: GpuSpec;
  readonly llm: CatalogEntry<"llms">;
  readonly weightDtype: WeightFormat;
  readonly profile: CatalogEntry<"engines"> | null;
  readonly request: CoefficientRequest;
}

const WEIGHT_FORMATS: readonly WeightFormat[] = ["bf16", "fp8", "fp8-block", "nvfp4"];
/** Token budget of the closed-loop formula, as in the fit: what the engines default to on large GPUs. */
const CLOSED_LOOP_BUDGET_TOKENS: Readonly<Record<string, number>> = { vllm: 8192, trtllm: 8192, sglang: 16_384 };

function refusal(reason: string): Prediction {
  return { predicted: {}, scope: null, bandPercent: null, outsideValidatedRange: null, refused: reason };
}

/** Never throws for what a case says, nor when the simulator breaks on it: such cases are refused with a reason. */
export function predictCase(recorded: RecordedCase, tools: PredictionTools): Prediction {
  const shape = unmodelledShape(recorded);
  if (shape !== null) return refusal(shape);
  const setup = lookUp(recorded, tools.catalog);
  if (typeof setup === "string") return refusal(setup);
  const memory = predictMemory(recorded, setup);
  if (recorded.load.kind === "startup")
    return typeof memory === "string" ? refusal(memory) : { ...refusal(""), predicted: memory.metrics, refused: null };

  const sets = [...tools.catalog.coefficients.values()];
  const chosen = chooseCoefficients(sets, setup.request, "calibration");
  const prediction = {
    scope: chosen.coefficients.scope,
    bandPercent: chosen.bandPercent,
    outsideValidatedRange: outsideValidatedRange(sets, setup.request),
  };
  if (recorded.load.kind === "closed") {
    const tpotMs = closedLoop(recorded, setup, chosen);
    return typeof tpotMs === "string"
      ? { ...prediction, predicted: {}, refused: tpotMs }
      : { ...prediction, predicted: { tpotMsMean: tpotMs }, refused: null };
  }
  if (typeof memory === "string") return { ...prediction, predicted: {}, refused: memory };
  const metrics = simulated(recorded, setup, chosen, memory.kvBlocks, tools);
  return typeof metrics === "string"
    ? { ...prediction, predicted: memory.metrics, refused: metrics }
    : { ...prediction, predicted: { ...memory.metrics, ...metrics }, refused: null };
}

/** Why the shape of the deployment or of its load is outside what is modelled; null = it is inside. */
function unmodelledShape(recorded: RecordedCase): string | null {
  const { tp, pp, ep, dp, gpus, load, engineOptions } = recorded;
  if (recorded.disaggregated !== undefined) return "prefill and decode on separate pools are not modelled";
  if (recorded.replicas > 1) return "several replicas behind one endpoint are not modelled here";
  if (pp > 1) return "pipeline parallelism is not modelled";
  if (dp > 1) return "data-parallel attention is not modelled";
  if (ep > 1) return "expert parallelism is not modelled";
  if (gpus !== undefined && gpus !== tp)
    return `${gpus} GPUs with tensor parallelism ${tp}: the rest of them is not explained`;
  if (tp > 8) return "tensor parallelism above 8 is not modelled";
  if ((engineOptions.speculativeTokens ?? 0) > 0 || recorded.tags.includes("speculative"))
    return "speculative decoding is not modelled";
  if (engineOptions.prefixCaching !== false && (load.prefix !== undefined || (load.sharedPrefixTokens ?? 0) > 0))
    return "shared prefixes are not modelled";
  return null;
}

/** Looks up what the case names; a string says what is missing. */
function lookUp(recorded: RecordedCase, catalog: Catalog): Setup | string {
  const gpu = find(catalog, "gpus", recorded.gpu);
  if (!gpu.ok) return `GPU ${recorded.gpu} is not in the catalogue`;
  const llm = find(catalog, "llms", recorded.model);
  if (!llm.ok) return `model ${recorded.model} is not in the catalogue`;
  const weightDtype = WEIGHT_FORMATS.find((format) => format === recorded.weightDtype);
  if (weightDtype === undefined) return `weight dtype ${recorded.weightDtype} is not modelled`;
  if (recorded.kvDtype !== undefined && recorded.kvDtype !== "bf16" && recorded.kvDtype !== "fp8")
    return `KV dtype ${recorded.kvDtype} is not modelled`;
  if (!(recorded.engine in CLOSED_LOOP_BUDGET_TOKENS)) return `engine ${recorded.engine} was never fitted`;
  const profile = engineProfile(catalog, recorded);
  const { usableMemoryGiB } = recorded.engineOptions;
  return {
    gpu: usableMemoryGiB === undefined ? gpu.value : { ...gpu.value, usableMemoryGiB },
    llm: llm.value,
    weightDtype,
    profile,
    request: {
      gpu: gpu.value,
      llm: llm.value,
      architecture: llm.value.architectureOf ?? llm.value.id,
      engine: recorded.engine,
      weightDtype,
      tensorParallelSize: recorded.tp,
      fallbackScope: profile?.fallbackScope ?? { dense: "engine", moe: "engine" },
    },
  };
}

/**
 * Recorded traces carry times of the engine's own clock, other loads those of a client behind HTTP: of them the profile of
 * the recorded version, else the one of the engine. Null = the engine has no profile.
 */
function engineProfile(
  catalog: Catalog,
  { engine, engineVersion, load }: RecordedCase,
): CatalogEntry<"engines"> | null {
  const ownClock = load.kind === "trace" ? catalog.engines.get(`${engine}-engine-clock`) : undefined;
  const ofVersion = catalog.engines.get(`${engine}-${engineVersion.split(".").slice(0, 2).join(".")}`);
  return ownClock ?? ofVersion ?? catalog.engines.get(engine) ?? null;
}

interface Memory {
  readonly kvBlocks: number;
  /** The formula's figures, to be scored; a recorded block count overrides them only for the simulation. */
  readonly metrics: Record<string, number>;
}

/** KV dtype of simulated cases: what is recorded, else the default of the engines, which is BF16 also under FP8 weights. */
function servedKvDtype(recorded: RecordedCase): KvDtype {
  return recorded.kvDtype === "fp8" ? "fp8" : "bf16";
}

function predictMemory(recorded: RecordedCase, setup: Setup): Memory | string {
  const { profile, gpu, llm } = setup;
  const { engineOptions } = recorded;
  if (profile === null) return `no engine profile for ${recorded.engine}: its memory use is not known`;
  const blockTokens = engineOptions.blockTokens ?? profile.blockTokens;
  const capacity = kvCapacity({
    gpu,
    llm,
    weightDtype: setup.weightDtype,
    kvDtype: servedKvDtype(recorded),
    tensorParallelSize: recorded.tp,
    gpuMemoryUtilization: engineOptions.gpuMemoryFraction ?? profile.gpuMemoryUtilization,
    maxNumSeqs: engineOptions.maxNumSeqs ?? schedulerDefaults(profile, gpu).maxNumSeqs,
    blockTokens,
    profile: profile.kvCapacity,
  });
  if (capacity.missingGiB > 0 && engineOptions.kvBlocks === undefined)
    return (
      `no KV block fits: weights ${capacity.weightsGiB.toFixed(2)}, activation ${capacity.activationGiB.toFixed(2)} and other ` +
      `${capacity.nonTorchGiB.toFixed(2)} GiB a GPU lack ${capacity.missingGiB.toFixed(2)} GiB`
    );
  return {
    kvBlocks: engineOptions.kvBlocks ?? capacity.kvBlocks,
    metrics: {
      kvBlocks: capacity.kvBlocks,
      kvTokens: capacity.kvTokens,
      kvCacheGiBPerGpu: capacity.kvGiB,
      weightsGiBPerGpu: capacity.weightsGiB,
      activationPeakGiB: capacity.activationGiB,
      nonTorchGiB: capacity.nonTorchGiB,
    },
  };
}

function closedLoop(recorded: RecordedCase, setup: Setup, chosen: ChosenCoefficients): number | string {
  const { load, engineOptions } = recorded;
  const inputTokens = load.inputTokens === undefined ? null : meanTokens(load.inputTokens);
  const outputTokens = load.outputTokens === undefined ? null : meanTokens(load.outputTokens);
  if (load.concurrency === undefined) return "a closed load without concurrency";
  if (inputTokens === null || outputTokens === null) return "token lengths are not recorded";
  const concurrency = Math.min(Math.round(load.concurrency), engineOptions.maxNumSeqs ?? Infinity);
  const stepTime = createStepTime(
    setup.gpu,
    setup.llm,
    {
      weightDtype: setup.weightDtype,
      // As in the fit where it is not recorded: KV follows the weights.
      kvDtype: (recorded.kvDtype ?? recorded.weightDtype) === "bf16" ? "bf16" : "fp8",
      tensorParallelSize: recorded.tp,
      maxNumSeqs: concurrency,
      tpreMsPerLayer: 0,
    },
    chosen.coefficients,
  );
  const budgetTokens = engineOptions.maxNumBatchedTokens ?? CLOSED_LOOP_BUDGET_TOKENS[recorded.engine]!;
  return closedLoopTpotS(stepTime, concurrency, inputTokens, outputTokens, budgetTokens) * 1000;
}

/**
 * Mean TPOT in seconds with `concurrency` requests always running, each seen halfway through its output:
 *   T(c, c·(in + out/2)) + (c − 1)/out · (extra time of the chunks of one prompt over decode steps)
 * since c − 1 other prompts are prefilled while one request decodes its `out` tokens.
 */
export function closedLoopTpotS(
  stepTime: StepTime,
  concurrency: number,
  inputTokens: number,
  outputTokens: number,
  budgetTokens: number,
): number {
  const contextTokens = concurrency * (inputTokens + outputTokens / 2);
  const decodeS = stepTime.decodeBaseS[concurrency]! + stepTime.perContextTokenS * contextTokens;
  const promptTokens = Math.max(1, Math.round(inputTokens));
  let prefillS = 0;
  for (let done = 0; done < promptTokens;) {
    const chunk = Math.min(promptTokens - done, budgetTokens);
    prefillS += stepTime.mixedS(concurrency, contextTokens, chunk, chunk * (done + chunk / 2)) - decodeS;
    done += chunk;
  }
  return decodeS + ((concurrency - 1) / outputTokens) * prefillS;
}

/**
 * TensorRT-LLM admits a request only when its whole length fits beside those that run, and so never preempts. For requests
 * of one length that is a limit on their number.
 */
function reservedSequences({ load }: RecordedCase, kvBlocks: number, blockTokens: number): number {
  const tokens = [load.inputTokens, load.outputTokens].map((of) => (of === undefined ? null : meanTokens(of)));
  const blocks = Math.ceil(((tokens[0] ?? 0) + (tokens[1] ?? 0)) / blockTokens);
  return blocks === 0 ? Infinity : Math.max(1, Math.floor(kvBlocks / blocks));
}

function simulated(
  recorded: RecordedCase,
  setup: Setup,
  chosen: ChosenCoefficients,
  kvBlocks: number,
  tools: PredictionTools,
): Record<string, number> | string {
  const { engineOptions, load } = recorded;
  const { profile, llm, gpu } = setup;
  if (tools.simulate === null) return "no simulator";
  if (profile === null) return `no engine profile for ${recorded.engine}`;
  const defaults = schedulerDefaults(profile, gpu);
  const blockTokens = engineOptions.blockTokens ?? profile.blockTokens;
  const maxNumSeqs = Math.min(
    engineOptions.maxNumSeqs ?? defaults.maxNumSeqs,
    recorded.engine === "trtllm" ? reservedSequences(recorded, kvBlocks, blockTokens) : Infinity,
  );
  const engine: EngineSpec = {
    engine: recorded.engine,
    engineVersion: recorded.engineVersion,
    // The step loop reads time from `stepTime` alone; for it the finer formats are FP8.
    weightDtype: setup.weightDtype === "bf16" ? "bf16" : "fp8",
    kvDtype: servedKvDtype(recorded),
    tensorParallelSize: recorded.tp,
    maxNumSeqs,
    maxNumBatchedTokens: Math.max(maxNumSeqs, engineOptions.maxNumBatchedTokens ?? defaults.maxNumBatchedTokens),
    longPrefillTokenThreshold: engineOptions.longPrefillTokenThreshold ?? profile.longPrefillTokenThreshold,
    gpuMemoryUtilization: engineOptions.gpuMemoryFraction ?? profile.gpuMemoryUtilization,
    blockTokens,
    kvBlocks,
    maxModelLen: engineOptions.maxModelLen ?? llm.maxContext,
    tpreMsPerLayer: profile.tpreMsPerLayer[llmClass(llm)],
    prefillMsPerToken: profile.prefillMsPerToken?.[llmClass(llm)] ?? 0,
    apiOverheadMs: profile.apiOverheadMs,
  };
  const stepTime = createStepTime(gpu, llm, { ...engine, weightDtype: setup.weightDtype }, chosen.coefficients);
  try {
    const arrivals = caseArrivals(recorded, tools.readText);
    const times = tools.simulate({ engine, stepTime, arrivals });
    const unfinished = times.lastTokenS.filter((timeS) => Number.isNaN(timeS)).length;
    if (unfinished > 0) return `${unfinished} of ${times.lastTokenS.length} simulated requests did not finish`;
    return caseMetrics(arrivals, times, load.warmupRequests ?? 0, engine.apiOverheadMs);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return error instanceof LoadError ? message : `the simulation failed: ${message}`;
  }
}
