/** Under which names a model may stand in the catalogue, by a name that people or tools use. */

/** Endings of tuned and quantized variants, which have the architecture of their base. */
const VARIANT = /(-(instruct|it|chat|hf|fp8|fp8-dynamic|fp8-kv))+$/i;

/** The name, without its organisation, and without the endings of variants: nearest first. */
export function modelSpellings(name: string): readonly string[] {
  const base = name.slice(name.lastIndexOf("/") + 1);
  return [name, base, base.replace(VARIANT, "")];
}
