/** With `--json` a failure is data too: one document on stdout in one form for every command, beside the text on stderr. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { smallExperiment, withValue } from "../fixtures/experiment.ts";
import { crossover, MAIN, temporaryFolder } from "./crossover.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

beforeAll(() => {
  const save = (name: string, text: string): void => writeFileSync(join(folder.path, name), text);
  const wrong = stringify(withValue(smallExperiment(), ["dayz"], 2)).replace("h100-sxm", "h100-sxn");
  save("wrong.yaml", wrong);
  save("backcast.yaml", "title: 5\nusage: usage.csv\n");
  save("trace.csv", "arrivalS,inputTokens,outputTokens\n0,5,5\n1,x,5\n");
  save("none.json", "[]");
  mkdirSync(join(folder.path, "dir"));
});

const unknownField = { file: "wrong.yaml", path: ["dayz"], message: "unknown field", hint: "did you mean days?" };

test.each([
  ["check wrong.yaml", 2, "configuration", unknownField],
  ["run wrong.yaml", 2, "configuration", unknownField],
  ["compare wrong.yaml", 2, "configuration", unknownField],
  ["backcast backcast.yaml", 2, "configuration", { file: "backcast.yaml", line: 1, column: 8, path: ["title"] }],
  ["validate --cases nowhere", 3, "data", { file: "nowhere", message: "no such folder of recorded cases" }],
  ["calibrate nowhere.json", 3, "data", { file: "nowhere.json", message: "no such file" }],
  ["limits replay none.json", 3, "data", { file: "none.json" }],
  ["trace inspect trace.csv", 3, "data", { file: "trace.csv", row: 2, message: expect.stringContaining('"x"') }],
  ["trace import trace.csv --out dir", 4, "environment", { message: expect.stringContaining("cannot write dir") }],
  ["trace synthesize nothing", 2, "configuration", { message: 'unknown traffic preset "nothing"' }],
  ["catalog gpuz", 2, "configuration", { message: expect.stringContaining("gpuz") }],
  ["conform nothing", 2, "configuration", {}],
  ["run", 2, "configuration", { path: [], message: "missing required argument 'file'" }],
  ["trace", 2, "configuration", { message: "unknown option '--json'" }],
] as const)("%s --json", (line, code, error, problem) => {
  const outcome = crossover([...line.split(" "), "--json"], folder.path);
  const { problems, ...rest } = JSON.parse(outcome.stdout) as { problems: unknown[] };
  expect([outcome.code, rest]).toEqual([code, { ok: false, error }]);
  expect(problems).toContainEqual(expect.objectContaining(problem));
  expect(outcome.stderr).not.toBe("");
});

test("all problems at once, each with its place", () => {
  const { stdout } = crossover(["run", "wrong.yaml", "--json"], folder.path);
  const { problems } = JSON.parse(stdout) as { problems: { line: number; column: number; width: number }[] };
  expect(problems.map(({ width }) => width)).toEqual(expect.arrayContaining(["h100-sxn".length, "dayz".length]));
  for (const { line, column } of problems) expect([line > 0, column > 0]).toEqual([true, true]);
});

test("Ctrl-C in a long suite", async () => {
  const started = join(folder.path, "started");
  const schedule = `schedule: () => writeFileSync(${JSON.stringify(started)}, "")`;
  const plugin = `{ kind: "batching", name: "idle", doc: "A test.", options: {}, create: () => ({ ${schedule} }) }`;
  writeFileSync(
    join(folder.path, "idle.ts"),
    `import { writeFileSync } from "node:fs"; export const idle = ${plugin};`,
  );
  const args = [MAIN, "conform", join(folder.path, "idle.ts"), "--scenarios", "100000", "--json"];
  const child = spawn(process.execPath, args);
  let stdout = "";
  child.stdout.on("data", (part) => (stdout += String(part)));
  while (!existsSync(started)) await new Promise((resolve) => setTimeout(resolve, 50));
  child.kill("SIGINT");
  const code = await new Promise((resolve) => child.once("close", resolve));
  const message = "Interrupted; nothing is decided.";
  expect([code, stdout]).toEqual([
    130,
    `${JSON.stringify({ ok: false, error: "interrupted", problems: [{ path: [], message }] })}\n`,
  ]);
}, 30_000);

test("help that was asked for is no failure, and --json after -- is a name", () => {
  expect(crossover(["run", "--json", "--help"], folder.path).stdout).toMatch(/^Usage: /);
  expect(crossover(["check", "--", "--json"], folder.path)).toMatchObject({ code: 2, stdout: "" });
});
