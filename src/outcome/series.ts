/** Columns that charts and Parquet files are made of. One table per run (strategy × replication); plain arrays of equal length. */

/** One row per hour × class × target ("route"), for hours in which anything happened there. `windows.parquet` adds strategy and replication. */
export interface WindowTable {
  /** Hours since t = 0. */
  readonly hour: number[];
  readonly classIndex: number[];
  /** Name of the pool or offer; "" for requests that reached none (boundary refused, nothing routable). */
  readonly route: string[];
  /** Each request is booked in the hour it was sent in for `sent`, in the hour it ended in for everything else. */
  readonly sent: number[];
  readonly completed: number[];
  readonly rejected: number[];
  readonly timedOut: number[];
  readonly failed: number[];
  readonly boundaryRefused: number[];
  readonly retried: number[];
  readonly rateLimited: number[];
  readonly sloMet: number[];
  readonly inputTokens: number[];
  readonly outputTokens: number[];
  /** Part of the output. */
  readonly reasoningTokens: number[];
  /** Requests, booked in the hour in which it happened, with route "". */
  readonly blockedByBoundary: number[];
  readonly redacted: number[];
  readonly notCleanable: number[];
  /** Milliseconds; null where the hour has no sample. */
  readonly ttftMsP50: (number | null)[];
  readonly ttftMsP95: (number | null)[];
  readonly ttftMsP99: (number | null)[];
  readonly tpotMsP99: (number | null)[];
  readonly e2eMsP99: (number | null)[];
}

/** One row per hour × pool, replica-hours of that hour. paid = busy + idle + warm + down. */
export interface PoolHourTable {
  readonly hour: number[];
  readonly pool: string[];
  readonly paidReplicaH: number[];
  readonly busyReplicaH: number[];
  readonly idleReplicaH: number[];
  readonly warmReplicaH: number[];
  readonly downReplicaH: number[];
  /** Null in an hour in which no replica served. */
  readonly occupancyFraction: (number | null)[];
  readonly kvFraction: (number | null)[];
}

/** Incidents are ours, outages theirs. */
export interface IncidentTable {
  readonly startS: number[];
  readonly endS: number[];
  /** node-failure, engine-crash, outage-minor, outage-major, outage-critical */
  readonly kind: string[];
  /** Pool or offer. */
  readonly target: string[];
  readonly replicasLost: number[];
  readonly requestsLost: number[];
}

/** Amounts of one run over its horizon, by calendar month of simulated time (UTC, "2026-11"). */
export interface LedgerTable {
  readonly month: string[];
  readonly line: string[];
  readonly target: string[];
  /** Class the amount is allocated to, or "" for a shared line. */
  readonly className: string[];
  readonly quantity: number[];
  readonly unit: string[];
  /** Spread over the hours that it covers (amortized; FOCUS EffectiveCost). */
  readonly usd: number[];
  /** Where it is paid (cash; FOCUS BilledCost). */
  readonly billedUsd: number[];
  /** Usage, or Purchase of what later usage draws on (FOCUS ChargeCategory). */
  readonly chargeCategory: string[];
  /** Standard or Committed (FOCUS PricingCategory). */
  readonly pricingCategory: string[];
  /** Used or Unused, of what was committed to; else "" (FOCUS CommitmentDiscountStatus). */
  readonly commitmentDiscountStatus: string[];
}

export interface RunSeries {
  readonly strategy: string;
  readonly replication: number;
  readonly windows: WindowTable;
  readonly poolHours: PoolHourTable;
  readonly incidents: IncidentTable;
  readonly ledger: LedgerTable;
}
