/**
 * The break-even law of provisioned units, out of the simulator: the same traffic is simulated on units and on pay-as-you-go at
 * several loads, and the load at which the two bills are equal is found between them. It must be the price of the units ÷ the
 * pay-as-you-go value of what they are good for, which is worked out here from the catalogue's rows alone.
 */
import { describe, expect, test } from "vitest";
import type { CatalogEntry } from "../../src/catalog/schema.ts";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { Resolution } from "../../src/experiment/resolution.ts";
import { priceRows } from "../../src/experiment/resolve-prices.ts";
import { resolveProvisioned } from "../../src/experiment/resolve-provisioned.ts";
import { plainForm } from "../../src/experiment/schema-forms.ts";
import { loadCatalog } from "../../src/node/catalog-files.ts";
import type { ResolvedOffer } from "../../src/scenario/resolved.ts";
import { offer, poissonTraffic, requestClass, runOptions, setting, strategy, to } from "../fixtures/strategies.ts";

type Plan = CatalogEntry<"provisioned">;
type Term = keyof Plan["deployments"][string]["terms"];

const { catalog } = await loadCatalog();
/** Offered loads as shares of what the units are good for. */
const LOADS = [0.3, 0.7, 0.9, 1.1, 1.5, 2, 3, 7];
const REQUESTS_AT_FULL_LOAD = 1000;
const MONTH_MINUTES = 43_800;
/** Of the simulated week. */
const START_DATE = "2026-11-02";

interface Case {
  readonly plan: Plan;
  readonly model: Plan["models"][number];
  readonly deployment: string;
  readonly term: Term;
  /** Requests of other lengths, with so much of each prompt in the prompt cache. */
  readonly cached?: { readonly input: number; readonly output: number; readonly tokens: number };
}

const CASES: Case[] = [...catalog.provisioned.values()].flatMap((plan) =>
  plan.models
    .filter((model) => model.offer !== undefined)
    .flatMap((model) =>
      Object.entries(plan.deployments)
        .filter(([deployment]) => Object.hasOwn(model.steps, deployment))
        .flatMap(([deployment, { terms }]) =>
          (Object.keys(terms) as Term[]).map((term) => ({ plan, model, deployment, term })),
        ),
    ),
);

test("the catalogue has units of 26 models that are sold as you go too", () => {
  expect(new Set(CASES.map(({ plan, model }) => `${plan.id}/${model.model}`)).size).toBe(26);
});

test.each(CASES.map((one) => [`${one.plan.id}/${one.model.model} ${one.deployment} ${one.term}`, one] as const))(
  "%s",
  (_, one) => {
    const expected = lawOf(one);
    expect(Math.abs(breakEvenOf(one) - expected), `expected ${expected}`).toBeLessThan(0.01);
  },
);

describe("prompts that come from the cache", () => {
  const ptu = CASES.find(
    ({ plan, model, deployment, term }) =>
      plan.id === "azure-ptu" && model.model === "gpt-5.2" && deployment === "global" && term === "1-year",
  )!;

  test.each([
    ["half of 2,000 tokens, 400 out", { input: 2000, output: 400, tokens: 1000 }, 0.83],
    ["nine tenths of 50,000 tokens, 500 out: an agent loop", { input: 50_000, output: 500, tokens: 45_000 }, 0.57],
  ])("%s", (_, cached, about) => {
    const one = { ...ptu, cached };
    const expected = lawOf(one);
    expect(expected).toBeCloseTo(about, 2);
    expect(Math.abs(breakEvenOf(one) - expected), `expected ${expected}`).toBeLessThan(0.01);
  });
});

/** Lengths that take as much of the input units as of the output units, where these are sold apart. */
function lengthsOf({ model, cached }: Case): { readonly input: number; readonly output: number } {
  if (cached !== undefined) return cached;
  const { inputTokensPerMinPerUnit: into, outputTokensPerMinPerUnit: out } = model;
  return out === null ? { input: 2000, output: 400 } : { input: into / 10, output: out / 10 };
}

