/** Commercial forms and managed pools in whole runs: each option moves what it should, in outcomes, times and money. */
import { describe, expect, test } from "vitest";
import type { BatchForm, ProvisionedForm } from "../../src/scenario/forms.ts";
import type { LimitSpec } from "../../src/scenario/limits.ts";
import type { ResolvedOffer, ResolvedPool, ResolvedStrategy } from "../../src/scenario/resolved.ts";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import type { RunResult } from "../../src/outcome/run-result.ts";
import { queueLimit } from "../../src/experiment/resolve-form-limits.ts";
import {
  listTraffic,
  offer,
  poissonTraffic,
  pool,
  requestClass,
  runOptions,
  setting,
  strategy,
  to,
} from "../fixtures/strategies.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;

function run(
  plan: ResolvedStrategy,
  horizonS: number,
  meanRatePerS: number,
  replicas: readonly number[] = [],
): RunResult {
  const of = setting({
    horizonS,
    classes: [requestClass({ timeoutS: 10 * DAY })],
    people: { fte: 1, loadedUsdPerYear: 120_000, preset: "test" },
  });
  const lengths = { input: { kind: "constant", tokens: 1000 }, output: { kind: "constant", tokens: 100 } } as const;
  return simulateRun(of, plan, poissonTraffic(of, { meanRatePerS, ...lengths }), runOptions({ replicas }));
}

const onOffer = (of: Partial<ResolvedOffer>, meanRatePerS = 0.05, horizonS = 2 * DAY): RunResult =>
  run(strategy([[to("offer")]], [], [offer(of)]), horizonS, meanRatePerS);

function usd({ series: { ledger } }: RunResult, line = "", of: "usd" | "billedUsd" = "usd"): number {
  return ledger[of].reduce((sum, amount, i) => (ledger.line[i]!.startsWith(line) ? sum + amount : sum), 0);
}

const outputTokens = ({ series: { ledger } }: RunResult): number =>
  ledger.quantity.reduce((sum, tokens, i) => (ledger.line[i] === "api-output" ? sum + tokens : sum), 0);

const totalsOf = (result: RunResult) => result.classes[0]!.totals;
const medianTtftS = (result: RunResult): number => Sketch.fromPlain(result.classes[0]!.ttftS).quantile(0.5);

describe("batch", () => {
  const form: BatchForm = {
    kind: "batch",
    windowS: DAY,
    completion: { medianS: HOUR, sigma: 1.2 },
    expiredBills: "completed",
  };
  const normal = onOffer({ form });

  test("answers come whole, after about an hour", () => {
    expect(medianTtftS(normal)).toBeGreaterThan(0.9 * HOUR);
    expect(medianTtftS(normal)).toBeLessThan(1.1 * HOUR);
    expect(Sketch.fromPlain(normal.classes[0]!.tpotS).mean()).toBe(0);
  });

  test("what is not done in time fails and is billed in part or not at all", () => {
    const slow = { ...form, windowS: HOUR / 2, completion: { medianS: HOUR, sigma: 0 } };
    const openai = onOffer({ form: slow });
    const anthropic = onOffer({ form: { ...slow, expiredBills: "nothing" } });
    for (const result of [openai, anthropic]) {
      expect(totalsOf(result).completed).toBe(0);
      expect(totalsOf(result).failed).toBeGreaterThan(8000);
      expect(result.offers[0]!.expired).toBeGreaterThanOrEqual(totalsOf(result).failed);
    }
    // Half of the time is half of the answer, and a token; of jobs that expire after the horizon too.
    expect(outputTokens(openai) / totalsOf(openai).sent).toBeCloseTo(51, 1);
    expect(usd(anthropic)).toBe(0);
  });

  test("what was sent within the horizon is paid, however long it takes", () => {
    const slow = onOffer({ form: { ...form, completion: { medianS: DAY / 2, sigma: 0 } } });
    const { sent, completed } = totalsOf(slow);
    expect(slow.classes[0]!.inFlightAtHorizon).toBe(sent - completed);
    expect(completed / sent).toBeLessThan(0.8);
    expect(outputTokens(slow)).toBe(100 * sent);
    const onePrice = usd(onOffer({})) / outputTokens(onOffer({}));
    expect(usd(slow) / outputTokens(slow)).toBeCloseTo(onePrice, 12);
    // A completed request costs no more for those that are under way.
    expect(slow.endedUsd / completed).toBeCloseTo(100 * onePrice, 12);
    expect(slow.targets[0]!.usd).toBeCloseTo(usd(slow), 9);
    const own = run(strategy([[to("pool")]], [pool({})], []), HOUR, 0.5, [1]);
    expect(own.endedUsd).toBe(usd(own));
  });

  test("the queue takes so much at once and refuses the rest", () => {
    const queued = (limits: LimitSpec[]): number => totalsOf(onOffer({ form, limits })).rateLimited;
    expect(queued([])).toBe(0);
    const few = queued([queueLimit(100_000, "input")]);
    expect(few).toBeGreaterThan(1000);
    expect(queued([queueLimit(50_000, "input")])).toBeGreaterThan(few);
    expect(queued([queueLimit(100, "requests")])).toBe(few);
  });
});

