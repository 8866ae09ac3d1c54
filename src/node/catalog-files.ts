/**
 * Reads the shipped catalogue (`models/` beside `package.json`) and a user's `--models` directory of the same layout.
 * Only the kinds asked for, and those they rest on, are read and parsed. The hashes go into the manifest of a run.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { buildCatalog, type CatalogDocument } from "../catalog/catalog.ts";
import { hintFor } from "../catalog/nearest.ts";
import { CATALOG_KINDS, KINDS, type Catalog, type CatalogKind } from "../catalog/schema.ts";
import { epochSOfIso } from "../kernel/calendar-time.ts";
import { ConfigError, type Problem } from "../kernel/errors.ts";
import { problemsText } from "./exit.ts";
import { parsedByBuild } from "./parsed-models.ts";

/** `models/` of this package: two levels up from `src/node/` and from `dist/node/` alike. */
export const MODELS_DIRECTORY = fileURLToPath(new URL("../../models/", import.meta.url));

/** Kinds whose entries name entries of another kind that is needed to make sense of them. */
const RESTS_ON: { readonly [K in CatalogKind]?: readonly CatalogKind[] } = {
  offers: ["providers", "latencyClasses", "limits"],
  limits: ["providers"],
  providers: ["congestions", "outageProfiles", "boundaries"],
  traffic: ["seasons"],
};

/** Beside the folders: the date of the whole, and what `npm run catalog:update` makes the price lists with. */
const NO_ENTRIES: ReadonlySet<string> = new Set(["catalog.yaml", "price-overlay.yaml"]);

export interface CatalogFiles {
  readonly catalog: Catalog;
  /** sha256 of every file read, by its name within `models/`, or `override:` and its name within the user's directory. */
  readonly hashes: Readonly<Record<string, string>>;
}

interface FoundFile {
  /** Within its models directory, with `/` on every system: `gpus/h100-sxm.yaml`. */
  readonly name: string;
  /** As problems print it. */
  readonly shown: string;
  readonly text: string;
  readonly hash: string;
  readonly override: boolean;
}

/**
 * @param kinds all kinds when left out
 * @param overrideDirectory `--models DIR`: its entries replace shipped ones of the same kind and id, or are added
 * @throws ConfigError with every problem of every file, each with file, line and column where the file is YAML
 */
export async function loadCatalog(
  kinds: readonly CatalogKind[] = CATALOG_KINDS,
  overrideDirectory?: string,
): Promise<CatalogFiles> {
  const wanted = closureOf(kinds);
  const problems: Problem[] = [];
  const files = readModels(MODELS_DIRECTORY, "models", wanted, false, problems);
  if (overrideDirectory !== undefined) {
    files.push(...readModels(overrideDirectory, overrideDirectory, wanted, true, problems));
  }

  const documents: CatalogDocument[] = [];
  let asOf = "";
  for (const { name, shown, text, hash, override } of files) {
    let value: unknown;
    try {
      // Lists that programs write are JSON, which is read a hundred times faster.
      value = name.endsWith(".json") ? JSON.parse(text) : (parsedByBuild(hash) ?? (await import("yaml")).parse(text));
    } catch (error) {
      problems.push({
        file: shown,
        path: [],
        message: `${name.endsWith(".json") ? "JSON" : "YAML"}: ${error instanceof Error ? error.message : String(error)}`,
      });
      continue;
    }
    if (name === "catalog.yaml") asOf = dateOfCatalog(value, shown, problems) ?? asOf;
    else documents.push({ kind: kindOf(name), file: shown, value, override });
  }

  const hashes = Object.fromEntries(
    files.map(({ name, hash, override }) => [override ? `override:${name}` : name, hash]),
  );
  try {
    const catalog = buildCatalog(documents, asOf);
    if (problems.length > 0) throw new ConfigError([]);
    return { catalog, hashes };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw await located([...problems, ...error.problems], files);
  }
}

function closureOf(kinds: readonly CatalogKind[]): ReadonlySet<CatalogKind> {
  const wanted = new Set<CatalogKind>();
  const add = (kind: CatalogKind): void => {
    if (wanted.has(kind)) return;
    wanted.add(kind);
    for (const other of RESTS_ON[kind] ?? []) add(other);
  };
  for (const kind of kinds) add(kind);
  return wanted;
}

