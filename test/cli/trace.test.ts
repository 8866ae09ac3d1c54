/** `trace import` and `trace export` from the command line. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { crossover, MAIN } from "./crossover.ts";

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

test("a folder or nothing in place of a trace is said, not taken for a bug", () => {
  for (const verb of ["import", "inspect", "export"]) {
    const { code, stderr } = crossover(["trace", verb, folder]);
    expect([code, stderr]).toEqual([3, `data: ${folder}: this is a folder, a file is needed\n`]);
    expect(crossover(["trace", verb, "nowhere.csv"]).code).toBe(3);
  }
});

test("an export that fails leaves the file that is there, and never overwrites its source", () => {
  const kept = join(folder, "kept.csv");
  writeFileSync(kept, "keep");
  const unmapped = join(folder, "mapped.parquet");
  const columns = "arrivalS=Timestamp,inputTokens=Request tokens,outputTokens=Response tokens";
  crossover(["trace", "import", burst, "--out", unmapped, "--columns", columns]);
  expect(crossover(["trace", "export", unmapped, "--out", kept]).code).toBe(3);
  expect(readFileSync(kept, "utf8")).toBe("keep");
  crossover(["trace", "import", burst, "--out", target]);
  expect(crossover(["trace", "export", target, "--out", target]).code).toBe(4);
  expect(crossover(["trace", "export", target, "--out", kept])).toMatchObject({
    code: 0,
    stdout: `wrote ${kept}: 43 lines\n`,
  });
  expect(readFileSync(kept, "utf8")).toBe(readFileSync(burst, "utf8"));
});

test("export with --json says what it wrote, and refuses it where the rows go to stdout", () => {
  const json = join(folder, "json.csv");
  crossover(["trace", "import", burst, "--out", target]);
  const { code, stdout } = crossover(["trace", "export", target, "--out", json, "--json"]);
  expect([code, JSON.parse(stdout)]).toEqual([0, { out: json, lines: 43 }]);
  const rows = crossover(["trace", "export", target, "--json"]);
  expect([rows.code, rows.stderr]).toEqual([2, "--json: needs --out: without it stdout is for the rows\n"]);
});

test("Ctrl-C leaves no part of a file, and is told as data with --json", async () => {
  const drawn = join(folder, "drawn.parquet");
  const child = spawn(process.execPath, [
    MAIN,
    "trace",
    "synthesize",
    "chat-consumer",
    "--days",
    "3000",
    "--out",
    drawn,
    "--json",
  ]);
  let stdout = "";
  child.stdout.on("data", (part) => (stdout += String(part)));
  while (!existsSync(`${drawn}.tmp`)) await new Promise((resolve) => setTimeout(resolve, 50));
  child.kill("SIGINT");
  const code = await new Promise((resolve) => child.once("close", resolve));
  expect([code, existsSync(drawn), existsSync(`${drawn}.tmp`)]).toEqual([130, false, false]);
  const message = "Interrupted; nothing was written.";
  expect(JSON.parse(stdout)).toEqual({ ok: false, error: "interrupted", problems: [{ path: [], message }] });
}, 60_000);
