/** The eight archetypes as inputs of the decision, and the comparison of a decision with what they expect. */
import { readFileSync } from "node:fs";
import type { EvidenceRecord, WorkloadVerdict } from "../../src/decision/evidence.ts";
import type { DecisionInputs, OptionMeasured, Place, SegmentMeasured } from "../../src/decision/inputs.ts";
import type { CustomizationNeed, DecisionThresholds, Sensitivity, TeamLevels } from "../../src/scenario/resolved.ts";

export type Decide = (inputs: DecisionInputs) => { verdict: WorkloadVerdict; records: EvidenceRecord[] };

interface ArchetypeOption {
  readonly attain?: number;
  readonly costLo?: number;
  readonly costHi?: number;
}

interface ArchetypeSegment {
  readonly id: string;
  readonly share: number;
  readonly sensitivity: Sensitivity;
  readonly redactable?: boolean;
  readonly boundaryAllows?: readonly Place[];
  readonly quality: "open_ok" | "premium_api_only";
  readonly premiumPrivatelyOffered?: boolean;
  readonly latency: { readonly strict: boolean; readonly attainBasis?: "windows" | "requests" } | null;
  readonly customization: readonly CustomizationNeed[];
  readonly measured: {
    readonly api: ArchetypeOption | null;
    readonly self: (ArchetypeOption & { readonly attainWithTeam: number; readonly uSlo: number }) | null;
    readonly demand: { readonly peakToMean: number; readonly wape: number };
  };
}

export interface Expected {
  readonly verdict: string;
  readonly literalVerdict?: string;
  readonly choices: Readonly<Record<string, string>>;
  readonly rules?: Readonly<Record<string, number>>;
  readonly nodes?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly R?: Readonly<Record<string, number | null>>;
  readonly controlledShare?: number;
}

interface Scenario {
  readonly id: string;
  readonly title: string;
  readonly team: TeamLevels;
  readonly segments: readonly ArchetypeSegment[];
  readonly expect: Expected;
  readonly flips: readonly (Expected & {
    readonly id: string;
    readonly name: string;
    readonly set: Readonly<Record<string, unknown>>;
  })[];
}

interface Fixture {
  readonly thresholds: {
    readonly attainTarget: number;
    readonly margin: number;
    readonly uMin: number;
    readonly peakToMeanMax: number;
    readonly wapeMax: number;
    readonly apiShare: number;
    readonly ctlShare: number;
    readonly softPremium: number;
    readonly gateMin: number;
    readonly teamMeanMin: number;
    readonly softNeeds: number;
    readonly splitShare: number;
  };
  readonly scenarios: readonly Scenario[];
}

const FIXTURE = JSON.parse(readFileSync(new URL("../fixtures/archetypes.json", import.meta.url), "utf8")) as Fixture;

const given = FIXTURE.thresholds;
/** `apiShare` of the fixture is the share on the API that makes a workload API-first; ours is what is left beside it. */
export const THRESHOLDS: DecisionThresholds = {
  attainTarget: given.attainTarget,
  marginFraction: given.margin,
  uSloMin: given.uMin,
  peakToMeanMax: given.peakToMeanMax,
  wapeMax: given.wapeMax,
  apiShareFraction: Math.round((1 - given.apiShare) * 1e9) / 1e9,
  controlledShareFraction: given.ctlShare,
  softPremium: given.softPremium,
  gateMin: given.gateMin,
  teamMeanMin: given.teamMeanMin,
  softNeeds: given.softNeeds,
  splitShareFraction: given.splitShare,
};

export const RUN = {
  seeds: 10,
  runIds: ["run-a", "run-b"],
  inputHash: "hash",
  priceBookDate: "2026-04",
  assumptions: { api: ["offers/x/price"], self: ["gpu-prices/y"] },
};

/** Every scenario and every flip of it, with what is expected of each. */
export function archetypeCases(): { id: string; title: string; inputs: DecisionInputs; expected: Expected }[] {
  return FIXTURE.scenarios.flatMap((scenario) => [
    { id: scenario.id, title: scenario.title, inputs: inputsOf(scenario), expected: scenario.expect },
    ...scenario.flips.map((flip) => ({
      id: flip.id,
      title: flip.name,
      inputs: inputsOf(flipped(scenario, flip.set)),
      expected: flip,
    })),
  ]);
}

