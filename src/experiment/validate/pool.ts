/** Error statistics over cases, and the bars they must clear. Errors are signed fractions: predicted ÷ measured − 1. */
import { mean } from "simple-statistics";
import { quantile } from "./metrics.ts";
import type { CaseResult, PoolName } from "./result.ts";

/** Fractions. `insideBand` counts TPOT errors between the 5 % and the 95 % quantile of the case's band. */
export interface ErrorStatistics {
  readonly n: number;
  readonly medianAbs: number;
  readonly mape: number;
  readonly p90Abs: number;
  readonly bias: number;
  readonly insideBand: number | null;
}

/** Statistics by metric. */
export type MetricStatistics = Readonly<Record<string, ErrorStatistics>>;

/** Statistics of one group of cases: all of them, and by each property. */
interface Pool {
  readonly all: MetricStatistics;
  readonly source: Readonly<Record<string, MetricStatistics>>;
  readonly gpu: Readonly<Record<string, MetricStatistics>>;
  readonly model: Readonly<Record<string, MetricStatistics>>;
  readonly engine: Readonly<Record<string, MetricStatistics>>;
}

export type Pooled = Readonly<Record<PoolName, Pool>>;

export const POOL_NAMES: readonly PoolName[] = ["validation", "calibration", "setAside"];
const DIMENSIONS = ["source", "gpu", "model", "engine"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export interface Bar {
  readonly name: string;
  readonly limit: number;
  /** Null when no case measures it. */
  readonly value: number | null;
  readonly n: number;
  readonly passed: boolean | null;
}

/** Worst absolute error of KV blocks and mean absolute error of TPOT that validation cases may show. */
const TPOT_MAPE_LIMIT = 0.2;
const KV_BLOCKS_LIMIT = 0.05;

export function pooled(cases: readonly CaseResult[]): Pooled {
  const of = (name: PoolName): Pool => poolOf(cases.filter((one) => one.pool === name));
  return { validation: of("validation"), calibration: of("calibration"), setAside: of("setAside") };
}

function poolOf(cases: readonly CaseResult[]): Pool {
  const [source, gpu, model, engine] = DIMENSIONS.map((dimension) => {
    const values = [...new Set(cases.map((one) => one[dimension]))].sort();
    return Object.fromEntries(
      values.map((value) => [value, byMetric(cases.filter((one) => one[dimension] === value))] as const),
    );
  }) as [Pool["source"], Pool["gpu"], Pool["model"], Pool["engine"]];
  return { all: byMetric(cases), source, gpu, model, engine };
}

function byMetric(cases: readonly CaseResult[]): MetricStatistics {
  const metrics = [...new Set(cases.flatMap((one) => Object.keys(one.errors)))].sort();
  return Object.fromEntries(
    metrics.map((metric) => {
      const scored = cases.filter((one) => one.errors[metric] !== undefined);
      const banded = metric.startsWith("tpotMs") ? scored.filter((one) => one.band !== null) : [];
      const inside = banded.filter(({ errors, band }) => errors[metric]! >= band!.p5 && errors[metric]! <= band!.p95);
      return [
        metric,
        {
          ...errorStatistics(scored.map((one) => one.errors[metric]!)),
          insideBand: banded.length === 0 ? null : inside.length / banded.length,
        },
      ] as const;
    }),
  );
}

/** Statistics of at least one error. */
export function errorStatistics(errors: readonly number[]): Omit<ErrorStatistics, "insideBand"> {
  const absolute = errors.map((error) => Math.abs(error)).sort((a, b) => a - b);
  return {
    n: errors.length,
    medianAbs: quantile(absolute, 0.5),
    mape: mean(absolute),
    p90Abs: quantile(absolute, 0.9),
    bias: mean([...errors]),
  };
}

/** TPOT over the validation cases: the mean where it was recorded, else the median. KV blocks: the worst of them. */
export function bars(cases: readonly CaseResult[]): readonly Bar[] {
  const validation = cases.filter((one) => one.pool === "validation");
  const errorsOf = (...metrics: readonly string[]): number[] =>
    validation.flatMap(({ errors }) => {
      const metric = metrics.find((name) => errors[name] !== undefined);
      return metric === undefined ? [] : [Math.abs(errors[metric]!)];
    });
  const tpot = errorsOf("tpotMsMean", "tpotMsP50");
  const kv = errorsOf("kvBlocks", "kvTokens", "kvCacheGiBPerGpu");
  return [
    bar("TPOT, mean absolute error of validation cases", TPOT_MAPE_LIMIT, tpot, mean),
    bar("KV blocks, worst absolute error of validation cases", KV_BLOCKS_LIMIT, kv, (all) => Math.max(...all)),
  ];
}

function bar(name: string, limit: number, errors: number[], statistic: (errors: number[]) => number): Bar {
  if (errors.length === 0) return { name, limit, value: null, n: 0, passed: null };
  const value = statistic(errors);
  return { name, limit, value, n: errors.length, passed: value <= limit };
}
