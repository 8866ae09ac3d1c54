/**
 * Limits as plainly as they can be said, from the whole history each time: no state is carried from one event to the next.
 * Buckets by the closed form of a capped random walk, windows by filtering, streams token by token. Times in ms.
 */

export interface Taken {
  readonly atMs: number;
  readonly units: number;
  /** How it was settled, if it was. */
  settled: { readonly atMs: number; readonly units: number } | null;
}

/** What was taken, or given back by a settlement, in the order in which it happened. */
export interface Change {
  readonly atMs: number;
  readonly units: number;
}

/**
 * Level of a bucket: the least, over every instant at which it can have been full, of the depth plus what came in since less what
 * was taken since.
 */
export function bucketLevel(changes: readonly Change[], ratePerMs: number, depth: number, timeMs: number): number {
  let level = depth;
  for (let since = 0; since < changes.length; since++) {
    const later = changes.slice(since + 1).reduce((sum, { units }) => sum + units, 0);
    const { atMs, units } = changes[since]!;
    // Full right before the change, and right after it.
    level = Math.min(
      level,
      depth + ratePerMs * (timeMs - atMs) - units - later,
      depth + ratePerMs * (timeMs - atMs) - later,
    );
  }
  return level;
}

/** What a leaky bucket holds: the most, over every instant at which it can have been empty. */
export function leakyLevel(changes: readonly Change[], ratePerMs: number, timeMs: number): number {
  return -bucketLevel(changes, ratePerMs, 0, timeMs);
}

/** Count of the window of `timeMs`, settlements of the same window included. */
export function windowCount(history: readonly Taken[], windowOf: (timeMs: number) => unknown, timeMs: number): number {
  const now = windowOf(timeMs);
  return history
    .filter(({ atMs }) => windowOf(atMs) === now)
    .reduce(
      (sum, { units, settled }) => sum + (settled !== null && windowOf(settled.atMs) === now ? settled.units : units),
      0,
    );
}

export function inFlight(history: readonly Taken[]): number {
  return history.reduce((sum, { units, settled }) => sum + (settled === null ? units : 0), 0);
}

export interface Stream {
  readonly firstMs: number;
  readonly lastMs: number;
  readonly tokens: number;
  /** Given up then; Infinity = never. */
  readonly endMs: number;
}

/** Tokens that streams have produced by `timeMs`: one at the first instant, the rest evenly. */
export function produced({ firstMs, lastMs, tokens, endMs }: Stream, timeMs: number): number {
  const until = Math.min(timeMs, endMs);
  if (until < firstMs || (until === endMs && endMs < firstMs)) return 0;
  return 1 + (tokens - 1) * (lastMs === firstMs ? 1 : Math.min(1, (until - firstMs) / (lastMs - firstMs)));
}

/** Level of a debt bucket that is debited at every full second for what came since the one before. */
export function debtLevel(streams: readonly Stream[], ratePerMs: number, depth: number, timeMs: number): number {
  let level = depth;
  let atMs = 0;
  for (let tickMs = 1000; tickMs <= timeMs; tickMs += 1000) {
    level = Math.min(depth, level + ratePerMs * (tickMs - atMs));
    for (const stream of streams) level -= produced(stream, tickMs) - produced(stream, tickMs - 1000);
    atMs = tickMs;
  }
  return Math.min(depth, level + ratePerMs * (timeMs - atMs));
}
