/** What the report calls things: periods in their own unit, strategies as they were written, labels that nothing crosses. */
import { describe, expect, test } from "vitest";
import { costSvg, differenceSvg } from "../../src/report/charts/bars.ts";
import { latencyPanelSvg } from "../../src/report/charts/latency.ts";
import { poolPanelSvg } from "../../src/report/charts/pools.ts";
import { timeTicks } from "../../src/report/charts/time-axis.ts";
import { hours, percent, usd } from "../../src/report/format.ts";
import { renderReport } from "../../src/report/html.ts";
import type { CostChart } from "../../src/report/model.ts";
import { buildReport, type ReportInput } from "../../src/report/view-model.ts";
import { reportInput } from "../fixtures/report/input.ts";
import { manyStrategies } from "../fixtures/report/many.ts";

const input = reportInput({ days: 7 });

/** The fixture as a run of `minutes`. */
function shortRun(minutes: number): ReportInput {
  const horizonS = minutes * 60;
  return {
    ...input,
    summary: { ...input.summary, horizonDays: horizonS / 86_400 },
    experiment: { ...input.experiment, horizonS },
  };
}

describe("a run of minutes", () => {
  const model = buildReport(shortRun(58.32));

  test("is one of minutes wherever its length is told", () => {
    expect(model.facts[0]).toBe("58.32 minutes from Mon 2 Nov 2026 (UTC)");
    const notes = [model.costTable, model.comparison.permitted!].flatMap(({ rows }) => rows.map(({ note }) => note));
    expect(notes).toContain("paid within the 58.32 minutes simulated; what is paid in advance stands here whole");
    expect(notes).toContain("mean per replication of 58.32 minutes");
    expect(renderReport(model)).not.toContain("0.0405");
  });

  test("has no months to compare, nor has a week; four weeks have, and say how much of each they cover", () => {
    expect(model.months).toBeNull();
    expect(buildReport(input).months).toBeNull();
    expect(renderReport(buildReport(input))).not.toContain("calendar month");
    const month = buildReport(reportInput({ days: 30 }));
    expect(month.months!.months).toEqual(["Nov 2026 (29 days)", "Dec 2026 (1 day)"]);
    expect(renderReport(month)).toContain("Cost by calendar month");
  });
});

test("a strategy stands at the head of a headline as it was written, our own words with a capital", () => {
  const named = (change: (attainment: number) => number): ReturnType<typeof buildReport> =>
    buildReport({
      ...input,
      summary: {
        ...input.summary,
        strategies: input.summary.strategies.map((strategy, i) => ({
          ...strategy,
          title: `s${i}`,
          classes: strategy.classes.map((entry) => ({
            ...entry,
            sloAttainment: { mean: change(0.999), lo: change(0.999) - 0.0001, hi: 1, n: 3 },
          })),
        })),
      },
    });
  expect(named((value) => value).outcomes.headline).toMatch(/^s1 .* meet the SLO of every class/);
  expect(named(() => 0.99).outcomes.headline).toMatch(/^Whether s1 /);
});

describe("the cost chart", () => {
  const chart = (loUsd: number, hiUsd: number): CostChart => ({
    headline: "",
    subtitle: "",
    alt: "cost",
    legend: [],
    bars: [
      {
        title: "own",
        color: "#d97706",
        permitted: true,
        usdPerMonth: 100,
        loUsd,
        hiUsd,
        label: "$100",
        parts: [{ label: "People", color: "#475569", usdPerMonth: 100 }],
        own: [],
      },
    ],
  });
  /** In the drawing for a page: middle of the label inside the bar, and the whisker. */
  function placed(svg: string): { label: number | null; whisker: number[] | null } {
    const wide = svg.slice(0, svg.indexOf('<div class="narrow">'));
    const label = /<text[^>]*transform="translate\(([\d.]+),[^>]*>People \$100</.exec(wide);
    const whisker = /stroke="#0f172a" aria-label="rule"><line[^>]* x2="([\d.]+)" x1="([\d.]+)"/.exec(wide);
    return {
      label: label === null ? null : Number(label[1]),
      whisker: whisker === null ? null : [Number(whisker[2]), Number(whisker[1])],
    };
  }

  test("puts a label beside a whisker that would cross it", () => {
    const { label, whisker } = placed(costSvg(chart(45, 120)));
    // "People $100" is about 80 pixels wide.
    expect(label! + 40).toBeLessThan(whisker![0]!);
    expect(label! - 40).toBeGreaterThan(0);
  });

  test("leaves a label out where the whisker leaves no room", () => {
    expect(placed(costSvg(chart(2, 198))).label).toBeNull();
  });

  test("draws no whisker that would look like an edge", () => {
    expect(placed(costSvg(chart(99.999, 100.001)))).toMatchObject({ whisker: null });
    expect(placed(costSvg(chart(95, 105))).whisker).not.toBeNull();
  });
});

