/**
 * One run: one strategy against one replication of the traffic. The loop takes the earliest of the next arrival (a
 * cursor), the replica calendar and a heap of control events. Order at one instant: window edge, incident, end of a step
 * or of an API answer, retry, arrival, time-out, forming of steps.
 *   INV-1   every request sent ends in exactly one outcome or is in flight at the horizon.
 *   INV-2   the clock is monotone.
 *   INV-13  a request never reaches a target that its class's route does not name: the boundary was applied to the routes.
 * Times in simulated seconds, t = 0 after the warm-up.
 */
import type { Replica, ReplicaSink } from "../engine/replica.ts";
import { AT_CLIENT, AT_OFFER, IN_POOL, LEAVING, NO_SLOT, RequestTable } from "../engine/request-table.ts";
import { createStepTime } from "../engine/step-time-physics.ts";
import type { ResolvedExperiment, ResolvedStrategy, RouteTarget } from "../experiment/resolved.ts";
import { IncidentSource, INCIDENT_KINDS, incidentSources } from "../fleet/incidents.ts";
import { DOWN, Pool } from "../fleet/pool.ts";
import { NO_REPLICA } from "../fleet/routers/router.ts";
import { isoDate } from "../kernel/calendar-time.ts";
import { InvariantError } from "../kernel/errors.ts";
import { EventHeap } from "../kernel/event-heap.ts";
import { counterKey, threefry2x32, unit, words } from "../kernel/random.ts";
import { ReplicaCalendar, STEP_END, STEP_FORM } from "../kernel/replica-calendar.ts";
import { Sketch } from "../kernel/sketch.ts";
import { Ledger, OUTPUT_TOKEN_WEIGHT } from "../outcome/ledger.ts";
import {
  BOUNDARY_REFUSED,
  FAILED,
  NO_ROUTE,
  Recorder,
  REJECTED,
  TIMED_OUT,
  type RequestRows,
} from "../outcome/recorder.ts";
import type { RunResult } from "../outcome/run-result.ts";
import type { IncidentTable, PoolHourTable } from "../outcome/series.ts";
import { ADMITTED, Offer, OVERSIZE, producedTokens, RATE_LIMITED } from "../provider/offer.ts";
import type { DemandMeter } from "../traffic/demand.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { GIVES_UP, retryDelayS } from "./client.ts";
import { Deadlines } from "./deadlines.ts";

// Control events in their order at one instant; step ends come after INCIDENT, arrivals after RETRY.
const WINDOW_EDGE = 0;
const INCIDENT = 1;
const RESTORE = 2;
const ANSWER_END = 3;
const RETRY = 4;
const GIVE_UP = 5;

const HOUR_S = 3600;

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
  /** Called about once per simulated hour with the share done, for progress and cancellation. */
  readonly onProgress: ((fraction: number) => void) | null;
}

/** What a run needs of the experiment. */
export type RunSetting = Pick<
  ResolvedExperiment,
  "startEpochS" | "horizonS" | "warmupS" | "classes" | "client" | "people"
>;

/** Simulates `strategy` against `traffic`. Pure: the same arguments give the same bytes. */
export function simulateRun(setting: RunSetting, strategy: ResolvedStrategy, traffic: Traffic, options: RunOptions): RunResult {
  return new Run(setting, strategy, traffic, options).run();
}

