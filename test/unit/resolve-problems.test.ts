/** What can be wrong with an experiment beyond its form: each mistake once, with place, words and the nearest name. */
import { describe, expect, test } from "vitest";
import { problemsOf, resolveRaw, smallExperiment, withValue, type Path } from "../fixtures/experiment.ts";

const pool: Path = ["strategies", "own", "pools", "gpus"];
const offer: Path = ["strategies", "both", "offers", "gpt"];

function found(path: Path, value: unknown): string[] {
  return problemsOf(withValue(smallExperiment(), path, value)).map(
    ({ path: at, message, hint }) => `${at.join(".")}: ${message}${hint === undefined ? "" : ` | ${hint}`}`,
  );
}

describe("names", () => {
  test.each([
    [
      [...pool, "gpu"],
      "h100-sxn",
      /^strategies\.own\.pools\.gpus\.gpu: unknown GPU "h100-sxn" \| did you mean "h100-sxm"\?$/,
    ],
    [[...pool, "llm"], "llama-3.1-9b", /unknown model "llama-3.1-9b" \| did you mean "llama-3.1-8b"\?/],
    [[...pool, "engine"], "vlm", /unknown engine profile "vlm" \| did you mean "vllm"\?/],
    [
      [...pool, "gpuPrice"],
      "nebius-ondemand",
      /gpuPrice: unknown GPU price "nebius-ondemand" \| did you mean "nebius-on-demand"\?/,
    ],
    [[...pool, "gpuPrice"], undefined, /gpuPrice: is missing \| only an experiment without a team may leave it out/],
    [[...pool, "gpuPrice"], "tensorwave-on-demand", /has no rate for h100-sxm \| sellers of it: /],
    [[...pool, "router"], "two-choice", /unknown router "two-choice" \| did you mean "two-choices"\?/],
    [
      [...pool, "router"],
      { name: "two-choices", options: { k: 2 } },
      /router\.options\.k: two-choices has no option "k" \| its options: d/,
    ],
    [
      [...pool, "router"],
      { name: "two-choices", options: { d: 99 } },
      /router\.options\.d: expected a number from 1 to 16, got 99/,
    ],
    [[...pool, "incidents"], "typcal", /unknown incident preset "typcal" \| did you mean "typical"\?/],
    [[...pool, "coldStart"], { profile: "vllm-cashed" }, /coldStart\.profile: unknown cold start "vllm-cashed"/],
    [offer, "openai/gpt-5-mini@tier-9", /^strategies\.both\.offers\.gpt: unknown tier of openai\/gpt-5-mini "tier-9"/],
    [offer, "openai/gpt-5-mini", /needs a tier \| openai\/gpt-5-mini@tier-1/],
    [
      [...offer, "offer"],
      "opnai/gpt-5-mini@tier-5",
      /offers\.gpt\.offer: unknown offer "opnai\/gpt-5-mini" \| did you mean "openai\/gpt-5-mini"\?/,
    ],
    [[...offer, "boundary"], "zrd", /offers\.gpt\.boundary: unknown boundary of openai "zrd" \| did you mean "zdr"\?/],
    [[...offer, "limits"], { rpn: { limitPerMin: 1 } }, /limits\.rpn: .* has no limit "rpn" \| did you mean "rpm"\?/],
    [
      ["traffic", "preset"],
      "chat-azure-2032",
      /unknown traffic preset "chat-azure-2032" \| did you mean "chat-azure-2023"\?/,
    ],
    [["traffic", "season"], "azure-llm-2024-con", /traffic\.season: unknown season .* \| did you mean/],
    [["client"], "openai-nod", /^client: unknown client "openai-nod" \| did you mean "openai-node"\?/],
    [["team", "preset"], "raedy", /unknown team preset "raedy" \| did you mean "ready"\?/],
    [["team", "region"], "uk", /team\.region: unknown region "uk"/],
  ])("%j = %j", (path, value, expected) => {
    const problems = found(path, value);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(expected);
  });
});

