/** `crossover backcast` on the shipped examples: every file beside them runs. */
import { expect, test } from "vitest";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Backcast } from "../../src/node/backcast-text.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

function json(...args: string[]): Backcast {
  const result = crossover(["backcast", ...args, "--json"]);
  expect(result.stderr).toBe("");
  expect(result.code).toBe(0);
  return JSON.parse(result.stdout) as Backcast;
}

test("a usage export against what was paid", () => {
  const { bill, replay } = json("experiments/backcast/api-usage.yaml");
  expect(replay).toBeNull();
  // By hand at 0.25, 0.025 and 2 USD a million: 34 M plain, 12 M cached, 8.4 M out; the last day at half price.
  expect(bill!.days.map(({ day, usd }) => [day, usd.predicted, usd.actual])).toEqual([
    ["2026-10-01", expect.closeTo(8.5 + 0.3 + 16.8, 9), 25.63],
    ["2026-10-02", expect.closeTo(9.15 + 0.35 + 18.4, 9), 27.9],
    ["2026-10-04", expect.closeTo((6.05 + 8.8) / 2, 9), 7.43],
  ]);
  expect(bill!.notes.join()).toContain("text-embedding-3-small is not in the catalogue");
  expect(crossover(["backcast", "experiments/backcast/api-usage.yaml"]).stdout).toMatch(
    /total .* 60.92 .* 60.96 .* -0.1 %/,
  );
});

test("a recorded trace against its measured latency", () => {
  const { bill, replay } = json("experiments/backcast/chat-trace.yaml", "--replications", "1");
  expect(bill).toBeNull();
  const of = (figure: string) => replay!.rows.find((row) => row.figure === figure)!.difference;
  expect(of("requests answered").predicted).toBe(300);
  // As near as validate is to the same recording: a run is the model that was validated.
  for (const figure of ["TTFT mean", "TPOT mean", "E2E mean"]) {
    expect(of(figure).actual, figure).toBeGreaterThan(0);
    expect(Math.abs(of(figure).errorFraction!), figure).toBeLessThan(0.02);
  }
});

test("problems stand at their place, data problems at their row", () => {
  const work = temporaryFolder();
  const file = join(work.path, "b.yaml");
  writeFileSync(file, "title: x\nusage: u.csv\noffers:\n  m: openai/gpt-5-minni\n");
  writeFileSync(join(work.path, "u.csv"), "start,end,model,inputTokens,outputTokens\n2026-10-01,2026-10-02,m,1,1\n");
  const unknown = crossover(["backcast", file]);
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toMatch(/b\.yaml:4:\d+: offers\.m: .*\n(.*\n)*.*openai\/gpt-5-mini/);
  writeFileSync(join(work.path, "u.csv"), "start,end,model,inputTokens,outputTokens\n2026-10-01,2026-10-02,m,-1,1\n");
  expect(crossover(["backcast", file])).toMatchObject({
    code: 3,
    stderr: expect.stringContaining("row 1: a count is negative") as string,
  });
  expect(crossover(["backcast", join(work.path, "none.yaml")]).code).toBe(2);
  work.remove();
});
