/** Looking into parsed JSON of unknown make. Nothing here throws but what takes the file. */
import { DataError } from "../../../kernel/errors.ts";

export function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

/** A finite number, also where it is written as text; else null. */
export function numberAt(value: unknown, ...path: readonly string[]): number | null {
  const found = valueAt(value, ...path);
  const number = typeof found === "string" && found.trim() !== "" ? Number(found) : found;
  return typeof number === "number" && Number.isFinite(number) ? number : null;
}

export function textAt(value: unknown, ...path: readonly string[]): string | null {
  const found = valueAt(value, ...path);
  return typeof found === "string" && found !== "" ? found : null;
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] | null {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : null;
}

/** A list of `length` entries; null when there is none. Throws DataError for anything else. */
export function listOf(file: string, value: unknown, name: string, length: number): readonly unknown[] | null {
  const found = valueAt(value, name) ?? null;
  if (found === null) return null;
  if (!Array.isArray(found)) throw new DataError(file, null, `${name} is no list`);
  if (found.length !== length)
    throw new DataError(file, null, `${name} has ${found.length} entries, input_lens has ${length}`);
  return found;
}

/** The same of numbers. */
export function numbersAt(file: string, value: unknown, name: string, length: number): readonly number[] | null {
  const list = listOf(file, value, name, length);
  list?.forEach((item, i) => {
    if (typeof item !== "number") throw new DataError(file, i + 1, `${name} is ${JSON.stringify(item)}, not a number`);
  });
  return list as readonly number[] | null;
}
