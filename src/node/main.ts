#!/usr/bin/env node
/**
 * The command line. Each verb lives in its own file and is loaded when it is called, so that `--help` loads neither the
 * schema nor the readers. stdout is data, stderr is talk; exit codes are in `exit.ts`.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { CalibrateOptions } from "./commands/calibrate.ts";
import { MOST_REPLICATIONS } from "../experiment/bounds.ts";
import {
  describeFailure,
  environmentFailure,
  EXIT,
  failureJson,
  tellFailure,
  usageFailure,
  wantsJson,
} from "./exit.ts";
import type { ConformFlags } from "./commands/conform.ts";
import type { BackcastOptions } from "./commands/backcast.ts";
import type { CompareOptions } from "./commands/compare.ts";
import type { CatalogOptions } from "./commands/catalog.ts";
import type { ImportLlmOptions } from "./commands/import-llm.ts";
import type { ImportPricesOptions } from "./commands/import-prices.ts";
import type { InitOptions } from "./commands/init.ts";
import type { TraceExportFlags } from "./commands/trace-export.ts";
import type { TraceFitOptions } from "./commands/trace-fit.ts";
import type { TraceInspectOptions } from "./commands/trace-inspect.ts";
import type { TraceImportFlags } from "./commands/trace-import.ts";
import type { SynthesizeFlags } from "./commands/trace-synthesize.ts";
import type { ValidateOptions } from "./commands/validate.ts";
import { CALL_LIMIT_S } from "./plugin-calls.ts";
import { shellWord } from "./shell-word.ts";
import { packageVersion } from "./version.ts";

interface RunFlags {
  readonly json?: boolean;
  readonly seed?: string;
  readonly replications?: number;
  readonly threads?: number;
  readonly out: string;
  readonly models?: string;
  readonly plugin?: string[];
  readonly pluginTimeout?: number;
  readonly requests?: RequestFlag;
  readonly steps?: StepFlag;
  readonly whatIfUnrestricted?: boolean;
}

type StepFlag =
  { readonly kind: "first"; readonly count: number } | { readonly kind: "replica"; readonly replica: number };

interface CheckFlags {
  readonly json?: boolean;
  readonly models?: string;
  readonly plugin?: string[];
  readonly pluginTimeout?: number;
  readonly whatIfUnrestricted?: boolean;
}

type CalibrateFlags = Omit<CalibrateOptions, "requestRatePerS"> & { readonly requestRate?: number };

type RequestFlag =
  | { readonly kind: "all" }
  | { readonly kind: "sample"; readonly fraction: number }
  | { readonly kind: "worst"; readonly count: number };

const PLUGIN_HELP = "TypeScript or JavaScript file with your own scheduling policies; can be repeated";
const PLUGIN_TIMEOUT_HELP = "time limit of a single call into a plug-in; beyond it the call counts as an endless loop";

/** More than any machine has cores; each takes memory of its own. */
const MOST_THREADS = 512;
const replications = upTo(MOST_REPLICATIONS);
const threads = upTo(MOST_THREADS);
const wholeNumber = upTo(999_999);

let exitCode: number = EXIT.done;

const out = (text: string): void => {
  process.stdout.write(text);
};

const talk = (text: string): void => {
  process.stderr.write(text);
};

