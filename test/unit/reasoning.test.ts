/** Thinking before the answer: how much, who pays for it, and when the user sees something. */
import { describe, expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import type { ConfigError } from "../../src/kernel/errors.ts";
import { COMPLETED } from "../../src/outcome/recorder.ts";
import type { RunResult } from "../../src/outcome/run-result.ts";
import type { ReasoningLaw, ResolvedOffer, ResolvedPool, SyntheticTraffic } from "../../src/scenario/resolved.ts";
import { openTraffic } from "../../src/traffic/open.ts";
import type { Traffic } from "../../src/traffic/traffic.ts";
import { resolveRaw, smallExperiment, withValue, catalog } from "../fixtures/experiment.ts";
import { FRONTIER_LARGE, tpm } from "../fixtures/provider-offer.ts";
import { NO_CHARGE } from "../../src/scenario/limits.ts";
import {
  offer,
  pool,
  requestClass,
  RowList,
  runOptions,
  setting,
  strategy,
  to,
  type Row,
} from "../fixtures/strategies.ts";

const SPEC: SyntheticTraffic = {
  kind: "synthetic",
  meanRatePerS: 0.5,
  growthFractionPerMonth: 0,
  hourOfWeek: null,
  burst: { components: [], gapCv: 1 },
  input: { kind: "lognormal", medianTokens: 200, sigma: 0.5, minTokens: 1, maxTokens: 2000 },
  output: { kind: "lognormal", medianTokens: 100, sigma: 0.5, minTokens: 1, maxTokens: 1000 },
  spearman: 0,
  maxOutput: { factor: 2, minTokens: 64 },
};
const HIGH: ReasoningLaw = { kind: "added", medianTokens: 700, sigma: 0.9, maxTokens: 32_768 };
const FIXED: ReasoningLaw = { kind: "added", medianTokens: 300, sigma: 0, maxTokens: 32_768 };
const OF = setting({ horizonS: 2000, classes: [requestClass({ timeoutS: 600 })] });

function traffic(law: ReasoningLaw | undefined, spec = SPEC, seed = "7", horizonS = OF.horizonS): Traffic {
  const { startEpochS } = OF;
  return openTraffic(spec, {
    startEpochS,
    horizonS,
    warmupS: 0,
    seed,
    replication: 0,
    classShares: [1],
    reasoning: [law],
  });
}

interface Sent {
  readonly timeS: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly maxOutputTokens: number;
  readonly reasoningTokens: number;
}

function all(cursor: Traffic): Sent[] {
  const sent: Sent[] = [];
  for (; cursor.timeS < Infinity; cursor.advance()) {
    const { timeS, inputTokens, outputTokens, maxOutputTokens, reasoningTokens = 0 } = cursor;
    sent.push({ timeS, inputTokens, outputTokens, maxOutputTokens, reasoningTokens });
  }
  return sent;
}

describe("how much", () => {
  const plain = all(traffic(undefined, SPEC, "7", 40_000));

  test("times, prompts and answers stay as they are, thinking comes on top, and max_tokens leaves room for it", () => {
    const thought = all(traffic(HIGH, SPEC, "7", 40_000));
    expect(thought.length).toBe(plain.length);
    thought.forEach((one, i) => {
      const { timeS, inputTokens, outputTokens } = plain[i]!;
      expect([one.timeS, one.inputTokens, one.outputTokens - one.reasoningTokens]).toEqual([
        timeS,
        inputTokens,
        outputTokens,
      ]);
      expect(one.maxOutputTokens).toBe(Math.max(64, Math.ceil(2 * one.outputTokens)));
    });
  });

  test("lognormal with the law's median and sigma, cut at its budget", () => {
    const tokens = all(traffic(HIGH, SPEC, "7", 40_000))
      .map((one) => one.reasoningTokens)
      .sort((a, b) => a - b);
    const at = (q: number): number => tokens[Math.floor(q * tokens.length)]!;
    expect(tokens.length).toBeGreaterThan(15_000);
    expect(Math.abs(at(0.5) / 700 - 1)).toBeLessThan(0.04);
    // One standard deviation above the median.
    expect(Math.abs(at(0.8413) / (700 * Math.exp(0.9)) - 1)).toBeLessThan(0.05);
    expect(Math.max(...all(traffic({ ...HIGH, maxTokens: 900 })).map((one) => one.reasoningTokens))).toBe(900);
  });

  test("a share of the output leaves its length, and at least a token to see", () => {
    const law: ReasoningLaw = { kind: "share", percentiles: [0, 100], shares: [0.2, 1] };
    const thought = all(traffic(law, SPEC, "7", 40_000));
    expect(thought.map(({ outputTokens, maxOutputTokens }) => [outputTokens, maxOutputTokens])).toEqual(
      plain.map(({ outputTokens, maxOutputTokens }) => [outputTokens, maxOutputTokens]),
    );
    expect(thought.every((one) => one.reasoningTokens <= one.outputTokens - 1)).toBe(true);
    const mean = thought.reduce((sum, one) => sum + one.reasoningTokens / one.outputTokens, 0) / thought.length;
    expect(mean).toBeCloseTo(0.6, 1);
  });

  test("another seed thinks otherwise, the same one the same", () => {
    expect(all(traffic(HIGH))).toEqual(all(traffic(HIGH)));
    expect(all(traffic(HIGH, SPEC, "8"))).not.toEqual(all(traffic(HIGH)));
  });
});

function run(
  law: ReasoningLaw | undefined,
  target: { readonly pool: Partial<ResolvedPool> } | { readonly offer: Partial<ResolvedOffer> },
): { readonly result: RunResult; readonly rows: readonly Row[] } {
  const rows = new RowList();
  const pools = "pool" in target ? [pool({ engine: { maxNumSeqs: 64, kvBlocks: 20_000 }, ...target.pool })] : [];
  const offers = "offer" in target ? [offer(target.offer)] : [];
  const plan = strategy([[to(pools.length > 0 ? "pool" : "offer")]], pools, offers);
  const result = simulateRun(OF, plan, traffic(law), runOptions({ rows, replicas: pools.map(() => 2) }));
  return { result, rows: rows.list };
}

describe("at an offer", () => {
  const latency = { ...FRONTIER_LARGE, ttftSigma: 0, tailProbability: 0, rateSigma: 0 };
  const plain = run(undefined, { offer: { latency } });
  const thought = run(FIXED, { offer: { latency } });

  test("the first visible token comes thinking ÷ rate later, the pace of the answer stays", () => {
    const byRequest = new Map(plain.rows.map((row) => [row.request, row]));
    for (const row of thought.rows.filter(({ outcome }) => outcome === COMPLETED)) {
      const before = byRequest.get(row.request)!;
      expect(row.ttftS - before.ttftS).toBeCloseTo(300 / 55, 9);
      expect(row.e2eS - before.e2eS).toBeCloseTo(300 / 55, 9);
      if (!Number.isNaN(before.tpotS)) expect(row.tpotS).toBeCloseTo(before.tpotS, 12);
    }
  });

  test("it is billed as output and reported apart", () => {
    const { totals } = thought.result.classes[0]!;
    expect(totals.reasoningTokens).toBe(300 * totals.completed);
    const visible = thought.rows.reduce((sum, row) => sum + row.outputTokens, 0) - totals.reasoningTokens;
    const { line, quantity } = thought.result.series.ledger;
    const output = quantity.reduce((sum, amount, i) => sum + (line[i] === "api-output" ? amount : 0), 0);
    expect(output).toBe(visible + totals.reasoningTokens);
    expect(thought.result.series.windows.reasoningTokens.reduce((sum, n) => sum + n, 0)).toBe(totals.reasoningTokens);
    expect(plain.result.classes[0]!.totals.reasoningTokens).toBe(0);
  });

  test("it has a price of its own where the offer has one", () => {
    const prices = [
      { fromEpochS: null, inputUsdPerMTok: 0, outputUsdPerMTok: 10, reasoningUsdPerMTok: 4, longContext: [] },
    ];
    const { result, rows } = run(FIXED, { offer: { latency, prices } });
    const { line, usd, quantity } = result.series.ledger;
    const of = (column: readonly number[]): number =>
      column.reduce((sum, amount, i) => sum + (line[i] === "api-output" ? amount : 0), 0);
    // Answers under way at the horizon are paid too.
    const thoughtTokens = rows.reduce((sum, row) => sum + row.reasoningTokens, 0);
    expect(thoughtTokens).toBeGreaterThan(result.classes[0]!.totals.reasoningTokens);
    const visible = of(quantity) - thoughtTokens;
    expect(of(usd)).toBeCloseTo((10 * visible + 4 * thoughtTokens) / 1e6, 9);
  });

  test("it takes from the limits of output tokens", () => {
    const otpm = { ...tpm(6000), name: "otpm", reserve: NO_CHARGE, settle: { ...NO_CHARGE, output: 1 } };
    const limited = (law: ReasoningLaw | undefined): number =>
      run(law, { offer: { latency, limits: [otpm] } }).result.offers[0]!.rateLimited;
    expect(limited(FIXED)).toBeGreaterThan(limited(undefined) + 100);
  });
});

describe("at an own pool", () => {
  test("a request alone is seen at the pace of its decoding, and the pool is busy with its thinking", () => {
    const rare = { ...SPEC, meanRatePerS: 0.02, output: { kind: "constant" as const, tokens: 100 } };
    const one = (law: ReasoningLaw | undefined): { rows: readonly Row[]; busyH: number } => {
      const rows = new RowList();
      const plan = strategy([[to("pool")]], [pool()]);
      const result = simulateRun(OF, plan, traffic(law, rare), runOptions({ rows, replicas: [2] }));
      return { rows: rows.list, busyH: result.pools[0]!.busyH };
    };
    const plain = one(undefined);
    const thought = one(FIXED);
    expect(plain.rows.length).toBeGreaterThan(20);
    expect(thought.busyH / plain.busyH).toBeGreaterThan(3);
    thought.rows.forEach((row, i) => {
      const before = plain.rows[i]!;
      // A longer context makes later steps a little slower.
      expect((row.ttftS - before.ttftS) / (300 * before.tpotS)).toBeCloseTo(1, 1);
      expect(row.tpotS / before.tpotS).toBeCloseTo(1, 1);
      expect(row.ttftS + 99 * row.tpotS).toBeCloseTo(row.e2eS, 9);
    });
  });

  test("without thinking nothing moves", () => {
    const none = run({ kind: "added", medianTokens: 1e-9, sigma: 0, maxTokens: 1 }, { pool: {} });
    expect(none.result).toEqual(run(undefined, { pool: {} }).result);
  });
});

describe("in the file", () => {
  const resolved = (reasoning: unknown, preset = "chat-azure-2023"): ReasoningLaw | undefined => {
    const raw = withValue(smallExperiment(), ["traffic", "preset"], preset);
    return resolveRaw(withValue(raw, ["classes", 0, "reasoning"], reasoning)).experiment.classes[0]!.reasoning;
  };

  test("efforts of the catalogue have the medians of their names", () => {
    expect(["low", "medium", "high", "xhigh"].map((id) => catalog.reasoning.get(id)!.medianTokens)).toEqual([
      50, 250, 700, 2500,
    ]);
    expect(resolved("high")).toEqual(HIGH);
  });

  test("none is the default; a law of one's own; the share of a preset", () => {
    expect(resolveRaw(smallExperiment()).experiment.classes.every(({ reasoning }) => reasoning === undefined)).toBe(
      true,
    );
    expect(resolved("none")).toBeUndefined();
    expect(resolved({ medianTokens: 40, sigma: 1, maxTokens: 500 })).toEqual({
      kind: "added",
      medianTokens: 40,
      sigma: 1,
      maxTokens: 500,
    });
    expect(resolved("share", "reasoning")?.kind).toBe("share");
    expect(resolved("share", "Reasoning")).toEqual(resolved("share", "reasoning"));
  });

  test("a share that nobody recorded, and an effort that does not exist", () => {
    const problem = (reasoning: unknown): ConfigError["problems"][number] | undefined => {
      try {
        resolved(reasoning);
      } catch (error) {
        return (error as ConfigError).problems[0];
      }
      return undefined;
    };
    expect(problem("share")).toMatchObject({
      path: ["classes", 0, "reasoning"],
      hint: expect.stringContaining("reasoning"),
    });
    expect(problem("hgh")?.hint).toContain("high");
  });
});
