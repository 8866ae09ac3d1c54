/** What a pool could never serve to the end: it is kept out. No policy looks at the answer's length; vLLM would cut it short. */
import type { EngineSpec } from "../engine/spec.ts";
import type { ResolvedPool } from "../scenario/resolved.ts";

/** In tokens; `all` is prompt and answer together. */
export interface LongestRequest {
  readonly prompt: number;
  readonly all: number;
}

/** The longest request of the p-th pool. One that hands on holds no more than the prompt, and the next pool the rest too. */
export function longestRequest(pools: readonly ResolvedPool[], p: number): LongestRequest {
  const { engine, handOff } = pools[p]!;
  const all = longestIn(engine);
  if (handOff === null) return { prompt: all, all };
  return { prompt: all - 1, all: longestIn(pools[handOff.pool]!.engine) };
}

/** The last token's keys and values are never kept. */
function longestIn({ maxModelLen, kvBlocks, blockTokens }: EngineSpec): number {
  return Math.min(maxModelLen, kvBlocks * blockTokens + 1);
}
