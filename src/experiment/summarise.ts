/**
 * From the runs of an experiment to what it found. Each figure is computed per replication and then estimated over
 * replications (never by averaging percentiles of parts: parts are merged as sketches). Money per month of 730 hours.
 */
import { gpusPerReplica } from "../engine/parallelism.ts";
import { Sketch } from "../kernel/sketch.ts";
import { HOURS_PER_MONTH } from "../outcome/ledger.ts";
import { attainment } from "../outcome/recorder.ts";
import type { ClassResult, RunResult } from "../outcome/run-result.ts";
import type {
  ClassSummary,
  Findings,
  DemandSummary,
  Estimate,
  LatencySummary,
  LedgerLine,
  OfferSummary,
  PoolSummary,
  RequestCounts,
  StrategySummary,
} from "./findings.ts";
import type { DemandMeasures } from "../traffic/demand.ts";
import { backlogWarnings } from "./backlog.ts";
import { estimate, estimateOrNull, ratioOrNull, withDoubtOf } from "./estimate.ts";
import { describeScheduler } from "../engine/scheduler-spec.ts";
import type { ResolvedExperiment } from "../scenario/resolved.ts";
import { hasTarget } from "../scenario/slo.ts";
import { mergeClasses } from "./merge-classes.ts";
import type { RunOutcome } from "./run-one.ts";
import { summariseTargets } from "./summarise-targets.ts";

/** A P99 wants at least this many samples behind it. */
export const P99_SAMPLES = 1000;

/** What was settled about a strategy before its runs. */
export interface StrategySetup {
  /** Serving replicas of each pool. */
  readonly replicas: readonly number[];
  /** By pool and class: λ of `uSlo`, null where one replica can't meet the SLO or the class never goes there. */
  readonly sloRates: readonly (readonly (number | null)[])[];
}

export interface SummariseInput {
  readonly experiment: ResolvedExperiment;
  readonly version: string;
  /** By strategy index; those whose runs are in `outcomes`. */
  readonly setups: readonly StrategySetup[];
  /** Finished runs; a strategy without any is left out. */
  readonly outcomes: readonly (readonly RunOutcome[])[];
  readonly complete: boolean;
}

export function summarise(input: SummariseInput): Findings {
  const { experiment, outcomes } = input;
  const strategies = experiment.strategies.flatMap((strategy, s) =>
    outcomes[s]!.length === 0
      ? []
      : [withDoubtOf([strategy], summariseStrategy(experiment, s, input.setups[s]!, outcomes[s]!))],
  );
  const demand = outcomes.find((runs) => runs.length > 0)?.map((outcome) => outcome.demand) ?? [];
  return {
    schemaVersion: 1,
    experiment: experiment.id,
    title: experiment.title,
    version: input.version,
    asOf: experiment.asOf,
    seed: experiment.seed,
    replications: Math.min(experiment.replications, ...strategies.map((strategy) => strategy.replications)),
    complete: input.complete,
    horizonDays: experiment.horizonS / 86_400,
    requestsSimulated: strategies.reduce((sum, strategy) => sum + strategy.requestsSimulated, 0),
    demand: summariseDemand(demand),
    strategies,
    pairedCost: pairedCost(experiment, outcomes),
    warnings: [...experiment.warnings, ...backlogWarnings(experiment, outcomes)],
  };
}

function summariseDemand(demand: readonly DemandMeasures[]): DemandSummary {
  return {
    requestsPerS: estimate(demand.map((measures) => measures.meanRatePerS)),
    peakToMean: estimateOrNull(demand.map((measures) => measures.peakToMean ?? NaN)),
    wape: estimateOrNull(demand.map((measures) => measures.wape ?? NaN)),
    dispersion60s: estimateOrNull(demand.map((measures) => measures.dispersion60s ?? NaN)),
  };
}

