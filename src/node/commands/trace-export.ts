/**
 * `crossover trace export FILE.parquet [--out FILE]`: the rows of an imported trace in the format they came from; with
 * `--out` stdout says how many lines were written.
 */
import { createWriteStream } from "node:fs";
import { rename } from "node:fs/promises";
import { resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { exportedLines } from "../../io/traces/export.ts";
import { ConfigError } from "../../kernel/errors.ts";
import { plainNumber } from "../../report/format.ts";
import { environmentFailure, EnvironmentFailure } from "../exit.ts";
import { wholeOrNothing } from "../whole-file.ts";

export interface TraceExportFlags {
  readonly out?: string;
  readonly json?: boolean;
}

/**
 * @throws ConfigError for `--json` where stdout is for the rows
 * @throws DataError for a file that no import wrote, and for a format that has no way back
 * @throws EnvironmentFailure for a target that cannot be written
 */
export async function traceExportCommand(
  file: string,
  { out: target, json }: TraceExportFlags,
  out: (text: string) => void,
): Promise<void> {
  if (target === undefined) {
    if (json === true)
      throw new ConfigError([{ path: ["--json"], message: "needs --out: without it stdout is for the rows" }]);
    for await (const line of exportedLines(file)) out(`${line}\n`);
    return;
  }
  let lines = 0;
  async function* text(): AsyncGenerator<string> {
    for await (const line of exportedLines(file)) {
      lines++;
      yield `${line}\n`;
    }
  }
  if (resolve(file) === resolve(target))
    throw new EnvironmentFailure(`${target} is the file to read; give another --out`);
  try {
    await wholeOrNothing(target, async (temporary) => {
      await pipeline(Readable.from(text()), createWriteStream(temporary));
      await rename(temporary, target);
    });
  } catch (error) {
    throw environmentFailure(error, `cannot write ${target}`);
  }
  out(json === true ? `${JSON.stringify({ out: target, lines })}\n` : `wrote ${target}: ${plainNumber(lines)} lines\n`);
}
