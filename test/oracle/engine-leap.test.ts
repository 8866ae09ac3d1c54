/** The proof that leaping is exact: the engine against the naive stepper over random scenarios. */
import { describe, expect, test } from "vitest";
import { Replica } from "../../src/engine/replica.ts";
import type { StepTime } from "../../src/engine/step-time.ts";
import { differences } from "./compare-outcomes.ts";
import { stepThrough, type NaiveOutcome, type Reached } from "./naive-stepper.ts";
import { randomScenario } from "./random-scenarios.ts";
import { driveScenario, type ReplicaClass } from "./replica-driver.ts";
import type { Scenario } from "./scenario.ts";

const SCENARIOS = 3000;

/** What the engine gets wrong in a scenario, with what it threw counted as one more difference. */
function wrong(scenario: Scenario, naive: NaiveOutcome, replicaClass?: ReplicaClass): string[] {
  try {
    return differences(scenario, driveScenario(scenario, replicaClass), naive);
  } catch (error) {
    return [String(error)];
  }
}

test(`leaping gives what walking gives, in ${SCENARIOS} random scenarios`, () => {
  const reached = new Map<keyof Reached, number>();
  const failed: string[] = [];
  for (let number = 0; number < SCENARIOS; number++) {
    const scenario = randomScenario(number);
    const naive = stepThrough(scenario);
    for (const [name, times] of Object.entries(naive.reached) as [keyof Reached, number][])
      if (times > 0) reached.set(name, (reached.get(name) ?? 0) + 1);
    const found = wrong(scenario, naive);
    if (found.length > 0) failed.push(`scenario ${number}: ${found.join("; ")}`);
  }
  console.log(`engine-leap, scenarios of ${SCENARIOS}: ${[...reached].map(([name, n]) => `${name} ${n}`).join(", ")}`);
  expect(failed.slice(0, 5), `${failed.length} scenarios differ`).toEqual([]);

  // A comparison that never came to the hard cases would prove nothing.
  const share = (name: keyof Reached): number => (reached.get(name) ?? 0) / SCENARIOS;
  for (const name of ["preemptedForDecode", "preemptedForPrefill", "admissionBlocked", "recomputed"] as const)
    expect(share(name), name).toBeGreaterThan(0.1);
  for (const name of ["chunked", "thresholdCut", "idleGaps"] as const) expect(share(name), name).toBeGreaterThan(0.1);
  for (const name of ["cancelledWaiting", "cancelledRunning", "cancelledPrefilling"] as const)
    expect(share(name), name).toBeGreaterThan(0.1);
  expect(share("lost"), "lost").toBeGreaterThan(0.04);
  for (const name of ["decodePreemptedForPrefill", "tiedWithStepEnd"] as const)
    expect(share(name), name).toBeGreaterThan(0.005);
});

test("the same when the step count wraps amid the answers", () => {
  let wrapped = 0;
  class NearTheEnd extends Replica {
    constructor(...args: ConstructorParameters<ReplicaClass>) {
      super(...args);
      Object.assign(this, { stepCount: 0x7fffffff - 20 });
    }
    override finish(): void {
      const before = this.steps();
      super.finish();
      if (this.steps() < before) wrapped++;
    }
    private steps(): number {
      return (this as unknown as { readonly stepCount: number }).stepCount;
    }
  }
  const failed: string[] = [];
  for (let number = 0; number < 600; number++) {
    const scenario = randomScenario(number);
    const found = wrong(scenario, stepThrough(scenario), NearTheEnd);
    if (found.length > 0) failed.push(`scenario ${number}: ${found.join("; ")}`);
  }
  expect(failed.slice(0, 5), `${failed.length} scenarios differ`).toEqual([]);
  expect(wrapped).toBeGreaterThan(300);
});

test("no fewer blocks are free than the bound that spares counting them", () => {
  let tight = 0;
  class Bounded extends Replica {
    override form(): void {
      const least = (this as unknown as { leastFreeBlocks(): number }).leastFreeBlocks();
      if (least > this.freeKvBlocks) throw new Error(`${least} of ${this.freeKvBlocks}`);
      if (least === this.freeKvBlocks && this.runningCount > 0) tight++;
      super.form();
    }
  }
  for (let number = 0; number < 300; number++) driveScenario(randomScenario(number), Bounded);
  expect(tight).toBeGreaterThan(300);
});

