/** Prefill and decode in pools of their own, in random runs in which both fail, run out of KV and lose patience. */
import { describe, expect, test } from "vitest";
import { DEFAULT_SCHEDULER, type SchedulerSpec } from "../../src/engine/scheduler-spec.ts";
import { createStepTime } from "../../src/engine/step-time-physics.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import { stream } from "../../src/kernel/random.ts";
import { COMPLETED, FAILED, TIMED_OUT } from "../../src/outcome/recorder.ts";
import type { ResolvedPool, RouteTarget } from "../../src/scenario/resolved.ts";
import {
  listTraffic,
  NO_RETRIES,
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

const RUNS = 80;
const PREFILL = 0;
const DECODE = 1;
/** Keys and values of Llama 3.1 8B in BF16: 2 × 32 layers × 8 heads × 128 × 2 bytes. */
const KV_BYTES_PER_TOKEN = 131_072;

type Options = Partial<Omit<ResolvedPool, "engine">> & { readonly engine?: Partial<ResolvedPool["engine"]> };

interface Link {
  readonly transferGBps: number;
  readonly latencyMs: number;
}

const FAST: Link = { transferGBps: 50, latencyMs: 1 };

function scheduler(role: SchedulerSpec["role"], change: Partial<SchedulerSpec> = {}): SchedulerSpec {
  return { ...DEFAULT_SCHEDULER, ...change, role };
}

function pair({ transferGBps, latencyMs }: Link, prefill: Options = {}, decode: Options = {}): ResolvedPool[] {
  const sPerToken = KV_BYTES_PER_TOKEN / (transferGBps * 1e9);
  const handOff = { pool: DECODE, sPerToken, latencyS: latencyMs / 1000 };
  return [
    pool({ name: "prefill", scheduler: scheduler("prefill"), handOff, ...prefill }),
    pool({ name: "decode", scheduler: scheduler("decode"), ...decode }),
  ];
}

/** No answer gets from its first token to its last without the transfer and its own decode steps, each as short as can be. */
function checkTransfers({ strategy: plan, rows }: WatchedRun): void {
  const [prefill, decode] = plan.pools;
  const { gpu, llm, engine, coefficients, scheduler: how } = decode!;
  const { decodeBaseS, perContextTokenS } = createStepTime(gpu, llm, engine, coefficients);
  const { sPerToken, latencyS } = prefill!.handOff!;
  for (const row of rows) {
    if (row.outcome !== COMPLETED || row.route > 2) continue;
    expect(row.route, "a lone token is not handed on, the rest is").toBe(row.outputTokens === 1 ? 1 : 2);
    const steps = Math.ceil((row.outputTokens - 1) / (1 + (how.speculative?.draftTokens ?? 0)));
    const leastS = decodeBaseS[1]! * steps + perContextTokenS * row.inputTokens * steps;
    const transferS = latencyS + sPerToken * row.inputTokens;
    if (steps > 0) expect(row.e2eS - row.ttftS).toBeGreaterThan((transferS + leastS) * (1 - 1e-9));
  }
}

function randomRun(number: number): WatchedRun {
  const draw = stream("disaggregated", number, "scenario");
  const oneOf = <T>(values: readonly T[]): T => values[Math.floor(draw() * values.length)]!;
  const failing = (): ResolvedPool["incidents"] => ({
    ...pool().incidents,
    nodeFailuresPerNodeDay: oneOf([0, 60]),
    engineCrashesPerReplicaDay: oneOf([0, 0, 300, 1000]),
    engineRestart: { medianS: oneOf([5, 60]), sigma: 0.5 },
  });
  const common = (): Options => ({
    warmReplicas: oneOf([0, 0, 1]),
    gpusPerNode: oneOf([1, 2, 8]),
    incidents: failing(),
    coldStart: { restartS: 20, provisionS: 60 },
    router: { name: oneOf(["least-in-flight", "two-choices", "round-robin"]), options: { d: 2 } },
  });
  const policy = (): Partial<SchedulerSpec> => ({
    batching: { name: oneOf(["chunked", "continuous"]), options: {} },
    order: { name: oneOf(["fcfs", "priority", "shortest-prompt", "fair-share"]), options: {} },
    admission: oneOf(["optimistic", "optimistic", "reserve"]),
    prefixCache: oneOf([null, null, { eviction: "lru" }]),
  });
  const pools = pair(
    { transferGBps: oneOf([0.05, 1, 50]), latencyMs: oneOf([0, 5, 2000]) },
    {
      ...common(),
      scheduler: scheduler("prefill", policy()),
      maxWaitingPerReplica: oneOf([null, null, 5]),
      engine: { maxNumSeqs: oneOf([1, 8]), kvBlocks: oneOf([120, 4000]), maxNumBatchedTokens: oneOf([16, 512]) },
    },
    {
      ...common(),
      scheduler: scheduler("decode", {
        ...policy(),
        speculative: oneOf([null, null, { draftTokens: 2, acceptance: 0.6, draftCost: 0.1, mode: "exact" }]),
      }),
      engine: { maxNumSeqs: oneOf([2, 8, 32]), kvBlocks: oneOf([90, 200, 4000]) },
    },
  );
  const offers = draw() < 0.4 ? [offer()] : [];
  const own: RouteTarget = to("pool", PREFILL, oneOf([null, 4, 12]));
  const classes = [
    requestClass({ name: "open", shareFraction: 0.6, timeoutS: oneOf([1, 15, 60]) }),
    requestClass({ name: "restricted", shareFraction: 0.4, sensitivity: "restricted", timeoutS: oneOf([3, 30]) }),
  ];
  const of = setting({
    classes,
    horizonS: oneOf([200, 500]),
    warmupS: oneOf([0, 60]),
    client: oneOf([NO_RETRIES, TWO_RETRIES]),
  });
  const output = { kind: "lognormal", medianTokens: 60, sigma: 1.2, minTokens: 1, maxTokens: 1500 } as const;
  const traffic = poissonTraffic(of, { meanRatePerS: oneOf([0.5, 2, 8]), output });
  const replicas = [oneOf([1, 2, 3]), oneOf([1, 2, 3])];
  return watch(of, strategy([[own, ...offers.map(() => to("offer"))], [own]], pools, offers), replicas, traffic);
}

test(`the invariants hold in ${RUNS} random runs, and each mechanism was reached`, () => {
  const reached: Record<string, number> = {};
  const failed: string[] = [];
  for (let number = 0; number < RUNS; number++) {
    try {
      const run = randomRun(number);
      checkRun(run);
      checkTransfers(run);
      for (const [name, times] of Object.entries(mechanisms(run)))
        reached[name] = (reached[name] ?? 0) + Math.sign(times);
    } catch (error) {
      failed.push(`run ${number}: ${String(error).replaceAll(/\s+/g, " ").slice(0, 300)}`);
    }
  }
  expect(failed.slice(0, 5), `${failed.length} runs broke an invariant`).toEqual([]);
  for (const [name, runs] of Object.entries(reached)) expect(runs, `runs that reached: ${name}`).toBeGreaterThan(3);
});

function mechanisms({ strategy: plan, rows, result }: WatchedRun): Record<string, number> {
  const { incidents } = result.series;
  const lostIn = (name: string): number =>
    incidents.requestsLost.reduce((sum, lost, i) => sum + (incidents.target[i] === name ? lost : 0), 0);
  const ended = (outcome: number, route: number): number =>
    rows.filter((row) => row.outcome === outcome && row.route === route).length;
  return {
    completed: ended(COMPLETED, 2),
    loneTokens: ended(COMPLETED, 1),
    lostInPrefill: lostIn("prefill"),
    lostInDecode: lostIn("decode"),
    failedAtDecode: ended(FAILED, 2),
    timedOutInPrefill: ended(TIMED_OUT, 1),
    timedOutInDecode: ended(TIMED_OUT, 2),
    preemptedInDecode: result.pools[DECODE]!.preemptions,
    completedAfterRetry: rows.filter((row) => row.outcome === COMPLETED && row.attempts > 1 && row.route === 2).length,
    atOffer: plan.offers.length === 0 ? 0 : ended(COMPLETED, 3),
    inFlight: result.classes.reduce((sum, { inFlightAtHorizon }) => sum + inFlightAtHorizon, 0),
    drafts: result.pools[DECODE]!.draftAcceptedFraction > 0 ? 1 : 0,
  };
}

const LONE = { timeS: 10, inputTokens: 1000, outputTokens: 21 };
const alone = (link: Link, prefill: Options = {}, decode: Options = {}, of = setting()): WatchedRun => {
  const run = watch(of, strategy([[to("pool")]], pair(link, prefill, decode)), [1, 1], listTraffic([LONE]));
  checkRun(run);
  return run;
};

describe("what each option does", () => {
  test("a slower link and a longer start delay every token but the first, by bytes ÷ bandwidth and by themselves", () => {
    const row = (link: Link) => alone(link).rows[0]!;
    const fast = row(FAST);
    const slow = row({ ...FAST, transferGBps: 5 });
    const late = row({ ...FAST, latencyMs: 31 });
    expect(slow.ttftS).toBe(fast.ttftS);
    expect(late.ttftS).toBe(fast.ttftS);
    expect(slow.e2eS - fast.e2eS).toBeCloseTo(
      (1000 * KV_BYTES_PER_TOKEN) / 5e9 - (1000 * KV_BYTES_PER_TOKEN) / 50e9,
      9,
    );
    expect(late.e2eS - fast.e2eS).toBeCloseTo(0.03, 9);
    expect((late.tpotS - fast.tpotS) * 20).toBeCloseTo(0.03, 9);
  });

  test("the gap before the second token holds the transfer", () => {
    const itlS = (link: Link) => Sketch.fromPlain(alone(link).result.classes[0]!.itlS);
    expect(itlS(FAST).samples()).toBe(20);
    expect(itlS({ ...FAST, latencyMs: 501 }).sum - itlS(FAST).sum).toBeCloseTo(0.5, 9);
  });

  test("under load: TPOT rises with the transfer, TTFT stays", () => {
    const of = setting({ horizonS: 900 });
    const runs = [1, 200, 800].map((latencyMs) =>
      watch(of, strategy([[to("pool")]], pair({ ...FAST, latencyMs })), [2, 2], poissonTraffic(of)),
    );
    const quantiles = (name: "tpotS" | "ttftS"): number[] =>
      runs.map(({ result }) => Sketch.fromPlain(result.classes[0]![name]).quantile(0.5));
    expect(new Set(quantiles("ttftS")).size).toBe(1);
    const [low, middle, high] = quantiles("tpotS");
    expect(middle!).toBeGreaterThan(1.05 * low!);
    expect(high!).toBeGreaterThan(1.05 * middle!);
  });
});

describe("KV stays where it was computed until it has room where it is decoded", () => {
  const of = setting({ horizonS: 900 });
  const tight: Options = { engine: { kvBlocks: 200 } };
  const roomy: Options = { engine: { kvBlocks: 1_000_000 } };
  const ttftP90 = (link: Link, prefill: Options, decode: Options = {}): number => {
    const traffic = poissonTraffic(of, { meanRatePerS: 12 });
    const run = watch(of, strategy([[to("pool")]], pair(link, prefill, decode)), [2, 2], traffic);
    checkRun(run);
    return Sketch.fromPlain(run.result.classes[0]!.ttftS).quantile(0.9);
  };

  test("so with little memory a slow link holds up the prompts behind", () => {
    const slow = { ...FAST, latencyMs: 1000 };
    expect(ttftP90(slow, tight)).toBeGreaterThan(1.5 * ttftP90(slow, roomy));
    expect(ttftP90(FAST, tight)).toBeLessThan(1.2 * ttftP90(slow, roomy));
  });

  test("and so does a decode pool without seats", () => {
    const full = { engine: { maxNumSeqs: 4 } };
    expect(ttftP90(FAST, tight, full)).toBeGreaterThan(1.5 * ttftP90(FAST, roomy, full));
    expect(ttftP90(FAST, roomy, full)).toBeLessThan(1.2 * ttftP90(FAST, tight));
  });

  test("and counts as used for as long as it stays, whatever runs", () => {
    // Ten prompts of 1,000 tokens, each kept for 9 of 10 seconds in room for 1,008.
    const requests = Array.from({ length: 10 }, (_, i) => ({ timeS: 10 * i, inputTokens: 1000, outputTokens: 2 }));
    const kvOf = (latencyMs: number): number => {
      const plan = strategy([[to("pool")]], pair({ ...FAST, latencyMs }, { engine: { kvBlocks: 63 } }));
      const run = watch(setting({ horizonS: 100 }), plan, [1, 1], listTraffic(requests));
      checkRun(run);
      return run.result.pools[PREFILL]!.kvFraction;
    };
    expect(kvOf(9000) - kvOf(1)).toBeCloseTo((0.8999 * 1000) / 1008, 2);
  });

  test("it is let go of when its client gives up on the way", () => {
    // Room for one prompt alone: the second, of a lone token, is computed when the first has gone.
    const requests = [LONE, { timeS: 10.5, inputTokens: 1000, outputTokens: 1 }];
    const of4s = setting({ classes: [requestClass({ timeoutS: 4 })], horizonS: 100 });
    const late = { ...FAST, latencyMs: 4500 };
    const prefill = { engine: { kvBlocks: 63 } };
    const run = watch(of4s, strategy([[to("pool")]], pair(late, prefill)), [1, 1], listTraffic(requests));
    checkRun(run);
    expect(run.rows.map(({ outcome }) => outcome)).toEqual([TIMED_OUT, COMPLETED]);
    expect(run.rows[1]!.ttftS).toBeGreaterThan(3.5);
    expect(run.rows[1]!.ttftS).toBeLessThan(4);
  });
});

test("where the first in line does not fit beside kept KV and gives up, the one behind it is served at once", () => {
  const of = setting({
    classes: [
      requestClass({ name: "hasty", shareFraction: 0.5, timeoutS: 2 }),
      requestClass({ name: "patient", shareFraction: 0.5, timeoutS: 60 }),
    ],
    horizonS: 100,
  });
  const requests = [
    { timeS: 10, inputTokens: 800, outputTokens: 20, classIndex: 1 },
    { timeS: 10.5, inputTokens: 900, outputTokens: 1, classIndex: 0 },
    { timeS: 11, inputTokens: 100, outputTokens: 1, classIndex: 1 },
  ];
  const plan = strategy([[to("pool")], [to("pool")]], pair({ ...FAST, latencyMs: 8000 }, { engine: { kvBlocks: 63 } }));
  const { rows } = watch(of, plan, [1, 1], listTraffic(requests));
  const last = rows.find(({ inputTokens }) => inputTokens === 100)!;
  expect(last.ttftS).toBeGreaterThan(1.5);
  expect(last.ttftS).toBeLessThan(1.7);
});

describe("what can go wrong on the way", () => {
  const STUCK = { ...FAST, latencyMs: 5000 };
  const once = (options: Parameters<typeof requestClass>[0]) => setting({ classes: [requestClass(options)] });

  test("a client that gives up during the transfer is gone at its deadline", () => {
    const run = alone(STUCK, {}, {}, once({ timeoutS: 2 }));
    expect(run.rows[0]).toMatchObject({ outcome: TIMED_OUT });
    expect(run.endedS[0]).toBe(12);
  });

  test("a deadline that comes to the front during a transfer still holds afterwards", () => {
    const of = setting({ classes: [requestClass({ timeoutS: 6 })], horizonS: 100 });
    // While the first is on its way the second ends, so that the list of deadlines is looked through.
    const requests = [
      { timeS: 10, inputTokens: 1000, outputTokens: 1500 },
      { timeS: 9, inputTokens: 10, outputTokens: 2 },
    ].sort((a, b) => a.timeS - b.timeS);
    const run = watch(of, strategy([[to("pool")]], pair({ ...FAST, latencyMs: 5500 })), [1, 1], listTraffic(requests));
    checkRun(run);
    expect(run.rows.map(({ outcome }) => outcome)).toEqual([COMPLETED, TIMED_OUT]);
    expect(run.endedS[1]).toBe(16);
  });

  test("no decode replica serves: the request fails, or starts anew when its client tries again", () => {
    const down = { incidents: { ...pool().incidents, engineCrashesPerReplicaDay: 100_000 } };
    const slow = { ...down, coldStart: { restartS: 3000, provisionS: 0 } };
    const run = alone(
      STUCK,
      {},
      { ...slow, incidents: { ...slow.incidents, engineRestart: { medianS: 3000, sigma: 0.1 } } },
    );
    expect(run.rows[0]).toMatchObject({ outcome: FAILED, attempts: 1, route: 2 });
    const again = alone(
      STUCK,
      {},
      { ...down, incidents: { ...down.incidents, engineRestart: { medianS: 2, sigma: 0.1 } } },
      {
        ...setting(),
        client: TWO_RETRIES,
      },
    );
    expect(again.rows[0]!.attempts).toBeGreaterThan(1);
  });

  test("a request that would never fit where it is to be decoded is rejected at once", () => {
    for (const engine of [{ kvBlocks: 60 }, { maxModelLen: 1010 }]) {
      const run = alone(FAST, {}, { engine });
      expect(run.rows[0]).toMatchObject({ outcome: 1, attempts: 1 });
      expect(run.endedS[0]).toBe(10);
    }
  });

  test("a prefill replica keeps room for the prompt alone", () => {
    const tight = { engine: { kvBlocks: 63 }, scheduler: scheduler("prefill", { admission: "reserve" }) };
    expect(alone(FAST, tight).rows[0]).toMatchObject({ outcome: COMPLETED, route: 2 });
  });
});

test("INV-10 over both pools: sequences in batches and on their way = rate × time", () => {
  const of = setting({ horizonS: 4000 });
  const traffic = poissonTraffic({ ...of, horizonS: 3900 }, { meanRatePerS: 0.5 });
  const quiet = { networkS: 0, engine: { apiOverheadMs: 0 } };
  const link = { transferGBps: 1, latencyMs: 40 };
  const run = watch(of, strategy([[to("pool")]], pair(link, quiet, quiet)), [2, 2], traffic);
  expect(run.rows.every((row) => row.outcome === COMPLETED)).toBe(true);
  const staysS = run.rows.reduce((sum, row) => sum + row.e2eS, 0);
  const onWayS = run.rows.reduce(
    (sum, row) => sum + (row.outputTokens === 1 ? 0 : 0.04 + (row.inputTokens * KV_BYTES_PER_TOKEN) / 1e9),
    0,
  );
  const inBatchS = run.result.pools.reduce((sum, { occupancyFraction }) => sum + occupancyFraction * 8 * 2 * 4000, 0);
  expect((inBatchS + onWayS) / staysS).toBeLessThanOrEqual(1);
  expect((inBatchS + onWayS) / staysS).toBeGreaterThan(0.98);
  expect(onWayS / staysS).toBeGreaterThan(0.02);
});
