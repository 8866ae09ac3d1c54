/**
 * `crossover validate`: predicts the shipped recorded cases, or those of a folder, and says how far off it was. stdout is
 * the table, the JSON or the Markdown of `models/README.md`; a page with drawings is written beside. Exit 0, or 5 when a
 * bar is missed. Ctrl-C leaves nothing behind.
 */
import { fileURLToPath } from "node:url";
import type { Catalog } from "../../catalog/schema.ts";
import type { ParsedCase, RecordedCase } from "../../experiment/validate/case.ts";
import { validationMarkdown } from "../../experiment/validate/markdown.ts";
import type { Prediction } from "../../experiment/validate/predict.ts";
import { validationText } from "../../experiment/validate/text.ts";
import { type ValidationResult, score } from "../../experiment/validate/validate.ts";
import { DataError } from "../../kernel/errors.ts";
import { readCases } from "../case-files.ts";
import { canonicalCase } from "../../experiment/validate/canonical.ts";
import { loadCatalog } from "../catalog-files.ts";
import { Executor } from "../executor.ts";
import { EXIT, InterruptedError } from "../exit.ts";
import { NO_PLUGINS } from "../load-plugins.ts";
import { Progress } from "../progress.ts";
import { packageVersion } from "../version.ts";
import { checkPage, writePage } from "../write-page.ts";

/** `models`: the user's folder of catalogue entries that replace shipped ones. `html`: where the page goes. */
export interface ValidateOptions {
  readonly cases?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly html: string;
  readonly threads?: number;
  readonly models?: string;
}

export const SHIPPED_CASES = fileURLToPath(new URL("../../../models/validation/", import.meta.url));
/** Enough tasks for an even load of the threads, few enough that sending the catalogue with each costs nothing. */
const CASES_PER_TASK = 24;

/** Runs the command and returns the exit code. */
export async function validateCommand(options: ValidateOptions, out: (text: string) => void): Promise<number> {
  const { catalog } = await loadCatalog(["gpus", "llms", "engines", "coefficients"], options.models);
  const folder = options.cases ?? SHIPPED_CASES;
  const { cases: asWritten, skipped } = await readCases(folder);
  const cases = asWritten.map((one) => (one.ok ? { ...one, case: canonicalCase(one.case, catalog) } : one));
  if (cases.length === 0)
    throw new DataError(
      folder,
      null,
      `no recorded cases here${skipped.length === 0 ? "" : `, nor in ${skipped.join(", ")}`}: a JSON file is needed that is an array of cases, or a JSONL file with a case a line (models/validation/README.md)`,
    );
  await checkPage(options.html);
  const predictions = await predictAll(cases, folder, catalog, options);
  if (predictions === null) throw new InterruptedError("Interrupted; nothing was written.");
  const result = score(cases, predictions);
  const { validationPage } = await import("../../report/validation/page.ts");
  await writePage(options.html, validationPage(result, skipped, packageVersion()));
  if (options.json === true) out(`${JSON.stringify({ ...result, skipped }, null, 1)}\n`);
  else out(options.markdown === true ? validationMarkdown(result) : validationText(result, skipped));
  process.stderr.write(`Predicted against measured: ${options.html}\n`);
  return missed(result) ? EXIT.infeasible : EXIT.done;
}

function missed(result: ValidationResult): boolean {
  return result.bars.some((bar) => bar.passed === false);
}

/** Predictions in the order of the cases, null for an element that is no case; null when interrupted. */
async function predictAll(
  cases: readonly ParsedCase[],
  folder: string,
  catalog: Catalog,
  options: ValidateOptions,
): Promise<(Prediction | null)[] | null> {
  const known: { readonly index: number; readonly recorded: RecordedCase }[] = [];
  cases.forEach((one, index) => {
    if (one.ok) known.push({ index, recorded: one.case });
  });
  const predictions: (Prediction | null)[] = cases.map(() => null);
  const progress = new Progress(`predicting ${known.length} cases`, known.length, { enabled: options.json !== true });
  const executor = new Executor(options.threads ?? null, NO_PLUGINS, () => {});
  let done = 0;
  executor.cancelOnSignal();
  try {
    const tasks: Promise<void>[] = [];
    for (let first = 0; first < known.length; first += CASES_PER_TASK) {
      const part = known.slice(first, first + CASES_PER_TASK);
      const task = executor.predict({ catalog, folder, cases: part.map(({ recorded }) => recorded) });
      tasks.push(
        task.then((results) => {
          part.forEach(({ index }, i) => (predictions[index] = results[i]!));
          progress.update((done += part.length));
        }),
      );
    }
    await Promise.all(tasks);
    return predictions;
  } catch (error) {
    if (!executor.interrupted) throw error;
    return null;
  } finally {
    progress.stop();
    await executor.close();
  }
}
