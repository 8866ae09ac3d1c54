/**
 * The verdict: for each segment the option that the rules choose, and for the workload its name by the share of requests
 * on controlled capacity. A pure function of the evidence records and the declared inputs; shares are fractions.
 */
import type { EvidenceRecord, Mode, Option, SegmentVerdict, VerdictName, WorkloadVerdict } from "./evidence.ts";
import { conflictOf } from "./conflict.ts";
import { factsOf, indexRecords, nodesOf } from "./facts.ts";
import type { Facts } from "./facts.ts";
import { removalReasons, splitIsOpen } from "./filter.ts";
import { isStrict } from "./inputs.ts";
import type { DecisionInputs, DeclaredInputs } from "./inputs.ts";
import { evidence } from "./nodes.ts";
import { chooseOption, dependsOn, unknownNodes } from "./rules.ts";
import type { RuleOutcome } from "./rules.ts";
import { advisoryLines, passedOverReason, revisitLines, ruleReason } from "./reasons.ts";
import { verdictSentence } from "./sentences.ts";

/** Fewer replications than this make a verdict indicative. */
const FIRM_REPLICATIONS = 10;

/** Evidence and verdict. The verdict is read from the records alone, so `recompute` on them gives the same bytes. */
export function decide(inputs: DecisionInputs): { verdict: WorkloadVerdict; records: EvidenceRecord[] } {
  const records = evidence(inputs);
  return { verdict: recompute(records, inputs.declared), records };
}

/** The verdict from stored records. Throws `InvariantError` DECISION-1 if a node of a segment has no record. */
export function recompute(records: readonly EvidenceRecord[], declared: DeclaredInputs): WorkloadVerdict {
  const index = indexRecords(records);
  const factsIn = (mode: Mode) => declared.segments.map((segment) => factsOf(segment, index, declared, mode));
  const facts = factsIn("evidence");
  const literalFacts = factsIn("literal");
  const segments = facts.map((one) => segmentVerdict(one, declared));
  const controlledShare = controlledShareOf(facts, segments, declared);
  const literalSegments = literalFacts.map((one) => segmentVerdict(one, declared));
  const literalShare = controlledShareOf(literalFacts, literalSegments, declared);

  const verdict = {
    verdict: nameOf(segments, controlledShare, declared),
    indicative: records.some((record) => record.kind !== "declared" && record.seeds < FIRM_REPLICATIONS),
    controlledShare,
    segments,
    literal: {
      verdict: nameOf(literalSegments, literalShare, declared),
      differs: differences(segments, literalSegments),
    },
    unknownNodes: facts.flatMap((one) => unknownNodes(one).map((node) => `${one.segment.id}/${node}`)),
  };
  return { ...verdict, sentence: verdictSentence(records, verdict) };
}

function segmentVerdict(facts: Facts, declared: DeclaredInputs): SegmentVerdict {
  const outcome = chooseOption(facts);
  const { choice, rule } = outcome;
  const open: readonly Option[] = splitIsOpen(facts.open) ? [...facts.open, "split"] : facts.open;
  return {
    segment: facts.segment.id,
    share: facts.segment.share,
    choice,
    rule,
    reason: ruleReason(outcome),
    open,
    passedOver: passedOver(facts, open, outcome, declared),
    nodes: nodesOf(facts),
    dependsOn: dependsOn(facts),
    targetMissed: targetMissed(facts, outcome),
    conflict: choice === "conflict" ? conflictOf(facts) : null,
    revisit: revisitLines(facts, outcome, declared.thresholds),
    advisory: advisoryLines(facts, open, outcome, targetMissed(facts, outcome)),
  };
}

/** Every option that was not taken: the closed ones with the reasons of T0, the open ones with that of the rule. */
function passedOver(
  facts: Facts,
  open: readonly Option[],
  outcome: RuleOutcome,
  { thresholds }: DeclaredInputs,
): SegmentVerdict["passedOver"] {
  const options: readonly Option[] = ["api", "private_managed", "self", "split"];
  return options.flatMap((option) => {
    if (option === outcome.choice) return [];
    if (open.includes(option)) return [{ option, reason: passedOverReason(facts, option, outcome, thresholds) }];
    const removed = facts.removed.filter((removal) => removal.option === option);
    return removed.length === 0 ? [] : [{ option, reason: `closed: ${removalReasons(removed)}` }];
  });
}

/** The chosen option attains less than a strict target. */
function targetMissed(facts: Facts, { choice }: RuleOutcome): boolean {
  if (choice === "conflict" || !isStrict(facts.segment)) return false;
  const attained = facts.attain[choice]?.estimate ?? null;
  return attained !== null && attained < facts.target;
}

/** Share of requests on controlled capacity; a segment in conflict counts for nothing. */
function controlledShareOf(
  facts: readonly Facts[],
  segments: readonly SegmentVerdict[],
  { thresholds }: DeclaredInputs,
): number {
  const share = segments.reduce((sum, { choice, share }, i) => {
    if (choice === "api" || choice === "conflict") return sum;
    const weight = choice === "split" ? (facts[i]?.splitControlledShare ?? thresholds.splitShareFraction) : 1;
    return sum + share * weight;
  }, 0);
  // Rounding keeps the verdict the same in whatever order the shares are added.
  return Math.round(share * 1e9) / 1e9;
}

function nameOf(segments: readonly SegmentVerdict[], controlledShare: number, declared: DeclaredInputs): VerdictName {
  const { apiShareFraction, controlledShareFraction } = declared.thresholds;
  if (segments.some(({ choice }) => choice === "conflict")) return "conflict";
  if (controlledShare <= apiShareFraction) return "api-first";
  if (controlledShare < controlledShareFraction) return "hybrid";
  const own = segments.some(({ choice }) => choice === "self" || choice === "split");
  return own ? "self-hosted" : "private-controlled";
}

/** `segment/node` of every node with another value in the literal mode. */
function differences(segments: readonly SegmentVerdict[], literal: readonly SegmentVerdict[]): string[] {
  const nodes = ["T1", "T2", "T3a", "T3", "T4", "T5"] as const;
  return segments.flatMap(({ segment, nodes: values }, i) =>
    nodes.filter((node) => values[node] !== literal[i]?.nodes[node]).map((node) => `${segment}/${node}`),
  );
}
