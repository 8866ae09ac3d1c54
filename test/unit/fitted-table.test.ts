/** Tables of the terminal keep within its width, in blocks where they are wider; no row wraps. */
import { describe, expect, test } from "vitest";
import type { Comparison, PairedDifference } from "../../src/experiment/compare.ts";
import type { Estimate } from "../../src/experiment/findings.ts";
import { reportInput } from "../fixtures/report/input.ts";
import { comparisonText } from "../../src/node/comparison-text.ts";
import { summaryText } from "../../src/node/summary-text.ts";
import { fittedTable, textTable } from "../../src/node/text-table.ts";

const columns = [{ head: "" }, ...["one", "two", "three"].map((head) => ({ head, align: "right" as const }))];
const rows = [
  ["cost", "1,000", "2", "3"],
  ["time to first token", "4", "5", "6"],
];
const widest = (text: string): number => Math.max(...text.split("\n").map((line) => [...line].length));

test("a table that fits is one", () => {
  const whole = textTable(columns, rows);
  expect(fittedTable(columns, rows, widest(whole))).toBe(whole);
});

test("one column less of room: blocks, each with the labels and the rows of the whole", () => {
  const whole = textTable(columns, rows);
  expect(fittedTable(columns, rows, widest(whole) - 1)).toBe(
    [
      "                       one  two",
      "cost                 1,000    2",
      "time to first token      4    5",
      "",
      "                     three",
      "cost                     3",
      "time to first token      6",
      "",
    ].join("\n"),
  );
});

test("a column that is wider than the terminal stands alone", () => {
  expect(fittedTable(columns, rows, 5).split("\n\n")).toHaveLength(3);
});

test("strategies that do not fit beside each other stand in blocks, every figure in its row", () => {
  const { summary } = reportInput();
  const many = {
    ...summary,
    strategies: Array.from({ length: 12 }, (_, i) => {
      const strategy = summary.strategies[i % 3]!;
      const pools = strategy.pools.map((pool) => ({ ...pool, outsideValidatedRange: null }));
      return { ...strategy, pools, name: `s${i}` };
    }),
  };
  const tables = (width: number): string[] => {
    const text = summaryText({ ...many, verdict: null, warnings: [] }, width);
    return text.split("\n\n").slice(1);
  };
  expect(tables(400)).toHaveLength(1);
  const blocks = tables(100);
  expect(Math.max(...blocks.map(widest))).toBeLessThanOrEqual(100);
  expect(blocks.flatMap((block) => block.split("\n")[0]!.trim().split(/ +/))).toEqual(
    many.strategies.map(({ name }) => name),
  );
  for (const block of blocks) expect(block).toMatch(/^cost, USD a month +\S/m);
});

test("what was never measured is told below the table, once a reason with all pools that it concerns", () => {
  const { summary } = reportInput();
  const strategies = summary.strategies.map((strategy) => ({
    ...strategy,
    pools: strategy.pools.map((pool) => ({ ...pool, outsideValidatedRange: "Outside the validated range: x." })),
  }));
  const named = strategies.flatMap(({ name, pools }) => pools.map((pool) => `${name} (${pool.name})`));
  expect(named.length).toBeGreaterThan(0);
  const lines = summaryText({ ...summary, strategies }, 400).split("\n");
  expect(lines.filter((line) => line.includes("Outside the validated range"))).toEqual([
    `warning: ${named.join(", ")}: Outside the validated range: x.`,
  ]);
});

const estimate = (mean: number): Estimate => ({ mean, lo: mean - 0.001, hi: mean + 0.001, n: 3 });
const row = (className: string | null, difference: number): PairedDifference => ({
  metric: "goodput",
  className,
  unit: "1/s",
  baseline: estimate(19),
  other: estimate(19 + difference),
  difference: estimate(difference),
  separable: true,
});
const comparison: Comparison = {
  baseline: "chunked-fcfs",
  other: "shortest-prompt-aged",
  pairs: 3,
  rows: [row(null, 0.00001), row("interactive", 2)],
};
const text = (width: number): string =>
  comparisonText({
    title: "t",
    seed: "3",
    horizonDays: 1,
    comparisons: [comparison],
    warnings: [],
    details: false,
    width,
  });

