/** Looks into JSON of unknown shape. */
import { DataError } from "../../kernel/errors.ts";
import { nearestName } from "../nearest-name.ts";
import type { JsonRecord } from "./format.ts";

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What stands under the keys; undefined if nothing does. */
export function valueIn(value: unknown, ...path: readonly string[]): unknown {
  for (const key of path) {
    if (!isRecord(value)) return undefined;
    value = value[key];
  }
  return value;
}

/** A number, or a text that is one; NaN for anything else. */
export function numberIn(value: unknown, ...path: readonly string[]): number {
  const found = valueIn(value, ...path);
  if (typeof found === "number") return found;
  return typeof found === "string" && found.trim() !== "" ? Number(found) : Number.NaN;
}

/** A text, or a number as one; empty for anything else. */
export function textIn(value: unknown, ...path: readonly string[]): string {
  const found = valueIn(value, ...path);
  return typeof found === "string" ? found : typeof found === "number" ? String(found) : "";
}

export function listIn(value: unknown, ...path: readonly string[]): readonly unknown[] | null {
  const found = valueIn(value, ...path);
  return Array.isArray(found) ? found : null;
}

/** The list under a key of a record; null if there is none. Throws DataError for anything else. `row`: null if it is the file. */
export function optionalList(
  record: JsonRecord,
  key: string,
  row: number | null,
  file: string,
): readonly unknown[] | null {
  const value = record[key] ?? null;
  if (value === null || Array.isArray(value)) return value;
  throw new DataError(file, row, `${key} is no list but ${shortJson(value)}`);
}

/** The numbers of a list that may be missing. What is no number becomes NaN, which the sink refuses. */
export function optionalCounts(record: JsonRecord, key: string, row: number | null, file: string): number[] | null {
  return optionalList(record, key, row, file)?.map((item) => (typeof item === "number" ? item : Number.NaN)) ?? null;
}

const SHOWN_CHARACTERS = 40;

function shortJson(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
}

/** Whether all keys are there. */
export function has(record: JsonRecord, ...keys: readonly string[]): boolean {
  return keys.every((key) => key in record);
}

/** The number under the first of the keys that is there; NaN if none is. */
export function firstNumber(record: JsonRecord, ...keys: readonly string[]): number {
  const key = keys.find((candidate) => candidate in record);
  return key === undefined ? Number.NaN : numberIn(record, key);
}

/** A number that must be there. Throws DataError with the nearest key. */
export function needNumber(record: JsonRecord, key: string, row: number, file: string): number {
  const value = numberIn(record, key);
  if (!Number.isNaN(value)) return value;
  if (key in record) throw new DataError(file, row, `cannot read the number ${JSON.stringify(record[key])} in ${key}`);
  throw new DataError(file, row, `no ${key}${nearestName(key, Object.keys(record))}`);
}
