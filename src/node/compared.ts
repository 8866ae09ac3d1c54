/**
 * What `crossover compare` compares: experiment files and folders of finished runs, which are simulated again from what their
 * manifest says, put into one experiment. All of it meets the same requests with the same luck, so what is compared must differ in
 * its strategies alone; what else can differ without breaking the pairs is warned of.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { hintFor } from "../catalog/nearest.ts";
import { batchingNamed, orderNamed } from "../engine/policies/registry.ts";
import { valueAt } from "../experiment/read.ts";
import { isPriced } from "../experiment/summarise.ts";
import { ConfigError, DataError } from "../kernel/errors.ts";
import type { ReplayTraffic, ResolvedExperiment, ResolvedStrategy, SyntheticTraffic } from "../scenario/resolved.ts";
import { plainNumber } from "../report/format.ts";
import { EnvironmentFailure } from "./exit.ts";
import { loadExperiment } from "./load-experiment.ts";
import type { PluginSource } from "./plugins.ts";
import { canonicalJson } from "./run-folder.ts";
import { packageVersion } from "./version.ts";

export interface ComparedOptions {
  readonly strategies?: readonly string[];
  readonly seed?: string;
  readonly replications?: number;
  readonly models?: string;
}

interface Input {
  /** As the user named it. */
  readonly name: string;
  readonly experiment: ResolvedExperiment;
  /** sha256 of every file of the catalogue that it was resolved with. */
  readonly catalogHashes: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

/**
 * The first experiment with the strategies of all, in order, or with those named, at a rate other than theirs if one is given (requests
 * per second; of synthetic traffic). Throws ConfigError for inputs that do not meet
 * the same requests with the same luck, and whatever reading them throws.
 */
export async function loadCompared(
  names: readonly string[],
  options: ComparedOptions,
  plugins: readonly PluginSource[],
  ratePerS: number | null = null,
): Promise<ResolvedExperiment> {
  const inputs: Input[] = [];
  for (const name of names) inputs.push(await load(name, options, plugins, ratePerS));
  checkPaired(inputs);
  const first = inputs[0]!;
  const strategies = chosen(inputs, options.strategies ?? null);
  const warnings = [
    ...inputs.flatMap(({ experiment, warnings: ofInput }) => [...experiment.warnings, ...ofInput]),
    ...inputs.slice(1).flatMap((input) => [...otherFacts(first, input), ...otherPeople(first, input)]),
    ...strategies.flatMap((strategy) => notAllowed(strategy, first.experiment)),
  ];
  return { ...first.experiment, strategies, warnings: [...new Set(warnings)] };
}

/** People are of an experiment: those of the first are paid for by the strategies of all, where money is compared. */
function otherPeople(first: Input, input: Input): string[] {
  if (![first, input].every(({ experiment }) => isPriced(experiment))) return [];
  const [paid, own] = [first.experiment.people, input.experiment.people];
  if (canonicalJson(paid) === canonicalJson(own)) return [];
  return [
    `${input.name} needs other people than ${first.name} (${plainNumber(own.fte, 2)} instead of ${plainNumber(paid.fte, 2)} full-time): costs are with those of ${first.name} for all strategies`,
  ];
}

