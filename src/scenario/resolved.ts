/**
 * A resolved experiment: every name looked up, every default filled in, every unit SI. Plain JSON-like data
 * (typed arrays allowed), so that it crosses to a worker by structured clone and is what `manifest.json` records.
 * `resolve.ts` produces it; everything after it (dispatch, fleet, provider, decision, report) reads only this.
 */
import type { ResidualBandPercent } from "../engine/coefficients.ts";
import type { KnownText, PromptContent, SharedPrefix } from "../engine/prompt-content.ts";
import type { SchedulerSpec } from "../engine/scheduler-spec.ts";
import type { EngineSpec, GpuSpec, LlmSpec, StepCoefficients } from "../engine/spec.ts";
import type { StepTimeRow } from "../engine/step-time-table.ts";
import type { ClockChange } from "../kernel/time-zone.ts";
import type { Abandonment, RetryBudget, StrategyDispatch } from "./dispatch.ts";
import type { LimitCharge, LimitSpec } from "./limits.ts";
import type { ManagedPool, ResolvedForm, ScaleToZero } from "./forms.ts";

export type { KnownText, LimitCharge, LimitSpec, PromptContent };

/** Where a number comes from. `declared` = the user's experiment file; `derived` = computed from other entries. */
export interface Provenance {
  readonly kind: "measured" | "published" | "fitted" | "assumed" | "declared" | "derived";
  readonly source: string;
  /** ISO date, or as much of one as is known ("2026-05", "2026"). */
  readonly asOf: string;
  readonly unverified?: boolean;
}

/** One value that the answer rests on, for the report's assumption table and the manifest. */
export interface Assumption extends Provenance {
  /** Stable id, for example `gpus/h100-sxm/usdPerGpuHour`. */
  readonly id: string;
  readonly label: string;
  readonly value: number | string;
  readonly unit: string;
}

export type Sensitivity = "none" | "moderate" | "restricted";
export type TeamDimension =
  "platform" | "gpu_capacity" | "observability" | "release" | "incident_coverage" | "perf_engineering";
export type TeamLevels = Readonly<Record<TeamDimension, number>>;

/** A traffic class; it is also one segment of the decision. Index in `classes` = class id everywhere. */
export interface RequestClass {
  readonly name: string;
  /** Share of requests, in (0, 1]; all sum to 1. */
  readonly shareFraction: number;
  readonly sensitivity: Sensitivity;
  /** Moderate content can be redacted upstream. */
  readonly redactable: boolean;
  /** Lowest boundary level (0–7) this class accepts; derived from the sensitivity unless set. */
  readonly minLevel: number;
  /** Places that satisfy the class whatever their level: dedicated_managed, private_vpc, onprem. */
  readonly allowedPlaces: readonly string[];
  readonly quality: "open_ok" | "premium_api_only";
  readonly premiumPrivatelyOffered: boolean;
  readonly customization: readonly CustomizationNeed[];
  readonly slo: Slo;
  /** Client deadline over all attempts, from the first send. */
  readonly timeoutS: number;
  /** Lower is more urgent, where a pool orders its queue by priority. */
  readonly priority: number;
  /** What its prompts begin with; matters where a pool keeps a prefix cache. */
  readonly sharedPrefix: SharedPrefix | null;
  /** Thinking before its answers; absent = none. */
  readonly reasoning?: ReasoningLaw;
  /** How often whole prompts come again; matters where a strategy has a response cache. Absent = never. */
  readonly repeats?: {
    /** Different prompts; the n-th most frequent is asked with probability ∝ n^−zipfExponent. */
    readonly questions: number;
    readonly zipfExponent: number;
  };
}

/** Thinking that users do not see: lognormal tokens on top of the answer, or a share of the output by inverse CDF. */
export type ReasoningLaw =
  | { readonly kind: "added"; readonly medianTokens: number; readonly sigma: number; readonly maxTokens: number }
  | { readonly kind: "share"; readonly percentiles: readonly number[]; readonly shares: readonly number[] };

export interface CustomizationNeed {
  readonly name: string;
  readonly need: "must" | "want";
  readonly apiSupports: boolean;
  readonly privateSupports: boolean;
}

