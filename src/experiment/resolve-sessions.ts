/** Sessions of synthetic traffic, the file's own or its preset's: turns, pauses, what turns add, sub-agents. Seconds and tokens. */
import type { CatalogEntry } from "../catalog/schema.ts";
import { log, normalCdf } from "../kernel/math.ts";
import type { LengthDistribution, SessionSpec } from "../scenario/resolved.ts";
import type { Path } from "./read.ts";
import type { Resolution } from "./resolution.ts";
import type { LengthFile, SessionsFile } from "./schema.ts";

type PresetSessions = NonNullable<CatalogEntry<"traffic">["sessions"]>;

/** Null when what the file says leaves no sessions; the problems are in `resolution` then. `input`: the first prompts. */
export function resolveSessions(
  resolution: Resolution,
  file: SessionsFile,
  input: LengthDistribution,
  resolveLength: (length: LengthFile, path: Path) => LengthDistribution | null,
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
  for (const field of ["carryContext", "maxContextTokens", "newInput"])
    resolution.fromFile(`traffic.sessions.${field}`, [...path, field]);
  const newInput = file.newInput === undefined ? input : resolveLength(file.newInput, [...path, "newInput"]);
  const { subAgents } = file;
  const called = subAgents === undefined ? null : resolveLength(subAgents.input, [...path, "subAgents", "input"]);
  if (newInput === null || (subAgents !== undefined && called === null)) return null;
  return specOf(file, turnShares, newInput, called);
}

/** Sessions of the preset. */
export function presetSessions(
  resolution: Resolution,
  preset: CatalogEntry<"traffic">,
  sessions: PresetSessions,
  input: LengthDistribution,
): SessionSpec {
  resolution.useEntry("traffic", preset, ["sessions"]);
  resolution.from("traffic.sessions", `preset:${preset.id}`);
  return specOf(sessions, turnSharesOf(sessions.turns), sessions.newInput ?? input, sessions.subAgents?.input ?? null);
}

function specOf(
  { thinkTimeS, carryContext, maxContextTokens, compaction, subAgents }: SessionsFile | PresetSessions,
  turnShares: readonly number[],
  newInput: LengthDistribution,
  called: LengthDistribution | null,
): SessionSpec {
  const { medianS, sigma, breaks } = thinkTimeS;
  return {
    turnShares,
    think: { medianS, sigma, ...(breaks === undefined ? {} : { breaks }) },
    newInput,
    carryContext,
    maxContextTokens,
    ...(compaction === undefined ? {} : { compaction }),
    ...(subAgents === undefined || called === null ? {} : { subAgents: { ...subAgents, input: called } }),
  };
}

/**
 * By number of turns from 1: a geometric number of mean `mean`, P(n) ∝ (1 − 1/mean)^n, or a lognormal one, rounded; all beyond `max`
 * at `max`.
 */
function turnSharesOf(turns: (SessionsFile | PresetSessions)["turns"]): readonly number[] {
  if (Array.isArray(turns)) return turns;
  const upTo = "mean" in turns ? geometric(turns.mean) : rounded(turns);
  let before = 0;
  return Array.from({ length: turns.max }, (_, i) => {
    const below = i + 1 === turns.max ? 1 : upTo(i + 1);
    const share = below - before;
    before = below;
    return share;
  });
}

/** P(turns ≤ n). */
type UpTo = (n: number) => number;

function geometric(mean: number): UpTo {
  let left = 1;
  return () => 1 - (left *= 1 - 1 / mean);
}

function rounded({ medianTurns, sigma }: { readonly medianTurns: number; readonly sigma: number }): UpTo {
  if (sigma === 0) return (n) => (n + 0.5 > medianTurns ? 1 : 0);
  return (n) => normalCdf(log((n + 0.5) / medianTurns) / sigma);
}
