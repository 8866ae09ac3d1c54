/**
 * One run: one strategy against one replication of the traffic. The loop takes the earliest of the next arrival (a
 * cursor), the replica calendar and a heap of control events. Order at one instant: window edge, incident, end of a step
 * or of an API answer, retry, arrival, time-out, forming of steps.
 *   INV-1   every request sent ends in exactly one outcome or is in flight at the horizon.
 *   INV-2   the clock is monotone.
 *   INV-13  a request never reaches a target that its class's route does not name: the boundary was applied to the routes.
 *           Nor, uncleaned, one that its route names for cleaned prompts only.
 * Times in simulated seconds, t = 0 after the warm-up.
 */
import { AT_CLIENT, AT_OFFER, LEAVING, NO_SLOT } from "../engine/request-table.ts";
import type { ResolvedStrategy } from "../scenario/resolved.ts";
import type { PoolRun } from "../fleet/pool.ts";
import { InvariantError } from "../kernel/errors.ts";
import { NO_ROUTE, type Recorder, type RequestRows } from "../outcome/recorder.ts";
import type { RunResult } from "../outcome/run-result.ts";
import { Offer } from "../provider/offer.ts";
import type { DemandMeter } from "../traffic/demand.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { patienceOf } from "./client.ts";
import { offerContent } from "./offer-content.ts";
import { OfferSide } from "./offer-side.ts";
import { PoolSide } from "./pool-side.ts";
import { RequestDesk } from "./request-desk.ts";
import { HOUR_S, recorderOf, RunBook, type RunSetting } from "./run-book.ts";
import {
  ABANDON,
  ANSWER_END,
  ATTEMPT_END,
  GIVE_UP,
  HAND_OVER,
  HEDGE_DUE,
  INCIDENT,
  NO_EVENT,
  RESTORE,
  RETRY,
  RunState,
  WINDOW_EDGE,
} from "./run-state.ts";
import { RouteWalk } from "./route-walk.ts";

export interface RunOptions {
  readonly seed: string;
  readonly replication: number;
  /** Incidents of own pools and outages of providers happen. */
  readonly incidents: boolean;
  /** Serving replicas of each pool, where the experiment says "auto". */
  readonly replicas: readonly number[];
  /** Counts the arrivals, or null. */
  readonly demand: DemandMeter | null;
  readonly rows: RequestRows | null;
  /** Who watches the steps of a replica; absent, nobody does. */
  readonly observe?: PoolRun["observe"];
  /** Called about once per simulated hour with the share done, for progress and cancellation. */
  readonly onProgress: ((fraction: number) => void) | null;
}

/** Simulates `strategy` against `traffic`. Pure: the same arguments give the same bytes. */
export function simulateRun(
  setting: RunSetting,
  strategy: ResolvedStrategy,
  traffic: Traffic,
  options: RunOptions,
): RunResult {
  return new Run(setting, strategy, traffic, options).run();
}

class Run {
  private readonly setting: RunSetting;
  private readonly options: RunOptions;
  private readonly state: RunState;
  private readonly desk: RequestDesk;
  private readonly poolSide: PoolSide;
  private readonly offerSide: OfferSide;
  private readonly recorder: Recorder;
  private readonly walk: RouteWalk;
  private readonly book: RunBook;
  private controlEvents = 0;

  constructor(setting: RunSetting, strategy: ResolvedStrategy, traffic: Traffic, options: RunOptions) {
    this.setting = setting;
    this.options = options;
    const { seed, replication, incidents, replicas, observe } = options;
    const { classes, warmupS, horizonS, startEpochS } = setting;
    const known = traffic.known ?? null;
    this.state = new RunState(traffic, patienceOf(strategy.client ?? setting.client, classes), -warmupS);
    this.recorder = recorderOf(setting, strategy, options.rows);
    this.desk = new RequestDesk(this.state, setting, strategy, this.recorder, options);
    const poolRun = { seed, replication, known, observe };
    this.poolSide = new PoolSide(this.state, this.desk, strategy.pools, replicas, classes, poolRun, incidents);
    const offerSpecs = incidents ? strategy.offers : strategy.offers.map((offer) => ({ ...offer, outages: null }));
    const content = offerContent(classes, known, seed, replication);
    const context = { seed, replication, startEpochS, horizonS, warmupS, content, sharedLimits: new Map() };
    const offers = offerSpecs.map((spec) => new Offer(spec, context));
    this.book = new RunBook(setting, strategy, this.poolSide.pools, offers, this.recorder);
    this.offerSide = new OfferSide(this.state, this.desk, this.book, offers, strategy.pools.length);
    const sides = { poolSide: this.poolSide, offerSide: this.offerSide, book: this.book };
    this.walk = new RouteWalk(this.state, this.desk, sides, strategy, classes, { seed, replication, known });
    this.state.control.push(0, WINDOW_EDGE, 0, 0);
  }