/** Targets a request must all meet to count as met; null = no target. */
export interface Slo {
  readonly ttftS: number | null;
  readonly tpotS: number | null;
  readonly e2eS: number | null;
  /** Share of requests (or of one-minute windows) that must meet them. */
  readonly targetFraction: number;
  /** The business depends on it: the latency node T2 may force. */
  readonly strict: boolean;
  readonly attainBasis: "windows" | "requests";
}

export type LengthDistribution =
  | { readonly kind: "constant"; readonly tokens: number }
  | {
      readonly kind: "lognormal";
      readonly medianTokens: number;
      readonly sigma: number;
      readonly minTokens: number;
      readonly maxTokens: number;
    }
  /** Inverse CDF by linear interpolation, scaled so that the mean is `meanTokens`. */
  | {
      readonly kind: "quantiles";
      readonly percentiles: readonly number[];
      readonly tokens: readonly number[];
      readonly meanTokens: number;
    };

export interface SyntheticTraffic {
  readonly kind: "synthetic";
  /** Mean rate at t = 0 with season and burst factors of mean 1. */
  readonly meanRatePerS: number;
  /** 0.05 = 5 % a month of 30.4 days, compounding continuously. */
  readonly growthFractionPerMonth: number;
  /** 168 factors from Monday 00:00 UTC, mean 1, each at half past its hour, linear between; null = flat. */
  readonly hourOfWeek: readonly number[] | null;
  readonly burst: {
    /** Log-Gaussian Cox components: coefficient of variation and correlation time of the intensity. Empty = none. */
    readonly components: readonly { readonly cv: number; readonly tauS: number }[];
    /** CV of the Gamma gaps in transformed time; 1 = Poisson. */
    readonly gapCv: number;
    /** Two states of the rate, each of exponential length (with Poisson gaps: MMPP-2); the mean factor is 1. */
    readonly switching?: { readonly highFactor: number; readonly highS: number; readonly lowS: number };
    /** The traffic is the sum of this many independent clients, each with gaps, components and switching of its own. */
    readonly clients?: ClientMix;
    /** Each arrival is a job: that many requests at once. The mean rate stays that of the requests. */
    readonly jobs?: { readonly medianRequests: number; readonly sigma: number };
  };
  /** Absent: season in UTC, no holidays, no day level, no pulses. */
  readonly factors?: RateFactors;
  readonly input: LengthDistribution;
  readonly output: LengthDistribution;
  /** Rank correlation of input and output length. */
  readonly spearman: number;
  readonly maxOutput: MaxOutputRule;
  /** Requests come as turns of sessions; absent, each stands alone. */
  readonly sessions?: SessionSpec;
  /** By class index; left out where all classes have the lengths above. */
  readonly classLengths?: readonly ClassLengths[];
}

/** Conversations or agent runs: sessions arrive openly, the turns of one wait for each other. `input` is the first prompt's length. */
export interface SessionSpec {
  /** Probabilities of 1, 2, 3 … turns, in any positive scale. */
  readonly turnShares: readonly number[];
  /** Lognormal pause between the end of a turn and the next; a share of the pauses, drawn each by itself, is of the law of `breaks`. */
  readonly think: {
    readonly medianS: number;
    readonly sigma: number;
    readonly breaks?: { readonly share: number; readonly medianS: number; readonly sigma: number };
  };
  /** What each later turn adds: a question, a tool's result. */
  readonly newInput: LengthDistribution;
  /** Prompts are the whole conversation so far and the new part; false: the new part alone. */
  readonly carryContext: boolean;
  /** Longer prompts are cut to this, from their beginning. */
  readonly maxContextTokens: number;
  /** Before this share of the later turns the context is rewritten into so much of it: a summary, a reset. */
  readonly compaction?: { readonly share: number; readonly keptFraction: number };
  /** After this share of the turns so many agents run beside each other; the next turn waits for all of them. */
  readonly subAgents?: SubAgents;
}

export interface SubAgents {
  readonly share: number;
  readonly parallel: number;
  /** Requests of each, one after the other, with the pauses and new parts of a session. */
  readonly calls: number;
  /** First prompt of each. */
  readonly input: LengthDistribution;
}

export interface ClassLengths {
  readonly input: LengthDistribution;
  readonly output: LengthDistribution;
}

