/** Worked edge cases of the verdict: conflicts, unknown nodes, missed targets, a barred API, the split, the vendor. */
import { describe, expect, test } from "vitest";
import type { EvidenceRecord, SegmentVerdict } from "../../src/decision/evidence.ts";
import { compare } from "../../src/decision/inputs.ts";
import type { DecisionInputs, SegmentDeclared, SegmentMeasured } from "../../src/decision/inputs.ts";
import { PRIVATE_AS_SELF } from "../../src/decision/nodes.ts";
import { verdictSentence } from "../../src/decision/sentences.ts";
import { decide, recompute } from "../../src/decision/verdict.ts";
import { InvariantError } from "../../src/kernel/errors.ts";
import { archetype } from "./decision-archetypes.ts";

const NOT_READY = {
  platform: 1,
  gpu_capacity: 0,
  observability: 1,
  release: 2,
  incident_coverage: 1,
  perf_engineering: 0,
};

/** An archetype of one segment with some fields replaced. */
function changed(
  id: string,
  {
    declared = {},
    measured = {},
    team,
  }: {
    declared?: Partial<SegmentDeclared>;
    measured?: Partial<SegmentMeasured>;
    team?: DecisionInputs["declared"]["team"];
  },
): DecisionInputs {
  const base = archetype(id);
  const segment = { ...base.declared.segments[0]!, ...declared };
  return {
    ...base,
    declared: { ...base.declared, segments: [segment], team: team ?? base.declared.team },
    measured: { [segment.id]: { ...base.measured[segment.id]!, ...measured } },
  };
}

function only(inputs: DecisionInputs): SegmentVerdict {
  return decide(inputs).verdict.segments[0]!;
}

function recordOf(records: readonly EvidenceRecord[], id: string): EvidenceRecord {
  const found = records.find((record) => record.id === id);
  if (found === undefined) throw new Error(`no record ${id}`);
  return found;
}

const must = (name: string, apiSupports: boolean, privateSupports: boolean) => ({
  name,
  need: "must" as const,
  apiSupports,
  privateSupports,
});

describe("conflict", () => {
  test("restricted data, an own site only and a team that is not ready clash", () => {
    const { verdict } = decide(changed("A2", { declared: { boundaryAllows: ["onprem"] }, team: NOT_READY }));
    expect(verdict.verdict).toBe("conflict");
    expect(verdict.segments[0]).toMatchObject({ choice: "conflict", rule: 1, open: ["self"] });
    expect(verdict.segments[0]!.conflict).toEqual({
      clash: ["sensitivity", "boundary-place", "team"],
      relaxations: [
        { constraint: "sensitivity", returns: ["api", "private_managed"], usdPerMonth: null },
        { constraint: "boundary-place", returns: ["private_managed"], usdPerMonth: null },
        { constraint: "team", returns: ["self"], usdPerMonth: 69228 },
      ],
    });
    expect(verdict.sentence).toBe(
      "Conflict: no option is left for the whole workload, whose constraints clash (sensitivity, boundary-place and team).",
    );
    expect(verdict.segments[0]!.revisit[0]).toMatch(/^capability: reconsider own GPUs once /);
  });

  test("restricted data and a premium model clash whatever the team", () => {
    const segment = only(changed("A2", { declared: { quality: "premium_api_only" } }));
    expect(segment.open).toEqual([]);
    expect(segment.conflict?.clash).toEqual(["sensitivity", "quality"]);
    expect(segment.conflict?.relaxations.map(({ returns }) => returns)).toEqual([["api"], ["private_managed", "self"]]);
  });

  test("the smallest clash is found even where larger ones come first in the order", () => {
    const segment = only(
      changed("A2", {
        declared: { boundaryAllows: ["onprem"], customization: [must("own-weights", false, false)] },
        team: NOT_READY,
      }),
    );
    expect(segment.conflict?.clash).toEqual(["must:own-weights", "team"]);
    // Relaxing the must alone brings nothing back: the boundary still closes the API and the vendor.
    expect(segment.conflict?.relaxations).toEqual([
      { constraint: "must:own-weights", returns: [], usdPerMonth: null },
      { constraint: "team", returns: ["self"], usdPerMonth: 69228 },
    ]);
  });

  test("among smallest clashes the first in the order is named", () => {
    const segment = only(
      changed("A2", {
        declared: {
          quality: "premium_api_only",
          premiumPrivatelyOffered: true,
          customization: [must("b", false, false), must("a", false, false)],
        },
      }),
    );
    expect(segment.conflict?.clash).toEqual(["quality", "must:b"]);
  });

  test("other segments still get their verdict", () => {
    const base = archetype("A6");
    const segments = base.declared.segments.map((one) =>
      one.id === "restricted" ? { ...one, quality: "premium_api_only" as const } : one,
    );
    const { verdict } = decide({ ...base, declared: { ...base.declared, segments } });
    expect(verdict.verdict).toBe("conflict");
    expect(verdict.segments.map(({ choice }) => choice)).toEqual(["conflict", "api"]);
  });

  test("a strategy's own bar closes the option as a matter of place", () => {
    const segment = only(changed("A2", { declared: { barred: { self: "no pool in eu" } }, team: NOT_READY }));
    expect(segment.choice).toBe("private_managed");
    expect(segment.passedOver).toContainEqual({ option: "self", reason: "closed: no pool in eu" });
  });
});

