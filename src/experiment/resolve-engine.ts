/**
 * Engine options of a pool, from the file or the engine profile, and the checks that the model, one request and the batch
 * fit. Memory in GiB per GPU, lengths in tokens.
 */
import { originOf } from "../catalog/origin.ts";
import { schedulerDefaults } from "../catalog/pool-facts.ts";
import type { CatalogEntry } from "../catalog/schema.ts";
import { kvCapacity, type KvCapacity } from "../engine/kv-capacity.ts";
import { gpusPerReplica, layoutOf, type ParallelOptions } from "../engine/parallelism.ts";
import type { EngineSpec, GpuSpec, KvDtype, LlmSpec, WeightDtype } from "../engine/spec.ts";
import type { Path } from "./read.ts";
import type { RequestSizes } from "./request-size.ts";
import type { Resolution } from "./resolution.ts";
import type { PoolFile } from "./schema.ts";

const PARALLEL_SIZES = [1, 2, 4, 8] as const;

/** A configuration, as far as memory depends on it. */
interface EngineParts {
  readonly gpu: GpuSpec;
  readonly llm: LlmSpec;
  readonly profile: CatalogEntry<"engines">;
}

interface MemoryOptions extends Omit<ParallelOptions, "tensorParallelSize"> {
  readonly weightDtype: WeightDtype;
  readonly kvDtype: KvDtype;
  /** Of one data-parallel rank. */
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly requestTokens?: number;
  readonly gpuMemoryUtilization: number;
  readonly blockTokens: number;
}

/** Can the heads of the model be shared out evenly over `size` GPUs? KV heads may also be repeated; MLA has none. */
function dividesHeads(llm: LlmSpec, size: number): boolean {
  const kvHeadsFit = (llm.mla ?? null) !== null || llm.kvHeads % size === 0 || size % llm.kvHeads === 0;
  return llm.attentionHeads % size === 0 && kvHeadsFit;
}

function capacityOf(
  { gpu, llm, profile }: EngineParts,
  options: MemoryOptions,
  tensorParallelSize: number,
): KvCapacity {
  return kvCapacity({ gpu, llm, ...options, tensorParallelSize, profile: profile.kvCapacity });
}

/** The fewest GPUs whose replica leaves KV cache for `tokens`, with the profile's options for what is not given; null: none up to 8. */
export function smallestParallelSize(
  parts: EngineParts,
  options: Partial<MemoryOptions>,
  tokens: number,
  sizes: readonly number[] = PARALLEL_SIZES,
): number | null {
  const { profile, gpu } = parts;
  const { maxNumSeqs, maxNumBatchedTokens } = schedulerDefaults(profile, gpu);
  const { gpuMemoryUtilization, blockTokens } = profile;
  const all: MemoryOptions = {
    weightDtype: "bf16",
    kvDtype: "bf16",
    maxNumSeqs,
    maxNumBatchedTokens,
    gpuMemoryUtilization,
    blockTokens,
    ...options,
  };
  const fits = (size: number): boolean =>
    dividesHeads(parts.llm, size) && capacityOf(parts, all, size).kvTokensPerRank >= tokens;
  return sizes.find(fits) ?? null;
}

