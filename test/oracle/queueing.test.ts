/** The engine as a queue: what it does with synthetic step times is what the theorems of queueing say. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expectTheory, interval } from "./interval.ts";
import {
  DETERMINISTIC,
  discretisationBias,
  ERLANG_2,
  erlangB,
  erlangC,
  EXPONENTIAL,
  HYPEREXPONENTIAL,
  replicate,
  waitMg1,
  waitMmc,
} from "./queueing-models.ts";

interface Reference {
  readonly mmc: readonly {
    readonly servers: number;
    readonly utilisation: number;
    readonly erlangC: number;
    readonly waitMean: number;
  }[];
  readonly mg1: readonly {
    readonly serviceCvSquared: number;
    readonly utilisation: number;
    readonly waitMean: number;
  }[];
  readonly erlangB: readonly {
    readonly servers: number;
    readonly offeredErlangs: number;
    readonly blockingProbability: number;
  }[];
}

const REFERENCE = JSON.parse(
  readFileSync(new URL("../fixtures/queueing-reference.json", import.meta.url), "utf8"),
) as Reference;

test("the formulas of these tests give the recorded values", () => {
  for (const { servers, utilisation, erlangC: probability, waitMean } of REFERENCE.mmc) {
    expect(erlangC(servers, utilisation)).toBeCloseTo(probability, 10);
    expect(waitMmc(servers, utilisation)).toBeCloseTo(waitMean, 10);
  }
  for (const { serviceCvSquared, utilisation, waitMean } of REFERENCE.mg1)
    expect(waitMg1(utilisation, serviceCvSquared)).toBeCloseTo(waitMean, 10);
  for (const { servers, offeredErlangs, blockingProbability } of REFERENCE.erlangB)
    expect(erlangB(servers, offeredErlangs)).toBeCloseTo(blockingProbability, 10);
});

describe("M/M/c: one replica with maxNumSeqs = c", () => {
  test.each([
    { servers: 1, load: 0.5, requests: 15_000, power: 0.06 },
    { servers: 1, load: 0.8, requests: 30_000, power: 0.1 },
    { servers: 4, load: 0.8, requests: 30_000, power: 0.1 },
    { servers: 32, load: 0.85, requests: 120_000, power: 0.1 },
  ])("c = $servers at load $load waits as Erlang C says", ({ servers, load, requests, power }) => {
    const runs = replicate(20, { servers, load, service: EXPONENTIAL, discipline: "servers", requests });
    const bias = discretisationBias(load);
    const waits = runs.map((run) => run.waitS);
    expectTheory(waits, waitMmc(servers, load), power, bias * 2);
    expectTheory(
      runs.map((run) => run.delayedFraction),
      erlangC(servers, load),
      0.05,
      bias,
    );
    expectTheory(
      runs.map((run) => run.sojournS),
      1 + waitMmc(servers, load),
      power,
      bias,
    );
    // Little's law on the batch: sequences in it = arrival rate × service time = offered erlangs.
    expectTheory(
      runs.map((run) => run.occupancyMean),
      servers * load,
      0.02,
      bias,
    );
  });
});

describe("M/G/1: maxNumSeqs = 1", () => {
  test.each([
    { service: DETERMINISTIC, load: 0.8, requests: 20_000 },
    { service: ERLANG_2, load: 0.8, requests: 20_000 },
    { service: EXPONENTIAL, load: 0.3, requests: 10_000 },
    { service: HYPEREXPONENTIAL, load: 0.5, requests: 40_000 },
  ])("M/$service.name/1 at load $load waits as Pollaczek and Khinchine say", ({ service, load, requests }) => {
    const runs = replicate(20, { servers: 1, load, service, discipline: "servers", requests });
    expectTheory(
      runs.map((run) => run.waitS),
      waitMg1(load, service.cvSquared),
      0.1,
      discretisationBias(load),
    );
    expectTheory(
      runs.map((run) => run.busyFraction),
      load,
      0.03,
      discretisationBias(load),
    );
  });

  test("the distributions are told apart: three intervals that do not overlap", () => {
    const waits = [DETERMINISTIC, ERLANG_2, EXPONENTIAL].map((service) =>
      interval(
        replicate(20, { servers: 1, load: 0.5, service, discipline: "servers", requests: 10_000 }).map(
          (run) => run.waitS,
        ),
      ),
    );
    for (let i = 1; i < waits.length; i++)
      expect(waits[i]!.mean - waits[i]!.halfWidth).toBeGreaterThan(waits[i - 1]!.mean + waits[i - 1]!.halfWidth);
  });
});

describe("Erlang's loss system: nobody waits", () => {
  // Insensitive to the service distribution, so more than one is tried.
  test.each([
    { servers: 1, erlangs: 0.5, service: EXPONENTIAL },
    { servers: 5, erlangs: 3, service: DETERMINISTIC },
    { servers: 8, erlangs: 7, service: HYPEREXPONENTIAL },
    { servers: 10, erlangs: 8, service: EXPONENTIAL },
  ])(
    "M/$service.name/$servers/$servers offered $erlangs erlangs blocks as Erlang B says",
    ({ servers, erlangs, service }) => {
      const model = {
        servers,
        load: erlangs / servers,
        service,
        discipline: "servers",
        loss: true,
        requests: 25_000,
      } as const;
      const runs = replicate(20, model);
      const blocked = erlangB(servers, erlangs);
      expectTheory(
        runs.map((run) => run.blockedFraction),
        blocked,
        0.06,
        1e-4,
      );
      expectTheory(
        runs.map((run) => run.occupancyMean),
        erlangs * (1 - blocked),
        0.02,
        1e-4,
      );
    },
  );
});

describe("processor sharing: the step lasts in proportion to the batch", () => {
  test.each([
    { service: EXPONENTIAL, load: 0.5 },
    { service: DETERMINISTIC, load: 0.7 },
    { service: HYPEREXPONENTIAL, load: 0.7 },
  ])("mean slowdown at load $load is 1/(1 − ρ) under $service.name", ({ service, load }) => {
    const runs = replicate(20, { servers: 1, load, service, discipline: "processor-sharing", requests: 15_000 });
    // A short request waits for the end of the step it arrives in: E[N]/2 quanta, divided by its length.
    expectTheory(
      runs.map((run) => run.slowdown),
      1 / (1 - load),
      0.06,
      1e-3,
    );
  });
});

describe("INV-10, Little's law: mean number in the replica = rate let in × mean stay", () => {
  test.each([
    { servers: 4, load: 0.8, service: HYPEREXPONENTIAL, discipline: "servers", loss: false },
    { servers: 10, load: 0.9, service: EXPONENTIAL, discipline: "servers", loss: true },
    { servers: 1, load: 0.7, service: ERLANG_2, discipline: "processor-sharing", loss: false },
  ] as const)("$discipline, c = $servers, load $load, $service.name, loss $loss", (model) => {
    for (const run of replicate(5, { ...model, requests: 20_000 })) {
      // Whoever is inside at either end of the interval is counted in part: that is all the two may differ by.
      expect(Math.abs(run.inFlightMean / (run.admittedPerS * run.sojournS) - 1)).toBeLessThan(0.02);
      expect(run.occupancyMean).toBeLessThanOrEqual(run.inFlightMean * (1 + 1e-9));
    }
  });
});
