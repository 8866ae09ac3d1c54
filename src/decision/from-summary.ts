/**
 * From simulation results to the inputs of the decision: each class is a segment, each strategy the evidence for its
 * option. USD a month, fractions, requests per second.
 */
import type { Assumption, RequestClass, ResolvedExperiment, ResolvedStrategy } from "../scenario/resolved.ts";
import type { ClassSummary, Estimate, PoolSummary, RequestCounts, StrategySummary } from "../experiment/findings.ts";
import { hasTarget } from "../scenario/slo.ts";
import type { Summary } from "./summary.ts";
import type { EvidenceRecord, Option, WorkloadVerdict } from "./evidence.ts";
import { attainTarget, BASE_OPTIONS, intervalOf } from "./inputs.ts";
import type { BaseOption, DecisionInputs, DeclaredInputs, Interval, Measured, OptionMeasured } from "./inputs.ts";
import type { Place, RunFacts, SegmentDeclared, SegmentMeasured } from "./inputs.ts";
import { PRIVATE_AS_SELF } from "./nodes.ts";
import { decide } from "./verdict.ts";

/** The parts of a strategy's results that count as evidence. */
export type StrategyEvidence = Pick<StrategySummary, "name" | "option" | "counterfactual" | "usdPerMonth"> & {
  readonly classes: readonly ClassEvidence[];
  readonly pools: readonly PoolEvidence[];
};
type Ends = Pick<RequestCounts, "sent" | "completed" | "inFlightAtHorizon">;
type ClassEvidence = Pick<
  ClassSummary,
  "name" | "barred" | "sloAttainment" | "sloAttainmentWindows" | "usdPerMonth" | "controlledShare"
> & { readonly requests: Ends };
type PoolEvidence = Pick<PoolSummary, "name" | "uSlo" | "paidReplicaH">;

/** An experiment that asks for a verdict: it says who would run own GPUs. */
export type DecidedExperiment = ResolvedExperiment & { readonly team: NonNullable<ResolvedExperiment["team"]> };

/** The parts of `Summary` that the decision reads. */
export interface SummaryEvidence {
  readonly replications: number;
  readonly demand: Pick<Summary["demand"], "requestsPerS" | "peakToMean" | "wape">;
  readonly strategies: readonly StrategyEvidence[];
}

export interface RunOrigin {
  readonly runIds: readonly string[];
  readonly inputHash: string;
  readonly priceBookDate: string | null;
}

const MEASURED_OPTIONS: readonly Option[] = [...BASE_OPTIONS, "split"];
const TEAM_NOT_SIMULATED = "decision/team-effects-not-simulated";
const COST_ALLOCATED = "decision/class-cost-allocated-by-weighted-tokens";
const CLASS_DEMAND = "decision/class-demand-as-workload";
const ALL_PLACES: readonly Place[] = ["private_vpc", "dedicated_managed", "onprem"];

/** Folders of the catalogue whose values stand behind the numbers of one side only. */
const OWN_FOLDERS = [
  "gpus",
  "llms",
  "engines",
  "coefficients",
  "gpu-prices",
  "incidents",
  "cold-starts",
  "places",
  "managed",
  "teams",
  "team-levels",
  "people",
];
const API_FOLDERS = [
  "providers",
  "offers",
  "forms",
  "provisioned",
  "latency-classes",
  "congestions",
  "outage-profiles",
  "clients",
];
const DEMAND_FOLDERS = ["traffic", "seasons"];

/**
 * Decides an experiment from its results. Throws nothing of its own: what was not simulated is unknown or n/a, and an
 * unknown counts as no.
 */
export function decideExperiment(
  experiment: DecidedExperiment,
  summary: SummaryEvidence,
  origin: RunOrigin,
): { verdict: WorkloadVerdict; records: EvidenceRecord[] } {
  return decide(decisionInputs(experiment, summary, origin));
}

/** The decision's inputs, as `recompute` and a sensitivity study need them. */
export function decisionInputs(
  experiment: DecidedExperiment,
  summary: SummaryEvidence,
  origin: RunOrigin,
): DecisionInputs {
  const declared = declaredInputs(experiment);
  const chosen: Partial<Record<Option, StrategyEvidence>> = {};
  for (const option of MEASURED_OPTIONS) {
    const strategy = bestOf(option, declared, summary.strategies);
    if (strategy !== null) chosen[option] = strategy;
  }
  const measured: Record<string, SegmentMeasured> = {};
  declared.segments.forEach((segment, index) => {
    measured[segment.id] = segmentMeasured(segment, index, experiment, summary, chosen);
  });
  return {
    declared,
    measured,
    run: { seeds: summary.replications, ...origin, assumptions: assumptionIds(experiment) },
  };
}

