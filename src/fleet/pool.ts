/**
 * A pool: replicas of one model on one GPU type, some serving, some warm (loaded and paid for, not serving), some down.
 * Owns who serves; the replicas' engines own what runs. Times in simulated seconds, integrals in replica-seconds.
 *   INV-8  paid = serving + warm + down, and busy ≤ serving.
 */
import { EngineMeter, type ReplicaSink } from "../engine/meter.ts";
import { PolicyReplica } from "../engine/policy-replica.ts";
import { classContent, type KnownText } from "../engine/prompt-content.ts";
import { Replica } from "../engine/replica.ts";
import type { ReplicaEngine } from "../engine/replica-engine.ts";
import type { RequestTable } from "../engine/request-table.ts";
import { isPlain } from "../engine/scheduler-spec.ts";
import type { StepObserver } from "../engine/step-observer.ts";
import { errorFactor, scaledStepTime, scheduledStepTime } from "../engine/step-time-options.ts";
import { createStepTime } from "../engine/step-time-physics.ts";
import { tableStepTime } from "../engine/step-time-table.ts";
import type { StepTime } from "../engine/step-time.ts";
import type { RequestClass, ResolvedPool } from "../scenario/resolved.ts";
import { Sketch } from "../kernel/sketch.ts";
import { withStepAhead } from "../engine/step-ahead.ts";
import { counterKey, stream } from "../kernel/random.ts";
import { NO_REPLICA, type Router, type RouterView } from "./routers/router.ts";
import { routerNamed } from "./routers/registry.ts";
import { Sleep } from "./sleep.ts";

export const SERVING = 0;
export const WARM = 1;
export const DOWN = 2;

/** What a pool reads of the run that it is in. */
export interface PoolRun {
  readonly seed: string;
  readonly replication: number;
  /** What the traffic knows of its prompts; null = nothing. */
  readonly known: KnownText | null;
  /** Who watches a replica, by pool and number; null = nobody. */
  readonly observe?: ((pool: string, replica: number) => StepObserver | null) | undefined;
}

export class Pool implements RouterView {
  readonly spec: ResolvedPool;
  readonly replicas: readonly ReplicaEngine[];
  readonly meter: EngineMeter;
  /** Requests waiting or running in the whole pool. */
  inFlightAll = 0;

  // Replica-seconds since the last reset.
  servingS = 0;
  warmS = 0;
  downS = 0;
  incidents = 0;
  /** Null: the replicas are always there. */
  readonly sleep: Sleep | null;

  private readonly state: Uint8Array;
  /** Serving replicas, packed; `place` is where each stands in it. */
  private readonly serving: Int32Array;
  private readonly place: Int32Array;
  private servingCount = 0;
  private warmCount = 0;
  private downCount = 0;
  private readonly inFlightOf: Int32Array;
  private readonly router: Router;
  private readonly known: KnownText | null;
  private routedSession = 0.5;
  /** Replicas that should serve. */
  readonly target: number;
  private countedUntilS: number;

  /** `replicas` serving and `spec.warmReplicas` warm, all loaded at `startS`. */
  constructor(
    spec: ResolvedPool,
    replicas: number,
    table: RequestTable,
    sink: ReplicaSink,
    classes: readonly RequestClass[],
    run: PoolRun,
    startS: number,
  ) {
    this.spec = spec;
    this.target = replicas;
    this.known = run.known;
    const total = replicas + spec.warmReplicas;
    const itlS: Sketch[] = [];
    for (let c = 0; c < classes.length; c++) itlS.push(new Sketch());
    this.meter = new EngineMeter(itlS);
    this.replicas = Array.from({ length: total }, replicaMaker(spec, table, sink, this.meter, classes, run));
    this.state = new Uint8Array(total).fill(WARM);
    this.serving = new Int32Array(total);
    this.place = new Int32Array(total);
    this.inFlightOf = new Int32Array(total);
    this.countedUntilS = startS;
    this.sleep = spec.scaleToZero === undefined ? null : new Sleep(spec.scaleToZero, startS);
    this.warmCount = total;
    for (let r = 0; r < replicas; r++) this.become(r, SERVING);
    const plugin = routerNamed(spec.router.name);
    if (plugin === undefined) throw new RangeError(`no router is named ${spec.router.name}`);
    this.router = plugin.create(spec.router.options, stream(run.seed, run.replication, `router/${spec.name}`));
  }

  count(): number {
    return this.servingCount;
  }

  inFlight(i: number): number {
    return this.inFlightOf[this.serving[i]];
  }

  replica(i: number): number {
    return this.serving[i];
  }

  session(): number {
    return this.routedSession;
  }

  stateOf(replica: number): number {
    return this.state[replica];
  }

  /** The replica that takes request `ordinal`, NO_REPLICA when none serves. */
  pick(ordinal: number): number {
    this.routedSession = this.known === null ? ordinal : this.known.session(ordinal);
    return this.servingCount === 0 ? NO_REPLICA : this.serving[this.servingCount === 1 ? 0 : this.router.route(this)];
  }

