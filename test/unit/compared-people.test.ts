/** Whose people a comparison of several files pays is said where money is compared. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { loadCompared } from "../../src/node/compared.ts";
import { smallExperiment, withValue, type Raw } from "../fixtures/experiment.ts";

const folder = mkdtempSync(join(tmpdir(), "crossover-people-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file with one of the strategies. */
function saved(raw: Raw, strategy: string): string {
  const file = join(folder, `${strategy}.yaml`);
  const all = raw["strategies"] as Raw;
  writeFileSync(file, stringify({ ...raw, strategies: { [strategy]: all[strategy] } }));
  return file;
}

async function warned(raw: Raw, ...strategies: readonly string[]): Promise<string[]> {
  const { warnings } = await loadCompared(
    strategies.map((strategy) => saved(raw, strategy)),
    {},
    [],
  );
  return warnings.filter((one) => one.includes("people"));
}

test("an API and own GPUs need other people; the first file's are paid for by all", async () => {
  expect(await warned(smallExperiment(), "api", "own")).toEqual([
    expect.stringMatching(/own\.yaml needs other people than .*api\.yaml \([\d.]+ instead of 0 full-time\)/),
  ]);
  expect(await warned(smallExperiment(), "own", "both")).toEqual([]);
  const bare = withValue(
    withValue(smallExperiment(), ["team"], undefined),
    ["strategies", "own", "pools", "gpus", "gpuPrice"],
    undefined,
  );
  expect(await warned(bare, "api", "own")).toEqual([]);
});