class Run implements ReplicaSink {
  private readonly setting: RunSetting;
  private readonly strategy: ResolvedStrategy;
  private readonly traffic: Traffic;
  private readonly options: RunOptions;
  private readonly table = new RequestTable();
  private readonly pools: readonly Pool[];
  private readonly offers: readonly Offer[];
  private readonly calendar: ReplicaCalendar;
  private readonly control = new EventHeap();
  private readonly deadlines: Deadlines;
  private readonly recorder: Recorder;
  private readonly ledger: Ledger;
  private readonly retryKey: number;
  /** Calendar numbers run through all pools: which pool each is of, and where each pool starts. */
  private readonly poolOf: Uint8Array;
  private readonly firstReplica: readonly number[];
  private readonly engines: readonly Replica[];
  private readonly sources: { readonly pool: number; readonly source: IncidentSource }[] = [];
  /** By calendar number: end of its repair, to tell the last RESTORE from an outdated one. */
  private readonly downUntilS: Float64Array;
  private readonly offerItlS: readonly Sketch[];
  /** By class, out of the setting for the loop. */
  private readonly timeoutS: Float64Array;
  private readonly barred: readonly boolean[];
  /** By pool: what the client sees on top of the engine's times. */
  private readonly overheadS: Float64Array;
  private readonly demand: DemandMeter | null;
  private readonly poolHours: PoolHourTable = {
    hour: [],
    pool: [],
    paidReplicaH: [],
    busyReplicaH: [],
    idleReplicaH: [],
    warmReplicaH: [],
    downReplicaH: [],
    occupancyFraction: [],
    kvFraction: [],
  };
  private readonly incidents: IncidentTable = {
    startS: [],
    endS: [],
    kind: [],
    target: [],
    replicasLost: [],
    requestsLost: [],
  };
  private readonly sums: readonly { busyS: number; servingS: number; warmS: number; downS: number; occupancySeqS: number; kvTokenS: number }[];
  private nowS: number;
  private sentAll = 0;
  private controlEvents = 0;
  private waitingForRetry = 0;
  private atOffers = 0;
  private hour = 0;
  private requestsLost = 0;

  constructor(setting: RunSetting, strategy: ResolvedStrategy, traffic: Traffic, options: RunOptions) {
    this.setting = setting;
    this.strategy = strategy;
    this.traffic = traffic;
    this.options = options;
    const { seed, replication } = options;
    const { classes, warmupS, horizonS, startEpochS } = setting;
    this.nowS = -warmupS;
    this.pools = strategy.pools.map((spec, p) => {
      const stepTime = createStepTime(spec.gpu, spec.llm, spec.engine, spec.coefficients);
      return new Pool(spec, options.replicas[p], stepTime, this.table, this, classes.length, seed, replication, -warmupS);
    });
    const offerSpecs = options.incidents ? strategy.offers : strategy.offers.map((offer) => ({ ...offer, outages: null }));
    this.offers = offerSpecs.map((spec) => new Offer(spec, { seed, replication, startEpochS, horizonS, warmupS }));
    const firstReplica: number[] = [];
    let replicas = 0;
    for (const pool of this.pools) {
      firstReplica.push(replicas);
      replicas += pool.replicas.length;
    }
    this.firstReplica = firstReplica;
    this.engines = this.pools.flatMap((pool) => pool.replicas);
    this.poolOf = new Uint8Array(replicas);
    this.pools.forEach((pool, p) => this.poolOf.fill(p, firstReplica[p], firstReplica[p] + pool.replicas.length));
    this.downUntilS = new Float64Array(replicas);
    this.calendar = new ReplicaCalendar(Math.max(1, replicas));
    this.deadlines = new Deadlines(this.table, classes.length);
    this.recorder = new Recorder(
      classes.map(({ slo }) => ({ ttftS: slo.ttftS ?? Infinity, tpotS: slo.tpotS ?? Infinity, e2eS: slo.e2eS ?? Infinity })),
      [...strategy.pools, ...strategy.offers].map((target) => target.name),
      horizonS,
      options.rows,
    );
    this.ledger = new Ledger(
      strategy.pools.map((pool) => ({
        name: pool.name,
        gpusPerReplica: pool.engine.tensorParallelSize,
        usdPerGpuHour: pool.usdPerGpuHour,
      })),
      strategy.offers.map((offer) => offer.name),
      classes.map((requestClass) => requestClass.name),
    );
    this.retryKey = counterKey(seed, replication, "client/retry");
    this.offerItlS = classes.map(() => new Sketch());
    this.timeoutS = Float64Array.from(classes, (requestClass) => requestClass.timeoutS);
    this.barred = strategy.barred.map((reason) => reason !== null);
    this.overheadS = Float64Array.from(strategy.pools, (pool) => pool.networkS + pool.engine.apiOverheadMs / 1000);
    this.demand = options.demand;
    this.sums = this.pools.map(() => ({ busyS: 0, servingS: 0, warmS: 0, downS: 0, occupancySeqS: 0, kvTokenS: 0 }));
    if (options.incidents) {
      this.pools.forEach((pool, p) => {
        for (const source of incidentSources(pool.spec, pool.replicas.length, seed, replication, -warmupS)) {
          this.control.push(source.nextS, INCIDENT, this.sources.push({ pool: p, source }) - 1, 0);
        }
      });
    }
    this.control.push(0, WINDOW_EDGE, 0, 0);
  }

