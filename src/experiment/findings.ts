/**
 * What an experiment found: the shape of `summary.json` but for its verdict. Every number that is quoted anywhere is here,
 * as an interval over independent replications. No clock, path or host name, so that the bytes depend on config, seed
 * and version alone (INV-5).
 */

/**
 * Mean over `n` replications with its 95 % Student-t interval; that of a run where errors of the step-time model are drawn
 * (`intervalsOfARun`). With n = 1 lo and hi are null. What no replication measured is null and has no estimate: n is 1 or more.
 */
export interface Estimate {
  readonly mean: number;
  readonly lo: number | null;
  readonly hi: number | null;
  readonly n: number;
}

/** Latency over the requests that completed. Null where fewer than 1,000 samples stand behind a P99 (all: behind anything). */
export interface LatencySummary {
  readonly samples: number;
  readonly mean: Estimate | null;
  readonly p50: Estimate | null;
  readonly p95: Estimate | null;
  readonly p99: Estimate | null;
}

/** How requests ended, as means per replication. INV-1: sent = the sum of the six ends. */
export interface RequestCounts {
  readonly sent: Estimate;
  readonly completed: Estimate;
  /** Refused by us or by a 429 after the last retry. */
  readonly rejected: Estimate;
  readonly timedOut: Estimate;
  readonly failed: Estimate;
  readonly boundaryRefused: Estimate;
  readonly inFlightAtHorizon: Estimate;
  /** Attempts beyond the first. */
  readonly retried: Estimate;
  /** 429 answers of offers, attempts counted. */
  readonly rateLimited: Estimate;
  /** Requests that went past a full or absent target to the next one of their route. */
  readonly overflowed: Estimate;
  readonly sloMet: Estimate;
  /** Requests that every permitted target refused while one that the boundary bars would have taken them. */
  readonly blockedByBoundary: Estimate;
  /** Requests that went through the redaction step, and those that it could not clean. */
  readonly redacted: Estimate;
  readonly notCleanable: Estimate;
  /** Of those in flight at the horizon: past a target of theirs, so that the attainment counts them as missed. */
  readonly overdueAtHorizon: Estimate;
}

export interface ClassSummary {
  readonly name: string;
  /** Null: allowed. Else why this strategy may not take the class. */
  readonly barred: string | null;
  readonly requests: RequestCounts;
  /** Of completed requests: all that was generated, and the part that was thinking. */
  readonly outputTokens: Estimate;
  readonly reasoningTokens: Estimate;
  readonly ttftMs: LatencySummary;
  readonly tpotMs: LatencySummary;
  readonly itlMs: LatencySummary;
  readonly e2eMs: LatencySummary;
  /** met ÷ (met + missed + rejected + timed out + failed), every answer being met without a target; null where no request ended so. */
  readonly sloAttainment: Estimate | null;
  /** Share of one-minute windows (merged until 20 requests) whose percentile meets every target; null without a window. */
  readonly sloAttainmentWindows: Estimate | null;
  readonly goodputPerS: Estimate;
  /** Null where a pool has no GPU price. */
  readonly usdPerMonth: Estimate | null;
  /** Share of the completed requests of all replications served by a controlled target; null where none completed. */
  readonly controlledShare: Estimate | null;
}

export interface LedgerLine {
  /** gpu-busy, gpu-warm, api-input, api-output, people … */
  readonly line: string;
  /** Amortized: spread over the hours that it covers. */
  readonly usdPerMonth: Estimate;
  /** Cash: what is paid of it within the horizon, not scaled to a month. */
  readonly billedUsd: Estimate;
}

export interface PoolSummary {
  readonly name: string;
  readonly model: string;
  readonly gpu: string;
  readonly gpusPerReplica: number;
  readonly replicas: number;
  readonly warmReplicas: number;
  /** Fractions of serving replica time; null where no replica ever served. */
  readonly busyFraction: Estimate | null;
  readonly occupancyFraction: Estimate | null;
  readonly kvFraction: Estimate | null;
  /** Replica-hours over the horizon. paid = busy + idle + warm + down. */
  readonly paidReplicaH: Estimate;
  readonly busyReplicaH: Estimate;
  readonly idleReplicaH: Estimate;
  readonly warmReplicaH: Estimate;
  readonly downReplicaH: Estimate;
  readonly preemptions: Estimate;
  /** Batching policy and queue order with the values of their options, what else is on, and the limits of a step. */
  readonly scheduler: string;
  /** Of prompt tokens looked for, found in the prefix cache; of draft tokens, accepted; null where the pool has none, or there were no tokens. */
  readonly prefixHitFraction: Estimate | null;
  readonly draftAcceptedFraction: Estimate | null;
  readonly incidents: Estimate;
  /** Vendor preset whose people run it; null = our own. */
  readonly managed: string | null;
  /** Starts from zero and requests that waited for one; null where the pool is always there. */
  readonly coldStarts: Estimate | null;
  readonly coldStartRequests: Estimate | null;
  /**
   * Null: not swept, a replica of it serves nobody alone because it hands on or takes over, or it serves a class that misses its
   * target at any load.
   */
  readonly uSlo: Estimate | null;
  /** Steady requests per second and replica at which the SLO is still met. */
  readonly sloRatePerReplica: number | null;
  readonly outsideValidatedRange: string | null;
}

