/**
 * λ of `uSlo`: the highest steady Poisson rate, requests per second, at which one replica of a pool still meets the SLO
 * of a class with that class's lengths, found by simulating one replica and bisecting to 2 %. Of sessions it is the rate of
 * their requests, whose prompts hold what came before.
 */
import { simulateRun } from "../dispatch/simulate.ts";
import { attainment } from "../outcome/recorder.ts";
import { openTraffic } from "../traffic/open.ts";
import { type RecordedLengths, rowsOfClass } from "./rows-of-class.ts";
import type {
  LengthDistribution,
  ReasoningLaw,
  ResolvedExperiment,
  ResolvedPool,
  SyntheticTraffic,
} from "../scenario/resolved.ts";

const REQUESTS = 20_000;
const TOLERANCE = 0.02;
const LOWEST_RATE_PER_S = 1 / 64;

export interface SloRateTask {
  readonly experiment: ResolvedExperiment;
  readonly strategy: number;
  readonly pool: number;
  readonly classIndex: number;
}

/** A replica that hands its requests on, or takes those of others over, has no rate of its own. */
export function servesAlone({ scheduler }: ResolvedPool): boolean {
  return scheduler.role === "both";
}

/** Equal for tasks of one experiment whose rates are: pools of one kind, and classes of one target and one kind of request. */
export function sweepKey({ experiment, strategy, pool, classIndex }: SloRateTask): string {
  const { pools, client } = experiment.strategies[strategy]!;
  const { engine, gpu, llm, coefficients, stepTimeTable, scheduler, networkS, pathSByClass, maxWaitingPerReplica } =
    pools[pool]!;
  const { slo, timeoutS, sharedPrefix, reasoning } = experiment.classes[classIndex]!;
  const { traffic } = experiment;
  const lengths = traffic.kind === "synthetic" ? traffic.classLengths?.[classIndex] : undefined;
  const rows = traffic.kind === "replay" && traffic.classIndex !== undefined ? classIndex : undefined;
  return JSON.stringify([
    [engine, gpu, llm, coefficients, stepTimeTable, scheduler, networkS],
    [pathSByClass?.[classIndex], maxWaitingPerReplica, client],
    [slo, timeoutS, sharedPrefix, reasoning, lengths, rows],
  ]);
}

/** Null when the replica misses the target even for a lone request. */
export function sloRatePerReplica(task: SloRateTask): number | null {
  if (!meetsAt(task, LOWEST_RATE_PER_S)) return null;
  let good = LOWEST_RATE_PER_S;
  let bad = good * 2;
  while (meetsAt(task, bad)) {
    good = bad;
    bad *= 2;
  }
  while (bad / good > 1 + TOLERANCE) {
    const middle = Math.sqrt(good * bad);
    if (meetsAt(task, middle)) good = middle;
    else bad = middle;
  }
  return good;
}

function meetsAt(task: SloRateTask, ratePerS: number): boolean {
  const { experiment } = task;
  const { traffic: recorded, startEpochS, seed } = experiment;
  const requestClass = experiment.classes[task.classIndex]!;
  const { pools, client } = experiment.strategies[task.strategy]!;
  // How it stops while idle is no part of what it serves when it is busy.
  const { scaleToZero: _, ...pool } = pools[task.pool]!;
  const horizonS = REQUESTS / ratePerS;
  const warmupS = 0.1 * horizonS;
  const { input, output, spearman } =
    recorded.kind === "synthetic" ? recorded : recordedLengths(rowsOfClass(recorded, task.classIndex));
  const own = recorded.kind === "synthetic" ? recorded.classLengths?.[task.classIndex] : undefined;
  const thinking = recorded.kind === "replay" ? recordedThinking(rowsOfClass(recorded, task.classIndex)) : undefined;
  const spec: SyntheticTraffic = {
    kind: "synthetic",
    input: own?.input ?? input,
    output: own?.output ?? output,
    spearman,
    meanRatePerS: ratePerS,
    growthFractionPerMonth: 0,
    hourOfWeek: null,
    burst: { components: [], gapCv: 1 },
    maxOutput: recorded.maxOutput,
    ...(recorded.kind === "synthetic" && recorded.sessions !== undefined ? { sessions: recorded.sessions } : {}),
  };
  const setting = { ...experiment, horizonS, warmupS, classes: [requestClass] };
  const run = simulateRun(
    setting,
    {
      name: "one-replica",
      title: "",
      option: "self",
      pools: [{ ...pool, warmReplicas: 0, stepTimeError: null }],
      offers: [],
      routes: [[{ kind: "pool", index: 0, overflowInFlightPerReplica: null }]],
      barred: [null],
      counterfactual: false,
      ...(client === undefined ? {} : { client }),
    },
    openTraffic(spec, {
      startEpochS,
      warmupS,
      horizonS,
      seed: `${seed}/slo-rate`,
      replication: 0,
      classShares: [1],
      reasoning: [thinking ?? requestClass.reasoning],
    }),
    { seed, replication: 0, incidents: false, replicas: [1], demand: null, rows: null, onProgress: null },
  );
  return attainment(run.classes[0]!.totals) >= requestClass.slo.targetFraction;
}

/** The lengths of a recording as quantile tables: the sweep wants its mix, not its order. */
function recordedLengths(trace: RecordedLengths): Pick<SyntheticTraffic, "input" | "output" | "spearman"> {
  return { input: quantilesOf(trace.inputTokens), output: quantilesOf(trace.outputTokens), spearman: 0 };
}

/** The part of an answer that was thinking, likewise. */
function recordedThinking({ reasoningTokens, outputTokens }: RecordedLengths): ReasoningLaw | undefined {
  if (reasoningTokens === undefined) return undefined;
  const shares = Float64Array.from(reasoningTokens, (tokens, row) => tokens / outputTokens[row]!);
  const { percentiles, values } = ranksOf(shares.sort());
  return { kind: "share", percentiles, shares: values };
}

function quantilesOf(tokens: Uint32Array): LengthDistribution {
  const { percentiles, values } = ranksOf(tokens.slice().sort());
  let sum = 0;
  for (const value of tokens) sum += value;
  return { kind: "quantiles", percentiles, tokens: values, meanTokens: sum / tokens.length };
}

/** What stands at every half per cent. */
function ranksOf(sorted: Uint32Array | Float64Array): { percentiles: number[]; values: number[] } {
  const percentiles: number[] = [];
  const values: number[] = [];
  for (let i = 0; i <= 200; i++) {
    percentiles.push(i / 2);
    values.push(sorted[Math.round((i / 200) * (sorted.length - 1))]!);
  }
  return { percentiles, values };
}
