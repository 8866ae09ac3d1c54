/**
 * One API offer as a server in the simulation: admits or refuses attempts and says when their tokens come. Times are
 * simulated seconds (negative in the warm-up), tokens whole numbers. Attempts and ends must come in order of time; at
 * equal times ends first.
 *   OFF-1  Refusal or admission takes every limit or none.
 *   OFF-2  The luck of an attempt depends on (request, attempt) alone, so compared strategies give it the same (RNG-2).
 *          Offers of one model at one provider share it: an attempt number must not be used twice for a request.
 *   OFF-3  Outages depend on the provider alone, congestion likewise: neither notices who asks when.
 *   OFF-4  No object is allocated per attempt.
 */
import type { PromptContent, ResolvedOffer } from "../scenario/resolved.ts";
import { InvariantError } from "../kernel/errors.ts";
import { counterKey, stream, threefry2x32, unit, words } from "../kernel/random.ts";
import { Admission, retryAfterS, type SharedLimits } from "./admission.ts";
import { ADMITTED, OUTAGE, OVERLOADED, OVERSIZE, RATE_LIMITED, RETIRED, type AttemptStatus } from "./attempt-status.ts";
import { Congestion } from "./congestion.ts";
import { BatchTimes } from "./forms/batch.ts";
import { deployedFromS, gateOf, type Gate } from "./forms/gate.ts";
import { Latency } from "./latency.ts";
import type { Limit } from "./limits/limit.ts";
import type { ReservedSpend } from "./limits/money.ts";
import { drawOutages, OutageTimeline, type Outage } from "./outages.ts";
import { PriceBook } from "./price.ts";
import { PromptCache } from "./prompt-cache.ts";

export { ADMITTED, OUTAGE, OVERLOADED, OVERSIZE, RATE_LIMITED, RETIRED, type AttemptStatus };

export interface OfferContext {
  readonly seed: string;
  readonly replication: number;
  /** UTC seconds since 1970 at t = 0. */
  readonly startEpochS: number;
  readonly horizonS: number;
  readonly warmupS: number;
  /** What prompts share in blocks of so many tokens, −1 for what they do not; absent, they share nothing. */
  readonly content?: ((blockTokens: number) => PromptContent) | null;
  /** Limits that offers of the run have in common; absent, each has its own. */
  readonly sharedLimits?: SharedLimits;
}

/** What the last `bill` charged. Tokens read from and written to the prompt cache are parts of the input, and no plain input. */
export interface Bill {
  inputTokens: number;
  cachedTokens: number;
  writtenTokens: number;
  outputTokens: number;
  inputUsd: number;
  cachedUsd: number;
  writtenUsd: number;
  outputUsd: number;
  /** Those that pay a fee of their own. */
  requests: number;
  requestUsd: number;
}

/** Second key word of the draws of failures; those of the latency use another. */
const FAILURE_KEY = 0;

export class Offer {
  readonly spec: ResolvedOffer;
  readonly prices: PriceBook;
  /** In the order of `spec.limits`. */
  readonly limits: readonly Limit[];
  /** Those that touch the simulated time, warm-up included, ordered by start. */
  readonly outages: readonly Outage[];
  /** Mean share of requests over [0, horizonS) that outages would let through, limits and overload left aside. */
  readonly availabilityFraction: number;

  /** Results of the last `attempt`. Retry-After of a 429 in whole seconds; Infinity = no header. */
  retryAfterS = Infinity;
  /** When the client has the first token of an admitted attempt; else Infinity. */
  firstTokenS = Infinity;
  /** When the client has the last token, or the refusal. Network included. */
  finishS = 0;
  /** Between two tokens of an admitted attempt. */
  tokenGapS = 0;

