/** Reads folders of recorded cases, and the files that cases name. */
import { readFileSync } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { isAbsolute, join, posix, resolve, sep } from "node:path";
import { type ParsedCase, type RecordedCase, parseCaseFile, parseCaseLines } from "../experiment/validate/case.ts";
import { DataError } from "../kernel/errors.ts";
import { environmentFailure } from "./exit.ts";

interface CaseFolder {
  readonly cases: readonly ParsedCase[];
  /** Files that hold no cases, with why where that is a slip. */
  readonly skipped: readonly string[];
}

/** Folders that hold no recordings of their owner. */
const NOT_ENTERED = /^(\..*|node_modules)$/;
const CASE_FILE = /\.(json|jsonl|ndjson)$/i;

/**
 * The cases of all files of a folder and of the folders in it, in the order of their paths. Of cases with one id the first counts, later
 * ones are refused. Throws DataError where there is no such folder, else EnvironmentFailure.
 */
export async function readCases(folder: string): Promise<CaseFolder> {
  try {
    const cases: ParsedCase[] = [];
    const fileOf = new Map<string, string>();
    const skipped: string[] = [];
    for (const path of await filesIn(folder, "")) {
      const parsed = CASE_FILE.test(path) ? parseCases(path, await readFile(join(folder, path), "utf8")) : null;
      if (parsed === null) {
        // Of what lies deeper only what looks like cases is worth a word: traces, licences and sources lie beside them.
        if (!path.includes("/") || CASE_FILE.test(path)) skipped.push(path);
        continue;
      }
      if (typeof parsed === "string") {
        skipped.push(`${path} (${parsed})`);
        continue;
      }
      for (const one of parsed) {
        const before = one.ok ? fileOf.get(one.case.id) : undefined;
        if (!one.ok) cases.push(one);
        else if (before !== undefined) cases.push({ ok: false, id: one.case.id, reason: toldTwice(before, path) });
        else {
          fileOf.set(one.case.id, path);
          cases.push({ ok: true, case: besideFolder(one.case, path) });
        }
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

/** Paths of the files under `folder`, relative to it, with slashes, in the order of their characters. Links to folders are not followed. */
async function filesIn(folder: string, under: string): Promise<string[]> {
  const entries = await readdir(join(folder, under), { withFileTypes: true });
  const paths: string[] = [];
  for (const entry of entries) {
    const path = under === "" ? entry.name : `${under}/${entry.name}`;
    const linked = entry.isSymbolicLink() && (await isFolder(join(folder, path)));
    if (!entry.isDirectory() && !linked) paths.push(path);
    else if (!linked && !NOT_ENTERED.test(entry.name)) paths.push(...(await filesIn(folder, path)));
  }
  return paths.sort();
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

/** The case with its `requestsFile`, which is relative to its own file, relative to the folder of all. */
function besideFolder(recorded: RecordedCase, path: string): RecordedCase {
  const { requestsFile } = recorded.load;
  const under = posix.dirname(path);
  if (requestsFile === undefined || under === "." || isAbsolute(requestsFile)) return recorded;
  return { ...recorded, load: { ...recorded.load, requestsFile: posix.join(under, requestsFile) } };
}

function toldTwice(before: string, path: string): string {
  const where = before === path ? `stands twice in ${path}` : `of ${path} stands in ${before} already`;
  return `the id ${where}: the first one counts, ids are unique over all files of a folder`;
}

/** Null where the file holds other things; a string says why it cannot be read. */
function parseCases(path: string, withMark: string): readonly ParsedCase[] | string | null {
  // Editors on Windows put a byte order mark before the text, which is no JSON.
  const text = withMark.replace(/^\uFEFF/, "");
  if (!/\.json$/i.test(path)) return parseCaseLines(path, text);
  try {
    return parseCaseFile(path, JSON.parse(text) as unknown);
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