export interface ClientMix {
  readonly count: number;
  /** Standard deviation of the logarithm of the clients' mean rates. */
  readonly rateSigma: number;
  /** Share of the requests that the largest sends, and no other exceeds; absent, as the rates say. */
  readonly topShare?: number;
  /** Share of the variance of lengths (of their normal scores) that lies between clients; 0 or absent: all are alike. */
  readonly lengthShare?: number;
  /** Clients that come and go: lognormal times of presence and absence. null = all are there always. */
  readonly intermittent: {
    /** Share of the requests that such clients send. */
    readonly volumeShare: number;
    readonly onMedianS: number;
    readonly onSigma: number;
    readonly offMedianS: number;
    readonly offSigma: number;
  } | null;
}

/** What multiplies a rate by the calendar of the people behind it. */
export interface RateFactors {
  /** Their wall clock: the first offset also holds before its instant. Never empty. */
  readonly clock: readonly ClockChange[];
  /** By local midnight as if it were UTC, seconds since 1970; on other days the factor is 1. */
  readonly holidays: readonly { readonly dayEpochS: number; readonly factor: number }[];
  /** Lognormal AR(1) over local days with mean 1; null = none. */
  readonly dayLevel: { readonly sigma: number; readonly persistence: number } | null;
  readonly pulses: readonly Pulse[];
}

/**
 * A launch, a viral spike or an experiment: adds peak × shape to a factor of 1. The shape rises as 1 − e^(−age/riseS),
 * and falls as e^(−(age − holdS)/decayS) after holdS.
 */
export interface Pulse {
  /** Seconds after the experiment's start; null: `perMonth` of them at random (Poisson). */
  readonly atS: number | null;
  readonly perMonth: number;
  readonly peak: number;
  readonly riseS: number;
  readonly holdS: number;
  readonly decayS: number;
}

/** max_tokens that clients send = max(factor × output, minTokens): traces do not record it. */
export interface MaxOutputRule {
  readonly factor: number;
  readonly minTokens: number;
}

/** Beyond all classes. */
export const NO_CLASS = 255;

export interface ReplayTraffic {
  readonly kind: "replay";
  readonly file: string;
  /** Seconds from the start of the simulation, rising. */
  readonly arrivalS: Float64Array;
  readonly inputTokens: Uint32Array;
  readonly outputTokens: Uint32Array;
  /** Of the output: what was thought before the user saw anything, where the recording says so. */
  readonly reasoningTokens?: Uint32Array;
  readonly maxOutput: MaxOutputRule;
  /** The max_tokens that each request asked for, in place of the rule; 0 where the recording does not say. */
  readonly maxOutputTokens?: Uint32Array;
  /** Index of each request's class; NO_CLASS where the recording does not say: it is drawn by the shares. */
  readonly classIndex?: Uint8Array;
  /** Which prompts begin alike, where the recording says so. */
  readonly prefix?: RecordedPrefixes;
  /** By row: the number of its session; of a row without one a number of its own. */
  readonly sessions?: Uint32Array;
  /** Which requests wait for others, where the recording says so and they shall do so again. */
  readonly waits?: RecordedWaits;
}

/**
 * Turns of conversations and steps of agents: row i is sent once the rows `parents[offsets[i]]` up to `parents[offsets[i + 1]]`,
 * all of them earlier ones, have ended, however, and `gapS[i]` seconds have passed. Without parents it is sent at its recorded time.
 */
export interface RecordedWaits {
  readonly offsets: Uint32Array;
  readonly parents: Uint32Array;
  /** Negative: not recorded; the row is sent at its recorded time or when its parents end, whichever is later. */
  readonly gapS: Float64Array;
}

/**
 * Chained block ids of recorded prompts: row i has `items` from `offsets[i]` up to `offsets[i + 1]`, one for each `blockTokens`
 * tokens, the last of which may be short. Equal ids stand for equal prompts up to the end of their block.
 */
export interface RecordedPrefixes {
  readonly blockTokens: number;
  readonly offsets: Uint32Array;
  readonly items: Uint32Array;
}

export type ResolvedTraffic = SyntheticTraffic | ReplayTraffic;

