/**
 * What a recorded case names, looked up in the catalogue; and the one place that says which cases are outside the model.
 */
import { buildCatalog, find } from "../../catalog/catalog.ts";
import { engineProfileOf, isNewerThanAll } from "../../catalog/engine-versions.ts";
import { llmOfHfConfig } from "../../catalog/hf-config.ts";
import type { Catalog, CatalogEntry } from "../../catalog/schema.ts";
import { findModel, plainDtype } from "../../catalog/spellings.ts";
import type { CoefficientRequest } from "../../engine/coefficients.ts";
import type { ParallelOptions } from "../../engine/parallelism.ts";
import { type KvDtype, WEIGHT_DTYPES, type WeightDtype } from "../../engine/spec.ts";
import { ConfigError, type Problem } from "../../kernel/errors.ts";
import type { RecordedCase } from "./case.ts";
import { recordedLink } from "./interconnect.ts";
import { recordedGpu } from "./recorded-gpu.ts";
import { gpusOfSides, sideCase } from "./disaggregated.ts";

/** Everything a case names. */
export interface Setup {
  readonly gpu: CatalogEntry<"gpus">;
  readonly llm: CatalogEntry<"llms">;
  readonly weightDtype: WeightDtype;
  readonly profile: CatalogEntry<"engines">;
  readonly request: CoefficientRequest;
  readonly routing: Routing;
  /** The model is another release than the case names. */
  readonly otherRelease: boolean;
  /** The engine is of a version after all that have a profile. */
  readonly isNewer: boolean;
  /** Of the GPU by its entry, where the case names another. */
  readonly ownLink: Pick<CatalogEntry<"gpus">, "interconnect" | "linkGBpsPerDirection">;
}

/** A router of the registry, and its options. */
export interface Routing {
  readonly name: string;
  readonly options: Readonly<Record<string, number>>;
}

const LOAD_KINDS: readonly string[] = ["open", "closed", "offline", "trace", "startup"];
/** In which not all that want to are sent. */
const LIMITED_KINDS: readonly string[] = ["open", "trace"];
/** Token budget of the closed-loop formula, as in the fit: what the engines default to on large GPUs. */
export const FITTED_BUDGET_TOKENS: Readonly<Record<string, number>> = { vllm: 8192, trtllm: 8192, sglang: 16_384 };

const KV_DTYPES: readonly string[] = ["bf16", "fp8"];
/** KV format by the name that a recording has for it. */
export function kvDtypeNamed(name: string): KvDtype {
  return plainDtype(name) === "fp8" ? "fp8" : "bf16";
}

/** Why the shape of the deployment or of its load is outside what is modelled; null = it is inside. */
export function unmodelledShape(recorded: RecordedCase): string | null {
  const { tp, pp, ep, dp, gpus, replicas, load, engineOptions } = recorded;
  if (!LOAD_KINDS.includes(load.kind)) return `load kind ${load.kind} is not known`;
  if (load.maxConcurrency !== undefined && !LIMITED_KINDS.includes(load.kind))
    return `maxConcurrency is the limit of an open or trace load: a closed load has concurrency, and ${load.kind} has no limit`;
  const speculation = unmodelledDrafts(recorded);
  if (speculation !== null) return speculation;
  if (recorded.disaggregated !== undefined) return unmodelledSides(recorded, recorded.disaggregated);
  const explained = tp * Math.max(1, pp) * Math.max(1, dp);
  // Sources count the GPUs of one replica or of all.
  if (gpus !== undefined && gpus !== explained && gpus !== explained * replicas)
    return `${gpus} GPUs with tensor, pipeline and data parallelism of ${explained}: the rest of them is not explained`;
  if (ep > tp * Math.max(1, dp)) return `experts spread over ${ep} of ${explained} GPUs are not modelled`;
  const { blockTokens = 1 } = engineOptions;
  if ((blockTokens & (blockTokens - 1)) !== 0)
    return `KV blocks of ${blockTokens} tokens, no power of two, are not modelled`;
  return tp > 8 ? "tensor parallelism above 8 is not modelled" : null;
}

function unmodelledDrafts({ engineOptions, tags }: RecordedCase): string | null {
  const { speculativeTokens = 0, speculativeAcceptance } = engineOptions;
  const drafts = speculativeTokens > 0 || speculativeAcceptance !== undefined || tags.includes("speculative");
  if (!drafts) return null;
  if (speculativeTokens > 0 && speculativeAcceptance !== undefined) return null;
  const missing = speculativeTokens > 0 ? "engineOptions.speculativeAcceptance" : "engineOptions.speculativeTokens";
  return `speculative decoding is only modelled with draft tokens and acceptance: ${missing} is not recorded`;
}

function unmodelledSides(recorded: RecordedCase, sides: NonNullable<RecordedCase["disaggregated"]>): string | null {
  const { gpus, replicas, load } = recorded;
  if (load.kind === "startup") return "prefill and decode replicas have no memory in common to predict";
  const explained = gpusOfSides(sides);
  if (gpus !== undefined && gpus !== explained && gpus !== explained * replicas)
    return `${gpus} GPUs with workers on ${explained}: the rest of them is not explained`;
  for (const side of ["prefill", "decode"] as const) {
    const reason = unmodelledShape(sideCase(recorded, sides[side]));
    if (reason !== null) return `${side}: ${reason}`;
  }
  return null;
}

