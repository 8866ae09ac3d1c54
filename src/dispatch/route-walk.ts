/**
 * Where a request goes: along the targets of its class's route until one takes it, in the route's order or as its dispatch policy
 * says. Only targets that the boundary rules left of the route are in it (INV-13), and each is tried once at most (DSP-1).
 */
import { AT_CLIENT } from "../engine/request-table.ts";
import { InvariantError } from "../kernel/errors.ts";
import { FAILED, NO_ROUTE, type Recorder, REJECTED } from "../outcome/recorder.ts";
import type { KnownText } from "../engine/prompt-content.ts";
import type { RequestClass, ResolvedStrategy, RouteTarget } from "../scenario/resolved.ts";
import { SKIPPED } from "./attempt-log.ts";
import { AttemptWatch } from "./attempt-watch.ts";
import { BARRED, BoundaryGate, IN_STEP } from "./boundary-gate.ts";
import { patienceOf } from "./client.ts";
import { Hedges } from "./hedges.ts";
import type { OfferSide } from "./offer-side.ts";
import { type DispatchPolicy, NO_TARGET } from "./policies/policy.ts";
import { dispatchNamed } from "./policies/registry.ts";
import type { PoolSide } from "./pool-side.ts";
import type { RequestDesk } from "./request-desk.ts";
import { NOT_CLEANABLE } from "./redaction.ts";
import { type RunBook, routeOfPool } from "./run-book.ts";
import type { RunState } from "./run-state.ts";
import { ABSENT, ERROR, LIMITED, NEVER, TAKEN } from "./target-answer.ts";
import { TargetView } from "./target-view.ts";

/** A breaker that is open stands for an answer. */
const SHUT = -1;

export class RouteWalk {
  /** Null when no client limits an attempt at a pool and no user leaves. */
  readonly watch: AttemptWatch | null;
  readonly hedges: Hedges | null;
  private readonly state: RunState;
  private readonly desk: RequestDesk;
  private readonly poolSide: PoolSide;
  private readonly offerSide: OfferSide;
  private readonly recorder: Recorder;
  private readonly routes: readonly (readonly RouteTarget[])[];
  private readonly firstOffer: number;
  /** By class, null where the route's order is followed; null when all do. */
  private readonly policies: readonly (DispatchPolicy | null)[] | null;
  private readonly view: TargetView;
  private readonly gate: BoundaryGate;
  private retryAfterS = Infinity;

  constructor(
    state: RunState,
    desk: RequestDesk,
    sides: { readonly poolSide: PoolSide; readonly offerSide: OfferSide; readonly book: RunBook },
    strategy: ResolvedStrategy,
    classes: readonly RequestClass[],
    luck: { readonly seed: string; readonly replication: number; readonly known: KnownText | null },
  ) {
    this.state = state;
    this.desk = desk;
    this.poolSide = sides.poolSide;
    this.offerSide = sides.offerSide;
    this.recorder = desk.recorder;
    this.routes = strategy.routes;
    this.gate = new BoundaryGate(state, desk, sides, sides.book, strategy, luck);
    this.firstOffer = strategy.pools.length;
    this.policies = policiesOf(strategy);
    this.view = new TargetView(state, { ...sides, breakers: desk.breakers }, strategy, classes, luck);
    if (this.policies !== null) desk.view = this.view;
    const longestS = Math.max(...patienceOf(desk.client, classes));
    const limited = (desk.client.attemptTimeoutS ?? Infinity) < longestS || desk.patience !== null;
    this.watch = limited && strategy.pools.length > 0 ? new AttemptWatch(state, desk, sides.poolSide) : null;
    const { hedge } = strategy;
    this.hedges =
      hedge === undefined
        ? null
        : new Hedges(hedge, state, desk, sides, strategy.routes, (slot, target) => this.tryTarget(slot, target));
    desk.hedges = this.hedges;
  }