/** How the calling SDK behaves (openai-node, openai-python, anthropic-node …). */
export interface ClientProfile {
  readonly name: string;
  readonly maxRetries: number;
  readonly backoffInitialS: number;
  readonly backoffFactor: number;
  readonly backoffMaxS: number;
  /** delay × (1 − jitter·U). */
  readonly jitterFraction: number;
  readonly honorRetryAfter: boolean;
  /** A longer Retry-After is not obeyed and ends the request (openai-python: 120 s); null = without bound. */
  readonly maxRetryAfterS: number | null;
  /** Longest time of one attempt, which is cancelled and retried then; null or absent = none. */
  readonly attemptTimeoutS?: number | null;
  /** Longest time over all attempts, where it is shorter than the class's `timeoutS`; absent = that. */
  readonly deadlineS?: number;
  /** Absent = every client for itself. */
  readonly retryBudget?: RetryBudget;
  /** Absent = people wait until the deadline. */
  readonly abandonment?: Abandonment;
}

export interface ResolvedPool {
  readonly name: string;
  readonly place: "private_vpc" | "onprem" | "dedicated_managed";
  readonly boundaryLevel: number;
  readonly gpu: GpuSpec;
  readonly llm: LlmSpec;
  readonly engine: EngineSpec;
  readonly coefficients: StepCoefficients;
  /** Step times of the user's own, in place of the physics; null = the coefficients' physics. */
  readonly stepTimeTable: readonly StepTimeRow[] | null;
  /** Errors that step times of this set had on unseen measurements, one drawn in each replication; null = taken as exact. */
  readonly stepTimeError: ResidualBandPercent | null;
  readonly scheduler: SchedulerSpec;
  /**
   * Requests go on to another pool of the strategy after their first token, with their KV; null = they stay. TTFT ends before the
   * transfer; TPOT, ITL and E2E hold it. Transfers of one replica follow one another, and its KV stays until the other pool takes it (DR-36).
   */
  readonly handOff: {
    /** Index in the strategy's `pools`. */
    readonly pool: number;
    readonly sPerToken: number;
    readonly latencyS: number;
  } | null;
  readonly router: { readonly name: string; readonly options: Readonly<Record<string, number>> };
  /** "auto" is replaced by a number before the runs (see `size-pool.ts`). */
  readonly replicas: number | "auto";
  /** Loaded and paid for, taking over when a serving replica is lost. */
  readonly warmReplicas: number;
  readonly gpusPerNode: number;
  /** Null: not priced, in an experiment without a team. */
  readonly usdPerGpuHour: number | null;
  /** Requests waiting per serving replica above which the pool rejects (503); null = no limit. */
  readonly maxWaitingPerReplica: number | null;
  /** Client ↔ pool round trip, added to TTFT and E2E. */
  readonly networkS: number;
  /** What the way between regions adds to it, by class; absent = nothing. */
  readonly pathSByClass?: readonly number[];
  readonly coldStart: {
    /** Engine restart on a node that is up (weights load, compile, graph capture, warm-up). */
    readonly restartS: number;
    /** A node and its image on top of that. */
    readonly provisionS: number;
  };
  readonly incidents: {
    readonly nodeFailuresPerNodeDay: number;
    readonly nodeRepair: { readonly medianS: number; readonly sigma: number };
    readonly engineCrashesPerReplicaDay: number;
    readonly engineRestart: { readonly medianS: number; readonly sigma: number };
  };
  /** A vendor's people run it; absent = the team's own. */
  readonly managed?: ManagedPool;
  /** Absent = its replicas are always there. */
  readonly scaleToZero?: ScaleToZero;
  /** Set when the configuration lies outside the range that `crossover validate` covers; printed as a banner. */
  readonly outsideValidatedRange: string | null;
}

/** USD per million tokens by class of tokens. What a class without a price costs is said in `provider/price.ts`. */
export interface TokenPrices {
  readonly inputUsdPerMTok: number;
  readonly outputUsdPerMTok: number;
  readonly cacheReadUsdPerMTok?: number;
  /** Kept for the provider's default time, and for an hour. */
  readonly cacheWriteUsdPerMTok?: number;
  readonly cacheWrite1hUsdPerMTok?: number;
  /** Output that the user does not see, where it has a price of its own. */
  readonly reasoningUsdPerMTok?: number;
}

/** Prices with their whole-request tiers: above so many input tokens every price is replaced. Sorted by threshold. */
export interface TieredPrices extends TokenPrices {
  readonly longContext: readonly (TokenPrices & { readonly aboveInputTokens: number })[];
}

