/**
 * One own pool: GPU, model, engine options, coefficients, price, incidents and start times from the catalogue, and the
 * checks that the model fits. Memory in GiB per GPU, money in USD per GPU-hour, times in seconds.
 */
import { originOf } from "../catalog/origin.ts";
import { coldStartTimes, gpuPriceFact, incidentFacts } from "../catalog/pool-facts.ts";
import type { CatalogEntry } from "../catalog/schema.ts";
import { hintFor } from "../catalog/nearest.ts";
import { chooseCoefficients, outsideValidatedRange } from "../engine/coefficients.ts";
import { weightsGiB } from "../engine/kv-capacity.ts";
import { gpusPerReplica } from "../engine/parallelism.ts";
import type { GpuSpec, LlmSpec, StepCoefficients } from "../engine/spec.ts";
import { routerNamed, routers } from "../fleet/routers/registry.ts";
import type { Path } from "./read.ts";
import { parallelOptions, resolveEngine } from "./resolve-engine.ts";
import { resolveStepTimeTable } from "./resolve-step-times.ts";
import { pluginOptions, resolveHandOff, resolveScheduler } from "./resolve-scheduler.ts";
import type { RequestSizes } from "./request-size.ts";
import type { Resolution } from "./resolution.ts";
import type { ResolvedPool } from "../scenario/resolved.ts";
import type { PoolFile, StrategyFile } from "./schema.ts";

const GB_PER_GIB = 1.073741824;
/** A replica of more GPUs takes several nodes; what the catalogue's sellers offer has no wider ones. */
const GPUS_OF_WIDEST_NODE = 8;

const GPU_FIELDS = [
  "memoryGB",
  "usableMemoryGiB",
  "memoryBandwidthGBps",
  "bf16DenseTflops",
  "fp8DenseTflops",
  "fp4DenseTflops",
  "linkGBpsPerDirection",
  "linkedGpus",
  "matmulBf16Tflops",
  "sameChipAs",
];
const LLM_FIELDS = [
  "layers",
  "fullAttentionLayers",
  "hiddenSize",
  "ffnSize",
  "attentionHeads",
  "kvHeads",
  "headDim",
  "vocabSize",
  "maxContext",
  "slidingWindow",
  "moe.expertFfnSize",
  "moe.expertsPerToken",
  "moe.routingConcentration",
  "weightGroupSize",
  "bf16BesideExperts",
  "params",
  "activeParams",
  "nonExpertParams",
  "expertParams",
  "embeddingParams",
  "headParams",
  "kvElementsPerToken",
  "kvElementsPerTokenSliding",
];

/** Architectures of AMD's accelerators. */
const AMD = /^CDNA/;

/** What a pool needs to know of the experiment around it. */
export interface PoolContext {
  readonly sizes: RequestSizes | null;
  /** Own pools must say what their GPUs cost. */
  readonly priceNeeded: boolean;
  readonly stepTimeError: "none" | "drawn";
}

