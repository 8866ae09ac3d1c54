/**
 * The verdict and the path through the tree. A sentence here is the statement of one evidence record, or a reason that the
 * verdict itself carries: without the record there is no sentence.
 */
import type {
  EvidenceRecord,
  NodeId,
  Option,
  SegmentVerdict,
  VerdictName,
  WorkloadVerdict,
} from "../decision/evidence.ts";
import type { Summary } from "../decision/summary.ts";
import { chosen, percent, plural, usd } from "./format.ts";
import type { SegmentView, TreeNodeView, VerdictView } from "./model.ts";
import { optionColor, optionTitle } from "./strategies.ts";

type TreeNode = Exclude<NodeId, "T0">;
const TREE: readonly (readonly [TreeNode, string])[] = [
  ["T1", "Boundary"],
  ["T2", "Latency"],
  ["T3a", "Volume"],
  ["T3", "Economics"],
  ["T4", "Customization"],
  ["T5", "Capability"],
];
const NODE_ORDER: readonly NodeId[] = ["T0", ...TREE.map(([node]) => node)];
/** Nodes whose yes is a force or an advantage; T5 is a condition. */
const FORCES = new Set<NodeId>(["T1", "T2", "T3", "T4"]);
/** Fewer replications than this make a verdict indicative. */
const FIRM_REPLICATIONS = 10;

const VERDICTS: Readonly<Record<VerdictName, { title: string; color: string }>> = {
  "api-first": { title: "API-first", color: optionColor("api") },
  hybrid: { title: "Hybrid", color: optionColor("split") },
  "self-hosted": { title: "Self-hosted", color: optionColor("self") },
  "private-controlled": { title: "Private controlled", color: optionColor("private_managed") },
  conflict: { title: "Conflict", color: optionColor("conflict") },
};

export function viewVerdict(summary: Summary): VerdictView | null {
  const { verdict, records, replications } = summary;
  if (verdict === null) return null;
  const forcing = sorted(records).filter((record) => FORCES.has(record.node) && record.value === "yes");
  return {
    name: VERDICTS[verdict.verdict].title,
    sentence: verdict.sentence,
    costTie: summary.remarks.costTie,
    targetUnmet: summary.remarks.targetUnmet?.sentence ?? null,
    color: VERDICTS[verdict.verdict].color,
    indicative:
      verdict.indicative || replications < FIRM_REPLICATIONS
        ? `Indicative: ${plural(replications, "replication")}, fewer than ${FIRM_REPLICATIONS}`
        : null,
    controlledShare: verdict.verdict === "conflict" ? null : chosen(percent)(verdict.controlledShare),
    literal: literalText(verdict),
    unknownNodes: verdict.unknownNodes,
    forces: [...new Set(forcing.map((record) => `${record.segment}: ${record.statement}`))],
    noForces:
      forcing.length === 0 && everyNodeRecorded(verdict, records)
        ? "Nothing forces or favours own capacity: T1, T2, T3 and T4 are not yes for any class."
        : null,
    segments: verdict.segments.map((segment) => viewSegment(segment, records)),
  };
}

function literalText({ verdict, literal }: WorkloadVerdict): string | null {
  if (literal.verdict === verdict && literal.differs.length === 0) return null;
  const nodes = literal.differs.length === 0 ? "" : ` It differs at ${literal.differs.join(", ")}.`;
  return literal.verdict === verdict
    ? `Taken literally, by declared needs alone, the tree gives the same verdict.${nodes}`
    : `Taken literally, by declared needs alone, the tree says ${VERDICTS[literal.verdict].title}; by measured evidence ${VERDICTS[verdict].title}.${nodes}`;
}

function everyNodeRecorded(verdict: WorkloadVerdict, records: readonly EvidenceRecord[]): boolean {
  return verdict.segments.every((segment) =>
    [...FORCES].every((node) => records.some((record) => record.node === node && record.segment === segment.segment)),
  );
}

/** By segment as recorded, node in the tree's order, option. */
function sorted(records: readonly EvidenceRecord[]): EvidenceRecord[] {
  return [...records].sort((a, b) => NODE_ORDER.indexOf(a.node) - NODE_ORDER.indexOf(b.node));
}

function viewSegment(segment: SegmentVerdict, records: readonly EvidenceRecord[]): SegmentView {
  const own = sorted(records).filter((record) => record.segment === segment.segment);
  return {
    name: segment.segment,
    share: `${chosen(percent)(segment.share)} of requests`,
    choice: optionTitle(segment.choice),
    color: optionColor(segment.choice),
    rule: `Rule ${segment.rule}`,
    reason: segment.reason,
    path: TREE.map(([node, label]): TreeNodeView => ({
      node,
      label,
      value: segment.nodes[node],
      decides: segment.dependsOn.includes(node),
    })),
    evidence: own
      // An option that stays open is no news; one that was removed is.
      .filter((record) => record.node !== "T0" || record.value !== "yes")
      .map((record) => ({
        id: record.id,
        node: record.option === null ? record.node : `${record.node} ${optionTitle(record.option)}`,
        value: record.value,
        statement: record.statement,
      })),
    notes: segmentNotes(segment),
  };
}

function segmentNotes(segment: SegmentVerdict): SegmentView["notes"] {
  const options = (names: readonly Option[]): string => names.map((name) => optionTitle(name)).join(", ");
  const { conflict } = segment;
  const notes: { label: string; lines: readonly string[] }[] = [
    { label: "Target", lines: segment.targetMissed ? ["The chosen option attains less than the strict target."] : [] },
    {
      label: "Depends on",
      lines:
        segment.dependsOn.length === 0
          ? []
          : [`${segment.dependsOn.join(", ")}: not settled by the runs; a yes would change the choice.`],
    },
    { label: "Passed over", lines: segment.passedOver.map((entry) => `${optionTitle(entry.option)}: ${entry.reason}`) },
    { label: "Clash", lines: conflict === null ? [] : [conflict.clash.join(" + ")] },
    {
      label: "If relaxed",
      lines: (conflict?.relaxations ?? []).map(
        (entry) =>
          `${entry.constraint}: returns ${entry.returns.length === 0 ? "nothing" : options(entry.returns)}${entry.usdPerMonth === null ? "" : ` at ${usd(entry.usdPerMonth)} a month`}`,
      ),
    },
    { label: "Revisit when", lines: segment.revisit },
    { label: "Advisory", lines: segment.advisory },
  ];
  return notes.filter((note) => note.lines.length > 0);
}
