/** The invariants over random runs in which each mechanism was reached, and over runs made to show one of them. */
import { describe, expect, test } from "vitest";
import { BOUNDARY_REFUSED, COMPLETED, FAILED } from "../../src/outcome/recorder.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import {
  listTraffic,
  offer,
  poissonTraffic,
  pool,
  requestClass,
  setting,
  strategy,
  to,
} from "../fixtures/strategies.ts";
import { checkRun } from "./check-run.ts";
import { randomRun, watch, type WatchedRun } from "./random-runs.ts";

const RUNS = 150;

test(`the invariants hold in ${RUNS} random runs, and each mechanism was reached`, () => {
  const reached = new Map<string, number>();
  const failed: string[] = [];
  for (let number = 0; number < RUNS; number++) {
    try {
      const run = randomRun(number);
      for (const [name, times] of Object.entries(mechanisms(run)))
        if (times > 0) reached.set(name, (reached.get(name) ?? 0) + 1);
      checkRun(run);
    } catch (error) {
      failed.push(`run ${number}: ${String(error).replaceAll(/\s+/g, " ").slice(0, 300)}`);
    }
  }
  console.log(`invariants, runs of ${RUNS}: ${[...reached].map(([name, n]) => `${name} ${n}`).join(", ")}`);
  expect(failed.slice(0, 5), `${failed.length} runs broke an invariant`).toEqual([]);
  for (const name of Object.keys(mechanisms(randomRun(0))))
    expect(reached.get(name) ?? 0, `runs that reached: ${name}`).toBeGreaterThan(3);
});

/** How often each mechanism was at work in a run. */
function mechanisms({ strategy: plan, rows, result }: WatchedRun): Record<string, number> {
  const totals = result.classes.map((ofClass) => ofClass.totals);
  const all = (name: keyof (typeof totals)[number]): number => totals.reduce((sum, total) => sum + total[name], 0);
  const { incidents } = result.series;
  const own = (row: { route: number }): boolean => row.route >= 1 && row.route <= plan.pools.length;
  return {
    completedOwn: rows.filter((row) => row.outcome === COMPLETED && own(row)).length,
    completedOffer: rows.filter((row) => row.outcome === COMPLETED && !own(row)).length,
    preempted: result.pools.reduce((sum, { preemptions }) => sum + preemptions, 0),
    rateLimited: all("rateLimited"),
    overflowedOrFailedOver: all("overflowed"),
    rejected: all("rejected"),
    failed: rows.filter((row) => row.outcome === FAILED).length,
    timedOut: all("timedOut"),
    retried: all("retried"),
    completedAfterRetry: rows.filter((row) => row.outcome === COMPLETED && row.attempts > 1).length,
    boundaryRefused: all("boundaryRefused"),
    blockedByBoundary: all("blockedByBoundary"),
    redacted: all("redacted"),
    notCleanable: all("notCleanable"),
    leftCleaned: rows.filter((row) => row.classIndex === 2 && row.outcome === COMPLETED && !own(row)).length,
    stayedInside: rows.filter((row) => row.classIndex === 2 && row.outcome === BOUNDARY_REFUSED).length,
    nodeFailures: incidents.kind.filter((kind) => kind === "node-failure").length,
    engineCrashes: incidents.kind.filter((kind) => kind === "engine-crash").length,
    requestsLost: incidents.requestsLost.reduce((sum, lost) => sum + lost, 0),
    outages: incidents.kind.filter((kind) => kind.startsWith("outage")).length,
    outageFailures: result.offers.reduce((sum, { outageFailures }) => sum + outageFailures, 0),
    warmUsed: result.pools.filter(({ warmH, downH }, p) => plan.pools[p]!.warmReplicas > 0 && downH > 0 && warmH > 0)
      .length,
    unitsUsed: result.offers.reduce((sum, { utilizationFraction }) => sum + utilizationFraction, 0),
    jobsExpired: result.offers.reduce((sum, { expired }) => sum + expired, 0),
    commitmentsShort: result.series.ledger.line.filter((line) => line === "commitment-shortfall").length,
    inFlightAtHorizon: result.classes.reduce((sum, { inFlightAtHorizon }) => sum + inFlightAtHorizon, 0),
  };
}

test("the same arguments give the same bytes", () => {
  for (const number of [3, 17, 40])
    expect(JSON.stringify(randomRun(number).result)).toBe(JSON.stringify(randomRun(number).result));
});