describe("memory and batch", () => {
  test("a model that does not fit says how many GiB are missing, and what fits", () => {
    const [problem, ...others] = found([...pool, "llm"], "llama-3.1-70b");
    expect(others).toEqual([]);
    const [, missing, memory, weights, overhead] =
      /^strategies\.own\.pools\.gpus\.tensorParallelSize: llama-3\.1-70b in bf16 does not fit: ([\d.]+) GiB are missing on each GPU\. A h100-sxm gives the engine ([\d.]+) GiB; its share of the weights takes ([\d.]+), activations and overhead ([\d.]+) \| it fits with tensorParallelSize: (\d)$/.exec(
        problem!,
      )!;
    // 70.55e9 parameters of 2 bytes are 131.4 GiB; the driver reports 79.18 GiB, of which the engine takes 0.9.
    expect(Number(weights)).toBeCloseTo(131.4, 1);
    expect(Number(memory)).toBeCloseTo(79.18 * 0.9, 1);
    expect(Number(missing)).toBeCloseTo(Number(weights) + Number(overhead) - Number(memory), 0);
  });

  test("a model too large for any node says so", () => {
    const raw = withValue(smallExperiment(), pool, {
      llm: "llama-3.1-405b",
      gpu: "l4",
      gpuPrice: { usdPerGpuHour: 1 },
    });
    expect(problemsOf(raw)[0]!.hint).toMatch(/^no size up to 8 fits/);
  });

  test.each([
    [
      [...pool, "tensorParallelSize"],
      3,
      /3 does not divide the 32 attention and 8 KV heads of llama-3.1-8b \| sizes that do: 1, 2, 4, 8/,
    ],
    [[...pool, "tensorParallelSize"], 9, /expected at most 8, got 9/],
    [
      [...pool, "maxNumBatchedTokens"],
      512,
      /maxNumBatchedTokens: a step has a budget of 512 tokens but 1024 sequences/,
    ],
    [[...pool, "maxNumSeqs"], 10_000, /maxNumSeqs: a step has a budget of 8192 tokens but 10000 sequences/],
    [[...pool, "maxModelLen"], 200_000, /maxModelLen: 200000 tokens are more than the context of llama-3.1-8b, 131072/],
    [[...pool, "kvBlocks"], 100, /most requests can never fit|1600 tokens/],
  ])("%j = %j", (path, value, expected) => {
    const texts =
      path.at(-1) === "kvBlocks"
        ? resolveRaw(withValue(smallExperiment(), path, value)).experiment.warnings
        : found(path, value);
    expect(texts.join("\n")).toMatch(expected);
  });

  test("a declared maxModelLen that the KV cache does not hold", () => {
    const raw = withValue(withValue(smallExperiment(), [...pool, "kvBlocks"], 100), [...pool, "maxModelLen"], 8192);
    expect(problemsOf(raw)).toMatchObject([
      {
        path: [...pool, "maxModelLen"],
        message: expect.stringContaining("more KV cache than a replica has, 1600 tokens"),
        hint: "write at most 1600",
      },
    ]);
  });

  test("a node too small for a replica", () => {
    const raw = withValue(
      withValue(smallExperiment(), [...pool, "tensorParallelSize"], 4),
      [...pool, "gpusPerNode"],
      2,
    );
    expect(problemsOf(raw)).toMatchObject([
      {
        path: [...pool, "gpusPerNode"],
        message: "a node of 2 GPUs does not hold the 4 that share a layer of a replica",
      },
    ]);
  });
});

describe("request lengths", () => {
  const lengths = (input: number): unknown => ({
    requestsPerS: 1,
    input: { kind: "constant", tokens: input },
    output: { kind: "constant", tokens: 100 },
  });

  test("requests that can never fit are refused with the figures", () => {
    const raw = withValue(withValue(smallExperiment(), ["traffic"], lengths(40_000)), [...pool, "maxModelLen"], 8192);
    expect(problemsOf(raw)).toMatchObject([
      {
        path: [...pool, "maxModelLen"],
        message:
          "most requests can never fit: requests have 40100 to 40100 tokens (prompt and answer), typically 40100, and maxModelLen of pool gpus is 8192",
      },
    ]);
  });

  test("an offer whose context is too short is refused too", () => {
    const problems = found(["traffic"], lengths(500_000));
    expect(problems.filter((problem) => problem.includes("context of offer gpt is 400000"))).toHaveLength(2);
  });

  test("some that do not fit are warned of", () => {
    const { warnings } = resolveRaw(withValue(smallExperiment(), [...pool, "maxModelLen"], 8192)).experiment;
    expect(warnings.join("\n")).toMatch(
      /^own: pool gpus refuses requests above 8192 tokens \(maxModelLen\): requests have 9 to 1\d{4} tokens/,
    );
  });
});

