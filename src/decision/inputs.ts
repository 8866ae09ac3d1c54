/**
 * What the decision reads: what the user declared, what was simulated, and the comparison of an interval with a
 * threshold. Costs in USD a month, rates per second, attainment, utilization and shares as fractions.
 */
import type { CustomizationNeed, DecisionThresholds, Sensitivity, TeamLevels } from "../scenario/resolved.ts";
import type { EvidenceTerm, NodeValue, Option } from "./evidence.ts";

/** Options that stand on their own; `split` combines `api` with a controlled one. */
export type BaseOption = Exclude<Option, "split">;
export type ControlledOption = Exclude<BaseOption, "api">;
export type Place = "private_vpc" | "dedicated_managed" | "onprem";

export const BASE_OPTIONS: readonly BaseOption[] = ["api", "private_managed", "self"];
export const CONTROLLED_OPTIONS: readonly ControlledOption[] = ["private_managed", "self"];

/** Mean with the limits of its 95 % interval over independent replications. */
export interface Interval {
  readonly mean: number;
  readonly lo: number;
  readonly hi: number;
}

/** A plain number has no known interval and is compared as one of width zero. Null: not simulated. */
export type Measured = number | Interval | null;

/** What the user states about one segment of the workload. */
export interface SegmentDeclared {
  readonly id: string;
  /** Share of requests in (0, 1]; all segments sum to 1. */
  readonly share: number;
  readonly sensitivity: Sensitivity;
  readonly redactable: boolean;
  /** Places where raw data may be processed. */
  readonly boundaryAllows: readonly Place[];
  readonly quality: "open_ok" | "premium_api_only";
  readonly premiumPrivatelyOffered: boolean;
  /** Null: no target. `target`: share of windows or requests that must meet it; null = the default threshold. */
  readonly latency: {
    readonly strict: boolean;
    readonly target: number | null;
    readonly basis: "windows" | "requests";
  } | null;
  readonly customization: readonly CustomizationNeed[];
  /** Why no strategy of that option may take the segment, where the rules of T0 alone would let it. */
  readonly barred: { readonly [O in BaseOption]?: string };
}

export interface DeclaredInputs {
  readonly segments: readonly SegmentDeclared[];
  readonly team: TeamLevels;
  readonly thresholds: DecisionThresholds;
}

/** One option as simulated for one segment. */
export interface OptionMeasured {
  /** On the basis of the segment's SLO. */
  readonly attain: Measured;
  readonly usdPerMonth: Measured;
  /** Share of its requests that had an answer, which is what the cost is of; absent where it is not known. */
  readonly answered?: number;
}

export interface SegmentMeasured {
  /** An option that is missing here was not simulated. */
  readonly options: { readonly [O in Option]?: OptionMeasured };
  /** Attainment of `self` with the mechanisms of the declared team. */
  readonly attainWithTeam: Measured;
  /** Null: not declared, which is no objection. */
  readonly rotaOk: boolean | null;
  /** Work served ÷ work the paid replicas could serve within the target. */
  readonly uSlo: Measured;
  readonly peakToMean: Measured;
  readonly wape: Measured;
  readonly requestsPerS: Measured;
  /** Share of requests that the simulated split kept on controlled capacity. */
  readonly splitControlledShare: Measured;
}

/** Where the measured numbers come from; copied into each record that uses them. */
export interface RunFacts {
  readonly seeds: number;
  readonly runIds: readonly string[];
  readonly inputHash: string;
  readonly priceBookDate: string | null;
  /** Ids of the assumptions behind the numbers of an option, and behind those of the demand. */
  readonly assumptions: { readonly [O in Option | "demand"]?: readonly string[] };
}

export interface DecisionInputs {
  readonly declared: DeclaredInputs;
  /** By segment id. */
  readonly measured: Readonly<Record<string, SegmentMeasured>>;
  readonly run: RunFacts;
}

/** The share of windows or requests the segment must keep within its target. */
export function attainTarget(segment: SegmentDeclared, thresholds: DecisionThresholds): number {
  return segment.latency?.target ?? thresholds.attainTarget;
}

export function isStrict(segment: SegmentDeclared): boolean {
  return segment.latency !== null && segment.latency.strict;
}

/** Names of the musts that the API does not support. */
export function mustGaps(segment: SegmentDeclared): readonly string[] {
  return segment.customization.filter((need) => need.need === "must" && !need.apiSupports).map((need) => need.name);
}

export function intervalOf(measured: Measured): Interval | null {
  return typeof measured === "number" ? { mean: measured, lo: measured, hi: measured } : measured;
}

/** Reported limits: none for a plain number, whose interval is not known. */
function ci95Of(measured: Measured): readonly [number, number] | null {
  return measured === null || typeof measured === "number" ? null : [measured.lo, measured.hi];
}

/**
 * Compares with a threshold: yes or no if the whole interval lies on one side, else unknown; unknown if not simulated.
 * The distance is that of the mean.
 */
export function compare(
  metric: string,
  measured: Measured,
  side: "atLeast" | "atMost" | "below",
  threshold: number,
): EvidenceTerm {
  const interval = intervalOf(measured);
  if (interval === null) return { ...numberOnly(metric, null), value: "unknown", threshold };
  const { mean, lo, hi } = interval;
  let value: NodeValue = "unknown";
  if (side === "atLeast") value = lo >= threshold ? "yes" : hi < threshold ? "no" : "unknown";
  else if (side === "atMost") value = hi <= threshold ? "yes" : lo > threshold ? "no" : "unknown";
  else value = hi < threshold ? "yes" : lo >= threshold ? "no" : "unknown";
  const distance = side === "atLeast" ? mean - threshold : threshold - mean;
  return { metric, value, estimate: mean, ci95: ci95Of(measured), threshold, distanceToThreshold: distance };
}

/** A number that is carried along without a threshold. */
export function numberOnly(metric: string, measured: Measured): EvidenceTerm {
  const estimate = intervalOf(measured)?.mean ?? null;
  return { metric, value: "n/a", estimate, ci95: ci95Of(measured), threshold: null, distanceToThreshold: null };
}

/** Three-valued AND: no if any is no, else unknown if any is, else yes. Terms that are n/a drop out; nothing left: n/a. */
export function all(values: readonly NodeValue[]): NodeValue {
  const counted = values.filter((value) => value !== "n/a");
  if (counted.length === 0) return "n/a";
  return counted.includes("no") ? "no" : counted.includes("unknown") ? "unknown" : "yes";
}

/** Three-valued OR: yes if any is yes, else unknown if any is, else no. */
export function any(values: readonly NodeValue[]): NodeValue {
  return values.includes("yes") ? "yes" : values.includes("unknown") ? "unknown" : "no";
}

/** What one segment's nodes are made from. */
export interface SegmentCase {
  readonly segment: SegmentDeclared;
  readonly measured: SegmentMeasured;
  readonly inputs: DecisionInputs;
  readonly open: readonly BaseOption[];
}
