/**
 * Second attempts beside a first one that takes long, at another offer of the class's route. The request is then in two slots; one
 * wins and the other is cancelled, or one fails and leaves it to the other. Each is billed like every attempt. Simulated seconds.
 */
import { AT_OFFER, NO_SLOT } from "../engine/request-table.ts";
import { Sketch } from "../kernel/sketch.ts";
import type { HedgeSpec } from "../scenario/dispatch.ts";
import type { RouteTarget } from "../scenario/resolved.ts";
import { CANCELLED, HEDGE, HEDGE_WON } from "./attempt-log.ts";
import type { OfferSide } from "./offer-side.ts";
import type { PoolSide } from "./pool-side.ts";
import { CLEANED } from "./redaction.ts";
import type { RequestDesk } from "./request-desk.ts";
import { HEDGE_DUE, RACE_END, type RunState } from "./run-state.ts";
import { TAKEN } from "./target-answer.ts";

/** Answers behind a percentile before it replaces the fixed delay, and answers from one look at it to the next. */
const ENOUGH = 100;
const REFRESH = 100;
/** Attempts of a hedge are numbered from here, so that its luck is none of the first attempt's. */
const HEDGE_NUMBERS = 32_768;
const NUMBERS_EACH = 32;

/** Tries one target for a slot, with its breaker and its log: as the walk along a route does. */
export type TryTarget = (slot: number, target: RouteTarget) => number;

export class Hedges {
  private readonly spec: HedgeSpec;
  private readonly state: RunState;
  private readonly desk: RequestDesk;
  private readonly poolSide: PoolSide;
  private readonly offerSide: OfferSide;
  private readonly tryTarget: TryTarget;
  private readonly routes: readonly (readonly RouteTarget[])[];
  /** Slot of the second attempt by that of the first, and the other way. */
  private readonly secondOf = new Map<number, number>();
  private readonly firstOf = new Map<number, number>();
  /** Slots whose attempt began as a second one. */
  private readonly late = new Set<number>();
  private readonly times = new Sketch();
  private answers = 0;
  private delayS: number;
  private made = 0;

  constructor(
    spec: HedgeSpec,
    state: RunState,
    desk: RequestDesk,
    sides: { readonly poolSide: PoolSide; readonly offerSide: OfferSide },
    routes: readonly (readonly RouteTarget[])[],
    tryTarget: TryTarget,
  ) {
    this.spec = spec;
    this.state = state;
    this.desk = desk;
    this.poolSide = sides.poolSide;
    this.offerSide = sides.offerSide;
    this.routes = routes;
    this.tryTarget = tryTarget;
    this.delayS = spec.afterS;
  }

  /** A target has taken the request in `slot` now: a second attempt may follow. */
  watch(slot: number): void {
    const { state, delayS } = this;
    const { table, control, nowS } = state;
    const dueS = nowS + delayS;
    if (table.where[slot] !== AT_OFFER) table.firstTokenS[slot] = Infinity;
    // What an offer will have sent by then is known already, to the simulation alone: it spares an event.
    else if (this.isDone(slot, dueS)) return;
    if (dueS < table.deadlineS[slot]) control.push(dueS, HEDGE_DUE, slot, state.attemptTag(slot));
  }

  /** The delay is over. */
  due(slot: number, tag: number): void {
    const { state, desk, spec } = this;
    const { table, nowS } = state;
    if (!state.isRunning(slot, tag) || this.isDone(slot, nowS)) return;
    if (this.secondOf.has(slot) || this.made + 1 > spec.maxFraction * desk.sentAll) return;
    const own = table.where[slot] === AT_OFFER ? table.replica[slot] : -1;
    const second = state.copy(slot);
    table.attempts[second] = HEDGE_NUMBERS + NUMBERS_EACH * table.attempts[slot];
    for (const target of this.routes[table.classIndex[slot]]!) {
      if (target.redact === true && table.redacted[slot] !== CLEANED) continue;
      if (target.kind === "pool" || target.index === own || this.tryTarget(second, target) !== TAKEN) continue;
      table.attempts[second] = table.attempts[slot] + 1;
      this.secondOf.set(slot, second);
      this.firstOf.set(second, slot);
      this.late.add(second);
      this.made++;
      desk.log.count(this.targetOf(second), HEDGE, nowS);
      if (spec.race === "first-token") {
        const firstTokenS = own >= 0 ? table.firstTokenS[slot] : Infinity;
        state.control.push(
          Math.min(firstTokenS, table.firstTokenS[second]),
          RACE_END,
          second,
          state.attemptTag(second),
        );
      }
      return;
    }
    table.release(second);
  }

