/** Sessions of synthetic traffic: turns, think time, what a turn adds, and the longest context. Seconds and tokens. */
import type { LengthDistribution, SessionSpec } from "../scenario/resolved.ts";
import type { Resolution } from "./resolution.ts";
import type { SessionsFile } from "./schema.ts";

/** Null when what the file says leaves no sessions; the problems are in `resolution` then. */
export function resolveSessions(
  resolution: Resolution,
  file: SessionsFile,
  newInput: LengthDistribution | null,
): SessionSpec | null {
  const path = ["traffic", "sessions"];
  const turnShares = turnSharesOf(file.turns);
  if (!turnShares.some((share) => share > 0)) {
    resolution.problem(
      [...path, "turns"],
      "the probabilities are all zero",
      "[0.6, 0.3, 0.1] means one, two or three turns",
    );
    return null;
  }
  resolution.from("traffic.sessions", "file");
  for (const field of ["carryContext", "maxContextTokens"])
    resolution.fromFile(`traffic.sessions.${field}`, [...path, field]);
  if (newInput === null) return null;
  return {
    turnShares,
    think: file.thinkTimeS,
    newInput,
    carryContext: file.carryContext,
    maxContextTokens: file.maxContextTokens,
  };
}

/** A geometric number of turns of mean `mean`, P(n) ∝ (1 − 1/mean)^n, with all beyond `max` at `max`. */
function turnSharesOf(turns: SessionsFile["turns"]): readonly number[] {
  if (Array.isArray(turns)) return turns;
  const { mean, max } = turns;
  const shares: number[] = [];
  let left = 1;
  for (let n = 1; n < max; n++) {
    shares.push(left / mean);
    left *= 1 - 1 / mean;
  }
  return [...shares, left];
}