  run(): RunResult {
    const { traffic, calendar, control, deadlines } = this;
    const endS = this.setting.horizonS;
    for (;;) {
      const dueS = calendar.firstDueS();
      const arrivalS = traffic.timeS;
      const controlS = control.firstTimeS();
      const deadlineS = deadlines.nextS;
      const timeS = Math.min(dueS, arrivalS, controlS, deadlineS);
      if (timeS >= endS) break;
      // The bound may be older than the oldest request that is left.
      if (timeS === deadlineS && (deadlines.refresh() === NO_SLOT || deadlines.nextS > timeS)) continue;
      if (!(timeS >= this.nowS)) throw new InvariantError("INV-2", { timeS, nowS: this.nowS });
      this.nowS = timeS;
      const controlKind = controlS === timeS ? control.firstKind() : GIVE_UP + 1;
      if (dueS === timeS && controlKind > RESTORE && calendar.kind[calendar.first()] === STEP_END) this.endStep();
      else if (controlKind <= RETRY) this.controlEvent(timeS, controlKind);
      else if (arrivalS === timeS) this.arrive();
      else if (controlKind === GIVE_UP) this.controlEvent(timeS, controlKind);
      else if (deadlineS === timeS) this.timeOut(deadlines.refresh(), timeS);
      else this.formStep(calendar.first());
    }
    this.nowS = endS;
    this.closeHour(endS);
    return this.result();
  }

  // ---------------------------------------------------------------- own replicas

  private endStep(): void {
    const calendar = this.calendar;
    const replica = calendar.first();
    const engine = this.engines[replica];
    engine.finish();
    if (this.nothingElseNow()) engine.form();
    else calendar.kind[replica] = STEP_FORM;
    calendar.dueS[replica] = engine.dueS;
    calendar.moved(replica);
  }

  private formStep(replica: number): void {
    const calendar = this.calendar;
    const engine = this.engines[replica];
    engine.form();
    calendar.kind[replica] = STEP_END;
    calendar.dueS[replica] = engine.dueS;
    calendar.moved(replica);
  }

  /** No arrival, retry or time-out of this very instant is still to come: a step may be formed at once. */
  private nothingElseNow(): boolean {
    const nowS = this.nowS;
    return this.traffic.timeS > nowS && this.control.firstTimeS() > nowS && this.deadlines.nextS > nowS;
  }

  completed(slot: number): void {
    const table = this.table;
    const nowS = this.nowS;
    const p = this.leavePool(slot);
    const overheadS = this.overheadS[p];
    const sentS = table.sentS[slot];
    const firstTokenS = table.firstTokenS[slot];
    const classIndex = table.classIndex[slot];
    const output = table.outputTokens[slot];
    const recorder = this.recorder;
    recorder.request = table.ordinal[slot];
    recorder.sentS = sentS;
    recorder.ttftS = firstTokenS - sentS + overheadS;
    recorder.tpotS = output > 1 ? (nowS - firstTokenS) / (output - 1) : NaN;
    recorder.e2eS = nowS - sentS + overheadS;
    recorder.completed(classIndex, 1 + p, table.inputTokens[slot], output, table.attempts[slot]);
    this.end(slot);
  }

  dropped(slot: number): void {
    this.leavePool(slot);
    this.table.release(slot);
  }

