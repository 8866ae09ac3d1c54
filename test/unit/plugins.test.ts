/** Plug-in files: what loads, what is refused and how it is said, and whose fault an exception is. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { StepView } from "../../src/engine/policies/policy.ts";
import { batchingNamed } from "../../src/engine/policies/registry.ts";
import { ConfigError, PolicyError } from "../../src/kernel/errors.ts";
import { enterPlugins, readPlugins } from "../../src/node/plugins.ts";

const folder = mkdtempSync(join(tmpdir(), "crossover-plugins-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function policy(name: string, rest = ""): string {
  return `import { NONE, type BatchingPlugin } from "crossover/policies";
export const plugin: BatchingPlugin = {
  kind: "batching", name: "${name}", doc: "A test.", options: { share: { default: 0.5, min: 0, max: 1, doc: "of what" } },
  create: () => ({ schedule(step) { if (step.firstWaiting() === NONE) throw new TypeError("nobody"); } }),${rest}
};`;
}

async function refusal(path: string): Promise<string> {
  try {
    await enterPlugins(await readPlugins([path]));
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).problems
      .map(({ path: at, message, hint }) => `${at.join(".")}: ${message} (${hint ?? ""})`)
      .join("\n");
  }
  throw new Error(`${path} was taken`);
}

test("a TypeScript file far from the repository is entered under its name, constants of the interface included", async () => {
  const path = file("good.ts", policy("from-outside"));
  const sources = await readPlugins([path, path]);
  expect(sources).toHaveLength(1);
  const [plugin] = await enterPlugins(sources);
  expect(plugin!.name).toBe("from-outside");
  expect(batchingNamed("from-outside")).toBe(plugin);
});

test("every file that went into it has its hash, and changes with what it imports", async () => {
  const helper = file("helper.ts", "export const share: number = 0.25;");
  const path = file("two-files.ts", `import { share } from "./helper.ts";\n${policy("two-files")}\nvoid share;`);
  const [before] = await readPlugins([path]);
  expect(Object.keys(before!.sha256).sort()).toEqual(["helper.ts", "two-files.ts"]);
  expect(before!.sha256["helper.ts"]).toBe(
    createHash("sha256").update("export const share: number = 0.25;").digest("hex"),
  );
  writeFileSync(helper, "export const share: number = 0.75;");
  const [after] = await readPlugins([path]);
  expect(after!.sha256["two-files.ts"]).toBe(before!.sha256["two-files.ts"]);
  expect(after!.sha256["helper.ts"]).not.toBe(before!.sha256["helper.ts"]);
});

test("an exception in a policy names the plug-in", async () => {
  const [plugin] = await enterPlugins(await readPlugins([file("throws.ts", policy("throwing"))]));
  expect(plugin!.kind).toBe("batching");
  const made = batchingNamed("throwing")!.create({ share: 0.5 });
  const empty = { firstWaiting: () => -1 } as unknown as StepView;
  expect(() => made.schedule(empty)).toThrow(PolicyError);
  expect(() => made.schedule(empty)).toThrow(/throwing \(.*throws\.ts\): TypeError: nobody/);
  expect(made.leap).toBeUndefined();
});

test.each(["schedule", "leap", "wakes"] as const)("a %s that returns a promise is told as that", async (method) => {
  const name = `later-${method}`;
  const text = `const later = async () => { throw new TypeError("too late"); };
export const plugin = {
  kind: "batching", name: "${name}", doc: "A test.", options: {},
  create: () => ({ schedule() {}, leap: () => 1, wakes: () => true, ${method}: () => later() }),
};`;
  await enterPlugins(await readPlugins([file(`${name}.ts`, text)]));
  const made = batchingNamed(name)!.create({});
  expect(() => made[method]!({} as StepView, 0)).toThrow(
    new RegExp(`^${name} \\(.*${name}\\.ts\\): ${method} returned a promise: it must have decided when it returns$`),
  );
});

test.each([
  ["nothing there", "nothing.ts", "export const answer = 42;", /exports no plug-in \(it exports answer\)/],
  ["a syntax error", "syntax.ts", "export const x = {;", /Expected identifier but found ";"/],
  ["an import that is not there", "import.ts", 'import { a } from "./absent.ts"; export { a };', /Could not resolve/],
  [
    "an exception at load",
    "load.ts",
    "export const x: number = JSON.parse('{');",
    /fails while it is loaded: SyntaxError/,
  ],
  [
    "a kind misspelt",
    "kind.ts",
    policy("k").replace('"batching", name', '"batchin", name'),
    /kind: expected .*did you mean "batching"/,
  ],
  [
    "an unknown field",
    "field.ts",
    policy("f", " option: {},"),
    /option: a plug-in of kind batching has no such field \(did you mean "options"/,
  ],
  [
    "an option without default",
    "option.ts",
    policy("o").replace("default: 0.5, ", ""),
    /options\.share\.default: expected a number, got nothing/,
  ],
  [
    "a count with half a default",
    "count.ts",
    policy("c").replace("max: 1,", "max: 1, whole: true,"),
    /options\.share\.default: expected a whole number, as the option declares, got 0\.5/,
  ],
  ["an option outside its range", "range.ts", policy("r").replace("0.5", "2"), /min 0 ≤ default 2 ≤ max 1/],
  ["a name in capitals", "name.ts", policy("MyPolicy"), /name: expected lower-case letters/],
  ["a name that ships", "taken.ts", policy("chunked"), /a policy named chunked \(batching\) is there already/],
  [
    "no schedule",
    "schedule.ts",
    policy("s").replace("schedule(step)", "shedule(step: never)"),
    /must return an object with a method schedule/,
  ],
  [
    "a schedule that decides later",
    "async.ts",
    policy("a").replace("schedule(step)", "async schedule(step)"),
    /create: returns a schedule that is async or a generator/,
  ],
  [
    "a schedule that is a generator",
    "generator.ts",
    policy("g").replace("schedule(step)", "*schedule(step)"),
    /create: returns a schedule that is async or a generator/,
  ],
  [
    "a create that throws",
    "create.ts",
    policy("c").replace("create: () => (", "create: () => (JSON.parse('{'), "),
    /create: fails with the default options: SyntaxError/,
  ],
  [
    "an option that is read by another name than its own",
    "slip.ts",
    policy("slip").replace("create: () => ({", "create: ({ shaer, ...all }) => ({ all: JSON.stringify(all),"),
    /create: reads an option shaer, which is not declared \(did you mean "share"\?\)/,
  ],
  [
    "a create that makes it later",
    "later.ts",
    policy("l").replace("create: () =>", "create: async () =>"),
    /create: returns a promise: it must have made the policy when it returns/,
  ],
  [
    "an order without victim",
    "order.ts",
    'export const o = { kind: "order", name: "o", doc: "d", options: {}, create: () => ({ key: () => 0 }) };',
    /victim: expected "last-admitted"/,
  ],
])("%s is refused with what was expected", async (_, name, text, message) => {
  expect(await refusal(file(name, text))).toMatch(message);
});

test("a file that is not there is named, with the one beside it that was meant", async () => {
  file("scheduler.ts", policy("scheduler"));
  await expect(readPlugins([join(folder, "scheduler.js")])).rejects.toThrow("no such plug-in file");
  expect(await refusal(join(folder, "scheduler.js"))).toContain("scheduler.ts");
});
