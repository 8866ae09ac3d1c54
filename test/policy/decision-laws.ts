/**
 * The twelve laws of the decision as functions of an implementation, so that the same laws judge the real one and
 * versions with a planted fault. Each throws when it is broken, in either mode.
 */
import fc from "fast-check";
import type { EvidenceRecord, Mode, VerdictName, WorkloadVerdict } from "../../src/decision/evidence.ts";
import type { DeclaredInputs, DecisionInputs, Measured, OptionMeasured } from "../../src/decision/inputs.ts";
import type { SegmentDeclared, SegmentMeasured } from "../../src/decision/inputs.ts";
import { RUN, THRESHOLDS } from "../unit/decision-archetypes.ts";

export interface Implementation {
  decide(inputs: DecisionInputs): { verdict: WorkloadVerdict; records: EvidenceRecord[] };
  recompute(records: readonly EvidenceRecord[], declared: DeclaredInputs): WorkloadVerdict;
  verdictSentence(records: readonly EvidenceRecord[], verdict: WorkloadVerdict): string;
  segmentSentences(records: readonly EvidenceRecord[], segment: string): string[];
}

export interface Law {
  readonly number: number;
  readonly name: string;
  check(decision: Implementation, runs: number): void;
}

const MODES: readonly Mode[] = ["evidence", "literal"];

/** api-first < hybrid < {private-controlled, self-hosted}; a conflict cannot be compared. */
const ORDER: Readonly<Record<VerdictName, number | null>> = {
  "api-first": 0,
  hybrid: 1,
  "private-controlled": 2,
  "self-hosted": 2,
  conflict: null,
};

// --- random decisions -------------------------------------------------------------------------------------------

/** A number near a threshold: half of the time plain, else with an interval that may straddle. */
function around(values: readonly number[], most = Infinity): fc.Arbitrary<Measured> {
  return fc
    .record({
      mean: fc.constantFrom(...values),
      half: fc.constantFrom(0, 0.0005, 0.0005, 0.01, 0.2),
      plain: fc.boolean(),
      absent: fc.integer({ min: 0, max: 9 }),
    })
    .map(({ mean, half, plain, absent }) => {
      if (absent === 0) return null;
      return plain ? mean : { mean, lo: mean * (1 - half), hi: Math.min(most, mean * (1 + half)) };
    });
}

const attain = around([0.5, 0.985, 0.9899, 0.9901, 0.995, 0.996, 0.999], 1);
/** Whole powers of two and small multiples of them, so that scaling by two is exact. */
const usdPerMonth = around([0, 512, 1000, 7168, 8192, 9000, 10000, 65536]);
const option: fc.Arbitrary<OptionMeasured> = fc.record({ attain, usdPerMonth });

const need = fc.record({
  name: fc.constantFrom("own-weights", "batching-control", "own-logging"),
  need: fc.constantFrom("must" as const, "want" as const, "want" as const),
  apiSupports: fc.boolean(),
  privateSupports: fc.boolean(),
});

function wish(name: string) {
  return { name, need: "want" as const, apiSupports: false, privateSupports: false };
}

const segmentDeclared: fc.Arbitrary<Omit<SegmentDeclared, "id" | "share">> = fc.record({
  sensitivity: fc.oneof(
    { weight: 4, arbitrary: fc.constant("none" as const) },
    { weight: 1, arbitrary: fc.constantFrom("moderate" as const, "restricted" as const) },
  ),
  redactable: fc.boolean(),
  boundaryAllows: fc.subarray(["private_vpc", "dedicated_managed", "onprem"] as const),
  quality: fc.oneof(
    { weight: 6, arbitrary: fc.constant("open_ok" as const) },
    { weight: 1, arbitrary: fc.constant("premium_api_only" as const) },
  ),
  premiumPrivatelyOffered: fc.boolean(),
  latency: fc.option(
    fc.record({
      strict: fc.boolean(),
      target: fc.constantFrom(null, 0.99, 0.98),
      basis: fc.constantFrom("windows" as const, "requests" as const),
    }),
  ),
  customization: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    { weight: 3, arbitrary: fc.constant([wish("quantization"), wish("scheduler-or-routing")]) },
    { weight: 2, arbitrary: fc.uniqueArray(need, { selector: (one) => one.name, maxLength: 3 }) },
  ),
  barred: fc.oneof(
    { weight: 8, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: fc.constantFrom({ api: "no offer in its residency" }, { self: "no pool in its residency" }),
    },
  ),
});

