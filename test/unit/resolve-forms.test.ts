/** Commercial forms and managed pools in an experiment file: what they make of an offer or pool, and what can be wrong. */
import { describe, expect, test } from "vitest";
import type { ProvisionedForm } from "../../src/scenario/forms.ts";
import type { ResolvedOffer, ResolvedStrategy } from "../../src/scenario/resolved.ts";
import { problemsOf, resolveRaw, smallExperiment, withValue, type Path, type Raw } from "../fixtures/experiment.ts";

const OFFER = "openai/gpt-5-mini@tier-5";
const GEMINI = "google/gemini-2.5-flash@tier-3";
const SESSIONS = {
  turns: [1, 1],
  thinkTimeS: { medianS: 10 },
  newInput: { kind: "constant", tokens: 100 },
  maxContextTokens: 4000,
};
const offerPath: Path = ["strategies", "api", "offers", "gpt"];
const poolPath: Path = ["strategies", "own", "pools", "gpus"];

function withForm(form: unknown, offer = OFFER): Raw {
  return withValue(smallExperiment(), offerPath, { offer, form });
}

function strategyOf(raw: Raw, name: string): ResolvedStrategy {
  return resolveRaw(raw).experiment.strategies.find((strategy) => strategy.name === name)!;
}

const offerOf = (form: unknown, offer = OFFER): ResolvedOffer => strategyOf(withForm(form, offer), "api").offers[0]!;
const plain = strategyOf(smallExperiment(), "api").offers[0]!;

function found(raw: Raw): string {
  return problemsOf(raw)
    .map(({ path, message, hint }) => `${path.join(".")}: ${message}${hint === undefined ? "" : ` | ${hint}`}`)
    .join("\n");
}

describe("forms by name", () => {
  test("none and pay-as-you-go are the same, and no trace in what is resolved", () => {
    expect(plain.form).toBeUndefined();
    expect(offerOf("pay-as-you-go")).toEqual(plain);
  });

  test("batch: half the price, own queue, nothing of the hour", () => {
    const batch = offerOf("batch");
    expect(batch.form).toEqual({
      kind: "batch",
      windowS: 86_400,
      completion: { medianS: 3600, sigma: 1.2 },
      expiredBills: "completed",
    });
    expect(batch.priceMultiplier).toBe(plain.priceMultiplier / 2);
    expect(batch.limits.map(({ name }) => name)).toEqual(["batch-queue"]);
    expect([batch.diurnal, batch.congestion]).toEqual([null, null]);
  });

  test("flex: half the price, five times the first token, seven tenths of the rate, the same limits", () => {
    const flex = offerOf("flex");
    expect(flex.priceMultiplier).toBe(plain.priceMultiplier / 2);
    expect(flex.latency.ttftBaseS).toBe(plain.latency.ttftBaseS * 5);
    expect(flex.latency.ttftSigma).toBe(0.9);
    expect(flex.latency.tokensPerS).toBeCloseTo(plain.latency.tokensPerS * 0.7, 12);
    expect(flex.limits).toEqual(plain.limits);
  });

  test("priority: twice the price and a floor of the rate; at Google 1.8 times and three tenths of the limits", () => {
    const priority = offerOf("priority");
    expect(priority.priceMultiplier).toBe(plain.priceMultiplier * 2);
    expect(priority.latency.minTokensPerS).toBe(50);
    const gemini = offerOf("pay-as-you-go", GEMINI);
    const fast = offerOf("priority", GEMINI);
    expect(fast.priceMultiplier).toBe(gemini.priceMultiplier * 1.8);
    expect(fast.latency).toEqual(gemini.latency);
    expect(fast.limits).not.toEqual(gemini.limits);
  });

  test("a commitment: the largest discount that it reaches", () => {
    const discounts = [
      { fromUsdPerMonth: 10_000, discountFraction: 0.05 },
      { fromUsdPerMonth: 100_000, discountFraction: 0.2 },
      { fromUsdPerMonth: 50_000, discountFraction: 0.12 },
    ];
    const committed = (usdPerMonth: number): number =>
      offerOf({ kind: "committed", usdPerMonth, discounts }).priceMultiplier / plain.priceMultiplier;
    expect([5000, 10_000, 60_000, 100_000].map(committed)).toEqual([1, 0.95, 0.88, 0.8]);
    expect(offerOf({ kind: "committed", usdPerMonth: 10, prepaidMonths: 6 }).form).toEqual({
      kind: "committed",
      usdPerMonth: 10,
      prepaidMonths: 6,
    });
  });
});