  lost(slot: number): void {
    this.requestsLost++;
    const p = this.leavePool(slot);
    this.retryOrEnd(slot, 1 + p, FAILED, Infinity, false);
  }

  /** Out of the pool's counts; returns the pool. */
  private leavePool(slot: number): number {
    const replica = this.table.replica[slot];
    const p = this.poolOf[replica];
    this.pools[p].left(replica - this.firstReplica[p]);
    return p;
  }

  // ---------------------------------------------------------------- requests

  private arrive(): void {
    const { traffic, table, recorder, nowS } = this;
    const classIndex = traffic.classIndex;
    const request = traffic.request;
    this.sentAll++;
    recorder.sent(classIndex, nowS);
    this.demand?.add(nowS);
    if (this.barred[classIndex]) {
      recorder.request = request;
      recorder.sentS = nowS;
      recorder.unanswered(classIndex, NO_ROUTE, traffic.inputTokens, BOUNDARY_REFUSED, 0);
      traffic.advance();
      traffic.onComplete(request, nowS);
      return;
    }
    const slot = table.take();
    table.ordinal[slot] = request;
    table.sentS[slot] = nowS;
    table.deadlineS[slot] = nowS + this.timeoutS[classIndex];
    table.classIndex[slot] = classIndex;
    table.inputTokens[slot] = traffic.inputTokens;
    table.outputTokens[slot] = traffic.outputTokens;
    table.maxOutputTokens[slot] = traffic.maxOutputTokens;
    table.attempts[slot] = 0;
    table.retries[slot] = 0;
    this.deadlines.add(slot);
    traffic.advance();
    this.send(slot);
  }

  /** Offers the request to the targets of its class's route, in order, until one takes it. */
  private send(slot: number): void {
    const table = this.table;
    const classIndex = table.classIndex[slot];
    const route = this.strategy.routes[classIndex];
    let outcome = FAILED;
    let retryAfterS = Infinity;
    let permanent = true;
    let at = NO_ROUTE;
    for (let stop = 0; stop < route.length; stop++) {
      const target = route[stop];
      const taken = target.kind === "pool" ? this.sendToPool(slot, target) : this.sendToOffer(slot, target);
      at = target.kind === "pool" ? 1 + target.index : 1 + this.pools.length + target.index;
      if (taken === TAKEN) {
        if (stop > 0) this.recorder.overflowed(classIndex, at, table.sentS[slot]);
        return;
      }
      if (taken === LIMITED) {
        this.recorder.rateLimited(classIndex, at, table.sentS[slot]);
        retryAfterS = this.offers[target.index].retryAfterS;
      }
      outcome = taken === ERROR || taken === ABSENT ? FAILED : REJECTED;
      if (taken !== NEVER) permanent = false;
    }
    this.retryOrEnd(slot, at, outcome, retryAfterS, permanent);
  }

  private sendToPool(slot: number, target: RouteTarget): number {
    const table = this.table;
    const pool = this.pools[target.index];
    const { engine: spec, maxWaitingPerReplica } = pool.spec;
    const tokens = table.inputTokens[slot] + table.outputTokens[slot];
    if (tokens > spec.maxModelLen || tokens - 1 > spec.kvBlocks * spec.blockTokens) return NEVER;
    const overflow = target.overflowInFlightPerReplica;
    if (overflow !== null && pool.inFlightAll >= overflow * pool.count()) return FULL;
    const local = pool.pick();
    if (local === NO_REPLICA) return ABSENT;
    const engine = pool.replicas[local];
    if (maxWaitingPerReplica !== null && engine.waitingCount >= maxWaitingPerReplica) return FULL;
    const replica = this.firstReplica[target.index] + local;
    table.replica[slot] = replica;
    table.attempts[slot]++;
    pool.entered(local);
    table.attemptS[slot] = this.nowS;
    table.where[slot] = IN_POOL;
    if (!engine.enqueue(slot)) return TAKEN;
    const { calendar } = this;
    if (engine.atBoundary) {
      // It was idle.
      if (this.nothingElseNow()) {
        this.formStep(replica);
        return TAKEN;
      }
      calendar.kind[replica] = STEP_FORM;
    }
    calendar.dueS[replica] = engine.dueS;
    calendar.moved(replica);
    return TAKEN;
  }

