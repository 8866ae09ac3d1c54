/** `crossover trace inspect FILE`: what a recorded trace shows, as text or JSON, and drawn on a page. */
import { basename } from "node:path";
import { inspectTrace } from "../../experiment/trace/inspect.ts";
import { readRecordedTrace } from "../../io/trace-details.ts";
import { inspectText } from "../trace-text.ts";
import { packageVersion } from "../version.ts";
import { checkPage, writePage } from "../write-page.ts";

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
  if (options.html !== undefined) await checkPage(options.html);
  const facts = inspectTrace(await readRecordedTrace(file));
  if (options.html !== undefined) {
    const { tracePage } = await import("../../report/trace/page.ts");
    await writePage(options.html, tracePage(facts, basename(file), packageVersion()));
    process.stderr.write(`Drawn: ${options.html}\n`);
  }
  out(options.json === true ? `${JSON.stringify(facts, null, 1)}\n` : inspectText(facts));
}