describe("a planted error of one is caught", () => {
  const numbers = Array.from({ length: 300 }, (_, i) => i);
  const cases = numbers.map((number) => {
    const scenario = randomScenario(number);
    return { scenario, naive: stepThrough(scenario) };
  });
  // A scenario in which the engine as it is differs would count as caught whatever the mutant does.
  const sound = cases.filter(({ scenario, naive }) => wrong(scenario, naive).length === 0);
  /** The count of free blocks at the end may differ by construction; only what requests and integrals show counts. */
  const shows = (found: readonly string[]): boolean => found.some((what) => !what.startsWith("free KV blocks"));
  const caught = (mutant: ReplicaClass): number =>
    sound.filter(({ scenario, naive }) => shows(wrong(scenario, naive, mutant))).length;

  type ClosedForm =
    "stepsUntil" | "stepsAffordable" | "leastFreeBlocks" | "freeKvBlocks" | "blocks" | "spanS" | "kvTokenSeconds";

  /** The engine with one of its closed forms changed by `change`. */
  function mutantOf(name: ClosedForm, change: (value: number) => number): ReplicaClass {
    class Mutant extends Replica {}
    const { value: method, get: getter } = Object.getOwnPropertyDescriptor(Replica.prototype, name) ?? {};
    const original: unknown = method ?? getter;
    if (typeof original !== "function") throw new Error(`Replica has no ${name} to plant an error in`);
    const changed = function (this: Replica, argument = 0): number {
      return change(original.call(this, argument) as number);
    };
    Object.defineProperty(Mutant.prototype, name, getter === undefined ? { value: changed } : { get: changed });
    return Mutant;
  }

  test("the engine itself passes", () => expect(sound).toHaveLength(cases.length));

  test.each<[ClosedForm, string, (value: number) => number]>([
    ["stepsUntil", "one step late", (k) => k + 1],
    ["stepsUntil", "one step early", (k) => Math.max(1, k - 1)],
    ["stepsAffordable", "one step too many", (k) => k + 1],
    ["freeKvBlocks", "one block too few", (blocks) => blocks - 1],
    ["freeKvBlocks", "one block too many", (blocks) => blocks + 1],
    ["leastFreeBlocks", "far too many", (blocks) => blocks + 1000],
    ["spanS", "a millionth too long", (lengthS) => lengthS * (1 + 1e-6)],
    ["kvTokenSeconds", "a millionth too much", (tokenS) => tokenS * (1 + 1e-6)],
  ])("%s %s", (method, _, change) => {
    expect(caught(mutantOf(method, change))).toBeGreaterThan(10);
  });

  test.each<[string, (scenario: Scenario) => Scenario]>([
    ["token budget", (s) => ({ ...s, spec: { ...s.spec, maxNumBatchedTokens: s.spec.maxNumBatchedTokens + 1 } })],
    [
      "maxNumSeqs",
      (s) => ({ ...s, spec: { ...s.spec, maxNumSeqs: s.spec.maxNumSeqs + 1 }, stepTime: longer(s.stepTime) }),
    ],
    ["KV blocks", (s) => ({ ...s, spec: { ...s.spec, kvBlocks: s.spec.kvBlocks + 1 } })],
  ])("one more in the engine's %s than in the stepper's", (_, change) => {
    const noticed = sound.filter(({ scenario, naive }) =>
      shows(differences(scenario, driveScenario(change(scenario)), naive)),
    );
    expect(noticed.length).toBeGreaterThan(10);
  });
});

function longer(stepTime: StepTime): StepTime {
  const base = stepTime.decodeBaseS;
  return {
    ...stepTime,
    decodeBaseS: Float64Array.from({ length: base.length + 1 }, (_, d) => base[d] ?? base[base.length - 1]!),
  };
}