  private sendToOffer(slot: number, target: RouteTarget): number {
    const { table, nowS } = this;
    const offer = this.offers[target.index];
    const status = offer.attempt(
      nowS,
      table.ordinal[slot],
      table.attempts[slot]++,
      table.inputTokens[slot],
      table.outputTokens[slot],
      table.maxOutputTokens[slot],
    );
    if (status === ADMITTED) {
      table.attemptS[slot] = nowS;
      table.firstTokenS[slot] = offer.firstTokenS;
      table.tokenGapS[slot] = offer.tokenGapS;
      table.replica[slot] = target.index;
      table.where[slot] = AT_OFFER;
      this.atOffers++;
      // A client that gives up before the answer ends closes the stream then.
      this.control.push(Math.min(offer.finishS, table.deadlineS[slot]), ANSWER_END, slot, offer.finishS);
      return TAKEN;
    }
    return status === RATE_LIMITED ? LIMITED : status === OVERSIZE ? NEVER : ERROR;
  }

  /** The answer of an offer ends: with its last token at `finishS`, or earlier because the client gave up. */
  private answerEnds(slot: number, finishS: number, nowS: number): void {
    const table = this.table;
    const o = table.replica[slot];
    const offer = this.offers[o];
    const classIndex = table.classIndex[slot];
    const input = table.inputTokens[slot];
    const output = table.outputTokens[slot];
    const route = 1 + this.pools.length + o;
    const sentS = table.sentS[slot];
    const firstTokenS = table.firstTokenS[slot];
    const tokenGapS = table.tokenGapS[slot];
    const complete = finishS <= nowS;
    const produced = complete ? output : producedTokens(nowS, firstTokenS, tokenGapS, output);
    if (complete) {
      offer.prices.priceOf(table.attemptS[slot], input, output);
      offer.finish(nowS, input, table.maxOutputTokens[slot], output);
    } else {
      offer.prices.priceOfAbandoned(table.attemptS[slot], input, produced);
      offer.fail(nowS, input, table.maxOutputTokens[slot], output, produced);
    }
    if (sentS >= 0) {
      const usage = this.ledger.offer(o, classIndex);
      if (produced > 0) usage.inputTokens += input;
      usage.outputTokens += produced;
      usage.inputUsd += offer.prices.inputUsd;
      usage.outputUsd += offer.prices.outputUsd;
    }
    this.atOffers--;
    if (!complete) {
      this.unanswered(slot, route, TIMED_OUT);
    } else {
      if (output > 1 && sentS >= 0) this.offerItlS[classIndex].add(tokenGapS, output - 1);
      const recorder = this.recorder;
      recorder.request = table.ordinal[slot];
      recorder.sentS = sentS;
      recorder.ttftS = firstTokenS - sentS;
      recorder.tpotS = output > 1 ? tokenGapS : NaN;
      recorder.e2eS = nowS - sentS;
      recorder.completed(classIndex, route, input, output, table.attempts[slot]);
    }
    this.end(slot);
  }

  /** No target took the request, or it was lost: the client tries again, waits until its deadline, or gives up. */
  private retryOrEnd(slot: number, route: number, outcome: number, retryAfterS: number, permanent: boolean): void {
    const { table, nowS } = this;
    const retry = table.retries[slot];
    let delayS = GIVES_UP;
    if (!permanent) {
      threefry2x32(this.retryKey, 0, table.ordinal[slot], retry);
      delayS = retryDelayS(this.setting.client, retry, retryAfterS, unit(words[0]));
    }
    if (delayS === GIVES_UP) {
      this.unanswered(slot, route, outcome);
      this.end(slot);
      return;
    }
    table.retries[slot] = retry + 1;
    table.where[slot] = AT_CLIENT;
    this.waitingForRetry++;
    const againS = nowS + delayS;
    const deadlineS = table.deadlineS[slot];
    if (againS >= deadlineS) this.control.push(deadlineS, GIVE_UP, slot, 0);
    else {
      this.recorder.retried(table.classIndex[slot], route, table.sentS[slot]);
      this.control.push(againS, RETRY, slot, 0);
    }
  }

