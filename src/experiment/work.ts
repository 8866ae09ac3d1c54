/** How much an experiment has to simulate, to tell beforehand how long it takes. */
import { expectedRequests } from "../traffic/rate.ts";
import type { ResolvedExperiment } from "../scenario/resolved.ts";
import { needsSizing, sizingTasks } from "./size-pool.ts";

/** Of a search for the fewest replicas: those that are simulated to the end, or as much of others. */
const WHOLE_TRIALS = 5;
/** Seconds of one thread for a request, as measured with answers of some hundred tokens; machines and answers differ by a factor of two or so. */
const S_PER_REQUEST = 1.5e-6;

/** Requests that all runs and the sizing of pools simulate. */
export function requestsToSimulate(experiment: ResolvedExperiment): number {
  const { traffic, startEpochS, warmupS, horizonS, replications, strategies } = experiment;
  const inTime = (fromS: number, toS: number): number => expectedRequests(traffic, startEpochS, fromS - warmupS, toS);
  let requests = strategies.length * replications * inTime(0, horizonS);
  strategies.forEach((strategy, s) => {
    if (!needsSizing(strategy)) return;
    for (const { fromS, toS } of sizingTasks(experiment, s)) requests += WHOLE_TRIALS * inTime(fromS, toS);
  });
  return requests;
}

/** Seconds that it takes on so many threads, to a factor of two or so. */
export function simulationS(requests: number, threads: number): number {
  return (requests * S_PER_REQUEST) / threads;
}
