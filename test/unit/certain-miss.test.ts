/** A sizing trial ends as soon as its fleet misses for certain: with the same answer as its whole days, and much sooner. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { CertainMiss, type DayRequests, MissWatch } from "../../src/experiment/certain-miss.ts";
import { meetsSlo, sizingTasks } from "../../src/experiment/size-pool.ts";
import { countDay, type DayOutcome, runSizing, type SizingTask } from "../../src/experiment/size-trial.ts";
import { BOUNDARY_REFUSED, COMPLETED, IN_FLIGHT_AT_HORIZON, REJECTED, TIMED_OUT } from "../../src/outcome/recorder.ts";
import type { ResolvedExperiment } from "../../src/scenario/resolved.ts";
import { type Raw, resolveRaw, smallExperiment } from "../fixtures/experiment.ts";
import { wholeDay } from "../fixtures/whole-day.ts";

const SESSIONS = {
  turns: [1, 1, 1, 1],
  thinkTimeS: { medianS: 20, sigma: 1 },
  newInput: { kind: "constant", tokens: 200 },
  maxContextTokens: 4000,
};

interface Scenario {
  readonly seed: number;
  readonly requestsPerS: number;
  readonly target: number;
  readonly ttftMs: number;
  readonly timeoutS: number;
  readonly basis: "requests" | "windows";
  readonly both: boolean;
  readonly sessions: boolean;
  readonly overflow: boolean;
}

const PLAIN: Scenario = {
  seed: 1,
  requestsPerS: 20,
  target: 0.99,
  ttftMs: 300,
  timeoutS: 60,
  basis: "requests",
  both: false,
  sessions: false,
  overflow: false,
};

function experimentOf(scenario: Scenario): ResolvedExperiment {
  const { seed, requestsPerS, target, ttftMs, timeoutS, basis, both, sessions, overflow } = scenario;
  const slo = { ttftMs, target, basis };
  const gpus = {
    llm: "llama-3.1-8b",
    gpu: "h100-sxm",
    gpuPrice: { usdPerGpuHour: 2 },
    maxNumSeqs: 2,
    ...(overflow && { maxWaitingPerReplica: 3 }),
  };
  const to = overflow ? [{ to: "gpus", overflowInFlightPerReplica: 4 }, "gpt"] : ["gpus"];
  const raw: Raw = {
    ...smallExperiment(),
    days: 1 / 48,
    warmupMinutes: 2,
    replications: 2,
    seed,
    classes: both
      ? [
          { name: "open", share: 0.7, slo, timeoutS },
          { name: "other", share: 0.3, slo: { ttftMs: 2 * ttftMs, target: 0.9 }, timeoutS },
        ]
      : [{ name: "open", share: 1, slo, timeoutS }],
    traffic: {
      requestsPerS,
      growthPerMonth: 0,
      burst: { components: [{ cv: 0.8, tauS: 300 }], gapCv: 1 },
      input: { kind: "lognormal", meanTokens: 400, sigma: 1, minTokens: 1, maxTokens: 4000 },
      output: { kind: "lognormal", meanTokens: 60, sigma: 1, minTokens: 1, maxTokens: 600 },
      ...(sessions && { sessions: SESSIONS }),
    },
    strategies: {
      own: {
        pools: { gpus },
        ...(overflow && { offers: { gpt: { offer: "openai/gpt-5-mini@tier-5", limits: "none" } } }),
        routes: { open: to, ...(both && { other: to }) },
      },
    },
  };
  return resolveRaw(raw).experiment;
}

/** All days with so many replicas, in the order given, as one thread does them. */
function trial(
  experiment: ResolvedExperiment,
  tasks: readonly SizingTask[],
  requests: readonly DayRequests[],
  replicas: number,
): DayOutcome[] {
  const missed = new Int32Array(tasks.length * experiment.classes.length);
  return tasks.map((task, day) => runSizing(task, [replicas], { requests: requests[day]!, day, missed }));
}

test("trials that may end early say of each size what whole ones say", () => {
  const seen = { endedEarly: 0, missedWhole: 0, met: 0, windows: 0, sessions: 0 };
  fc.assert(
    fc.property(
      fc.record<Scenario>({
        seed: fc.nat(1000),
        requestsPerS: fc.double({ min: 1, max: 20, noNaN: true }),
        target: fc.constantFrom(0.5, 0.9, 0.99, 1),
        ttftMs: fc.constantFrom(100, 300, 2000),
        timeoutS: fc.constantFrom(5, 60, 5000),
        basis: fc.constantFrom("requests", "windows"),
        both: fc.boolean(),
        sessions: fc.boolean(),
        overflow: fc.boolean(),
      }),
      (scenario) => {
        const experiment = experimentOf(scenario);
        const tasks = sizingTasks(experiment, 0);
        const requests = tasks.map(countDay);
        for (const replicas of [1, 2, 4, 8]) {
          const whole = meetsSlo(
            experiment,
            tasks.map((task) => wholeDay(task, [replicas])),
          );
          const outcomes = trial(experiment, tasks, requests, replicas);
          const attainments = outcomes.flatMap(({ attainments }) => (attainments === null ? [] : [attainments]));
          const ended = attainments.length < tasks.length;
          expect(!ended && meetsSlo(experiment, attainments)).toBe(whole);
          if (whole) seen.met++;
          else if (!ended) seen.missedWhole++;
          else {
            seen.endedEarly++;
            if (scenario.basis === "windows" && !scenario.sessions) seen.windows++;
            if (scenario.sessions) seen.sessions++;
          }
        }
      },
    ),
    { numRuns: 24, seed: 11 },
  );
  for (const times of Object.values(seen)) expect(times).toBeGreaterThan(5);
});

