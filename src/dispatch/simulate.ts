/**
 * One run: one strategy against one replication of the traffic. The loop takes the earliest of the next arrival (a
 * cursor), the replica calendar and a heap of control events. Order at one instant: window edge, incident, end of a step
 * or of an API answer, retry, arrival, time-out, forming of steps.
 *   INV-1   every request sent ends in exactly one outcome or is in flight at the horizon.
 *   INV-2   the clock is monotone.
 *   INV-13  a request never reaches a target that its class's route does not name: the boundary was applied to the routes.
 * Times in simulated seconds, t = 0 after the warm-up.
 */
import type { ReplicaSink } from "../engine/meter.ts";
import { PolicyReplica } from "../engine/policy-replica.ts";
import type { ReplicaEngine } from "../engine/replica-engine.ts";
import { AT_CLIENT, AT_OFFER, IN_POOL, IN_TRANSIT, LEAVING, NO_SLOT, RequestTable } from "../engine/request-table.ts";
import type { ResolvedStrategy, RouteTarget } from "../scenario/resolved.ts";
import { PoolIncidents } from "../fleet/incidents.ts";
import { Pool, type PoolRun } from "../fleet/pool.ts";
import { NO_REPLICA } from "../fleet/routers/router.ts";
import { InvariantError } from "../kernel/errors.ts";
import { EventHeap } from "../kernel/event-heap.ts";
import { counterKey, threefry2x32, unit, words } from "../kernel/random.ts";
import { ReplicaCalendar, STEP_END, STEP_FORM } from "../kernel/replica-calendar.ts";
import { FAILED, NO_ROUTE, type Recorder, REJECTED, TIMED_OUT, type RequestRows } from "../outcome/recorder.ts";
import { addUsage } from "../outcome/ledger.ts";
import type { RunResult } from "../outcome/run-result.ts";
import { ADMITTED, Offer, OVERSIZE, producedTokens, RATE_LIMITED } from "../provider/offer.ts";
import type { DemandMeter } from "../traffic/demand.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { GIVES_UP, retryDelayS } from "./client.ts";
import { Deadlines } from "./deadlines.ts";
import { type LongestRequest, longestRequest } from "./longest-request.ts";
import { offerContent } from "./offer-content.ts";
import { HOUR_S, RunBook, routeOfPool, type RunSetting } from "./run-book.ts";
import { type ResponseCache, responseCacheOf } from "./response-cache.ts";
import { ABSENT, ERROR, FULL, LIMITED, NEVER, TAKEN } from "./target-answer.ts";

