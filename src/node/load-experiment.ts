/** From an experiment file on disk to a resolved experiment; every problem is located in the file. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { valueAt } from "../experiment/read.ts";
import { resolveExperiment, type Resolved, type ResolveOptions } from "../experiment/resolve.ts";
import type { Recording } from "../experiment/resolve-traffic.ts";
import { ConfigError } from "../kernel/errors.ts";
import { loadCatalog } from "./catalog-files.ts";
import { environmentFailure, EnvironmentFailure } from "./exit.ts";
import type { PluginSource } from "./plugins.ts";
import { YamlSource } from "./yaml-source.ts";

export interface LoadOptions extends Omit<ResolveOptions, "recording"> {
  /** `--models DIR` */
  readonly models?: string;
  /** `--plugin FILE`, repeatable */
  readonly plugin?: readonly string[];
}

export interface LoadedExperiment extends Resolved {
  /** sha256 of every catalogue file read. */
  readonly catalogHashes: Readonly<Record<string, string>>;
  readonly plugins: readonly PluginSource[];
}

/**
 * Throws LocatedConfigError for what is wrong in the file or the catalogue, DataError for a broken recording and
 * EnvironmentFailure when the file cannot be read.
 */
export async function loadExperiment(file: string, options: LoadOptions = {}): Promise<LoadedExperiment> {
  const text = await readFile(file, "utf8").catch((error: unknown) => {
    if (!existsSync(file))
      throw new ConfigError([{ file, path: [], message: "no such file", hint: "crossover init writes one" }]);
    throw environmentFailure(error, `cannot read ${file}`);
  });
  if (text.includes("\u0000")) throw new EnvironmentFailure(`${file} is no text file`);
  const source = YamlSource.parse(file, text);
  const { catalog, hashes } = await loadCatalog(undefined, options.models);
  // Entered before names are resolved, so that the experiment can name them.
  const plugins = await loadPlugins(options.plugin ?? []);
  const recording = await readRecording(file, source.value);
  try {
    return { ...resolveExperiment(source.value, catalog, { ...options, recording }), catalogHashes: hashes, plugins };
  } catch (error) {
    throw error instanceof ConfigError ? source.error(error.problems) : error;
  }
}

async function loadPlugins(files: readonly string[]): Promise<readonly PluginSource[]> {
  if (files.length === 0) return [];
  const { enterPlugins, readPlugins } = await import("./plugins.ts");
  const sources = await readPlugins(files);
  await enterPlugins(sources);
  return sources;
}

/** The recording that the file replays, null when it names none or there is no such file. */
async function readRecording(file: string, raw: unknown): Promise<Recording | null> {
  const name = valueAt(raw, ["traffic", "replay", "file"]);
  if (typeof name !== "string") return null;
  const path = resolve(dirname(file), name);
  if (!existsSync(path)) return null;
  const { readTrace } = await import("../io/trace.ts");
  return readTrace(path);
}
