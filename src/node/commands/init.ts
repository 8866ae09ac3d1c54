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
import { usageComments, usageSeason } from "../../experiment/usage-text.ts";
import { usageWorkload } from "../../experiment/usage-workload.ts";
import { readUsage } from "../../io/usage-csv.ts";
import { ConfigError } from "../../kernel/errors.ts";
import { loadCatalog } from "../catalog-files.ts";
import { refuseExisting, writeEntry, writeNew } from "../new-file.ts";

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
}

/** Writes the file and says so through `talk`. */
export async function initCommand(file: string, options: InitOptions, talk: (line: string) => void): Promise<void> {
  const { catalog } = await loadCatalog();
  if (options.fromUsage !== undefined) {
    await initFromUsage(file, options.fromUsage, options, catalog, talk);
    return;
  }
  if (options.models !== undefined)
    throw new ConfigError([{ path: ["--models"], message: "has no effect without --from-usage" }]);
  const workload = workloadOf(options, catalog);
  const text = workload === null ? starterExperiment(catalog) : experimentFor(workload, catalog);
  await writeNew(file, text, "name");
  talk(`wrote ${file}\nnext: crossover check ${file}\n`);
}

async function initFromUsage(
  file: string,
  usageFile: string,
  options: InitOptions,
  catalog: Catalog,
  talk: (line: string) => void,
): Promise<void> {
  if (options.output !== undefined)
    throw new ConfigError([{ path: ["--output"], message: "has no effect with --from-usage, which knows it" }]);
  const { buckets, format, warnings } = await readUsage(usageFile);
  const usage = usageWorkload(buckets, {
    ...(options.requestsPerDay === undefined ? {} : { requestsPerDay: options.requestsPerDay }),
    ...(options.input === undefined ? {} : { inputTokens: options.input }),
  });
  const source = { file: basename(usageFile), format };
  const entry = options.models === undefined ? null : usageSeason(usage, shippedSeason(catalog), source);
  const comments = [...usageComments(usage, source, entry !== null), ...warnings.map((text) => `warning: ${text}`)];
  const workload: Workload = {
    requestsPerDay: Math.round(usage.requestsPerDay),
    inputTokens: Math.max(1, Math.round(usage.inputTokens)),
    outputTokens: Math.max(1, Math.round(usage.outputTokens)),
    ...shared(options),
    recorded: { growthPerMonth: usage.growth?.sure === true ? usage.growth.perMonth : 0, season: entry, comments },
  };
  const text = experimentFor(workload, catalog);
  const written: string[] = [];
  if (entry !== null) {
    const season = join(options.models!, "seasons", `${entry.id}.yaml`);
    await refuseExisting(file, "name");
    await writeEntry(season, entry, "folder");
    written.push(season);
  }
  await writeNew(file, text, "name");
  written.push(file);
  const models = entry === null ? "" : ` --models ${options.models}`;
  talk(
    `${written.map((name) => `wrote ${name}\n`).join("")}${comments.map((line) => `  ${line}\n`).join("")}next: crossover check ${file}${models}\n`,
  );
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
