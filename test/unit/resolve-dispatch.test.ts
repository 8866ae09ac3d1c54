/** Clients, breakers, hedges and dispatch policies in an experiment file: what they become, and what is said of mistakes. */
import { describe, expect, test } from "vitest";
import { problemsOf, resolveRaw, smallExperiment, withValue, type Path } from "../fixtures/experiment.ts";
import type { ResolvedStrategy } from "../../src/scenario/resolved.ts";

const both: Path = ["strategies", "both"];

function resolved(changes: readonly (readonly [Path, unknown])[]): {
  experiment: ReturnType<typeof resolveRaw>["experiment"];
  plan: ResolvedStrategy;
} {
  const raw = changes.reduce((all, [path, value]) => withValue(all, path, value), smallExperiment());
  const { experiment } = resolveRaw(raw);
  return { experiment, plan: experiment.strategies.find(({ name }) => name === "both")! };
}

function found(path: Path, value: unknown): string[] {
  return problemsOf(withValue(smallExperiment(), path, value)).map(
    ({ path: at, message, hint }) => `${at.join(".")}: ${message}${hint === undefined ? "" : ` | ${hint}`}`,
  );
}

describe("clients", () => {
  test("without anything said they are the SDK's, with its limit of ten minutes an attempt", () => {
    const { experiment, plan } = resolved([]);
    expect(experiment.client).toMatchObject({
      name: "openai-node",
      maxRetries: 2,
      maxRetryAfterS: null,
      attemptTimeoutS: 600,
    });
    expect("client" in plan || "dispatch" in plan || "breaker" in plan || "hedge" in plan).toBe(false);
  });

  test("a file replaces single values, for all strategies or for one", () => {
    const client = {
      profile: "openai-python",
      maxRetries: 5,
      attemptTimeoutS: null,
      deadlineS: 30,
      retryBudget: { fractionOfRequests: 0.2 },
      abandonment: { medianS: 8 },
    };
    const { experiment, plan } = resolved([
      [["client"], { maxRetryAfterS: 20 }],
      [[...both, "client"], client],
    ]);
    expect(experiment.client).toMatchObject({ name: "openai-node", maxRetries: 2, maxRetryAfterS: 20 });
    expect(plan.client).toMatchObject({
      name: "openai-python",
      maxRetries: 5,
      maxRetryAfterS: 120,
      attemptTimeoutS: null,
      deadlineS: 30,
      retryBudget: { fractionOfRequests: 0.2, perS: 0, burst: 10 },
      abandonment: { medianS: 8, sigma: 0.5 },
    });
    expect(resolved([[[...both, "client"], "none"]]).plan.client).toMatchObject({ name: "none", maxRetries: 0 });
  });
});

test("a breaker without values is LiteLLM's cooldown", () => {
  expect(resolved([[[...both, "breaker"], {}]]).plan.breaker).toEqual({
    openS: 5,
    on429: true,
    failureFraction: 0.5,
    minAnswers: 1,
    allowedFailuresPerMin: 3,
    halfOpenProbes: 0,
  });
});

describe("dispatch", () => {
  const choice = (value: unknown): ResolvedStrategy["dispatch"] =>
    resolved([[[...both, "dispatch"], value]]).plan.dispatch;

  test("a name alone, with options, and for a class", () => {
    expect(choice("ordered")).toEqual([null, null]);
    expect(choice("weighted")![0]).toEqual({
      policy: "weighted",
      numbers: { bySession: 0 },
      byTarget: { weights: [1, 1] },
      steps: {},
    });
    const own = choice({ byClass: { open: { policy: "weighted", options: { weights: { gpt: 3 } } } } })!;
    expect(own[0]!.byTarget).toEqual({ weights: [1, 3] });
    expect(own[1]).toBeNull();
  });

  test("targets outside the boundary are not the policy's: its values are those of the route that is left", () => {
    const all = choice({ policy: "weighted", options: { weights: { gpus: 2, gpt: 3 } } })!;
    expect(all.map((one) => one!.byTarget.weights)).toEqual([[2, 3], [2]]);
  });

  test("dates are counted from the start", () => {
    const share = [
      { from: "2026-11-02T06:00:00Z", value: 0.1 },
      { from: "2026-11-02T12:00:00Z", value: 1 },
    ];
    expect(choice({ policy: "migration", options: { share } })![0]!.steps).toEqual({
      share: [
        { fromS: 21_600, value: 0.1 },
        { fromS: 43_200, value: 1 },
      ],
    });
  });
});

