/**
 * The proof for every scheduling policy: the engine of policies, leaping and walking, against the naive policy stepper, over
 * random scenarios of all combinations of batching, queue order and the other options of a scheduler.
 */
import { describe, expect, test } from "vitest";
import { Batch } from "../../src/engine/batch.ts";
import { Decoders } from "../../src/engine/decoders.ts";
import { DraftDecoders } from "../../src/engine/draft-decoders.ts";
import { KvNeeds } from "../../src/engine/kv-needs.ts";
import type { BatchingPolicy } from "../../src/engine/policies/policy.ts";
import { batchingNamed } from "../../src/engine/policies/registry.ts";
import { PrefixCache } from "../../src/engine/prefix-cache.ts";
import { DEFAULT_SCHEDULER, type SchedulerSpec } from "../../src/engine/scheduler-spec.ts";
import { Stretch } from "../../src/engine/stretch.ts";
import { WaitingLine } from "../../src/engine/waiting-line.ts";
import { differences, differencesOfEngines } from "./compare-outcomes.ts";
import { stepThroughPolicy } from "./naive-policies.ts";
import { stepThrough, type NaiveOutcome } from "./naive-stepper.ts";
import { BATCHINGS, ORDERS, randomPolicyScenario } from "./random-policy-scenarios.ts";
import { randomScenario } from "./random-scenarios.ts";
import { drivePolicyScenario, driveScenario, type EngineOutcome } from "./replica-driver.ts";
import type { PolicyScenario, Scenario } from "./scenario.ts";

/** 24 combinations of batching and order on three kinds of times, so many times. */
const SCENARIOS = 28 * 72;

/** What is wrong, with what the engine threw counted as one more difference. */
function wrong(compare: () => string[]): string[] {
  try {
    return compare();
  } catch (error) {
    return [String(error)];
  }
}

test(`leaping and walking give what the naive stepper gives, in ${SCENARIOS} scenarios of all policies`, () => {
  const reached = new Map<string, number>();
  const reach = (name: string): void => void reached.set(name, (reached.get(name) ?? 0) + 1);
  const failed: string[] = [];
  for (let number = 0; number < SCENARIOS; number++) {
    const scenario = randomPolicyScenario(number);
    const naive = stepThroughPolicy(scenario);
    const { batching, order, admission, role } = scenario.scheduler;
    for (const name of Object.keys(naive.reached)) reach(name);
    reach(`role ${role}`);
    const found = wrong(() => {
      const leaping = drivePolicyScenario(scenario);
      if (leaping.leapt > 0) {
        reach(`leapt ${batching.name}`);
        reach(`leapt ${order.name}`);
      }
      return differences(scenario, leaping, naive);
    });
    found.push(...wrong(() => differences(scenario, drivePolicyScenario(scenario, true), naive)));
    if (admission === "reserve" && naive.counts["preemptions"]! > 0) found.push("preempted in spite of a reservation");
    if (found.length > 0) failed.push(`scenario ${number}: ${found.join("; ")}`);
  }
  const list = [...reached].sort().map(([name, n]) => `${name} ${n}`);
  console.log(`policy-leap, scenarios of ${SCENARIOS}: ${list.join(", ")}`);
  expect(failed.slice(0, 5), `${failed.length} scenarios differ`).toEqual([]);

  // A comparison that never came to the hard cases would prove nothing.
  const atLeast = (share: number, names: readonly string[]): void => {
    for (const name of names) expect((reached.get(name) ?? 0) / SCENARIOS, name).toBeGreaterThan(share);
  };
  atLeast(0.1, [
    "prefixHit",
    "admissionBlocked",
    "cancelledWaiting",
    "cancelledRunning",
    "draftsAccepted",
    "draftsRefused",
  ]);
  atLeast(0.05, [
    "recomputed",
    "sharedBlocks",
    "evicted lru",
    "evicted fifo",
    "evicted lfu",
    "reserveBlocked",
    "paddedStep",
  ]);
  atLeast(0.05, ["startedFull", "startedLate", "seatedLater", "headOvertaken", "role prefill", "role decode"]);
  atLeast(0.02, [
    "fairHeadChanged",
    "swappedOut",
    "swappedIn",
    "swapSpaceExhausted",
    "returnedToBatch",
    "cancelledWaitingWithKv",
    "lost",
  ]);
  atLeast(0.002, ["plannedSentAway"]);
  atLeast(
    0.05,
    BATCHINGS.map((name) => `leapt ${name}`),
  );
  atLeast(
    0.05,
    ORDERS.map((name) => `leapt ${name}`),
  );
});

