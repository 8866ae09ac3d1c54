/**
 * What was benchmarked: the names of files and options looked up in the catalogue. Everything that is missing or unknown is
 * reported at once.
 */
import { mean } from "simple-statistics";
import { find, type Found } from "../../catalog/catalog.ts";
import { engineProfileOf } from "../../catalog/engine-versions.ts";
import { hintFor } from "../../catalog/nearest.ts";
import { schedulerDefaults } from "../../catalog/pool-facts.ts";
import type { Catalog, CatalogEntry } from "../../catalog/schema.ts";
import { findGpu, findModel, plainDtype } from "../../catalog/spellings.ts";
import { type LlmClass, chooseCoefficients, llmClass } from "../../engine/coefficients.ts";
import { kvCapacity } from "../../engine/kv-capacity.ts";
import {
  WEIGHT_DTYPES,
  type EngineSpec,
  type GpuSpec,
  type StepCoefficients,
  type WeightDtype,
} from "../../engine/spec.ts";
import type { StepTime } from "../../engine/step-time.ts";
import { createStepTime } from "../../engine/step-time-physics.ts";
import { ConfigError, type Problem } from "../../kernel/errors.ts";
import type { BenchmarkRun, RunFacts } from "./benchmark-run.ts";
import type { Constants } from "./parameters.ts";

/** What the user adds to what the files say. The load holds only for runs whose file lacks it. */
export interface TargetOptions {
  readonly gpu?: string;
  readonly model?: string;
  readonly tensorParallelSize?: number;
  readonly weightDtype?: string;
  readonly engine?: string;
  readonly engineVersion?: string;
  /** Who timed: a load generator behind the HTTP server, or the engine itself. */
  readonly clock?: string;
  readonly maxNumSeqs?: number;
  readonly maxNumBatchedTokens?: number;
  readonly kvBlocks?: number;
}

export interface Target {
  readonly gpu: CatalogEntry<"gpus">;
  readonly llm: CatalogEntry<"llms">;
  readonly llmClass: LlmClass;
  readonly weightDtype: WeightDtype;
  readonly clock: "client" | "engine";
  /** The profile whose constants are fitted, as shipped. */
  readonly profile: CatalogEntry<"engines">;
  readonly engineVersion: string;
  readonly engine: EngineSpec;
  /** The shipped set for this configuration, and its constants with those of the profile. */
  readonly coefficients: StepCoefficients;
  readonly prior: Constants;
}

const CLOCKS = ["client", "engine"] as const;
/** Engines that have a profile for each clock are filed under this ending for their own. */
const ENGINE_CLOCK = "-engine-clock";

/** A catalogue of facts (with the user's own) and the shipped one, whose fitted values are the priors. */
export interface Catalogs {
  readonly catalog: Catalog;
  readonly shipped: Catalog;
}

/** Throws ConfigError with every problem; its paths are the options that would cure them. */
export function resolveTarget(runs: readonly BenchmarkRun[], options: TargetOptions, catalogs: Catalogs): Target {
  const { catalog } = catalogs;
  const problems: Problem[] = [];
  const problem = (option: string, message: string, hint?: string): null => {
    problems.push({ path: [option], message, ...(hint === undefined ? {} : { hint }) });
    return null;
  };
  const known = <T>(
    option: string,
    name: string | undefined,
    look: (name: string) => Found<T>,
    some: string,
  ): T | null => {
    if (name === undefined) return problem(option, "is needed: no file names it", some);
    const found = look(name);
    return found.ok ? found.value : problem(option, found.message, found.hint);
  };
  const model = (name: string): CatalogEntry<"llms"> | null =>
    known("--model", name, (one) => findModel(catalog, one, true), example(catalog.llms));

  const gpu = known("--gpu", options.gpu, (one) => findGpu(catalog, one), example(catalog.gpus));
  const llm =
    options.model === undefined
      ? modelOfFiles(runs, catalog, problem)
      : unlessOtherIn(runs, catalog, model(options.model), problem);
  const engines = [...new Set([...catalog.engines.values()].map((entry) => entry.engine))];
  const engine = oneOf(runs, "engine", options.engine, "--engine", problem, `known: ${engines.join(", ")}`);
  const tensorParallelSize = oneOf(
    runs,
    "tensorParallelSize",
    options.tensorParallelSize,
    "--tensor-parallel-size",
    problem,
  );
  const weightDtype = WEIGHT_DTYPES.find((format) => format === plainDtype(options.weightDtype ?? "")) ?? null;
  if (weightDtype === null)
    problem(
      "--weight-dtype",
      options.weightDtype === undefined
        ? "is needed: no file names it"
        : `unknown weight dtype "${options.weightDtype}"`,
      hintFor(options.weightDtype ?? "", WEIGHT_DTYPES),
    );
  if (tensorParallelSize !== null && ![1, 2, 4, 8].includes(tensorParallelSize))
    problem("--tensor-parallel-size", `${tensorParallelSize} is not 1, 2, 4 or 8`);
  const clock = clockOf(runs, options.clock, problem);
  const profile =
    engine === null ? null : profileOf(catalogs, engine, options.engineVersion, clock ?? "client", problem);
  if (
    problems.length > 0 ||
    gpu === null ||
    llm === null ||
    weightDtype === null ||
    profile === null ||
    clock === null ||
    tensorParallelSize === null
  )
    throw new ConfigError(problems);

  const target = { gpu, llm, weightDtype, profile, tensorParallelSize };
  const spec = engineSpec(runs, options, target);
  const { coefficients } = chooseCoefficients(
    [...catalogs.shipped.coefficients.values()],
    {
      gpu,
      llm,
      architecture: llm.architectureOf ?? llm.id,
      engine: profile.engine,
      weightDtype,
      tensorParallelSize,
      fallbackScope: profile.fallbackScope,
    },
    "all",
  );
  const { scope: _, ...values } = coefficients;
  return {
    gpu,
    llm,
    llmClass: llmClass(llm),
    weightDtype,
    clock,
    profile,
    engineVersion: options.engineVersion ?? profile.engineVersion,
    engine: spec,
    coefficients,
    prior: { ...numbersOf(values), apiOverheadMs: spec.apiOverheadMs, tpreMsPerLayer: spec.tpreMsPerLayer },
  };
}