test.each(["requests", "windows"] as const)("a hopeless size ends after a small part of its days, by %s", (basis) => {
  const experiment = experimentOf({ ...PLAIN, basis });
  const tasks = sizingTasks(experiment, 0);
  const requests = tasks.map(countDay);
  const [first, second] = trial(experiment, tasks, requests, 1);
  expect(first).toMatchObject({ attainments: null });
  expect(first!.requests).toBeLessThan(0.1 * requests[0]!.most[0]!);
  // What one day proves ends the other before it begins.
  expect(second).toEqual({ attainments: null, requests: 0 });
});

test("the requests of a day are counted as they are sent; of sessions never fewer, however fast they are served", () => {
  for (const sessions of [false, true]) {
    const experiment = experimentOf({
      ...PLAIN,
      seed: 3,
      requestsPerS: 4,
      target: 0.9,
      basis: "windows",
      both: true,
      sessions,
    });
    const [task] = sizingTasks(experiment, 0);
    const { most, sentByMinute } = countDay(task!);
    const sent = most.reduce((sum, count) => sum + count, 0);
    for (const replicas of [1, 8]) {
      const { requests } = runSizing(task!, [replicas], {
        requests: { most: [Infinity, Infinity], sentByMinute: null },
        day: 0,
        missed: new Int32Array(2),
      });
      // Simulated are those of the warm-up too.
      expect(requests).toBeGreaterThan(0.9 * sent);
      if (sessions) expect(requests).toBeLessThanOrEqual(sent);
      else expect(requests).toBeGreaterThanOrEqual(sent);
    }
    if (sessions) expect(sentByMinute).toBeNull();
    else expect(sentByMinute!.reduce((sum, count) => sum + count, 0)).toBe(sent);
  }
});

/** Minutes with so many requests each, every one of them sent at the minute's start; of one class. */
function watchOf(basis: "requests" | "windows", target: number, perMinute: readonly number[]) {
  const experiment = experimentOf({ ...PLAIN, basis, target });
  const requests: DayRequests = {
    most: [perMinute.reduce((sum, count) => sum + count, 0)],
    sentByMinute: Uint32Array.from(perMinute),
  };
  const watch = new MissWatch({ requests, day: 0, missed: new Int32Array(1) }, experiment.classes, [false]);
  /** So many requests of a minute end. True when that is the end of the trial. */
  return (minute: number, count: number, outcome = COMPLETED, ttftS = 99): boolean => {
    try {
      for (let i = 0; i < count; i++) watch.row(0, 60 * minute, 0, 0, 1, 1, ttftS, NaN, 99, outcome);
      return false;
    } catch (error) {
      if (error instanceof CertainMiss) return true;
      throw error;
    }
  };
}

test("by requests: more misses than the target allows, of all requests that the day can answer", () => {
  const ends = watchOf("requests", 0.9, [500, 500]);
  expect(ends(0, 300, COMPLETED, 0.1)).toBe(false);
  expect(ends(0, 300, BOUNDARY_REFUSED)).toBe(false);
  expect(ends(0, 300, IN_FLIGHT_AT_HORIZON)).toBe(false);
  expect(ends(0, 60, REJECTED)).toBe(false);
  // A hundred of the thousand may miss.
  expect(ends(0, 40)).toBe(false);
  expect(ends(0, 1, TIMED_OUT)).toBe(true);
});

test("by windows: those that are settled and bad, of all that there can be", () => {
  const ends = watchOf(
    "windows",
    0.5,
    Array.from({ length: 10 }, () => 30),
  );
  // The first minute is not settled, so those after it tell nothing yet: what windows they fall into is open.
  for (let minute = 1; minute < 8; minute++) expect(ends(minute, 30)).toBe(false);
  expect(ends(0, 29)).toBe(false);
  // Eight of ten are bad then.
  expect(ends(0, 1)).toBe(true);

  const inOrder = watchOf(
    "windows",
    0.5,
    Array.from({ length: 10 }, () => 30),
  );
  for (let minute = 0; minute < 5; minute++) expect(inOrder(minute, 30)).toBe(false);
  expect(inOrder(5, 30)).toBe(true);

  // Two of these minutes make a window, so there are fewer than ten.
  const merged = watchOf(
    "windows",
    0.5,
    Array.from({ length: 10 }, () => 10),
  );
  for (let minute = 0; minute < 7; minute++) expect(merged(minute, 10)).toBe(false);
  expect(merged(7, 10)).toBe(true);
});