/** Null when a name is unknown or the model does not fit; the problems are in `resolution` then. */
export function resolvePool(
  resolution: Resolution,
  name: string,
  file: PoolFile,
  path: Path,
  at: string,
  context: PoolContext,
  siblings: StrategyFile["pools"],
): ResolvedPool | null {
  const { sizes, priceNeeded, stepTimeError } = context;
  const gpuEntry = resolution.find("gpus", file.gpu, [...path, "gpu"]);
  const llmEntry = resolution.find("llms", file.llm, [...path, "llm"]);
  const profile = resolution.find("engines", file.engine, [...path, "engine"]);
  const place = resolution.find("places", file.place, [...path, "place"]);
  const router = resolveRouter(resolution, file, path, at);
  const price =
    gpuEntry === null
      ? checkSeller(resolution, file, path)
      : resolvePrice(resolution, file, gpuEntry.id, path, at, priceNeeded);
  const incidents = gpuEntry === null ? null : resolveIncidents(resolution, file, gpuEntry.id, path, at);
  const coldStart = resolveColdStart(resolution, file, llmEntry, path, at);
  if (gpuEntry === null || llmEntry === null || profile === null) return null;
  resolution.useEntry("gpus", gpuEntry, GPU_FIELDS);
  resolution.useEntry("llms", llmEntry, LLM_FIELDS);
  const gpu = gpuSpec(gpuEntry);
  const llm = llmSpec(llmEntry);
  if (profile.engine === "trtllm" && AMD.test(gpuEntry.arch ?? ""))
    resolution.problem(
      [...path, "engine"],
      `TensorRT-LLM runs on GPUs of NVIDIA, ${gpu.id} is of AMD`,
      "vllm or sglang",
    );
  const { nativeDtype } = llmEntry;
  // A missing format is BF16; weights that were never published that way are no smaller for it.
  if (!nativeDtype.startsWith("bf16") && !resolution.declared([...path, "weightDtype"]))
    resolution.warn(
      `${path.join(".")}: ${llm.id} was published in ${nativeDtype}, but runs in bf16 here since weightDtype is not given`,
    );
  const engine = resolveEngine(resolution, file, { gpu, llm, profile }, path, at, sizes);
  if (
    engine === null ||
    place === null ||
    router === null ||
    price === null ||
    incidents === null ||
    coldStart === null
  )
    return null;

  const role = file.handOff !== undefined ? "prefill" : takesOver(name, siblings) ? "decode" : "both";
  const scheduler = resolveScheduler(
    resolution,
    file.scheduler,
    role,
    engine,
    llm,
    [...path, "scheduler"],
    `${at}.scheduler`,
  );
  const handOffPath = [...path, "handOff"];
  const hand = resolveHandOff(resolution, file, name, siblings, engine, llm, handOffPath, `${at}.handOff`);
  if (hand?.handOff && priceNeeded)
    resolution.warn(
      `${path.join(".")}: the share of its capacity that is used within the SLO (uSlo) is not measured, for no replica of it serves alone`,
    );
  const table = resolveStepTimeTable(resolution, file, engine, path, at);
  if (scheduler === null || hand === null || table === null) return null;

  const request = {
    gpu,
    llm,
    architecture: llmEntry.architectureOf ?? llm.id,
    engine: engine.engine,
    weightDtype: engine.weightDtype,
    kvDtype: engine.kvDtype,
    ...parallelOptions(file),
    fallbackScope: profile.fallbackScope,
  };
  const sets = [...resolution.catalog.coefficients.values()];
  const { coefficients, bandPercent } = chooseCoefficients(sets, request, "all");
  const drawn = stepTimeError === "drawn" && table.rows === null;
  if (table.rows === null) noteCoefficients(resolution, llm, coefficients, at);
  else resolution.from(`${at}.coefficients`, "derived");
  if (drawn) {
    const { p5, p50, p95 } = bandPercent;
    resolution.assume({
      id: `coefficients/${coefficients.scope.replaceAll("|", "/")}/error`,
      label: `step time: error drawn in each replication (${coefficients.scope.replaceAll("|", " ")})`,
      value: `${p5} to ${p95}, median ${p50}`,
      unit: "%",
      kind: "fitted",
      source: "signed errors of closed-loop TPOT on groups of recordings never fitted, 5 % to 95 %",
      asOf: resolution.catalog.asOf,
    });
  }
  resolution.useEntry("places", place, ["boundaryLevel", ...(file.networkMs === undefined ? ["networkS"] : [])]);

  resolution.from(`${at}.name`, "file");
  resolution.from(`${at}.gpu`, `catalogue:gpus/${gpu.id}`);
  resolution.from(`${at}.llm`, `catalogue:llms/${llm.id}`);
  resolution.from(`${at}.outsideValidatedRange`, "derived");
  resolution.fromFile(`${at}.stepTimeError`, ["stepTimeError"]);
  for (const field of ["place", "replicas", "warmReplicas", "maxWaitingPerReplica"])
    resolution.fromFile(`${at}.${field}`, [...path, field]);
  resolution.fromFile(`${at}.boundaryLevel`, [...path, "boundaryLevel"], `catalogue:places/${place.id}`);
  resolution.fromFile(`${at}.networkS`, [...path, "networkMs"], `catalogue:places/${place.id}`);
  return {
    name,
    place: file.place,
    boundaryLevel: file.boundaryLevel ?? place.boundaryLevel,
    gpu,
    llm,
    engine,
    coefficients,
    stepTimeTable: table.rows,
    stepTimeError: drawn ? bandPercent : null,
    scheduler,
    handOff: hand.handOff,
    router,
    replicas: file.replicas,
    warmReplicas: file.warmReplicas,
    gpusPerNode: price.gpusPerNode,
    usdPerGpuHour: price.usdPerGpuHour,
    maxWaitingPerReplica: file.maxWaitingPerReplica,
    networkS: file.networkMs === undefined ? place.networkS : file.networkMs / 1000,
    coldStart,
    incidents,
    outsideValidatedRange:
      table.rows === null ? outsideValidatedRange(sets, request) : "step times are those of the experiment's own table",
  };
}

/** Another pool of the strategy hands its requests on to this one. */
function takesOver(name: string, siblings: StrategyFile["pools"]): boolean {
  return Object.values(siblings).some(({ handOff }) => handOff?.to === name);
}

