/** The prompt cache of an API offer: who hits by the clock, and what the bill says, worked out by hand. */
import { describe, expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { PromptCache } from "../../src/provider/prompt-cache.ts";
import type { RunResult } from "../../src/outcome/run-result.ts";
import type { PriceRow, PromptCacheSpec } from "../../src/scenario/resolved.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import { catalog, problemsOf, resolveRaw, smallExperiment, withValue } from "../fixtures/experiment.ts";
import { listTraffic, offer, requestClass, runOptions, setting, strategy, to } from "../fixtures/strategies.ts";
import { CHAT_ARRIVALS } from "../fixtures/traffic-reference.ts";

const ROW: PriceRow = {
  fromEpochS: null,
  inputUsdPerMTok: 1,
  outputUsdPerMTok: 8,
  cacheReadUsdPerMTok: 0.1,
  longContext: [],
};
const CACHE: PromptCacheSpec = { ttlS: 300, minTokens: 256, stepTokens: 128 };

describe("the cache", () => {
  /** Text t has blocks 1000 t + b; texts 1 and 2 share their first three blocks, text 9 belongs to nobody else. */
  const content = {
    key: (text: number, _: number, block: number) =>
      text === 9 ? -1 : 1000 * (block < 3 && text === 2 ? 1 : text) + block,
    run: () => 1,
  };

  test("whole steps of what was sent before, once its answer has begun and until it is too old", () => {
    const cache = new PromptCache(CACHE, content);
    expect(cache.found(0, 1, 0, 1000)).toBe(0);
    cache.keep(0, 2, 1, 0, 1000);
    expect(cache.found(1.9, 1, 0, 1000)).toBe(0);
    expect(cache.found(2, 1, 0, 1000)).toBe(7 * 128);
    expect(cache.found(2, 2, 0, 1000)).toBe(3 * 128);
    expect(cache.found(2, 1, 0, 600)).toBe(4 * 128);
    expect(cache.found(2, 1, 0, 255)).toBe(0);
    expect(cache.found(300, 1, 0, 1000)).toBe(7 * 128);
    expect(cache.found(301, 1, 0, 1000)).toBe(0);
    // The other text keeps the common beginning alive.
    cache.keep(200, 201, 2, 0, 1000);
    expect(cache.found(400, 1, 0, 1000)).toBe(3 * 128);
    cache.keep(400, 401, 9, 0, 1000);
    expect(cache.found(500, 9, 0, 1000)).toBe(0);
    expect(cache.written(1000, 384)).toBe(896 - 384);
    expect(cache.written(200, 0)).toBe(0);
  });
});

/** Requests of 1,000 tokens with one beginning of 600, and answers of 10, at these times. */
function run(
  times: readonly number[],
  promptCache: PromptCacheSpec | undefined,
  prices: Partial<PriceRow> = {},
): RunResult {
  const of = setting({ horizonS: 1200, classes: [requestClass({ sharedPrefix: { tokens: 600, groups: 1 } })] });
  const api = offer({
    prices: [{ ...ROW, ...prices }],
    limits: [],
    ...(promptCache === undefined ? {} : { promptCache }),
  });
  const traffic = listTraffic(times.map((timeS) => ({ timeS, inputTokens: 1000, outputTokens: 10 })));
  return simulateRun(of, strategy([[to("offer")]], [], [api]), traffic, runOptions({ replicas: [] }));
}

function lines(result: RunResult): Record<string, readonly [number, number]> {
  const { line, quantity, usd } = result.series.ledger;
  return Object.fromEntries(line.map((name, i) => [name, [quantity[i]!, Number((usd[i]! * 1e6).toFixed(6))] as const]));
}

describe("the bill", () => {
  const TIMES = [0, 100, 390, 800];

  test("what was sent within the time to live costs its own price, on a line of its own", () => {
    // The second and the third find 4 × 128 tokens.
    expect(lines(run(TIMES, CACHE))).toEqual({
      "api-input": [4000 - 1024, 4000 - 1024],
      "api-cached-input": [1024, 102.4],
      "api-output": [40, 320],
    });
    expect(lines(run(TIMES, undefined))).toEqual({ "api-input": [4000, 4000], "api-output": [40, 320] });
  });

  test("every rule moves it", () => {
    const cached = (change: Partial<PromptCacheSpec>): number =>
      lines(run(TIMES, { ...CACHE, ...change }))["api-cached-input"]?.[0] ?? 0;
    expect(cached({ ttlS: 500 })).toBe(3 * 512);
    expect(cached({ ttlS: 200 })).toBe(512);
    expect(cached({ stepTokens: 200 })).toBe(1200);
    expect(cached({ minTokens: 1001 })).toBe(0);
    expect(lines(run(TIMES, CACHE, { cacheReadUsdPerMTok: 0.5 }))["api-cached-input"]).toEqual([1024, 512]);
    const writes = { cacheWriteUsdPerMTok: 1.25, cacheWrite1hUsdPerMTok: 2 };
    expect(lines(run(TIMES, CACHE, writes))).toEqual({
      "api-input": [4 * 104, 4 * 104],
      "api-cached-input": [1024, 102.4],
      "api-cache-write": [4 * 896 - 1024, 1.25 * (4 * 896 - 1024)],
      "api-output": [40, 320],
    });
    expect(lines(run(TIMES, { ...CACHE, keptFor1h: true }, writes))["api-cache-write"]).toEqual([
      4 * 896 - 1024,
      2 * (4 * 896 - 1024),
    ]);
  });

  test("cached input shortens the wait for the first token", () => {
    const e2eS = (promptCache: PromptCacheSpec | undefined): number => run([0, 100], promptCache).classes[0]!.ttftS.sum;
    expect(e2eS(CACHE)).toBeLessThan(e2eS(undefined));
  });

  test("turns of a session find what the turn before has sent, not its answer", () => {
    const of = setting({ horizonS: 20_000 });
    const spec = {
      ...CHAT_ARRIVALS,
      meanRatePerS: 0.2,
      burst: { components: [], gapCv: 1 },
      input: { kind: "constant", tokens: 1000 },
      output: { kind: "constant", tokens: 100 },
      sessions: {
        turnShares: [0, 0, 1],
        think: { medianS: 30, sigma: 0 },
        newInput: { kind: "constant", tokens: 100 },
        carryContext: true,
        maxContextTokens: 9000,
      },
    } as const;
    const window = { startEpochS: of.startEpochS, horizonS: of.horizonS, warmupS: 0, seed: "7", replication: 0 };
    const traffic = openTraffic(spec, { ...window, classShares: [1] });
    const api = offer({ prices: [ROW], limits: [], promptCache: CACHE });
    const bill = lines(simulateRun(of, strategy([[to("offer")]], [], [api]), traffic, runOptions({ replicas: [] })));
    const [input] = bill["api-input"]!;
    const [cached] = bill["api-cached-input"]!;
    // Prompts of 1,000, 1,200 and 1,400 tokens: 7 and 9 steps of 128 are found.
    expect(cached / (cached + input)).toBeCloseTo((7 * 128 + 9 * 128) / 3600, 2);
  });
});

describe("in an experiment file", () => {
  const OFFER = ["strategies", "both", "offers", "gpt"];
  const cacheOf = (value: unknown, name = "openai/gpt-5-mini@tier-5") => {
    const raw = withValue(withValue(smallExperiment(), [...OFFER, "offer"], name), [...OFFER, "promptCache"], value);
    return resolveRaw(raw).experiment.strategies[2]!.offers[0]!.promptCache;
  };

  test("the provider's rules, on where it caches by itself, replaced by what the file says", () => {
    expect(cacheOf(undefined)).toEqual({ ttlS: 300, minTokens: 1024, stepTokens: 128 });
    expect(cacheOf("none")).toBeUndefined();
    expect(cacheOf({ ttlS: 60, minTokens: 0, stepTokens: 16 })).toMatchObject({
      ttlS: 60,
      minTokens: 0,
      stepTokens: 16,
    });
    const haiku = `anthropic/claude-haiku-4-5@${Object.keys(catalog.offers.get("anthropic/claude-haiku-4-5")!.tiers)[0]}`;
    expect(cacheOf(undefined, haiku)).toBeUndefined();
    expect(cacheOf("on", haiku)).toEqual({ ttlS: 300, minTokens: 4096, stepTokens: 128 });
    expect(cacheOf({ ttlS: 3600 }, haiku)).toMatchObject({ ttlS: 3600, keptFor1h: true });
  });

  test("an offer without a price for cached input has none", () => {
    const raw = withValue(smallExperiment(), OFFER, { offer: "together/llama-3.3-70b@dynamic", promptCache: "on" });
    expect(problemsOf(raw).map(({ message }) => message)).toContainEqual(
      expect.stringMatching(/no price for cached input/),
    );
  });
});