describe("an API that every strategy bars", () => {
  const barred = { api: "no offer processes in eu" };

  test("is not the default, and the sentence says so", () => {
    const { verdict } = decide(changed("A1-f1", { declared: { barred } }));
    expect(verdict.segments[0]).toMatchObject({ choice: "self", rule: 3 });
    expect(verdict.sentence).toBe(
      "Self-hosted: a boundary that no API offer satisfies forces own GPUs for the whole workload.",
    );
  });

  test("leaves the vendor to a team that is not ready", () => {
    expect(only(changed("A1", { declared: { barred } }))).toMatchObject({ choice: "private_managed", rule: 4 });
  });
});

describe("unknown nodes", () => {
  const straddling = { mean: 240_000, lo: 220_000, hi: 300_000 };
  const uncertainCost = changed("A4", {
    measured: {
      options: {
        api: { attain: 0.999, usdPerMonth: 280_166 },
        self: { attain: 0.999, usdPerMonth: straddling },
      },
    },
  });

  test("count as no, and the verdict says what depends on them", () => {
    const { verdict } = decide(uncertainCost);
    expect(verdict.verdict).toBe("api-first");
    expect(verdict.unknownNodes).toEqual(["batch/T3"]);
    expect(verdict.segments[0]).toMatchObject({ choice: "api", rule: 2, dependsOn: ["T3"] });
    expect(verdict.segments[0]!.nodes.T3).toBe("unknown");
    expect(verdict.sentence).toBe("API-first: nothing is shown to force the whole workload off the API.");
  });

  test("do not count where they would not change the choice", () => {
    const weak = decide({ ...uncertainCost, declared: { ...uncertainCost.declared, team: NOT_READY } }).verdict;
    expect(weak.unknownNodes).toEqual(["batch/T3"]);
    expect(weak.segments[0]!.dependsOn).toEqual([]);
  });

  test("that decide only together are named together", () => {
    const both = changed("A4", {
      measured: {
        options: uncertainCost.measured.batch!.options,
        attainWithTeam: { mean: 0.99, lo: 0.985, hi: 0.995 },
      },
    });
    expect(only(both)).toMatchObject({ choice: "api", dependsOn: ["T3", "T5"] });
  });

  test("T2 straddles", () => {
    const { options } = archetype("A3").measured.rank!;
    const api = { attain: { mean: 0.991, lo: 0.985, hi: 0.997 }, usdPerMonth: 21_853 };
    const segment = only(changed("A3", { measured: { options: { ...options, api } } }));
    expect(segment).toMatchObject({ choice: "api", rule: 2, dependsOn: ["T2"] });
    expect(segment.nodes.T2).toBe("unknown");
  });

  test("a value that was not simulated is unknown, never yes", () => {
    const segment = only(changed("A4", { measured: { wape: null } }));
    expect(segment).toMatchObject({ choice: "api", dependsOn: ["T3a", "T3"] });
  });

  test.each([
    ["atLeast", { mean: 5, lo: 5, hi: 6 }, "yes"],
    ["atLeast", { mean: 4, lo: 4, hi: 5 }, "unknown"],
    ["atLeast", { mean: 4, lo: 3, hi: 4.9 }, "no"],
    ["atMost", { mean: 4, lo: 3, hi: 5 }, "yes"],
    ["atMost", { mean: 6, lo: 5, hi: 7 }, "unknown"],
    ["atMost", { mean: 6, lo: 5.1, hi: 7 }, "no"],
    ["below", { mean: 4, lo: 3, hi: 5 }, "unknown"],
    ["below", { mean: 4, lo: 3, hi: 4.9 }, "yes"],
    ["below", 5, "no"],
  ] as const)("%s 5 of %j is %s", (side, measured, value) => {
    expect(compare("metric", measured, side, 5).value).toBe(value);
  });
});