/** Looks up what the case names; a string says what is missing. */
export function lookUp(recorded: RecordedCase, catalog: Catalog): Setup | string {
  const { gpu: named } = recordedGpu(recorded);
  const gpu = find(catalog, "gpus", named);
  if (!gpu.ok) return notFound("GPU", named, gpu.hint, "six figures of its datasheet make one");
  const llm = llmOf(recorded, catalog);
  if (typeof llm === "string") return llm;
  const weightDtype = WEIGHT_DTYPES.find((dtype) => dtype === plainDtype(recorded.weightDtype));
  if (weightDtype === undefined) return `weight dtype ${recorded.weightDtype} is not modelled`;
  if (recorded.kvDtype !== undefined && !KV_DTYPES.includes(plainDtype(recorded.kvDtype)))
    return `KV dtype ${recorded.kvDtype} is not modelled`;
  if (!(recorded.engine in FITTED_BUDGET_TOKENS))
    return `engine ${recorded.engine} was never fitted (known: ${Object.keys(FITTED_BUDGET_TOKENS).join(", ")})`;
  const profile = engineProfile(catalog, recorded);
  if (profile === null) return `no engine profile for ${recorded.engine}`;
  const routing = routingOf(recorded.router);
  if (recorded.replicas > 1 && routing === null) return `router ${recorded.router} is not known`;
  const { usableMemoryGiB } = recorded.engineOptions;
  const link = recordedLink(recorded, gpu.value, catalog);
  const linked = link === null ? gpu.value : { ...gpu.value, ...link };
  return {
    gpu: usableMemoryGiB === undefined ? linked : { ...linked, usableMemoryGiB },
    llm,
    weightDtype,
    profile,
    routing: routing ?? ROUND_ROBIN,
    otherRelease: recorded.hfConfig === undefined && !findModel(catalog, recorded.model).ok,
    isNewer: isNewerThanAll(catalog, recorded.engine, recorded.engineVersion),
    ownLink: gpu.value,
    request: {
      gpu: linked,
      llm,
      architecture: llm.architectureOf ?? llm.id,
      engine: recorded.engine,
      weightDtype,
      ...layoutOf(recorded),
      ...(recorded.kvDtype === undefined ? {} : { kvDtype: kvDtypeNamed(recorded.kvDtype) }),
      fallbackScope: profile.fallbackScope,
    },
  };
}

function notFound(kind: string, name: string, hint: string | undefined, how: string): string {
  const near = hint?.startsWith("did you mean") === true ? ` (${hint})` : "";
  return `${kind} ${name} is not in the catalogue${near}: --models DIR takes an entry of yours, ${how} (models/README.md)`;
}

/** The model of the catalogue, or of the case's own config.json. */
function llmOf(recorded: RecordedCase, catalog: Catalog): CatalogEntry<"llms"> | string {
  const { model, hfConfig, source } = recorded;
  const found = findModel(catalog, model, hfConfig === undefined);
  if (found.ok) return found.value;
  if (hfConfig === undefined) return notFound("model", model, found.hint, "or the case its config.json as hfConfig");
  try {
    const { notes: _, takenFor: __, ...facts } = llmOfHfConfig(hfConfig);
    const value = { id: OF_CONFIG, name: model, source, asOf: catalog.asOf, kind: "published", ...facts };
    const entries = buildCatalog([{ kind: "llms", file: "hfConfig", value, override: true }], catalog.asOf);
    return { ...entries.llms.get(OF_CONFIG)!, id: model };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const [{ path, message }] = error.problems as [Problem, ...Problem[]];
    return [`model ${model} by its hfConfig`, ...path, message].join(": ");
  }
}

/** While it is checked: names of models are no ids. */
const OF_CONFIG = "of-hf-config";

/**
 * The layout of one replica. Expert parallelism among the GPUs of one tensor-parallel group counts as tensor parallelism, as it
 * did in the fit, whose coefficients hold what it costs.
 */
export function layoutOf({ tp, pp, ep, dp }: RecordedCase): ParallelOptions {
  return {
    tensorParallelSize: tp,
    pipelineParallelSize: Math.max(1, pp),
    dataParallelSize: Math.max(1, dp),
    expertParallel: dp > 1 && ep > 1,
  };
}

/**
 * Recorded traces carry times of the engine's own clock, whose one profile forms steps ahead where the recorded version does; other loads
 * those of a client behind HTTP: of them the profile of the recorded version, else the one of the engine. Null = the engine has no profile.
 */
function engineProfile(
  catalog: Catalog,
  { engine, engineVersion, load }: RecordedCase,
): CatalogEntry<"engines"> | null {
  const ofVersion = engineProfileOf(catalog, engine, engineVersion);
  const ownClock = load.kind === "trace" ? catalog.engines.get(`${engine}-engine-clock`) : undefined;
  if (ownClock === undefined) return ofVersion;
  if (engineVersion === "" || ofVersion === null) return ownClock;
  return { ...ownClock, schedulesAhead: ofVersion.schedulesAhead ?? false };
}

const ROUND_ROBIN: Routing = { name: "round-robin", options: {} };
/** Names under which gateways and papers know the same rules. */
const ROUTERS: readonly { readonly named: readonly string[]; readonly routing: Routing }[] = [
  { named: ["round-robin", "rr"], routing: ROUND_ROBIN },
  { named: ["random", "kubernetes-service"], routing: { name: "two-choices", options: { d: 1 } } },
  {
    named: ["two-choices", "power-of-two", "power-of-two-choices", "p2c"],
    routing: { name: "two-choices", options: { d: 2 } },
  },
  {
    named: [
      "least-in-flight",
      "least-loaded",
      "least-request",
      "least-requests",
      "least-outstanding",
      "shortest-queue",
    ],
    routing: { name: "least-in-flight", options: {} },
  },
];

/** Requests are spread in turn where no router is recorded. Null = a name that is not known. */
function routingOf(name: string | undefined): Routing | null {
  if (name === undefined) return ROUND_ROBIN;
  const plain = name.toLowerCase().replaceAll(/[\s_]+/g, "-");
  return ROUTERS.find(({ named }) => named.includes(plain))?.routing ?? null;
}
