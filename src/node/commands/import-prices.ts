/**
 * `crossover catalog import --litellm FILE --as-of DATE --models DIR`: takes prices from LiteLLM's price file into a folder of one's
 * own, `DIR/offers/litellm.json`, and says what became of each entry. Never overwrites.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { readLitellm, type LitellmResult, type LitellmRow } from "../../catalog/litellm.ts";
import { offersOfLitellm, type OfferChange } from "../../catalog/litellm-offers.ts";
import { epochSOfIso } from "../../kernel/calendar-time.ts";
import { ConfigError, DataError } from "../../kernel/errors.ts";
import { loadCatalog } from "../catalog-files.ts";
import { environmentFailure, unreadable } from "../exit.ts";
import { makeFolder } from "../make-folder.ts";
import { refuseExisting, writeNew } from "../new-file.ts";
import { textTable } from "../text-table.ts";

export interface ImportPricesOptions {
  readonly litellm: string;
  readonly asOf: string;
  readonly models: string;
  readonly previous?: string;
  readonly allowFree?: boolean;
  readonly confirm?: boolean;
  readonly json?: boolean;
}

/**
 * @throws ConfigError for a date that is none, or for offers that the catalogue would refuse; DataError for a file that is no JSON
 * object; EnvironmentFailure for a file that can't be read or is there already
 */
export async function importPricesCommand(options: ImportPricesOptions, out: (text: string) => void): Promise<void> {
  if (epochSOfIso(options.asOf) === null) {
    throw new ConfigError([
      { path: ["--as-of"], message: `"${options.asOf}" is no date`, hint: "for example 2026-07-24" },
    ]);
  }
  const file = join(options.models, "offers", "litellm.json");
  await refuseExisting(file, "--models");
  const previous = options.previous === undefined ? null : await readObject(options.previous);
  const prices = await readObject(options.litellm);
  if (Object.keys(prices).length === 0) throw new DataError(options.litellm, null, "it holds no entry of a model");
  const results = readLitellm(prices, {
    asOf: options.asOf,
    previous,
    allowFree: options.allowFree ?? false,
  });
  const taken = results.filter(
    (result): result is LitellmRow => isAccepted(result) || (result.action === "confirm" && options.confirm === true),
  );
  const { catalog } = await loadCatalog(["offers"]);
  const { changes, notOffered } = offersOfLitellm(taken, catalog);
  if (changes.length > 0) await write(file, changes, options);
  if (options.json === true) {
    const written = changes.map(({ key, id, replacesAsOf, notes }) => ({ key, id, replacesAsOf, notes }));
    out(
      `${JSON.stringify({ asOf: options.asOf, file: changes.length > 0 ? file : null, rows: results, written, notOffered }, null, 2)}\n`,
    );
    return;
  }
  out(report(file, options.asOf, results, changes, notOffered));
}

function isAccepted({ action }: LitellmResult): boolean {
  return action === "accept" || action === "accept-with-warning";
}

async function readObject(file: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw unreadable(error, file);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DataError(file, null, `JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new DataError(file, null, "expected an object with one entry for each model, as LiteLLM publishes it");
  return value as Record<string, unknown>;
}

/** Writes the list and reads it back with the catalogue; what that refuses is not left behind. */
async function write(file: string, changes: readonly OfferChange[], options: ImportPricesOptions): Promise<void> {
  const head = {
    about: "Written by `crossover catalog import --litellm`.",
    source: "LiteLLM model_prices_and_context_window.json (MIT, Berri AI)",
    asOf: options.asOf,
    kind: "published",
  };
  const lines = Object.entries(head).map(([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)}`);
  const rows = changes.map(({ entry }) => JSON.stringify(entry)).join(",\n");
  try {
    await makeFolder(join(options.models, "offers"));
  } catch (error) {
    throw environmentFailure(error, `cannot write ${file}`);
  }
  await writeNew(file, `{\n${lines.join(",\n")},\n"offers": [\n${rows}\n]\n}\n`, "--models");
  try {
    await loadCatalog(["offers"], options.models);
  } catch (error) {
    await rm(file);
    throw error;
  }
}

function report(
  file: string,
  asOf: string,
  results: readonly LitellmResult[],
  changes: readonly OfferChange[],
  notOffered: ReturnType<typeof offersOfLitellm>["notOffered"],
): string {
  const odd = results.filter(({ action, rules }) => action !== "accept" && !rules.includes("S1"));
  const table = (rows: string[][], ...heads: string[]): string =>
    rows.length === 0
      ? ""
      : `\n${textTable(
          heads.map((head) => ({ head })),
          rows,
        )}`;
  const notes = changes.flatMap(({ id, notes: own }) => own.map((note) => [id, note]));
  const known = changes.filter(({ replacesAsOf }) => replacesAsOf !== null);
  const younger = known.filter(({ replacesAsOf }) => replacesAsOf! > asOf);
  const nothing = `wrote nothing: none of ${results.length} entries has a price to take\n`;
  const wrote = `wrote ${file}: prices of ${known.length} offers of the catalogue and ${changes.length - known.length} new ones, of ${results.length} entries\n`;
  return (
    (changes.length === 0 ? nothing : wrote) +
    (younger.length === 0 ? "" : `warning: ${younger.length} of them replace prices that are younger than ${asOf}\n`) +
    table(
      odd.map(({ key, action, rules, reasons }) => [key, action, rules.join(", "), reasons.join("; ")]),
      "entry",
      "what became of it",
      "rule",
      "why",
    ) +
    table(
      notOffered.map(({ key, reason }) => [key, reason]),
      "accepted, but not written",
      "why",
    ) +
    table(notes, "offer", "left out")
  );
}