export function gpuSpec(entry: CatalogEntry<"gpus">): GpuSpec {
  const {
    id,
    name,
    memoryGB,
    usableMemoryGiB,
    memoryBandwidthGBps,
    bf16DenseTflops,
    fp8DenseTflops,
    fp4DenseTflops,
    linkGBpsPerDirection,
    linkedGpus,
    matmulBf16Tflops,
    sameChipAs,
  } = entry;
  return {
    id,
    name,
    memoryGB,
    usableMemoryGiB,
    memoryBandwidthGBps,
    bf16DenseTflops,
    fp8DenseTflops,
    fp4DenseTflops,
    linkGBpsPerDirection,
    ...(linkedGpus === undefined ? {} : { linkedGpus }),
    ...(matmulBf16Tflops === undefined ? {} : { matmulBf16Tflops }),
    ...(sameChipAs === undefined ? {} : { sameChipAs }),
  };
}

export function llmSpec(entry: CatalogEntry<"llms">): LlmSpec {
  const { moe } = entry;
  return {
    id: entry.id,
    name: entry.name,
    layers: entry.layers,
    fullAttentionLayers: entry.fullAttentionLayers,
    hiddenSize: entry.hiddenSize,
    ffnSize: entry.ffnSize,
    attentionHeads: entry.attentionHeads,
    kvHeads: entry.kvHeads,
    headDim: entry.headDim,
    vocabSize: entry.vocabSize,
    maxContext: entry.maxContext,
    slidingWindow: entry.slidingWindow,
    moe:
      moe === null
        ? null
        : {
            experts: moe.experts,
            expertsPerToken: moe.expertsPerToken,
            expertFfnSize: moe.expertFfnSize,
            moeLayers: moe.moeLayers,
            routingConcentration: moe.routingConcentration,
          },
    ...(entry.weightGroupSize === undefined ? {} : { weightGroupSize: entry.weightGroupSize }),
    ...(entry.bf16BesideExperts === undefined ? {} : { bf16BesideExperts: entry.bf16BesideExperts }),
    params: entry.params,
    activeParams: entry.activeParams,
    nonExpertParams: entry.nonExpertParams,
    expertParams: entry.expertParams,
    embeddingParams: entry.embeddingParams,
    headParams: entry.headParams,
    kvElementsPerToken: entry.kvElementsPerToken,
    kvElementsPerTokenSliding: entry.kvElementsPerTokenSliding,
    mla: entry.mla,
    linearAttention: entry.linearAttention,
  };
}

function resolvePrice(
  resolution: Resolution,
  file: PoolFile,
  gpu: string,
  path: Path,
  at: string,
  needed: boolean,
): { readonly usdPerGpuHour: number | null; readonly gpusPerNode: number } | null {
  resolution.fromFile(`${at}.gpusPerNode`, [...path, "gpusPerNode"], "derived");
  if (file.gpusPerNode !== undefined && file.gpusPerNode < file.tensorParallelSize) {
    resolution.problem(
      [...path, "gpusPerNode"],
      `a node of ${file.gpusPerNode} GPUs does not hold the ${file.tensorParallelSize} that share a layer of a replica`,
    );
    return null;
  }
  const gpusOnNode = Math.min(gpusPerReplica(parallelOptions(file)), GPUS_OF_WIDEST_NODE);
  if (file.gpuPrice === undefined) {
    if (needed) {
      resolution.problem([...path, "gpuPrice"], "is missing", "only an experiment without a team may leave it out");
      return null;
    }
    resolution.from(`${at}.usdPerGpuHour`, "default");
    return { usdPerGpuHour: null, gpusPerNode: file.gpusPerNode ?? gpusOnNode };
  }
  if (typeof file.gpuPrice !== "string") {
    resolution.from(`${at}.usdPerGpuHour`, "file");
    return { usdPerGpuHour: file.gpuPrice.usdPerGpuHour, gpusPerNode: file.gpusPerNode ?? gpusOnNode };
  }
  const found = gpuPriceFact(resolution.catalog, gpu, file.gpuPrice, gpusOnNode);
  if (!found.ok) {
    resolution.problem([...path, "gpuPrice"], found.message, found.hint);
    return null;
  }
  const price = found.value;
  const id = file.gpuPrice.split("@")[0]!;
  resolution.from(`${at}.usdPerGpuHour`, `catalogue:gpu-prices/${id}`);
  if (file.gpusPerNode === undefined) resolution.from(`${at}.gpusPerNode`, `catalogue:gpu-prices/${id}`);
  resolution.useValue(
    `gpu-prices/${id}/${gpu}/usdPerGpuHour`,
    `${id}: rate of ${gpu}${price.instance === null ? "" : ` (${price.instance})`}`,
    price.usdPerGpuHour,
    "usdPerGpuHour",
    price.origin,
  );
  resolution.noteAge(`GPU price ${id}`, price.origin.asOf);
  return {
    usdPerGpuHour: price.usdPerGpuHour,
    gpusPerNode: Math.max(file.gpusPerNode ?? price.gpusPerNode, file.tensorParallelSize),
  };
}

