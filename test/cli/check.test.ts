import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { checkCommand } from "../../src/node/commands/check.ts";
import { describeFailure } from "../../src/node/exit.ts";
import { crossover, temporaryFolder, type Outcome } from "./crossover.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const SOUND = `id: one
title: One
question: Which?
start: 2026-11-02
days: 2
classes:
  - { name: open, share: 1 }
traffic: { preset: chat-azure-2023, requestsPerS: 2 }
team: { preset: ready }
strategies:
  api:
    offers: { gpt: openai/gpt-5-mini@tier-5 }
    routes: { open: [gpt] }
  own:
    pools:
      gpus: { llm: llama-3.1-8b, gpu: h100-sxm, gpuPrice: nebius-on-demand, replicas: 2 }
    routes: { open: [gpus] }
`;

let files = 0;

function write(text: string): string {
  const file = join(folder.path, `${++files}.yaml`);
  writeFileSync(file, text);
  return file;
}

/** The verb without the process around it, which costs a second to start. */
async function check(text: string, options: Parameters<typeof checkCommand>[1] = {}) {
  const file = write(text);
  return { file, ...(await checkFile(file, options)) };
}

async function checkFile(file: string, options: Parameters<typeof checkCommand>[1] = {}): Promise<Outcome> {
  let stdout = "";
  try {
    await checkCommand(file, options, (part) => (stdout += part));
    return { code: 0, stdout, stderr: "" };
  } catch (error) {
    const failure = describeFailure(error, "crossover check");
    return { code: failure.exitCode, stdout, stderr: failure.text };
  }
}

test("says that an experiment takes long to simulate, the sizing of its pools included", async () => {
  const busy = (requestsPerS: number, replicas: number | "auto"): string =>
    SOUND.replace("requestsPerS: 2", `requestsPerS: ${requestsPerS}, season: flat, growthPerMonth: 0`)
      .replace("replicas: 2", `replicas: ${replicas}`)
      .replace("days: 2", "days: 2\nreplications: 10\nwarmupMinutes: 0");
  const millions = async (text: string): Promise<string | undefined> =>
    /To simulate: about ([0-9,]+) million requests, some .*\d+m on \d+ threads?; fewer days or replications/.exec(
      (await check(text)).stdout,
    )?.[1];
  expect(await millions(busy(2, "auto"))).toBeUndefined();
  // Two days, ten replications, two strategies.
  expect(await millions(busy(10_000, 2))).toBe("34,560");
  // And five times the two busiest days of each replication.
  expect(await millions(busy(10_000, "auto"))).toBe("120,960");
});

describe("as a process", () => {
  test("a sound file: ok on stdout, nothing on stderr", () => {
    const { code, stdout, stderr } = crossover(["check", write(SOUND)]);
    expect([code, stderr, stdout.slice(0, 4)]).toEqual([0, "", "ok: "]);
  });

  test("a wrong file: nothing on stdout, the problem on stderr", () => {
    const file = write(SOUND.replace("days: 2", "dayz: 2"));
    const { code, stdout, stderr } = crossover(["check", file]);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(`${file}:5:1: dayz: unknown field\n  dayz: 2\n  ^^^^\n  hint: did you mean days?\n`);
  });
});

test("a sound file says what it would simulate", async () => {
  const { code, stdout, file } = await check(SOUND);
  expect(code).toBe(0);
  expect(stdout).toContain(`ok: ${file}\n`);
  expect(stdout).toContain("2 days, about 394,224 requests, 10 replications of 2 strategies");
  expect(stdout).toContain("own (self): gpus: 2 × llama-3.1-8b bf16 on 1 × h100-sxm");
});

test("--json is one document", async () => {
  const facts = JSON.parse((await check(SOUND, { json: true })).stdout) as Record<string, unknown>;
  expect(facts).toMatchObject({
    ok: true,
    id: "one",
    requestsExpected: 394_224,
    warnings: [expect.stringContaining("thinned")],
  });
});

test("prices that are later than the simulated start are warned of, in one line", async () => {
  const early = SOUND.replace(/^start: .*$/m, "start: 2024-01-01T00:00:00Z");
  expect(early).not.toBe(SOUND);
  const { stdout } = await check(early);
  const [line, ...more] = stdout.split("\n").filter((text) => text.includes("of a later date"));
  expect(more).toEqual([]);
  expect(line).toContain("warning: the run starts on 2024-01-01 and pays prices of a later date: ");
  expect(line).toContain("price of openai/gpt-5-mini of 2026-09-23");
});

test("old prices and models that end before the experiment does are warned of", async () => {
  const late = SOUND.replace("days: 2", 'days: 60\nasOf: "2027-01-05"');
  const { stdout } = await check(late);
  expect(stdout).toContain("warning: price of openai/gpt-5-mini is 104 days old (2026-09-23)");
  expect(stdout).toContain("warning: openai/gpt-5-mini retires on 2026-12-11, before this experiment ends");
  const moved = late.replace(
    "gpt: openai/gpt-5-mini@tier-5",
    "gpt: { offer: openai/gpt-5-mini@tier-5, retire: announced }",
  );
  expect((await check(moved)).stdout).not.toContain("retires on");
});

describe("what is wrong: message, position, exit code", () => {
  test.each([
    ["an unknown field", ["days: 2", "dayz: 2"], "dayz", "dayz: unknown field", "did you mean days?"],
    [
      "a wrong unit",
      ["share: 1", 'share: 1, slo: { ttftMs: "3s" }'],
      '"3s"',
      'classes[0].slo.ttftMs: expected a number (milliseconds), got "3s"',
      "write 3000",
    ],
    [
      "a field without its unit",
      ["share: 1", "share: 1, slo: { ttft: 3 }"],
      "ttft",
      "classes[0].slo.ttft: unknown field",
      "write ttftMs, in milliseconds",
    ],
    ["an unknown GPU", ["h100-sxm", "h100-sxn"], "h100-sxn", 'unknown GPU "h100-sxn"', 'did you mean "h100-sxm"?'],
    [
      "an unknown model",
      ["llama-3.1-8b", "llama-3.1-9b"],
      "llama-3.1-9b",
      'unknown model "llama-3.1-9b"',
      'did you mean "llama-3.1-8b"?',
    ],
    [
      "an unknown offer",
      ["gpt-5-mini", "gpt-5-mimi"],
      "openai/gpt-5-mimi",
      'unknown offer "openai/gpt-5-mimi"',
      'did you mean "openai/gpt-5-mini"?',
    ],
    [
      "a model that does not fit",
      ["llama-3.1-8b", "llama-3.1-70b"],
      "gpus: { llm",
      "GiB are missing on each GPU",
      "it fits with tensorParallelSize: 2",
    ],
    [
      "a request that never fits",
      ["replicas: 2", "replicas: 2, maxModelLen: 500"],
      "500",
      "most requests can never fit",
      "",
    ],
    ["shares that do not sum to 1", ["share: 1", "share: 0.9"], "0.9", "the shares must sum to 1: 0.9 = 0.9", ""],
    [
      "a class without a route",
      ["routes: { open: [gpus] }", "routes: {}"],
      "routes: {}",
      "class open has no route",
      "",
    ],
    ["YAML syntax", ["{ open: [gpt] }", "{ open: [gpt }"], "}", "YAML: ", ""],
  ] as const)("%s", async (_, [from, to], at, message, hint) => {
    expect(SOUND).toContain(from);
    const lines = SOUND.replace(from, to).split("\n");
    const line = lines.findIndex((text, i) => text !== SOUND.split("\n")[i]);
    const column = lines[line]!.lastIndexOf(at);
    const { code, stdout, stderr, file } = await check(lines.join("\n"));
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    // The place, the source line, and a caret under the place.
    const shown = stderr.split("\n");
    expect(shown[0]).toContain(`${file}:${line + 1}:${column + 1}: `);
    expect(shown[1]).toBe(`  ${lines[line]!}`);
    expect(shown[2]!.indexOf("^")).toBe(column + 2);
  });

  test("all problems at once, sorted by line", async () => {
    const { stderr } = await check(
      SOUND.replace("days: 2", 'days: "2d"').replace("h100-sxm", "h100-sxn").replace("ready", "raedy"),
    );
    expect([...stderr.matchAll(/\d+\.yaml:(\d+):/g)].map(([, line]) => Number(line))).toEqual([5, 9, 16]);
    expect(stderr).toContain("3 problems");
  });

  test("a rate beyond all reason, and one that is none", async () => {
    for (const [rate, said] of [
      ["1e300", "expected at most 10000000, got 1e+300"],
      [".inf", "expected a number (per second), got Infinity"],
    ] as const)
      expect((await check(SOUND.replace("requestsPerS: 2", `requestsPerS: ${rate}`))).stderr).toContain(said);
  });

  test("no such file", async () => {
    const { code, stderr } = await checkFile(join(folder.path, "nowhere.yaml"));
    expect(code).toBe(2);
    expect(stderr).toContain("nowhere.yaml: no such file");
  });

  test("a folder instead of a file is no experiment", async () => {
    expect((await checkFile(folder.path)).code).toBe(3);
  });

  test("a recording that does not exist is shown where it is named, a broken one is a data error", async () => {
    const replay = (name: string) =>
      check(SOUND.replace("preset: chat-azure-2023, requestsPerS: 2", `replay: { file: ${name} }`));
    const missing = await replay("none.parquet");
    expect(missing.code).toBe(2);
    expect(missing.stderr).toContain("8:28: traffic.replay.file: no such recording");
    writeFileSync(join(folder.path, "broken.csv"), "arrivalS,inputTokens,outputTokens\n0,5,5\n1,x,5\n");
    const broken = await replay("broken.csv");
    expect(broken.code).toBe(3);
    expect(broken.stderr).toMatch(/broken\.csv: row 2/);
  });
});

test("--what-if-unrestricted lifts what is not permitted, and says what that does to the verdict", async () => {
  const text = SOUND.replace("share: 1", "share: 1, sensitivity: restricted");
  expect((await check(text)).stdout).toContain("not permitted: gpt is at boundary level 0");
  const { stdout } = await check(text, { whatIfUnrestricted: true });
  expect(stdout).not.toContain("not permitted");
  expect(stdout).toMatch(/warning: .*boundary rules are lifted for open .* nothing of it is evidence for the verdict/);
});

test("--models replaces entries of the catalogue", async () => {
  const entry = readFileSync("models/gpus/h100-sxm.yaml", "utf8")
    .replace(/memoryGB: [\d.]+/, "memoryGB: 10")
    .replace(/usableMemoryGiB: [\d.]+/, "usableMemoryGiB: 10");
  mkdirSync(join(folder.path, "models/gpus"), { recursive: true });
  writeFileSync(join(folder.path, "models/gpus/h100-sxm.yaml"), entry);
  const { code, stderr } = await check(SOUND, { models: join(folder.path, "models") });
  expect(code).toBe(2);
  expect(stderr).toContain("llama-3.1-8b in bf16 does not fit");
});

test.each(["chat-self-host-or-api", "azure-2023-replay"])("the shipped %s is sound", async (name) => {
  const { code, stdout } = await checkFile(`experiments/${name}.yaml`);
  expect([code, stdout.split("\n")[0]]).toEqual([0, `ok: experiments/${name}.yaml`]);
});
