/**
 * Queues of theory built from the real engine. A step stands for a small quantum of service, a request's output length
 * for its service time: ⌈100,000·X⌉ tokens of 1/100,000 s for a service time X of mean 1. Leaping makes long outputs free.
 *
 * What the discretisation does: service is longer by half a quantum on average, and an arrival amid a step waits for its
 * end even where a place is free. Both move a sojourn by at most two quanta, and through the load ρ a mean wait by a share
 * of at most quantum/(1 − ρ)²: 1e-5 at ρ = 0, 4e-3 at ρ = 0.95 (`discretisationBias`).
 */
import { DEFAULT_SCHEDULER, type PolicyChoice } from "../../src/engine/scheduler-spec.ts";
import { stream, type Draw } from "../../src/kernel/random.ts";
import { exponential } from "../../src/kernel/samplers.ts";
import { driveQueue, type QueueOutcome } from "./replica-driver.ts";
import { engineSpec } from "./scenario.ts";

const TOKENS_PER_SERVICE = 100_000;
export const QUANTUM_S = 1 / TOKENS_PER_SERVICE;

export function discretisationBias(load: number): number {
  return QUANTUM_S / ((1 - load) * (1 - load));
}

export interface Service {
  readonly name: string;
  readonly cvSquared: number;
  /** A service time of mean 1. */
  readonly draw: (draw: Draw) => number;
}

/** Balanced means: both branches carry half of the work. */
const H2_BRANCH = (1 + Math.sqrt(3 / 5)) / 2;

export const DETERMINISTIC: Service = { name: "D", cvSquared: 0, draw: () => 1 };
export const ERLANG_2: Service = { name: "E2", cvSquared: 0.5, draw: (u) => (exponential(u) + exponential(u)) / 2 };
export const EXPONENTIAL: Service = { name: "M", cvSquared: 1, draw: exponential };
export const HYPEREXPONENTIAL: Service = {
  name: "H2",
  cvSquared: 4,
  draw: (u) => exponential(u) / (2 * (u() < H2_BRANCH ? H2_BRANCH : 1 - H2_BRANCH)),
};

export interface QueueModel {
  readonly servers: number;
  readonly load: number;
  readonly service: Service;
  readonly discipline: "servers" | "processor-sharing";
  /** Turned away when all servers are taken (Erlang's loss system). */
  readonly loss?: boolean;
  readonly requests: number;
  /** Served in this order instead of as they come; then half of the requests is of class 0, half of class 1, which is less urgent. */
  readonly order?: PolicyChoice;
}

/** One replication of a queue with Poisson arrivals at rate load × servers and service of mean 1. */
function simulateQueue(model: QueueModel, replication: number): QueueOutcome {
  const { servers, load, service, requests, order } = model;
  const shared = model.discipline === "processor-sharing";
  // Under processor sharing the batch holds everybody: 512 in it has probability ρ^512.
  const seqs = shared ? 512 : servers;
  const name = `${service.name}/${servers}/${load}/${model.discipline}`;
  const arrivals = stream("queueing", replication, `arrivals/${name}`);
  const services = stream("queueing", replication, `services/${name}`);
  const classes = stream("queueing", replication, `classes/${name}`);
  const decodeBaseS = Float64Array.from({ length: seqs + 1 }, (_, d) => (shared ? d * QUANTUM_S : QUANTUM_S));
  return driveQueue({
    spec: engineSpec({ maxNumSeqs: seqs, maxNumBatchedTokens: 2 * seqs, kvBlocks: 1_000_000_000 }),
    stepTime: {
      decodeBaseS,
      perContextTokenS: 0,
      // Prompts are one token long, so the tokens of a step are its sequences.
      mixedS: (decodeSeqs, _contextTokens, prefillTokens) => (shared ? decodeSeqs + prefillTokens : 1) * QUANTUM_S,
    },
    gapS: () => exponential(arrivals) / (load * servers),
    inputTokens: 1,
    outputTokens: () => Math.ceil(TOKENS_PER_SERVICE * service.draw(services)),
    serviceS: (outputTokens) => outputTokens * QUANTUM_S,
    requests,
    warmup: Math.floor(requests / 10),
    noWaitS: 2 * QUANTUM_S,
    ...(order === undefined
      ? {}
      : {
          policy: {
            scheduler: { ...DEFAULT_SCHEDULER, order },
            classes: [
              { priority: 0, ttftS: 1 },
              { priority: 1, ttftS: null },
            ],
            classOf: () => (classes() < 0.5 ? 0 : 1),
          },
        }),
    ...(model.loss === true ? { capacity: servers } : {}),
  });
}

export function replicate(replications: number, model: QueueModel): QueueOutcome[] {
  return Array.from({ length: replications }, (_, replication) => simulateQueue(model, replication));
}

// ---------------------------------------------------------------- theory, mean service time 1

/** Probability that all of `servers` are taken when `erlangs` are offered and whoever finds them taken goes away. */
export function erlangB(servers: number, erlangs: number): number {
  let blocking = 1;
  for (let k = 1; k <= servers; k++) blocking = (erlangs * blocking) / (k + erlangs * blocking);
  return blocking;
}

/** Probability of waiting when whoever finds all servers taken queues. */
export function erlangC(servers: number, load: number): number {
  const blocking = erlangB(servers, servers * load);
  return blocking / (1 - load * (1 - blocking));
}

/** Mean wait of M/M/c. */
export function waitMmc(servers: number, load: number): number {
  return erlangC(servers, load) / (servers * (1 - load));
}

/** Mean wait of M/G/1 (Pollaczek and Khinchine). */
export function waitMg1(load: number, cvSquared: number): number {
  return ((load / (1 - load)) * (1 + cvSquared)) / 2;
}

/** Mean waits of two equally frequent classes of M/M/1, the first served before the second without interruption (Cobham 1954). */
export function waitsOfPriorities(load: number): [number, number] {
  const residual = load;
  return [residual / (1 - load / 2), residual / ((1 - load / 2) * (1 - load))];
}

/**
 * Mean wait of M/M/1 with the shortest job first (Phipps 1956, Miller and Schrage's notation): a job of length x waits
 * W0 ÷ (1 − λ·E[S; S ≤ x])², integrated over x by Simpson's rule.
 */
export function waitShortestFirst(load: number): number {
  const upTo = 60;
  const intervals = 60_000;
  const wait = (x: number): number => {
    const workBelow = load * (1 - (1 + x) * Math.exp(-x));
    return (load * Math.exp(-x)) / ((1 - workBelow) * (1 - workBelow));
  };
  let sum = wait(0) + wait(upTo);
  for (let i = 1; i < intervals; i++) sum += (i % 2 === 1 ? 4 : 2) * wait((upTo * i) / intervals);
  return (sum * upTo) / intervals / 3;
}