describe("every field moves what is resolved", () => {
  const groups: Record<string, { readonly base: object; readonly values: Record<string, unknown> }> = {
    client: {
      base: { profile: "openai-node" },
      values: {
        profile: "openai-python",
        maxRetries: 7,
        maxRetryAfterS: 9,
        attemptTimeoutS: 9,
        deadlineS: 9,
        retryBudget: {},
        abandonment: { medianS: 9 },
      },
    },
    breaker: {
      base: {},
      values: {
        openS: 9,
        on429: false,
        failureFraction: 0.9,
        minAnswers: 9,
        allowedFailuresPerMin: 9,
        halfOpenProbes: 9,
      },
    },
    hedge: { base: { afterS: 1 }, values: { afterS: 9, afterPercentile: 90, maxFraction: 0.9, race: "answer" } },
    dispatch: {
      base: { policy: "weighted" },
      values: {
        policy: "sticky",
        options: { bySession: 1 },
        byClass: { open: { policy: "overflow", options: { inFlight: 3 } } },
      },
    },
  };
  const changes = Object.entries(groups).flatMap(([group, { base, values }]) =>
    Object.entries(values).map(([field, value]) => ({
      group,
      field,
      before: base,
      after: { ...base, [field]: value },
    })),
  );
  test.each(changes)("$group.$field", ({ group, before, after }) => {
    const of = (value: object): string => JSON.stringify(resolved([[[...both, group], value]]).plan);
    expect(of(after)).not.toBe(of(before));
  });

  test.each(["retryBudget.fractionOfRequests", "retryBudget.perS", "retryBudget.burst", "abandonment.sigma"])(
    "client.%s, for all strategies",
    (name) => {
      const [group, field] = name.split(".") as [string, string];
      const base = group === "abandonment" ? { medianS: 9 } : {};
      const of = (value: object): string =>
        JSON.stringify(resolved([[["client"], { [group]: value }]]).experiment.client);
      expect(of({ ...base, [field]: 3 })).not.toBe(of(base));
    },
  );
});

describe("mistakes", () => {
  test("are told together with those of the offers beside them", () => {
    const raw = withValue(smallExperiment(), [...both, "dispatch"], "wieghted");
    const found = problemsOf(withValue(raw, [...both, "offers", "gpt"], "openai/no-such-model"));
    expect(found.map(({ path }) => path.join("."))).toEqual(
      expect.arrayContaining(["strategies.both.offers.gpt", "strategies.both.dispatch"]),
    );
  });

  test.each<[Path, unknown, RegExp]>([
    [[...both, "client"], "openai-nod", /^strategies\.both\.client: unknown client "openai-nod" \| did you mean/],
    [[...both, "client"], { profile: "non" }, /client\.profile: unknown client "non" \| did you mean "none"\?/],
    [
      [...both, "dispatch"],
      "wieghted",
      /^strategies\.both\.dispatch: unknown dispatch policy "wieghted" \| did you mean "weighted"\?/,
    ],
    [[...both, "dispatch"], { policy: "nonsense" }, /dispatch\.policy: unknown .* \| known: ordered, weighted, sticky/],
    [
      [...both, "dispatch"],
      { policy: "weighted", options: { weight: { gpt: 1 } } },
      /dispatch\.options\.weight: weighted has no option "weight" \| did you mean "weights"\?/,
    ],
    [
      [...both, "dispatch"],
      { policy: "weighted", options: { weights: { gtp: 1 } } },
      /options\.weights\.gtp: unknown pool or offer "gtp" \| did you mean "gpt"\?/,
    ],
    [
      [...both, "dispatch"],
      { policy: "weighted", options: { weights: { gpt: -1 } } },
      /options\.weights\.gpt: expected a number from 0 to 1000000, got -1/,
    ],
    [
      [...both, "dispatch"],
      { policy: "weighted", options: { weights: 3 } },
      /weights: expected a number for each target/,
    ],
    [
      [...both, "dispatch"],
      { policy: "quality-floor", options: { premiumShare: 2 } },
      /premiumShare: expected a number from 0 to 1, got 2/,
    ],
    [[...both, "dispatch"], { policy: "overflow", options: { inFlight: { gpt: 1 } } }, /inFlight: expected a number/],
    [[...both, "dispatch"], "migration", /share: expected a list of dates and values \| .* for example/],
    [
      [...both, "dispatch"],
      {
        policy: "migration",
        options: {
          share: [
            { from: "2026-11-02T06:00:00Z", value: 0.5 },
            { from: "2026-11-02T06:00:00Z", value: 1 },
          ],
        },
      },
      /share\.1\.from: expected a later date than the one before/,
    ],
    [
      [...both, "dispatch"],
      { byClass: { opne: "weighted" } },
      /byClass\.opne: unknown class "opne" \| did you mean "open"\?/,
    ],
    [["strategies", "own", "hedge"], { afterS: 1 }, /own\.hedge: no class has a second offer to hedge to/],
    [[...both, "breaker"], { openS: 0 }, /breaker\.openS/],
    [[...both, "hedge"], { afterS: 1, race: "first" }, /hedge\.race/],
  ])("%j: %j", (path, value, expected) => {
    const problems = found(path, value);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(expected);
  });
});