const segmentMeasured: fc.Arbitrary<SegmentMeasured> = fc.record({
  options: fc.oneof(
    { weight: 4, arbitrary: fc.record({ api: option, self: option }) },
    { weight: 3, arbitrary: fc.record({ api: option, private_managed: option, self: option, split: option }) },
    {
      weight: 1,
      arbitrary: fc.record({ api: option, private_managed: option, self: option }, { requiredKeys: [] }),
    },
  ),
  attainWithTeam: attain,
  rotaOk: fc.constantFrom(null, null, null, true, true, false),
  uSlo: around([0.02, 0.45, 0.5, 0.51, 0.7]),
  peakToMean: around([1.3, 3.9, 4, 4.1, 12]),
  wape: around([0.1, 0.35, 0.36, 0.8]),
  requestsPerS: fc.constantFrom(null, 5),
  splitControlledShare: fc.constantFrom(null, 0.02, 0.4, 0.97),
});

const level = fc.integer({ min: 0, max: 4 });
const team = fc
  .record({
    ready: fc.boolean(),
    platform: level,
    gpu_capacity: level,
    observability: level,
    release: level,
    incident_coverage: level,
    perf_engineering: level,
  })
  .map(({ ready, ...levels }) =>
    ready
      ? { platform: 3, gpu_capacity: 3, observability: 3, release: 3, incident_coverage: 3, perf_engineering: 2 }
      : levels,
  );

/** A workload of one to three segments. */
export const anyInputs: fc.Arbitrary<DecisionInputs> = fc
  .record({
    segments: fc.array(fc.tuple(segmentDeclared, segmentMeasured, fc.integer({ min: 1, max: 20 })), {
      minLength: 1,
      maxLength: 3,
    }),
    team,
  })
  .map(({ segments, team: levels }) => {
    const total = segments.reduce((sum, [, , weight]) => sum + weight, 0);
    const ids = ["alpha", "beta", "gamma"];
    return {
      declared: {
        segments: segments.map(([declared, , weight], i) => ({ ...declared, id: ids[i]!, share: weight / total })),
        team: levels,
        thresholds: THRESHOLDS,
      },
      measured: Object.fromEntries(segments.map(([, measured], i) => [ids[i]!, measured])),
      run: RUN,
    };
  });

const pick = fc.nat({ max: 1000 });

// --- changes ----------------------------------------------------------------------------------------------------

function withMeasured(inputs: DecisionInputs, change: (one: SegmentMeasured) => SegmentMeasured): DecisionInputs {
  const measured = Object.entries(inputs.measured).map(([id, one]) => [id, change(one)] as const);
  return { ...inputs, measured: Object.fromEntries(measured) };
}

function withSegment(
  inputs: DecisionInputs,
  which: number,
  change: (one: SegmentDeclared) => SegmentDeclared,
): DecisionInputs {
  const { segments } = inputs.declared;
  const changed = segments.map((one, i) => (i === which % segments.length ? change(one) : one));
  return { ...inputs, declared: { ...inputs.declared, segments: changed } };
}

function mapped(measured: Measured, change: (value: number) => number): Measured {
  if (measured === null) return null;
  if (typeof measured === "number") return change(measured);
  return { mean: change(measured.mean), lo: change(measured.lo), hi: change(measured.hi) };
}

function withCost(
  one: SegmentMeasured,
  options: readonly (keyof SegmentMeasured["options"])[],
  factor: number,
): SegmentMeasured {
  const changed = { ...one.options };
  for (const name of options) {
    const given = changed[name];
    if (given !== undefined)
      changed[name] = { ...given, usdPerMonth: mapped(given.usdPerMonth, (usd) => usd * factor) };
  }
  return { ...one, options: changed };
}

// --- laws -------------------------------------------------------------------------------------------------------

function verdictIn(mode: Mode, { verdict }: { verdict: WorkloadVerdict }): VerdictName {
  return mode === "evidence" ? verdict.verdict : verdict.literal.verdict;
}

/** Fails if the verdict moves against `direction` (1: toward own capacity is allowed, -1: toward the API is). */
function monotone(decision: Implementation, before: DecisionInputs, after: DecisionInputs, direction: 1 | -1): void {
  for (const mode of MODES) {
    const first = verdictIn(mode, decision.decide(before));
    const second = verdictIn(mode, decision.decide(after));
    const [from, to] = [ORDER[first], ORDER[second]];
    if (from === null || to === null) continue;
    if (direction * (to - from) < 0) throw new Error(`${mode}: ${first} became ${second}`);
  }
}

function same(decision: Implementation, before: DecisionInputs, after: DecisionInputs): void {
  for (const mode of MODES) {
    const [first, second] = [decision.decide(before), decision.decide(after)].map((one) => verdictIn(mode, one));
    if (first !== second) throw new Error(`${mode}: ${first} became ${second}`);
  }
}

function property<T>(runs: number, arbitrary: fc.Arbitrary<T>, check: (value: T) => void): void {
  fc.assert(fc.property(arbitrary, check), { numRuns: runs, seed: 20260424, endOnFailure: true });
}

