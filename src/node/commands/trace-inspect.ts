/** `crossover trace inspect FILE`: what a recorded trace shows, as text or JSON, and drawn on a page. */
import { mkdir, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { inspectTrace } from "../../experiment/trace/inspect.ts";
import { readRecordedTrace } from "../../io/trace-details.ts";
import { environmentFailure } from "../exit.ts";
import { inspectText } from "../trace-text.ts";
import { packageVersion } from "../version.ts";

export interface TraceInspectOptions {
  readonly json?: boolean;
  /** Where the page goes; none without it. */
  readonly html?: string;
}

/** @throws DataError for a file that is no trace */
export async function traceInspectCommand(
  file: string,
  options: TraceInspectOptions,
  out: (text: string) => void,
): Promise<void> {
  const facts = inspectTrace(await readRecordedTrace(file));
  if (options.html !== undefined) {
    const { tracePage } = await import("../../report/trace/page.ts");
    try {
      await mkdir(dirname(options.html), { recursive: true });
      await writeFile(options.html, tracePage(facts, basename(file), packageVersion()));
    } catch (error) {
      throw environmentFailure(error, `cannot write ${options.html}`);
    }
    process.stderr.write(`Drawn: ${options.html}\n`);
  }
  out(options.json === true ? `${JSON.stringify(facts, null, 1)}\n` : inspectText(facts));
}
