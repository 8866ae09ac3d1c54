/**
 * A recorded period under one strategy of an experiment: what the simulator says of tokens, latency and bill beside what was
 * measured. Figures are means over replications with their interval; times in ms, money in USD over the period.
 */
import { mean } from "simple-statistics";
import { ConfigError, DataError } from "../../kernel/errors.ts";
import { Sketch } from "../../kernel/sketch.ts";
import type { ResolvedExperiment } from "../../scenario/resolved.ts";
import { replayOf } from "../replay-of.ts";
import { hintFor } from "../../catalog/nearest.ts";
import { estimateOrNull, within, withDoubtOf } from "../estimate.ts";
import type { Estimate } from "../findings.ts";
import type { Recording } from "../../scenario/recorded-trace.ts";
import type { UsageBucket } from "../../scenario/usage.ts";
import type { RunOutcome } from "../run-one.ts";
import { mergeClasses } from "../merge-classes.ts";
import { isPriced, P99_SAMPLES } from "../summarise.ts";
import { tokenCount } from "./amounts.ts";
import { difference, type Difference } from "./difference.ts";
import type { BackcastFile } from "./schema.ts";

export interface Period {
  readonly recording: Recording;
  readonly file: string;
  readonly startEpochS: number;
  readonly lengthS: number;
  /** The file of the experiment says what max_tokens its clients send. */
  readonly ownLimits: boolean;
}

/**
 * The experiment with the recorded requests for its traffic, one strategy, and no warm-up: every request counts, and time
 * goes on after the period until the last of them is answered or given up. Throws a
 * ConfigError for a strategy that is not there or thinking that is both recorded and drawn, a DataError for a request that no target of it can hold.
 */
export function replayed(experiment: ResolvedExperiment, wanted: string | null, period: Period): ResolvedExperiment {
  const { strategies, classes, traffic } = experiment;
  const names = strategies.map(({ name }) => name);
  const strategy = wanted === null && strategies.length === 1 ? strategies[0] : strategies[names.indexOf(wanted ?? "")];
  if (strategy === undefined) {
    const message = wanted === null ? "is missing: the experiment has several" : `unknown strategy "${wanted}"`;
    const hint = wanted === null ? `known: ${names.join(", ")}` : hintFor(wanted, names);
    throw new ConfigError([{ path: ["strategy"], message, ...(hint === undefined ? {} : { hint }) }]);
  }
  const { file, startEpochS, lengthS, ownLimits } = period;
  const { recording } = period;
  const thinking = classes.find(({ reasoning }) => reasoning !== undefined);
  if (thinking !== undefined && recording.reasoningTokens !== undefined) {
    const message = `says what of each answer was thinking (reasoningTokens), and so does class ${thinking.name} of the experiment: only one of the two can count`;
    throw new ConfigError([{ path: ["trace"], message, hint: "leave reasoning out of the class" }]);
  }
  const longest = Math.max(
    ...strategy.pools.map((pool) => pool.engine.maxModelLen),
    ...strategy.offers.map((offer) => offer.contextTokens),
  );
  const row = recording.arrivalS.findIndex((_, i) => recording.inputTokens[i]! + recording.outputTokens[i]! > longest);
  if (row >= 0)
    throw new DataError(
      file,
      row + 1,
      `a request of ${recording.inputTokens[row]} + ${recording.outputTokens[row]} tokens is longer than the ${longest} of ${strategy.name}`,
    );
  const warnings = [...experiment.warnings];
  // An experiment that replays the same recording has told of it already.
  const warn = (message: string): void => void (warnings.includes(message) || warnings.push(message));
  return {
    ...experiment,
    startEpochS,
    horizonS: lengthS + Math.ceil(Math.max(...classes.map(({ timeoutS }) => timeoutS))),
    warmupS: 0,
    strategies: [strategy],
    warnings,
    traffic: replayOf(file, recording, { classes, maxOutput: traffic.maxOutput, ownLimits }, warn),
  };
}

export interface ReplayRow {
  readonly figure: string;
  readonly unit: "count" | "tokens" | "ms" | "USD";
  readonly predicted: Estimate | null;
  readonly difference: Difference;
  /** The recorded input fixes it: agreement is no merit. */
  readonly given: boolean;
}

/** Beside what the recording itself holds: its requests and tokens, all of which were answered. */
export interface Recorded {
  readonly lengthS: number;
  readonly requests: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly usd: number | null;
}

/** Share of the requests that may go without an answer before it is said. */
const UNANSWERED = 0.005;

/**
 * In which respects the replay is not the recorded period, and what of it has nothing beside it. `buckets`: those that it was
 * filled from, null for a trace.
 */