/** What the user declared: one segment for each class. */
function declaredInputs(experiment: DecidedExperiment): DeclaredInputs {
  const segments = experiment.classes.map((one, index) => segmentDeclared(one, index, experiment.strategies));
  return { segments, team: experiment.team.levels, thresholds: experiment.thresholds };
}

function segmentDeclared(one: RequestClass, index: number, strategies: readonly ResolvedStrategy[]): SegmentDeclared {
  const { slo } = one;
  const barred: { [O in BaseOption]?: string } = {};
  for (const option of BASE_OPTIONS) {
    const reasons = strategies
      .filter((strategy) => strategy.option === option && !strategy.counterfactual)
      .map((strategy) => strategy.barred[index] ?? null);
    const first = reasons[0] ?? null;
    if (first !== null && !reasons.includes(null)) barred[option] = first;
  }
  return {
    id: one.name,
    share: one.shareFraction,
    sensitivity: one.sensitivity,
    redactable: one.redactable,
    boundaryAllows: ALL_PLACES.filter((place) => one.allowedPlaces.includes(place)),
    quality: one.quality,
    premiumPrivatelyOffered: one.premiumPrivatelyOffered,
    latency: hasTarget(slo) ? { strict: slo.strict, target: slo.targetFraction, basis: slo.attainBasis } : null,
    customization: one.customization,
    barred,
  };
}

/**
 * The strategy that speaks for an option: the one that may take most segments, then meets most targets, then costs
 * least, then comes first. Counterfactual runs are no evidence: their load includes what would not be permitted.
 */
function bestOf(
  option: StrategyEvidence["option"],
  declared: DeclaredInputs,
  strategies: readonly StrategyEvidence[],
): StrategyEvidence | null {
  const ranked = strategies
    .filter((strategy) => strategy.option === option && !strategy.counterfactual)
    .map((strategy) => {
      const taken = declared.segments.flatMap((segment) => {
        const one = classOf(strategy, segment.id);
        return one === null ? [] : [{ segment, one }];
      });
      const met = taken.filter(({ segment, one }) => {
        const attain = intervalOf(attainMeasured(segment, one));
        return attain !== null && attain.mean >= attainTarget(segment, declared.thresholds);
      });
      return { strategy, taken: taken.length, met: met.length, usd: strategy.usdPerMonth?.mean ?? Infinity };
    })
    .sort((a, b) => b.taken - a.taken || b.met - a.met || a.usd - b.usd);
  return ranked[0]?.strategy ?? null;
}

/** Results of a class that the strategy may take; a barred class has none. */
function classOf(strategy: StrategyEvidence | undefined, name: string): ClassEvidence | null {
  const one = strategy?.classes.find((candidate) => candidate.name === name);
  return one === undefined || one.barred !== null ? null : one;
}

function segmentMeasured(
  segment: SegmentDeclared,
  index: number,
  experiment: DecidedExperiment,
  summary: SummaryEvidence,
  chosen: { readonly [O in Option]?: StrategyEvidence },
): SegmentMeasured {
  const options: { [O in Option]?: OptionMeasured } = {};
  for (const option of MEASURED_OPTIONS) {
    const one = classOf(chosen[option], segment.id);
    if (one === null) continue;
    const answered = answeredShare(one.requests);
    options[option] = {
      attain: attainMeasured(segment, one),
      usdPerMonth: measuredOf(one.usdPerMonth, 0, Infinity),
      ...(answered === null ? {} : { answered }),
    };
  }
  const split = classOf(chosen.split, segment.id);
  const { demand } = summary;
  return {
    options,
    attainWithTeam: null,
    rotaOk: experiment.team.rotaOk,
    uSlo: options.self === undefined ? null : poolsUse(index, experiment, chosen.self),
    peakToMean: measuredOf(demand.peakToMean, 0, Infinity),
    wape: measuredOf(demand.wape, 0, Infinity),
    requestsPerS: measuredOf(demand.requestsPerS, 0, Infinity),
    splitControlledShare: measuredOf(split?.controlledShare ?? null, 0, 1),
  };
}

