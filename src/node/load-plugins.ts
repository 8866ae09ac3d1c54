/** `--plugin` in the main thread, which knows plug-ins by what they declare: their code runs in worker threads alone. */
import { basename } from "node:path";
import type { PolicyPlugin } from "../engine/policies/policy.ts";
import { registerPolicy } from "../engine/policies/registry.ts";
import { ConfigError } from "../kernel/errors.ts";
import type { ResolvedStrategy } from "../scenario/resolved.ts";
import { Executor } from "./executor.ts";
import { CALL_LIMIT_S } from "./plugin-calls.ts";
import { type PluginSource, readPlugins } from "./plugins.ts";

/** What a policy declares, as it crosses threads. */
export type DeclaredPolicy = Pick<PolicyPlugin, "kind" | "name" | "doc" | "options">;

export interface LoadedPlugins {
  readonly sources: readonly PluginSource[];
  /** In the order in which every thread enters them. */
  readonly policies: readonly DeclaredPolicy[];
  /** Seconds that one call may take. */
  readonly callLimitS: number;
}

export const NO_PLUGINS: LoadedPlugins = { sources: [], policies: [], callLimitS: CALL_LIMIT_S };

/**
 * Reads `--plugin` files and enters the names of their policies in this thread; once in the life of a process. Throws
 * ConfigError with what is wrong with them, and PolicyError when one does not come to an end within `callLimitS`.
 */
export async function loadPlugins(files: readonly string[] = [], callLimitS = CALL_LIMIT_S): Promise<LoadedPlugins> {
  if (files.length === 0) return NO_PLUGINS;
  const sources = await readPlugins(files);
  const executor = new Executor(1, { sources, policies: [], callLimitS }, () => {});
  try {
    const { policies, problems } = await executor.declared();
    if (problems.length > 0) throw new ConfigError(problems);
    for (const policy of policies) registerPolicy(namesake(policy));
    return { sources, policies, callLimitS };
  } finally {
    await executor.close();
  }
}

/** Warnings of policies that were loaded and that no pool of the strategies names. */
export function unusedPolicies(
  { policies }: LoadedPlugins,
  strategies: readonly Pick<ResolvedStrategy, "pools">[],
): string[] {
  const named = strategies.flatMap(({ pools }) =>
    pools.flatMap(({ scheduler: { batching, order } }) => [`batching: ${batching.name}`, `order: ${order.name}`]),
  );
  return policies
    .map(({ kind, name }) => `${kind}: ${name}`)
    .filter((policy) => !named.includes(policy))
    .map((policy) => `no pool has scheduler.${policy}, which --plugin loads`);
}

/** What plug-ins add to the identity of a run, wherever they lie; undefined without any. */
export function hashesOf({ sources }: LoadedPlugins): Pick<PluginSource, "file" | "sha256">[] | undefined {
  return sources.length === 0 ? undefined : sources.map(({ file, sha256 }) => ({ file: basename(file), sha256 }));
}

/** It can be looked up like the policy itself, and not be made. */
function namesake({ kind, name, doc, options }: DeclaredPolicy): PolicyPlugin {
  const create = (): never => {
    throw new Error(`the plug-in ${name} runs in worker threads alone`);
  };
  const declared = { name, doc, options, create };
  return kind === "batching" ? { ...declared, kind } : { ...declared, kind, victim: "last-admitted" };
}