  /** Of its prompt, what was read from the prompt cache. */
  cachedTokens = 0;
  /**
   * It ramped up too fast for its form: served as standard, at the standard price. Of the last attempt; whoever ends and bills
   * an earlier one puts its answer back here first.
   */
  asStandard = false;
  readonly billed: Bill = {
    inputTokens: 0,
    cachedTokens: 0,
    writtenTokens: 0,
    outputTokens: 0,
    inputUsd: 0,
    cachedUsd: 0,
    writtenUsd: 0,
    outputUsd: 0,
    requests: 0,
    requestUsd: 0,
  };

  /** Counters over attempts at t ≥ 0; the warm-up is left out. Those of one attempt's end: attempts = the sum of the five. */
  attempts = 0;
  admitted = 0;
  rateLimited = 0;
  overloaded = 0;
  /** Those of a retired model included. */
  outageFailures = 0;
  oversize = 0;
  /** 429s by limit, in the order of `spec.limits`: whichever had the longest wait. */
  readonly refusedBy: Float64Array;
  /** Admitted attempts that ended in `fail`, at t ≥ 0. */
  abandoned = 0;
  /** Batch jobs handed in at t ≥ 0 that expire. */
  expiries = 0;

  /** When provisioned units began to serve; −Infinity: they always did. */
  readonly deployedFromS: number;

  private readonly gate: Gate | null;
  private readonly batch: BatchTimes | null;
  private readonly content: NonNullable<OfferContext["content"]> | null;
  private cache: PromptCache | null;
  /** Spend that is paid in advance for every minute; null = none. */
  readonly reservedSpend: ReservedSpend | null;

  private readonly admission: Admission;
  private readonly standardPriceFraction: number;
  /** Of the request that ended last: the part of its price that no reserved spend covers. */
  private paidFraction = 1;
  private readonly key: number;
  private latency: Latency;
  private contextTokens: number;
  /** When the model is retired, and when its successor takes over; Infinity = never, or done. */
  private stopS: number;
  private moveS: number;
  private readonly congestion: Congestion | null;
  private readonly timeline: OutageTimeline | null;
  private readonly startEpochS: number;
  private nowS = -Infinity;

  constructor(spec: ResolvedOffer, context: OfferContext) {
    const { seed, replication, startEpochS, horizonS, warmupS, content = null } = context;
    this.spec = spec;
    this.prices = new PriceBook(spec, startEpochS);
    this.content = content;
    this.cache = this.emptyCache();
    this.contextTokens = spec.contextTokens;
    this.stopS = (spec.successor?.stopEpochS ?? Infinity) - startEpochS;
    this.moveS = (spec.successor?.moveEpochS ?? Infinity) - startEpochS;
    this.startEpochS = startEpochS;
    this.admission = new Admission(spec.provider, spec.limits, startEpochS, context.sharedLimits ?? null);
    this.limits = this.admission.limits;
    this.refusedBy = new Float64Array(spec.limits.length);
    this.reservedSpend = this.admission.reservedSpend;
    this.standardPriceFraction = spec.form?.kind === "priority" ? (spec.form.standardPriceFraction ?? 1) : 1;
    this.key = counterKey(seed, replication, `offer/${spec.provider}/${spec.model}`);
    this.latency = new Latency(spec.latency, spec.diurnal, startEpochS, this.key);
    const { form } = spec;
    this.gate = gateOf(form, spec.name, { seed, replication, startEpochS, key: this.key });
    this.batch = form?.kind === "batch" ? new BatchTimes(form, this.key) : null;
    this.deployedFromS =
      form?.kind === "provisioned" ? deployedFromS(form, spec.name, { seed, replication }) : -Infinity;
    this.congestion =
      spec.congestion === null
        ? null
        : new Congestion(spec.congestion, stream(seed, replication, `congestion/${spec.provider}`), -warmupS);
    if (spec.outages === null) {
      this.outages = [];
      this.timeline = null;
      this.availabilityFraction = 1;
    } else {
      const draw = stream(seed, replication, `outage/${spec.provider}`);
      const common = {
        shared: stream(seed, replication, "outage/common"),
        own: stream(seed, replication, `outage/${spec.provider}/own`),
      };
      this.outages = drawOutages(spec.outages, draw, startEpochS, -warmupS, horizonS, common);
      this.timeline = new OutageTimeline(this.outages, spec.outages.severities);
      this.availabilityFraction = this.timeline.availabilityFraction(horizonS);
    }
  }