describe("every value of a form that the file replaces arrives", () => {
  test.each<readonly [string, string, unknown]>([
    ["batch", "priceMultiplier", 0.4],
    ["batch", "windowH", 12],
    ["batch", "completionMedianH", 3],
    ["batch", "completionSigma", 0.1],
    ["batch", "expiredBills", "nothing"],
    ["batch", "queueLimit", 1000],
    ["batch", "queueLimit", "none"],
    ["flex", "priceMultiplier", 0.4],
    ["flex", "ttftFactor", 2],
    ["flex", "ttftSigma", 0.1],
    ["flex", "rateFactor", 0.5],
    ["flex", "unavailablePeakProbability", 0.4],
    ["flex", "unavailableOtherProbability", 0.3],
    ["priority", "priceMultiplier", 3],
    ["priority", "limitFactor", 0.5],
    ["priority", "minTokensPerS", 80],
  ])("%s %s", (kind, field, value) => {
    expect(offerOf({ kind, [field]: value })).not.toEqual(offerOf(kind));
  });
});

describe("what an offer says beside its form", () => {
  const units = { kind: "provisioned", units: 3 };
  const resolved = (offer: Raw) => resolveRaw(withValue(smallExperiment(), offerPath, offer)).experiment;

  test.each<readonly [unknown, string, string[]]>([
    ["flex", OFFER, ["ttftSigma"]],
    ["priority", OFFER, ["minTokensPerS"]],
    [units, GEMINI, ["ttftSigma", "tailProbability", "tailMultiple", "tailSigma", "rateSigma"]],
  ])("latency as it was measured stands before that of %j", (form, offer, fields) => {
    for (const field of fields) {
      const { latency } = resolved({ offer, form, latency: { [field]: 0.77 } }).strategies[0]!.offers[0]!;
      expect(latency).toEqual({ ...offerOf(form, offer).latency, [field]: 0.77 });
    }
  });

  test("a value of the form itself stands before it", () => {
    const form = { kind: "flex", ttftSigma: 0.1 };
    expect(
      resolved({ offer: OFFER, form, latency: { ttftSigma: 0.77 } }).strategies[0]!.offers[0]!.latency.ttftSigma,
    ).toBe(0.1);
  });

  test.each<readonly [unknown, string, object, RegExp]>([
    [units, GEMINI, { limits: "none" }, /gpt\.limits has no effect on a provisioned offer: the units alone limit it/],
    [
      units,
      GEMINI,
      { priceMultiplier: 0.9 },
      /gpt\.priceMultiplier has no effect on a provisioned offer: .*usdPerUnit/,
    ],
    [units, GEMINI, { pricePath: "successor-half" }, /gpt\.pricePath has no effect on a provisioned offer/],
    ["batch", OFFER, { limits: { rpm: { limitPerMin: 1 } } }, /gpt\.limits has no effect on a batch offer: queueLimit/],
  ])("%j of %s with %j is warned of", (form, offer, more, message) => {
    const { warnings } = resolved({ offer, form, ...more });
    expect(warnings.join("\n")).toMatch(message);
    expect(resolved({ offer, form }).warnings.join("\n")).not.toMatch(/has no effect/);
  });
});