test("leaping is walking, in as many scenarios again", () => {
  const failed: string[] = [];
  for (let number = SCENARIOS; number < 2 * SCENARIOS; number++) {
    const scenario = randomPolicyScenario(number);
    const found = wrong(() => differencesOfEngines(drivePolicyScenario(scenario), drivePolicyScenario(scenario, true)));
    if (found.length > 0) failed.push(`scenario ${number}: ${found.join("; ")}`);
  }
  expect(failed.slice(0, 5), `${failed.length} scenarios differ`).toEqual([]);
});

test("the same when the step count wraps amid the answers", () => {
  let wrapped = 0;
  const { join, advanceAll } = Decoders.prototype;
  type Counts = { steps: number };
  Decoders.prototype.join = function (slot) {
    const counts = this as unknown as Counts;
    if (this.count === 0 && counts.steps < 1000) counts.steps = 0x7fffffff - 20;
    join.call(this, slot);
  };
  Decoders.prototype.advanceAll = function (steps, nowS) {
    const before = (this as unknown as Counts).steps;
    advanceAll.call(this, steps, nowS);
    if ((this as unknown as Counts).steps < before) wrapped++;
  };
  const failed: string[] = [];
  try {
    for (let number = 0; number < 600; number++) {
      const scenario = randomPolicyScenario(number);
      const found = wrong(() => differences(scenario, drivePolicyScenario(scenario), stepThroughPolicy(scenario)));
      if (found.length > 0) failed.push(`scenario ${number}: ${found.join("; ")}`);
    }
  } finally {
    Object.assign(Decoders.prototype, { join, advanceAll });
  }
  expect(failed.slice(0, 5), `${failed.length} scenarios differ`).toEqual([]);
  expect(wrapped).toBeGreaterThan(300);
});

/** A scenario for the plain engine, as one for the engine of policies. */
function underDefaults(scenario: Scenario): PolicyScenario {
  return {
    ...scenario,
    scheduler: DEFAULT_SCHEDULER,
    classes: [{ priority: 0, ttftS: null }],
    luckKey: 0,
    requests: scenario.requests.map((request) => ({
      ...request,
      maxOutputTokens: request.outputTokens,
      classIndex: 0,
      system: -1,
      systemTokens: 0,
      session: -1,
      firstTokenS: NaN,
    })),
  };
}

test("under vLLM's defaults the engine of policies is the plain engine, and both naive steppers are one", () => {
  const failed: string[] = [];
  for (let number = 0; number < 500; number++) {
    const scenario = randomScenario(number);
    const naive = stepThrough(scenario);
    const policy = drivePolicyScenario(underDefaults(scenario));
    const found = differences(scenario, policy, naive);
    // At a tie the plain engine may not count the last gap before a time-out.
    if (naive.tiedGaps[0] === 0) found.push(...differencesOfEngines(policy, driveScenario(scenario)));
    // The other stepper has a block as an object: small ones only.
    if (number % 4 === 0 && scenario.spec.kvBlocks < 300)
      found.push(...differences(scenario, policy, stepThroughPolicy(underDefaults(scenario))));
    if (found.length > 0) failed.push(`scenario ${number}: ${found.join("; ")}`);
  }
  expect(failed.slice(0, 5), `${failed.length} scenarios differ`).toEqual([]);
});

