/**
 * `crossover trace fit FILE --id ID --models DIR`: writes the traffic preset that a trace comes to into `DIR/traffic/`, its
 * weekly profile into `DIR/seasons/` where there is one, and prints how sure the fit is. Never overwrites.
 */
import { basename, join } from "node:path";
import { buildCatalog } from "../../catalog/catalog.ts";
import type { CatalogKind } from "../../catalog/schema.ts";
import { fitTrace } from "../../experiment/trace/fit.ts";
import { presetEntries } from "../../experiment/trace/preset.ts";
import { readRecordedTrace } from "../../io/trace-details.ts";
import { isoDate } from "../../kernel/calendar-time.ts";
import { DataError } from "../../kernel/errors.ts";
import { refuseExisting, writeEntry } from "../new-file.ts";
import { fitText } from "../trace-text.ts";

export interface TraceFitOptions {
  readonly id: string;
  readonly models: string;
  readonly json?: boolean;
  /** YYYY-MM-DD, for traces without dates. */
  readonly today: string;
}

/** Curves of the fitted generator that the bands rest on. */
const SAMPLES = 200;

/**
 * @throws DataError for a file that is no trace or has no span
 * @throws ConfigError for an id that the catalogue would refuse
 * @throws EnvironmentFailure for entries that are there already
 */
export async function traceFitCommand(
  file: string,
  options: TraceFitOptions,
  out: (text: string) => void,
): Promise<void> {
  const trace = await readRecordedTrace(file);
  const last = trace.arrivalS[trace.arrivalS.length - 1]!;
  if (last === 0) throw new DataError(file, null, "all requests arrive at one time; nothing can be fitted");
  const { id, models } = options;
  const target = (kind: string): string => join(models, kind, `${id}.yaml`);
  for (const kind of ["traffic", "seasons"]) await refuseExisting(target(kind), "--id");
  const fit = fitTrace(trace, SAMPLES);
  const asOf = trace.epochS === null ? options.today : isoDate(trace.epochS + last);
  const entries = presetEntries(fit, { id, file: basename(file), asOf });
  const documents: { kind: CatalogKind; file: string; value: object }[] = [
    { kind: "traffic", file: target("traffic"), value: entries.traffic },
    ...(entries.season === null ? [] : [{ kind: "seasons" as const, file: target("seasons"), value: entries.season }]),
  ];
  buildCatalog(
    documents.map((document) => ({ ...document, override: true })),
    asOf,
  );
  for (const document of documents) await writeEntry(document.file, document.value, "--id");
  const files = documents.map((document) => document.file);
  out(options.json === true ? `${JSON.stringify({ wrote: files, ...fit }, null, 1)}\n` : fitText(fit, files));
}