/** Hours of the UTC week at prices of their own. */
export interface PriceWindow extends TieredPrices {
  /** Minutes of the day: first one inside, first one outside; an end that is not later lies on the next day. */
  readonly startMinute: number;
  readonly endMinute: number;
  /** Days on which it starts, 0 = Monday. */
  readonly days: readonly number[];
}

/** Prices from a date on. */
export interface PriceRow extends TieredPrices {
  /** UTC seconds since 1970 from which it holds; −Infinity is written as null. */
  readonly fromEpochS: number | null;
  /** Of windows that overlap the last one holds; absent = none. */
  readonly windows?: readonly PriceWindow[];
  /** On top of the tokens. */
  readonly usdPerRequest?: number;
}

export interface PromptCacheSpec {
  /** Seconds that a beginning is kept after its last use. */
  readonly ttlS: number;
  /** Shorter prompts and shorter beginnings are not cached. */
  readonly minTokens: number;
  /** Beginnings count in whole steps of so many tokens. */
  readonly stepTokens: number;
  /** What is written is kept for an hour and charged at that price. */
  readonly keptFor1h?: boolean;
}

/**
 * What serves on when the model of an offer is retired. Limits, boundary and provider stay; its figures are per token of the first
 * model. Its prices are rows of the offer's.
 */
export interface Successor {
  readonly model: string;
  /** From this moment the first model is not served, UTC seconds since 1970. */
  readonly stopEpochS: number;
  /** From this moment requests are sent to the successor; between the two they fail. */
  readonly moveEpochS: number;
  readonly contextTokens: number;
  readonly latency: ResolvedOffer["latency"];
}

export interface ResolvedOffer {
  readonly name: string;
  readonly provider: string;
  readonly model: string;
  readonly boundaryLevel: number;
  readonly residency: string;
  /** Where single-tenant capacity behind it stands; absent = an API shared with others. */
  readonly place?: string;
  /** Multiplies every price (residency, priority …). */
  readonly priceMultiplier: number;
  readonly prices: readonly PriceRow[];
  readonly priceAsOf: string;
  readonly limits: readonly LimitSpec[];
  /** Absent = pay as you go. */
  readonly form?: ResolvedForm;
  /** Prompts that begin as an earlier one of the same offer did cost less; absent = all cost the same. */
  readonly promptCache?: PromptCacheSpec;
  /** Absent: the model is served throughout. */
  readonly successor?: Successor;
  readonly contextTokens: number;
  readonly latency: {
    readonly ttftBaseS: number;
    readonly ttftSigma: number;
    readonly tailProbability: number;
    readonly tailMultiple: number;
    readonly tailSigma: number;
    readonly prefillSPerKTok: number;
    readonly tokensPerS: number;
    readonly rateSigma: number;
    /** No answer is slower than this, where the vendor promises so; absent = no floor. */
    readonly minTokensPerS?: number;
  };
  /** Hours Mon–Fri UTC [from, to) in which TTFT and rate are multiplied; null = no diurnal effect. */
  readonly diurnal: {
    readonly fromHour: number;
    readonly toHour: number;
    readonly ttftFactor: number;
    readonly rateFactor: number;
  } | null;
  /** Markov chain of congestion states; index 0 is the start; null = none. */
  readonly congestion: readonly CongestionState[] | null;
  readonly outages: {
    readonly gapWeibullShape: number;
    readonly gapWeibullScaleH: number;
    readonly durationLnHMean: number;
    readonly durationLnHSigma: number;
    readonly durationMaxH: number;
    /** Multiplier of the hazard by hour of the week: Mon–Fri 13–23 UTC, other weekday hours, weekend; rescaled to mean 1. */
    readonly hazard: { readonly businessHours: number; readonly otherWeekday: number; readonly weekend: number };
    readonly severities: readonly {
      readonly name: string;
      readonly weight: number;
      readonly errorFraction: number;
      readonly latencyFactor: number;
    }[];
    /** Share of the outages whose cause strikes other providers too; absent = none. */
    readonly commonCauseFraction?: number;
  } | null;
  readonly networkS: number;
  /** What the way between regions adds to it, by class; absent = nothing. */
  readonly pathSByClass?: readonly number[];
}

