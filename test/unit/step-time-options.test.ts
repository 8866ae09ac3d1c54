/** What scheduling options and the model's own doubt do to step times. */
import { expect, test } from "vitest";
import { DEFAULT_SCHEDULER, type SchedulerSpec } from "../../src/engine/scheduler-spec.ts";
import { errorFactor, scaledStepTime, scheduledStepTime, tokensPerStep } from "../../src/engine/step-time-options.ts";
import type { StepTime } from "../../src/engine/step-time.ts";

/** 10 ms and 1 ms for each token of a sequence that decodes, 1 µs a token of context; a prompt of a step costs 1 ms more. */
const withTokens = (tokens: number): StepTime => ({
  decodeBaseS: Float64Array.from({ length: 41 }, (_, d) => (10 + d * tokens) / 1000),
  perContextTokenS: 1e-6,
  mixedS: (decodes, context, prefill, pairs, prompts) =>
    0.02 + (decodes * tokens) / 1000 + context * 1e-6 + prefill * 1e-5 + pairs * 1e-9 + prompts / 1000,
});
const PLAIN = withTokens(1);
const scheduled = (options: Partial<SchedulerSpec>): StepTime =>
  scheduledStepTime(withTokens, { ...DEFAULT_SCHEDULER, ...options });

test("a captured size is paid for up to the next one, beyond the last none", () => {
  const { decodeBaseS, mixedS } = scheduled({ capturedBatchSizes: [1, 2, 4, 8] });
  expect([1, 2, 3, 4, 5, 8, 9, 40].map((d) => Math.round(decodeBaseS[d]! * 1000))).toEqual([
    11, 12, 14, 14, 18, 18, 19, 50,
  ]);
  expect(mixedS(3, 100, 50, 0, 1)).toBe(PLAIN.mixedS(3, 100, 50, 0, 1));
});

test("drafts cost their passes and their check, and the mean-field step is shorter by the mean number of tokens", () => {
  const speculative = { draftTokens: 3, acceptance: 0.7, draftCost: 0.1, mode: "exact" } as const;
  const exact = scheduled({ speculative });
  // 8 sequences check 32 tokens, and three draft steps take a tenth of 18 ms each.
  expect(exact.decodeBaseS[8]).toBeCloseTo(0.042 + 0.0054, 12);
  expect(exact.perContextTokenS).toBeCloseTo(1.3e-6, 15);
  expect(exact.mixedS(8, 1000, 500, 0, 1)).toBeCloseTo(
    withTokens(4).mixedS(8, 1000, 500, 0, 1) + 0.3 * (0.018 + 0.001),
    12,
  );
  const mean = scheduled({ speculative: { ...speculative, mode: "mean-field" } });
  expect(tokensPerStep(3, 0.7)).toBeCloseTo(1 + 0.7 + 0.49 + 0.343, 12);
  expect(mean.decodeBaseS[8]! * 2.533).toBeCloseTo(exact.decodeBaseS[8]!, 12);
  // A step with prefill and the decode steps of the tokens that it does not give take as long as one that gives them all.
  const decodeS = mean.decodeBaseS[8]! + mean.perContextTokenS * 1000;
  expect(mean.mixedS(8, 1000, 500, 0, 1) + (2.533 - 1) * decodeS).toBeCloseTo(exact.mixedS(8, 1000, 500, 0, 1), 12);
  expect(mean.mixedS(0, 0, 500, 0, 1)).toBe(PLAIN.mixedS(0, 0, 500, 0, 1));
});

test("the error of a set is drawn through its quantiles and beyond them", () => {
  const band = { p5: -20, p25: -8, p50: -1, p75: 10, p95: 25 };
  const percent = (u: number): number => (1 / errorFactor(band, u) - 1) * 100;
  for (const [u, expected] of [
    [0.05, -20],
    [0.15, -14],
    [0.5, -1],
    [0.75, 10],
    [0.95, 25],
    [1, 28.75],
    [0, -23],
  ] as const)
    expect(percent(u), `at ${u}`).toBeCloseTo(expected, 9);
  const slower = scaledStepTime(PLAIN, errorFactor(band, 0.05));
  // Predicted 20 % too low: the truth takes 1.25 times as long, in every part.
  expect(slower.decodeBaseS[10]).toBeCloseTo(0.02 * 1.25, 12);
  expect(slower.perContextTokenS).toBeCloseTo(1.25e-6, 15);
  expect(slower.mixedS(1, 2, 3, 4, 1)).toBeCloseTo(PLAIN.mixedS(1, 2, 3, 4, 1) * 1.25, 12);
});
