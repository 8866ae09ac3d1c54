/**
 * `crossover compare A B …`: strategies side by side with paired differences. A, B … are experiment files or folders of
 * finished runs (`compared.ts`). Every strategy of theirs takes part, or those of --strategies; the first is the baseline.
 * With --rates all of it is simulated at each of these request rates, and a page draws how far each strategy goes.
 */
import { notValidated } from "../../experiment/not-validated.ts";
import { backlogWarnings } from "../../experiment/backlog.ts";
import { type Comparison, compareStrategies } from "../../experiment/compare.ts";
import { type Frontier, frontierAt, frontierOf } from "../../experiment/frontier.ts";
import { MOST_REQUESTS_PER_S } from "../../experiment/bounds.ts";
import { tooManyRequests } from "../../experiment/request-bound.ts";
import { unlikeYardsticks } from "../../experiment/unlike-yardsticks.ts";
import { ConfigError } from "../../kernel/errors.ts";
import type { ResolvedExperiment, SyntheticTraffic } from "../../scenario/resolved.ts";
import { type ComparedOptions, loadCompared } from "../compared.ts";
import { comparisonText } from "../comparison-text.ts";
import { EXIT, InterruptedError } from "../exit.ts";
import { frontierText } from "../frontier-text.ts";
import { type LoadedPlugins, loadPlugins, unusedPolicies } from "../load-plugins.ts";
import { outputWidth } from "../text-table.ts";
import { nothingCollected, simulate } from "../simulate.ts";
import { packageVersion } from "../version.ts";
import { checkPage, writePage } from "../write-page.ts";

export interface CompareOptions extends ComparedOptions {
  readonly json?: boolean;
  /** The tables of every pair, however many there are. */
  readonly details?: boolean;
  /** Requests per second, rising, instead of the files'. */
  readonly rates?: readonly number[];
  /** Page of the frontier. */
  readonly html?: string;
  readonly threads?: number;
  readonly plugin?: readonly string[];
  /** Seconds that one call into a plug-in may take. */
  readonly pluginTimeout?: number;
}

export async function compareCommand(
  inputs: readonly string[],
  options: CompareOptions,
  out: (text: string) => void,
): Promise<number> {
  const plugins = await loadPlugins(options.plugin, options.pluginTimeout);
  const experiment = await loadCompared(inputs, options, plugins.sources);
  if (options.rates !== undefined) {
    if (options.details === true)
      throw new ConfigError([
        { path: ["--details"], message: "is of pairs, of which a frontier (--rates) shows none" },
      ]);
    return compareRates(inputs, experiment, options.rates, options, plugins, out);
  }
  if (options.html !== undefined)
    throw new ConfigError([{ path: ["--html"], message: "draws a frontier, which needs --rates" }]);
  const collected = nothingCollected(experiment);
  const interrupted = await simulate(experiment, options, plugins, null, collected, false);
  const comparisons = compareStrategies(experiment, collected.outcomes);
  if (interrupted && comparisons.every(({ pairs }) => pairs === 0))
    throw new InterruptedError("Interrupted before any two runs could be compared.");
  const { id, title, seed, replications, horizonS } = experiment;
  const warnings = [
    ...unusedPolicies(plugins, experiment.strategies),
    ...unlikeYardsticks(experiment.strategies),
    ...experiment.warnings,
    ...notValidated(experiment.strategies),
    ...backlogWarnings(experiment, collected.outcomes),
    ...(interrupted ? [interruptedAt(comparisons, replications)] : []),
  ];
  if (options.json === true) {
    const whole = {
      schemaVersion: 1,
      version: packageVersion(),
      experiment: id,
      seed,
      replications,
      horizonDays: horizonS / 86_400,
      complete: !interrupted,
      comparisons,
      warnings,
    };
    out(`${JSON.stringify(whole, null, 1)}\n`);
  } else
    out(
      comparisonText({
        title,
        seed,
        horizonDays: horizonS / 86_400,
        comparisons,
        warnings,
        details: options.details ?? false,
        width: outputWidth(),
      }),
    );
  return interrupted ? EXIT.interrupted : EXIT.done;
}

