/** The report says what the summary says, and nothing without a record. */
import { describe, expect, test } from "vitest";
import type { EvidenceRecord } from "../../src/decision/evidence.ts";
import type { Estimate, StrategySummary } from "../../src/experiment/findings.ts";
import type { Summary } from "../../src/decision/summary.ts";
import { summaryText } from "../../src/node/summary-text.ts";
import { renderReport } from "../../src/report/html.ts";
import { buildReport, type ReportInput } from "../../src/report/view-model.ts";
import { reportInput } from "../fixtures/report/input.ts";
import { outlineFaults } from "../fixtures/report/outline.ts";

const input = reportInput({ days: 7 });
const render = (changed: ReportInput): string => renderReport(buildReport(changed));
const withSummary = (changes: Partial<Summary>, base: ReportInput = input): ReportInput => ({
  ...base,
  summary: { ...base.summary, ...changes },
});
const withStrategy = (
  name: string,
  change: (strategy: StrategySummary) => Partial<StrategySummary>,
  base: ReportInput = input,
): ReportInput =>
  withSummary(
    {
      strategies: base.summary.strategies.map((strategy) =>
        strategy.name === name ? { ...strategy, ...change(strategy) } : strategy,
      ),
    },
    base,
  );
/** The page without charts, whose coordinates are numbers too. */
const words = (html: string): string => html.replace(/<svg[\s\S]*?<\/svg>/g, "").replaceAll("\u00a0", " ");
const estimate = (mean: number, half = 0): Estimate => ({ mean, lo: mean - half, hi: mean + half, n: 3 });