export interface OfferSummary {
  readonly name: string;
  readonly attempts: Estimate;
  readonly rateLimited: Estimate;
  /** Of these, by the name of the limit that refused. */
  readonly rateLimitedBy: Readonly<Record<string, Estimate>>;
  readonly overloaded: Estimate;
  readonly outageFailures: Estimate;
  readonly outages: Estimate;
  readonly availabilityFraction: Estimate;
  readonly priceAsOf: string;
  /** pay-as-you-go, provisioned, batch, flex, priority or committed. */
  readonly form: string;
  /** Provisioned units and the share of them that was used; null where there are none. */
  readonly units: number | null;
  readonly utilizationFraction: Estimate | null;
  /** Batch jobs that were not done in time; null of other forms. */
  readonly expired: Estimate | null;
}

/** What came of the attempts at a pool or an offer, as means per replication. attempts = the sum of the next six. */
export interface TargetSummary {
  readonly name: string;
  readonly kind: "pool" | "offer";
  readonly attempts: Estimate;
  readonly taken: Estimate;
  /** 429. */
  readonly rateLimited: Estimate;
  /** A pool above its own limits or its overflow threshold. */
  readonly full: Estimate;
  /** 5xx. */
  readonly failed: Estimate;
  /** A pool of which no replica served. */
  readonly absent: Estimate;
  readonly oversize: Estimate;
  /** Of those taken: ended by the client's limit for an attempt, by a user who left, by the loss of their replica. */
  readonly timedOut: Estimate;
  readonly abandoned: Estimate;
  readonly lost: Estimate;
  /** Of those taken: hedges, hedges that won, and losers of either kind, which were cancelled. */
  readonly hedges: Estimate;
  readonly hedgesWon: Estimate;
  readonly cancelled: Estimate;
  /** Not made, because the target's breaker was open; and how long it was. */
  readonly skipped: Estimate;
  readonly breakerOpenMinutes: Estimate;
  /** Mean wait that a 429 asked for; null without one. */
  readonly retryAfterS: Estimate | null;
  /** Tokens of an offer per month; and what of it was paid for answers that no client got whole. */
  readonly usdPerMonth: Estimate;
  readonly unusedUsdPerMonth: Estimate;
}

export interface StrategySummary {
  readonly name: string;
  readonly title: string;
  readonly option: "api" | "private_managed" | "self" | "split";
  /** A class is barred: the strategy is not permitted as a whole and not ranked on cost. */
  readonly permitted: boolean;
  readonly counterfactual: boolean;
  readonly replications: number;
  /** Requests simulated over all replications, warm-up included. */
  readonly requestsSimulated: number;
  readonly requests: RequestCounts;
  readonly outputTokens: Estimate;
  readonly reasoningTokens: Estimate;
  readonly ttftMs: LatencySummary;
  readonly tpotMs: LatencySummary;
  readonly itlMs: LatencySummary;
  readonly e2eMs: LatencySummary;
  /** As those of a class; null also where no class has a target. */
  readonly sloAttainment: Estimate | null;
  readonly goodputPerS: Estimate;
  /**
   * Amounts of money are null where a pool has no GPU price. What was sent within the horizon is paid, answers of offers that end after
   * it included.
   */
  readonly usdPerMonth: Estimate | null;
  /** What is paid within the horizon: terms that are paid in advance stand here whole. */
  readonly billedUsd: Estimate | null;
  readonly ledger: readonly LedgerLine[];
  /**
   * What all replications paid, but for answers under way at the horizon, ÷ what completed within them: a replication in which no
   * request met its targets costs, too. Null also without any output token, completed request or request that met its targets.
   */
  readonly usdPerMTokOutput: Estimate | null;
  readonly usdPerRequest: Estimate | null;
  readonly usdPerSloMetRequest: Estimate | null;
  readonly classes: readonly ClassSummary[];
  readonly pools: readonly PoolSummary[];
  readonly offers: readonly OfferSummary[];
  /** The pools in order, then the offers. */
  readonly targets: readonly TargetSummary[];
  /** Retries that the clients' budget did not allow. */
  readonly retriesDenied: Estimate;
}

export interface DemandSummary {
  readonly requestsPerS: Estimate;
  /** 99.9th percentile of the rate over 5-minute bins ÷ mean rate; null without a whole bin. */
  readonly peakToMean: Estimate | null;
  /** Weighted absolute percentage error of the seasonal-naive forecast over 5-minute bins; null when too short. */
  readonly wape: Estimate | null;
  /** Variance ÷ mean of the counts in 60-s windows; null without two of them. */
  readonly dispersion60s: Estimate | null;
}

export interface Findings {
  readonly schemaVersion: 1;
  readonly experiment: string;
  readonly title: string;
  readonly version: string;
  readonly asOf: string;
  readonly seed: string;
  readonly replications: number;
  /** False after Ctrl-C: only what had finished is in here. */
  readonly complete: boolean;
  readonly horizonDays: number;
  readonly requestsSimulated: number;
  readonly demand: DemandSummary;
  readonly strategies: readonly StrategySummary[];
  /** Paired differences on common random numbers, USD a month: first minus second. */
  readonly pairedCost: readonly { readonly first: string; readonly second: string; readonly usdPerMonth: Estimate }[];
  readonly warnings: readonly string[];
}

/** Is any amount of money in these findings? */
export function showsMoney(findings: Pick<Findings, "strategies">): boolean {
  return findings.strategies.some((strategy) => strategy.usdPerMonth !== null);
}
