/**
 * `crossover calibrate FILE…`: fits engine constants to the user's own benchmark and writes them as entries of `--models`.
 * stdout is the report or the JSON, stderr says what was written. Exit 0; 5 when what was held out got worse, or nothing
 * could be held out, and so nothing was written.
 */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { KINDS } from "../../catalog/schema.ts";
import { type Calibration, calibrate } from "../../experiment/calibrate/calibrate.ts";
import { type CalibratedEntry, calibratedEntries } from "../../experiment/calibrate/entries.ts";
import { isBlisHeader } from "../../experiment/calibrate/formats/blis-trace.ts";
import { type BenchmarkFile, readBenchmark } from "../../experiment/calibrate/formats/read.ts";
import { columnMapping } from "../../experiment/calibrate/formats/request-csv.ts";
import type { LoadOptions } from "../../experiment/calibrate/load.ts";
import type { TargetOptions } from "../../experiment/calibrate/target.ts";
import { calibrationText } from "../../experiment/calibrate/text.ts";
import { ConfigError, DataError } from "../../kernel/errors.ts";
import { loadCatalog } from "../catalog-files.ts";
import { EXIT, EnvironmentFailure, environmentFailure, unreadable } from "../exit.ts";
import { makeFolder } from "../make-folder.ts";
import { YamlSource } from "../yaml-source.ts";

