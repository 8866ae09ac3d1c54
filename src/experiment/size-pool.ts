/**
 * `replicas: auto`: the fewest serving replicas with which every permitted class meets its SLO on the days of highest
 * expected demand, without incidents (warm replicas are there for those). Only these days are simulated: a fleet that
 * is large enough for them is large enough for the rest, as long as shares do not change by date.
 */
import { gpusPerReplica } from "../engine/parallelism.ts";
import { InfeasibleError } from "../kernel/errors.ts";
import { peakDays } from "../traffic/rate.ts";
import type { RequestClass, ResolvedExperiment, ResolvedStrategy } from "../scenario/resolved.ts";
import { MOST_REPLICAS } from "./bounds.ts";
import { type DayRequests, type TrialDay, WHOLE } from "./certain-miss.ts";
import type { DayOutcome, SizingTask } from "./size-trial.ts";

const PEAK_DAYS = 2;
/** Days with more requests than this are sized roughly first, with one in so many of the requests and of the replicas. */
const LARGE_DAY = 1_000_000;
const COARSER = 8;

/** What does the work. */
export interface SizingThreads {
  countDay(task: SizingTask): Promise<DayRequests>;
  runDay(task: SizingTask, replicas: readonly number[], trial: TrialDay): Promise<DayOutcome>;
  /** So many zeroes, which all threads see. */
  sharedMemory(words: number): Int32Array;
}

/** A size that is tried. */
export interface SizingTrial {
  readonly replicas: readonly number[];
  /** The load is so many times the one that it is tried with; 1 but for a first, rough search. */
  readonly scale: number;
  /** So many more trials may follow; null as long as no bounds are known. */
  readonly left: number | null;
}

/** Whether replicas of each pool meet the SLO. `left` as in `SizingTrial`. */
type Meets = (replicas: readonly number[], left: number | null) => Promise<boolean>;

/** One number of replicas misses the SLO and one meets it, or both are guesses. */
interface Bracket {
  readonly tooFew: number;
  readonly enough: number;
}

const NOTHING_KNOWN: Bracket = { tooFew: 0, enough: 1 };

/**
 * Serving replicas of each pool of a strategy of the experiment. `onTrial` hears of each size before it is tried.
 * @throws InfeasibleError when even the largest fleet misses.
 */
export async function sizeStrategy(
  experiment: ResolvedExperiment,
  strategy: number,
  threads: SizingThreads,
  onTrial: (trial: SizingTrial) => void,
): Promise<number[]> {
  const declared = experiment.strategies[strategy]!;
  if (!needsSizing(declared)) return replicasWith(declared, 0);
  let misses = "";
  const at = (scale: number): Promise<Meets> => {
    const tell = (replicas: readonly number[], left: number | null): void => onTrial({ replicas, scale, left });
    return trialsOf(thinned(experiment, scale), strategy, threads, tell, (what) => (misses = what));
  };
  const guess = await roughly(declared, requestsOfDay(experiment), 1, at);
  return fewestReplicas(declared, await at(1), guess, () => misses);
}

/** Expected on the busiest day of traffic that can be thinned; else 0. */
function requestsOfDay({ traffic, startEpochS, horizonS }: ResolvedExperiment): number {
  if (traffic.kind === "replay") return 0;
  return peakDays(traffic, startEpochS, horizonS, 1)[0]!.expectedRequests;
}

/** The same demand with one request in `scale`. */
function thinned(experiment: ResolvedExperiment, scale: number): ResolvedExperiment {
  const { traffic } = experiment;
  if (traffic.kind === "replay") return experiment;
  return { ...experiment, traffic: { ...traffic, meanRatePerS: traffic.meanRatePerS / scale } };
}

/**
 * Bounds to start from where one in `scale` of the requests is sent. A day of very many requests is costly to try, and a fleet far too
 * small for it soon holds all of them. So the search is first made with fewer, which need about as many replicas fewer. What it
 * finds is a guess, which is tried: limits of an offer, for example, are no fewer.
 */
async function roughly(
  strategy: ResolvedStrategy,
  requestsOfDay: number,
  scale: number,
  at: (scale: number) => Promise<Meets>,
): Promise<Bracket> {
  if (requestsOfDay / scale <= LARGE_DAY) return NOTHING_KNOWN;
  const coarser = COARSER * scale;
  const guess = await roughly(strategy, requestsOfDay, coarser, at);
  const found = await fewestAlike(strategy, await at(coarser), guess, mostAt(coarser));
  if (found === null) return { tooFew: Math.floor(mostAt(scale) / 2), enough: mostAt(scale) };
  // One replica may do because it has next to nothing to do.
  return found.tooFew === 0 ? NOTHING_KNOWN : { tooFew: COARSER * found.tooFew, enough: COARSER * found.enough };
}

function mostAt(scale: number): number {
  return Math.max(1, Math.floor(MOST_REPLICAS / scale));
}

/** Tries sizes on the peak days of a strategy; `onMiss` is told in words what one misses. */
async function trialsOf(
  experiment: ResolvedExperiment,
  strategy: number,
  threads: SizingThreads,
  onTrial: (replicas: readonly number[], left: number | null) => void,
  onMiss: (misses: string) => void,
): Promise<Meets> {
  const tasks = sizingTasks(experiment, strategy);
  const requests = await Promise.all(tasks.map((task) => threads.countDay(task)));
  const classes = experiment.classes.length;
  // The worst days of the last trial begin the next: if it fails too, they tell soonest.
  const order = tasks.map((_, day) => day);
  return async (replicas, left) => {
    onTrial(replicas, left);
    const missed = threads.sharedMemory(tasks.length * classes);
    const attainments: (readonly number[] | null)[] = [];
    const runDay = async (day: number): Promise<void> => {
      const trial = { requests: requests[day]!, day, missed };
      attainments[day] = (await threads.runDay(tasks[day]!, replicas, trial)).attainments;
    };
    await Promise.all(order.map(runDay));
    const most = (day: number): number => Math.max(...missed.subarray(day * classes, (day + 1) * classes));
    order.sort((a, b) => most(b) - most(a));
    if (attainments.every((byClass) => byClass !== null) && meetsSlo(experiment, attainments)) return true;
    onMiss(missesInWords(experiment.classes, missed, tasks.length));
    return false;
  };
}

