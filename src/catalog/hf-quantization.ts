/** The format of weights that the `quantization_config` of a Hugging Face `config.json` describes. */
import type { Problem } from "../kernel/errors.ts";

const FORMATS = "bf16, fp8, fp8-block, int4 (AWQ, GPTQ), nvfp4, mxfp4";

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `bf16` where nothing is quantized. A method that is not known goes to `problems`. */
export function quantizedDtype(quantization: unknown, problems: Problem[]): string {
  if (quantization === undefined || quantization === null) return "bf16";
  const json = isObject(quantization) ? quantization : {};
  const method = String(json["quant_method"] ?? "").toLowerCase();
  const dtype = dtypeOf(method, json);
  if (dtype !== null) return dtype;
  const what = method === "" ? "names no quant_method" : `${method} weights of this kind are not modelled`;
  problems.push({ path: ["quantization_config"], message: what, hint: `known: ${FORMATS}` });
  return "bf16";
}

function dtypeOf(method: string, json: Json): string | null {
  if (method === "fp8") return Array.isArray(json["weight_block_size"]) ? "fp8-block" : "fp8";
  if (method === "fbgemm_fp8") return "fp8";
  if (method === "mxfp4") return "mxfp4";
  if (method === "awq" || method === "gptq") return Number(json["bits"] ?? json["w_bit"]) === 4 ? "int4" : null;
  if (method === "modelopt") {
    const algorithm = String(json["quant_algo"] ?? "").toUpperCase();
    return algorithm === "NVFP4" ? "nvfp4" : algorithm === "FP8" ? "fp8" : null;
  }
  if (method === "modelopt_fp4") return "nvfp4";
  if (method === "compressed-tensors") return compressedTensors(json);
  return null;
}

/** All groups of layers of a compressed-tensors checkpoint have one format, as a rule; the first is read. */
function compressedTensors(json: Json): string | null {
  const format = String(json["format"] ?? "");
  if (format.startsWith("nvfp4")) return "nvfp4";
  if (format.startsWith("mxfp4")) return "mxfp4";
  const groups = json["config_groups"];
  const group = isObject(groups) ? Object.values(groups)[0] : undefined;
  const weights = isObject(group) && isObject(group["weights"]) ? group["weights"] : {};
  if (weights["num_bits"] === 8 && weights["type"] === "float")
    return weights["strategy"] === "block" ? "fp8-block" : "fp8";
  if (weights["num_bits"] === 4 && weights["type"] === "int") return "int4";
  return null;
}
