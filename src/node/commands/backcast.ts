/**
 * `crossover backcast FILE`: a past period again. From a usage export the bill is predicted from the recorded tokens at the
 * prices of their dates; with an experiment the requests are replayed as well, which predicts latency and, from a trace, what
 * is answered and paid. stdout is the table of predicted against actual, or the JSON.
 */
import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { arrivalsOf } from "../../experiment/backcast/arrivals.ts";
import { priceUsage, type UsageBill } from "../../experiment/backcast/bill.ts";
import { replayed, replayRows, replayWarnings, type Period } from "../../experiment/backcast/replay.ts";
import { readBackcast, type BackcastFile } from "../../experiment/backcast/schema.ts";
import { readReplay } from "../../io/replay-trace.ts";
import { readCosts, readUsage, type UsageExport } from "../../io/usage-csv.ts";
import { ConfigError } from "../../kernel/errors.ts";
import type { CostRow } from "../../scenario/usage.ts";
import { backcastText, type Backcast } from "../backcast-text.ts";
import { loadCatalog } from "../catalog-files.ts";
import { EXIT, InterruptedError } from "../exit.ts";
import { loadExperiment, readYamlText, type LoadedExperiment } from "../load-experiment.ts";
import { NO_PLUGINS } from "../load-plugins.ts";
import { nothingCollected, simulate } from "../simulate.ts";
import { packageVersion } from "../version.ts";
import { YamlSource } from "../yaml-source.ts";

export interface BackcastOptions {
  readonly json?: boolean;
  readonly seed?: string;
  readonly replications?: number;
  readonly threads?: number;
  readonly models?: string;
}

export async function backcastCommand(
  path: string,
  options: BackcastOptions,
  out: (text: string) => void,
): Promise<number> {
  const source = YamlSource.parse(path, await readYamlText(path, "a backcast"));
  const beside = (name: string): string => resolve(dirname(path), name);
  try {
    const file = readBackcast(source.value);
    if (file.experiment !== undefined && !existsSync(beside(file.experiment)))
      throw new ConfigError([{ path: ["experiment"], message: `no such file: ${beside(file.experiment)}` }]);
    const usage = file.usage === undefined ? null : await readUsage(beside(file.usage));
    const costs = usage === null || file.costs === undefined ? null : await readCosts(beside(file.costs));
    const bill = usage === null ? null : await billOf(file, usage, costs?.rows ?? null, options);
    let interrupted = false;
    let replay: Backcast["replay"] = null;
    let warnings = [...(usage?.warnings ?? []), ...(costs?.warnings ?? [])];
    if (file.experiment !== undefined) {
      const declared = await loadExperiment(beside(file.experiment), options);
      const period = await periodOf(file, usage, declared, beside);
      // Dates of prices, dispatch and retirements count from the recorded start, whatever the experiment's own is.
      const { startEpochS, lengthS } = period;
      const recorded = { startEpochS, endEpochS: startEpochS + lengthS };
      const { experiment } = await loadExperiment(beside(file.experiment), { ...options, period: recorded });
      const again = replayed(experiment, file.strategy ?? null, period);
      const collected = nothingCollected(again);
      interrupted = await simulate(again, options, NO_PLUGINS, null, collected, false);
      const outcomes = collected.outcomes[0]!;
      if (outcomes.length === 0) throw new InterruptedError("Interrupted before the period was replayed once.");
      const measured = recordedIn(period, bill, file);
      replay = {
        strategy: again.strategies[0]!.name,
        replications: outcomes.length,
        rows: replayRows(again, outcomes, measured, file.actual),
      };
      const buckets = usage?.buckets ?? null;
      warnings = [...warnings, ...again.warnings, ...replayWarnings(again, outcomes, measured, buckets)];
    }
    const whole: Backcast = { title: file.title, bill, replay, warnings };
    out(
      options.json === true
        ? `${JSON.stringify({ schemaVersion: 1, version: packageVersion(), complete: !interrupted, ...whole }, null, 1)}\n`
        : backcastText(whole),
    );
    return interrupted ? EXIT.interrupted : EXIT.done;
  } catch (error) {
    // Problems of the experiment's own file carry their place already.
    if (error instanceof ConfigError && error.constructor === ConfigError) throw source.error(error.problems);
    throw error;
  }
}

async function billOf(
  file: BackcastFile,
  { buckets, format }: UsageExport,
  costs: readonly CostRow[] | null,
  { models }: BackcastOptions,
): Promise<UsageBill> {
  const { catalog } = await loadCatalog(["offers", "forms"], models);
  const offers = Object.fromEntries(
    Object.entries(file.offers).map(([model, choice]) => [
      model,
      typeof choice === "string" ? { offer: choice, priceMultiplier: 1, batchMultiplier: null } : choice,
    ]),
  );
  return priceUsage({
    buckets,
    costs,
    totalUsd: file.actual.usd ?? null,
    offers,
    provider: format === "crossover" ? null : format,
    catalog,
  });
}

/** The recorded requests, or those that fill the recorded buckets. */
async function periodOf(
  file: BackcastFile,
  usage: UsageExport | null,
  { experiment, origins }: LoadedExperiment,
  beside: (name: string) => string,
): Promise<Period> {
  const ownLimits = ["factor", "minTokens"].some((field) => origins[`traffic.maxOutput.${field}`] === "file");
  if (usage !== null) {
    const { traffic, seed } = experiment;
    const shape = traffic.kind === "synthetic" ? traffic : null;
    const { startEpochS, horizonS, ...recording } = arrivalsOf(file.usage!, usage.buckets, shape, seed);
    return { recording, file: file.usage!, startEpochS, lengthS: horizonS, ownLimits };
  }
  const { epochS, ...recording } = await readReplay(beside(file.trace!));
  return {
    recording,
    file: file.trace!,
    startEpochS: epochS === null ? experiment.startEpochS : Math.floor(epochS),
    lengthS: Math.floor(recording.arrivalS.at(-1)!) + 1,
    ownLimits,
  };
}

function recordedIn({ recording, lengthS }: Period, bill: UsageBill | null, { actual }: BackcastFile) {
  const sum = (tokens: Uint32Array): number => tokens.reduce((total, count) => total + count, 0);
  return {
    lengthS,
    requests: recording.arrivalS.length,
    inputTokens: sum(recording.inputTokens),
    outputTokens: sum(recording.outputTokens),
    // A part of what was paid is no measure of the whole.
    usd: actual.usd ?? (bill === null || bill.rowsWithoutCost > 0 ? null : bill.total.usd.actual),
  };
}
