/** Limits that an experiment file names: every kind can be named, and every field of it moves what the offer answers. */
import { describe, expect, test } from "vitest";
import { ADMITTED, Offer } from "../../src/provider/offer.ts";
import { LIMIT_KINDS } from "../../src/provider/limits/registry.ts";
import type { ResolvedOffer } from "../../src/scenario/resolved.ts";
import { catalog, problemsOf, resolveRaw, smallExperiment, withValue, type Path } from "../fixtures/experiment.ts";
import { CONTEXT } from "../fixtures/provider-offer.ts";

const LIMITS: Path = ["strategies", "both", "offers", "gpt", "limits"];
const HOUR_S = 3600;

function resolved(limits: unknown): ResolvedOffer {
  const { experiment } = resolveRaw(withValue(smallExperiment(), LIMITS, limits));
  return experiment.strategies[2]!.offers[0]!;
}

/** The tier's own limits taken away. */
const only = (name: string, limit: unknown): ResolvedOffer => resolved({ rpm: "none", tpm: "none", [name]: limit });

/** Hours of requests of several sizes at a rate that goes up and down; everything that limits may change. */
function answers(spec: ResolvedOffer): readonly number[] {
  const offer = new Offer(
    { ...spec, congestion: null, outages: null, diurnal: null, contextTokens: 1e9 },
    { ...CONTEXT, horizonS: 20 * HOUR_S },
  );
  const running: { endS: number; attemptS: number; input: number; output: number }[] = [];
  let ttftS = 0;
  let standard = 0;
  let told = 0;
  for (let i = 0, timeS = 0; timeS < 20 * HOUR_S; i++) {
    timeS += i % 6000 < 5000 ? 1.5 : 20;
    running.sort((a, b) => a.endS - b.endS);
    while (running.length > 0 && running[0]!.endS <= timeS) {
      const { endS, attemptS, input, output } = running.shift()!;
      offer.finish(endS, attemptS, input, 0, 1024, output);
    }
    const input = 200 + 400 * (i % 7);
    const output = 50 + 60 * (i % 5);
    if (offer.attempt(timeS, i, 0, input, output, 1024) === ADMITTED) {
      running.push({ endS: offer.finishS, attemptS: timeS, input, output });
      ttftS += offer.firstTokenS - timeS;
      standard += offer.asStandard ? 1 : 0;
    } else if (offer.retryAfterS < Infinity) told += offer.retryAfterS;
  }
  return [offer.admitted, offer.rateLimited, offer.oversize, Math.round(ttftS * 1e6), standard, told];
}

const input = { input: 1 };
/** By kind: a limit that binds, and for each of its fields another value. */
const KINDS: Readonly<Record<string, readonly [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>]>> =
  {
    token_bucket: [
      {
        kind: "token_bucket",
        limitPerMin: 30_000,
        reserve: { input: 1, maxOutput: 1 },
        settle: { input: 1, output: 1 },
      },
      { limitPerMin: 20_000, burstS: 20, reserve: input, settle: "none", failedCounts: true },
    ],
    debt_bucket: [
      { kind: "debt_bucket", limitPerMin: 4000, settle: { output: 1 } },
      { limitPerMin: 3000, burstS: 10, settle: { output: 2 } },
    ],
    fixed_window: [
      { kind: "fixed_window", limit: 30_000, windowS: 60, reserve: input, settle: input },
      {
        limit: 20_000,
        windowS: 600,
        offsetS: 30,
        zone: "UTC+5:45",
        admitWhen: "below_limit",
        reserve: { op: "max", input: 1, maxOutput: 1 },
        settle: { output: 1 },
        failedCounts: true,
      },
    ],
    leaky_utilization: [
      {
        kind: "leaky_utilization",
        units: 10,
        inputTpmPerUnit: 3000,
        reserve: { input: 1, maxOutput: 8 },
        settle: { input: 1, output: 8 },
      },
      { units: 20, inputTpmPerUnit: 6000, depthS: 10, reserve: { input: 1 }, settle: "none", failedCounts: true },
    ],
    concurrency: [
      { kind: "concurrency", limit: 2, reserve: { requests: 1 } },
      { limit: 1, reserve: { requests: 2 } },
    ],
    queue: [
      { kind: "queue", limit: 3000, reserve: input },
      { limit: 2000, reserve: { requests: 1000 } },
    ],
    adaptive: [
      { kind: "adaptive", startPerMin: 20_000, minPerMin: 20_000, maxPerMin: 40_000, reserve: input },
      {
        startPerMin: 40_000,
        minPerMin: 10_000,
        maxPerMin: 20_000,
        burstS: 20,
        reserve: { maxOutput: 1 },
        settle: { output: 1 },
        failedCounts: true,
      },
    ],
    spend_cap: [
      { kind: "spend_cap", usd: 0.2, period: { windowS: 3600 } },
      { usd: 0.3, period: "month" },
    ],
    ramp: [
      { kind: "ramp", thresholdPerMin: 20_000, reserve: input },
      { thresholdPerMin: 30_000, growth: 2, lookBackS: 60, reserve: { maxOutput: 1 } },
    ],
    soft_threshold: [
      { kind: "soft_threshold", limit: 30_000, period: { windowS: 60 }, reserve: input },
      { limit: 20_000, period: "month", latencyFactor: 3, reserve: { output: 1 }, settle: { input: 2 } },
    ],
  };

