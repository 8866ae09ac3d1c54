/** A case with the catalogue's names, so that other spellings of one GPU or model count as one and meet the same bars. */
import type { Catalog } from "../../catalog/schema.ts";
import { findGpu, findModel } from "../../catalog/spellings.ts";
import { WEIGHT_DTYPES, type WeightDtype } from "../../engine/spec.ts";
import type { RecordedCase } from "./case.ts";

/** Names that the catalogue lacks are left as they are, to be refused by them. `auto` is the format of the checkpoint, as in vLLM. */
export function canonicalCase(recorded: RecordedCase, catalog: Catalog): RecordedCase {
  const foundGpu = findGpu(catalog, recorded.gpu);
  const gpu = foundGpu.ok ? foundGpu.value.id : recorded.gpu;
  const found = findModel(catalog, recorded.model);
  const model = found.ok ? found.value.id : recorded.model;
  const isAuto = recorded.weightDtype.toLowerCase() === "auto";
  const release = findModel(catalog, recorded.model, true);
  const base = release.ok ? release.value : undefined;
  const native = formatNamed(recorded.model) ?? formatIn(base?.nativeDtype ?? "");
  return { ...recorded, gpu, model, weightDtype: isAuto ? (native ?? recorded.weightDtype) : recorded.weightDtype };
}

/** The format that the name of a checkpoint holds. */
function formatNamed(model: string): WeightDtype | undefined {
  if (/int8|w8a/i.test(model)) return "int8";
  if (/fp8/i.test(model)) return "fp8";
  if (/mxfp4/i.test(model)) return "mxfp4";
  if (/fp4/i.test(model)) return "nvfp4";
  return /awq|gptq|w4a16|int4/i.test(model) ? "int4" : undefined;
}

/** The format that a checkpoint's description begins with (`fp8 block128`, `mxfp4 experts + bf16 rest`). */
function formatIn(nativeDtype: string): WeightDtype | undefined {
  if (nativeDtype.startsWith("fp8 block")) return "fp8-block";
  return WEIGHT_DTYPES.find((dtype) => dtype === nativeDtype.split(" ")[0]);
}
