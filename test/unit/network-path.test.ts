/** The way between regions: what the table holds, which path a class takes to a target, and who pays for it. */
import { describe, expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import type { ConfigError } from "../../src/kernel/errors.ts";
import type { ResolvedPool, SessionSpec } from "../../src/scenario/resolved.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import { catalog, resolveRaw, smallExperiment, withValue, type Path, type Raw } from "../fixtures/experiment.ts";
import {
  listTraffic,
  offer,
  pool,
  requestClass,
  RowList,
  runOptions,
  setting,
  strategy,
  to,
} from "../fixtures/strategies.ts";
import { CHAT_ARRIVALS } from "../fixtures/traffic-reference.ts";

describe("the shipped table", () => {
  const { rttMs } = catalog.networkPaths.get("between-regions")!;
  const regions = [...new Set(Object.entries(rttMs).flatMap(([from, row]) => [from, ...Object.keys(row)]))];

  test("has every pair once", () => {
    expect(regions.length).toBe(15);
    for (const [i, a] of regions.entries())
      for (const b of regions.slice(i + 1))
        expect([rttMs[a]?.[b], rttMs[b]?.[a]].filter((ms) => ms !== undefined)).toHaveLength(1);
  });

  test("no path is shorter than light in fibre takes over the distance", () => {
    // Great circles in km between the cities, at 200,000 km/s there and back.
    expect(rttMs["us-east"]!["uk"]! / 1000).toBeGreaterThan((2 * 5900) / 200_000);
    expect(rttMs["us-west"]!["japan"]! / 1000).toBeGreaterThan((2 * 8300) / 200_000);
    expect(rttMs["singapore"]!["australia"]! / 1000).toBeGreaterThan((2 * 6300) / 200_000);
  });
});

function resolved(...changes: [Path, unknown][]) {
  const raw = changes.reduce((of: Raw, [path, value]) => withValue(of, path, value), smallExperiment());
  const { strategies, warnings } = resolveRaw(raw).experiment;
  const both = strategies.find(({ name }) => name === "both")!;
  return { pool: both.pools[0]!, offer: both.offers[0]!, warnings };
}

const POOL = ["strategies", "both", "pools", "gpus"];
const OFFER = ["strategies", "both", "offers", "gpt"];

describe("which path", () => {
  test("without regions none, as before", () => {
    const { pool, offer } = resolved();
    expect([pool.pathSByClass, offer.pathSByClass]).toEqual([undefined, undefined]);
  });

  test("the class's region, else the traffic's, to the target's, in either direction; on top of the place's figure", () => {
    const changes: [Path, unknown][] = [
      [["traffic", "region"], "eu-central"],
      [["classes", 1, "region"], "japan"],
      [[...POOL, "region"], "us-east"],
      [[...OFFER, "region"], "eu-central"],
    ];
    const { pool, offer } = resolved(...changes);
    expect(pool.pathSByClass).toEqual([0.087, 0.156]);
    expect(offer.pathSByClass).toEqual([0, 0.217]);
    expect(pool.networkS).toBe(resolved().pool.networkS);
  });

  test("a declared round trip wins", () => {
    const { pool, offer } = resolved(
      [["traffic", "region"], "japan"],
      [[...POOL, "region"], "us-east"],
      [[...POOL, "networkMs"], 7],
      [[...OFFER, "region"], "us-east"],
    );
    expect([pool.networkS, pool.pathSByClass]).toEqual([0.007, undefined]);
    expect(offer.pathSByClass).toEqual([0.156, 0.156]);
  });

  test("half of the information is said to have no effect", () => {
    expect(resolved([["traffic", "region"], "uk"]).warnings.join()).toContain("gpus has no region");
    expect(resolved([[...POOL, "region"], "uk"]).warnings.join()).toContain("region of gpus has no effect");
  });

  test.each([
    [["traffic", "region"], "eu-centrl"],
    [["classes", 0, "region"], "eu-centrl"],
    [[...POOL, "region"], "eu-centrl"],
    [[...OFFER, "region"], "eu-centrl"],
  ] as [Path, string][])("an unknown region at %j comes with the nearest", (path, value) => {
    let problem: ConfigError["problems"][number] | undefined;
    try {
      resolved([path, value]);
    } catch (error) {
      problem = (error as ConfigError).problems[0];
    }
    expect(problem).toMatchObject({ path, hint: expect.stringContaining("eu-central") });
  });
});

describe("who pays", () => {
  const rows = (kind: "pool" | "offer", path: Pick<ResolvedPool, "pathSByClass">) => {
    const list = new RowList();
    const of = setting({ classes: [requestClass(), requestClass({ name: "far" })] });
    const requests = [0, 1].map((classIndex) => ({
      timeS: 1 + 50 * classIndex,
      inputTokens: 200,
      outputTokens: 50,
      classIndex,
    }));
    const pools = kind === "pool" ? [pool(path)] : [];
    const offers = kind === "offer" ? [offer(path)] : [];
    const route = [to(kind)];
    const options = runOptions({ rows: list, replicas: pools.map(() => 1) });
    simulateRun(of, strategy([route, route], pools, offers), listTraffic(requests), options);
    return list.list;
  };

  test.each(["pool", "offer"] as const)("requests at a %s, each class its own", (kind) => {
    const near = rows(kind, {});
    const far = rows(kind, { pathSByClass: [0, 0.156] });
    expect(far[0]).toEqual(near[0]);
    expect(far[1]!.ttftS - near[1]!.ttftS).toBeCloseTo(0.156, 9);
    expect(far[1]!.e2eS - near[1]!.e2eS).toBeCloseTo(0.156, 9);
    expect(far[1]!.tpotS).toBeCloseTo(near[1]!.tpotS, 12);
  });

  test.each(["pool", "offer"] as const)("every step of a session at a %s", (kind) => {
    const sessions: SessionSpec = {
      turnShares: [0, 0, 0, 0, 1],
      think: { medianS: 2, sigma: 0 },
      newInput: { kind: "constant", tokens: 20 },
      carryContext: true,
      maxContextTokens: 4000,
    };
    const spanS = (pathS: number): number => {
      const list = new RowList();
      const of = setting({ horizonS: 3000 });
      const traffic = openTraffic(
        {
          ...CHAT_ARRIVALS,
          meanRatePerS: 0.005,
          burst: { components: [], gapCv: 1 },
          input: { kind: "constant", tokens: 100 },
          output: { kind: "constant", tokens: 20 },
          sessions,
        },
        { startEpochS: of.startEpochS, horizonS: of.horizonS, warmupS: 0, seed: "7", replication: 0, classShares: [1] },
      );
      const path = { pathSByClass: [pathS] };
      const pools = kind === "pool" ? [pool(path)] : [];
      const offers = kind === "offer" ? [offer(path)] : [];
      simulateRun(
        of,
        strategy([[to(kind)]], pools, offers),
        traffic,
        runOptions({ rows: list, replicas: pools.map(() => 1) }),
      );
      const all = list.list.toSorted((x, y) => x.sentS - y.sentS);
      // The first that is seen from its first turn on: those under way at the start have fewer.
      const begins = all.findIndex((row, i) => i > 0 && row.sentS - all[i - 1]!.sentS > 30);
      const first = all.slice(begins, begins + 5);
      // Turn after turn of one session: each is sent a pause after the answer before has come.
      for (let i = 1; i < 5; i++) expect(first[i]!.sentS).toBeCloseTo(first[i - 1]!.sentS + first[i - 1]!.e2eS + 2, 9);
      return first[4]!.sentS + first[4]!.e2eS - first[0]!.sentS;
    };
    expect(spanS(0.2) - spanS(0)).toBeCloseTo(5 * 0.2, 1);
  });
});
