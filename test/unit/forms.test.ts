/** Commercial forms alone: sizing and billing against published examples, capacity that comes late or not, jobs that expire. */
import { describe, expect, test } from "vitest";
import type { CommittedForm, ProvisionedForm, TermPrice } from "../../src/scenario/forms.ts";
import { BatchTimes } from "../../src/provider/forms/batch.ts";
import { formCharges, type ChargedMonth, type FormCharge } from "../../src/provider/forms/charges.ts";
import { deployedFromS, gateOf } from "../../src/provider/forms/gate.ts";
import { unitsInSteps, weightedTokensPerMin } from "../../src/provider/forms/units.ts";
import { MONDAY_EPOCH_S } from "../fixtures/provider-offer.ts";

const HOUR = 3600;
const MONTH = 730 * HOUR;

const HOURLY: TermPrice = { name: "hourly", termH: 0, paidEveryH: 0, usdPerUnit: 1 };
const ONE_MONTH: TermPrice = { name: "1-month", termH: 730, paidEveryH: 730, usdPerUnit: 260 };
const ONE_YEAR: TermPrice = { name: "1-year", termH: 8760, paidEveryH: 8760, usdPerUnit: 2652 };

function units(options: Partial<ProvisionedForm>): ProvisionedForm {
  const all = options.units ?? 100;
  return {
    kind: "provisioned",
    plan: "azure-ptu/gpt-5.2",
    units: all,
    reservedUnits: all,
    throughputs: [
      { name: "tokens", units: all, tokensPerMinPerUnit: 3400, uncachedWeight: 1, cachedWeight: 0, outputWeight: 8 },
    ],
    reserved: ONE_MONTH,
    hourly: null,
    acquisition: { successProbability: 1, leadTimeH: 0 },
    ...options,
  };
}

function month(fromS: number, toS: number, usage: Partial<ChargedMonth> = {}): ChargedMonth {
  const none = { inputTokens: 0, cachedTokens: 0, writtenTokens: 0, outputTokens: 0, usageUsd: 0 };
  return { fromS, toS, ...none, ...usage };
}

function sum(charges: readonly FormCharge[], of: "usd" | "billedUsd", line = ""): number {
  return charges.filter((charge) => charge.line.startsWith(line)).reduce((total, charge) => total + charge[of], 0);
}

const chargesOf = (form: ProvisionedForm, of: ChargedMonth, deployedS = -Infinity): readonly FormCharge[] =>
  formCharges(form, of, deployedS).charges;

describe("sizing: Microsoft's example, 1,000 requests a minute of 200 + 20 tokens on regional gpt-5.2", () => {
  const weights = { uncachedWeight: 1, cachedWeight: 0, outputWeight: 8 };
  const steps = { minUnits: 50, increment: 50 };
  test.each([
    [0, 105.882, 150],
    [0.5, 76.471, 100],
  ])("cached share %d: %d raw, %i units", (cachedFraction, raw, bought) => {
    const demand = { requestsPerMin: 1000, inputTokens: 200, outputTokens: 20, cachedFraction };
    const needed = weightedTokensPerMin(demand, weights) / 3400;
    expect(needed).toBeCloseTo(raw, 3);
    expect(unitsInSteps(needed, steps)).toBe(bought);
  });

  test("the minimum is bought however little is needed; a whole step is no further one", () => {
    expect(unitsInSteps(1, { minUnits: 15, increment: 5 })).toBe(15);
    expect(unitsInSteps(20, { minUnits: 15, increment: 5 })).toBe(20);
    expect(unitsInSteps(20.01, { minUnits: 15, increment: 5 })).toBe(25);
  });

  test("units of input and of output apart: xAI's example", () => {
    const one = { minUnits: 1, increment: 1 };
    expect(unitsInSteps(100_000 / 31_500, one) + unitsInSteps(50_000 / 12_500, one)).toBe(8);
  });
});

