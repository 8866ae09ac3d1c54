/** Parsing JSON of unknown make and looking into it. Nothing that looks throws but what takes the file. */
import { DataError } from "../../../kernel/errors.ts";

/** Stands for NaN, which no JSON number can be, in as many characters; of private use, so that no text has it. */
const NAN = "\uE000";
/** Whole strings, so that nothing inside them is touched, and the words that Python's json writes for numbers JSON has not; never a key. */
const WORDS = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\w.+-])(?:-?Infinity|NaN)(?!\w|\s*:)/gs;

/**
 * As JSON.parse, with Infinity, -Infinity and NaN where numbers may stand (Python's json.dump writes them, as SGLang's benchmark does for
 * a request rate without bound). What takes their place has their length, so that the SyntaxError of anything else names the right place.
 */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const replaced = text.replace(WORDS, (found) =>
      found.startsWith('"') ? found : found === "NaN" ? `"${NAN}"` : found.replace("Infinity", "1e999   "),
    );
    if (replaced === text) throw error;
    return JSON.parse(replaced, (_, value: unknown) => (value === NAN ? NaN : value));
  }
}

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
