/**
 * The prompt cache of one API offer, as its bill and its first token see it: the beginning of a prompt that was sent on the same
 * route before and not too long ago. Tokens in whole steps, seconds of simulated time.
 * Entries can be read once the answer that wrote them has begun, and live for `ttlS` after they were last read or written.
 */
import type { PromptCacheSpec, PromptContent } from "../scenario/resolved.ts";

interface Entry {
  readableS: number;
  lastS: number;
}

export class PromptCache {
  private readonly spec: PromptCacheSpec;
  private readonly content: PromptContent;
  /** By key of a step, longest unused first. */
  private readonly entries = new Map<number, Entry>();

  /** `content` has blocks of `spec.stepTokens`, with a negative key for those that only one request has. */
  constructor(spec: PromptCacheSpec, content: PromptContent) {
    this.spec = spec;
    this.content = content;
  }

  /** Tokens at the beginning of the prompt that a request arriving at `timeS` reads from the cache; 0 below the least length. */
  found(timeS: number, request: number, classIndex: number, inputTokens: number): number {
    const { ttlS, stepTokens, minTokens } = this.spec;
    if (inputTokens < minTokens) return 0;
    const steps = Math.floor(inputTokens / stepTokens);
    let step = 0;
    for (; step < steps; step++) {
      const entry = this.entries.get(this.content.key(request, classIndex, step));
      if (entry === undefined || entry.readableS > timeS || entry.lastS + ttlS < timeS) break;
    }
    return step * stepTokens < minTokens ? 0 : step * stepTokens;
  }

  /** A prompt sent at `timeS` is kept, its answer having begun at `firstTokenS`. */
  keep(timeS: number, firstTokenS: number, request: number, classIndex: number, inputTokens: number): void {
    const { ttlS, stepTokens, minTokens } = this.spec;
    const { entries } = this;
    for (const [key, { lastS }] of entries) {
      if (lastS + ttlS >= timeS) break;
      entries.delete(key);
    }
    if (inputTokens < minTokens) return;
    const steps = Math.floor(inputTokens / stepTokens);
    for (let step = 0; step < steps; step++) {
      const key = this.content.key(request, classIndex, step);
      if (key < 0) return;
      const entry = entries.get(key) ?? { readableS: Infinity, lastS: 0 };
      entry.readableS = Math.min(entry.readableS, firstTokenS);
      entry.lastS = timeS;
      // To the end of the order of use.
      entries.delete(key);
      entries.set(key, entry);
    }
  }

  /** Tokens that are billed as written: the whole steps of a prompt that were not read. */
  written(inputTokens: number, cachedTokens: number): number {
    const { stepTokens, minTokens } = this.spec;
    return inputTokens < minTokens ? 0 : Math.floor(inputTokens / stepTokens) * stepTokens - cachedTokens;
  }
}