  /** Offers the request to the targets of its class's route until one takes it. */
  send(slot: number): void {
    const { table } = this.state;
    const classIndex = table.classIndex[slot];
    const route = this.routes[classIndex];
    const policy = this.policies === null ? null : this.policies[classIndex];
    if (policy !== null) this.view.start(slot);
    let outcome = FAILED;
    let permanent = true;
    let at = NO_ROUTE;
    this.retryAfterS = Infinity;
    for (let tries = 0; tries < route.length; tries++) {
      const stop = policy === null ? tries : this.pick(policy);
      if (stop === NO_TARGET) break;
      const target = route[stop];
      const gate = this.gate.at(slot, target);
      if (gate === IN_STEP) return;
      if (gate === BARRED) continue;
      const answer = this.tryTarget(slot, target);
      if (answer === SHUT) {
        permanent = false;
        outcome = REJECTED;
        continue;
      }
      at = this.routeOf(target);
      if (answer === TAKEN) {
        // A pool that sleeps wakes up first, and is asked again then.
        if (table.where[slot] === AT_CLIENT) return;
        if (tries > 0) this.recorder.overflowed(classIndex, at, table.sentS[slot]);
        if (this.watch !== null && target.kind === "pool") this.watch.start(slot);
        if (this.hedges !== null) this.hedges.watch(slot);
        return;
      }
      outcome = answer === ERROR || answer === ABSENT ? FAILED : REJECTED;
      if (answer !== NEVER) permanent = false;
    }
    this.gate.notTaken(slot);
    if (table.redacted[slot] === NOT_CLEANABLE && route.every(({ redact }) => redact === true)) {
      this.desk.refusedUncleaned(slot);
      return;
    }
    // Every breaker of a policy's targets may be open: nothing was tried, and all may be well again later.
    if (at === NO_ROUTE) {
      permanent = false;
      outcome = REJECTED;
    }
    this.desk.retryOrEnd(slot, at, outcome, this.retryAfterS, permanent);
  }

  /** Tries one target, unless its breaker is open. */
  private tryTarget(slot: number, target: RouteTarget): number {
    const { desk } = this;
    const { nowS, table } = this.state;
    const { breakers, log } = desk;
    const isPool = target.kind === "pool";
    const t = isPool ? target.index : this.firstOffer + target.index;
    if (breakers !== null) {
      if (!breakers.admits(t, nowS)) {
        log.count(t, SKIPPED, nowS);
        return SHUT;
      }
      breakers.attempted(t, nowS);
    }
    const answer = isPool ? this.poolSide.send(slot, target) : this.offerSide.send(slot, target.index);
    if (answer === TAKEN && table.where[slot] === AT_CLIENT) return TAKEN;
    log.count(t, answer, nowS);
    if (answer === TAKEN) return TAKEN;
    if (isPool) table.turnedAway[slot]++;
    if (answer === LIMITED) {
      this.recorder.rateLimited(table.classIndex[slot], routeOfPool(t), table.sentS[slot]);
      this.retryAfterS = this.offerSide.offers[target.index].retryAfterS;
      log.asksToWait(t, this.retryAfterS, nowS);
    }
    if (breakers !== null && (answer === LIMITED || answer === ERROR || answer === ABSENT))
      breakers.failed(t, answer === LIMITED, nowS);
    return answer;
  }

  private pick(policy: DispatchPolicy): number {
    const { view } = this;
    const stop = policy.pick(view);
    if (stop === NO_TARGET) return NO_TARGET;
    if (!(stop >= 0 && stop < view.count() && view.isOpen(stop)))
      throw new InvariantError("DSP-1", { stop, targets: view.count() });
    view.mark(stop);
    return stop;
  }

  private routeOf({ kind, index }: RouteTarget): number {
    return routeOfPool(kind === "pool" ? index : this.firstOffer + index);
  }
}

function policiesOf({ dispatch }: ResolvedStrategy): readonly (DispatchPolicy | null)[] | null {
  if (dispatch === undefined || dispatch.every((choice) => choice === null)) return null;
  return dispatch.map((choice) => {
    if (choice === null) return null;
    const plugin = dispatchNamed(choice.policy);
    if (plugin === undefined) throw new RangeError(`no dispatch policy is named ${choice.policy}`);
    return plugin.create(choice);
  });
}