  /**
   * One attempt arriving at `timeS`. `attempt` numbers the attempts of the request over all its targets. The checks
   * come in the order outage, retirement, size, capacity of the form, limits, overload; a refusal takes nothing from the limits, except
   * where refused attempts count, and except that an overloaded attempt keeps its charge of requests. O(limits).
   */
  attempt(
    timeS: number,
    request: number,
    attempt: number,
    inputTokens: number,
    outputTokens: number,
    maxOutputTokens: number,
    classIndex = 0,
  ): AttemptStatus {
    this.moveTo(timeS);
    const counted = timeS >= 0 ? 1 : 0;
    this.attempts += counted;
    this.retryAfterS = Infinity;
    this.firstTokenS = Infinity;
    const networkS = this.spec.networkS + (this.spec.pathSByClass?.[classIndex] ?? 0);
    this.finishS = timeS + networkS;
    this.tokenGapS = 0;

    let errorFraction = 0;
    let slowdown = 1;
    if (this.timeline !== null) {
      this.timeline.advance(timeS);
      errorFraction = this.timeline.errorFraction;
      slowdown = this.timeline.latencyFactor;
    }
    let ttftFactor = slowdown;
    let rateFactor = 1 / slowdown;
    let overloadProbability = 0;
    if (this.congestion !== null) {
      this.congestion.advance(timeS);
      ttftFactor *= this.congestion.ttftFactor;
      rateFactor *= this.congestion.rateFactor;
      overloadProbability = this.congestion.overloadProbability;
    }
    threefry2x32(this.key, FAILURE_KEY, request, attempt);
    const outageU = unit(words[0]!);
    const overloadU = unit(words[1]!);

    if (outageU < errorFraction) {
      this.outageFailures += counted;
      return OUTAGE;
    }
    if (timeS >= this.stopS) {
      this.outageFailures += counted;
      return RETIRED;
    }
    // As vendors check it: the prompt and what it may grow to, not what it will (which no server knows).
    if (inputTokens + maxOutputTokens > this.contextTokens) {
      this.oversize += counted;
      return OVERSIZE;
    }
    if (this.gate !== null && this.gate.shut(timeS, request, attempt)) {
      this.rateLimited += counted;
      return RATE_LIMITED;
    }
    const { admission } = this;
    const timeMs = timeS * 1000;
    // What is cached of a prompt is taken as known on arrival (assumed).
    const cached = this.cache === null ? 0 : this.cache.found(timeS, request, classIndex, inputTokens);
    const written = this.writtenTokens(inputTokens, cached);
    this.cachedTokens = cached;
    admission.charge(inputTokens - cached - written, cached, written, maxOutputTokens, outputTokens);
    const decision = admission.decide(timeMs);
    if (decision === OVERSIZE) {
      this.oversize += counted;
      return OVERSIZE;
    }
    if (decision === RATE_LIMITED) {
      this.retryAfterS = retryAfterS(admission.waitMs);
      this.rateLimited += counted;
      this.refusedBy[admission.refusedBy]! += counted;
      return RATE_LIMITED;
    }
    if (overloadU < overloadProbability) {
      admission.overloaded(timeMs);
      this.overloaded += counted;
      return OVERLOADED;
    }
    this.asStandard = admission.asStandard;
    ttftFactor *= admission.latencyFactor;
    rateFactor /= admission.latencyFactor;

    const latency = this.latency;
    latency.draw(timeS, request, attempt, inputTokens - cached, ttftFactor, rateFactor);
    this.firstTokenS = timeS + latency.ttftS + networkS;
    this.tokenGapS = latency.tokenGapS;
    this.finishS = this.firstTokenS + Math.max(0, outputTokens - 1) * latency.tokenGapS;
    if (this.batch !== null) {
      this.batch.draw(timeS, request, attempt, outputTokens);
      ({ firstTokenS: this.firstTokenS, finishS: this.finishS, tokenGapS: this.tokenGapS } = this.batch);
      if (this.batch.expired(timeS, this.finishS)) this.expiries += counted;
    }
    admission.streams(timeMs, this.firstTokenS * 1000, this.finishS * 1000, outputTokens);
    this.cache?.keep(timeS, this.firstTokenS, request, classIndex, inputTokens);
    this.admitted += counted;
    return ADMITTED;
  }