  entered(replica: number): void {
    this.inFlightOf[replica]++;
    this.inFlightAll++;
  }

  left(replica: number): void {
    this.inFlightOf[replica]--;
    this.inFlightAll--;
  }

  /** When a request that arrives now can be served: at once unless the pool sleeps or starts. */
  servesS(sleep: Sleep, nowS: number): number {
    if (this.inFlightAll === 0 && sleep.asleep(nowS)) {
      this.countTime(nowS);
      sleep.start(nowS);
    }
    return sleep.servesS(nowS);
  }

  /** A replica is lost; a warm one takes its place at once. The caller fails its engine. */
  lose(replica: number, nowS: number): void {
    this.countTime(nowS);
    const served = this.state[replica] === SERVING;
    this.become(replica, DOWN);
    if (served) this.promote();
  }

  /** A replica is loaded again: it serves if one is missing, else it waits warm. */
  restore(replica: number, nowS: number): void {
    this.countTime(nowS);
    this.become(replica, WARM);
    this.promote();
  }

  /** Books replica-seconds and engine integrals up to `timeS`, the edge of a window. */
  bookUntil(timeS: number): void {
    this.countTime(timeS);
    for (const replica of this.replicas) replica.bookUntil(timeS);
  }

  /** Forgets what was booked so far (end of the warm-up or of a window), but not the state. */
  resetMeters(): void {
    this.servingS = this.warmS = this.downS = 0;
    const meter = this.meter;
    meter.busyS = meter.occupancySeqS = meter.kvTokenS = 0;
  }

  private promote(): void {
    if (this.servingCount >= this.target) return;
    const warm = this.state.indexOf(WARM);
    if (warm >= 0) this.become(warm, SERVING);
  }

  private countTime(nowS: number): void {
    let elapsedS = nowS - this.countedUntilS;
    if (this.sleep !== null) elapsedS -= this.sleep.unpaidS(this.countedUntilS, nowS, this.inFlightAll === 0);
    this.servingS += elapsedS * this.servingCount;
    this.warmS += elapsedS * this.warmCount;
    this.downS += elapsedS * this.downCount;
    this.countedUntilS = nowS;
  }

  private become(replica: number, state: number): void {
    const was = this.state[replica];
    if (was === SERVING) {
      const last = this.serving[--this.servingCount];
      const hole = this.place[replica];
      this.serving[hole] = last;
      this.place[last] = hole;
    } else if (was === WARM) this.warmCount--;
    else this.downCount--;
    this.state[replica] = state;
    if (state === SERVING) {
      this.place[replica] = this.servingCount;
      this.serving[this.servingCount++] = replica;
    } else if (state === WARM) this.warmCount++;
    else this.downCount++;
  }
}

/** The engine that each replica runs in: the leaping one where it does all that is asked for. */
function replicaMaker(
  { name, gpu, llm, engine: spec, coefficients, stepTimeTable, stepTimeError, scheduler }: ResolvedPool,
  table: RequestTable,
  sink: ReplicaSink,
  meter: EngineMeter,
  classes: readonly RequestClass[],
  { seed, replication, known, observe }: PoolRun,
): (_: unknown, replica: number) => ReplicaEngine {
  const create = (tokensPerDecode: number): StepTime =>
    stepTimeTable === null
      ? createStepTime(gpu, llm, spec, coefficients, tokensPerDecode)
      : tableStepTime(stepTimeTable, spec.maxNumSeqs, tokensPerDecode);
  const predicted = scheduledStepTime(create, scheduler);
  // Pools with one coefficient set are wrong together, in all strategies.
  const stepTime =
    stepTimeError === null
      ? predicted
      : scaledStepTime(
          predicted,
          errorFactor(stepTimeError, stream(seed, replication, `step-time-error/${coefficients.scope}`)()),
        );
  const ahead = (made: ReplicaEngine): ReplicaEngine =>
    withStepAhead(made, spec, scheduler, table, (slot) => sink.lost(slot));
  // Only the engine for any policy tells of its steps; its times are the same.
  if (isPlain(scheduler) && observe === undefined)
    return () => ahead(new Replica(spec, stepTime, table, sink, meter, classes.length));
  const luckKey = counterKey(seed, replication, "engine/luck");
  const prefixes = classes.map(({ sharedPrefix }) => sharedPrefix);
  const options = {
    spec,
    scheduler,
    stepTime,
    classes: classes.map(({ priority, slo }) => ({ priority, ttftS: slo.ttftS })),
    luckKey,
    content: classContent(prefixes, luckKey, spec.blockTokens, known),
    walk: false,
  };
  return (_, replica) => {
    const made = new PolicyReplica(options, table, sink, meter);
    made.observer = observe?.(name, replica) ?? null;
    return ahead(made);
  };
}
