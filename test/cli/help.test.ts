import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { spawnSync } from "node:child_process";
import { crossover, MAIN } from "./crossover.ts";

test("--help lists every verb and the exit codes", () => {
  const { code, stdout, stderr } = crossover(["--help"]);
  expect([code, stderr]).toEqual([0, ""]);
  for (const verb of ["run", "check", "init", "schema", "catalog", "validate", "calibrate", "conform", "trace"])
    expect(stdout).toMatch(new RegExp(`^  ${verb}\\b`, "m"));
  expect(stdout).toContain("Exit codes: 0 done, 1 run failed, 2 configuration");
});

test("--version is that of the package", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  expect(crossover(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
});

test("run knows all its options", () => {
  const { stdout } = crossover(["run", "--help"]);
  for (const option of [
    "--json",
    "--seed",
    "--replications",
    "--threads",
    "--out",
    "--models",
    "--requests",
    "--plugin",
    "--steps",
    "--what-if-unrestricted",
  ])
    expect(stdout).toContain(option);
});

describe("a wrong call exits with 2, says so on stderr and suggests", () => {
  test.each([
    [["rnu", "x.yaml"], "(Did you mean run?)"],
    [["check", "x.yaml", "--jsn"], "(Did you mean --json?)"],
    [["run", "x.yaml", "--replications", "0"], "Expected a whole number from 1"],
    [["run", "x.yaml", "--steps", "last:5"], "Expected first:COUNT (1 to 999999) or replica:NUMBER"],
    [["run", "x.yaml", "--requests", "some"], "Expected all, sample:FRACTION (0 to 1) or worst:COUNT"],
    [["init", "x.yaml", "--input", "many"], "Expected a number, with k or M"],
    [["init", "--out", "x.yaml"], "Pass the file as an argument: crossover init x.yaml"],
    [[], "Usage: crossover"],
  ])("%j", (args, message) => {
    const { code, stdout, stderr } = crossover(args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
  });
});

test("asking for help loads neither schema, YAML, Arrow nor the simulator", () => {
  const loaded = new Set<string>();
  const visit = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const text = readFileSync(file, "utf8");
    // Static imports that survive compilation; `import type` and dynamic imports load nothing at the start.
    for (const [, name] of text.matchAll(/^import (?!type )[^;]*?from "([^"]+)";/gms)) {
      if (name!.startsWith(".")) visit(resolve(dirname(file), name!));
      else loaded.add(name!);
    }
  };
  visit(resolve("src/node/main.ts"));
  expect([...loaded].filter((name) => !name.startsWith("/") && !name.startsWith("node:"))).toEqual(["commander"]);
  expect([...loaded].filter((name) => name.startsWith("/")).length).toBeLessThan(8);
});

test("a reader that stops early is no error", () => {
  const command = `"${process.execPath}" ${MAIN} schema | head -c 10; echo " \${PIPESTATUS[0]}"`;
  const { stdout, stderr } = spawnSync("bash", ["-c", command], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout).toMatch(/ 0\n$/);
});
