/** `traffic.sessions` of an experiment file: what it resolves to, and what is refused. */
import { describe, expect, test } from "vitest";
import { requestSizes } from "../../src/experiment/request-size.ts";
import type { SyntheticTraffic } from "../../src/scenario/resolved.ts";
import { meanTurns } from "../../src/traffic/sessions.ts";
import { problemsOf, resolveRaw, smallExperiment, withValue, type Raw } from "../fixtures/experiment.ts";

const SESSIONS = {
  turns: [0.6, 0.3, 0.1],
  thinkTimeS: { medianS: 48, sigma: 1.15 },
  newInput: { kind: "constant", tokens: 60 },
  maxContextTokens: 32_000,
};
const constant = (tokens: number): Raw => ({ kind: "constant", tokens });

function withSessions(sessions: unknown): Raw {
  let raw = withValue(smallExperiment(), ["traffic", "input"], constant(500));
  raw = withValue(raw, ["traffic", "output"], constant(100));
  return withValue(raw, ["traffic", "sessions"], sessions);
}

function resolved(sessions: unknown): SyntheticTraffic {
  return resolveRaw(withSessions(sessions)).experiment.traffic as SyntheticTraffic;
}

test("turns by probability or as a geometric number with a limit", () => {
  expect(resolved(SESSIONS).sessions).toEqual({
    turnShares: [0.6, 0.3, 0.1],
    think: { medianS: 48, sigma: 1.15 },
    newInput: { kind: "constant", tokens: 60 },
    carryContext: true,
    maxContextTokens: 32_000,
  });
  const geometric = resolved({ ...SESSIONS, turns: { mean: 4, max: 3 } }).sessions!;
  expect(geometric.turnShares).toEqual([0.25, 0.1875, 0.5625]);
  expect(meanTurns(resolved({ ...SESSIONS, turns: { mean: 4, max: 400 } }).sessions!)).toBeCloseTo(4, 6);
});

test("turns as a lognormal number, rounded, with a limit", () => {
  const { turnShares } = resolved({ ...SESSIONS, turns: { medianTurns: 45, sigma: 0.98, max: 514 } }).sessions!;
  expect(turnShares).toHaveLength(514);
  expect(turnShares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  const upTo = (turns: number): number => turnShares.slice(0, turns).reduce((sum, share) => sum + share, 0);
  expect(upTo(45)).toBeCloseTo(0.5, 1);
  // Recorded agents make 229 calls at P95.
  expect(upTo(229)).toBeCloseTo(0.95, 2);
  const three = resolved({ ...SESSIONS, turns: { medianTurns: 3, sigma: 0, max: 9 } }).sessions!;
  expect(three.turnShares).toEqual([0, 0, 1, 0, 0, 0, 0, 0, 0]);
});

test("what a turn adds is as long as a first prompt where nothing is said", () => {
  const { newInput: _, ...rest } = SESSIONS;
  expect(resolved(rest).sessions!.newInput).toEqual({ kind: "constant", tokens: 500 });
});

describe("sessions of a preset", () => {
  const of = (traffic: Raw) => resolveRaw(withValue(smallExperiment(), ["traffic"], traffic)).experiment;
  const traffic = (raw: Raw): SyntheticTraffic => of(raw).traffic as SyntheticTraffic;

  test("hold unless the file has its own, or says none", () => {
    const agents = traffic({ preset: "coding-agent" });
    expect(agents.sessions).toMatchObject({
      think: { medianS: 12.4, sigma: 1.28, breaks: { share: 0.1328, medianS: 144, sigma: 1.7 } },
      compaction: { share: 0.0087, keptFraction: 0.2 },
      subAgents: { share: 0.0006, parallel: 1, calls: 12 },
    });
    const single = traffic({ preset: "coding-agent", sessions: "none" });
    expect(single.sessions).toBeUndefined();
    // First prompts are shorter than those of all calls.
    expect(agents.input).toMatchObject({ meanTokens: 92_349.875 });
    expect(single.input).toMatchObject({ meanTokens: 123_707.892 });
    expect(traffic({ preset: "coding-agent", sessions: SESSIONS }).sessions!.turnShares).toEqual([0.6, 0.3, 0.1]);
    expect(traffic({ preset: "rag" }).sessions!.newInput).toEqual(traffic({ preset: "rag", sessions: "none" }).input);
    expect(traffic({ preset: "chat-consumer" }).sessions).toBeUndefined();
  });

  test("are among the values that the answer rests on", () => {
    expect(of({ preset: "rag" }).assumptions.some(({ id }) => id === "traffic/rag/sessions")).toBe(true);
    expect(of({ preset: "rag", sessions: "none" }).assumptions.some(({ id }) => id === "traffic/rag/sessions")).toBe(
      false,
    );
  });

  test("are left out where classes have lengths of their own, and the run says so", () => {
    const raw = withValue(
      withValue(smallExperiment(), ["traffic"], { preset: "rag" }),
      ["classes", 0, "input"],
      constant(9),
    );
    const { experiment } = resolveRaw(raw);
    expect(experiment.traffic).not.toHaveProperty("sessions");
    expect(experiment.warnings.join()).toContain("the sessions of the preset rag are left out");
  });

  test("none is refused where there are none", () => {
    const raw = withValue(smallExperiment(), ["traffic"], { preset: "chat-consumer", sessions: "none" });
    expect(problemsOf(raw)).toMatchObject([{ path: ["traffic", "sessions"] }]);
  });
});

test("a pool has to hold the longest conversation", () => {
  expect(requestSizes(resolved(SESSIONS), [])).toEqual({
    shortest: 600,
    median: 640,
    mean: 640,
    longest: 500 + 2 * 160 + 100,
  });
  expect(requestSizes(resolved({ ...SESSIONS, maxContextTokens: 550 }), []).longest).toBe(650);
  expect(requestSizes(resolved({ ...SESSIONS, carryContext: false }), [])).toEqual({
    shortest: 160,
    median: 600,
    mean: 600,
    longest: 600,
  });
  const subAgents = { share: 0.5, parallel: 2, calls: 3, input: constant(2000) };
  expect(requestSizes(resolved({ ...SESSIONS, subAgents }), []).longest).toBe(2000 + 2 * 160 + 100);
});

test("what leaves no sessions is refused where it stands", () => {
  const problem = (sessions: unknown): string =>
    problemsOf(withSessions(sessions))
      .map(({ path, message }) => `${path.join(".")}: ${message}`)
      .join("; ");
  expect(problem({ ...SESSIONS, turns: [0, 0] })).toMatch(/^traffic\.sessions\.turns: the probabilities are all zero/);
  expect(problem({ ...SESSIONS, maxContextTokens: 0 })).toMatch(/^traffic\.sessions\.maxContextTokens: /);
  expect(problem({ ...SESSIONS, newInput: { kind: "lognormal", sigma: 1, maxTokens: 100 } })).toMatch(
    /^traffic\.sessions\.newInput: a lognormal length needs/,
  );
  const replayed = withValue(withSessions(SESSIONS), ["traffic", "replay"], { file: "x.parquet" });
  expect(problemsOf(replayed).some(({ path }) => path.join(".") === "traffic.sessions")).toBe(true);
});