function buildProgram(): Command {
  const program = new Command("crossover")
    .description("Should this AI workload run on API providers, on our own GPUs, or on both? Simulates all three.")
    .version(packageVersion(), "-V, --version", "print the version")
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError("(crossover --help lists commands and options)")
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 run failed, 2 configuration, 3 data, 4 environment, 5 infeasible or bars missed, 70 a bug, 130 interrupted.",
    );

  program
    .command("run")
    .description("simulate an experiment and write the report")
    .argument("<file>", "experiment (YAML)")
    .option("--json", "print the summary as JSON")
    .option("--seed <seed>", "override the seed in the file", text)
    .option("--replications <n>", "override the number of replications in the file", replications)
    .option("--threads <n>", "worker threads (default: one per core)", threads)
    .option("--out <dir>", "results folder", text, "output")
    .option("--models <dir>", "folder of your own catalogue entries, which override the shipped ones", text)
    .option("--plugin <file>", PLUGIN_HELP, collected)
    .option("--plugin-timeout <seconds>", PLUGIN_TIMEOUT_HELP, positiveNumber, CALL_LIMIT_S)
    .option("--requests <which>", "also write individual requests: all, sample:FRACTION or worst:COUNT", requestFlag)
    .option(
      "--steps <which>",
      "also write individual steps and a trace for ui.perfetto.dev: first:COUNT or replica:NUMBER",
      stepFlag,
    )
    .option("--what-if-unrestricted", "lift the data boundary rules; the result is labelled as a counterfactual")
    .action(async (file: string, flags: RunFlags) => {
      const { runCommand } = await import("./commands/run.ts");
      exitCode = await runCommand(file, flags, out);
    });

  program
    .command("compare")
    .description("print paired differences between strategies on the same requests")
    .argument("<inputs...>", "experiments (YAML) or folders of finished runs; the first strategy is the baseline")
    .option("--strategies <names>", "comma-separated strategies to compare (default: all)", names)
    .option(
      "--rates <rates>",
      "draw the frontier: comma-separated requests per second, in place of the rate in the file",
      rates,
    )
    .option("--html <file>", "where to write the frontier page (default: output/compare.html)", text)
    .option("--details", "print the tables of every pair, even if there are more than three")
    .option("--json", "print the differences as JSON")
    .option("--seed <seed>", "override the seed in the files", text)
    .option("--replications <n>", "override the number of replications in the files", replications)
    .option("--threads <n>", "worker threads (default: one per core)", threads)
    .option("--models <dir>", "folder of your own catalogue entries, which override the shipped ones", text)
    .option("--plugin <file>", PLUGIN_HELP, collected)
    .option("--plugin-timeout <seconds>", PLUGIN_TIMEOUT_HELP, positiveNumber, CALL_LIMIT_S)
    .action(async (inputs: string[], flags: CompareOptions) => {
      const { compareCommand } = await import("./commands/compare.ts");
      exitCode = await compareCommand(inputs, flags, out);
    });

  program
    .command("backcast")
    .description(
      "replay a past period (usage export or trace) and compare predicted with actual tokens, latency and cost",
    )
    .argument("<file>", "description of what was recorded and measured (YAML); see experiments/backcast")
    .option("--json", "print the result as JSON")
    .option("--seed <seed>", "override the seed of the experiment", text)
    .option("--replications <n>", "override the number of replications of the experiment", replications)
    .option("--threads <n>", "worker threads (default: one per core)", threads)
    .option("--models <dir>", "folder of your own catalogue entries, which override the shipped ones", text)
    .action(async (file: string, flags: BackcastOptions) => {
      const { backcastCommand } = await import("./commands/backcast.ts");
      exitCode = await backcastCommand(file, flags, out);
    });

  program
    .command("check")
    .description("check an experiment without running it")
    .argument("<file>", "experiment (YAML)")
    .option("--json", "print the result as JSON")
    .option("--models <dir>", "folder of your own catalogue entries, which override the shipped ones", text)
    .option("--plugin <file>", PLUGIN_HELP, collected)
    .option("--plugin-timeout <seconds>", PLUGIN_TIMEOUT_HELP, positiveNumber, CALL_LIMIT_S)
    .option("--what-if-unrestricted", "lift the data boundary rules")
    .action(async (file: string, flags: CheckFlags) => {
      const { checkCommand } = await import("./commands/check.ts");
      await checkCommand(file, flags, out);
    });

  program
    .command("conform")
    .description("test whether a scheduling policy keeps the rules and whether its leap condition is true")
    .argument("<policy>", "plug-in file, or name of a built-in policy")
    .option("--json", "print the findings as JSON")
    .option("--scenarios <n>", "number of random scenarios", wholeNumber, 600)
    .option("--seed <seed>", "seed of the scenarios", text, "7")
    .option("--scenario <number>", "run only the scenario with this number, counted from 0", numberFromZero)
    .option("--plugin-timeout <seconds>", PLUGIN_TIMEOUT_HELP, positiveNumber, CALL_LIMIT_S)
    .action(async (policy: string, flags: ConformFlags) => {
      const { conformCommand } = await import("./commands/conform.ts");
      exitCode = await conformCommand(policy, flags, out);
    });

  program
    .command("init")
    .description("write a starter experiment, fitted to your workload if you describe one")
    .argument("[file]", "file to write", "experiment.yaml")
    .option("--from-usage <file>", "derive the workload from a usage export with daily or hourly totals (CSV)", text)
    .option("--requests-per-day <n>", "mean number of requests per day, for example 400k", quantity)
    .option("--input <tokens>", "mean prompt length in tokens", quantity)
    .option("--output <tokens>", "mean answer length in tokens", quantity)
    .option("--peak-to-mean <ratio>", "peak-to-mean ratio of the rate over 5-minute bins (default: 2)", quantity)
    .option("--model <id>", "open-weight model to serve on your own GPUs (default: llama-3.3-70b)", text)
    .option("--gpu <id>", "GPU to serve it on (default: h100-sxm)", text)
    .option(
      "--restricted <share>",
      "share of requests that may not leave your boundary, such as 0.2 or 20% (default: 0)",
      share,
    )
    .option("--models <dir>", "with --from-usage: folder for the weekly profile of the export", text)
    .option("--json", "print what was written as JSON")
    // Unknown, it would be taken for a slip of --output, which counts tokens.
    .addOption(new Option("--out <file>").hideHelp().argParser(noOutOfInit))
    .action(async (file: string, flags: InitOptions) => {
      const { initCommand } = await import("./commands/init.ts");
      await initCommand(file, flags, talk, out);
    });

  const trace = program
    .command("trace")
    .description("import and inspect recorded requests, and generate traffic from them")
    .enablePositionalOptions();

  trace
    .command("inspect")
    .description("show rates, bursts, lengths, season, sessions and prefix reuse of a trace, and what is missing")
    .argument("<file>", "trace (Parquet or CSV, also gzipped)")
    .option("--json", "print the figures as JSON")
    .option("--html <file>", "also draw the figures on an HTML page", text)
    .action(async (file: string, flags: TraceInspectOptions) => {
      const { traceInspectCommand } = await import("./commands/trace-inspect.ts");
      await traceInspectCommand(file, flags, out);
    });

  trace
    .command("fit")
    .description("write a traffic preset with the burstiness and lengths of a trace, and report how certain the fit is")
    .argument("<file>", "trace (Parquet or CSV, also gzipped)")
    .requiredOption("--id <id>", "id of the preset", text)
    .requiredOption("--models <dir>", "folder of your own catalogue entries", text)
    .option("--json", "print the fit as JSON")
    .action(async (file: string, flags: Omit<TraceFitOptions, "today">) => {
      const { traceFitCommand } = await import("./commands/trace-fit.ts");
      await traceFitCommand(file, { ...flags, today: new Date().toISOString().slice(0, 10) }, out);
    });

  program
    .command("schema")
    .description("print the JSON Schema of an experiment file (always JSON)")
    .action(async () => {
      const { schemaCommand } = await import("./commands/schema.ts");
      schemaCommand(out);
    });

  const catalog = program
    .command("catalog")
    .description("list the entries of the catalogue, with source and date")
    .enablePositionalOptions()
    .argument("[kind]", "for example gpus, llms, offers; or policies, routers, dispatch")
    .option("--json", "print the entries as JSON")
    .option("--models <dir>", "folder of your own catalogue entries, which override the shipped ones", text)
    .option("--as-of <date>", "date from which ages are counted (default: the date of the catalogue)")
    .option("--date <date>", "for offers: prices on this day (default: the date of --as-of)")
    .option("--provider <id>", "for offers: only those of one provider")
    .option("--model <text>", "for offers: only those with this text in their name", text)
    .action(async (kind: string | undefined, flags: CatalogOptions) => {
      const { catalogCommand } = await import("./commands/catalog.ts");
      await catalogCommand(kind, flags, out);
    });

  catalog
    .command("import")
    .description("import prices from LiteLLM's price file into your own entries, and report what is wrong in it")
    .requiredOption("--litellm <file>", "model_prices_and_context_window.json", text)
    .requiredOption("--as-of <date>", "date of that file", text)
    .requiredOption("--models <dir>", "folder of your own catalogue entries", text)
    .option("--previous <file>", "an older version of the file: prices that have jumped since then are held back", text)
    .option("--confirm", "import prices that have jumped")
    .option("--allow-free", "import models that cost nothing")
    .option("--json", "print the outcome for each entry as JSON")
    .action(async (flags: ImportPricesOptions) => {
      const { importPricesCommand } = await import("./commands/import-prices.ts");
      await importPricesCommand(flags, out);
    });

  catalog
    .command("import-llm")
    .description("write the catalogue entry of a model from the config.json of its Hugging Face repository")
    .argument("<config>", "config.json, or the folder that holds it; an hf_quant_config.json beside it is read too")
    .requiredOption("--id <id>", "id of the entry", text)
    .requiredOption("--models <dir>", "folder of your own catalogue entries", text)
    .option("--name <name>", "display name (default: the id)", text)
    .option("--source <text>", "where the file comes from", text)
    .option("--as-of <date>", "date of the file (default: the date of the catalogue)")
    .option(
      "--as <family>",
      "for an unknown architecture: a known one whose layers are built the same way (llama …)",
      text,
    )
    .option("--json", "print the entry and its sizes as JSON")
    .action(async (config: string, flags: ImportLlmOptions) => {
      const { importLlmCommand } = await import("./commands/import-llm.ts");
      await importLlmCommand(config, flags, out);
    });

  program
    .command("limits")
    .description("rate limits of API offers")
    .command("replay")
    .description("run worked examples of admission, sizing and billing through the simulator; exit 5 if one fails")
    .argument("<file>", "examples (JSON)")
    .option("--json", "print every event with the expected and the actual result as JSON")
    .action(async (file: string, flags: { json?: boolean }) => {
      const { limitsReplayCommand } = await import("./commands/limits-replay.ts");
      exitCode = limitsReplayCommand(file, flags, out);
    });

  trace
    .command("import")
    .description("convert trace files of one format to canonical Parquet; the format is detected from the content")
    .argument("<files...>", "the files of one trace, in chronological order; plain, .gz or .zst")
    .option("--format <name>", "format of the files, in place of detection", text, "auto")
    .option("--out <file>", "file to write", text, "trace.parquet")
    .option(
      "--columns <mapping>",
      "for any other table: arrivalS=start,inputTokens=prompt,outputTokens=answer,...",
      text,
    )
    .option("--time-unit <unit>", "unit of numbers in the mapped time column: s, ms, us or ns (default: s)", timeUnit)
    .option("--sort", "sort rows that are out of order, in memory, instead of refusing them")
    .option("--json", "print the counts of rows and requests as JSON")
    .action(async (files: string[], flags: TraceImportFlags) => {
      const { traceImportCommand } = await import("./commands/trace-import.ts");
      await traceImportCommand(files, flags, out);
    });

  trace
    .command("export")
    .description("write an imported trace back in its original format")
    .argument("<file>", "Parquet file written by trace import")
    .option("--out <file>", "file to write (default: stdout)", text)
    .option("--json", "with --out: print what was written as JSON")
    .action(async (file: string, flags: TraceExportFlags) => {
      const { traceExportCommand } = await import("./commands/trace-export.ts");
      await traceExportCommand(file, flags, out);
    });

  trace
    .command("synthesize")
    .description("generate months of traffic and stream it into a trace")
    .argument("<what>", "traffic preset of the catalogue, or an experiment (YAML) whose traffic to use")
    .option("--days <n>", "length in days (default: 1, or the experiment's)", positiveNumber)
    .option("--out <file>", "file to write", text, "trace.parquet")
    .option("--seed <seed>", "seed of all random draws (default: 1, or the experiment's)", text)
    .option("--requests-per-s <n>", "for a preset: mean rate, in place of its own", positiveNumber)
    .option(
      "--start <date>",
      "for a preset: first day, which sets where the season begins (default: 2026-11-02, a Monday)",
    )
    .option("--models <dir>", "folder of your own catalogue entries, which override the shipped ones", text)
    .option("--json", "print the counts of rows and requests as JSON")
    .action(async (what: string, flags: SynthesizeFlags) => {
      const { synthesizeCommand } = await import("./commands/trace-synthesize.ts");
      await synthesizeCommand(what, flags, out);
    });

  program
    .command("validate")
    .description("compare predictions of the simulator with recorded measurements")
    .option("--cases <dir>", "folder of cases, in place of the shipped ones", text)
    .option("--json", "print the comparison as JSON")
    .option("--markdown", "print the table of models/README.md")
    .option("--html <file>", "page that plots predicted against measured values", text, "output/validate.html")
    .option("--threads <n>", "worker threads (default: one per core)", threads)
    .option("--models <dir>", "folder of your own catalogue entries, which override the shipped ones", text)
    .action(async (flags: ValidateOptions) => {
      const { validateCommand } = await import("./commands/validate.ts");
      exitCode = await validateCommand(flags, out);
    });

  program
    .command("calibrate")
    .description("fit the engine constants to your own benchmark and write them to --models")
    .argument("<files...>", "vLLM bench, GuideLLM, AIPerf or GenAI-Perf, BLIS TraceV2, or CSV with one row per request")
    .option("--gpu <id>", "GPU that was benchmarked", text)
    .option("--model <id>", "model, if the files do not name it", text)
    .option("--tensor-parallel-size <n>", "GPUs per replica, if the files do not say", wholeNumber)
    .option("--weight-dtype <dtype>", "format of the weights: bf16, fp8, fp8-block, int8, int4, nvfp4 or mxfp4", text)
    .option("--engine <name>", "vllm, sglang or trtllm, if the files do not name it", text)
    .option(
      "--engine-version <version>",
      "engine version: its profile, if the catalogue has one, is the prior, and the result is written for this version",
      text,
    )
    .option("--clock <who>", "who measured the times: client or engine (default: client; a CSV needs it)", text)
    .option("--request-rate <n>", "requests per second, if a file has no send times", positiveNumber)
    .option("--max-concurrency <n>", "requests in flight, if a file does not say", wholeNumber)
    .option("--max-num-seqs <n>", "setting of the engine, if it differs from the profile", wholeNumber)
    .option("--max-num-batched-tokens <n>", "setting of the engine, if it differs from the profile", wholeNumber)
    .option(
      "--kv-blocks <n>",
      "KV cache blocks that the engine printed at startup, in place of the computed number",
      wholeNumber,
    )
    .option("--columns <mapping>", "for a CSV: arrivalS=start,inputTokens=prompt,ttftMs=ttft,...", text)
    .option("--models <dir>", "folder of your own catalogue entries; the calibration is written there", text)
    .option("--force", "write even if the fit got worse, and overwrite entries that no calibration wrote")
    .option("--json", "print the whole result as JSON")
    .action(async (files: string[], flags: CalibrateFlags) => {
      const { calibrateCommand } = await import("./commands/calibrate.ts");
      const { requestRate, ...options } = flags;
      const today = new Date().toISOString().slice(0, 10);
      const load = requestRate === undefined ? {} : { requestRatePerS: requestRate };
      exitCode = await calibrateCommand(files, { ...options, ...load }, today, out, talk);
    });
  return program;
}