/** `models`: where entries are written; without it nothing is. `force`: write what got worse, and over files not ours. */
export interface CalibrateOptions extends TargetOptions, LoadOptions {
  readonly columns?: string;
  readonly models?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `today`: YYYY-MM-DD, the date of what is written. */
export async function calibrateCommand(
  files: readonly string[],
  options: CalibrateOptions,
  today: string,
  out: (text: string) => void,
  talk: (text: string) => void,
): Promise<number> {
  const columns = options.columns === undefined ? {} : columnMapping(options.columns);
  const twice = files.filter((file, i) => files.findIndex((other) => resolve(other) === resolve(file)) < i);
  if (twice.length > 0)
    throw new ConfigError(
      twice.map((file) => ({ file, path: [], message: "is given twice: it would be fitted, and judge the fit" })),
    );
  const runs = (await readFiles(files)).flatMap((file) => readBenchmark(file, columns));
  if (options.columns !== undefined && !runs.some(({ format }) => format === "request-csv"))
    throw new ConfigError([{ path: ["--columns"], message: "has no effect: no file is a CSV with one row a request" }]);
  const own = options.models !== undefined && existsSync(options.models) ? options.models : undefined;
  const { catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"], own);
  const { catalog: shipped } = await loadCatalog(["gpus", "llms", "engines", "coefficients"]);
  const { calibration, target } = calibrate(runs, options, { catalog, shipped });

  const refusal = options.force === true ? null : refusalOf(calibration);
  const written: Written[] = [];
  if (options.models !== undefined && refusal === null) {
    const entries = calibratedEntries(calibration, target, catalog, today);
    written.push(...(await writeEntries(options.models, entries, options.force ?? false)));
  }
  out(
    options.json === true
      ? `${JSON.stringify({ ...calibration, refusal, written }, null, 1)}\n`
      : calibrationText(calibration),
  );
  if (refusal !== null) talk(`not written: ${refusal}; --force writes it all the same\n`);
  else if (options.models === undefined) talk("nothing written: give --models DIR to keep the calibration\n");
  for (const { file, replaced, changed } of written)
    talk(`${replaced ? "replaced" : "wrote"} ${file}${changed === null ? "" : `: ${changed}`}\n`);
  if (written.length > 0)
    talk(
      `next: crossover run experiment.yaml --models ${options.models} (pools with engine: ${target.profile.id}), and crossover validate --models ${options.models}\n`,
    );
  return refusal === null ? EXIT.done : EXIT.infeasible;
}

/** Median error of a fitted latency above which the constants are not those of an engine. */
const FAR_OFF = 0.5;

/** Why a calibration is not to be used. */
function refusalOf({ heldOut, fitted }: Calibration): string | null {
  const percent = (fraction: number): string => `${(fraction * 100).toFixed(1)} %`;
  for (const [family, { medianAbs }] of Object.entries(fitted.after))
    if (medianAbs > FAR_OFF)
      return `${family.toUpperCase()} is still ${percent(medianAbs)} off (median) under the fitted constants. Times off by a factor of 1,000 are in the wrong unit: those of a CSV are ms, ttfts and itls of vLLM seconds. Else see the warnings`;
  if (heldOut === null)
    return "there is too little to hold any out, so nothing says that it helps; give more runs or single requests";
  if (heldOut.better) return null;
  return `predictions of what was held out got worse, from ${percent(heldOut.medianBefore)} to ${percent(heldOut.medianAfter)}`;
}

/** The texts, with the YAML headers of BLIS traces put to the CSV of the same name, or to the only one. */
async function readFiles(files: readonly string[]): Promise<readonly BenchmarkFile[]> {
  const texts = await Promise.all(
    files.map(async (file) => {
      try {
        return { file, text: await readFile(file, "utf8") };
      } catch (error) {
        throw unreadable(error, file);
      }
    }),
  );
  const headers = new Map<string, unknown>();
  const data = texts.filter(({ file, text }) => {
    if (!/^trace_version\s*:/m.test(text)) return true;
    const { value } = YamlSource.parse(file, text);
    if (!isBlisHeader(value)) return true;
    headers.set(file, value);
    return false;
  });
  const stem = (file: string): string => file.slice(0, file.length - extname(file).length);
  for (const header of headers.keys()) {
    if (!data.some(({ file }) => stem(file) === stem(header)) && data.length !== 1)
      throw new DataError(header, null, "a BLIS header without its trace: give the CSV of the same name too");
  }
  return data.map(({ file, text }) => {
    const own =
      [...headers].find(([header]) => stem(header) === stem(file)) ?? (data.length === 1 ? [...headers][0] : undefined);
    return own === undefined ? { file, text } : { file, text, header: own[1] };
  });
}

interface Written {
  readonly file: string;
  readonly kind: string;
  readonly id: string;
  readonly replaced: boolean;
  /** What an earlier calibration loses by it; null = nothing. */
  readonly changed: string | null;
}

/** All or nothing: every file is written beside its place first, then all are renamed. */
async function writeEntries(
  directory: string,
  entries: readonly CalibratedEntry[],
  force: boolean,
): Promise<readonly Written[]> {
  const { stringify } = await import("yaml");
  const files = entries.map((entry) => {
    const file = entry.replaces ?? join(directory, KINDS[entry.kind].folder, `${entry.id}.yaml`);
    const isThere = existsSync(file);
    if (isThere && !entry.replacesCalibration && !force)
      throw new EnvironmentFailure(
        `${file} exists and no calibration wrote it; it is not overwritten. --force does, keeping all but what was fitted`,
      );
    KINDS[entry.kind].schema.parse(entry.value);
    return {
      entry,
      file,
      isThere,
      text: `# Written by crossover calibrate.\n${stringify(entry.value, { lineWidth: 110, aliasDuplicateObjects: false })}`,
    };
  });
  const temporary = (file: string): string => `${file}.${process.pid}.partial`;
  try {
    for (const { file, text } of files) {
      await makeFolder(dirname(file));
      await writeFile(temporary(file), text);
    }
    for (const { file } of files) await rename(temporary(file), file);
  } catch (error) {
    await Promise.all(files.map(({ file }) => rm(temporary(file), { force: true })));
    throw environmentFailure(error, `cannot write to ${directory}`);
  }
  return files.map(({ entry: { kind, id, changed }, file, isThere }) => ({
    file,
    kind,
    id,
    replaced: isThere,
    changed,
  }));
}
