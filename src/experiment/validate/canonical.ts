/** A case with the catalogue's names, so that other spellings of one GPU or model count as one and meet the same bars. */
import { find } from "../../catalog/catalog.ts";
import type { Catalog } from "../../catalog/schema.ts";
import { modelSpellings } from "../../catalog/spellings.ts";
import { WEIGHT_DTYPES, type WeightDtype } from "../../engine/spec.ts";
import type { RecordedCase } from "./case.ts";

/** Names that the catalogue lacks are left as they are, to be refused by them. `auto` is the format of the checkpoint, as in vLLM. */
export function canonicalCase(recorded: RecordedCase, catalog: Catalog): RecordedCase {
  const gpu = firstKnown(catalog, "gpus", gpuSpellings(recorded.gpu)) ?? recorded.gpu;
  const model = firstKnown(catalog, "llms", modelSpellings(recorded.model)) ?? recorded.model;
  const isAuto = recorded.weightDtype.toLowerCase() === "auto";
  const native = /fp8/i.test(recorded.model) ? "fp8" : formatIn(catalog.llms.get(model)?.nativeDtype ?? "");
  return { ...recorded, gpu, model, weightDtype: isAuto ? (native ?? recorded.weightDtype) : recorded.weightDtype };
}

/** The format that a checkpoint's description begins with (`fp8 block128`, `mxfp4 experts + bf16 rest`). */
function formatIn(nativeDtype: string): WeightDtype | undefined {
  if (nativeDtype.startsWith("fp8 block")) return "fp8-block";
  return WEIGHT_DTYPES.find((dtype) => dtype === nativeDtype.split(" ")[0]);
}

function firstKnown(catalog: Catalog, kind: "gpus" | "llms", names: readonly string[]): string | null {
  for (const name of names) {
    const found = find(catalog, kind, name);
    if (found.ok) return found.value.id;
  }
  return null;
}

/** As drivers and shops write it: `NVIDIA H100 80GB HBM3`, `H100-SXM5-80GB`, `h100_sxm`. */
function gpuSpellings(name: string): readonly string[] {
  const plain = name
    .toLowerCase()
    .replace(/^nvidia\s+/, "")
    .replace(/[\s_]+/g, "-")
    .replace(/sxm\d/, "sxm");
  return [name, plain, plain.replace(/-\d+gb(-hbm\de?)?$/, "")];
}