describe("every field moves the answers", () => {
  test.each(Object.entries(KINDS))("%s", (kind, [limit, changes]) => {
    const base = answers(only("own", limit));
    expect(base).not.toEqual(answers(resolved("none")));
    for (const [field, value] of Object.entries(changes)) {
      // A zone stands in the place of an offset: both need days.
      const daily = field === "zone" || field === "offsetS" ? { windowS: 86_400, limit: 3_000_000 } : {};
      const before = Object.keys(daily).length === 0 ? base : answers(only("own", { ...limit, ...daily }));
      const other = field === "offsetS" ? 30_000 : value;
      expect(answers(only("own", { ...limit, ...daily, [field]: other })), `${kind}.${field}`).not.toEqual(before);
    }
  });

  test("of every kind but the one that only changes the bill", () => {
    expect([...Object.keys(KINDS), "reserved_usd_per_min"].sort()).toEqual([...LIMIT_KINDS].sort());
    expect(only("own", { kind: "reserved_usd_per_min", usdPerMin: 5 }).limits[0]).toMatchObject({ usdPerMin: 5 });
  });
});

test("limits of the tier: replaced in part, changed in kind, taken away, added to", () => {
  const names = (limits: unknown): unknown[] => resolved(limits).limits.map(({ name, kind }) => [name, kind]);
  expect(resolved({ rpm: { limitPerMin: 7 } }).limits[0]).toMatchObject({
    kind: "token_bucket",
    limitPerMin: 7,
    burstS: 60,
  });
  expect(names({ rpm: "none" })).toEqual([["tpm", "token_bucket"]]);
  expect(names({ rpm: { kind: "concurrency", limit: 4, reserve: { requests: 1 } } })).toEqual([
    ["rpm", "concurrency"],
    ["tpm", "token_bucket"],
  ]);
  expect(names({ cap: { kind: "spend_cap", usd: 5, period: "month" } }).map((entry) => (entry as string[])[0])).toEqual(
    ["rpm", "tpm", "cap"],
  );
});

test.each<[string, unknown, RegExp]>([
  ["a limit that is not there", { rpn: { limitPerMin: 1 } }, /has no limit "rpn"/],
  ["a kind that is not there", { rpm: { kind: "bucket" } }, /./],
  ["what the kind needs", { own: { kind: "spend_cap", usd: 1 } }, /a limit of kind spend_cap needs period/],
  ["what it charges", { own: { kind: "concurrency", limit: 1 } }, /a limit of kind concurrency needs reserve/],
  ["what a debt bucket charges", { own: { kind: "debt_bucket", limitPerMin: 1 } }, /needs settle/],
  ["a field of another kind", { rpm: { units: 3 } }, /a limit of kind token_bucket has no units/],
  [
    "a time zone",
    { own: { kind: "fixed_window", limit: 1, windowS: 60, zone: "Mars/Base", reserve: { requests: 1 } } },
    /unknown time zone "Mars\/Base"/,
  ],
  [
    "bounds in disorder",
    { own: { kind: "adaptive", startPerMin: 1, minPerMin: 2, maxPerMin: 3, reserve: { requests: 1 } } },
    /must not fall/,
  ],
  ["half a second", { own: { kind: "ramp", thresholdPerMin: 1, lookBackS: 0.5, reserve: input } }, /whole number/],
])("is told where it stands: %s", (_, limits, message) => {
  const [problem] = problemsOf(withValue(smallExperiment(), LIMITS, limits));
  expect(problem!.message).toMatch(message);
  expect(problem!.path.slice(0, LIMITS.length)).toEqual(LIMITS);
});

test("offers of one scope share a limit", () => {
  const limits = { own: { kind: "concurrency", limit: 1, reserve: { requests: 1 }, scope: "account" } };
  const spec = resolved({ ...limits, rpm: "none", tpm: "none" });
  const statuses = (scoped: boolean): number[] => {
    const sharedLimits = new Map();
    return [0, 1].map((i) => {
      const plain = { ...spec, outages: null, congestion: null };
      return new Offer(plain, { ...CONTEXT, ...(scoped ? { sharedLimits } : {}) }).attempt(0, i, 0, 10, 10, 10);
    });
  };
  expect(statuses(true)[1]).not.toBe(ADMITTED);
  expect(statuses(false)).toEqual([ADMITTED, ADMITTED]);
});

test("cached input is charged as the provider does", () => {
  const charges = (offer: string) => {
    const raw = withValue(smallExperiment(), ["strategies", "both", "offers", "gpt"], { offer });
    return Object.fromEntries(
      resolveRaw(raw).experiment.strategies[2]!.offers[0]!.limits.map(({ name, reserve }) => [name, reserve.cacheRead]),
    );
  };
  expect(catalog.limits.size).toBeGreaterThan(5);
  expect(charges("anthropic/claude-haiku-4-5@start")["itpm"]).toBe(0);
  expect(charges("openai/gpt-5-mini@tier-1")["tpm"]).toBe(1);
});