describe("a planted error of one is caught", () => {
  const cases = Array.from({ length: 216 }, (_, number) => {
    const scenario = randomPolicyScenario(number);
    return { scenario, naive: stepThroughPolicy(scenario) as NaiveOutcome };
  });
  const differs = (scenario: PolicyScenario, naive: NaiveOutcome): boolean =>
    wrong(() => differences(scenario, drivePolicyScenario(scenario), naive)).length > 0;
  // A scenario in which the engine as it is differs would count as caught whatever the mutant does.
  const sound = cases.filter(({ scenario, naive }) => !differs(scenario, naive));

  /** How many scenarios notice that a method of a class is another one. */
  function caught<T extends object>(prototype: T, method: string, mutant: (original: Method) => Method): number {
    const original: unknown = Reflect.get(prototype, method);
    if (typeof original !== "function") throw new Error(`no method ${method} to plant an error in`);
    Reflect.set(prototype, method, mutant(original as Method));
    try {
      return sound.filter(({ scenario, naive }) => differs(scenario, naive)).length;
    } finally {
      Reflect.set(prototype, method, original);
    }
  }

  test("the engine itself passes", () => expect(sound).toHaveLength(cases.length));

  test.each<[string, object, string, (original: Method) => Method]>([
    ["a cut one step late", Stretch.prototype, "stepsUntil", result((k) => k + 1)],
    ["a cut one step early", Stretch.prototype, "stepsUntil", result((k) => Math.max(1, k - 1))],
    ["a stretch a millionth too long", Stretch.prototype, "spanS", result((lengthS) => lengthS * (1 + 1e-6))],
    ["a millionth too much KV", Stretch.prototype, "tokenSeconds", result((tokenS) => tokenS * (1 + 1e-6))],
    ["one affordable step too many", Batch.prototype, "stepsAffordable", oneTooMany],
    ["growth of a token less", Batch.prototype, "grow", argument(0, (tokens) => tokens - 1)],
    ["a block too much reserved", KvNeeds.prototype, "reserved", result((blocks) => blocks + (blocks > 0 ? 1 : 0))],
    ["a block less to decode", KvNeeds.prototype, "toDecode", result((blocks) => Math.max(0, blocks - 1))],
    ["a cached block too many", PrefixCache.prototype, "match", argument(3, (most) => most + 1)],
    ["a cached block too few", PrefixCache.prototype, "match", argument(3, (most) => most - 1)],
    ["an accepted draft too few", DraftDecoders.prototype, "drawAhead", fewerDrafts],
    ["an answer not charged", WaitingLine.prototype, "charge", argument(2, () => 0)],
    ["a prompt not charged", WaitingLine.prototype, "charge", argument(1, () => 0)],
    ["tenants that save up", WaitingLine.prototype, "settle", () => () => undefined],
    ["preempted to the end of the queue", WaitingLine.prototype, "pushPreempted", toTheEnd],
    ["the first admitted preempted", Batch.prototype, "victim", () => firstRunning],
    ["blocks freed first to last", PrefixCache.prototype, "release", firstBlockFirst],
  ])("%s", (_, prototype, method, mutant) => {
    expect(caught(prototype, method, mutant)).toBeGreaterThan(2);
  });

  test.each<[string, (scheduler: SchedulerSpec) => SchedulerSpec]>([
    ["a seat in the batch", (s) => withOption(s, ["batchSize", "maxBatchSize"], 1)],
    ["a millisecond of waiting", (s) => withOption(s, ["timeoutMs", "maxQueueDelayMs"], 1)],
    ["a dozen tokens of swap space", (s) => ({ ...s, swapSpaceTokens: s.swapSpaceTokens + 12 })],
    ["a ten-thousandth of transfer time", (s) => ({ ...s, swapSPerToken: s.swapSPerToken * (1 + 1e-4) })],
    [
      "a draft",
      (s) => ({
        ...s,
        speculative: s.speculative && { ...s.speculative, draftTokens: s.speculative.draftTokens + 1 },
      }),
    ],
  ])("more than the stepper has: %s", (_, change) => {
    const noticed = sound.filter(({ scenario, naive }) =>
      differences(scenario, drivePolicyScenario({ ...scenario, scheduler: change(scenario.scheduler) }), naive).some(
        // More drafts are counted as such whatever comes of them.
        (found) => !found.startsWith("draftTokens"),
      ),
    );
    expect(noticed.length).toBeGreaterThan(0);
  });

  test.each<[string, (policy: BatchingPolicy) => BatchingPolicy]>([
    ["that arrivals never matter", (policy) => ({ ...policy, wakes: () => false })],
    ["to go on as it does not", everyThirdStepPadded],
  ])("a policy that claims %s is told by walking", (_, change) => {
    const plugin = batchingNamed("chunked")!;
    const create = plugin.create;
    const told = (scenario: PolicyScenario): boolean => {
      const walked: EngineOutcome = drivePolicyScenario(scenario, true);
      return wrong(() => differencesOfEngines(drivePolicyScenario(scenario), walked)).length > 0;
    };
    const chunkedOnes = Array.from({ length: 1500 }, (_, number) => randomPolicyScenario(number)).filter(
      ({ scheduler }) => scheduler.batching.name === "chunked",
    );
    Object.assign(plugin, { create: (options: Record<string, number>) => change(create(options)) });
    try {
      expect(chunkedOnes.filter(told).length).toBeGreaterThan(5);
    } finally {
      Object.assign(plugin, { create });
    }
  });
});

