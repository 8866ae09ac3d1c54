/** An imported trace from the command line: its blocks, its waits and its failures in a run, with any number of threads. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Summary } from "../../src/decision/summary.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const traces = "test/fixtures/traces";

beforeAll(() => {
  const sources = {
    mooncake: "test/fixtures/mooncake-conversation-rows.jsonl",
    agents: join(traces, "weka-trace-0291-subagents.json.gz"),
    failures: join(traces, "burstgpt-1.head.csv"),
  };
  for (const [name, source] of Object.entries(sources))
    expect(crossover(["trace", "import", source, "--out", join(folder.path, `${name}.parquet`)]).code).toBe(0);
});

function run(name: string, traffic: Record<string, unknown>, days: number, ...options: string[]): Summary {
  const pool = { llm: "llama-3.1-8b", gpu: "h100-sxm", incidents: "none", kvBlocks: 400_000 };
  const own = { ...pool, scheduler: { prefixCaching: "lru" } };
  const experiment = {
    id: name,
    title: name,
    question: "What does the recording come to?",
    asOf: "2026-11-24",
    start: "2026-11-02T00:00:00Z",
    days,
    warmupMinutes: 0,
    replications: 2,
    classes: [{ name: "all", share: 1, timeoutS: 100_000 }],
    traffic,
    strategies: {
      one: { pools: { own: { ...own, replicas: 1 } }, routes: { all: ["own"] } },
      two: { pools: { own: { ...own, replicas: 2, router: "sticky" } }, routes: { all: ["own"] } },
    },
  };
  const file = join(folder.path, `${name}.yaml`);
  writeFileSync(file, stringify(experiment));
  const out = join(folder.path, `out-${name}-${options.join("")}`);
  const { code, stdout, stderr } = crossover(["run", file, "--out", out, "--json", ...options]);
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout) as Summary;
}

test("Mooncake's blocks: the tokens that an endless cache finds, within 0.5 points", { timeout: 120_000 }, () => {
  const rows = readFileSync("test/fixtures/mooncake-conversation-rows.jsonl", "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { input_length: number; hash_ids: number[] });
  const seen = new Set<number>();
  let found = 0;
  let asked = 0;
  for (const { hash_ids, input_length } of rows) {
    const first = hash_ids.findIndex((id) => !seen.has(id));
    found += first < 0 ? input_length : 512 * first;
    asked += input_length;
    for (const id of hash_ids) seen.add(id);
  }
  const summary = run("mooncake", { replay: { file: "mooncake.parquet" } }, 1);
  const hits = summary.strategies[0]!.pools[0]!.prefixHitFraction!.mean;
  expect(Math.abs(hits - found / asked)).toBeLessThan(0.005);
});

test("agents wait for their calls, the same on any number of threads", { timeout: 120_000 }, () => {
  const traffic = { replay: { file: "agents.parquet" } };
  const one = run("agents", traffic, 1, "--threads", "1");
  expect(run("agents", traffic, 1, "--threads", "2")).toEqual(one);
  const sent = ({ strategies }: Summary): number[] => strategies.map(({ requests }) => requests.sent.mean);
  expect(sent(one)).toEqual([32, 32]);
  // These servers are faster than the recorded ones: more calls fit before the cut.
  const lengthS = 800;
  const cut = (turns: string): number[] =>
    sent(run(`agents-${turns}`, { replay: { file: "agents.parquet", turns } }, lengthS / 86_400));
  expect(cut("as-recorded")).not.toEqual(cut("after-parents"));
});

test("failed requests are sent, and the summary says how", { timeout: 120_000 }, () => {
  const summary = run("failures", { replay: { file: "failures.parquet" } }, 1);
  expect(summary.strategies[0]!.requests.sent.mean).toBe(42);
  expect(summary.warnings.join("\n")).toContain("4 requests of the recording failed or have an empty answer");
});
