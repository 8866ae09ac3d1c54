/** The format of weights that the `quantization_config` of a Hugging Face `config.json` describes. */
import type { Problem } from "../kernel/errors.ts";
import { type Fields, isObject } from "./hf-fields.ts";
import type { Json } from "./hf-families.ts";

/** A format of ours, or why there is none and which of ours weighs most like it. */
type Found = { readonly dtype: string } | Missing;
interface Missing {
  readonly missing: string;
  readonly nearest: string | null;
  readonly field?: string;
}

const INT8 = "int8 (as many bytes per weight; its kernels differ)";
const W8A8 = "int8 (weights alone; where products bound a step, 8-bit integers on both sides are up to twice as fast)";
const W4A8 = "int4 (weights alone; where products bound a step, 8-bit activations are faster)";
const INT4 = "int4 (about as many bytes per weight; its kernels are faster)";
const FORMATS = "bf16, fp8, fp8-block, int8 and int4 (GPTQ, AWQ: weights alone), nvfp4, mxfp4";

/** Where ModelOpt writes what it quantized; checkpoints of its earlier versions say it there alone. */
export const QUANT_FILE = "hf_quant_config.json";

/**
 * `bf16` where nothing is quantized. A format that no experiment can name, and two that contradict each other, are problems of `fields`.
 * @param quantFile contents of the file of that name beside the configuration; undefined without
 * @param hasExperts whether attention may have another format than the experts
 */
export function publishedDtype(fields: Fields, quantFile: unknown, hasExperts: boolean): string {
  const inConfig = fields.object("quantization_config");
  const path = fields.path("quantization_config");
  const said: string[] = [];
  const tell = (found: Found, at: readonly string[], file?: string): void => {
    if ("dtype" in found) said.push(found.dtype);
    else
      fields.problem({
        ...problemOf(found, at, file ?? "quantization_config"),
        ...(file === undefined ? {} : { file }),
      });
  };
  if (inConfig !== undefined)
    tell(formatOf(String(inConfig["quant_method"] ?? "").toLowerCase(), inConfig, hasExperts), path);
  if (quantFile !== undefined) tell(ofQuantFile(quantFile, hasExperts), ["quantization"], QUANT_FILE);
  const [first = "bf16", second = first] = said;
  if (first !== second)
    fields.problem({
      file: QUANT_FILE,
      path: ["quantization", "quant_algo"],
      message: `says ${second} where the ${path.join(".")} of the config.json says ${first}`,
      hint: "one of the two belongs to another checkpoint: take it away",
    });
  return first;
}

function problemOf({ missing, nearest, field }: Missing, path: readonly string[], whole: string): Problem {
  const hint =
    nearest === null
      ? `known: ${FORMATS}`
      : `nearest: ${nearest}. Import the config.json of the unquantized model (or take ${whole} out) and set weightDtype in the experiment`;
  return { path: field === undefined ? path : [...path, field], message: missing, hint };
}

/** Whether the checkpoint says that keys and values are kept in FP8, in the words of ModelOpt or of compressed-tensors. */
export function kvCacheInFp8(fields: Fields, quantFile: unknown): boolean {
  const inConfig = fields.object("quantization_config") ?? {};
  const inFile = isObject(quantFile) && isObject(quantFile["quantization"]) ? quantFile["quantization"] : {};
  const scheme = inConfig["kv_cache_scheme"];
  return (
    [inConfig, inFile].some((json) => String(json["kv_cache_quant_algo"] ?? "").toUpperCase() === "FP8") ||
    (isObject(scheme) && scheme["num_bits"] === 8 && scheme["type"] === "float")
  );
}

function ofQuantFile(json: unknown, hasExperts: boolean): Found {
  if (!isObject(json) || !isObject(json["quantization"]))
    return { missing: "expected an object that says what was quantized", nearest: null };
  const { quantization } = json;
  // Keys and values alone may be quantized.
  if (quantization["quant_algo"] === null) return { dtype: "bf16" };
  return modelopt(quantization, hasExperts);
}

