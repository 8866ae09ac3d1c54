/** INV-13 begins here: a target below a class's boundary leaves its route before anything is simulated. */
import { describe, expect, test } from "vitest";
import type { ResolvedStrategy } from "../../src/scenario/resolved.ts";
import {
  catalog,
  resolveRaw,
  smallExperiment,
  valueAtPool,
  withValue,
  type Path,
  type Raw,
} from "../fixtures/experiment.ts";

const secret = (field: string): Path => ["classes", 1, field];

function strategies(raw: Raw, whatIfUnrestricted = false): Record<string, ResolvedStrategy> {
  const { experiment } = resolveRaw(raw, { whatIfUnrestricted });
  return Object.fromEntries(experiment.strategies.map((strategy) => [strategy.name, strategy]));
}

/** Kinds of the targets left for the second class. */
function left(strategy: ResolvedStrategy | undefined): string[] {
  return strategy!.routes[1]!.map(({ kind }) => kind);
}

describe("a restricted class", () => {
  const { api, own, both } = strategies(smallExperiment());

  test("is barred from a strategy of public APIs, with a plain reason", () => {
    expect(left(api)).toEqual([]);
    expect(api!.barred).toEqual([null, "gpt is at boundary level 0, class secret needs level 5 or higher"]);
  });

  test("is served by own pools", () => {
    expect(left(own)).toEqual(["pool"]);
    expect(own!.barred).toEqual([null, null]);
  });

  test("never falls back to an API, not even as the last resort", () => {
    expect(left(both)).toEqual(["pool"]);
    expect(both!.barred).toEqual([null, null]);
    expect(both!.routes[0]!.map(({ kind }) => kind)).toEqual(["pool", "offer"]);
  });

  test("keeps its place in the queue: what is last in the route never overflows", () => {
    const raw = withValue(
      smallExperiment(),
      ["strategies", "both", "routes", "secret"],
      [{ to: "gpus", overflowInFlightPerReplica: 4 }, "gpt"],
    );
    expect(strategies(raw)["both"]!.routes[1]).toEqual([{ kind: "pool", index: 0, overflowInFlightPerReplica: null }]);
  });

  test("may go to dedicated managed capacity only if it names that place", () => {
    const managed = withValue(smallExperiment(), ["strategies", "own", "pools", "gpus", "place"], "dedicated_managed");
    expect(strategies(managed)["own"]!.barred[1]).toBe(
      "gpus is at boundary level 3, class secret needs level 5 or higher",
    );
    const named = withValue(managed, secret("allowedPlaces"), ["dedicated_managed"]);
    expect(left(strategies(named)["own"])).toEqual(["pool"]);
  });

  test("that names places is served in no other", () => {
    const raw = withValue(smallExperiment(), secret("allowedPlaces"), ["onprem"]);
    expect(strategies(raw)["own"]!.barred[1]).toBe("gpus stands in private_vpc, class secret allows only onprem");
  });
});

describe("a pool that hands on", () => {
  /** The strategy's pool prefills; what its decoding pool says differently. */
  const handingOn = (decode: Raw): ResolvedStrategy => {
    const pools: Path = ["strategies", "own", "pools"];
    const prefill = valueAtPool(smallExperiment());
    const raw = withValue(smallExperiment(), [...pools, "decoders"], { ...prefill, ...decode });
    return strategies(withValue(raw, [...pools, "gpus", "handOff"], { to: "decoders" }))["own"]!;
  };

  test("is a target as long as both pools lie inside the boundary", () => {
    expect(handingOn({}).barred).toEqual([null, null]);
    const outside = handingOn({ place: "dedicated_managed" });
    expect(left(outside)).toEqual([]);
    expect(outside.barred).toEqual([null, "decoders is at boundary level 3, class secret needs level 5 or higher"]);
  });
});

describe("levels needed", () => {
  const level = (fields: Record<string, unknown>): number => {
    let raw = smallExperiment();
    for (const [field, value] of Object.entries(fields)) raw = withValue(raw, secret(field), value);
    return resolveRaw(raw).experiment.classes[1]!.minLevel;
  };

  test.each([
    [{ sensitivity: "none" }, 0],
    [{ sensitivity: "moderate" }, 2],
    [{ sensitivity: "moderate", redactable: true }, 0],
    [{ sensitivity: "restricted" }, 5],
    [{ sensitivity: "restricted", redactable: true }, 5],
    [{ sensitivity: "restricted", minLevel: 3 }, 3],
    [{ sensitivity: "none", minLevel: 4 }, 4],
  ])("%j needs %i", (fields, expected) => {
    expect(level(fields)).toBe(expected);
  });

  test("an offer at the level is let in: regional processing takes moderate content, the default does not", () => {
    const moderate = withValue(smallExperiment(), secret("sensitivity"), "moderate");
    expect(left(strategies(moderate)["api"])).toEqual([]);
    const regional = withValue(moderate, ["strategies", "api", "offers", "gpt"], {
      offer: "openai/gpt-5.6-luna@tier-5",
      boundary: "regional",
    });
    expect(left(strategies(regional)["api"])).toEqual(["offer"]);
    expect(strategies(regional)["api"]!.offers[0]!.priceMultiplier).toBeCloseTo(1.1);
  });

  test("a contract may have a boundary of the catalogue that the provider does not list, in a region of its own", () => {
    const offer = (fields: Raw): ResolvedStrategy =>
      strategies(
        withValue(smallExperiment(), ["strategies", "api", "offers", "gpt"], {
          offer: "openai/gpt-5-mini@tier-5",
          ...fields,
        }),
      )["api"]!;
    const single = offer({ boundary: "hyperscaler-single-region", residency: "eu" }).offers[0]!;
    expect(single).toMatchObject({ boundaryLevel: 4, residency: "eu" });
    expect(single.place).toBeUndefined();
    const dedicated = offer({ boundary: "dedicated-endpoint" }).offers[0]!;
    expect(dedicated).toMatchObject({ boundaryLevel: 3, place: "dedicated_managed" });
  });

  test("single-tenant capacity of an offer satisfies a class that names its place", () => {
    const raw = withValue(smallExperiment(), ["strategies", "api", "offers", "gpt"], {
      offer: "openai/gpt-5-mini@tier-5",
      boundary: "dedicated-endpoint",
    });
    expect(left(strategies(raw)["api"])).toEqual([]);
    expect(left(strategies(withValue(raw, secret("allowedPlaces"), ["dedicated_managed"]))["api"])).toEqual(["offer"]);
  });

  test("the shipped boundaries are those of the providers that say so", () => {
    expect([...catalog.boundaries.values()].map(({ level }) => level).sort()).toEqual([
      0, 1, 2, 2, 3, 3, 4, 5, 5, 6, 7,
    ]);
    for (const provider of catalog.providers.values())
      for (const row of Object.values(provider.boundaries))
        expect(catalog.boundaries.get(row.preset!)?.level).toBe(row.level);
  });

  test("places that would do are named for the decision", () => {
    const { classes } = resolveRaw(smallExperiment()).experiment;
    expect(classes[0]!.allowedPlaces).toHaveLength(3);
    expect([...classes[1]!.allowedPlaces].sort()).toEqual(["onprem", "private_vpc"]);
  });
});

