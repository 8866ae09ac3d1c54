/** Runs a conformance scenario on the real `PolicyReplica`, leaping or walking. */
import { InvariantError } from "../../kernel/errors.ts";
import { Sketch } from "../../kernel/sketch.ts";
import { EngineMeter, type ReplicaSink } from "../meter.ts";
import { PolicyReplica } from "../policy-replica.ts";
import { classContent, type SharedPrefix } from "../prompt-content.ts";
import { RequestTable } from "../request-table.ts";
import { type Fate, type Outcome, outsideEvents } from "./outcome.ts";
import type { ConformScenario } from "./scenario.ts";

/** Boundaries after which a scenario counts as one that never ends. */
export const MOST_BOUNDARIES = 100_000;

/** The same scenario with a prefix cache, which the naive executor does not have. */
export function cached(scenario: ConformScenario): ConformScenario {
  const eviction = (["lru", "fifo", "lfu"] as const)[scenario.number % 3];
  return { ...scenario, scheduler: { ...scenario.scheduler, prefixCache: { eviction } } };
}

/** Each class begins its prompts with one of two texts. */
function prefixesOf({ classes, spec }: ConformScenario): SharedPrefix[] {
  return classes.map((_, c) => ({ tokens: (2 + c) * spec.blockTokens, groups: 2 }));
}

/** Throws what the policy throws. */
export function drive(scenario: ConformScenario, walk: boolean): Outcome {
  return ended(visits(scenario, walk));
}

/** As `drive`, every step walked, while another replica of the same policy, in the same scenario, is always further than this one. */
export function driveBesideAnother(scenario: ConformScenario): Outcome {
  const own = visits(scenario, true);
  const other = visits(scenario, true);
  for (;;) {
    other.next();
    other.next();
    const { done, value } = own.next();
    if (done === true) return value;
  }
}

function ended(replica: Generator<void, Outcome>): Outcome {
  for (;;) {
    const { done, value } = replica.next();
    if (done === true) return value;
  }
}

/** Yields after each instant. Order at one instant: end of the step, arrivals, cancellations, forming. */
function* visits(scenario: ConformScenario, walk: boolean): Generator<void, Outcome> {
  const { spec, scheduler, stepTime, classes, luckKey, requests } = scenario;
  const table = new RequestTable(4);
  const meter = new EngineMeter(classes.map(() => new Sketch()));
  const fates: (Fate | undefined)[] = requests.map(() => undefined);
  const slotOf = new Map<number, number>();
  let nowS = 0;
  const close = (slot: number, kind: Fate["kind"]): void => {
    const request = table.ordinal[slot];
    if (fates[request] !== undefined) throw new InvariantError("INV-1", { request, reason: "it ended twice" });
    fates[request] = { kind, endS: nowS, firstTokenS: table.generated[slot] > 0 ? table.firstTokenS[slot] : NaN };
    slotOf.delete(request);
    table.release(slot);
  };
  const sink: ReplicaSink = {
    completed: (slot) => close(slot, "completed"),
    dropped: (slot) => close(slot, "cancelled"),
    lost: (slot) => {
      throw new InvariantError("INV-1", { request: table.ordinal[slot], reason: "nothing failed" });
    },
  };
  const content = scheduler.prefixCache === null ? null : classContent(prefixesOf(scenario), luckKey, spec.blockTokens);
  const options = { spec, scheduler, stepTime, classes, luckKey, content, walk };
  const replica = new PolicyReplica(options, table, sink, meter);
  const events = outsideEvents(scenario);
  let next = 0;
  for (let visited = 0; visited < MOST_BOUNDARIES; visited++) {
    nowS = Math.min(next < events.length ? events[next].timeS : Infinity, replica.dueS);
    if (nowS === Infinity) break;
    if (replica.dueS === nowS) replica.finish();
    for (; next < events.length && events[next].timeS === nowS; next++) {
      const { request, cancels } = events[next];
      if (cancels) {
        const slot = slotOf.get(request);
        if (slot !== undefined && replica.cancel(slot, nowS)) close(slot, "cancelled");
        continue;
      }
      const { inputTokens, outputTokens, maxOutputTokens, classIndex } = requests[request];
      const slot = table.take();
      table.ordinal[slot] = request;
      table.classIndex[slot] = classIndex;
      table.inputTokens[slot] = inputTokens;
      table.outputTokens[slot] = outputTokens;
      table.maxOutputTokens[slot] = maxOutputTokens;
      table.attemptS[slot] = nowS;
      table.firstTokenS[slot] = NaN;
      slotOf.set(request, slot);
      replica.enqueue(slot);
    }
    if (replica.atBoundary) replica.form();
    yield;
  }
  if (replica.inFlight === 0 && replica.freeKvBlocks !== spec.kvBlocks)
    throw new InvariantError("INV-4", { free: replica.freeKvBlocks, total: spec.kvBlocks });
  return { fates, steps: meter.steps, boundaries: meter.boundaries, preemptions: meter.preemptions };
}
