/** Tokens and money of recorded rows, summed and written for people. USD. */
import type { UsageBucket } from "../../scenario/usage.ts";

export interface Tokens {
  readonly requests: number | null;
  readonly inputTokens: number;
  readonly cachedInputTokens: number;
  readonly outputTokens: number;
}

export interface Priced {
  readonly bucket: UsageBucket;
  /** Null: no price is known. */
  readonly usd: number | null;
  /** UTC. */
  readonly day: string;
}

export function tokensOf(rows: readonly Priced[]): Tokens {
  const sum = (of: (bucket: UsageBucket) => number): number => rows.reduce((total, row) => total + of(row.bucket), 0);
  return {
    requests: rows.some(({ bucket }) => bucket.requests === null) ? null : sum((bucket) => bucket.requests ?? 0),
    inputTokens: sum((bucket) => bucket.inputTokens),
    cachedInputTokens: sum((bucket) => bucket.cachedInputTokens),
    outputTokens: sum((bucket) => bucket.outputTokens),
  };
}

export function predictedUsd(rows: readonly Priced[]): number | null {
  const known = rows.filter(({ usd }) => usd !== null);
  return known.length === 0 ? null : known.reduce((sum, { usd }) => sum + (usd ?? 0), 0);
}

export function hasCost({ bucket }: Priced): boolean {
  return bucket.costUsd !== null;
}

/** Paid for the rows that have a cost; null when none has. */
export function paidFor(rows: readonly Priced[]): number | null {
  const told = rows.filter(hasCost);
  return told.length === 0 ? null : told.reduce((sum, { bucket }) => sum + (bucket.costUsd ?? 0), 0);
}

/** For people: 28.6 M from 100,000 on; small counts as they are. */
export function tokenCount(tokens: number): string {
  return tokens < 100_000 ? String(tokens) : `${Math.round(tokens / 1e4) / 100} M`;
}

export function money(usd: number): string {
  return String(Math.round(usd * 100) / 100);
}