// Control events in their order at one instant; step ends come after INCIDENT, arrivals after RETRY.
const WINDOW_EDGE = 0;
const INCIDENT = 1;
const RESTORE = 2;
const ANSWER_END = 3;
/** The KV of a request has reached the pool that goes on with it. */
const HAND_OVER = 4;
const RETRY = 5;
const GIVE_UP = 6;

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
  private readonly book: RunBook;
  private readonly responseCache: ResponseCache | null;
  private readonly retryKey: number;
  /** Calendar numbers run through all pools: which pool each is of, and where each pool starts. */
  private readonly poolOf: Uint8Array;
  private readonly firstReplica: readonly number[];
  private readonly engines: readonly ReplicaEngine[];
  /** Empty when none are to happen; `sources` numbers those of all pools. */
  private readonly incidents: readonly PoolIncidents[];
  private readonly sources: { readonly pool: number; readonly source: number }[] = [];
  /** By class, out of the setting for the loop. */
  private readonly timeoutS: Float64Array;
  private readonly barred: readonly boolean[];
  /** By pool: what the client sees on top of the engine's times. */
  private readonly overheadS: Float64Array;
  private readonly longest: readonly LongestRequest[];
  private readonly demand: DemandMeter | null;
  private nowS: number;
  private sentAll = 0;
  private controlEvents = 0;
  private waitingForRetry = 0;
  private atOffers = 0;
  private inTransit = 0;
  private requestsLost = 0;

  constructor(setting: RunSetting, strategy: ResolvedStrategy, traffic: Traffic, options: RunOptions) {
    this.setting = setting;
    this.strategy = strategy;
    this.traffic = traffic;
    this.options = options;
    const { seed, replication } = options;
    const { classes, warmupS, horizonS, startEpochS } = setting;
    this.nowS = -warmupS;
    const poolRun = { seed, replication, known: traffic.known ?? null, observe: options.observe };
    this.pools = strategy.pools.map(
      (spec, p) => new Pool(spec, options.replicas[p], this.table, this, classes, poolRun, -warmupS),
    );
    const offerSpecs = options.incidents
      ? strategy.offers
      : strategy.offers.map((offer) => ({ ...offer, outages: null }));
    const content = offerContent(classes, traffic.known ?? null, seed, replication);
    const context = { seed, replication, startEpochS, horizonS, warmupS, content, sharedLimits: new Map() };
    this.offers = offerSpecs.map((spec) => new Offer(spec, context));
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
    this.calendar = new ReplicaCalendar(Math.max(1, replicas));
    const patienceS = classes.map((requestClass) => requestClass.timeoutS);
    this.deadlines = new Deadlines(this.table, patienceS, -warmupS);
    this.book = new RunBook(setting, strategy, this.pools, this.offers, options.rows);
    this.recorder = this.book.recorder;
    this.responseCache = responseCacheOf(strategy, classes, seed, replication);
    this.retryKey = counterKey(seed, replication, "client/retry");
    this.timeoutS = Float64Array.from(patienceS);
    this.barred = strategy.barred.map((reason) => reason !== null);
    this.overheadS = Float64Array.from(strategy.pools, (pool) => pool.networkS + pool.engine.apiOverheadMs / 1000);
    this.longest = strategy.pools.map((_, p) => longestRequest(strategy.pools, p));
    this.demand = options.demand;
    this.incidents = options.incidents
      ? this.pools.map((pool) => new PoolIncidents(pool, seed, replication, -warmupS))
      : [];
    this.incidents.forEach((incidents, pool) => {
      incidents.sources.forEach(({ nextS }, source) => {
        this.control.push(nextS, INCIDENT, this.sources.push({ pool, source }) - 1, 0);
      });
    });
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
      if (timeS === deadlineS && (deadlines.refresh(timeS) === NO_SLOT || deadlines.nextS > timeS)) continue;
      if (!(timeS >= this.nowS)) throw new InvariantError("INV-2", { timeS, nowS: this.nowS });
      this.nowS = timeS;
      const controlKind = controlS === timeS ? control.firstKind() : GIVE_UP + 1;
      if (dueS === timeS && controlKind > RESTORE && calendar.kind[calendar.first()] === STEP_END) this.endStep();
      else if (controlKind <= RETRY) this.controlEvent(timeS, controlKind);
      else if (arrivalS === timeS) this.arrive();
      else if (controlKind === GIVE_UP) this.controlEvent(timeS, controlKind);
      else if (deadlineS === timeS) this.timeOut(deadlines.refresh(timeS), timeS);
      else this.formStep(calendar.first());
    }
    this.nowS = endS;
    this.book.closeHour(endS);
    const boundaries = this.pools.reduce((sum, pool) => sum + pool.meter.boundaries, 0);
    const events = this.sentAll + this.controlEvents + boundaries;
    return this.book.result(this.options.replication, this.sentAll, events, this.checkConservation());
  }

  // ---------------------------------------------------------------- own replicas

  private endStep(): void {
    const calendar = this.calendar;
    const replica = calendar.first();
    const engine = this.engines[replica];
    engine.finish();
    const formed = this.nothingElseNow();
    if (formed) engine.form();
    calendar.schedule(replica, engine.dueS, formed ? STEP_END : STEP_FORM);
  }

  private formStep(replica: number): void {
    const calendar = this.calendar;
    const engine = this.engines[replica];
    engine.form();
    calendar.schedule(replica, engine.dueS, STEP_END);
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
    recorder.completed(classIndex, routeOfPool(p), table.inputTokens[slot], output, table.attempts[slot]);
    this.responseCache?.keep(table.ordinal[slot], classIndex, nowS);
    this.end(slot);
  }

  dropped(slot: number): void {
    this.leavePool(slot);
    this.table.release(slot);
  }

  prefilled(slot: number): void {
    const p = this.leavePool(slot);
    const { sPerToken, latencyS } = this.pools[p].spec.handOff!;
    this.table.where[slot] = IN_TRANSIT;
    this.inTransit++;
    const thereS = this.nowS + latencyS + sPerToken * this.table.inputTokens[slot];
    // A client that gives up before is gone then.
    const timeS = Math.min(thereS, this.table.deadlineS[slot]);
    this.control.push(timeS, HAND_OVER, slot, this.strategy.pools[p].handOff!.pool);
  }

  /** A request arrives with its KV at the pool that decodes it, or its client gives up on the way. */
  private handOver(slot: number, p: number, nowS: number): void {
    const table = this.table;
    const pool = this.pools[p];
    this.inTransit--;
    if (nowS >= table.deadlineS[slot]) {
      this.unanswered(slot, routeOfPool(p), TIMED_OUT);
      this.end(slot);
      return;
    }
    const local = pool.pick(table.ordinal[slot]);
    if (local === NO_REPLICA) {
      this.requestsLost++;
      this.retryOrEnd(slot, routeOfPool(p), FAILED, Infinity, false);
      return;
    }
    const engine = pool.replicas[local];
    if (!(engine instanceof PolicyReplica))
      throw new InvariantError("INV-6", { pool: pool.spec.name, takesOver: false });
    table.prefilledTokens[slot] = table.inputTokens[slot];
    this.enterPool(slot, p, local);
    if (engine.takeOver(slot)) this.reschedule(table.replica[slot], engine);
  }

  lost(slot: number): void {
    this.requestsLost++;
    const p = this.leavePool(slot);
    this.retryOrEnd(slot, routeOfPool(p), FAILED, Infinity, false);
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
      this.book.refusedAtBoundary(traffic, nowS);
      traffic.advance();
      traffic.onComplete(request, nowS);
      return;
    }
    if (this.responseCache !== null && this.responseCache.answers(request, classIndex, nowS)) {
      const endS = this.book.answeredFromCache(traffic, nowS);
      traffic.advance();
      traffic.onComplete(request, endS);
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
      at = routeOfPool(target.kind === "pool" ? target.index : this.pools.length + target.index);
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
    const { maxWaitingPerReplica } = pool.spec;
    const longest = this.longest[target.index];
    const promptTokens = table.inputTokens[slot];
    if (promptTokens > longest.prompt || promptTokens + table.outputTokens[slot] > longest.all) return NEVER;
    const overflow = target.overflowInFlightPerReplica;
    if (overflow !== null && pool.inFlightAll >= overflow * pool.count()) return FULL;
    const local = pool.pick(table.ordinal[slot]);
    if (local === NO_REPLICA) return ABSENT;
    const engine = pool.replicas[local];
    if (maxWaitingPerReplica !== null && engine.waitingCount >= maxWaitingPerReplica) return FULL;
    table.attempts[slot]++;
    this.enterPool(slot, target.index, local);
    if (engine.enqueue(slot)) this.reschedule(table.replica[slot], engine);
    return TAKEN;
  }

  private enterPool(slot: number, p: number, local: number): void {
    const table = this.table;
    this.pools[p].entered(local);
    table.replica[slot] = this.firstReplica[p] + local;
    table.attemptS[slot] = this.nowS;
    table.where[slot] = IN_POOL;
  }

  /** Cut short, or idle until now; then it may be formed at once unless more of this instant is to come. */
  private reschedule(replica: number, engine: ReplicaEngine): void {
    if (!engine.atBoundary) this.calendar.schedule(replica, engine.dueS, STEP_END);
    else if (this.nothingElseNow()) this.formStep(replica);
    else this.calendar.schedule(replica, engine.dueS, STEP_FORM);
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
      table.classIndex[slot],
    );
    if (status === ADMITTED) {
      table.prefilledTokens[slot] = offer.cachedTokens;
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
    const route = routeOfPool(this.pools.length + o);
    const sentS = table.sentS[slot];
    const firstTokenS = table.firstTokenS[slot];
    const tokenGapS = table.tokenGapS[slot];
    const attemptS = table.attemptS[slot];
    const cached = table.prefilledTokens[slot];
    const maxOutput = table.maxOutputTokens[slot];
    const complete = finishS <= nowS;
    const produced = complete ? output : producedTokens(nowS, firstTokenS, tokenGapS, output);
    if (complete) {
      offer.finish(nowS, attemptS, input, cached, maxOutput, output);
    } else {
      offer.fail(nowS, attemptS, input, cached, maxOutput, output, produced, firstTokenS, tokenGapS);
    }
    if (sentS >= 0) {
      offer.bill(attemptS, input, cached, produced);
      addUsage(this.book.usage(o, classIndex), offer.billed);
    }
    this.atOffers--;
    if (!complete) {
      this.unanswered(slot, route, TIMED_OUT);
    } else {
      if (output > 1 && sentS >= 0) this.book.offerItlS[classIndex].add(tokenGapS, output - 1);
      const recorder = this.recorder;
      recorder.request = table.ordinal[slot];
      recorder.sentS = sentS;
      recorder.ttftS = firstTokenS - sentS;
      recorder.tpotS = output > 1 ? tokenGapS : NaN;
      recorder.e2eS = nowS - sentS;
      recorder.completed(classIndex, route, input, output, table.attempts[slot]);
      this.responseCache?.keep(table.ordinal[slot], classIndex, nowS);
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
    if (engine.dueS !== dueS) this.calendar.schedule(replica, engine.dueS, engine.atBoundary ? STEP_FORM : STEP_END);
    const route = routeOfPool(this.poolOf[replica]);
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
    else if (kind === HAND_OVER) this.handOver(payload, tag, nowS);
    else if (kind === RETRY) {
      this.waitingForRetry--;
      this.send(payload);
    } else if (kind === GIVE_UP) {
      this.waitingForRetry--;
      this.unanswered(payload, NO_ROUTE, TIMED_OUT);
      this.end(payload);
    } else if (kind === WINDOW_EDGE) this.windowEdge(nowS);
    else if (kind === INCIDENT) this.strike(payload, nowS);
    else {
      const p = this.poolOf[payload];
      this.incidents[p].restore(payload - this.firstReplica[p], nowS);
    }
  }

  private strike(index: number, nowS: number): void {
    const { pool: p, source } = this.sources[index];
    const incidents = this.incidents[p];
    // All replicas are out of the pool before any of their requests looks for another one.
    const { kind, lost, delayed, backS } = incidents.strike(source, nowS);
    for (const replica of delayed) this.control.push(backS, RESTORE, this.firstReplica[p] + replica, 0);
    const before = this.requestsLost;
    const { calendar } = this;
    for (const local of lost) {
      const replica = this.firstReplica[p] + local;
      this.engines[replica].fail(nowS);
      calendar.schedule(replica, Infinity, STEP_END);
    }
    if (lost.length > 0 && nowS >= 0) {
      this.pools[p].incidents++;
      this.book.incident(nowS, backS, kind, this.pools[p].spec.name, lost.length, this.requestsLost - before);
    }
    this.control.push(incidents.sources[source].nextS, INCIDENT, index, 0);
  }

  // ---------------------------------------------------------------- windows and checks

  private windowEdge(nowS: number): void {
    const { book } = this;
    const { warmupS, horizonS } = this.setting;
    if (nowS === 0) book.start();
    else {
      book.closeHour(nowS);
      book.openHour();
    }
    const nextS = (book.hour + 1) * HOUR_S;
    if (nextS < horizonS) this.control.push(nextS, WINDOW_EDGE, 0, 0);
    this.options.onProgress?.((nowS + warmupS) / (horizonS + warmupS));
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
    const inReplicas = this.pools.reduce(
      (sum, pool) => sum + pool.replicas.reduce((n, replica) => n + replica.inFlight, 0),
      0,
    );
    const held = inPools + this.atOffers + this.waitingForRetry + this.inTransit;
    if (held !== this.table.inUse || inPools !== inReplicas) {
      throw new InvariantError("INV-1", { slotsInUse: this.table.inUse, held, inPools, inReplicas });
    }
    return inFlight;
  }
}