describe("what units cost", () => {
  test("300 by the hour for a quarter of one: 75 USD, in both views", () => {
    const charges = chargesOf(units({ units: 300, reservedUnits: 0, reserved: null, hourly: HOURLY }), month(0, 900));
    expect(sum(charges, "usd")).toBeCloseTo(75, 10);
    expect(sum(charges, "billedUsd")).toBeCloseTo(75, 10);
  });

  test("100 for a month: by the hour 73,000, reserved for a month 26,000, for a year 22,100", () => {
    const hourly = units({ reservedUnits: 0, reserved: null, hourly: HOURLY });
    expect(sum(chargesOf(hourly, month(0, MONTH)), "usd")).toBeCloseTo(73_000, 6);
    expect(sum(chargesOf(units({}), month(0, MONTH)), "usd")).toBeCloseTo(26_000, 6);
    expect(sum(chargesOf(units({ reserved: ONE_YEAR }), month(0, MONTH)), "usd")).toBeCloseTo(22_100, 6);
  });

  test("a year in advance is paid on the first day and costs a twelfth a month", () => {
    const form = units({ reserved: ONE_YEAR });
    const paid = Array.from({ length: 13 }, (_, i) => chargesOf(form, month(i * MONTH, (i + 1) * MONTH)));
    expect(paid.map((charges) => sum(charges, "billedUsd"))).toEqual([265_200, ...Array(11).fill(0), 265_200]);
    expect(paid.slice(0, 12).reduce((total, charges) => total + sum(charges, "usd"), 0)).toBeCloseTo(265_200, 6);
    expect(paid[0]!.find(({ line }) => line === "provisioned-purchase")).toMatchObject({
      category: "Purchase",
      usd: 0,
    });
  });

  test("600 deployed with 500 reserved: 100 of them by the hour", () => {
    const form = units({ units: 600, reservedUnits: 500, hourly: HOURLY });
    const charges = chargesOf(form, month(0, MONTH));
    expect(sum(charges, "usd")).toBeCloseTo(500 * 260 + 100 * 730, 6);
    expect(sum(charges, "billedUsd")).toBeCloseTo(500 * 260 + 100 * 730, 6);
  });

  test("started minutes are billed, once each over neighbouring months", () => {
    const form = units({ units: 60, reservedUnits: 0, reserved: null, hourly: HOURLY });
    expect(sum(chargesOf(form, month(0, 61)), "usd")).toBeCloseTo(2, 12);
    const parts = [month(0, 90), month(90, 150), month(150, 240)].map((of) => sum(chargesOf(form, of), "usd"));
    expect(parts.reduce((total, usd) => total + usd, 0)).toBeCloseTo(4, 12);
  });

  test("a reservation is paid while nothing is deployed, units by the hour are not", () => {
    const late = 10 * HOUR;
    expect(sum(chargesOf(units({}), month(0, late), late), "usd")).toBeGreaterThan(0);
    const hourly = units({ reservedUnits: 0, reserved: null, hourly: HOURLY });
    expect(sum(chargesOf(hourly, month(0, late), late), "usd")).toBe(0);
    expect(sum(chargesOf(hourly, month(0, 2 * late), late), "usd")).toBeCloseTo(100 * 10, 8);
  });

  test("what the tokens took is used, the rest is not; cached tokens weigh nothing here", () => {
    const capacity = 100 * 3400 * 60;
    const half = month(0, HOUR, { inputTokens: capacity / 4, outputTokens: capacity / 32, cachedTokens: 1e9 });
    const charges = chargesOf(units({}), half);
    const [used, unused] = ["provisioned-used", "provisioned-unused"].map((line) => sum(charges, "usd", line));
    expect(used).toBeCloseTo(unused!, 8);
    expect(charges.filter(({ commitment }) => commitment === "Unused").map(({ line }) => line)).toEqual([
      "provisioned-unused",
    ]);
  });
});