function noOutOfInit(value: string): never {
  throw new InvalidArgumentError(`Pass the file as an argument: crossover init ${value}`);
}

function text(value: string): string {
  if (value === "") throw new InvalidArgumentError("Must not be empty");
  return value;
}

function numberFromZero(value: string): number {
  if (!/^\d{1,6}$/.test(value)) throw new InvalidArgumentError("Expected a whole number from 0");
  return Number(value);
}

function timeUnit(value: string): string {
  if (!["s", "ms", "us", "ns"].includes(value)) throw new InvalidArgumentError("Expected s, ms, us or ns");
  return value;
}

function collected(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text(value)];
}

function names(value: string): string[] {
  return text(value)
    .split(",")
    .map((name) => name.trim());
}

function rates(value: string): number[] {
  const numbers = names(value).map(positiveNumber);
  numbers.sort((a, b) => a - b);
  if (new Set(numbers).size < numbers.length) throw new InvalidArgumentError("The rates must differ from each other");
  return numbers;
}

/** Reads a whole number from 1 to `most`. */
function upTo(most: number): (value: string) => number {
  return (value) => {
    if (!/^[1-9]\d*$/.test(value) || Number(value) > most)
      throw new InvalidArgumentError(`Expected a whole number from 1 to ${most}`);
    return Number(value);
  };
}

