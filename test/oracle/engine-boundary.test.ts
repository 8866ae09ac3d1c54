/** Single boundaries worked out by hand, for the engine and the naive stepper alike: what the rules say, instant by instant. */
import { describe, expect, test } from "vitest";
import type { StepTime } from "../../src/engine/step-time.ts";
import { stepThrough } from "./naive-stepper.ts";
import { driveScenario } from "./replica-driver.ts";
import { engineSpec, type Scenario, type ScenarioRequest } from "./scenario.ts";

/** A decode step lasts 1 s, a step with prefill 1 s and 1/8 s per prefill token. */
const STEP_TIME: StepTime = {
  decodeBaseS: new Float64Array(9).fill(1),
  perContextTokenS: 0,
  mixedS: (_decodeSeqs, _contextTokens, prefillTokens) => 1 + prefillTokens / 8,
};

function request(arrivalS: number, inputTokens: number, outputTokens: number, cancelS = Infinity): ScenarioRequest {
  return { arrivalS, inputTokens, outputTokens, cancelS };
}

function scenario(
  requests: ScenarioRequest[],
  options: Partial<Scenario["spec"]> = {},
  rest: Partial<Scenario> = {},
): Scenario {
  return {
    spec: engineSpec({ maxNumSeqs: 8, maxNumBatchedTokens: 64, kvBlocks: 1000, ...options }),
    stepTime: STEP_TIME,
    requests,
    failuresS: [],
    booksS: [],
    ...rest,
  };
}

describe.each([
  ["the engine", (s: Scenario) => driveScenario(s)],
  ["the naive stepper", (s: Scenario) => stepThrough(s)],
])("%s", (_, run) => {
  test("one request: the first token ends the prefill, each further token is a step", () => {
    const { fates, integrals } = run(scenario([request(2, 16, 5)]));
    // Prefill 1 + 16/8 = 3 s, then four decode steps.
    expect(fates).toEqual([{ kind: "completed", timeS: 9, firstTokenS: 5 }]);
    // KV: 16 tokens for 3 s, then 17, 18, 19, 20 for 1 s each.
    expect(integrals).toEqual([{ busyS: 7, sequenceS: 7, kvTokenS: 16 * 3 + 17 + 18 + 19 + 20 }]);
  });

  test("a single output token completes with the prefill", () => {
    expect(run(scenario([request(0, 8, 1)])).fates).toEqual([{ kind: "completed", timeS: 2, firstTokenS: 2 }]);
  });

  test("a prompt above the budget comes in chunks, and decodes go first", () => {
    // Budget 9: the second prompt of 16 gets 8 beside the decode, then 8 more.
    const outcome = run(scenario([request(0, 8, 20), request(0.5, 16, 2)], { maxNumBatchedTokens: 9 }));
    // First: prefill to 2 s. Second: chunks of 8 end at 4 s and 6 s (2 s each), its second token at 7 s.
    expect(outcome.fates[1]).toEqual({ kind: "completed", timeS: 7, firstTokenS: 6 });
  });

  test("an arrival amid a stretch is admitted at the next boundary", () => {
    const outcome = run(scenario([request(0, 8, 50), request(10.25, 8, 1)]));
    expect(outcome.fates[1]).toEqual({ kind: "completed", timeS: 13, firstTokenS: 13 });
  });

  test("an arrival at the very end of a step is in the next one", () => {
    const outcome = run(scenario([request(0, 8, 50), request(10, 8, 1)]));
    expect(outcome.fates[1]).toEqual({ kind: "completed", timeS: 12, firstTokenS: 12 });
  });

  test("out of blocks, the last admitted is preempted and its whole context recomputed first", () => {
    // Two contexts of 4 with blocks of 4 and three blocks in all: at 3 s the first takes the third block (5 tokens)
    // and nothing is left for the second, which has one token out.
    const outcome = run(scenario([request(0, 4, 3), request(0, 4, 3)], { blockTokens: 4, kvBlocks: 3 }));
    // Prefill of 8 tokens: 2 s. The first completes at 4 s; then the second recomputes 5 tokens, 1.625 s, and decodes once.
    expect(outcome.counts.preemptions).toBe(1);
    expect(outcome.fates).toEqual([
      { kind: "completed", timeS: 4, firstTokenS: 2 },
      { kind: "completed", timeS: 6.625, firstTokenS: 2 },
    ]);
  });

  test("a running request cancelled amid a step leaves at its end, without its token", () => {
    const outcome = run(scenario([request(0, 8, 50, 10.25)]));
    expect(outcome.fates).toEqual([{ kind: "cancelled-running", timeS: 11, firstTokenS: 2 }]);
  });

  test("a running request cancelled at the very end of a step leaves then", () => {
    const outcome = run(scenario([request(0, 8, 50, 2)]));
    expect(outcome.fates).toEqual([{ kind: "cancelled-running", timeS: 2, firstTokenS: 2 }]);
    expect(outcome.integrals[0]!.busyS).toBe(2);
  });

  test("a waiting request cancelled leaves at once", () => {
    const outcome = run(scenario([request(0, 8, 50), request(1, 8, 1, 5.5)], { maxNumSeqs: 1 }));
    expect(outcome.fates[1]).toEqual({ kind: "cancelled-waiting", timeS: 5.5, firstTokenS: NaN });
  });

  test("a failure loses everything but what was measured until then, and the replica works on", () => {
    const outcome = run(scenario([request(0, 8, 50), request(20, 8, 2)], {}, { failuresS: [10.25] }));
    expect(outcome.fates).toEqual([
      { kind: "lost", timeS: 10.25, firstTokenS: 2 },
      { kind: "completed", timeS: 23, firstTokenS: 22 },
    ]);
    expect(outcome.integrals[0]!.busyS).toBe(10.25 + 3);
    // One prefill and eight whole decode steps before the failure, two steps after it.
    expect(outcome.counts.steps).toBe(1 + 8 + 2);
  });
});

test("the gaps heard before a failure or a cancellation are in the sketch", () => {
  // First token at 2 s, failure at 10.25 s: eight whole gaps of 1 s.
  expect(driveScenario(scenario([request(0, 8, 50)], {}, { failuresS: [10.25] })).gapsS[0]!.samples()).toBe(8);
  // Cancelled at 10.25 s, it leaves at 11 s; the last token that its client hears is that of 10 s.
  expect(driveScenario(scenario([request(0, 8, 50, 10.25)])).gapsS[0]!.samples()).toBe(8);
});
