/**
 * What a dispatch policy sees of one request and its targets, and what has been seen of the targets so far. O(1) a target. All
 * that is remembered is told when an answer has ended, as a gateway would know it.
 */
import { counterKey, threefry2x32, unit, words } from "../kernel/random.ts";
import type { RequestClass, ResolvedStrategy, RouteTarget } from "../scenario/resolved.ts";
import type { KnownText } from "../engine/prompt-content.ts";
import type { Breakers } from "./breakers.ts";
import type { OfferSide } from "./offer-side.ts";
import type { DispatchView } from "./policies/policy.ts";
import type { PoolSide } from "./pool-side.ts";
import { NOT_CLEANABLE } from "./redaction.ts";
import type { RunState } from "./run-state.ts";

/** Weight of the latest answer in a target's mean. */
const LATEST = 0.1;
/** Second key words of the draws. */
const REQUEST = 0;
const SESSION = 1;
const AFFINITY = 2;
const KINDS_OF_LUCK = 3;

export class TargetView implements DispatchView {
  nowS = 0.5;
  private readonly state: RunState;
  private readonly poolSide: PoolSide;
  private readonly offerSide: OfferSide;
  private readonly breakers: Breakers | null;
  private readonly routes: readonly (readonly RouteTarget[])[];
  private readonly known: KnownText | null;
  private readonly key: number;
  private readonly ttftTargets: Float64Array;
  /** By target; NaN before the first answer. */
  private readonly meanTtftS: Float64Array;
  private readonly seenS: Float64Array;
  /** By class. */
  private readonly meanOutput: Float64Array;
  private slot = 0;
  private route: readonly RouteTarget[] = [];
  private tried = 0;

  constructor(
    state: RunState,
    sides: { readonly poolSide: PoolSide; readonly offerSide: OfferSide; readonly breakers: Breakers | null },
    strategy: ResolvedStrategy,
    classes: readonly RequestClass[],
    luck: { readonly seed: string; readonly replication: number; readonly known: KnownText | null },
  ) {
    const targets = strategy.pools.length + strategy.offers.length;
    this.state = state;
    this.poolSide = sides.poolSide;
    this.offerSide = sides.offerSide;
    this.breakers = sides.breakers;
    this.routes = strategy.routes;
    this.known = luck.known;
    this.key = counterKey(luck.seed, luck.replication, "dispatch");
    this.ttftTargets = Float64Array.from(classes, ({ slo }) => slo.ttftS ?? Infinity);
    this.meanTtftS = new Float64Array(targets).fill(NaN);
    this.seenS = new Float64Array(targets).fill(-Infinity);
    this.meanOutput = new Float64Array(classes.length).fill(NaN);
  }

  /** A walk of the request in `slot` begins. */
  start(slot: number): void {
    this.nowS = this.state.nowS;
    this.slot = slot;
    this.route = this.routes[this.state.table.classIndex[slot]];
    this.tried = 0;
  }

  mark(i: number): void {
    this.tried |= 1 << i;
  }

  /** The answer of a target has ended, as its client saw it. */
  answered(target: number, classIndex: number, ttftS: number, outputTokens: number): void {
    const mean = this.meanTtftS[target];
    this.meanTtftS[target] = mean !== mean ? ttftS : mean + LATEST * (ttftS - mean);
    this.seenS[target] = this.state.nowS;
    const output = this.meanOutput[classIndex];
    this.meanOutput[classIndex] = output !== output ? outputTokens : output + LATEST * (outputTokens - output);
  }

  count(): number {
    return this.route.length;
  }

  isOpen(i: number): boolean {
    if ((this.tried & (1 << i)) !== 0) return false;
    // Not what can't be cleaned, for targets that take clean prompts alone.
    if (this.route[i].redact === true && this.state.table.redacted[this.slot] === NOT_CLEANABLE) return false;
    return this.breakers === null || this.breakers.admits(this.target(i), this.nowS);
  }

  isPool(i: number): boolean {
    return this.route[i].kind === "pool";
  }

  inFlight(i: number): number {
    const { kind, index } = this.route[i];
    if (kind === "offer") return this.offerSide.inFlightAt[index];
    const pool = this.poolSide.pools[index];
    const count = pool.count();
    return count === 0 ? Infinity : pool.inFlightAll / count;
  }

  inputTokens(): number {
    return this.state.table.inputTokens[this.slot];
  }

  maxOutputTokens(): number {
    return this.state.table.maxOutputTokens[this.slot];
  }

  luck(i: number): number {
    const { ordinal, retries } = this.state.table;
    threefry2x32(this.key, REQUEST + KINDS_OF_LUCK * this.target(i), ordinal[this.slot], retries[this.slot]);
    return unit(words[0]);
  }

  sessionLuck(): number {
    threefry2x32(this.key, SESSION, this.session(), 0);
    return unit(words[0]);
  }

  affinity(i: number): number {
    threefry2x32(this.key, AFFINITY + KINDS_OF_LUCK * this.target(i), this.session(), 0);
    return unit(words[0]);
  }

  ttftTargetS(): number {
    return this.ttftTargets[this.state.table.classIndex[this.slot]];
  }

  ttftS(i: number): number {
    return this.meanTtftS[this.target(i)];
  }

  ttftAgeS(i: number): number {
    return this.nowS - this.seenS[this.target(i)];
  }

  idleTtftS(i: number): number {
    const { kind, index } = this.route[i];
    if (kind === "pool") return 0;
    const { latency, networkS, pathSByClass } = this.offerSide.offers[index].spec;
    const pathS = networkS + (pathSByClass?.[this.state.table.classIndex[this.slot]] ?? 0);
    return latency.ttftBaseS + (latency.prefillSPerKTok * this.inputTokens()) / 1000 + pathS;
  }

  expectedUsd(i: number): number {
    const { kind, index } = this.route[i];
    if (kind === "pool") return 0;
    return this.offerSide.offers[index].prices.priceOf(this.nowS, this.inputTokens(), this.expectedOutput());
  }

  expectedTokens(): number {
    return this.inputTokens() + this.expectedOutput();
  }

  /** Before the first answer of its class, what the client allows. */
  private expectedOutput(): number {
    const mean = this.meanOutput[this.state.table.classIndex[this.slot]];
    return mean !== mean ? this.maxOutputTokens() : mean;
  }

  private session(): number {
    const request = this.state.table.ordinal[this.slot];
    return this.known === null ? request : this.known.session(request);
  }

  private target(i: number): number {
    const { kind, index } = this.route[i];
    return kind === "pool" ? index : this.poolSide.pools.length + index;
  }
}