function positiveNumber(value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !(number > 0 && number < Infinity))
    throw new InvalidArgumentError("Expected a number above 0");
  return number;
}

const MULTIPLES: Readonly<Record<string, number>> = { "": 1, k: 1e3, K: 1e3, M: 1e6, m: 1e6 };

function quantity(value: string): number {
  const match = /^(\d+(?:\.\d+)?)([kKmM]?)$/.exec(value);
  if (match === null)
    throw new InvalidArgumentError(
      /^-\d/.test(value) ? "Must not be negative" : "Expected a number, with k or M for thousands and millions",
    );
  return Number(match[1]) * MULTIPLES[match[2]!]!;
}

/** Reads 0.2 or 20%; that it is at most 1 is for what uses it to say, beside what else is wrong. */
function share(value: string): number {
  const match = /^(\d*\.?\d+)(%?)$/.exec(value);
  if (match === null) throw new InvalidArgumentError("Expected a share, such as 0.2 or 20%");
  return match[2] === "%" ? Number(match[1]) / 100 : Number(match[1]);
}

function requestFlag(value: string): RequestFlag {
  if (value === "all") return { kind: "all" };
  const [word, amount = ""] = value.split(":");
  const number = Number(amount);
  if (word === "sample" && amount !== "" && number > 0 && number <= 1) return { kind: "sample", fraction: number };
  if (word === "worst" && /^[1-9]\d*$/.test(amount)) return { kind: "worst", count: number };
  throw new InvalidArgumentError("Expected all, sample:FRACTION (0 to 1) or worst:COUNT");
}

