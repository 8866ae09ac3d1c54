/** How accurate the simulator must be: figures over the validation cases, each with its limit. Errors are fractions. */
import { mean } from "simple-statistics";
import { quantile } from "./metrics.ts";
import { observations } from "./pool.ts";
import type { CaseResult } from "./result.ts";

export interface Bar {
  readonly name: string;
  readonly statistic: Statistic;
  readonly limit: number;
  /** Null when no case measures it. */
  readonly value: number | null;
  readonly n: number;
  readonly passed: boolean | null;
}

/** Of absolute errors. `worst` is for figures that few recordings hold. */
type Statistic = "median" | "mean" | "worst";

interface Rule {
  readonly name: string;
  readonly statistic: Statistic;
  readonly limit: number;
  readonly error: (one: CaseResult) => number | null;
}

const FINEST_SCOPE = "|gpu+engine+model+dtype|";

const RULES: readonly Rule[] = [
  ...(["dense", "moe"] as const).flatMap((modelClass): Rule[] => {
    const title = modelClass === "dense" ? "dense" : "MoE";
    const ofClass = (one: CaseResult): boolean => one.loadKind === "closed" && one.modelClass === modelClass;
    return [
      {
        name: `closed-loop TPOT, ${title}, class set`,
        statistic: "median",
        limit: modelClass === "dense" ? 0.09 : 0.13,
        error: (one) => (ofClass(one) ? one.classSetTpotError : null),
      },
      {
        name: `closed-loop TPOT, ${title}, where a finest set exists`,
        statistic: "median",
        limit: modelClass === "dense" ? 0.045 : 0.06,
        error: (one) =>
          ofClass(one) && (one.scope?.includes(FINEST_SCOPE) ?? false) ? (one.errors["tpotMsMean"] ?? null) : null,
      },
    ];
  }),
  openLoop("E2E P50", "e2eMsP50", 0.06),
  openLoop("E2E P99", "e2eMsP99", 0.14),
  openLoop("E2E mean", "e2eMsMean", 0.06),
  openLoop("TTFT mean", "ttftMsMean", 0.15),
  openLoop("TTFT P99", "ttftMsP99", 0.28),
  openLoop("ITL mean", "itlMsMean", 0.065),
  trace("makespan", "makespanS"),
  trace("TPOT mean", "tpotMsMean"),
  trace("E2E mean", "e2eMsMean"),
  {
    name: "offline throughput, TensorRT-LLM, dense",
    statistic: "mean",
    limit: 0.13,
    error: (one) =>
      one.tags.includes("offline-throughput") && one.engine === "trtllm" && one.modelClass === "dense"
        ? (one.errors["outputTokensPerS"] ?? null)
        : null,
  },
  {
    name: "KV capacity of text models",
    statistic: "worst",
    limit: 0.04,
    error: ({ errors }) => errors["kvBlocks"] ?? errors["kvTokens"] ?? errors["kvCacheGiBPerGpu"] ?? null,
  },
];

/** vLLM on H100 below overload, of the runs that no engine-profile constant was fitted on. */
function openLoop(title: string, metric: string, limit: number): Rule {
  const judged = (one: CaseResult): boolean =>
    one.loadKind === "open" &&
    one.engine === "vllm" &&
    one.gpu.startsWith("h100") &&
    one.loadLevel !== "overload" &&
    !profileFittedOn(one);
  return {
    name: `open loop, vLLM on H100 below overload, ${title}`,
    statistic: "median",
    limit,
    error: (one) => (judged(one) ? (one.errors[metric] ?? null) : null),
  };
}

/** The overheads of `models/engines/vllm.yaml` were fitted on the BF16 runs of Llama-3.1-8B. */
function profileFittedOn({ source, model, weightDtype }: CaseResult): boolean {
  return source.startsWith("pChitral/vllm-cost-meter") && model === "llama-3.1-8b" && weightDtype === "bf16";
}

function trace(title: string, metric: string): Rule {
  return {
    name: `recorded traces, ${title}`,
    statistic: "worst",
    limit: 0.05,
    error: (one) => (one.loadKind === "trace" ? (one.errors[metric] ?? null) : null),
  };
}

export function bars(cases: readonly CaseResult[]): readonly Bar[] {
  const validation = observations(cases.filter((one) => one.pool === "validation"));
  return RULES.map(({ name, statistic, limit, error }) => {
    const errors = validation.flatMap((one) => {
      const value = error(one);
      return value === null ? [] : [Math.abs(value)];
    });
    if (errors.length === 0) return { name, statistic, limit, value: null, n: 0, passed: null };
    const value = STATISTICS[statistic](errors);
    return { name, statistic, limit, value, n: errors.length, passed: value <= limit };
  });
}

const STATISTICS: Readonly<Record<Statistic, (errors: number[]) => number>> = {
  median: (errors) =>
    quantile(
      errors.sort((a, b) => a - b),
      0.5,
    ),
  mean: (errors) => mean(errors),
  worst: (errors) => Math.max(...errors),
};
