/** What cannot be, on the command line and in files: an exit code, the option or file at fault, what was expected; never a crash. */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { smallExperiment, withValue } from "../fixtures/experiment.ts";
import { crossover, type Outcome, temporaryFolder } from "./crossover.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const MAPPING = "arrivalS=a,inputTokens=b,outputTokens=b";

function saved(name: string, content: unknown): string {
  writeFileSync(join(folder.path, name), typeof content === "string" ? content : stringify(content));
  return name;
}

mkdirSync(join(folder.path, "dir"));
saved("small.yaml", smallExperiment());
saved("a.csv", "a,b\n1,2\n");
saved("none.json", "[]");
saved("binary.yaml", "id: x\u0000\n");
saved(
  "crowded.yaml",
  withValue(withValue(smallExperiment(), ["days"], 30), ["traffic"], {
    requestsPerS: 1e7,
    input: { kind: "constant", tokens: 10 },
    output: { kind: "constant", tokens: 10 },
  }),
);
saved("month.yaml", withValue(smallExperiment(), ["days"], 30));
saved("far.csv", "arrivalS,inputTokens,outputTokens\n0,1,1\n1e12,1,1\n");
saved("twice.csv", "arrivalS,inputTokens,outputTokens,inputTokens\n0,1,1,2\n");
saved(
  "hasty.yaml",
  withValue(
    withValue(smallExperiment(), ["traffic", "burst"], { components: [{ cv: 1, tauS: 1e-9 }], gapCv: 1e-9 }),
    ["classes", 0, "timeoutS"],
    1e-9,
  ),
);
saved("dateless.jsonl", '{"metadata": {"request_start_ns": 1e60}, "metrics": {}}\n');
saved("empty.json", "{}");
saved("bench.json", '{"input_lens": [5], "output_lens": [5], "ttfts": [0.1], "itls": [[0.1]], "completed": 1}');
for (const [name, text] of [
  ["cut", "{"],
  ["nothing", "null"],
  ["bare", '{"version": "0.1.0", "experiment": {}}'],
] as const) {
  mkdirSync(join(folder.path, name));
  saved(join(name, "manifest.json"), text);
}
saved("calc.json", JSON.stringify([{ id: "a", calc: "cost", config: {}, events: [], expected: [] }]));
saved("nowhere.yaml", "title: a\nusage: a.csv\nexperiment: missing.yaml\n");
saved("backcast.yaml", "title: 5\ntrace: t.csv\nexperimnt: e.yaml\nactual: { usd: -1, ttftMs: { p50: fast } }\n");

