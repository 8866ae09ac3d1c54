/** Error statistics over cases. Errors are signed fractions: predicted ÷ measured − 1. */
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

const DIMENSIONS = ["source", "gpu", "model", "modelClass", "engine", "loadKind", "loadLevel"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** Statistics of one group of cases: all of them, and by each property. */
type Pool = { readonly all: MetricStatistics } & Readonly<
  Record<Dimension, Readonly<Record<string, MetricStatistics>>>
>;

export type Pooled = Readonly<Record<PoolName, Pool>>;

export const POOL_NAMES: readonly PoolName[] = ["validation", "calibration", "setAside"];

export function pooled(cases: readonly CaseResult[]): Pooled {
  const of = (name: PoolName): Pool => poolOf(observations(cases.filter((one) => one.pool === name)));
  return { validation: of("validation"), calibration: of("calibration"), setAside: of("setAside") };
}

/** Cases as they count: a metric that is recorded for each stage of a load counts once a stage instead of once. */
export function observations(cases: readonly CaseResult[]): readonly CaseResult[] {
  return cases.flatMap((one) => {
    if (one.byStage.length === 0) return [one];
    const staged = new Set(one.byStage.flatMap(({ errors }) => Object.keys(errors)));
    const whole = Object.fromEntries(Object.entries(one.errors).filter(([metric]) => !staged.has(metric)));
    return [{ ...one, errors: whole }, ...one.byStage.map((stage) => ({ ...one, ...stage, classSetTpotError: null }))];
  });
}

function poolOf(cases: readonly CaseResult[]): Pool {
  const by = Object.fromEntries(
    DIMENSIONS.map((dimension) => {
      const groups = new Map<string, CaseResult[]>();
      for (const one of cases) {
        const value = one[dimension] ?? "unknown";
        const group = groups.get(value) ?? [];
        group.push(one);
        groups.set(value, group);
      }
      const values = [...groups.keys()].sort();
      return [dimension, Object.fromEntries(values.map((value) => [value, byMetric(groups.get(value)!)]))] as const;
    }),
  ) as Record<Dimension, Record<string, MetricStatistics>>;
  return { all: byMetric(cases), ...by };
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
