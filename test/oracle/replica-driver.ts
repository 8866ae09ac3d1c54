/**
 * Small event loops over the real replicas, without fleet or physics: `driveScenario` and `drivePolicyScenario` for the
 * comparison with the naive steppers, `driveQueue` for the theorems of queueing. Order at one instant: window edge, failure, step end, arrival,
 * cancellation, forming. Seconds and tokens.
 */
import { EngineMeter, type ReplicaSink } from "../../src/engine/meter.ts";
import { PolicyReplica } from "../../src/engine/policy-replica.ts";
import { sharedContent } from "../../src/engine/prompt-content.ts";
import type { ReplicaEngine } from "../../src/engine/replica-engine.ts";
import { Replica } from "../../src/engine/replica.ts";
import type { ClassTraits } from "../../src/engine/request-facts.ts";
import { RequestTable } from "../../src/engine/request-table.ts";
import type { SchedulerSpec } from "../../src/engine/scheduler-spec.ts";
import type { EngineSpec } from "../../src/engine/spec.ts";
import type { StepTime } from "../../src/engine/step-time.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import {
  ARRIVAL,
  BOOK,
  FAILURE,
  outsideEvents,
  type Fate,
  type FateKind,
  type Integrals,
  type PolicyScenario,
  type ReplicaOutcome,
  type Scenario,
} from "./scenario.ts";

export interface EngineOutcome extends ReplicaOutcome {
  /** By class. */
  readonly gapsS: readonly Sketch[];
  readonly freeKvBlocksAtEnd: number;
  readonly inFlightAtEnd: number;
  /** Steps that were not visited. */
  readonly leapt: number;
}

export type ReplicaClass = typeof Replica;

/** Runs the scenario on the engine (or on a mutant of it, to prove that the comparison would notice). */
export function driveScenario(scenario: Scenario, replicaClass: ReplicaClass = Replica): EngineOutcome {
  return drive(scenario, 1, (table, sink, meter) => ({
    replica: new replicaClass(scenario.spec, scenario.stepTime, table, sink, meter, 1),
    enter: (replica, slot) => void replica.enqueue(slot),
  }));
}

/** Runs the scenario on the engine of policies, leaping as far as they claim or walking every step. */
export function drivePolicyScenario(scenario: PolicyScenario, walk = false): EngineOutcome {
  const { spec, stepTime, scheduler, classes, luckKey, requests } = scenario;
  const content = sharedContent(
    {
      systemStream: (ordinal) => requests[ordinal]!.system,
      systemTokens: (ordinal) => requests[ordinal]!.systemTokens,
      sessionStream: (ordinal) => requests[ordinal]!.session,
    },
    spec.blockTokens,
  );
  return drive<PolicyReplica>(scenario, classes.length, (table, sink, meter) => ({
    replica: new PolicyReplica({ spec, scheduler, stepTime, classes, luckKey, content, walk }, table, sink, meter),
    enter: (replica, slot) => {
      const { classIndex, maxOutputTokens, firstTokenS, inputTokens } = requests[table.ordinal[slot]]!;
      table.classIndex[slot] = classIndex;
      table.maxOutputTokens[slot] = maxOutputTokens;
      if (scheduler.role !== "decode") {
        replica.enqueue(slot);
        return;
      }
      table.generated[slot] = 1;
      table.prefilledTokens[slot] = inputTokens;
      table.firstTokenS[slot] = table.lastTokenS[slot] = firstTokenS;
      replica.takeOver(slot);
    },
  }));
}

interface Driven<R> {
  readonly replica: R;
  /** Fills what the columns of a request need beyond its lengths, and puts it into the replica. */
  readonly enter: (replica: R, slot: number) => void;
}