/** Null when the options do not go together or the model does not fit; the problems are in `resolution` then. */
export function resolveEngine(
  resolution: Resolution,
  file: PoolFile,
  parts: EngineParts,
  path: Path,
  at: string,
  sizes: RequestSizes | null,
): EngineSpec | null {
  const { gpu, llm, profile } = parts;
  const { tensorParallelSize, weightDtype, kvDtype } = file;
  const layout = parallelOptions(file);
  const { ranks } = layoutOf(layout);
  const before = resolution.problems.length;
  const options = engineOptions(resolution, file, parts, path, at);
  const { maxNumSeqs, maxNumBatchedTokens, gpuMemoryUtilization, blockTokens } = options;
  checkLayout(resolution, file, llm, path);

  if (!dividesHeads(llm, tensorParallelSize)) {
    resolution.problem(
      [...path, "tensorParallelSize"],
      `${tensorParallelSize} does not divide the ${llm.attentionHeads} attention and ${llm.kvHeads} KV heads of ${llm.id}`,
      `sizes that do: ${PARALLEL_SIZES.filter((size) => dividesHeads(llm, size)).join(", ")}`,
    );
  }
  if (maxNumBatchedTokens < maxNumSeqs) {
    resolution.problem(
      [...path, file.maxNumBatchedTokens !== null ? "maxNumBatchedTokens" : "maxNumSeqs"],
      `a step has a budget of ${maxNumBatchedTokens} tokens but ${maxNumSeqs} sequences, which need a token each`,
      "raise maxNumBatchedTokens or lower maxNumSeqs",
    );
  }
  const memory = {
    ...layout,
    weightDtype,
    kvDtype,
    maxNumSeqs,
    maxNumBatchedTokens,
    gpuMemoryUtilization,
    blockTokens,
    ...(sizes === null ? {} : { requestTokens: sizes.median }),
  };
  const capacity = capacityOf(parts, memory, tensorParallelSize);
  if (capacity.usableMemoryAssumed) {
    resolution.assume({
      id: `derived/${gpu.id}/usableMemoryGiB`,
      label: `${gpu.name}: memory that the driver reports`,
      value: capacity.usableMemoryGiB,
      unit: "GiB",
      kind: "assumed",
      source: "share of the datasheet memory that cards of this kind report",
      asOf: resolution.catalog.asOf,
    });
  }
  const kvBlocks = file.kvBlocks ?? capacity.kvBlocks;
  if (kvBlocks === 0) {
    reportMisfit(resolution, parts, memory, capacity, tensorParallelSize, path);
    return null;
  }
  const maxModelLen = longestRequest(resolution, file, llm, Math.floor(kvBlocks / ranks) * blockTokens, path);
  if (sizes !== null) {
    const where = file.maxModelLen === null ? path : [...path, "maxModelLen"];
    checkSizes(resolution, sizes, maxModelLen, "maxModelLen", `pool ${String(path.at(-1))}`, where);
  }
  if (resolution.problems.length > before) return null;

  const modelClass = llm.moe === null ? "dense" : "moe";
  resolution.from(`${at}.engine`, `catalogue:engines/${profile.id}`);
  for (const field of ["weightDtype", "kvDtype", ...LAYOUT_FIELDS]) {
    resolution.fromFile(`${at}.engine.${field}`, [...path, field]);
  }
  resolution.fromFile(`${at}.engine.expertParallel`, [...path, "enableExpertParallel"]);
  // Only step times of windowed layers ask how long requests are.
  const lengths = llm.slidingWindow === null || sizes === null ? {} : { requestTokens: Math.round(sizes.mean) };
  if (lengths.requestTokens !== undefined) resolution.from(`${at}.engine.requestTokens`, "derived");
  for (const field of ["kvBlocks", "maxModelLen"]) {
    resolution.fromFile(`${at}.engine.${field}`, [...path, field], "derived");
  }
  resolution.useEntry("engines", profile, [
    `tpreMsPerLayer.${modelClass}`,
    `prefillMsPerToken.${modelClass}`,
    "stepMs",
    "schedulesAhead",
    "apiOverheadMs",
    "kvCapacity.activationBytesPerSeqVocab",
    "kvCapacity.profilesFullStep",
    `kvCapacity.nonTorchGiB.${gpusPerReplica(layout) > 1 ? "tensorParallel" : "oneGpu"}`,
  ]);
  return {
    engine: profile.engine,
    engineVersion: profile.engineVersion,
    weightDtype,
    kvDtype,
    ...layout,
    ...options,
    maxNumSeqs: maxNumSeqs * ranks,
    maxNumBatchedTokens: maxNumBatchedTokens * ranks,
    kvBlocks,
    maxModelLen,
    ...lengths,
    tpreMsPerLayer: profile.tpreMsPerLayer[modelClass],
    prefillMsPerToken: profile.prefillMsPerToken?.[modelClass] ?? 0,
    stepMs: profile.stepMs ?? 0,
    schedulesAhead: profile.schedulesAhead ?? false,
    apiOverheadMs: profile.apiOverheadMs,
  };
}

const LAYOUT_FIELDS = ["tensorParallelSize", "pipelineParallelSize", "dataParallelSize"] as const;

/** The layout of a replica, as the file says. */
export function parallelOptions(file: PoolFile): Required<ParallelOptions> {
  const { tensorParallelSize, pipelineParallelSize, dataParallelSize, enableExpertParallel } = file;
  return { tensorParallelSize, pipelineParallelSize, dataParallelSize, expertParallel: enableExpertParallel };
}

function checkLayout(resolution: Resolution, file: PoolFile, llm: LlmSpec, path: Path): void {
  if (file.pipelineParallelSize > llm.layers)
    resolution.problem([...path, "pipelineParallelSize"], `${llm.id} has ${llm.layers} layers, fewer than stages`);
  if (llm.moe !== null) {
    if (file.enableExpertParallel && file.tensorParallelSize * file.dataParallelSize === 1)
      resolution.problem(
        [...path, "enableExpertParallel"],
        "all experts of a layer lie on one GPU: there are no others to share them out to",
        "leave it out, or raise tensorParallelSize or dataParallelSize",
      );
    return;
  }
  if (file.dataParallelSize > 1)
    resolution.problem(
      [...path, "dataParallelSize"],
      `${llm.id} has no experts that its ranks could share`,
      "write more replicas instead",
    );
  if (file.enableExpertParallel)
    resolution.problem([...path, "enableExpertParallel"], `${llm.id} has no experts`, "leave it out");
}

type Option =
  "maxNumSeqs" | "maxNumBatchedTokens" | "longPrefillTokenThreshold" | "gpuMemoryUtilization" | "blockTokens";

