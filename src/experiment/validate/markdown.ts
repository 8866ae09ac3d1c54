/** The tables of `models/README.md`: bars, and errors by engine and metric. `crossover validate --markdown` prints them. */
import type { MetricStatistics } from "./pool.ts";
import { barPercent, percent, signedPercent } from "./text.ts";
import type { ValidationResult } from "./validate.ts";

/** In this order; other metrics are in the command's own output. */
const METRICS: readonly (readonly [string, string])[] = [
  ["tpotMsMean", "TPOT mean"],
  ["tpotMsP50", "TPOT P50"],
  ["itlMsMean", "ITL mean"],
  ["ttftMsMean", "TTFT mean"],
  ["ttftMsP99", "TTFT P99"],
  ["e2eMsMean", "E2E mean"],
  ["e2eMsP50", "E2E P50"],
  ["e2eMsP99", "E2E P99"],
  ["outputTokensPerS", "output tokens/s"],
  ["makespanS", "makespan"],
  ["kvCacheGiBPerGpu", "KV cache, GiB"],
  ["kvBlocks", "KV blocks"],
];

export function validationMarkdown({ bars, pooled, cases, notCovered }: ValidationResult): string {
  const { validation, calibration } = pooled;
  const refused = notCovered.reduce((sum, one) => sum + one.cases, 0);
  return [
    `${cases.length} cases, ${refused} of them refused in whole or part. Absolute errors of validation cases:`,
    "",
    ...lines(
      ["bar", "error", "limit", "statistic", "n", ""],
      bars.map((bar) => [
        bar.name,
        bar.value === null ? "–" : barPercent(bar.value),
        percent(bar.limit),
        bar.statistic,
        String(bar.n),
        bar.passed === null ? "not tested" : bar.passed ? "met" : "missed",
      ]),
    ),
    "",
    ...lines(
      ["cases", "metric", "n", "median", "MAPE", "P90", "bias"],
      [
        ...Object.entries(validation.loadKind).flatMap(([kind, statistics]) => rows(`validation, ${kind}`, statistics)),
        ...Object.entries(validation.engine).flatMap(([engine, statistics]) =>
          rows(`validation, ${engine}`, statistics),
        ),
        ...rows("calibration (in-sample)", calibration.all),
      ],
    ),
    "",
  ].join("\n");
}

function rows(title: string, statistics: MetricStatistics): string[][] {
  return METRICS.flatMap(([metric, name]) => {
    const one = statistics[metric];
    if (one === undefined) return [];
    const { n, medianAbs, mape, p90Abs, bias } = one;
    return [[title, name, String(n), percent(medianAbs), percent(mape), percent(p90Abs), signedPercent(bias)]];
  });
}

function lines(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...body.map(line)];
}
