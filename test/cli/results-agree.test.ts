/**
 * The files of a run against each other: what requests.parquet says of single requests against what summary.json says of all, over
 * experiments in which requests end in every way.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Summary } from "../../src/decision/summary.ts";
import { readParquetTable, type ParquetTable } from "../../src/io/parquet-table.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

const REPLICATIONS = 2;

const BASE = {
  title: "Files against each other",
  question: "Do they agree?",
  start: "2026-11-02T00:00:00Z",
  days: 0.01,
  warmupMinutes: 2,
  replications: REPLICATIONS,
};
const TRAFFIC = {
  requestsPerS: 4,
  input: { kind: "lognormal", medianTokens: 500, sigma: 0.8, maxTokens: 8000 },
  output: { kind: "lognormal", medianTokens: 150, sigma: 0.7, maxTokens: 2000 },
};
const POOL = { llm: "llama-3.1-8b", gpu: "h100-sxm", gpuPrice: "nebius-on-demand", replicas: 1 };
const SMALL = { ...POOL, maxNumSeqs: 8, maxWaitingPerReplica: 20 };
const GPT = "openai/gpt-5-mini@tier-5";
/** Some in a quarter of an hour. */
const FREQUENT = { gapWeibullScaleH: 0.05, durationLnHMean: -3, durationLnHSigma: 0.5 };
const CLASSES = [
  { name: "open", share: 0.7, timeoutS: 20, slo: { ttftMs: 1500 } },
  { name: "secret", share: 0.3, timeoutS: 6, sensitivity: "restricted" },
];
const all = (...targets: unknown[]): object => ({ open: targets, secret: targets });

const EXPERIMENTS = {
  troubled: {
    ...BASE,
    classes: CLASSES,
    traffic: TRAFFIC,
    client: { profile: "openai-node", attemptTimeoutS: 8 },
    strategies: {
      limited: {
        offers: { gpt: { offer: GPT, limits: { rpm: { limitPerMin: 60 } }, outages: FREQUENT } },
        routes: all("gpt"),
      },
      small: { pools: { own: SMALL }, routes: all("own") },
      hedged: {
        pools: { own: SMALL },
        offers: { gpt: GPT, haiku: "anthropic/claude-haiku-4-5@start" },
        hedge: { afterS: 1, maxFraction: 0.5 },
        routes: { open: [{ to: "own", overflowInFlightPerReplica: 4 }, "gpt", "haiku"], secret: ["own"] },
      },
      impatient: {
        client: { profile: "openai-node", maxRetries: 0, abandonment: { medianS: 1 } },
        pools: { own: SMALL },
        routes: all("own"),
      },
    },
  },
  sessions: {
    ...BASE,
    classes: [{ name: "open", share: 1, slo: { ttftMs: 1500 } }],
    traffic: {
      ...TRAFFIC,
      sessions: { turns: { mean: 4 }, thinkTimeS: { medianS: 10, sigma: 0.5 }, maxContextTokens: 16_000 },
    },
    strategies: {
      cached: { pools: { own: { ...POOL, scheduler: { prefixCaching: "lru" } } }, routes: { open: ["own"] } },
      api: { offers: { gpt: GPT }, routes: { open: ["gpt"] } },
      answered: { responseCache: { hitFraction: 0.3 }, offers: { gpt: GPT }, routes: { open: ["gpt"] } },
    },
  },
  split: {
    ...BASE,
    classes: [{ name: "open", share: 1, timeoutS: 15, slo: { ttftMs: 1500 } }],
    traffic: TRAFFIC,
    strategies: {
      split: {
        pools: { fill: { ...POOL, handOff: { to: "decode" } }, decode: { ...POOL, maxNumSeqs: 16 } },
        routes: { open: ["fill"] },
      },
    },
  },
} as const;

const OUTCOMES = {
  completed: "completed",
  rejected: "rejected",
  "timed-out": "timedOut",
  failed: "failed",
  "boundary-refused": "boundaryRefused",
  "in-flight-at-horizon": "inFlightAtHorizon",
} as const;

const work = temporaryFolder();
afterAll(() => work.remove());

describe.each(Object.entries(EXPERIMENTS))("%s", (id, experiment) => {
  let summary: Summary;
  let requests: ParquetTable;
  beforeAll(async () => {
    const file = join(work.path, `${id}.yaml`);
    writeFileSync(file, stringify({ id, ...experiment }));
    const { code, stdout, stderr } = crossover(
      ["run", file, "--requests", "all", "--out", join(work.path, "out"), "--json"],
      work.path,
    );
    expect([code, stderr]).toEqual([0, ""]);
    summary = JSON.parse(stdout) as Summary;
    const runs = join(work.path, "out", id);
    requests = await readParquetTable(join(runs, readdirSync(runs)[0]!, "requests.parquet"));
  });

  test("rows by outcome are the counts of the summary, by class and in all", () => {
    const { strategy, className, outcome } = requests.columns as Record<string, readonly string[]>;
    const seen = new Set<string>();
    for (const { name, requests: counts, classes } of summary.strategies) {
      const rows = outcome!.flatMap((_, i) => (strategy![i] === name ? [i] : []));
      const groups = [[null, counts], ...classes.map((one) => [one.name, one.requests] as const)] as const;
      for (const [ofClass, expected] of groups) {
        const found = ofClass === null ? rows : rows.filter((i) => className![i] === ofClass);
        expect(found.length / REPLICATIONS, `${name}, ${ofClass}: sent`).toBe(expected.sent.mean);
        for (const [written, counted] of Object.entries(OUTCOMES)) {
          const n = found.filter((i) => outcome![i] === written).length;
          expect(n / REPLICATIONS, `${name}, ${ofClass}: ${written}`).toBe(expected[counted].mean);
          if (n > 0) seen.add(written);
        }
      }
    }
    expect([...seen].sort()).toEqual(
      id === "troubled" ? Object.keys(OUTCOMES).sort() : expect.arrayContaining(["completed", "in-flight-at-horizon"]),
    );
  });

  test("who completed did so at a target of the strategy, or in its response cache", () => {
    const { strategy, route, outcome } = requests.columns as Record<string, readonly string[]>;
    for (const { name, pools, offers } of summary.strategies) {
      const targets = [...pools, ...offers].map((target) => target.name);
      const rows = outcome!.flatMap((one, i) => (one === "completed" && strategy![i] === name ? [i] : []));
      const routes = new Set(rows.map((i) => route![i]!));
      expect([...targets, "response-cache"], name).toEqual(expect.arrayContaining([...routes]));
      expect(routes.has("response-cache")).toBe(name === "answered");
    }
  });

  test("who is in flight at the horizon has no times yet, and stands where it waits", () => {
    const { outcome, route, sentS } = requests.columns;
    const open = [...outcome!.keys()].filter((i) => outcome![i] === "in-flight-at-horizon");
    expect(open.length).toBeGreaterThan(0);
    for (const i of open) {
      for (const time of ["ttftMs", "tpotMs", "e2eMs"]) expect(requests.columns[time]![i]).toBeNaN();
      expect(sentS![i] as number).toBeLessThan(BASE.days * 86_400);
    }
    expect(open.some((i) => route![i] !== null)).toBe(true);
  });
});
