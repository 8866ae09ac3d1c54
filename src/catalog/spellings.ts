/** By which names people and tools call what the catalogue has: models, GPUs, formats of weights. */
import { find, type Found } from "./catalog.ts";
import type { Catalog, CatalogEntry } from "./schema.ts";

/** Endings of tuned and quantized variants, which have the architecture of their base. */
const VARIANT =
  /-(instruct|it|chat|hf|base|python|thinking|dynamic|kv|bf16|fp8|fp8_dynamic|nvfp4|fp4|mxfp4|awq|gptq|int4|int8|w\d+a\d+|quantized\.w\d+a\d+)$/;
/** Endings of later trainings of one architecture: a version before 1, or year and month. */
const RELEASE = /-(v0(\.\d+)+|\d{4})$/;

/** Other names of formats that cost the same bytes and run on the same units; `auto` is the engines' default, BF16. */
const DTYPE_ALIASES: Readonly<Record<string, string>> = {
  auto: "bf16",
  bfloat16: "bf16",
  fp16: "bf16",
  float16: "bf16",
  half: "bf16",
  float8: "fp8",
  fp8_e4m3: "fp8",
  fp8_e5m2: "fp8",
  "fp8-dynamic": "fp8",
  fp8_dynamic: "fp8",
  awq: "int4",
  gptq: "int4",
  w4a16: "int4",
};

/** The catalogue's name of a format; a remark in brackets is the source's own. */
export function plainDtype(name: string): string {
  const bare = name.replace(/\s*\(.*\)$/, "").toLowerCase();
  return DTYPE_ALIASES[bare] ?? bare;
}

/** As drivers, Kubernetes and shops write it: `NVIDIA H100 80GB HBM3`, `NVIDIA-H100-80GB-HBM3`, `H100-SXM5-80GB`, `h100-80gb-sxm`, `h100_sxm`. */
export function findGpu(catalog: Catalog, name: string): Found<CatalogEntry<"gpus">> {
  const bare = name
    .toLowerCase()
    .replace(/[\s_]+/g, "-")
    .replace(/^nvidia-/, "");
  const plain = bare.replace(/sxm\d/, "sxm").replace(/-(\d+gb)-sxm$/, "-sxm-$1");
  const size = /-(\d+)gb(-hbm\de?)?$/.exec(plain);
  for (const spelling of [name, bare, plain]) {
    const found = find(catalog, "gpus", spelling);
    if (found.ok) return found;
  }
  const missed = find(catalog, "gpus", name);
  if (size === null) return missed;
  // A size that is said and not the entry's is another card.
  const sized = find(catalog, "gpus", plain.slice(0, size.index));
  return sized.ok && Math.abs(sized.value.memoryGB - Number(size[1])) <= 2 ? sized : missed;
}

/**
 * The model of a name: an id or an alias of the catalogue in any spelling of its organisation, its tuning and its weights, or else, with
 * `otherReleases`, of another training of it, if one entry alone can be meant.
 */
export function findModel(catalog: Catalog, name: string, otherReleases = false): Found<CatalogEntry<"llms">> {
  const exact = find(catalog, "llms", name);
  if (exact.ok) return exact;
  for (const plain of otherReleases ? [withoutVariants, withoutReleases] : [withoutVariants]) {
    const wanted = plain(name);
    const named = [...catalog.llms.values()].filter(({ id, aliases }) =>
      [id, ...aliases].some((known) => plain(known) === wanted),
    );
    if (named.length === 1) return { ok: true, value: named[0]! };
  }
  return find(catalog, "llms", withoutVariants(name));
}

function withoutVariants(name: string): string {
  const base = name.slice(name.lastIndexOf("/") + 1).toLowerCase();
  return stripped(base.replace(/^meta-/, ""), VARIANT);
}

function withoutReleases(name: string): string {
  const plain = withoutVariants(name);
  const older = plain.replace(RELEASE, "");
  return older === plain ? plain : withoutReleases(older);
}

function stripped(name: string, ending: RegExp): string {
  const shorter = name.replace(ending, "");
  return shorter === name ? name : stripped(shorter, ending);
}
