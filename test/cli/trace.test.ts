/** `trace import` and `trace export` from the command line. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { crossover } from "./crossover.ts";

const folder = mkdtempSync(join(tmpdir(), "crossover-trace-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

const burst = "test/fixtures/traces/burstgpt-1.head.csv";
const target = join(folder, "burst.parquet");

test("import names the format and accounts for every row; export gives the rows back", () => {
  const { code, stdout, stderr } = crossover(["trace", "import", burst, "--out", target]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("42 rows of format burstgpt read from burstgpt-1.head.csv");
  expect(stdout).toContain("4 rows failed there; kept as offered load");
  const exported = crossover(["trace", "export", target]);
  expect([exported.code, exported.stdout]).toEqual([0, readFileSync(burst, "utf8")]);
});

test("--json prints the account; a mapping and a time unit move the result", () => {
  const mapping = "arrivalS=Timestamp,inputTokens=Request tokens,outputTokens=Response tokens,model=Model";
  const { code, stdout } = crossover([
    "trace",
    "import",
    burst,
    "--out",
    target,
    "--json",
    "--columns",
    mapping,
    "--time-unit",
    "ms",
  ]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    out: target,
    about: { format: "mapped", rows: 42, failed: 0 },
    columns: ["arrivalS", "inputTokens", "outputTokens", "model"],
  });
});

test("wrong data, a wrong format and a wrong target have their exit codes", () => {
  const missing = crossover(["trace", "import", "nowhere.csv", "--out", target]);
  expect([missing.code, missing.stderr]).toEqual([3, "data: nowhere.csv: no such file\n"]);
  const format = crossover(["trace", "import", burst, "--out", target, "--format", "vidur"]);
  expect(format.code).toBe(3);
  expect(format.stderr).toContain("no column arrived_at (format vidur)");
  const onto = crossover(["trace", "import", burst, "--out", join(folder, "none", "x.parquet")]);
  expect(onto.code).toBe(4);
  expect(crossover(["trace", "import", burst, "--time-unit", "min"]).code).toBe(2);
});
