/** The policies that ship, and those that `--plugin` adds in this thread, by kind and name. */
import { chunked } from "./chunked.ts";
import { continuous } from "./continuous.ts";
import { dynamic } from "./dynamic.ts";
import { edf } from "./orders/edf.ts";
import { fairShare } from "./orders/fair-share.ts";
import { fcfs } from "./orders/fcfs.ts";
import { predictedShortest } from "./orders/predicted-shortest.ts";
import { priority } from "./orders/priority.ts";
import { shortestPrompt } from "./orders/shortest-prompt.ts";
import type { BatchingPlugin, OrderPlugin, PolicyOption, PolicyPlugin } from "./policy.ts";
import { staticBatching } from "./static.ts";

export const batchingPlugins: BatchingPlugin[] = [chunked, continuous, staticBatching, dynamic];
export const orderPlugins: OrderPlugin[] = [fcfs, priority, edf, shortestPrompt, predictedShortest, fairShare];

const shipped: ReadonlySet<PolicyPlugin> = new Set([...batchingPlugins, ...orderPlugins]);

/** Whether a policy is one of ours, so that what it reads is known. */
export function ships(plugin: PolicyPlugin | undefined): boolean {
  return plugin !== undefined && shipped.has(plugin);
}

export function batchingNamed(name: string): BatchingPlugin | undefined {
  return batchingPlugins.find((plugin) => plugin.name === name);
}

export function orderNamed(name: string): OrderPlugin | undefined {
  return orderPlugins.find((plugin) => plugin.name === name);
}

/** Enters a plug-in of a user's; its name replaces nobody's. Throws a RangeError when the name is taken. */
export function registerPolicy(plugin: PolicyPlugin): void {
  const known = plugin.kind === "batching" ? batchingNamed(plugin.name) : orderNamed(plugin.name);
  if (known === plugin) return;
  if (known !== undefined)
    throw new RangeError(`a policy named ${plugin.name} (${plugin.kind}) is there already: choose another name`);
  if (plugin.kind === "batching") batchingPlugins.push(plugin);
  else orderPlugins.push(plugin);
}

/** Every declared option: as given, else its default. */
export function withDefaults(
  declared: Readonly<Record<string, PolicyOption>>,
  given: Readonly<Record<string, number>>,
): Readonly<Record<string, number>> {
  const all: Record<string, number> = {};
  for (const [name, option] of Object.entries(declared)) all[name] = given[name] ?? option.default;
  return all;
}