describe("refused", () => {
  test.each([
    ["check crowded.yaml", 2, "traffic.requestsPerS: about 2.6e+13 requests in a replication", "at most 1655 requests"],
    ["compare small.yaml --rates 2,1e300", 2, "--rates: expected at most 10000000 requests per second, got 1e+300"],
    [
      "trace synthesize rag --days 1e9 --requests-per-s 1e12",
      2,
      "--days: expected at most 3660",
      "--requests-per-s: expected",
    ],
    ["trace synthesize rag --days 3000 --requests-per-s 1e5", 2, "--requests-per-s: about", "(32 bits) at most"],
    ["trace synthesize zzzzzz", 2, 'unknown traffic preset "zzzzzz"', "known: api-midsize, batch-enrichment"],
    ["trace import a.csv --format burstgp", 2, 'unknown format "burstgp"', 'did you mean "burstgpt"?'],
    ["trace import a.csv --format foo", 2, 'unknown format "foo"', "known: auto, "],
    [`trace import a.csv --format vidur --columns ${MAPPING}`, 2, "--format: has no effect beside --columns"],
    // Half an hour of simulation, which it must not come to.
    ["compare month.yaml --rates 1000 --html dir", 4, "cannot write dir: this is a folder, a file is needed"],
    [`trace inspect a.csv --html ${"x".repeat(300)}`, 4, "the name is too long"],
    ["trace import a.csv --time-unit ms", 2, "--time-unit: has no effect without --columns"],
    ["trace import a.csv --format usage --sort", 2, "--sort: has no effect on windows of time"],
    ["calibrate a.csv --columns ttftMs=a,ttftMs=b", 2, "ttft is given twice: ttftMs=a and ttftMs=b"],
    ["calibrate a.csv --columns ttftMs=a,ttftS=b,e2eS=", 2, "ttft is given twice", "e2eS is given no column"],
    ["init --from-usage dir", 3, "dir: this is a folder, a file is needed"],
    [
      "init --model llama-3.3-70bb --gpu nothing-like-it",
      2,
      "--input: is needed too",
      'mean "llama-3.3-70b"?',
      "--gpu: ",
    ],
    ["validate --cases none", 3, "none: no such folder of recorded cases"],
    ["validate --cases a.csv", 3, "a.csv: this is a file, a folder of recorded cases is needed"],
    ["run dir", 3, "dir: this is a folder, a file is needed"],
    ["check binary.yaml", 3, "binary.yaml: this is no text: an experiment (YAML) is needed"],
    ["backcast dir", 3, "dir: this is a folder, a file is needed"],
    ["run small.yaml --replications 1001", 2, "Expected a whole number from 1 to 1000"],
    ["run small.yaml --threads 1e9", 2, "Expected a whole number from 1 to 512"],
    ["run small.yaml --out=", 2, "'--out <dir>' argument '' is invalid. Must not be empty"],
    ["run small.yaml --plugin dir", 2, "dir: this is a folder, a plug-in file is needed"],
    ["compare cut", 3, "cut/manifest.json: not JSON"],
    ["compare nothing", 3, "nothing/manifest.json: this is no manifest of a run"],
    ["compare bare", 3, "bare/manifest.json: this is no manifest of a run"],
    ["compare small.yaml --strategies own,own", 2, '--strategies: "own" is given twice'],
    ["backcast nowhere.yaml", 2, "nowhere.yaml:3:13: experiment: no such file", "missing.yaml"],
    ["calibrate bench.json --columns ttftMs=a", 2, "--columns: has no effect: no file is a CSV"],
    [
      "catalog import --litellm empty.json --as-of 2026-07-24 --models m",
      3,
      "empty.json: it holds no entry of a model",
    ],
    [
      "check hasty.yaml",
      2,
      "classes[0].timeoutS: expected at least 0.001, got 1e-9",
      "traffic.burst.components[0].tauS: expected at least 0.1, got 1e-9",
      "traffic.burst.gapCv: expected at least 0.01, got 1e-9",
    ],
    ["trace inspect far.csv", 3, "far.csv: row 2: 1000000000000 s after the first arrival, more than twenty years"],
    ["trace import far.csv --out t.parquet", 3, "far.csv: row 2: 1000000000000 s after the first arrival"],
    ["trace import dateless.jsonl --out t.parquet", 3, "dateless.jsonl: it begins 1e+51 s from 1970: that is no date"],
    ["trace inspect twice.csv", 3, "twice.csv: two columns have the name inputTokens"],
    ["trace import twice.csv --out t.parquet", 3, "twice.csv: two columns have the name inputTokens"],
    ["trace import a.csv --format usage --out dir", 4, "cannot write dir: this is a folder, a file is needed"],
    ["trace import a.csv --columns arrivalS=a,inputTokens=b,outputTokens=b --out no/t.parquet", 4, "cannot write no/t"],
    ["trace synthesize rag --days 1 --out dir", 4, "cannot write dir: this is a folder, a file is needed"],
    ["limits replay none.json", 3, "none.json: it holds no examples: there is nothing to replay"],
    ["check small.yaml --models nowhere", 2, "nowhere: no such folder of catalogue entries\n"],
    [
      "backcast backcast.yaml",
      2,
      "backcast.yaml:1:8: title: expected text, got 5",
      "experimnt: unknown field",
      "did you mean experiment?",
      "actual.usd: expected a number above 0, got -1",
      'actual.ttftMs.p50: expected a number, got "fast"',
    ],
  ] as [string, number, ...string[]][])("%s: exit %d", (line, code, ...messages) => {
    const outcome = crossover(line.split(" "), folder.path);
    for (const message of messages) expect(outcome.stderr).toContain(message);
    expect([outcome.code, outcome.stdout]).toEqual([code, ""]);
  });
});

