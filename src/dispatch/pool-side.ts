/**
 * The own pools of one run: whose step is next, how a pool answers a request that is sent to it, what its replicas tell of
 * their requests, hand-offs and incidents. The hot part of the event loop.
 */
import { HandOffs, NOBODY } from "../engine/hand-offs.ts";
import type { ReplicaSink } from "../engine/meter.ts";
import { handOffEngine, type ReplicaEngine } from "../engine/replica-engine.ts";
import { IN_POOL, IN_TRANSIT, LEAVING } from "../engine/request-table.ts";
import { PoolIncidents } from "../fleet/incidents.ts";
import { Pool, type PoolRun } from "../fleet/pool.ts";
import { NO_REPLICA } from "../fleet/routers/router.ts";
import { ReplicaCalendar } from "../kernel/replica-calendar.ts";
import { FAILED, type Recorder, TIMED_OUT } from "../outcome/recorder.ts";
import type { RequestClass, ResolvedPool, RouteTarget } from "../scenario/resolved.ts";
import { type LongestRequest, longestRequest } from "./longest-request.ts";
import { LOST } from "./attempt-log.ts";
import type { RequestDesk } from "./request-desk.ts";
import { routeOfPool } from "./run-book.ts";
import { HAND_OVER, INCIDENT, RESTORE, type RunState } from "./run-state.ts";
import { ABSENT, FULL, NEVER, TAKEN } from "./target-answer.ts";

/** An incident that took serving or warm replicas. */
export interface Loss {
  readonly pool: number;
  readonly name: string;
  readonly kind: string;
  readonly backS: number;
  readonly replicas: number;
  readonly requests: number;
}

export class PoolSide implements ReplicaSink {
  readonly pools: readonly Pool[];
  /** When the steps under way end. */
  readonly calendar: ReplicaCalendar;
  /** Replicas between two steps, which are to be formed when all arrivals of this instant are in; the lowest number last. */
  private readonly forming: number[] = [];
  /** Requests on their way to the pool that decodes them. */
  inTransit = 0;
  private readonly state: RunState;
  private readonly desk: RequestDesk;
  private readonly recorder: Recorder;
  /** Calendar numbers run through all pools: which pool each is of, and where each pool starts. */
  private readonly poolOf: Uint8Array;
  private readonly handOffs: HandOffs;
  private readonly firstReplica: readonly number[];
  private readonly engines: readonly ReplicaEngine[];
  /** Empty when none are to happen; `sources` numbers those of all pools. */
  private readonly incidents: readonly PoolIncidents[];
  private readonly sources: { readonly pool: number; readonly source: number }[] = [];
  /** By pool and class: what the client sees on top of the engine's times. */
  private readonly overheadS: Float64Array;
  private readonly classes: number;
  private readonly longest: readonly LongestRequest[];
  private requestsLost = 0;

  /** Of `specs`, with so many serving `replicas` each, loaded at `state.nowS`. */
  constructor(
    state: RunState,
    desk: RequestDesk,
    specs: readonly ResolvedPool[],
    replicas: readonly number[],
    classes: readonly RequestClass[],
    run: PoolRun,
    withIncidents: boolean,
  ) {
    this.state = state;
    this.desk = desk;
    this.recorder = desk.recorder;
    const startS = state.nowS;
    this.pools = specs.map((spec, p) => new Pool(spec, replicas[p], state.table, this, classes, run, startS));
    const firstReplica: number[] = [];
    let all = 0;
    for (const pool of this.pools) {
      firstReplica.push(all);
      all += pool.replicas.length;
    }
    this.firstReplica = firstReplica;
    this.engines = this.pools.flatMap((pool) => pool.replicas);
    this.poolOf = new Uint8Array(all);
    this.handOffs = new HandOffs(all);
    this.pools.forEach((pool, p) => this.poolOf.fill(p, firstReplica[p], firstReplica[p] + pool.replicas.length));
    this.calendar = new ReplicaCalendar(Math.max(1, all));
    this.classes = classes.length;
    this.overheadS = Float64Array.from(
      specs.flatMap(({ networkS, pathSByClass, engine }) =>
        classes.map((_, c) => networkS + (pathSByClass?.[c] ?? 0) + engine.apiOverheadMs / 1000),
      ),
    );
    this.longest = specs.map((_, p) => longestRequest(specs, p));
    this.incidents = withIncidents
      ? this.pools.map((pool) => new PoolIncidents(pool, run.seed, run.replication, startS))
      : [];
    this.incidents.forEach((incidents, pool) => {
      incidents.sources.forEach(({ nextS }, source) => {
        state.control.push(nextS, INCIDENT, this.sources.push({ pool, source }) - 1, 0);
      });
    });
  }

