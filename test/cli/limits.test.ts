/** Limits as a user meets them: examples replayed, and a tighter limit seen in the rows of a run. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Summary } from "../../src/decision/summary.ts";
import { readParquetTable } from "../../src/io/parquet-table.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const FIXTURES = resolve("test/fixtures/admission-fixtures.json");

test("limits replay: every example with what was expected and what came out", () => {
  const result = crossover(["limits", "replay", FIXTURES, "--json"]);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  const { fixtures } = JSON.parse(result.stdout) as { fixtures: { id: string; pass: boolean; events: unknown[] }[] };
  expect(fixtures).toHaveLength(12);
  expect(fixtures.every(({ pass }) => pass)).toBe(true);
  expect(fixtures[0]!.events[1]).toEqual({
    type: "arrive",
    t_ms: 5000,
    req: "r2",
    pass: true,
    expected: { status: 429, wait_ms: 5000, retry_after_s: 5, level_after: { itpm: 25000 } },
    got: { status: 429, wait_ms: 5000, retry_after_s: 5, level_after: { itpm: 25000 } },
    differs: [],
  });
});

test("limits replay: one that fails is named with the field that differs, and ends with exit 5", () => {
  const file = JSON.parse(readFileSync(FIXTURES, "utf8")) as { fixtures: { expected: Record<string, unknown>[] }[] };
  file.fixtures[0]!.expected[1]!["wait_ms"] = 5001;
  const path = join(folder.path, "wrong.json");
  writeFileSync(path, JSON.stringify(file));
  const result = crossover(["limits", "replay", path]);
  expect(result.code).toBe(5);
  expect(result.stdout).toMatch(/^FAIL {2}token-bucket-itpm +5 {2}event 1: wait_ms is 5000, expected 5001$/m);
  expect(result.stdout).toContain("11 of 12 examples come out as expected");
});

test("limits replay: what is no file of examples", () => {
  const path = join(folder.path, "no.json");
  writeFileSync(path, "{}");
  expect(crossover(["limits", "replay", path])).toMatchObject({ code: 3, stdout: "" });
  expect(crossover(["limits", "replay", join(folder.path, "none.json")])).toMatchObject({ code: 3, stdout: "" });
});

test("halving the requests per minute raises the 429s of windows.parquet", async () => {
  const rateLimited = async (limitPerMin: number): Promise<number> => {
    const id = `rpm-${limitPerMin}`;
    const experiment = {
      id,
      title: "Requests per minute",
      question: "How many are refused?",
      start: "2026-11-02",
      days: 0.1,
      warmupMinutes: 5,
      replications: 1,
      classes: [{ name: "chat", share: 1, slo: { ttftMs: 2000 } }],
      traffic: { preset: "chat-azure-2023", requestsPerS: 2 },
      strategies: {
        api: {
          offers: { gpt: { offer: "openai/gpt-5-mini@tier-1", limits: { rpm: { limitPerMin } } } },
          routes: { chat: ["gpt"] },
        },
      },
    };
    const file = join(folder.path, `${id}.yaml`);
    writeFileSync(file, stringify(experiment));
    const result = crossover(["run", file, "--out", folder.path, "--json", "--threads", "1"]);
    expect(result.stderr).toBe("");
    const runs = join(folder.path, id);
    const [run] = readdirSync(runs).filter((name) => !name.startsWith("."));
    const windows = await readParquetTable(join(runs, run!, "windows.parquet"));
    const refused = [...(windows.columns["rateLimited"] as Float64Array)].reduce((sum, count) => sum + count, 0);
    // The offer counts every 429, and which limit gave it.
    const [offer] = (JSON.parse(result.stdout) as Summary).strategies[0]!.offers;
    expect(offer!.rateLimited.mean).toBe(refused);
    expect(offer!.rateLimitedBy["rpm"]!.mean + offer!.rateLimitedBy["tpm"]!.mean).toBe(refused);
    return refused;
  };
  const [wide, half] = [await rateLimited(240), await rateLimited(120)];
  expect(half).toBeGreaterThan(Math.max(50, 1.5 * wide));
});