describe("residency", () => {
  test("a class stays in its regions, own pools included", () => {
    const raw = withValue(smallExperiment(), secret("residency"), ["eu"]);
    expect(strategies(raw)["own"]!.barred[1]).toBe("gpus processes in customer, class secret must stay in eu");
    const european = withValue(raw, ["strategies", "own", "pools", "gpus", "residency"], "eu");
    expect(left(strategies(european)["own"])).toEqual(["pool"]);
  });
});

describe("what the boundary takes out of a route", () => {
  test("is remembered, so that refused crossings can be counted", () => {
    const { api, own, both } = strategies(smallExperiment());
    expect(both!.forbidden).toEqual([[], [{ kind: "offer", index: 0, overflowInFlightPerReplica: null }]]);
    // Of a class without any target left each request is refused, not blocked.
    expect([api!.forbidden, own!.forbidden]).toEqual([undefined, undefined]);
    expect(strategies(smallExperiment(), true)["both"]!.forbidden).toBeUndefined();
  });
});

describe("redaction", () => {
  const step = { latencyMs: 40, usdPerRequest: 0.001, usdPerMTok: 0.5, failFraction: 0.1 };
  const moderate = (redaction: unknown, fields: Raw = {}): ResolvedStrategy => {
    let raw = withValue(smallExperiment(), ["strategies", "both", "redaction"], redaction);
    for (const [field, value] of Object.entries({ sensitivity: "moderate", redactable: true, ...fields }))
      raw = withValue(raw, secret(field), value);
    return strategies(raw)["both"]!;
  };
  const redacts = (plan: ResolvedStrategy): (boolean | undefined)[] => plan.routes[1]!.map(({ redact }) => redact);

  test("stands before targets below the level that the content needs as it is, and no others", () => {
    expect(redacts(moderate(step))).toEqual([undefined, true]);
    expect(moderate(step).routes[0]!.some(({ redact }) => redact === true)).toBe(false);
    const regional = withValue(smallExperiment(), ["strategies", "both", "offers", "gpt", "boundary"], "regional");
    const raw = [
      [secret("sensitivity"), "moderate"],
      [secret("redactable"), true],
      [["strategies", "both", "redaction"], step],
    ].reduce((of: Raw, [path, value]) => withValue(of, path as Path, value), regional);
    expect(redacts(strategies(raw)["both"]!)).toEqual([undefined, undefined]);
    expect(resolveRaw(raw).experiment.warnings.join()).toContain("redaction has no effect");
  });

  test("never lowers a minimum that the class sets itself, nor what is restricted", () => {
    expect(left(moderate(step, { minLevel: 1 }))).toEqual(["pool"]);
    expect(left(moderate(step, { sensitivity: "restricted" }))).toEqual(["pool"]);
  });

  test("is a preset of the catalogue with values of one's own", () => {
    expect(moderate(step).redaction).toEqual({
      latencyS: 0.04,
      usdPerRequest: 0.001,
      usdPerMTok: 0.5,
      failFraction: 0.1,
    });
    const preset = catalog.redactions.get("token-vault")!;
    expect(moderate("token-vault").redaction).toMatchObject({ failFraction: preset.failFraction, latencyS: 0.01 });
    expect(moderate({ preset: "token-vault", failFraction: 0.3 }).redaction).toMatchObject({
      latencyS: 0.01,
      failFraction: 0.3,
    });
    expect(() => moderate("token-valt")).toThrow(/unknown redaction step "token-valt"/);
  });

  test("absent, redactable content goes as before", () => {
    expect(redacts(moderate(undefined))).toEqual([undefined, undefined]);
  });
});

describe("--what-if-unrestricted", () => {
  test("lifts the rules and labels what it changed", () => {
    const { api, own, both } = strategies(smallExperiment(), true);
    expect(left(api)).toEqual(["offer"]);
    expect(api!.barred).toEqual([null, null]);
    expect(left(both)).toEqual(["pool", "offer"]);
    expect([api, own, both].map((strategy) => strategy!.counterfactual)).toEqual([true, false, true]);
  });

  test("without it nothing is counterfactual", () => {
    expect(Object.values(strategies(smallExperiment())).map(({ counterfactual }) => counterfactual)).toEqual([
      false,
      false,
      false,
    ]);
  });
});