function drive<R extends ReplicaEngine & { readonly freeKvBlocks: number }>(
  scenario: Scenario,
  classes: number,
  make: (table: RequestTable, sink: ReplicaSink, meter: EngineMeter) => Driven<R>,
): EngineOutcome {
  const table = new RequestTable(4);
  const slotOf = new Map<number, number>();
  const fates: (Fate | undefined)[] = scenario.requests.map(() => undefined);
  let nowS = 0;
  const close = (slot: number, kind: FateKind): void => {
    const index = table.ordinal[slot];
    if (fates[index] !== undefined) throw new Error(`request ${index} ended twice: ${fates[index].kind}, then ${kind}`);
    const firstTokenS = table.generated[slot] > 0 || kind === "completed" ? table.firstTokenS[slot] : NaN;
    const timeS = kind === "completed" || kind === "handed-on" ? table.lastTokenS[slot] : nowS;
    fates[index] = { kind, timeS, firstTokenS };
    slotOf.delete(index);
    table.release(slot);
  };
  const sink: ReplicaSink = {
    completed: (slot) => close(slot, "completed"),
    dropped: (slot) => close(slot, "cancelled-running"),
    lost: (slot) => close(slot, "lost"),
    // Whoever decodes has room at once.
    prefilled: (slot) => {
      if (replica instanceof PolicyReplica) replica.letGo(slot, nowS);
      close(slot, "handed-on");
    },
  };
  const meter = new EngineMeter(Array.from({ length: classes }, () => new Sketch()));
  const { replica, enter } = make(table, sink, meter);
  const integrals: Integrals[] = [];
  const book = (): void => {
    replica.bookUntil(nowS);
    integrals.push({ busyS: meter.busyS, sequenceS: meter.occupancySeqS, kvTokenS: meter.kvTokenS });
  };

  const events = outsideEvents(scenario);
  let next = 0;
  for (let guard = 0; ; guard++) {
    if (guard > 50_000) throw new Error("the replica does not come to an end");
    const outsideS = next < events.length ? events[next]!.timeS : Infinity;
    const timeS = Math.min(outsideS, replica.dueS);
    if (timeS === Infinity) break;
    if (!(timeS >= nowS)) throw new Error(`time ran backwards: ${timeS} after ${nowS}`);
    nowS = timeS;
    const comes = (kind: number): boolean =>
      next < events.length && events[next]!.timeS === timeS && events[next]!.kind === kind;
    for (; comes(BOOK); next++) book();
    for (; comes(FAILURE); next++) replica.fail(timeS);
    if (replica.dueS === timeS) replica.finish();
    for (; next < events.length && events[next]!.timeS === timeS; next++) {
      const { kind, index } = events[next]!;
      if (kind === ARRIVAL) {
        const slot = table.take();
        const { inputTokens, outputTokens } = scenario.requests[index]!;
        table.ordinal[slot] = index;
        table.classIndex[slot] = 0;
        table.inputTokens[slot] = inputTokens;
        table.outputTokens[slot] = outputTokens;
        table.attemptS[slot] = timeS;
        slotOf.set(index, slot);
        enter(replica, slot);
      } else {
        const slot = slotOf.get(index);
        // State 0 is waiting; one that runs leaves at once when the replica stands at a boundary.
        const fate = slot !== undefined && table.state[slot] === 0 ? "cancelled-waiting" : "cancelled-running";
        if (slot !== undefined && replica.cancel(slot, timeS)) close(slot, fate);
      }
    }
    if (replica.atBoundary) replica.form();
  }
  book();
  return {
    fates,
    integrals,
    counts: {
      preemptions: meter.preemptions,
      prefillTokens: meter.prefillTokens,
      steps: meter.steps,
      prefixTokensAsked: meter.prefixTokensAsked,
      prefixTokensFound: meter.prefixTokensFound,
      swappedOutTokens: meter.swappedOutTokens,
      draftTokens: meter.draftTokens,
      acceptedTokens: meter.acceptedTokens,
    },
    leapt: meter.steps - meter.boundaries,
    gapsS: meter.itlS,
    freeKvBlocksAtEnd: replica.freeKvBlocks,
    inFlightAtEnd: replica.inFlight,
  };
}

export interface QueueOptions {
  readonly spec: EngineSpec;
  readonly stepTime: StepTime;
  /** Gap to the next arrival, seconds. */
  readonly gapS: () => number;
  readonly inputTokens: number;
  readonly outputTokens: () => number;
  /** What a request of so many tokens would take alone. */
  readonly serviceS: (outputTokens: number) => number;
  readonly requests: number;
  /** Requests, in order of arrival, that no statistic counts. */
  readonly warmup: number;
  /** Requests in the replica from which on a new one is turned away; none if left out. */
  readonly capacity?: number;
  /** Under another scheduling than the plain engine's; `classOf` draws the class of the next request. */
  readonly policy?: {
    readonly scheduler: SchedulerSpec;
    readonly classes: readonly ClassTraits[];
    readonly classOf: () => number;
  };
  /** A wait up to this long counts as none: an arrival amid a step waits for its end even if a place is free. */
  readonly noWaitS: number;
}

