/**
 * `crossover catalog import-llm CONFIG --id ID --models DIR [--as FAMILY]`: writes the catalogue entry of a model from the `config.json` of its
 * Hugging Face repository, and ModelOpt's `hf_quant_config.json` beside it, into `DIR/llms/`, and prints what was derived. Never overwrites.
 */
import { existsSync, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Id } from "../../catalog/entry.ts";
import { llmOfHfConfig, type ImportedLlm } from "../../catalog/hf-config.ts";
import { asProblem } from "../../catalog/hf-families.ts";
import { QUANT_FILE } from "../../catalog/hf-quantization.ts";
import { buildCatalog } from "../../catalog/catalog.ts";
import { sequenceBytes } from "../../engine/model-bytes.ts";
import { weightsGiB } from "../../engine/kv-capacity.ts";
import { WEIGHT_DTYPES, type LlmSpec, type WeightDtype } from "../../engine/spec.ts";
import { llmSpec } from "../../experiment/resolve-pool.ts";
import { ConfigError, type Problem } from "../../kernel/errors.ts";
import { plainNumber } from "../../report/format.ts";
import { loadCatalog } from "../catalog-files.ts";
import { EnvironmentFailure, environmentFailure, problemsText, unreadable } from "../exit.ts";
import { makeFolder } from "../make-folder.ts";
import { textTable } from "../text-table.ts";
import { LocatedConfigError, YamlSource } from "../yaml-source.ts";

export interface ImportLlmOptions {
  readonly id: string;
  readonly models: string;
  readonly name?: string;
  readonly source?: string;
  /** Date of the configuration; the catalogue's where it is left out. */
  readonly asOf?: string;
  /** Family that an unknown architecture is built like, on the user's word. */
  readonly as?: string;
  readonly json?: boolean;
}

/**
 * @throws ConfigError with all that is wrong with the options and the configuration: JSON that is none, an unknown architecture, fields
 * @throws EnvironmentFailure for an entry that is there already
 */
export async function importLlmCommand(
  config: string,
  options: ImportLlmOptions,
  out: (text: string) => void,
): Promise<void> {
  const isFolder = existsSync(config) && statSync(config).isDirectory();
  const configFile = isFolder ? join(config, "config.json") : config;
  const imported = await importedFrom(configFile, options);
  const { catalog } = await loadCatalog(["llms"]);
  const { notes, takenFor, ...facts } = imported;
  const source = options.source ?? `config.json of the published model (${basename(configFile)})`;
  const entry = {
    id: options.id,
    name: options.name ?? options.id,
    source: takenFor === null ? source : `${source}, read as ${options.as}`,
    asOf: options.asOf ?? catalog.asOf,
    kind: takenFor === null ? "published" : "assumed",
    ...(notes.length === 0 ? {} : { note: `Counts: ${notes.join("; ")}.` }),
    ...facts,
  };
  const file = join(options.models, "llms", `${options.id}.yaml`);
  const checked = buildCatalog([{ kind: "llms", file, value: entry, override: true }], catalog.asOf).llms.get(
    options.id,
  )!;
  await write(file, entry, join(options.models, "llms"));
  const figures = figuresOf(llmSpec(checked));
  if (options.json === true) out(`${JSON.stringify({ wrote: [file], takenFor, entry, ...figures }, null, 1)}\n`);
  else out(report(file, figures, imported));
}

async function importedFrom(configFile: string, options: ImportLlmOptions): Promise<ImportedLlm> {
  const text = await textOf(configFile);
  const quantFile = join(dirname(configFile), QUANT_FILE);
  const quantText = existsSync(quantFile) ? await textOf(quantFile) : undefined;
  const ofOptions = optionProblems(options);
  try {
    const quantization = quantText === undefined ? undefined : parsed(quantFile, quantText);
    const imported = llmOfHfConfig(parsed(configFile, text), options.as, quantization);
    if (ofOptions.length === 0) return imported;
  } catch (error) {
    if (error instanceof LocatedConfigError) throw allWrong(ofOptions, [error]);
    if (!(error instanceof ConfigError)) throw error;
    const ofQuantFile = error.problems.filter(({ file }) => file === QUANT_FILE);
    const ofConfig = error.problems.filter(({ file }) => file !== QUANT_FILE);
    throw allWrong(ofOptions, [
      ...(ofConfig.length === 0 ? [] : [YamlSource.parse(configFile, text).error(ofConfig)]),
      ...(ofQuantFile.length === 0 ? [] : [YamlSource.parse(quantFile, quantText!).error(ofQuantFile)]),
    ]);
  }
  throw new ConfigError(ofOptions);
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw unreadable(error, file);
  }
}