describe("an hour", () => {
  const startEpochS = input.experiment.startEpochS + 18 * 3600 + 16 * 60;

  test("has minutes on its axis", () => {
    expect(timeTicks(startEpochS, 0.97, 9).map(({ label }) => label)).toEqual([
      "18:20",
      "18:30",
      "18:40",
      "18:50",
      "19:00",
      "19:10",
    ]);
  });

  const points = [{ hour: 0.5, value: 600, lo: 500, hi: 900 }];
  const panel = { title: "own", color: "#d97706", wide: points, narrow: points, events: [], note: "" };

  test("is a dot, not a line without length", () => {
    const chart = { ...buildReport(input).latency, horizonH: 1, startEpochS };
    expect(latencyPanelSvg(chart, panel)).toContain("<circle");
    const [first] = buildReport(input).latency.panels;
    expect(latencyPanelSvg(buildReport(input).latency, first!)).not.toContain("<circle");
    expect(buildReport(shortRun(50)).latency.subtitle).toContain("Dot: median of 3 replications; bar: minimum");
    expect(buildReport(input).latency.subtitle).toContain("Line: median of 3 replications; band: minimum");
  });
});

test("replicas are counted in whole numbers", () => {
  const points = [{ hour: 0, busy: 2, idle: 0, warm: 0, down: 0 }];
  const panel = { title: "own", color: "#d97706", wide: points, narrow: points, note: "" };
  const [wide] = poolPanelSvg(buildReport(input).pools, panel).split('class="narrow"');
  expect([...wide!.matchAll(/>([\d.]+)<\/text>/g)].map(([, tick]) => tick)).toEqual(["0", "1", "2"]);
});

test("what cancelling sums leave over is nothing, and little of an hour is minutes or seconds", () => {
  expect([usd(-7e-12), usd(1e-10), usd(0.000711)]).toEqual(["$0", "$0", "$0.000711"]);
  expect([percent(-1e-17), percent(1e-17), percent(1e-6)]).toEqual(["0 %", "0 %", "<0.001 %"]);
  expect([hours(1.95), hours(0.00384), hours(0.05), hours(0)]).toEqual(["1.95 h", "13.8 s", "3.00 min", "0 h"]);
});

describe("twelve strategies", () => {
  const model = buildReport(manyStrategies(12));

  test("have headlines that can be read", () => {
    expect(model.latency.headline).toMatch(/^s0, s1, s2 and 9 others keep P99 time to first token under the SLO/);
    expect(model.outcomes.headline).toMatch(/^s0, s1, s2 and 9 others meet the SLO of every class/);
    expect(model.pools.headline).toMatch(/are busy from \S+ % on s\d+ to \S+ % on s\d+$/);
    expect(model.differences.headline).toMatch(/^s0 costs \$1\.00k to \$11\.0k less than 11 others a month/);
  });

  test("are each set against the best one", () => {
    expect(model.differences.rows.map(({ label }) => label)).toEqual(
      Array.from({ length: 11 }, (_, i) => `s${i + 1} − s0`),
    );
    expect(model.differences.subtitle).toContain("Each against s0; summary.json holds every pair.");
    expect(buildReport(manyStrategies(4)).differences.rows).toHaveLength(6);
  });

  test("stand at most four to a table, each in one", () => {
    const tables = renderReport(model).match(/<table class="compare[\s\S]*?<\/table>/g)!;
    const heads = tables.map((table) => [...table.matchAll(/<th scope="col"[^>]*>(s\d+)/g)].map(([, name]) => name));
    const cost = heads.slice(0, 3);
    expect(cost.flat()).toEqual(Array.from({ length: 12 }, (_, i) => `s${i}`));
    for (const names of heads) expect(names.length).toBeLessThanOrEqual(4);
    for (const table of tables) {
      const columns = table.match(/<thead>[\s\S]*?<\/thead>/)![0].match(/<t[hd]/g)!.length - 1;
      for (const row of table.match(/<tr><th scope="row"[\s\S]*?<\/tr>/g)!)
        expect(row.match(/<(td|th)[ >]/g)).toHaveLength(columns);
    }
  });
});

describe("the chart of differences", () => {
  const row = { label: "b − a", color: "#475569", usdPerMonth: 100, loUsd: -1500, hiUsd: 9000, text: "" };

  test("has one zero on its axis, and even steps to both sides", () => {
    const wide = differenceSvg({ headline: "", subtitle: "", alt: "differences", rows: [row] }).split(
      'class="narrow"',
    )[0]!;
    const ticks = [...wide.matchAll(/>(−?\$[\d.]+k?)<\/text>/g)].map(([, text]) => text);
    expect(ticks.filter((text) => text!.endsWith("$0"))).toEqual(["$0"]);
    expect(new Set(ticks).size).toBe(ticks.length);
  });

  test("says of equals that they are the same", () => {
    const many = manyStrategies(2);
    const zero = { mean: 0, lo: 0, hi: 1e-12, n: 3 };
    const same = {
      ...many,
      summary: { ...many.summary, pairedCost: [{ ...many.summary.pairedCost[0]!, usdPerMonth: zero }] },
    };
    expect(buildReport(same).differences.rows[0]!.text).toBe("the same");
  });
});

test("the appendix counts the files of the catalogue, and names those of the user", () => {
  const catalogueHashes = { "gpus/a.yaml": "11", "llms/b.yaml": "22", "override:gpus/mine.yaml": "33" };
  const { run } = buildReport({ ...input, manifest: { ...input.manifest, catalogueHashes } }).appendix;
  const told = run.rows.map(({ header, cells }) => [header, cells[0]!.text]);
  expect(told).toContainEqual(["Catalogue", "2 files of version 0.1.0"]);
  expect(told).toContainEqual(["Own entries gpus/mine.yaml", "33"]);
  expect(JSON.stringify(told)).not.toContain("22");
});
