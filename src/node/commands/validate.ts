/**
 * `crossover validate`: predicts the shipped recorded cases, or those of a folder, and says how far off it was. stdout is
 * the table or the JSON; exit 0, or 5 when a bar is missed.
 */
import { readFile, readdir } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Catalog } from "../../catalog/schema.ts";
import { type ParsedCase, parseCaseFile } from "../../experiment/validate/case.ts";
import type { CaseSimulator } from "../../experiment/validate/predict.ts";
import { NOT_COVERED, validationText } from "../../experiment/validate/text.ts";
import { type CaseFile, type ValidationResult, validateCases } from "../../experiment/validate/validate.ts";
import { loadCatalog } from "../catalog-files.ts";
import { EXIT, environmentFailure } from "../exit.ts";

/** `models`: the user's folder of catalogue entries that replace shipped ones. */
export interface ValidateOptions {
  readonly cases?: string;
  readonly json?: boolean;
  readonly models?: string;
}

const SHIPPED_CASES = fileURLToPath(new URL("../../../models/validation/", import.meta.url));

/** Runs the command and returns the exit code. `simulate` null: cases that need one are refused. */
export async function validateCommand(
  options: ValidateOptions,
  out: (text: string) => void,
  simulate: CaseSimulator | null,
): Promise<number> {
  const { catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"], options.models);
  return validateFolder(options.cases ?? SHIPPED_CASES, catalog, options.json ?? false, out, simulate);
}

/** The command with a catalogue at hand. */
export async function validateFolder(
  folder: string,
  catalog: Catalog,
  json: boolean,
  out: (text: string) => void,
  simulate: CaseSimulator | null,
): Promise<number> {
  const { files, skipped } = await readCases(folder);
  const result = validateCases(files, { catalog, simulate });
  out(json ? validationJson(result, skipped) : validationText(result, skipped));
  return result.bars.some((bar) => bar.passed === false) ? EXIT.infeasible : EXIT.done;
}

/** The case files of a folder, in the order of their names, and the names of its other files. */
async function readCases(folder: string): Promise<{ files: readonly CaseFile[]; skipped: readonly string[] }> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    const files: CaseFile[] = [];
    const skipped: string[] = [];
    for (const name of entries.flatMap((entry) => (entry.isDirectory() ? [] : [entry.name])).sort()) {
      const cases = name.endsWith(".json") ? parseCases(name, await readFile(join(folder, name), "utf8")) : null;
      if (cases === null) skipped.push(name);
      else files.push({ cases, readText: (path) => readBeside(folder, path) });
    }
    return { files, skipped };
  } catch (error) {
    throw environmentFailure(error, `cannot read the cases of ${folder}`);
  }
}

function parseCases(name: string, text: string): readonly ParsedCase[] | null {
  try {
    return parseCaseFile(name, JSON.parse(text) as unknown);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Text of a file that a case names; null when it cannot be read. A case does not reach out of its folder. */
function readBeside(folder: string, path: string): string | null {
  const file = resolve(folder, path);
  if (!file.startsWith(resolve(folder) + sep)) return null;
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

function validationJson(result: ValidationResult, skipped: readonly string[]): string {
  return JSON.stringify({ ...result, skipped, notCovered: NOT_COVERED }, null, 1) + "\n";
}