const factor = fc.constantFrom(1.01, 1.2, 2, 10, 1000);

export const LAWS: readonly Law[] = [
  {
    number: 1,
    name: "API price up never moves toward api-first",
    check: (decision, runs) =>
      property(runs, fc.tuple(anyInputs, factor), ([inputs, by]) =>
        monotone(
          decision,
          inputs,
          withMeasured(inputs, (one) => withCost(one, ["api"], by)),
          1,
        ),
      ),
  },
  {
    number: 2,
    name: "self cost up never moves toward self",
    check: (decision, runs) =>
      property(runs, fc.tuple(anyInputs, factor), ([inputs, by]) =>
        monotone(
          decision,
          inputs,
          withMeasured(inputs, (one) => withCost(one, ["self"], by)),
          -1,
        ),
      ),
  },
  {
    number: 3,
    name: "better API attainment never moves toward self",
    check: (decision, runs) =>
      property(runs, fc.tuple(anyInputs, fc.constantFrom(0.001, 0.01, 0.5)), ([inputs, by]) => {
        const better = withMeasured(inputs, (one) => {
          const { api } = one.options;
          if (api === undefined) return one;
          const attained = mapped(api.attain, (value) => Math.min(1, value + by));
          return { ...one, options: { ...one.options, api: { ...api, attain: attained } } };
        });
        monotone(decision, inputs, better, -1);
      }),
  },
  {
    number: 4,
    name: "more restricted data never moves toward api-first",
    check: (decision, runs) =>
      property(runs, fc.tuple(anyInputs, pick), ([inputs, which]) =>
        monotone(
          decision,
          inputs,
          withSegment(inputs, which, (one) => ({ ...one, sensitivity: "restricted" })),
          1,
        ),
      ),
  },
  {
    number: 5,
    name: "a higher peak to mean, all else fixed, never moves toward self",
    check: (decision, runs) =>
      property(runs, fc.tuple(anyInputs, factor), ([inputs, by]) => {
        const spikier = withMeasured(inputs, (one) => ({ ...one, peakToMean: mapped(one.peakToMean, (x) => x * by) }));
        monotone(decision, inputs, spikier, -1);
      }),
  },
  {
    number: 6,
    name: "a stronger team never moves toward api-first and never creates a conflict",
    check: (decision, runs) =>
      property(runs, fc.tuple(anyInputs, level, fc.constantFrom(0, 0.005, 0.5)), ([inputs, by, better]) => {
        const { declared } = inputs;
        const stronger = Object.fromEntries(
          Object.entries(declared.team).map(([name, now]) => [name, Math.min(4, now + by)]),
        ) as unknown as DeclaredInputs["team"];
        const after = withMeasured({ ...inputs, declared: { ...declared, team: stronger } }, (one) => ({
          ...one,
          attainWithTeam: mapped(one.attainWithTeam, (value) => Math.min(1, value + better)),
          rotaOk: one.rotaOk === false ? true : one.rotaOk,
        }));
        monotone(decision, inputs, after, 1);
        for (const mode of MODES) {
          const [first, second] = [decision.decide(inputs), decision.decide(after)].map((one) => verdictIn(mode, one));
          if (second === "conflict" && first !== "conflict") throw new Error(`${mode}: a conflict was created`);
        }
      }),
  },
  {
    number: 7,
    name: "adding a must that the API lacks never moves toward api-first",
    check: (decision, runs) =>
      property(runs, fc.tuple(anyInputs, pick, fc.boolean()), ([inputs, which, privateSupports]) => {
        const must = { name: "a new must", need: "must" as const, apiSupports: false, privateSupports };
        const after = withSegment(inputs, which, (one) => ({ ...one, customization: [...one.customization, must] }));
        monotone(decision, inputs, after, 1);
      }),
  },
  {
    number: 8,
    name: "permuting segments or seeds, halving a segment and scaling all prices keep the verdict",
    check: (decision, runs) => {
      property(runs, anyInputs, (inputs) => {
        const { declared } = inputs;
        const reversed = [...declared.segments].reverse();
        same(decision, inputs, { ...inputs, declared: { ...declared, segments: reversed } });

        const halves = declared.segments.flatMap((one) =>
          ["left", "right"].map((side) => ({ ...one, id: `${one.id}-${side}`, share: one.share / 2 })),
        );
        const twice = Object.fromEntries(
          Object.entries(inputs.measured).flatMap(([id, one]) => [
            [`${id}-left`, one],
            [`${id}-right`, one],
          ]),
        );
        same(decision, inputs, { ...inputs, declared: { ...declared, segments: halves }, measured: twice });

        const all = ["api", "private_managed", "self", "split"] as const;
        for (const by of [0.25, 1024])
          same(
            decision,
            inputs,
            withMeasured(inputs, (one) => withCost(one, all, by)),
          );
      });
      const samples = fc.array(fc.double({ min: 0.9, max: 1, noNaN: true }), { minLength: 2, maxLength: 12 });
      property(runs, fc.tuple(anyInputs, samples, samples), ([inputs, own, theirs]) => {
        const with_ = (a: readonly number[], b: readonly number[]) =>
          withMeasured(inputs, (one) => ({
            ...one,
            attainWithTeam: intervalOver(a),
            options: { ...one.options, api: { attain: intervalOver(b), usdPerMonth: 1000 } },
          }));
        same(decision, with_(own, theirs), with_([...own].reverse(), [...theirs].reverse()));
      });
    },
  },
  {
    number: 9,
    name: "no force and an idle fleet: api-first with any team",
    check: (decision, runs) =>
      property(runs, fc.tuple(anyInputs, team), ([inputs, levels]) => {
        const idle = withMeasured(inputs, (one) => ({ ...one, uSlo: 0 }));
        const segments = inputs.declared.segments.map((one) => ({ ...withoutHardForce(one), customization: [] }));
        expectApiFirst(decision, { ...idle, declared: { ...inputs.declared, segments, team: levels } });
      }),
  },
  {
    number: 10,
    name: "zero traffic and no hard force: api-first",
    check: (decision, runs) =>
      property(runs, anyInputs, (inputs) => {
        const silent = withMeasured(inputs, (one) => {
          const { api, ...others } = one.options;
          const free = api === undefined ? {} : { api: { attain: null, usdPerMonth: 0 } };
          return { ...one, options: { ...others, ...free }, uSlo: 0, requestsPerS: 0 };
        });
        const segments = inputs.declared.segments.map(withoutHardForce);
        expectApiFirst(decision, { ...silent, declared: { ...inputs.declared, segments } });
      }),
  },
  {
    number: 11,
    name: "evidence deleted, sentence gone",
    check: (decision, runs) =>
      property(runs, anyInputs, (inputs) => {
        const { verdict, records } = decision.decide(inputs);
        for (const deleted of records) {
          const rest = records.filter((record) => record !== deleted);
          const said = decision.segmentSentences(rest, deleted.segment);
          if (said.includes(deleted.statement)) throw new Error(`still said without its record: ${deleted.statement}`);
          if (said.length + 1 !== decision.segmentSentences(records, deleted.segment).length) {
            throw new Error(`more than one sentence went with ${deleted.id}`);
          }
        }
        for (const { segment } of verdict.segments) {
          const rest = records.filter((record) => record.segment !== segment);
          const sentence = decision.verdictSentence(rest, verdict);
          if (sentence.includes(`"${segment}"`) || sentence.includes("rest") || sentence.includes("whole")) {
            throw new Error(`still speaks of ${segment}: ${sentence}`);
          }
        }
        if (decision.verdictSentence([], verdict) !== "") throw new Error("a verdict without evidence");
        if (decision.verdictSentence(records, verdict) === "") throw new Error("no sentence");
      }),
  },
  {
    number: 12,
    name: "the verdict depends on the records only",
    check: (decision, runs) =>
      property(runs, anyInputs, (inputs) => {
        const { verdict, records } = decision.decide(inputs);
        const stored = JSON.parse(JSON.stringify(records)) as EvidenceRecord[];
        const declared = JSON.parse(JSON.stringify(inputs.declared)) as DeclaredInputs;
        const again = JSON.stringify(decision.recompute(stored, declared));
        if (again !== JSON.stringify(verdict)) throw new Error("recomputing from stored records gave other bytes");
        const shuffled = JSON.stringify(decision.recompute([...stored].reverse(), declared));
        if (shuffled !== again) throw new Error("the order of the records changed the verdict");
      }),
  },
];

function withoutHardForce(one: SegmentDeclared): SegmentDeclared {
  const latency = one.latency === null ? null : { ...one.latency, strict: false };
  const customization = one.customization.map((wish) => ({ ...wish, need: "want" as const }));
  return { ...one, sensitivity: "none", latency, customization, barred: {} };
}

function expectApiFirst(decision: Implementation, inputs: DecisionInputs): void {
  for (const mode of MODES) {
    const verdict = verdictIn(mode, decision.decide(inputs));
    if (verdict !== "api-first") throw new Error(`${mode}: ${verdict}`);
  }
}

/** Mean and an interval of two standard errors: any function of the seeds that does not see their order would do. */
function intervalOver(values: readonly number[]): Measured {
  const sorted = [...values].sort((a, b) => a - b);
  const mean = sorted.reduce((sum, value) => sum + value, 0) / sorted.length;
  const variance = sorted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (sorted.length - 1);
  const half = 2 * Math.sqrt(variance / sorted.length);
  return { mean, lo: mean - half, hi: Math.min(1, mean + half) };
}