describe("classes, routes, options", () => {
  test.each([
    [["classes", 0, "share"], 0.7, /^classes\.1\.share: the shares must sum to 1: 0\.7 \+ 0\.2 = 0\.9$/],
    [["classes", 1, "name"], "open", /classes\.1\.name: there are two classes named open/],
    [
      ["strategies", "own", "routes", "secret"],
      undefined,
      /^strategies\.own\.routes\.secret: class secret has no route/,
    ],
    [
      ["strategies", "own", "routes", "secrt"],
      ["gpus"],
      /routes\.secrt: unknown class "secrt" \| did you mean "secret"\?/,
    ],
    [
      ["strategies", "own", "routes", "open"],
      ["gpu"],
      /routes\.open\.0: unknown pool or offer "gpu" \| did you mean "gpus"\?/,
    ],
    [["strategies", "own", "routes", "open"], ["gpus", "gpus"], /routes\.open\.1: gpus is listed twice/],
    [
      ["strategies", "api", "routes", "open"],
      [{ to: "gpt", overflowInFlightPerReplica: 3 }],
      /gpt is an offer, which has no replicas/,
    ],
    [
      ["strategies", "both", "offers", "gpus"],
      "openai/gpt-5-mini@tier-5",
      /offers\.gpus: gpus is used for both a pool and an offer/,
    ],
    [["strategies", "own", "option"], "split", /option: is split, but a strategy with pools only is evidence for self/],
    [["strategies", "own", "pools"], {}, /strategies\.own: a strategy needs at least one pool or offer/],
    [["strategies"], {}, /^strategies: at least one strategy is needed$/],
    [["team"], {}, /^team: needs either a preset or levels \| presets: /],
    [["days"], undefined, /^days: is missing: synthetic traffic has no end of its own/],
  ])("%j = %j", (path, value, expected) => {
    expect(found(path, value).join("\n")).toMatch(expected);
  });

  test("a target that no route leads to is warned of", () => {
    const raw = withValue(smallExperiment(), ["strategies", "api", "offers", "spare"], "openai/gpt-5-mini@tier-5");
    expect(resolveRaw(raw).experiment.warnings).toContain("strategies.api: no route leads to spare");
  });
});

describe("traffic", () => {
  test.each([
    [
      { requestsPerS: 1 },
      [
        ["traffic", "input"],
        ["traffic", "output"],
      ],
    ],
    [{ replay: { file: "none.parquet" } }, [["traffic", "replay", "file"]]],
    [
      { replay: { file: "none.parquet" }, requestsPerS: 2 },
      [
        ["traffic", "requestsPerS"],
        ["traffic", "replay", "file"],
      ],
    ],
    [{ preset: "chat-azure-2023", input: { kind: "lognormal", sigma: 1, maxTokens: 9 } }, [["traffic", "input"]]],
    [
      {
        preset: "chat-azure-2023",
        input: { kind: "lognormal", sigma: 1, meanTokens: 3, medianTokens: 3, maxTokens: 9 },
      },
      [["traffic", "input"]],
    ],
    [
      { preset: "chat-azure-2023", input: { kind: "lognormal", sigma: 1, meanTokens: 30, maxTokens: 9 } },
      [["traffic", "input", "meanTokens"]],
    ],
    [
      {
        preset: "chat-azure-2023",
        input: { kind: "lognormal", sigma: 1, meanTokens: 30, minTokens: 50, maxTokens: 9 },
      },
      [["traffic", "input", "minTokens"]],
    ],
    [
      { preset: "chat-azure-2023", input: { kind: "quantiles", percentiles: [0, 50], tokens: [1, 2], meanTokens: 2 } },
      [["traffic", "input", "percentiles"]],
    ],
    [
      { preset: "chat-azure-2023", input: { kind: "quantiles", percentiles: [0, 100], tokens: [2, 1], meanTokens: 2 } },
      [["traffic", "input", "tokens"]],
    ],
    [
      {
        preset: "chat-azure-2023",
        input: { kind: "quantiles", percentiles: [0, 50, 100], tokens: [2, 1], meanTokens: 2 },
      },
      [["traffic", "input", "tokens"]],
    ],
  ])("%j", (traffic, paths) => {
    expect(problemsOf(withValue(smallExperiment(), ["traffic"], traffic)).map(({ path }) => path)).toEqual(paths);
  });
});