export interface QueueOutcome {
  /** Means over the counted requests that were let in: time in the replica, time beyond their own service, their ratio. */
  readonly sojournS: number;
  readonly waitS: number;
  readonly slowdown: number;
  /** Mean wait by class. */
  readonly waitSOfClass: readonly number[];
  /** Share that waited, and share that was turned away. */
  readonly delayedFraction: number;
  readonly blockedFraction: number;
  /** Over the counted arrivals, from the first to the last: the rate let in and means over time. */
  readonly admittedPerS: number;
  readonly busyFraction: number;
  readonly occupancyMean: number;
  /** Requests in the replica, counted from outside at each arrival and departure. */
  readonly inFlightMean: number;
}

/** Feeds an open stream of requests to one replica, then lets it drain. */
export function driveQueue(options: QueueOptions): QueueOutcome {
  const { spec, stepTime, gapS, inputTokens, outputTokens, serviceS, requests, warmup, policy, noWaitS } = options;
  const capacity = options.capacity ?? Infinity;
  const table = new RequestTable(64);
  const classes = policy?.classes ?? [{ priority: 0, ttftS: null }];
  const meter = new EngineMeter(classes.map(() => new Sketch()));
  const ofClass = classes.map(() => ({ counted: 0, waitS: 0 }));
  const sums = { counted: 0, sojournS: 0, waitS: 0, slowdown: 0, delayed: 0, blocked: 0, admitted: 0 };
  let nowS = 0;
  let inFlight = 0;
  let inFlightS = 0;
  let changedS = 0;
  const count = (change: number): void => {
    inFlightS += inFlight * (nowS - changedS);
    inFlight += change;
    changedS = nowS;
  };
  const impossible = (): never => {
    throw new Error("nothing was cancelled and nothing failed");
  };
  const sink: ReplicaSink = {
    completed: (slot) => {
      count(-1);
      if (table.ordinal[slot] >= warmup) {
        const stayS = nowS - table.sentS[slot];
        const aloneS = serviceS(table.outputTokens[slot]);
        sums.counted++;
        sums.sojournS += stayS;
        sums.waitS += stayS - aloneS;
        const own = ofClass[table.classIndex[slot]]!;
        own.counted++;
        own.waitS += stayS - aloneS;
        sums.slowdown += stayS / aloneS;
        if (stayS - aloneS > noWaitS) sums.delayed++;
      }
      table.release(slot);
    },
    dropped: impossible,
    lost: impossible,
  };
  const replica =
    policy === undefined
      ? new Replica(spec, stepTime, table, sink, meter, 1)
      : new PolicyReplica(
          { spec, stepTime, scheduler: policy.scheduler, classes, luckKey: 1, content: null, walk: false },
          table,
          sink,
          meter,
        );

  let arrived = 0;
  let nextS = gapS();
  let fromS = 0;
  let over = { lengthS: 0, busyS: 0, occupancySeqS: 0, inFlightS: 0 };
  for (;;) {
    nowS = Math.min(nextS, replica.dueS);
    if (nowS === Infinity) break;
    if (replica.dueS === nowS) replica.finish();
    if (nextS === nowS) {
      if (arrived === warmup) {
        replica.bookUntil(nowS);
        count(0);
        fromS = nowS;
        inFlightS = meter.busyS = meter.occupancySeqS = 0;
      }
      if (inFlight >= capacity) {
        if (arrived >= warmup) sums.blocked++;
      } else {
        const slot = table.take();
        table.ordinal[slot] = arrived;
        table.classIndex[slot] = policy?.classOf() ?? 0;
        table.sentS[slot] = table.attemptS[slot] = nowS;
        table.inputTokens[slot] = inputTokens;
        table.outputTokens[slot] = table.maxOutputTokens[slot] = outputTokens();
        count(1);
        if (arrived >= warmup) sums.admitted++;
        replica.enqueue(slot);
      }
      arrived++;
      nextS = arrived < requests ? nowS + gapS() : Infinity;
      if (nextS === Infinity) {
        // The drain that follows is not the stationary state, so the means over time end here.
        replica.bookUntil(nowS);
        count(0);
        over = { lengthS: nowS - fromS, busyS: meter.busyS, occupancySeqS: meter.occupancySeqS, inFlightS };
      }
    }
    if (replica.atBoundary) replica.form();
  }
  const { counted, admitted } = sums;
  return {
    sojournS: sums.sojournS / counted,
    waitS: sums.waitS / counted,
    slowdown: sums.slowdown / counted,
    waitSOfClass: ofClass.map((own) => own.waitS / own.counted),
    delayedFraction: sums.delayed / counted,
    blockedFraction: sums.blocked / (requests - warmup),
    admittedPerS: admitted / over.lengthS,
    busyFraction: over.busyS / over.lengthS,
    occupancyMean: over.occupancySeqS / over.lengthS,
    inFlightMean: over.inFlightS / over.lengthS,
  };
}