function kindOf(name: string): CatalogKind {
  const folder = name.slice(0, name.indexOf("/"));
  return CATALOG_KINDS.find((kind) => KINDS[kind].folder === folder)!;
}

/** `catalog.yaml` and the YAML and JSON files of the wanted kinds, in the order of their names. */
function readModels(
  directory: string,
  shownAs: string,
  wanted: ReadonlySet<CatalogKind>,
  override: boolean,
  problems: Problem[],
): FoundFile[] {
  if (!existsSync(directory) || !statSync(directory).isDirectory()) {
    problems.push({ path: [], file: shownAs, message: "no such folder of catalogue entries" });
    return [];
  }
  const files: FoundFile[] = [];
  const read = (name: string): void => {
    const text = readFileSync(join(directory, name), "utf8");
    files.push({ name, shown: posix.join(shownAs, name), text, hash: sha256(text), override });
  };
  if (existsSync(join(directory, "catalog.yaml"))) read("catalog.yaml");

  const folders = CATALOG_KINDS.map((kind) => KINDS[kind].folder as string);
  for (const child of readdirSync(directory, { withFileTypes: true }).sort(byName)) {
    if (!child.isDirectory()) {
      if (isYaml(child.name) && !NO_ENTRIES.has(child.name)) {
        const message = "an entry must lie in the folder of its kind";
        problems.push({
          file: posix.join(shownAs, child.name),
          path: [],
          message,
          hint: `folders: ${folders.join(", ")}`,
        });
      }
      continue;
    }
    const names = entryFilesIn(directory, child.name);
    const kind = CATALOG_KINDS.find((candidate) => KINDS[candidate].folder === child.name);
    if (kind === undefined) {
      if (!names.some(isYaml)) continue; // licences, notes, measurements
      const hint = hintFor(child.name, folders);
      const problem = {
        file: posix.join(shownAs, child.name),
        path: [],
        message: "no kind of the catalogue has this folder",
      };
      problems.push(hint === undefined ? problem : { ...problem, hint });
    } else if (wanted.has(kind)) names.forEach(read);
  }
  return files;
}

function entryFilesIn(directory: string, folder: string): string[] {
  return readdirSync(join(directory, folder), { withFileTypes: true })
    .sort(byName)
    .flatMap((child) => {
      const name = `${folder}/${child.name}`;
      if (child.isDirectory()) return entryFilesIn(directory, name);
      return isYaml(child.name) || child.name.endsWith(".json") ? [name] : [];
    });
}

/** Code-unit order: the same on every machine, whatever its locale. */
function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

export function isYaml(name: string): boolean {
  return !name.startsWith(".") && (name.endsWith(".yaml") || name.endsWith(".yml"));
}

function dateOfCatalog(value: unknown, file: string, problems: Problem[]): string | null {
  const asOf = typeof value === "object" && value !== null && "asOf" in value ? value.asOf : undefined;
  if (typeof asOf === "string" && epochSOfIso(asOf) !== null) return asOf;
  problems.push({ file, path: ["asOf"], message: 'expected a date in quotes, such as "2026-11-24"' });
  return null;
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The problems with line and column. Files are parsed a second time for it, with positions, which only errors pay for. */
async function located(problems: readonly Problem[], files: readonly FoundFile[]): Promise<ConfigError> {
  const { LocatedConfigError, YamlSource } = await import("./yaml-source.ts");
  const byFile = new Map<string, Problem[]>();
  for (const problem of problems) {
    const file = problem.file ?? "models";
    byFile.set(file, [...(byFile.get(file) ?? []), problem]);
  }
  const errors = [...byFile].map(([file, ofFile]) => {
    const text = files.find(({ shown }) => shown === file)?.text;
    // Nothing was read that it could stand in.
    if (text === undefined) return new LocatedConfigError(ofFile, problemsText(ofFile));
    try {
      return YamlSource.parse(file, text).error(ofFile);
    } catch (error) {
      if (error instanceof LocatedConfigError) return error; // broken YAML: its syntax errors are the problems
      throw error;
    }
  });
  return new LocatedConfigError(
    errors.flatMap((error) => error.located),
    errors.map((error) => error.text).join("\n"),
  );
}
