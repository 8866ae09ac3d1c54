/** Lengths of simulated periods as the terminal tells them. */
import { expect, test } from "vitest";
import { comparisonText } from "../../src/node/comparison-text.ts";
import { lengthText } from "../../src/report/format.ts";

test.each([
  [30, "30 days"],
  [1, "1 day"],
  [1.5, "1.5 days"],
  [0.5, "12 hours"],
  [1 / 24, "1 hour"],
  [0.005, "7.2 minutes"],
  [1 / 1440, "1 minute"],
  [0.003, "4.32 minutes"],
  [29.171481 / 86_400, "29.17 seconds"],
  [0.004 / 86_400, "0 seconds"],
])("%f days are %s", (days, text) => {
  expect(lengthText(days)).toBe(text);
});

test("a short comparison is not one of 0 days", () => {
  const head = comparisonText({
    title: "t",
    seed: "3",
    horizonDays: 0.003,
    comparisons: [],
    warnings: [],
    details: false,
    width: 100,
  });
  expect(head).toContain("paired replications of 4.32 minutes, seed 3");
});
