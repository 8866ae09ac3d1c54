/**
 * Which fitted coefficient set a configuration gets, how far off such sets were on measurements they had not seen, and
 * whether the configuration lies inside what was measured at all. Terms of two sets are never mixed; the one exception,
 * all-reduce over PCIe, is assumed and says so in the scope.
 */
import { PCIE_GBPS, gpusPerReplica, layoutOf, linkGBps, type ParallelOptions } from "./parallelism.ts";
import type { GpuSpec, KvDtype, LlmSpec, StepCoefficients, WeightDtype } from "./spec.ts";

export type LlmClass = "dense" | "moe";

/**
 * What a set was fitted on. `calibration`: groups of measurements set apart for it, so that a claim on the other groups
 * is honest. `all`: every clean measurement, for use; its errors are claimed against other sources only.
 */
export type FitSet = "calibration" | "all";

export type CoefficientScope = "global" | "engine" | "gpu+engine" | "gpu+engine+model+dtype";

/** Quantiles of the signed error (predicted ÷ measured − 1) of closed-loop TPOT on groups never fitted, percent. */
export interface ResidualBandPercent {
  readonly p5: number;
  readonly p25: number;
  readonly p50: number;
  readonly p75: number;
  readonly p95: number;
}

/** One entry of the catalogue's `coefficients` folder: the sets of one fit set and class. */
export interface CoefficientSets {
  readonly fitSet: FitSet;
  readonly modelClass: LlmClass;
  readonly residualBandsPercent: { readonly finest: ResidualBandPercent; readonly global: ResidualBandPercent };
  readonly sets: readonly CoefficientSet[];
}

/** One fitted set; what its scope does not name holds for all. */
export interface CoefficientSet {
  readonly scope: CoefficientScope;
  readonly gpu?: string | undefined;
  readonly engine?: string | undefined;
  readonly llm?: string | undefined;
  readonly weightDtype?: string | undefined;
  readonly values: Omit<StepCoefficients, "scope">;
}

/** A configuration, as far as coefficients depend on it. */
export interface CoefficientRequest extends ParallelOptions {
  readonly gpu: GpuSpec;
  readonly llm: LlmSpec;
  /** Model whose sets hold for this one: its own id, or that of a model with the same architecture. */
  readonly architecture: string;
  readonly engine: string;
  readonly weightDtype: WeightDtype;
  /** Left out where the KV cache is as it was in the measurements. */
  readonly kvDtype?: KvDtype;
  /** The engine profile's answer for what no finer set holds. */
  readonly fallbackScope: { readonly dense: "engine" | "global"; readonly moe: "engine" | "global" };
}

export interface ChosenCoefficients {
  readonly coefficients: StepCoefficients;
  readonly scope: CoefficientScope;
  /** Known for the finest and the widest scope; scopes between them get the wide one. */
  readonly bandPercent: ResidualBandPercent;
}

/**
 * Assumed: no all-reduce over PCIe was fitted. NCCL reaches 28 of 64 GB/s among eight RTX 5090 over PCIe 5 and 35 among four
 * (NVIDIA/nccl#1639, 2025-03), and needs 42 us for the smallest message among eight RTX 4090 (NVIDIA/nccl#1530).
 */
const PCIE_EL = 0.44;
const PCIE_AR_MS = 0.04;

/**
 * Share of the datasheet's rate that matrix products reach on H100 SXM (792.1 of 989 TFLOPS by mag-/gpu_benchmark @13f96a4), which most rows of
 * the sets for all GPUs are of.
 */
const MATMUL_SHARE_IN_FIT = 792.1 / 989;

/** A set that was fitted on other GPUs, for one whose matrix products come nearer to its datasheet, or less near. */
function onOtherGpu(values: CoefficientSet["values"], gpu: GpuSpec): CoefficientSet["values"] {
  if (gpu.matmulBf16Tflops === undefined) return values;
  const share = gpu.matmulBf16Tflops / gpu.bf16DenseTflops;
  return { ...values, mfu: Math.min(1, (values.mfu * share) / MATMUL_SHARE_IN_FIT) };
}

export function llmClass(llm: LlmSpec): LlmClass {
  return llm.moe === null ? "dense" : "moe";
}

/**
 * The finest set that fits: (GPU, engine, model, dtype), else (GPU, engine), else the engine's where its profile says so,
 * else the global set of the class (DR-35). GPUs of the same chip stand in for each other, in their order. Throws a RangeError when
 * the catalogue lacks even the global set.
 */
