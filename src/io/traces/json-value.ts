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

/** Whole numbers; null if it is no list. What is no number becomes NaN, which the sink refuses. */
export function countsIn(value: unknown, ...path: readonly string[]): number[] | null {
  return listIn(value, ...path)?.map((item) => (typeof item === "number" ? item : Number.NaN)) ?? null;
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
