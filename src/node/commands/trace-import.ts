/**
 * `crossover trace import FILE… [--out FILE.parquet]`: turns recorded traces of any known format into the canonical form,
 * and accounts for every row: what was read, kept, dropped and why.
 */
import { resolve } from "node:path";
import { importTrace, type Imported } from "../../io/traces/import.ts";
import { mappingOf, type TimeUnit } from "../../io/traces/mapped.ts";
import { importWindows, windowFormatOf, type WindowsImported } from "../../io/traces/windows.ts";
import { ConfigError } from "../../kernel/errors.ts";
import { plainNumber } from "../../report/format.ts";
import { environmentFailure, EnvironmentFailure } from "../exit.ts";
import { Progress } from "../progress.ts";
import { wholeOrNothing } from "../whole-file.ts";

export interface TraceImportFlags {
  readonly format: string;
  readonly out: string;
  readonly columns?: string;
  readonly timeUnit?: TimeUnit;
  readonly sort?: boolean;
  readonly json?: boolean;
}

/**
 * @throws ConfigError for an option that would be ignored
 * @throws DataError with file and row for what is wrong in a file, or in the mapping
 * @throws EnvironmentFailure for a target that cannot be written
 */
export async function traceImportCommand(
  files: readonly string[],
  flags: TraceImportFlags,
  out: (text: string) => void,
): Promise<void> {
  if (files.some((file) => resolve(file) === resolve(flags.out)))
    throw new EnvironmentFailure(`${flags.out} is one of the files to read; give another --out`);
  if (flags.timeUnit !== undefined && flags.columns === undefined)
    throw noEffect("--time-unit", "has no effect without --columns: known formats have units of their own");
  const bar = new Progress("import", 1, { enabled: flags.json !== true });
  let imported: Imported;
  try {
    const windows = flags.columns === undefined ? await windowFormat(files, flags.format) : null;
    if (windows !== null) {
      if (flags.sort === true) throw noEffect("--sort", "has no effect on windows of time");
      const found = await wholeOrNothing(flags.out, () => importWindows(files, windows, flags.out));
      out(flags.json === true ? `${JSON.stringify({ out: flags.out, ...found })}\n` : windowsText(flags.out, found));
      return;
    }
    const request = {
      files,
      target: flags.out,
      format: flags.format === "auto" ? null : flags.format,
      columns: flags.columns === undefined ? null : mappingOf(flags.columns),
      timeUnit: flags.timeUnit ?? "s",
      sort: flags.sort === true,
    };
    imported = await wholeOrNothing(flags.out, () =>
      importTrace(request, ({ bytes, totalBytes }) => bar.update(totalBytes > 0 ? bytes / totalBytes : 0)),
    );
  } catch (error) {
    throw environmentFailure(error, `cannot write ${flags.out}`);
  } finally {
    bar.stop();
  }
  out(flags.json === true ? `${JSON.stringify({ out: flags.out, ...imported })}\n` : accountText(flags.out, imported));
}

function noEffect(option: string, message: string): ConfigError {
  return new ConfigError([{ path: [option], message }]);
}

/** The kind of windows to read, null for traces of single requests. */
async function windowFormat(files: readonly string[], asked: string): Promise<"usage" | "servegen" | null> {
  if (asked === "usage" || asked === "servegen") return asked;
  return asked === "auto" ? windowFormatOf(files[0]!) : null;
}

function windowsText(target: string, { about, columns, histograms }: WindowsImported): string {
  const lines = [
    `${plainNumber(about.rows)} windows of format ${about.format} with ${columns.join(", ")}`,
    "windows of time, not single requests: what a preset or a usage experiment is fitted to",
    ...Object.entries(about.counts).map(([what, count]) => `${what}: ${plainNumber(count)}`),
    ...(histograms === null ? [] : [`histograms of lengths: ${histograms}`]),
  ];
  return `wrote ${target}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

function accountText(target: string, { about, columns }: Imported): string {
  const rows = (count: number): string => `${plainNumber(count)} ${count === 1 ? "row" : "rows"}`;
  const files = about.files.length === 1 ? about.files[0]! : `${about.files.length} files`;
  const lines = [
    `${rows(about.rowsRead)} of format ${about.format} read from ${files}`,
    ...Object.entries(about.dropped).map(([reason, count]) => `${rows(count)} dropped: ${reason}`),
    ...(about.failed > 0 ? [`${rows(about.failed)} failed there; kept as offered load`] : []),
    ...(about.inversions > 0 ? [`${rows(about.inversions)} stood after a later one; sorted by time`] : []),
    ...(about.sameTime > 0 ? [`${rows(about.sameTime)} at the time of the row before`] : []),
    ...Object.entries(about.counts).map(([what, count]) => `${what}: ${plainNumber(count)}`),
    ...(about.clock === "none" ? ["the source has no times: all arrive at 0"] : []),
    `${rows(about.rows)} written with ${columns.join(", ")}`,
  ];
  return `wrote ${target}\n${lines.map((line) => `  ${line}\n`).join("")}`;
}