test("an example without events does not pass", () => {
  const { code, stdout } = crossover(["limits", "replay", "calc.json"], folder.path);
  expect([code, stdout]).toEqual([5, expect.stringContaining("it has no events")]);
});

test("a finished run whose summary was taken away is the environment's fault", { timeout: 60_000 }, () => {
  saved("tiny.yaml", withValue(withValue(smallExperiment(), ["days"], 0.001), ["replications"], 1));
  const run = (): Outcome => crossover(["run", "tiny.yaml", "--out", "out"], folder.path);
  expect(run().code).toBe(0);
  const runs = join(folder.path, "out", "small");
  writeFileSync(join(runs, readdirSync(runs)[0]!, "summary.json"), "{");
  const { code, stderr } = run();
  expect([code, stderr]).toEqual([4, expect.stringMatching(/summary\.json is no JSON any more; remove out/)]);
});

test("an experiment that is older than what it rests on is warned of", () => {
  const warningsOf = (asOf: string): string => {
    saved("dated.yaml", withValue(smallExperiment(), ["asOf"], asOf));
    return crossover(["check", "dated.yaml"], folder.path).stdout;
  };
  expect(warningsOf("2020-01-01")).toMatch(/warning: asOf 2020-01-01 lies before the date of \d+ of \d+ values/);
  expect(warningsOf("2026-11-24")).not.toContain("lies before");
});

test("a folder of own entries that has none is warned of", () => {
  mkdirSync(join(folder.path, "own", "notes"), { recursive: true });
  const { code, stdout } = crossover(["check", "small.yaml", "--models", "own"], folder.path);
  expect([code, stdout]).toEqual([0, expect.stringContaining("warning: --models own holds no catalogue entries")]);
});

test("usage rows that stand twice in an export are told", () => {
  const hours = Array.from({ length: 48 }, (_, hour) => {
    const start = new Date(Date.UTC(2026, 9, 1, hour)).toISOString();
    return `${start},3600,m,100,50000,9000`;
  });
  const header = "start,bucketS,model,requests,inputTokens,outputTokens";
  saved("overlap.csv", [header, ...hours, hours[5], hours[6]].join("\n"));
  const warning = "rows 6 and 49 are equal in every column, and 1 more such pairs; both count";
  expect(crossover(["init", "again.yaml", "--from-usage", "overlap.csv"], folder.path).stderr).toContain(warning);
  const data = crossover(["init", "data.yaml", "--from-usage", "overlap.csv", "--json"], folder.path).stdout;
  expect(JSON.parse(data)).toMatchObject({
    wrote: ["data.yaml"],
    workload: { requestsPerDay: 2500, inputTokens: 500, outputTokens: 90 },
    notes: expect.arrayContaining([expect.stringContaining("overlap.csv")]),
    warnings: [expect.stringContaining(warning)],
  });
  saved("overlap.yaml", "title: x\nusage: overlap.csv\noffers:\n  m: openai/gpt-5-mini\n");
  expect(crossover(["backcast", "overlap.yaml"], folder.path).stdout).toContain(`overlap.csv: ${warning}`);
  const imported = crossover(["trace", "import", "overlap.csv", "--out", "overlap.parquet"], folder.path).stdout;
  expect(imported).toContain("equalWindows: 2");
});
