/** The conformance suite passes every policy that ships, and catches each of a set of planted faults by the right check. */
import { afterEach, expect, test } from "vitest";
import { type CheckId, conform, type ConformOptions } from "../../src/engine/conform/conform.ts";
import { chunked } from "../../src/engine/policies/chunked.ts";
import {
  NO_BLOCKS,
  NONE,
  type BatchingPlugin,
  type BatchingPolicy,
  type OrderPlugin,
  type StepView,
} from "../../src/engine/policies/policy.ts";
import { batchingPlugins, orderPlugins, registerPolicy } from "../../src/engine/policies/registry.ts";

const SHIPPED = batchingPlugins.length;
const OPTIONS: ConformOptions = { seed: "7", scenarios: 80, only: null };

afterEach(() => batchingPlugins.splice(SHIPPED));

test.each([...batchingPlugins, ...orderPlugins].map((plugin) => [plugin.name, plugin] as const))(
  "%s conforms, and each of its options moves a time",
  (_, plugin) => {
    const { passed, checks, options, reached, tried } = conform(plugin, { ...OPTIONS, seed: "11" });
    expect(checks).toEqual({ rules: null, length: null, repeat: null, oracle: null, leap: null });
    expect(passed).toBe(true);
    expect(options).toEqual(Object.keys(plugin.options).map((name) => ({ name, moves: true })));
    expect(Math.min(...Object.values(tried))).toBe(OPTIONS.scenarios);
    for (const count of [reached.preemptions, reached.chunkedPrompts, reached.cancelled])
      expect(count).toBeGreaterThan(0);
    // Leaping is tried, not only walking.
    expect(reached.boundaries).toBeLessThan(0.6 * reached.steps);
  },
);

/** A policy to plant a fault in: decodes one by one, chunks, admissions; walked, because it claims nothing. */
function sound(step: StepView, decoding: (all: readonly number[]) => readonly number[] = (all) => all): boolean {
  let preempted = false;
  const running = Array.from({ length: step.runningCount }, (_, i) => step.runningAt(i));
  const gone = new Set<number>();
  const preempt = (): number => {
    const victim = step.victim();
    step.preempt(victim);
    gone.add(victim);
    preempted = true;
    return victim;
  };
  for (const request of decoding(running.filter((one) => step.isDecoding(one))))
    while (!gone.has(request) && !step.decode(request)) preempt();
  for (let request = step.nextPrefill(); request !== NONE; request = step.nextPrefill()) {
    let taken = step.prefill(request, step.longestChunkTokens);
    while (taken === NO_BLOCKS && preempt() !== request) taken = step.prefill(request, step.longestChunkTokens);
    if (taken === 0) break;
  }
  return preempted;
}

function admitAll(step: StepView): void {
  for (let request = step.firstWaiting(); request !== NONE; request = step.firstWaiting())
    if (step.admit(request, step.longestChunkTokens) <= 0) return;
}

function plant(create: () => BatchingPolicy, options: BatchingPlugin["options"] = {}): BatchingPlugin {
  const plugin: BatchingPlugin = { kind: "batching", name: "planted", doc: "A test.", options, create };
  registerPolicy(plugin);
  return plugin;
}

test("the sound policy that faults are planted in conforms, walked", () => {
  const result = conform(
    plant(() => ({ schedule: (step) => void (sound(step) || admitAll(step)) })),
    OPTIONS,
  );
  expect(result.checks).toEqual({ rules: null, length: null, repeat: null, oracle: null, leap: null });
  expect(result.reached.boundaries).toBe(result.reached.steps);
});

test("the longest wait under load is told beside that of fcfs, and replayed by its number", () => {
  const { waits } = conform(chunked, OPTIONS);
  expect(waits).toMatchObject({ ratio: 1, overtakenBy: 0 });
  expect(waits!.longestS).toBeGreaterThan(0);
  expect(conform(chunked, { ...OPTIONS, only: waits!.scenario }).waits).toEqual(waits);
  expect(conform(chunked, { ...OPTIONS, only: waits!.scenario + 1 }).waits).toBeNull();
});

