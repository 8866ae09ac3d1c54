import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { crossover, temporaryFolder } from "./crossover.ts";

const AZURE = "models/traffic/azure-llm-2023-conv.parquet";
const folder = temporaryFolder();
afterAll(() => folder.remove());

test("inspect prints figures, as JSON too, and draws a page where it is told to", () => {
  const html = join(folder.path, "pages/azure.html");
  const { code, stdout } = crossover(["trace", "inspect", AZURE, "--html", html]);
  expect(code).toBe(0);
  expect(stdout).toContain("19,366 requests over 58 min, 2023-11-16T18:15:46Z");
  expect(stdout).toMatch(/1\.39 +2\.54 +3\.87 +8\.95 +16\.41 +30\.60 +52\.35/);
  expect(readFileSync(html, "utf8")).toContain("Index of dispersion");
  const json = crossover(["trace", "inspect", AZURE, "--json"]);
  expect(JSON.parse(json.stdout)).toMatchObject({ requests: 19_366, lengths: { input: { p95: 4083 } } });
});

test("a fit is a preset that an experiment runs on, and is never overwritten", () => {
  const models = join(folder.path, "models");
  const fit = crossover(["trace", "fit", AZURE, "--id", "mine", "--models", models]);
  expect([fit.code, fit.stderr]).toEqual([0, ""]);
  expect(fit.stdout).toContain("held out: the second half is of the kind that the fit makes");
  const experiment = join(folder.path, "on-mine.yaml");
  crossover(["init", experiment]);
  writeFileSync(experiment, readFileSync(experiment, "utf8").replace("preset: chat-azure-2023", "preset: mine"));
  const check = crossover(["check", experiment, "--models", models]);
  expect([check.code, check.stderr]).toEqual([0, ""]);
  const again = crossover(["trace", "fit", AZURE, "--id", "mine", "--models", models]);
  expect([again.code, again.stderr]).toEqual([
    4,
    expect.stringContaining("exists and is not overwritten; give another --id"),
  ]);
});

test("a fit is data with --json", () => {
  const models = join(folder.path, "as-data");
  const { code, stdout } = crossover(["trace", "fit", AZURE, "--id", "mine", "--models", models, "--json"]);
  expect([code, JSON.parse(stdout)]).toMatchObject([0, { wrote: [join(models, "traffic/mine.yaml")], rows: 19_366 }]);
});

test("an id that is none is refused before anything is written", () => {
  const models = join(folder.path, "none");
  writeFileSync(join(folder.path, "few.csv"), "arrivalS,inputTokens,outputTokens\n0,1,1\n5,1,1\n");
  const { code, stderr } = crossover([
    "trace",
    "fit",
    join(folder.path, "few.csv"),
    "--id",
    "Not An Id",
    "--models",
    models,
  ]);
  expect(code).toBe(2);
  expect(stderr).toContain("expected lower-case letters");
  expect(existsSync(models)).toBe(false);
});

test("init from usage compares with the offer of the model in it", () => {
  const usage = join(folder.path, "claude.csv");
  const row = "2026-09-01,86400,claude-haiku-4-5-20251001,40000,36000000,8000000";
  writeFileSync(usage, `start,bucketS,model,requests,inputTokens,outputTokens\n${row}\n`);
  const file = join(folder.path, "claude.yaml");
  expect(crossover(["init", file, "--from-usage", usage]).stderr).toContain("API offer: anthropic/claude-haiku-4-5");
  expect(readFileSync(file, "utf8").match(/offers: \{ api: anthropic\/claude-haiku-4-5@scale \}/g)).toHaveLength(2);
  expect(crossover(["check", file]).code).toBe(0);
});

test("init from usage writes an experiment with its own week that passes check", () => {
  const days = Array.from({ length: 28 }, (_, i) => {
    const date = `2026-09-${String(i + 1).padStart(2, "0")}`;
    const requests = i % 7 === 4 || i % 7 === 5 ? 40_000 : 90_000;
    return `${date},86400,m,${requests},${requests * 900},${requests * 200}`;
  });
  const usage = join(folder.path, "usage.csv");
  writeFileSync(usage, ["start,bucketS,model,requests,inputTokens,outputTokens", ...days].join("\n"));
  const models = join(folder.path, "own");
  const file = join(folder.path, "mine.yaml");
  const init = crossover(["init", file, "--from-usage", usage, "--models", models]);
  expect([init.code, init.stdout]).toEqual([0, ""]);
  expect(init.stderr).toContain("Sat 0.5");
  expect(readFileSync(file, "utf8")).toContain("season: usage-week");
  expect(readFileSync(file, "utf8")).toContain("# The catalogue has no offer of m");
  const check = crossover(["check", file, "--models", models]);
  expect([check.code, check.stderr]).toEqual([0, ""]);
});