/** The fields that are numbers: sets may leave some out. */
function numbersOf(values: object): Constants {
  const entries = Object.entries(values) as [string, unknown][];
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => typeof entry[1] === "number"));
}

type Report = (option: string, message: string, hint?: string) => null;

function example(entries: ReadonlyMap<string, unknown>): string {
  return `for example ${[...entries.keys()].slice(0, 6).join(", ")}; crossover catalog lists all`;
}

/** The one model that the files name, under any of its usual spellings. */
function modelOfFiles(runs: readonly BenchmarkRun[], catalog: Catalog, problem: Report): CatalogEntry<"llms"> | null {
  const names = namesIn(runs);
  if (names.length === 0) return problem("--model", "is needed: no file names it", example(catalog.llms));
  const models = new Set<CatalogEntry<"llms">>();
  for (const name of names) {
    const found = findModel(catalog, name, true);
    if (!found.ok) return problem("--model", `the files name "${name}", which is not in the catalogue`, found.hint);
    models.add(found.value);
  }
  const [model, another] = models;
  if (another !== undefined)
    return problem(
      "--model",
      `the files were measured on ${[...models].map(({ id }) => id).join(" and ")}; calibrate one at a time`,
    );
  return model!;
}

const namesIn = (runs: readonly BenchmarkRun[]): readonly string[] => [
  ...new Set(runs.flatMap(({ facts }) => facts.model ?? [])),
];

/** The model of the option, unless a file names another of the catalogue; names that it does not know may be tunes of it. */
function unlessOtherIn(
  runs: readonly BenchmarkRun[],
  catalog: Catalog,
  model: CatalogEntry<"llms"> | null,
  problem: Report,
): CatalogEntry<"llms"> | null {
  for (const name of model === null ? [] : namesIn(runs)) {
    const named = findModel(catalog, name, true);
    if (named.ok && named.value !== model)
      return problem("--model", `says ${model!.id}, but a file was measured on ${named.value.id} ("${name}")`);
  }
  return model;
}

/** The option, unless the files say another, else what the files say if they agree. A profile of an engine stands for it. */
function oneOf<K extends "engine" | "tensorParallelSize">(
  runs: readonly BenchmarkRun[],
  fact: K,
  option: NonNullable<RunFacts[K]> | undefined,
  name: string,
  problem: Report,
  hint?: string,
): NonNullable<RunFacts[K]> | null {
  const said = [...new Set(runs.flatMap(({ facts }) => facts[fact] ?? []))] as NonNullable<RunFacts[K]>[];
  if (option !== undefined) {
    const other = said.find((one) => !String(option).toLowerCase().startsWith(String(one).toLowerCase()));
    return other === undefined ? option : problem(name, `says ${option}, but a file says ${other}`);
  }
  if (said.length === 0) return problem(name, "is needed: no file names it", hint);
  if (said.length > 1) return problem(name, `the files say ${said.join(" and ")}; calibrate one at a time`);
  return said[0]!;
}