  /** Would `attempt` with the same arguments admit it? Takes nothing, and leaves what others meet as it is. */
  wouldTake(
    timeS: number,
    request: number,
    attempt: number,
    inputTokens: number,
    outputTokens: number,
    maxOutputTokens: number,
    classIndex = 0,
  ): boolean {
    this.moveTo(timeS);
    this.timeline?.advance(timeS);
    this.congestion?.advance(timeS);
    threefry2x32(this.key, FAILURE_KEY, request, attempt);
    const down = unit(words[0]!) < (this.timeline?.errorFraction ?? 0);
    const overloaded = unit(words[1]!) < (this.congestion?.overloadProbability ?? 0);
    if (down || overloaded || timeS >= this.stopS || inputTokens + maxOutputTokens > this.contextTokens) return false;
    if (this.gate?.shut(timeS, request, attempt) === true) return false;
    const cached = this.cache === null ? 0 : this.cache.found(timeS, request, classIndex, inputTokens);
    const written = this.writtenTokens(inputTokens, cached);
    const { admission } = this;
    admission.charge(inputTokens - cached - written, cached, written, maxOutputTokens, outputTokens);
    return admission.wouldAdmit(timeS * 1000);
  }

  /**
   * What an attempt admitted at `timeS` costs that read `cachedTokens` from the cache and produced `producedTokens`, reasoning
   * included: into `billed`. Nothing before the first token, else the input and what was produced (assumed; published for the
   * flex tiers alone). Refused attempts cost nothing.
   */
  bill(timeS: number, inputTokens: number, cachedTokens: number, producedTokens: number, reasoningTokens = 0): void {
    const { prices, billed } = this;
    const input = producedTokens > 0 ? inputTokens : 0;
    const cached = producedTokens > 0 ? cachedTokens : 0;
    const written = this.writtenTokens(input, cached);
    const hour = this.spec.promptCache?.keptFor1h === true ? written : 0;
    prices.charge(timeS, input, cached, written - hour, hour, producedTokens, reasoningTokens);
    billed.inputTokens = input - cached - written;
    billed.cachedTokens = cached;
    billed.writtenTokens = written;
    billed.outputTokens = producedTokens;
    billed.inputUsd = prices.inputUsd;
    billed.cachedUsd = prices.readUsd;
    billed.writtenUsd = prices.writeUsd;
    billed.outputUsd = prices.outputUsd;
    billed.requests = producedTokens > 0 && prices.requestUsd > 0 ? 1 : 0;
    billed.requestUsd = billed.requests * prices.requestUsd;
    const paid = this.paidFraction * (this.asStandard ? this.standardPriceFraction : 1);
    if (paid === 1) return;
    billed.inputUsd *= paid;
    billed.cachedUsd *= paid;
    billed.writtenUsd *= paid;
    billed.outputUsd *= paid;
    billed.requestUsd *= paid;
  }

  /** Did the batch job handed in at `timeS` that ended at `finishS` expire undone? */
  expired(timeS: number, finishS: number): boolean {
    return this.batch !== null && this.batch.expired(timeS, finishS);
  }

