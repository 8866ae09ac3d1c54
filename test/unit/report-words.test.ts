/** What the report calls things: periods in their own unit, strategies as they were written, labels that nothing crosses. */
import { describe, expect, test } from "vitest";
import { costSvg } from "../../src/report/charts/bars.ts";
import { renderReport } from "../../src/report/html.ts";
import type { CostChart } from "../../src/report/model.ts";
import { buildReport, type ReportInput } from "../../src/report/view-model.ts";
import { reportInput } from "../fixtures/report/input.ts";

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

  test("covers minutes of its month, a week a week", () => {
    expect(model.months.months).toEqual(["Nov 2026 (58.32 minutes)"]);
    expect(buildReport(input).months.months).toEqual(["Nov 2026 (7 days)"]);
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