/** Admits whom `better` prefers of two that wait. */
function byChoice(better: (step: StepView, one: number, other: number) => boolean): BatchingPolicy {
  return {
    schedule(step) {
      if (sound(step)) return;
      for (;;) {
        let best = NONE;
        for (let i = 0; i < step.waitingCount; i++) {
          const one = step.waitingAt(i);
          if (best === NONE || better(step, one, best)) best = one;
        }
        if (best === NONE || step.admit(best, step.longestChunkTokens) <= 0) return;
      }
    },
  };
}

test.each([
  ["the last to arrive is first", () => byChoice((step, one, other) => step.arrivedS(one) > step.arrivedS(other))],
  ["long prompts come last", () => byChoice((step, one, other) => step.inputTokens(one) < step.inputTokens(other))],
])("a policy that starves conforms, and its longest wait tells it: %s", (_, create) => {
  const { waits } = conform(plant(create), { ...OPTIONS, scenarios: 200 });
  expect(waits!.ratio).toBeGreaterThan(2);
  expect(waits!.overtakenBy).toBeGreaterThan(30);
});

/** Half of the batch in every second step. */
function halfOnOddSteps(): BatchingPolicy {
  let odd = false;
  return {
    schedule(step) {
      odd = !odd;
      const half = (all: readonly number[]): readonly number[] => (odd ? all.slice(0, Math.ceil(all.length / 2)) : all);
      if (!sound(step, half)) admitAll(step);
    },
    leap: () => Infinity,
  };
}

/** Admits at multiples of 50 ms by its own clock. */
function onItsOwnTimer(): BatchingPolicy {
  let nextS = 0;
  return {
    schedule(step) {
      const preempted = sound(step);
      if (!preempted && step.nowS >= nextS) {
        admitAll(step);
        while (nextS <= step.nowS) nextS += 0.05;
      }
      if (step.runningCount === 0 && step.waitingCount > 0) step.wakeAt(nextS);
    },
    leap: () => Infinity,
  };
}