  run(): RunResult {
    const { state, poolSide } = this;
    const { traffic, control, deadlines } = state;
    const { calendar } = poolSide;
    const endS = this.setting.horizonS;
    for (;;) {
      const dueS = calendar.firstDueS();
      const arrivalS = traffic.timeS;
      const controlS = control.firstTimeS;
      const deadlineS = deadlines.nextS;
      // Nearly always an arrival or the end of a step.
      let timeS = dueS < arrivalS ? dueS : arrivalS;
      if (controlS < timeS) timeS = controlS;
      if (deadlineS < timeS) timeS = deadlineS;
      if (poolSide.formsSteps) timeS = state.nowS;
      if (timeS >= endS) break;
      // The bound may be older than the oldest request that is left.
      if (timeS === deadlineS && (deadlines.refresh(timeS) === NO_SLOT || deadlines.nextS > timeS)) continue;
      if (!(timeS >= state.nowS)) throw new InvariantError("INV-2", { timeS, nowS: state.nowS });
      state.nowS = timeS;
      const controlKind = controlS === timeS ? control.firstKind() : NO_EVENT;
      if (dueS === timeS && controlKind > RESTORE) poolSide.endStep();
      else if (controlKind <= RETRY) this.controlEvent(controlKind);
      else if (arrivalS === timeS) this.arrive();
      else if (controlKind < NO_EVENT) this.controlEvent(controlKind);
      else if (deadlineS === timeS) poolSide.timeOut(deadlines.refresh(timeS));
      else poolSide.formWaiting();
    }
    state.nowS = endS;
    this.book.closeHour(endS);
    const open = this.openSlots();
    const inFlight = this.checkConservation(open);
    const endedUsd = this.book.totalUsd();
    const paidTokens = this.payAnswersUnderWay();
    for (const slot of open)
      this.desk.inFlightAtHorizon(slot, this.routeOf(slot), paidTokens.get(slot) ?? 0, this.hasBegun(slot));
    const boundaries = poolSide.pools.reduce((sum, pool) => sum + pool.meter.boundaries, 0);
    const events = this.desk.sentAll + this.controlEvents + boundaries;
    return this.book.result(this.options.replication, this.desk, events, inFlight, endedUsd);
  }

  /**
   * What was sent within the horizon is paid for, however long its answer takes: answers that offers are giving at the horizon go on to
   * their end, in order of time, while nothing else happens. A client sends none of them again, and of two attempts of one request
   * neither is cancelled. Returns the tokens that are paid for by slot.
   */
  private payAnswersUnderWay(): ReadonlyMap<number, number> {
    const { state, offerSide } = this;
    const { control } = state;
    const paidTokens = new Map<number, number>();
    for (; control.size > 0; control.pop()) {
      if (control.firstKind() !== ANSWER_END) continue;
      const slot = control.firstPayload();
      state.nowS = control.firstTimeS;
      paidTokens.set(slot, offerSide.payUnderWay(slot, control.firstTag()));
    }
    return paidTokens;
  }

  private arrive(): void {
    const slot = this.desk.open();
    if (slot !== NO_SLOT) this.walk.send(slot);
  }

  private controlEvent(kind: number): void {
    const { control } = this.state;
    const payload = control.firstPayload();
    const tag = control.firstTag();
    control.pop();
    this.controlEvents++;
    if (kind === ANSWER_END) this.offerSide.answerEnds(payload, tag);
    else if (kind === HAND_OVER) this.poolSide.handOver(payload, tag);
    else if (kind === RETRY) {
      this.desk.waitingForRetry--;
      this.walk.send(payload);
    } else if (kind === GIVE_UP) this.desk.gaveUp(payload);
    else if (kind === WINDOW_EDGE) this.windowEdge();
    else if (kind >= ATTEMPT_END) this.clientEvent(kind, payload, tag);
    else if (kind === INCIDENT) this.strike(payload);
    else this.poolSide.restore(payload);
  }

