/** `traffic.sessions` of an experiment file: what it resolves to, and what is refused. */
import { expect, test } from "vitest";
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

test("a pool has to hold the longest conversation", () => {
  expect(requestSizes(resolved(SESSIONS), [])).toEqual({ shortest: 600, median: 640, longest: 500 + 2 * 160 + 100 });
  expect(requestSizes(resolved({ ...SESSIONS, maxContextTokens: 550 }), []).longest).toBe(650);
  expect(requestSizes(resolved({ ...SESSIONS, carryContext: false }), [])).toEqual({
    shortest: 160,
    median: 600,
    longest: 600,
  });
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