function stepFlag(value: string): StepFlag {
  const first = /^first:([1-9]\d{0,5})$/.exec(value);
  if (first !== null) return { kind: "first", count: Number(first[1]) };
  const replica = /^replica:(\d{1,5})$/.exec(value);
  if (replica !== null) return { kind: "replica", replica: Number(replica[1]) };
  throw new InvalidArgumentError("Expected first:COUNT (1 to 999999) or replica:NUMBER, the first replica being 0");
}

/** As a shell would need it. */
function commandLine(): string {
  return ["crossover", ...process.argv.slice(2).map(shellWord)].join(" ");
}

// A reader such as `head` that has seen enough is no error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCode);
    const failure = describeFailure(environmentFailure(error, "cannot write the output"), commandLine());
    if (stream === process.stdout) process.stderr.write(failure.text);
    process.exit(failure.exitCode);
  });
}

try {
  await buildProgram().parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Help and version that were asked for are no error; everything else commander complains of is how it was called.
    exitCode = error.exitCode === 0 ? EXIT.done : EXIT.config;
    if (wantsJson() && exitCode !== EXIT.done) out(failureJson(usageFailure(error.message.replace(/^error: /, ""))));
  } else {
    exitCode = tellFailure(describeFailure(error, commandLine()));
  }
}
process.exitCode = exitCode;
