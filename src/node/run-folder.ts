/**
 * The folder of one run, `<out>/<experiment>/<run>`. It appears whole or not at all: files are written into a sibling
 * with a temporary name that is renamed at the end. A complete folder is reused, an interrupted one replaced, one with
 * files missing filled again; a folder that we did not write is left alone (exit 4).
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EnvironmentFailure, environmentFailure } from "./exit.ts";
import { makeFolder } from "./make-folder.ts";

/** A folder without it is not a finished run of ours. */
const MANIFEST = "manifest.json";

interface CompleteRunFolder {
  readonly kind: "complete";
  readonly path: string;
}

export interface NewRunFolder {
  readonly kind: "new";
  /** Where the folder will be after `commit`. */
  readonly path: string;
  /** Files that a finished run wrote here and that somebody has taken away since. */
  readonly missing: readonly string[];
  writeFile(name: string, data: string | Uint8Array): Promise<void>;
  /** Path inside the temporary folder, for writers that stream. */
  tempPath(name: string): string;
  commit(): Promise<void>;
  /** Removes everything written so far. Safe to call after a failure, and twice. */
  discard(): Promise<void>;
}

type RunFolder = CompleteRunFolder | NewRunFolder;

/** First 12 hex digits of SHA-256 over the canonical JSON of whatever changes results: resolved config, seed, version, code. */
export function runId(identity: unknown): string {
  return createHash("sha256").update(canonicalJson(identity)).digest("hex").slice(0, 12);
}

/** Longer typed arrays stand in JSON by their digest: block ids of a recording would be longer than any string may be. */
const MOST_ITEMS = 1_000_000;

/** JSON with sorted keys, typed arrays as arrays, long ones as their digest: equal data gives equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (ArrayBuffer.isView(item) && !(item instanceof DataView)) {
      const items = item as unknown as ArrayLike<number>;
      if (items.length <= MOST_ITEMS) return Array.from(items);
      const bytes = new Uint8Array(item.buffer, item.byteOffset, item.byteLength);
      return { items: items.length, sha256: createHash("sha256").update(bytes).digest("hex") };
    }
    if (item === null || typeof item !== "object" || Array.isArray(item)) return item;
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/**
 * Opens the folder of a run that writes `files`. One that an interrupted run left counts as new and is replaced by `commit`;
 * so does one without some of the files, which `commit` puts beside what else is there. Throws EnvironmentFailure for a
 * non-empty folder without a manifest of this run, and whenever the disk says no.
 */
export async function openRunFolder(
  outDir: string,
  experimentId: string,
  id: string,
  files: readonly string[],
): Promise<RunFolder> {
  const path = join(outDir, experimentId, id);
  const state = await stateOf(path, id);
  const missing = state === "complete" ? await missingIn(path, files) : [];
  if (state === "complete" && missing.length === 0) return { kind: "complete", path };
  if (state === "foreign") {
    throw new EnvironmentFailure(
      `${path} is not empty and holds no ${MANIFEST} of this run; move it away or choose another folder with --out`,
    );
  }
  const temporary = join(dirname(path), `.${id}.${process.pid}.partial`);
  const guarded = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      await remove(temporary);
      throw environmentFailure(error, doing);
    }
  };
  const made = await guarded(`cannot create ${temporary}`, async () => {
    await rm(temporary, { recursive: true, force: true });
    const first = await makeFolder(dirname(path));
    await mkdir(temporary);
    return first;
  });
  return {
    kind: "new",
    path,
    missing,
    writeFile: (name, data) =>
      guarded(`cannot write ${join(path, name)}`, () => writeFile(join(temporary, name), data)),
    tempPath: (name) => join(temporary, name),
    commit: () =>
      guarded(`cannot finish ${path}`, async () => {
        // What happened to the folder meanwhile is looked at now: another process may have finished the same run.
        const now = await stateOf(path, id);
        if (now === "complete") {
          // A run that was interrupted this time adds nothing to one that was not.
          const ours = await stateOf(temporary, id);
          const wanted = ours === "complete" ? await missingIn(path, files) : [];
          for (const name of wanted) await rename(join(temporary, name), join(path, name));
          return remove(temporary);
        }
        if (now === "interrupted") await rm(path, { recursive: true, force: true });
        await rename(temporary, path);
      }),
    discard: async () => {
      await remove(temporary);
      // The experiment's folder goes too where this run made it, and is left alone unless it is empty.
      if (made !== undefined) await rmdir(dirname(path)).catch(() => undefined);
    },
  };
}

type FolderState = "empty" | "complete" | "interrupted" | "foreign";

/** What stands at the place of a run: ours if its manifest is JSON whose `runId` is this run's. */
async function stateOf(path: string, id: string): Promise<FolderState> {
  if ((await list(path)).length === 0) return "empty";
  try {
    const manifest: unknown = JSON.parse(await readFile(join(path, MANIFEST), "utf8"));
    if (typeof manifest !== "object" || manifest === null || !("runId" in manifest) || manifest.runId !== id)
      return "foreign";
    return "complete" in manifest && manifest.complete === false ? "interrupted" : "complete";
  } catch {
    return "foreign";
  }
}

async function missingIn(path: string, files: readonly string[]): Promise<string[]> {
  const there = new Set(await list(path));
  return files.filter((name) => !there.has(name));
}

async function list(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw environmentFailure(error, `cannot read ${path}`);
  }
}

/** The failure that led here is the one to report, so a failed clean-up is not. */
async function remove(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true }).catch(() => undefined);
}