test("a comparison has a table for all requests and one for each class", () => {
  const [, head, all, interactive] = text(200).split("\n\n");
  expect(head).toBe("shortest-prompt-aged against chunked-fcfs");
  expect(all).toMatch(/^all requests +chunked-fcfs +shortest-prompt-aged +difference +95 % interval +change\n/);
  expect(interactive).toMatch(/^interactive .*\ngoodput, requests\/s +19 +21 +\+2 +\+2 … \+2 +\+10\.5 % {2}higher\n$/);
});

test("what rounds to nothing has no sign", () => {
  expect(text(200)).toMatch(/19 +19 +0 +-0\.001 … \+0\.001 +0 %/);
});

test("what differs by rounding alone is the same, and a comparison of nothing else says what it takes", () => {
  const rounding = { mean: 1e-15, lo: -1e-14, hi: 1e-14, n: 3 };
  const same = { ...row(null, 0), difference: rounding, separable: false };
  const shown = (...rows: PairedDifference[]): string => {
    const comparisons = [{ ...comparison, rows }];
    return comparisonText({
      title: "t",
      seed: "3",
      horizonDays: 1,
      comparisons,
      warnings: [],
      details: false,
      width: 200,
    });
  };
  expect(shown(same)).toMatch(/ {2}the same\nTo these figures both are the same\. Where nobody waits, .* --rates /);
  expect(shown(same, row("interactive", 2))).not.toContain("To these figures");
});

test("a comparison that is too wide tells its differences first, each row whole", () => {
  const narrow = text(90);
  expect(widest(narrow.slice(narrow.indexOf("all requests")))).toBeLessThanOrEqual(90);
  const tables = narrow.split("\n\n").slice(2);
  expect(tables.map((table) => table.split("\n")[0]!.trim().split(/ {2,}/))).toEqual([
    ["all requests", "difference", "95 % interval", "change"],
    ["all requests", "chunked-fcfs", "shortest-prompt-aged"],
    ["interactive", "difference", "95 % interval", "change"],
    ["interactive", "chunked-fcfs", "shortest-prompt-aged"],
  ]);
});

describe("strategies in one table", () => {
  const figures = (metric: string, unit: PairedDifference["unit"], mean: number): PairedDifference => ({
    ...row(null, mean - 19),
    metric,
    unit,
    other: { mean, lo: mean, hi: mean, n: 3 },
    separable: mean !== 19,
  });
  const named = (other: string, ...rows: PairedDifference[]): Comparison => ({ ...comparison, other, rows });
  const of = (comparisons: readonly Comparison[], details: boolean): string =>
    comparisonText({ title: "t", seed: "3", horizonDays: 1, comparisons, warnings: [], details, width: 120 });
  const two = [named("b", figures("ttftP99", "ms", 18)), named("c", figures("ttftP99", "ms", 19))];

  test("stand first where there are more than two, with arrows where they are separable", () => {
    const [, table] = of(two, false).split("\n\n");
    expect(table!.split("\n").map((line) => line.trimEnd())).toEqual([
      "strategy      TTFT P99, ms",
      "chunked-fcfs           19",
      "b                      18↓",
      "c                      19",
      "all requests; ↑ and ↓: separable from chunked-fcfs, the baseline",
    ]);
    expect(of(two, false)).toContain("b against chunked-fcfs");
    expect(of(two.slice(1), false)).not.toContain("strategy");
  });

  test("stand alone where there are many, unless details are asked for", () => {
    const many = [...two, named("d", figures("ttftP99", "ms", 30)), named("e", figures("ttftP99", "ms", 31))];
    expect(of(many, false)).toMatch(/e +31↑\n.*\n\nThe paired differences of each, .*: --details, or --json\.\n$/);
    expect(of(many, false)).not.toContain("against");
    expect(of(many, true)).toContain("e against chunked-fcfs");
  });
});