  private timeOut(slot: number, nowS: number): void {
    const table = this.table;
    const replica = table.replica[slot];
    const engine = this.engines[replica];
    const dueS = engine.dueS;
    const left = engine.cancel(slot, nowS);
    if (engine.dueS !== dueS) {
      this.calendar.dueS[replica] = engine.dueS;
      this.calendar.moved(replica);
    }
    const route = 1 + this.poolOf[replica];
    this.unanswered(slot, route, TIMED_OUT);
    this.traffic.onComplete(table.ordinal[slot], nowS);
    if (left) {
      this.leavePool(slot);
      table.release(slot);
    } else table.where[slot] = LEAVING;
  }

  /** Records that a request ended without an answer. */
  private unanswered(slot: number, route: number, outcome: number): void {
    const { table, recorder } = this;
    recorder.request = table.ordinal[slot];
    recorder.sentS = table.sentS[slot];
    recorder.unanswered(table.classIndex[slot], route, table.inputTokens[slot], outcome, table.attempts[slot]);
  }

  private end(slot: number): void {
    const table = this.table;
    this.traffic.onComplete(table.ordinal[slot], this.nowS);
    table.release(slot);
  }

  // ---------------------------------------------------------------- control events

  private controlEvent(nowS: number, kind: number): void {
    const control = this.control;
    const payload = control.firstPayload();
    const tag = control.firstTag();
    control.pop();
    this.controlEvents++;
    if (kind === ANSWER_END) this.answerEnds(payload, tag, nowS);
    else if (kind === RETRY) {
      this.waitingForRetry--;
      this.send(payload);
    } else if (kind === GIVE_UP) {
      this.waitingForRetry--;
      this.unanswered(payload, NO_ROUTE, TIMED_OUT);
      this.end(payload);
    } else if (kind === WINDOW_EDGE) this.windowEdge(nowS);
    else if (kind === INCIDENT) this.strike(payload, nowS);
    else this.restore(payload, nowS);
  }

  private strike(index: number, nowS: number): void {
    const { pool: p, source } = this.sources[index];
    const pool = this.pools[p];
    const { coldStart } = pool.spec;
    const node = INCIDENT_KINDS[source.kind] === "node-failure";
    const backS = nowS + source.repairS + coldStart.restartS + (node ? coldStart.provisionS : 0);
    const before = this.requestsLost;
    let lost = 0;
    // All replicas go down before any request looks for another one.
    const engines: number[] = [];
    for (let local = source.firstReplica; local < source.firstReplica + source.replicas; local++) {
      const replica = this.firstReplica[p] + local;
      // A node that fails while its engine restarts extends the outage; a crash of what is down is none.
      if (pool.stateOf(local) === DOWN && !(node && backS > this.downUntilS[replica])) continue;
      if (pool.stateOf(local) !== DOWN) {
        lost++;
        engines.push(local);
        pool.lose(local, nowS);
      }
      this.downUntilS[replica] = backS;
      this.control.push(backS, RESTORE, replica, backS);
    }
    for (const local of engines) {
      pool.replicas[local].fail(nowS);
      const replica = this.firstReplica[p] + local;
      this.calendar.dueS[replica] = Infinity;
      this.calendar.kind[replica] = STEP_END;
      this.calendar.moved(replica);
    }
    if (lost > 0 && nowS >= 0) {
      pool.incidents++;
      this.incidents.startS.push(nowS);
      this.incidents.endS.push(backS);
      this.incidents.kind.push(INCIDENT_KINDS[source.kind]);
      this.incidents.target.push(pool.spec.name);
      this.incidents.replicasLost.push(lost);
      this.incidents.requestsLost.push(this.requestsLost - before);
    }
    source.advance();
    this.control.push(source.nextS, INCIDENT, index, 0);
  }

