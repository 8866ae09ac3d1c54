/**
 * The nodes T0–T5 of the tree as evidence records, one per node and option, for every segment. Nothing is chosen here:
 * the verdict reads these records and the declared inputs, never the measurements. Costs in USD a month.
 *   T0 filter · T1 boundary · T2 latency · T3a volume and steadiness · T3 economics · T4 customization · T5 capability
 */
import type { EvidenceRecord, EvidenceTerm, NodeId, NodeValue, Option } from "./evidence.ts";
import { binds, filterStatement, removals, splitIsOpen, splitStatement } from "./filter.ts";
import { BASE_OPTIONS, CONTROLLED_OPTIONS, all, attainTarget, compare, intervalOf, isStrict } from "./inputs.ts";
import { mustGaps, numberOnly } from "./inputs.ts";
import type { ControlledOption, DecisionInputs, Measured, OptionMeasured, SegmentCase } from "./inputs.ts";
import type { SegmentMeasured } from "./inputs.ts";
import { capabilityStatement, customizationStatement, economicsStatement, latencyStatement } from "./statements.ts";
import { otherCostStatement, sensitivityStatement, splitLatencyStatement, steadinessStatement } from "./statements.ts";

/** T2 and T3 of an option that was not simulated use the numbers of own GPUs under this assumption. */
export const PRIVATE_AS_SELF = "decision/private-managed-attains-as-self";

const NOT_SIMULATED: SegmentMeasured = {
  options: {},
  attainWithTeam: null,
  rotaOk: null,
  uSlo: null,
  peakToMean: null,
  wape: null,
  requestsPerS: null,
  splitControlledShare: null,
};

/** Every evidence record of the workload, in the order of the segments and of the tree. */
export function evidence(inputs: DecisionInputs): EvidenceRecord[] {
  return inputs.declared.segments.flatMap((segment) => {
    const removed = removals(segment);
    const open = BASE_OPTIONS.filter((option) => !removed.some((removal) => removal.option === option));
    const one: SegmentCase = { segment, measured: inputs.measured[segment.id] ?? NOT_SIMULATED, inputs, open };
    const steady = steadiness(one);
    const before = [...filter(one), boundary(one), ...latency(one), steady];
    return [...before, ...economics(one, steady.value), customization(one), capability(one)];
  });
}

/** Id of the record of a node and option; the verdict finds its evidence by it. */
export function recordId(segment: string, node: NodeId, option: Option | null): string {
  return option === null ? `${segment}/${node}` : `${segment}/${node}/${option}`;
}

type Content = Pick<EvidenceRecord, "node" | "option" | "value" | "kind" | "statement"> & {
  /** Options whose simulated numbers the record used. */
  readonly from: readonly (Option | "demand")[];
  readonly decisive: EvidenceTerm;
  readonly terms?: readonly EvidenceTerm[];
  readonly assumptions?: readonly string[];
};

/** Completes a record with the run it rests on; a declared one rests on no run. */
function record({ segment, inputs }: SegmentCase, content: Content): EvidenceRecord {
  const { node, option, value, kind, statement, from, decisive, terms } = content;
  const { run } = inputs;
  const simulated = kind !== "declared";
  const used = new Set(content.assumptions ?? []);
  if (simulated) for (const source of from) for (const id of run.assumptions[source] ?? []) used.add(id);
  const { metric, estimate, ci95, threshold, distanceToThreshold } = decisive;
  return {
    id: recordId(segment.id, node, option),
    node,
    segment: segment.id,
    option,
    value,
    kind,
    statement,
    metric,
    estimate,
    ci95,
    threshold,
    distanceToThreshold,
    seeds: simulated ? run.seeds : 0,
    runIds: simulated ? run.runIds : [],
    inputHash: run.inputHash,
    priceBookDate: node === "T3" ? run.priceBookDate : null,
    assumptions: [...used].sort(),
    ...(terms === undefined ? {} : { terms }),
  };
}

/** The term that settles a node: one that says no, else an unknown one, else the one nearest to its threshold. */
function decisiveOf(terms: readonly EvidenceTerm[]): EvidenceTerm {
  const RANK: Readonly<Record<NodeValue, number>> = { no: 0, unknown: 1, yes: 2, "n/a": 3 };
  const margin = ({ distanceToThreshold: distance, threshold }: EvidenceTerm) =>
    distance === null || threshold === null || threshold === 0 ? Infinity : distance / Math.abs(threshold);
  return terms.reduce((best, term) => {
    const difference = RANK[term.value] - RANK[best.value];
    return difference < 0 || (difference === 0 && margin(term) < margin(best)) ? term : best;
  });
}

