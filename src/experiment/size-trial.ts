/**
 * One peak day with a fleet of some size: what `size-pool.ts` tries. Times in simulated seconds of the day, t = 0 at its beginning.
 */
import { simulateRun } from "../dispatch/simulate.ts";
import { attainment } from "../outcome/recorder.ts";
import { openTraffic } from "../traffic/open.ts";
import type { Traffic } from "../traffic/traffic.ts";
import type { Step } from "../scenario/dispatch.ts";
import type { ResolvedExperiment, ResolvedStrategy, ResolvedTraffic } from "../scenario/resolved.ts";
import { CertainMiss, type DayRequests, MissWatch, type TrialDay } from "./certain-miss.ts";

/** One peak day of one replication. */
export interface SizingTask {
  readonly experiment: ResolvedExperiment;
  readonly strategy: number;
  readonly replication: number;
  readonly fromS: number;
  readonly toS: number;
}

/** What came of a day: of each class the SLO attainment, NaN where nothing of it was sent or it is barred. */
export interface DayOutcome {
  /** Null: the trial was ended, because the fleet misses the SLO for certain. */
  readonly attainments: readonly number[] | null;
  /** Simulated, warm-up included; of a day that was ended those that had an outcome. */
  readonly requests: number;
}

/** The day with so many replicas of each pool. */
export function runSizing(task: SizingTask, replicas: readonly number[], trial: TrialDay): DayOutcome {
  const { experiment, replication, fromS, toS } = task;
  const declared = experiment.strategies[task.strategy]!;
  const strategy: ResolvedStrategy = {
    ...declared,
    // Fleets are sized for the engine as predicted; how wrong that may be shows when they run.
    pools: declared.pools.map((pool) => ({ ...pool, stepTimeError: null })),
    ...dispatchFrom(declared, fromS),
  };
  const { startEpochS, seed, classes } = experiment;
  const setting = { ...experiment, startEpochS: startEpochS + fromS, horizonS: toS - fromS };
  const barred = strategy.barred.map((reason) => reason !== null);
  const watch = new MissWatch(trial, classes, barred);
  try {
    // Another day may have settled it before this one begins.
    watch.check();
    const run = simulateRun(setting, strategy, dayTraffic(task), {
      seed,
      replication,
      incidents: false,
      replicas,
      demand: null,
      rows: watch,
      onProgress: () => watch.check(),
    });
    const attainments = run.classes.map(({ totals, attainmentWindows }, c) => {
      if (barred[c]) return NaN;
      return classes[c]!.slo.attainBasis === "windows" ? attainmentWindows : attainment(totals);
    });
    return { attainments, requests: run.requestsSimulated };
  } catch (error) {
    if (!(error instanceof CertainMiss)) throw error;
    return { attainments: null, requests: watch.ended };
  }
}

/**
 * The requests of a day, counted without a fleet: as if each were answered at once, so that none of those that wait for others
 * could come earlier. These may be sent in the warm-up here and after it there, so of such traffic the warm-up counts too.
 */
export function countDay(task: SizingTask): DayRequests {
  const { experiment, fromS, toS } = task;
  const { classes, warmupS, traffic: spec } = experiment;
  const traffic = dayTraffic(task);
  const horizonS = toS - fromS;
  const closed = waitsForAnswers(spec);
  const minutes = Math.ceil(horizonS / 60);
  const firstS = closed ? -warmupS : 0;
  const most = classes.map(() => 0);
  const sentByMinute = new Uint32Array(closed ? 0 : classes.length * minutes);
  while (traffic.timeS < horizonS) {
    const { timeS, classIndex, request } = traffic;
    if (timeS >= firstS) most[classIndex]!++;
    if (timeS >= 0 && !closed) sentByMinute[classIndex * minutes + Math.floor(timeS / 60)]!++;
    traffic.advance();
    traffic.onComplete(request, timeS);
  }
  return { most, sentByMinute: closed ? null : sentByMinute };
}

function waitsForAnswers(traffic: ResolvedTraffic): boolean {
  return traffic.kind === "replay" ? traffic.waits !== undefined : traffic.sessions !== undefined;
}

function dayTraffic({ experiment, replication, fromS, toS }: SizingTask): Traffic {
  const { traffic, startEpochS, warmupS, seed, classes } = experiment;
  return openTraffic(traffic, {
    startEpochS,
    offsetS: fromS,
    warmupS,
    horizonS: toS - fromS,
    seed,
    replication,
    classShares: classes.map((requestClass) => requestClass.shareFraction),
    reasoning: classes.map((requestClass) => requestClass.reasoning),
  });
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
