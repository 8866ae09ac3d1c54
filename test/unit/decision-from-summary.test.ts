/** How simulation results become the inputs of the decision. */
import { describe, expect, test } from "vitest";
import { decideExperiment, decisionAssumptions, decisionInputs } from "../../src/decision/from-summary.ts";
import type { DecidedExperiment, StrategyEvidence, SummaryEvidence } from "../../src/decision/from-summary.ts";
import type { RequestClass, ResolvedStrategy } from "../../src/scenario/resolved.ts";
import type { Estimate } from "../../src/experiment/findings.ts";
import { THRESHOLDS } from "./decision-archetypes.ts";

const ORIGIN = { runIds: ["r1"], inputHash: "h", priceBookDate: "2026-11" };

const about = (mean: number, half = 0): Estimate => ({ mean, lo: mean - half, hi: mean + half, n: 10 });

function requestClass(name: string, shareFraction: number, more: Partial<RequestClass> = {}): RequestClass {
  return {
    name,
    shareFraction,
    sensitivity: "none",
    redactable: false,
    minLevel: 0,
    allowedPlaces: ["private_vpc", "onprem"],
    quality: "open_ok",
    premiumPrivatelyOffered: false,
    customization: [],
    slo: { ttftS: 3, tpotS: null, e2eS: null, targetFraction: 0.98, strict: false, attainBasis: "requests" },
    timeoutS: 600,
    priority: 0,
    sharedPrefix: null,
    ...more,
  };
}

function strategy(name: string, option: ResolvedStrategy["option"], more: object = {}): ResolvedStrategy {
  const base = {
    name,
    title: name,
    option,
    pools: [],
    offers: [],
    routes: [],
    barred: [null, null],
    counterfactual: false,
  };
  return { ...base, ...more };
}

const POOL = { name: "own", place: "private_vpc", boundaryLevel: 5 };
const TO_POOL = [{ kind: "pool", index: 0, overflowInFlightPerReplica: null }];

/** Only the fields that the decision reads. */
function experiment(more: Partial<DecidedExperiment> = {}): DecidedExperiment {
  const fields = {
    classes: [requestClass("open", 0.8), requestClass("restricted", 0.2, { sensitivity: "restricted", minLevel: 5 })],
    strategies: [
      strategy("api-first", "api", { barred: [null, "restricted data may not leave"] }),
      strategy("own", "self", { pools: [POOL], routes: [TO_POOL, TO_POOL] }),
      strategy("hybrid", "split", { pools: [POOL], routes: [TO_POOL, TO_POOL] }),
    ],
    team: {
      preset: "ready",
      levels: { platform: 3, gpu_capacity: 3, observability: 3, release: 3, incident_coverage: 3, perf_engineering: 2 },
      rotaOk: null,
    },
    thresholds: THRESHOLDS,
    assumptions: [
      { id: "offers/a/price", label: "", value: 1, unit: "", kind: "assumed", source: "", asOf: "" },
      { id: "gpus/h100/power", label: "", value: 1, unit: "", kind: "assumed", source: "", asOf: "" },
      { id: "gpus/h100/memory", label: "", value: 1, unit: "", kind: "published", source: "", asOf: "" },
      {
        id: "traffic/chat/cv",
        label: "",
        value: 1,
        unit: "",
        kind: "published",
        source: "",
        asOf: "",
        unverified: true,
      },
    ],
    ...more,
  };
  return fields as unknown as DecidedExperiment;
}

type ClassEvidence = StrategyEvidence["classes"][number];

function classSummary(name: string, usd: number, more: Partial<ClassEvidence> = {}): ClassEvidence {
  return {
    name,
    barred: null,
    sloAttainment: about(0.995, 0.002),
    sloAttainmentWindows: about(0.9, 0.01),
    usdPerMonth: about(usd, usd / 100),
    controlledShare: about(1),
    requests: { sent: about(1000), completed: about(999), inFlightAtHorizon: about(1) },
    ...more,
  };
}

function summary(more: Partial<SummaryEvidence> = {}): SummaryEvidence {
  const own = { name: "own", uSlo: about(0.4, 0.01), paidReplicaH: about(1000) };
  return {
    replications: 10,
    demand: { requestsPerS: about(5), peakToMean: about(2, 0.1), wape: about(0.2, 0.01) },
    strategies: [
      {
        name: "api-first",
        option: "api",
        counterfactual: false,
        usdPerMonth: about(8000),
        classes: [
          classSummary("open", 8000),
          classSummary("restricted", 0, { barred: "restricted data may not leave" }),
        ],
        pools: [],
      },
      {
        name: "own",
        option: "self",
        counterfactual: false,
        usdPerMonth: about(50000),
        classes: [classSummary("open", 40000), classSummary("restricted", 10000)],
        pools: [own],
      },
      {
        name: "hybrid",
        option: "split",
        counterfactual: false,
        usdPerMonth: about(40000),
        classes: [classSummary("open", 30000, { controlledShare: about(0.7) }), classSummary("restricted", 10000)],
        pools: [own],
      },
    ],
    ...more,
  };
}

