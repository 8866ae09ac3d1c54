/** A data file that is not there is told alike by every command that is given one. */
import { expect, test } from "vitest";
import { crossover } from "./crossover.ts";

test.each([
  ["trace", "import", "none.csv", "--out", "none.parquet"],
  ["trace", "inspect", "none.parquet"],
  ["limits", "replay", "none.json"],
  ["calibrate", "none.json"],
  ["catalog", "import-llm", "none.json", "--id", "x", "--models", "none"],
  ["catalog", "import", "--litellm", "none.json", "--as-of", "2026-07-24", "--models", "none"],
])("%s %s %s", (...args) => {
  const { code, stderr } = crossover(args);
  expect(stderr).toMatch(/^data: none\.\w+: no such file\n/);
  expect(code).toBe(3);
});
