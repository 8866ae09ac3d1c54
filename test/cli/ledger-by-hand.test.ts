/**
 * Money by hand: the bill of small experiments, worked out again from single requests, replica-hours and the prices of the catalogue as
 * they stand there, against ledger.parquet and summary.json. Nothing of the simulator's own arithmetic is used.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { Estimate } from "../../src/experiment/findings.ts";
import type { Summary } from "../../src/decision/summary.ts";
import { readParquetTable, type ParquetTable } from "../../src/io/parquet-table.ts";
import { crossover, temporaryFolder } from "./crossover.ts";

const REPLICATIONS = 2;
const DAYS = 0.0625;
const HOURS = DAYS * 24;
const HOURS_PER_MONTH = 730;

/** USD per million tokens, models/offers/openai.json. */
const GPT = { input: 0.25, cached: 0.025, output: 2 };
/** USD per GPU-hour, models/gpu-prices/nebius-on-demand.yaml; a vendor's markup on it, models/managed/byoc.yaml. */
const H100 = 2.95;
const MARKUP = 0.3;
/** models/people/standard.yaml for team `ready`: hours of incidents, releases, upgrades, one node and what is fixed ÷ hours that one person has for it. */
const FTE = (6 * 20 + 4 * 4 + 24 * 1 + 0.5 * 1 + 8) / (0.5 * 160);
const PEOPLE_USD_PER_MONTH = (FTE * 300_000) / 12;
/** models/redactions/token-vault.yaml. */
const REDACTION_USD = 0.00002;

const POOL = { llm: "llama-3.1-8b", gpu: "h100-sxm", gpuPrice: "nebius-on-demand", replicas: 1, incidents: "none" };
const STEADY = { offer: "openai/gpt-5-mini@tier-5", outages: "none", promptCache: "none" };
const SLO_MS = 900;

const CLASS = { timeoutS: 600, slo: { ttftMs: SLO_MS } };
const all = (...targets: unknown[]): object => ({ open: targets, mild: targets, secret: targets });
const EXPERIMENT = {
  id: "money",
  title: "Money by hand",
  question: "Does the bill hold?",
  // Two calendar months.
  start: "2026-11-30T23:00:00Z",
  days: DAYS,
  warmupMinutes: 2,
  replications: REPLICATIONS,
  team: { preset: "ready", region: "us", incidentsPerMonth: 20, releasesPerMonth: 4, engineUpgradesPerMonth: 1 },
  classes: [
    { name: "open", share: 0.5, ...CLASS, reasoning: "low", sharedPrefix: { tokens: 1500 } },
    { name: "mild", share: 0.2, ...CLASS, sensitivity: "moderate", redactable: true },
    { name: "secret", share: 0.3, ...CLASS, sensitivity: "restricted" },
  ],
  traffic: {
    requestsPerS: 2,
    input: { kind: "lognormal", medianTokens: 600, sigma: 0.8, maxTokens: 8000 },
    output: { kind: "lognormal", medianTokens: 150, sigma: 0.7, maxTokens: 2000 },
  },
  strategies: {
    api: { offers: { gpt: STEADY }, redaction: { preset: "token-vault" }, routes: all("gpt") },
    cached: { offers: { gpt: { ...STEADY, promptCache: "on" } }, routes: all("gpt") },
    // Answers are broken off, and paid for as far as they came.
    broken: { client: { profile: "openai-node", attemptTimeoutS: 4 }, offers: { gpt: STEADY }, routes: all("gpt") },
    own: {
      pools: { own: { ...POOL, replicas: 2, warmReplicas: 1, tensorParallelSize: 2 } },
      routes: all("own"),
    },
    both: {
      pools: { own: { ...POOL, maxNumSeqs: 16 } },
      offers: { gpt: STEADY },
      routes: all({ to: "own", overflowInFlightPerReplica: 6 }, "gpt"),
    },
    vendor: {
      pools: { own: { ...POOL, managed: "byoc" } },
      routes: all("own"),
    },
  },
};

