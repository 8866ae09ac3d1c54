/** Plug-ins that do not return: every command that takes one ends them, says where they were, and leaves honest slowness alone. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { crossover, temporaryFolder } from "./crossover.ts";

const EXAMPLE = readFileSync("experiments/plugins/gentle-prefill.ts", "utf8");
const QUESTION = parse(readFileSync("experiments/plugins/gentle-prefill.yaml", "utf8")) as {
  strategies: Record<string, { pools: { own: object } }>;
};
const LIMIT = ["--plugin-timeout", "1"];
const folder = temporaryFolder();
const here = (name: string): string => join(folder.path, name);
const run = (...args: string[]) => crossover(args, folder.path);

/** A queue order whose `key` does so. */
function order(name: string, key: string, rest = ""): string {
  return `export const order = {
  kind: "order", name: "${name}", doc: "A test.", options: {}, victim: "last-admitted",
  create: () => ({ key(facts, request) { ${key} } }), ${rest}
};`;
}

function question(file: string, replicas: number | "auto", scheduler: object): void {
  const { chunked, gentle } = QUESTION.strategies;
  const changes = {
    days: 0.002,
    warmupMinutes: 0,
    replications: 2,
    strategies: { chunked, gentle: { ...gentle, pools: { own: { ...gentle!.pools.own, replicas, scheduler } } } },
    // Out of reach, so that nobody searches for the rate that still meets it.
    classes: [{ name: "chat", share: 1, slo: { ttftMs: replicas === "auto" ? 2000 : 1 } }],
  };
  writeFileSync(here(file), stringify({ ...QUESTION, ...changes }));
}

beforeAll(() => {
  question("batching.yaml", 1, { batching: "gentle-prefill" });
  question("order.yaml", 1, { order: "mine" });
  question("sized.yaml", "auto", { order: "mine" });
  writeFileSync(here("endless-key.ts"), order("mine", "for (;;);"));
});
afterAll(() => folder.remove());

const ENDLESS = "for (;;) { try { throw 1; } catch {} }";
const BODIES: Readonly<Record<string, string>> = {
  schedule: EXAMPLE.replace("let preempted = false;", `let preempted = false; if (step.nowS > 10) ${ENDLESS}`),
  leap: EXAMPLE.replace("() => Infinity", `() => { ${ENDLESS} }`),
  wakes: EXAMPLE.replace(/wakes: .*/, `wakes() { ${ENDLESS} },`),
};

test.each(["schedule", "leap", "wakes"])("an endless loop in %s ends the run and is named: exit 2", (method) => {
  const file = `endless-${method}.ts`;
  writeFileSync(here(file), BODIES[method]!);
  expect(BODIES[method]).not.toBe(EXAMPLE);
  for (const threads of method === "schedule" ? ["1", "2"] : ["1"]) {
    const args = ["--plugin", file, ...LIMIT, "--threads", threads, "--out", `out-${method}`];
    const { code, stdout, stderr } = run("run", "batching.yaml", ...args);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(
      new RegExp(
        `^plug-in: gentle-prefill \\(endless-${method}\\.ts\\): ${method} did not return within 1 s in strategy gentle, replication [01]\n  hint: is there an endless loop\\?`,
      ),
    );
    expect(readdirSync(here(`out-${method}`))).toEqual([]);
  }
});

test("so does one in a queue order, in compare, and where a fleet is sized", () => {
  const compared = run("compare", "order.yaml", "--plugin", "endless-key.ts", ...LIMIT);
  expect([compared.code, compared.stdout]).toEqual([2, ""]);
  expect(compared.stderr).toContain("mine (endless-key.ts): key did not return within 1 s in strategy gentle");
  const sized = run("run", "sized.yaml", "--plugin", "endless-key.ts", ...LIMIT);
  expect(sized.code).toBe(2);
  expect(sized.stderr).toMatch(/key did not return within 1 s in strategy gentle, .* sized with 1 replicas\n/);
});

test.each([
  ["the file itself", "loading it", `${EXAMPLE}\nfor (;;);`],
  ["a promise that it awaits", "loading it", `${EXAMPLE}\nawait new Promise(() => {});`],
  [
    "create",
    "create",
    order("mine", "return 0;").replace("() => ({", "() => { for (;;); return ({").replace("}),", "})},"),
  ],
])("%s that does not end is told before anything runs, by check too", (_, what, text) => {
  writeFileSync(here("endless-load.ts"), text);
  for (const [command, question] of [
    ["run", "order.yaml"],
    ["check", "order.yaml"],
  ] as const) {
    const { code, stdout, stderr } = run(command, question, "--plugin", "endless-load.ts", ...LIMIT);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(new RegExp(`^plug-in: endless-load\\.ts: ${what} did not return within 1 s\n`));
  }
  const { code, stderr } = run("conform", "./endless-load.ts", ...LIMIT);
  expect(code).toBe(2);
  expect(stderr).toContain(`./endless-load.ts: ${what} did not return within 1 s`);
});