function formatOf(method: string, json: Json, hasExperts: boolean): Found {
  switch (method) {
    case "":
      return { missing: "names no quant_method", nearest: null };
    case "fp8":
      return { dtype: Array.isArray(json["weight_block_size"]) ? "fp8-block" : "fp8" };
    case "fbgemm_fp8":
      return { dtype: "fp8" };
    case "mxfp4":
    case "gpt_oss_mxfp4":
      return { dtype: "mxfp4" };
    case "modelopt_fp4":
      return { dtype: "nvfp4" };
    case "awq":
    case "awq_marlin":
    case "gptq":
    case "gptq_marlin":
    case "gptqmodel":
    case "auto_gptq":
      return ofBits(method, json);
    case "auto-round":
    case "intel/auto-round":
    case "inc":
      return autoRound(method, json);
    case "bitsandbytes":
      return json["load_in_8bit"] === true || json["_load_in_8bit"] === true
        ? { missing: "8-bit weights of bitsandbytes are not modelled", nearest: INT8 }
        : { missing: "4-bit weights of bitsandbytes are not modelled", nearest: INT4 };
    case "modelopt":
      return modelopt(json, hasExperts);
    case "compressed-tensors":
      return compressedTensors(json, hasExperts);
    case "quark":
      return quark(json);
    case "torchao":
      return torchao(json);
    case "fp_quant":
      return fpQuant(json);
    default:
      return { missing: `weights of ${method} are not modelled`, nearest: null };
  }
}

function ofBits(method: string, json: Json): Found {
  const field = json["bits"] === undefined && json["w_bit"] !== undefined ? "w_bit" : "bits";
  const bits = json[field];
  if (bits === undefined) return { missing: `${method} without bits, so its format is not known`, nearest: null };
  if (Number(bits) === 4) return { dtype: "int4" };
  if (Number(bits) === 8) return { dtype: "int8" };
  return { missing: `${JSON.stringify(bits)}-bit weights (${method}) are not modelled`, nearest: null, field };
}

/** Activations are in integers beside the weights, so that products are as well. */
function quantizedProducts(weightBits: number): Missing {
  return {
    missing: `${weightBits}-bit integer weights beside quantized activations are not modelled`,
    nearest: weightBits === 4 ? W4A8 : W8A8,
  };
}

/** Integers unless it says otherwise. */
function autoRound(method: string, json: Json): Found {
  const kind = String(json["data_type"] ?? "int");
  const bits = Number(json["bits"]);
  if (kind.startsWith("nv_fp") && bits === 4) return { dtype: "nvfp4" };
  if (kind.startsWith("mx_fp") && bits === 4) return { dtype: "mxfp4" };
  if (kind.startsWith("fp") && bits === 8) return { dtype: "fp8" };
  if (kind.startsWith("int"))
    return Number(json["act_bits"] ?? 16) < 16 ? quantizedProducts(bits) : ofBits(method, json);
  return { missing: `weights of ${method} in ${kind} are not modelled`, nearest: null, field: "data_type" };
}

const MODELOPT: Readonly<Record<string, string>> = {
  FP8: "fp8",
  FP8_PER_CHANNEL_PER_TOKEN: "fp8",
  FP8_PB_WO: "fp8-block",
  NVFP4: "nvfp4",
  NVFP4_AWQ: "nvfp4",
  W4A16_AWQ: "int4",
  W8A16: "int8",
};

function modelopt(json: Json, hasExperts: boolean): Found {
  const algorithm = String(json["quant_algo"] ?? "").toUpperCase();
  if (algorithm === "") return { missing: "names no quant_algo", nearest: null };
  if (Object.hasOwn(MODELOPT, algorithm)) return { dtype: MODELOPT[algorithm]! };
  const layers = isObject(json["quantized_layers"]) ? Object.entries(json["quantized_layers"]) : [];
  if (algorithm === "MIXED_PRECISION" && layers.length > 0)
    return together(
      layers.map(([name, layer]) => ({
        found: modelopt(isObject(layer) ? layer : {}, false),
        ofExperts: isOfExperts(name),
      })),
      hasExperts,
    );
  const nearest = algorithm === "INT8_SQ" ? W8A8 : algorithm.startsWith("W4A8") ? W4A8 : null;
  return { missing: `weights of ModelOpt's ${algorithm} are not modelled`, nearest, field: "quant_algo" };
}

function compressedTensors(json: Json, hasExperts: boolean): Found {
  const format = String(json["format"] ?? "");
  if (format.startsWith("marlin-24") || format.startsWith("sparse"))
    return { missing: `sparse weights (${format}) are not modelled`, nearest: null, field: "format" };
  const groups = isObject(json["config_groups"]) ? Object.values(json["config_groups"]).filter(isObject) : [];
  if (groups.length === 0) {
    if (format.startsWith("nvfp4")) return { dtype: "nvfp4" };
    if (format.startsWith("mxfp4")) return { dtype: "mxfp4" };
    return { missing: "has no config_groups, so its format is not known", nearest: null };
  }
  return together(
    groups.map((group) => ({
      found: weightsOfGroup(group, String(group["format"] ?? format)),
      ofExperts: Array.isArray(group["targets"]) && group["targets"].every((target) => isOfExperts(String(target))),
    })),
    hasExperts,
  );
}

