/** The theorems of `test/oracle/queueing.test.ts` where they are hardest: high load, many servers, heavy service. */
import { describe, expect, test } from "vitest";
import { expectTheory } from "../oracle/interval.ts";
import {
  DETERMINISTIC,
  discretisationBias,
  erlangB,
  erlangC,
  EXPONENTIAL,
  HYPEREXPONENTIAL,
  replicate,
  waitMg1,
  waitMmc,
} from "../oracle/queueing-models.ts";

describe("M/M/c", () => {
  test.each([
    { servers: 1, load: 0.5, requests: 300_000, power: 0.02 },
    { servers: 1, load: 0.95, requests: 1_000_000, power: 0.1 },
    { servers: 4, load: 0.9, requests: 500_000, power: 0.07 },
    { servers: 32, load: 0.8, requests: 1_000_000, power: 0.05 },
    { servers: 32, load: 0.95, requests: 1_500_000, power: 0.1 },
    { servers: 256, load: 0.95, requests: 1_500_000, power: 0.1 },
  ])("c = $servers at load $load waits as Erlang C says", ({ servers, load, requests, power }) => {
    const runs = replicate(10, { servers, load, service: EXPONENTIAL, discipline: "servers", requests });
    const bias = discretisationBias(load);
    const waits = runs.map((run) => run.waitS);
    expectTheory(waits, waitMmc(servers, load), power, 2 * bias);
    expectTheory(
      runs.map((run) => run.delayedFraction),
      erlangC(servers, load),
      power / 2,
      bias,
    );
  });
});

describe("M/G/1", () => {
  test.each([
    { service: DETERMINISTIC, load: 0.95, requests: 500_000 },
    { service: HYPEREXPONENTIAL, load: 0.8, requests: 500_000 },
  ])("M/$service.name/1 at load $load", ({ service, load, requests }) => {
    const runs = replicate(20, { servers: 1, load, service, discipline: "servers", requests });
    const waits = runs.map((run) => run.waitS);
    expectTheory(waits, waitMg1(load, service.cvSquared), 0.06, discretisationBias(load));
  });
});

describe("Erlang's loss system, a hundred servers", () => {
  test.each([
    { erlangs: 90, service: EXPONENTIAL },
    { erlangs: 110, service: HYPEREXPONENTIAL },
  ])("offered $erlangs erlangs of $service.name", ({ erlangs, service }) => {
    const servers = 100;
    const model = { servers, load: erlangs / servers, service, discipline: "servers", loss: true } as const;
    const blocked = replicate(10, { ...model, requests: 400_000 }).map((run) => run.blockedFraction);
    expectTheory(blocked, erlangB(servers, erlangs), 0.05, 1e-4);
  });
});

describe("processor sharing", () => {
  test.each([{ service: DETERMINISTIC }, { service: HYPEREXPONENTIAL }])(
    "mean slowdown at load 0.9 is 10 under $service.name",
    ({ service }) => {
      const model = { servers: 1, load: 0.9, service, discipline: "processor-sharing" } as const;
      const runs = replicate(20, { ...model, requests: 300_000 });
      const slowdowns = runs.map((run) => run.slowdown);
      expectTheory(slowdowns, 10, 0.06, 2e-3);
      for (const run of runs)
        expect(Math.abs(run.inFlightMean / (run.admittedPerS * run.sojournS) - 1)).toBeLessThan(0.01);
    },
  );
});
