/**
 * One replica's life as plain data: what comes in when, under which engine options. The naive stepper and the driver of
 * the real engine both read it and both report a `ReplicaOutcome`, so that they can be compared. Seconds and tokens.
 */
import type { ClassTraits } from "../../src/engine/request-facts.ts";
import type { SchedulerSpec } from "../../src/engine/scheduler-spec.ts";
import type { EngineSpec } from "../../src/engine/spec.ts";
import type { StepTime } from "../../src/engine/step-time.ts";

export interface ScenarioRequest {
  readonly arrivalS: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** When the client gives up; Infinity = never. */
  readonly cancelS: number;
}

export interface Scenario {
  readonly spec: EngineSpec;
  readonly stepTime: StepTime;
  /** In order of arrival; the index is the identity. */
  readonly requests: readonly ScenarioRequest[];
  /** When the replica dies, losing what is in it; it may be used again at once. */
  readonly failuresS: readonly number[];
  /** When the integrals are read. */
  readonly booksS: readonly number[];
}

/** A request that a scheduler can tell from others. */
export interface PolicyRequest extends ScenarioRequest {
  readonly maxOutputTokens: number;
  readonly classIndex: number;
  /** The shared text that its prompt begins with, and how many tokens of it; −1 = none. */
  readonly system: number;
  readonly systemTokens: number;
  /** Whose text all the rest is; −1 = nobody else's. One session has one system prompt. */
  readonly session: number;
  /** On decode replicas: when another replica put out its first token. */
  readonly firstTokenS: number;
}

/** A replica under any scheduling. */
export interface PolicyScenario extends Scenario {
  readonly requests: readonly PolicyRequest[];
  readonly scheduler: SchedulerSpec;
  readonly classes: readonly ClassTraits[];
  readonly luckKey: number;
}

export type FateKind = "completed" | "cancelled-waiting" | "cancelled-running" | "lost" | "handed-on";

export interface Fate {
  readonly kind: FateKind;
  readonly timeS: number;
  /** NaN when no token came out. */
  readonly firstTokenS: number;
}

/** Integrals since the start. */
export interface Integrals {
  readonly busyS: number;
  readonly sequenceS: number;
  readonly kvTokenS: number;
}

export interface ReplicaOutcome {
  /** By request, in the order of the scenario. */
  readonly fates: readonly (Fate | undefined)[];
  /** At each time of `booksS`, then at the end. */
  readonly integrals: readonly Integrals[];
  /** Whole numbers that must agree: preemptions, steps and so on, by name. */
  readonly counts: Readonly<Record<string, number>>;
}

/** What may happen to a replica from outside, in its order at one instant (a step's end comes after FAILURE). */
export const BOOK = 0;
export const FAILURE = 1;
export const ARRIVAL = 2;
export const CANCEL = 3;

export interface OutsideEvent {
  readonly timeS: number;
  readonly kind: number;
  /** Of the request, for arrivals and cancellations. */
  readonly index: number;
}

/** Every outside event in order of (time, kind, index). */
export function outsideEvents(scenario: Scenario): OutsideEvent[] {
  const events: OutsideEvent[] = [];
  scenario.requests.forEach(({ arrivalS, cancelS }, index) => {
    events.push({ timeS: arrivalS, kind: ARRIVAL, index });
    if (cancelS < Infinity) events.push({ timeS: cancelS, kind: CANCEL, index });
  });
  scenario.failuresS.forEach((timeS, index) => events.push({ timeS, kind: FAILURE, index }));
  scenario.booksS.forEach((timeS, index) => events.push({ timeS, kind: BOOK, index }));
  return events.sort((a, b) => a.timeS - b.timeS || a.kind - b.kind || a.index - b.index);
}

/** Engine options for tests that bring their own step time; what only physics reads is left at a plain value. */
export function engineSpec(
  options: Pick<EngineSpec, "maxNumSeqs" | "maxNumBatchedTokens" | "kvBlocks"> & Partial<EngineSpec>,
): EngineSpec {
  return {
    engine: "test",
    engineVersion: "0",
    weightDtype: "bf16",
    kvDtype: "bf16",
    tensorParallelSize: 1,
    longPrefillTokenThreshold: 0,
    gpuMemoryUtilization: 0.9,
    blockTokens: 16,
    maxModelLen: 1_000_000_000,
    tpreMsPerLayer: 0,
    apiOverheadMs: 0,
    ...options,
  };
}