  /** The step that is due ends. */
  endStep(): void {
    const replica = this.calendar.first();
    this.engines[replica].finish();
    if (this.state.nothingElseNow()) this.formStep(replica);
    else this.formLater(replica);
  }

  /** Steps wait to be formed. */
  get formsSteps(): boolean {
    return this.forming.length > 0;
  }

  /** Forms one that waits: that of the replica with the lowest number. */
  formWaiting(): void {
    this.formStep(this.forming.pop()!);
  }

  private formStep(replica: number): void {
    const engine = this.engines[replica];
    engine.form();
    this.calendar.schedule(replica, engine.dueS);
  }

  private formLater(replica: number): void {
    const { forming } = this;
    this.calendar.remove(replica);
    let at = forming.length;
    while (at > 0 && forming[at - 1]! < replica) at--;
    forming.splice(at, 0, replica);
  }

  completed(slot: number): void {
    const { table, nowS } = this.state;
    const p = this.leavePool(slot);
    const overheadS = this.overheadS[p * this.classes + table.classIndex[slot]];
    const sentS = table.sentS[slot];
    const firstTokenS = table.firstTokenS[slot];
    const output = table.outputTokens[slot];
    const thought = this.state.unseenTokens(slot);
    const visible = output - thought;
    // Where in the answer the user begins to see it: at the mean pace of this answer, since single steps are leapt over.
    const seenFromS = thought === 0 ? firstTokenS : firstTokenS + ((nowS - firstTokenS) * thought) / (output - 1);
    const recorder = this.recorder;
    recorder.ttftS = seenFromS - sentS + overheadS;
    recorder.tpotS = visible > 1 ? (nowS - seenFromS) / (visible - 1) : NaN;
    recorder.e2eS = nowS - sentS + overheadS;
    this.desk.completed(slot, routeOfPool(p));
  }

  dropped(slot: number): void {
    this.leavePool(slot);
    this.state.table.release(slot);
  }

  prefilled(slot: number): void {
    const { table, control, nowS } = this.state;
    const replica = table.replica[slot];
    const p = this.leavePool(slot);
    const { pool, sPerToken, latencyS } = this.pools[p].spec.handOff!;
    table.where[slot] = IN_TRANSIT;
    this.inTransit++;
    const thereS = this.handOffs.send(slot, replica, nowS, sPerToken * table.inputTokens[slot]) + latencyS;
    // A client that gives up before is gone then.
    control.push(Math.min(thereS, table.deadlineS[slot]), HAND_OVER, slot, pool);
  }

  /** The KV of a request has its place in the pool that decodes, or is not wanted any more. */
  tookOver(slot: number): void {
    const replica = this.handOffs.settle(slot);
    if (replica === NOBODY) return;
    // The replica whose step is being formed comes first.
    if (handOffEngine(this.engines[replica]).letGo(slot, this.state.nowS)) this.formLater(replica);
  }

  /** A request arrives with its KV at the pool that decodes it, or its client gives up on the way. */
  handOver(slot: number, p: number): void {
    const { table, nowS } = this.state;
    const pool = this.pools[p];
    this.inTransit--;
    if (table.where[slot] === LEAVING) {
      this.tookOver(slot);
      table.release(slot);
      return;
    }
    if (nowS >= table.deadlineS[slot]) {
      this.tookOver(slot);
      this.desk.ended(slot, routeOfPool(p), TIMED_OUT);
      this.desk.end(slot);
      return;
    }
    const local = pool.pick(table.ordinal[slot]);
    if (local === NO_REPLICA) {
      this.tookOver(slot);
      this.requestsLost++;
      this.desk.attemptFailed(slot, routeOfPool(p), LOST, FAILED);
      return;
    }
    const engine = handOffEngine(pool.replicas[local]);
    table.prefilledTokens[slot] = table.inputTokens[slot];
    this.enterPool(slot, p, local);
    if (engine.takeOver(slot)) this.reschedule(table.replica[slot], engine);
  }

  lost(slot: number): void {
    this.requestsLost++;
    const p = this.leavePool(slot);
    this.desk.attemptFailed(slot, routeOfPool(p), LOST, FAILED);
  }

  /** Out of the pool's counts; returns the pool. */
  private leavePool(slot: number): number {
    const replica = this.state.table.replica[slot];
    const p = this.poolOf[replica];
    const pool = this.pools[p];
    this.tookOver(slot);
    pool.left(replica - this.firstReplica[p]);
    if (pool.sleep !== null && pool.inFlightAll === 0) pool.sleep.idle(this.state.nowS);
    return p;
  }