async function load(
  name: string,
  options: ComparedOptions,
  plugins: readonly PluginSource[],
  ratePerS: number | null,
): Promise<Input> {
  const found = await stat(name).catch(() => null);
  const atRate = ratePerS === null ? {} : { requestsPerS: ratePerS };
  if (found?.isDirectory() !== true)
    return { name, ...(await loadExperiment(name, { ...options, ...atRate })), warnings: [] };
  const manifest = await readManifest(name);
  const { catalogueHashes, plugins: ofRun } = manifest;
  checkPolicies(name, manifest.experiment);
  const experiment = ratePerS === null ? manifest.experiment : runAtRate(name, manifest.experiment, ratePerS);
  const { seed, replications } = options;
  return {
    name,
    experiment: {
      ...experiment,
      ...(seed === undefined ? {} : { seed }),
      ...(replications === undefined ? {} : { replications }),
    },
    catalogHashes: catalogueHashes,
    warnings: changedPlugins(name, ofRun ?? [], plugins),
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

/** What a manifest says of a plug-in. */
type RecordedPlugin = Pick<PluginSource, "file" | "sha256">;

/** The policy as it is now takes part, not as it was in the run. */
function changedPlugins(name: string, ofRun: readonly RecordedPlugin[], plugins: readonly PluginSource[]): string[] {
  const text = ({ sha256 }: RecordedPlugin): string => Object.values(sha256).sort().join();
  const now = new Set(plugins.map(text));
  return ofRun
    .filter((plugin) => !now.has(text(plugin)))
    .map(({ file }) => `${name} was run with another text of ${file}: its strategies are simulated with the one given`);
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

/** What of a manifest is compared. */
interface Manifest {
  readonly experiment: ResolvedExperiment;
  readonly catalogueHashes: Readonly<Record<string, string>>;
  readonly plugins?: readonly RecordedPlugin[];
}

/**
 * The manifest of a run. Throws ConfigError for a folder of none, DataError for a manifest that is none and EnvironmentFailure
 * for that of another version.
 */
async function readManifest(folder: string): Promise<Manifest> {
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
  if (
    typeof version !== "string" ||
    !has("traffic", "kind") ||
    !has("classes", 0) ||
    !has("strategies", 0) ||
    typeof valueAt(manifest, ["catalogueHashes"]) !== "object"
  )
    throw new DataError(file, null, "this is no manifest of a run");
  if (version !== packageVersion())
    throw new EnvironmentFailure(
      `${folder} was written by version ${version}, this is ${packageVersion()}: compare the experiment files instead`,
    );
  const read = manifest as Manifest;
  const { traffic } = read.experiment;
  if (traffic.kind !== "replay") return read;
  return { ...read, experiment: { ...read.experiment, traffic: replayOf(folder, traffic) } };
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

/** What two experiments must agree in so that each request meets its like; both may have the last two from the command line. */
const SHARED = ["startEpochS", "horizonS", "warmupS", "classes", "traffic", "client", "seed", "replications"] as const;

const FIELD_NAMES: Readonly<Record<string, string>> = {
  startEpochS: "start",
  horizonS: "days",
  warmupS: "warmupMinutes",
};

/** Throws a ConfigError with every input that differs in what pairs rest on. */
function checkPaired(inputs: readonly Input[]): void {
  const first = inputs[0]!;
  const drawing = inputs.find(({ experiment }) => drawsErrors(experiment) !== null);
  const problems = inputs.flatMap(({ name, experiment }) => {
    const different = SHARED.filter(
      (field) => canonicalJson(experiment[field]) !== canonicalJson(first.experiment[field]),
    ).map((field) => FIELD_NAMES[field] ?? field);
    const draws = drawsErrors(experiment);
    const messages = [
      ...(different.length === 0 ? [] : [`differs from ${first.name} in ${different.join(", ")}`]),
      ...(drawing === undefined || draws === null || draws === drawsErrors(drawing.experiment)
        ? []
        : [
            `differs from ${drawing.name} in stepTimeError: ${draws ? "this draws" : "that draws"} errors of the step-time model, the other does not`,
          ]),
    ];
    const hint = "what is compared must meet the same requests with the same luck: only strategies may differ";
    return messages.map((message) => ({ file: name, path: [], message, hint }));
  });
  if (problems.length > 0) throw new ConfigError(problems);
}

/** Whether errors of step times are drawn; null where no pool has a model of them, so that nothing could be. */
function drawsErrors({ strategies }: ResolvedExperiment): boolean | null {
  const modelled = strategies.flatMap(({ pools }) => pools.filter(({ stepTimeTable }) => stepTimeTable === null));
  return modelled.length === 0 ? null : modelled.some(({ stepTimeError }) => stepTimeError !== null);
}

/** Files of a catalogue that a warning names. */
const MOST_NAMED = 5;

/** A warning where the facts behind two inputs differ: then what is compared differs in more than the strategies say. */
function otherFacts(first: Input, { name, catalogHashes }: Input): string[] {
  const files = [...new Set([...Object.keys(first.catalogHashes), ...Object.keys(catalogHashes)])]
    .filter((file) => first.catalogHashes[file] !== catalogHashes[file])
    .sort();
  if (files.length === 0) return [];
  const more = files.length > MOST_NAMED ? ` and ${files.length - MOST_NAMED} more` : "";
  return [
    `${first.name} and ${name} were resolved with different catalogue files (${files.slice(0, MOST_NAMED).join(", ")}${more}): what differs may come from these`,
  ];
}

function notAllowed({ name, barred, counterfactual }: ResolvedStrategy, { classes }: ResolvedExperiment): string[] {
  const without = classes.filter((_, c) => barred[c] !== null).map((one) => one.name);
  return [
    ...(without.length === 0
      ? []
      : [`${name} may not take ${without.join(", ")}: its figures are over the other requests`]),
    ...(counterfactual ? [`${name} is a counterfactual: boundary rules are lifted for it`] : []),
  ];
}

function chosen(inputs: readonly Input[], wanted: readonly string[] | null): ResolvedStrategy[] {
  const all = distinctNames(inputs.flatMap(({ experiment }) => experiment.strategies));
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
      { file: inputs[0]!.name, path: ["strategies"], message: "holds one strategy; two or more are compared" },
    ]);
  return strategies;
}

/** Strategies of one name are told apart by a number. */
function distinctNames(strategies: readonly ResolvedStrategy[]): ResolvedStrategy[] {
  const seen = new Map<string, number>();
  return strategies.map((strategy) => {
    const times = (seen.get(strategy.name) ?? 0) + 1;
    seen.set(strategy.name, times);
    return times === 1 ? strategy : { ...strategy, name: `${strategy.name}#${times}` };
  });
}