  /** What a client does about an attempt that runs. */
  private clientEvent(kind: number, slot: number, tag: number): void {
    const { watch, hedges } = this.walk;
    if (kind === ATTEMPT_END) watch!.attemptEnds(slot, tag);
    else if (kind === ABANDON) watch!.abandon(slot, tag);
    else if (kind === HEDGE_DUE) hedges!.due(slot, tag);
    else hedges!.raceEnds(slot, tag);
  }

  private strike(index: number): void {
    const loss = this.poolSide.strike(index);
    const { nowS } = this.state;
    if (loss === null || nowS < 0) return;
    this.poolSide.pools[loss.pool].incidents++;
    this.book.incident(nowS, loss.backS, loss.kind, loss.name, loss.replicas, loss.requests);
  }

  private windowEdge(): void {
    const { book } = this;
    const { control, nowS } = this.state;
    const { warmupS, horizonS } = this.setting;
    if (nowS === 0) book.start();
    else {
      book.closeHour(nowS);
      book.openHour();
    }
    const nextS = (book.hour + 1) * HOUR_S;
    if (nextS < horizonS) control.push(nextS, WINDOW_EDGE, 0, 0);
    this.options.onProgress?.((nowS + warmupS) / (horizonS + warmupS));
  }

  /** One slot of each request that has not ended, in the order in which they were sent. */
  private openSlots(): number[] {
    const { table } = this.state;
    const { hedges } = this.walk;
    return table
      .live()
      .filter((slot) => table.where[slot] !== LEAVING && hedges?.isSecond(slot) !== true)
      .sort((a, b) => table.ordinal[a] - table.ordinal[b]);
  }

  /** Recorder route of the target that holds a request now; that of none between two attempts. */
  private routeOf(slot: number): number {
    const where = this.state.table.where[slot];
    if (where === AT_CLIENT) return NO_ROUTE;
    return where === AT_OFFER ? this.offerSide.routeOf(slot) : this.poolSide.routeOf(slot);
  }

  /** Has the request of a slot its first token by the horizon, of whichever of its attempts? */
  private hasBegun(slot: number): boolean {
    const { table } = this.state;
    const { horizonS } = this.setting;
    const ofAttempt = (attempt: number): boolean => {
      const where = table.where[attempt];
      if (where === AT_CLIENT) return false;
      return where === AT_OFFER ? table.firstTokenS[attempt] <= horizonS : table.generated[attempt] > 0;
    };
    const second = this.walk.hedges?.secondAttempt(slot) ?? NO_SLOT;
    return ofAttempt(slot) || (second !== NO_SLOT && ofAttempt(second));
  }

  /** INV-1, by independent counts: what ended and what lives in slots against what was sent, and where the live ones are. */
  private checkConservation(open: readonly number[]): number[] {
    const { table } = this.state;
    const { pools, inTransit } = this.poolSide;
    const inFlight = this.setting.classes.map(() => 0);
    for (const slot of open) if (table.sentS[slot] >= 0) inFlight[table.classIndex[slot]]++;
    this.setting.classes.forEach((requestClass, c) => {
      const t = this.recorder.totals(c, null);
      const ended = t.completed + t.rejected + t.timedOut + t.failed + t.boundaryRefused;
      if (ended + inFlight[c] !== t.sent) {
        throw new InvariantError("INV-1", { class: requestClass.name, sent: t.sent, ended, inFlight: inFlight[c] });
      }
    });
    const inPools = pools.reduce((sum, pool) => sum + pool.inFlightAll, 0);
    const inReplicas = pools.reduce(
      (sum, pool) => sum + pool.replicas.reduce((n, replica) => n + replica.inFlight, 0),
      0,
    );
    const held = inPools + this.offerSide.inFlight + this.desk.waitingForRetry + inTransit;
    if (held !== table.inUse || inPools !== inReplicas) {
      throw new InvariantError("INV-1", { slotsInUse: table.inUse, held, inPools, inReplicas });
    }
    return inFlight;
  }
}
