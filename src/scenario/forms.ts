/**
 * The commercial form under which an offer is bought, and what a vendor adds to a pool that it runs for the user. Money
 * in USD, times in seconds or hours as the names say. An offer without a form is pay-as-you-go.
 */

/** The price of capacity under one term: so much for each unit at the start of every period, used or not. */
export interface TermPrice {
  readonly name: string;
  /** Hours that the commitment lasts; 0 = none: paid as it goes by, by the minute. */
  readonly termH: number;
  /** Hours that one payment covers; 0 for capacity by the minute. */
  readonly paidEveryH: number;
  /** For one unit and one payment; for capacity by the minute, for one unit and one hour. */
  readonly usdPerUnit: number;
}

/** Tokens a minute that units are good for: sum of weights × tokens of a kind. */
export interface UnitThroughput {
  /** What is counted: "tokens" (weighted), or "input" and "output" where they are sold apart. */
  readonly name: string;
  readonly units: number;
  readonly tokensPerMinPerUnit: number;
  readonly uncachedWeight: number;
  readonly cachedWeight: number;
  readonly outputWeight: number;
}

export interface ProvisionedForm {
  readonly kind: "provisioned";
  /** Plan and model of the catalogue. */
  readonly plan: string;
  /** Paid for; those of the throughputs in sum. */
  readonly units: number;
  /** Of these, under the reservation; the rest is deployed by the hour. */
  readonly reservedUnits: number;
  readonly throughputs: readonly UnitThroughput[];
  /** Price of the reserved units and of those by the hour; null where there are none. */
  readonly reserved: TermPrice | null;
  readonly hourly: TermPrice | null;
  /** An attempt to deploy takes `leadTimeH` and succeeds with this probability; another one follows until one does. */
  readonly acquisition: { readonly successProbability: number; readonly leadTimeH: number };
}

export interface BatchForm {
  readonly kind: "batch";
  /** Jobs that are not done by then expire. */
  readonly windowS: number;
  /** Lognormal time from hand-in to the end. */
  readonly completion: { readonly medianS: number; readonly sigma: number };
  /** Of an expired job: the part that was done, or nothing. */
  readonly expiredBills: "completed" | "nothing";
}

export interface FlexForm {
  readonly kind: "flex";
  /** Probability of a 429 for lack of capacity, Mon–Fri in the peak hours [fromHour, toHour) UTC, and else. */
  readonly unavailable: {
    readonly fromHour: number;
    readonly toHour: number;
    readonly peakProbability: number;
    readonly otherProbability: number;
  };
}

export interface PriorityForm {
  readonly kind: "priority";
  /** What a request that ramped up too fast costs, as a part of the form's price; absent = as much. */
  readonly standardPriceFraction?: number;
}

export interface CommittedForm {
  readonly kind: "committed";
  readonly usdPerMonth: number;
  /** Months of 730 hours that are paid in advance at once; 0 = billed as used, with what falls short. */
  readonly prepaidMonths: number;
}

export type ResolvedForm = ProvisionedForm | BatchForm | FlexForm | PriorityForm | CommittedForm;

/** A pool that a vendor's people run. */
export interface ManagedPool {
  /** Preset of the catalogue. */
  readonly preset: string;
  /** On top of `usdPerGpuHour`, for every paid GPU-hour. */
  readonly markupUsdPerGpuHour: number;
}

/** A pool that gives its GPUs back while nobody asks. */
export interface ScaleToZero {
  /** Idle time after which all replicas stop. */
  readonly idleS: number;
  /** From the first request after that until the replicas serve; such requests wait. */
  readonly coldStartS: number;
  /** The time of starting is paid. */
  readonly billStartup: boolean;
}
