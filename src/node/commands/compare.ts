/**
 * `crossover compare A B …`: strategies side by side with paired differences. A, B … are experiment files or folders of
 * finished runs, which are simulated again from what their manifest says. Every strategy of theirs takes part, or those of
 * --strategies; the first is the baseline. All meet the same requests with the same luck, so what is compared must differ
 * in its strategies alone. With --rates all of it is simulated at each of these request rates, and a page draws how far each
 * strategy goes.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { hintFor } from "../../catalog/nearest.ts";
import { batchingNamed, orderNamed } from "../../engine/policies/registry.ts";
import { valueAt } from "../../experiment/read.ts";
import { compareStrategies } from "../../experiment/compare.ts";
import { type Frontier, frontierAt, frontierOf } from "../../experiment/frontier.ts";
import { MOST_REQUESTS_PER_S } from "../../experiment/bounds.ts";
import { tooManyRequests } from "../../experiment/request-bound.ts";
import { ConfigError, DataError } from "../../kernel/errors.ts";
import type { ReplayTraffic, ResolvedExperiment, ResolvedStrategy, SyntheticTraffic } from "../../scenario/resolved.ts";
import { comparisonText } from "../comparison-text.ts";
import { EnvironmentFailure, EXIT } from "../exit.ts";
import { frontierText } from "../frontier-text.ts";
import { loadExperiment } from "../load-experiment.ts";
import { type LoadedPlugins, loadPlugins } from "../load-plugins.ts";
import type { PluginSource } from "../plugins.ts";
import { canonicalJson } from "../run-folder.ts";
import { outputWidth } from "../text-table.ts";
import { packageVersion } from "../version.ts";
import { checkPage, writePage } from "../write-page.ts";
import { nothingCollected, simulate } from "./run.ts";

export interface CompareOptions {
  readonly json?: boolean;
  readonly strategies?: readonly string[];
  /** Requests per second, rising, instead of the files'. */
  readonly rates?: readonly number[];
  /** Page of the frontier. */
  readonly html?: string;
  readonly seed?: string;
  readonly replications?: number;
  readonly threads?: number;
  readonly models?: string;
  readonly plugin?: readonly string[];
  /** Seconds that one call into a plug-in may take. */
  readonly pluginTimeout?: number;
}

/** What two experiments must agree in so that each request meets its like. */
const SHARED = ["startEpochS", "horizonS", "warmupS", "classes", "traffic", "client"] as const;

export async function compareCommand(
  inputs: readonly string[],
  options: CompareOptions,
  out: (text: string) => void,
): Promise<number> {
  const plugins = await loadPlugins(options.plugin, options.pluginTimeout);
  const loaded: ResolvedExperiment[] = [];
  for (const input of inputs) loaded.push(await load(input, options, plugins));
  const experiment = joined(inputs, loaded, options.strategies ?? null);
  if (options.rates !== undefined) return compareRates(experiment, options.rates, options, plugins, out);
  if (options.html !== undefined)
    throw new ConfigError([{ path: ["--html"], message: "draws a frontier, which needs --rates" }]);
  const collected = nothingCollected(experiment);
  const interrupted = await simulate(experiment, options, plugins, null, collected, false);
  const comparisons = compareStrategies(experiment, collected.outcomes);
  const { id, title, seed, replications, horizonS, warnings } = experiment;
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
    out(comparisonText({ title, seed, horizonDays: horizonS / 86_400, comparisons, warnings, width: outputWidth() }));
  return interrupted ? EXIT.interrupted : EXIT.done;
}

const FRONTIER_PAGE = "output/compare.html";

