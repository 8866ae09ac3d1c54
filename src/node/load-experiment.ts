/** From an experiment file on disk to a resolved experiment; every problem is located in the file. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { valueAt } from "../experiment/read.ts";
import { resolveExperiment, type Resolved, type ResolveOptions } from "../experiment/resolve.ts";
import type { Recording } from "../scenario/recorded-trace.ts";
import { ConfigError, DataError } from "../kernel/errors.ts";
import { loadCatalog } from "./catalog-files.ts";
import { unreadable } from "./exit.ts";
import { YamlSource } from "./yaml-source.ts";

export interface LoadOptions extends Omit<ResolveOptions, "recording"> {
  /** `--models DIR` */
  readonly models?: string;
}

export interface LoadedExperiment extends Resolved {
  /** sha256 of every catalogue file read. */
  readonly catalogHashes: Readonly<Record<string, string>>;
}

/**
 * Throws LocatedConfigError for what is wrong in the file or the catalogue, DataError for a broken recording or a file that is
 * no text, and EnvironmentFailure when the file cannot be read.
 */
export async function loadExperiment(file: string, options: LoadOptions = {}): Promise<LoadedExperiment> {
  const source = YamlSource.parse(file, await readYamlText(file, "an experiment", "crossover init writes one"));
  const { catalog, hashes } = await loadCatalog(undefined, options.models);
  const recording = await readRecording(file, source.value);
  try {
    const resolved = resolveExperiment(source.value, catalog, { ...options, recording });
    const warnings = [...resolved.experiment.warnings, ...ownEntriesWarnings(options.models, hashes)];
    return { ...resolved, experiment: { ...resolved.experiment, warnings }, catalogHashes: hashes };
  } catch (error) {
    throw error instanceof ConfigError ? source.error(error.problems) : error;
  }
}

/** A folder one level too high or too low gives nothing, and the answer would silently be that of the shipped entries. */
function ownEntriesWarnings(models: string | undefined, hashes: Readonly<Record<string, string>>): string[] {
  if (models === undefined || Object.keys(hashes).some((name) => name.startsWith("override:"))) return [];
  return [`--models ${models} holds no catalogue entries: everything is as shipped`];
}

/**
 * The text of `what` ("an experiment") that the user names. Throws ConfigError where there is no such file, DataError for what
 * is no text and EnvironmentFailure where it cannot be read.
 */
export async function readYamlText(file: string, what: string, hint?: string): Promise<string> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (!existsSync(file))
      throw new ConfigError([{ file, path: [], message: "no such file", ...(hint === undefined ? {} : { hint }) }]);
    throw unreadable(error, file);
  });
  if (text.includes("\u0000")) throw new DataError(file, null, `this is no text: ${what} (YAML) is needed`);
  return text;
}

/** The recording that the file replays, null when it names none or there is no such file. */
async function readRecording(file: string, raw: unknown): Promise<Recording | null> {
  const name = valueAt(raw, ["traffic", "replay", "file"]);
  if (typeof name !== "string") return null;
  const path = resolve(dirname(file), name);
  if (!existsSync(path)) return null;
  const { readReplay } = await import("../io/replay-trace.ts");
  return readReplay(path);
}
