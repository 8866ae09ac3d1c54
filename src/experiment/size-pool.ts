/**
 * `replicas: auto`: the fewest serving replicas with which every permitted class meets its SLO on the days of highest
 * expected demand, without incidents (warm replicas are there for those). Only these days are simulated: a fleet that
 * is large enough for them is large enough for the rest, as long as shares do not change by date.
 */
import { simulateRun } from "../dispatch/simulate.ts";
import { gpusPerReplica } from "../engine/parallelism.ts";
import { InfeasibleError } from "../kernel/errors.ts";
import { openTraffic } from "../traffic/open.ts";
import { peakDays } from "../traffic/rate.ts";
import type { Step } from "../scenario/dispatch.ts";
import type { ResolvedExperiment, ResolvedStrategy } from "../scenario/resolved.ts";

const PEAK_DAYS = 2;
const MOST_REPLICAS = 1024;

/** One peak day of one replication. */
export interface SizingTask {
  readonly experiment: ResolvedExperiment;
  readonly strategy: number;
  readonly replication: number;
  readonly fromS: number;
  readonly toS: number;
}

export function needsSizing(strategy: ResolvedStrategy): boolean {
  return strategy.pools.some((pool) => pool.replicas === "auto");
}

/** The days of highest demand; where shares change by date, those of each time between two changes. */
export function sizingTasks(experiment: ResolvedExperiment, strategy: number): SizingTask[] {
  const { traffic, startEpochS, horizonS } = experiment;
  const byDemand = peakDays(traffic, startEpochS, horizonS, Infinity);
  const changes = [0, ...stepTimes(experiment.strategies[strategy]!).filter((timeS) => timeS > 0 && timeS < horizonS)];
  const days = new Set(
    changes.flatMap((fromS, i) =>
      byDemand.filter((day) => day.toS > fromS && day.fromS < (changes[i + 1] ?? horizonS)).slice(0, PEAK_DAYS),
    ),
  );
  const tasks: SizingTask[] = [];
  for (let replication = 0; replication < experiment.replications; replication++) {
    for (const { fromS, toS } of days) tasks.push({ experiment, strategy, replication, fromS, toS });
  }
  return tasks;
}

/** Serving replicas of each pool when "auto" means `auto`. */
function replicasWith(strategy: ResolvedStrategy, auto: number): number[] {
  return strategy.pools.map((pool) => (pool.replicas === "auto" ? auto : pool.replicas));
}

/** SLO attainment of each class on the day with so many replicas of each pool, NaN where nothing of it was sent or it is barred. */
export function runSizing(task: SizingTask, replicas: readonly number[]): number[] {
  const { experiment, replication, fromS, toS } = task;
  const declared = experiment.strategies[task.strategy]!;
  const strategy: ResolvedStrategy = {
    ...declared,
    // Fleets are sized for the engine as predicted; how wrong that may be shows when they run.
    pools: declared.pools.map((pool) => ({ ...pool, stepTimeError: null })),
    ...dispatchFrom(declared, fromS),
  };
  const { startEpochS, warmupS, seed, classes } = experiment;
  const setting = { ...experiment, startEpochS: startEpochS + fromS, horizonS: toS - fromS };
  const traffic = openTraffic(experiment.traffic, {
    startEpochS,
    offsetS: fromS,
    warmupS,
    horizonS: toS - fromS,
    seed,
    replication,
    classShares: classes.map((requestClass) => requestClass.shareFraction),
    reasoning: classes.map((requestClass) => requestClass.reasoning),
  });
  const run = simulateRun(setting, strategy, traffic, {
    seed,
    replication,
    incidents: false,
    replicas,
    demand: null,
    rows: null,
    onProgress: null,
  });
  return run.classes.map(({ totals, attainmentWindows }, c) => {
    if (strategy.barred[c] !== null) return NaN;
    const answered = totals.completed + totals.rejected + totals.timedOut + totals.failed;
    return classes[c]!.slo.attainBasis === "windows" ? attainmentWindows : totals.sloMet / answered;
  });
}

