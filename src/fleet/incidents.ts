/**
 * Our own failures, drawn ahead of time from streams named after what fails, so that two strategies with a pool of the
 * same name meet the same incidents. Times in simulated seconds.
 */
import type { ResolvedPool } from "../experiment/resolved.ts";
import { exp, log, normalQuantile } from "../kernel/math.ts";
import { stream, type Draw } from "../kernel/random.ts";

export const NODE_FAILURE = 0;
export const ENGINE_CRASH = 1;
export const INCIDENT_KINDS = ["node-failure", "engine-crash"] as const;

/** The failures of one node or one replica, one after another. */
export class IncidentSource {
  readonly kind: number;
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
    kind: number,
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

/** Every source of incidents of a pool with `replicas` replicas in all. A rate of zero yields none. */
export function incidentSources(pool: ResolvedPool, replicas: number, seed: string, replication: number, startS: number): IncidentSource[] {
  const sources: IncidentSource[] = [];
  const { incidents } = pool;
  const gpus = pool.engine.tensorParallelSize;
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
        new IncidentSource(ENGINE_CRASH, replica, 1, incidents.engineCrashesPerReplicaDay, incidents.engineRestart, startS, draw),
      );
    }
  }
  return sources;
}