test("all problems come at once, of form and of meaning", () => {
  let raw = withValue(smallExperiment(), ["titel"], "x");
  raw = withValue(raw, ["title"], undefined);
  raw = withValue(raw, ["days"], "3d");
  raw = withValue(raw, [...pool, "gpu"], "h100-sxn");
  raw = withValue(raw, ["classes", 0, "share"], 0.9);
  raw = withValue(raw, ["team", "preset"], "raedy");
  expect(problemsOf(raw).map(({ path }) => path.join("."))).toEqual([
    "days",
    "titel",
    "classes.1.share",
    "team.preset",
    "strategies.own.pools.gpus.gpu",
  ]);
});

test("two classes of one name have the problems of their route once", () => {
  const raw = withValue(withValue(smallExperiment(), ["classes", 1, "name"], "open"), ["strategies"], {
    api: { offers: { gpt: "openai/gpt-5-mini@tier-5" }, routes: { open: ["gtp"] } },
    own: { offers: { gpt: "openai/gpt-5-mini@tier-5" }, routes: {} },
  });
  const all = problemsOf(raw).map(({ path, message }) => `${path.join(".")}: ${message}`);
  expect(all).toContain('strategies.api.routes.open.0: unknown pool or offer "gtp"');
  expect(all).toContain("strategies.own.routes.open: class open has no route");
  expect(new Set(all).size).toBe(all.length);
});

test("a class whose name is not valid: nothing is said of a name that nobody wrote, and no other mistake is hidden", () => {
  const named = (first: unknown, second: unknown, raw = smallExperiment()): string[] =>
    problemsOf(withValue(withValue(raw, ["classes", 0, "name"], first), ["classes", 1, "name"], second)).map(
      ({ path, message, hint }) => `${path.join(".")}: ${message}${hint === undefined ? "" : ` | ${hint}`}`,
    );
  const one = named("Open", "secret");
  expect(one[0]).toMatch(/^classes\.0\.name: expected lower-case letters, .* got "Open"$/);
  expect(one.slice(1)).toEqual(
    ["api", "own", "both"].map((name) => `strategies.${name}.routes.open: unknown class "open" | known: secret`),
  );
  expect(named("Open", "Secret")).toEqual([
    expect.stringMatching(/got "Open"$/),
    expect.stringMatching(/got "Secret"$/),
  ]);
  const more = withValue(smallExperiment(), ["strategies", "own", "routes", "batchjobs"], ["gpus"]);
  expect(named("Open", "secret", more)).toContain(
    'strategies.own.routes.batchjobs: unknown class "batchjobs" | known: secret',
  );
  expect(named("name-not-given", "secret").join()).toContain("class name-not-given has no route");
});

test("a model that does not fit: more GPUs, or fewer sequences where that is enough; TensorRT-LLM on AMD is refused", () => {
  const fitted = (change: Record<string, unknown>): string => {
    let raw = smallExperiment();
    for (const [field, value] of Object.entries(change)) raw = withValue(raw, [...pool, field], value);
    return problemsOf(raw)
      .map(({ path, message, hint }) => `${path.at(-1)}: ${message} | ${hint}`)
      .join();
  };
  expect(fitted({ llm: "gpt-oss-120b", weightDtype: "mxfp4" })).toMatch(
    /does not fit: .* \| it fits as it is with maxNumSeqs: 512, which .*, or it fits with tensorParallelSize: 2/,
  );
  expect(fitted({ llm: "gpt-oss-120b", weightDtype: "mxfp4", maxNumSeqs: 512 })).not.toContain("does not fit");
  expect(fitted({ llm: "llama-3.1-70b" })).toMatch(/does not fit: .* \| it fits with tensorParallelSize: \d$/);
  expect(fitted({ gpu: "mi300x", engine: "trtllm", gpuPrice: "tensorwave-on-demand" })).toContain(
    "engine: TensorRT-LLM runs on GPUs of NVIDIA, mi300x is of AMD | vllm or sglang",
  );
});