function filter(one: SegmentCase): EvidenceRecord[] {
  const { segment, open } = one;
  const removed = removals(segment);
  const records = BASE_OPTIONS.map((option) => {
    const reasons = removed.filter((removal) => removal.option === option);
    const constraints = new Set(reasons.flatMap((removal) => removal.constraints));
    return record(one, {
      node: "T0",
      option,
      value: open.includes(option) ? "yes" : "no",
      kind: "declared",
      statement: filterStatement(segment, option, reasons),
      from: [],
      decisive: numberOnly(constraints.size === 0 ? "open" : [...constraints].join(" "), null),
    });
  });
  const split: Content = {
    node: "T0",
    option: "split",
    value: splitIsOpen(open) ? "yes" : "no",
    kind: "declared",
    statement: splitStatement(segment, open),
    from: [],
    decisive: numberOnly("open", null),
  };
  return [...records, record(one, split)];
}

function boundary(one: SegmentCase): EvidenceRecord {
  return record(one, {
    node: "T1",
    option: null,
    value: binds(one.segment) ? "yes" : "no",
    kind: "declared",
    statement: sensitivityStatement(one.segment),
    from: [],
    decisive: numberOnly("sensitivity", null),
  });
}

/** T2, kept per controlled option; the terms carry the attainment of every option, which `targetMissed` needs. */
function latency(one: SegmentCase): EvidenceRecord[] {
  const { segment, measured, inputs } = one;
  const target = attainTarget(segment, inputs.declared.thresholds);
  const api = compare("attain(api)", measured.options.api?.attain ?? null, "below", target);
  const records = CONTROLLED_OPTIONS.map((option) => {
    const { attain, source } = attainOf(option, measured);
    const own = compare(`attain(${option})`, attain, "atLeast", target);
    const value = latencyValue(one, option, api, own);
    const compared = isStrict(segment) && value !== "n/a";
    return record(one, {
      node: "T2",
      option,
      value,
      kind: "measured",
      statement: latencyStatement({ one, option, value, target, attain, assumed: source !== option }),
      from: ["api", source],
      decisive: compared ? decisiveOf([api, own]) : { ...own, distanceToThreshold: null },
      terms: [api, own],
      assumptions: source !== option && attain !== null ? [PRIVATE_AS_SELF] : [],
    });
  });
  const split = measured.options.split;
  if (split === undefined || !splitIsOpen(one.open)) return records;
  const term = compare("attain(split)", split.attain, "atLeast", target);
  const content: Content = {
    node: "T2",
    option: "split",
    value: "n/a",
    kind: "measured",
    statement: splitLatencyStatement(segment, target, split.attain),
    from: ["split"],
    decisive: term,
    terms: [term],
  };
  return [...records, record(one, content)];
}

/** A vendor-run deployment that was not simulated is taken to attain what own GPUs do. */
function attainOf(option: ControlledOption, measured: SegmentMeasured): { attain: Measured; source: ControlledOption } {
  const direct = measured.options[option];
  if (direct !== undefined || option === "self") return { attain: direct?.attain ?? null, source: option };
  return { attain: measured.options.self?.attain ?? null, source: "self" };
}

function latencyValue(
  { segment, open }: SegmentCase,
  option: ControlledOption,
  api: EvidenceTerm,
  own: EvidenceTerm,
): NodeValue {
  if (!isStrict(segment)) return "no";
  if (!open.includes("api") || !open.includes(option)) return "n/a";
  return all([api.value, own.value]);
}

/** T3a, of own GPUs. Zero traffic is noted here, since it takes the ground from every soft reason. */
function steadiness(one: SegmentCase): EvidenceRecord {
  const { measured, inputs, open } = one;
  const { uSloMin, peakToMeanMax, wapeMax } = inputs.declared.thresholds;
  const tests = [
    compare("uSlo", measured.uSlo, "atLeast", uSloMin),
    compare("peakToMean", measured.peakToMean, "atMost", peakToMeanMax),
    compare("wape", measured.wape, "atMost", wapeMax),
  ];
  const counts = open.includes("self") && measured.options.self !== undefined;
  const value = counts ? all(tests.map((term) => term.value)) : "n/a";
  return record(one, {
    node: "T3a",
    option: "self",
    value,
    kind: "measured",
    statement: steadinessStatement(one, value),
    from: ["self", "demand"],
    decisive: counts ? decisiveOf(tests) : numberOnly("uSlo", null),
    terms: [...tests, numberOnly("requestsPerS", measured.requestsPerS)],
  });
}

/** Cost of own GPUs as a multiple of the cost of the API: the lowest and the highest that the intervals allow. */
function costRatio(
  self: OptionMeasured | undefined,
  api: OptionMeasured | undefined,
): { lo: number; hi: number } | null {
  const own = intervalOf(self?.usdPerMonth ?? null);
  const theirs = intervalOf(api?.usdPerMonth ?? null);
  return own === null || theirs === null ? null : { lo: quotient(own.lo, theirs.hi), hi: quotient(own.hi, theirs.lo) };
}

