/**
 * What a prefill replica keeps of requests that it handed on, until their keys and values are where they go: as engines do that let the decode
 * side fetch them (vLLM's NIXL connector frees the blocks when they have been read).
 */
export interface KeptContext {
  readonly seat: number;
  readonly blocks: number;
  /** Blocks that reserving admission holds for it. */
  readonly reserved: number;
  readonly tokens: number;
}

export class HandedOn {
  /** Of all that is kept. */
  tokens = 0;
  private readonly kept = new Map<number, KeptContext>();

  get count(): number {
    return this.kept.size;
  }

  keep(slot: number, context: KeptContext): void {
    this.kept.set(slot, context);
    this.tokens += context.tokens;
  }

  /** It is not kept any more; undefined when it was not. */
  take(slot: number): KeptContext | undefined {
    const context = this.kept.get(slot);
    if (context === undefined) return undefined;
    this.kept.delete(slot);
    this.tokens -= context.tokens;
    return context;
  }

  clear(): void {
    this.kept.clear();
    this.tokens = 0;
  }
}
