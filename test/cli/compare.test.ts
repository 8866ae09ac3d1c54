/** `crossover compare` as a user meets it, on a study without money. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { Comparison } from "../../src/experiment/compare.ts";
import type { Frontier } from "../../src/experiment/frontier.ts";
import { outlineFaults } from "../fixtures/report/outline.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

const work = temporaryFolder();
afterAll(() => work.remove());

interface Study {
  readonly traffic: Readonly<Record<string, unknown>>;
  readonly strategies: Readonly<Record<string, unknown>>;
}

const shipped = parse(readFileSync("experiments/prefill-chunks.yaml", "utf8")) as Study;

function write(name: string, changes: object): string {
  const file = join(work.path, name);
  writeFileSync(file, stringify({ ...shipped, days: 0.01, warmupMinutes: 1, replications: 3, ...changes }));
  return file;
}

function only(name: string): object {
  return { strategies: { [name]: shipped.strategies[name] } };
}

function comparisons(...args: string[]): Comparison[] {
  const result = crossover(["compare", ...args, "--json"]);
  expect(result.stderr).toBe("");
  expect(result.code).toBe(0);
  return (JSON.parse(result.stdout) as { comparisons: Comparison[] }).comparisons;
}

const both = write("both.yaml", {});

test("two files, one file and the folder of a run give the same differences", () => {
  const ofOne = comparisons(both, "--strategies", "whole-prompts,chunks-of-1024");
  expect(ofOne).toHaveLength(1);
  expect(ofOne[0]).toMatchObject({ baseline: "whole-prompts", other: "chunks-of-1024", pairs: 3 });
  expect(comparisons(write("a.yaml", only("whole-prompts")), write("b.yaml", only("chunks-of-1024")))).toEqual(ofOne);
  expect(crossover(["run", both, "--out", join(work.path, "out")]).code).toBe(0);
  const runs = join(work.path, "out", "prefill-chunks");
  expect(comparisons(join(runs, readdirSync(runs)[0]!))).toEqual(ofOne);
});

test("the table says what is separable, and the run shows no money", () => {
  const { stdout } = crossover(["compare", both, both, "--strategies", "whole-prompts,whole-prompts#2"]);
  expect(stdout).toContain("whole-prompts#2 against whole-prompts");
  expect(stdout.split("\n").filter((line) => line.endsWith("the same")).length).toBeGreaterThan(10);
  const run = crossover(["run", both, "--out", join(work.path, "out")]);
  expect(run.stdout).not.toMatch(/USD|Verdict/);
});

test.each([
  [["other-traffic.yaml", { traffic: { ...shipped.traffic, requestsPerS: 6 } }], "differs from .* in traffic"],
  [["other-seed.yaml", { seed: 8, days: 0.02 }], "differs from .* in days, seed"],
  [["other-count.yaml", { replications: 2 }], "differs from .* in replications"],
  [["drawn.yaml", { stepTimeError: "drawn" }], "in stepTimeError: this draws errors of the step-time model"],
] as const)("%j is refused", ([name, changes], expected) => {
  const result = crossover(["compare", both, write(name, changes)]);
  expect(result.code).toBe(2);
  expect(result.stderr).toMatch(new RegExp(expected));
});

test("every input that breaks the pairs is told, and draws are compared with draws", () => {
  const drawn = write("drawn-1.yaml", { stepTimeError: "drawn", replications: 2 });
  const { code, stderr } = crossover(["compare", drawn, both, write("later.yaml", { seed: 9 })]);
  expect(code).toBe(2);
  expect(stderr).toMatch(/both\.yaml: differs from .*drawn-1\.yaml in replications/);
  expect(stderr).toMatch(/both\.yaml: .*stepTimeError: that draws errors/);
  expect(stderr).toMatch(/later\.yaml: differs from .*drawn-1\.yaml in seed, replications/);
  expect(comparisons(drawn, write("drawn-2.yaml", { stepTimeError: "drawn", replications: 2 }))[1]).toMatchObject({
    pairs: 2,
  });
  // Without a pool there is nothing to draw.
  const api = { offers: { gpt: "openai/gpt-5-mini@tier-5" }, routes: { chat: ["gpt"] } };
  const classes = [{ name: "chat", share: 1 }];
  const own = { pools: { own: { llm: "llama-3.1-8b", gpu: "h100-sxm", replicas: 1 } }, routes: { chat: ["own"] } };
  const mixed = (name: string, stepTimeError: string, strategy: object): string =>
    write(name, { stepTimeError, replications: 2, classes, strategies: { [name.slice(0, 3)]: strategy } });
  expect(comparisons(mixed("own.yaml", "drawn", own), mixed("api.yaml", "none", api))).toHaveLength(1);
});

test("facts that differ behind two runs are warned of, and what nobody may do is called so", () => {
  const models = join(work.path, "models", "gpus");
  mkdirSync(models, { recursive: true });
  writeFileSync(join(models, "h100-sxm.yaml"), readFileSync("models/gpus/h100-sxm.yaml"));
  const out = join(work.path, "other-facts");
  const file = write("short.yaml", { replications: 2, ...only("whole-prompts") });
  expect(crossover(["run", file, "--out", out, "--models", join(work.path, "models")]).code).toBe(0);
  const folder = join(out, "prefill-chunks", readdirSync(join(out, "prefill-chunks"))[0]!);
  const { stdout } = crossover(["compare", file, folder]);
  expect(stdout).toContain(
    `${file} and ${folder} were resolved with different catalogue files (override:gpus/h100-sxm.yaml)`,
  );
  expect(crossover(["compare", file, file]).stdout).not.toContain("catalogue files");
  const manifest = readFileSync(join(folder, "manifest.json"), "utf8");
  expect(manifest).toContain('"counterfactual": false');
  writeFileSync(join(folder, "manifest.json"), manifest.replace('"counterfactual": false', '"counterfactual": true'));
  expect(crossover(["compare", file, folder]).stdout).toContain("whole-prompts#2 is a counterfactual");
});

test("too few or unknown strategies are refused with what there is", () => {
  expect(crossover(["compare", write("one.yaml", only("whole-prompts"))]).stderr).toContain("holds one strategy");
  const unknown = crossover(["compare", both, "--strategies", "whole-prompts,chunk-of-1024"]);
  expect(unknown.code).toBe(2);
  expect(unknown.stderr).toContain('unknown strategy "chunk-of-1024"');
  expect(unknown.stderr).toContain("chunks-of-1024");
});

test("a seed of the command line holds for all", () => {
  const file = write("seeded.yaml", { seed: 99 });
  expect(comparisons(both, file, "--seed", "4", "--replications", "2")[1]).toMatchObject({ pairs: 2 });
});

test("rates give a frontier and its page: the same requests for all at each of them", () => {
  const page = join(work.path, "pages", "frontier.html");
  const json = crossover(["compare", both, "--rates", "20,2", "--replications", "2", "--html", page, "--json"]);
  expect(json.code).toBe(0);
  const frontier = JSON.parse(json.stdout) as Frontier & { complete: boolean };
  expect(frontier).toMatchObject({ complete: true, rates: [2, 20], strategies: ["whole-prompts", "chunks-of-1024"] });
  expect(frontier.points.map(({ ratePerS }) => ratePerS)).toEqual([2, 2, 20, 20]);
  const [slow, , fast] = frontier.points;
  expect(fast!.figures["completed"]!.mean).toBeGreaterThan(3 * slow!.figures["completed"]!.mean);
  // What the file asks for is what --rates of that rate gives.
  const same = crossover(["compare", both, "--rates", "5", "--replications", "3", "--html", page, "--json"]);
  const goodput = comparisons(both)[0]!.rows.find(({ metric }) => metric === "goodput")!;
  expect((JSON.parse(same.stdout) as Frontier).points[1]!.figures["goodput"]).toEqual(goodput.other);
  const html = readFileSync(page, "utf8");
  expect(html).toContain("Latency against throughput");
  expect(outlineFaults(html)).toEqual([]);
  expect(html).toContain("chunks-of-1024");
  expect(html).not.toContain("NaN");
});

test("bursts and provisioned units are those of each rate, whatever rate the file asks for", () => {
  const frontier = (requestsPerS: number, ...inputs: string[]) => {
    const file = write(`at-${requestsPerS}.yaml`, {
      days: 0.02,
      replications: 2,
      classes: [{ name: "chat", share: 1 }],
      traffic: { preset: "chat-azure-2023", requestsPerS },
      strategies: {
        units: {
          offers: { api: { offer: "google/gemini-2.5-flash@tier-1", form: { kind: "provisioned" } } },
          routes: { chat: ["api"] },
        },
        own: { pools: { own: { llm: "llama-3.1-8b", gpu: "h100-sxm", replicas: 1 } }, routes: { chat: ["own"] } },
      },
    });
    const page = join(work.path, "rates.html");
    const args = inputs.length === 0 ? [file] : inputs;
    const { stdout, stderr } = crossover(["compare", ...args, "--rates", "12", "--html", page, "--json"]);
    return { file, stderr, ...(JSON.parse(stdout) as Frontier & { warnings: string[] }) };
  };
  const [ofTwelve, ofOne] = [frontier(12), frontier(1)];
  expect(ofOne.points).toEqual(ofTwelve.points);
  expect(ofOne.warnings).toEqual(ofTwelve.warnings);
  // The folder of a run has lost how they were made, and says so.
  expect(crossover(["run", ofOne.file, "--out", join(work.path, "rates")]).code).toBe(0);
  const runs = join(work.path, "rates", "prefill-chunks");
  const ofRun = frontier(1, join(runs, readdirSync(runs)[0]!));
  expect(ofRun.warnings.join()).toContain("bursts and provisioned units stay as that run had them at 1 requests/s");
  expect(ofRun.points[0]!.figures["completed"]!.mean).toBeLessThan(0.8 * ofOne.points[0]!.figures["completed"]!.mean);
});

test("a frontier in the terminal has a block for each figure and writes its page by itself", () => {
  const { stdout, stderr } = crossover(["compare", both, "--rates", "2", "--replications", "2"], work.path);
  expect(stdout).toContain("goodput, requests/s");
  expect(stdout).toMatch(/whole-prompts +.*±/);
  expect(stderr).toContain("output/compare.html");
  expect(existsSync(join(work.path, "output", "compare.html"))).toBe(true);
});

test.each([
  [["--rates", "2,2"], "must differ"],
  [["--rates", "2,-1"], "Expected a number above 0"],
  [["--html", "x.html"], "needs --rates"],
])("%j is refused", (flags, expected) => {
  const { code, stderr } = crossover(["compare", both, ...flags]);
  expect(code).toBe(2);
  expect(stderr).toContain(expected);
});

test("a replay has no other rates", () => {
  const { code, stderr } = crossover(["compare", "experiments/azure-2023-replay.yaml", "--rates", "2"]);
  expect(code).toBe(2);
  expect(stderr).toContain("recorded rate");
});
