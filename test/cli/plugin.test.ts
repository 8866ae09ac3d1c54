/** A scheduler of one's own, from a folder far from the repository: conform, run, compare, and how its faults are told. */
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { Summary } from "../../src/decision/summary.ts";
import { readParquetTable } from "../../src/io/parquet-table.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

const EXAMPLE = readFileSync("experiments/plugins/gentle-prefill.ts", "utf8");
const QUESTION = parse(readFileSync("experiments/plugins/gentle-prefill.yaml", "utf8")) as {
  strategies: Record<string, object>;
};
const folder = temporaryFolder();
const here = (name: string): string => join(folder.path, name);

beforeAll(() => {
  writeFileSync(here("my-scheduler.ts"), EXAMPLE);
  const { chunked, gentle } = QUESTION.strategies;
  const changes = {
    days: 0.01,
    warmupMinutes: 1,
    replications: 2,
    strategies: { chunked, gentle },
    // Out of reach, so that nobody searches for the rate that still meets it.
    classes: [{ name: "chat", share: 1, slo: { ttftMs: 1 } }],
  };
  writeFileSync(here("question.yaml"), stringify({ ...QUESTION, ...changes }));
});
afterAll(() => folder.remove());

function run(...args: string[]) {
  return crossover(args, folder.path);
}

function onlyRun(out: string): string {
  const runs = join(folder.path, out, "gentle-prefill");
  return join(runs, readdirSync(runs)[0]!);
}

test("the example that ships conforms", () => {
  const { code, stdout, stderr } = run("conform", "./my-scheduler.ts", "--scenarios", "60");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("gentle-prefill (batching), 60 random scenarios, seed 7: conforms");
  expect(stdout.match(/^ {2}pass/gm)).toHaveLength(5);
});