test("conform names the scenario in which it hung, keeps what it found before, and replays it by number: exit 5", () => {
  // True of every scenario that is large enough.
  const text = EXAMPLE.replace("let preempted = false;", "let preempted = false; while (step.runningCount > 2);");
  writeFileSync(here("hangs.ts"), text);
  const { code, stdout, stderr } = run("conform", "./hangs.ts", ...LIMIT);
  expect([code, stderr]).toEqual([5, ""]);
  const [, scenarios] = /gentle-prefill \(batching\), (\d+) random scenarios, seed 7: does not conform/.exec(stdout)!;
  expect(stdout).toMatch(/^ {2}FAIL {2}rules/m);
  expect(stdout).toMatch(/^ {2}pass {2}leap/m);
  expect(stdout).toMatch(/^rules: gentle-prefill \(\.\/hangs\.ts\): schedule did not return within 1 s$/m);
  expect(stdout).toContain(`again: crossover conform ./hangs.ts --seed 7 --scenario ${Number(scenarios) - 1}\n`);
  const again = run("conform", "./hangs.ts", ...LIMIT, "--scenario", String(Number(scenarios) - 1), "--json");
  expect(again.code).toBe(5);
  const { policies } = JSON.parse(again.stdout) as { policies: { checks: { rules: object } }[] };
  expect(policies[0]!.checks.rules).toMatchObject({ scenario: Number(scenarios) - 1, differs: null });
});

test("conform tells of a loop in charges, and of a policy that is run only while an option is moved", () => {
  writeFileSync(here("charges.ts"), order("mine", "return 0;", "charges() { for (;;); },"));
  const charges = run("conform", "./charges.ts", ...LIMIT);
  expect(charges.code).toBe(5);
  expect(charges.stdout).toContain("mine (./charges.ts): charges did not return within 1 s");
  const option = '{ default: 1, min: 1, max: 3, doc: "a test" }';
  const text = order("mine", "if (share === 3) for (;;); return 0;")
    .replace("options: {}", `options: { share: ${option} }`)
    .replace("create: ()", "create: ({ share })");
  writeFileSync(here("option.ts"), text);
  // One scenario, whose options are at their defaults: the bounds are tried afterwards.
  const { code, stdout } = run("conform", "./option.ts", ...LIMIT, "--scenarios", "1");
  expect(code).toBe(5);
  expect(stdout).toContain("order mine share=3");
  expect(stdout).toContain("again: crossover conform ./option.ts --seed 7\n");
});

test("a plug-in that is slow call after call is left alone, however long it takes in all", () => {
  // Each of some 1,400 calls takes 3 ms of the one second that a call may take.
  writeFileSync(
    here("slow.ts"),
    order("mine", "const end = performance.now() + 3; while (performance.now() < end); return 0;"),
  );
  const start = performance.now();
  const { code, stderr } = run("run", "order.yaml", "--plugin", "slow.ts", ...LIMIT, "--threads", "1", "--out", "slow");
  expect([code, stderr]).toEqual([0, ""]);
  expect(performance.now() - start).toBeGreaterThan(3000);
});

test("a plug-in that ends its thread is named, and nothing waits for what was left in the queue", () => {
  writeFileSync(here("exits.ts"), order("mine", "process.exit(3);"));
  const { code, stderr } = run("run", "order.yaml", "--plugin", "exits.ts", "--threads", "1", "--out", "exits");
  expect(code).toBe(2);
  expect(stderr).toMatch(/^plug-in: mine \(exits\.ts\): key ended its thread \(.*3\) in strategy gentle, replication/);
});

test("an exception in charges is the plug-in's fault", () => {
  writeFileSync(here("charges.ts"), order("mine", "return 0;", 'charges() { throw new Error("no charge"); },'));
  const { code, stderr } = run("run", "order.yaml", "--plugin", "charges.ts", "--out", "charges");
  expect([code, stderr]).toEqual([2, expect.stringMatching(/^plug-in: mine \(charges\.ts\): Error: no charge at/)]);
});

test.each([["0"], ["-1"], ["soon"]])("--plugin-timeout %s is no length of time", (value) => {
  const { code, stderr } = run("conform", "./hangs.ts", "--plugin-timeout", value);
  expect(code).toBe(2);
  expect(stderr).toContain("Expected a number above 0");
});
