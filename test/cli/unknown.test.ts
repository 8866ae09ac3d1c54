/** What nothing was measured of is unknown, never zero: in the summary, in the terminal, on the page and in comparisons. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Comparison } from "../../src/experiment/compare.ts";
import type { ClassSummary, StrategySummary } from "../../src/experiment/findings.ts";
import type { Summary } from "../../src/decision/summary.ts";
import { readParquetTable } from "../../src/io/parquet-table.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

const work = temporaryFolder();
afterAll(() => work.remove());

const POOL = { llm: "llama-3.1-8b", gpu: "h100-sxm", replicas: 1, incidents: "none" };
const PRICED = { ...POOL, gpuPrice: "nebius-on-demand" };
const SLEEPS = { ...PRICED, managed: "dedicated-endpoint", scaleToZero: { idleMinutes: 1 } };

const BASE = {
  title: "Unknown",
  question: "What is not known?",
  start: "2026-11-02T00:00:00Z",
  days: 0.005,
  warmupMinutes: 0,
  replications: 2,
  traffic: { requestsPerS: 2, input: { kind: "constant", tokens: 400 }, output: { kind: "constant", tokens: 200 } },
};

/** No answer comes in time, one class sends nothing, one pool and one offer serve nobody. */
const nothing = {
  ...BASE,
  id: "nothing",
  classes: [
    { name: "hurried", share: 1 - 1e-9, timeoutS: 0.05, slo: { ttftMs: 1000 } },
    { name: "rare", share: 1e-9, slo: { ttftMs: 1000 } },
  ],
  strategies: {
    own: {
      pools: {
        own: PRICED,
      },
      routes: { hurried: ["own"], rare: ["own"] },
    },
    unused: {
      pools: {
        own: PRICED,
        spare: { ...PRICED, scheduler: { prefixCaching: "lru", speculative: { draftTokens: 3, acceptance: 0.7 } } },
      },
      offers: { gpt: "openai/gpt-5-mini@tier-5" },
      routes: { hurried: ["own"], rare: ["spare", "gpt"] },
    },
  },
};

/** All is refused at the boundary, or nothing has a price. */
const refused = {
  ...BASE,
  id: "refused",
  team: { preset: "ready" },
  classes: [{ name: "secret", share: 1, sensitivity: "restricted", slo: { ttftMs: 1000 } }],
  strategies: {
    api: { offers: { gpt: "openai/gpt-5-mini@tier-5" }, routes: { secret: ["gpt"] } },
    own: { pools: { own: PRICED }, routes: { secret: ["own"] } },
  },
};

const unpriced = {
  ...BASE,
  id: "unpriced",
  classes: [{ name: "chat", share: 1 }],
  strategies: { own: { pools: { own: POOL }, routes: { chat: ["own"] } } },
};

interface Found {
  readonly summary: Summary;
  readonly text: string;
  readonly html: string;
  readonly file: string;
  readonly folder: string;
}

function run(experiment: Readonly<Record<string, unknown>> & { readonly id: string }): Found {
  const file = join(work.path, `${experiment.id}.yaml`);
  writeFileSync(file, stringify(experiment));
  const { code, stdout, stderr } = crossover(["run", file, "--out", join(work.path, "out")]);
  expect(code, stderr).toBe(0);
  const runs = join(work.path, "out", experiment.id);
  const folder = join(runs, readdirSync(runs)[0]!);
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  return {
    summary: JSON.parse(read("summary.json")) as Summary,
    text: stdout,
    html: read("report.html"),
    file,
    folder,
  };
}

/** Paths of all estimates of no replications, and of all numbers that are none. */
function ofNothing(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [];
  if ("n" in value && "mean" in value && !((value.n as number) > 0 && Number.isFinite(value.mean))) return [path];
  return Object.entries(value).flatMap(([key, child]) => ofNothing(child, `${path}.${key}`));
}

const MONEY = ["usdPerMonth", "billedUsd", "usdPerMTokOutput", "usdPerRequest", "usdPerSloMetRequest"] as const;

