/** What of a checkpoint its `quantization_config` leaves alone, and how many weights share a scale: both move its size. */
import { type Fields, isObject } from "./hf-fields.ts";
import type { Json } from "./hf-families.ts";

export interface QuantizedParts {
  /** Weights that share a scale, of formats in integers; left out where it does not say, or says what is usual. */
  readonly weightGroupSize?: number;
  /** All but the routed experts stay in BF16. */
  readonly bf16BesideExperts?: true;
}

const USUAL_GROUP = 128;
const IN_INTEGERS: readonly string[] = ["int4", "int8"];
/** Formats beside whose experts the engine's model has attention in 8 bits (`engine/model-bytes.ts`). */
const BESIDE_8_BITS: readonly string[] = ["int4", "int8", "nvfp4"];
const LISTS = ["ignore", "modules_to_not_convert", "exclude_modules"] as const;

/** @param quantFile contents of ModelOpt's file beside the configuration; undefined without */
export function quantizedParts(
  fields: Fields,
  quantFile: unknown,
  nativeDtype: string,
  hasExperts: boolean,
): QuantizedParts {
  const inFile = isObject(quantFile) && isObject(quantFile["quantization"]) ? [quantFile["quantization"]] : [];
  const said = [fields.object("quantization_config") ?? {}, ...inFile];
  const group = IN_INTEGERS.includes(nativeDtype) ? said.map(groupSize).find((size) => size !== null) : null;
  const leaves = hasExperts && BESIDE_8_BITS.includes(nativeDtype) && said.some(leavesAttention);
  return {
    ...(typeof group === "number" && group !== USUAL_GROUP ? { weightGroupSize: group } : {}),
    ...(leaves ? { bf16BesideExperts: true } : {}),
  };
}

/** GPTQ, AWQ and ModelOpt say it of all, compressed-tensors of each of its groups. −1, a scale for each row, is none. */
function groupSize(json: Json): number | null {
  const groups = isObject(json["config_groups"]) ? Object.values(json["config_groups"]).filter(isObject) : [];
  const weights = groups.map((group) => group["weights"]).filter(isObject);
  const sizes = [json, ...weights].flatMap((of) => [of["group_size"], of["q_group_size"]]);
  const size = sizes.find((one) => typeof one === "number" && Number.isInteger(one) && one > 0);
  return typeof size === "number" ? size : null;
}

function leavesAttention(json: Json): boolean {
  return LISTS.some((list) => {
    const names = json[list];
    return Array.isArray(names) && names.some((name) => /attn|attention/.test(String(name)));
  });
}