describe("flex", () => {
  const unavailable = { fromHour: 13, toHour: 19, peakProbability: 0.1, otherProbability: 0.02 };
  const flex = (change: object = {}): number =>
    totalsOf(onOffer({ form: { kind: "flex", unavailable: { ...unavailable, ...change } } })).rateLimited;

  test("has no capacity for some, more of them at peak, and does not bill them", () => {
    const normal = flex();
    const sent = totalsOf(onOffer({})).sent;
    // Two weekdays: 6 of 24 hours at 10 %, the rest at 2 %.
    expect(normal / sent).toBeGreaterThan(0.033);
    expect(normal / sent).toBeLessThan(0.047);
    expect(flex({ peakProbability: 0.3 })).toBeGreaterThan(normal * 1.5);
    expect(flex({ otherProbability: 0.1 })).toBeGreaterThan(normal * 1.5);
    expect(flex({ toHour: 14 })).toBeLessThan(normal);
    const { totals } = onOffer({ form: { kind: "flex", unavailable } }).classes[0]!;
    expect(totals.completed + totals.rejected).toBe(sent);
  });
});

test("priority: no answer is slower than the floor", () => {
  const latency = { ...offer().latency, rateSigma: 0.5 };
  const slowest = (of: Partial<ResolvedOffer>): number => Sketch.fromPlain(onOffer(of).classes[0]!.tpotS).quantile(1);
  expect(slowest({ latency })).toBeGreaterThan(1 / 40);
  expect(slowest({ latency: { ...latency, minTokensPerS: 50 }, form: { kind: "priority" } })).toBeLessThan(1.01 / 50);
});