describe("sentences and records", () => {
  test("every evidence record's sentence vanishes with the record", () => {
    const { records } = input.summary;
    const whole = words(render(input));
    const unique = (record: EvidenceRecord): boolean =>
      records.filter((other) => other.statement === record.statement).length === 1;
    const checked = records.filter(unique);
    expect(checked.length).toBeGreaterThan(5);
    for (const record of checked) {
      const escaped = record.statement.replace(/'/g, "&#39;");
      expect(whole).toContain(escaped);
      expect(words(render(withSummary({ records: records.filter((other) => other !== record) })))).not.toContain(
        escaped,
      );
    }
  });

  test("of a class stand open what bears on the choice and what it costs; what gives no reason is folded", () => {
    const html = render(input);
    const start = html.indexOf('<article class="segment"');
    const [open, folded] = html.slice(start, html.indexOf("</article>", start)).split("<details>");
    const marks = (part: string | undefined): string[] =>
      [...(part ?? "").matchAll(/class="mark [a-z]+">([^<]*)</g)].map((match) => match[1]!);
    expect(marks(open)).toEqual(["T2 Own GPUs: unknown", "T3a: yes", "T3: no", "T5: yes"]);
    expect(marks(folded)).toEqual(["T1: no", "T4: no"]);
    expect(folded).toContain("2 further records of evidence");
  });

  test("that nothing forces own capacity is said only when every record is there", () => {
    const none = input.summary.records.map((record) => ({ ...record, value: "no" as const }));
    expect(buildReport(withSummary({ records: none })).verdict?.noForces).toMatch(/^Nothing forces/);
    expect(buildReport(withSummary({ records: none.slice(2) })).verdict?.noForces).toBeNull();
    expect(buildReport(input).verdict?.noForces).toBeNull();
    expect(buildReport(input).verdict?.forces).toEqual(["restricted: Restricted data must stay inside the boundary."]);
  });

  test("without a verdict no verdict is claimed", () => {
    const html = render(withSummary({ verdict: null, records: [] }));
    expect(html).toContain("No verdict was asked for");
    expect(html).not.toContain("What forces it");
    expect(html).not.toContain("What the verdict rests on");
    expect(render(input)).toContain("What the verdict rests on");
  });

  test("indicative below ten replications alone; the literal mode only where it differs", () => {
    const verdict = input.summary.verdict;
    if (verdict === null) throw new Error("the fixture has a verdict");
    expect(buildReport(input).verdict?.indicative).toMatch(/3 replications/);
    expect(
      buildReport(withSummary({ replications: 10, verdict: { ...verdict, indicative: false } })).verdict?.indicative,
    ).toBeNull();
    expect(buildReport(input).verdict?.literal).toContain("Self-hosted");
    expect(
      buildReport(withSummary({ verdict: { ...verdict, literal: { verdict: "hybrid", differs: [] } } })).verdict
        ?.literal,
    ).toBeNull();
  });
});

describe("numbers come from the summary", () => {
  const changes: readonly (readonly [string, (strategy: StrategySummary) => Partial<StrategySummary>, string])[] = [
    ["usdPerMonth", () => ({ usdPerMonth: estimate(987_654) }), "$988k"],
    ["usdPerMTokOutput", () => ({ usdPerMTokOutput: estimate(77.7) }), "$77.7"],
    ["usdPerRequest", () => ({ usdPerRequest: estimate(0.0777) }), "$0.0777"],
    ["usdPerSloMetRequest", () => ({ usdPerSloMetRequest: estimate(0.0888) }), "$0.0888"],
    ["sloAttainment", () => ({ sloAttainment: estimate(0.9123) }), "91.23 %"],
    ["goodputPerS", () => ({ goodputPerS: estimate(77.1) }), "77.1/s"],
    ["ttftMs", ({ ttftMs }) => ({ ttftMs: { ...ttftMs, p99: estimate(7770) } }), "7.77 s"],
    ["itlMs", ({ itlMs }) => ({ itlMs: { ...itlMs, p50: estimate(77.7) } }), "77.7 ms"],
    ["requests", ({ requests }) => ({ requests: { ...requests, timedOut: estimate(7770) } }), "7.77k"],
    [
      "ledger",
      ({ ledger }) => ({
        ledger: ledger.map((line) => (line.line === "people" ? { ...line, usdPerMonth: estimate(77_700) } : line)),
      }),
      "$77.7k",
    ],
    ["billedUsd", () => ({ billedUsd: estimate(66_600) }), "$66.6k"],
    ["pools", ({ pools }) => ({ pools: pools.map((pool) => ({ ...pool, kvFraction: estimate(0.777) })) }), "77.7 %"],
    [
      "offers",
      ({ offers }) => ({ offers: offers.map((offer) => ({ ...offer, availabilityFraction: estimate(0.777) })) }),
      "77.7 %",
    ],
  ];

  test.each(changes)("%s", (_, change, text) => {
    expect(words(render(input))).not.toContain(text);
    expect(words(render(withStrategy("hybrid", change)))).toContain(text);
  });

  test("series feed charts alone: without them every word stays but the charts' own", () => {
    const html = words(render({ ...input, series: [] }));
    expect(html).toContain("No hourly series was recorded");
    for (const cell of words(render(input)).match(/<td[^>]*><div><span>[^<]*/g) ?? []) expect(html).toContain(cell);
  });

  test("no interval of a cost reaches below zero: not on the card, in the tables or as a whisker", () => {
    const model = buildReport(withStrategy("hybrid", () => ({ usdPerMonth: estimate(422, 1255) })));
    expect(model.strategies[2]!.figures[0]).toEqual({ value: "$422", label: "a month, $0 – $1.68k" });
    expect(model.comparison.permitted!.rows.find((row) => row.header === "Per month")!.cells[1]!.note).toBe(
      "$0 – $1.68k",
    );
    expect(model.cost.bars[1]).toMatchObject({ title: "Hybrid", loUsd: 0, hiUsd: 1677 });
    expect(model.cost.alt).toContain("Hybrid $422 a month (95 % interval $0 – $1.68k)");
  });

  test("an unknown attainment is a dash, judged by nobody", () => {
    const html = words(
      render(
        withStrategy("hybrid", ({ classes }) => ({
          sloAttainment: null,
          classes: classes.map((one) => ({ ...one, sloAttainment: null, sloAttainmentWindows: null })),
        })),
      ),
    );
    expect(html).toMatch(/whether Hybrid meets the SLO of every class is not known/i);
    expect(html).not.toContain("NaN");
    const model = buildReport(withStrategy("hybrid", () => ({ sloAttainment: null })));
    expect(model.strategies[2]!.figures).toContainEqual({ value: "–", label: "of requests within SLO" });
  });

  test("a missing P99 is a dash with its reason, not a number", () => {
    const html = words(render(withStrategy("hybrid", ({ ttftMs }) => ({ ttftMs: { ...ttftMs, p99: null } }))));
    expect(html).toContain("<span>–</span><small>too few requests</small>");
  });
});

describe("ranks and headlines", () => {
  test("a strategy that is not permitted has no rank and no figures, however cheap", () => {
    const model = buildReport(withStrategy("api-first", () => ({ usdPerMonth: estimate(1) })));
    const api = model.strategies.find((view) => view.name === "api-first");
    expect(api).toMatchObject({ permitted: false, rank: null, figures: [] });
    expect(
      model.strategies
        .filter((view) => view.permitted)
        .map((view) => view.rank)
        .sort(),
    ).toEqual([1, 2]);
    expect(model.cost.headline).not.toContain("API-first");
    expect(model.comparison.permitted?.columns.map((column) => column.label)).toEqual(["", "Self-hosted", "Hybrid"]);
    expect(model.comparison.notPermitted?.rows.some((row) => row.header.includes("Rank"))).toBe(false);
    expect(model.differences.rows.some((row) => row.label.includes("API-first"))).toBe(false);
    expect(renderReport(model)).toContain("not permitted for class restricted");
  });

  test("with a counterfactual beside real choices the choices alone are ranked", () => {
    const model = buildReport(reportInput({ days: 7, unrestricted: true }));
    expect(model.strategies.find((view) => view.name === "api-first")).toMatchObject({
      counterfactual: true,
      rank: null,
    });
    expect(model.banners.map((banner) => banner.title)).toContain("Counterfactual");
    expect(model.cost.headline).not.toContain("API-first");
  });

  const pair = (difference: Estimate): ReportInput =>
    withSummary({ pairedCost: [{ first: "self-hosted", second: "hybrid", usdPerMonth: difference }] });

  test("the cheapest is named only beyond the interval of the paired difference", () => {
    const clear = buildReport(pair(estimate(5000, 1000)));
    expect(clear.cost.headline).toMatch(/^Hybrid is the cheapest permitted strategy .* \$5.00k below Self-hosted$/);
    expect(clear.strategies.map((view) => view.rank)).toEqual([null, 2, 1]);
    const unclear = buildReport(pair(estimate(5000, 6000)));
    expect(unclear.cost.headline).toContain("cannot be told apart");
    expect(unclear.differences.headline).toContain("No strategy is cheaper");
    expect(unclear.strategies.map((view) => view.rank)).toEqual([null, 1, 1]);
  });

  test("a strategy that misses its target is ranked after those that meet theirs, and the words say so", () => {
    const serving = (name: string, mean: number, half: number, base: ReportInput): ReportInput => {
      const attained = estimate(mean, half);
      return withStrategy(
        name,
        ({ classes }) => ({
          sloAttainment: attained,
          classes: classes.map((entry) => ({ ...entry, sloAttainment: attained, sloAttainmentWindows: attained })),
        }),
        base,
      );
    };
    const { experiment } = input;
    const byRequests: ReportInput = {
      ...pair(estimate(5000, 1000)),
      experiment: {
        ...experiment,
        classes: experiment.classes.map((entry) => ({ ...entry, slo: { ...entry.slo, attainBasis: "requests" } })),
      },
    };
    const good = serving("self-hosted", 0.995, 0.001, serving("hybrid", 0.995, 0.001, byRequests));
    expect(buildReport(good).strategies.map(({ rank, missed }) => [rank, missed])).toEqual([
      [null, null],
      [2, null],
      [1, null],
    ]);
    const text = "3.10 % of requests within SLO";
    const short = serving("hybrid", 0.031, 0.001, good);
    const missing = buildReport(short);
    expect(missing.strategies.map(({ rank, missed }) => [rank, missed])).toEqual([
      [null, null],
      [1, null],
      [2, `Misses its target: ${text}`],
    ]);
    const after = new RegExp(`; Hybrid costs less \\(\\$[^)]*\\), but misses its target: ${text}$`);
    expect(missing.cost.headline).toMatch(/^Self-hosted costs .*; every other permitted strategy misses its target;/);
    expect(missing.cost.headline).toMatch(after);
    expect(missing.differences.headline).toMatch(after);
    const rank = missing.comparison.permitted!.rows.find(({ header }) => header === "Rank on cost")!;
    expect(rank.cells).toMatchObject([{ note: null }, { note: "misses its target", tone: "bad" }]);
    expect(words(renderReport(missing))).toContain(`<p class="missed">Misses its target: ${text}</p>`);

    // Where none meets its target they are compared, with the reservation.
    const none = buildReport(serving("self-hosted", 0.9, 0.001, short));
    expect(none.strategies.map((view) => view.rank)).toEqual([null, 2, 1]);
    expect(none.cost.headline).toMatch(
      /^Hybrid is the cheapest permitted .*; every permitted strategy misses its target: Self-hosted 90.0 % .* and Hybrid 3.10 % of/,
    );
    // An interval that reaches to the target leaves the rank, and says that it is open.
    const open = buildReport(serving("hybrid", 0.8, 0.5, good));
    expect(open.strategies.map((view) => view.rank)).toEqual([null, 2, 1]);
    expect(open.strategies[2]!.missed).toBe("May miss its target: 80.0 % of requests within SLO");
    expect(open.cost.headline).toMatch(/^Hybrid is the cheapest permitted strategy at/);
    // One class alone is named.
    const oneClass = withStrategy(
      "hybrid",
      ({ classes }) => ({
        classes: classes.map((entry) =>
          entry.name === "restricted" ? { ...entry, sloAttainment: estimate(0.5, 0.01) } : entry,
        ),
      }),
      good,
    );
    expect(buildReport(oneClass).strategies[2]!.missed).toBe(
      "Misses its target: 50.0 % of the requests of restricted within SLO",
    );
  });

  test("the latency headline turns with the P99 and hedges when the interval holds the SLO", () => {
    const classP99 = (mean: number, half: number): ReportInput =>
      withStrategy("hybrid", ({ classes }) => ({
        classes: classes.map((entry) => ({ ...entry, ttftMs: { ...entry.ttftMs, p99: estimate(mean, half) } })),
      }));
    expect(buildReport(classP99(1500, 100)).latency.headline).toBe(
      "Self-hosted and Hybrid keep P99 time to first token under the SLO",
    );
    expect(buildReport(classP99(4500, 100)).latency.headline).toBe(
      "Self-hosted keeps P99 time to first token under the SLO; Hybrid does not",
    );
    expect(buildReport(classP99(3000, 100)).latency.headline).toContain(
      "whether Hybrid keeps it under the SLO is open",
    );
  });

  test("time to first token is judged at the percentile that the target names", () => {
    const { experiment } = input;
    const aimedAt = (targetFraction: number, tpotS: number | null, p95: number, attained: number): ReportInput => ({
      ...withStrategy("hybrid", ({ ttftMs, classes }) => {
        const latency = { ...ttftMs, p50: estimate(900), p95: estimate(p95), p99: estimate(4500) };
        const sloAttainment = estimate(attained);
        const figures = { ttftMs: latency, sloAttainment, sloAttainmentWindows: sloAttainment };
        return { ttftMs: latency, classes: classes.map((entry) => ({ ...entry, ...figures })) };
      }),
      experiment: {
        ...experiment,
        classes: experiment.classes.map((entry) => ({ ...entry, slo: { ...entry.slo, targetFraction, tpotS } })),
      },
    });
    const tones = (of: ReportInput): unknown[] => {
      const { permitted, classes } = buildReport(of).comparison;
      const start = permitted!.rows.findIndex(({ header }) => header.startsWith("Time to first"));
      const rows = permitted!.rows.slice(start + 1, start + 5);
      return [...rows.map(({ cells }) => cells[1]!.tone), classes.rows.at(-1)!.cells[1]!.tone];
    };
    const headline = (of: ReportInput): string => buildReport(of).latency.headline;
    const kept = aimedAt(0.95, null, 2900, 0.97);
    expect(headline(kept)).toBe("Self-hosted and Hybrid keep P95 time to first token under the SLO");
    expect(tones(kept)).toEqual([null, null, null, null, null]);
    const missed = aimedAt(0.95, null, 3100, 0.94);
    expect(headline(missed)).toBe("Self-hosted keeps P95 time to first token under the SLO; Hybrid does not");
    expect(tones(missed)).toEqual([null, null, "bad", null, "bad"]);
    expect(tones(aimedAt(0.99, null, 2900, 0.97))).toEqual([null, null, null, "bad", "bad"]);
    // The summary has no P98: the share within the SLO decides, unless other targets than this one are in it.
    expect(headline(aimedAt(0.98, null, 2900, 0.985))).toMatch(/^.* and Hybrid keep P98 time to first token/);
    expect(headline(aimedAt(0.98, null, 2900, 0.97))).toMatch(/; Hybrid does not$/);
    expect(headline(aimedAt(0.98, 0.08, 2900, 0.97))).toMatch(/; whether Hybrid keeps it under the SLO is not known$/);
    expect(headline(aimedAt(0.98, 0.08, 3100, 0.97))).toMatch(/; Hybrid does not$/);
  });

  test("tables judge as headlines do: at the percentile that the target names, in doubt where the interval holds it", () => {
    const { experiment } = input;
    const served = (p95: Estimate, attained: Estimate, fractions: readonly number[]): ReportInput => ({
      ...withStrategy("hybrid", ({ ttftMs, classes }) => {
        const latency = { ...ttftMs, p50: estimate(900), p95, p99: estimate(4500) };
        const figures = { ttftMs: latency, sloAttainment: attained, sloAttainmentWindows: attained };
        return { ttftMs: latency, classes: classes.map((entry) => ({ ...entry, ...figures })) };
      }),
      experiment: {
        ...experiment,
        classes: experiment.classes.map((entry, i) => ({
          ...entry,
          slo: { ...entry.slo, targetFraction: fractions[i % fractions.length]! },
        })),
      },
    });
    const at95 = (p95: Estimate, attained: Estimate): (string | null)[] => {
      const { permitted, classes } = buildReport(served(p95, attained, [0.95])).comparison;
      const [attainment, ttft] = classes.rows.at(-1)!.cells;
      const start = permitted!.rows.findIndex(({ header }) => header.startsWith("Time to first"));
      return [attainment!.tone, ttft!.tone, ttft!.text, permitted!.rows[start + 3]!.cells[1]!.tone];
    };
    expect(at95(estimate(2800, 100), estimate(0.97, 0.01))).toEqual([null, null, "2.80 s", null]);
    expect(at95(estimate(2900, 200), estimate(0.96, 0.02))).toEqual(["warn", "warn", "2.90 s", "warn"]);
    expect(at95(estimate(3100, 200), estimate(0.94, 0.02))).toEqual(["warn", "warn", "3.10 s", "warn"]);
    expect(at95(estimate(3300, 200), estimate(0.92, 0.02))).toEqual(["bad", "bad", "3.30 s", "bad"]);
    const heads = (of: ReportInput): string[] =>
      buildReport(of)
        .comparison.classes.columns.map(({ label }) => label)
        .slice(2, 4);
    const [p95, attained] = [estimate(2800), estimate(0.97)];
    expect(heads(served(p95, attained, [0.95]))).toEqual(["TTFT P95", "TPOT P95"]);
    // Where classes name different ones, each cell says which it shows.
    const mixed = served(p95, attained, [0.99, 0.5]);
    expect(heads(mixed)).toEqual(["TTFT", "TPOT"]);
    expect(
      buildReport(mixed)
        .comparison.classes.rows.slice(-2)
        .map(({ cells }) => [cells[1]!.text, cells[1]!.note]),
    ).toEqual([
      ["4.50 s", "P99"],
      ["900 ms", "P50"],
    ]);
    // A target for fewer than half of the requests is judged by no percentile.
    const few = buildReport(served(p95, attained, [0.3])).comparison.classes;
    expect([few.columns[2]!.label, few.rows.at(-1)!.cells[1]]).toMatchObject([
      "TTFT P99",
      { text: "4.50 s", tone: null },
    ]);
  });

  test("a class that a strategy may not take has a cell for each column, with money and without", () => {
    const barred = withStrategy("hybrid", ({ classes }) => ({
      classes: classes.map((entry) => ({ ...entry, barred: "may not leave" })),
    }));
    const unpriced = withSummary(
      { strategies: barred.summary.strategies.map((strategy) => ({ ...strategy, usdPerMonth: null })) },
      barred,
    );
    for (const each of [barred, unpriced]) {
      const { columns, rows } = buildReport(each).comparison.classes;
      expect(rows.at(-1)!.cells).toHaveLength(columns.length - 1);
    }
  });

  test("one replication: no interval anywhere, and the headlines say so", () => {
    const model = buildReport(reportInput({ days: 7, replications: 1 }));
    expect(model.cost.headline).toContain("single replication");
    expect(model.cost.bars.every((bar) => bar.loUsd === null)).toBe(true);
    expect(model.latency.panels.every((panel) => panel.wide.every((point) => point.hi === null))).toBe(true);
    expect(() => renderReport(model)).not.toThrow();
  });
});

describe("banners", () => {
  const titles = (changed: ReportInput): string[] => buildReport(changed).banners.map((banner) => banner.title);

  test("what limits the answer is said before it", () => {
    expect(titles(input)).toEqual([
      "Not permitted",
      "Outside the validated range",
      "Prices older than 90 days on 24 Nov 2026",
      "Warnings of the run",
    ]);
    expect(titles(withSummary({ complete: false }))).toContain("Incomplete run");
    expect(titles(withSummary({ asOf: "2026-08-01" })).some((title) => title.startsWith("Prices"))).toBe(false);
  });

  test("a verdict that no strategy tried says that it has no price", () => {
    const title = "The verdict was not simulated";
    const verdict = input.summary.verdict!;
    const simulated = input.summary.strategies.map(({ option }) => option);
    expect([verdict.verdict, simulated]).toEqual(["hybrid", ["api", "self", "split"]]);
    expect(titles(input)).not.toContain(title);
    const without = (option: string) =>
      withSummary({ strategies: input.summary.strategies.filter((strategy) => strategy.option !== option) });
    expect(titles(without("split"))).toContain(title);
    expect(titles(without("self"))).not.toContain(title);
    expect(summaryText(without("split").summary, 100)).toMatch(
      /^Verdict .*\nNo strategy of this experiment has own capacity and an API: .* was not simulated\.$/m,
    );
    expect(summaryText(without("self").summary, 100)).not.toContain("not simulated");
    const alone = { ...input.summary, replications: 1, strategies: input.summary.strategies.slice(0, 1) };
    expect(summaryText(alone, 100)).toContain(", 1 replication, 1 strategy\n");
    const conflict = { ...verdict, verdict: "conflict" as const };
    expect(titles(withSummary({ verdict: conflict, strategies: [] }))).not.toContain(title);
  });

  test("evidence that rests on many values names their list, which stands once", () => {
    const ids = ["a/1", "a/2", "a/3", "a/4"];
    const records = input.summary.records.map((record, i) => ({ ...record, assumptions: i % 2 === 0 ? ids : ["b/1"] }));
    const html = words(render(withSummary({ records })));
    expect(html).toContain("rests on the 4 values of list 1");
    expect(html).toContain("rests on b/1");
    expect(html).toContain("<b>List 1: 4 assumed or unverified values</b>");
    for (const id of ids) expect(html.split(`<li>${id}</li>`)).toHaveLength(2);
  });
});

describe("the page", () => {
  test("headings are an outline: one title, one heading a section, no level left out", () => {
    expect(outlineFaults(render(input))).toEqual([]);
    expect(outlineFaults(render(withSummary({ verdict: null, records: [] })))).toEqual([]);
  });

  test("text of users is escaped wherever it appears", () => {
    const evil = `<img src=x onerror=alert(1)>"'&`;
    const { experiment, summary } = input;
    const html = render({
      ...input,
      manifest: {
        ...input.manifest,
        replayCommand: evil,
        runId: evil,
        catalogueHashes: { [`override:${evil}`]: evil },
      },
      experiment: {
        ...experiment,
        question: evil,
        warnings: [evil],
        assumptions: experiment.assumptions.map((entry) => ({ ...entry, label: evil, source: evil, unit: evil })),
      },
      summary: {
        ...summary,
        title: evil,
        verdict: summary.verdict === null ? null : { ...summary.verdict, sentence: evil },
        records: summary.records.map((record) => ({ ...record, statement: evil, id: evil })),
        strategies: summary.strategies.map((strategy) => ({
          ...strategy,
          title: `${strategy.name}${evil}`,
          pools: strategy.pools.map((pool) => ({ ...pool, outsideValidatedRange: evil })),
          ledger: [...strategy.ledger, { line: evil, usdPerMonth: estimate(5000), billedUsd: estimate(1) }],
          classes: strategy.classes.map((entry) => ({ ...entry, barred: evil })),
        })),
      },
    });
    expect(html.includes("<img")).toBe(false);
    expect(html.match(/&lt;img src=x/g)?.length ?? 0).toBeGreaterThan(20);
    // A quote would end an attribute: the text never stands with one.
    expect(html.includes('alert(1)>"')).toBe(false);
  });

  test("equal inputs give equal bytes; nothing outside is referred to", () => {
    const html = render(input);
    expect(render(reportInput({ days: 7 }))).toBe(html);
    expect(html).not.toMatch(/<(script|link|img|iframe|object)\b/);
    expect(html).not.toMatch(/(src|href)="(?!#)/);
    expect(html).not.toMatch(/url\(|@import/);
  });

  test("empty experiments render: no strategies, no cost, no requests", () => {
    const zero = estimate(0);
    const idle = withStrategy("hybrid", ({ requests, ledger }) => ({
      usdPerMonth: zero,
      ledger: ledger.map((line) => ({ ...line, usdPerMonth: zero })),
      requests: Object.fromEntries(
        Object.keys(requests).map((key) => [key, zero]),
      ) as unknown as StrategySummary["requests"],
    }));
    expect(render({ ...idle, series: [] })).toContain("No request was sent");
    const html = render({ ...withSummary({ strategies: [], pairedCost: [], verdict: null, records: [] }), series: [] });
    expect(html).toContain("No strategy was simulated");
    expect(html).not.toMatch(/NaN|undefined|Infinity/);
    expect(render(idle)).not.toMatch(/NaN|undefined|Infinity/);
    expect(render(input)).not.toMatch(/NaN|undefined|Infinity/);
  });
});
