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
import { LEAVING, NO_SLOT } from "../engine/request-table.ts";
import type { ResolvedStrategy } from "../scenario/resolved.ts";
import type { PoolRun } from "../fleet/pool.ts";
import { InvariantError } from "../kernel/errors.ts";
import { STEP_END } from "../kernel/replica-calendar.ts";
import { FAILED, NO_ROUTE, type Recorder, REJECTED, type RequestRows } from "../outcome/recorder.ts";
import type { RunResult } from "../outcome/run-result.ts";
import { Offer } from "../provider/offer.ts";
import type { DemandMeter } from "../traffic/demand.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { BARRED, BoundaryGate, IN_STEP } from "./boundary-gate.ts";
import { offerContent } from "./offer-content.ts";
import { OfferSide } from "./offer-side.ts";
import { PoolSide } from "./pool-side.ts";
import { RequestDesk } from "./request-desk.ts";
import { HOUR_S, recorderOf, RunBook, routeOfPool, type RunSetting } from "./run-book.ts";
import { ANSWER_END, GIVE_UP, HAND_OVER, INCIDENT, RESTORE, RETRY, RunState, WINDOW_EDGE } from "./run-state.ts";
import { ABSENT, ERROR, LIMITED, NEVER, TAKEN } from "./target-answer.ts";

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
  private readonly strategy: ResolvedStrategy;
  private readonly options: RunOptions;
  private readonly state: RunState;
  private readonly desk: RequestDesk;
  private readonly poolSide: PoolSide;
  private readonly offerSide: OfferSide;
  private readonly recorder: Recorder;
  private readonly book: RunBook;
  private readonly gate: BoundaryGate;
  private controlEvents = 0;

  constructor(setting: RunSetting, strategy: ResolvedStrategy, traffic: Traffic, options: RunOptions) {
    this.setting = setting;
    this.strategy = strategy;
    this.options = options;
    const { seed, replication, incidents, replicas, observe } = options;
    const { classes, warmupS, horizonS, startEpochS } = setting;
    const known = traffic.known ?? null;
    this.state = new RunState(
      traffic,
      classes.map(({ timeoutS }) => timeoutS),
      -warmupS,
    );
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
    const sides = { poolSide: this.poolSide, offerSide: this.offerSide };
    this.gate = new BoundaryGate(this.state, this.desk, sides, this.book, strategy, options);
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
      const controlS = control.firstTimeS();
      const deadlineS = deadlines.nextS;
      const timeS = Math.min(dueS, arrivalS, controlS, deadlineS);
      if (timeS >= endS) break;
      // The bound may be older than the oldest request that is left.
      if (timeS === deadlineS && (deadlines.refresh(timeS) === NO_SLOT || deadlines.nextS > timeS)) continue;
      if (!(timeS >= state.nowS)) throw new InvariantError("INV-2", { timeS, nowS: state.nowS });
      state.nowS = timeS;
      const controlKind = controlS === timeS ? control.firstKind() : GIVE_UP + 1;
      if (dueS === timeS && controlKind > RESTORE && calendar.kind[calendar.first()] === STEP_END) poolSide.endStep();
      else if (controlKind <= RETRY) this.controlEvent(controlKind);
      else if (arrivalS === timeS) this.arrive();
      else if (controlKind === GIVE_UP) this.controlEvent(controlKind);
      else if (deadlineS === timeS) poolSide.timeOut(deadlines.refresh(timeS));
      else poolSide.formStep(calendar.first());
    }
    state.nowS = endS;
    this.book.closeHour(endS);
    const boundaries = poolSide.pools.reduce((sum, pool) => sum + pool.meter.boundaries, 0);
    const events = this.desk.sentAll + this.controlEvents + boundaries;
    return this.book.result(this.options.replication, this.desk.sentAll, events, this.checkConservation());
  }

  private arrive(): void {
    const slot = this.desk.open();
    if (slot !== NO_SLOT) this.send(slot);
  }

  /** Offers the request to the targets of its class's route, in order, until one takes it. */
  private send(slot: number): void {
    const { table } = this.state;
    const { offers } = this.offerSide;
    const classIndex = table.classIndex[slot];
    const route = this.strategy.routes[classIndex];
    let outcome = FAILED;
    let retryAfterS = Infinity;
    let permanent = true;
    let at = NO_ROUTE;
    for (let stop = 0; stop < route.length; stop++) {
      const target = route[stop];
      const gate = this.gate.at(slot, target);
      if (gate === IN_STEP) return;
      if (gate === BARRED) continue;
      const taken = target.kind === "pool" ? this.poolSide.send(slot, target) : this.offerSide.send(slot, target.index);
      at = routeOfPool(target.kind === "pool" ? target.index : this.strategy.pools.length + target.index);
      if (taken === TAKEN) {
        if (stop > 0) this.recorder.overflowed(classIndex, at, table.sentS[slot]);
        return;
      }
      if (taken === LIMITED) {
        this.recorder.rateLimited(classIndex, at, table.sentS[slot]);
        retryAfterS = offers[target.index].retryAfterS;
      }
      outcome = taken === ERROR || taken === ABSENT ? FAILED : REJECTED;
      if (taken !== NEVER) permanent = false;
    }
    this.gate.notTaken(slot);
    if (at === NO_ROUTE) this.desk.refusedUncleaned(slot);
    else this.desk.retryOrEnd(slot, at, outcome, retryAfterS, permanent);
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
      this.send(payload);
    } else if (kind === GIVE_UP) this.desk.gaveUp(payload);
    else if (kind === WINDOW_EDGE) this.windowEdge();
    else if (kind === INCIDENT) this.strike(payload);
    else this.poolSide.restore(payload);
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

  /** INV-1, by independent counts: what ended and what lives in slots against what was sent, and where the live ones are. */
  private checkConservation(): number[] {
    const { table } = this.state;
    const { pools, inTransit } = this.poolSide;
    const inFlight = this.setting.classes.map(() => 0);
    for (const slot of table.live()) {
      if (table.where[slot] !== LEAVING && table.sentS[slot] >= 0) inFlight[table.classIndex[slot]]++;
    }
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