describe("provisioned units", () => {
  const TPM = 3000;
  const units = (count: number, change: Partial<ProvisionedForm> = {}): Partial<ResolvedOffer> => {
    const weights = { uncached: 1, cacheRead: 0, cacheWrite: 1, requests: 0 };
    const settle = { op: "sum", ...weights, maxOutput: 0, output: 5 } as const;
    return {
      form: {
        kind: "provisioned",
        plan: "test/units",
        units: count,
        reservedUnits: count,
        throughputs: [
          {
            name: "tokens",
            units: count,
            tokensPerMinPerUnit: TPM,
            uncachedWeight: 1,
            cachedWeight: 0,
            outputWeight: 5,
          },
        ],
        reserved: { name: "1-month", termH: 730, paidEveryH: 730, usdPerUnit: 260 },
        hourly: null,
        acquisition: { successProbability: 1, leadTimeH: 0 },
        ...change,
      },
      prices: [{ fromEpochS: null, inputUsdPerMTok: 0, outputUsdPerMTok: 0, longContext: [] }],
      limits: [
        {
          name: "units",
          kind: "leaky_utilization",
          units: count,
          inputTpmPerUnit: TPM,
          depthS: 60,
          reserve: { ...settle, maxOutput: 5, output: 0 },
          settle,
          failedCounts: false,
        },
      ],
    };
  };
  /** 60 requests a minute of 1,500 weighted tokens need 30 units. */
  const paired = (count: number, change: Partial<ProvisionedForm> = {}): RunResult =>
    run(
      strategy(
        [[to("offer", 0), to("offer", 1)]],
        [],
        [offer({ ...units(count, change), name: "units" }), offer({ name: "payg" })],
      ),
      6 * HOUR,
      1,
    );

  test("take what they are good for; the rest spills over at once, at its own price, and nobody is refused", () => {
    const result = paired(15);
    const { completed, overflowed, rateLimited, rejected } = totalsOf(result);
    expect(rejected).toBe(0);
    expect(overflowed).toBe(rateLimited);
    expect(result.offers[0]!.utilizationFraction).toBeGreaterThan(0.97);
    expect(overflowed / completed).toBeGreaterThan(0.45);
    expect(overflowed / completed).toBeLessThan(0.55);
    const spilledUsd = (overflowed * (1000 * 2 + 100 * 10)) / 1e6;
    expect(usd(result, "api-") / spilledUsd).toBeGreaterThan(0.99);
    expect(usd(result, "api-") / spilledUsd).toBeLessThan(1.01);
    expect(usd(result, "provisioned-")).toBeCloseTo((15 * 260 * 6) / 730, 8);
  });

  test("unpaired they answer 429", () => {
    const alone = run(strategy([[to("offer")]], [], [offer(units(15))]), 6 * HOUR, 1);
    expect(totalsOf(alone).rejected).toBe(totalsOf(alone).rateLimited);
    expect(totalsOf(alone).rejected).toBeGreaterThan(8000);
  });

  test("more units: fewer spill, more is unused", () => {
    const [few, many] = [paired(15), paired(60)];
    expect(totalsOf(many!).overflowed).toBeLessThan(totalsOf(few!).overflowed / 20);
    expect(usd(many!, "provisioned-unused")).toBeGreaterThan(usd(few!, "provisioned-unused") * 20);
  });

  test("until they are deployed everything spills, while the reservation is paid; by the hour nothing is", () => {
    const late = { acquisition: { successProbability: 1, leadTimeH: 3 } };
    const hourly = { name: "hourly", termH: 0, paidEveryH: 0, usdPerUnit: 1 };
    const reserved = paired(60, late);
    expect(totalsOf(reserved).overflowed / totalsOf(reserved).completed).toBeGreaterThan(0.49);
    expect(usd(reserved, "provisioned-")).toBeCloseTo((60 * 260 * 6) / 730, 8);
    const byTheHour = paired(60, { ...late, reservedUnits: 0, reserved: null, hourly });
    expect(usd(byTheHour, "provisioned-")).toBeCloseTo(60 * 3, 8);
    expect(usd(byTheHour, "provisioned-", "billedUsd")).toBeCloseTo(60 * 3, 8);
  });

  test("an attempt to deploy that fails costs its time", () => {
    const tries = (successProbability: number): number =>
      totalsOf(paired(60, { acquisition: { successProbability, leadTimeH: 1 } })).overflowed;
    expect(tries(0.01)).toBeGreaterThan(tries(1) * 3);
  });

  test("a year in advance is cash of the first month, and a share of it cost", () => {
    const year = paired(40, { reserved: { name: "1-year", termH: 8760, paidEveryH: 8760, usdPerUnit: 2652 } });
    expect(usd(year, "provisioned-", "billedUsd")).toBeCloseTo(40 * 2652, 6);
    expect(usd(year, "provisioned-")).toBeCloseTo((40 * 2652 * 6) / 8760, 8);
    const { ledger } = year.series;
    const at = ledger.line.indexOf("provisioned-purchase");
    expect([ledger.chargeCategory[at], ledger.pricingCategory[at]]).toEqual(["Purchase", "Committed"]);
    const unused = ledger.line.indexOf("provisioned-unused");
    expect(ledger.commitmentDiscountStatus[unused]).toBe("Unused");
    const spilled = paired(15).series.ledger;
    expect(new Set(spilled.pricingCategory.filter((_, i) => spilled.target[i] === "payg"))).toEqual(
      new Set(["Standard"]),
    );
  });
});