function summariseStrategy(
  experiment: ResolvedExperiment,
  index: number,
  setup: StrategySetup,
  outcomes: readonly RunOutcome[],
): StrategySummary {
  const strategy = experiment.strategies[index]!;
  const runs = outcomes.map((outcome) => outcome.run);
  const all = runs.map((run) => mergeClasses(run.classes));
  const usd = runs.map((run) => usdPerMonth(experiment, run, null));
  const months = experiment.horizonS / 3600 / HOURS_PER_MONTH;
  const endedUsd = runs.map((run) => (isPriced(experiment) ? run.endedUsd : NaN));
  const usdPer = (bought: (result: ClassResult) => number): Estimate | null => ratioOrNull(endedUsd, all.map(bought));
  const lines = isPriced(experiment) ? [...new Set(runs.flatMap((run) => run.series.ledger.line))] : [];
  return {
    name: strategy.name,
    title: strategy.title,
    option: strategy.option,
    permitted: strategy.barred.every((reason) => reason === null) && !strategy.counterfactual,
    counterfactual: strategy.counterfactual,
    replications: runs.length,
    requestsSimulated: runs.reduce((sum, run) => sum + run.requestsSimulated, 0),
    requests: counts(all),
    ...tokens(all),
    ...latencies(all),
    sloAttainment: experiment.classes.some(({ slo }) => hasTarget(slo))
      ? estimateOrNull(all.map(({ totals }) => attainment(totals)))
      : null,
    goodputPerS: estimate(all.map((result) => result.totals.sloMet / experiment.horizonS)),
    usdPerMonth: estimateOrNull(usd),
    billedUsd: estimateOrNull(runs.map((run) => billedUsd(experiment, run, null))),
    ledger: lines.map((line): LedgerLine => ({
      line,
      usdPerMonth: estimate(runs.map((run) => usdPerMonth(experiment, run, (row) => row.line === line))),
      billedUsd: estimate(runs.map((run) => billedUsd(experiment, run, line))),
    })),
    usdPerMTokOutput: usdPer(({ totals }) => totals.outputTokens / 1e6),
    usdPerRequest: usdPer(({ totals }) => totals.completed),
    usdPerSloMetRequest: usdPer(({ totals }) => totals.sloMet),
    classes: experiment.classes.map((requestClass, c): ClassSummary => {
      const results = runs.map((run) => run.classes[c]!);
      return {
        name: requestClass.name,
        barred: strategy.barred[c]!,
        requests: counts(results),
        ...tokens(results),
        ...latencies(results),
        sloAttainment: estimateOrNull(results.map(({ totals }) => attainment(totals))),
        sloAttainmentWindows: estimateOrNull(results.map((result) => result.attainmentWindows)),
        goodputPerS: estimate(results.map((result) => result.totals.sloMet / experiment.horizonS)),
        usdPerMonth: estimateOrNull(
          runs.map((run) => usdPerMonth(experiment, run, (row) => row.className === requestClass.name)),
        ),
        controlledShare: ratioOrNull(
          results.map((result) => result.controlledCompleted),
          results.map((result) => result.totals.completed),
        ),
      };
    }),
    pools: strategy.pools.map((pool, p): PoolSummary => {
      const results = runs.map((run) => run.pools[p]!);
      const of = (value: (result: (typeof results)[number]) => number): Estimate => estimate(results.map(value));
      const ofAny = (value: (result: (typeof results)[number]) => number): Estimate | null =>
        estimateOrNull(results.map(value));
      const rates = setup.sloRates[p]!;
      const known = rates.filter((rate) => rate !== null);
      return {
        name: pool.name,
        model: pool.llm.name,
        gpu: pool.gpu.name,
        gpusPerReplica: gpusPerReplica(pool.engine),
        replicas: setup.replicas[p]!,
        warmReplicas: pool.warmReplicas,
        busyFraction: ofAny((result) => result.busyFraction),
        occupancyFraction: ofAny((result) => result.occupancyFraction),
        kvFraction: ofAny((result) => result.kvFraction),
        paidReplicaH: of((result) => result.busyH + result.idleH + result.warmH + result.downH),
        busyReplicaH: of((result) => result.busyH),
        idleReplicaH: of((result) => result.idleH),
        warmReplicaH: of((result) => result.warmH),
        downReplicaH: of((result) => result.downH),
        preemptions: of((result) => result.preemptions),
        scheduler: describeScheduler(pool.scheduler, pool.engine),
        prefixHitFraction: pool.scheduler.prefixCache === null ? null : ofAny((result) => result.prefixHitFraction),
        draftAcceptedFraction:
          pool.scheduler.speculative === null ? null : ofAny((result) => result.draftAcceptedFraction),
        incidents: of((result) => result.incidents),
        managed: pool.managed?.preset ?? null,
        coldStarts: pool.scaleToZero === undefined ? null : of((result) => result.coldStarts),
        coldStartRequests: pool.scaleToZero === undefined ? null : of((result) => result.coldStartRequests),
        uSlo: known.length === 0 ? null : estimateOrNull(results.map((result) => usedWithinSlo(result, rates))),
        sloRatePerReplica: known.length === 0 ? null : Math.min(...known),
        outsideValidatedRange: pool.outsideValidatedRange,
      };
    }),
    offers: strategy.offers.map((offer, o): OfferSummary => {
      const of = (key: Exclude<keyof RunResult["offers"][number], "refusedByLimit">): Estimate =>
        estimate(runs.map((run) => run.offers[o]![key]));
      const refusals = offer.limits.map(
        ({ name }, i) => [name, estimate(runs.map((run) => run.offers[o]!.refusedByLimit[i]!))] as const,
      );
      const { form } = offer;
      return {
        name: offer.name,
        attempts: of("attempts"),
        rateLimited: of("rateLimited"),
        rateLimitedBy: Object.fromEntries(refusals),
        overloaded: of("overloaded"),
        outageFailures: of("outageFailures"),
        outages: of("outages"),
        availabilityFraction: of("availabilityFraction"),
        priceAsOf: offer.priceAsOf,
        form: form?.kind ?? "pay-as-you-go",
        units: form?.kind === "provisioned" ? form.units : null,
        utilizationFraction: form?.kind === "provisioned" ? of("utilizationFraction") : null,
        expired: form?.kind === "batch" ? of("expired") : null,
      };
    }),
    targets: summariseTargets(strategy, runs, months),
    retriesDenied: estimate(runs.map((run) => run.retriesDenied)),
  };
}