const work = temporaryFolder();
afterAll(() => work.remove());

let summary: Summary;
let requests: ParquetTable;
let ledger: ParquetTable;
let poolHours: ParquetTable;
beforeAll(async () => {
  const file = join(work.path, "money.yaml");
  writeFileSync(file, stringify(EXPERIMENT));
  const { code, stderr } = crossover(["run", file, "--requests", "all", "--out", join(work.path, "out")], work.path);
  expect(code, stderr).toBe(0);
  const runs = join(work.path, "out", "money");
  const folder = join(runs, readdirSync(runs)[0]!);
  summary = JSON.parse(readFileSync(join(folder, "summary.json"), "utf8")) as Summary;
  [requests, ledger, poolHours] = (await Promise.all(
    ["requests", "ledger", "pool-hours"].map((name) => readParquetTable(join(folder, `${name}.parquet`))),
  )) as [ParquetTable, ParquetTable, ParquetTable];
}, 300_000);

type Value = number | string | null;
type Row = Readonly<Record<string, Value>>;

function rowsOf({ rows, columns }: ParquetTable, where: Row): Row[] {
  const found: Row[] = [];
  for (let i = 0; i < rows; i++) {
    if (!Object.entries(where).every(([name, value]) => columns[name]![i] === value)) continue;
    found.push(Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[i]!])));
  }
  return found;
}

function sum(rows: readonly Row[], name: string): number {
  return rows.reduce((total, row) => total + (row[name] as number), 0);
}

const RUNS = Object.keys(EXPERIMENT.strategies).flatMap((strategy) =>
  Array.from({ length: REPLICATIONS }, (_, replication) => ({ strategy, replication })),
);

function near(value: number, expected: number): void {
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-9 * Math.abs(expected) + 1e-12);
}

const MONTHS = HOURS / HOURS_PER_MONTH;
const completedOf = (run: Row): Row[] => rowsOf(requests, { ...run, outcome: "completed" });
/** Answers of the offer that were under way at the horizon: their rows have the tokens that are paid. */
const underWayOf = (run: Row): Row[] => rowsOf(requests, { ...run, outcome: "in-flight-at-horizon", route: "gpt" });
const ledgerUsd = (run: Row, line: string): number => sum(rowsOf(ledger, { ...run, line }), "usd");

