/**
 * The evidence a verdict rests on. A verdict is a pure function of these records: recomputing it from stored records
 * gives the same bytes, and a report sentence is the rendering of a record, so text cannot drift from results.
 */

export type Option = "api" | "private_managed" | "self" | "split";
export type NodeId = "T0" | "T1" | "T2" | "T3a" | "T3" | "T4" | "T5";
export type NodeValue = "yes" | "no" | "unknown" | "n/a";
export type Choice = Option | "conflict";
export type VerdictName = "api-first" | "hybrid" | "self-hosted" | "private-controlled" | "conflict";
export type Mode = "evidence" | "literal";

/**
 * One comparison inside a node that has several (T2, T3a, T3, T5), so that every margin to a threshold is kept.
 * A term without a threshold only carries a number the verdict needs; its value is "n/a".
 */
export interface EvidenceTerm {
  readonly metric: string;
  readonly value: NodeValue;
  readonly estimate: number | null;
  readonly ci95: readonly [number, number] | null;
  readonly threshold: number | null;
  /** Signed; positive = on the side that makes the term true. */
  readonly distanceToThreshold: number | null;
}

/** One node of the tree for one segment and, where it is kept per option, one option. */
export interface EvidenceRecord {
  readonly id: string;
  readonly node: NodeId;
  readonly segment: string;
  readonly option: Option | null;
  /** T0: "yes" = open, "no" = removed. */
  readonly value: NodeValue;
  readonly kind: "declared" | "measured" | "derived";
  /** One plain sentence, ready for the report. */
  readonly statement: string;
  readonly metric: string;
  readonly estimate: number | null;
  readonly ci95: readonly [number, number] | null;
  readonly threshold: number | null;
  /** Signed; positive = on the side that makes the node true. */
  readonly distanceToThreshold: number | null;
  readonly seeds: number;
  readonly runIds: readonly string[];
  readonly inputHash: string;
  readonly priceBookDate: string | null;
  /** Ids of assumptions (`Assumption.id`) of kind assumed or unverified that the estimate used. */
  readonly assumptions: readonly string[];
  /** The comparisons the node is made of; metric, estimate and threshold above repeat the one that decides it. */
  readonly terms?: readonly EvidenceTerm[];
}

/** What a segment got and why. `rule` is the number of the rule that applied (1–4). */
export interface SegmentVerdict {
  readonly segment: string;
  readonly share: number;
  readonly choice: Choice;
  readonly rule: 1 | 2 | 3 | 4;
  readonly reason: string;
  readonly open: readonly Option[];
  /** Options passed over, each with why. */
  readonly passedOver: readonly { readonly option: Option; readonly reason: string }[];
  readonly nodes: Readonly<Record<Exclude<NodeId, "T0">, NodeValue>>;
  /** Unknown nodes that would change the choice if taken as yes. */
  readonly dependsOn: readonly NodeId[];
  readonly targetMissed: boolean;
  readonly conflict: ConflictRecord | null;
  readonly revisit: readonly string[];
  readonly advisory: readonly string[];
}

export interface ConflictRecord {
  /** Smallest set of constraints that together leaves no option: sensitivity, boundary-place, quality, must:<name>, team. */
  readonly clash: readonly string[];
  readonly relaxations: readonly {
    readonly constraint: string;
    readonly returns: readonly Option[];
    readonly usdPerMonth: number | null;
  }[];
}

export interface WorkloadVerdict {
  readonly verdict: VerdictName;
  /** The one sentence of the report, with what forces it. */
  readonly sentence: string;
  /** Fewer than 10 replications. */
  readonly indicative: boolean;
  readonly controlledShare: number;
  readonly segments: readonly SegmentVerdict[];
  /** The verdict of the article's literal wording, and the nodes that differ from the evidence mode. */
  readonly literal: { readonly verdict: VerdictName; readonly differs: readonly string[] };
  readonly unknownNodes: readonly string[];
}