  /** An attempt admitted at `attemptS` has sent its last token: settles the limits. The token counts are those of its `attempt`. */
  finish(
    timeS: number,
    attemptS: number,
    inputTokens: number,
    cachedTokens: number,
    maxOutputTokens: number,
    outputTokens: number,
  ): void {
    this.moveTo(timeS);
    this.settle(timeS, attemptS, inputTokens, cachedTokens, maxOutputTokens, outputTokens, outputTokens);
  }

  /**
   * An admitted attempt was given up at `timeS` after `producedTokens` of its `outputTokens`: settles the limits to those.
   * `firstTokenS` and `tokenGapS` are those that its `attempt` told.
   */
  fail(
    timeS: number,
    attemptS: number,
    inputTokens: number,
    cachedTokens: number,
    maxOutputTokens: number,
    outputTokens: number,
    producedTokens: number,
    firstTokenS: number,
    tokenGapS: number,
  ): void {
    this.moveTo(timeS);
    const lastTokenS = firstTokenS + Math.max(0, outputTokens - 1) * tokenGapS;
    this.admission.gaveUp(timeS * 1000, firstTokenS * 1000, lastTokenS * 1000, outputTokens);
    this.settle(timeS, attemptS, inputTokens, cachedTokens, maxOutputTokens, outputTokens, producedTokens);
    if (timeS >= 0) this.abandoned++;
  }

  private settle(
    timeS: number,
    attemptS: number,
    inputTokens: number,
    cachedTokens: number,
    maxOutputTokens: number,
    outputTokens: number,
    producedTokens: number,
  ): void {
    const { admission, billed } = this;
    const written = this.writtenTokens(inputTokens, cachedTokens);
    let usd = 0;
    if (admission.countsMoney) {
      this.paidFraction = 1;
      this.bill(attemptS, inputTokens, cachedTokens, producedTokens);
      usd = billed.inputUsd + billed.cachedUsd + billed.writtenUsd + billed.outputUsd + billed.requestUsd;
    }
    admission.settle(
      timeS * 1000,
      attemptS * 1000,
      inputTokens - cachedTokens - written,
      cachedTokens,
      written,
      maxOutputTokens,
      outputTokens,
      producedTokens,
      usd,
    );
    const { reservedSpend } = admission;
    if (reservedSpend !== null) this.paidFraction = usd > 0 ? reservedSpend.lastOverageUsd / usd : 1;
  }

  /** Of a prompt, what is billed as written to the cache. */
  private writtenTokens(inputTokens: number, cachedTokens: number): number {
    return this.cache === null || !this.prices.chargesWrites ? 0 : this.cache.written(inputTokens, cachedTokens);
  }

  private moveTo(timeS: number): void {
    if (!(timeS >= this.nowS)) throw new InvariantError("INV-2", { offer: this.spec.name, timeS, nowS: this.nowS });
    this.nowS = timeS;
    if (timeS >= this.moveS) this.moveToSuccessor();
  }

  /** Another model: its own speed and context, and nothing in its prompt cache. */
  private moveToSuccessor(): void {
    const { latency, contextTokens } = this.spec.successor!;
    this.latency = new Latency(latency, this.spec.diurnal, this.startEpochS, this.key);
    this.contextTokens = contextTokens;
    this.cache = this.emptyCache();
    this.stopS = this.moveS = Infinity;
  }

  private emptyCache(): PromptCache | null {
    const { promptCache } = this.spec;
    if (promptCache === undefined || this.content === null) return null;
    return new PromptCache(promptCache, this.content(promptCache.stepTokens));
  }
}

/** Tokens that the client of an admitted attempt had by `timeS`, for its bill and its limits when it gives up. */
export function producedTokens(timeS: number, firstTokenS: number, tokenGapS: number, outputTokens: number): number {
  if (timeS < firstTokenS) return 0;
  return Math.min(outputTokens, 1 + Math.floor((timeS - firstTokenS) / tokenGapS));
}
