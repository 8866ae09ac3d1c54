/**
 * Policies of a user's own, from `--plugin FILE`. The main thread reads and bundles each file once and every worker thread
 * evaluates that text, so that all run the same code, whatever becomes of the file meanwhile. The main thread itself runs
 * none of it (`load-plugins.ts`): it must stay able to end a call that does not return (`plugin-calls.ts`).
 */
import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import { SourceMap, type SourceMapPayload } from "node:module";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { BuildFailure } from "esbuild";
import { hintFor } from "../catalog/nearest.ts";
import type { BatchingPlugin, OrderPlugin, PolicyPlugin } from "../engine/policies/policy.ts";
import { registerPolicy } from "../engine/policies/registry.ts";
import { siblingModule } from "../io/thread-module.ts";
import { ConfigError, PolicyError, type Problem } from "../kernel/errors.ts";
import { environmentFailure } from "./exit.ts";
import { beginCall, endCall, type PluginMethod } from "./plugin-calls.ts";
import { pluginExports, problemsOf } from "./plugin-shape.ts";

/** How plug-ins name the module with their types, wherever they lie. */
const TYPES_MODULE = "crossover/policies";

/** One plug-in file, ready to be evaluated in any thread. */
export interface PluginSource {
  /** As the user gave it. */
  readonly file: string;
  /** SHA-256 of each file that went into it, by its path from the folder of the plug-in. */
  readonly sha256: Readonly<Record<string, string>>;
  readonly code: string;
  /** JSON of the source map of `code`. */
  readonly map: string;
}

