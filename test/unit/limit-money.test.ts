/** Limits that move the bill of a whole run: spend that is reserved by the minute, and priority that ramps up too fast. */
import { expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import type { RunResult } from "../../src/outcome/run-result.ts";
import { NO_CHARGE, type LimitSpec } from "../../src/scenario/limits.ts";
import type { ResolvedOffer } from "../../src/scenario/resolved.ts";
import { resolveRaw, smallExperiment, withValue } from "../fixtures/experiment.ts";
import { INPUT } from "../fixtures/provider-offer.ts";
import { offer, poissonTraffic, runOptions, setting, strategy, to } from "../fixtures/strategies.ts";

const HORIZON_S = 3600;

function run(of: Partial<ResolvedOffer>): RunResult {
  const scope = setting({ horizonS: HORIZON_S });
  const lengths = { input: { kind: "constant", tokens: 1000 }, output: { kind: "constant", tokens: 100 } } as const;
  const plan = strategy([[to("offer")]], [], [offer(of)]);
  return simulateRun(scope, plan, poissonTraffic(scope, { meanRatePerS: 2, ...lengths }), runOptions());
}

function usd({ series: { ledger } }: RunResult, line: string, of: "usd" | "quantity" = "usd"): number {
  return ledger[of].reduce((sum, amount, i) => (ledger.line[i]!.startsWith(line) ? sum + amount : sum), 0);
}

const reserved = (usdPerMin: number): readonly LimitSpec[] => [
  { name: "reserved", kind: "reserved_usd_per_min", usdPerMin, reserve: NO_CHARGE, settle: null, failedCounts: false },
];

test("reserved spend: every minute is paid, and only what goes beyond it once more", () => {
  const list = usd(run({}), "api-");
  const perMin = list / 60;
  for (const share of [0.5, 1, 3]) {
    const result = run({ limits: reserved(share * perMin) });
    const [used, unused, beyond] = ["reserved-used", "reserved-unused", "api-"].map((line) => usd(result, line));
    // Prepaid and used make up what the tokens cost at list price; the reservation costs its minutes. What is under way when the last
    // of them ends may be covered by the next, which is not paid.
    expect(used! + beyond!).toBeLessThan(list + 1e-9);
    expect(used! + beyond!).toBeGreaterThan(0.999 * list);
    expect(used! + unused!).toBeCloseTo(share * list, 6);
    expect(usd(result, "reserved-", "quantity")).toBeCloseTo(60, 9);
    if (share === 0.5) expect(unused! / list).toBeLessThan(0.01);
    if (share === 1) expect(Math.min(unused!, beyond!) / list).toBeGreaterThan(0.02); // some minutes are busier than others
    if (share === 3) expect(beyond).toBe(0);
  }
});

test("priority that grows too fast is priced as standard", () => {
  const form = { kind: "priority", standardPriceFraction: 0.5 } as const;
  const ramp = (thresholdPerMin: number): readonly LimitSpec[] => [
    {
      name: "ramp",
      kind: "ramp",
      thresholdPerMin,
      growth: 1.5,
      lookBackS: 900,
      reserve: INPUT,
      settle: null,
      failedCounts: false,
    },
  ];
  const list = usd(run({ form }), "api-");
  const [wide, tight] = [1e9, 10_000].map((threshold) => usd(run({ form, limits: ramp(threshold) }), "api-"));
  expect(wide).toBe(list);
  // The first quarter of an hour is new traffic of 120,000 tokens a minute, later ones are as the minutes before them.
  expect(tight! / list).toBeGreaterThan(0.8);
  expect(tight! / list).toBeLessThan(0.92);
});

test("the priority form of a provider brings its ramp, unless the file has one", () => {
  const priority = (limits: object) => {
    const raw = withValue(smallExperiment(), ["strategies", "both", "offers", "gpt"], {
      offer: "openai/gpt-5-mini@tier-5",
      form: { kind: "priority", priceMultiplier: 2 },
      limits,
    });
    const spec = resolveRaw(raw).experiment.strategies[2]!.offers[0]!;
    return { form: spec.form, ramps: spec.limits.filter(({ kind }) => kind === "ramp") };
  };
  expect(priority({})).toMatchObject({
    form: { kind: "priority", standardPriceFraction: 0.5 },
    ramps: [{ thresholdPerMin: 1_000_000, growth: 1.5, lookBackS: 900, reserve: INPUT }],
  });
  const own = { mine: { kind: "ramp", thresholdPerMin: 5, reserve: { input: 1 } } };
  expect(priority(own).ramps).toMatchObject([{ name: "mine", thresholdPerMin: 5 }]);
});

test("batch jobs have the queue of their model and tier", () => {
  const queue = (offer: string): unknown => {
    const form = { kind: "batch", priceMultiplier: 0.5 };
    const raw = withValue(smallExperiment(), ["strategies", "both", "offers", "gpt"], { offer, form });
    return resolveRaw(raw).experiment.strategies[2]!.offers[0]!.limits;
  };
  // Not the 1.5 million of large models.
  expect(queue("openai/gpt-5-mini@tier-1")).toMatchObject([{ kind: "queue", limit: 5_000_000, reserve: INPUT }]);
  expect(queue("openai/gpt-5.2@tier-1")).toMatchObject([{ limit: 1_500_000 }]);
  expect(queue("anthropic/claude-haiku-4-5@build")).toMatchObject([
    { kind: "queue", limit: 300_000, reserve: { ...NO_CHARGE, requests: 1 } },
  ]);
});