/** Which classes miss their targets, by what is off their attainment for certain (`TrialDay.missed`, day by day). */
function missesInWords(classes: readonly RequestClass[], missed: Int32Array, days: number): string {
  return classes
    .flatMap(({ name, slo }, c) => {
      const off = missed.reduce((sum, share, i) => sum + (i % classes.length === c ? share : 0), 0) / days / WHOLE;
      if (off <= 1 - slo.targetFraction) return [];
      const targets = [
        ["TTFT", slo.ttftS],
        ["TPOT", slo.tpotS],
        ["E2E", slo.e2eS],
      ].flatMap(([figure, limitS]) =>
        limitS === null ? [] : [`${figure} ${Number((1000 * Number(limitS)).toPrecision(6))} ms`],
      );
      const most = (100 * (1 - Math.min(1, off))).toFixed(1);
      return [
        `class ${name} gets ${targets.join(", ")} at most ${most} % of the time, and wants ${100 * slo.targetFraction} %`,
      ];
    })
    .join("; ");
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

/** When a dispatch policy of the strategy changes by date, rising. */
function stepTimes({ dispatch = [] }: ResolvedStrategy): number[] {
  const times = dispatch.flatMap((choice) =>
    Object.values(choice?.steps ?? {})
      .flat()
      .map(({ fromS }) => fromS),
  );
  return [...new Set(times)].sort((a, b) => a - b);
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
 * alike; then each in turn, the one with most GPUs a replica first, gives up what the others can do without: pools that prefill and
 * pools that decode need different numbers.
 * @throws InfeasibleError when even the largest fleet misses.
 */
export async function fewestReplicas(
  strategy: ResolvedStrategy,
  meets: Meets,
  guess: Bracket = NOTHING_KNOWN,
  misses = (): string => "",
): Promise<number[]> {
  const found = await fewestAlike(strategy, meets, guess, MOST_REPLICAS);
  if (found === null)
    throw new InfeasibleError(
      `strategy ${strategy.name}: ${MOST_REPLICAS} replicas ${ofWhich(strategy)} do not meet the SLO on the peak days${misses() === "" ? "" : ` (${misses()})`}; the target lies below what one request alone needs, or the network and API overhead eat it, or the traffic needs more replicas than that`,
    );
  const alike = found.enough;
  const sizes = replicasWith(strategy, alike);
  const sized = strategy.pools.flatMap(({ replicas, engine }, p) =>
    replicas === "auto" ? [{ p, gpus: gpusPerReplica(engine) }] : [],
  );
  if (sized.length <= 1) return sizes;
  let pools = sized.length;
  for (const { p } of sized.sort((a, b) => b.gpus - a.gpus)) {
    pools--;
    const later = pools * halvings(alike);
    const { enough } = await leastBetween({ tooFew: 0, enough: alike }, (n, left) =>
      meets(
        sizes.map((size, i) => (i === p ? n : size)),
        left + later,
      ),
    );
    sizes[p] = enough;
  }
  return sizes;
}

/**
 * The smallest number, the same for all pools that are sized, and the one below it that misses. By doubling the distance from the
 * guess and bisection (more replicas never hurt). Null when `most` miss.
 */
async function fewestAlike(
  strategy: ResolvedStrategy,
  meets: Meets,
  guess: Bracket,
  most: number,
): Promise<Bracket | null> {
  const trial = (n: number, left: number | null): Promise<boolean> => meets(replicasWith(strategy, n), left);
  const pools = strategy.pools.filter(({ replicas }) => replicas === "auto").length;
  let { tooFew, enough } = guess;
  let tried = 0;
  while (!(await trial((enough = Math.min(enough, most)), null))) {
    if (enough >= most) return null;
    const distance = enough - tooFew;
    tooFew = tried = enough;
    enough = Math.min(2 * enough, enough + 2 * distance);
  }
  while (tooFew > tried && (await trial(tooFew, null))) {
    const distance = enough - tooFew;
    enough = tooFew;
    tooFew = Math.max(Math.floor(enough / 2), enough - 2 * distance);
  }
  const later = pools > 1 ? pools * halvings(enough) : 0;
  return leastBetween({ tooFew, enough }, (n, left) => trial(n, left + later));
}

/** The pools that are sized, as words. */
function ofWhich({ pools }: ResolvedStrategy): string {
  const names = pools.filter(({ replicas }) => replicas === "auto").map(({ name }) => name);
  return names.length === 1 ? `of pool ${names[0]}` : `in each of the pools ${names.join(", ")}`;
}

/** The smallest number that passes and the one below it. `passes` is told how many more calls may follow. */
async function leastBetween(
  { tooFew, enough }: Bracket,
  passes: (n: number, left: number) => Promise<boolean>,
): Promise<Bracket> {
  let low = tooFew;
  let high = enough;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await passes(middle, halvings(high - low) - 1)) high = middle;
    else low = middle;
  }
  return { tooFew: low, enough: high };
}

/** So many steps of bisection at most settle on one of `distance` numbers. */
function halvings(distance: number): number {
  let steps = 0;
  for (let rest = distance; rest > 1; rest = Math.ceil(rest / 2)) steps++;
  return steps;
}