/** Any JSON is YAML, whose parser knows where things stand; but not the other way round. */
function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const problem = { file, path: [], message: `is no JSON: ${(error as SyntaxError).message}` };
    throw new LocatedConfigError([problem], problemsText([problem]));
  }
}

function optionProblems({ id, as }: ImportLlmOptions): Problem[] {
  const ofId = Id.safeParse(id).error?.issues.map(({ message }): Problem => ({ path: ["--id"], message })) ?? [];
  const ofAs = as === undefined ? null : asProblem(as);
  return ofAs === null ? ofId : [...ofId, ofAs];
}

function allWrong(ofOptions: readonly Problem[], inFiles: readonly LocatedConfigError[]): LocatedConfigError {
  return new LocatedConfigError(
    [...ofOptions, ...inFiles.flatMap(({ located }) => located)],
    problemsText(ofOptions) + inFiles.map(({ text }) => text).join(""),
  );
}

async function write(file: string, entry: object, folder: string): Promise<void> {
  const { stringify } = await import("yaml");
  try {
    await makeFolder(folder);
    await writeFile(file, stringify(entry), { flag: "wx" });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST")
      throw new EnvironmentFailure(`${file} exists and is not overwritten; give another --id`);
    throw environmentFailure(error, `cannot write ${file}`);
  }
}

const BILLION = 1e9;
const KIB = 1024;

/** What the model takes in memory; KV and states in bf16. */
interface Figures {
  readonly params: number;
  /** Without the input embedding. */
  readonly activeParams: number;
  readonly kvBytesPerToken: number;
  /** Of each of the last `windowTokens` tokens, on top; 0 without windowed layers. */
  readonly kvBytesPerWindowToken: number;
  readonly windowTokens: number;
  /** Recurrent state of a sequence, 0 without. */
  readonly stateBytes: number;
  readonly weightsGiB: Readonly<Record<WeightDtype, number>>;
}

function figuresOf(llm: LlmSpec): Figures {
  const { perToken, perWindowToken, state } = sequenceBytes(llm, "bf16");
  const weights = WEIGHT_DTYPES.map((dtype) => [dtype, weightsGiB(llm, dtype)]);
  return {
    params: llm.params,
    activeParams: llm.activeParams,
    kvBytesPerToken: perToken,
    kvBytesPerWindowToken: perWindowToken,
    windowTokens: llm.slidingWindow ?? 0,
    stateBytes: state,
    weightsGiB: Object.fromEntries(weights) as Record<WeightDtype, number>,
  };
}

function report(file: string, figures: Figures, { nativeDtype, notes, takenFor }: ImportedLlm): string {
  const { params, activeParams, kvBytesPerToken, kvBytesPerWindowToken, windowTokens, stateBytes } = figures;
  const lines = [
    `${plainNumber(params / BILLION, 2)} billion weights, ${plainNumber(activeParams / BILLION, 2)} billion active (without the input embedding)`,
    `KV cache: ${plainNumber(kvBytesPerToken)} bytes per token in bf16, half of it in fp8`,
    ...(kvBytesPerWindowToken > 0
      ? [
          `and ${plainNumber(kvBytesPerWindowToken)} for each of the last ${plainNumber(windowTokens)} tokens (windowed layers)`,
        ]
      : []),
    ...(stateBytes > 0 ? [`and ${plainNumber(stateBytes / KIB)} KiB per sequence (recurrent state)`] : []),
    ...notes,
    ...(takenFor === null ? [] : ["so compare the weights with the published total before you rely on the entry"]),
  ];
  const rows = WEIGHT_DTYPES.map((dtype) => [
    dtype === nativeDtype ? `${dtype} (published)` : dtype,
    figures.weightsGiB[dtype].toFixed(2),
  ]);
  const table = textTable([{ head: "weights in" }, { head: "GiB", align: "right" }], rows);
  return `wrote ${file}\n${lines.map((line) => `  ${line}\n`).join("")}\n${table}`;
}
