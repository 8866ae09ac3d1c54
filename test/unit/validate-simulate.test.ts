/** Recorded loads in simulation: closed clients, sessions, several replicas, shared prompts. Steps of 10 ms make times plain. */
import { describe, expect, test } from "vitest";
import { DEFAULT_SCHEDULER } from "../../src/engine/scheduler-spec.ts";
import type { EngineSpec } from "../../src/engine/spec.ts";
import type { StepTime } from "../../src/engine/step-time.ts";
import { type CaseArrivals, caseArrivals } from "../../src/experiment/validate/arrivals.ts";
import type { CaseTimes } from "../../src/experiment/validate/metrics.ts";
import { simulateCase } from "../../src/experiment/validate/simulate-case.ts";
import { arrivalsOf, RECORDED, recorded, ROOMY_ENGINE } from "../fixtures/recorded-case.ts";

const STEP_S = 0.01;
const steady: StepTime = {
  decodeBaseS: new Float64Array(65).fill(STEP_S),
  perContextTokenS: 0,
  mixedS: () => STEP_S,
};

function engine(maxNumSeqs = 64): EngineSpec {
  return { ...ROOMY_ENGINE, maxNumSeqs };
}

const ROUND_ROBIN = { name: "round-robin", options: {} };

function simulate(arrivals: CaseArrivals, replicas = 1, maxNumSeqs = 64): CaseTimes {
  const spec = engine(maxNumSeqs);
  return simulateCase({
    engine: spec,
    stepTime: steady,
    arrivals,
    replicas,
    router: ROUND_ROBIN,
    scheduler: DEFAULT_SCHEDULER,
    handOff: null,
  });
}

const inSteps = (times: Float64Array): number[] => Array.from(times, (timeS) => Math.round(timeS / STEP_S));

describe("who is sent when", () => {
  test("closed: each request that ends sends the next; three tokens take three steps", () => {
    const times = simulate(arrivalsOf(5, { clients: { concurrency: 2, warmupRequests: 0 } }));
    expect(inSteps(times.arrivalS)).toEqual([0, 0, 3, 3, 6]);
    expect(inSteps(times.firstTokenS)).toEqual([1, 1, 4, 4, 7]);
    expect(inSteps(times.lastTokenS)).toEqual([3, 3, 6, 6, 9]);
  });

  test("closed: the warm-up has ended before the first that counts is sent", () => {
    const times = simulate(arrivalsOf(5, { clients: { concurrency: 2, warmupRequests: 3 } }));
    expect(inSteps(times.arrivalS)).toEqual([0, 0, 3, 6, 6]);
  });

  test("closed: different lengths, and the freed client goes on alone", () => {
    const outputTokens = Uint32Array.of(2, 5, 4, 1);
    const times = simulate(arrivalsOf(4, { outputTokens, clients: { concurrency: 2, warmupRequests: 0 } }));
    expect(inSteps(times.arrivalS)).toEqual([0, 0, 2, 5]);
    expect(inSteps(times.lastTokenS)).toEqual([2, 5, 6, 6]);
  });

  test("open with a limit: who comes while it is reached is sent when one has ended, in order", () => {
    const arrivalS = Float64Array.of(0, 0, 0.005, 0.01, 0.2);
    const outputTokens = Uint32Array.of(3, 5, 3, 3, 3);
    const sent = (mostInFlight: number): number[] =>
      inSteps(simulate(arrivalsOf(5, { arrivalS, outputTokens, mostInFlight })).arrivalS);
    expect(sent(2)).toEqual([0, 0, 3, 5, 20]);
    expect(sent(4)).toEqual([0, 0, 1, 1, 20]);
    expect(sent(4)).toEqual(sent(Infinity));
  });

  test("a later turn waits for the earlier, or for its own time", () => {
    const arrivalS = Float64Array.of(0, 0.01, 0.02, 0.5);
    const after = Int32Array.of(-1, -1, 0, 1);
    const times = simulate(arrivalsOf(4, { arrivalS, after, outputTokens: Uint32Array.of(10, 1, 3, 1) }));
    expect(inSteps(times.arrivalS)).toEqual([0, 1, 10, 50]);
    expect(inSteps(times.lastTokenS)).toEqual([10, 2, 13, 51]);
  });

  test("a chain of turns that all came too early runs one after the other", () => {
    const arrivalS = Float64Array.of(0, 0, 0.01);
    const times = simulate(arrivalsOf(3, { arrivalS, after: Int32Array.of(-1, 0, 1) }));
    expect(inSteps(times.arrivalS)).toEqual([0, 3, 6]);
  });

  test("two replicas serve at once what one serves in turn", () => {
    expect(inSteps(simulate(arrivalsOf(2), 1, 1).lastTokenS)).toEqual([3, 6]);
    expect(inSteps(simulate(arrivalsOf(2), 2, 1).lastTokenS)).toEqual([3, 3]);
    // In turn: the third queues behind the first, whose replica it shares.
    const arrivalS = Float64Array.of(0, 0, 0.005);
    expect(
      inSteps(simulate(arrivalsOf(3, { arrivalS, outputTokens: Uint32Array.of(9, 1, 3) }), 2, 1).lastTokenS),
    ).toEqual([9, 1, 12]);
  });
});

