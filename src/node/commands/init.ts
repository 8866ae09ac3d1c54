/** `crossover init [FILE]`: writes an experiment to start from. Never overwrites. */
import { writeFile } from "node:fs/promises";
import { experimentFor, starterExperiment, WORKLOAD_DEFAULTS, type Workload } from "../../experiment/starter.ts";
import { ConfigError } from "../../kernel/errors.ts";
import { loadCatalog } from "../catalog-files.ts";
import { EnvironmentFailure, environmentFailure } from "../exit.ts";

export interface InitOptions {
  readonly requestsPerDay?: number;
  readonly input?: number;
  readonly output?: number;
  readonly peakToMean?: number;
  readonly model?: string;
  readonly gpu?: string;
  readonly restricted?: number;
}

/** Writes the file and says so through `talk`. */
export async function initCommand(file: string, options: InitOptions, talk: (line: string) => void): Promise<void> {
  const { catalog } = await loadCatalog();
  const workload = workloadOf(options);
  const text = workload === null ? starterExperiment(catalog) : experimentFor(workload, catalog);
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") {
      throw new EnvironmentFailure(`${file} exists and is not overwritten; give another name`);
    }
    throw environmentFailure(error, `cannot write ${file}`);
  }
  talk(`wrote ${file}\nnext: crossover check ${file}\n`);
}

/** Null when no workload is described. */
function workloadOf(options: InitOptions): Workload | null {
  if (Object.keys(options).length === 0) return null;
  const { requestsPerDay, input, output } = options;
  if (requestsPerDay === undefined || input === undefined || output === undefined) {
    const needed = { "--requests-per-day": requestsPerDay, "--input": input, "--output": output };
    const missing = Object.entries(needed).filter(([, value]) => value === undefined);
    const message = "is needed too: a workload has a rate, a prompt length and an answer length";
    throw new ConfigError(missing.map(([option]) => ({ path: [option], message })));
  }
  return {
    requestsPerDay,
    inputTokens: input,
    outputTokens: output,
    peakToMean: options.peakToMean ?? WORKLOAD_DEFAULTS.peakToMean,
    model: options.model ?? WORKLOAD_DEFAULTS.model,
    gpu: options.gpu ?? WORKLOAD_DEFAULTS.gpu,
    restrictedShare: options.restricted ?? WORKLOAD_DEFAULTS.restrictedShare,
  };
}