export function chooseCoefficients(
  catalogue: readonly CoefficientSets[],
  request: CoefficientRequest,
  fitSet: FitSet,
): ChosenCoefficients {
  const modelClass = llmClass(request.llm);
  const { gpu, engine, architecture, weightDtype } = request;
  for (const entry of catalogue) {
    if (entry.fitSet !== fitSet || entry.modelClass !== modelClass) continue;
    const find = (scope: CoefficientScope, matches: (set: CoefficientSet) => boolean): CoefficientSet | undefined =>
      entry.sets.find((set) => set.scope === scope && matches(set));
    const chips = [gpu.id, ...(gpu.sameChipAs ?? [])];
    const onChip = (scope: CoefficientScope, matches: (set: CoefficientSet) => boolean): CoefficientSet | undefined =>
      chips
        .map((id) => find(scope, (set) => set.gpu === id && set.engine === engine && matches(set)))
        .find((set) => set !== undefined);
    const set =
      onChip("gpu+engine+model+dtype", (one) => one.llm === architecture && one.weightDtype === weightDtype) ??
      onChip("gpu+engine", () => true) ??
      (request.fallbackScope[modelClass] === "engine" ? find("engine", (one) => one.engine === engine) : undefined) ??
      find("global", () => true);
    if (set === undefined) continue;
    const pcie = overPcie(request);
    const name = [modelClass, set.scope, set.gpu, set.engine, set.llm, set.weightDtype].filter(
      (part) => part !== undefined,
    );
    const scope = name.join("|") + (pcie ? ", PCIe all-reduce assumed" : "");
    const values = set.gpu === gpu.id ? set.values : onOtherGpu(set.values, gpu);
    const finest = set.scope === "gpu+engine+model+dtype" && !pcie;
    return {
      coefficients: pcie ? { ...values, scope, el: PCIE_EL, arMs: PCIE_AR_MS } : { ...values, scope },
      scope: set.scope,
      bandPercent: finest ? entry.residualBandsPercent.finest : entry.residualBandsPercent.global,
    };
  }
  throw new RangeError(`the catalogue has no global ${modelClass} coefficient set (fit set ${fitSet})`);
}

function overPcie(request: CoefficientRequest): boolean {
  const { tensor, ranks, stages } = layoutOf(request);
  const joined = request.gpu.linkGBpsPerDirection <= PCIE_GBPS ? tensor * ranks * stages : tensor * ranks;
  return joined > 1 && linkGBps(request.gpu, joined) <= PCIE_GBPS;
}

/**
 * Why the accuracy that `crossover validate` measures does not carry over to this configuration, in one sentence for the
 * report's banner; null when it does.
 */
export function outsideValidatedRange(
  catalogue: readonly CoefficientSets[],
  request: CoefficientRequest,
): string | null {
  const { gpu, llm, weightDtype } = request;
  const modelClass = llmClass(llm);
  const sets = catalogue.filter((entry) => entry.modelClass === modelClass).flatMap((entry) => entry.sets);
  const reasons: string[] = [];
  const fittedOn = [gpu.id, ...(gpu.sameChipAs ?? [])].find((id) => sets.some((set) => set.gpu === id));
  if (fittedOn !== gpu.id) {
    const chip = fittedOn === undefined ? "" : ` itself, whose chip is that of ${fittedOn}`;
    reasons.push(`no ${modelClass} model was fitted on ${gpu.id}${chip}`);
  }
  if (!sets.some((set) => set.engine === request.engine)) reasons.push(`${request.engine} was never fitted`);
  if (!sets.some((set) => set.llm === request.architecture)) reasons.push(`${llm.id} was never fitted`);
  if (!sets.some((set) => set.weightDtype === weightDtype))
    reasons.push(`no ${modelClass} model was fitted with ${weightDtype} weights`);
  if (weightDtype.startsWith("fp8") && gpu.fp8DenseTflops === null)
    reasons.push(`${gpu.id} has no FP8 units and the cost of unpacking ${weightDtype} weights is not modelled`);
  if (weightDtype === "nvfp4" && gpu.fp4DenseTflops === null)
    reasons.push(`${gpu.id} has no FP4 units and the cost of unpacking ${weightDtype} weights is not modelled`);
  if (weightDtype === "bf16" && request.kvDtype === "fp8")
    reasons.push("an FP8 KV cache beside bf16 weights was never fitted");
  if ((llm.slidingWindow ?? 0) > LARGEST_FITTED_WINDOW)
    reasons.push(
      `windows of ${llm.slidingWindow} tokens count as full, or as attention to everything where the mean request is shorter: mixed lengths are predicted too slow`,
    );
  reasons.push(...unfittedLayout(request));
  return reasons.length === 0 ? null : `Outside the validated range: ${reasons.join("; ")}.`;
}

/** Of Gemma 3. How windows are counted (DR-19) says little where they are small beside the contexts, and much where they are not. */
const LARGEST_FITTED_WINDOW = 1024;

const GPUS_OF_NODE = 8;
/** Sold as racks of 72 GPUs on one NVLink. */
const RACKS: readonly string[] = ["gb200", "gb300"];

/** What of the layout rests on assumptions. */
function unfittedLayout(request: CoefficientRequest): string[] {
  const { stages, ranks, expertParallel } = layoutOf(request);
  const reasons: string[] = [];
  const gpus = gpusPerReplica(request);
  if (gpus > GPUS_OF_NODE && !RACKS.includes(request.gpu.id))
    reasons.push(
      `${gpus} GPUs of one replica are more than a node holds, and traffic between nodes counts as fast as within one`,
    );
  if (overPcie(request)) reasons.push("all-reduce over PCIe is assumed, not fitted");
  if (stages > 1)
    reasons.push(
      `pipeline parallelism is modelled in theory, not fitted, and where its stages are full a first token comes up to ${stages - 1}/${stages} of its prompt's time too early`,
    );
  if (ranks > 1) reasons.push("data-parallel attention is modelled with evenly spread ranks, not fitted");
  if (expertParallel) reasons.push("imbalance and exchanges of expert parallelism are assumed, not fitted");
  return reasons;
}