describe.each(RUNS)("$strategy, replication $replication", (run) => {
  const { strategy } = run;

  test("tokens of answers × price", () => {
    const offer = [...completedOf(run).filter(({ route }) => route === "gpt"), ...underWayOf(run)];
    const isApi = ["api", "cached", "broken", "both"].includes(strategy);
    expect(offer.length > 100).toBe(isApi);
    const [input, cached, output] = ["api-input", "api-cached-input", "api-output"].map((line) =>
      rowsOf(ledger, { ...run, line }),
    ) as [Row[], Row[], Row[]];
    for (const [rows, price] of [
      [input, GPT.input],
      [cached, GPT.cached],
      [output, GPT.output],
    ] as const) {
      near(sum(rows, "usd"), (sum(rows, "quantity") * price) / 1e6);
      near(sum(rows, "billedUsd"), sum(rows, "usd"));
    }
    const read = sum(input, "quantity") + sum(cached, "quantity");
    expect(sum(cached, "quantity") > 0).toBe(strategy === "cached");
    if (strategy === "broken") {
      expect(read).toBeGreaterThan(sum(offer, "inputTokens"));
      expect(sum(output, "quantity")).toBeGreaterThan(sum(offer, "outputTokens"));
      return;
    }
    expect(read).toBe(sum(offer, "inputTokens"));
    expect(sum(output, "quantity")).toBe(sum(offer, "outputTokens"));
    for (const { name } of EXPERIMENT.classes) {
      const ofClass = (rows: readonly Row[]): Row[] => rows.filter(({ className }) => className === name);
      expect(sum(ofClass(output), "quantity")).toBe(sum(ofClass(offer), "outputTokens"));
    }
  });

  test("GPU-hours of the replicas × price, by what they did", () => {
    const fleet = { own: { replicas: 3, gpus: 2 }, both: { replicas: 1, gpus: 1 }, vendor: { replicas: 1, gpus: 1 } };
    const { replicas, gpus } = fleet[strategy as keyof typeof fleet] ?? { replicas: 0, gpus: 0 };
    const hours = rowsOf(poolHours, run);
    near(sum(hours, "paidReplicaH"), replicas * HOURS);
    let gpuUsd = 0;
    for (const [line, column] of [
      ["gpu-busy", "busyReplicaH"],
      ["gpu-idle", "idleReplicaH"],
      ["gpu-warm", "warmReplicaH"],
      ["gpu-down", "downReplicaH"],
    ] as const) {
      const usd = sum(hours, column) * gpus * H100;
      near(ledgerUsd(run, line), usd);
      gpuUsd += usd;
    }
    near(gpuUsd, replicas * gpus * HOURS * H100);
    const november = rowsOf(ledger, { ...run, month: "2026-11", unit: "GPU-hour" });
    const ofGpus = november.filter(({ line }) => line !== "managed-markup");
    near(sum(ofGpus, "quantity"), replicas * gpus);
    near(ledgerUsd(run, "managed-markup"), strategy === "vendor" ? gpuUsd * MARKUP : 0);
  });

  test("people of own pools, redaction by request, and no other line", () => {
    const own = strategy === "own" || strategy === "both";
    near(ledgerUsd(run, "people"), own ? PEOPLE_USD_PER_MONTH * MONTHS : 0);
    const mild = rowsOf(requests, { ...run, className: "mild" });
    near(ledgerUsd(run, "api-redaction"), strategy === "api" ? mild.length * REDACTION_USD : 0);
    const known = /^(api-(input|cached-input|output|redaction)|gpu-(busy|idle|warm|down)|managed-markup|people)$/;
    for (const { line } of rowsOf(ledger, run)) expect(line).toMatch(known);
    const months = new Set(rowsOf(ledger, run).map(({ month }) => month));
    expect([...months].sort()).toEqual(["2026-11", "2026-12"]);
  });
});

/** Of a prompt of class `open`, what the cache knows of the 1,500 tokens that they share: whole steps of 128, from 1,024 tokens on. */
function cachedTokens({ className, inputTokens }: Row): number {
  if (className !== "open" || (inputTokens as number) < 1024) return 0;
  return Math.floor(Math.min(1500, inputTokens as number) / 128) * 128;
}

/** What the answers that were under way cost. */
function underWayUsd(run: Row & { readonly strategy: string }): number {
  const rows = underWayOf(run);
  const cached = run.strategy === "cached" ? rows.reduce((total, row) => total + cachedTokens(row), 0) : 0;
  const inputUsd = (sum(rows, "inputTokens") - cached) * GPT.input + cached * GPT.cached;
  return (inputUsd + sum(rows, "outputTokens") * GPT.output) / 1e6;
}

/** Mean and half-width of a 95 % Student-t interval of two values: t of one degree of freedom × |a − b| ÷ 2. */
function expectEstimate(found: Estimate | null, values: readonly number[]): void {
  const [a, b] = values as [number, number];
  expect(found!.n).toBe(2);
  near(found!.mean, (a + b) / 2);
  const half = (12.706204736 * Math.abs(a - b)) / 2;
  expect(Math.abs(found!.hi! - found!.mean - half)).toBeLessThanOrEqual(1e-6 * Math.abs(half) + 1e-9 * Math.abs(a));
}