/** A price of nothing cannot be undercut: anything against it costs infinitely more, and nothing as much. */
function quotient(own: number, theirs: number): number {
  if (theirs > 0) return own / theirs;
  return own > 0 ? Infinity : 1;
}

/** T3, of own GPUs, and the cost of every other simulated option beside it, which is not compared here. */
function economics(one: SegmentCase, steady: NodeValue): EvidenceRecord[] {
  const { measured, inputs, open } = one;
  const { marginFraction, softPremium } = inputs.declared.thresholds;
  const { api, self } = measured.options;
  const both = open.includes("self") && open.includes("api");
  const bounds = both ? costRatio(self, api) : null;
  const worst = bounds !== null && bounds.hi !== Infinity ? bounds : null;
  const against = (threshold: number, value: NodeValue): EvidenceTerm => ({
    metric: "costRatio",
    value,
    estimate: worst?.hi ?? null,
    ci95: worst === null || worst.lo === worst.hi ? null : [worst.lo, worst.hi],
    threshold,
    distanceToThreshold: worst === null ? null : threshold - worst.hi,
  });
  const most = 1 - marginFraction;
  const cheaper: NodeValue = bounds === null ? "n/a" : bounds.hi <= most ? "yes" : bounds.lo > most ? "no" : "unknown";
  const bearable: NodeValue = bounds === null ? "n/a" : bounds.hi > softPremium ? "no" : "yes";
  const decisive = against(most, cheaper);
  const value = cheaper === "n/a" || steady === "n/a" ? "n/a" : all([steady, cheaper]);
  const main = record(one, {
    node: "T3",
    option: "self",
    value,
    kind: "derived",
    statement: economicsStatement({ one, value, steady, bounds, most }),
    from: ["api", "self"],
    decisive,
    terms: [
      decisive,
      { ...against(softPremium, bearable), metric: "costRatioSoft" },
      numberOnly("usdPerMonth(api)", api?.usdPerMonth ?? null),
      numberOnly("usdPerMonth(self)", self?.usdPerMonth ?? null),
      numberOnly("answered(api)", api?.answered ?? null),
      numberOnly("answered(self)", self?.answered ?? null),
    ],
  });
  const others = (["private_managed", "split"] as const).flatMap((option) => {
    const simulated = measured.options[option];
    if (simulated === undefined || (option === "split" && !splitIsOpen(open))) return [];
    const cost = numberOnly(`usdPerMonth(${option})`, simulated.usdPerMonth);
    const share = option === "split" ? [numberOnly("controlledShare", measured.splitControlledShare)] : [];
    const content: Content = {
      node: "T3",
      option,
      value: "n/a",
      kind: "measured",
      statement: otherCostStatement(one, option, simulated),
      from: [option],
      decisive: cost,
      terms: [cost, ...share],
    };
    return [record(one, content)];
  });
  return [main, ...others];
}

function customization(one: SegmentCase): EvidenceRecord {
  const { segment, inputs } = one;
  const { softNeeds } = inputs.declared.thresholds;
  const musts = mustGaps(segment).length;
  const lacking = segment.customization.filter((need) => !need.apiSupports).length;
  const decisive =
    musts > 0
      ? compare("mustsTheApiLacks", musts, "atLeast", 1)
      : compare("needsTheApiLacks", lacking, "atLeast", softNeeds);
  return record(one, {
    node: "T4",
    option: null,
    value: decisive.value,
    kind: "declared",
    statement: customizationStatement(segment, softNeeds),
    from: [],
    decisive,
  });
}

/** T5. What was not simulated or not declared drops out. */
function capability(one: SegmentCase): EvidenceRecord {
  const { segment, measured, inputs } = one;
  const { team, thresholds } = inputs.declared;
  const levels = Object.values(team);
  const lowest = Math.min(team.observability, team.release, team.incident_coverage);
  const mean = levels.reduce((sum, level) => sum + level, 0) / levels.length;
  const simulated = measured.options.self !== undefined && measured.attainWithTeam !== null;
  const attain = measured.attainWithTeam;
  const target = attainTarget(segment, thresholds);
  const rota: NodeValue = measured.rotaOk === null ? "n/a" : measured.rotaOk ? "yes" : "no";
  const terms = [
    compare("lowestGateLevel", lowest, "atLeast", thresholds.gateMin),
    compare("meanTeamLevel", mean, "atLeast", thresholds.teamMeanMin),
    simulated ? compare("attainWithTeam", attain, "atLeast", target) : numberOnly("attainWithTeam", null),
    { ...numberOnly("rotaOk", null), value: rota },
  ];
  const value = all(terms.map((term) => term.value));
  return record(one, {
    node: "T5",
    option: "self",
    value,
    kind: simulated ? "derived" : "declared",
    statement: capabilityStatement(one, { value, lowest, mean, attain: simulated ? attain : null, target }),
    from: ["self"],
    decisive: decisiveOf(terms),
    terms,
  });
}