describe("strict targets", () => {
  const late = { attain: 0.95, usdPerMonth: 60_000 };

  test("missed by every open option: the API by default, and said so", () => {
    const { options } = archetype("A3").measured.rank!;
    const segment = only(changed("A3", { measured: { options: { ...options, self: late } } }));
    expect(segment).toMatchObject({ choice: "api", rule: 2, targetMissed: true });
    expect(segment.advisory).toEqual(["no open option meets the strict target of 99%"]);
  });

  test("missed by the choice but not by an option that the team cannot run", () => {
    const segment = only(
      changed("A3", { declared: { customization: [must("own-weights", true, false)] }, team: NOT_READY }),
    );
    expect(segment).toMatchObject({ choice: "api", rule: 4, targetMissed: true });
    expect(segment.advisory).toEqual(["the choice misses the strict target of 99%, which own GPUs would meet"]);
    expect(segment.revisit[0]).toBe(
      "capability: reconsider own GPUs once observability, release and incident coverage are at level 2 or above (lowest now: 1) and the mean of the six team levels is 2.5 (now 0.83)",
    );
  });

  test("missed by own GPUs that a boundary forces", () => {
    const latency = { strict: true, target: null, basis: "windows" as const };
    const segment = only(changed("A2", { declared: { latency }, measured: { options: { self: late } } }));
    expect(segment).toMatchObject({ choice: "self", targetMissed: true });
    expect(segment.nodes.T2).toBe("n/a");
  });

  test("a segment's own target replaces the default", () => {
    const latency = { strict: true, target: 0.05, basis: "windows" as const };
    expect(only(changed("A3", { declared: { latency } })).choice).toBe("api");
  });
});

describe("a barred API", () => {
  test("is never ranked on cost", () => {
    const { self } = archetype("A2").measured.phi!.options;
    const withApiAt = (usdPerMonth: number) =>
      decide(changed("A2", { measured: { options: { api: { attain: 1, usdPerMonth }, self: self! } } }));
    const { verdict, records } = withApiAt(1);
    const economics = recordOf(records, "phi/T3/self");
    expect(economics).toMatchObject({ value: "n/a", estimate: null, ci95: null });
    expect(economics.statement).toBe(
      'For "phi" own GPUs are not compared with the API on cost, since the API is closed to it; own GPUs cost USD 69,228 a month.',
    );
    expect(JSON.stringify(verdict)).toBe(JSON.stringify(withApiAt(1e9).verdict));
  });

  test("may still be priced in a conflict, as what comes back", () => {
    const { self } = archetype("A2").measured.phi!.options;
    const options = { api: { attain: 1, usdPerMonth: 5217 }, self: self! };
    const segment = only(changed("A2", { declared: { quality: "premium_api_only" }, measured: { options } }));
    expect(segment.conflict?.relaxations[0]).toEqual({
      constraint: "sensitivity",
      returns: ["api"],
      usdPerMonth: 5217,
    });
  });
});

describe("soft needs", () => {
  const wish = (name: string) => ({ name, need: "want" as const, apiSupports: false, privateSupports: false });
  const wishes = [wish("quantization"), wish("own-logging")];
  const soft = (usdPerMonth: number, more: Partial<SegmentMeasured> = {}) =>
    changed("A3", {
      declared: { latency: null, customization: wishes },
      measured: {
        options: { api: { attain: 1, usdPerMonth: 20_000 }, self: { attain: 1, usdPerMonth } },
        ...more,
      },
    });

  test("split where own GPUs cost more than 1.25 times the API, else own GPUs", () => {
    expect(only(soft(25_001)).choice).toBe("split");
    expect(only(soft(25_000)).choice).toBe("self");
  });

  test("a split counts with its simulated controlled share, else with one half", () => {
    expect(decide(soft(90_000)).verdict).toMatchObject({ verdict: "hybrid", controlledShare: 0.5 });
    const split = { attain: 1, usdPerMonth: 50_000 };
    const simulated = soft(90_000);
    const options = { ...simulated.measured.rank!.options, split };
    const { verdict, records } = decide(soft(90_000, { options, splitControlledShare: 0.03 }));
    expect(verdict).toMatchObject({ verdict: "api-first", controlledShare: 0.03 });
    expect(recordOf(records, "rank/T3/split").estimate).toBe(50_000);
  });

  test("one wish is no reason, and no traffic takes the ground from all of them", () => {
    const one = changed("A3", { declared: { latency: null, customization: wishes.slice(1) } });
    expect(only(one)).toMatchObject({ choice: "api", rule: 2 });
    expect(only(soft(90_000, { requestsPerS: 0 }))).toMatchObject({ choice: "api", rule: 2 });
  });
});