/** Of two replications: what both cost by what both bought; its residuals are equal and opposite, half-width t × |residual| ÷ mean bought. */
function expectRatio(found: Estimate | null, amounts: readonly number[], bought: readonly number[]): void {
  const [a, b] = amounts as [number, number];
  const [x, y] = bought as [number, number];
  const ratio = (a + b) / (x + y);
  expect(found!.n).toBe(2);
  near(found!.mean, ratio);
  const half = (12.706204736 * Math.abs(a - ratio * x)) / ((x + y) / 2);
  expect(Math.abs(found!.hi! - found!.mean - half)).toBeLessThanOrEqual(1e-6 * half + 1e-9 * ratio);
}

test.each(Object.keys(EXPERIMENT.strategies))("%s: the summary is made of these amounts", (name) => {
  const of = summary.strategies.find((one) => one.name === name)!;
  const runs = RUNS.filter(({ strategy }) => strategy === name);
  const usd = runs.map((run) => sum(rowsOf(ledger, run), "usd"));
  expectEstimate(
    of.usdPerMonth,
    usd.map((amount) => amount / MONTHS),
  );
  expectEstimate(of.billedUsd, usd);
  for (const { line, usdPerMonth, billedUsd } of of.ledger) {
    expectEstimate(
      usdPerMonth,
      runs.map((run) => ledgerUsd(run, line) / MONTHS),
    );
    expectEstimate(
      billedUsd,
      runs.map((run) => ledgerUsd(run, line)),
    );
  }
  const lines = new Set(rowsOf(ledger, { strategy: name }).map(({ line }) => line));
  expect(of.ledger.map(({ line }) => line).sort()).toEqual([...lines].sort());
  // What was under way at the horizon is paid, but not by those that had completed.
  const ended = runs.map((run, r) => usd[r]! - underWayUsd(run));
  if (name === "api" || name === "cached") expect(ended.every((amount, r) => amount < usd[r]!)).toBe(true);
  const completed = runs.map(completedOf);
  const met = completed.map((rows) => rows.filter(({ ttftMs }) => (ttftMs as number) <= SLO_MS));
  const tokens = completed.map((rows) => sum(rows, "outputTokens") / 1e6);
  const countOf = (all: readonly (readonly Row[])[]): number[] => all.map((rows) => rows.length);
  expectRatio(of.usdPerMTokOutput, ended, tokens);
  expectRatio(of.usdPerRequest, ended, countOf(completed));
  expectRatio(of.usdPerSloMetRequest, ended, countOf(met));
  expect(met.some((rows, r) => rows.length < completed[r]!.length)).toBe(true);
  for (const one of of.classes)
    expectEstimate(
      one.usdPerMonth,
      runs.map((run) => sum(rowsOf(ledger, { ...run, className: one.name }), "usd") / MONTHS),
    );
  near(
    of.classes.reduce((total, { usdPerMonth }) => total + usdPerMonth!.mean, 0),
    of.usdPerMonth!.mean,
  );
});

test("what broken-off answers cost is what is billed beyond the whole ones, of which some may be under way", () => {
  const { targets } = summary.strategies.find(({ name }) => name === "broken")!;
  const runs = RUNS.filter(({ strategy }) => strategy === "broken");
  const unused = runs.map((run) => {
    const rows = completedOf(run);
    const whole = (sum(rows, "inputTokens") * GPT.input + sum(rows, "outputTokens") * GPT.output) / 1e6;
    return (ledgerUsd(run, "api-input") + ledgerUsd(run, "api-output") - whole) / MONTHS;
  });
  const underWay = runs.map((run) => underWayUsd(run) / MONTHS);
  const { mean } = targets[0]!.unusedUsdPerMonth;
  expect(mean).toBeLessThanOrEqual((unused[0]! + unused[1]!) / 2 + 1e-9);
  expect(mean).toBeGreaterThan((unused[0]! - underWay[0]! + unused[1]! - underWay[1]!) / 2);
  expect(unused[0]).toBeGreaterThan(20 * underWay[0]!);
});
