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
import { loadPlugins, type PluginSource } from "../plugins.ts";
import { canonicalJson } from "../run-folder.ts";
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
}

/** What two experiments must agree in so that each request meets its like. */
const SHARED = ["startEpochS", "horizonS", "warmupS", "classes", "traffic", "client"] as const;

export async function compareCommand(
  inputs: readonly string[],
  options: CompareOptions,
  out: (text: string) => void,
): Promise<number> {
  const plugins = await loadPlugins(options.plugin);
  const experiment = await loadAll(inputs, options);
  if (options.rates !== undefined) return compareRates(inputs, experiment, options.rates, options, plugins, out);
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
  } else out(comparisonText({ title, seed, horizonDays: horizonS / 86_400, comparisons, warnings }));
  return interrupted ? EXIT.interrupted : EXIT.done;
}

const FRONTIER_PAGE = "output/compare.html";

async function compareRates(
  inputs: readonly string[],
  experiment: ResolvedExperiment,
  rates: readonly number[],
  options: CompareOptions,
  plugins: readonly PluginSource[],
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
    const atRate = await loadAll(inputs, options, ratePerS);
    for (const warning of atRate.warnings) told.add(warning);
    const collected = nothingCollected(atRate);
    interrupted = await simulate(atRate, options, plugins, null, collected, false);
    // A rate that not all replications have reached is left out.
    if (interrupted) break;
    columns.push(frontierAt(atRate, ratePerS, collected.outcomes));
  }
  const frontier = frontierOf(experiment, columns);
  const warnings = [...told];
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
  else out(frontierText({ title, seed, horizonS, replications, frontier, warnings }));
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

/** The strategies of all inputs in one experiment, at a rate other than theirs if one is given. */
async function loadAll(
  inputs: readonly string[],
  options: CompareOptions,
  ratePerS: number | null = null,
): Promise<ResolvedExperiment> {
  const loaded: ResolvedExperiment[] = [];
  for (const input of inputs) loaded.push(await load(input, options, ratePerS));
  return joined(inputs, loaded, options.strategies ?? null);
}

async function load(input: string, options: CompareOptions, ratePerS: number | null): Promise<ResolvedExperiment> {
  const found = await stat(input).catch(() => null);
  const atRate = ratePerS === null ? {} : { requestsPerS: ratePerS };
  if (found?.isDirectory() !== true) return (await loadExperiment(input, { ...options, ...atRate })).experiment;
  const manifest = await readManifest(input);
  checkPolicies(input, manifest);
  const experiment = ratePerS === null ? manifest : runAtRate(input, manifest, ratePerS);
  const { seed, replications } = options;
  return {
    ...experiment,
    ...(seed === undefined ? {} : { seed }),
    ...(replications === undefined ? {} : { replications }),
  };
}

/** A run at another rate; its manifest does not say how what goes by the rate was made of it. */
function runAtRate(input: string, experiment: ResolvedExperiment, ratePerS: number): ResolvedExperiment {
  const traffic = experiment.traffic as SyntheticTraffic; // replays have been refused
  const { components, clients, switching } = traffic.burst;
  const units = experiment.strategies.some(({ offers }) => offers.some(({ form }) => form?.kind === "provisioned"));
  const kept = [
    ...(components.length > 0 || clients !== undefined || switching !== undefined ? ["bursts"] : []),
    ...(units ? ["provisioned units"] : []),
  ];
  const warning = `${input}: ${kept.join(" and ")} stay as that run had them at ${traffic.meanRatePerS} requests/s; compare its experiment file to have them for each rate`;
  return {
    ...experiment,
    traffic: { ...traffic, meanRatePerS: ratePerS },
    warnings: kept.length === 0 ? experiment.warnings : [...experiment.warnings, warning],
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

/**
 * The experiment of a run. Throws ConfigError for a folder of none, DataError for a manifest that is none and EnvironmentFailure
 * for that of another version.
 */
async function readManifest(folder: string): Promise<ResolvedExperiment> {
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
  const { experiment } = manifest as { readonly experiment: ResolvedExperiment };
  const { traffic } = experiment;
  return traffic.kind === "replay" ? { ...experiment, traffic: replayOf(folder, traffic) } : experiment;
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