async function compareRates(
  experiment: ResolvedExperiment,
  rates: readonly number[],
  options: CompareOptions,
  plugins: LoadedPlugins,
  out: (text: string) => void,
): Promise<number> {
  const { id, title, seed, replications, horizonS, traffic, warnings } = experiment;
  if (traffic.kind === "replay")
    throw new ConfigError([
      { path: ["--rates"], message: "a replay has its recorded rate: rates need synthetic traffic" },
    ]);
  checkRates(experiment, traffic, rates);
  const page = options.html ?? FRONTIER_PAGE;
  await checkPage(page);
  const columns: Pick<Frontier, "points" | "best">[] = [];
  let interrupted = false;
  for (const [i, ratePerS] of rates.entries()) {
    if (options.json !== true) process.stderr.write(`${ratePerS} requests/s (${i + 1} of ${rates.length})\n`);
    const atRate = { ...experiment, traffic: { ...traffic, meanRatePerS: ratePerS } };
    const collected = nothingCollected(atRate);
    interrupted = await simulate(atRate, options, plugins, null, collected, false);
    // A rate that not all replications have reached is left out.
    if (interrupted) break;
    columns.push(frontierAt(atRate, ratePerS, collected.outcomes));
  }
  const frontier = frontierOf(experiment, columns);
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
        { path: ["--rates"], message: `must be at most ${MOST_REQUESTS_PER_S} requests per second, is ${ratePerS}` },
      ];
    const found = tooManyRequests({ ...traffic, meanRatePerS: ratePerS }, startEpochS, -warmupS, horizonS);
    return found === null ? [] : [{ path: ["--rates"], ...found, message: `${ratePerS}: ${found.message}` }];
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

async function load(input: string, options: CompareOptions, plugins: LoadedPlugins): Promise<ResolvedExperiment> {
  const found = await stat(input).catch(() => null);
  if (found?.isDirectory() !== true) return (await loadExperiment(input, options)).experiment;
  const { experiment, plugins: before = [] } = await readManifest(input);
  checkPolicies(input, experiment);
  const { seed, replications } = options;
  return {
    ...experiment,
    warnings: [...experiment.warnings, ...changedPlugins(input, before, plugins)],
    ...(seed === undefined ? {} : { seed }),
    ...(replications === undefined ? {} : { replications }),
  };
}

/** A run with plug-ins is simulated again with the same ones. */
function checkPolicies(input: string, { strategies }: ResolvedExperiment): void {
  for (const { batching, order } of strategies.flatMap(({ pools }) => pools.map(({ scheduler }) => scheduler))) {
    const unknown =
      batchingNamed(batching.name) === undefined ? batching : orderNamed(order.name) === undefined ? order : null;
    if (unknown === null) continue;
    const message = `was run with the policy ${unknown.name}, which is not among those that ship`;
    throw new ConfigError([{ file: input, path: [], message, hint: "give its file with --plugin" }]);
  }
}

/** What a manifest says of a plug-in. */
type RecordedPlugin = Pick<PluginSource, "file" | "sha256">;

interface RunManifest {
  readonly experiment: ResolvedExperiment;
  readonly plugins?: readonly RecordedPlugin[] | undefined;
}

/** The policy as it is now takes part, not as it was in the run. */
function changedPlugins(input: string, before: readonly RecordedPlugin[], { sources }: LoadedPlugins): string[] {
  const text = ({ sha256 }: RecordedPlugin): string => Object.values(sha256).sort().join();
  const now = new Set(sources.map(text));
  return before
    .filter((plugin) => !now.has(text(plugin)))
    .map(
      ({ file }) => `${input} was run with another text of ${file}: its strategies are simulated with the one given`,
    );
}

/**
 * The experiment and the plug-ins of a run. Throws ConfigError for a folder of none, DataError for a manifest that is none and EnvironmentFailure
 * for that of another version.
 */
