/** The response cache before dispatch: who is answered by it, and that nothing else is moved. */
import { describe, expect, test } from "vitest";
import { simulateRun } from "../../src/dispatch/simulate.ts";
import { Sketch } from "../../src/kernel/sketch.ts";
import type { RunResult } from "../../src/outcome/run-result.ts";
import type { RequestClass, ResponseCacheSpec } from "../../src/scenario/resolved.ts";
import { problemsOf, resolveRaw, smallExperiment, withValue } from "../fixtures/experiment.ts";
import { listTraffic, offer, poissonTraffic, requestClass, RowList, runOptions } from "../fixtures/strategies.ts";
import { setting, strategy, to } from "../fixtures/strategies.ts";

const CACHE: ResponseCacheSpec = { hitFraction: null, ttlS: 100, latencyS: 0.005 };

function run(
  responseCache: ResponseCacheSpec | undefined,
  repeats: RequestClass["repeats"],
  times: readonly number[] | null = null,
  latency = offer().latency,
): { result: RunResult; rows: RowList } {
  const rows = new RowList();
  const of = setting({ horizonS: 3000, classes: [requestClass(repeats === undefined ? {} : { repeats })] });
  const traffic =
    times === null
      ? poissonTraffic(of)
      : listTraffic(times.map((timeS) => ({ timeS, inputTokens: 100, outputTokens: 50 })));
  const plan = strategy([[to("offer")]], [], [offer({ limits: [], latency })]);
  const cached = responseCache === undefined ? plan : { ...plan, responseCache };
  return { result: simulateRun(of, cached, traffic, runOptions({ replicas: [], rows })), rows };
}

/** Share of completed requests that reached no target. */
function hitFraction({ result, rows }: ReturnType<typeof run>): number {
  const hits = rows.list.filter(({ route }) => route === 2).length;
  const { windows } = result.series;
  const counted = windows.route.reduce(
    (sum, name, i) => sum + (name === "response-cache" ? windows.completed[i]! : 0),
    0,
  );
  expect(counted).toBe(hits);
  return hits / rows.list.length;
}

describe("the response cache", () => {
  test("one question: found while its answer is fresh, counted from the answer, not from the question", () => {
    // An answer takes more than a second; the one at 0.5 s comes too early, the one at 250 s too late, the last is fresh again.
    const { rows } = run(CACHE, { questions: 1, zipfExponent: 1 }, [0, 0.5, 90, 250, 340]);
    const hit = rows.list.filter(({ route }) => route === 2);
    expect(hit.map(({ sentS }) => sentS)).toEqual([90, 340]);
    for (const { ttftS, e2eS, tpotS, attempts } of hit) {
      expect([ttftS, e2eS, tpotS, attempts]).toEqual([0.005, 0.005, 0, 0]);
    }
    expect(rows.list).toHaveLength(5);
  });

  test("a declared share is met, costs nothing and moves no other request", () => {
    const none = run(undefined, undefined);
    const some = run({ ...CACHE, hitFraction: 0.3 }, undefined);
    const share = hitFraction(some);
    expect(Math.abs(share - 0.3)).toBeLessThan(4 * Math.sqrt((0.3 * 0.7) / some.rows.list.length));
    const usd = ({ result }: typeof some): number => result.series.ledger.usd.reduce((sum, line) => sum + line, 0);
    expect(usd(some) / usd(none)).toBeCloseTo(1 - share, 1);
    const before = new Map(none.rows.list.map((row) => [row.request, row]));
    for (const row of some.rows.list.filter(({ route }) => route === 1))
      expect(row.e2eS).toBe(before.get(row.request)!.e2eS);
    expect(run({ ...CACHE, hitFraction: 0 }, undefined).rows.list).toEqual(none.rows.list);
  });

  test("questions by Zipf's law: as many hits as the law says", () => {
    // Poisson questions at rate λ pₙ: the next comes within the time to live, counted from the last answer by a target.
    const expected = (questions: number, exponent: number, ttlS: number): number => {
      const weights = Array.from({ length: questions }, (_, i) => (i + 1) ** -exponent);
      const all = weights.reduce((sum, weight) => sum + weight, 0);
      // Of one cycle 1 request is sent and λ p ttl are hits.
      return weights.reduce((sum, weight) => {
        const hits = 2 * (weight / all) * ttlS;
        return sum + (weight / all) * (hits / (1 + hits));
      }, 0);
    };
    for (const [questions, zipfExponent, ttlS] of [
      [100, 1, 100],
      [1000, 1, 100],
      [100, 0, 100],
      [100, 1, 10],
    ] as const) {
      // Answers that take no time, as the formula has them.
      const latency = { ...offer().latency, ttftBaseS: 1e-6, prefillSPerKTok: 0, tokensPerS: 1e9 };
      const share = hitFraction(run({ ...CACHE, ttlS }, { questions, zipfExponent }, null, latency));
      expect(Math.abs(share - expected(questions, zipfExponent, ttlS)), `${questions} ${ttlS}`).toBeLessThan(0.02);
    }
    expect(hitFraction(run(CACHE, undefined))).toBe(0);
  });

  test("its latency is what the client sees", () => {
    const median = (latencyS: number): number => {
      const { result } = run({ ...CACHE, hitFraction: 1, latencyS }, undefined);
      return Sketch.fromPlain(result.classes[0]!.e2eS).quantile(0.5);
    };
    expect(median(0.05)).toBeCloseTo(0.05, 2);
    expect(median(0.5)).toBeCloseTo(0.5, 1);
  });
});

describe("in an experiment file", () => {
  const CACHED = ["strategies", "api", "responseCache"];

  test("milliseconds become seconds, defaults are assumptions", () => {
    const raw = withValue(smallExperiment(), CACHED, { hitFraction: 0.2, latencyMs: 8 });
    const { experiment } = resolveRaw(raw);
    expect(experiment.strategies[0]!.responseCache).toEqual({ hitFraction: 0.2, ttlS: 3600, latencyS: 0.008 });
    expect(experiment.strategies[1]!.responseCache).toBeUndefined();
  });

  test("without a share or repeats it could answer nothing", () => {
    const raw = withValue(smallExperiment(), CACHED, {});
    expect(problemsOf(raw)[0]!.message).toMatch(/no class says how often its prompts repeat/);
    const repeats = withValue(raw, ["classes", 0, "repeats"], { questions: 50 });
    expect(problemsOf(repeats)).toEqual([]);
    expect(resolveRaw(repeats).experiment.classes[0]!.repeats).toEqual({ questions: 50, zipfExponent: 1 });
  });
});
