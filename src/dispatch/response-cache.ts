/**
 * An exact-match cache of answers in front of all targets. A request is answered from it with a declared probability, or when its
 * question was answered not longer than `ttlS` ago. Seconds of simulated time. Memory follows the different questions.
 * Luck is a function of the request alone, so that compared strategies see the same questions.
 */
import { counterKey, threefry2x32, unit, words } from "../kernel/random.ts";
import { pow } from "../kernel/math.ts";
import { cumulativeShares } from "../kernel/samplers.ts";
import type { RequestClass, ResolvedStrategy, ResponseCacheSpec } from "../scenario/resolved.ts";

/** Second key words of the draws. */
const QUESTION = 0;
const SHARE = 1;

/** The response cache of a strategy, null when it has none. */
export function responseCacheOf(
  { responseCache }: ResolvedStrategy,
  classes: readonly RequestClass[],
  seed: string,
  replication: number,
): ResponseCache | null {
  return responseCache === undefined ? null : new ResponseCache(responseCache, classes, seed, replication);
}

export class ResponseCache {
  private readonly spec: ResponseCacheSpec;
  private readonly key: number;
  /** By class: popularity of its questions, summed up; null = no question comes twice. */
  private readonly popularity: readonly (Float64Array | null)[];
  /** By class, by question: when it was last answered. */
  private readonly answeredS: readonly Float64Array[];

  constructor(spec: ResponseCacheSpec, classes: readonly RequestClass[], seed: string, replication: number) {
    this.spec = spec;
    this.key = counterKey(seed, replication, "response-cache");
    this.popularity = classes.map(({ repeats }) =>
      repeats === undefined
        ? null
        : cumulativeShares(Array.from({ length: repeats.questions }, (_, i) => pow(i + 1, -repeats.zipfExponent))),
    );
    this.answeredS = this.popularity.map((shares) => new Float64Array(shares?.length ?? 0).fill(-Infinity));
  }

  /** Whether a request that arrives now is answered from the cache. */
  answers(request: number, classIndex: number, nowS: number): boolean {
    const { hitFraction, ttlS } = this.spec;
    if (hitFraction !== null) {
      threefry2x32(this.key, SHARE, request, 0);
      return unit(words[0]!) < hitFraction;
    }
    const question = this.question(request, classIndex);
    return question >= 0 && nowS - this.answeredS[classIndex]![question]! <= ttlS;
  }

  /** A target has answered: the answer is kept. */
  keep(request: number, classIndex: number, nowS: number): void {
    const question = this.question(request, classIndex);
    if (question >= 0) this.answeredS[classIndex]![question] = nowS;
  }

  /** Number of its question; −1 = nobody else has it. */
  private question(request: number, classIndex: number): number {
    const shares = this.popularity[classIndex]!;
    if (shares === null) return -1;
    threefry2x32(this.key, QUESTION, request, 0);
    const u = unit(words[0]!);
    let low = 0;
    let high = shares.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (shares[middle]! > u) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