test("the shipped question: restricted data stays inside, nothing forces the rest", () => {
  const { verdict, records } = decideExperiment(experiment(), summary(), ORIGIN);
  expect(verdict.verdict).toBe("hybrid");
  expect(verdict.sentence).toBe(
    'Hybrid: data that may not leave the boundary forces own GPUs for "restricted" (20% of requests); nothing forces the rest (80% of requests) off the API.',
  );
  expect(verdict.controlledShare).toBe(0.2);
  expect(verdict.indicative).toBe(false);
  expect(records.every((record) => record.inputHash === "h")).toBe(true);
});

describe("measured values", () => {
  test("come from the class of the option's strategy, within their natural limits", () => {
    const almost = summary();
    const strategies = almost.strategies.map((one) => ({
      ...one,
      classes: one.classes.map((two) => ({ ...two, sloAttainment: about(0.999, 0.002) })),
    }));
    const { measured } = decisionInputs(experiment(), { ...almost, strategies }, ORIGIN);
    expect(measured.open!.options.api).toEqual({
      attain: { mean: 0.999, lo: 0.997, hi: 1 },
      usdPerMonth: { mean: 8000, lo: 7920, hi: 8080 },
      answered: 1,
    });
    expect(measured.open!.options.self!.usdPerMonth).toEqual({ mean: 40000, lo: 39600, hi: 40400 });
    expect(measured.open!.splitControlledShare).toEqual({ mean: 0.7, lo: 0.7, hi: 0.7 });
    expect(measured.open!.attainWithTeam).toBeNull();
  });

  test("a cost of less than was asked for says of how much it is, in the record and in its statement", () => {
    const almost = summary();
    const requests = { sent: about(1000), completed: about(450), inFlightAtHorizon: about(10) };
    const strategies = almost.strategies.map((one) =>
      one.option === "api" ? { ...one, classes: one.classes.map((two) => ({ ...two, requests })) } : one,
    );
    const economics = (of: SummaryEvidence) => {
      const { records } = decideExperiment(experiment(), of, ORIGIN);
      return records.find(({ id }) => id === "open/T3/self")!;
    };
    const { statement, terms, value } = economics({ ...almost, strategies });
    expect(statement).toMatch(/ on the API for the 45\.45% of requests that are answered, /);
    expect(terms).toContainEqual(expect.objectContaining({ metric: "answered(api)", estimate: 450 / 990 }));
    expect(economics(almost).statement).not.toContain("answers");
    // Said, not judged by: the ratio stays that of the bills.
    expect(value).toBe(economics(almost).value);
  });

  test("attainment is on the basis of the SLO", () => {
    const strict = {
      ttftS: 3,
      tpotS: null,
      e2eS: null,
      targetFraction: 0.99,
      strict: true,
      attainBasis: "windows",
    } as const;
    const classes = [requestClass("open", 0.8, { slo: strict }), requestClass("restricted", 0.2)];
    const { declared, measured } = decisionInputs(experiment({ classes }), summary(), ORIGIN);
    expect(measured.open!.options.api!.attain).toMatchObject({ mean: 0.9 });
    expect(declared.segments[0]!.latency).toEqual({ strict: true, target: 0.99, basis: "windows" });
  });

  test("a barred class has no cost and no attainment on the API", () => {
    const { measured } = decisionInputs(experiment(), summary(), ORIGIN);
    expect(measured.restricted!.options.api).toBeUndefined();
    expect(measured.restricted!.options.self).toBeDefined();
  });

  test("counterfactual runs are no evidence", () => {
    const { strategies } = summary();
    const lifted = strategies.map((one) =>
      one.option === "api"
        ? { ...one, counterfactual: true, classes: [classSummary("open", 1), classSummary("restricted", 1)] }
        : one,
    );
    const { measured } = decisionInputs(experiment(), summary({ strategies: lifted }), ORIGIN);
    expect(measured.open!.options.api).toBeUndefined();
    expect(measured.restricted!.options.api).toBeUndefined();
  });

  test("one replication gives a number without an interval, none gives nothing", () => {
    const single: Estimate = { mean: 2, lo: null, hi: null, n: 1 };
    const demand = { requestsPerS: single, peakToMean: single, wape: null };
    const few = summary({ replications: 1, demand });
    const { measured } = decisionInputs(experiment(), few, ORIGIN);
    expect(measured.open!.peakToMean).toBe(2);
    expect(measured.open!.wape).toBeNull();
    expect(decideExperiment(experiment(), few, ORIGIN).verdict.indicative).toBe(true);
    const without = decisionInputs(experiment(), summary({ demand: { ...demand, peakToMean: null } }), ORIGIN);
    expect(without.measured.open!.peakToMean).toBeNull();
  });

  test("use of own GPUs is that of the pools on the class's route, by paid hours", () => {
    const pools = [POOL, { ...POOL, name: "large" }, { ...POOL, name: "other" }];
    const both = [...TO_POOL, { kind: "pool", index: 1, overflowInFlightPerReplica: null }];
    const strategies = [strategy("own", "self", { pools, routes: [both, TO_POOL] })];
    const [, own] = summary().strategies;
    const found = [
      { name: "own", uSlo: about(0.4), paidReplicaH: about(100) },
      { name: "large", uSlo: about(0.8), paidReplicaH: about(300) },
      { name: "other", uSlo: null, paidReplicaH: about(100) },
    ];
    const { measured } = decisionInputs(
      experiment({ strategies }),
      summary({ strategies: [{ ...own!, pools: found }] }),
      ORIGIN,
    );
    expect(measured.open!.uSlo).toMatchObject({ mean: 0.7 });
    expect(measured.restricted!.uSlo).toMatchObject({ mean: 0.4 });
  });

  test("of two strategies for one option the one that meets its targets counts, then the cheaper", () => {
    const [, own] = summary().strategies;
    const poor = { sloAttainment: about(0.5) };
    const cheapButLate = {
      ...own!,
      name: "late",
      usdPerMonth: about(10),
      classes: [classSummary("open", 5, poor), classSummary("restricted", 5, poor)],
    };
    const dearer = { ...own!, name: "dearer", usdPerMonth: about(60000), classes: [classSummary("open", 50000)] };
    const { measured } = decisionInputs(experiment(), summary({ strategies: [cheapButLate, dearer, own!] }), ORIGIN);
    expect(measured.open!.options.self!.usdPerMonth).toMatchObject({ mean: 40000 });
  });
});