test("so does the queue order in the README, its option included", () => {
  const [, code] = /```ts\n([\s\S]*?)```/.exec(readFileSync("README.md", "utf8"))!;
  writeFileSync(here("order.ts"), code!);
  const { code: exit, stdout, stderr } = run("conform", "./order.ts", "--scenarios", "60");
  expect([exit, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("short-limits-first (order), 60 random scenarios, seed 7: conforms");
  expect(stdout).not.toContain("warning");
  const line =
    /^ {2}under load: longest wait ([\d.]+) times that of chunked with fcfs \(.*, scenario (\d+)\); one request was overtaken by (\d+) /m;
  const [, ratio, scenario, overtakenBy] = line.exec(stdout)!.map(Number);
  const json = run("conform", "./order.ts", "--scenarios", "60", "--json");
  const { waits } = (JSON.parse(json.stdout) as { policies: { waits: Record<string, number> }[] }).policies[0]!;
  expect(waits).toMatchObject({ scenario, overtakenBy });
  expect(waits.ratio).toBeCloseTo(ratio!, 1);
  expect(overtakenBy).toBeGreaterThan(0);
});

test("a false leap claim is caught, printed small, and replayed by its number: exit 5", () => {
  writeFileSync(
    here("liar.ts"),
    EXAMPLE.replace(/wakes: .*/, "wakes: () => false,").replace('"gentle-prefill"', '"liar"'),
  );
  const { code, stdout } = run("conform", "./liar.ts", "--scenarios", "60");
  expect(code).toBe(5);
  expect(stdout).toMatch(/^ {2}FAIL {2}leap/m);
  expect(stdout).toMatch(
    /leap: request \d+ fares differently walked and leapt\n {2}expected: completed at .* s, first token .* s\n {2}found: +completed at/,
  );
  expect(stdout).toContain("steps that are leapt over call neither schedule nor leap: what a policy counts by");
  const [, again] = /again: crossover (conform .*)\n/.exec(stdout)!;
  const replayed = run(...again!.split(" "));
  expect(replayed.code).toBe(5);
  expect(replayed.stdout).toContain(stdout.slice(stdout.indexOf("\nleap: ")));
  const json = run("conform", "./liar.ts", "--scenarios", "60", "--json");
  expect(json.code).toBe(5);
  const { passed, policies } = JSON.parse(json.stdout) as {
    passed: boolean;
    policies: { checks: Record<string, unknown> }[];
  };
  expect(passed).toBe(false);
  expect(policies[0]!.checks.leap).toMatchObject({ message: expect.stringContaining("fares differently") as string });
  expect(policies[0]!.checks.rules).toBeNull();
});

test("run gives the same bytes with any number of threads, and says what the plug-in was and how to run it again", () => {
  const args = ["run", "question.yaml", "--plugin", "./my-scheduler.ts"];
  for (const threads of ["1", "2"]) {
    const { code, stderr } = run(...args, "--out", `threads-${threads}`, "--threads", threads);
    expect([code, stderr]).toEqual([0, ""]);
  }
  const summary = readFileSync(join(onlyRun("threads-1"), "summary.json"), "utf8");
  expect(readFileSync(join(onlyRun("threads-2"), "summary.json"), "utf8")).toBe(summary);
  const [chunked, gentle] = (JSON.parse(summary) as Summary).strategies;
  expect(gentle!.ttftMs.p99!.mean).not.toBe(chunked!.ttftMs.p99!.mean);
  const manifest = JSON.parse(readFileSync(join(onlyRun("threads-1"), "manifest.json"), "utf8")) as Record<
    string,
    unknown
  >;
  const sha256 = createHash("sha256").update(EXAMPLE).digest("hex");
  expect(manifest.plugins).toEqual([{ file: "./my-scheduler.ts", sha256: { "my-scheduler.ts": sha256 } }]);
  expect(manifest.replayCommand).toBe("npx crossover run question.yaml --plugin ./my-scheduler.ts");
});

test("a run is answered from its folder for the same text of the plug-in, wherever it lies, and anew once the text or a file it imports has changed", () => {
  const runs = (): string[] => readdirSync(here("edited/gentle-prefill"));
  const reused = (file: string): boolean => {
    const { code, stderr } = run("run", "question.yaml", "--plugin", file, "--out", "edited");
    expect(code).toBe(0);
    return stderr.includes("is reused");
  };
  const imports = `import "./helper.ts";\n${EXAMPLE}`;
  writeFileSync(here("helper.ts"), "export const one = 1;\n");
  writeFileSync(here("edited.ts"), imports);
  expect(reused("edited.ts")).toBe(false);
  expect(reused("./edited.ts")).toBe(true);
  mkdirSync(here("elsewhere"));
  for (const name of ["helper.ts", "edited.ts"]) copyFileSync(here(name), here(`elsewhere/${name}`));
  expect(reused("elsewhere/edited.ts")).toBe(true);
  expect(runs()).toHaveLength(1);
  writeFileSync(here("helper.ts"), "export const one = 2;\n");
  expect(reused("edited.ts")).toBe(false);
  writeFileSync(here("edited.ts"), imports.replace("default: 256", "default: 64"));
  expect(reused("edited.ts")).toBe(false);
  expect(runs()).toHaveLength(3);
});

test("--steps writes one row a step and a trace, and changes no result", async () => {
  const args = ["run", "question.yaml", "--plugin", "./my-scheduler.ts"];
  const { code, stderr } = run(...args, "--out", "steps", "--steps", "first:300");
  expect([code, stderr]).toEqual([0, ""]);
  const path = onlyRun("steps");
  const withoutId = (text: string): string => text.replaceAll(/"[0-9a-f]{12}"/g, '"id"');
  expect(withoutId(readFileSync(join(path, "summary.json"), "utf8"))).toBe(
    withoutId(readFileSync(join(onlyRun("threads-2"), "summary.json"), "utf8")),
  );
  const { rows, columns } = await readParquetTable(join(path, "steps.parquet"), ["strategy", "policy"]);
  expect(rows).toBe(600);
  expect(new Set(columns.policy as string[])).toEqual(new Set(["chunked, fcfs", "gentle-prefill, fcfs"]));
  const { traceEvents } = JSON.parse(readFileSync(join(path, "steps.trace.json"), "utf8")) as {
    traceEvents: { ph: string }[];
  };
  expect(traceEvents.filter(({ ph }) => ph === "X")).toHaveLength(600);
  const none = run(...args, "--out", "none", "--steps", "replica:1");
  expect(none.code).toBe(2);
  expect(none.stderr).toContain("--steps replica:1: there is no such replica");
});

test("compare sets a plug-in against what ships, from files and from folders of finished runs", () => {
  const direct = run("compare", "question.yaml", "--plugin", "my-scheduler.ts", "--json");
  expect([direct.code, direct.stderr]).toEqual([0, ""]);
  const again = run("compare", onlyRun("threads-2"), "--plugin", "my-scheduler.ts", "--json");
  expect(JSON.parse(again.stdout)).toEqual(JSON.parse(direct.stdout));
  expect(again.stdout).not.toContain("another text");
  // The manifest keeps what the policy was, not the policy: an edited one is compared, and said to be edited.
  writeFileSync(here("my-edited.ts"), `${EXAMPLE}\n// changed\n`);
  const edited = run("compare", onlyRun("threads-2"), "--plugin", "my-edited.ts");
  expect(edited.code).toBe(0);
  expect(edited.stdout).toMatch(/warning: .* was run with another text of \.\/my-scheduler\.ts: its strategies are/);
  const without = run("compare", onlyRun("threads-2"));
  expect(without.code).toBe(2);
  expect(without.stderr).toContain("gentle-prefill, which is not among those that ship");
});

test("what is wrong with a plug-in is said with its file: exit 2", () => {
  const missing = run("check", "question.yaml");
  expect(missing.code).toBe(2);
  expect(missing.stderr).toContain('unknown batching policy "gentle-prefill"');
  expect(missing.stderr).toContain("--plugin");
  expect(run("check", "question.yaml", "--plugin", "my-scheduler.ts").code).toBe(0);
  const absent = run("run", "question.yaml", "--plugin", "my-sheduler.ts");
  expect([absent.code, absent.stderr]).toEqual([2, "my-sheduler.ts: no such plug-in file\n"]);
  writeFileSync(
    here("throws.ts"),
    EXAMPLE.replace(
      "let preempted = false;",
      'let preempted = false;\n      if (step.nowS > 10) throw new TypeError("ten");',
    ),
  );
  const thrown = run("run", "question.yaml", "--plugin", "throws.ts", "--out", "thrown");
  expect(thrown.code).toBe(2);
  const line =
    readFileSync(here("throws.ts"), "utf8")
      .split("\n")
      .findIndex((text) => text.includes("ten")) + 1;
  expect(thrown.stderr).toMatch(
    new RegExp(
      `^plug-in: gentle-prefill \\(throws\\.ts\\): TypeError: ten at throws\\.ts:${line}:\\d+, in strategy gentle, replication [01]\n`,
    ),
  );
  writeFileSync(
    here("idle.ts"),
    EXAMPLE.replace("let preempted = false;", "let preempted = false;\n      if (step.nowS > 10) return;"),
  );
  const idle = run("run", "question.yaml", "--plugin", "idle.ts", "--out", "idle");
  expect(idle.code).toBe(2);
  expect(idle.stderr).toMatch(
    /^plug-in: INV-6 broken: gentle-prefill \(idle\.ts\) scheduled nothing at \d+\.\d+ s, .* later time, in strategy gentle, replication [01]\n/,
  );
  expect(readdirSync(resolve(folder.path, "idle"))).toEqual([]);
});

test("a plan beyond the token budget ends the run as the plug-in's fault", () => {
  writeFileSync(
    here("over.ts"),
    `import { type BatchingPlugin } from "crossover/policies";
export const over: BatchingPlugin = {
  kind: "batching",
  name: "gentle-prefill",
  doc: "Prompts first, then everybody decodes.",
  options: { prefillTokens: { default: 1, min: 1, max: 65_536, doc: "not used" } },
  create: () => ({
    schedule(step) {
      for (let r = step.nextPrefill(); r !== -1; r = step.nextPrefill()) if (step.prefill(r, 1e9) <= 0) break;
      for (let r = step.firstWaiting(); r !== -1; r = step.firstWaiting()) if (step.admit(r, 1e9) <= 0) break;
      while (!step.decodeAll()) step.preempt(step.victim());
    },
    leap: () => Infinity,
  }),
};
`,
  );
  const { code, stderr } = run("run", "question.yaml", "--plugin", "over.ts", "--out", "over");
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /^plug-in: gentle-prefill \(over\.ts\) plans \d+ tokens for a step of at most \d+ \(maxNumBatchedTokens\).*, in strategy gentle/,
  );
});

test.each([
  ["prefill", "step.prefill(request, room())", "step.prefill(request, NaN)", /tokens, not NaN at nan-prefill\.ts:\d+:/],
  [
    "admit",
    "step.admit(request, room())",
    "step.admit(request, 0.5)",
    /whole number of tokens, not 0\.5 at nan-admit\.ts:/,
  ],
  ["leap", "leap: () => Infinity", "leap: () => NaN", /claims to leap over NaN steps/],
  [
    "request",
    "let preempted = false;",
    "let preempted = false;\n step.preempt(99999);",
    /names request 99999, which does not run at/,
  ],
])("what is no number, or nobody, is refused as the plug-in's fault: %s", (what, from, to, message) => {
  const text = EXAMPLE.replace(from, to);
  expect(text).not.toBe(EXAMPLE);
  writeFileSync(here(`nan-${what}.ts`), text);
  const { code, stderr } = run("run", "question.yaml", "--plugin", `nan-${what}.ts`, "--out", `nan-${what}`);
  expect(code).toBe(2);
  expect(stderr).toMatch(/^plug-in: gentle-prefill /);
  expect(stderr).toMatch(message);
});
