/** `crossover backcast` on the shipped examples: every file beside them runs. */
import { expect, test } from "vitest";
import { readFileSync, writeFileSync } from "node:fs";
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

test("what an experiment says by date counts from the recorded start, whatever its own is", () => {
  const work = temporaryFolder();
  const write = (name: string, text: string): string => {
    const file = join(work.path, name);
    writeFileSync(file, text);
    return file;
  };
  write(
    "u.csv",
    "start,end,model,requests,inputTokens,outputTokens\n" +
      "2026-10-01T00:00:00Z,2026-10-01T01:00:00Z,mini,100,100000,10000\n" +
      "2026-10-01T12:00:00Z,2026-10-01T13:00:00Z,mini,100,100000,10000\n",
  );
  // A successor at half the price after 0.0125 months of 30.4 days, a bit more than nine hours; the one after that comes too late.
  write(
    "e.yaml",
    `id: later
title: Later
question: What would it have cost?
start: 2026-11-02
days: 1
replications: 1
classes: [{ name: all, share: 1 }]
traffic: { requestsPerS: 1, input: { kind: constant, tokens: 1000 }, output: { kind: constant, tokens: 100 } }
strategies:
  api:
    offers:
      mini:
        offer: openai/gpt-5-mini@tier-5
        pricePath: { factor: 0.5, everyMonths: 0.0125 }
        limits: none
        outages: none
        congestion: none
    routes: { all: [mini] }
`,
  );
  const { replay } = json(write("b.yaml", "title: x\nusage: u.csv\nexperiment: e.yaml\n"));
  const bill = replay!.rows.find(({ figure }) => figure === "bill as simulated")!.difference.predicted;
  // 0.25 and 2 USD a million: 4.5 cents in the first hour, half of it in the other.
  expect(bill).toBeCloseTo(0.045 * 1.5, 9);

  // What a replay does otherwise than the recorded period is said: caches, embeddings, requests without an answer.
  write(
    "c.csv",
    "start,end,model,requests,inputTokens,cachedInputTokens,outputTokens\n" +
      "2026-10-01T00:00:00Z,2026-10-01T01:00:00Z,mini,100,100000,40000,10000\n" +
      "2026-10-01T00:00:00Z,2026-10-01T01:00:00Z,embed,50,10000,0,0\n",
  );
  const warned = (limits: string) => {
    write("d.yaml", readFileSync(join(work.path, "e.yaml"), "utf8").replace("limits: none", `limits: ${limits}`));
    return json(write("f.yaml", "title: x\nusage: c.csv\nexperiment: d.yaml\n")).warnings.join("\n");
  };
  expect(warned("none")).toMatch(/has 40000 cached input tokens at the price of new ones/);
  expect(warned("none")).toContain("50 requests without an answer of their own (embeddings)");
  expect(warned("none")).not.toContain("have no answer in the replay");
  const tight = "{ rpm: { limitPerMin: 1 } }";
  expect(warned(tight)).toMatch(/\d % of the requests have no answer in the replay/);
  work.remove();
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