const faults: readonly (readonly [what: string, caughtBy: CheckId, create: () => BatchingPolicy])[] = [
  ["a leap claimed by a policy that decodes half of the batch in odd steps", "leap", halfOnOddSteps],
  ["a leap claimed by a policy that admits by its own timer", "leap", onItsOwnTimer],
  ["wakes denied although an arrival would be admitted", "leap", () => ({ ...chunked.create({}), wakes: () => false })],
  [
    "the true length asked for",
    "length",
    () => ({
      schedule(step) {
        if (sound(step)) return;
        let shortest = NONE;
        for (let i = 0; i < step.waitingCount; i++) {
          const one = step.waitingAt(i);
          if (shortest === NONE || step.predictedOutputTokens(one, 0) < step.predictedOutputTokens(shortest, 0))
            shortest = one;
        }
        if (shortest !== NONE) step.admit(shortest, step.longestChunkTokens);
      },
    }),
  ],
  [
    "the numbers of requests as their order",
    "oracle",
    () => ({
      schedule(step) {
        if (sound(step)) return;
        for (;;) {
          let lowest = Infinity;
          for (let i = 0; i < step.waitingCount; i++) lowest = Math.min(lowest, step.waitingAt(i));
          if (lowest === Infinity || step.admit(lowest, step.longestChunkTokens) <= 0) return;
        }
      },
    }),
  ],
  [
    "a way round the interface to the true length",
    "oracle",
    () => ({
      schedule(step) {
        if (sound(step)) return;
        const table = (step as unknown as { table?: { outputTokens: Int32Array } }).table;
        const first = step.firstWaiting();
        const long = first !== NONE && table !== undefined && table.outputTokens[first]! > 10;
        if (!long || step.runningCount === 0) admitAll(step);
      },
    }),
  ],
  [
    "luck that differs between two runs",
    "repeat",
    (() => {
      let draws = 0;
      return () => ({
        schedule(step: StepView) {
          if (sound(step) || (++draws % 7 === 3 && step.runningCount > 0)) return;
          admitAll(step);
        },
      });
    })(),
  ],
  [
    "idleness with requests waiting",
    "rules",
    () => ({ schedule: (step) => void (step.runningCount > 2 || sound(step) || admitAll(step)) }),
  ],
  [
    "more tokens than the budget",
    "rules",
    () => ({
      schedule(step) {
        for (let request = step.nextPrefill(); request !== NONE; request = step.nextPrefill())
          if (step.prefill(request, step.longestChunkTokens) <= 0) break;
        admitAll(step);
        while (!step.decodeAll()) step.preempt(step.victim());
      },
    }),
  ],
  [
    "a request that has left",
    "rules",
    () => {
      let remembered = NONE;
      return {
        schedule(step) {
          if (remembered !== NONE) step.generatedTokens(remembered);
          if (step.runningCount > 0) remembered = step.runningAt(0);
          if (!sound(step)) admitAll(step);
        },
      };
    },
  ],
  [
    "a view that is written into",
    "rules",
    () => ({
      schedule(step) {
        (step as { nowS: number }).nowS += 1;
        if (!sound(step)) admitAll(step);
      },
    }),
  ],
  [
    "half a token admitted",
    "rules",
    () => ({
      schedule(step) {
        if (!sound(step) && step.firstWaiting() !== NONE) step.admit(step.firstWaiting(), 0.5);
      },
    }),
  ],
  [
    "a chunk of a prompt in fractions",
    "rules",
    () => ({
      schedule(step) {
        const unfinished = step.nextPrefill();
        if (unfinished !== NONE) step.prefill(unfinished, 2.5);
        if (!sound(step)) admitAll(step);
      },
    }),
  ],
  [
    "a schedule that never ends",
    "rules",
    () => ({
      schedule(step) {
        while (step.waitingCount > 0) step.firstWaiting();
      },
    }),
  ],
];

test.each(faults)("%s is caught by the check of its %s", (_, caughtBy, create) => {
  const { passed, checks } = conform(plant(create), { ...OPTIONS, scenarios: 40 });
  expect(passed).toBe(false);
  const failure = checks[caughtBy];
  expect(failure).not.toBeNull();
  // It is printed small, and its number replays it.
  expect(failure!.small.requests.length).toBeLessThan(8);
  const plugin = batchingPlugins.at(-1)!;
  if (caughtBy !== "repeat")
    expect(conform(plugin, { ...OPTIONS, only: failure!.scenario }).checks[caughtBy]).not.toBeNull();
});

/** Makes every second step without admissions, by a count that is kept where `shared` says. */
function everySecondStep(shared: boolean): () => BatchingPolicy {
  const all = { steps: 0 };
  return () => {
    const count = shared ? all : { steps: 0 };
    return {
      schedule(step) {
        // An idle replica begins anew, so that what one run leaves behind does not reach the next.
        if (step.runningCount === 0) count.steps = 0;
        if (!sound(step) && count.steps++ % 2 === 0) admitAll(step);
      },
    };
  };
}

test("a leap over a decision that comes late in an answer is caught", () => {
  const QUANTUM = 256;
  const plugin: BatchingPlugin = {
    kind: "batching",
    name: "late",
    doc: "Answers beyond a quantum wait while there are shorter ones.",
    options: {},
    create: () => ({
      schedule(step) {
        const young = (one: number): boolean => step.generatedTokens(one) < QUANTUM;
        if (!sound(step, (all) => (all.some(young) ? all.filter(young) : all))) admitAll(step);
      },
      leap: () => Infinity,
      wakes: () => true,
    }),
  };
  registerPolicy(plugin);
  const { checks, reached } = conform(plugin, OPTIONS);
  expect(reached.longestAnswer).toBeGreaterThan(1000);
  expect(reached.longestPrompt).toBeGreaterThan(1000);
  expect(Object.entries(checks).flatMap(([id, failure]) => (failure === null ? [] : [id]))).toEqual(["leap"]);
});