type Method = (this: never, ...given: never[]) => unknown;
/** What the planted errors see of the class that they are in. */
type Host = Record<string, (...given: unknown[]) => unknown> & { readonly slots: Int32Array };

/** The method with its result changed. */
function result(change: (value: number) => number): (original: Method) => Method {
  return (original) =>
    function (this: never, ...given: never[]) {
      return change(original.apply(this, given) as number);
    };
}

/** The method with one of its arguments changed. */
function argument(at: number, change: (value: number) => number): (original: Method) => Method {
  return (original) =>
    function (this: never, ...given: never[]) {
      return original.apply(this, given.map((value, i) => (i === at ? change(value) : value)) as never[]);
    };
}

/** Of the steps that blocks allow, not of those that are wanted. */
function oneTooMany(original: Method): Method {
  return function (this: never, most: never) {
    return Math.min(most, (original.call(this, most) as number) + 1);
  } as Method;
}

function toTheEnd(): Method {
  return function (this: Host, slot: number) {
    this["push"]!(slot);
  } as Method;
}

function firstRunning(this: Host): number {
  return this.slots[0]!;
}

function firstBlockFirst(original: Method): Method {
  return function (this: never, ids: Int32Array, count: number, nameless: number) {
    return original.call(this, ids.slice(0, count).reverse() as never, count as never, nameless as never);
  } as Method;
}

function fewerDrafts(original: Method): Method {
  return function (this: { rows: Int32Array }, row: number) {
    original.call(this as never, row as never);
    // Bytes of 0 … 16 in the last columns of its row.
    for (let word = row + 5; word < row + 9; word++) {
      const bytes = [0, 8, 16, 24].map((shift) => Math.max(0, ((this.rows[word]! >> shift) & 255) - 1) << shift);
      this.rows[word] = bytes.reduce((all, byte) => all | byte);
    }
  } as Method;
}

/** Leaps although every third step is dearer than the others. */
function everyThirdStepPadded(policy: BatchingPolicy): BatchingPolicy {
  let calls = 0;
  return {
    ...policy,
    schedule(step) {
      policy.schedule(step);
      if (++calls % 3 === 0) step.padDecodesTo(step.maxNumSeqs);
    },
  };
}

function withOption(scheduler: SchedulerSpec, names: readonly string[], more: number): SchedulerSpec {
  const options = { ...scheduler.batching.options };
  for (const name of names) if (options[name] !== undefined) options[name] += more;
  return { ...scheduler, batching: { ...scheduler.batching, options } };
}
