/**
 * `crossover run FILE`: simulates an experiment and writes its folder of results. stdout is the table with the verdict
 * (or the summary with --json), stderr the progress. Ctrl-C keeps the runs that have finished.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { decideExperiment, decisionAssumptions } from "../../decision/from-summary.ts";
import type { StepSelection } from "../../dispatch/step-recorder.ts";
import type { ResolvedExperiment } from "../../scenario/resolved.ts";
import { isPriced, summarise } from "../../experiment/summarise.ts";
import { unlikeYardsticks } from "../../experiment/unlike-yardsticks.ts";
import type { Summary } from "../../decision/summary.ts";
import { verdictRemarks } from "../../report/verdict-remarks.ts";
import { EnvironmentFailure, environmentFailure, EXIT, InterruptedError } from "../exit.ts";
import { loadExperiment, type LoadedExperiment } from "../load-experiment.ts";
import { hashesOf, type LoadedPlugins, loadPlugins, unusedPolicies } from "../load-plugins.ts";
import { CALL_LIMIT_S } from "../plugin-calls.ts";
import type { RequestSelection } from "../request-rows.ts";
import { canonicalJson, openRunFolder, runId, type NewRunFolder } from "../run-folder.ts";
import { shellWord } from "../shell-word.ts";
import { type Collected, nothingCollected, simulate } from "../simulate.ts";
import { summaryText } from "../summary-text.ts";
import { outputWidth } from "../text-table.ts";
import { codeDigest, packageVersion } from "../version.ts";

export interface RunOptions {
  readonly json?: boolean;
  readonly seed?: string;
  readonly replications?: number;
  readonly threads?: number;
  readonly out: string;
  readonly models?: string;
  readonly plugin?: readonly string[];
  /** Seconds that one call into a plug-in may take. */
  readonly pluginTimeout?: number;
  readonly requests?: RequestSelection;
  readonly steps?: StepSelection;
  readonly whatIfUnrestricted?: boolean;
}

export async function runCommand(file: string, options: RunOptions, out: (text: string) => void): Promise<number> {
  const version = packageVersion();
  // Entered before names are resolved, so that the experiment can name them.
  const plugins = await loadPlugins(options.plugin, options.pluginTimeout);
  const loaded = await loadExperiment(file, options);
  const { experiment } = loaded;
  const { strategies } = experiment;
  for (const line of [...unusedPolicies(plugins, strategies), ...unlikeYardsticks(strategies)])
    process.stderr.write(`warning: ${line}\n`);
  const id = runId({
    experiment,
    version,
    code: await codeDigest(),
    requests: options.requests ?? null,
    steps: options.steps,
    plugins: hashesOf(plugins),
  });
  const folder = await openRunFolder(options.out, experiment.id, id, filesOf(experiment, options));
  if (folder.kind === "complete") {
    const summary = await summaryOf(folder.path);
    process.stderr.write(`This question was answered before; ${folder.path} is reused.\n`);
    show(summary, folder.path, options, out);
    return EXIT.done;
  }
  if (folder.missing.length > 0) {
    const which = `${folder.missing.join(", ")} ${folder.missing.length === 1 ? "is" : "are"} missing`;
    process.stderr.write(`${which} in ${folder.path}; the question is answered again.\n`);
  }
  const collected = nothingCollected(experiment);
  let interrupted = false;
  try {
    // What a replica sustains within its SLO is for the verdict.
    interrupted = await simulate(experiment, options, plugins, folder, collected, experiment.team !== null);
    if (collected.outcomes.every((runs) => runs.length === 0))
      throw new InterruptedError("Interrupted before any run had finished; nothing was written.");
    const summary = conclude(loaded, id, version, collected, !interrupted);
    await write(folder, loaded, plugins, id, file, options, collected, summary);
    await folder.commit();
    show(summary, folder.path, options, out);
  } catch (error) {
    await folder.discard();
    throw error;
  }
  return interrupted ? EXIT.interrupted : EXIT.done;
}

function conclude(
  { experiment }: LoadedExperiment,
  id: string,
  version: string,
  collected: Collected,
  complete: boolean,
): Summary {
  const findings = summarise({ experiment, version, setups: collected.setups, outcomes: collected.outcomes, complete });
  const dates = experiment.strategies.flatMap((strategy) => strategy.offers.map((offer) => offer.priceAsOf)).sort();
  const { team } = experiment;
  const decided =
    team === null
      ? { verdict: null, records: [] }
      : decideExperiment({ ...experiment, team }, findings, {
          runIds: [id],
          inputHash: runId(experiment),
          priceBookDate: dates[0] ?? null,
        });
  const summary = { ...findings, ...decided };
  return { ...summary, remarks: verdictRemarks(summary, experiment) };
}

/** What `write` writes beside the manifest. */
function filesOf(experiment: ResolvedExperiment, { requests, steps }: RunOptions): string[] {
  return [
    "windows.parquet",
    "pool-hours.parquet",
    ...(isPriced(experiment) ? ["ledger.parquet"] : []),
    "incidents.parquet",
    ...(requests === undefined ? [] : ["requests.parquet"]),
    ...(steps === undefined ? [] : ["steps.parquet", "steps.trace.json"]),
    "summary.json",
    "report.html",
  ];
}