/** Share of what a pool could serve within the SLO that it did serve; NaN where it served a class that misses its target at any load. */
export function usedWithinSlo(
  pool: Pick<RunResult["pools"][number], "busyH" | "idleH" | "warmH" | "downH" | "completedByClass">,
  rates: readonly (number | null)[],
): number {
  const replicaS = (pool.busyH + pool.idleH + pool.warmH + pool.downH) * 3600;
  const neededS = pool.completedByClass.reduce(
    (sum, served, c) => sum + (served === 0 ? 0 : served / (rates[c] ?? NaN)),
    0,
  );
  return neededS / replicaS;
}

function counts(results: readonly ClassResult[]): RequestCounts {
  const of = (key: keyof ClassResult["totals"]): Estimate => estimate(results.map((result) => result.totals[key]));
  return {
    sent: of("sent"),
    completed: of("completed"),
    rejected: of("rejected"),
    timedOut: of("timedOut"),
    failed: of("failed"),
    boundaryRefused: of("boundaryRefused"),
    inFlightAtHorizon: estimate(results.map((result) => result.inFlightAtHorizon)),
    retried: of("retried"),
    rateLimited: of("rateLimited"),
    overflowed: of("overflowed"),
    sloMet: of("sloMet"),
    blockedByBoundary: of("blockedByBoundary"),
    redacted: of("redacted"),
    notCleanable: of("notCleanable"),
    overdueAtHorizon: of("overdueAtHorizon"),
  };
}

