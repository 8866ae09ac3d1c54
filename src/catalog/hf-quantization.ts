/** The format of weights that the `quantization_config` of a Hugging Face `config.json` describes. */
import type { Problem } from "../kernel/errors.ts";
import { isObject } from "./hf-fields.ts";
import type { Json } from "./hf-families.ts";

/** A format of ours, or why there is none and which of ours weighs most like it. */
type Found =
  { readonly dtype: string } | { readonly missing: string; readonly nearest: string | null; readonly field?: string };

const INT8 = "fp8 (as many bytes per weight; its kernels differ)";
const INT4 = "int4 (about as many bytes per weight; its kernels are faster)";
const FORMATS = "bf16, fp8, fp8-block, int4 (AWQ, GPTQ), nvfp4, mxfp4";

/**
 * `bf16` where nothing is quantized. A format that no experiment can name goes to `problems`.
 * @param path of `quantization`
 */
export function quantizedDtype(quantization: Json | undefined, path: readonly string[], problems: Problem[]): string {
  if (quantization === undefined) return "bf16";
  const found = formatOf(String(quantization["quant_method"] ?? "").toLowerCase(), quantization);
  if ("dtype" in found) return found.dtype;
  const { missing, nearest, field } = found;
  const instead =
    nearest === null
      ? `known: ${FORMATS}`
      : `nearest: ${nearest}. Import the config.json of the unquantized model (or take quantization_config out) and set weightDtype in the experiment`;
  problems.push({ path: field === undefined ? path : [...path, field], message: missing, hint: instead });
  return "bf16";
}

function formatOf(method: string, json: Json): Found {
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
    case "auto-round":
    case "auto_gptq":
      return ofBits(method, json);
    case "bitsandbytes":
      return json["load_in_8bit"] === true || json["_load_in_8bit"] === true
        ? { missing: "8-bit weights of bitsandbytes are not modelled", nearest: INT8 }
        : { missing: "4-bit weights of bitsandbytes are not modelled", nearest: INT4 };
    case "modelopt":
      return modelopt(json);
    case "compressed-tensors":
      return compressedTensors(json);
    case "quark":
      return quark(json);
    default:
      return { missing: `weights of ${method} are not modelled`, nearest: null };
  }
}

function ofBits(method: string, json: Json): Found {
  const field = json["bits"] === undefined && json["w_bit"] !== undefined ? "w_bit" : "bits";
  const bits = json[field];
  if (bits === undefined) return { missing: `${method} without bits, so its format is not known`, nearest: null };
  if (Number(bits) === 4) return { dtype: "int4" };
  if (Number(bits) === 8)
    return { missing: `8-bit integer weights (${method}) are not modelled`, nearest: INT8, field };
  return { missing: `${JSON.stringify(bits)}-bit weights (${method}) are not modelled`, nearest: null, field };
}

const MODELOPT: Readonly<Record<string, string>> = {
  FP8: "fp8",
  FP8_PER_CHANNEL_PER_TOKEN: "fp8",
  FP8_PB_WO: "fp8-block",
  NVFP4: "nvfp4",
  NVFP4_AWQ: "nvfp4",
  W4A16_AWQ: "int4",
};

function modelopt(json: Json): Found {
  const algorithm = String(json["quant_algo"] ?? "").toUpperCase();
  if (algorithm === "") return { missing: "names no quant_algo", nearest: null };
  if (Object.hasOwn(MODELOPT, algorithm)) return { dtype: MODELOPT[algorithm]! };
  return { missing: `weights of ModelOpt's ${algorithm} are not modelled`, nearest: null, field: "quant_algo" };
}

/** All groups of layers of a checkpoint must have one format: an experiment names one for all. */
function compressedTensors(json: Json): Found {
  const format = String(json["format"] ?? "");
  if (format.startsWith("marlin-24") || format.startsWith("sparse"))
    return { missing: `sparse weights (${format}) are not modelled`, nearest: null, field: "format" };
  const groups = isObject(json["config_groups"]) ? Object.values(json["config_groups"]).filter(isObject) : [];
  if (groups.length === 0) {
    if (format.startsWith("nvfp4")) return { dtype: "nvfp4" };
    if (format.startsWith("mxfp4")) return { dtype: "mxfp4" };
    return { missing: "has no config_groups, so its format is not known", nearest: null };
  }
  const found = groups.map((group) => weightsOfGroup(group, String(group["format"] ?? format)));
  const missing = found.find((one) => "missing" in one);
  if (missing !== undefined) return missing;
  const dtypes = [...new Set(found.map((one) => ("dtype" in one ? one.dtype : "")))];
  return dtypes.length === 1
    ? { dtype: dtypes[0]! }
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
  if (bits === 4 && type === "int") return { dtype: "int4" };
  if (bits === 4 && type === "float")
    return { dtype: strategy === "tensor_group" || weights["group_size"] === 16 ? "nvfp4" : "mxfp4" };
  if (bits === 8 && type === "int") return { missing: "8-bit integer weights are not modelled", nearest: INT8 };
  return { missing: `${JSON.stringify(bits)}-bit weights are not modelled`, nearest: null };
}

/** AMD Quark. */
function quark(json: Json): Found {
  const global = json["global_quant_config"];
  const weight = isObject(global) && isObject(global["weight"]) ? global["weight"] : {};
  const dtype = String(weight["dtype"] ?? "");
  if (dtype.startsWith("fp8")) return { dtype: "fp8" };
  if (dtype === "fp4" && weight["group_size"] === 32) return { dtype: "mxfp4" };
  if (dtype.endsWith("int4")) return { dtype: "int4" };
  if (dtype.endsWith("int8")) return { missing: "8-bit integer weights (quark) are not modelled", nearest: INT8 };
  return { missing: `weights of quark (${dtype === "" ? "no dtype" : dtype}) are not modelled`, nearest: null };
}