/** When a dispatch policy of the strategy changes by date, rising. */
function stepTimes({ dispatch = [] }: ResolvedStrategy): number[] {
  const times = dispatch.flatMap((choice) =>
    Object.values(choice?.steps ?? {})
      .flat()
      .map(({ fromS }) => fromS),
  );
  return [...new Set(times)].sort((a, b) => a - b);
}

/** The dispatch of a strategy in a run that begins at `fromS`: the dates of its steps count from there. */
function dispatchFrom({ dispatch }: ResolvedStrategy, fromS: number): Pick<ResolvedStrategy, "dispatch"> {
  if (dispatch === undefined) return {};
  const later = (steps: readonly Step[]): Step[] => steps.map((step) => ({ ...step, fromS: step.fromS - fromS }));
  return {
    dispatch: dispatch.map(
      (choice) =>
        choice && {
          ...choice,
          steps: Object.fromEntries(Object.entries(choice.steps).map(([option, steps]) => [option, later(steps)])),
        },
    ),
  };
}

/** Whether the mean attainment over tasks reaches the target in every class. */
export function meetsSlo(experiment: ResolvedExperiment, attainments: readonly (readonly number[])[]): boolean {
  return experiment.classes.every(({ slo }, c) => {
    const known = attainments.map((byClass) => byClass[c]!).filter((value) => value === value);
    return known.length === 0 || known.reduce((sum, value) => sum + value, 0) / known.length >= slo.targetFraction;
  });
}

/**
 * Serving replicas of each pool of a strategy. Those that say "auto" get the smallest number that `meets` accepts for all of them
 * alike, by doubling and bisection (more replicas never hurt); then each in turn, the one with most GPUs a replica first, gives up
 * what the others can do without: pools that prefill and pools that decode need different numbers.
 * @throws InfeasibleError when even the largest fleet misses, with what it reached.
 */
export async function fewestReplicas(
  strategy: ResolvedStrategy,
  meets: (replicas: readonly number[]) => Promise<boolean>,
): Promise<number[]> {
  const all = (n: number): number[] => replicasWith(strategy, n);
  if (!needsSizing(strategy)) return all(0);
  let enough = 1;
  while (!(await meets(all(enough)))) {
    if (enough >= MOST_REPLICAS)
      throw new InfeasibleError(
        `strategy ${strategy.name}: ${MOST_REPLICAS} replicas ${ofWhich(strategy)} do not meet the SLO on the peak days; the target lies below what one request alone needs, or the network and API overhead eat it`,
      );
    enough *= 2;
  }
  const alike = await leastBetween(Math.floor(enough / 2), enough, (n) => meets(all(n)));
  const sizes = all(alike);
  const sized = strategy.pools.flatMap(({ replicas, engine }, p) =>
    replicas === "auto" ? [{ p, gpus: gpusPerReplica(engine) }] : [],
  );
  if (sized.length > 1)
    for (const { p } of sized.sort((a, b) => b.gpus - a.gpus))
      sizes[p] = await leastBetween(0, alike, (n) => meets(sizes.map((size, i) => (i === p ? n : size))));
  return sizes;
}

/** The pools that are sized, as words. */
function ofWhich({ pools }: ResolvedStrategy): string {
  const names = pools.filter(({ replicas }) => replicas === "auto").map(({ name }) => name);
  return names.length === 1 ? `of pool ${names[0]}` : `in each of the pools ${names.join(", ")}`;
}

/** The smallest n that passes, above `tooFew`; `enough` does. */
async function leastBetween(tooFew: number, enough: number, passes: (n: number) => Promise<boolean>): Promise<number> {
  let low = tooFew;
  let high = enough;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await passes(middle)) high = middle;
    else low = middle;
  }
  return high;
}