async function write(
  folder: NewRunFolder,
  loaded: LoadedExperiment,
  plugins: LoadedPlugins,
  id: string,
  file: string,
  options: RunOptions,
  collected: Collected,
  summary: Summary,
): Promise<void> {
  const [tables, { buildReport }, { renderReport }] = await Promise.all([
    import("../../io/run-tables.ts"),
    import("../../report/view-model.ts"),
    import("../../report/html.ts"),
  ]);
  const { experiment } = loaded;
  const series = collected.outcomes.flatMap((runs) => runs.map(({ run }) => run.series));
  const about = { version: summary.version };
  const replayCommand = replay(file, options);
  const manifest = {
    runId: id,
    version: summary.version,
    codeSha256: await codeDigest(),
    replayCommand,
    seed: experiment.seed,
    catalogueHashes: loaded.catalogHashes,
    ...(plugins.sources.length > 0 && {
      plugins: plugins.sources.map(({ file: path, sha256 }) => ({ file: path, sha256 })),
    }),
  };
  const reported = {
    ...experiment,
    assumptions: [...experiment.assumptions, ...(experiment.team === null ? [] : decisionAssumptions(experiment.asOf))],
  };
  await folder.writeFile("windows.parquet", await tables.windowsParquet(series, about));
  await folder.writeFile("pool-hours.parquet", await tables.poolHoursParquet(series, about));
  if (isPriced(experiment)) await folder.writeFile("ledger.parquet", await tables.ledgerParquet(series, about));
  await folder.writeFile("incidents.parquet", await tables.incidentsParquet(series, about));
  const parts = collected.parts.flat(2);
  if (parts.length > 0) {
    const { concatParquet } = await import("../../io/requests-concat.ts");
    await concatParquet(parts, folder.tempPath("requests.parquet"));
    const { rm } = await import("node:fs/promises");
    await Promise.all(parts.map((part) => rm(part, { force: true })));
  }
  if (collected.steps.length > 0) {
    const { stepTrace } = await import("../../report/step-trace.ts");
    // A strategy that was interrupted before its steps were in has none.
    const records = collected.steps.filter((record) => record !== undefined);
    await folder.writeFile("steps.parquet", await tables.stepsParquet(records, about));
    await folder.writeFile("steps.trace.json", stepTrace(records));
  }
  await folder.writeFile("summary.json", `${JSON.stringify(summary, null, 1)}\n`);
  await folder.writeFile("report.html", renderReport(buildReport({ summary, experiment: reported, series, manifest })));
  await folder.writeFile(
    "manifest.json",
    `${JSON.stringify({ ...manifest, complete: summary.complete, experiment: JSON.parse(canonicalJson(experiment)), origins: loaded.origins }, null, 1)}\n`,
  );
}

/** Of a run that was complete. Throws EnvironmentFailure where somebody has spoilt it since. */
async function summaryOf(folder: string): Promise<Summary> {
  const file = join(folder, "summary.json");
  try {
    return JSON.parse(await readFile(file, "utf8")) as Summary;
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new EnvironmentFailure(`${file} is no JSON any more; remove ${folder} to run it again`);
    throw environmentFailure(error, `cannot read ${file}; remove ${folder} to run it again`);
  }
}

/** The command that gives these results again. */
function replay(file: string, options: RunOptions): string {
  const words = ["npx crossover run", shellWord(file)];
  if (options.seed !== undefined) words.push(`--seed ${shellWord(options.seed)}`);
  if (options.replications !== undefined) words.push(`--replications ${options.replications}`);
  if (options.models !== undefined) words.push(`--models ${shellWord(options.models)}`);
  for (const plugin of options.plugin ?? []) words.push(`--plugin ${shellWord(plugin)}`);
  if (options.plugin !== undefined && (options.pluginTimeout ?? CALL_LIMIT_S) !== CALL_LIMIT_S)
    words.push(`--plugin-timeout ${options.pluginTimeout}`);
  if (options.requests !== undefined) words.push(`--requests ${requestsText(options.requests)}`);
  if (options.steps !== undefined)
    words.push(
      `--steps ${options.steps.kind === "first" ? `first:${options.steps.count}` : `replica:${options.steps.replica}`}`,
    );
  if (options.whatIfUnrestricted === true) words.push("--what-if-unrestricted");
  return words.join(" ");
}

function requestsText(selection: RequestSelection): string {
  if (selection.kind === "all") return "all";
  return selection.kind === "sample" ? `sample:${selection.fraction}` : `worst:${selection.count}`;
}

function show(summary: Summary, path: string, options: RunOptions, out: (text: string) => void): void {
  if (options.json === true) out(`${JSON.stringify(summary, null, 1)}\n`);
  else out(`${summaryText(summary, outputWidth())}\nReport: ${join(path, "report.html")}\n`);
}
