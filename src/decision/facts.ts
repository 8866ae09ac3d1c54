/**
 * What the verdict knows of one segment: read back from the evidence records and the declared inputs, and from nothing
 * else, so that a verdict can be recomputed from what was stored.
 */
import { InvariantError } from "../kernel/errors.ts";
import type { EvidenceRecord, EvidenceTerm, Mode, NodeId, NodeValue, Option } from "./evidence.ts";
import { removals } from "./filter.ts";
import type { Removal } from "./filter.ts";
import { BASE_OPTIONS, CONTROLLED_OPTIONS, all, any, attainTarget, isStrict, mustGaps } from "./inputs.ts";
import type { BaseOption, ControlledOption, DeclaredInputs, SegmentDeclared } from "./inputs.ts";
import { recordId } from "./nodes.ts";

export type RecordIndex = ReadonlyMap<string, EvidenceRecord>;

export interface Facts {
  readonly segment: SegmentDeclared;
  readonly open: readonly BaseOption[];
  readonly removed: readonly Removal[];
  readonly boundary: NodeValue;
  readonly mustGap: boolean;
  /** T2 by option. */
  readonly latency: Readonly<Record<ControlledOption, NodeValue>>;
  readonly steady: NodeValue;
  /** Are own GPUs cheaper by the margin? n/a where costs may not be compared. */
  readonly cheaper: NodeValue;
  /** T3 as recorded; differs from `steady` and `cheaper` together only while testing what an unknown node decides. */
  readonly economics: NodeValue;
  readonly customization: NodeValue;
  /** Do own GPUs cost too much more than the API for a soft reason? False where costs may not be compared. */
  readonly tooDearForSoft: boolean;
  readonly capability: NodeValue;
  /** The comparisons behind `capability` in evidence mode. */
  readonly capabilityTerms: readonly EvidenceTerm[];
  readonly costRatio: EvidenceTerm | null;
  /** There is no traffic at all, so a soft reason has nothing to work on. */
  readonly idle: boolean;
  readonly target: number;
  readonly attain: Readonly<Record<Option, EvidenceTerm | null>>;
  readonly usdPerMonth: Readonly<Record<Option, EvidenceTerm | null>>;
  readonly splitControlledShare: number | null;
}

export function indexRecords(records: readonly EvidenceRecord[]): RecordIndex {
  return new Map(records.map((record) => [record.id, record]));
}

/** The record of a node. Throws DECISION-1 if it is missing: no verdict without its evidence. */
function need(index: RecordIndex, segment: string, node: NodeId, option: Option | null): EvidenceRecord {
  const record = index.get(recordId(segment, node, option));
  if (record === undefined) throw new InvariantError("DECISION-1 every node has its record", { segment, node, option });
  return record;
}

function term(record: EvidenceRecord | undefined, metric: string): EvidenceTerm | null {
  return record?.terms?.find((one) => one.metric === metric) ?? null;
}

/** Facts of one segment in one mode. `literal`: T2 is the strict target alone, T5 the declared levels alone. */
export function factsOf(segment: SegmentDeclared, index: RecordIndex, declared: DeclaredInputs, mode: Mode): Facts {
  const record = (node: NodeId, option: Option | null) => need(index, segment.id, node, option);
  const optional = (node: NodeId, option: Option) => index.get(recordId(segment.id, node, option));
  const open = BASE_OPTIONS.filter((option) => record("T0", option).value === "yes");
  const latency = (option: ControlledOption): NodeValue => {
    if (mode === "evidence") return record("T2", option).value;
    if (!isStrict(segment)) return "no";
    return open.includes("api") && open.includes(option) ? "yes" : "n/a";
  };
  const t2 = record("T2", "self");
  const t3 = record("T3", "self");
  const t5 = record("T5", "self");
  const levels = ["lowestGateLevel", "meanTeamLevel"].map((metric) => term(t5, metric)?.value ?? "unknown");
  return {
    segment,
    open,
    removed: removals(segment),
    boundary: record("T1", null).value,
    mustGap: mustGaps(segment).length > 0,
    latency: { private_managed: latency("private_managed"), self: latency("self") },
    steady: record("T3a", "self").value,
    cheaper: term(t3, "costRatio")?.value ?? "n/a",
    economics: t3.value,
    customization: record("T4", null).value,
    tooDearForSoft: term(t3, "costRatioSoft")?.value === "no",
    capability: mode === "evidence" ? t5.value : all(levels),
    capabilityTerms: t5.terms ?? [],
    costRatio: term(t3, "costRatio"),
    idle: term(record("T3a", "self"), "requestsPerS")?.estimate === 0,
    target: attainTarget(segment, declared.thresholds),
    attain: {
      api: term(t2, "attain(api)"),
      private_managed: term(record("T2", "private_managed"), "attain(private_managed)"),
      self: term(t2, "attain(self)"),
      split: term(optional("T2", "split"), "attain(split)"),
    },
    usdPerMonth: {
      api: term(t3, "usdPerMonth(api)"),
      private_managed: term(optional("T3", "private_managed"), "usdPerMonth(private_managed)"),
      self: term(t3, "usdPerMonth(self)"),
      split: term(optional("T3", "split"), "usdPerMonth(split)"),
    },
    splitControlledShare: term(optional("T3", "split"), "controlledShare")?.estimate ?? null,
  };
}

/** T2 of the segment: of some open controlled option. */
export function latencyNode(facts: Facts): NodeValue {
  if (!isStrict(facts.segment)) return "no";
  if (!facts.open.includes("api")) return "n/a";
  return any(CONTROLLED_OPTIONS.filter((option) => facts.open.includes(option)).map((option) => facts.latency[option]));
}

export function nodesOf(facts: Facts): Readonly<Record<Exclude<NodeId, "T0">, NodeValue>> {
  return {
    T1: facts.boundary,
    T2: latencyNode(facts),
    T3a: facts.steady,
    T3: facts.economics,
    T4: facts.customization,
    T5: facts.capability,
  };
}

/**
 * Is the option forced on the segment? By the boundary or by a must, both of which close the API, by the strategies, which
 * may all bar the segment from it, or by latency.
 */
export function isHard(facts: Facts, option: ControlledOption): boolean {
  return !facts.open.includes("api") || facts.latency[option] === "yes";
}

/** A wish for control that is not a must, on a segment that has traffic. */
export function isSoft(facts: Facts): boolean {
  return facts.customization === "yes" && !facts.mustGap && !facts.idle;
}