describe("INV-10: sequences in the batch = rate × time in the batch", () => {
  test("at low load, where requests wait for less than a step", () => {
    const of = setting({ horizonS: 4000 });
    const traffic = poissonTraffic({ ...of, horizonS: 3900 }, { meanRatePerS: 0.5 });
    const spec = pool({ replicas: 2, networkS: 0, engine: { apiOverheadMs: 0 } });
    const run = watch(of, strategy([[to("pool")]], [spec]), [2], traffic);
    expect(run.rows.every((row) => row.outcome === COMPLETED)).toBe(true);
    const staysS = run.rows.reduce((sum, row) => sum + row.e2eS, 0);
    const { occupancyFraction } = run.result.pools[0]!;
    const inBatchS = occupancyFraction * spec.engine.maxNumSeqs * 2 * of.horizonS;
    expect(inBatchS / staysS).toBeLessThanOrEqual(1);
    expect(inBatchS / staysS).toBeGreaterThan(0.985);
    // And every gap between tokens is in the sketch: as many as there are tokens after the first, as long in all as answers take.
    const itlS = Sketch.fromPlain(run.result.classes[0]!.itlS);
    expect(itlS.samples()).toBe(run.rows.reduce((sum, row) => sum + row.outputTokens - 1, 0));
    expect(itlS.sum / run.rows.reduce((sum, row) => sum + row.e2eS - row.ttftS, 0)).toBeCloseTo(1, 9);
  });
});

describe("INV-13 where it is tempting to break it", () => {
  const classes = [
    requestClass({ name: "open", shareFraction: 0.5, timeoutS: 20 }),
    requestClass({ name: "restricted", shareFraction: 0.5, sensitivity: "restricted", timeoutS: 20 }),
  ];
  const routes = [[to("pool"), to("offer")], [to("pool")]];

  test("the only pool is down half of the time: the open class fails over, the restricted one fails", () => {
    const incidents = {
      ...pool().incidents,
      engineCrashesPerReplicaDay: 500,
      engineRestart: { medianS: 100, sigma: 0.1 },
    };
    const of = setting({ classes, horizonS: 3000 });
    const run = watch(of, strategy(routes, [pool({ replicas: 1, incidents })], [offer()]), [1], poissonTraffic(of));
    checkRun(run);
    const [open, restricted] = run.result.classes;
    expect(open!.totals.overflowed).toBeGreaterThan(500);
    expect(open!.totals.failed).toBeLessThan(0.01 * open!.totals.sent);
    expect(restricted!.totals.failed).toBeGreaterThan(0.3 * restricted!.totals.sent);
    expect(restricted!.controlledCompleted).toBe(restricted!.totals.completed);
  });
});

describe("single runs worked out by hand", () => {
  test("an offer: first token and rate as declared, billed by token", () => {
    const request = { timeS: 10, inputTokens: 1000, outputTokens: 56 };
    const of = setting({ horizonS: 100 });
    const run = watch(of, strategy([[to("offer")]], [], [offer()]), [], listTraffic([request]));
    checkRun(run);
    // Base 1.2 s, 0.04 s per thousand input tokens, 0.05 s of network; then 55 gaps at 55 tokens/s.
    expect(run.rows[0]!.ttftS).toBeCloseTo(1.29, 9);
    expect(run.rows[0]!.tpotS).toBeCloseTo(1 / 55, 9);
    const { ledger } = run.result.series;
    expect(ledger.line).toEqual(["api-input", "api-output"]);
    expect(ledger.usd[0]).toBeCloseTo(1000 * 2e-6, 12);
    expect(ledger.usd[1]).toBeCloseTo(56 * 10e-6, 12);
  });

  test("a request that fits no pool and no offer is rejected at once and not retried", () => {
    const run = watch(
      setting(),
      strategy([[to("pool"), to("offer")]], [pool()], [offer({ contextTokens: 5000 })]),
      [2],
      listTraffic([{ timeS: 1, inputTokens: 9000, outputTokens: 10 }]),
    );
    checkRun(run);
    expect(run.result.classes[0]!.totals).toMatchObject({ sent: 1, rejected: 1, retried: 0 });
    expect(run.endedS[0]).toBe(1);
  });

  test("nothing sent: hours are paid, nothing is served", () => {
    const run = watch(setting({ horizonS: 7200 }), strategy([[to("pool")]], [pool()]), [2], listTraffic([]));
    checkRun(run);
    expect(run.result.pools[0]).toMatchObject({ busyH: 0, idleH: 4 });
  });
});