  /** Offers the request to a pool. */
  send(slot: number, target: RouteTarget): number {
    const { table } = this.state;
    const pool = this.pools[target.index];
    const { maxWaitingPerReplica } = pool.spec;
    const longest = this.longest[target.index];
    const promptTokens = table.inputTokens[slot];
    if (promptTokens > longest.prompt || promptTokens + table.outputTokens[slot] > longest.all) return NEVER;
    if (pool.sleep !== null) {
      const { nowS } = this.state;
      const servesS = pool.servesS(pool.sleep, nowS);
      if (servesS > nowS) {
        this.desk.holdUntil(slot, servesS);
        return TAKEN;
      }
    }
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

  /** Would a pool take the request now, the choice of the replica left aside? Changes nothing. */
  wouldTake(slot: number, target: RouteTarget): boolean {
    const { table } = this.state;
    const pool = this.pools[target.index];
    const longest = this.longest[target.index];
    const promptTokens = table.inputTokens[slot];
    if (promptTokens > longest.prompt || promptTokens + table.outputTokens[slot] > longest.all) return false;
    const overflow = target.overflowInFlightPerReplica;
    if (pool.count() === 0 || (overflow !== null && pool.inFlightAll >= overflow * pool.count())) return false;
    const { maxWaitingPerReplica } = pool.spec;
    if (maxWaitingPerReplica === null) return true;
    for (let i = 0; i < pool.count(); i++)
      if (pool.replicas[pool.replica(i)].waitingCount < maxWaitingPerReplica) return true;
    return false;
  }

  private enterPool(slot: number, p: number, local: number): void {
    const { table, nowS } = this.state;
    this.pools[p].entered(local);
    table.replica[slot] = this.firstReplica[p] + local;
    table.attemptS[slot] = nowS;
    table.where[slot] = IN_POOL;
  }

  /** Cut short, or idle until now; then it may be formed at once unless more of this instant is to come. */
  private reschedule(replica: number, engine: ReplicaEngine): void {
    if (!engine.atBoundary) this.calendar.schedule(replica, engine.dueS);
    else if (this.state.nothingElseNow()) this.formStep(replica);
    else this.formLater(replica);
  }

  /** The client of a request in a pool gives up. */
  timeOut(slot: number): void {
    const { table, traffic, nowS } = this.state;
    const route = this.routeOf(slot);
    const left = this.cancel(slot);
    this.desk.ended(slot, route, TIMED_OUT);
    traffic.onComplete(table.ordinal[slot], nowS);
    if (left) table.release(slot);
  }

  /** Recorder route of the pool that a request is in, or that it comes from. */
  routeOf(slot: number): number {
    return routeOfPool(this.poolOf[this.state.table.replica[slot]]);
  }

  /** Takes a request out of its pool; false: its slot stays taken until its replica or its transfer lets go of it. */
  cancel(slot: number): boolean {
    const { table, nowS } = this.state;
    if (table.where[slot] === IN_TRANSIT) {
      table.where[slot] = LEAVING;
      return false;
    }
    const replica = table.replica[slot];
    const engine = this.engines[replica];
    const dueS = engine.dueS;
    const left = engine.cancel(slot, nowS);
    if (engine.dueS !== dueS) {
      if (engine.atBoundary) this.formLater(replica);
      else this.calendar.schedule(replica, engine.dueS);
    }
    if (left) this.leavePool(slot);
    else table.where[slot] = LEAVING;
    return left;
  }

  /** An incident strikes; returns what it took, null when nothing. */
  strike(index: number): Loss | null {
    const { control, nowS } = this.state;
    const { pool: p, source } = this.sources[index];
    const incidents = this.incidents[p];
    // All replicas are out of the pool before any of their requests looks for another one.
    const { kind, lost, delayed, backS } = incidents.strike(source, nowS);
    for (const replica of delayed) control.push(backS, RESTORE, this.firstReplica[p] + replica, 0);
    const before = this.requestsLost;
    for (const local of lost) {
      const replica = this.firstReplica[p] + local;
      this.engines[replica].fail(nowS);
      this.calendar.remove(replica);
      const waits = this.forming.indexOf(replica);
      if (waits >= 0) this.forming.splice(waits, 1);
    }
    control.push(incidents.sources[source].nextS, INCIDENT, index, 0);
    if (lost.length === 0) return null;
    const { name } = this.pools[p].spec;
    return { pool: p, name, kind, backS, replicas: lost.length, requests: this.requestsLost - before };
  }

  /** A lost replica is loaded again. */
  restore(replica: number): void {
    const p = this.poolOf[replica];
    this.incidents[p].restore(replica - this.firstReplica[p], this.state.nowS);
  }
}