/** Routed experts; one that all tokens go through counts with attention. */
function isOfExperts(module: string): boolean {
  return /experts/.test(module) && !/shared_experts/.test(module);
}

/** What the engine's model has beside attention in FP8, in models with experts (`engine/model-bytes.ts`). */
const BESIDE_FP8: readonly string[] = ["nvfp4", "int4"];

/** The one format of all parts of a checkpoint, or that of the experts where attention beside them is in FP8: an experiment names one. */
function together(
  parts: readonly { readonly found: Found; readonly ofExperts: boolean }[],
  hasExperts: boolean,
): Found {
  const missing = parts.map(({ found }) => found).find((found) => "missing" in found);
  if (missing !== undefined) return missing;
  const named = (some: typeof parts): string[] => [
    ...new Set(some.map(({ found }) => ("dtype" in found ? found.dtype : ""))),
  ];
  const dtypes = named(parts);
  if (dtypes.length === 1) return { dtype: dtypes[0]! };
  const ofExperts = named(parts.filter((part) => part.ofExperts));
  const ofRest = named(parts.filter((part) => !part.ofExperts));
  const isKnown = BESIDE_FP8.includes(ofExperts[0]!) && ofExperts.length === 1 && ofRest.join() === "fp8";
  return hasExperts && isKnown
    ? { dtype: ofExperts[0]! }
    : { missing: `mixes ${dtypes.join(" and ")}: weights of several formats are not modelled`, nearest: null };
}

function weightsOfGroup(group: Json, format: string): Found {
  if (format.startsWith("nvfp4")) return { dtype: "nvfp4" };
  if (format.startsWith("mxfp4")) return { dtype: "mxfp4" };
  const weights = isObject(group["weights"]) ? group["weights"] : {};
  const { num_bits: bits, type, strategy } = weights;
  if (bits === 8 && type === "float") {
    if (strategy === "block") return { dtype: "fp8-block" };
    if (strategy === "group")
      return { missing: "8-bit weights with a scale per group are not modelled", nearest: "fp8-block" };
    return { dtype: "fp8" };
  }
  if ((bits === 4 || bits === 8) && type === "int")
    return isObject(group["input_activations"]) ? quantizedProducts(bits) : { dtype: `int${bits}` };
  if (bits === 4 && type === "float")
    return { dtype: strategy === "tensor_group" || weights["group_size"] === 16 ? "nvfp4" : "mxfp4" };
  return { missing: `${JSON.stringify(bits)}-bit weights are not modelled`, nearest: null };
}

/** AMD Quark. */
function quark(json: Json): Found {
  const global = json["global_quant_config"];
  const weight = isObject(global) && isObject(global["weight"]) ? global["weight"] : {};
  const dtype = String(weight["dtype"] ?? "");
  if (dtype.startsWith("fp8")) return { dtype: "fp8" };
  if (dtype === "fp4" && weight["group_size"] === 32) return { dtype: "mxfp4" };
  const bits = dtype.endsWith("int4") ? 4 : dtype.endsWith("int8") ? 8 : null;
  if (bits !== null)
    return isObject(global) && isObject(global["input_tensors"]) ? quantizedProducts(bits) : { dtype: `int${bits}` };
  return { missing: `weights of quark (${dtype === "" ? "no dtype" : dtype}) are not modelled`, nearest: null };
}

/** Its formats are named by the classes of its own that make them. */
function torchao(json: Json): Found {
  const types = isObject(json["quant_type"]) ? json["quant_type"] : {};
  const given = isObject(types["default"]) ? types["default"]["_type"] : json["quant_type"];
  const type = String(given ?? "no quant_type");
  if (type === "Float8DynamicActivationFloat8WeightConfig") return { dtype: "fp8" };
  if (type === "Int4WeightOnlyConfig" || type === "int4_weight_only") return { dtype: "int4" };
  if (type === "Int8WeightOnlyConfig" || type === "int8_weight_only") return { dtype: "int8" };
  if (/^int8/i.test(type)) return quantizedProducts(8);
  return { missing: `weights of torchao (${type}) are not modelled`, nearest: null, field: "quant_type" };
}

function fpQuant(json: Json): Found {
  const dtype = String(json["forward_dtype"] ?? "");
  if (dtype === "mxfp4" || dtype === "nvfp4") return { dtype };
  return { missing: `weights of fp_quant (${dtype}) are not modelled`, nearest: null, field: "forward_dtype" };
}