describe("a commitment to spend", () => {
  const committed: CommittedForm = { kind: "committed", usdPerMonth: 1000, prepaidMonths: 0 };

  test("what falls short is paid too, what goes beyond is paid as used", () => {
    const short = formCharges(committed, month(0, MONTH, { usageUsd: 400 }), 0);
    expect(short.charges.map(({ line, usd, billedUsd }) => [line, usd, billedUsd])).toEqual([
      ["commitment-shortfall", 600, 600],
    ]);
    expect(formCharges(committed, month(0, MONTH, { usageUsd: 1400 }), 0)).toEqual({
      charges: [],
      usageBilledFraction: 1,
    });
  });

  test("paid a year in advance: cash on the first day, only the overage after that", () => {
    const prepaid = { ...committed, prepaidMonths: 12 };
    const first = formCharges(prepaid, month(0, MONTH, { usageUsd: 1250 }), 0);
    expect(sum(first.charges, "billedUsd")).toBe(12_000);
    expect(sum(first.charges, "usd")).toBe(0);
    expect(first.usageBilledFraction).toBeCloseTo(0.2, 12);
    const second = formCharges(prepaid, month(MONTH, 2 * MONTH, { usageUsd: 400 }), 0);
    expect(sum(second.charges, "billedUsd")).toBe(0);
    expect(sum(second.charges, "usd")).toBe(600);
    expect(second.usageBilledFraction).toBe(0);
  });
});

describe("capacity that is not there", () => {
  const context = (replication: number) => ({ seed: "1", replication, startEpochS: MONDAY_EPOCH_S, key: 77 });

  test("units serve at once, after the lead time, or after the attempts that failed", () => {
    const from = (successProbability: number, leadTimeH: number, replication = 0): number =>
      deployedFromS(units({ acquisition: { successProbability, leadTimeH } }), "ptu", context(replication));
    expect(from(1, 0)).toBe(-Infinity);
    expect(from(1, 6)).toBe(6 * HOUR);
    const hours = Array.from({ length: 4000 }, (_, replication) => from(0.5, 4, replication) / HOUR);
    // A geometric number of attempts of 4 hours each.
    expect(hours.reduce((total, h) => total + h, 0) / hours.length).toBeGreaterThan(7.7);
    expect(hours.reduce((total, h) => total + h, 0) / hours.length).toBeLessThan(8.3);
    expect(Math.min(...hours)).toBe(4);
  });

  test("flex has none for a tenth of the attempts at peak and a fiftieth else", () => {
    const unavailable = { fromHour: 13, toHour: 19, peakProbability: 0.1, otherProbability: 0.02 };
    const gate = gateOf({ kind: "flex", unavailable }, "flex", context(0))!;
    const share = (timeS: number): number => {
      let shut = 0;
      for (let request = 0; request < 20_000; request++) shut += gate.shut(timeS, request, 0) ? 1 : 0;
      return shut / 20_000;
    };
    expect(share(14 * HOUR)).toBeCloseTo(0.1, 2);
    expect(share(20 * HOUR)).toBeCloseTo(0.02, 2);
    expect(share((5 * 24 + 14) * HOUR)).toBeCloseTo(0.02, 2); // Saturday
  });
});

describe("batch jobs", () => {
  const form = {
    kind: "batch",
    windowS: 24 * HOUR,
    completion: { medianS: HOUR, sigma: 1.2 },
    expiredBills: "completed",
  } as const;

  test("half are done within the median; those that take longer than a day expire", () => {
    const times = new BatchTimes(form, 5);
    const n = 40_000;
    let within = 0;
    let expired = 0;
    for (let request = 0; request < n; request++) {
      times.draw(100, request, 0, 50);
      if (times.expired(100, times.finishS)) expired++;
      else if (times.finishS <= 100 + HOUR) within++;
    }
    expect(within / n).toBeCloseTo(0.5, 2);
    // 1 − Φ(ln 24 / 1.2) = 0.00404.
    expect(Math.abs(expired / n - 0.00404)).toBeLessThan(0.001);
  });

  test("of an expired job OpenAI bills what was done, Anthropic nothing", () => {
    const slow = { ...form, completion: { medianS: 48 * HOUR, sigma: 0 } };
    const [openai, anthropic] = [slow, { ...slow, expiredBills: "nothing" } as const].map(
      (of) => new BatchTimes(of, 5),
    );
    for (const times of [openai!, anthropic!]) times.draw(0, 1, 0, 200);
    expect([openai!.finishS, anthropic!.finishS]).toEqual([24 * HOUR, 24 * HOUR]);
    expect(openai!.tokenGapS).toBe((48 * HOUR) / 200);
    expect([openai!.firstTokenS, anthropic!.firstTokenS]).toEqual([0, Infinity]);
  });
});