/** Price ÷ value of a unit-month that is used round the clock (of one of each, where they are sold apart). */
function lawOf(one: Case): number {
  const { plan, model, deployment, term } = one;
  const { terms, priceFactor } = plan.deployments[deployment]!;
  const { usdPerUnit, termH, paidEveryH } = terms[term]!;
  const priceUsd = (usdPerUnit * priceFactor * 730) / (termH === 0 ? 1 : paidEveryH);
  const { inputTokensPerMinPerUnit: into, outputTokensPerMinPerUnit: out } = model;
  const { prices } = catalog.offers.get(model.offer!)!;
  const row = prices.filter(({ from }) => (from ?? "") <= START_DATE).at(-1)!;
  const [inputUsd, outputUsd] = [row.inputUsdPerMTok / 1e6, row.outputUsdPerMTok / 1e6];
  if (out !== null) return (2 * priceUsd) / (MONTH_MINUTES * (into * inputUsd + out * outputUsd));
  const { input, output } = lengthsOf(one);
  const cached = one.cached?.tokens ?? 0;
  const readUsd = (row.cacheReadUsdPerMTok ?? 0) / 1e6;
  const requestsPerMin = into / (input - cached + model.cachedWeight * cached + model.outputWeight! * output);
  const requestUsd = (input - cached) * inputUsd + cached * readUsd + output * outputUsd;
  return priceUsd / (MONTH_MINUTES * requestsPerMin * requestUsd);
}

function breakEvenOf(one: Case): number {
  const { plan, model, deployment, term } = one;
  const payg = offer({
    model: model.model,
    prices: priceRows(catalog.offers.get(model.offer!)!),
    ...(one.cached === undefined ? {} : { promptCache: { ttlS: 1e6, minTokens: 500, stepTokens: 500 } }),
  });
  const form = {
    ...plainForm("provisioned"),
    plan: plan.id,
    deployment,
    term,
    units: model.steps[deployment]!.minUnits,
  };
  if (form.kind !== "provisioned") throw new Error("not provisioned");
  const apart = model.outputTokensPerMinPerUnit === null ? {} : { outputUnits: form.units };
  const resolution = new Resolution(catalog, {}, [], catalog.asOf);
  const context = { demand: null, classes: [requestClass()], firstFor: [], offerId: model.offer! };
  const units = resolveProvisioned(resolution, payg, { ...form, ...apart }, [], "", context);
  expect(resolution.problems).toEqual([]);
  const points = LOADS.map((load) => {
    const paid = bill(payg, one, load);
    return { load: paid.load, differenceUsd: paid.usd - bill(units!, one, load).usd };
  });
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1]!, points[i]!];
    if (a.differenceUsd <= 0 && b.differenceUsd > 0)
      return a.load - (a.differenceUsd * (b.load - a.load)) / (b.differenceUsd - a.differenceUsd);
  }
  return NaN;
}

/** The simulated bill, and the load that its own tokens made. */
function bill(of: ResolvedOffer, one: Case, load: number): { readonly usd: number; readonly load: number } {
  const { model, deployment } = one;
  const { input, output } = lengthsOf(one);
  const weight = model.outputTokensPerMinPerUnit === null ? model.outputWeight! : 0;
  const tokensPerMin = model.inputTokensPerMinPerUnit * model.steps[deployment]!.minUnits;
  const cached = one.cached?.tokens ?? 0;
  const requestsPerS = tokensPerMin / (input - cached + model.cachedWeight * cached + weight * output) / 60;
  const horizonS = Math.ceil(REQUESTS_AT_FULL_LOAD / requestsPerS / 60) * 60;
  const sharedPrefix = cached === 0 ? null : { tokens: cached, groups: 1 };
  const setup = setting({ horizonS, warmupS: 600, classes: [requestClass({ timeoutS: 1e6, sharedPrefix })] });
  const traffic = poissonTraffic(setup, {
    meanRatePerS: requestsPerS * load,
    input: { kind: "constant", tokens: input },
    output: { kind: "constant", tokens: output },
  });
  const { line, quantity, usd } = simulateRun(
    setup,
    strategy([[to("offer")]], [], [of]),
    traffic,
    runOptions({ replicas: [] }),
  ).series.ledger;
  const tokens = (wanted: string): number => quantity.reduce((sum, n, i) => (line[i] === wanted ? sum + n : sum), 0);
  const prompts = tokens("api-input") + model.cachedWeight * tokens("api-cached-input");
  const taken = prompts + weight * tokens("api-output");
  return { usd: usd.reduce((sum, amount) => sum + amount, 0), load: taken / (tokensPerMin * (horizonS / 60)) };
}
