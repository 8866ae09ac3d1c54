/**
 * Each input moves the result that is named after it, and in the declared direction. Compared runs share their traffic
 * and their luck, so a difference is the input's doing.
 */
import { describe, expect, test } from "vitest";
import { metricsOfClasses } from "../../src/experiment/run-metrics.ts";
import { IN_FLIGHT_AT_HORIZON } from "../../src/outcome/recorder.ts";
import type { RunSetting } from "../../src/dispatch/run-book.ts";
import type { ResolvedPool, ResolvedStrategy } from "../../src/scenario/resolved.ts";
import type { EngineSpec } from "../../src/engine/spec.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import { LLMS } from "../fixtures/engine-specs.ts";
import { OPENAI_OUTAGES, rpm } from "../fixtures/provider-offer.ts";
import {
  offer,
  poissonTraffic,
  pool,
  requestClass,
  setting,
  strategy,
  to,
  TWO_RETRIES,
} from "../fixtures/strategies.ts";
import { checkRun } from "./check-run.ts";
import { watch, type WatchedRun } from "./random-runs.ts";

const RATE_PER_S = 9;

function run(
  plan: ResolvedStrategy,
  replicas: readonly number[],
  of: RunSetting = setting({ horizonS: 1200 }),
  meanRatePerS = RATE_PER_S,
): WatchedRun {
  const watched = watch(of, plan, replicas, poissonTraffic(of, { meanRatePerS }));
  checkRun(watched);
  return watched;
}

function own(options: Parameters<typeof pool>[0] = {}): ResolvedStrategy {
  return strategy([[to("pool")]], [pool(options)]);
}

const ttftS = ({ result }: WatchedRun, q: number): number => Sketch.fromPlain(result.classes[0]!.ttftS).quantile(q);
const tpotS = ({ result }: WatchedRun, q: number): number => Sketch.fromPlain(result.classes[0]!.tpotS).quantile(q);
const totals = ({ result }: WatchedRun): WatchedRun["result"]["classes"][number]["totals"] => result.classes[0]!.totals;
const usd = ({ result }: WatchedRun, line: string): number =>
  result.series.ledger.line.reduce(
    (sum, name, i) => sum + (name.startsWith(line) ? result.series.ledger.usd[i]! : 0),
    0,
  );
const requestsLost = ({ result }: WatchedRun): number =>
  result.series.incidents.requestsLost.reduce((sum, lost) => sum + lost, 0);

/** Each value is clearly below the one before. */
function expectFalling(values: readonly number[], factor = 0.95): void {
  for (let i = 1; i < values.length; i++)
    expect(values[i], `${values.join(", ")}`).toBeLessThan(values[i - 1]! * factor);
}

/** Each value is clearly above the one before. */
function expectRising(values: readonly number[], factor = 0.95): void {
  expectFalling(values.toReversed(), factor);
}