export function replayWarnings(
  experiment: ResolvedExperiment,
  outcomes: readonly RunOutcome[],
  { requests, usd }: Pick<Recorded, "requests" | "usd">,
  buckets: readonly UsageBucket[] | null,
): readonly string[] {
  const sum = (of: (bucket: UsageBucket) => number): number => (buckets ?? []).reduce((all, one) => all + of(one), 0);
  const cached = sum(({ cachedInputTokens }) => cachedInputTokens);
  const inBatches = sum(({ batch, inputTokens, outputTokens }) => (batch ? inputTokens + outputTokens : 0));
  const inTiers = sum(({ tier, batch, inputTokens, outputTokens }) =>
    tier === null || batch ? 0 : inputTokens + outputTokens,
  );
  const searches = sum(({ webSearches }) => webSearches);
  const silent = sum(({ outputTokens, requests: count }) => Math.max(0, (count ?? 0) - outputTokens));
  const answered = mean(outcomes.map(({ run }) => mergeClasses(run.classes).totals.completed));
  const missing = 1 - answered / requests;
  const cheaper = [
    ...(cached > 0 ? [`${tokenCount(cached)} cached input tokens`] : []),
    ...(inBatches > 0 ? [`${tokenCount(inBatches)} tokens of batches`] : []),
  ];
  const atOffers = experiment.strategies.some(({ offers }) => offers.length > 0);
  return [
    ...(atOffers && cheaper.length > 0
      ? [
          `the replay sends all prompts fresh and one by one, so its bill has ${cheaper.join(" and ")} at the price of new ones; the bill from recorded tokens has them as they were`,
        ]
      : []),
    ...(atOffers && inTiers > 0
      ? [
          `${tokenCount(inTiers)} tokens were sold in tiers such as flex or priority: the replay has them in the form of the experiment's own offers`,
        ]
      : []),
    ...(atOffers && searches > 0 ? [`${searches} web searches are not replayed, nor in the bill as simulated`] : []),
    ...(usd !== null && !isPriced(experiment)
      ? ["what was paid is not compared with the replay, since the experiment has no prices: give its pools a gpuPrice"]
      : []),
    ...(silent > 0
      ? [
          `${tokenCount(silent)} requests without an answer of their own (embeddings) are replayed with one output token each`,
        ]
      : []),
    ...(missing > UNANSWERED
      ? [
          `${(missing * 100).toFixed(1)} % of the requests have no answer in the replay (limits, outages, time-outs), so figures given by the recording are lower by about that`,
        ]
      : []),
  ];
}

const LATENCIES = [
  ["TTFT", "ttftMs", "ttftS"],
  ["TPOT", "tpotMs", "tpotS"],
  ["E2E", "e2eMs", "e2eS"],
] as const;

export function replayRows(
  experiment: ResolvedExperiment,
  outcomes: readonly RunOutcome[],
  recorded: Recorded,
  actual: BackcastFile["actual"],
): ReplayRow[] {
  const classes = outcomes.map(({ run }) => mergeClasses(run.classes));
  const row = (
    figure: string,
    unit: ReplayRow["unit"],
    values: readonly number[],
    known: number | null,
    given = false,
  ): ReplayRow => {
    const estimated = withDoubtOf(experiment.strategies, estimateOrNull(values));
    const predicted = estimated === null ? null : within(estimated, 0, Infinity);
    return { figure, unit, predicted, given, difference: difference(predicted?.mean ?? null, known) };
  };
  const answered = (["completed", "inputTokens", "outputTokens"] as const).map((key) =>
    classes.map(({ totals }) => totals[key]),
  );
  const latency = LATENCIES.flatMap(([name, field, key]) => {
    const sketches = classes.map((result) => Sketch.fromPlain(result[key]));
    const enough = sketches.every((sketch) => sketch.samples() >= P99_SAMPLES);
    const known = actual[field];
    return [
      row(
        `${name} mean`,
        "ms",
        sketches.map((sketch) => sketch.mean() * 1000),
        known?.mean ?? null,
      ),
      ...(
        [
          ["p50", 0.5],
          ["p95", 0.95],
          ["p99", 0.99],
        ] as const
      ).map(([label, q]) =>
        row(
          `${name} ${label.toUpperCase()}`,
          "ms",
          label === "p99" && !enough ? [] : sketches.map((sketch) => sketch.quantile(q) * 1000),
          known?.[label] ?? null,
        ),
      ),
    ];
  });
  // GPUs and people are paid by time, and of that the period alone; tokens are paid whenever they came.
  const ofPeriod = recorded.lengthS / experiment.horizonS;
  const usd = outcomes.map(({ run: { series } }) =>
    series.ledger.usd.reduce(
      (sum, amount, i) => sum + amount * (series.ledger.line[i]!.startsWith("api-") ? 1 : ofPeriod),
      0,
    ),
  );
  return [
    row(
      "requests answered",
      "count",
      answered[0]!,
      actual.requests ?? recorded.requests,
      actual.requests === undefined,
    ),
    row(
      "input tokens",
      "tokens",
      answered[1]!,
      actual.inputTokens ?? recorded.inputTokens,
      actual.inputTokens === undefined,
    ),
    row(
      "output tokens",
      "tokens",
      answered[2]!,
      actual.outputTokens ?? recorded.outputTokens,
      actual.outputTokens === undefined,
    ),
    ...latency,
    ...(isPriced(experiment) ? [row("bill as simulated", "USD", usd, recorded.usd)] : []),
  ];
}
