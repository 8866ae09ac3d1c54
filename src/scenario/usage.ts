/** What an API provider's export says of a past period. Times in UTC seconds since 1970, money in USD. */

/** Usage of one model in one stretch of time. */
export interface UsageBucket {
  readonly startEpochS: number;
  readonly endEpochS: number;
  /** As the provider names it; empty where the export was not grouped by model. */
  readonly model: string;
  /** Null where the export does not count them. */
  readonly requests: number | null;
  /** All input, the parts below included. */
  readonly inputTokens: number;
  /** Read from the prompt cache. */
  readonly cachedInputTokens: number;
  /** Written to the prompt cache, for five minutes and for an hour. */
  readonly cacheWriteTokens: number;
  readonly cacheWrite1hTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number | null;
  /** Through the batch interface, which has prices of its own. */
  readonly batch: boolean;
  /** How else it was sold, as the export names it (flex, priority, fast); null: in the default way. */
  readonly tier: string | null;
  /** Null where the export does not say how long the prompts are. */
  readonly promptWindow: PromptWindow | null;
  readonly webSearches: number;
  /** Where the provider had to compute, as the export names it; null: anywhere. */
  readonly region: string | null;
}

/** Lengths that prompts may have, tokens. */
export interface PromptWindow {
  readonly above: number;
  /** Null: no end is told. */
  readonly upTo: number | null;
}

export interface CostRow {
  readonly startEpochS: number;
  readonly usd: number;
}
