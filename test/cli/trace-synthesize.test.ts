import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { readReplay } from "../../src/io/replay-trace.ts";
import { readTrace } from "../../src/io/trace.ts";
import { smallExperiment, withValue } from "../fixtures/experiment.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const at = (name: string): string => join(folder.path, name);

function synthesize(what: string, out: string, ...more: string[]): Record<string, unknown> {
  const { code, stdout, stderr } = crossover(["trace", "synthesize", what, "--out", at(out), "--json", ...more]);
  expect([code, stderr]).toEqual([0, ""]);
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("the same preset, days and seed give the same bytes; each option moves them", { timeout: 60_000 }, async () => {
  const facts = synthesize("chat-consumer", "a.parquet", "--days", "0.3", "--seed", "5");
  synthesize("chat-consumer", "b.parquet", "--days", "0.3", "--seed", "5");
  const bytes = (name: string): string => readFileSync(at(name)).toString("base64");
  expect(bytes("b.parquet")).toBe(bytes("a.parquet"));
  const trace = await readTrace(at("a.parquet"));
  const { arrivalS, inputTokens, outputTokens } = trace;
  // More rows than a block, in order of time.
  expect(arrivalS.length).toBeGreaterThan(131_072);
  expect(arrivalS.every((timeS, row) => row === 0 || timeS >= arrivalS[row - 1]!)).toBe(true);
  const sum = (values: Uint32Array): number => values.reduce((total, value) => total + value, 0);
  expect(facts).toMatchObject({
    requests: arrivalS.length,
    inputTokens: sum(inputTokens),
    outputTokens: sum(outputTokens),
    warnings: [],
  });
  for (const more of [
    ["--days", "0.1", "--seed", "5"],
    ["--days", "0.3"],
    ["--days", "0.3", "--seed", "5", "--start", "2026-11-07"],
    ["--days", "0.3", "--seed", "5", "--requests-per-s", "1"],
  ])
    expect(synthesize("chat-consumer", "c.parquet", ...more)["requests"]).not.toBe(facts["requests"]);
});

test("a preset of a reasoning model says which part of the answers is reasoning, a thinned one says so", async () => {
  const facts = synthesize("reasoning", "r.parquet", "--days", "0.02", "--requests-per-s", "0.1");
  expect(facts["warnings"]).toEqual([expect.stringContaining("thinned")]);
  const { openParquet } = await import("../../src/io/parquet-read.ts");
  const source = await openParquet(at("r.parquet"), new Float64Array(16));
  expect(source.fields.map((field) => field.name)).toEqual([
    "arrivalS",
    "inputTokens",
    "outputTokens",
    "maxOutputTokens",
    "reasoningTokens",
  ]);
  source.close();
});

test("turns name their session, so that a replay lets each wait for the one before", { timeout: 60_000 }, async () => {
  synthesize("rag", "s.parquet", "--days", "0.05");
  const { arrivalS, sessions, waits } = await readReplay(at("s.parquet"));
  const lastOf = new Map<number, number>();
  let waiting = 0;
  arrivalS.forEach((_, row) => {
    const parents = [...waits!.parents.subarray(waits!.offsets[row], waits!.offsets[row + 1])];
    const before = lastOf.get(sessions![row]!);
    expect(parents).toEqual(before === undefined ? [] : [before]);
    waiting += parents.length;
    lastOf.set(sessions![row]!, row);
  });
  expect(waiting).toBeGreaterThan(arrivalS.length / 10);
});

test("an experiment's traffic is drawn as a run would draw it", { timeout: 60_000 }, () => {
  const pulses = [{ at: "2026-11-02T00:10Z", peak: 20, holdHours: 0.5 }];
  const write = (name: string, traffic: Record<string, unknown>): string => {
    const raw = withValue(withValue(smallExperiment(), ["days"], 0.05), ["traffic"], traffic);
    writeFileSync(at(name), stringify(raw));
    return at(name);
  };
  const plain = synthesize(write("plain.yaml", { preset: "chat-consumer" }), "p.parquet");
  const launch = synthesize(write("launch.yaml", { preset: "chat-consumer", pulses }), "l.parquet");
  expect(Number(launch["requests"]) / Number(plain["requests"])).toBeGreaterThan(5);
});

test.each([
  [["chat-consumr"], 2, 'did you mean "chat-consumer"?'],
  [["rag", "--start", "2026-13-01"], 2, "--start: expected a date"],
  [["rag", "--days", "0"], 2, "Expected a number above 0"],
  [["nothing.yaml"], 2, "no such file"],
  [["rag", "--out", "/nonexistent/x.parquet"], 4, "cannot write /nonexistent/x.parquet"],
])("%j exits with %d", (args, code, message) => {
  const outcome = crossover(["trace", "synthesize", ...args], folder.path);
  expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
  expect(outcome.stderr).toContain(message);
});