describe("own pools", () => {
  test("more replicas: shorter waits, more GPU cost, emptier batches", () => {
    const runs = [1, 2, 3].map((replicas) => run(own(), [replicas]));
    expectFalling(runs.map((r) => ttftS(r, 0.99)));
    expectFalling(runs.map((r) => r.result.pools[0]!.occupancyFraction));
    expectFalling(
      runs.map((r) => r.result.pools[0]!.busyFraction),
      1,
    );
    expectRising(runs.map((r) => usd(r, "gpu-")));
  });

  test("more traffic: longer waits, slower tokens, fuller batches", () => {
    const runs = [1, 12, 40].map((rate) =>
      run(own({ engine: { maxNumSeqs: 64, kvBlocks: 4000 } }), [1], undefined, rate),
    );
    expectRising(runs.map((r) => ttftS(r, 0.99)));
    expectRising(runs.map((r) => tpotS(r, 0.5)));
    expectRising(runs.map((r) => r.result.pools[0]!.occupancyFraction));
  });

  test("fewer KV blocks: more preemptions", () => {
    const runs = [4000, 200, 120].map((kvBlocks) => run(own({ engine: { kvBlocks, maxModelLen: 1800 } }), [3]));
    const preemptions = runs.map((r) => r.result.pools[0]!.preemptions);
    expect(preemptions[0]).toBe(0);
    expectRising(preemptions);
  });

  test("a smaller batch: longer waits, faster tokens", () => {
    const runs = [64, 8].map((maxNumSeqs) => run(own({ engine: { maxNumSeqs, kvBlocks: 4000 } }), [1]));
    expectRising(runs.map((r) => ttftS(r, 0.99)));
    expectFalling(
      runs.map((r) => tpotS(r, 0.5)),
      0.99,
    );
  });

  test("fewer bytes a weight or a KV element: faster tokens", () => {
    for (const eightBits of ["fp8", "int8"] as const)
      expectFalling(
        (["bf16", eightBits, "int4"] as const).map((weightDtype) =>
          tpotS(run(own({ engine: { weightDtype } }), [2]), 0.5),
        ),
      );
    const caches = (["bf16", "fp8"] as const).map((kvDtype) => run(own({ engine: { kvDtype } }), [2]));
    expectFalling(
      caches.map((r) => tpotS(r, 0.99)),
      1,
    );
  });

  test("a longer warm-up: as many answers a second from a pool that can't keep up", () => {
    const perS = [0, 240].map((warmupS) => {
      const of = setting({ horizonS: 240, warmupS, classes: [requestClass({ timeoutS: 3600 })] });
      const watched = run(own({ engine: { maxNumSeqs: 4 } }), [1], of, 30);
      const rate = (metric: string): number =>
        metricsOfClasses(240, of.classes)
          .find((one) => one.metric === metric)!
          .of(watched.result.classes[0]!);
      return [rate("completed"), rate("outputTokens")];
    });
    for (const i of [0, 1]) expect(perS[1]![i]! / perS[0]![i]!).toBeCloseTo(1, 1);
    expect(perS[0]![0]).toBeLessThan(25);
  });

  test("two stages: twice the GPU cost, and a lone sequence pays for the hop", () => {
    const runs = [1, 2].map((pipelineParallelSize) =>
      run(own({ engine: { pipelineParallelSize, maxNumSeqs: 1 } }), [3], undefined, 0.5),
    );
    expectRising(
      runs.map((r) => r.rows.reduce((sum, row) => sum + row.e2eS, 0)),
      1,
    );
    expect(usd(runs[1]!, "gpu-") / usd(runs[0]!, "gpu-")).toBeCloseTo(2, 9);
  });

  test("two ranks: twice the GPU cost, shorter waits; whole experts: slower tokens than slices within a group", () => {
    const moe = (engine: Partial<EngineSpec>): WatchedRun =>
      run(own({ llm: LLMS["qwen3-30b-a3b"]!, engine: { maxNumSeqs: 8, ...engine } }), [1], undefined, 4);
    const [one, two] = [1, 2].map((dataParallelSize) => moe({ dataParallelSize, maxNumSeqs: 8 * dataParallelSize }));
    expect(usd(two!, "gpu-") / usd(one!, "gpu-")).toBeCloseTo(2, 9);
    expectFalling([ttftS(one!, 0.9), ttftS(two!, 0.9)]);
    const groups = [false, true].map((expertParallel) => moe({ tensorParallelSize: 4, expertParallel }));
    expectRising(
      groups.map((r) => tpotS(r, 0.5)),
      1,
    );
  });

  test("networkS adds to every first token and to nothing else", () => {
    const [near, far] = [0, 0.25].map((networkS) => run(own({ networkS }), [3]));
    near!.rows.forEach((row, i) => {
      if (row.outcome === IN_FLIGHT_AT_HORIZON) return;
      expect(far!.rows[i]!.ttftS - row.ttftS).toBeCloseTo(0.25, 9);
      expect(far!.rows[i]!.e2eS - row.e2eS).toBeCloseTo(0.25, 9);
    });
    expect(far!.result.pools).toEqual(near!.result.pools);
  });

  test("a dearer GPU hour: the GPU lines in proportion, nothing else", () => {
    const [cheap, dear] = [2, 5].map((usdPerGpuHour) => run(own({ usdPerGpuHour }), [3]));
    expect(usd(dear!, "gpu-") / usd(cheap!, "gpu-")).toBeCloseTo(2.5, 9);
    expect(dear!.result.classes).toEqual(cheap!.result.classes);
  });

  test("a bound on the waiting queue: rejections instead of waits", () => {
    const runs = [null, 10, 3].map((maxWaitingPerReplica) => run(own({ maxWaitingPerReplica }), [1]));
    expectRising(runs.map((r) => totals(r).rejected + 1));
    expectFalling(runs.map((r) => ttftS(r, 0.99)));
  });

  test("more people: the people line in proportion", () => {
    const [one, three] = [1, 3].map((fte) =>
      run(own(), [3], setting({ people: { fte, loadedUsdPerYear: 200_000, preset: "test" } })),
    );
    expect(usd(three!, "people") / usd(one!, "people")).toBeCloseTo(3, 9);
  });
});