/** Without a known GPU there is no rate, but a misspelt seller is worth saying. */
function checkSeller(resolution: Resolution, file: PoolFile, path: Path): null {
  if (typeof file.gpuPrice === "string") {
    resolution.find("gpuPrices", file.gpuPrice.split("@")[0]!, [...path, "gpuPrice"]);
  }
  return null;
}

function resolveIncidents(
  resolution: Resolution,
  file: PoolFile,
  gpu: string,
  path: Path,
  at: string,
): ResolvedPool["incidents"] | null {
  const found = incidentFacts(resolution.catalog, file.incidents, gpu, file.place);
  if (!found.ok) {
    resolution.problem([...path, "incidents"], found.message, found.hint);
    return null;
  }
  resolution.from(`${at}.incidents`, `catalogue:incidents/${file.incidents}`);
  const { nodeFailure, nodeRepair, engineCrash, engineRestart } = found.value;
  if (nodeFailure !== null) resolution.useEntry("incidents", nodeFailure, ["failuresPerNodeDay"]);
  if (engineCrash !== null) resolution.useEntry("incidents", engineCrash, ["crashesPerReplicaDay"]);
  for (const repair of [nodeRepair, engineRestart])
    resolution.useEntry("incidents", repair, ["time.medianS", "time.sigma"]);
  return {
    nodeFailuresPerNodeDay: nodeFailure?.failuresPerNodeDay ?? 0,
    nodeRepair: nodeRepair.time,
    engineCrashesPerReplicaDay: engineCrash?.crashesPerReplicaDay ?? 0,
    engineRestart: engineRestart.time,
  };
}

function resolveColdStart(
  resolution: Resolution,
  file: PoolFile,
  llm: CatalogEntry<"llms"> | null,
  path: Path,
  at: string,
): ResolvedPool["coldStart"] | null {
  const { profile, restartS, provisionS } = file.coldStart;
  const entry = resolution.find("coldStarts", profile, [...path, "coldStart", "profile"]);
  if (entry === null || llm === null) return null;
  const times = coldStartTimes(entry, weightsGiB(llmSpec(llm), file.weightDtype) * GB_PER_GIB);
  resolution.fromFile(
    `${at}.coldStart.restartS`,
    [...path, "coldStart", "restartS"],
    `catalogue:cold-starts/${entry.id}`,
  );
  resolution.fromFile(
    `${at}.coldStart.provisionS`,
    [...path, "coldStart", "provisionS"],
    `catalogue:cold-starts/${entry.id}`,
  );
  if (restartS === undefined)
    resolution.useEntry("coldStarts", entry, [
      "loaderGBps",
      "downloadGBps",
      "engineInitS",
      "transformS",
      "compileS",
      "graphCaptureS",
    ]);
  if (provisionS === undefined) resolution.useEntry("coldStarts", entry, ["nodeBootS", "imageGB", "imagePullGBps"]);
  return { restartS: restartS ?? times.restartS, provisionS: provisionS ?? times.provisionS };
}

function resolveRouter(resolution: Resolution, file: PoolFile, path: Path, at: string): ResolvedPool["router"] | null {
  const { name, options } = typeof file.router === "string" ? { name: file.router, options: {} } : file.router;
  const namePath = typeof file.router === "string" ? [...path, "router"] : [...path, "router", "name"];
  const plugin = routerNamed(name);
  if (plugin === undefined) {
    resolution.problem(
      namePath,
      `unknown router "${name}"`,
      hintFor(
        name,
        routers.map((router) => router.name),
      ),
    );
    return null;
  }
  resolution.fromFile(`${at}.router`, [...path, "router"]);
  return {
    name,
    options: pluginOptions(resolution, plugin, options, [...path, "router", "options"]),
  };
}

function noteCoefficients(resolution: Resolution, llm: LlmSpec, coefficients: StepCoefficients, at: string): void {
  const modelClass = llm.moe === null ? "dense" : "moe";
  const entry = [...resolution.catalog.coefficients.values()].find(
    (item) => item.fitSet === "all" && item.modelClass === modelClass,
  );
  if (entry === undefined) return;
  resolution.from(`${at}.coefficients`, `catalogue:coefficients/${entry.id}`);
  const { scope, ...values } = coefficients;
  for (const [field, value] of Object.entries(values)) {
    resolution.useValue(
      `coefficients/${entry.id}/${scope.replaceAll("|", "/")}/${field}`,
      `step time: ${field} (${scope.replaceAll("|", " ")})`,
      value,
      field,
      originOf(entry, "sets"),
    );
  }
}
