import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { initCommand } from "../../src/node/commands/init.ts";
import { describeFailure } from "../../src/node/exit.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const WORKLOAD = [
  "--requests-per-day",
  "400k",
  "--input",
  "2500",
  "--output",
  "400",
  "--peak-to-mean",
  "3",
  "--model",
  "llama-3.1-70b",
  "--restricted",
  "0.2",
];

test.each([
  ["without a workload", []],
  ["with a workload", WORKLOAD],
])("%s: writes a file that passes check", (name, args) => {
  const file = `${name.replaceAll(" ", "-")}.yaml`;
  const init = crossover(["init", file, ...args], folder.path);
  expect([init.code, init.stdout, init.stderr]).toEqual([0, "", `wrote ${file}\nnext: crossover check ${file}\n`]);
  const check = crossover(["check", file], folder.path);
  expect([check.code, check.stderr]).toEqual([0, ""]);
});

test("--json says on stdout what was written, and what of it", () => {
  const { code, stdout, stderr } = crossover(["init", "as data.yaml", ...WORKLOAD, "--json"], folder.path);
  expect([code, stderr]).toEqual([0, ""]);
  expect(JSON.parse(stdout)).toEqual({
    wrote: ["as data.yaml"],
    workload: { requestsPerDay: 400_000, inputTokens: 2500, outputTokens: 400 },
    notes: [],
    warnings: [],
    next: "crossover check 'as data.yaml'",
  });
  const starter = crossover(["init", "starter.yaml", "--json"], folder.path);
  expect(JSON.parse(starter.stdout)).toMatchObject({ wrote: ["starter.yaml"], workload: null });
});

test("a share may be a percentage", () => {
  const init = crossover(["init", "fifth.yaml", ...WORKLOAD.slice(0, -1), "20%"], folder.path);
  expect(init.code).toBe(0);
  expect(readFileSync(join(folder.path, "fifth.yaml"), "utf8")).toContain("name: restricted, share: 0.2,");
  const { code, stderr } = crossover(["init", "x.yaml", ...WORKLOAD.slice(0, -1), "a fifth"], folder.path);
  expect([code, stderr]).toEqual([2, expect.stringContaining("Expected a share, such as 0.2 or 20%")]);
});

test("never overwrites", () => {
  writeFileSync(join(folder.path, "mine.yaml"), "mine");
  const { code, stderr } = crossover(["init", "mine.yaml"], folder.path);
  expect(code).toBe(4);
  expect(stderr).toContain("mine.yaml exists and is not overwritten");
  expect(readFileSync(join(folder.path, "mine.yaml"), "utf8")).toBe("mine");
});

describe("refused", () => {
  const unreachable = (): void => expect.unreachable();
  const refused = async (file: string, options: Parameters<typeof initCommand>[1]) => {
    const failure = await initCommand(join(folder.path, file), options, unreachable, unreachable).then(
      () => expect.unreachable(),
      (error: unknown) => describeFailure(error, "crossover init"),
    );
    expect(existsSync(join(folder.path, file))).toBe(false);
    return failure;
  };

  test("half a workload", async () => {
    const { exitCode, text } = await refused("half.yaml", { input: 2500, gpu: "h100-sxm" });
    expect(exitCode).toBe(2);
    expect(text).toContain("--requests-per-day: is needed too");
    expect(text).toContain("--output: is needed too");
  });

  test("an amount below zero, by its sign", () => {
    const { code, stderr } = crossover(["init", "below.yaml", "--input", "-5"], folder.path);
    expect(code).toBe(2);
    expect(stderr).toContain("Must not be negative");
    expect(existsSync(join(folder.path, "below.yaml"))).toBe(false);
  });

  test("a name that the catalogue does not know, with the nearest", async () => {
    const { exitCode, text } = await refused("x.yaml", {
      requestsPerDay: 1000,
      input: 10,
      output: 10,
      gpu: "h100-sxn",
    });
    expect(exitCode).toBe(2);
    expect(text).toContain('--gpu: unknown GPU "h100-sxn"');
    expect(text).toContain('did you mean "h100-sxm"?');
  });

  test("a folder that does not exist is the environment's fault", async () => {
    expect((await refused("no/such/file.yaml", {})).exitCode).toBe(4);
  });
});
