/** How a strategy's clients and its gateway behave towards its targets: part of the resolved experiment. Plain data. */

/** Retries that clients of a strategy may make together: a bucket of tokens, one for each retry. */
export interface RetryBudget {
  /** Put in by each request that is sent; 0.1 = one retry for ten requests. */
  readonly fractionOfRequests: number;
  /** Put in by time alone, so that rare requests may be retried too. */
  readonly perS: number;
  /** The most that the bucket holds; it starts full. */
  readonly burst: number;
}

/** People who leave when no token has come: lognormal patience from the first send. */
export interface Abandonment {
  readonly medianS: number;
  readonly sigma: number;
}

/** When a target is left alone: LiteLLM's cooldown, or with `halfOpenProbes` a circuit breaker. */
export interface BreakerSpec {
  readonly openS: number;
  /** A 429 opens at once. */
  readonly on429: boolean;
  /** Opens above this share of failures among the answers of the current minute … */
  readonly failureFraction: number;
  /** … of which there must be so many. */
  readonly minAnswers: number;
  /** Opens above so many failures in the current minute. */
  readonly allowedFailuresPerMin: number;
  /** Attempts let through after `openS`: all must succeed for it to close, one failure opens it again. 0 = it just closes. */
  readonly halfOpenProbes: number;
}

/** A second attempt at another offer while the first still runs. */
export interface HedgeSpec {
  /** Seconds from the first attempt to the second. */
  readonly afterS: number;
  /** Once 100 answers are in: this percentile of their time instead; null = `afterS` stays. */
  readonly afterPercentile: number | null;
  /** Hedges are at most this share of the requests sent. */
  readonly maxFraction: number;
  /** Which attempt wins: the one with the first token, or the one with the whole answer first. The other is cancelled then. */
  readonly race: "first-token" | "answer";
}

/** A dispatch policy for one class, its options looked up and its targets numbered as in the class's route. */
export interface DispatchChoice {
  readonly policy: string;
  readonly numbers: Readonly<Record<string, number>>;
  /** By option: one value for each target of the route. */
  readonly byTarget: Readonly<Record<string, readonly number[]>>;
  /** By option: what holds from a simulated time on, rising. */
  readonly steps: Readonly<Record<string, readonly Step[]>>;
}

export interface Step {
  readonly fromS: number;
  readonly value: number;
}

/** What a strategy may set of its own; left out: as before there were any. */
export interface StrategyDispatch {
  /** By class index; null = the targets in the route's order. */
  readonly dispatch?: readonly (DispatchChoice | null)[];
  readonly breaker?: BreakerSpec;
  readonly hedge?: HedgeSpec;
}
