/** What a recording leaves open of its engine and was assumed, and how it is told to the reader of a result. */
import type { KvDtype } from "../../engine/spec.ts";
import type { RecordedCase } from "./case.ts";
import { linkCaveat } from "./interconnect.ts";
import { type Setup, kvDtypeNamed } from "./setup.ts";

/** Caveats about defaults that stand in for what is not recorded. */
export function assumedCaveats(recorded: RecordedCase, setup: Setup): readonly string[] {
  const link = linkCaveat(recorded, setup.gpu, setup.ownLink);
  return [
    ...(setup.otherRelease ? [`${recorded.model} is predicted as ${setup.llm.id}, another release of it`] : []),
    ...(link === null ? [] : [link]),
    ...kvCaveats(recorded, setup),
    ...cacheCaveats(recorded),
    ...(recorded.engineOptions.chunkedPrefill === undefined && !chunksPrefills(recorded, setup.llm.maxContext)
      ? [
          `chunkedPrefill is not recorded: off, the default of vLLM ${recorded.engineVersion} up to ${V0_WHOLE_PROMPTS_UP_TO} tokens of context`,
        ]
      : []),
    ...versionCaveats(recorded, setup),
  ];
}

/**
 * What is recorded. Else of a closed loop as in the fit, where KV follows the weights (FP8 with FP8 and NVFP4, and with MXFP4
 * on GPUs with FP4 units); of other loads the default of the engines, which is BF16 whatever the weights.
 */
export function kvDtypeOf(
  { kvDtype, load }: RecordedCase,
  { weightDtype, gpu }: Pick<Setup, "weightDtype" | "gpu">,
): KvDtype {
  if (kvDtype !== undefined) return kvDtypeNamed(kvDtype);
  if (load.kind !== "closed") return "bf16";
  if (weightDtype === "mxfp4") return gpu.fp4DenseTflops === null ? "bf16" : "fp8";
  return ["bf16", "int8", "int4"].includes(weightDtype) ? "bf16" : "fp8";
}

function kvCaveats(recorded: RecordedCase, setup: Setup): readonly string[] {
  if (recorded.kvDtype !== undefined || kvDtypeOf(recorded, setup) === "bf16") return [];
  return [
    `kvDtype is not recorded: FP8, as the weights of ${setup.weightDtype}, like the closed loops that coefficients were fitted on; engines default to BF16`,
  ];
}

/** First version of vLLM whose engine is the one that is modelled (V1), which caches prefixes by default. */
const VLLM_V1 = [0, 8] as const;

/** vLLM of a version whose default engine was the one before (V0); versions that are no numbers are taken as newer. */
function isVllmV0({ engine, engineVersion }: RecordedCase): boolean {
  const match = /^(\d+)\.(\d+)/.exec(engineVersion);
  if (engine !== "vllm" || match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major === VLLM_V1[0] && minor < VLLM_V1[1];
}

/** Longest context up to which vLLM before V1 left chunked prefill off (engine/arg_utils.py, _set_default_args_v0). */
const V0_WHOLE_PROMPTS_UP_TO = 32_768;

/** As recorded, else the default of the engine: on, but for vLLM before V1 and models of no long context. `modelTokens` is the model's own. */
export function chunksPrefills(recorded: RecordedCase, modelTokens: number): boolean {
  const { chunkedPrefill, maxModelLen = modelTokens } = recorded.engineOptions;
  return chunkedPrefill ?? !(isVllmV0(recorded) && maxModelLen <= V0_WHOLE_PROMPTS_UP_TO);
}

/** As recorded, else the default of the engine: on, but for vLLM before V1. */
export function cachesPrefixes(recorded: RecordedCase): boolean {
  return recorded.engineOptions.prefixCaching ?? !isVllmV0(recorded);
}

function cacheCaveats(recorded: RecordedCase): readonly string[] {
  const { engineOptions, engineVersion, load } = recorded;
  const isV0 = isVllmV0(recorded);
  // Prompts of a requestsFile are taken to share nothing.
  const shares = load.requestsFile === undefined && (load.prefix !== undefined || (load.sharedPrefixTokens ?? 0) > 0);
  const unrecorded = engineOptions.prefixCaching === undefined;
  return [
    ...(unrecorded && isV0 ? [`prefixCaching is not recorded: off, the default of vLLM ${engineVersion}`] : []),
    ...(unrecorded && !isV0 && shares
      ? ["prefixCaching is not recorded: taken as on, on which shared prompts depend"]
      : []),
    ...(isV0
      ? [
          `vLLM ${engineVersion} schedules by the engine before V1: but for its defaults it is simulated by the rules of V1`,
        ]
      : []),
  ];
}

function versionCaveats({ engine, engineVersion }: RecordedCase, { profile, isNewer }: Setup): readonly string[] {
  const fitted = profile.engineVersion;
  if (isNewer)
    return [
      `${engine} ${engineVersion} is newer than all versions that have a profile: predicted as ${profile.id} (${fitted}), whose defaults and memory may be others`,
    ];
  if (profile.id !== `${engine}-engine-clock` || engineVersion === "" || engineVersion.startsWith(fitted)) return [];
  return [
    `constants of the engine's own clock are those of ${engine} ${fitted}: of version ${engineVersion} only whether it forms steps ahead is read`,
  ];
}