  private restore(replica: number, nowS: number): void {
    if (this.downUntilS[replica] !== nowS) return;
    const p = this.poolOf[replica];
    this.pools[p].restore(replica - this.firstReplica[p], nowS);
  }

  // ---------------------------------------------------------------- windows and the result

  private windowEdge(nowS: number): void {
    if (nowS === 0) {
      // End of the warm-up: what was measured so far is dropped, what is under way goes on.
      for (const pool of this.pools) {
        pool.bookUntil(0);
        pool.resetMeters();
        pool.meter.preemptions = 0;
        for (const itlS of pool.meter.itlS) itlS.clear();
      }
    } else this.closeHour(nowS);
    const nextS = (this.hour + 1) * HOUR_S;
    this.openHour(Math.min(nextS, this.setting.horizonS) - this.hour * HOUR_S);
    if (nextS < this.setting.horizonS) this.control.push(nextS, WINDOW_EDGE, 0, 0);
    const { warmupS, horizonS } = this.setting;
    this.options.onProgress?.((nowS + warmupS) / (horizonS + warmupS));
  }

  private openHour(lengthS: number): void {
    this.ledger.addTime(isoDate(this.setting.startEpochS + this.hour * HOUR_S).slice(0, 7), lengthS / HOUR_S);
  }

  private closeHour(nowS: number): void {
    const hourS = nowS - this.hour * HOUR_S;
    this.pools.forEach((pool, p) => {
      pool.bookUntil(nowS);
      const { meter, spec } = pool;
      const { servingS, warmS, downS } = pool;
      const idleS = servingS - meter.busyS;
      if (idleS < -1e-6 * hourS) throw new InvariantError("INV-8", { pool: spec.name, servingS, busyS: meter.busyS });
      const hours = this.ledger.pool(p);
      hours.busy += meter.busyS / HOUR_S;
      hours.idle += idleS / HOUR_S;
      hours.warm += warmS / HOUR_S;
      hours.down += downS / HOUR_S;
      const table = this.poolHours;
      const capacity = spec.engine.kvBlocks * spec.engine.blockTokens;
      table.hour.push(this.hour);
      table.pool.push(spec.name);
      table.paidReplicaH.push((servingS + warmS + downS) / HOUR_S);
      table.busyReplicaH.push(meter.busyS / HOUR_S);
      table.idleReplicaH.push(idleS / HOUR_S);
      table.warmReplicaH.push(warmS / HOUR_S);
      table.downReplicaH.push(downS / HOUR_S);
      table.occupancyFraction.push(servingS > 0 ? meter.occupancySeqS / (servingS * spec.engine.maxNumSeqs) : 0);
      table.kvFraction.push(servingS > 0 ? meter.kvTokenS / (servingS * capacity) : 0);
      const sum = this.sums[p];
      sum.busyS += meter.busyS;
      sum.servingS += servingS;
      sum.warmS += warmS;
      sum.downS += downS;
      sum.occupancySeqS += meter.occupancySeqS;
      sum.kvTokenS += meter.kvTokenS;
      pool.resetMeters();
    });
    this.recorder.closeHour(this.hour);
    this.hour++;
  }

