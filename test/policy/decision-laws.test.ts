/** The laws of the decision in both modes, and faults planted in its source that the laws or the archetypes must catch. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, test, vi } from "vitest";
import { segmentSentences, verdictSentence } from "../../src/decision/sentences.ts";
import { decide, recompute } from "../../src/decision/verdict.ts";
import { answerable, archetypeCases, outcomeOf } from "../unit/decision-archetypes.ts";
import { LAWS, anyInputs } from "./decision-laws.ts";
import type { Implementation } from "./decision-laws.ts";

/** Thousands of decisions a law: seconds on an idle machine, more on a busy one. */
vi.setConfig({ testTimeout: 60_000 });

const REAL: Implementation = { decide, recompute, verdictSentence, segmentSentences };

test("there are twelve laws", () => {
  expect(LAWS.map((law) => law.number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
});

test.each(LAWS)("law $number: $name", ({ check }) => {
  check(REAL, 250);
});

test("a closed option is never chosen, and every option is spoken of", () => {
  for (const inputs of fc.sample(anyInputs, { numRuns: 1000, seed: 2 })) {
    for (const { segment, choice, open, passedOver } of decide(inputs).verdict.segments) {
      if (choice !== "conflict" && !open.includes(choice)) throw new Error(`${segment}: ${choice} is closed`);
      const spokenOf = [choice, ...passedOver.map(({ option }) => option)];
      const silent = (["api", "private_managed", "self"] as const).filter((option) => !spokenOf.includes(option));
      if (silent.length > 0) throw new Error(`${segment}: nothing said of ${silent.join(", ")}`);
    }
  }
});

test("the random workloads reach every choice, rule, node value and verdict", () => {
  const seen = new Set<string>();
  for (const inputs of fc.sample(anyInputs, { numRuns: 1500, seed: 1 })) {
    const { verdict } = decide(inputs);
    seen.add(verdict.verdict);
    if (verdict.literal.verdict !== verdict.verdict) seen.add("modes differ");
    for (const segment of verdict.segments) {
      seen.add(`choice ${segment.choice}`).add(`rule ${segment.rule}`);
      for (const [node, value] of Object.entries(segment.nodes)) seen.add(`${node} ${value}`);
      for (const node of segment.dependsOn) seen.add(`depends on ${node}`);
      if (segment.targetMissed) seen.add("target missed");
      if (segment.advisory.some((line) => line.includes("every constraint"))) seen.add("vendor advised");
    }
  }
  const wanted = [
    "api-first",
    "hybrid",
    "self-hosted",
    "private-controlled",
    "conflict",
    "modes differ",
    "target missed",
    "vendor advised",
    ...["api", "self", "private_managed", "split", "conflict"].map((choice) => `choice ${choice}`),
    ...[1, 2, 3, 4].map((rule) => `rule ${rule}`),
    ...["T1", "T2", "T3a", "T3", "T4", "T5"].flatMap((node) => [`${node} yes`, `${node} no`]),
    ...["T2", "T3a", "T3", "T5"].map((node) => `${node} unknown`),
    ...["T2", "T3a", "T3", "T5"].map((node) => `depends on ${node}`),
    "T2 n/a",
    "T3a n/a",
    "T3 n/a",
  ];
  expect(wanted.filter((one) => !seen.has(one))).toEqual([]);
});

/** One comparison changed in one file of the decision, and who must notice. */
const FAULTS: readonly { file: string; from: string; to: string; caughtBy: readonly (number | "archetypes")[] }[] = [
  { file: "inputs.ts", from: 'value = hi < threshold ? "yes"', to: 'value = hi > threshold ? "yes"', caughtBy: [3] },
  { file: "inputs.ts", from: 'value = hi <= threshold ? "yes"', to: 'value = hi >= threshold ? "yes"', caughtBy: [5] },
  { file: "inputs.ts", from: 'value = lo >= threshold ? "yes"', to: 'value = lo <= threshold ? "yes"', caughtBy: [6] },
  { file: "nodes.ts", from: "bounds.hi <= most", to: "bounds.hi >= most", caughtBy: [1, 2] },
  { file: "nodes.ts", from: "bounds.hi > softPremium", to: "bounds.hi < softPremium", caughtBy: [1, 2] },
  {
    file: "nodes.ts",
    from: "if (theirs > 0) return own / theirs",
    to: "if (own > 0) return theirs / own",
    caughtBy: [1, 2],
  },
  {
    file: "filter.ts",
    from: 'segment.sensitivity === "restricted" ||',
    to: 'segment.sensitivity !== "restricted" ||',
    caughtBy: [4],
  },
  { file: "rules.ts", from: "if (!capable) {", to: "if (capable) {", caughtBy: [6] },
  { file: "rules.ts", from: "!hard && !isSoft(facts) && !cheaper", to: "!isSoft(facts) && !cheaper", caughtBy: [7] },
  { file: "facts.ts", from: 'requestsPerS")?.estimate === 0', to: 'requestsPerS")?.estimate !== 0', caughtBy: [10] },
  {
    file: "verdict.ts",
    from: "controlledShare <= apiShareFraction",
    to: "controlledShare >= apiShareFraction",
    caughtBy: [9],
  },
  {
    file: "verdict.ts",
    from: "controlledShare < controlledShareFraction",
    to: "controlledShare > controlledShareFraction",
    caughtBy: ["archetypes"],
  },
  // Nodes that never fire break no law of order; only the archetypes know that they should.
  { file: "nodes.ts", from: "return all([api.value, own.value]);", to: 'return "no";', caughtBy: ["archetypes"] },
  { file: "rules.ts", from: 'facts.economics === "yes"', to: 'facts.economics === "n/a"', caughtBy: ["archetypes"] },
];

describe("planted faults are caught", () => {
  const source = fileURLToPath(new URL("../../src/", import.meta.url));
  const scratch = mkdtempSync(join(tmpdir(), "decision-faults-"));
  afterAll(() => rmSync(scratch, { recursive: true }));

  /** The decision as its source would be with the fault. */
  async function planted(number: number, { file, from, to }: (typeof FAULTS)[number]): Promise<Implementation> {
    const copy = join(scratch, String(number));
    mkdirSync(join(copy, "kernel"), { recursive: true });
    cpSync(join(source, "decision"), join(copy, "decision"), { recursive: true });
    cpSync(join(source, "kernel", "errors.ts"), join(copy, "kernel", "errors.ts"));
    const path = join(copy, "decision", file);
    const text = readFileSync(path, "utf8");
    expect(text.split(from), `${from} occurs once in ${file}`).toHaveLength(2);
    writeFileSync(path, text.replace(from, to));
    const load = (name: string) => import(/* @vite-ignore */ pathToFileURL(join(copy, "decision", name)).href);
    return { ...(await load("verdict.ts")), ...(await load("sentences.ts")) } as Implementation;
  }

  function archetypesHold({ decide: decideWithFault }: Implementation): boolean {
    return archetypeCases().every(({ inputs, expected }) => {
      const outcome = outcomeOf(decideWithFault, inputs, expected);
      return JSON.stringify(outcome) === JSON.stringify(outcomeOf(decide, inputs, expected));
    });
  }

  test("without a fault the archetypes hold", () => {
    for (const { inputs, expected } of archetypeCases()) {
      expect(outcomeOf(decide, inputs, expected)).toEqual(answerable(expected));
    }
  });

  test.each(FAULTS.map((fault, number) => ({ ...fault, number })))("$file: $to", async (fault) => {
    const decision = await planted(fault.number, fault);
    const broken = LAWS.filter(({ number, check }) => {
      if (!fault.caughtBy.includes(number)) return false;
      try {
        check(decision, 2000);
        return false;
      } catch {
        return true;
      }
    }).map((law) => law.number);
    const caughtBy = [...broken, ...(archetypesHold(decision) ? [] : ["archetypes"])];
    expect(caughtBy).toEqual(expect.arrayContaining([...fault.caughtBy]));
  });
});