test("what all replicas of a policy share is caught by the check of its repeat, and no other", () => {
  const options = { ...OPTIONS, scenarios: 20 };
  expect(conform(plant(everySecondStep(false)), options).passed).toBe(true);
  batchingPlugins.pop();
  const { checks } = conform(plant(everySecondStep(true)), options);
  expect(checks.repeat?.message).toMatch(/fares differently alone and beside another replica .* made in create/);
  expect(checks).toMatchObject({ rules: null, oracle: null, leap: null });
});

test.each([NaN, undefined, "5"])("a queue order that gives the key %j is told by its rules, at once", (key) => {
  const plugin: OrderPlugin = {
    kind: "order",
    name: "planted-order",
    doc: "A test.",
    options: {},
    victim: "last-admitted",
    create: () => ({ key: () => key as number }),
  };
  registerPolicy(plugin);
  const { checks } = conform(plugin, { ...OPTIONS, scenarios: 5 });
  orderPlugins.pop();
  const shown = key === "5" ? '"5"' : String(key);
  expect(checks.rules?.message).toBe(`planted-order gives a request the key ${shown}: a number is needed`);
  expect(checks).toMatchObject({ oracle: null, leap: null });
});

test("a scenario whose two runs differ blames neither the interface nor the leap", () => {
  let runs = 0;
  // Every second replica that is made takes one request at a time.
  const plugin = plant(() => {
    const alone = ++runs % 2 === 0;
    return { schedule: (step) => void (sound(step) || (alone && step.runningCount > 0) || admitAll(step)) };
  });
  const { checks } = conform(plugin, { ...OPTIONS, scenarios: 3 });
  expect(checks.repeat?.message).toMatch(/fares differently run twice: it depends on chance, a clock or earlier runs/);
  expect(checks).toMatchObject({ rules: null, oracle: null, leap: null });
});

test("an option that does nothing is named", () => {
  const idle = { idle: { default: 1, min: 0, max: 2, doc: "nothing" } };
  const { passed, options } = conform(
    plant(() => chunked.create({}), idle),
    { ...OPTIONS, scenarios: 20 },
  );
  expect(passed).toBe(true);
  expect(options).toEqual([{ name: "idle", moves: false }]);
});

test("tokens in fractions are told as such, by the rules alone", () => {
  const create = (): BatchingPolicy => ({
    schedule(step) {
      if (!sound(step) && step.firstWaiting() !== NONE) step.admit(step.firstWaiting(), 0.5);
    },
  });
  const { checks, tried } = conform(plant(create), { ...OPTIONS, scenarios: 20 });
  expect(checks.rules?.message).toBe("prefill and admit need a whole number of tokens, not 0.5");
  expect([checks.oracle, tried.oracle]).toEqual([null, 0]);
});

test("a fault that comes with a prefix cache alone is a broken rule and no false leap", () => {
  const plugin = plant(() => ({
    schedule(step) {
      const first = step.firstWaiting();
      if (
        first !== NONE &&
        step.generatedTokens(first) === 0 &&
        step.prefillTokensLeft(first) % step.blockTokens === step.inputTokens(first) % step.blockTokens &&
        step.prefillTokensLeft(first) < step.inputTokens(first)
      )
        throw new Error("did not expect a cache");
      if (!sound(step)) admitAll(step);
    },
  }));
  const { checks } = conform(plugin, { ...OPTIONS, scenarios: 200 });
  expect(checks.rules?.message).toMatch(/^with a prefix cache: .*did not expect a cache/);
  expect(checks).toMatchObject({ oracle: null, leap: null });
});
