/**
 * The shipped YAML as the build parsed it, by the hash of its text: parsing takes half the time of a short command. Files that are not
 * there, and those that were edited since, are parsed when they are read.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Written by `parse-models.ts`; `dist/` is two levels up from `src/node/` and from `dist/node/` alike. */
export const PARSED_MODELS = fileURLToPath(new URL("../../dist/models.json", import.meta.url));

let parsed: Readonly<Record<string, unknown>> | null = null;

/** Undefined where the build did not see a text of this hash. */
export function parsedByBuild(sha256: string): unknown {
  parsed ??= readParsed();
  return parsed[sha256];
}

function readParsed(): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(readFileSync(PARSED_MODELS, "utf8")) as Record<string, unknown>;
  } catch {
    // Not built, or not whole: slower, and nothing else.
    return {};
  }
}
