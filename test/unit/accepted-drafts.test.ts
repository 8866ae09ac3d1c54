/** Accepted drafts by table against the logarithms, and their law. */
import { describe, expect, test } from "vitest";
import { AcceptedDrafts } from "../../src/engine/accepted-drafts.ts";
import { log } from "../../src/kernel/math.ts";
import { unit } from "../../src/kernel/random.ts";

const WORDS = 4_294_967_296;

describe.each([
  [1, 0.5],
  [3, 0.7],
  [8, 0.95],
  [5, 0.01],
])("%d drafts, each accepted with probability %d", (draftTokens, acceptance) => {
  const drafts = new AcceptedDrafts(draftTokens, acceptance);
  const byLogarithm = (word: number): number => Math.min(draftTokens, Math.floor(log(unit(word)) / log(acceptance)));

  test("the same number as by logarithms, next to every power and in between", () => {
    const words = Array.from({ length: 5000 }, (_, i) => Math.floor((i / 5000) * WORDS));
    for (let k = 1; k <= draftTokens; k++)
      for (let off = -3; off <= 3; off++) words.push(Math.floor(acceptance ** k * WORDS) + off);
    words.push(WORDS - 1);
    const given = words.map((word) => drafts.of(word));
    expect(given).toEqual(words.map(byLogarithm));
    expect(words.map((word) => drafts.of(word | 0))).toEqual(given);
  });

  test("the mean is that of a geometric law cut off at the number of drafts", () => {
    const n = 200_000;
    let sum = 0;
    for (let i = 0; i < n; i++) sum += drafts.of(Math.floor(((i + 0.5) / n) * WORDS));
    const mean = Array.from({ length: draftTokens }, (_, k) => acceptance ** (k + 1)).reduce((a, b) => a + b, 0);
    expect(sum / n).toBeCloseTo(mean, 3);
  });
});

test("all or none at the ends", () => {
  const words = [0, 1, WORDS / 2, WORDS - 1];
  expect(words.map((word) => new AcceptedDrafts(4, 1).of(word))).toEqual([4, 4, 4, 4]);
  expect(words.map((word) => new AcceptedDrafts(4, 0).of(word))).toEqual([0, 0, 0, 0]);
});