describe("incidents", () => {
  const failing = (perDay: number, options: Partial<ResolvedPool> = {}): ResolvedStrategy => {
    const incidents = { ...pool().incidents, engineCrashesPerReplicaDay: perDay };
    return own({ incidents, engine: { maxNumSeqs: 16 }, ...options });
  };
  const of = setting({ horizonS: 7200 });

  test("more crashes: more requests lost, less time serving", () => {
    const runs = [0, 50, 400].map((perDay) => run(failing(perDay), [3], of, 4));
    expect(requestsLost(runs[0]!)).toBe(0);
    expectRising(runs.map((r) => requestsLost(r) + 1));
    expectRising(runs.map((r) => totals(r).failed + 1));
    expectRising(runs.map((r) => r.result.pools[0]!.downH + 0.01));
  });

  test("retries save most requests that a crash loses", () => {
    const without = run(failing(200), [6], of, 8);
    const withRetries = run(failing(200), [6], { ...of, client: TWO_RETRIES }, 8);
    expect(totals(without).failed).toBeGreaterThan(20);
    expect(totals(withRetries).failed).toBeLessThan(0.2 * totals(without).failed);
    expect(totals(withRetries).retried).toBeGreaterThan(20);
  });

  test("warm replicas: more requests answered, at the price of what waits warm", () => {
    // One replica serves what is asked, and is down for minutes at a time.
    const slow = { coldStart: { restartS: 200, provisionS: 0 } };
    const runs = [0, 1].map((warmReplicas) => run(failing(100, { warmReplicas, ...slow }), [1], of, 2));
    const answered = runs.map((r) => totals(r).completed / totals(r).sent);
    expect(answered[0]).toBeLessThan(0.9);
    expect(answered[1]! - answered[0]!).toBeGreaterThan(0.08);
    expectRising(runs.map((r) => usd(r, "gpu-warm") + 1));
  });

  test("a longer repair: more hours down", () => {
    const runs = [10, 100, 600].map((restartS) =>
      run(failing(100, { coldStart: { restartS, provisionS: 0 } }), [3], of, 2),
    );
    expectRising(runs.map((r) => r.result.pools[0]!.downH));
  });

  test("switched off, nothing happens", () => {
    const plan = strategy([[to("pool"), to("offer")]], failing(400).pools, [offer({ outages: OPENAI_OUTAGES })]);
    const off = watch(of, plan, [2], poissonTraffic(of, { meanRatePerS: 2 }), { incidents: false });
    checkRun(off);
    expect(off.result.series.incidents.kind).toEqual([]);
    expect(totals(off).completed + off.result.classes[0]!.inFlightAtHorizon).toBe(totals(off).sent);
  });
});

