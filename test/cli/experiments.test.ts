/** Every experiment that ships runs, at a smoke scale: a short horizon and two replications of what it says. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { Summary } from "../../src/decision/summary.ts";
import { crossover } from "./crossover.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDER = join(ROOT, "experiments");
const work = mkdtempSync(join(tmpdir(), "crossover-experiments-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

interface ExperimentText {
  readonly id: string;
  readonly prediction?: string;
  readonly finding?: string;
  readonly team?: object;
  readonly days?: number;
  readonly traffic: { replay?: { file: string } };
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".yaml"));

test("there are experiments", () => expect(files.length).toBeGreaterThan(1));

test.each(files)("%s runs, and has its prediction and its finding", (name) => {
  const experiment = parse(readFileSync(join(FOLDER, name), "utf8"), { merge: true }) as ExperimentText;
  expect(`${experiment.id}.yaml`).toBe(name);
  expect(experiment.prediction ?? "", "a prediction, written first").not.toBe("");
  expect(experiment.finding ?? "", "a finding, written after").not.toBe("");
  const { replay } = experiment.traffic;
  if (replay !== undefined) replay.file = join(FOLDER, replay.file);
  const file = join(work, name);
  writeFileSync(file, stringify({ ...experiment, days: Math.min(0.03, (experiment.days ?? 1) / 4), replications: 2 }));
  const result = crossover(["run", file, "--out", join(work, "out"), "--json"]);
  expect(result.stderr).toBe("");
  expect(result.code).toBe(0);
  const summary = JSON.parse(result.stdout) as Summary;
  expect(summary.complete).toBe(true);
  // A study of serving alone names no team and asks for no verdict.
  expect(summary.verdict === null).toBe(experiment.team === undefined);
});