describe("a managed pool", () => {
  const on = (spec: Partial<ResolvedPool>, meanRatePerS = 0.05, horizonS = 10 * HOUR): RunResult =>
    run(strategy([[to("pool")]], [pool({ replicas: 1, ...spec })]), horizonS, meanRatePerS, [1]);

  test("costs its markup on every paid hour, on a line of its own, and no people of ours", () => {
    const own = on({});
    const managed = on({ managed: { preset: "byoc", markupUsdPerGpuHour: 0.9 } });
    expect(usd(own, "people")).toBeCloseTo((120_000 / 12 / 730) * 10, 8);
    expect(usd(managed, "people")).toBe(0);
    expect(usd(managed, "managed-markup")).toBeCloseTo(9, 8);
    expect(usd(managed, "gpu-")).toBeCloseTo(usd(own, "gpu-"), 8);
    expect(totalsOf(managed)).toEqual(totalsOf(own));
  });

  describe("that scales to zero", () => {
    const scaled = (idleS: number, coldStartS = 60, billStartup = true, rate = 0.002): RunResult =>
      on({ scaleToZero: { idleS, coldStartS, billStartup } }, rate);
    const paidH = (result: RunResult): number => {
      const { busyH, idleH, warmH, downH } = result.pools[0]!;
      return busyH + idleH + warmH + downH;
    };

    test("pays from the first request to the end of the idle time after the last, and makes that request wait", () => {
      const of = setting({ horizonS: HOUR, classes: [requestClass({ timeoutS: 600 })] });
      const spec = pool({ replicas: 1, networkS: 0, scaleToZero: { idleS: 300, coldStartS: 100, billStartup: true } });
      const traffic = listTraffic([{ timeS: 1000, inputTokens: 100, outputTokens: 1 }]);
      const result = simulateRun(of, strategy([[to("pool")]], [spec]), traffic, runOptions({ replicas: [1] }));
      // Up for 300 s at first, then from 1,000 s: 100 s to start, the request, 300 s idle.
      const servedS = Sketch.fromPlain(result.classes[0]!.ttftS).mean() - 100;
      expect(servedS).toBeGreaterThan(0);
      expect(servedS).toBeLessThan(0.1);
      expect(paidH(result) * HOUR).toBeCloseTo(300 + 100 + 300 + servedS - 0.005, 2);
      expect([result.pools[0]!.coldStarts, result.pools[0]!.coldStartRequests]).toEqual([1, 1]);
    });

    test("idle time, cold start and who pays for it each move the bill or the wait", () => {
      const normal = scaled(300);
      expect(paidH(normal)).toBeLessThan(paidH(on({}, 0.002)));
      expect(paidH(scaled(900))).toBeGreaterThan(paidH(normal));
      expect(scaled(900).pools[0]!.coldStarts).toBeLessThan(normal.pools[0]!.coldStarts);
      const slow = scaled(300, 200);
      expect(Sketch.fromPlain(slow.classes[0]!.ttftS).mean()).toBeGreaterThan(
        Sketch.fromPlain(normal.classes[0]!.ttftS).mean() + 30,
      );
      const free = scaled(300, 200, false);
      expect((paidH(slow) - paidH(free)) * HOUR).toBeCloseTo(200 * slow.pools[0]!.coldStarts, 4);
    });

    test("never stops while requests keep coming", () => {
      const busy = scaled(300, 60, true, 1);
      expect(busy.pools[0]!.coldStarts).toBe(0);
      expect(paidH(busy)).toBeCloseTo(10, 8);
    });

    test("who does not wait for the cold start gives up at the deadline", () => {
      const of = setting({ horizonS: HOUR, classes: [requestClass({ timeoutS: 50 })] });
      const spec = pool({ replicas: 1, scaleToZero: { idleS: 10, coldStartS: 100, billStartup: true } });
      const traffic = listTraffic([{ timeS: 1000, inputTokens: 100, outputTokens: 1 }]);
      const result = simulateRun(of, strategy([[to("pool")]], [spec]), traffic, runOptions({ replicas: [1] }));
      expect(totalsOf(result)).toMatchObject({ sent: 1, timedOut: 1, completed: 0 });
    });
  });
});