/** Reads and bundles; a file given twice counts once. Throws ConfigError with every problem of every file. */
export async function readPlugins(files: readonly string[]): Promise<PluginSource[]> {
  const sources: PluginSource[] = [];
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const file of files) {
    if (!existsSync(file)) {
      problems.push({ file, path: [], message: "no such plug-in file", ...siblingHint(file) });
      continue;
    }
    if (statSync(file).isDirectory()) {
      problems.push({ file, path: [], message: "this is a folder, a plug-in file is needed" });
      continue;
    }
    const path = await realpath(file);
    if (seen.has(path)) continue;
    seen.add(path);
    try {
      sources.push(await bundle(file, path));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return sources;
}

const fileOf = new WeakMap<PolicyPlugin, string>();

/**
 * What a fault of a policy of `plugins` is told as, with its file behind its name: faults that the engine found outside of any call do not
 * know it. Null for a policy that is none of them.
 */
export function faultText({ policy, message }: PolicyError, plugins: readonly PolicyPlugin[]): string | null {
  const plugin = plugins.find(({ name }) => name === policy);
  if (plugin === undefined) return null;
  const named = `${policy} (${fileOf.get(plugin)!})`;
  return message.includes(named) ? message : message.replace(policy, () => named);
}

/** Evaluates plug-ins in this thread and enters their policies. Throws ConfigError when one is none. */
export async function enterPlugins(sources: readonly PluginSource[]): Promise<PolicyPlugin[]> {
  const entered: PolicyPlugin[] = [];
  const problems: Problem[] = [];
  for (const [index, source] of sources.entries()) {
    const { file } = source;
    const exported = await evaluate(source, index);
    const found = pluginExports(exported);
    if (found.length === 0) problems.push(nothingFound(file, Object.keys(exported)));
    for (const [name, value] of found) {
      const wrong = shapeProblems(file, index, name, value);
      problems.push(...wrong);
      if (wrong.length > 0) continue;
      const plugin = guarded(value as unknown as PolicyPlugin, source, index, entered.length);
      try {
        registerPolicy(plugin);
        fileOf.set(plugin, file);
        entered.push(plugin);
      } catch (error) {
        problems.push({ file, path: [name, "name"], message: (error as RangeError).message });
      }
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return entered;
}

/** It makes one of each policy, so it shows as a call. */
function shapeProblems(file: string, index: number, ...exported: ReturnType<typeof pluginExports>[number]): Problem[] {
  beginCall(index, null, "create");
  try {
    return problemsOf(file, ...exported);
  } finally {
    endCall();
  }
}

async function bundle(file: string, path: string): Promise<PluginSource> {
  const { build } = await import("esbuild");
  const folder = dirname(path);
  const policies = fileURLToPath(siblingModule("../engine/policies/policy", import.meta.url));
  try {
    const { outputFiles, metafile } = await build({
      entryPoints: [path],
      absWorkingDir: folder,
      outfile: `${path}.mjs`,
      alias: { [TYPES_MODULE]: policies },
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      sourcemap: "external",
      metafile: true,
      write: false,
      logLevel: "silent",
    });
    const sha256: Record<string, string> = {};
    for (const input of Object.keys(metafile.inputs).sort()) {
      const inputPath = resolve(folder, input);
      if (inputPath === policies) continue;
      sha256[input] = createHash("sha256")
        .update(await readFile(inputPath))
        .digest("hex");
    }
    const textOf = (end: string): string => outputFiles.find(({ path: name }) => name.endsWith(end))!.text;
    return { file, sha256, code: textOf(".mjs"), map: textOf(".map") };
  } catch (error) {
    if (!isBuildFailure(error)) throw environmentFailure(error, `cannot read ${file}`);
    throw new ConfigError(
      error.errors.map(({ text, location }) => ({
        file: location === null ? file : `${file}:${location.line}:${location.column + 1}`,
        path: [],
        message: location === null ? text : `${text}\n  ${location.lineText.trim()}`,
        ...(/Could not resolve "crossover/.test(text) ? { hint: `types come from "${TYPES_MODULE}"` } : {}),
      })),
    );
  }
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && "errors" in error && Array.isArray(error.errors);
}

async function evaluate({ file, code, map }: PluginSource, index: number): Promise<Record<string, unknown>> {
  const text = `${code}\n//# sourceURL=${sourceUrl(file)}`;
  beginCall(index, null, "load");
  try {
    return (await import(`data:text/javascript;base64,${Buffer.from(text).toString("base64")}`)) as Record<
      string,
      unknown
    >;
  } catch (error) {
    throw new ConfigError([{ file, path: [], message: `fails while it is loaded: ${explained(error, file, map)}` }]);
  } finally {
    endCall();
  }
}

function sourceUrl(file: string): string {
  return pathToFileURL(resolve(file)).href;
}

function nothingFound(file: string, names: readonly string[]): Problem {
  const exported = names.length === 0 ? "nothing" : names.join(", ");
  return {
    file,
    path: [],
    message: `exports no plug-in (it exports ${exported})`,
    hint: 'export const mine: BatchingPlugin = { kind: "batching", name: …, doc: …, options: {}, create: … }',
  };
}

function siblingHint(file: string): { hint?: string } {
  const hint = hintFor(
    basename(file),
    [".ts", ".mts", ".js", ".mjs"]
      .map((end) => basename(file).replace(/\.[cm]?[jt]s$/, "") + end)
      .filter((name) => existsSync(resolve(dirname(file), name))),
  );
  return hint === undefined ? {} : { hint };
}

/**
 * The same policy, whose exceptions say whose they are and where in the user's file they come from, and whose calls show while
 * they are under way. `ordinal` is its place among the policies that are entered.
 */
function guarded(plugin: PolicyPlugin, source: PluginSource, index: number, ordinal: number): PolicyPlugin {
  const guard =
    <Given extends unknown[], Result>(method: PluginMethod, call: (...given: Given) => Result) =>
    (...given: Given): Result => {
      beginCall(index, ordinal, method);
      try {
        const result = call(...given);
        if (result instanceof Promise) throw decidesLater(plugin.name, method, result);
        return result;
      } catch (error) {
        throw new PolicyError(
          plugin.name,
          `${plugin.name} (${source.file}): ${explained(error, source.file, source.map)}`,
        );
      } finally {
        endCall();
      }
    };
  return plugin.kind === "batching" ? guardedBatching(plugin, guard) : guardedOrder(plugin, guard);
}

/** What a promise comes to nobody waits for, nor hears of its failure. */
function decidesLater(policy: string, method: PluginMethod, promise: Promise<unknown>): PolicyError {
  promise.catch(() => {});
  return new PolicyError(policy, `${method} returned a promise: it must have decided when it returns`);
}

type Guard = <Given extends unknown[], Result>(
  method: PluginMethod,
  call: (...given: Given) => Result,
) => (...given: Given) => Result;

function guardedBatching(plugin: BatchingPlugin, guard: Guard): BatchingPlugin {
  const make = guard("create", (options: Options) => plugin.create(options));
  return {
    ...plugin,
    create(options) {
      const policy = make(options);
      return {
        schedule: guard("schedule", (step) => policy.schedule(step)),
        ...(policy.leap !== undefined && { leap: guard("leap", (step) => policy.leap!(step)) }),
        ...(policy.wakes !== undefined && { wakes: guard("wakes", (step, request) => policy.wakes!(step, request)) }),
      };
    },
  };
}

function guardedOrder(plugin: OrderPlugin, guard: Guard): OrderPlugin {
  const make = guard("create", (options: Options) => plugin.create(options));
  return {
    ...plugin,
    create(options) {
      const order = make(options);
      return { key: guard("key", (facts, request) => order.key(facts, request)) };
    },
    ...(plugin.charges !== undefined && { charges: guard("charges", (options: Options) => plugin.charges!(options)) }),
  };
}

type Options = Readonly<Record<string, number>>;

/** The message, with line and column in the user's file when the stack has them. */
function explained(error: unknown, file: string, map: string): string {
  // A rule of the interface that it broke is told without the class of the error.
  const what =
    error instanceof PolicyError
      ? error.message
      : error instanceof Error
        ? `${error.name}: ${error.message}`
        : String(error);
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  const at = stack.indexOf(`${sourceUrl(file)}:`);
  const place = at < 0 ? null : /^:(\d+):(\d+)/.exec(stack.slice(at + sourceUrl(file).length));
  if (place === null) return what;
  const entry = new SourceMap(JSON.parse(map) as SourceMapPayload).findEntry(
    Number(place[1]) - 1,
    Number(place[2]) - 1,
  );
  return "originalLine" in entry
    ? `${what} at ${basename(entry.originalSource)}:${entry.originalLine + 1}:${entry.originalColumn + 1}`
    : what;
}