export interface CongestionState {
  readonly name: string;
  readonly ttftFactor: number;
  readonly rateFactor: number;
  readonly overloadProbability: number;
  readonly meanDwellH: number;
  /** Probability of each next state, by index. */
  readonly next: readonly number[];
}

/** One stop of a request's way. The first open one is taken; the rest are overflow and fallback, in order. */
export interface RouteTarget {
  readonly kind: "pool" | "offer";
  /** Index in the strategy's `pools` or `offers`. */
  readonly index: number;
  /** Requests in flight per serving replica from which a request goes on to the next target; null = never. */
  readonly overflowInFlightPerReplica: number | null;
  /** Only prompts that the strategy's redaction step has cleaned may go here; absent = as they are. */
  readonly redact?: true;
}

export interface ResolvedStrategy extends StrategyDispatch {
  readonly name: string;
  readonly title: string;
  /** Which option of the decision these runs are evidence for. */
  readonly option: "api" | "private_managed" | "self" | "split";
  readonly pools: readonly ResolvedPool[];
  readonly offers: readonly ResolvedOffer[];
  /** By class index. */
  readonly routes: readonly (readonly RouteTarget[])[];
  /** By class index: why no target of this strategy may take the class, or null. Such requests are `boundaryRefused`. */
  readonly barred: readonly (string | null)[];
  /** By class index: targets that the file names and the boundary takes out of the route; absent where none is. */
  readonly forbidden?: readonly (readonly RouteTarget[])[];
  /** What targets with `redact` need; absent = none has it. */
  readonly redaction?: RedactionSpec;
  /** Boundary rules were lifted by `--what-if-unrestricted`: a labelled counterfactual. */
  readonly counterfactual: boolean;
  /** How its clients retry, where not as the experiment's. */
  readonly client?: ClientProfile;
  /** Answers that are given without any target; absent = none. */
  readonly responseCache?: ResponseCacheSpec;
}

/** Redaction or tokenization of prompts before they leave. */
export interface RedactionSpec {
  readonly latencyS: number;
  readonly usdPerRequest: number;
  readonly usdPerMTok: number;
  /** Share of prompts that cannot be cleaned and stays inside. */
  readonly failFraction: number;
}

/** An exact-match cache of answers before dispatch. */
export interface ResponseCacheSpec {
  /** Share of requests that it answers; null = those whose prompt was answered within `ttlS`. */
  readonly hitFraction: number | null;
  readonly ttlS: number;
  readonly latencyS: number;
}

export interface PeopleCost {
  /** Zero for a strategy without own pools; see self-hosting ledger. */
  readonly fte: number;
  readonly loadedUsdPerYear: number;
  readonly preset: string;
}

export interface DecisionThresholds {
  readonly attainTarget: number;
  readonly marginFraction: number;
  readonly uSloMin: number;
  readonly peakToMeanMax: number;
  readonly wapeMax: number;
  readonly apiShareFraction: number;
  readonly controlledShareFraction: number;
  readonly softPremium: number;
  readonly gateMin: number;
  readonly teamMeanMin: number;
  readonly softNeeds: number;
  readonly splitShareFraction: number;
}

export interface ResolvedExperiment {
  readonly id: string;
  readonly title: string;
  readonly question: string;
  /** What its author expected before the first run, and found after it; absent where neither is written down. */
  readonly prediction?: string;
  readonly finding?: string;
  readonly asOf: string;
  /** UTC seconds since 1970 at simulated t = 0. */
  readonly startEpochS: number;
  readonly horizonS: number;
  /** Simulated before t = 0 and left out of every statistic and bill. */
  readonly warmupS: number;
  readonly seed: string;
  readonly replications: number;
  readonly classes: readonly RequestClass[];
  readonly traffic: ResolvedTraffic;
  readonly client: ClientProfile;
  readonly strategies: readonly ResolvedStrategy[];
  /** Null: no verdict is asked for. */
  readonly team: { readonly preset: string; readonly levels: TeamLevels; readonly rotaOk: boolean | null } | null;
  readonly people: PeopleCost;
  readonly thresholds: DecisionThresholds;
  readonly assumptions: readonly Assumption[];
  readonly warnings: readonly string[];
}