function interruptedAt(comparisons: readonly Comparison[], replications: number): string {
  const pairs = comparisons.map((one) => one.pairs);
  const [least, most] = [Math.min(...pairs), Math.max(...pairs)];
  return `interrupted: ${least === most ? least : `${least} to ${most}`} of ${replications} replications are compared`;
}

const FRONTIER_PAGE = "output/compare.html";

async function compareRates(
  inputs: readonly string[],
  experiment: ResolvedExperiment,
  rates: readonly number[],
  options: CompareOptions,
  plugins: LoadedPlugins,
  out: (text: string) => void,
): Promise<number> {
  const { id, title, seed, replications, horizonS, traffic } = experiment;
  if (traffic.kind === "replay")
    throw new ConfigError([
      { path: ["--rates"], message: "a replay has its recorded rate: rates need synthetic traffic" },
    ]);
  checkRates(experiment, traffic, rates);
  const page = options.html ?? FRONTIER_PAGE;
  await checkPage(page);
  const columns: Pick<Frontier, "points" | "best">[] = [];
  const told = new Set<string>();
  let interrupted = false;
  for (const [i, ratePerS] of rates.entries()) {
    if (options.json !== true) process.stderr.write(`${ratePerS} requests/s (${i + 1} of ${rates.length})\n`);
    // What goes by the rate, such as bursts of a crowd and units for its peak, is that of this one.
    const atRate = await loadCompared(inputs, options, plugins.sources, ratePerS);
    for (const warning of atRate.warnings) told.add(warning);
    const collected = nothingCollected(atRate);
    interrupted = await simulate(atRate, options, plugins, null, collected, false);
    // A rate that not all replications have reached is left out.
    if (interrupted) break;
    columns.push(frontierAt(atRate, ratePerS, collected.outcomes));
  }
  if (interrupted && columns.length === 0) throw new InterruptedError("Interrupted before the first rate was done.");
  const frontier = frontierOf(experiment, columns);
  const warnings = [
    ...unusedPolicies(plugins, experiment.strategies),
    ...unlikeYardsticks(experiment.strategies),
    ...told,
    ...notValidated(experiment.strategies),
  ];
  const whole = {
    schemaVersion: 1,
    version: packageVersion(),
    experiment: id,
    seed,
    replications,
    complete: !interrupted,
  };
  if (columns.length > 0) {
    const { frontierPage } = await import("../../report/frontier/page.ts");
    await writePage(page, frontierPage({ ...experiment, ...whole, frontier }));
    process.stderr.write(`Frontier: ${page}\n`);
  }
  if (options.json === true)
    out(`${JSON.stringify({ ...whole, horizonDays: horizonS / 86_400, ...frontier, warnings }, null, 1)}\n`);
  else out(frontierText({ title, seed, horizonS, replications, frontier, warnings, width: outputWidth() }));
  return interrupted ? EXIT.interrupted : EXIT.done;
}

/** Throws a ConfigError with every rate that no run can have. */
function checkRates(
  { startEpochS, warmupS, horizonS }: ResolvedExperiment,
  traffic: SyntheticTraffic,
  rates: readonly number[],
): void {
  const problems = rates.flatMap((ratePerS) => {
    if (ratePerS > MOST_REQUESTS_PER_S)
      return [
        { path: ["--rates"], message: `expected at most ${MOST_REQUESTS_PER_S} requests per second, got ${ratePerS}` },
      ];
    const found = tooManyRequests({ ...traffic, meanRatePerS: ratePerS }, startEpochS, -warmupS, horizonS);
    return found === null ? [] : [{ path: ["--rates"], ...found, message: `${ratePerS}: ${found.message}` }];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}