describe("declared values", () => {
  test("places are those that the class allows", () => {
    const classes = [
      requestClass("open", 0.5, { allowedPlaces: ["onprem"] }),
      requestClass("high", 0.5, { sensitivity: "restricted", minLevel: 5, allowedPlaces: ["private_vpc", "onprem"] }),
    ];
    const { declared } = decisionInputs(experiment({ classes }), summary(), ORIGIN);
    expect(declared.segments.map((one) => one.boundaryAllows)).toEqual([["onprem"], ["private_vpc", "onprem"]]);
  });

  test("an option that every strategy bars for a class is closed, with the reason", () => {
    const strategies = [
      strategy("api-eu", "api", { barred: ["outside its residency", null] }),
      strategy("api-us", "api", { barred: ["outside its residency", "restricted"] }),
      strategy("own", "self", { pools: [POOL], routes: [TO_POOL, TO_POOL] }),
    ];
    const { declared } = decisionInputs(experiment({ strategies }), summary(), ORIGIN);
    expect(declared.segments.map((one) => one.barred)).toEqual([{ api: "outside its residency" }, {}]);
    const { verdict } = decideExperiment(experiment({ strategies }), summary(), ORIGIN);
    expect(verdict.segments[0]!.open).not.toContain("api");
  });

  test("no target, no latency node", () => {
    const slo = {
      ttftS: null,
      tpotS: null,
      e2eS: null,
      targetFraction: 0.99,
      strict: true,
      attainBasis: "windows",
    } as const;
    const classes = [requestClass("open", 0.8, { slo }), requestClass("restricted", 0.2)];
    expect(decisionInputs(experiment({ classes }), summary(), ORIGIN).declared.segments[0]!.latency).toBeNull();
  });
});

test("records name the doubtful values behind their side, and every id of the decision's own is described", () => {
  const { records } = decideExperiment(experiment(), summary(), ORIGIN);
  const of = (id: string) => records.find((record) => record.id === id)!.assumptions;
  expect(of("open/T3a/self")).toContain("traffic/chat/cv");
  expect(of("open/T3a/self")).toContain("gpus/h100/power");
  expect(of("open/T3a/self")).not.toContain("offers/a/price");
  expect(of("open/T3/self")).toContain("offers/a/price");
  expect(of("open/T3/self")).not.toContain("gpus/h100/memory");
  const own = new Set(records.flatMap((record) => record.assumptions).filter((id) => id.startsWith("decision/")));
  const described = decisionAssumptions("2026-11-24").map(({ id }) => id);
  expect([...own].sort()).toEqual([...described].sort());
});
