/** What prompts have in common, as the prompt caches of API offers see it: as in the prefix caches of own pools. */
import { classContent, type KnownText, type PromptContent, sharedOnly } from "../engine/prompt-content.ts";
import { counterKey } from "../kernel/random.ts";
import type { RequestClass } from "../scenario/resolved.ts";

/** By tokens of a block; null where neither the traffic nor a class says that anything is shared. */
export function offerContent(
  classes: readonly RequestClass[],
  known: KnownText | null,
  seed: string,
  replication: number,
): ((blockTokens: number) => PromptContent) | null {
  const prefixes = classes.map(({ sharedPrefix }) => sharedPrefix);
  if (known === null && prefixes.every((prefix) => prefix === null)) return null;
  const luckKey = counterKey(seed, replication, "engine/luck");
  return (blockTokens) => sharedOnly(classContent(prefixes, luckKey, blockTokens, known));
}
