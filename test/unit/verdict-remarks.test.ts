/** What is said below a verdict: who costs as much as the strategy that shows it, and who misses a target; the same wherever it is read. */
import { describe, expect, test } from "vitest";
import type { Summary } from "../../src/decision/summary.ts";
import type { Estimate } from "../../src/experiment/findings.ts";
import { summaryText } from "../../src/node/summary-text.ts";
import { renderReport } from "../../src/report/html.ts";
import { verdictRemarks } from "../../src/report/verdict-remarks.ts";
import { buildReport } from "../../src/report/view-model.ts";
import { reportInput } from "../fixtures/report/input.ts";

const input = reportInput({ days: 7 });
const about = (mean: number, half: number | null): Estimate =>
  half === null ? { mean, lo: null, hi: null, n: 1 } : { mean, lo: mean - half, hi: mean + half, n: 3 };

/** The fixture with a hybrid of 40 k USD a month and own GPUs that cost `more` than it. */
function summary(more: Estimate, change: Partial<Summary> = {}): Summary {
  const usd = { "api-first": 5000, "self-hosted": 40_000 + more.mean, hybrid: 40_000 } as Record<string, number>;
  return {
    ...input.summary,
    strategies: input.summary.strategies.map((one) => ({ ...one, usdPerMonth: about(usd[one.name]!, 500) })),
    pairedCost: [
      { first: "self-hosted", second: "hybrid", usdPerMonth: more },
      { first: "api-first", second: "hybrid", usdPerMonth: about(0, 100) },
    ],
    ...change,
  };
}
const tieOf = (of: Summary): string | null => verdictRemarks(of, input.experiment).costTie;
const [api, own, hybrid] = input.summary.strategies.map(({ title }) => title) as [string, string, string];

test("a tie on cost is said where the interval of the paired difference holds zero", () => {
  expect(tieOf(summary(about(300, 400)))).toBe(
    `The runs do not tell ${hybrid} ($40.0k a month) apart on cost from ${own} ($40.3k a month): the interval of the difference holds zero.`,
  );
  expect(tieOf(summary(about(0, 0)))).toContain(`apart on cost from ${own} ($40.0k a month)`);
  // Wide as both intervals may be, the pairs decide.
  expect(tieOf(summary(about(6000, 400)))).toBeNull();
  expect(tieOf(summary(about(-6000, 400)))).toBeNull();
  expect(tieOf(summary(about(6000, 6001)))).toContain("do not tell");
});

test("so is a difference below the margin that the experiment declares", () => {
  const { thresholds } = input.experiment;
  expect(thresholds.marginFraction).toBe(0.1);
  expect(tieOf(summary(about(2000, 100)))).toBe(
    `${own} costs 5.00 % more than ${hybrid}: not more than the margin of 10.0 % that counts as an advantage here.`,
  );
  expect(tieOf(summary(about(-2000, 100)))).toContain(`${own} costs 5.00 % less than ${hybrid}`);
  expect(tieOf(summary(about(2000, null)))).toContain("5.00 % more");
  expect(tieOf(summary(about(6000, null)))).toBeNull();
  const strict = { ...input.experiment, thresholds: { ...thresholds, marginFraction: 0.04 } };
  expect(verdictRemarks(summary(about(2000, 100)), strict).costTie).toBeNull();
});

test("what is not permitted, not priced or not simulated ties with nobody", () => {
  expect(tieOf(summary(about(300, 400)))).not.toContain(api);
  const tie = summary(about(300, 400));
  const conflict = { ...tie, verdict: { ...tie.verdict!, verdict: "conflict" as const } };
  const unpriced = { ...tie, strategies: tie.strategies.map((one) => ({ ...one, usdPerMonth: null })) };
  const alone = { ...tie, strategies: tie.strategies.filter(({ option }) => option !== "split") };
  for (const none of [conflict, unpriced, alone, { ...tie, verdict: null }]) expect(tieOf(none)).toBeNull();
});