  /** One of the two has its first token: the other is cancelled. */
  raceEnds(second: number, tag: number): void {
    const { state } = this;
    if (!state.isRunning(second, tag)) return;
    const first = this.firstOf.get(second);
    if (first === undefined) return;
    const firstWins = state.table.firstTokenS[first] <= state.nowS;
    this.decide(firstWins ? first : second, true);
  }

  /** The request in `slot` is over: its other attempt is cancelled. `answered`: `slot` has the answer. */
  ended(slot: number, answered: boolean): void {
    if (answered && !this.late.delete(slot)) this.observe(slot);
    this.decide(slot, answered);
    this.late.delete(slot);
  }

  private decide(slot: number, answered: boolean): void {
    const { desk, state } = this;
    const isSecond = this.firstOf.has(slot);
    const other = this.unlink(slot);
    if (other === NO_SLOT) return;
    if (answered && isSecond) desk.log.count(this.targetOf(slot), HEDGE_WON, state.nowS);
    desk.log.count(this.targetOf(other), CANCELLED, state.nowS);
    if (answered && isSecond) this.observe(other);
    this.late.delete(other);
    if (state.table.where[other] === AT_OFFER) this.offerSide.cancel(other);
    else if (this.poolSide.cancel(other)) state.table.release(other);
  }

  /** The attempt in `slot` has failed. True when another one of its request goes on alone. */
  leaves(slot: number): boolean {
    this.late.delete(slot);
    return this.unlink(slot) !== NO_SLOT;
  }

  /** Is the attempt in `slot` the second of a request whose first one runs too? */
  isSecond(slot: number): boolean {
    return this.firstOf.has(slot);
  }

  private unlink(slot: number): number {
    const second = this.secondOf.get(slot);
    if (second !== undefined) {
      this.secondOf.delete(slot);
      this.firstOf.delete(second);
      return second;
    }
    const first = this.firstOf.get(slot);
    if (first === undefined) return NO_SLOT;
    this.firstOf.delete(slot);
    this.secondOf.delete(first);
    return first;
  }

  /** The slot of the second attempt beside the first one in `slot`; NO_SLOT where there is none. */
  secondAttempt(slot: number): number {
    return this.secondOf.get(slot) ?? NO_SLOT;
  }

  /** Has the attempt what the race is for, by `timeS`? */
  private isDone(slot: number, timeS: number): boolean {
    return this.spec.race === "first-token" && this.state.table.firstTokenS[slot] <= timeS;
  }

  /** How long a first attempt has taken, or had taken when it was cancelled. */
  private observe(slot: number): void {
    const { afterPercentile, race } = this.spec;
    if (afterPercentile === null) return;
    const { table, nowS } = this.state;
    const endS = race === "answer" ? nowS : Math.min(nowS, table.firstTokenS[slot]);
    this.times.add(endS - table.attemptS[slot], 1);
    if (++this.answers >= ENOUGH && this.answers % REFRESH === 0)
      this.delayS = this.times.quantile(afterPercentile / 100);
  }

  private targetOf(slot: number): number {
    const { table } = this.state;
    if (table.where[slot] === AT_OFFER) return this.poolSide.pools.length + table.replica[slot];
    return this.poolSide.routeOf(slot) - 1;
  }
}
