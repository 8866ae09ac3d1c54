/**
 * What is known of an experiment before it runs: how many replicas each pool has, and what rate a replica serves within the targets
 * of each class. Who computes it (threads, a queue's workers, this thread) is the caller's: results are the same.
 */
import type { ResolvedExperiment } from "../scenario/resolved.ts";
import { type SizingThreads, type SizingTrial, sizeStrategy } from "./size-pool.ts";
import { servesAlone, sloRatePerReplica, type SloRateTask, sweepKey } from "./slo-rate.ts";
import { countDay, runSizing } from "./size-trial.ts";
import type { StrategySetup } from "./summarise.ts";

/** What does the work. */
export interface SetUpThreads extends SizingThreads {
  sloRate(task: SloRateTask): Promise<number | null>;
}

/** What is told on the way, by strategy. */
export interface SetUpListener {
  readonly tries?: (strategy: string, trial: SizingTrial) => void;
  readonly sized?: (strategy: string) => void;
  readonly sweeps?: (strategy: string) => void;
}

/**
 * Of each strategy of the experiment. Without `sweeps` the rates stay unknown: only a verdict wants them.
 * @throws InfeasibleError when even the largest fleet misses.
 */
export async function setUp(
  experiment: ResolvedExperiment,
  threads: SetUpThreads,
  { tries, sized, sweeps: sweeping }: SetUpListener = {},
  sweeps = true,
): Promise<StrategySetup[]> {
  const sloRate = shared(threads);
  return Promise.all(
    experiment.strategies.map(async ({ name, pools, routes }, strategy): Promise<StrategySetup> => {
      const replicas = await sizeStrategy(experiment, strategy, threads, (trial) => tries?.(name, trial));
      sized?.(name);
      if (sweeps) sweeping?.(name);
      const rateOf = (pool: number, classIndex: number): Promise<number | null> | null => {
        const goesThere = routes[classIndex]!.some(({ kind, index }) => kind === "pool" && index === pool);
        return sweeps && goesThere && servesAlone(pools[pool]!)
          ? sloRate({ experiment, strategy, pool, classIndex })
          : null;
      };
      const sloRates = await Promise.all(
        pools.map((_, pool) => Promise.all(experiment.classes.map((_class, c) => rateOf(pool, c)))),
      );
      return { replicas, sloRates };
    }),
  );
}

/** Pools of one kind and classes of one target and one kind of request share a sweep. */
function shared(threads: SetUpThreads): SetUpThreads["sloRate"] {
  const underWay = new Map<string, Promise<number | null>>();
  return (task) => {
    const key = sweepKey(task);
    const sweep = underWay.get(key) ?? threads.sloRate(task);
    underWay.set(key, sweep);
    return sweep;
  };
}

/** Everything in this thread, one thing after the other: for a worker in a browser, and for small experiments. */
export const THIS_THREAD: SetUpThreads = {
  countDay: async (task) => countDay(task),
  runDay: async (task, replicas, trial) => runSizing(task, replicas, trial),
  sloRate: async (task) => sloRatePerReplica(task),
  sharedMemory: (words) => new Int32Array(words),
};
