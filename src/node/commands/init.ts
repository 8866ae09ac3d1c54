/**
 * `crossover init [FILE]`: writes an experiment to start from, also from a usage export. Never overwrites.
 */
import { basename, join } from "node:path";
import type { Catalog } from "../../catalog/schema.ts";
import {
  experimentFor,
  shippedSeason,
  starterExperiment,
  WORKLOAD_DEFAULTS,
  workloadProblems,
  type Workload,
} from "../../experiment/starter.ts";
import { usageOffer } from "../../experiment/usage-offer.ts";
import { usageComments, usageSeason } from "../../experiment/usage-text.ts";
import { usageWorkload } from "../../experiment/usage-workload.ts";
import { readUsage } from "../../io/usage-csv.ts";
import { ConfigError } from "../../kernel/errors.ts";
import { loadCatalog } from "../catalog-files.ts";
import { refuseExisting, writeEntry, writeNew } from "../new-file.ts";
import { shellWord } from "../shell-word.ts";

export interface InitOptions {
  readonly requestsPerDay?: number;
  readonly input?: number;
  readonly output?: number;
  readonly peakToMean?: number;
  readonly model?: string;
  readonly gpu?: string;
  readonly restricted?: number;
  /** Usage export to derive rate, lengths, growth and season from. */
  readonly fromUsage?: string;
  /** Folder of the user's catalogue entries, for the weekly profile of the export. */
  readonly models?: string;
  readonly json?: boolean;
}

/** Whose export a format is; null where it may be of whichever provider. */
const PROVIDER_OF = { openai: "openai", anthropic: "anthropic", crossover: null } as const;

/** What was written, and from what. */
interface Initialized {
  readonly wrote: readonly string[];
  /** Null for the starter, which is of recorded chat traffic. */
  readonly workload: Pick<Workload, "requestsPerDay" | "inputTokens" | "outputTokens"> | null;
  /** What a usage export told. */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
  /** The command to go on with. */
  readonly next: string;
}

/** Writes the file and says so through `talk`, or with `json` as data through `out`. */
export async function initCommand(
  file: string,
  { json, ...options }: InitOptions,
  talk: (text: string) => void,
  out: (text: string) => void,
): Promise<void> {
  const { catalog } = await loadCatalog();
  const done =
    options.fromUsage === undefined
      ? await initFromWords(file, options, catalog)
      : await initFromUsage(file, options.fromUsage, options, catalog);
  if (json === true) out(`${JSON.stringify(done)}\n`);
  else talk(text(done));
}

async function initFromWords(file: string, options: InitOptions, catalog: Catalog): Promise<Initialized> {
  if (options.models !== undefined)
    throw new ConfigError([{ path: ["--models"], message: "has no effect without --from-usage" }]);
  const workload = workloadOf(options, catalog);
  await writeNew(file, workload === null ? starterExperiment(catalog) : experimentFor(workload, catalog), "name");
  return { wrote: [file], workload: sizeOf(workload), notes: [], warnings: [], next: checkOf(file) };
}

async function initFromUsage(
  file: string,
  usageFile: string,
  options: InitOptions,
  catalog: Catalog,
): Promise<Initialized> {
  if (options.output !== undefined)
    throw new ConfigError([{ path: ["--output"], message: "has no effect with --from-usage, which knows it" }]);
  const { buckets, format, warnings } = await readUsage(usageFile);
  const usage = usageWorkload(buckets, {
    ...(options.requestsPerDay === undefined ? {} : { requestsPerDay: options.requestsPerDay }),
    ...(options.input === undefined ? {} : { inputTokens: options.input }),
  });
  const source = { file: basename(usageFile), format };
  const entry = options.models === undefined ? null : usageSeason(usage, shippedSeason(catalog), source);
  const { offer, comments: ofOffer } = usageOffer(usage.models, PROVIDER_OF[format], catalog);
  const notes = [...usageComments(usage, source, entry !== null), ...ofOffer];
  const comments = [...notes, ...warnings.map(warningLine)];
  const workload: Workload = {
    requestsPerDay: Math.round(usage.requestsPerDay),
    inputTokens: Math.max(1, Math.round(usage.inputTokens)),
    outputTokens: Math.max(1, Math.round(usage.outputTokens)),
    ...shared(options),
    recorded: {
      growthPerMonth: usage.growth?.sure === true ? usage.growth.perMonth : 0,
      season: entry,
      offer,
      comments,
    },
  };
  const experiment = experimentFor(workload, catalog);
  const wrote: string[] = [];
  if (entry !== null) {
    const season = join(options.models!, "seasons", `${entry.id}.yaml`);
    await refuseExisting(file, "name");
    await writeEntry(season, entry, "folder");
    wrote.push(season);
  }
  await writeNew(file, experiment, "name");
  wrote.push(file);
  const next = checkOf(file, entry === null ? undefined : options.models);
  return { wrote, workload: sizeOf(workload), notes, warnings, next };
}

function text({ wrote, notes, warnings, next }: Initialized): string {
  const said = [...notes, ...warnings.map(warningLine)];
  return `${wrote.map((name) => `wrote ${name}\n`).join("")}${said.map((line) => `  ${line}\n`).join("")}next: ${next}\n`;
}

function warningLine(warning: string): string {
  return `warning: ${warning}`;
}

function checkOf(file: string, models?: string): string {
  return `crossover check ${shellWord(file)}${models === undefined ? "" : ` --models ${shellWord(models)}`}`;
}

function sizeOf(workload: Workload | null): Initialized["workload"] {
  if (workload === null) return null;
  const { requestsPerDay, inputTokens, outputTokens } = workload;
  return { requestsPerDay, inputTokens, outputTokens };
}

function shared(options: InitOptions): Pick<Workload, "peakToMean" | "model" | "gpu" | "restrictedShare"> {
  return {
    peakToMean: options.peakToMean ?? WORKLOAD_DEFAULTS.peakToMean,
    model: options.model ?? WORKLOAD_DEFAULTS.model,
    gpu: options.gpu ?? WORKLOAD_DEFAULTS.gpu,
    restrictedShare: options.restricted ?? WORKLOAD_DEFAULTS.restrictedShare,
  };
}

/** Null when no workload is described. Throws a ConfigError with what is missing and, beside it, what cannot be. */
function workloadOf(options: InitOptions, catalog: Catalog): Workload | null {
  if (Object.keys(options).length === 0) return null;
  const { requestsPerDay, input, output } = options;
  if (requestsPerDay === undefined || input === undefined || output === undefined) {
    const needed = { "--requests-per-day": requestsPerDay, "--input": input, "--output": output };
    const missing = Object.entries(needed).filter(([, value]) => value === undefined);
    const message = "is needed too: a workload has a rate, a prompt length and an answer length";
    const said = { ...shared(options), requestsPerDay, inputTokens: input, outputTokens: output };
    throw new ConfigError([
      ...missing.map(([option]) => ({ path: [option], message })),
      ...workloadProblems(said, catalog),
    ]);
  }
  return { requestsPerDay, inputTokens: input, outputTokens: output, ...shared(options) };
}