/** Load generators time as clients. A bare CSV does not say. */
function clockOf(runs: readonly BenchmarkRun[], option: string | undefined, problem: Report): Target["clock"] | null {
  const named = CLOCKS.find((clock) => clock === option);
  if (named !== undefined) return named;
  if (option !== undefined) return problem("--clock", `unknown clock "${option}"`, hintFor(option, CLOCKS));
  if (!runs.some(({ format }) => format === "request-csv")) return "client";
  return problem("--clock", "is needed: a CSV does not say who timed", "client (behind the HTTP server) or engine");
}

/** The profile of the engine's version and of who timed, as shipped; that of the engine where its version has none. */
function profileOf(
  { catalog, shipped }: Catalogs,
  engine: string,
  version: string | undefined,
  clock: Target["clock"],
  problem: Report,
): CatalogEntry<"engines"> | null {
  const both = [shipped, catalog];
  const own =
    clock === "engine" ? engine + ENGINE_CLOCK : `${engine}-${(version ?? "").split(".").slice(0, 2).join(".")}`;
  for (const one of both) {
    const found = find(one, "engines", own);
    if (found.ok) return found.value;
  }
  const profile =
    clock === "engine" ? null : both.map((one) => engineProfileOf(one, engine, version ?? "")).find(Boolean);
  if (profile) return profile;
  return problem(
    "--engine",
    `no engine profile "${clock === "engine" ? own : engine}"`,
    hintFor(engine, [...catalog.engines.keys()]),
  );
}

function engineSpec(
  runs: readonly BenchmarkRun[],
  options: TargetOptions,
  target: Pick<Target, "gpu" | "llm" | "weightDtype" | "profile"> & { readonly tensorParallelSize: number },
): EngineSpec {
  const { gpu, llm, weightDtype, profile, tensorParallelSize } = target;
  const said = <K extends keyof RunFacts>(fact: K): RunFacts[K] | undefined =>
    runs.map(({ facts }) => facts[fact]).find((value) => value !== null && value !== undefined);
  const defaults = schedulerDefaults(profile, gpu);
  const maxNumSeqs = options.maxNumSeqs ?? said("maxNumSeqs") ?? defaults.maxNumSeqs;
  if (options.maxNumBatchedTokens !== undefined && options.maxNumBatchedTokens < maxNumSeqs)
    throw new ConfigError([
      {
        path: ["--max-num-batched-tokens"],
        message: `expected at least the sequences of a step (--max-num-seqs, here ${maxNumSeqs}), got ${options.maxNumBatchedTokens}`,
      },
    ]);
  const memory = {
    gpuMemoryUtilization: said("gpuMemoryUtilization") ?? profile.gpuMemoryUtilization,
    blockTokens: said("blockTokens") ?? profile.blockTokens,
    maxNumSeqs,
    maxNumBatchedTokens: Math.max(maxNumSeqs, options.maxNumBatchedTokens ?? defaults.maxNumBatchedTokens),
    tensorParallelSize,
    kvDtype: "bf16",
  } as const;
  const lengths = runs.map(({ meanInputTokens, meanOutputTokens }) => meanInputTokens + meanOutputTokens);
  const capacity = kvCapacity({ gpu, llm, weightDtype, ...memory, profile: profile.kvCapacity });
  const kvBlocks = options.kvBlocks ?? capacity.kvBlocks;
  if (kvBlocks === 0)
    throw new ConfigError([
      {
        path: ["--tensor-parallel-size"],
        message: `${llm.id} in ${weightDtype} leaves no KV cache: ${capacity.missingGiB.toFixed(1)} GiB are missing on each ${gpu.id}`,
      },
    ]);
  return {
    engine: profile.engine,
    engineVersion: options.engineVersion ?? profile.engineVersion,
    // The step loop reads time from its StepTime alone; for it the finer formats are FP8.
    weightDtype: weightDtype === "bf16" ? "bf16" : "fp8",
    ...memory,
    longPrefillTokenThreshold: profile.longPrefillTokenThreshold,
    kvBlocks,
    maxModelLen: said("maxModelLen") ?? llm.maxContext,
    ...(lengths.length === 0 ? {} : { requestTokens: mean(lengths) }),
    tpreMsPerLayer: profile.tpreMsPerLayer[llmClass(llm)],
    prefillMsPerToken: profile.prefillMsPerToken?.[llmClass(llm)] ?? 0,
    stepMs: profile.stepMs ?? 0,
    schedulesAhead: profile.schedulesAhead ?? false,
    apiOverheadMs: profile.apiOverheadMs,
  };
}

/** The step time under other constants; those it does not read are ignored. */
export function stepTimeOf(target: Target, constants: Constants): StepTime {
  const gpu: GpuSpec = target.gpu;
  const { tpreMsPerLayer, apiOverheadMs: _, ...values } = constants;
  return createStepTime(
    gpu,
    target.llm,
    { ...target.engine, weightDtype: target.weightDtype, tpreMsPerLayer: tpreMsPerLayer! },
    { ...target.coefficients, ...values },
  );
}
