/**
 * Our own failures, drawn ahead of time from streams named after what fails, so that two strategies with a pool of the
 * same name meet the same incidents. Times in simulated seconds.
 */
import { gpusPerReplica } from "../engine/parallelism.ts";
import type { ResolvedPool } from "../scenario/resolved.ts";
import { DOWN, type Pool } from "./pool.ts";
import { exp, log, normalQuantile } from "../kernel/math.ts";
import { stream, type Draw } from "../kernel/random.ts";

const NODE_FAILURE = 0;
const ENGINE_CRASH = 1;
const INCIDENT_KINDS = ["node-failure", "engine-crash"] as const;

/** The failures of one node or one replica, one after another. */
export class IncidentSource {
  readonly kind: typeof NODE_FAILURE | typeof ENGINE_CRASH;
  /** First replica of the pool that it hits, and how many. */
  readonly firstReplica: number;
  readonly replicas: number;
  /** When the next one strikes, and how long until the replica may start again (repair; the cold start comes on top). */
  nextS: number;
  repairS = 0;
  private readonly meanGapS: number;
  private readonly repair: { readonly medianS: number; readonly sigma: number };
  private readonly draw: Draw;

  constructor(
    kind: typeof NODE_FAILURE | typeof ENGINE_CRASH,
    firstReplica: number,
    replicas: number,
    perDay: number,
    repair: { readonly medianS: number; readonly sigma: number },
    startS: number,
    draw: Draw,
  ) {
    this.kind = kind;
    this.firstReplica = firstReplica;
    this.replicas = replicas;
    this.meanGapS = 86_400 / perDay;
    this.repair = repair;
    this.draw = draw;
    this.nextS = startS;
    this.advance();
  }

  /** Draws the gap to the next incident and its repair (exponential; lognormal). */
  advance(): void {
    this.nextS += -this.meanGapS * log(1 - this.draw());
    this.repairS = this.repair.medianS * exp(this.repair.sigma * normalQuantile(this.draw() + 1.2e-10));
  }
}

/** What an incident does to a pool. */
export interface Strike {
  readonly kind: (typeof INCIDENT_KINDS)[number];
  /** Replicas that serve or wait warm no more, by number in the pool. */
  readonly lost: readonly number[];
  /** Replicas whose return moved to `backS`: the lost ones, and those down that are held up. */
  readonly delayed: readonly number[];
  readonly backS: number;
}

/** The incidents of one pool: when they strike, whom, and until when. */
export class PoolIncidents {
  readonly sources: readonly IncidentSource[];
  private readonly pool: Pool;
  /** End of each replica's latest repair, to tell the last return from an outdated one. */
  private readonly downUntilS: Float64Array;

  constructor(pool: Pool, seed: string, replication: number, startS: number) {
    this.pool = pool;
    this.downUntilS = new Float64Array(pool.replicas.length);
    this.sources = incidentSources(pool.spec, pool.replicas.length, seed, replication, startS);
  }

  /** Source `index` strikes now: takes its replicas out of the pool and draws its next incident. */
  strike(index: number, nowS: number): Strike {
    const { pool, downUntilS } = this;
    const { coldStart } = pool.spec;
    const source = this.sources[index];
    const node = source.kind === NODE_FAILURE;
    const backS = nowS + source.repairS + coldStart.restartS + (node ? coldStart.provisionS : 0);
    const lost: number[] = [];
    const delayed: number[] = [];
    for (let replica = source.firstReplica; replica < source.firstReplica + source.replicas; replica++) {
      const up = pool.stateOf(replica) !== DOWN;
      // A node that fails while its engine restarts prolongs the outage; a crash of what is down is none.
      if (!up && !(node && backS > downUntilS[replica])) continue;
      downUntilS[replica] = backS;
      delayed.push(replica);
      if (!up) continue;
      lost.push(replica);
      pool.lose(replica, nowS);
    }
    source.advance();
    return { kind: INCIDENT_KINDS[source.kind], lost, delayed, backS };
  }

  /** A replica is loaded again, unless a later incident holds it up. */
  restore(replica: number, nowS: number): void {
    if (this.downUntilS[replica] === nowS) this.pool.restore(replica, nowS);
  }
}

/** Every source of incidents of a pool with `replicas` replicas in all. A rate of zero yields none. */
function incidentSources(
  pool: ResolvedPool,
  replicas: number,
  seed: string,
  replication: number,
  startS: number,
): IncidentSource[] {
  const sources: IncidentSource[] = [];
  const { incidents } = pool;
  const gpus = gpusPerReplica(pool.engine);
  const perNode = Math.max(1, Math.floor(pool.gpusPerNode / gpus));
  /** A replica wider than a node fails with any of its nodes. */
  const nodesPerReplica = Math.max(1, Math.ceil(gpus / pool.gpusPerNode));
  if (incidents.nodeFailuresPerNodeDay > 0) {
    for (let first = 0, node = 0; first < replicas; first += perNode, node++) {
      const draw = stream(seed, replication, `incident/${pool.name}/node/${node}`);
      const rate = incidents.nodeFailuresPerNodeDay * nodesPerReplica;
      const hit = Math.min(perNode, replicas - first);
      sources.push(new IncidentSource(NODE_FAILURE, first, hit, rate, incidents.nodeRepair, startS, draw));
    }
  }
  if (incidents.engineCrashesPerReplicaDay > 0) {
    for (let replica = 0; replica < replicas; replica++) {
      const draw = stream(seed, replication, `incident/${pool.name}/crash/${replica}`);
      sources.push(
        new IncidentSource(
          ENGINE_CRASH,
          replica,
          1,
          incidents.engineCrashesPerReplicaDay,
          incidents.engineRestart,
          startS,
          draw,
        ),
      );
    }
  }
  return sources;
}
