/** `replicas: auto`: the smallest fleet by a target that is known, pool by pool. */
import { describe, expect, test } from "vitest";
import { fewestReplicas, sizeStrategy, type SizingTrial, sizingTasks } from "../../src/experiment/size-pool.ts";
import { DAY_S } from "../../src/kernel/calendar-time.ts";
import { InfeasibleError } from "../../src/kernel/errors.ts";
import type { ResolvedPool } from "../../src/scenario/resolved.ts";
import { type Raw, resolveRaw, smallExperiment } from "../fixtures/experiment.ts";
import { pool, strategy, to } from "../fixtures/strategies.ts";
import { wholeDay } from "../fixtures/whole-day.ts";

const auto = (name: string, tensorParallelSize = 1): ResolvedPool =>
  pool({ name, replicas: "auto", engine: { tensorParallelSize } });

async function sizes(
  pools: readonly ResolvedPool[],
  meets: (replicas: readonly number[]) => boolean,
): Promise<{ sizes: number[]; tried: number }> {
  let tried = 0;
  const found = await fewestReplicas(strategy([[to("pool")]], pools), (replicas) => {
    tried++;
    return Promise.resolve(meets(replicas));
  });
  return { sizes: found, tried };
}

test("one pool: every size is found, in few tries", async () => {
  for (const needed of [1, 2, 3, 5, 8, 13, 700]) {
    const one = await sizes([auto("a")], ([a]) => a! >= needed);
    expect(one.sizes).toEqual([needed]);
    expect(one.tried).toBeLessThan(25);
  }
});

test("prefill and decode pools: each gets what it needs, numbers that are given stay", async () => {
  const both = await sizes([auto("prefill"), auto("decode")], ([p, d]) => p! >= 3 && d! >= 11);
  expect(both.sizes).toEqual([3, 11]);
  const given = await sizes([pool({ name: "prefill", replicas: 4 }), auto("decode")], ([p, d]) => p === 4 && d! >= 6);
  expect(given.sizes).toEqual([4, 6]);
});

test("where one can stand in for the other, the dearer replicas are spared", async () => {
  const work = (replicas: readonly number[]): boolean => replicas[0]! + replicas[1]! >= 8;
  expect((await sizes([auto("small"), auto("large", 4)], work)).sizes).toEqual([4, 4]);
  const spare = (replicas: readonly number[]): boolean => 2 * replicas[0]! + replicas[1]! >= 10;
  expect((await sizes([auto("small"), auto("large", 4)], spare)).sizes).toEqual([4, 2]);
});

test("no size suffices", async () => {
  const none = (...pools: ResolvedPool[]) => sizes(pools, () => false);
  await expect(none(auto("a"), auto("b"))).rejects.toThrow(InfeasibleError);
  await expect(none(auto("a"), pool({ name: "given" }))).rejects.toThrow("16384 replicas of pool a do not");
  await expect(none(auto("a"), auto("b"))).rejects.toThrow("16384 replicas in each of the pools a, b do not");
});

test("a migration by dates is sized for the shares of the peak days, which begin long after the start", () => {
  // Forty requests a second for six minutes of the second day, from which on all of them go to the pool: more than one replica bears.
  const raw = {
    ...smallExperiment(),
    start: "2026-11-02T00:00:00Z",
    days: 2,
    warmupMinutes: 1,
    replications: 1,
    classes: [{ name: "open", share: 1, slo: { e2eMs: 8000 } }],
    traffic: {
      requestsPerS: 0.05,
      pulses: [{ at: "2026-11-03T12:00Z", peak: 800, holdHours: 0.1 }],
      input: { kind: "constant", tokens: 4000 },
      output: { kind: "constant", tokens: 50 },
    },
    strategies: {
      moving: {
        pools: { own: { llm: "llama-3.1-8b", gpu: "h100-sxm", gpuPrice: { usdPerGpuHour: 2 }, replicas: "auto" } },
        offers: { api: { offer: "openai/gpt-5-mini@tier-5", limits: "none", outages: "none", congestion: "none" } },
        routes: { open: ["own", "api"] },
        dispatch: { policy: "migration", options: { share: [{ from: "2026-11-03T00:00:00Z", value: 1 }] } },
      },
    },
  };
  const tasks = sizingTasks(resolveRaw(raw).experiment, 0);
  const peak = tasks.find(({ fromS }) => fromS === DAY_S)!;
  expect(wholeDay(peak, [1])[0]).toBeLessThan(0.5);
  expect(wholeDay(peak, [8])[0]).toBe(1);
  // Before that date the API takes everything.
  expect(
    wholeDay(
      tasks.find(({ fromS }) => fromS === 0)!,
      [1],
    )[0],
  ).toBe(1);
});

