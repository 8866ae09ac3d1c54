/** Reads folders of recorded cases, and the files that cases name. */
import { readFileSync } from "node:fs";
import { readFile, readdir } from "node:fs/promises";
import { join, resolve, sep } from "node:path";
import { type ParsedCase, parseCaseFile } from "../experiment/validate/case.ts";
import { DataError } from "../kernel/errors.ts";
import { environmentFailure } from "./exit.ts";

interface CaseFolder {
  readonly cases: readonly ParsedCase[];
  /** Files that hold no cases, with why where that is a slip. */
  readonly skipped: readonly string[];
}

/**
 * The cases of a folder's files in the order of their names. Throws DataError where there is no such folder or an id stands
 * twice in it, else EnvironmentFailure.
 */
export async function readCases(folder: string): Promise<CaseFolder> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const cases: ParsedCase[] = [];
    const fileOf = new Map<string, string>();
    const skipped: string[] = [];
    for (const name of entries.flatMap((entry) => (entry.isDirectory() ? [] : [entry.name])).sort()) {
      const parsed = name.endsWith(".json") ? parseCases(name, await readFile(join(folder, name), "utf8")) : null;
      if (parsed === null) {
        skipped.push(name);
        continue;
      }
      if (typeof parsed === "string") {
        skipped.push(`${name} (${parsed})`);
        continue;
      }
      for (const one of parsed) {
        const id = one.ok ? one.case.id : one.id;
        const before = fileOf.get(id);
        if (before !== undefined) throw new DataError(join(folder, name), null, toldTwice(id, before, name));
        fileOf.set(id, name);
        cases.push(one);
      }
    }
    return { cases, skipped };
  } catch (error) {
    if (error instanceof DataError) throw error;
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "ENOENT") throw new DataError(folder, null, "no such folder of recorded cases");
    if (code === "ENOTDIR") throw new DataError(folder, null, "this is a file, a folder of recorded cases is needed");
    throw environmentFailure(error, `cannot read the cases of ${folder}`);
  }
}

function toldTwice(id: string, before: string, name: string): string {
  const where = before === name ? "twice in this file" : `in ${before} too`;
  return `case ${id} stands ${where}, and would count twice: ids are unique over all files of a folder`;
}

/** Null where the file holds other things; a string says why it cannot be read. */
function parseCases(name: string, text: string): readonly ParsedCase[] | string | null {
  try {
    return parseCaseFile(name, JSON.parse(text) as unknown);
  } catch (error) {
    if (error instanceof SyntaxError) return `is no JSON: ${error.message}`;
    throw error;
  }
}

/** Text of a file that a case names; null when it cannot be read. A case does not reach out of its folder. */
export function readBeside(folder: string, path: string): string | null {
  const file = resolve(folder, path);
  if (!file.startsWith(resolve(folder) + sep)) return null;
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}