export function archetype(id: string): DecisionInputs {
  const found = archetypeCases().find((one) => one.id === id);
  if (found === undefined) throw new Error(`no archetype ${id}`);
  return found.inputs;
}

/** What a decision gives, in the words of the fixture; only the fields that are expected. */
export function outcomeOf(decide: Decide, inputs: DecisionInputs, expected: Expected): Expected {
  const { verdict, records } = decide(inputs);
  const bySegment = <T>(value: (segment: WorkloadVerdict["segments"][number]) => T): Record<string, T> =>
    Object.fromEntries(verdict.segments.map((segment) => [segment.segment, value(segment)]));
  const ratio = (segment: string) => {
    const found = records.find(
      (record) => record.segment === segment && record.node === "T3" && record.option === "self",
    );
    return found === undefined || found.estimate === null ? null : Math.round(found.estimate * 1000) / 1000;
  };
  const all: Required<Expected> = {
    verdict: verdict.verdict,
    literalVerdict: verdict.literal.verdict,
    choices: bySegment((segment) => segment.choice),
    rules: bySegment((segment) => segment.rule),
    nodes: bySegment((segment) => segment.nodes),
    R: bySegment((segment) => ratio(segment.segment)),
    controlledShare: verdict.controlledShare,
  };
  return Object.fromEntries(Object.entries(all).filter(([key]) => key in expected)) as unknown as Expected;
}

/** The part of an expectation that `outcomeOf` can answer. */
export function answerable(expected: Expected): Expected {
  const keys = ["verdict", "literalVerdict", "choices", "rules", "nodes", "R", "controlledShare"];
  return Object.fromEntries(Object.entries(expected).filter(([key]) => keys.includes(key))) as unknown as Expected;
}

function flipped(scenario: Scenario, set: Readonly<Record<string, unknown>>): Scenario {
  const copy = structuredClone(scenario) as unknown as Record<string, unknown>;
  for (const [path, value] of Object.entries(set)) {
    const keys = path.split(".");
    const last = keys.pop()!;
    let at = copy;
    for (const key of keys) at = at[key] as Record<string, unknown>;
    at[last] = value;
  }
  return copy as unknown as Scenario;
}

function inputsOf({ team, segments }: Scenario): DecisionInputs {
  return {
    declared: {
      team,
      thresholds: THRESHOLDS,
      segments: segments.map((one) => ({
        id: one.id,
        share: one.share,
        sensitivity: one.sensitivity,
        redactable: one.redactable ?? false,
        boundaryAllows: one.boundaryAllows ?? ["private_vpc", "dedicated_managed", "onprem"],
        quality: one.quality,
        premiumPrivatelyOffered: one.premiumPrivatelyOffered ?? false,
        latency:
          one.latency === null
            ? null
            : {
                strict: one.latency.strict,
                target: null,
                basis: one.latency.attainBasis ?? (one.latency.strict ? "windows" : "requests"),
              },
        customization: one.customization,
        barred: {},
      })),
    },
    measured: Object.fromEntries(segments.map((one) => [one.id, measuredOf(one)])),
    run: RUN,
  };
}

function measuredOf({ measured }: ArchetypeSegment): SegmentMeasured {
  const { api, self, demand } = measured;
  const option = (one: ArchetypeOption): OptionMeasured => ({
    attain: one.attain ?? null,
    usdPerMonth: one.costLo ?? one.costHi ?? null,
  });
  return {
    options: { ...(api === null ? {} : { api: option(api) }), ...(self === null ? {} : { self: option(self) }) },
    attainWithTeam: self?.attainWithTeam ?? null,
    rotaOk: null,
    uSlo: self?.uSlo ?? null,
    peakToMean: demand.peakToMean,
    wape: demand.wape,
    requestsPerS: null,
    splitControlledShare: null,
  };
}