test("the days to size for: the two busiest, or of each time between two dates of a migration", () => {
  const days = (share?: readonly { from: string; value: number }[]): number[] => {
    const dispatch = share && { dispatch: { byClass: { open: { policy: "migration", options: { share } } } } };
    const { own, both } = smallExperiment()["strategies"] as Record<string, Raw>;
    const raw = {
      ...smallExperiment(),
      days: 9,
      replications: 1,
      traffic: { preset: "chat-azure-2023", season: "flat", growthPerMonth: -0.5 },
      strategies: { own, both: { ...both, ...dispatch } },
    };
    return sizingTasks(resolveRaw(raw).experiment, 1).map(({ fromS }) => fromS / DAY_S);
  };
  expect(days()).toEqual([0, 1]);
  // Demand falls, so the busiest days are over when all of it has come.
  expect(
    days([
      { from: "2026-11-05", value: 0.5 },
      { from: "2026-11-09T12:00Z", value: 1 },
    ]),
  ).toEqual([0, 1, 3, 4, 7, 8]);
});

describe("a day of very many requests is sized roughly first", () => {
  /** A fleet that `needed` says the size of, by the rate of the traffic. */
  async function search(
    requestsPerS: number,
    needed: (ratePerS: number) => number,
    replicas: number | "auto" = "auto",
  ) {
    const { own } = smallExperiment()["strategies"] as Record<string, { pools: Raw }>;
    const pools = { gpus: { ...(own!.pools["gpus"] as Raw), replicas } };
    const raw = {
      ...smallExperiment(),
      replications: 1,
      traffic: { preset: "chat-azure-2023", requestsPerS },
      strategies: { own: { ...own, pools } },
    };
    const trials: SizingTrial[] = [];
    const { experiment } = resolveRaw(raw);
    const found = await sizeStrategy(
      experiment,
      0,
      {
        countDay: () => Promise.resolve({ most: [], sentByMinute: null }),
        runDay: (task, [tried]) => {
          const { traffic } = task.experiment;
          const meets = traffic.kind === "synthetic" && tried! >= needed(traffic.meanRatePerS);
          return Promise.resolve({ attainments: task.experiment.classes.map(() => (meets ? 1 : 0)), requests: 0 });
        },
        sharedMemory: (words) => new Int32Array(words),
      },
      (trial) => trials.push(trial),
    );
    return { found: found[0], trials, whole: trials.filter(({ scale }) => scale === 1) };
  }

  test("the whole load is tried with a few sizes near the answer", async () => {
    const { found, trials, whole } = await search(600, (ratePerS) => Math.ceil(ratePerS * 1.05));
    expect(found).toBe(630);
    expect(whole.length).toBeLessThanOrEqual(6);
    for (const { replicas } of whole) expect(Math.abs(replicas[0]! - 630)).toBeLessThan(20);
    expect(new Set(trials.map(({ scale }) => scale))).toEqual(new Set([64, 8, 1]));
  });

  test.each([
    ["too high", (ratePerS: number) => Math.ceil(ratePerS - 8 * Math.sqrt(ratePerS))],
    ["too low", (ratePerS: number) => Math.ceil(ratePerS ** 1.05)],
    ["nothing", (ratePerS: number) => Math.ceil(ratePerS - 590)],
    ["one replica", () => 1],
    ["beyond the most", (ratePerS: number) => (ratePerS > 500 ? 77 : Infinity)],
  ])("a guess that is %s is mended", async (_, needed) => {
    expect((await search(600, needed)).found).toBe(Math.max(1, needed(600)));
  });

  test("what exceeds the most replicas fails after few trials of the whole load", async () => {
    await expect(search(600, (ratePerS) => 40 * ratePerS)).rejects.toThrow(
      "or the traffic needs more replicas than that",
    );
  });

  test("a day of ordinary size is not", async () => {
    const { found, trials } = await search(2, () => 6);
    expect(found).toBe(6);
    expect(trials.map(({ scale, replicas }) => [scale, ...replicas])).toEqual([1, 2, 4, 8, 6, 5].map((n) => [1, n]));
    expect(trials.map(({ left }) => left)).toEqual([null, null, null, null, 1, 0]);
  });

  test("a number that is given stays, and nothing is tried", async () => {
    expect(await search(2, () => 6, 3)).toEqual({ found: 3, trials: [], whole: [] });
  });
});