describe("shared prompts", () => {
  const constant = (value: number) => ({ dist: "constant", value }) as const;

  function arrivals(load: Readonly<Record<string, unknown>>): CaseArrivals {
    const { inputTokens: _, ...open } = RECORDED.load;
    return caseArrivals(
      recorded({ load: { ...open, ratePerS: 2, requests: 12, outputTokens: constant(7), ...load } }),
      () => null,
    );
  }

  test("one prefix for all: the rest of each prompt is its own", () => {
    const { content, inputTokens } = arrivals({ inputTokens: constant(300), sharedPrefixTokens: 100 });
    expect(new Set(inputTokens)).toEqual(new Set([300]));
    expect(new Set(content!.prefixStream)).toEqual(new Set([0]));
    expect(new Set(content!.prefixTokens)).toEqual(new Set([100]));
    expect(new Set(content!.sessionStream).size).toBe(12);
    expect(new Set(content!.sessionTokens)).toEqual(new Set([0]));
    expect(() => arrivals({ inputTokens: constant(50), sharedPrefixTokens: 100 })).toThrow(/shorter than the shared/);
  });

  test("groups of users in turn: the same user comes again with the same prompt", () => {
    const prefix = { groups: 2, usersPerGroup: 3, systemTokens: 100, questionTokens: 40 };
    const { content, inputTokens, after } = arrivals({ prefix });
    expect(after).toBeNull();
    expect(new Set(inputTokens)).toEqual(new Set([140]));
    const users = Array.from(content!.sessionStream);
    expect(users.slice(0, 6).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(users.slice(6)).toEqual(users.slice(0, 6));
    expect(Array.from(content!.prefixStream)).toEqual(users.map((user) => Math.floor(user / 3)));
    expect(Array.from(content!.sessionTokens)).toEqual([...Array(6).fill(0), ...Array(6).fill(40)]);
  });

  test("conversations: each turn repeats all before it, answers too, and waits for the last answer", () => {
    const prefix = { groups: 2, usersPerGroup: 2, systemTokens: 100, questionTokens: 40, multiTurn: true };
    const { content, inputTokens, after } = arrivals({ prefix });
    const turns = (first: number, step: number): number[] =>
      Array.from({ length: 12 }, (_, i) => first + step * Math.floor(i / 4));
    expect(Array.from(inputTokens)).toEqual(turns(140, 47));
    expect(Array.from(content!.sessionTokens)).toEqual(turns(0, 47));
    expect(Array.from(after!)).toEqual([-1, -1, -1, -1, 0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test("each number moves the prompts; what is not known is refused by name", () => {
    const full = { groups: 1, usersPerGroup: 2, systemTokens: 100, questionTokens: 40, multiTurn: true };
    const total = (prefix: object): number => arrivals({ prefix }).inputTokens.reduce((sum, tokens) => sum + tokens, 0);
    const base = total(full);
    for (const change of [{ usersPerGroup: 3 }, { systemTokens: 90 }, { questionTokens: 41 }, { multiTurn: false }])
      expect(total({ ...full, ...change }), JSON.stringify(change)).not.toBe(base);
    const spread = { dist: "uniform-int", min: 10, max: 1000 };
    expect(new Set(arrivals({ prefix: { ...full, questionTokens: spread, multiTurn: false } }).inputTokens).size).toBe(
      2,
    );
    for (const name of ["systemTokens", "questionTokens", "usersPerGroup"])
      expect(() => arrivals({ prefix: { ...full, [name]: undefined } })).toThrow(name);
  });
});