describe("where nothing completes", () => {
  let found: Found;
  let own: StrategySummary;
  let unused: StrategySummary;
  let rare: ClassSummary;
  beforeAll(() => {
    found = run(nothing);
    [own, unused] = found.summary.strategies as [StrategySummary, StrategySummary];
    rare = own.classes[1]!;
  });

  test("the cost of an answer is unknown, that of the GPUs is not; a miss is a miss", () => {
    expect(ofNothing(found.summary)).toEqual([]);
    expect(own.requests.completed.mean).toBe(0);
    for (const key of ["usdPerMTokOutput", "usdPerRequest", "usdPerSloMetRequest"] as const)
      expect(own[key]).toBeNull();
    expect(own.usdPerMonth!.mean).toBeGreaterThan(0);
    expect(own.sloAttainment).toMatchObject({ mean: 0, n: 2 });
    expect(own.classes[0]!.controlledShare).toBeNull();
    expect(own.ttftMs.mean).toBeNull();
  });

  test("a class without a request has no attainment, a pool that nobody went to no cache hits", () => {
    expect(rare.requests.sent.mean).toBe(0);
    for (const key of ["sloAttainment", "sloAttainmentWindows", "controlledShare"] as const)
      expect(rare[key]).toBeNull();
    expect(unused.pools[1]).toMatchObject({
      prefixHitFraction: null,
      draftAcceptedFraction: null,
      busyFraction: { mean: 0, n: 2 },
    });
    expect(unused.targets[2]).toMatchObject({ attempts: { mean: 0, n: 2 }, retryAfterS: null });
  });

  test("terminal and page show it as unknown", () => {
    expect(found.text).toMatch(/USD per 1M output tokens +– +–/);
    expect(found.text).toMatch(/SLO attainment +0 % +0 %/);
    const classes = found.html.slice(found.html.indexOf("red: beyond the target"));
    const row = classes.slice(classes.indexOf("rare"), classes.indexOf("rare") + 600);
    expect(row).toContain("–");
    expect(row.slice(0, row.indexOf("</td>"))).not.toMatch(/0 %/);
    expect(found.html).not.toContain("NaN");
  });

  test("so does a comparison", () => {
    const { stdout } = crossover(["compare", found.file, "--json"]);
    const [{ rows }] = (JSON.parse(stdout) as { comparisons: [Comparison] }).comparisons;
    const of = (metric: string, className: string | null) =>
      rows.find((row) => row.metric === metric && row.className === className);
    for (const metric of ["sloAttainment", "ttftMean"])
      expect(of(metric, "rare")).toMatchObject({ baseline: null, other: null, difference: null, separable: null });
    expect(of("ttftMean", null)).toMatchObject({ baseline: null, difference: null });
    expect(crossover(["compare", found.file]).stdout).toMatch(/^rare .*\n(?:.+\n)*?SLO attainment, % +– +– +–/m);
  });
});

test("a strategy whose requests were all refused at the boundary has no attainment", () => {
  const { summary, text, html } = run(refused);
  expect(ofNothing(summary)).toEqual([]);
  const [api] = summary.strategies;
  expect(api!.requests.boundaryRefused.mean).toBe(api!.requests.sent.mean);
  expect(api).toMatchObject({ sloAttainment: null, usdPerRequest: null, usdPerMTokOutput: null });
  expect(text).toMatch(/SLO attainment +– /);
  expect(html).not.toContain("NaN");
});

test("without prices all money is unknown, whatever was measured", () => {
  const { summary, text } = run(unpriced);
  expect(ofNothing(summary)).toEqual([]);
  for (const key of MONEY) expect(summary.strategies[0]![key], key).toBeNull();
  expect(summary.strategies[0]!.classes[0]!.usdPerMonth).toBeNull();
  expect(text).not.toContain("USD");
});

test("a pool that never served was not idle: its load is unknown, in the hours too", async () => {
  const { summary, html, folder } = run({
    ...nothing,
    id: "asleep",
    // It falls asleep before the horizon begins.
    warmupMinutes: 3,
    strategies: {
      asleep: {
        pools: { own: PRICED, spare: SLEEPS },
        routes: { hurried: ["own"], rare: ["spare"] },
      },
    },
  });
  expect(ofNothing(summary)).toEqual([]);
  const spare = summary.strategies[0]!.pools[1]!;
  expect(spare).toMatchObject({ busyFraction: null, occupancyFraction: null, kvFraction: null });
  expect(html).toContain("never served");
  const { columns } = await readParquetTable(join(folder, "pool-hours.parquet"));
  expect(columns["pool"]).toEqual(expect.arrayContaining(["own", "spare"]));
  const i = (columns["pool"] as readonly string[]).indexOf("spare");
  expect([columns["occupancyFraction"]![i], columns["kvFraction"]![i]]).toEqual([NaN, NaN]);
});
