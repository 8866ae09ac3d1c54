/** The archetypes and their flips on the level of the rules: exact verdicts, choices, rules, nodes, ratios, literal verdicts. */
import { describe, expect, test } from "vitest";
import { verdictSentence } from "../../src/decision/sentences.ts";
import { decide } from "../../src/decision/verdict.ts";
import { answerable, archetype, archetypeCases, outcomeOf } from "./decision-archetypes.ts";

const CASES = archetypeCases();

test("all eight archetypes and their eleven flips are here", () => {
  expect(CASES.filter(({ id }) => !id.includes("-"))).toHaveLength(8);
  expect(CASES).toHaveLength(19);
});

test.each(CASES)("$id $title", ({ inputs, expected }) => {
  expect(outcomeOf(decide, inputs, expected)).toEqual(answerable(expected));
});

describe("the sentence of the verdict says what forces it", () => {
  const sentence = (id: string) => decide(archetype(id)).verdict.sentence;

  test("default", () => {
    expect(sentence("A1")).toBe("API-first: nothing forces the whole workload off the API.");
  });
  test("restricted data", () => {
    expect(sentence("A2")).toBe(
      "Self-hosted: data that may not leave the boundary forces own GPUs for the whole workload.",
    );
  });
  test("restricted data and a team that is not ready", () => {
    expect(sentence("A2-f1")).toBe(
      "Private, vendor-run: data that may not leave the boundary forces a vendor-run private deployment for the whole workload, since the team is not shown to be able to operate own GPUs.",
    );
  });
  test("latency", () => {
    expect(sentence("A3")).toBe(
      "Self-hosted: a strict latency target that the API misses forces own GPUs for the whole workload.",
    );
  });
  test("cost", () => {
    expect(sentence("A4")).toBe("Self-hosted: a clear cost advantage justifies own GPUs for the whole workload.");
  });
  test("a mixed workload", () => {
    expect(sentence("A6")).toBe(
      'Hybrid: data that may not leave the boundary forces own GPUs for "restricted" (30% of requests); the API is the only option open to "open" (70% of requests).',
    );
  });
  test("custom weights", () => {
    expect(sentence("A7")).toBe("Self-hosted: needs that the API does not meet force own GPUs for the whole workload.");
  });
  test("the sentence stored in the verdict is the one its records render", () => {
    for (const { inputs } of CASES) {
      const { verdict, records } = decide(inputs);
      expect(verdictSentence(records, verdict)).toBe(verdict.sentence);
    }
  });
});