  private result(): RunResult {
    const { setting, strategy, recorder, options } = this;
    const inFlight = this.checkConservation();
    const routeOfPool = (p: number): number => 1 + p;
    for (const offer of this.offers) {
      for (const outage of offer.outages) {
        if (outage.endS <= 0 || outage.startS >= setting.horizonS) continue;
        this.incidents.startS.push(Math.max(0, outage.startS));
        this.incidents.endS.push(Math.min(setting.horizonS, outage.endS));
        this.incidents.kind.push(`outage-${offer.spec.outages!.severities[outage.severity].name}`);
        this.incidents.target.push(offer.spec.name);
        this.incidents.replicasLost.push(0);
        this.incidents.requestsLost.push(0);
      }
    }
    const people = this.pools.length === 0 ? 0 : (setting.people.fte * setting.people.loadedUsdPerYear) / 12;
    return {
      strategy: strategy.name,
      replication: options.replication,
      requestsSimulated: this.sentAll,
      events: this.sentAll + this.controlEvents + this.pools.reduce((sum, pool) => sum + pool.meter.boundaries, 0),
      classes: setting.classes.map(({ slo }, c) => {
        const latency = recorder.latency(c);
        const itlS = new Sketch();
        itlS.merge(this.offerItlS[c]);
        for (const pool of this.pools) itlS.merge(pool.meter.itlS[c]);
        return {
          totals: recorder.totals(c, null),
          inFlightAtHorizon: inFlight[c],
          controlledCompleted: this.pools.reduce((sum, _, p) => sum + recorder.totals(c, routeOfPool(p)).completed, 0),
          ttftS: latency.ttftS.toPlain(),
          tpotS: latency.tpotS.toPlain(),
          itlS: itlS.toPlain(),
          e2eS: latency.e2eS.toPlain(),
          attainmentWindows: recorder.attainmentWindows(c, slo.targetFraction),
        };
      }),
      pools: this.pools.map((pool, p) => {
        const { busyS, servingS, warmS, downS, occupancySeqS, kvTokenS } = this.sums[p];
        const { maxNumSeqs, kvBlocks, blockTokens } = pool.spec.engine;
        const over = (value: number, capacity: number): number => (servingS > 0 ? value / (servingS * capacity) : 0);
        return {
          replicas: options.replicas[p],
          busyH: busyS / HOUR_S,
          idleH: (servingS - busyS) / HOUR_S,
          warmH: warmS / HOUR_S,
          downH: downS / HOUR_S,
          busyFraction: over(busyS, 1),
          occupancyFraction: over(occupancySeqS, maxNumSeqs),
          kvFraction: over(kvTokenS, kvBlocks * blockTokens),
          preemptions: pool.meter.preemptions,
          incidents: pool.incidents,
          completedByClass: setting.classes.map((_, c) => recorder.totals(c, routeOfPool(p)).completed),
        };
      }),
      offers: this.offers.map((offer) => ({
        attempts: offer.attempts,
        rateLimited: offer.rateLimited,
        overloaded: offer.overloaded,
        outageFailures: offer.outageFailures,
        outages: offer.outages.filter(({ startS }) => startS >= 0 && startS < setting.horizonS).length,
        availabilityFraction: offer.availabilityFraction,
      })),
      series: {
        strategy: strategy.name,
        replication: options.replication,
        windows: recorder.windows,
        poolHours: this.poolHours,
        incidents: this.incidents,
        ledger: this.ledger.price(
          this.pools.map((_, p) =>
            setting.classes.map((_, c) => {
              const { inputTokens, outputTokens } = recorder.totals(c, routeOfPool(p));
              return inputTokens + OUTPUT_TOKEN_WEIGHT * outputTokens;
            }),
          ),
          people,
        ),
      },
    };
  }

  /** INV-1, by independent counts: what ended and what lives in slots against what was sent, and where the live ones are. */
  private checkConservation(): number[] {
    const { table } = this;
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
    const inPools = this.pools.reduce((sum, pool) => sum + pool.inFlightAll, 0);
    const inReplicas = this.pools.reduce((sum, pool) => sum + pool.replicas.reduce((n, replica) => n + replica.inFlight, 0), 0);
    const held = inPools + this.atOffers + this.waitingForRetry;
    if (held !== this.table.inUse || inPools !== inReplicas) {
      throw new InvariantError("INV-1", { slotsInUse: this.table.inUse, held, inPools, inReplicas });
    }
    return inFlight;
  }
}

// How a target answers.
const TAKEN = 0;
/** 429. */
const LIMITED = 1;
/** The pool's own limits or its overflow threshold. */
const FULL = 2;
/** 5xx, overload, outage. */
const ERROR = 3;
/** No replica serves. */
const ABSENT = 4;
/** Could never fit. */
const NEVER = 5;