describe("provisioned units", () => {
  const gsu = (form: object = {}): ResolvedOffer => offerOf({ kind: "provisioned", ...form }, GEMINI);
  const formOf = (of: ResolvedOffer): ProvisionedForm => of.form as ProvisionedForm;

  test("cost nothing by the token, are limited by themselves and answer narrower, without the load of others", () => {
    const units = gsu({ units: 3 });
    const gemini = offerOf("pay-as-you-go", GEMINI);
    expect(units.prices).toEqual([{ fromEpochS: null, inputUsdPerMTok: 0, outputUsdPerMTok: 0, longContext: [] }]);
    expect(units.limits.map(({ name }) => name)).toEqual(["units"]);
    expect(units.latency).toMatchObject({
      ttftBaseS: gemini.latency.ttftBaseS * 0.85,
      ttftSigma: 0.18,
      tailProbability: 0.004,
      rateSigma: 0.1,
    });
    expect([units.diurnal, units.congestion]).toEqual([null, null]);
    expect(units.priceAsOf).toBe("2026"); // Of the units, not of the tokens.
    expect(formOf(units)).toMatchObject({
      plan: "google-gsu/gemini-2.5-flash",
      units: 3,
      reservedUnits: 3,
      hourly: null,
    });
    expect(formOf(units).reserved).toEqual({ name: "1-month", termH: 730, paidEveryH: 730, usdPerUnit: 2700 });
  });

  test("auto buys for the busiest quarter of an hour, by the formula and in whole steps", () => {
    const raw = withValue(withForm({ kind: "provisioned" }, GEMINI), ["traffic"], {
      requestsPerS: 40,
      season: "flat",
      input: { kind: "constant", tokens: 1500 },
      output: { kind: "constant", tokens: 250 },
    });
    // 40/s × 60 × (1,500 + 9 × 250) ÷ 161,400 = 55.8; growth over a day is none.
    expect(formOf(strategyOf(raw, "api").offers[0]!).units).toBe(56);
    const cached = withValue(raw, [...offerPath, "form", "cachedFraction"], 0.5);
    // Cached tokens of this model weigh in full.
    expect(formOf(strategyOf(cached, "api").offers[0]!).units).toBe(56);
    const ptu = withValue(raw, offerPath, { offer: "openai/gpt-5-mini@tier-5", form: "provisioned" });
    // 2,400 × (1,500 + 8 × 250) ÷ 23,750 = 353.7, in steps of 5; half of the prompt cached: 277.9.
    expect(formOf(strategyOf(ptu, "api").offers[0]!).units).toBe(355);
    const half = withValue(ptu, offerPath, {
      offer: "openai/gpt-5-mini@tier-5",
      form: { kind: "provisioned", cachedFraction: 0.5 },
    });
    expect(formOf(strategyOf(half, "api").offers[0]!).units).toBe(280);
  });

  test.each<readonly [string, object]>([
    ["units", { units: 4 }],
    ["deployment", { deployment: "non-global" }],
    ["term", { term: "1-year" }],
    ["usdPerUnit", { usdPerUnit: 2000 }],
    ["payment", { term: "1-year", payment: "upfront" }],
    ["acquisition", { acquisition: { successProbability: 0.5, leadTimeH: 2 } }],
    ["outputWeight", { outputWeight: 5 }],
  ])("%s arrives", (_, change) => {
    expect(gsu({ units: 3, ...change }).form).not.toEqual(gsu({ units: 3 }).form);
  });

  test("a year in one payment is twelve months of it", () => {
    const { reserved } = formOf(gsu({ units: 1, term: "1-year", payment: "upfront" }));
    expect(reserved).toEqual({ name: "1-year", termH: 8760, paidEveryH: 8760, usdPerUnit: 24_000 });
    const ptu = formOf(offerOf({ kind: "provisioned", units: 15, term: "1-year", payment: "monthly" }));
    expect(ptu.reserved).toEqual({ name: "1-year", termH: 8760, paidEveryH: 730, usdPerUnit: 221 });
  });

  test("units of input and of output apart, each sized for its own tokens", () => {
    const raw = withValue(withForm("provisioned", "x-ai/grok-4-1-fast-reasoning"), ["traffic"], {
      requestsPerS: 4,
      season: "flat",
      input: { kind: "constant", tokens: 1000 },
      output: { kind: "constant", tokens: 100 },
    });
    // 240,000 ÷ 31,500 = 7.6 and 24,000 ÷ 12,500 = 1.9.
    const parts = (of: Raw): number[] => formOf(strategyOf(of, "api").offers[0]!).throughputs.map(({ units }) => units);
    expect(parts(raw)).toEqual([8, 2]);
    const own = { kind: "provisioned", units: 3, outputUnits: 5 };
    expect(parts(withForm(own, "x-ai/grok-4-1-fast-reasoning"))).toEqual([3, 5]);
  });

  test("some reserved, the others by the hour", () => {
    const form = formOf(offerOf({ kind: "provisioned", units: 30, reservedUnits: 20 }));
    expect([form.units, form.reservedUnits, form.reserved?.usdPerUnit, form.hourly?.usdPerUnit]).toEqual([
      30, 20, 260, 1,
    ]);
  });

  test("spill over right behind themselves, to an offer that no route names; lower protection is warned of", () => {
    const raw = withValue(smallExperiment(), ["strategies", "api"], {
      offers: {
        units: { offer: OFFER, boundary: "zdr", form: { kind: "provisioned", units: 15, spillover: "gpt" } },
        gpt: OFFER,
        other: "anthropic/claude-haiku-4-5@start",
      },
      routes: { open: ["units", "other"], secret: ["units"] },
    });
    const { experiment } = resolveRaw(raw);
    const [open, secret] = experiment.strategies[0]!.routes;
    expect(open!.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(secret).toEqual([]); // The class may not leave at all.
    expect(experiment.warnings.join("\n")).toMatch(/units \(boundary level 1\) spills over to gpt \(level 0\)/);
  });
});

describe("mistakes", () => {
  test.each<readonly [unknown, RegExp]>([
    ["bacth", /offers\.gpt\.form: unknown commercial form "bacth" \| did you mean "batch"\?/],
    [{ kind: "flexx" }, /form\.kind: expected one of .* \| did you mean flex\?/],
    [{ kind: "batch", windowM: 3 }, /form\.windowM: unknown field/],
    [{ kind: "batch", priceMultiplier: -1 }, /form\.priceMultiplier: expected at least 0, got -1/],
    [{ kind: "provisioned", usdPerUnit: -1 }, /form\.usdPerUnit: expected at least 0, got -1/],
    [
      { kind: "provisioned", plan: "azure-pto" },
      /form\.plan: unknown provisioned plan "azure-pto" \| did you mean "azure-ptu"\?/,
    ],
    [
      { kind: "provisioned", plan: "azure-ptu/gpt-5-mni" },
      /azure-ptu has no units for "gpt-5-mni" \| did you mean "gpt-5-mini"\?/,
    ],
    [{ kind: "provisioned", units: 16 }, /form\.units: 16 of PTU are not sold: at least 15 in steps of 5 \| take 20/],
    [{ kind: "provisioned", units: 15, deployment: "globl" }, /form\.deployment: .* \| did you mean "global"\?/],
    [
      { kind: "provisioned", units: 15, term: "1-week" },
      /form\.term: azure-ptu \(global\) is not sold as 1-week \| sold as hourly/,
    ],
    [
      { kind: "provisioned", units: 15, reservedUnits: 20 },
      /form\.reservedUnits: 20 are more than the 15 units deployed/,
    ],
    [{ kind: "provisioned", units: 15, outputUnits: 3 }, /form\.outputUnits: azure-ptu sells no units of output apart/],
    [{ kind: "provisioned", units: 15, spillover: "pgt" }, /form\.spillover: there is no offer "pgt" to spill over to/],
    [{ kind: "provisioned", units: 15, spillover: "gpt" }, /form\.spillover: gpt cannot spill over to itself/],
    [{ kind: "committed" }, /form\.usdPerMonth: is missing/],
    [
      {
        kind: "committed",
        usdPerMonth: 1,
        discounts: [
          { fromUsdPerMonth: 1, discountFraction: 0.1 },
          { fromUsdPerMonth: 1, discountFraction: 0.2 },
        ],
      },
      /form\.discounts\.1: 1 USD a month stands twice/,
    ],
  ])("%j", (form, message) => {
    expect(found(withForm(form))).toMatch(message);
  });

  test("a form that the provider does not sell, units by the hour where there are none, a weight that nobody publishes", () => {
    expect(found(withForm("batch", "groq/llama-3.3-70b@developer"))).toMatch(/no batch of groq \| sold by /);
    expect(found(withForm({ kind: "provisioned", units: 2, reservedUnits: 1 }, GEMINI))).toMatch(
      /sells nothing by the hour, so that all units must be reserved/,
    );
    expect(found(withForm({ kind: "provisioned", plan: "azure-ptu/glm-5", units: 700 }))).toMatch(
      /form\.outputWeight: is missing: azure-ptu publishes no weight/,
    );
  });

  test("auto sees the busiest quarter of an hour of a whole recording, also where the file does not say how long it is", () => {
    // Ten requests a minute for two days, but for ninety of them a minute in the last hour.
    const times = [
      ...Array.from({ length: 10 * 47 * 60 }, (_, i) => 6 * i),
      ...Array.from({ length: 90 * 60 }, (_, i) => 47 * 3600 + (60 / 90) * i),
    ];
    const of = (tokens: number): Uint32Array => new Uint32Array(times.length).fill(tokens);
    const recording = { arrivalS: Float64Array.from(times), inputTokens: of(2000), outputTokens: of(300) };
    const replayed = withValue(withForm({ kind: "provisioned" }, GEMINI), ["traffic"], { replay: { file: "a.csv" } });
    const units = (raw: Raw): number =>
      (resolveRaw(raw, { recording }).experiment.strategies[0]!.offers[0]!.form as ProvisionedForm).units;
    const peak = units(withValue(replayed, ["days"], 2));
    expect(units(withValue(replayed, ["days"], 1))).toBeLessThan(peak);
    expect(units(withValue(replayed, ["days"], undefined))).toBe(peak);
  });

  test("auto without a class to size for, or for sessions", () => {
    const last = withValue(withForm({ kind: "provisioned" }), ["strategies", "api", "offers", "first"], OFFER);
    const routes = { open: ["first", "gpt"], secret: ["first", "gpt"] };
    expect(found(withValue(last, ["strategies", "api", "routes"], routes))).toMatch(
      /form\.units: auto needs a class whose route begins with this offer/,
    );
    expect(
      found(
        withValue(withForm({ kind: "provisioned" }), ["traffic"], { preset: "chat-azure-2023", sessions: SESSIONS }),
      ),
    ).toMatch(/form\.units: auto cannot tell the peak of sessions/);
  });
});

describe("managed pools", () => {
  const managed = (change: object = {}): Raw =>
    withValue(smallExperiment(), poolPath, {
      ...(smallExperiment()["strategies"] as { own: { pools: { gpus: object } } }).own.pools.gpus,
      managed: "byoc",
      ...change,
    });
  const poolOf = (raw: Raw) => strategyOf(raw, "own").pools[0]!;

  test("one line: place, level and markup of the vendor, and evidence for a private deployment", () => {
    const pool = poolOf(managed());
    const own = poolOf(smallExperiment());
    expect([pool.place, pool.boundaryLevel]).toEqual(["private_vpc", 5]);
    expect(pool.usdPerGpuHour).toBe(own.usdPerGpuHour);
    expect(pool.managed).toEqual({ preset: "byoc", markupUsdPerGpuHour: own.usdPerGpuHour! * (1.3 - 1) });
    expect(strategyOf(managed(), "own").option).toBe("private_managed");
    expect(strategyOf(smallExperiment(), "own").option).toBe("self");
  });

  test.each([
    ["dedicated-endpoint", "dedicated_managed", 3],
    ["sovereign", "onprem", 6],
    ["air-gapped", "onprem", 7],
  ])("%s stands in %s at level %i", (preset, place, level) => {
    const pool = poolOf(managed({ managed: preset }));
    expect([pool.place, pool.boundaryLevel]).toEqual([place, level]);
  });

  test("what the file says of place and level itself stays", () => {
    const pool = poolOf(managed({ place: "onprem", boundaryLevel: 7 }));
    expect([pool.place, pool.boundaryLevel]).toEqual(["onprem", 7]);
  });

  test("a vendor's own rate is all in and needs no price of the GPU", () => {
    const pool = poolOf(managed({ managed: "fireworks-dedicated", gpu: "a100-80gb-sxm", gpuPrice: undefined }));
    expect([pool.usdPerGpuHour, pool.managed!.markupUsdPerGpuHour]).toEqual([3.89, 0]);
  });

  test("a preset and a GPU by another spelling are the same vendor at the same rate", () => {
    const written = { managed: "fireworks-dedicated", gpu: "a100-80gb-sxm", gpuPrice: undefined };
    expect(poolOf(managed({ ...written, managed: "Fireworks-Dedicated", gpu: "a100" }))).toEqual(
      poolOf(managed(written)),
    );
    expect(poolOf(managed({ managed: "BYOC" }))).toEqual(poolOf(managed()));
  });

  test("people are those of the pools that are not managed", () => {
    const only = withValue(managed(), ["strategies", "both"], undefined);
    expect(resolveRaw(managed()).experiment.people.fte).toBeGreaterThan(0);
    expect(resolveRaw(only).experiment.people.fte).toBe(0);
  });

  test("scaling to zero takes the cold start of the profile, and not every preset has it", () => {
    const scaled = poolOf(managed({ managed: "dedicated-endpoint", scaleToZero: { idleMinutes: 5 } }));
    const { restartS, provisionS } = scaled.coldStart;
    expect(scaled.scaleToZero).toEqual({ idleS: 300, coldStartS: restartS + provisionS, billStartup: true });
    expect(found(managed({ scaleToZero: { idleMinutes: 5 } }))).toMatch(/scaleToZero: byoc keeps its GPUs/);
    expect(found(managed({ managed: undefined, scaleToZero: { idleMinutes: 5 }, warmReplicas: 1 }))).toMatch(
      /scaleToZero: warm replicas are always there/,
    );
  });

  test("a preset that does not exist", () => {
    expect(found(managed({ managed: "byok" }))).toMatch(
      /managed: unknown managed preset "byok" \| did you mean "byoc"\?/,
    );
  });
});