describe("the vendor-run deployment", () => {
  test("is taken to attain what own GPUs do, as a recorded assumption", () => {
    const { records } = decide(archetype("A3-f2"));
    expect(recordOf(records, "rank/T2/private_managed")).toMatchObject({ value: "yes", estimate: 0.996 });
    expect(recordOf(records, "rank/T2/private_managed").assumptions).toContain(PRIVATE_AS_SELF);
    expect(recordOf(records, "rank/T2/self").assumptions).not.toContain(PRIVATE_AS_SELF);
  });

  test("is judged by its own numbers where it was simulated", () => {
    const { options } = archetype("A3").measured.rank!;
    const slow = { attain: 0.9, usdPerMonth: 1000 };
    const inputs = changed("A3", { measured: { options: { ...options, private_managed: slow } }, team: NOT_READY });
    expect(only(inputs)).toMatchObject({ choice: "api", rule: 4 });
    expect(recordOf(decide(inputs).records, "rank/T2/private_managed").assumptions).not.toContain(PRIVATE_AS_SELF);
  });

  test("cost alone never selects it, but is said", () => {
    const vendor = { attain: 0.999, usdPerMonth: 400 };
    const options = { ...archetype("A1").measured.all!.options, private_managed: vendor };
    const segment = only(changed("A1", { measured: { options } }));
    expect(segment.choice).toBe("api");
    expect(segment.advisory).toEqual([
      "A vendor-run private deployment meets every constraint at USD 400 a month, while the API costs USD 462 a month",
    ]);
  });
});

describe("records", () => {
  test("fewer than ten replications make the verdict indicative", () => {
    const base = archetype("A4");
    const run = (seeds: number) => decide({ ...base, run: { ...base.run, seeds } }).verdict.indicative;
    expect([run(3), run(9), run(10)]).toEqual([true, true, false]);
  });

  test("a declared record rests on no run, a measured one names its runs, hash and assumptions", () => {
    const { records } = decide(archetype("A4"));
    expect(recordOf(records, "batch/T1")).toMatchObject({ seeds: 0, runIds: [], assumptions: [], kind: "declared" });
    expect(recordOf(records, "batch/T3/self")).toMatchObject({
      seeds: 10,
      runIds: ["run-a", "run-b"],
      inputHash: "hash",
      priceBookDate: "2026-04",
      assumptions: ["gpu-prices/y", "offers/x/price"],
    });
  });

  test("a composite node shows the term that decides it", () => {
    const { records } = decide(archetype("A4-f2"));
    const steady = recordOf(records, "batch/T3a/self");
    expect(steady).toMatchObject({ metric: "peakToMean", estimate: 12, threshold: 4, distanceToThreshold: -8 });
    expect(steady.terms?.map(({ metric, value }) => `${metric} ${value}`)).toEqual([
      "uSlo no",
      "peakToMean no",
      "wape yes",
      "requestsPerS n/a",
    ]);
  });

  test("each record is one per node and option, with an id of its own", () => {
    const { records } = decide(archetype("A6"));
    expect(new Set(records.map(({ id }) => id)).size).toBe(records.length);
    expect(new Set(records.map(({ statement }) => statement)).size).toBe(records.length);
  });

  test("no verdict without its evidence", () => {
    const { declared } = archetype("A4");
    const { records } = decide(archetype("A4"));
    const rest = records.filter(({ id }) => id !== "batch/T3/self");
    expect(() => recompute(rest, declared)).toThrow(InvariantError);
  });

  test("a force that lost its record is not spoken of", () => {
    const { verdict, records } = decide(archetype("A6"));
    const rest = records.filter(({ id }) => id !== "restricted/T1");
    expect(verdictSentence(rest, verdict)).toBe('Hybrid: the API is the only option open to "open" (70% of requests).');
  });

  test("a free API cannot be undercut, and nothing infinite reaches a record", () => {
    const options = { api: { attain: 1, usdPerMonth: 0 }, self: { attain: 1, usdPerMonth: 10 } };
    const { verdict, records } = decide(changed("A4", { measured: { options } }));
    expect(verdict.verdict).toBe("api-first");
    expect(recordOf(records, "batch/T3/self")).toMatchObject({ value: "no", estimate: null, ci95: null });
  });
});
