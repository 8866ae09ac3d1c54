/**
 * The sentences of a report. Each is the rendering of evidence records: take a record away and what it said is gone.
 * Shares are fractions of requests.
 */
import type { EvidenceRecord, NodeId, Option, SegmentVerdict, WorkloadVerdict } from "./evidence.ts";
import { indexRecords } from "./facts.ts";
import type { RecordIndex } from "./facts.ts";
import { recordId } from "./nodes.ts";
import { list, optionName, percent, verdictTitle } from "./wording.ts";

const TREE_ORDER: readonly NodeId[] = ["T0", "T1", "T2", "T3a", "T3", "T4", "T5"];

/** The sentences of a segment in the order of the tree. */
export function segmentSentences(records: readonly EvidenceRecord[], segment: string): string[] {
  const own = records.filter((record) => record.segment === segment);
  return TREE_ORDER.flatMap((node) => own.filter((record) => record.node === node).map((record) => record.statement));
}

/** Something said of one or more segments: `text` around their names. */
interface Clause {
  readonly before: string;
  readonly after: string;
  /** Comes last, where its segments may be called the rest. */
  readonly isDefault: boolean;
}

/**
 * The one sentence of the report: the verdict and what forces it. A segment whose evidence is missing is not spoken of;
 * with no evidence at all there is no sentence (the empty string).
 */
export function verdictSentence(
  records: readonly EvidenceRecord[],
  verdict: Pick<WorkloadVerdict, "verdict" | "segments">,
): string {
  const index = indexRecords(records);
  const groups = new Map<string, { clause: Clause; segments: SegmentVerdict[] }>();
  for (const segment of verdict.segments) {
    const clause = clauseOf(index, segment);
    if (clause === null) continue;
    const key = `${clause.before}|${clause.after}`;
    const group = groups.get(key) ?? { clause, segments: [] };
    group.segments.push(segment);
    groups.set(key, group);
  }
  if (groups.size === 0) return "";
  const ordered = [...groups.values()].sort((a, b) => Number(a.clause.isDefault) - Number(b.clause.isDefault));
  let spokenOf = 0;
  const clauses = ordered.map(({ clause, segments }) => {
    spokenOf += segments.length;
    const isRest = clause.isDefault && groups.size > 1 && spokenOf === verdict.segments.length;
    return clause.before + namesOf(segments, verdict.segments.length, isRest) + clause.after;
  });
  return `${verdictTitle(verdict.verdict)}: ${clauses.join("; ")}.`;
}

function namesOf(segments: readonly SegmentVerdict[], total: number, isRest: boolean): string {
  const share = percent(segments.reduce((sum, segment) => sum + segment.share, 0));
  if (segments.length === total) return "the whole workload";
  if (isRest) return `the rest (${share} of requests)`;
  return `${list(segments.map((segment) => `"${segment.segment}"`))} (${share} of requests)`;
}

/** What the records say of the choice for one segment; null where a record it needs is missing. */
function clauseOf(index: RecordIndex, verdict: SegmentVerdict): Clause | null {
  const { segment, choice, rule } = verdict;
  const find = (node: NodeId, option: Option | null) => index.get(recordId(segment, node, option));
  const has = (...wanted: [NodeId, Option | null][]) =>
    wanted.every(([node, option]) => find(node, option) !== undefined);
  const clause = (before: string, after: string, isDefault = false): Clause => ({ before, after, isDefault });

  if (choice === "conflict") {
    if (!has(["T0", "api"], ["T0", "private_managed"], ["T0", "self"], ["T5", "self"])) return null;
    const clash = list(verdict.conflict?.clash ?? []);
    return clause("no option is left for ", `, whose constraints clash (${clash})`);
  }
  if (choice !== "api") {
    const forces = forcesOf(index, verdict, choice);
    if (forces.length === 0) return null;
    const hard = forces.filter((force) => force.hard);
    const named = hard.length > 0 ? hard : forces;
    const many = named.length > 1 || named.some((force) => force.plural);
    const verb = hard.length > 0 ? (many ? "force" : "forces") : many ? "justify" : "justifies";
    const names = list(named.map((force) => force.name));
    const weak = find("T5", "self");
    const gap = rule === 4 && weak !== undefined ? ", since the team is not shown to be able to operate own GPUs" : "";
    return clause(`${names} ${verb} ${optionName(choice)} for `, gap);
  }
  if (rule === 1) {
    return has(["T0", "private_managed"], ["T0", "self"]) ? clause("the API is the only option open to ", "") : null;
  }
  if (rule === 4) {
    return has(["T5", "self"])
      ? clause("the team is not shown to be able to operate own GPUs, which keeps ", " on the API")
      : null;
  }
  if (rule === 3)
    return has(["T4", null]) ? clause("no open option of ours gives ", " the control it wishes for") : null;
  if (!has(["T1", null], ["T2", "private_managed"], ["T2", "self"], ["T3a", "self"], ["T3", "self"], ["T4", null])) {
    return null;
  }
  const open = verdict.nodes.T2 === "unknown" || verdict.nodes.T3 === "unknown";
  return clause(open ? "nothing is shown to force " : "nothing forces ", " off the API", true);
}

interface Force {
  readonly name: string;
  readonly hard: boolean;
  readonly plural: boolean;
}

/** Every record that speaks for the choice of a controlled option. */
function forcesOf(index: RecordIndex, { segment }: SegmentVerdict, choice: Option): Force[] {
  const says = (node: NodeId, option: Option | null) => {
    const record = index.get(recordId(segment, node, option));
    return record?.value === "yes" ? record : undefined;
  };
  const forces: Force[] = [];
  if (says("T1", null) !== undefined)
    forces.push({ name: "data that may not leave the boundary", hard: true, plural: false });
  const control = says("T4", null);
  const must = control?.metric === "mustsTheApiLacks";
  if (must) forces.push({ name: "needs that the API does not meet", hard: true, plural: true });
  if (says("T2", choice) !== undefined) {
    forces.push({ name: "a strict latency target that the API misses", hard: true, plural: false });
  }
  if (index.get(recordId(segment, "T0", "api"))?.metric === "boundary-place") {
    forces.push({ name: "a boundary that no API offer satisfies", hard: true, plural: false });
  }
  if (choice === "self" && says("T3", "self") !== undefined) {
    forces.push({ name: "a clear cost advantage", hard: false, plural: false });
  }
  if (choice !== "private_managed" && control !== undefined && !must) {
    forces.push({ name: "wishes for control that the API does not meet", hard: false, plural: true });
  }
  return forces;
}