/** Share of the requests that ended with an answer; null where none ended. */
export function answeredShare({ sent, completed, inFlightAtHorizon }: Ends): number | null {
  const ended = sent.mean - inFlightAtHorizon.mean;
  return ended > 0 ? completed.mean / ended : null;
}

function attainMeasured(segment: SegmentDeclared, one: ClassEvidence): Measured {
  return measuredOf(segment.latency?.basis === "windows" ? one.sloAttainmentWindows : one.sloAttainment, 0, 1);
}

/** An estimate within its natural limits; of one replication the mean alone. */
function measuredOf(estimate: Estimate | null, least: number, most: number): Measured {
  if (estimate === null) return null;
  const { mean, lo, hi } = estimate;
  return lo === null || hi === null ? mean : { mean, lo: Math.max(least, lo), hi: Math.min(most, hi) };
}

/** uSlo of the pools that serve the class, weighted by the replica-hours paid for. */
function poolsUse(index: number, experiment: ResolvedExperiment, self: StrategyEvidence | undefined): Measured {
  const strategy = experiment.strategies.find((one) => one.name === self?.name);
  const targets = strategy?.routes[index] ?? [];
  const names = targets.flatMap((target) =>
    target.kind === "pool" ? (strategy?.pools[target.index]?.name ?? []) : [],
  );
  const pools = (self?.pools ?? []).filter((pool) => names.includes(pool.name));
  if (pools.length === 0) return null;
  let paidH = 0;
  let known = true;
  const sum = { mean: 0, lo: 0, hi: 0 };
  for (const pool of pools) {
    const use = measuredOf(pool.uSlo, 0, Infinity);
    const interval: Interval | null = intervalOf(use);
    if (interval === null) return null;
    known = known && typeof use !== "number";
    const weight = pool.paidReplicaH.mean;
    paidH += weight;
    sum.mean += weight * interval.mean;
    sum.lo += weight * interval.lo;
    sum.hi += weight * interval.hi;
  }
  if (paidH === 0) return null;
  const mean = sum.mean / paidH;
  return known ? { mean, lo: sum.lo / paidH, hi: sum.hi / paidH } : mean;
}

/** Ids of the assumed or unverified values behind each option's numbers, and behind those of the demand. */
function assumptionIds(experiment: ResolvedExperiment): RunFacts["assumptions"] {
  const doubtful = experiment.assumptions.filter((one) => one.kind === "assumed" || one.unverified === true);
  const ids = (not: readonly string[]) =>
    doubtful.filter(({ id }) => !not.includes(id.slice(0, id.indexOf("/")))).map(({ id }) => id);
  const allocated = experiment.classes.length > 1 ? [COST_ALLOCATED] : [];
  const demand = doubtful.filter(({ id }) => DEMAND_FOLDERS.includes(id.slice(0, id.indexOf("/")))).map(({ id }) => id);
  return {
    api: ids(OWN_FOLDERS),
    private_managed: [...ids(API_FOLDERS), ...allocated],
    self: [...ids(API_FOLDERS), ...allocated, TEAM_NOT_SIMULATED],
    split: [...ids([]), ...allocated, TEAM_NOT_SIMULATED],
    demand: [...demand, ...(experiment.classes.length > 1 ? [CLASS_DEMAND] : [])],
  };
}

/** The assumptions that the decision itself adds, for the report's table; records name them by id. */
export function decisionAssumptions(asOf: string): Assumption[] {
  const common = { unit: "", kind: "assumed", source: "decision rules of this program", asOf } as const;
  const row = (id: string, label: string, value: string): Assumption => ({ id, label, value, ...common });
  return [
    row(PRIVATE_AS_SELF, "Vendor-run private deployment", "not simulated; taken to attain what own GPUs do"),
    row(
      TEAM_NOT_SIMULATED,
      "Effects of the team on attainment and forecasts",
      "not simulated; T5 rests on the declared levels",
    ),
    row(COST_ALLOCATED, "Cost of own GPUs by class", "shared pools split by weighted tokens"),
    row(CLASS_DEMAND, "Peak to mean and forecast error by class", "those of the whole workload"),
  ];
}