function tokens(results: readonly ClassResult[]): Pick<ClassSummary, "outputTokens" | "reasoningTokens"> {
  return {
    outputTokens: estimate(results.map(({ totals }) => totals.outputTokens)),
    reasoningTokens: estimate(results.map(({ totals }) => totals.reasoningTokens)),
  };
}

function latencies(results: readonly ClassResult[]): Pick<ClassSummary, "ttftMs" | "tpotMs" | "itlMs" | "e2eMs"> {
  const of = (key: "ttftS" | "tpotS" | "itlS" | "e2eS"): LatencySummary => {
    const sketches = results.map((result) => Sketch.fromPlain(result[key]));
    const samples = sketches.map((sketch) => sketch.samples());
    const ms = (q: number): Estimate | null => estimateOrNull(sketches.map((sketch) => sketch.quantile(q) * 1000));
    return {
      samples: samples.reduce((sum, n) => sum + n, 0),
      mean: estimateOrNull(sketches.map((sketch) => sketch.mean() * 1000)),
      p50: ms(0.5),
      p95: ms(0.95),
      p99: Math.min(...samples) >= P99_SAMPLES ? ms(0.99) : null,
    };
  };
  return { ttftMs: of("ttftS"), tpotMs: of("tpotS"), itlMs: of("itlS"), e2eMs: of("e2eS") };
}

interface LedgerRow {
  readonly line: string;
  readonly className: string;
}

/** False where a pool has no GPU price: sums of money would be too small, so none is shown. */
export function isPriced(experiment: ResolvedExperiment): boolean {
  return experiment.strategies.every((strategy) => strategy.pools.every((pool) => pool.usdPerGpuHour !== null));
}

/** USD per month of the ledger rows of a run that `keep` accepts (null = all); NaN where nothing is priced. */
export function usdPerMonth(
  experiment: ResolvedExperiment,
  run: RunResult,
  keep: ((row: LedgerRow) => boolean) | null,
): number {
  if (!isPriced(experiment)) return NaN;
  const { line, className, usd } = run.series.ledger;
  let sum = 0;
  for (let i = 0; i < usd.length; i++) {
    if (keep === null || keep({ line: line[i]!, className: className[i]! })) sum += usd[i]!;
  }
  return (sum / (experiment.horizonS / 3600)) * HOURS_PER_MONTH;
}

/** USD that a run pays within the horizon for one line of the ledger (null = all); NaN where nothing is priced. */
function billedUsd(experiment: ResolvedExperiment, run: RunResult, wanted: string | null): number {
  if (!isPriced(experiment)) return NaN;
  const { line, billedUsd: usd } = run.series.ledger;
  return usd.reduce((sum, amount, i) => (wanted === null || line[i] === wanted ? sum + amount : sum), 0);
}

/** Differences between permitted strategies on the replications that both finished: same traffic, same luck. */
function pairedCost(
  experiment: ResolvedExperiment,
  outcomes: readonly (readonly RunOutcome[])[],
): Findings["pairedCost"] {
  const pairs: { first: string; second: string; usdPerMonth: Estimate }[] = [];
  if (!isPriced(experiment)) return pairs;
  const allowed = experiment.strategies.map(
    (strategy) => strategy.barred.every((reason) => reason === null) && !strategy.counterfactual,
  );
  for (let a = 0; a < outcomes.length; a++) {
    for (let b = a + 1; b < outcomes.length; b++) {
      if (!allowed[a] || !allowed[b]) continue;
      const differences = outcomes[a]!.flatMap(({ run }) => {
        const other = outcomes[b]!.find((candidate) => candidate.run.replication === run.replication);
        return other === undefined
          ? []
          : [usdPerMonth(experiment, run, null) - usdPerMonth(experiment, other.run, null)];
      });
      if (differences.length === 0) continue;
      const [first, second] = [experiment.strategies[a]!, experiment.strategies[b]!];
      const usd = withDoubtOf([first, second], estimate(differences));
      pairs.push({ first: first.name, second: second.name, usdPerMonth: usd });
    }
  }
  return pairs;
}