describe("a target that the verdict leaves unmet", () => {
  const attaining = (share: (name: string) => number, change: Partial<Summary> = {}): Summary => {
    const of = summary(about(6000, 400), change);
    const strategies = of.strategies.map((one) => ({
      ...one,
      sloAttainment: about(share(one.name), 0.001),
      classes: one.classes.map((entry) => ({ ...entry, barred: null, sloAttainment: about(share(one.name), 0.001) })),
    }));
    return { ...of, strategies: strategies.map((one) => ({ ...one, permitted: true })) };
  };
  const relaxed = {
    ...input.experiment,
    classes: input.experiment.classes.map((one) => ({
      ...one,
      slo: { ...one.slo, attainBasis: "requests" as const, strict: false, targetFraction: 0.99 },
    })),
  };
  const strict = { ...relaxed, classes: relaxed.classes.map((one) => ({ ...one, slo: { ...one.slo, strict: true } })) };
  const unmet = (of: Summary, asked = relaxed): string | null =>
    verdictRemarks(of, asked).targetUnmet?.sentence ?? null;
  const hybridMisses = attaining((name) => (name === "hybrid" ? 0.6 : 1));

  test("is said with who keeps it, at which cost, and why it does not decide", () => {
    expect(unmet(hybridMisses)).toBe(
      `${hybrid} misses its target: 60.0 % of requests within SLO. ${api} ($5.00k a month) and ${own} ($46.0k a month) keep all targets. A target decides the verdict only where it is declared strict (slo.strict).`,
    );
    expect(unmet(hybridMisses, strict)).toMatch(/keep all targets\.$/);
    const unsure = attaining((name) => (name === "hybrid" ? 0.6 : name === "self-hosted" ? 0.9905 : 1));
    expect(unmet(unsure)).toContain(
      `${api} ($5.00k a month) keeps all targets; ${own} ($46.0k a month) may keep them.`,
    );
    const doubtful = attaining((name) => (name === "self-hosted" ? 0.9905 : 0.6));
    expect(unmet(doubtful)).toContain(` ${own} ($46.0k a month) may keep all targets.`);
    expect(unmet(attaining(() => 0.6))).toContain("No other permitted strategy keeps all targets.");
    expect(unmet(attaining((name) => (name === "hybrid" ? 0.9895 : 1)))).toContain(`${hybrid} may miss its target`);
  });

  test("and of whose requests the cost is, where many have no answer", () => {
    const strategies = hybridMisses.strategies.map((one) => {
      const { sent } = one.requests;
      return { ...one, requests: { ...one.requests, completed: about(sent.mean * 0.62, 0) } };
    });
    expect(unmet({ ...hybridMisses, strategies })).toContain(
      "within SLO, and its cost is of the 62.0 % of requests that it answers. ",
    );
  });

  test("not where all is kept, or no strategy shows the verdict", () => {
    expect(unmet(attaining(() => 1))).toBeNull();
    expect(unmet(attaining((name) => (name === "hybrid" ? 1 : 0.6)))).toBeNull();
    expect(unmet({ ...hybridMisses, verdict: null })).toBeNull();
  });

  test("stands below the verdict in the terminal and on the page", () => {
    const remarks = verdictRemarks(hybridMisses, relaxed);
    expect(summaryText({ ...hybridMisses, remarks }, 100)).toContain(`\n${remarks.targetUnmet!.sentence}\n`);
    const built = buildReport({ ...input, summary: { ...hybridMisses, remarks }, experiment: relaxed });
    const page = renderReport(built).replaceAll("\u00a0", " ");
    const head = page.slice(page.indexOf(`<h2 class="lead">`));
    expect(head.slice(0, head.indexOf('class="tiles"'))).toContain(
      `<p class="banner warn">${remarks.targetUnmet!.sentence}</p>`,
    );
  });
});

describe("terminal and page", () => {
  const slow = (of: Summary): Summary => ({
    ...of,
    strategies: of.strategies.map((one) =>
      one.name === "hybrid"
        ? {
            ...one,
            sloAttainment: about(0.9, 0.01),
            classes: one.classes.map((entry) => ({ ...entry, sloAttainment: about(0.9, 0.01) })),
          }
        : one,
    ),
  });
  const of = slow(summary(about(300, 400)));
  const remarks = verdictRemarks(of, input.experiment);
  const text = summaryText({ ...of, remarks }, 100);
  const page = renderReport(buildReport({ ...input, summary: { ...of, remarks } })).replaceAll("\u00a0", " ");

  test("have the tie below the verdict", () => {
    expect(text).toMatch(/^Verdict .*\nHybrid misses its target: .*\nThe runs do not tell /m);
    expect(text).toContain(`\n${remarks.costTie}\n`);
    const head = page.slice(page.indexOf(`<h2 class="lead">`));
    expect(head.slice(0, head.indexOf('class="tiles"'))).toContain(remarks.costTie);
    const none = summaryText({ ...of, remarks: { costTie: null, targetUnmet: null, missedTargets: [] } }, 100);
    expect(none).not.toContain("The runs do not tell");
    expect(none).not.toContain("target");
  });

  test("say in the same words who misses a target", () => {
    const missed = remarks.missedTargets.find(({ strategy }) => strategy === "hybrid")!;
    expect(missed.sentence).toBe("Misses its target: 90.0 % of the requests of restricted within SLO");
    // Below the verdict it is said already of the strategy that shows it.
    expect(text).toContain(`\n${hybrid} misses its target: 90.0 % of the requests of restricted within SLO`);
    expect(text).not.toContain("hybrid: ");
    expect(page).toContain(`<p class="missed">${missed.sentence}</p>`);
    expect(remarks.missedTargets.map(({ strategy }) => strategy)).not.toContain("api-first");
  });

  test("without a verdict too, and of many only how many", () => {
    const study = { ...of, verdict: null, remarks: verdictRemarks({ ...of, verdict: null }, input.experiment) };
    expect(summaryText(study, 100)).toContain("\nhybrid: Misses its target: ");
    const many = Array.from({ length: 7 }, (_, i) => ({ strategy: `s${i}`, sentence: "Misses its target: x" }));
    const strategies = Array.from({ length: 9 }, () => of.strategies[2]!);
    const crowd = summaryText(
      { ...of, strategies, remarks: { costTie: null, targetUnmet: null, missedTargets: many } },
      100,
    );
    expect(crowd).toContain("\n7 of 9 strategies miss a target, or may: see the report.\n");
    expect(crowd).not.toContain("s0:");
  });
});
