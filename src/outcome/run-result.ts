/** What one run (strategy × replication) gives back. Plain data: it crosses threads by structured clone. */
import type { PlainSketch } from "../kernel/sketch.ts";
import type { ClassTotals } from "./recorder.ts";
import type { RunSeries } from "./series.ts";

export interface ClassResult {
  readonly totals: ClassTotals;
  readonly inFlightAtHorizon: number;
  /** Completed by an own pool. */
  readonly controlledCompleted: number;
  /** Latency of completed requests, seconds; gaps over every token. */
  readonly ttftS: PlainSketch;
  readonly tpotS: PlainSketch;
  readonly itlS: PlainSketch;
  readonly e2eS: PlainSketch;
  readonly attainmentWindows: number;
}

/** Replica-hours and fractions over the horizon. */
export interface PoolResult {
  readonly replicas: number;
  readonly busyH: number;
  readonly idleH: number;
  readonly warmH: number;
  readonly downH: number;
  /** Of serving time, NaN without any: time stepping, sequences ÷ maxNumSeqs, KV tokens held ÷ capacity. */
  readonly busyFraction: number;
  readonly occupancyFraction: number;
  readonly kvFraction: number;
  readonly preemptions: number;
  /** Of prompt tokens looked for in the prefix cache; of draft tokens; NaN where there are none. */
  readonly prefixHitFraction: number;
  readonly draftAcceptedFraction: number;
  readonly swappedOutTokens: number;
  readonly incidents: number;
  /** Of a pool that scales to zero: how often it started, and requests that waited for that. */
  readonly coldStarts: number;
  readonly coldStartRequests: number;
  /** Requests completed by class. */
  readonly completedByClass: readonly number[];
}

export interface OfferResult {
  readonly attempts: number;
  readonly rateLimited: number;
  /** Of these, by limit in the order of the offer's: the one with the longest wait. */
  readonly refusedByLimit: readonly number[];
  readonly overloaded: number;
  readonly outageFailures: number;
  /** Those that lie at least in part within the horizon. */
  readonly outages: number;
  readonly availabilityFraction: number;
  /** Batch jobs that were not done in time. */
  readonly expired: number;
  /** Of provisioned units, the share that the tokens of the horizon took; 0 where there are none. */
  readonly utilizationFraction: number;
}

/** What came of the attempts at one pool or offer at t ≥ 0. attempts = the sum of the six answers. */
export interface TargetResult {
  readonly attempts: number;
  readonly taken: number;
  readonly rateLimited: number;
  /** A pool above its own limits or its overflow threshold. */
  readonly full: number;
  /** 5xx. */
  readonly failed: number;
  /** A pool of which no replica served. */
  readonly absent: number;
  readonly oversize: number;
  /** Of those taken: ended by the client's limit for an attempt, by a user who left, by the loss of their replica. */
  readonly timedOut: number;
  readonly abandoned: number;
  readonly lost: number;
  /** Not made because its breaker was open. */
  readonly skipped: number;
  /** Of those taken: second attempts beside a first, those of them that won, and losers of either kind, which were cancelled. */
  readonly hedges: number;
  readonly hedgesWon: number;
  readonly cancelled: number;
  /** Sum of the waits that 429s asked for. */
  readonly retryAfterS: number;
  readonly breakerOpenS: number;
  /** Tokens of an offer, and what of it was paid for answers that no client got whole. Zero for pools, which cost by the hour. */
  readonly usd: number;
  readonly unusedUsd: number;
}

export interface RunResult {
  readonly strategy: string;
  readonly replication: number;
  /** Warm-up included. */
  readonly requestsSimulated: number;
  /** Arrivals, step boundaries visited and other events of the loop. */
  readonly events: number;
  readonly classes: readonly ClassResult[];
  readonly pools: readonly PoolResult[];
  readonly offers: readonly OfferResult[];
  /** The pools in order, then the offers. */
  readonly targets: readonly TargetResult[];
  /** Retries that the budget of the clients did not allow. */
  readonly retriesDenied: number;
  /** The ledger's total without answers of offers that were under way at the horizon: what the completed requests share. */
  readonly endedUsd: number;
  readonly series: RunSeries;
}