async function readManifest(folder: string): Promise<RunManifest> {
  const file = join(folder, "manifest.json");
  const text = await readFile(file, "utf8").catch(() => {
    throw new ConfigError([{ file: folder, path: [], message: "is no folder of a run: it holds no manifest.json" }]);
  });
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    throw new DataError(file, null, `not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const version = valueAt(manifest, ["version"]);
  const has = (...path: (string | number)[]): boolean => valueAt(manifest, ["experiment", ...path]) !== undefined;
  if (typeof version !== "string" || !has("traffic", "kind") || !has("classes", 0) || !has("strategies", 0))
    throw new DataError(file, null, "this is no manifest of a run");
  if (version !== packageVersion())
    throw new EnvironmentFailure(
      `${folder} was written by version ${version}, this is ${packageVersion()}: compare the experiment files instead`,
    );
  const { experiment, plugins } = manifest as RunManifest;
  const { traffic } = experiment;
  const whole = traffic.kind === "replay" ? { ...experiment, traffic: replayOf(folder, traffic) } : experiment;
  return { experiment: whole, plugins };
}

/** Columns come out of JSON as lists. */
function replayOf(folder: string, traffic: ReplayTraffic): ReplayTraffic {
  const list = (column: unknown): ArrayLike<number> => {
    if (Array.isArray(column)) return column as number[];
    const message = "replays a recording that is too long for its manifest";
    throw new ConfigError([{ file: folder, path: [], message, hint: "compare the experiment files instead" }]);
  };
  const counts = (column: unknown): Uint32Array => Uint32Array.from(list(column));
  const { arrivalS, inputTokens, outputTokens, reasoningTokens, prefix, sessions, waits } = traffic;
  return {
    ...traffic,
    arrivalS: Float64Array.from(list(arrivalS)),
    inputTokens: counts(inputTokens),
    outputTokens: counts(outputTokens),
    ...(reasoningTokens && { reasoningTokens: counts(reasoningTokens) }),
    ...(prefix && { prefix: { ...prefix, offsets: counts(prefix.offsets), items: counts(prefix.items) } }),
    ...(sessions && { sessions: counts(sessions) }),
    ...(waits && {
      waits: {
        offsets: counts(waits.offsets),
        parents: counts(waits.parents),
        gapS: Float64Array.from(list(waits.gapS)),
      },
    }),
  };
}

/** The first experiment with the strategies of all, in order, or with those named. */
function joined(
  inputs: readonly string[],
  loaded: readonly ResolvedExperiment[],
  wanted: readonly string[] | null,
): ResolvedExperiment {
  const first = loaded[0]!;
  loaded.forEach((experiment, i) => {
    const different = [
      ...SHARED.filter((field) => canonicalJson(experiment[field]) !== canonicalJson(first[field])),
      // Both may come from the command line; from the files they must agree.
      ...(["seed", "replications"] as const).filter((field) => experiment[field] !== first[field]),
    ];
    if (different.length === 0) return;
    const message = `differs from ${inputs[0]!} in ${different.map((field) => FIELD_NAMES[field] ?? field).join(", ")}`;
    const hint = "what is compared must meet the same requests: only strategies may differ";
    throw new ConfigError([{ file: inputs[i]!, path: [], message, hint }]);
  });
  const all = distinctNames(loaded.flatMap((experiment) => experiment.strategies));
  const names = all.map(({ name }) => name);
  const twice = wanted?.find((name, i) => wanted.indexOf(name) < i);
  if (twice !== undefined) throw new ConfigError([{ path: ["--strategies"], message: `"${twice}" is given twice` }]);
  const strategies = (wanted ?? names).map((name) => {
    const strategy = all.find((candidate) => candidate.name === name);
    if (strategy !== undefined) return strategy;
    const hint = hintFor(name, names);
    throw new ConfigError([
      { path: ["--strategies"], message: `unknown strategy "${name}"`, ...(hint === undefined ? {} : { hint }) },
    ]);
  });
  if (strategies.length < 2)
    throw new ConfigError([
      { file: inputs[0]!, path: ["strategies"], message: "holds one strategy; two or more are compared" },
    ]);
  const barred = strategies.flatMap((strategy) => {
    const classes = first.classes.filter((_, c) => strategy.barred[c] !== null).map(({ name }) => name);
    return classes.length === 0
      ? []
      : [`${strategy.name} may not take ${classes.join(", ")}: its figures are over the other requests`];
  });
  const warnings = [...new Set([...loaded.flatMap((experiment) => experiment.warnings), ...barred])];
  return { ...first, strategies, warnings };
}

const FIELD_NAMES: Readonly<Record<string, string>> = {
  startEpochS: "start",
  horizonS: "days",
  warmupS: "warmupMinutes",
};

/** Strategies of one name are told apart by a number. */
function distinctNames(strategies: readonly ResolvedStrategy[]): ResolvedStrategy[] {
  const seen = new Map<string, number>();
  return strategies.map((strategy) => {
    const times = (seen.get(strategy.name) ?? 0) + 1;
    seen.set(strategy.name, times);
    return times === 1 ? strategy : { ...strategy, name: `${strategy.name}#${times}` };
  });
}