describe("clients", () => {
  test("less patience: more time-outs", () => {
    const runs = [60, 8, 3].map((timeoutS) =>
      run(own(), [2], setting({ classes: [requestClass({ timeoutS })], horizonS: 1200 })),
    );
    expectRising(runs.map((r) => totals(r).timedOut + 1));
  });

  test("a stricter target: fewer requests meet it, the same are answered", () => {
    const runs = [5, 0.05, 0.045].map((target) => {
      const slo = { ...requestClass().slo, ttftS: target, tpotS: null };
      return run(own(), [3], setting({ classes: [requestClass({ slo })], horizonS: 1200 }));
    });
    expectFalling(runs.map((r) => totals(r).sloMet));
    expect(new Set(runs.map((r) => totals(r).completed)).size).toBe(1);
  });
});

describe("offers", () => {
  const api = (options: Parameters<typeof offer>[0]): ResolvedStrategy =>
    strategy([[to("offer")]], [], [offer(options)]);

  test("a smaller limit: more 429", () => {
    const runs = [1000, 400, 100].map((limitPerMin) => run(api({ limits: [rpm(limitPerMin)] }), []));
    expect(totals(runs[0]!).rateLimited).toBe(0);
    expectRising(runs.map((r) => totals(r).rateLimited + 1));
    expectRising(runs.map((r) => totals(r).rejected + 1));
  });

  test("a higher price: the bill in proportion, nothing else", () => {
    const [base, dear] = [1, 1.1].map((priceMultiplier) => run(api({ priceMultiplier }), []));
    expect(usd(dear!, "api-") / usd(base!, "api-")).toBeCloseTo(1.1, 9);
    expect(dear!.result.classes).toEqual(base!.result.classes);
  });

  test("networkS adds to every first token", () => {
    const [near, far] = [0, 0.25].map((networkS) => run(api({ networkS }), []));
    expect(ttftS(far!, 0.5) - ttftS(near!, 0.5)).toBeGreaterThan(0.2);
  });

  test("more outages: more requests fail", () => {
    const of = setting({ horizonS: 4 * 3600 });
    const runs = [1000, 1, 0.1].map((gapWeibullScaleH) => {
      const outages = { ...OPENAI_OUTAGES, gapWeibullScaleH, durationLnHMean: -3, gapWeibullShape: 1 };
      return run(api({ outages }), [], of, 2);
    });
    expectRising(runs.map((r) => totals(r).failed + 1));
  });
});

describe("own pool first, an offer behind it", () => {
  const split = (threshold: number | null, options: Parameters<typeof pool>[0] = {}): ResolvedStrategy =>
    strategy([[to("pool", 0, threshold), to("offer")]], [pool(options)], [offer()]);
  const controlled = (r: WatchedRun): number => r.result.classes[0]!.controlledCompleted / totals(r).completed;

  test("a lower overflow threshold: less stays in the own pool, more is billed by token, waits are shorter", () => {
    const runs = [null, 6, 4, 2].map((threshold) => run(split(threshold), [2]));
    expect(controlled(runs[0]!)).toBe(1);
    expectFalling(runs.map(controlled));
    expectRising(runs.map((r) => usd(r, "api-") + 0.01));
    expectFalling(
      runs.map((r) => r.result.pools[0]!.busyFraction),
      1,
    );
  });

  test("more replicas: more stays in the own pool", () => {
    expectRising([1, 2, 3].map((replicas) => controlled(run(split(5), [replicas]))));
  });
});

test("the wider the error of the step-time model, the further replications lie from the prediction", () => {
  const spreads = [2, 10, 30].map((percent) => {
    const stepTimeError = { p5: -percent, p25: -percent / 2, p50: 0, p75: percent / 2, p95: percent };
    const tpots = [0, 1, 2, 3].map((replication) => {
      const of = setting({ horizonS: 200 });
      const drawn = watch(of, own({ stepTimeError }), [2], poissonTraffic(of, { meanRatePerS: 1 }), { replication });
      return tpotS(drawn, 0.5);
    });
    return Math.max(...tpots) / Math.min(...tpots);
  });
  expectRising(spreads, 0.99);
});