function engineOptions(
  resolution: Resolution,
  file: PoolFile,
  { gpu, profile }: EngineParts,
  path: Path,
  at: string,
): Pick<EngineSpec, Option> {
  const scheduler = schedulerDefaults(profile, gpu);
  const pick = (field: Option, ofProfile: number, entryField: string): number => {
    resolution.fromFile(`${at}.engine.${field}`, [...path, field], `catalogue:engines/${profile.id}`);
    const own = file[field];
    if (own !== null) return own;
    const origin = originOf(profile, entryField);
    resolution.useValue(
      `engines/${profile.id}/${gpu.id}/${field}`,
      `${profile.id}: ${field}`,
      ofProfile,
      field,
      origin,
    );
    return ofProfile;
  };
  return {
    maxNumSeqs: pick("maxNumSeqs", scheduler.maxNumSeqs, "scheduler"),
    maxNumBatchedTokens: pick("maxNumBatchedTokens", scheduler.maxNumBatchedTokens, "scheduler"),
    longPrefillTokenThreshold: pick(
      "longPrefillTokenThreshold",
      profile.longPrefillTokenThreshold,
      "longPrefillTokenThreshold",
    ),
    gpuMemoryUtilization: pick("gpuMemoryUtilization", profile.gpuMemoryUtilization, "gpuMemoryUtilization"),
    blockTokens: pick("blockTokens", profile.blockTokens, "blockTokens"),
  };
}

/** Tried where a model does not fit with more sequences at once. */
const FEWER_SEQS = [512, 256, 128, 64] as const;

function reportMisfit(
  resolution: Resolution,
  parts: EngineParts,
  memory: MemoryOptions,
  capacity: KvCapacity,
  size: number,
  path: Path,
): void {
  const { gpu, llm } = parts;
  const tokens = memory.requestTokens ?? 1;
  const fits = smallestParallelSize(parts, memory, tokens);
  const seqs = FEWER_SEQS.find(
    (maxNumSeqs) =>
      maxNumSeqs < memory.maxNumSeqs && smallestParallelSize(parts, { ...memory, maxNumSeqs }, tokens, [size]) !== null,
  );
  const gib = (value: number): string => value.toFixed(1);
  resolution.problem(
    [...path, "tensorParallelSize"],
    `${llm.id} in ${memory.weightDtype} does not fit: ${gib(capacity.missingGiB)} GiB are missing on each GPU. A ${gpu.id} gives the engine ` +
      `${gib(capacity.usableMemoryGiB * memory.gpuMemoryUtilization)} GiB; its share of the weights takes ${gib(capacity.weightsGiB)}, ` +
      `activations and overhead ${gib(capacity.activationGiB + capacity.nonTorchGiB)}`,
    [
      ...(seqs === undefined
        ? []
        : [`it fits as it is with maxNumSeqs: ${seqs}, which takes less memory for sampling`]),
      fits === null
        ? "no size up to 8 fits: take a smaller model, fp8 weights or a GPU with more memory"
        : `it fits with tensorParallelSize: ${fits}`,
    ].join(", or "),
  );
}

/** The declared longest request, or the model's context cut to what the KV cache of one replica holds. */
function longestRequest(resolution: Resolution, file: PoolFile, llm: LlmSpec, kvTokens: number, path: Path): number {
  const declared = file.maxModelLen;
  if (declared === null) {
    if (llm.maxContext <= kvTokens) return llm.maxContext;
    resolution.warn(
      `${path.join(".")}: the KV cache holds ${kvTokens} tokens, so maxModelLen is that instead of the model's ${llm.maxContext}`,
    );
    return kvTokens;
  }
  if (declared > llm.maxContext) {
    resolution.problem(
      [...path, "maxModelLen"],
      `${declared} tokens are more than the context of ${llm.id}, ${llm.maxContext}`,
    );
  } else if (declared > kvTokens) {
    resolution.problem(
      [...path, "maxModelLen"],
      `one request of ${declared} tokens needs more KV cache than a replica has, ${kvTokens} tokens`,
      `write at most ${kvTokens}`,
    );
  }
  return declared;
}

/** A target of the strategy at `path` that more than half of all requests exceed is a mistake; one that some exceed rejects those. */
export function checkSizes(
  resolution: Resolution,
  sizes: RequestSizes,
  limit: number,
  limitName: string,
  who: string,
  path: Path,
): void {
  const figures =
    `requests have ${Math.ceil(sizes.shortest)} to ${Math.ceil(sizes.longest)} tokens (prompt and answer), ` +
    `typically ${Math.ceil(sizes.median)}`;
  if (sizes.median > limit) {
    resolution.problem(path, `most requests can never fit: ${figures}, and ${limitName} of ${who} is ${limit}`);
  } else if (sizes.longest > limit) {
    resolution.warn(`${String(path[1])}: ${who} refuses requests above ${limit} tokens (${limitName}): ${figures}`);
  }
}
