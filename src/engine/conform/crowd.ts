/**
 * Scenarios of many requests that come about as fast as they can be served: what a policy makes of those who wait shows there and
 * not among a few requests. Everything is held against chunked batching in order of arrival. Seconds.
 */
import type { PolicyPlugin } from "../policies/policy.ts";
import { drive } from "./drive.ts";
import type { Outcome } from "./outcome.ts";
import { type ConformScenario, isCrowd, randomScenario } from "./scenario.ts";

const REFERENCE = { batching: { name: "chunked", options: {} }, order: { name: "fcfs", options: {} } } as const;

/** How long requests wait for their first token in one crowd. */
export interface Waits {
  readonly scenario: number;
  readonly longestS: number;
  /** The longest with chunked batching in order of arrival. */
  readonly fcfsLongestS: number;
  readonly ratio: number;
  /** Most later requests that one had to see served before it. */
  readonly overtakenBy: number;
}

/** Scenario `number` for a plug-in; a crowd comes over the time in which the reference would serve it if it were there at once. */
export function conformScenario(plugin: PolicyPlugin, seed: string, number: number): ConformScenario {
  const scenario = randomScenario(plugin, seed, number);
  if (!isCrowd(number)) return scenario;
  const { requests, scheduler } = scenario;
  const atOnce = requests.map((request) => ({ ...request, arrivalS: 0 }));
  const { fates } = drive(byReference({ ...scenario, requests: atOnce }), false);
  const pace = Math.max(...fates.map((fate) => fate!.endS)) / requests[requests.length - 1].arrivalS;
  return {
    ...scenario,
    // What else there is to choose stays out of the comparison.
    scheduler: { ...scheduler, ...REFERENCE, [plugin.kind]: scheduler[plugin.kind] },
    requests: requests.map((request) => ({ ...request, arrivalS: request.arrivalS * pace })),
  };
}

/** The waits of `outcome`, in which every request of the crowd has had its first token. */
export function waitsIn(scenario: ConformScenario, outcome: Outcome): Waits {
  const longestS = longestWaitS(scenario, outcome);
  const fcfsLongestS = longestWaitS(scenario, drive(byReference(scenario), false));
  return {
    scenario: scenario.number,
    longestS,
    fcfsLongestS,
    ratio: longestS / fcfsLongestS,
    overtakenBy: mostOvertakes(scenario, outcome),
  };
}

function byReference(scenario: ConformScenario): ConformScenario {
  return { ...scenario, scheduler: { ...scenario.scheduler, ...REFERENCE } };
}

function longestWaitS({ requests }: ConformScenario, { fates }: Outcome): number {
  return Math.max(...requests.map(({ arrivalS }, request) => fates[request]!.firstTokenS - arrivalS));
}

function mostOvertakes({ requests }: ConformScenario, { fates }: Outcome): number {
  const overtakes = requests.map(
    ({ arrivalS }, request) =>
      requests.filter((other, at) => other.arrivalS > arrivalS && fates[at]!.firstTokenS < fates[request]!.firstTokenS)
        .length,
  );
  return Math.max(...overtakes);
}
